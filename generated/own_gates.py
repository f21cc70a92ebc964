"""own_gates: a recurrent network with 205 parameters.

Inputs x (T, B, 2); outputs independent (T, B, 2).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 2, N_multiplicative = 3, N_tapped = 3,
N_minimal = 3, N_independent = 2.

 (1)  W_m_x_multiplicative[t,b,i] = sum_j W_m_multiplicative_x[i,j]*x[t,b,j]
 (2)  U_m_h_multiplicative[t,b,i] = sum_j U_m_multiplicative[i,j]*multiplicative[t-1,b,j]
 (3)  m_multiplicative[t,b,i] = U_m_h_multiplicative[t,b,i]*W_m_x_multiplicative[t,b,i]
 (4)  n_i_multiplicative[t,b,i] = sum_j W_i_multiplicative_x[i,j]*x[t,b,j]
          + sum_j V_i_multiplicative[i,j]*m_multiplicative[t,b,j]
 (5)  i_multiplicative[t,b,i] = sigmoid(n_i_multiplicative[t,b,i])
 (6)  n_f_multiplicative[t,b,i] = sum_j W_f_multiplicative_x[i,j]*x[t,b,j]
          + sum_j V_f_multiplicative[i,j]*m_multiplicative[t,b,j] + b_multiplicative[i]
 (7)  f_multiplicative[t,b,i] = sigmoid(n_f_multiplicative[t,b,i])
 (8)  n_g_multiplicative[t,b,i] = sum_j W_g_multiplicative_x[i,j]*x[t,b,j]
          + sum_j V_g_multiplicative[i,j]*m_multiplicative[t,b,j]
 (9)  g_multiplicative[t,b,i] = tanh(n_g_multiplicative[t,b,i])
(10)  n_o_multiplicative[t,b,i] = sum_j W_o_multiplicative_x[i,j]*x[t,b,j]
          + sum_j V_o_multiplicative[i,j]*m_multiplicative[t,b,j]
(11)  o_multiplicative[t,b,i] = sigmoid(n_o_multiplicative[t,b,i])
(12)  c_multiplicative[t,b,i] = c_multiplicative[t-1,b,i]*f_multiplicative[t,b,i]
          + g_multiplicative[t,b,i]*i_multiplicative[t,b,i]
(13)  multiplicative[t,b,i] = o_multiplicative[t,b,i]*tanh(c_multiplicative[t,b,i])
(14)  n_z_tapped[t,b,i] = sum_j W_z_tapped_multiplicative[i,j]*multiplicative[t,b,j]
          + sum_j W_z_tapped_multiplicative_2[i,j]*multiplicative[t-2,b,j]
          + sum_j U_z_tapped[i,j]*tapped[t-1,b,j] + sum_j V_z_tapped[i,j]*tapped[t-4,b,j]
(15)  z_tapped[t,b,i] = sigmoid(n_z_tapped[t,b,i])
(16)  concat_h_h_tapped[t,b,i] = tapped[t-1,b,i] [i <= N_tapped-1]
          + tapped[t-3,b,i-N_tapped] [i >= N_tapped]
(17)  n_tapped[t,b,i] = sum_j W_tapped_multiplicative[i,j]*multiplicative[t,b,j]
          + sum_j W_tapped_multiplicative_2[i,j]*multiplicative[t-2,b,j]
          + sum_j U_tapped[i,j]*concat_h_h_tapped[t,b,j] + b_tapped[i]
(18)  tapped[t,b,i] = tapped[t-2,b,i]*z_tapped[t,b,i]
          + (1 - z_tapped[t,b,i])*tanh(n_tapped[t,b,i])
(19)  n_f_minimal[t,b,i] = sum_j W_f_minimal_tapped[i,j]*tapped[t,b,j]
          + sum_j U_f_minimal[i,j]*minimal[t-1,b,j] + b_f_minimal[i]
(20)  f_minimal[t,b,i] = sigmoid(n_f_minimal[t,b,i])
(21)  f_h_minimal[t,b,i] = f_minimal[t,b,i]*minimal[t-1,b,i]
(22)  n_n_minimal[t,b,i] = sum_j W_n_minimal_tapped[i,j]*tapped[t,b,j]
          + sum_j U_n_minimal[i,j]*f_h_minimal[t,b,j] + b_n_minimal[i]
(23)  n_minimal[t,b,i] = tanh(n_n_minimal[t,b,i])
(24)  minimal[t,b,i] = minimal[t-1,b,i]*(1 - f_minimal[t,b,i])
          + f_minimal[t,b,i]*n_minimal[t,b,i]
(25)  n_independent[t,b,i] = sum_j W_independent_minimal[i,j]*minimal[t,b,j]
          + u_independent[i]*independent[t-1,b,i] + b_independent[i]
(26)  independent[t,b,i] = relu(n_independent[t,b,i])
(27)  loss = sum_t,b,i (independent[t,b,i] - target_independent[t,b,i])^2/(B*N_independent*T)
(28)  d_independent[t,b,i] = 2*(independent[t,b,i] - target_independent[t,b,i])/(B*N_independent*T)
          + u_independent[i]*d_n_independent[t+1,b,i] [t <= T-2]
(29)  d_n_independent[t,b,i] = d_independent[t,b,i]*step(independent[t,b,i])
(30)  d_minimal[t,b,i] = sum_j W_independent_minimal[j,i]*d_n_independent[t,b,j]
          + d_minimal[t+1,b,i]*(1 - f_minimal[t+1,b,i]) [t <= T-2]
          + d_f_h_minimal[t+1,b,i]*f_minimal[t+1,b,i] [t <= T-2]
          + sum_j U_f_minimal[j,i]*d_n_f_minimal[t+1,b,j] [t <= T-2]
(31)  d_n_minimal[t,b,i] = d_minimal[t,b,i]*f_minimal[t,b,i]
(32)  d_n_n_minimal[t,b,i] = d_n_minimal[t,b,i]*(1 - n_minimal[t,b,i]^2)
(33)  d_f_h_minimal[t,b,i] = sum_j U_n_minimal[j,i]*d_n_n_minimal[t,b,j]
(34)  d_f_minimal[t,b,i] = d_minimal[t,b,i]*(n_minimal[t,b,i] - minimal[t-1,b,i])
          + d_f_h_minimal[t,b,i]*minimal[t-1,b,i]
(35)  d_n_f_minimal[t,b,i] = d_f_minimal[t,b,i]*f_minimal[t,b,i]*(1 - f_minimal[t,b,i])
(36)  d_tapped[t,b,i] = sum_j W_n_minimal_tapped[j,i]*d_n_n_minimal[t,b,j]
          + sum_j W_f_minimal_tapped[j,i]*d_n_f_minimal[t,b,j]
          + d_tapped[t+2,b,i]*z_tapped[t+2,b,i] [t <= T-3]
          + d_concat_h_h_tapped[t+1,b,i] [t <= T-2]
          + d_concat_h_h_tapped[t+3,b,N_tapped+i] [t <= T-4]
          + sum_j U_z_tapped[j,i]*d_n_z_tapped[t+1,b,j] [t <= T-2]
          + sum_j V_z_tapped[j,i]*d_n_z_tapped[t+4,b,j] [t <= T-5]
(37)  d_n_tapped[t,b,i] = d_tapped[t,b,i]*(1 - z_tapped[t,b,i])*(1 - tanh(n_tapped[t,b,i])^2)
(38)  d_concat_h_h_tapped[t,b,i] = sum_j U_tapped[j,i]*d_n_tapped[t,b,j]
(39)  d_z_tapped[t,b,i] = d_tapped[t,b,i]*(tapped[t-2,b,i] - tanh(n_tapped[t,b,i]))
(40)  d_n_z_tapped[t,b,i] = d_z_tapped[t,b,i]*z_tapped[t,b,i]*(1 - z_tapped[t,b,i])
(41)  d_multiplicative[t,b,i] = sum_j W_tapped_multiplicative[j,i]*d_n_tapped[t,b,j]
          + sum_j W_tapped_multiplicative_2[j,i]*d_n_tapped[t+2,b,j] [t <= T-3]
          + sum_j W_z_tapped_multiplicative[j,i]*d_n_z_tapped[t,b,j]
          + sum_j W_z_tapped_multiplicative_2[j,i]*d_n_z_tapped[t+2,b,j] [t <= T-3]
          + sum_j U_m_multiplicative[j,i]*d_U_m_h_multiplicative[t+1,b,j] [t <= T-2]
(42)  d_c_multiplicative[t,b,i] = d_multiplicative[t,b,i]*o_multiplicative[t,b,i]*(1 - tanh(c_multiplicative[t,b,i])^2)
          + d_c_multiplicative[t+1,b,i]*f_multiplicative[t+1,b,i] [t <= T-2]
(43)  d_o_multiplicative[t,b,i] = d_multiplicative[t,b,i]*tanh(c_multiplicative[t,b,i])
(44)  d_n_o_multiplicative[t,b,i] = d_o_multiplicative[t,b,i]*o_multiplicative[t,b,i]*(1 - o_multiplicative[t,b,i])
(45)  d_g_multiplicative[t,b,i] = d_c_multiplicative[t,b,i]*i_multiplicative[t,b,i]
(46)  d_n_g_multiplicative[t,b,i] = d_g_multiplicative[t,b,i]*(1 - g_multiplicative[t,b,i]^2)
(47)  d_f_multiplicative[t,b,i] = d_c_multiplicative[t,b,i]*c_multiplicative[t-1,b,i]
(48)  d_n_f_multiplicative[t,b,i] = d_f_multiplicative[t,b,i]*f_multiplicative[t,b,i]*(1 - f_multiplicative[t,b,i])
(49)  d_i_multiplicative[t,b,i] = d_c_multiplicative[t,b,i]*g_multiplicative[t,b,i]
(50)  d_n_i_multiplicative[t,b,i] = d_i_multiplicative[t,b,i]*i_multiplicative[t,b,i]*(1 - i_multiplicative[t,b,i])
(51)  d_m_multiplicative[t,b,i] = sum_j V_o_multiplicative[j,i]*d_n_o_multiplicative[t,b,j]
          + sum_j V_g_multiplicative[j,i]*d_n_g_multiplicative[t,b,j]
          + sum_j V_f_multiplicative[j,i]*d_n_f_multiplicative[t,b,j]
          + sum_j V_i_multiplicative[j,i]*d_n_i_multiplicative[t,b,j]
(52)  d_U_m_h_multiplicative[t,b,i] = d_m_multiplicative[t,b,i]*W_m_x_multiplicative[t,b,i]
(53)  d_W_m_x_multiplicative[t,b,i] = d_m_multiplicative[t,b,i]*U_m_h_multiplicative[t,b,i]
(54)  d_x[t,b,i] = sum_j W_o_multiplicative_x[j,i]*d_n_o_multiplicative[t,b,j]
          + sum_j W_g_multiplicative_x[j,i]*d_n_g_multiplicative[t,b,j]
          + sum_j W_f_multiplicative_x[j,i]*d_n_f_multiplicative[t,b,j]
          + sum_j W_i_multiplicative_x[j,i]*d_n_i_multiplicative[t,b,j]
          + sum_j W_m_multiplicative_x[j,i]*d_W_m_x_multiplicative[t,b,j]
(55)  d_W_m_multiplicative_x[i,j] = sum_t,b d_W_m_x_multiplicative[t,b,i]*x[t,b,j]
(56)  d_U_m_multiplicative[i,j] = sum_t,b d_U_m_h_multiplicative[t,b,i]*multiplicative[t-1,b,j]
(57)  d_W_i_multiplicative_x[i,j] = sum_t,b d_n_i_multiplicative[t,b,i]*x[t,b,j]
(58)  d_V_i_multiplicative[i,j] = sum_t,b d_n_i_multiplicative[t,b,i]*m_multiplicative[t,b,j]
(59)  d_W_f_multiplicative_x[i,j] = sum_t,b d_n_f_multiplicative[t,b,i]*x[t,b,j]
(60)  d_V_f_multiplicative[i,j] = sum_t,b d_n_f_multiplicative[t,b,i]*m_multiplicative[t,b,j]
(61)  d_b_multiplicative[i] = sum_t,b d_n_f_multiplicative[t,b,i]
(62)  d_W_g_multiplicative_x[i,j] = sum_t,b d_n_g_multiplicative[t,b,i]*x[t,b,j]
(63)  d_V_g_multiplicative[i,j] = sum_t,b d_n_g_multiplicative[t,b,i]*m_multiplicative[t,b,j]
(64)  d_W_o_multiplicative_x[i,j] = sum_t,b d_n_o_multiplicative[t,b,i]*x[t,b,j]
(65)  d_V_o_multiplicative[i,j] = sum_t,b d_n_o_multiplicative[t,b,i]*m_multiplicative[t,b,j]
(66)  d_W_z_tapped_multiplicative[i,j] = sum_t,b d_n_z_tapped[t,b,i]*multiplicative[t,b,j]
(67)  d_W_z_tapped_multiplicative_2[i,j] = sum_t,b d_n_z_tapped[t,b,i]*multiplicative[t-2,b,j]
(68)  d_U_z_tapped[i,j] = sum_t,b d_n_z_tapped[t,b,i]*tapped[t-1,b,j]
(69)  d_V_z_tapped[i,j] = sum_t,b d_n_z_tapped[t,b,i]*tapped[t-4,b,j]
(70)  d_W_tapped_multiplicative[i,j] = sum_t,b d_n_tapped[t,b,i]*multiplicative[t,b,j]
(71)  d_W_tapped_multiplicative_2[i,j] = sum_t,b d_n_tapped[t,b,i]*multiplicative[t-2,b,j]
(72)  d_U_tapped[i,j] = sum_t,b d_n_tapped[t,b,i]*concat_h_h_tapped[t,b,j]
(73)  d_b_tapped[i] = sum_t,b d_n_tapped[t,b,i]
(74)  d_W_f_minimal_tapped[i,j] = sum_t,b d_n_f_minimal[t,b,i]*tapped[t,b,j]
(75)  d_U_f_minimal[i,j] = sum_t,b d_n_f_minimal[t,b,i]*minimal[t-1,b,j]
(76)  d_b_f_minimal[i] = sum_t,b d_n_f_minimal[t,b,i]
(77)  d_W_n_minimal_tapped[i,j] = sum_t,b d_n_n_minimal[t,b,i]*tapped[t,b,j]
(78)  d_U_n_minimal[i,j] = sum_t,b d_n_n_minimal[t,b,i]*f_h_minimal[t,b,j]
(79)  d_b_n_minimal[i] = sum_t,b d_n_n_minimal[t,b,i]
(80)  d_W_independent_minimal[i,j] = sum_t,b d_n_independent[t,b,i]*minimal[t,b,j]
(81)  d_u_independent[i] = sum_t,b d_n_independent[t,b,i]*independent[t-1,b,i]
(82)  d_b_independent[i] = sum_t,b d_n_independent[t,b,i]
(83)  d_initial_multiplicative[k,b,i] = sum_j W_tapped_multiplicative_2[j,i]*d_n_tapped[k,b,j] [k <= T-1]
          + sum_j W_z_tapped_multiplicative_2[j,i]*d_n_z_tapped[k,b,j] [k <= T-1]
          + sum_j U_m_multiplicative[j,i]*d_U_m_h_multiplicative[k-1,b,j] [k >= 1]
(84)  d_initial_c_multiplicative[k,b,i] = d_c_multiplicative[k,b,i]*f_multiplicative[k,b,i]
(85)  d_initial_tapped[k,b,i] = d_tapped[k-2,b,i]*z_tapped[k-2,b,i] [k >= 2, k <= T+1]
          + d_concat_h_h_tapped[k-3,b,i] [k >= 3]
          + d_concat_h_h_tapped[k-1,b,N_tapped+i] [k <= T, k >= 1]
          + sum_j U_z_tapped[j,i]*d_n_z_tapped[k-3,b,j] [k >= 3]
          + sum_j V_z_tapped[j,i]*d_n_z_tapped[k,b,j] [k <= T-1]
(86)  d_initial_minimal[k,b,i] = d_minimal[k,b,i]*(1 - f_minimal[k,b,i])
          + d_f_h_minimal[k,b,i]*f_minimal[k,b,i] + sum_j U_f_minimal[j,i]*d_n_f_minimal[k,b,j]
(87)  d_initial_independent[k,b,i] = u_independent[i]*d_n_independent[k,b,i]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_m_multiplicative_x": (3, 2),
    "U_m_multiplicative": (3, 3),
    "W_i_multiplicative_x": (3, 2),
    "V_i_multiplicative": (3, 3),
    "W_f_multiplicative_x": (3, 2),
    "V_f_multiplicative": (3, 3),
    "b_multiplicative": (3,),
    "W_g_multiplicative_x": (3, 2),
    "V_g_multiplicative": (3, 3),
    "W_o_multiplicative_x": (3, 2),
    "V_o_multiplicative": (3, 3),
    "W_z_tapped_multiplicative": (3, 3),
    "W_z_tapped_multiplicative_2": (3, 3),
    "U_z_tapped": (3, 3),
    "V_z_tapped": (3, 3),
    "W_tapped_multiplicative": (3, 3),
    "W_tapped_multiplicative_2": (3, 3),
    "U_tapped": (3, 6),
    "b_tapped": (3,),
    "W_f_minimal_tapped": (3, 3),
    "U_f_minimal": (3, 3),
    "b_f_minimal": (3,),
    "W_n_minimal_tapped": (3, 3),
    "U_n_minimal": (3, 3),
    "b_n_minimal": (3,),
    "W_independent_minimal": (2, 3),
    "u_independent": (2,),
    "b_independent": (2,),
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
    "independent": ("T", "B", 2),
}
TARGETS = {
    "independent": ("T", "B", 2),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "independent": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "multiplicative": (2, "B", 3),
    "c_multiplicative": (1, "B", 3),
    "tapped": (4, "B", 3),
    "minimal": (1, "B", 3),
    "independent": (1, "B", 2),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "multiplicative": (
        ("W_m_multiplicative_x",),
        ("U_m_multiplicative",),
        ("W_i_multiplicative_x", "V_i_multiplicative"),
        ("W_f_multiplicative_x", "V_f_multiplicative", "b_multiplicative"),
        ("W_g_multiplicative_x", "V_g_multiplicative"),
        ("W_o_multiplicative_x", "V_o_multiplicative"),
    ),
    "tapped": (
        ("W_z_tapped_multiplicative", "W_z_tapped_multiplicative_2", "U_z_tapped", "V_z_tapped"),
        ("W_tapped_multiplicative", "W_tapped_multiplicative_2", "U_tapped", "b_tapped"),
    ),
    "minimal": (
        ("W_f_minimal_tapped", "U_f_minimal", "b_f_minimal"),
        ("W_n_minimal_tapped", "U_n_minimal", "b_n_minimal"),
    ),
    "independent": (
        ("W_independent_minimal", "u_independent", "b_independent"),
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
        "m_multiplicative": arrays["m_multiplicative"],
        "i_multiplicative": arrays["i_multiplicative"],
        "f_multiplicative": arrays["f_multiplicative"],
        "g_multiplicative": arrays["g_multiplicative"],
        "o_multiplicative": arrays["o_multiplicative"],
        "c_multiplicative": arrays["c_multiplicative"][1 : 1 + T],
        "multiplicative": arrays["multiplicative"][2 : 2 + T],
        "z_tapped": arrays["z_tapped"],
        "tapped": arrays["tapped"][4 : 4 + T],
        "f_minimal": arrays["f_minimal"],
        "n_minimal": arrays["n_minimal"],
        "minimal": arrays["minimal"][1 : 1 + T],
        "independent": arrays["independent"][1 : 1 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (independent - target_independent)^2.
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
    c_multiplicative = arrays["c_multiplicative"]
    multiplicative = arrays["multiplicative"]
    tapped = arrays["tapped"]
    minimal = arrays["minimal"]
    independent = arrays["independent"]
    W_m_multiplicative_x = arrays["W_m_multiplicative_x"]
    U_m_multiplicative = arrays["U_m_multiplicative"]
    W_i_multiplicative_x = arrays["W_i_multiplicative_x"]
    V_i_multiplicative = arrays["V_i_multiplicative"]
    W_f_multiplicative_x = arrays["W_f_multiplicative_x"]
    V_f_multiplicative = arrays["V_f_multiplicative"]
    b_multiplicative = arrays["b_multiplicative"]
    W_g_multiplicative_x = arrays["W_g_multiplicative_x"]
    V_g_multiplicative = arrays["V_g_multiplicative"]
    W_o_multiplicative_x = arrays["W_o_multiplicative_x"]
    V_o_multiplicative = arrays["V_o_multiplicative"]
    W_z_tapped_multiplicative = arrays["W_z_tapped_multiplicative"]
    W_z_tapped_multiplicative_2 = arrays["W_z_tapped_multiplicative_2"]
    U_z_tapped = arrays["U_z_tapped"]
    V_z_tapped = arrays["V_z_tapped"]
    W_tapped_multiplicative = arrays["W_tapped_multiplicative"]
    W_tapped_multiplicative_2 = arrays["W_tapped_multiplicative_2"]
    U_tapped = arrays["U_tapped"]
    b_tapped = arrays["b_tapped"]
    W_f_minimal_tapped = arrays["W_f_minimal_tapped"]
    U_f_minimal = arrays["U_f_minimal"]
    b_f_minimal = arrays["b_f_minimal"]
    W_n_minimal_tapped = arrays["W_n_minimal_tapped"]
    U_n_minimal = arrays["U_n_minimal"]
    b_n_minimal = arrays["b_n_minimal"]
    W_independent_minimal = arrays["W_independent_minimal"]
    u_independent = arrays["u_independent"]
    b_independent = arrays["b_independent"]

    V_multiplicative = np.concatenate(
        (V_f_multiplicative, V_i_multiplicative, V_o_multiplicative, V_g_multiplicative)
    )
    W_multiplicative_x = np.concatenate(
        (
            W_f_multiplicative_x,
            W_i_multiplicative_x,
            W_o_multiplicative_x,
            W_g_multiplicative_x,
            W_m_multiplicative_x,
        ),
    )
    stacked_W_tapped_multiplicative = np.concatenate(
        (W_tapped_multiplicative, W_z_tapped_multiplicative)
    )
    stacked_W_tapped_multiplicative_2 = np.concatenate(
        (W_tapped_multiplicative_2, W_z_tapped_multiplicative_2)
    )
    W_minimal_tapped = np.concatenate((W_f_minimal_tapped, W_n_minimal_tapped))
    stacked_n_f_multiplicative = (  # (1) (4) (6) (8) (10) ij,tbj->tbi
        (_rows(x) @ W_multiplicative_x.T).reshape(-1, B, 15)
    )
    n_f_multiplicative = stacked_n_f_multiplicative[:, :, :3]
    W_m_x_multiplicative = stacked_n_f_multiplicative[:, :, 12:15]
    g_multiplicative = stacked_n_f_multiplicative[:, :, 9:12]
    n_g_multiplicative = g_multiplicative  # takes its place, step by step
    f_multiplicative = n_f_multiplicative  # takes its place, step by step
    i_multiplicative = stacked_n_f_multiplicative[:, :, 3:6]
    o_multiplicative = stacked_n_f_multiplicative[:, :, 6:9]
    n_f_multiplicative += b_multiplicative  # (6)
    U_m_h_multiplicative = np.empty((T, B, 3), dtype)
    m_multiplicative = np.empty((T, B, 3), dtype)
    tanh_c_multiplicative = np.empty((T, B, 3), dtype)
    for t in range(T):
        U_m_h_multiplicative[t] = U_m_h_multiplicative_t = (  # (2) ij,bj->bi
            multiplicative[t + 1] @ U_m_multiplicative.T
        )
        m_multiplicative_t = np.multiply(  # (3)
            U_m_h_multiplicative_t, W_m_x_multiplicative[t], out=m_multiplicative[t]
        )
        stacked_n_f_multiplicative_t = stacked_n_f_multiplicative[t]
        stacked_n_f_multiplicative_t[:, :12] += (  # (4) (6) (8) (10) ij,bj->bi
            m_multiplicative_t @ V_multiplicative.T
        )
        g_multiplicative_t = np.tanh(n_g_multiplicative[t], out=g_multiplicative[t])  # (9)
        _sigmoid(  # (5) (7) (11)
            stacked_n_f_multiplicative_t[:, :9], out=stacked_n_f_multiplicative_t[:, :9]
        )
        c_multiplicative_t = np.multiply(  # (12)
            c_multiplicative[t], f_multiplicative[t], out=c_multiplicative[t + 1]
        )
        c_multiplicative_t += g_multiplicative_t * i_multiplicative[t]  # (12)
        tanh_c_multiplicative_t = np.tanh(c_multiplicative_t, out=tanh_c_multiplicative[t])  # (13)
        multiplicative_t = np.multiply(  # (13)
            o_multiplicative[t], tanh_c_multiplicative_t, out=multiplicative[t + 2]
        )
    stacked_n_tapped = (  # (14) (17) ij,tbj->tbi
        (_rows(multiplicative[2:]) @ stacked_W_tapped_multiplicative.T).reshape(-1, B, 6)
    )
    n_tapped = stacked_n_tapped[:, :, :3]
    n_z_tapped = stacked_n_tapped[:, :, 3:6]
    tanh_n_tapped = n_tapped  # takes its place, step by step
    z_tapped = n_z_tapped  # takes its place, step by step
    n_tapped += b_tapped  # (17)
    stacked_n_tapped += (  # (14) (17) ij,tbj->tbi
        (_rows(multiplicative[:T]) @ stacked_W_tapped_multiplicative_2.T).reshape(-1, B, 6)
    )
    concat_h_h_tapped = np.zeros((T, B, 6), dtype)
    for t in range(T):
        tapped_t_minus_1 = tapped[t + 3]
        concat_h_h_tapped_t = concat_h_h_tapped[t]
        concat_h_h_tapped_t[:, :3] += tapped_t_minus_1  # (16)
        concat_h_h_tapped_t[:, 3:] += tapped[t + 1]  # (16)
        n_tapped_t = n_tapped[t]
        n_tapped_t += concat_h_h_tapped_t @ U_tapped.T  # (17) ij,bj->bi
        n_z_tapped_t = n_z_tapped[t]
        n_z_tapped_t += tapped_t_minus_1 @ U_z_tapped.T  # (14) ij,bj->bi
        n_z_tapped_t += tapped[t] @ V_z_tapped.T  # (14) ij,bj->bi
        tanh_n_tapped_t = np.tanh(n_tapped_t, out=tanh_n_tapped[t])  # (18)
        z_tapped_t = _sigmoid(n_z_tapped_t, out=z_tapped[t])  # (15)
        tapped_t = np.multiply(tapped[t + 2], z_tapped_t, out=tapped[t + 4])  # (18)
        tapped_t += tanh_n_tapped_t * (1 - z_tapped_t)  # (18)
    stacked_n_f_minimal = (  # (19) (22) ij,tbj->tbi
        (_rows(tapped[4:]) @ W_minimal_tapped.T).reshape(-1, B, 6)
    )
    n_f_minimal = stacked_n_f_minimal[:, :, :3]
    n_n_minimal = stacked_n_f_minimal[:, :, 3:6]
    f_minimal = n_f_minimal  # takes its place, step by step
    n_minimal = n_n_minimal  # takes its place, step by step
    n_f_minimal += b_f_minimal  # (19)
    n_n_minimal += b_n_minimal  # (22)
    f_h_minimal = np.empty((T, B, 3), dtype)
    for t in range(T):
        minimal_t_minus_1 = minimal[t]
        n_f_minimal_t = n_f_minimal[t]
        n_f_minimal_t += minimal_t_minus_1 @ U_f_minimal.T  # (19) ij,bj->bi
        f_minimal_t = _sigmoid(n_f_minimal_t, out=f_minimal[t])  # (20)
        f_h_minimal_t = np.multiply(f_minimal_t, minimal_t_minus_1, out=f_h_minimal[t])  # (21)
        n_n_minimal_t = n_n_minimal[t]
        n_n_minimal_t += f_h_minimal_t @ U_n_minimal.T  # (22) ij,bj->bi
        n_minimal_t = np.tanh(n_n_minimal_t, out=n_minimal[t])  # (23)
        minimal_t = np.subtract(1, f_minimal_t, out=minimal[t + 1])  # (24)
        minimal_t *= minimal_t_minus_1  # (24)
        minimal_t += f_minimal_t * n_minimal_t  # (24)
    n_independent = (  # (25) ij,tbj->tbi
        (_rows(minimal[1:]) @ W_independent_minimal.T).reshape(-1, B, 2)
    )
    n_independent += b_independent  # (25)
    for t in range(T):
        n_independent_t = n_independent[t]
        n_independent_t += u_independent * independent[t]  # (25)
        independent[t + 1] = independent_t = _relu(n_independent_t)  # (26)
    arrays["W_m_x_multiplicative"] = W_m_x_multiplicative
    arrays["U_m_h_multiplicative"] = U_m_h_multiplicative
    arrays["m_multiplicative"] = m_multiplicative
    arrays["i_multiplicative"] = i_multiplicative
    arrays["f_multiplicative"] = f_multiplicative
    arrays["g_multiplicative"] = g_multiplicative
    arrays["o_multiplicative"] = o_multiplicative
    arrays["tanh_c_multiplicative"] = tanh_c_multiplicative
    arrays["z_tapped"] = z_tapped
    arrays["concat_h_h_tapped"] = concat_h_h_tapped
    arrays["tanh_n_tapped"] = tanh_n_tapped
    arrays["f_minimal"] = f_minimal
    arrays["f_h_minimal"] = f_h_minimal
    arrays["n_minimal"] = n_minimal


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    independent = arrays["independent"]
    target_independent = arrays["target_independent"]

    error_independent = independent[1:] - target_independent  # (27)
    loss = 1 / (B * 2 * T) * (error_independent.ravel() @ error_independent.ravel())  # (27) tbi->
    arrays["error_independent"] = error_independent
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    m_multiplicative = arrays["m_multiplicative"]
    i_multiplicative = arrays["i_multiplicative"]
    f_multiplicative = arrays["f_multiplicative"]
    g_multiplicative = arrays["g_multiplicative"]
    o_multiplicative = arrays["o_multiplicative"]
    c_multiplicative = arrays["c_multiplicative"]
    multiplicative = arrays["multiplicative"]
    z_tapped = arrays["z_tapped"]
    tapped = arrays["tapped"]
    f_minimal = arrays["f_minimal"]
    n_minimal = arrays["n_minimal"]
    minimal = arrays["minimal"]
    independent = arrays["independent"]
    U_m_multiplicative = arrays["U_m_multiplicative"]
    V_i_multiplicative = arrays["V_i_multiplicative"]
    V_f_multiplicative = arrays["V_f_multiplicative"]
    V_g_multiplicative = arrays["V_g_multiplicative"]
    V_o_multiplicative = arrays["V_o_multiplicative"]
    W_z_tapped_multiplicative = arrays["W_z_tapped_multiplicative"]
    W_z_tapped_multiplicative_2 = arrays["W_z_tapped_multiplicative_2"]
    U_z_tapped = arrays["U_z_tapped"]
    V_z_tapped = arrays["V_z_tapped"]
    W_tapped_multiplicative = arrays["W_tapped_multiplicative"]
    W_tapped_multiplicative_2 = arrays["W_tapped_multiplicative_2"]
    U_tapped = arrays["U_tapped"]
    W_f_minimal_tapped = arrays["W_f_minimal_tapped"]
    U_f_minimal = arrays["U_f_minimal"]
    W_n_minimal_tapped = arrays["W_n_minimal_tapped"]
    U_n_minimal = arrays["U_n_minimal"]
    W_independent_minimal = arrays["W_independent_minimal"]
    u_independent = arrays["u_independent"]
    W_m_x_multiplicative = arrays["W_m_x_multiplicative"]
    U_m_h_multiplicative = arrays["U_m_h_multiplicative"]
    concat_h_h_tapped = arrays["concat_h_h_tapped"]
    f_h_minimal = arrays["f_h_minimal"]
    tanh_c_multiplicative = arrays["tanh_c_multiplicative"]
    tanh_n_tapped = arrays["tanh_n_tapped"]
    error_independent = arrays["error_independent"]

    V_multiplicative = np.concatenate(
        (V_f_multiplicative, V_i_multiplicative, V_o_multiplicative, V_g_multiplicative)
    )
    stacked_W_tapped_multiplicative = np.concatenate(
        (W_tapped_multiplicative, W_z_tapped_multiplicative)
    )
    stacked_W_tapped_multiplicative_2 = np.concatenate(
        (W_tapped_multiplicative_2, W_z_tapped_multiplicative_2)
    )
    W_minimal_tapped = np.concatenate((W_f_minimal_tapped, W_n_minimal_tapped))
    d_independent = 2 / (B * 2 * T) * error_independent  # (28)
    d_n_independent_per_d_independent = _step(independent[1:])  # (29)
    d_n_independent = np.empty((T, B, 2), dtype)
    for t in range(T - 1, -1, -1):
        d_independent_t = d_independent[t]
        if t < T - 1:
            d_independent_t += u_independent * d_n_independent[t + 1]  # (28)
        d_n_independent_t = np.multiply(  # (29)
            d_independent_t, d_n_independent_per_d_independent[t], out=d_n_independent[t]
        )
    d_minimal = (  # (30) ij,tbj->tbi
        (_rows(d_n_independent) @ W_independent_minimal).reshape(-1, B, 3)
    )
    d_n_n_minimal_per_d_minimal = f_minimal * (1 - n_minimal ** 2)  # (31) (32)
    d_f_minimal_per_d_minimal = n_minimal - minimal[:T]  # (34)
    d_n_f_minimal_per_d_f_minimal = f_minimal * (1 - f_minimal)  # (35)
    stacked_d_n_f_minimal = np.empty((T, B, 6), dtype)
    d_n_f_minimal = stacked_d_n_f_minimal[:, :, :3]
    d_n_n_minimal = stacked_d_n_f_minimal[:, :, 3:6]
    d_f_h_minimal = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        d_minimal_t = d_minimal[t]
        if t < T - 1:
            d_minimal_t += d_minimal[t + 1] * (1 - f_minimal[t + 1])  # (30)
            d_minimal_t += d_f_h_minimal[t + 1] * f_minimal[t + 1]  # (30)
            d_minimal_t += d_n_f_minimal[t + 1] @ U_f_minimal  # (30) ij,bj->bi
        d_n_n_minimal_t = np.multiply(  # (31) (32)
            d_minimal_t, d_n_n_minimal_per_d_minimal[t], out=d_n_n_minimal[t]
        )
        d_f_h_minimal[t] = d_f_h_minimal_t = d_n_n_minimal_t @ U_n_minimal  # (33) ij,bj->bi
        d_f_minimal_t = d_minimal_t * d_f_minimal_per_d_minimal[t]  # (34)
        d_f_minimal_t += d_f_h_minimal_t * minimal[t]  # (34)
        d_n_f_minimal_t = np.multiply(  # (35)
            d_f_minimal_t, d_n_f_minimal_per_d_f_minimal[t], out=d_n_f_minimal[t]
        )
    d_tapped = (  # (36) ij,tbj->tbi
        (_rows(stacked_d_n_f_minimal) @ W_minimal_tapped).reshape(-1, B, 3)
    )
    d_n_tapped_per_d_tapped = (1 - tanh_n_tapped ** 2) * (1 - z_tapped)  # (37)
    d_n_z_tapped_per_d_tapped = (  # (39) (40)
        (tapped[2:T + 2] - tanh_n_tapped) * z_tapped * (1 - z_tapped)
    )
    stacked_d_n_tapped = np.empty((T, B, 6), dtype)
    d_n_z_tapped = stacked_d_n_tapped[:, :, 3:6]
    d_n_tapped = stacked_d_n_tapped[:, :, :3]
    d_concat_h_h_tapped = np.empty((T, B, 6), dtype)
    for t in range(T - 1, -1, -1):
        d_tapped_t = d_tapped[t]
        if t < T - 2:
            d_tapped_t += d_tapped[t + 2] * z_tapped[t + 2]  # (36)
        if t < T - 1:
            d_tapped_t += d_concat_h_h_tapped[t + 1, :, :3]  # (36)
            d_tapped_t += d_n_z_tapped[t + 1] @ U_z_tapped  # (36) ij,bj->bi
        if t < T - 3:
            d_tapped_t += d_concat_h_h_tapped[t + 3, :, 3:]  # (36)
        if t < T - 4:
            d_tapped_t += d_n_z_tapped[t + 4] @ V_z_tapped  # (36) ij,bj->bi
        d_n_tapped_t = np.multiply(  # (37)
            d_tapped_t, d_n_tapped_per_d_tapped[t], out=d_n_tapped[t]
        )
        d_concat_h_h_tapped[t] = d_concat_h_h_tapped_t = d_n_tapped_t @ U_tapped  # (38) ij,bj->bi
        d_n_z_tapped_t = np.multiply(  # (39) (40)
            d_tapped_t, d_n_z_tapped_per_d_tapped[t], out=d_n_z_tapped[t]
        )
    d_multiplicative = (  # (41) ij,tbj->tbi
        (_rows(stacked_d_n_tapped) @ stacked_W_tapped_multiplicative).reshape(-1, B, 3)
    )
    d_multiplicative[:max(T - 2, 0)] += (  # (41) ij,tbj->tbi
        (_rows(stacked_d_n_tapped[2:]) @ stacked_W_tapped_multiplicative_2).reshape(-1, B, 3)
    )
    d_c_multiplicative_per_d_multiplicative = (  # (42)
        o_multiplicative * (1 - tanh_c_multiplicative ** 2)
    )
    d_n_f_multiplicative_per_d_c_multiplicative = (  # (47) (48)
        c_multiplicative[:T] * f_multiplicative * (1 - f_multiplicative)
    )
    d_n_g_multiplicative_per_d_c_multiplicative = (  # (45) (46)
        i_multiplicative * (1 - g_multiplicative ** 2)
    )
    d_n_i_multiplicative_per_d_c_multiplicative = (  # (49) (50)
        g_multiplicative * i_multiplicative * (1 - i_multiplicative)
    )
    d_n_o_multiplicative_per_d_multiplicative = (  # (43) (44)
        tanh_c_multiplicative * o_multiplicative * (1 - o_multiplicative)
    )
    d_c_multiplicative = np.empty((T, B, 3), dtype)
    stacked_d_n_f_multiplicative = np.empty((T, B, 15), dtype)
    d_n_f_multiplicative = stacked_d_n_f_multiplicative[:, :, :3]
    d_n_g_multiplicative = stacked_d_n_f_multiplicative[:, :, 9:12]
    d_n_i_multiplicative = stacked_d_n_f_multiplicative[:, :, 3:6]
    d_n_o_multiplicative = stacked_d_n_f_multiplicative[:, :, 6:9]
    d_W_m_x_multiplicative = stacked_d_n_f_multiplicative[:, :, 12:15]
    d_m_multiplicative = np.empty((T, B, 3), dtype)
    d_U_m_h_multiplicative = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        d_multiplicative_t = d_multiplicative[t]
        if t < T - 1:
            d_multiplicative_t += (  # (41) ij,bj->bi
                d_U_m_h_multiplicative[t + 1] @ U_m_multiplicative
            )
        d_c_multiplicative_t = np.multiply(  # (42)
            d_multiplicative_t,
            d_c_multiplicative_per_d_multiplicative[t],
            out=d_c_multiplicative[t],
        )
        if t < T - 1:
            d_c_multiplicative_t += d_c_multiplicative[t + 1] * f_multiplicative[t + 1]  # (42)
        d_n_f_multiplicative_t = np.multiply(  # (47) (48)
            d_c_multiplicative_t,
            d_n_f_multiplicative_per_d_c_multiplicative[t],
            out=d_n_f_multiplicative[t],
        )
        d_n_g_multiplicative_t = np.multiply(  # (45) (46)
            d_c_multiplicative_t,
            d_n_g_multiplicative_per_d_c_multiplicative[t],
            out=d_n_g_multiplicative[t],
        )
        d_n_i_multiplicative_t = np.multiply(  # (49) (50)
            d_c_multiplicative_t,
            d_n_i_multiplicative_per_d_c_multiplicative[t],
            out=d_n_i_multiplicative[t],
        )
        d_n_o_multiplicative_t = np.multiply(  # (43) (44)
            d_multiplicative_t,
            d_n_o_multiplicative_per_d_multiplicative[t],
            out=d_n_o_multiplicative[t],
        )
        d_m_multiplicative[t] = d_m_multiplicative_t = (  # (51) ij,bj->bi
            stacked_d_n_f_multiplicative[t, :, :12] @ V_multiplicative
        )
        d_U_m_h_multiplicative_t = np.multiply(  # (52)
            d_m_multiplicative_t, W_m_x_multiplicative[t], out=d_U_m_h_multiplicative[t]
        )
    np.multiply(d_m_multiplicative, U_m_h_multiplicative, out=d_W_m_x_multiplicative[...])  # (53)
    d_U_m_multiplicative = (  # (56) tbi,tbj->ij
        _rows(d_U_m_h_multiplicative).T @ _rows(multiplicative[1:T + 1])
    )
    d_b_multiplicative = d_n_f_multiplicative.sum(axis=(0, 1))  # (61) tbi->i
    d_W_multiplicative_x = (  # (55) (57) (59) (62) (64) tbi,tbj->ij
        _rows(stacked_d_n_f_multiplicative).T @ _rows(x)
    )
    d_W_m_multiplicative_x = d_W_multiplicative_x[12:15]
    d_W_i_multiplicative_x = d_W_multiplicative_x[3:6]
    d_W_f_multiplicative_x = d_W_multiplicative_x[:3]
    d_W_g_multiplicative_x = d_W_multiplicative_x[9:12]
    d_W_o_multiplicative_x = d_W_multiplicative_x[6:9]
    d_V_multiplicative = (  # (58) (60) (63) (65) tbi,tbj->ij
        _rows(stacked_d_n_f_multiplicative[:, :, :12]).T @ _rows(m_multiplicative)
    )
    d_V_i_multiplicative = d_V_multiplicative[3:6]
    d_V_f_multiplicative = d_V_multiplicative[:3]
    d_V_g_multiplicative = d_V_multiplicative[9:12]
    d_V_o_multiplicative = d_V_multiplicative[6:9]
    d_U_z_tapped = _rows(d_n_z_tapped).T @ _rows(tapped[3:T + 3])  # (68) tbi,tbj->ij
    d_V_z_tapped = _rows(d_n_z_tapped).T @ _rows(tapped[:T])  # (69) tbi,tbj->ij
    stacked_d_W_tapped_multiplicative = (  # (66) (70) tbi,tbj->ij
        _rows(stacked_d_n_tapped).T @ _rows(multiplicative[2:])
    )
    d_W_z_tapped_multiplicative = stacked_d_W_tapped_multiplicative[3:6]
    d_W_tapped_multiplicative = stacked_d_W_tapped_multiplicative[:3]
    stacked_d_W_tapped_multiplicative_2 = (  # (67) (71) tbi,tbj->ij
        _rows(stacked_d_n_tapped).T @ _rows(multiplicative[:T])
    )
    d_W_z_tapped_multiplicative_2 = stacked_d_W_tapped_multiplicative_2[3:6]
    d_W_tapped_multiplicative_2 = stacked_d_W_tapped_multiplicative_2[:3]
    d_U_tapped = _rows(d_n_tapped).T @ _rows(concat_h_h_tapped)  # (72) tbi,tbj->ij
    d_b_tapped = d_n_tapped.sum(axis=(0, 1))  # (73) tbi->i
    d_U_f_minimal = _rows(d_n_f_minimal).T @ _rows(minimal[:T])  # (75) tbi,tbj->ij
    d_b_f_minimal = d_n_f_minimal.sum(axis=(0, 1))  # (76) tbi->i
    d_W_minimal_tapped = (  # (74) (77) tbi,tbj->ij
        _rows(stacked_d_n_f_minimal).T @ _rows(tapped[4:])
    )
    d_W_f_minimal_tapped = d_W_minimal_tapped[:3]
    d_W_n_minimal_tapped = d_W_minimal_tapped[3:6]
    d_U_n_minimal = _rows(d_n_n_minimal).T @ _rows(f_h_minimal)  # (78) tbi,tbj->ij
    d_b_n_minimal = d_n_n_minimal.sum(axis=(0, 1))  # (79) tbi->i
    d_W_independent_minimal = _rows(d_n_independent).T @ _rows(minimal[1:])  # (80) tbi,tbj->ij
    d_u_independent = (d_n_independent * independent[:T]).sum(axis=(0, 1))  # (81) tbi->i
    d_b_independent = d_n_independent.sum(axis=(0, 1))  # (82) tbi->i
    arrays["d_n_independent"] = d_n_independent
    arrays["d_minimal"] = d_minimal
    arrays["d_f_h_minimal"] = d_f_h_minimal
    arrays["d_n_f_minimal"] = d_n_f_minimal
    arrays["d_tapped"] = d_tapped
    arrays["d_concat_h_h_tapped"] = d_concat_h_h_tapped
    arrays["d_n_z_tapped"] = d_n_z_tapped
    arrays["d_c_multiplicative"] = d_c_multiplicative
    arrays["d_U_m_h_multiplicative"] = d_U_m_h_multiplicative
    arrays["d_W_m_multiplicative_x"] = d_W_m_multiplicative_x
    arrays["d_U_m_multiplicative"] = d_U_m_multiplicative
    arrays["d_W_i_multiplicative_x"] = d_W_i_multiplicative_x
    arrays["d_V_i_multiplicative"] = d_V_i_multiplicative
    arrays["d_W_f_multiplicative_x"] = d_W_f_multiplicative_x
    arrays["d_V_f_multiplicative"] = d_V_f_multiplicative
    arrays["d_b_multiplicative"] = d_b_multiplicative
    arrays["d_W_g_multiplicative_x"] = d_W_g_multiplicative_x
    arrays["d_V_g_multiplicative"] = d_V_g_multiplicative
    arrays["d_W_o_multiplicative_x"] = d_W_o_multiplicative_x
    arrays["d_V_o_multiplicative"] = d_V_o_multiplicative
    arrays["d_W_z_tapped_multiplicative"] = d_W_z_tapped_multiplicative
    arrays["d_W_z_tapped_multiplicative_2"] = d_W_z_tapped_multiplicative_2
    arrays["d_U_z_tapped"] = d_U_z_tapped
    arrays["d_V_z_tapped"] = d_V_z_tapped
    arrays["d_W_tapped_multiplicative"] = d_W_tapped_multiplicative
    arrays["d_W_tapped_multiplicative_2"] = d_W_tapped_multiplicative_2
    arrays["d_U_tapped"] = d_U_tapped
    arrays["d_b_tapped"] = d_b_tapped
    arrays["d_W_f_minimal_tapped"] = d_W_f_minimal_tapped
    arrays["d_U_f_minimal"] = d_U_f_minimal
    arrays["d_b_f_minimal"] = d_b_f_minimal
    arrays["d_W_n_minimal_tapped"] = d_W_n_minimal_tapped
    arrays["d_U_n_minimal"] = d_U_n_minimal
    arrays["d_b_n_minimal"] = d_b_n_minimal
    arrays["d_W_independent_minimal"] = d_W_independent_minimal
    arrays["d_u_independent"] = d_u_independent
    arrays["d_b_independent"] = d_b_independent
    arrays["stacked_d_n_f_multiplicative"] = stacked_d_n_f_multiplicative
    arrays["stacked_d_n_tapped"] = stacked_d_n_tapped


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_m_multiplicative_x = arrays["W_m_multiplicative_x"]
    W_i_multiplicative_x = arrays["W_i_multiplicative_x"]
    W_f_multiplicative_x = arrays["W_f_multiplicative_x"]
    W_g_multiplicative_x = arrays["W_g_multiplicative_x"]
    W_o_multiplicative_x = arrays["W_o_multiplicative_x"]
    stacked_d_n_f_multiplicative = arrays["stacked_d_n_f_multiplicative"]

    W_multiplicative_x = np.concatenate(
        (
            W_f_multiplicative_x,
            W_i_multiplicative_x,
            W_o_multiplicative_x,
            W_g_multiplicative_x,
            W_m_multiplicative_x,
        ),
    )
    d_x = (  # (54) ij,tbj->tbi
        (_rows(stacked_d_n_f_multiplicative) @ W_multiplicative_x).reshape(-1, B, 2)
    )
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    f_multiplicative = arrays["f_multiplicative"]
    z_tapped = arrays["z_tapped"]
    f_minimal = arrays["f_minimal"]
    U_m_multiplicative = arrays["U_m_multiplicative"]
    W_z_tapped_multiplicative_2 = arrays["W_z_tapped_multiplicative_2"]
    U_z_tapped = arrays["U_z_tapped"]
    V_z_tapped = arrays["V_z_tapped"]
    W_tapped_multiplicative_2 = arrays["W_tapped_multiplicative_2"]
    U_f_minimal = arrays["U_f_minimal"]
    u_independent = arrays["u_independent"]
    d_n_independent = arrays["d_n_independent"]
    d_minimal = arrays["d_minimal"]
    d_f_h_minimal = arrays["d_f_h_minimal"]
    d_n_f_minimal = arrays["d_n_f_minimal"]
    d_tapped = arrays["d_tapped"]
    d_concat_h_h_tapped = arrays["d_concat_h_h_tapped"]
    d_n_z_tapped = arrays["d_n_z_tapped"]
    d_c_multiplicative = arrays["d_c_multiplicative"]
    d_U_m_h_multiplicative = arrays["d_U_m_h_multiplicative"]
    stacked_d_n_tapped = arrays["stacked_d_n_tapped"]

    stacked_W_tapped_multiplicative_2 = np.concatenate(
        (W_tapped_multiplicative_2, W_z_tapped_multiplicative_2)
    )
    d_initial_multiplicative = np.zeros((2, B, 3), dtype)
    d_initial_multiplicative[:min(2, T)] += (  # (83) ij,kbj->kbi
        (_rows(stacked_d_n_tapped[:min(2, T)]) @ stacked_W_tapped_multiplicative_2).reshape(-1, B, 3)
    )
    d_initial_multiplicative[1:] += (  # (83) ij,kbj->kbi
        (_rows(d_U_m_h_multiplicative[:1]) @ U_m_multiplicative).reshape(-1, B, 3)
    )
    d_initial_c_multiplicative = d_c_multiplicative[:1] * f_multiplicative[:1]  # (84)
    d_initial_tapped = np.zeros((4, B, 3), dtype)
    d_initial_tapped[2:min(4, T + 2)] += d_tapped[:min(2, T)] * z_tapped[:min(2, T)]  # (85)
    d_initial_tapped[3:] += d_concat_h_h_tapped[:1, :, :3]  # (85)
    d_initial_tapped[1:min(4, T + 1)] += d_concat_h_h_tapped[:min(3, T), :, 3:]  # (85)
    d_initial_tapped[3:] += (  # (85) ij,kbj->kbi
        (_rows(d_n_z_tapped[:1]) @ U_z_tapped).reshape(-1, B, 3)
    )
    d_initial_tapped[:min(4, T)] += (  # (85) ij,kbj->kbi
        (_rows(d_n_z_tapped[:min(4, T)]) @ V_z_tapped).reshape(-1, B, 3)
    )
    d_initial_minimal = (  # (86) ij,kbj->kbi
        (_rows(d_n_f_minimal[:1]) @ U_f_minimal).reshape(-1, B, 3)
    )
    d_initial_minimal += d_minimal[:1] * (1 - f_minimal[:1])  # (86)
    d_initial_minimal += d_f_h_minimal[:1] * f_minimal[:1]  # (86)
    d_initial_independent = u_independent * d_n_independent[:1]  # (87)
    arrays["d_initial_multiplicative"] = d_initial_multiplicative
    arrays["d_initial_c_multiplicative"] = d_initial_c_multiplicative
    arrays["d_initial_tapped"] = d_initial_tapped
    arrays["d_initial_minimal"] = d_initial_minimal
    arrays["d_initial_independent"] = d_initial_independent


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


def _relu(x):
    """max(x, 0)."""
    return np.where(x.real > 0, x, 0)


def _step(x):
    """1 where x > 0, else 0."""
    return (x.real > 0).astype(x.dtype)


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {"b_f_minimal", "b_independent", "b_multiplicative", "b_n_minimal", "b_tapped"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "independent"): "target_independent",
}
_GRADIENTS = {
    "W_m_multiplicative_x": "d_W_m_multiplicative_x",
    "U_m_multiplicative": "d_U_m_multiplicative",
    "W_i_multiplicative_x": "d_W_i_multiplicative_x",
    "V_i_multiplicative": "d_V_i_multiplicative",
    "W_f_multiplicative_x": "d_W_f_multiplicative_x",
    "V_f_multiplicative": "d_V_f_multiplicative",
    "b_multiplicative": "d_b_multiplicative",
    "W_g_multiplicative_x": "d_W_g_multiplicative_x",
    "V_g_multiplicative": "d_V_g_multiplicative",
    "W_o_multiplicative_x": "d_W_o_multiplicative_x",
    "V_o_multiplicative": "d_V_o_multiplicative",
    "W_z_tapped_multiplicative": "d_W_z_tapped_multiplicative",
    "W_z_tapped_multiplicative_2": "d_W_z_tapped_multiplicative_2",
    "U_z_tapped": "d_U_z_tapped",
    "V_z_tapped": "d_V_z_tapped",
    "W_tapped_multiplicative": "d_W_tapped_multiplicative",
    "W_tapped_multiplicative_2": "d_W_tapped_multiplicative_2",
    "U_tapped": "d_U_tapped",
    "b_tapped": "d_b_tapped",
    "W_f_minimal_tapped": "d_W_f_minimal_tapped",
    "U_f_minimal": "d_U_f_minimal",
    "b_f_minimal": "d_b_f_minimal",
    "W_n_minimal_tapped": "d_W_n_minimal_tapped",
    "U_n_minimal": "d_U_n_minimal",
    "b_n_minimal": "d_b_n_minimal",
    "W_independent_minimal": "d_W_independent_minimal",
    "u_independent": "d_u_independent",
    "b_independent": "d_b_independent",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "multiplicative": "d_initial_multiplicative",
    "c_multiplicative": "d_initial_c_multiplicative",
    "tapped": "d_initial_tapped",
    "minimal": "d_initial_minimal",
    "independent": "d_initial_independent",
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
    arrays["multiplicative"] = _extended(
        T, (B, 3), outside.get("multiplicative"), 2, None, 0, dtype
    )
    arrays["c_multiplicative"] = _extended(
        T, (B, 3), outside.get("c_multiplicative"), 1, None, 0, dtype
    )
    arrays["tapped"] = _extended(T, (B, 3), outside.get("tapped"), 4, None, 0, dtype)
    arrays["minimal"] = _extended(T, (B, 3), outside.get("minimal"), 1, None, 0, dtype)
    arrays["independent"] = _extended(T, (B, 2), outside.get("independent"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: 7f53a9e1e00d83ea529b8fe6a3537e2d2f0dc9eb7570ec6df484e74213a8be2b
