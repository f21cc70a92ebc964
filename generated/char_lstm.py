"""char_lstm: a recurrent network with 80480 parameters.

Inputs character (T, B, 96); outputs next (T, B, 96).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_character = 96, N_lower = 64, N_upper = 64,
N_next = 96.

 (1)  n_i_lower[t,b,i] = sum_j W_i_lower_character[i,j]*character[t,b,j]
          + sum_j U_i_lower[i,j]*lower[t-1,b,j] + b_i_lower[i]
 (2)  i_lower[t,b,i] = sigmoid(n_i_lower[t,b,i])
 (3)  n_f_lower[t,b,i] = sum_j W_f_lower_character[i,j]*character[t,b,j]
          + sum_j U_f_lower[i,j]*lower[t-1,b,j] + b_f_lower[i]
 (4)  f_lower[t,b,i] = sigmoid(n_f_lower[t,b,i])
 (5)  n_g_lower[t,b,i] = sum_j W_g_lower_character[i,j]*character[t,b,j]
          + sum_j U_g_lower[i,j]*lower[t-1,b,j] + b_g_lower[i]
 (6)  g_lower[t,b,i] = tanh(n_g_lower[t,b,i])
 (7)  n_o_lower[t,b,i] = sum_j W_o_lower_character[i,j]*character[t,b,j]
          + sum_j U_o_lower[i,j]*lower[t-1,b,j] + b_o_lower[i]
 (8)  o_lower[t,b,i] = sigmoid(n_o_lower[t,b,i])
 (9)  c_lower[t,b,i] = c_lower[t-1,b,i]*f_lower[t,b,i] + g_lower[t,b,i]*i_lower[t,b,i]
(10)  lower[t,b,i] = o_lower[t,b,i]*tanh(c_lower[t,b,i])
(11)  n_i_upper[t,b,i] = sum_j W_i_upper_lower[i,j]*lower[t,b,j]
          + sum_j U_i_upper[i,j]*upper[t-1,b,j] + b_i_upper[i]
(12)  i_upper[t,b,i] = sigmoid(n_i_upper[t,b,i])
(13)  n_f_upper[t,b,i] = sum_j W_f_upper_lower[i,j]*lower[t,b,j]
          + sum_j U_f_upper[i,j]*upper[t-1,b,j] + b_f_upper[i]
(14)  f_upper[t,b,i] = sigmoid(n_f_upper[t,b,i])
(15)  n_g_upper[t,b,i] = sum_j W_g_upper_lower[i,j]*lower[t,b,j]
          + sum_j U_g_upper[i,j]*upper[t-1,b,j] + b_g_upper[i]
(16)  g_upper[t,b,i] = tanh(n_g_upper[t,b,i])
(17)  n_o_upper[t,b,i] = sum_j W_o_upper_lower[i,j]*lower[t,b,j]
          + sum_j U_o_upper[i,j]*upper[t-1,b,j] + b_o_upper[i]
(18)  o_upper[t,b,i] = sigmoid(n_o_upper[t,b,i])
(19)  c_upper[t,b,i] = c_upper[t-1,b,i]*f_upper[t,b,i] + g_upper[t,b,i]*i_upper[t,b,i]
(20)  upper[t,b,i] = o_upper[t,b,i]*tanh(c_upper[t,b,i])
(21)  n_next[t,b,i] = sum_j W_next_upper[i,j]*upper[t,b,j] + b_next[i]
(22)  logsumexp_next[t,b] = log(sum_i exp(n_next[t,b,i]))
(23)  next[t,b,i] = exp(n_next[t,b,i] - logsumexp_next[t,b])
(24)  loss = sum_t,b logsumexp_next[t,b]/(B*T)
          - sum_t,b,i n_next[t,b,i]*target_next[t,b,i]/(B*T)
(25)  d_n_next[t,b,i] = (next[t,b,i] - target_next[t,b,i])/(B*T)
(26)  d_upper[t,b,i] = sum_j W_next_upper[j,i]*d_n_next[t,b,j]
          + sum_j U_o_upper[j,i]*d_n_o_upper[t+1,b,j] [t <= T-2]
          + sum_j U_g_upper[j,i]*d_n_g_upper[t+1,b,j] [t <= T-2]
          + sum_j U_f_upper[j,i]*d_n_f_upper[t+1,b,j] [t <= T-2]
          + sum_j U_i_upper[j,i]*d_n_i_upper[t+1,b,j] [t <= T-2]
(27)  d_c_upper[t,b,i] = d_upper[t,b,i]*o_upper[t,b,i]*(1 - tanh(c_upper[t,b,i])^2)
          + d_c_upper[t+1,b,i]*f_upper[t+1,b,i] [t <= T-2]
(28)  d_o_upper[t,b,i] = d_upper[t,b,i]*tanh(c_upper[t,b,i])
(29)  d_n_o_upper[t,b,i] = d_o_upper[t,b,i]*o_upper[t,b,i]*(1 - o_upper[t,b,i])
(30)  d_g_upper[t,b,i] = d_c_upper[t,b,i]*i_upper[t,b,i]
(31)  d_n_g_upper[t,b,i] = d_g_upper[t,b,i]*(1 - g_upper[t,b,i]^2)
(32)  d_f_upper[t,b,i] = d_c_upper[t,b,i]*c_upper[t-1,b,i]
(33)  d_n_f_upper[t,b,i] = d_f_upper[t,b,i]*f_upper[t,b,i]*(1 - f_upper[t,b,i])
(34)  d_i_upper[t,b,i] = d_c_upper[t,b,i]*g_upper[t,b,i]
(35)  d_n_i_upper[t,b,i] = d_i_upper[t,b,i]*i_upper[t,b,i]*(1 - i_upper[t,b,i])
(36)  d_lower[t,b,i] = sum_j W_o_upper_lower[j,i]*d_n_o_upper[t,b,j]
          + sum_j W_g_upper_lower[j,i]*d_n_g_upper[t,b,j]
          + sum_j W_f_upper_lower[j,i]*d_n_f_upper[t,b,j]
          + sum_j W_i_upper_lower[j,i]*d_n_i_upper[t,b,j]
          + sum_j U_o_lower[j,i]*d_n_o_lower[t+1,b,j] [t <= T-2]
          + sum_j U_g_lower[j,i]*d_n_g_lower[t+1,b,j] [t <= T-2]
          + sum_j U_f_lower[j,i]*d_n_f_lower[t+1,b,j] [t <= T-2]
          + sum_j U_i_lower[j,i]*d_n_i_lower[t+1,b,j] [t <= T-2]
(37)  d_c_lower[t,b,i] = d_lower[t,b,i]*o_lower[t,b,i]*(1 - tanh(c_lower[t,b,i])^2)
          + d_c_lower[t+1,b,i]*f_lower[t+1,b,i] [t <= T-2]
(38)  d_o_lower[t,b,i] = d_lower[t,b,i]*tanh(c_lower[t,b,i])
(39)  d_n_o_lower[t,b,i] = d_o_lower[t,b,i]*o_lower[t,b,i]*(1 - o_lower[t,b,i])
(40)  d_g_lower[t,b,i] = d_c_lower[t,b,i]*i_lower[t,b,i]
(41)  d_n_g_lower[t,b,i] = d_g_lower[t,b,i]*(1 - g_lower[t,b,i]^2)
(42)  d_f_lower[t,b,i] = d_c_lower[t,b,i]*c_lower[t-1,b,i]
(43)  d_n_f_lower[t,b,i] = d_f_lower[t,b,i]*f_lower[t,b,i]*(1 - f_lower[t,b,i])
(44)  d_i_lower[t,b,i] = d_c_lower[t,b,i]*g_lower[t,b,i]
(45)  d_n_i_lower[t,b,i] = d_i_lower[t,b,i]*i_lower[t,b,i]*(1 - i_lower[t,b,i])
(46)  d_character[t,b,i] = sum_j W_o_lower_character[j,i]*d_n_o_lower[t,b,j]
          + sum_j W_g_lower_character[j,i]*d_n_g_lower[t,b,j]
          + sum_j W_f_lower_character[j,i]*d_n_f_lower[t,b,j]
          + sum_j W_i_lower_character[j,i]*d_n_i_lower[t,b,j]
(47)  d_W_i_lower_character[i,j] = sum_t,b d_n_i_lower[t,b,i]*character[t,b,j]
(48)  d_U_i_lower[i,j] = sum_t,b d_n_i_lower[t,b,i]*lower[t-1,b,j]
(49)  d_b_i_lower[i] = sum_t,b d_n_i_lower[t,b,i]
(50)  d_W_f_lower_character[i,j] = sum_t,b d_n_f_lower[t,b,i]*character[t,b,j]
(51)  d_U_f_lower[i,j] = sum_t,b d_n_f_lower[t,b,i]*lower[t-1,b,j]
(52)  d_b_f_lower[i] = sum_t,b d_n_f_lower[t,b,i]
(53)  d_W_g_lower_character[i,j] = sum_t,b d_n_g_lower[t,b,i]*character[t,b,j]
(54)  d_U_g_lower[i,j] = sum_t,b d_n_g_lower[t,b,i]*lower[t-1,b,j]
(55)  d_b_g_lower[i] = sum_t,b d_n_g_lower[t,b,i]
(56)  d_W_o_lower_character[i,j] = sum_t,b d_n_o_lower[t,b,i]*character[t,b,j]
(57)  d_U_o_lower[i,j] = sum_t,b d_n_o_lower[t,b,i]*lower[t-1,b,j]
(58)  d_b_o_lower[i] = sum_t,b d_n_o_lower[t,b,i]
(59)  d_W_i_upper_lower[i,j] = sum_t,b d_n_i_upper[t,b,i]*lower[t,b,j]
(60)  d_U_i_upper[i,j] = sum_t,b d_n_i_upper[t,b,i]*upper[t-1,b,j]
(61)  d_b_i_upper[i] = sum_t,b d_n_i_upper[t,b,i]
(62)  d_W_f_upper_lower[i,j] = sum_t,b d_n_f_upper[t,b,i]*lower[t,b,j]
(63)  d_U_f_upper[i,j] = sum_t,b d_n_f_upper[t,b,i]*upper[t-1,b,j]
(64)  d_b_f_upper[i] = sum_t,b d_n_f_upper[t,b,i]
(65)  d_W_g_upper_lower[i,j] = sum_t,b d_n_g_upper[t,b,i]*lower[t,b,j]
(66)  d_U_g_upper[i,j] = sum_t,b d_n_g_upper[t,b,i]*upper[t-1,b,j]
(67)  d_b_g_upper[i] = sum_t,b d_n_g_upper[t,b,i]
(68)  d_W_o_upper_lower[i,j] = sum_t,b d_n_o_upper[t,b,i]*lower[t,b,j]
(69)  d_U_o_upper[i,j] = sum_t,b d_n_o_upper[t,b,i]*upper[t-1,b,j]
(70)  d_b_o_upper[i] = sum_t,b d_n_o_upper[t,b,i]
(71)  d_W_next_upper[i,j] = sum_t,b d_n_next[t,b,i]*upper[t,b,j]
(72)  d_b_next[i] = sum_t,b d_n_next[t,b,i]
(73)  d_initial_lower[k,b,i] = sum_j U_o_lower[j,i]*d_n_o_lower[k,b,j]
          + sum_j U_g_lower[j,i]*d_n_g_lower[k,b,j] + sum_j U_f_lower[j,i]*d_n_f_lower[k,b,j]
          + sum_j U_i_lower[j,i]*d_n_i_lower[k,b,j]
(74)  d_initial_c_lower[k,b,i] = d_c_lower[k,b,i]*f_lower[k,b,i]
(75)  d_initial_upper[k,b,i] = sum_j U_o_upper[j,i]*d_n_o_upper[k,b,j]
          + sum_j U_g_upper[j,i]*d_n_g_upper[k,b,j] + sum_j U_f_upper[j,i]*d_n_f_upper[k,b,j]
          + sum_j U_i_upper[j,i]*d_n_i_upper[k,b,j]
(76)  d_initial_c_upper[k,b,i] = d_c_upper[k,b,i]*f_upper[k,b,i]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_i_lower_character": (64, 96),
    "U_i_lower": (64, 64),
    "b_i_lower": (64,),
    "W_f_lower_character": (64, 96),
    "U_f_lower": (64, 64),
    "b_f_lower": (64,),
    "W_g_lower_character": (64, 96),
    "U_g_lower": (64, 64),
    "b_g_lower": (64,),
    "W_o_lower_character": (64, 96),
    "U_o_lower": (64, 64),
    "b_o_lower": (64,),
    "W_i_upper_lower": (64, 64),
    "U_i_upper": (64, 64),
    "b_i_upper": (64,),
    "W_f_upper_lower": (64, 64),
    "U_f_upper": (64, 64),
    "b_f_upper": (64,),
    "W_g_upper_lower": (64, 64),
    "U_g_upper": (64, 64),
    "b_g_upper": (64,),
    "W_o_upper_lower": (64, 64),
    "U_o_upper": (64, 64),
    "b_o_upper": (64,),
    "W_next_upper": (96, 64),
    "b_next": (96,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "character": ("T", "B", 96),
}
OUTPUTS = {
    "next": ("T", "B", 96),
}
TARGETS = {
    "next": ("T", "B", 96),
}
MASKS = ()
CLASSES = ("next",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "next": {
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
    "lower": (1, "B", 64),
    "c_lower": (1, "B", 64),
    "upper": (1, "B", 64),
    "c_upper": (1, "B", 64),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "lower": (
        ("W_i_lower_character", "U_i_lower", "b_i_lower"),
        ("W_f_lower_character", "U_f_lower", "b_f_lower"),
        ("W_g_lower_character", "U_g_lower", "b_g_lower"),
        ("W_o_lower_character", "U_o_lower", "b_o_lower"),
    ),
    "upper": (
        ("W_i_upper_lower", "U_i_upper", "b_i_upper"),
        ("W_f_upper_lower", "U_f_upper", "b_f_upper"),
        ("W_g_upper_lower", "U_g_upper", "b_g_upper"),
        ("W_o_upper_lower", "U_o_upper", "b_o_upper"),
    ),
    "next": (
        ("W_next_upper", "b_next"),
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
        "i_lower": arrays["i_lower"],
        "f_lower": arrays["f_lower"],
        "g_lower": arrays["g_lower"],
        "o_lower": arrays["o_lower"],
        "c_lower": arrays["c_lower"][1 : 1 + T],
        "lower": arrays["lower"][1 : 1 + T],
        "i_upper": arrays["i_upper"],
        "f_upper": arrays["f_upper"],
        "g_upper": arrays["g_upper"],
        "o_upper": arrays["o_upper"],
        "c_upper": arrays["c_upper"][1 : 1 + T],
        "upper": arrays["upper"][1 : 1 + T],
        "next": arrays["next"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps and sequences of -sum(target_next*log(next)).
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
    character = arrays["character"]
    c_lower = arrays["c_lower"]
    lower = arrays["lower"]
    c_upper = arrays["c_upper"]
    upper = arrays["upper"]
    W_i_lower_character = arrays["W_i_lower_character"]
    U_i_lower = arrays["U_i_lower"]
    b_i_lower = arrays["b_i_lower"]
    W_f_lower_character = arrays["W_f_lower_character"]
    U_f_lower = arrays["U_f_lower"]
    b_f_lower = arrays["b_f_lower"]
    W_g_lower_character = arrays["W_g_lower_character"]
    U_g_lower = arrays["U_g_lower"]
    b_g_lower = arrays["b_g_lower"]
    W_o_lower_character = arrays["W_o_lower_character"]
    U_o_lower = arrays["U_o_lower"]
    b_o_lower = arrays["b_o_lower"]
    W_i_upper_lower = arrays["W_i_upper_lower"]
    U_i_upper = arrays["U_i_upper"]
    b_i_upper = arrays["b_i_upper"]
    W_f_upper_lower = arrays["W_f_upper_lower"]
    U_f_upper = arrays["U_f_upper"]
    b_f_upper = arrays["b_f_upper"]
    W_g_upper_lower = arrays["W_g_upper_lower"]
    U_g_upper = arrays["U_g_upper"]
    b_g_upper = arrays["b_g_upper"]
    W_o_upper_lower = arrays["W_o_upper_lower"]
    U_o_upper = arrays["U_o_upper"]
    b_o_upper = arrays["b_o_upper"]
    W_next_upper = arrays["W_next_upper"]
    b_next = arrays["b_next"]

    U_upper = np.concatenate((U_o_upper, U_f_upper, U_i_upper, U_g_upper))
    W_upper_lower = np.concatenate(
        (W_o_upper_lower, W_f_upper_lower, W_i_upper_lower, W_g_upper_lower)
    )
    b_upper = np.concatenate((b_o_upper, b_f_upper, b_i_upper, b_g_upper))
    U_lower = np.concatenate((U_o_lower, U_f_lower, U_i_lower, U_g_lower))
    W_lower_character = np.concatenate(
        (W_o_lower_character, W_f_lower_character, W_i_lower_character, W_g_lower_character)
    )
    b_lower = np.concatenate((b_o_lower, b_f_lower, b_i_lower, b_g_lower))
    n_lower = (  # (1) (3) (5) (7) ij,tbj->tbi
        (_rows(character) @ W_lower_character.T).reshape(-1, B, 256)
    )
    g_lower = n_lower[:, :, 192:256]
    n_g_lower = g_lower  # takes its place, step by step
    f_lower = n_lower[:, :, 64:128]
    i_lower = n_lower[:, :, 128:192]
    o_lower = n_lower[:, :, :64]
    n_lower += b_lower  # (1) (3) (5) (7)
    tanh_c_lower = np.empty((T, B, 64), dtype)
    for t in range(T):
        n_lower_t = n_lower[t]
        n_lower_t += lower[t] @ U_lower.T  # (1) (3) (5) (7) ij,bj->bi
        g_lower_t = np.tanh(n_g_lower[t], out=g_lower[t])  # (6)
        _sigmoid(n_lower_t[:, :192], out=n_lower_t[:, :192])  # (2) (4) (8)
        c_lower_t = np.multiply(c_lower[t], f_lower[t], out=c_lower[t + 1])  # (9)
        c_lower_t += g_lower_t * i_lower[t]  # (9)
        tanh_c_lower_t = np.tanh(c_lower_t, out=tanh_c_lower[t])  # (10)
        lower_t = np.multiply(o_lower[t], tanh_c_lower_t, out=lower[t + 1])  # (10)
    n_upper = (  # (11) (13) (15) (17) ij,tbj->tbi
        (_rows(lower[1:]) @ W_upper_lower.T).reshape(-1, B, 256)
    )
    g_upper = n_upper[:, :, 192:256]
    n_g_upper = g_upper  # takes its place, step by step
    f_upper = n_upper[:, :, 64:128]
    i_upper = n_upper[:, :, 128:192]
    o_upper = n_upper[:, :, :64]
    n_upper += b_upper  # (11) (13) (15) (17)
    tanh_c_upper = np.empty((T, B, 64), dtype)
    for t in range(T):
        n_upper_t = n_upper[t]
        n_upper_t += upper[t] @ U_upper.T  # (11) (13) (15) (17) ij,bj->bi
        g_upper_t = np.tanh(n_g_upper[t], out=g_upper[t])  # (16)
        _sigmoid(n_upper_t[:, :192], out=n_upper_t[:, :192])  # (12) (14) (18)
        c_upper_t = np.multiply(c_upper[t], f_upper[t], out=c_upper[t + 1])  # (19)
        c_upper_t += g_upper_t * i_upper[t]  # (19)
        tanh_c_upper_t = np.tanh(c_upper_t, out=tanh_c_upper[t])  # (20)
        upper_t = np.multiply(o_upper[t], tanh_c_upper_t, out=upper[t + 1])  # (20)
    n_next = (_rows(upper[1:]) @ W_next_upper.T).reshape(-1, B, 96)  # (21) ij,tbj->tbi
    n_next += b_next  # (21)
    logsumexp_next = _logsumexp(n_next, axis=2)  # (22)
    next = np.exp(n_next - logsumexp_next[:, :, None])  # (23)
    arrays["i_lower"] = i_lower
    arrays["f_lower"] = f_lower
    arrays["g_lower"] = g_lower
    arrays["o_lower"] = o_lower
    arrays["tanh_c_lower"] = tanh_c_lower
    arrays["i_upper"] = i_upper
    arrays["f_upper"] = f_upper
    arrays["g_upper"] = g_upper
    arrays["o_upper"] = o_upper
    arrays["tanh_c_upper"] = tanh_c_upper
    arrays["n_next"] = n_next
    arrays["logsumexp_next"] = logsumexp_next
    arrays["next"] = next


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    n_next = arrays["n_next"]
    logsumexp_next = arrays["logsumexp_next"]
    target_next = arrays["target_next"]

    loss = (  # (24) tb->, tbi->
        1 / (B * T) * logsumexp_next.sum()
        - 1 / (B * T) * (n_next * target_next).sum()
    )
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    character = arrays["character"]
    i_lower = arrays["i_lower"]
    f_lower = arrays["f_lower"]
    g_lower = arrays["g_lower"]
    o_lower = arrays["o_lower"]
    c_lower = arrays["c_lower"]
    lower = arrays["lower"]
    i_upper = arrays["i_upper"]
    f_upper = arrays["f_upper"]
    g_upper = arrays["g_upper"]
    o_upper = arrays["o_upper"]
    c_upper = arrays["c_upper"]
    upper = arrays["upper"]
    next = arrays["next"]
    U_i_lower = arrays["U_i_lower"]
    U_f_lower = arrays["U_f_lower"]
    U_g_lower = arrays["U_g_lower"]
    U_o_lower = arrays["U_o_lower"]
    W_i_upper_lower = arrays["W_i_upper_lower"]
    U_i_upper = arrays["U_i_upper"]
    W_f_upper_lower = arrays["W_f_upper_lower"]
    U_f_upper = arrays["U_f_upper"]
    W_g_upper_lower = arrays["W_g_upper_lower"]
    U_g_upper = arrays["U_g_upper"]
    W_o_upper_lower = arrays["W_o_upper_lower"]
    U_o_upper = arrays["U_o_upper"]
    W_next_upper = arrays["W_next_upper"]
    target_next = arrays["target_next"]
    tanh_c_lower = arrays["tanh_c_lower"]
    tanh_c_upper = arrays["tanh_c_upper"]

    U_upper = np.concatenate((U_o_upper, U_f_upper, U_i_upper, U_g_upper))
    W_upper_lower = np.concatenate(
        (W_o_upper_lower, W_f_upper_lower, W_i_upper_lower, W_g_upper_lower)
    )
    U_lower = np.concatenate((U_o_lower, U_f_lower, U_i_lower, U_g_lower))
    d_n_next = 1 / (B * T) * (next - target_next)  # (25)
    d_upper = (_rows(d_n_next) @ W_next_upper).reshape(-1, B, 64)  # (26) ij,tbj->tbi
    d_c_upper = np.empty((T, B, 64), dtype)
    d_n = np.empty((T, B, 512), dtype)
    d_n_f_upper = d_n[:, :, 64:128]
    d_n_g_upper = d_n[:, :, 192:256]
    d_n_i_upper = d_n[:, :, 128:192]
    d_n_o_upper = d_n[:, :, :64]
    d_n_f_lower = d_n[:, :, 320:384]
    d_n_g_lower = d_n[:, :, 448:512]
    d_n_i_lower = d_n[:, :, 384:448]
    d_n_o_lower = d_n[:, :, 256:320]
    for t in range(T - 1, -1, -1):
        o_upper_t = o_upper[t]
        tanh_c_upper_t = tanh_c_upper[t]
        i_upper_t = i_upper[t]
        g_upper_t = g_upper[t]
        f_upper_t = f_upper[t]
        d_upper_t = d_upper[t]
        if t < T - 1:
            d_upper_t += d_n[t + 1, :, :256] @ U_upper  # (26) ij,bj->bi
        d_c_upper_t = np.square(tanh_c_upper_t, out=d_c_upper[t])  # (27)
        np.subtract(1, d_c_upper_t, out=d_c_upper_t)  # (27)
        d_c_upper_t *= d_upper_t  # (27)
        d_c_upper_t *= o_upper_t  # (27)
        if t < T - 1:
            d_c_upper_t += d_c_upper[t + 1] * f_upper[t + 1]  # (27)
        d_f_upper_t = d_c_upper_t * c_upper[t]  # (32)
        d_g_upper_t = d_c_upper_t * i_upper_t  # (30)
        d_i_upper_t = d_c_upper_t * g_upper_t  # (34)
        d_n_f_upper_t = np.subtract(1, f_upper_t, out=d_n_f_upper[t])  # (33)
        d_n_f_upper_t *= d_f_upper_t  # (33)
        d_n_f_upper_t *= f_upper_t  # (33)
        d_n_g_upper_t = np.square(g_upper_t, out=d_n_g_upper[t])  # (31)
        np.subtract(1, d_n_g_upper_t, out=d_n_g_upper_t)  # (31)
        d_n_g_upper_t *= d_g_upper_t  # (31)
        d_n_i_upper_t = np.subtract(1, i_upper_t, out=d_n_i_upper[t])  # (35)
        d_n_i_upper_t *= d_i_upper_t  # (35)
        d_n_i_upper_t *= i_upper_t  # (35)
        d_o_upper_t = d_upper_t * tanh_c_upper_t  # (28)
        d_n_o_upper_t = np.subtract(1, o_upper_t, out=d_n_o_upper[t])  # (29)
        d_n_o_upper_t *= d_o_upper_t  # (29)
        d_n_o_upper_t *= o_upper_t  # (29)
    d_lower = (_rows(d_n[:, :, :256]) @ W_upper_lower).reshape(-1, B, 64)  # (36) ij,tbj->tbi
    d_c_lower = np.empty((T, B, 64), dtype)
    for t in range(T - 1, -1, -1):
        o_lower_t = o_lower[t]
        tanh_c_lower_t = tanh_c_lower[t]
        i_lower_t = i_lower[t]
        g_lower_t = g_lower[t]
        f_lower_t = f_lower[t]
        d_lower_t = d_lower[t]
        if t < T - 1:
            d_lower_t += d_n[t + 1, :, 256:] @ U_lower  # (36) ij,bj->bi
        d_c_lower_t = np.square(tanh_c_lower_t, out=d_c_lower[t])  # (37)
        np.subtract(1, d_c_lower_t, out=d_c_lower_t)  # (37)
        d_c_lower_t *= d_lower_t  # (37)
        d_c_lower_t *= o_lower_t  # (37)
        if t < T - 1:
            d_c_lower_t += d_c_lower[t + 1] * f_lower[t + 1]  # (37)
        d_f_lower_t = d_c_lower_t * c_lower[t]  # (42)
        d_g_lower_t = d_c_lower_t * i_lower_t  # (40)
        d_i_lower_t = d_c_lower_t * g_lower_t  # (44)
        d_n_f_lower_t = np.subtract(1, f_lower_t, out=d_n_f_lower[t])  # (43)
        d_n_f_lower_t *= d_f_lower_t  # (43)
        d_n_f_lower_t *= f_lower_t  # (43)
        d_n_g_lower_t = np.square(g_lower_t, out=d_n_g_lower[t])  # (41)
        np.subtract(1, d_n_g_lower_t, out=d_n_g_lower_t)  # (41)
        d_n_g_lower_t *= d_g_lower_t  # (41)
        d_n_i_lower_t = np.subtract(1, i_lower_t, out=d_n_i_lower[t])  # (45)
        d_n_i_lower_t *= d_i_lower_t  # (45)
        d_n_i_lower_t *= i_lower_t  # (45)
        d_o_lower_t = d_lower_t * tanh_c_lower_t  # (38)
        d_n_o_lower_t = np.subtract(1, o_lower_t, out=d_n_o_lower[t])  # (39)
        d_n_o_lower_t *= d_o_lower_t  # (39)
        d_n_o_lower_t *= o_lower_t  # (39)
    d_W_lower_character = (  # (47) (50) (53) (56) tbi,tbj->ij
        _rows(d_n[:, :, 256:]).T @ _rows(character)
    )
    d_W_i_lower_character = d_W_lower_character[128:192]
    d_W_f_lower_character = d_W_lower_character[64:128]
    d_W_g_lower_character = d_W_lower_character[192:256]
    d_W_o_lower_character = d_W_lower_character[:64]
    d_U_lower = _rows(d_n[:, :, 256:]).T @ _rows(lower[:T])  # (48) (51) (54) (57) tbi,tbj->ij
    d_U_i_lower = d_U_lower[128:192]
    d_U_f_lower = d_U_lower[64:128]
    d_U_g_lower = d_U_lower[192:256]
    d_U_o_lower = d_U_lower[:64]
    d_W_upper_lower = (  # (59) (62) (65) (68) tbi,tbj->ij
        _rows(d_n[:, :, :256]).T @ _rows(lower[1:])
    )
    d_W_i_upper_lower = d_W_upper_lower[128:192]
    d_W_f_upper_lower = d_W_upper_lower[64:128]
    d_W_g_upper_lower = d_W_upper_lower[192:256]
    d_W_o_upper_lower = d_W_upper_lower[:64]
    d_U_upper = _rows(d_n[:, :, :256]).T @ _rows(upper[:T])  # (60) (63) (66) (69) tbi,tbj->ij
    d_U_i_upper = d_U_upper[128:192]
    d_U_f_upper = d_U_upper[64:128]
    d_U_g_upper = d_U_upper[192:256]
    d_U_o_upper = d_U_upper[:64]
    d_b = d_n.sum(axis=(0, 1))  # (49) (52) (55) (58) (61) (64) (67) (70) tbi->i
    d_b_i_lower = d_b[384:448]
    d_b_f_lower = d_b[320:384]
    d_b_g_lower = d_b[448:512]
    d_b_o_lower = d_b[256:320]
    d_b_i_upper = d_b[128:192]
    d_b_f_upper = d_b[64:128]
    d_b_g_upper = d_b[192:256]
    d_b_o_upper = d_b[:64]
    d_W_next_upper = _rows(d_n_next).T @ _rows(upper[1:])  # (71) tbi,tbj->ij
    d_b_next = d_n_next.sum(axis=(0, 1))  # (72) tbi->i
    arrays["d_c_upper"] = d_c_upper
    arrays["d_c_lower"] = d_c_lower
    arrays["d_W_i_lower_character"] = d_W_i_lower_character
    arrays["d_U_i_lower"] = d_U_i_lower
    arrays["d_b_i_lower"] = d_b_i_lower
    arrays["d_W_f_lower_character"] = d_W_f_lower_character
    arrays["d_U_f_lower"] = d_U_f_lower
    arrays["d_b_f_lower"] = d_b_f_lower
    arrays["d_W_g_lower_character"] = d_W_g_lower_character
    arrays["d_U_g_lower"] = d_U_g_lower
    arrays["d_b_g_lower"] = d_b_g_lower
    arrays["d_W_o_lower_character"] = d_W_o_lower_character
    arrays["d_U_o_lower"] = d_U_o_lower
    arrays["d_b_o_lower"] = d_b_o_lower
    arrays["d_W_i_upper_lower"] = d_W_i_upper_lower
    arrays["d_U_i_upper"] = d_U_i_upper
    arrays["d_b_i_upper"] = d_b_i_upper
    arrays["d_W_f_upper_lower"] = d_W_f_upper_lower
    arrays["d_U_f_upper"] = d_U_f_upper
    arrays["d_b_f_upper"] = d_b_f_upper
    arrays["d_W_g_upper_lower"] = d_W_g_upper_lower
    arrays["d_U_g_upper"] = d_U_g_upper
    arrays["d_b_g_upper"] = d_b_g_upper
    arrays["d_W_o_upper_lower"] = d_W_o_upper_lower
    arrays["d_U_o_upper"] = d_U_o_upper
    arrays["d_b_o_upper"] = d_b_o_upper
    arrays["d_W_next_upper"] = d_W_next_upper
    arrays["d_b_next"] = d_b_next
    arrays["d_n"] = d_n


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_i_lower_character = arrays["W_i_lower_character"]
    W_f_lower_character = arrays["W_f_lower_character"]
    W_g_lower_character = arrays["W_g_lower_character"]
    W_o_lower_character = arrays["W_o_lower_character"]
    d_n = arrays["d_n"]

    W_lower_character = np.concatenate(
        (W_o_lower_character, W_f_lower_character, W_i_lower_character, W_g_lower_character)
    )
    d_character = (  # (46) ij,tbj->tbi
        (_rows(d_n[:, :, 256:]) @ W_lower_character).reshape(-1, B, 96)
    )
    arrays["d_character"] = d_character


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    f_lower = arrays["f_lower"]
    f_upper = arrays["f_upper"]
    U_i_lower = arrays["U_i_lower"]
    U_f_lower = arrays["U_f_lower"]
    U_g_lower = arrays["U_g_lower"]
    U_o_lower = arrays["U_o_lower"]
    U_i_upper = arrays["U_i_upper"]
    U_f_upper = arrays["U_f_upper"]
    U_g_upper = arrays["U_g_upper"]
    U_o_upper = arrays["U_o_upper"]
    d_c_upper = arrays["d_c_upper"]
    d_c_lower = arrays["d_c_lower"]
    d_n = arrays["d_n"]

    U_upper = np.concatenate((U_o_upper, U_f_upper, U_i_upper, U_g_upper))
    U_lower = np.concatenate((U_o_lower, U_f_lower, U_i_lower, U_g_lower))
    d_initial_lower = (_rows(d_n[:1, :, 256:]) @ U_lower).reshape(-1, B, 64)  # (73) ij,kbj->kbi
    d_initial_c_lower = d_c_lower[:1] * f_lower[:1]  # (74)
    d_initial_upper = (_rows(d_n[:1, :, :256]) @ U_upper).reshape(-1, B, 64)  # (75) ij,kbj->kbi
    d_initial_c_upper = d_c_upper[:1] * f_upper[:1]  # (76)
    arrays["d_initial_lower"] = d_initial_lower
    arrays["d_initial_c_lower"] = d_initial_c_lower
    arrays["d_initial_upper"] = d_initial_upper
    arrays["d_initial_c_upper"] = d_initial_c_upper


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
    "b_f_lower",
    "b_f_upper",
    "b_g_lower",
    "b_g_upper",
    "b_i_lower",
    "b_i_upper",
    "b_next",
    "b_o_lower",
    "b_o_upper",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "next"): "target_next",
}
_GRADIENTS = {
    "W_i_lower_character": "d_W_i_lower_character",
    "U_i_lower": "d_U_i_lower",
    "b_i_lower": "d_b_i_lower",
    "W_f_lower_character": "d_W_f_lower_character",
    "U_f_lower": "d_U_f_lower",
    "b_f_lower": "d_b_f_lower",
    "W_g_lower_character": "d_W_g_lower_character",
    "U_g_lower": "d_U_g_lower",
    "b_g_lower": "d_b_g_lower",
    "W_o_lower_character": "d_W_o_lower_character",
    "U_o_lower": "d_U_o_lower",
    "b_o_lower": "d_b_o_lower",
    "W_i_upper_lower": "d_W_i_upper_lower",
    "U_i_upper": "d_U_i_upper",
    "b_i_upper": "d_b_i_upper",
    "W_f_upper_lower": "d_W_f_upper_lower",
    "U_f_upper": "d_U_f_upper",
    "b_f_upper": "d_b_f_upper",
    "W_g_upper_lower": "d_W_g_upper_lower",
    "U_g_upper": "d_U_g_upper",
    "b_g_upper": "d_b_g_upper",
    "W_o_upper_lower": "d_W_o_upper_lower",
    "U_o_upper": "d_U_o_upper",
    "b_o_upper": "d_b_o_upper",
    "W_next_upper": "d_W_next_upper",
    "b_next": "d_b_next",
}
_INPUT_GRADIENTS = {"character": "d_character"}
_INITIAL_GRADIENTS = {
    "lower": "d_initial_lower",
    "c_lower": "d_initial_c_lower",
    "upper": "d_initial_upper",
    "c_upper": "d_initial_c_upper",
}
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
    arrays["lower"] = _extended(T, (B, 64), outside.get("lower"), 1, None, 0, dtype)
    arrays["c_lower"] = _extended(T, (B, 64), outside.get("c_lower"), 1, None, 0, dtype)
    arrays["upper"] = _extended(T, (B, 64), outside.get("upper"), 1, None, 0, dtype)
    arrays["c_upper"] = _extended(T, (B, 64), outside.get("c_upper"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: d720055cbbc5f03ee0ddd11e2b9c8ecb6fd5eb0154bb9eb170bd399ee34aa902
