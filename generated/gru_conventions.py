"""gru_conventions: a recurrent network with 168 parameters.

Inputs x (T, B, 2); outputs other (T, B, 2).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 2, N_after = 3, N_before = 3, N_other = 2.

 (1)  n_r_after[t,b,i] = sum_j W_r_after_x[i,j]*x[t,b,j] + sum_j U_r_after[i,j]*after[t-1,b,j]
          + b_r_after[i]
 (2)  r_after[t,b,i] = sigmoid(n_r_after[t,b,i])
 (3)  n_z_after[t,b,i] = sum_j W_z_after_x[i,j]*x[t,b,j] + sum_j U_z_after[i,j]*after[t-1,b,j]
          + b_z_after[i]
 (4)  z_after[t,b,i] = sigmoid(n_z_after[t,b,i])
 (5)  part_n_after[t,b,i] = sum_j U_n_after[i,j]*after[t-1,b,j] + c_n_after[i]
 (6)  n_n_after[t,b,i] = sum_j W_n_after_x[i,j]*x[t,b,j] + b_n_after[i]
          + part_n_after[t,b,i]*r_after[t,b,i]
 (7)  n_after[t,b,i] = tanh(n_n_after[t,b,i])
 (8)  after[t,b,i] = n_after[t,b,i]*(1 - z_after[t,b,i]) + after[t-1,b,i]*z_after[t,b,i]
 (9)  n_r_before[t,b,i] = sum_j W_r_before_after[i,j]*after[t,b,j]
          + sum_j U_r_before[i,j]*before[t-1,b,j] + b_r_before[i]
(10)  r_before[t,b,i] = sigmoid(n_r_before[t,b,i])
(11)  n_z_before[t,b,i] = sum_j W_z_before_after[i,j]*after[t,b,j]
          + sum_j U_z_before[i,j]*before[t-1,b,j] + b_z_before[i]
(12)  z_before[t,b,i] = sigmoid(n_z_before[t,b,i])
(13)  r_h_before[t,b,i] = before[t-1,b,i]*r_before[t,b,i]
(14)  n_n_before[t,b,i] = sum_j W_n_before_after[i,j]*after[t,b,j]
          + sum_j U_n_before[i,j]*r_h_before[t,b,j] + b_n_before[i]
(15)  n_before[t,b,i] = tanh(n_n_before[t,b,i])
(16)  before[t,b,i] = n_before[t,b,i]*(1 - z_before[t,b,i]) + before[t-1,b,i]*z_before[t,b,i]
(17)  n_r_other[t,b,i] = sum_j W_r_other_before[i,j]*before[t,b,j]
          + sum_j W_r_other_x_2[i,j]*x[t-2,b,j] + sum_j U_r_other[i,j]*other[t-1,b,j]
          + b_r_other[i]
(18)  r_other[t,b,i] = sigmoid(n_r_other[t,b,i])
(19)  n_z_other[t,b,i] = sum_j W_z_other_before[i,j]*before[t,b,j]
          + sum_j W_z_other_x_2[i,j]*x[t-2,b,j] + sum_j U_z_other[i,j]*other[t-1,b,j]
          + b_z_other[i]
(20)  z_other[t,b,i] = sigmoid(n_z_other[t,b,i])
(21)  r_h_other[t,b,i] = other[t-1,b,i]*r_other[t,b,i]
(22)  n_n_other[t,b,i] = sum_j W_n_other_before[i,j]*before[t,b,j]
          + sum_j W_n_other_x_2[i,j]*x[t-2,b,j] + sum_j U_n_other[i,j]*r_h_other[t,b,j]
          + b_n_other[i]
(23)  n_other[t,b,i] = tanh(n_n_other[t,b,i])
(24)  other[t,b,i] = n_other[t,b,i]*z_other[t,b,i] + other[t-1,b,i]*(1 - z_other[t,b,i])
(25)  loss = sum_t,b,i (other[t,b,i] - target_other[t,b,i])^2/(B*N_other*T)
(26)  d_other[t,b,i] = 2*(other[t,b,i] - target_other[t,b,i])/(B*N_other*T)
          + d_other[t+1,b,i]*(1 - z_other[t+1,b,i]) [t <= T-2]
          + d_r_h_other[t+1,b,i]*r_other[t+1,b,i] [t <= T-2]
          + sum_j U_z_other[j,i]*d_n_z_other[t+1,b,j] [t <= T-2]
          + sum_j U_r_other[j,i]*d_n_r_other[t+1,b,j] [t <= T-2]
(27)  d_n_other[t,b,i] = d_other[t,b,i]*z_other[t,b,i]
(28)  d_n_n_other[t,b,i] = d_n_other[t,b,i]*(1 - n_other[t,b,i]^2)
(29)  d_r_h_other[t,b,i] = sum_j U_n_other[j,i]*d_n_n_other[t,b,j]
(30)  d_z_other[t,b,i] = d_other[t,b,i]*(n_other[t,b,i] - other[t-1,b,i])
(31)  d_n_z_other[t,b,i] = d_z_other[t,b,i]*z_other[t,b,i]*(1 - z_other[t,b,i])
(32)  d_r_other[t,b,i] = d_r_h_other[t,b,i]*other[t-1,b,i]
(33)  d_n_r_other[t,b,i] = d_r_other[t,b,i]*r_other[t,b,i]*(1 - r_other[t,b,i])
(34)  d_before[t,b,i] = sum_j W_n_other_before[j,i]*d_n_n_other[t,b,j]
          + sum_j W_z_other_before[j,i]*d_n_z_other[t,b,j]
          + sum_j W_r_other_before[j,i]*d_n_r_other[t,b,j]
          + d_before[t+1,b,i]*z_before[t+1,b,i] [t <= T-2]
          + d_r_h_before[t+1,b,i]*r_before[t+1,b,i] [t <= T-2]
          + sum_j U_z_before[j,i]*d_n_z_before[t+1,b,j] [t <= T-2]
          + sum_j U_r_before[j,i]*d_n_r_before[t+1,b,j] [t <= T-2]
(35)  d_n_before[t,b,i] = d_before[t,b,i]*(1 - z_before[t,b,i])
(36)  d_n_n_before[t,b,i] = d_n_before[t,b,i]*(1 - n_before[t,b,i]^2)
(37)  d_r_h_before[t,b,i] = sum_j U_n_before[j,i]*d_n_n_before[t,b,j]
(38)  d_z_before[t,b,i] = d_before[t,b,i]*(before[t-1,b,i] - n_before[t,b,i])
(39)  d_n_z_before[t,b,i] = d_z_before[t,b,i]*z_before[t,b,i]*(1 - z_before[t,b,i])
(40)  d_r_before[t,b,i] = d_r_h_before[t,b,i]*before[t-1,b,i]
(41)  d_n_r_before[t,b,i] = d_r_before[t,b,i]*r_before[t,b,i]*(1 - r_before[t,b,i])
(42)  d_after[t,b,i] = sum_j W_n_before_after[j,i]*d_n_n_before[t,b,j]
          + sum_j W_z_before_after[j,i]*d_n_z_before[t,b,j]
          + sum_j W_r_before_after[j,i]*d_n_r_before[t,b,j]
          + d_after[t+1,b,i]*z_after[t+1,b,i] [t <= T-2]
          + sum_j U_n_after[j,i]*d_part_n_after[t+1,b,j] [t <= T-2]
          + sum_j U_z_after[j,i]*d_n_z_after[t+1,b,j] [t <= T-2]
          + sum_j U_r_after[j,i]*d_n_r_after[t+1,b,j] [t <= T-2]
(43)  d_n_after[t,b,i] = d_after[t,b,i]*(1 - z_after[t,b,i])
(44)  d_n_n_after[t,b,i] = d_n_after[t,b,i]*(1 - n_after[t,b,i]^2)
(45)  d_part_n_after[t,b,i] = d_n_n_after[t,b,i]*r_after[t,b,i]
(46)  d_z_after[t,b,i] = d_after[t,b,i]*(after[t-1,b,i] - n_after[t,b,i])
(47)  d_n_z_after[t,b,i] = d_z_after[t,b,i]*z_after[t,b,i]*(1 - z_after[t,b,i])
(48)  d_r_after[t,b,i] = d_n_n_after[t,b,i]*part_n_after[t,b,i]
(49)  d_n_r_after[t,b,i] = d_r_after[t,b,i]*r_after[t,b,i]*(1 - r_after[t,b,i])
(50)  d_x[t,b,i] = sum_j W_n_other_x_2[j,i]*d_n_n_other[t+2,b,j] [t <= T-3]
          + sum_j W_z_other_x_2[j,i]*d_n_z_other[t+2,b,j] [t <= T-3]
          + sum_j W_r_other_x_2[j,i]*d_n_r_other[t+2,b,j] [t <= T-3]
          + sum_j W_n_after_x[j,i]*d_n_n_after[t,b,j]
          + sum_j W_z_after_x[j,i]*d_n_z_after[t,b,j]
          + sum_j W_r_after_x[j,i]*d_n_r_after[t,b,j]
(51)  d_W_r_after_x[i,j] = sum_t,b d_n_r_after[t,b,i]*x[t,b,j]
(52)  d_U_r_after[i,j] = sum_t,b d_n_r_after[t,b,i]*after[t-1,b,j]
(53)  d_b_r_after[i] = sum_t,b d_n_r_after[t,b,i]
(54)  d_W_z_after_x[i,j] = sum_t,b d_n_z_after[t,b,i]*x[t,b,j]
(55)  d_U_z_after[i,j] = sum_t,b d_n_z_after[t,b,i]*after[t-1,b,j]
(56)  d_b_z_after[i] = sum_t,b d_n_z_after[t,b,i]
(57)  d_W_n_after_x[i,j] = sum_t,b d_n_n_after[t,b,i]*x[t,b,j]
(58)  d_b_n_after[i] = sum_t,b d_n_n_after[t,b,i]
(59)  d_U_n_after[i,j] = sum_t,b d_part_n_after[t,b,i]*after[t-1,b,j]
(60)  d_c_n_after[i] = sum_t,b d_part_n_after[t,b,i]
(61)  d_W_r_before_after[i,j] = sum_t,b d_n_r_before[t,b,i]*after[t,b,j]
(62)  d_U_r_before[i,j] = sum_t,b d_n_r_before[t,b,i]*before[t-1,b,j]
(63)  d_b_r_before[i] = sum_t,b d_n_r_before[t,b,i]
(64)  d_W_z_before_after[i,j] = sum_t,b d_n_z_before[t,b,i]*after[t,b,j]
(65)  d_U_z_before[i,j] = sum_t,b d_n_z_before[t,b,i]*before[t-1,b,j]
(66)  d_b_z_before[i] = sum_t,b d_n_z_before[t,b,i]
(67)  d_W_n_before_after[i,j] = sum_t,b d_n_n_before[t,b,i]*after[t,b,j]
(68)  d_U_n_before[i,j] = sum_t,b d_n_n_before[t,b,i]*r_h_before[t,b,j]
(69)  d_b_n_before[i] = sum_t,b d_n_n_before[t,b,i]
(70)  d_W_r_other_before[i,j] = sum_t,b d_n_r_other[t,b,i]*before[t,b,j]
(71)  d_W_r_other_x_2[i,j] = sum_t,b d_n_r_other[t,b,i]*x[t-2,b,j]
(72)  d_U_r_other[i,j] = sum_t,b d_n_r_other[t,b,i]*other[t-1,b,j]
(73)  d_b_r_other[i] = sum_t,b d_n_r_other[t,b,i]
(74)  d_W_z_other_before[i,j] = sum_t,b d_n_z_other[t,b,i]*before[t,b,j]
(75)  d_W_z_other_x_2[i,j] = sum_t,b d_n_z_other[t,b,i]*x[t-2,b,j]
(76)  d_U_z_other[i,j] = sum_t,b d_n_z_other[t,b,i]*other[t-1,b,j]
(77)  d_b_z_other[i] = sum_t,b d_n_z_other[t,b,i]
(78)  d_W_n_other_before[i,j] = sum_t,b d_n_n_other[t,b,i]*before[t,b,j]
(79)  d_W_n_other_x_2[i,j] = sum_t,b d_n_n_other[t,b,i]*x[t-2,b,j]
(80)  d_U_n_other[i,j] = sum_t,b d_n_n_other[t,b,i]*r_h_other[t,b,j]
(81)  d_b_n_other[i] = sum_t,b d_n_n_other[t,b,i]
(82)  d_initial_x[k,b,i] = sum_j W_n_other_x_2[j,i]*d_n_n_other[k,b,j] [k <= T-1]
          + sum_j W_z_other_x_2[j,i]*d_n_z_other[k,b,j] [k <= T-1]
          + sum_j W_r_other_x_2[j,i]*d_n_r_other[k,b,j] [k <= T-1]
(83)  d_initial_after[k,b,i] = d_after[k,b,i]*z_after[k,b,i]
          + sum_j U_n_after[j,i]*d_part_n_after[k,b,j] + sum_j U_z_after[j,i]*d_n_z_after[k,b,j]
          + sum_j U_r_after[j,i]*d_n_r_after[k,b,j]
(84)  d_initial_before[k,b,i] = d_before[k,b,i]*z_before[k,b,i]
          + d_r_h_before[k,b,i]*r_before[k,b,i] + sum_j U_z_before[j,i]*d_n_z_before[k,b,j]
          + sum_j U_r_before[j,i]*d_n_r_before[k,b,j]
(85)  d_initial_other[k,b,i] = d_other[k,b,i]*(1 - z_other[k,b,i])
          + d_r_h_other[k,b,i]*r_other[k,b,i] + sum_j U_z_other[j,i]*d_n_z_other[k,b,j]
          + sum_j U_r_other[j,i]*d_n_r_other[k,b,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_r_after_x": (3, 2),
    "U_r_after": (3, 3),
    "b_r_after": (3,),
    "W_z_after_x": (3, 2),
    "U_z_after": (3, 3),
    "b_z_after": (3,),
    "W_n_after_x": (3, 2),
    "b_n_after": (3,),
    "U_n_after": (3, 3),
    "c_n_after": (3,),
    "W_r_before_after": (3, 3),
    "U_r_before": (3, 3),
    "b_r_before": (3,),
    "W_z_before_after": (3, 3),
    "U_z_before": (3, 3),
    "b_z_before": (3,),
    "W_n_before_after": (3, 3),
    "U_n_before": (3, 3),
    "b_n_before": (3,),
    "W_r_other_before": (2, 3),
    "W_r_other_x_2": (2, 2),
    "U_r_other": (2, 2),
    "b_r_other": (2,),
    "W_z_other_before": (2, 3),
    "W_z_other_x_2": (2, 2),
    "U_z_other": (2, 2),
    "b_z_other": (2,),
    "W_n_other_before": (2, 3),
    "W_n_other_x_2": (2, 2),
    "U_n_other": (2, 2),
    "b_n_other": (2,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "x": ("T", "B", 2),
}
OUTPUTS = {
    "other": ("T", "B", 2),
}
TARGETS = {
    "other": ("T", "B", 2),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "other": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "x": (2, "B", 2),
    "after": (1, "B", 3),
    "before": (1, "B", 3),
    "other": (1, "B", 2),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "after": (
        ("W_r_after_x", "U_r_after", "b_r_after"),
        ("W_z_after_x", "U_z_after", "b_z_after"),
        ("U_n_after", "c_n_after"),
        ("W_n_after_x", "b_n_after"),
    ),
    "before": (
        ("W_r_before_after", "U_r_before", "b_r_before"),
        ("W_z_before_after", "U_z_before", "b_z_before"),
        ("W_n_before_after", "U_n_before", "b_n_before"),
    ),
    "other": (
        ("W_r_other_before", "W_r_other_x_2", "U_r_other", "b_r_other"),
        ("W_z_other_before", "W_z_other_x_2", "U_z_other", "b_z_other"),
        ("W_n_other_before", "W_n_other_x_2", "U_n_other", "b_n_other"),
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
        "r_after": arrays["r_after"],
        "z_after": arrays["z_after"],
        "n_after": arrays["n_after"],
        "after": arrays["after"][1 : 1 + T],
        "r_before": arrays["r_before"],
        "z_before": arrays["z_before"],
        "n_before": arrays["n_before"],
        "before": arrays["before"][1 : 1 + T],
        "r_other": arrays["r_other"],
        "z_other": arrays["z_other"],
        "n_other": arrays["n_other"],
        "other": arrays["other"][1 : 1 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (other - target_other)^2.
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
    after = arrays["after"]
    before = arrays["before"]
    other = arrays["other"]
    W_r_after_x = arrays["W_r_after_x"]
    U_r_after = arrays["U_r_after"]
    b_r_after = arrays["b_r_after"]
    W_z_after_x = arrays["W_z_after_x"]
    U_z_after = arrays["U_z_after"]
    b_z_after = arrays["b_z_after"]
    W_n_after_x = arrays["W_n_after_x"]
    b_n_after = arrays["b_n_after"]
    U_n_after = arrays["U_n_after"]
    c_n_after = arrays["c_n_after"]
    W_r_before_after = arrays["W_r_before_after"]
    U_r_before = arrays["U_r_before"]
    b_r_before = arrays["b_r_before"]
    W_z_before_after = arrays["W_z_before_after"]
    U_z_before = arrays["U_z_before"]
    b_z_before = arrays["b_z_before"]
    W_n_before_after = arrays["W_n_before_after"]
    U_n_before = arrays["U_n_before"]
    b_n_before = arrays["b_n_before"]
    W_r_other_before = arrays["W_r_other_before"]
    W_r_other_x_2 = arrays["W_r_other_x_2"]
    U_r_other = arrays["U_r_other"]
    b_r_other = arrays["b_r_other"]
    W_z_other_before = arrays["W_z_other_before"]
    W_z_other_x_2 = arrays["W_z_other_x_2"]
    U_z_other = arrays["U_z_other"]
    b_z_other = arrays["b_z_other"]
    W_n_other_before = arrays["W_n_other_before"]
    W_n_other_x_2 = arrays["W_n_other_x_2"]
    U_n_other = arrays["U_n_other"]
    b_n_other = arrays["b_n_other"]

    U_other = np.concatenate((U_z_other, U_r_other))
    b_other = np.concatenate((b_z_other, b_r_other, b_n_other))
    U_before = np.concatenate((U_z_before, U_r_before))
    b_before = np.concatenate((b_z_before, b_r_before, b_n_before))
    U_after = np.concatenate((U_z_after, U_r_after, U_n_after))
    stacked_b_z_after = np.concatenate((b_z_after, b_r_after, c_n_after, b_n_after))
    stacked_n_z_after = np.zeros((T, B, 12), dtype)
    part_n_after = stacked_n_z_after[:, :, 6:9]
    n_r_after = stacked_n_z_after[:, :, 3:6]
    n_n_after = stacked_n_z_after[:, :, 9:12]
    n_z_after = stacked_n_z_after[:, :, :3]
    r_after = n_r_after  # takes its place, step by step
    n_after = n_n_after  # takes its place, step by step
    z_after = n_z_after  # takes its place, step by step
    n_r_after[...] = (_rows(x[2:]) @ W_r_after_x.T).reshape(-1, B, 3)  # (1) ij,tbj->tbi
    n_n_after[...] = (_rows(x[2:]) @ W_n_after_x.T).reshape(-1, B, 3)  # (6) ij,tbj->tbi
    n_z_after[...] = (_rows(x[2:]) @ W_z_after_x.T).reshape(-1, B, 3)  # (3) ij,tbj->tbi
    stacked_n_z_after += stacked_b_z_after  # (1) (3) (5) (6)
    for t in range(T):
        after_t_minus_1 = after[t]
        z_after_t = z_after[t]
        stacked_n_z_after_t = stacked_n_z_after[t]
        stacked_n_z_after_t[:, :9] += after_t_minus_1 @ U_after.T  # (1) (3) (5) ij,bj->bi
        _sigmoid(stacked_n_z_after_t[:, :6], out=stacked_n_z_after_t[:, :6])  # (2) (4)
        n_n_after_t = n_n_after[t]
        n_n_after_t += part_n_after[t] * r_after[t]  # (6)
        n_after_t = np.tanh(n_n_after_t, out=n_after[t])  # (7)
        after_t = np.subtract(1, z_after_t, out=after[t + 1])  # (8)
        after_t *= n_after_t  # (8)
        after_t += after_t_minus_1 * z_after_t  # (8)
    stacked_n_z_before = np.empty((T, B, 9), dtype)
    n_r_before = stacked_n_z_before[:, :, 3:6]
    n_n_before = stacked_n_z_before[:, :, 6:9]
    n_z_before = stacked_n_z_before[:, :, :3]
    r_before = n_r_before  # takes its place, step by step
    n_before = n_n_before  # takes its place, step by step
    z_before = n_z_before  # takes its place, step by step
    n_r_before[...] = (_rows(after[1:]) @ W_r_before_after.T).reshape(-1, B, 3)  # (9) ij,tbj->tbi
    n_n_before[...] = (_rows(after[1:]) @ W_n_before_after.T).reshape(-1, B, 3)  # (14) ij,tbj->tbi
    n_z_before[...] = (_rows(after[1:]) @ W_z_before_after.T).reshape(-1, B, 3)  # (11) ij,tbj->tbi
    stacked_n_z_before += b_before  # (9) (11) (14)
    r_h_before = np.empty((T, B, 3), dtype)
    for t in range(T):
        before_t_minus_1 = before[t]
        z_before_t = z_before[t]
        stacked_n_z_before_t = stacked_n_z_before[t]
        stacked_n_z_before_t[:, :6] += before_t_minus_1 @ U_before.T  # (9) (11) ij,bj->bi
        _sigmoid(stacked_n_z_before_t[:, :6], out=stacked_n_z_before_t[:, :6])  # (10) (12)
        r_h_before_t = np.multiply(before_t_minus_1, r_before[t], out=r_h_before[t])  # (13)
        n_n_before_t = n_n_before[t]
        n_n_before_t += r_h_before_t @ U_n_before.T  # (14) ij,bj->bi
        n_before_t = np.tanh(n_n_before_t, out=n_before[t])  # (15)
        before_t = np.subtract(1, z_before_t, out=before[t + 1])  # (16)
        before_t *= n_before_t  # (16)
        before_t += before_t_minus_1 * z_before_t  # (16)
    stacked_n_z_other = np.empty((T, B, 6), dtype)
    n_r_other = stacked_n_z_other[:, :, 2:4]
    n_n_other = stacked_n_z_other[:, :, 4:6]
    n_z_other = stacked_n_z_other[:, :, :2]
    r_other = n_r_other  # takes its place, step by step
    n_other = n_n_other  # takes its place, step by step
    z_other = n_z_other  # takes its place, step by step
    n_r_other[...] = (_rows(before[1:]) @ W_r_other_before.T).reshape(-1, B, 2)  # (17) ij,tbj->tbi
    n_r_other += (_rows(x[:T]) @ W_r_other_x_2.T).reshape(-1, B, 2)  # (17) ij,tbj->tbi
    n_n_other[...] = (_rows(before[1:]) @ W_n_other_before.T).reshape(-1, B, 2)  # (22) ij,tbj->tbi
    n_n_other += (_rows(x[:T]) @ W_n_other_x_2.T).reshape(-1, B, 2)  # (22) ij,tbj->tbi
    n_z_other[...] = (_rows(before[1:]) @ W_z_other_before.T).reshape(-1, B, 2)  # (19) ij,tbj->tbi
    n_z_other += (_rows(x[:T]) @ W_z_other_x_2.T).reshape(-1, B, 2)  # (19) ij,tbj->tbi
    stacked_n_z_other += b_other  # (17) (19) (22)
    r_h_other = np.empty((T, B, 2), dtype)
    for t in range(T):
        other_t_minus_1 = other[t]
        z_other_t = z_other[t]
        stacked_n_z_other_t = stacked_n_z_other[t]
        stacked_n_z_other_t[:, :4] += other_t_minus_1 @ U_other.T  # (17) (19) ij,bj->bi
        _sigmoid(stacked_n_z_other_t[:, :4], out=stacked_n_z_other_t[:, :4])  # (18) (20)
        r_h_other_t = np.multiply(other_t_minus_1, r_other[t], out=r_h_other[t])  # (21)
        n_n_other_t = n_n_other[t]
        n_n_other_t += r_h_other_t @ U_n_other.T  # (22) ij,bj->bi
        n_other_t = np.tanh(n_n_other_t, out=n_other[t])  # (23)
        other_t = np.multiply(n_other_t, z_other_t, out=other[t + 1])  # (24)
        other_t += other_t_minus_1 * (1 - z_other_t)  # (24)
    arrays["r_after"] = r_after
    arrays["z_after"] = z_after
    arrays["part_n_after"] = part_n_after
    arrays["n_after"] = n_after
    arrays["r_before"] = r_before
    arrays["z_before"] = z_before
    arrays["r_h_before"] = r_h_before
    arrays["n_before"] = n_before
    arrays["r_other"] = r_other
    arrays["z_other"] = z_other
    arrays["r_h_other"] = r_h_other
    arrays["n_other"] = n_other


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    other = arrays["other"]
    target_other = arrays["target_other"]

    error_other = other[1:] - target_other  # (25)
    loss = 1 / (B * 2 * T) * (error_other.ravel() @ error_other.ravel())  # (25) tbi->
    arrays["error_other"] = error_other
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    r_after = arrays["r_after"]
    z_after = arrays["z_after"]
    n_after = arrays["n_after"]
    after = arrays["after"]
    r_before = arrays["r_before"]
    z_before = arrays["z_before"]
    n_before = arrays["n_before"]
    before = arrays["before"]
    r_other = arrays["r_other"]
    z_other = arrays["z_other"]
    n_other = arrays["n_other"]
    other = arrays["other"]
    U_r_after = arrays["U_r_after"]
    U_z_after = arrays["U_z_after"]
    U_n_after = arrays["U_n_after"]
    W_r_before_after = arrays["W_r_before_after"]
    U_r_before = arrays["U_r_before"]
    W_z_before_after = arrays["W_z_before_after"]
    U_z_before = arrays["U_z_before"]
    W_n_before_after = arrays["W_n_before_after"]
    U_n_before = arrays["U_n_before"]
    W_r_other_before = arrays["W_r_other_before"]
    U_r_other = arrays["U_r_other"]
    W_z_other_before = arrays["W_z_other_before"]
    U_z_other = arrays["U_z_other"]
    W_n_other_before = arrays["W_n_other_before"]
    U_n_other = arrays["U_n_other"]
    part_n_after = arrays["part_n_after"]
    r_h_before = arrays["r_h_before"]
    r_h_other = arrays["r_h_other"]
    error_other = arrays["error_other"]

    U_other = np.concatenate((U_z_other, U_r_other))
    U_before = np.concatenate((U_z_before, U_r_before))
    U_after = np.concatenate((U_z_after, U_r_after, U_n_after))
    d_other = 2 / (B * 2 * T) * error_other  # (26)
    d_n_n_other_per_d_other = z_other * (1 - n_other ** 2)  # (27) (28)
    d_n_r_other_per_d_r_h_other = other[:T] * r_other * (1 - r_other)  # (32) (33)
    d_n_z_other_per_d_other = (n_other - other[:T]) * z_other * (1 - z_other)  # (30) (31)
    d = np.empty((T, B, 27), dtype)
    d_n_n_other = d[:, :, 25:27]
    d_n_r_other = d[:, :, 2:4]
    d_n_z_other = d[:, :, :2]
    d_n_n_before = d[:, :, 22:25]
    d_n_r_before = d[:, :, 7:10]
    d_n_z_before = d[:, :, 4:7]
    d_n_n_after = d[:, :, 19:22]
    d_n_r_after = d[:, :, 13:16]
    d_n_z_after = d[:, :, 10:13]
    d_part_n_after = d[:, :, 16:19]
    d_r_h_other = np.empty((T, B, 2), dtype)
    for t in range(T - 1, -1, -1):
        d_other_t = d_other[t]
        if t < T - 1:
            d_other_t += d_other[t + 1] * (1 - z_other[t + 1])  # (26)
            d_other_t += d_r_h_other[t + 1] * r_other[t + 1]  # (26)
            d_other_t += d[t + 1, :, :4] @ U_other  # (26) ij,bj->bi
        d_n_n_other_t = np.multiply(  # (27) (28)
            d_other_t, d_n_n_other_per_d_other[t], out=d_n_n_other[t]
        )
        d_r_h_other[t] = d_r_h_other_t = d_n_n_other_t @ U_n_other  # (29) ij,bj->bi
        d_n_r_other_t = np.multiply(  # (32) (33)
            d_r_h_other_t, d_n_r_other_per_d_r_h_other[t], out=d_n_r_other[t]
        )
        d_n_z_other_t = np.multiply(  # (30) (31)
            d_other_t, d_n_z_other_per_d_other[t], out=d_n_z_other[t]
        )
    d_before = (_rows(d_n_n_other) @ W_n_other_before).reshape(-1, B, 3)  # (34) ij,tbj->tbi
    d_before += (_rows(d_n_z_other) @ W_z_other_before).reshape(-1, B, 3)  # (34) ij,tbj->tbi
    d_before += (_rows(d_n_r_other) @ W_r_other_before).reshape(-1, B, 3)  # (34) ij,tbj->tbi
    d_n_n_before_per_d_before = (1 - z_before) * (1 - n_before ** 2)  # (35) (36)
    d_n_r_before_per_d_r_h_before = before[:T] * r_before * (1 - r_before)  # (40) (41)
    d_n_z_before_per_d_before = (before[:T] - n_before) * z_before * (1 - z_before)  # (38) (39)
    d_r_h_before = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        d_before_t = d_before[t]
        if t < T - 1:
            d_before_t += d_before[t + 1] * z_before[t + 1]  # (34)
            d_before_t += d_r_h_before[t + 1] * r_before[t + 1]  # (34)
            d_before_t += d[t + 1, :, 4:10] @ U_before  # (34) ij,bj->bi
        d_n_n_before_t = np.multiply(  # (35) (36)
            d_before_t, d_n_n_before_per_d_before[t], out=d_n_n_before[t]
        )
        d_r_h_before[t] = d_r_h_before_t = d_n_n_before_t @ U_n_before  # (37) ij,bj->bi
        d_n_r_before_t = np.multiply(  # (40) (41)
            d_r_h_before_t, d_n_r_before_per_d_r_h_before[t], out=d_n_r_before[t]
        )
        d_n_z_before_t = np.multiply(  # (38) (39)
            d_before_t, d_n_z_before_per_d_before[t], out=d_n_z_before[t]
        )
    d_after = (_rows(d_n_n_before) @ W_n_before_after).reshape(-1, B, 3)  # (42) ij,tbj->tbi
    d_after += (_rows(d_n_z_before) @ W_z_before_after).reshape(-1, B, 3)  # (42) ij,tbj->tbi
    d_after += (_rows(d_n_r_before) @ W_r_before_after).reshape(-1, B, 3)  # (42) ij,tbj->tbi
    d_n_n_after_per_d_after = (1 - z_after) * (1 - n_after ** 2)  # (43) (44)
    d_n_r_after_per_d_n_n_after = part_n_after * r_after * (1 - r_after)  # (48) (49)
    d_n_z_after_per_d_after = (after[:T] - n_after) * z_after * (1 - z_after)  # (46) (47)
    for t in range(T - 1, -1, -1):
        d_after_t = d_after[t]
        if t < T - 1:
            d_after_t += d_after[t + 1] * z_after[t + 1]  # (42)
            d_after_t += d[t + 1, :, 10:19] @ U_after  # (42) ij,bj->bi
        d_n_n_after_t = np.multiply(  # (43) (44)
            d_after_t, d_n_n_after_per_d_after[t], out=d_n_n_after[t]
        )
        d_n_r_after_t = np.multiply(  # (48) (49)
            d_n_n_after_t, d_n_r_after_per_d_n_n_after[t], out=d_n_r_after[t]
        )
        d_n_z_after_t = np.multiply(  # (46) (47)
            d_after_t, d_n_z_after_per_d_after[t], out=d_n_z_after[t]
        )
        d_part_n_after_t = np.multiply(d_n_n_after_t, r_after[t], out=d_part_n_after[t])  # (45)
    d_W_r_after_x = _rows(d_n_r_after).T @ _rows(x[2:])  # (51) tbi,tbj->ij
    d_W_z_after_x = _rows(d_n_z_after).T @ _rows(x[2:])  # (54) tbi,tbj->ij
    d_W_n_after_x = _rows(d_n_n_after).T @ _rows(x[2:])  # (57) tbi,tbj->ij
    d_U_after = _rows(d[:, :, 10:19]).T @ _rows(after[:T])  # (52) (55) (59) tbi,tbj->ij
    d_U_r_after = d_U_after[3:6]
    d_U_z_after = d_U_after[:3]
    d_U_n_after = d_U_after[6:9]
    d_W_r_before_after = _rows(d_n_r_before).T @ _rows(after[1:])  # (61) tbi,tbj->ij
    d_W_z_before_after = _rows(d_n_z_before).T @ _rows(after[1:])  # (64) tbi,tbj->ij
    d_U_before = _rows(d[:, :, 4:10]).T @ _rows(before[:T])  # (62) (65) tbi,tbj->ij
    d_U_r_before = d_U_before[3:6]
    d_U_z_before = d_U_before[:3]
    d_W_n_before_after = _rows(d_n_n_before).T @ _rows(after[1:])  # (67) tbi,tbj->ij
    d_U_n_before = _rows(d_n_n_before).T @ _rows(r_h_before)  # (68) tbi,tbj->ij
    d_W_r_other_before = _rows(d_n_r_other).T @ _rows(before[1:])  # (70) tbi,tbj->ij
    d_W_r_other_x_2 = _rows(d_n_r_other).T @ _rows(x[:T])  # (71) tbi,tbj->ij
    d_W_z_other_before = _rows(d_n_z_other).T @ _rows(before[1:])  # (74) tbi,tbj->ij
    d_W_z_other_x_2 = _rows(d_n_z_other).T @ _rows(x[:T])  # (75) tbi,tbj->ij
    d_U_other = _rows(d[:, :, :4]).T @ _rows(other[:T])  # (72) (76) tbi,tbj->ij
    d_U_r_other = d_U_other[2:4]
    d_U_z_other = d_U_other[:2]
    d_W_n_other_before = _rows(d_n_n_other).T @ _rows(before[1:])  # (78) tbi,tbj->ij
    d_W_n_other_x_2 = _rows(d_n_n_other).T @ _rows(x[:T])  # (79) tbi,tbj->ij
    d_U_n_other = _rows(d_n_n_other).T @ _rows(r_h_other)  # (80) tbi,tbj->ij
    stacked_d_b_z_other = d.sum(  # (53) (56) (58) (60) (63) (66) (69) (73) (77) (81) tbi->i
        axis=(0, 1)
    )
    d_b_r_after = stacked_d_b_z_other[13:16]
    d_b_z_after = stacked_d_b_z_other[10:13]
    d_b_n_after = stacked_d_b_z_other[19:22]
    d_c_n_after = stacked_d_b_z_other[16:19]
    d_b_r_before = stacked_d_b_z_other[7:10]
    d_b_z_before = stacked_d_b_z_other[4:7]
    d_b_n_before = stacked_d_b_z_other[22:25]
    d_b_r_other = stacked_d_b_z_other[2:4]
    d_b_z_other = stacked_d_b_z_other[:2]
    d_b_n_other = stacked_d_b_z_other[25:27]
    arrays["d_other"] = d_other
    arrays["d_n_n_other"] = d_n_n_other
    arrays["d_r_h_other"] = d_r_h_other
    arrays["d_n_z_other"] = d_n_z_other
    arrays["d_n_r_other"] = d_n_r_other
    arrays["d_before"] = d_before
    arrays["d_r_h_before"] = d_r_h_before
    arrays["d_after"] = d_after
    arrays["d_n_n_after"] = d_n_n_after
    arrays["d_n_z_after"] = d_n_z_after
    arrays["d_n_r_after"] = d_n_r_after
    arrays["d_W_r_after_x"] = d_W_r_after_x
    arrays["d_U_r_after"] = d_U_r_after
    arrays["d_b_r_after"] = d_b_r_after
    arrays["d_W_z_after_x"] = d_W_z_after_x
    arrays["d_U_z_after"] = d_U_z_after
    arrays["d_b_z_after"] = d_b_z_after
    arrays["d_W_n_after_x"] = d_W_n_after_x
    arrays["d_b_n_after"] = d_b_n_after
    arrays["d_U_n_after"] = d_U_n_after
    arrays["d_c_n_after"] = d_c_n_after
    arrays["d_W_r_before_after"] = d_W_r_before_after
    arrays["d_U_r_before"] = d_U_r_before
    arrays["d_b_r_before"] = d_b_r_before
    arrays["d_W_z_before_after"] = d_W_z_before_after
    arrays["d_U_z_before"] = d_U_z_before
    arrays["d_b_z_before"] = d_b_z_before
    arrays["d_W_n_before_after"] = d_W_n_before_after
    arrays["d_U_n_before"] = d_U_n_before
    arrays["d_b_n_before"] = d_b_n_before
    arrays["d_W_r_other_before"] = d_W_r_other_before
    arrays["d_W_r_other_x_2"] = d_W_r_other_x_2
    arrays["d_U_r_other"] = d_U_r_other
    arrays["d_b_r_other"] = d_b_r_other
    arrays["d_W_z_other_before"] = d_W_z_other_before
    arrays["d_W_z_other_x_2"] = d_W_z_other_x_2
    arrays["d_U_z_other"] = d_U_z_other
    arrays["d_b_z_other"] = d_b_z_other
    arrays["d_W_n_other_before"] = d_W_n_other_before
    arrays["d_W_n_other_x_2"] = d_W_n_other_x_2
    arrays["d_U_n_other"] = d_U_n_other
    arrays["d_b_n_other"] = d_b_n_other
    arrays["d"] = d


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_r_after_x = arrays["W_r_after_x"]
    W_z_after_x = arrays["W_z_after_x"]
    W_n_after_x = arrays["W_n_after_x"]
    W_r_other_x_2 = arrays["W_r_other_x_2"]
    W_z_other_x_2 = arrays["W_z_other_x_2"]
    W_n_other_x_2 = arrays["W_n_other_x_2"]
    d_n_n_other = arrays["d_n_n_other"]
    d_n_z_other = arrays["d_n_z_other"]
    d_n_r_other = arrays["d_n_r_other"]
    d_n_n_after = arrays["d_n_n_after"]
    d_n_z_after = arrays["d_n_z_after"]
    d_n_r_after = arrays["d_n_r_after"]

    d_x = (_rows(d_n_n_after) @ W_n_after_x).reshape(-1, B, 2)  # (50) ij,tbj->tbi
    d_x += (_rows(d_n_z_after) @ W_z_after_x).reshape(-1, B, 2)  # (50) ij,tbj->tbi
    d_x += (_rows(d_n_r_after) @ W_r_after_x).reshape(-1, B, 2)  # (50) ij,tbj->tbi
    d_x[:max(T - 2, 0)] += (  # (50) ij,tbj->tbi
        (_rows(d_n_n_other[2:]) @ W_n_other_x_2).reshape(-1, B, 2)
    )
    d_x[:max(T - 2, 0)] += (  # (50) ij,tbj->tbi
        (_rows(d_n_z_other[2:]) @ W_z_other_x_2).reshape(-1, B, 2)
    )
    d_x[:max(T - 2, 0)] += (  # (50) ij,tbj->tbi
        (_rows(d_n_r_other[2:]) @ W_r_other_x_2).reshape(-1, B, 2)
    )
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    z_after = arrays["z_after"]
    r_before = arrays["r_before"]
    z_before = arrays["z_before"]
    r_other = arrays["r_other"]
    z_other = arrays["z_other"]
    U_r_after = arrays["U_r_after"]
    U_z_after = arrays["U_z_after"]
    U_n_after = arrays["U_n_after"]
    U_r_before = arrays["U_r_before"]
    U_z_before = arrays["U_z_before"]
    W_r_other_x_2 = arrays["W_r_other_x_2"]
    U_r_other = arrays["U_r_other"]
    W_z_other_x_2 = arrays["W_z_other_x_2"]
    U_z_other = arrays["U_z_other"]
    W_n_other_x_2 = arrays["W_n_other_x_2"]
    d_other = arrays["d_other"]
    d_n_n_other = arrays["d_n_n_other"]
    d_r_h_other = arrays["d_r_h_other"]
    d_n_z_other = arrays["d_n_z_other"]
    d_n_r_other = arrays["d_n_r_other"]
    d_before = arrays["d_before"]
    d_r_h_before = arrays["d_r_h_before"]
    d_after = arrays["d_after"]
    d = arrays["d"]

    U_other = np.concatenate((U_z_other, U_r_other))
    U_before = np.concatenate((U_z_before, U_r_before))
    U_after = np.concatenate((U_z_after, U_r_after, U_n_after))
    d_initial_x = np.zeros((2, B, 2), dtype)
    d_initial_x[:min(2, T)] += (  # (82) ij,kbj->kbi
        (_rows(d_n_n_other[:min(2, T)]) @ W_n_other_x_2).reshape(-1, B, 2)
    )
    d_initial_x[:min(2, T)] += (  # (82) ij,kbj->kbi
        (_rows(d_n_z_other[:min(2, T)]) @ W_z_other_x_2).reshape(-1, B, 2)
    )
    d_initial_x[:min(2, T)] += (  # (82) ij,kbj->kbi
        (_rows(d_n_r_other[:min(2, T)]) @ W_r_other_x_2).reshape(-1, B, 2)
    )
    d_initial_after = (_rows(d[:1, :, 10:19]) @ U_after).reshape(-1, B, 3)  # (83) ij,kbj->kbi
    d_initial_after += d_after[:1] * z_after[:1]  # (83)
    d_initial_before = (_rows(d[:1, :, 4:10]) @ U_before).reshape(-1, B, 3)  # (84) ij,kbj->kbi
    d_initial_before += d_before[:1] * z_before[:1]  # (84)
    d_initial_before += d_r_h_before[:1] * r_before[:1]  # (84)
    d_initial_other = (_rows(d[:1, :, :4]) @ U_other).reshape(-1, B, 2)  # (85) ij,kbj->kbi
    d_initial_other += d_other[:1] * (1 - z_other[:1])  # (85)
    d_initial_other += d_r_h_other[:1] * r_other[:1]  # (85)
    arrays["d_initial_x"] = d_initial_x
    arrays["d_initial_after"] = d_initial_after
    arrays["d_initial_before"] = d_initial_before
    arrays["d_initial_other"] = d_initial_other


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
    "b_n_after",
    "b_n_before",
    "b_n_other",
    "b_r_after",
    "b_r_before",
    "b_r_other",
    "b_z_after",
    "b_z_before",
    "b_z_other",
    "c_n_after",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "other"): "target_other",
}
_GRADIENTS = {
    "W_r_after_x": "d_W_r_after_x",
    "U_r_after": "d_U_r_after",
    "b_r_after": "d_b_r_after",
    "W_z_after_x": "d_W_z_after_x",
    "U_z_after": "d_U_z_after",
    "b_z_after": "d_b_z_after",
    "W_n_after_x": "d_W_n_after_x",
    "b_n_after": "d_b_n_after",
    "U_n_after": "d_U_n_after",
    "c_n_after": "d_c_n_after",
    "W_r_before_after": "d_W_r_before_after",
    "U_r_before": "d_U_r_before",
    "b_r_before": "d_b_r_before",
    "W_z_before_after": "d_W_z_before_after",
    "U_z_before": "d_U_z_before",
    "b_z_before": "d_b_z_before",
    "W_n_before_after": "d_W_n_before_after",
    "U_n_before": "d_U_n_before",
    "b_n_before": "d_b_n_before",
    "W_r_other_before": "d_W_r_other_before",
    "W_r_other_x_2": "d_W_r_other_x_2",
    "U_r_other": "d_U_r_other",
    "b_r_other": "d_b_r_other",
    "W_z_other_before": "d_W_z_other_before",
    "W_z_other_x_2": "d_W_z_other_x_2",
    "U_z_other": "d_U_z_other",
    "b_z_other": "d_b_z_other",
    "W_n_other_before": "d_W_n_other_before",
    "W_n_other_x_2": "d_W_n_other_x_2",
    "U_n_other": "d_U_n_other",
    "b_n_other": "d_b_n_other",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "x": "d_initial_x",
    "after": "d_initial_after",
    "before": "d_initial_before",
    "other": "d_initial_other",
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
    given_steps = arrays["x"]
    arrays["x"] = _extended(T, (B, 2), outside.get("x"), 2, None, 0, dtype)
    arrays["x"][2 : 2 + T] = given_steps
    arrays["after"] = _extended(T, (B, 3), outside.get("after"), 1, None, 0, dtype)
    arrays["before"] = _extended(T, (B, 3), outside.get("before"), 1, None, 0, dtype)
    arrays["other"] = _extended(T, (B, 2), outside.get("other"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: 4159cd957f39d24113838ddc86677f4f87067a7abab79f98f6e11289402c1387
