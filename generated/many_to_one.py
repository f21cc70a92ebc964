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
    "label": {"kinds": {"cross_entropy": 1}, "steps": "all", "mask": None, "differences": False, "squares": False},
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
    if np.dtype(dtype).name not in _DTYPES:
        raise ValueError(f"dtype is {np.dtype(dtype)}; {', '.join(_DTYPES)} are possible")
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


def loss_and_gradients(parameters, inputs, targets, initial=None, weights=None, wrt=("parameters",)):
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

    part_n_forth = np.zeros((T, B, 4), dtype)
    part_n_forth += c_n_forth  # (5)
    n_r_forth = (_rows(x) @ W_r_forth_x.T).reshape(-1, B, 4)  # (1) ij,tbj->tbi
    n_r_forth += b_r_forth  # (1)
    r_forth = n_r_forth  # takes its place, step by step
    n_n_forth = (_rows(x) @ W_n_forth_x.T).reshape(-1, B, 4)  # (6) ij,tbj->tbi
    n_n_forth += b_n_forth  # (6)
    n_forth = n_n_forth  # takes its place, step by step
    n_z_forth = (_rows(x) @ W_z_forth_x.T).reshape(-1, B, 4)  # (3) ij,tbj->tbi
    n_z_forth += b_z_forth  # (3)
    z_forth = n_z_forth  # takes its place, step by step
    for t in range(T):
        forth_t_minus_1 = forth[t]
        part_n_forth_t = part_n_forth[t]
        part_n_forth_t += forth_t_minus_1 @ U_n_forth.T  # (5) ij,bj->bi
        n_r_forth_t = n_r_forth[t]
        n_r_forth_t += forth_t_minus_1 @ U_r_forth.T  # (1) ij,bj->bi
        r_forth_t = _sigmoid(n_r_forth_t, out=r_forth[t])  # (2)
        n_n_forth_t = n_n_forth[t]
        n_n_forth_t += part_n_forth_t * r_forth_t  # (6)
        n_forth_t = np.tanh(n_n_forth_t, out=n_forth[t])  # (7)
        n_z_forth_t = n_z_forth[t]
        n_z_forth_t += forth_t_minus_1 @ U_z_forth.T  # (3) ij,bj->bi
        z_forth_t = _sigmoid(n_z_forth_t, out=z_forth[t])  # (4)
        forth_t = np.subtract(1, z_forth_t, out=forth[t + 1])  # (8)
        forth_t *= n_forth_t  # (8)
        forth_t += forth_t_minus_1 * z_forth_t  # (8)
    part_n_back = np.zeros((T, B, 4), dtype)
    part_n_back += c_n_back  # (13)
    n_r_back = (_rows(x) @ W_r_back_x.T).reshape(-1, B, 4)  # (9) ij,tbj->tbi
    n_r_back += b_r_back  # (9)
    r_back = n_r_back  # takes its place, step by step
    n_n_back = (_rows(x) @ W_n_back_x.T).reshape(-1, B, 4)  # (14) ij,tbj->tbi
    n_n_back += b_n_back  # (14)
    n_back = n_n_back  # takes its place, step by step
    n_z_back = (_rows(x) @ W_z_back_x.T).reshape(-1, B, 4)  # (11) ij,tbj->tbi
    n_z_back += b_z_back  # (11)
    z_back = n_z_back  # takes its place, step by step
    for t in range(T - 1, -1, -1):
        back_t_plus_1 = back[t + 1]
        part_n_back_t = part_n_back[t]
        part_n_back_t += back_t_plus_1 @ U_n_back.T  # (13) ij,bj->bi
        n_r_back_t = n_r_back[t]
        n_r_back_t += back_t_plus_1 @ U_r_back.T  # (9) ij,bj->bi
        r_back_t = _sigmoid(n_r_back_t, out=r_back[t])  # (10)
        n_n_back_t = n_n_back[t]
        n_n_back_t += part_n_back_t * r_back_t  # (14)
        n_back_t = np.tanh(n_n_back_t, out=n_back[t])  # (15)
        n_z_back_t = n_z_back[t]
        n_z_back_t += back_t_plus_1 @ U_z_back.T  # (11) ij,bj->bi
        z_back_t = _sigmoid(n_z_back_t, out=z_back[t])  # (12)
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

    loss = (  # (20)
        1 / B * logsumexp_label.sum()  # b->
        - 1 / B * (n_label * target_label).sum()  # bi->
    )
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

    d_n_label = 1 / B * (label - target_label)  # (21)
    d_back = np.zeros((T, B, 4), dtype)
    d_back[:1] += (d_n_label @ W_label_back_first)  # (22) ij,bj->bi
    d_n_n_back = np.empty((T, B, 4), dtype)
    d_n_r_back = np.empty((T, B, 4), dtype)
    d_n_z_back = np.empty((T, B, 4), dtype)
    d_part_n_back = np.empty((T, B, 4), dtype)
    for t in range(T):
        z_back_t = z_back[t]
        n_back_t = n_back[t]
        r_back_t = r_back[t]
        d_back_t = d_back[t]
        if t >= 1:
            d_back_t += d_back[t - 1] * z_back[t - 1]  # (22)
            d_back_t += d_part_n_back[t - 1] @ U_n_back  # (22) ij,bj->bi
            d_back_t += d_n_z_back[t - 1] @ U_z_back  # (22) ij,bj->bi
            d_back_t += d_n_r_back[t - 1] @ U_r_back  # (22) ij,bj->bi
        d_n_back_t = d_back_t * (1 - z_back_t)  # (23)
        d_n_n_back_t = np.square(n_back_t, out=d_n_n_back[t])  # (24)
        np.subtract(1, d_n_n_back_t, out=d_n_n_back_t)  # (24)
        d_n_n_back_t *= d_n_back_t  # (24)
        d_r_back_t = d_n_n_back_t * part_n_back[t]  # (28)
        d_n_r_back_t = np.subtract(1, r_back_t, out=d_n_r_back[t])  # (29)
        d_n_r_back_t *= d_r_back_t  # (29)
        d_n_r_back_t *= r_back_t  # (29)
        d_z_back_t = d_back_t * (back[t + 1] - n_back_t)  # (26)
        d_n_z_back_t = np.subtract(1, z_back_t, out=d_n_z_back[t])  # (27)
        d_n_z_back_t *= d_z_back_t  # (27)
        d_n_z_back_t *= z_back_t  # (27)
        d_part_n_back_t = np.multiply(d_n_n_back_t, r_back_t, out=d_part_n_back[t])  # (25)
    d_forth = np.zeros((T, B, 4), dtype)
    d_forth[T - 1:] += (d_n_label @ W_label_forth_last)  # (30) ij,bj->bi
    d_n_n_forth = np.empty((T, B, 4), dtype)
    d_n_r_forth = np.empty((T, B, 4), dtype)
    d_n_z_forth = np.empty((T, B, 4), dtype)
    d_part_n_forth = np.empty((T, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        z_forth_t = z_forth[t]
        n_forth_t = n_forth[t]
        r_forth_t = r_forth[t]
        d_forth_t = d_forth[t]
        if t < T - 1:
            d_forth_t += d_forth[t + 1] * z_forth[t + 1]  # (30)
            d_forth_t += d_part_n_forth[t + 1] @ U_n_forth  # (30) ij,bj->bi
            d_forth_t += d_n_z_forth[t + 1] @ U_z_forth  # (30) ij,bj->bi
            d_forth_t += d_n_r_forth[t + 1] @ U_r_forth  # (30) ij,bj->bi
        d_n_forth_t = d_forth_t * (1 - z_forth_t)  # (31)
        d_n_n_forth_t = np.square(n_forth_t, out=d_n_n_forth[t])  # (32)
        np.subtract(1, d_n_n_forth_t, out=d_n_n_forth_t)  # (32)
        d_n_n_forth_t *= d_n_forth_t  # (32)
        d_r_forth_t = d_n_n_forth_t * part_n_forth[t]  # (36)
        d_n_r_forth_t = np.subtract(1, r_forth_t, out=d_n_r_forth[t])  # (37)
        d_n_r_forth_t *= d_r_forth_t  # (37)
        d_n_r_forth_t *= r_forth_t  # (37)
        d_z_forth_t = d_forth_t * (forth[t] - n_forth_t)  # (34)
        d_n_z_forth_t = np.subtract(1, z_forth_t, out=d_n_z_forth[t])  # (35)
        d_n_z_forth_t *= d_z_forth_t  # (35)
        d_n_z_forth_t *= z_forth_t  # (35)
        d_part_n_forth_t = np.multiply(d_n_n_forth_t, r_forth_t, out=d_part_n_forth[t])  # (33)
    d_W_r_forth_x = _rows(d_n_r_forth).T @ _rows(x)  # (39) tbi,tbj->ij
    d_U_r_forth = _rows(d_n_r_forth).T @ _rows(forth[:T])  # (40) tbi,tbj->ij
    d_b_r_forth = d_n_r_forth.sum(axis=(0, 1))  # (41) tbi->i
    d_W_z_forth_x = _rows(d_n_z_forth).T @ _rows(x)  # (42) tbi,tbj->ij
    d_U_z_forth = _rows(d_n_z_forth).T @ _rows(forth[:T])  # (43) tbi,tbj->ij
    d_b_z_forth = d_n_z_forth.sum(axis=(0, 1))  # (44) tbi->i
    d_W_n_forth_x = _rows(d_n_n_forth).T @ _rows(x)  # (45) tbi,tbj->ij
    d_b_n_forth = d_n_n_forth.sum(axis=(0, 1))  # (46) tbi->i
    d_U_n_forth = _rows(d_part_n_forth).T @ _rows(forth[:T])  # (47) tbi,tbj->ij
    d_c_n_forth = d_part_n_forth.sum(axis=(0, 1))  # (48) tbi->i
    d_W_r_back_x = _rows(d_n_r_back).T @ _rows(x)  # (49) tbi,tbj->ij
    d_U_r_back = _rows(d_n_r_back).T @ _rows(back[1:])  # (50) tbi,tbj->ij
    d_b_r_back = d_n_r_back.sum(axis=(0, 1))  # (51) tbi->i
    d_W_z_back_x = _rows(d_n_z_back).T @ _rows(x)  # (52) tbi,tbj->ij
    d_U_z_back = _rows(d_n_z_back).T @ _rows(back[1:])  # (53) tbi,tbj->ij
    d_b_z_back = d_n_z_back.sum(axis=(0, 1))  # (54) tbi->i
    d_W_n_back_x = _rows(d_n_n_back).T @ _rows(x)  # (55) tbi,tbj->ij
    d_b_n_back = d_n_n_back.sum(axis=(0, 1))  # (56) tbi->i
    d_U_n_back = _rows(d_part_n_back).T @ _rows(back[1:])  # (57) tbi,tbj->ij
    d_c_n_back = d_part_n_back.sum(axis=(0, 1))  # (58) tbi->i
    d_W_label_forth_last = d_n_label.T @ forth[T]  # (59) bi,bj->ij
    d_W_label_back_first = d_n_label.T @ back[0]  # (60) bi,bj->ij
    d_b_label = d_n_label.sum(axis=0)  # (61) bi->i
    arrays["d_back"] = d_back
    arrays["d_n_n_back"] = d_n_n_back
    arrays["d_part_n_back"] = d_part_n_back
    arrays["d_n_z_back"] = d_n_z_back
    arrays["d_n_r_back"] = d_n_r_back
    arrays["d_forth"] = d_forth
    arrays["d_n_n_forth"] = d_n_n_forth
    arrays["d_part_n_forth"] = d_part_n_forth
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
    d_part_n_back = arrays["d_part_n_back"]
    d_n_z_back = arrays["d_n_z_back"]
    d_n_r_back = arrays["d_n_r_back"]
    d_forth = arrays["d_forth"]
    d_part_n_forth = arrays["d_part_n_forth"]
    d_n_z_forth = arrays["d_n_z_forth"]
    d_n_r_forth = arrays["d_n_r_forth"]

    d_initial_forth = (_rows(d_part_n_forth[:1]) @ U_n_forth).reshape(-1, B, 4)  # (62) ij,kbj->kbi
    d_initial_forth += d_forth[:1] * z_forth[:1]  # (62)
    d_initial_forth += (_rows(d_n_z_forth[:1]) @ U_z_forth).reshape(-1, B, 4)  # (62) ij,kbj->kbi
    d_initial_forth += (_rows(d_n_r_forth[:1]) @ U_r_forth).reshape(-1, B, 4)  # (62) ij,kbj->kbi
    d_after_back = (_rows(d_part_n_back[T - 1:]) @ U_n_back).reshape(-1, B, 4)  # (63) ij,kbj->kbi
    d_after_back += d_back[T - 1:] * z_back[T - 1:]  # (63)
    d_after_back += (_rows(d_n_z_back[T - 1:]) @ U_z_back).reshape(-1, B, 4)  # (63) ij,kbj->kbi
    d_after_back += (_rows(d_n_r_back[T - 1:]) @ U_r_back).reshape(-1, B, 4)  # (63) ij,kbj->kbi
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
    np.negative(x, out=e)
    # exp overflows beyond this; where x lies further out the value is below the tiniest number.
    np.minimum(e, 88 if e.dtype == np.float32 else 709, out=e)
    np.exp(e, out=e)
    e += 1
    return np.reciprocal(e, out=e)


# What is given, checked at the door.

_BIASES = {"b_label", "b_n_back", "b_n_forth", "b_r_back", "b_r_forth", "b_z_back", "b_z_forth", "c_n_back", "c_n_forth"}
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
_DTYPES = ("float32", "float64", "complex128")


def _prepare(
    parameters, inputs, initial, targets=None, weights=None, judge=True, steps=None
):
    """All given arrays by name, checked, with the sizes and the dtype to compute in."""
    initial = {} if initial is None else initial
    weights = {} if weights is None else weights
    groups = [("parameters", parameters, PARAMETERS), ("inputs", inputs, INPUTS)]
    groups.append(("initial", initial, INITIAL))
    if judge:
        groups += [("targets", targets, TARGETS), ("weights", weights, WEIGHTED)]
    for group, found, shapes in groups:
        _check_names(group, found, shapes)
    sizes = _sizes(groups, steps)
    given = {}
    for group, found, shapes in groups:
        for name, shape in shapes.items():
            if group == "initial" and name not in found:
                continue
            where = f"{group}[{name!r}]"
            array = np.asarray(found[name])
            shape = tuple(sizes.get(n, n) for n in shape)
            is_data = group == "targets" and name in CLASSES
            if is_data:
                array = _one_hot(where, array, shape)
            elif name in MASKS and group == "inputs":
                is_data, array = True, _mask(where, array, shape)
            given[group, name] = _checked(where, array, shape, is_data)
    dtype = _dtype(dict(given.values()))
    arrays = {}
    for (group, name), (_, array) in given.items():
        if group != "initial":
            arrays[_GIVEN_AS.get((group, name), name)] = array.astype(dtype, copy=False)
    for name in _JUDGING if judge else ():
        weight = np.real(arrays[name])
        if not np.all(weight >= 0) or not np.any(weight):
            raise ValueError(f"{name} weights the steps: it must be 0 or more, and not all zero")
    outside = {name: array for (group, name), (_, array) in given.items() if group == "initial"}
    (T, B,) = (sizes[name] for name in (*LENGTHS, "B"))
    arrays["forth"] = _extended(T, (B, 4), outside.get("forth"), 1, None, 0, dtype)
    arrays["back"] = _extended(T, (B, 4), None, 0, outside.get("back"), 1, dtype)
    return arrays, T, B, dtype


def _check_names(group, found, shapes):
    """Refuse a dict that is none, that lacks an array, or that has one too many."""
    if not isinstance(found, dict):
        raise ValueError(f"{group} is a {type(found).__name__}; a dict of {list(shapes)} is expected")
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
        for name, shape in shapes.items():
            actual = np.shape(found.get(name))
            by_class = group == "targets" and name in CLASSES
            if len(actual) in (len(shape), len(shape) - by_class):
                for size, n in zip(shape, actual):
                    if isinstance(size, str):
                        sizes.setdefault(size, n)
            elif group == "inputs" and name not in MASKS:
                raise ValueError(f"inputs[{name!r}] has shape {actual}; {_said(shape)} is expected")
    for size in (*LENGTHS, "B"):
        if sizes.get(size, 0) < 1:
            found = f"is {sizes[size]}" if size in sizes else "is not known"
            raise ValueError(f"the size {size} {found}; 1 or more is needed, by the given arrays")
    return sizes


def _checked(where, array, shape, is_data):
    """The array with what it is called; refuses a wrong dtype or shape."""
    if array.dtype.name not in _DTYPES and not (is_data and array.dtype.kind in "biu"):
        raise ValueError(f"{where} has dtype {array.dtype}; {', '.join(_DTYPES)} are possible")
    if array.shape != shape:
        raise ValueError(f"{where} has shape {array.shape}; {shape} is expected")
    return where, array


def _dtype(given):
    """The dtype to compute in; refuses float32 beside others, which would be widened silently."""
    given = {where: array.dtype for where, array in given.items() if array.dtype.name in _DTYPES}
    names = {dtype.name for dtype in given.values()}
    if "float32" in names and len(names) > 1:
        first = next(where for where, dtype in given.items() if dtype.name == "float32")
        other = next(where for where, dtype in given.items() if dtype.name != "float32")
        raise ValueError(f"{first} is float32 and {other} is not; give all of one dtype")
    return np.result_type(*given.values())


def _mask(where, array, shape):
    """A mask as numbers: of truth values, or of the length of each sequence."""
    if array.dtype.kind in "iu" and array.ndim == 1 and len(shape) == 2:
        if array.shape != shape[1:] or np.any(array < 0) or np.any(array > shape[0]):
            raise ValueError(f"{where} holds lengths; {shape[1]} from 0 to {shape[0]} are expected")
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
# Generated. SHA-256 of all above: c4832f7e6a1f18c8338d2aee0d8935491c94c48cad415fd1e6bce4c514caf042
