"""many_to_one: a recurrent network with 227 parameters.

Inputs x (T, B, 3); outputs label (B, 3).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 3, N_forth = 4, N_back = 4, N_label = 3.

 (1)  n_r_forth[t,b,i] = sum_j W_r_forth_x[i,j]*x[t,b,j] + sum_j U_r_forth[i,j]*forth[t-1,b,j]
          + b_r_forth[i]
 (2)  r_forth[t,b,i] = sigmoid(n_r_forth[t,b,i])
 (3)  n_z_forth[t,b,i] = sum_j W_z_forth_x[i,j]*x[t,b,j] + sum_j U_z_forth[i,j]*forth[t-1,b,j]
          + b_z_forth[i]
 (4)  z_forth[t,b,i] = sigmoid(n_z_forth[t,b,i])
 (5)  part_n_forth[t,b,i] = sum_j U_n_forth[i,j]*forth[t-1,b,j] + c_n_forth[i]
 (6)  n_n_forth[t,b,i] = sum_j W_n_forth_x[i,j]*x[t,b,j] + b_n_forth[i]
          + part_n_forth[t,b,i]*r_forth[t,b,i]
 (7)  n_forth[t,b,i] = tanh(n_n_forth[t,b,i])
 (8)  forth[t,b,i] = n_forth[t,b,i]*(1 - z_forth[t,b,i]) + forth[t-1,b,i]*z_forth[t,b,i]
 (9)  n_r_back[t,b,i] = sum_j W_r_back_x[i,j]*x[t,b,j] + sum_j U_r_back[i,j]*back[t+1,b,j]
          + b_r_back[i]
(10)  r_back[t,b,i] = sigmoid(n_r_back[t,b,i])
(11)  n_z_back[t,b,i] = sum_j W_z_back_x[i,j]*x[t,b,j] + sum_j U_z_back[i,j]*back[t+1,b,j]
          + b_z_back[i]
(12)  z_back[t,b,i] = sigmoid(n_z_back[t,b,i])
(13)  part_n_back[t,b,i] = sum_j U_n_back[i,j]*back[t+1,b,j] + c_n_back[i]
(14)  n_n_back[t,b,i] = sum_j W_n_back_x[i,j]*x[t,b,j] + b_n_back[i]
          + part_n_back[t,b,i]*r_back[t,b,i]
(15)  n_back[t,b,i] = tanh(n_n_back[t,b,i])
(16)  back[t,b,i] = n_back[t,b,i]*(1 - z_back[t,b,i]) + back[t+1,b,i]*z_back[t,b,i]
(17)  n_label[b,i] = sum_j W_label_forth_last[i,j]*forth[T-1,b,j]
          + sum_j W_label_back_first[i,j]*back[0,b,j] + b_label[i]
(18)  logsumexp_label[b] = log(sum_i exp(n_label[b,i]))
(19)  label[b,i] = exp(n_label[b,i] - logsumexp_label[b])
(20)  loss = sum_b logsumexp_label[b]/B - sum_b,i n_label[b,i]*target_label[b,i]/B
(21)  d_n_label[b,i] = (label[b,i] - target_label[b,i])/B
(22)  d_back[t,b,i] = sum_j W_label_back_first[j,i]*d_n_label[b,j] [t = 0]
          + d_back[t-1,b,i]*z_back[t-1,b,i] [t >= 1]
          + sum_j U_n_back[j,i]*d_part_n_back[t-1,b,j] [t >= 1]
          + sum_j U_z_back[j,i]*d_n_z_back[t-1,b,j] [t >= 1]
          + sum_j U_r_back[j,i]*d_n_r_back[t-1,b,j] [t >= 1]
(23)  d_n_back[t,b,i] = d_back[t,b,i]*(1 - z_back[t,b,i])
(24)  d_n_n_back[t,b,i] = d_n_back[t,b,i]*(1 - n_back[t,b,i]^2)
(25)  d_part_n_back[t,b,i] = d_n_n_back[t,b,i]*r_back[t,b,i]
(26)  d_z_back[t,b,i] = d_back[t,b,i]*(back[t+1,b,i] - n_back[t,b,i])
(27)  d_n_z_back[t,b,i] = d_z_back[t,b,i]*z_back[t,b,i]*(1 - z_back[t,b,i])
(28)  d_r_back[t,b,i] = d_n_n_back[t,b,i]*part_n_back[t,b,i]
(29)  d_n_r_back[t,b,i] = d_r_back[t,b,i]*r_back[t,b,i]*(1 - r_back[t,b,i])
(30)  d_forth[t,b,i] = sum_j W_label_forth_last[j,i]*d_n_label[b,j] [t = T-1]
          + d_forth[t+1,b,i]*z_forth[t+1,b,i] [t <= T-2]
          + sum_j U_n_forth[j,i]*d_part_n_forth[t+1,b,j] [t <= T-2]
          + sum_j U_z_forth[j,i]*d_n_z_forth[t+1,b,j] [t <= T-2]
          + sum_j U_r_forth[j,i]*d_n_r_forth[t+1,b,j] [t <= T-2]
(31)  d_n_forth[t,b,i] = d_forth[t,b,i]*(1 - z_forth[t,b,i])
(32)  d_n_n_forth[t,b,i] = d_n_forth[t,b,i]*(1 - n_forth[t,b,i]^2)
(33)  d_part_n_forth[t,b,i] = d_n_n_forth[t,b,i]*r_forth[t,b,i]
(34)  d_z_forth[t,b,i] = d_forth[t,b,i]*(forth[t-1,b,i] - n_forth[t,b,i])
(35)  d_n_z_forth[t,b,i] = d_z_forth[t,b,i]*z_forth[t,b,i]*(1 - z_forth[t,b,i])
(36)  d_r_forth[t,b,i] = d_n_n_forth[t,b,i]*part_n_forth[t,b,i]
(37)  d_n_r_forth[t,b,i] = d_r_forth[t,b,i]*r_forth[t,b,i]*(1 - r_forth[t,b,i])
(38)  d_x[t,b,i] = sum_j W_n_back_x[j,i]*d_n_n_back[t,b,j]
          + sum_j W_z_back_x[j,i]*d_n_z_back[t,b,j] + sum_j W_r_back_x[j,i]*d_n_r_back[t,b,j]
          + sum_j W_n_forth_x[j,i]*d_n_n_forth[t,b,j]
          + sum_j W_z_forth_x[j,i]*d_n_z_forth[t,b,j]
          + sum_j W_r_forth_x[j,i]*d_n_r_forth[t,b,j]
(39)  d_W_r_forth_x[i,j] = sum_t,b d_n_r_forth[t,b,i]*x[t,b,j]
(40)  d_U_r_forth[i,j] = sum_t,b d_n_r_forth[t,b,i]*forth[t-1,b,j]
(41)  d_b_r_forth[i] = sum_t,b d_n_r_forth[t,b,i]
(42)  d_W_z_forth_x[i,j] = sum_t,b d_n_z_forth[t,b,i]*x[t,b,j]
(43)  d_U_z_forth[i,j] = sum_t,b d_n_z_forth[t,b,i]*forth[t-1,b,j]
(44)  d_b_z_forth[i] = sum_t,b d_n_z_forth[t,b,i]
(45)  d_W_n_forth_x[i,j] = sum_t,b d_n_n_forth[t,b,i]*x[t,b,j]
(46)  d_b_n_forth[i] = sum_t,b d_n_n_forth[t,b,i]
(47)  d_U_n_forth[i,j] = sum_t,b d_part_n_forth[t,b,i]*forth[t-1,b,j]
(48)  d_c_n_forth[i] = sum_t,b d_part_n_forth[t,b,i]
(49)  d_W_r_back_x[i,j] = sum_t,b d_n_r_back[t,b,i]*x[t,b,j]
(50)  d_U_r_back[i,j] = sum_t,b d_n_r_back[t,b,i]*back[t+1,b,j]
(51)  d_b_r_back[i] = sum_t,b d_n_r_back[t,b,i]
(52)  d_W_z_back_x[i,j] = sum_t,b d_n_z_back[t,b,i]*x[t,b,j]
(53)  d_U_z_back[i,j] = sum_t,b d_n_z_back[t,b,i]*back[t+1,b,j]
(54)  d_b_z_back[i] = sum_t,b d_n_z_back[t,b,i]
(55)  d_W_n_back_x[i,j] = sum_t,b d_n_n_back[t,b,i]*x[t,b,j]
(56)  d_b_n_back[i] = sum_t,b d_n_n_back[t,b,i]
(57)  d_U_n_back[i,j] = sum_t,b d_part_n_back[t,b,i]*back[t+1,b,j]
(58)  d_c_n_back[i] = sum_t,b d_part_n_back[t,b,i]
(59)  d_W_label_forth_last[i,j] = sum_b d_n_label[b,i]*forth[T-1,b,j]
(60)  d_W_label_back_first[i,j] = sum_b d_n_label[b,i]*back[0,b,j]
(61)  d_b_label[i] = sum_b d_n_label[b,i]
(62)  d_initial_forth[k,b,i] = d_forth[k,b,i]*z_forth[k,b,i]
          + sum_j U_n_forth[j,i]*d_part_n_forth[k,b,j] + sum_j U_z_forth[j,i]*d_n_z_forth[k,b,j]
          + sum_j U_r_forth[j,i]*d_n_r_forth[k,b,j]
(63)  d_after_back[k,b,i] = d_back[k+T-1,b,i]*z_back[k+T-1,b,i]
          + sum_j U_n_back[j,i]*d_part_n_back[k+T-1,b,j]
          + sum_j U_z_back[j,i]*d_n_z_back[k+T-1,b,j]
          + sum_j U_r_back[j,i]*d_n_r_back[k+T-1,b,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_r_forth_x": (4, 3),
    "U_r_forth": (4, 4),
    "b_r_forth": (4,),
    "W_z_forth_x": (4, 3),
    "U_z_forth": (4, 4),
    "b_z_forth": (4,),
    "W_n_forth_x": (4, 3),
    "b_n_forth": (4,),
    "U_n_forth": (4, 4),
    "c_n_forth": (4,),
    "W_r_back_x": (4, 3),
    "U_r_back": (4, 4),
    "b_r_back": (4,),
    "W_z_back_x": (4, 3),
    "U_z_back": (4, 4),
    "b_z_back": (4,),
    "W_n_back_x": (4, 3),
    "b_n_back": (4,),
    "U_n_back": (4, 4),
    "c_n_back": (4,),
    "W_label_forth_last": (3, 4),
    "W_label_back_first": (3, 4),
    "b_label": (3,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "x": ("T", "B", 3),
}
OUTPUTS = {
    "label": ("B", 3),
}
TARGETS = {
    "label": ("B", 3),
}
MASKS = ()
CLASSES = ("label",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "label": {
        "kinds": {"cross_entropy": 1},
        "steps": "all",
        "mask": None,
        "differences": False,
        "squares": False,
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "forth": (1, "B", 4),
    "back": (1, "B", 4),
}
AFTER = {"back": "back"}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "forth": (
        ("W_r_forth_x", "U_r_forth", "b_r_forth"),
        ("W_z_forth_x", "U_z_forth", "b_z_forth"),
        ("U_n_forth", "c_n_forth"),
        ("W_n_forth_x", "b_n_forth"),
    ),
    "back": (
        ("W_r_back_x", "U_r_back", "b_r_back"),
        ("W_z_back_x", "U_z_back", "b_z_back"),
        ("U_n_back", "c_n_back"),
        ("W_n_back_x", "b_n_back"),
    ),
    "label": (
        ("W_label_forth_last", "W_label_back_first", "b_label"),
    ),
}


def initial_parameters(seed=0, dtype=np.float64):
    """Seeded parameters: weights uniform in +-1/sqrt(fan-in), biases zero."""
    if np.dtype(dtype) not in _DTYPES:
        possible = ", ".join(map(str, _DTYPES))
        raise ValueError(f"dtype is {np.dtype(dtype)}; {possible} are possible")
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in PARAMETERS.items():
        bound = 0.0 if name in _BIASES else 1.0 / np.sqrt(max(shape[-1:], default=1))
        found[name] = rng.uniform(-bound, bound, shape).astype(dtype)
    return found


def forward(parameters, inputs, initial=None):
    """The signals of the network.

    parameters, inputs, initial: arrays as PARAMETERS, INPUTS and, any of them, INITIAL say.
    Returns the arrays of all named signals: outputs, layers, and what is within their cells.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=None)
    _forward(arrays, T, B, dtype)
    return {
        "r_forth": arrays["r_forth"],
        "z_forth": arrays["z_forth"],
        "n_forth": arrays["n_forth"],
        "forth": arrays["forth"][1 : 1 + T],
        "r_back": arrays["r_back"],
        "z_back": arrays["z_back"],
        "n_back": arrays["n_back"],
        "back": arrays["back"][:T],
        "label": arrays["label"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps and sequences of -sum(target_label*log(label)).
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    return arrays["loss"]


def loss_and_gradients(
    parameters, inputs, targets, initial=None, weights=None, wrt=("parameters",)
):
    """The loss, and its gradients as a dict of arrays by name.

    The gradients have the names and shapes of the parameters. With "inputs" in wrt also those
    of the inputs; with "initial" those of the values in INITIAL, under "initial_" + name.
    """
    unknown = set(wrt) - {"parameters", "inputs", "initial"}
    if isinstance(wrt, str) or unknown:
        raise ValueError(f"wrt is {wrt!r}; it lists some of 'parameters', 'inputs', 'initial'")
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, B, dtype)
    _loss(arrays, T, B, dtype)
    _backward(arrays, T, B, dtype)
    gradients = {}
    if "parameters" in wrt:
        gradients.update((name, arrays[d_name]) for name, d_name in _GRADIENTS.items())
    if "inputs" in wrt:
        _input_gradients(arrays, T, B, dtype)
        gradients.update((name, arrays[d_name]) for name, d_name in _INPUT_GRADIENTS.items())
    if "initial" in wrt:
        _initial_gradients(arrays, T, B, dtype)
        gradients.update(("initial_" + n, arrays[d_n]) for n, d_n in _INITIAL_GRADIENTS.items())
    return arrays["loss"], gradients


# The derived equations. `arrays` holds every array by name.


def _forward(arrays, T, B, dtype):
    """The signals, forward in time."""
    x = arrays["x"]
    forth = arrays["forth"]
    back = arrays["back"]
    W_r_forth_x = arrays["W_r_forth_x"]
    U_r_forth = arrays["U_r_forth"]
    b_r_forth = arrays["b_r_forth"]
    W_z_forth_x = arrays["W_z_forth_x"]
    U_z_forth = arrays["U_z_forth"]
    b_z_forth = arrays["b_z_forth"]
    W_n_forth_x = arrays["W_n_forth_x"]
    b_n_forth = arrays["b_n_forth"]
    U_n_forth = arrays["U_n_forth"]
    c_n_forth = arrays["c_n_forth"]
    W_r_back_x = arrays["W_r_back_x"]
    U_r_back = arrays["U_r_back"]
    b_r_back = arrays["b_r_back"]
    W_z_back_x = arrays["W_z_back_x"]
    U_z_back = arrays["U_z_back"]
    b_z_back = arrays["b_z_back"]
    W_n_back_x = arrays["W_n_back_x"]
    b_n_back = arrays["b_n_back"]
    U_n_back = arrays["U_n_back"]
    c_n_back = arrays["c_n_back"]
    W_label_forth_last = arrays["W_label_forth_last"]
    W_label_back_first = arrays["W_label_back_first"]
    b_label = arrays["b_label"]

    U_back = np.concatenate((U_z_back, U_r_back, U_n_back))
    stacked_b_z_back = np.concatenate(
        (b_z_back, b_r_back, c_n_back, b_z_forth, b_r_forth, c_n_forth, b_n_forth, b_n_back)
    )
    U_forth = np.concatenate((U_z_forth, U_r_forth, U_n_forth))
    stacked_n_z_back = np.zeros((T, B, 32), dtype)
    part_n_forth = stacked_n_z_back[:, :, 20:24]
    n_r_forth = stacked_n_z_back[:, :, 16:20]
    n_n_forth = stacked_n_z_back[:, :, 24:28]
    n_z_forth = stacked_n_z_back[:, :, 12:16]
    part_n_back = stacked_n_z_back[:, :, 8:12]
    n_r_back = stacked_n_z_back[:, :, 4:8]
    n_n_back = stacked_n_z_back[:, :, 28:32]
    n_z_back = stacked_n_z_back[:, :, :4]
    r_forth = n_r_forth  # takes its place, step by step
    n_forth = n_n_forth  # takes its place, step by step
    z_forth = n_z_forth  # takes its place, step by step
    r_back = n_r_back  # takes its place, step by step
    n_back = n_n_back  # takes its place, step by step
    z_back = n_z_back  # takes its place, step by step
    n_r_forth[...] = (_rows(x) @ W_r_forth_x.T).reshape(-1, B, 4)  # (1) ij,tbj->tbi
    n_n_forth[...] = (_rows(x) @ W_n_forth_x.T).reshape(-1, B, 4)  # (6) ij,tbj->tbi
    n_z_forth[...] = (_rows(x) @ W_z_forth_x.T).reshape(-1, B, 4)  # (3) ij,tbj->tbi
    n_r_back[...] = (_rows(x) @ W_r_back_x.T).reshape(-1, B, 4)  # (9) ij,tbj->tbi
    n_n_back[...] = (_rows(x) @ W_n_back_x.T).reshape(-1, B, 4)  # (14) ij,tbj->tbi
    n_z_back[...] = (_rows(x) @ W_z_back_x.T).reshape(-1, B, 4)  # (11) ij,tbj->tbi
    stacked_n_z_back += stacked_b_z_back  # (1) (3) (5) (6) (9) (11) (13) (14)
    for t in range(T):
        forth_t_minus_1 = forth[t]
        z_forth_t = z_forth[t]
        stacked_n_z_back_t = stacked_n_z_back[t]
        stacked_n_z_back_t[:, 12:24] += forth_t_minus_1 @ U_forth.T  # (1) (3) (5) ij,bj->bi
        _sigmoid(stacked_n_z_back_t[:, 12:20], out=stacked_n_z_back_t[:, 12:20])  # (2) (4)
        n_n_forth_t = n_n_forth[t]
        n_n_forth_t += part_n_forth[t] * r_forth[t]  # (6)
        n_forth_t = np.tanh(n_n_forth_t, out=n_forth[t])  # (7)
        forth_t = np.subtract(1, z_forth_t, out=forth[t + 1])  # (8)
        forth_t *= n_forth_t  # (8)
        forth_t += forth_t_minus_1 * z_forth_t  # (8)
    for t in range(T - 1, -1, -1):
        back_t_plus_1 = back[t + 1]
        z_back_t = z_back[t]
        stacked_n_z_back_t = stacked_n_z_back[t]
        stacked_n_z_back_t[:, :12] += back_t_plus_1 @ U_back.T  # (9) (11) (13) ij,bj->bi
        _sigmoid(stacked_n_z_back_t[:, :8], out=stacked_n_z_back_t[:, :8])  # (10) (12)
        n_n_back_t = n_n_back[t]
        n_n_back_t += part_n_back[t] * r_back[t]  # (14)
        n_back_t = np.tanh(n_n_back_t, out=n_back[t])  # (15)
        back_t = np.subtract(1, z_back_t, out=back[t])  # (16)
        back_t *= n_back_t  # (16)
        back_t += back_t_plus_1 * z_back_t  # (16)
    n_label = forth[T] @ W_label_forth_last.T  # (17) ij,bj->bi
    n_label += back[0] @ W_label_back_first.T  # (17) ij,bj->bi
    n_label += b_label  # (17)
    logsumexp_label = _logsumexp(n_label, axis=1)  # (18)
    label = np.exp(n_label - logsumexp_label[:, None])  # (19)
    arrays["r_forth"] = r_forth
    arrays["z_forth"] = z_forth
    arrays["part_n_forth"] = part_n_forth
    arrays["n_forth"] = n_forth
    arrays["r_back"] = r_back
    arrays["z_back"] = z_back
    arrays["part_n_back"] = part_n_back
    arrays["n_back"] = n_back
    arrays["n_label"] = n_label
    arrays["logsumexp_label"] = logsumexp_label
    arrays["label"] = label


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    n_label = arrays["n_label"]
    logsumexp_label = arrays["logsumexp_label"]
    target_label = arrays["target_label"]

    loss = 1 / B * logsumexp_label.sum() - 1 / B * (n_label * target_label).sum()  # (20) b->, bi->
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    r_forth = arrays["r_forth"]
    z_forth = arrays["z_forth"]
    n_forth = arrays["n_forth"]
    forth = arrays["forth"]
    r_back = arrays["r_back"]
    z_back = arrays["z_back"]
    n_back = arrays["n_back"]
    back = arrays["back"]
    label = arrays["label"]
    U_r_forth = arrays["U_r_forth"]
    U_z_forth = arrays["U_z_forth"]
    U_n_forth = arrays["U_n_forth"]
    U_r_back = arrays["U_r_back"]
    U_z_back = arrays["U_z_back"]
    U_n_back = arrays["U_n_back"]
    W_label_forth_last = arrays["W_label_forth_last"]
    W_label_back_first = arrays["W_label_back_first"]
    part_n_forth = arrays["part_n_forth"]
    part_n_back = arrays["part_n_back"]
    target_label = arrays["target_label"]

    U_back = np.concatenate((U_z_back, U_r_back, U_n_back))
    U_forth = np.concatenate((U_z_forth, U_r_forth, U_n_forth))
    d_n_label = 1 / B * (label - target_label)  # (21)
    d_back = np.zeros((T, B, 4), dtype)
    d_back[:1] += (d_n_label @ W_label_back_first)  # (22) ij,bj->bi
    d_n_n_back_per_d_back = (1 - z_back) * (1 - n_back ** 2)  # (23) (24)
    d_n_r_back_per_d_n_n_back = part_n_back * r_back * (1 - r_back)  # (28) (29)
    d_n_z_back_per_d_back = (back[1:] - n_back) * z_back * (1 - z_back)  # (26) (27)
    d = np.empty((T, B, 32), dtype)
    d_n_n_back = d[:, :, 28:32]
    d_n_r_back = d[:, :, 4:8]
    d_n_z_back = d[:, :, :4]
    d_part_n_back = d[:, :, 8:12]
    d_n_n_forth = d[:, :, 24:28]
    d_n_r_forth = d[:, :, 16:20]
    d_n_z_forth = d[:, :, 12:16]
    d_part_n_forth = d[:, :, 20:24]
    for t in range(T):
        d_back_t = d_back[t]
        if t >= 1:
            d_back_t += d_back[t - 1] * z_back[t - 1]  # (22)
            d_back_t += d[t - 1, :, :12] @ U_back  # (22) ij,bj->bi
        d_n_n_back_t = np.multiply(  # (23) (24)
            d_back_t, d_n_n_back_per_d_back[t], out=d_n_n_back[t]
        )
        d_n_r_back_t = np.multiply(  # (28) (29)
            d_n_n_back_t, d_n_r_back_per_d_n_n_back[t], out=d_n_r_back[t]
        )
        d_n_z_back_t = np.multiply(  # (26) (27)
            d_back_t, d_n_z_back_per_d_back[t], out=d_n_z_back[t]
        )
        d_part_n_back_t = np.multiply(d_n_n_back_t, r_back[t], out=d_part_n_back[t])  # (25)
    d_forth = np.zeros((T, B, 4), dtype)
    d_forth[T - 1:] += (d_n_label @ W_label_forth_last)  # (30) ij,bj->bi
    d_n_n_forth_per_d_forth = (1 - z_forth) * (1 - n_forth ** 2)  # (31) (32)
    d_n_r_forth_per_d_n_n_forth = part_n_forth * r_forth * (1 - r_forth)  # (36) (37)
    d_n_z_forth_per_d_forth = (forth[:T] - n_forth) * z_forth * (1 - z_forth)  # (34) (35)
    for t in range(T - 1, -1, -1):
        d_forth_t = d_forth[t]
        if t < T - 1:
            d_forth_t += d_forth[t + 1] * z_forth[t + 1]  # (30)
            d_forth_t += d[t + 1, :, 12:24] @ U_forth  # (30) ij,bj->bi
        d_n_n_forth_t = np.multiply(  # (31) (32)
            d_forth_t, d_n_n_forth_per_d_forth[t], out=d_n_n_forth[t]
        )
        d_n_r_forth_t = np.multiply(  # (36) (37)
            d_n_n_forth_t, d_n_r_forth_per_d_n_n_forth[t], out=d_n_r_forth[t]
        )
        d_n_z_forth_t = np.multiply(  # (34) (35)
            d_forth_t, d_n_z_forth_per_d_forth[t], out=d_n_z_forth[t]
        )
        d_part_n_forth_t = np.multiply(d_n_n_forth_t, r_forth[t], out=d_part_n_forth[t])  # (33)
    d_W_r_forth_x = _rows(d_n_r_forth).T @ _rows(x)  # (39) tbi,tbj->ij
    d_W_z_forth_x = _rows(d_n_z_forth).T @ _rows(x)  # (42) tbi,tbj->ij
    d_W_n_forth_x = _rows(d_n_n_forth).T @ _rows(x)  # (45) tbi,tbj->ij
    d_U_forth = _rows(d[:, :, 12:24]).T @ _rows(forth[:T])  # (40) (43) (47) tbi,tbj->ij
    d_U_r_forth = d_U_forth[4:8]
    d_U_z_forth = d_U_forth[:4]
    d_U_n_forth = d_U_forth[8:12]
    d_W_r_back_x = _rows(d_n_r_back).T @ _rows(x)  # (49) tbi,tbj->ij
    d_W_z_back_x = _rows(d_n_z_back).T @ _rows(x)  # (52) tbi,tbj->ij
    d_W_n_back_x = _rows(d_n_n_back).T @ _rows(x)  # (55) tbi,tbj->ij
    d_U_back = _rows(d[:, :, :12]).T @ _rows(back[1:])  # (50) (53) (57) tbi,tbj->ij
    d_U_r_back = d_U_back[4:8]
    d_U_z_back = d_U_back[:4]
    d_U_n_back = d_U_back[8:12]
    stacked_d_b_z_back = d.sum(axis=(0, 1))  # (41) (44) (46) (48) (51) (54) (56) (58) tbi->i
    d_b_r_forth = stacked_d_b_z_back[16:20]
    d_b_z_forth = stacked_d_b_z_back[12:16]
    d_b_n_forth = stacked_d_b_z_back[24:28]
    d_c_n_forth = stacked_d_b_z_back[20:24]
    d_b_r_back = stacked_d_b_z_back[4:8]
    d_b_z_back = stacked_d_b_z_back[:4]
    d_b_n_back = stacked_d_b_z_back[28:32]
    d_c_n_back = stacked_d_b_z_back[8:12]
    d_W_label_forth_last = d_n_label.T @ forth[T]  # (59) bi,bj->ij
    d_W_label_back_first = d_n_label.T @ back[0]  # (60) bi,bj->ij
    d_b_label = d_n_label.sum(axis=0)  # (61) bi->i
    arrays["d_back"] = d_back
    arrays["d_n_n_back"] = d_n_n_back
    arrays["d_n_z_back"] = d_n_z_back
    arrays["d_n_r_back"] = d_n_r_back
    arrays["d_forth"] = d_forth
    arrays["d_n_n_forth"] = d_n_n_forth
    arrays["d_n_z_forth"] = d_n_z_forth
    arrays["d_n_r_forth"] = d_n_r_forth
    arrays["d_W_r_forth_x"] = d_W_r_forth_x
    arrays["d_U_r_forth"] = d_U_r_forth
    arrays["d_b_r_forth"] = d_b_r_forth
    arrays["d_W_z_forth_x"] = d_W_z_forth_x
    arrays["d_U_z_forth"] = d_U_z_forth
    arrays["d_b_z_forth"] = d_b_z_forth
    arrays["d_W_n_forth_x"] = d_W_n_forth_x
    arrays["d_b_n_forth"] = d_b_n_forth
    arrays["d_U_n_forth"] = d_U_n_forth
    arrays["d_c_n_forth"] = d_c_n_forth
    arrays["d_W_r_back_x"] = d_W_r_back_x
    arrays["d_U_r_back"] = d_U_r_back
    arrays["d_b_r_back"] = d_b_r_back
    arrays["d_W_z_back_x"] = d_W_z_back_x
    arrays["d_U_z_back"] = d_U_z_back
    arrays["d_b_z_back"] = d_b_z_back
    arrays["d_W_n_back_x"] = d_W_n_back_x
    arrays["d_b_n_back"] = d_b_n_back
    arrays["d_U_n_back"] = d_U_n_back
    arrays["d_c_n_back"] = d_c_n_back
    arrays["d_W_label_forth_last"] = d_W_label_forth_last
    arrays["d_W_label_back_first"] = d_W_label_back_first
    arrays["d_b_label"] = d_b_label
    arrays["d"] = d


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_r_forth_x = arrays["W_r_forth_x"]
    W_z_forth_x = arrays["W_z_forth_x"]
    W_n_forth_x = arrays["W_n_forth_x"]
    W_r_back_x = arrays["W_r_back_x"]
    W_z_back_x = arrays["W_z_back_x"]
    W_n_back_x = arrays["W_n_back_x"]
    d_n_n_back = arrays["d_n_n_back"]
    d_n_z_back = arrays["d_n_z_back"]
    d_n_r_back = arrays["d_n_r_back"]
    d_n_n_forth = arrays["d_n_n_forth"]
    d_n_z_forth = arrays["d_n_z_forth"]
    d_n_r_forth = arrays["d_n_r_forth"]

    d_x = (_rows(d_n_n_back) @ W_n_back_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    d_x += (_rows(d_n_z_back) @ W_z_back_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    d_x += (_rows(d_n_r_back) @ W_r_back_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    d_x += (_rows(d_n_n_forth) @ W_n_forth_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    d_x += (_rows(d_n_z_forth) @ W_z_forth_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    d_x += (_rows(d_n_r_forth) @ W_r_forth_x).reshape(-1, B, 3)  # (38) ij,tbj->tbi
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    z_forth = arrays["z_forth"]
    z_back = arrays["z_back"]
    U_r_forth = arrays["U_r_forth"]
    U_z_forth = arrays["U_z_forth"]
    U_n_forth = arrays["U_n_forth"]
    U_r_back = arrays["U_r_back"]
    U_z_back = arrays["U_z_back"]
    U_n_back = arrays["U_n_back"]
    d_back = arrays["d_back"]
    d_forth = arrays["d_forth"]
    d = arrays["d"]

    U_back = np.concatenate((U_z_back, U_r_back, U_n_back))
    U_forth = np.concatenate((U_z_forth, U_r_forth, U_n_forth))
    d_initial_forth = (_rows(d[:1, :, 12:24]) @ U_forth).reshape(-1, B, 4)  # (62) ij,kbj->kbi
    d_initial_forth += d_forth[:1] * z_forth[:1]  # (62)
    d_after_back = (_rows(d[T - 1:, :, :12]) @ U_back).reshape(-1, B, 4)  # (63) ij,kbj->kbi
    d_after_back += d_back[T - 1:] * z_back[T - 1:]  # (63)
    arrays["d_initial_forth"] = d_initial_forth
    arrays["d_after_back"] = d_after_back


# Functions used above. None of them overflows or loses digits; a complex number takes the
# branch of its real part.


def _rows(x):
    """(..., width) as a matrix with one row for each step and sequence."""
    return x.reshape(-1, x.shape[-1])


def _extended(steps, shape, before, rows_before, after, rows_after, dtype):
    """Zeros for some steps, with the given values before the first and after the last."""
    found = np.zeros((rows_before + steps + rows_after, *shape), dtype)
    if before is not None:
        found[:rows_before] = before
    if after is not None:
        found[rows_before + steps :] = after
    return found


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)


def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    if np.iscomplexobj(x):
        e = np.exp(np.where(x.real > 0, -x, x))
        return np.divide(np.where(x.real > 0, 1, e), 1 + e, out=out)
    e = np.empty_like(x) if out is None else out
    np.subtract(0, x, out=e)  # np.negative errs where both step through memory by 64 bytes
    # exp overflows beyond this; where x lies further out the value is below the tiniest number.
    np.minimum(e, 88 if e.dtype == np.float32 else 709, out=e)
    np.exp(e, out=e)
    e += 1
    return np.reciprocal(e, out=e)


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {
    "b_label",
    "b_n_back",
    "b_n_forth",
    "b_r_back",
    "b_r_forth",
    "b_z_back",
    "b_z_forth",
    "c_n_back",
    "c_n_forth",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "label"): "target_label",
}
_GRADIENTS = {
    "W_r_forth_x": "d_W_r_forth_x",
    "U_r_forth": "d_U_r_forth",
    "b_r_forth": "d_b_r_forth",
    "W_z_forth_x": "d_W_z_forth_x",
    "U_z_forth": "d_U_z_forth",
    "b_z_forth": "d_b_z_forth",
    "W_n_forth_x": "d_W_n_forth_x",
    "b_n_forth": "d_b_n_forth",
    "U_n_forth": "d_U_n_forth",
    "c_n_forth": "d_c_n_forth",
    "W_r_back_x": "d_W_r_back_x",
    "U_r_back": "d_U_r_back",
    "b_r_back": "d_b_r_back",
    "W_z_back_x": "d_W_z_back_x",
    "U_z_back": "d_U_z_back",
    "b_z_back": "d_b_z_back",
    "W_n_back_x": "d_W_n_back_x",
    "b_n_back": "d_b_n_back",
    "U_n_back": "d_U_n_back",
    "c_n_back": "d_c_n_back",
    "W_label_forth_last": "d_W_label_forth_last",
    "W_label_back_first": "d_W_label_back_first",
    "b_label": "d_b_label",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {"forth": "d_initial_forth", "back": "d_after_back"}
_JUDGING = ()


def _prepare(
    parameters, inputs, initial, targets=None, weights=None, judge=True, steps=None
):
    """All given arrays by name, checked, with the sizes and the dtype to compute in."""
    initial = {} if initial is None else initial
    groups = [("parameters", parameters, PARAMETERS), ("inputs", inputs, INPUTS)]
    groups.append(("initial", initial, INITIAL))
    if judge:
        groups.append(("targets", targets, TARGETS))
        groups.append(("weights", {} if weights is None else weights, WEIGHTED))
    sizes, given, dtype = _known(groups, steps)
    arrays, outside = {}, {}
    for (group, name), array in given.items():
        if group == "initial":
            outside[name] = array
        else:
            arrays[_GIVEN_AS.get((group, name), name)] = array.astype(dtype, copy=False)
    for name in _JUDGING if judge else ():
        _weighs(name, arrays[name])
    (T, B,) = (sizes[name] for name in (*LENGTHS, "B"))
    arrays["forth"] = _extended(T, (B, 4), outside.get("forth"), 1, None, 0, dtype)
    arrays["back"] = _extended(T, (B, 4), None, 0, outside.get("back"), 1, dtype)
    return arrays, T, B, dtype


def _known(groups, steps):
    """The sizes, the given arrays by group and name, checked, and the dtype to compute in."""
    for group, found, shapes in groups:
        _check_names(group, found, shapes)
    sizes = _sizes(groups, steps)
    given = {}
    for group, found, shapes in groups:
        for name, shape in shapes.items():
            if group == "initial" and name not in found:
                continue
            array = np.asarray(found[name])
            if group != "parameters":
                shape = tuple([sizes.get(n, n) for n in shape])
            is_data = group == "targets" and name in CLASSES
            if is_data:
                array = _one_hot(f"{group}[{name!r}]", array, shape)
            elif group == "inputs" and name in MASKS:
                is_data, array = True, _mask(f"{group}[{name!r}]", array, shape)
            if array.shape != shape or array.dtype not in _DTYPES:
                _check(f"{group}[{name!r}]", array, shape, is_data)
            given[group, name] = array
    return sizes, given, _dtype(given)


def _check_names(group, found, shapes):
    """Refuse a dict that is none, that lacks an array, or that has one too many."""
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise ValueError(f"{group} is a {kind}; a dict of {list(shapes)} is expected")
    if found.keys() == shapes.keys():
        return
    for name in found:
        if name not in shapes:
            raise ValueError(f"{group}[{name!r}] is not known; known are {list(shapes)}")
    for name, shape in shapes.items():
        if name not in found and group != "initial":
            raise ValueError(f"{group}[{name!r}] is missing; an array {_said(shape)} is expected")


def _said(shape):
    """A shape as one says it: (T, B, 3)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _sizes(groups, steps):
    """The sizes by name, each as the first array that carries it has it."""
    sizes = {} if steps is None else {"T": steps}
    for group, found, shapes in groups:
        for name, shape in shapes.items() if group != "parameters" else ():
            actual = np.shape(found.get(name))
            by_class = group == "targets" and name in CLASSES
            if len(actual) in (len(shape), len(shape) - by_class):
                for size, n in zip(shape, actual, strict=False):
                    if isinstance(size, str):
                        sizes.setdefault(size, n)
            elif group == "inputs" and name not in MASKS:
                where = f"inputs[{name!r}]"
                raise ValueError(f"{where} has shape {actual}; {_said(shape)} is expected")
    for size in (*LENGTHS, "B"):
        if sizes.get(size, 0) < 1:
            known = f"is {sizes[size]}" if size in sizes else "is not known"
            raise ValueError(f"the size {size} {known}; 1 or more is needed, by the given arrays")
    return sizes


def _check(where, array, shape, is_data):
    """Refuse a wrong dtype or shape."""
    if array.dtype not in _DTYPES and not (is_data and array.dtype.kind in "biu"):
        names = ", ".join(map(str, _DTYPES))
        raise ValueError(f"{where} has dtype {array.dtype}; {names} are possible")
    if array.shape != shape:
        raise ValueError(f"{where} has shape {array.shape}; {shape} is expected")


def _dtype(given):
    """The dtype to compute in; refuses float32 beside others, which would be widened silently."""
    dtypes = {array.dtype for array in given.values() if array.dtype in _DTYPES}
    if len(dtypes) > 1 and np.dtype("float32") in dtypes:
        known = [(f"{g}[{n!r}]", a.dtype) for (g, n), a in given.items() if a.dtype in _DTYPES]
        first = next(where for where, dtype in known if dtype.name == "float32")
        other = next(where for where, dtype in known if dtype.name != "float32")
        raise ValueError(f"{first} is float32 and {other} is not; give all of one dtype")
    return np.result_type(*dtypes)


def _mask(where, array, shape):
    """A mask as numbers: of truth values, or of the length of each sequence."""
    if array.dtype.kind in "iu" and array.ndim == 1 and len(shape) == 2:
        if array.shape != shape[1:] or np.any(array < 0) or np.any(array > shape[0]):
            expected = f"{shape[1]} from 0 to {shape[0]} are expected"
            raise ValueError(f"{where} holds lengths; {expected}")
        return np.arange(shape[0])[:, None] < array
    return array


def _one_hot(where, labels, shape):
    """The targets of classes: class numbers become rows that hold a single one."""
    if labels.dtype.kind not in "iu":
        if labels.shape == shape[:-1]:
            raise ValueError(f"{where} has dtype {labels.dtype}; classes are integers")
        return labels
    if labels.shape == shape:
        return labels
    if labels.shape != shape[:-1]:
        raise ValueError(
            f"{where} has shape {labels.shape}; class numbers of shape {shape[:-1]}, or an array "
            f"of shape {shape}, are expected"
        )
    outside = labels[(labels < 0) | (labels >= shape[-1])]
    if outside.size:
        raise ValueError(f"{where} has class {outside[0]}; 0..{shape[-1] - 1} exist")
    return labels[..., None] == np.arange(shape[-1])


def _weighs(name, weight):
    """Refuse weights of steps that are below zero, or all zero."""
    weight = np.real(weight)
    if not np.all(weight >= 0) or not np.any(weight):
        raise ValueError(f"{name} weights the steps: it must be 0 or more, and not all zero")
# Generated. SHA-256 of all above: 1d9256324e0d1be814e6f7945b00d7df348a7b7d0d81a5bc4146ee0ae8487043
