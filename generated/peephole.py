"""peephole: a recurrent network with 295 parameters.

Inputs x (T, B, 2); outputs full (T, B, 3).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 2, N_diagonal = 4, N_full = 3.

 (1)  n_i_diagonal[t,b,i] = sum_j W_i_diagonal_x[i,j]*x[t,b,j]
          + sum_j U_i_diagonal[i,j]*diagonal[t-1,b,j] + p_i_diagonal[i]*c_diagonal[t-1,b,i]
          + b_i_diagonal[i]
 (2)  i_diagonal[t,b,i] = sigmoid(n_i_diagonal[t,b,i])
 (3)  n_f_diagonal[t,b,i] = sum_j W_f_diagonal_x[i,j]*x[t,b,j]
          + sum_j U_f_diagonal[i,j]*diagonal[t-1,b,j] + p_f_diagonal[i]*c_diagonal[t-1,b,i]
          + b_f_diagonal[i]
 (4)  f_diagonal[t,b,i] = sigmoid(n_f_diagonal[t,b,i])
 (5)  n_g_diagonal[t,b,i] = sum_j W_g_diagonal_x[i,j]*x[t,b,j]
          + sum_j U_g_diagonal[i,j]*diagonal[t-1,b,j] + b_g_diagonal[i]
 (6)  g_diagonal[t,b,i] = tanh(n_g_diagonal[t,b,i])
 (7)  c_diagonal[t,b,i] = c_diagonal[t-1,b,i]*f_diagonal[t,b,i]
          + g_diagonal[t,b,i]*i_diagonal[t,b,i]
 (8)  n_o_diagonal[t,b,i] = sum_j W_o_diagonal_x[i,j]*x[t,b,j]
          + sum_j U_o_diagonal[i,j]*diagonal[t-1,b,j] + p_o_diagonal[i]*c_diagonal[t,b,i]
          + b_o_diagonal[i]
 (9)  o_diagonal[t,b,i] = sigmoid(n_o_diagonal[t,b,i])
(10)  diagonal[t,b,i] = o_diagonal[t,b,i]*tanh(c_diagonal[t,b,i])
(11)  n_i_full[t,b,i] = sum_j W_i_full_diagonal[i,j]*diagonal[t,b,j]
          + sum_j W_i_full_x_1[i,j]*x[t-1,b,j] + sum_j W_i_full_x_3[i,j]*x[t-3,b,j]
          + sum_j U_i_full[i,j]*full[t-1,b,j] + sum_j P_i_full[i,j]*c_full[t-1,b,j]
          + b_i_full[i]
(12)  i_full[t,b,i] = sigmoid(n_i_full[t,b,i])
(13)  n_f_full[t,b,i] = sum_j W_f_full_diagonal[i,j]*diagonal[t,b,j]
          + sum_j W_f_full_x_1[i,j]*x[t-1,b,j] + sum_j W_f_full_x_3[i,j]*x[t-3,b,j]
          + sum_j U_f_full[i,j]*full[t-1,b,j] + sum_j P_f_full[i,j]*c_full[t-1,b,j]
          + b_f_full[i]
(14)  f_full[t,b,i] = sigmoid(n_f_full[t,b,i])
(15)  n_g_full[t,b,i] = sum_j W_g_full_diagonal[i,j]*diagonal[t,b,j]
          + sum_j W_g_full_x_1[i,j]*x[t-1,b,j] + sum_j W_g_full_x_3[i,j]*x[t-3,b,j]
          + sum_j U_g_full[i,j]*full[t-1,b,j] + b_g_full[i]
(16)  g_full[t,b,i] = tanh(n_g_full[t,b,i])
(17)  c_full[t,b,i] = c_full[t-1,b,i]*f_full[t,b,i] + g_full[t,b,i]*i_full[t,b,i]
(18)  n_o_full[t,b,i] = sum_j W_o_full_diagonal[i,j]*diagonal[t,b,j]
          + sum_j W_o_full_x_1[i,j]*x[t-1,b,j] + sum_j W_o_full_x_3[i,j]*x[t-3,b,j]
          + sum_j U_o_full[i,j]*full[t-1,b,j] + sum_j P_o_full[i,j]*c_full[t,b,j] + b_o_full[i]
(19)  o_full[t,b,i] = sigmoid(n_o_full[t,b,i])
(20)  full[t,b,i] = o_full[t,b,i]*tanh(c_full[t,b,i])
(21)  loss = sum_t,b,i (full[t,b,i] - target_full[t,b,i])^2/(B*N_full*T)
(22)  d_full[t,b,i] = 2*(full[t,b,i] - target_full[t,b,i])/(B*N_full*T)
          + sum_j U_o_full[j,i]*d_n_o_full[t+1,b,j] [t <= T-2]
          + sum_j U_g_full[j,i]*d_n_g_full[t+1,b,j] [t <= T-2]
          + sum_j U_f_full[j,i]*d_n_f_full[t+1,b,j] [t <= T-2]
          + sum_j U_i_full[j,i]*d_n_i_full[t+1,b,j] [t <= T-2]
(23)  d_o_full[t,b,i] = d_full[t,b,i]*tanh(c_full[t,b,i])
(24)  d_n_o_full[t,b,i] = d_o_full[t,b,i]*o_full[t,b,i]*(1 - o_full[t,b,i])
(25)  d_c_full[t,b,i] = d_full[t,b,i]*o_full[t,b,i]*(1 - tanh(c_full[t,b,i])^2)
          + sum_j P_o_full[j,i]*d_n_o_full[t,b,j] + d_c_full[t+1,b,i]*f_full[t+1,b,i] [t <= T-2]
          + sum_j P_f_full[j,i]*d_n_f_full[t+1,b,j] [t <= T-2]
          + sum_j P_i_full[j,i]*d_n_i_full[t+1,b,j] [t <= T-2]
(26)  d_g_full[t,b,i] = d_c_full[t,b,i]*i_full[t,b,i]
(27)  d_n_g_full[t,b,i] = d_g_full[t,b,i]*(1 - g_full[t,b,i]^2)
(28)  d_f_full[t,b,i] = d_c_full[t,b,i]*c_full[t-1,b,i]
(29)  d_n_f_full[t,b,i] = d_f_full[t,b,i]*f_full[t,b,i]*(1 - f_full[t,b,i])
(30)  d_i_full[t,b,i] = d_c_full[t,b,i]*g_full[t,b,i]
(31)  d_n_i_full[t,b,i] = d_i_full[t,b,i]*i_full[t,b,i]*(1 - i_full[t,b,i])
(32)  d_diagonal[t,b,i] = sum_j W_o_full_diagonal[j,i]*d_n_o_full[t,b,j]
          + sum_j W_g_full_diagonal[j,i]*d_n_g_full[t,b,j]
          + sum_j W_f_full_diagonal[j,i]*d_n_f_full[t,b,j]
          + sum_j W_i_full_diagonal[j,i]*d_n_i_full[t,b,j]
          + sum_j U_o_diagonal[j,i]*d_n_o_diagonal[t+1,b,j] [t <= T-2]
          + sum_j U_g_diagonal[j,i]*d_n_g_diagonal[t+1,b,j] [t <= T-2]
          + sum_j U_f_diagonal[j,i]*d_n_f_diagonal[t+1,b,j] [t <= T-2]
          + sum_j U_i_diagonal[j,i]*d_n_i_diagonal[t+1,b,j] [t <= T-2]
(33)  d_o_diagonal[t,b,i] = d_diagonal[t,b,i]*tanh(c_diagonal[t,b,i])
(34)  d_n_o_diagonal[t,b,i] = d_o_diagonal[t,b,i]*o_diagonal[t,b,i]*(1 - o_diagonal[t,b,i])
(35)  d_c_diagonal[t,b,i] = d_diagonal[t,b,i]*o_diagonal[t,b,i]*(1 - tanh(c_diagonal[t,b,i])^2)
          + p_o_diagonal[i]*d_n_o_diagonal[t,b,i]
          + d_c_diagonal[t+1,b,i]*f_diagonal[t+1,b,i] [t <= T-2]
          + p_f_diagonal[i]*d_n_f_diagonal[t+1,b,i] [t <= T-2]
          + p_i_diagonal[i]*d_n_i_diagonal[t+1,b,i] [t <= T-2]
(36)  d_g_diagonal[t,b,i] = d_c_diagonal[t,b,i]*i_diagonal[t,b,i]
(37)  d_n_g_diagonal[t,b,i] = d_g_diagonal[t,b,i]*(1 - g_diagonal[t,b,i]^2)
(38)  d_f_diagonal[t,b,i] = d_c_diagonal[t,b,i]*c_diagonal[t-1,b,i]
(39)  d_n_f_diagonal[t,b,i] = d_f_diagonal[t,b,i]*f_diagonal[t,b,i]*(1 - f_diagonal[t,b,i])
(40)  d_i_diagonal[t,b,i] = d_c_diagonal[t,b,i]*g_diagonal[t,b,i]
(41)  d_n_i_diagonal[t,b,i] = d_i_diagonal[t,b,i]*i_diagonal[t,b,i]*(1 - i_diagonal[t,b,i])
(42)  d_x[t,b,i] = sum_j W_o_full_x_1[j,i]*d_n_o_full[t+1,b,j] [t <= T-2]
          + sum_j W_o_full_x_3[j,i]*d_n_o_full[t+3,b,j] [t <= T-4]
          + sum_j W_g_full_x_1[j,i]*d_n_g_full[t+1,b,j] [t <= T-2]
          + sum_j W_g_full_x_3[j,i]*d_n_g_full[t+3,b,j] [t <= T-4]
          + sum_j W_f_full_x_1[j,i]*d_n_f_full[t+1,b,j] [t <= T-2]
          + sum_j W_f_full_x_3[j,i]*d_n_f_full[t+3,b,j] [t <= T-4]
          + sum_j W_i_full_x_1[j,i]*d_n_i_full[t+1,b,j] [t <= T-2]
          + sum_j W_i_full_x_3[j,i]*d_n_i_full[t+3,b,j] [t <= T-4]
          + sum_j W_o_diagonal_x[j,i]*d_n_o_diagonal[t,b,j]
          + sum_j W_g_diagonal_x[j,i]*d_n_g_diagonal[t,b,j]
          + sum_j W_f_diagonal_x[j,i]*d_n_f_diagonal[t,b,j]
          + sum_j W_i_diagonal_x[j,i]*d_n_i_diagonal[t,b,j]
(43)  d_W_i_diagonal_x[i,j] = sum_t,b d_n_i_diagonal[t,b,i]*x[t,b,j]
(44)  d_U_i_diagonal[i,j] = sum_t,b d_n_i_diagonal[t,b,i]*diagonal[t-1,b,j]
(45)  d_p_i_diagonal[i] = sum_t,b d_n_i_diagonal[t,b,i]*c_diagonal[t-1,b,i]
(46)  d_b_i_diagonal[i] = sum_t,b d_n_i_diagonal[t,b,i]
(47)  d_W_f_diagonal_x[i,j] = sum_t,b d_n_f_diagonal[t,b,i]*x[t,b,j]
(48)  d_U_f_diagonal[i,j] = sum_t,b d_n_f_diagonal[t,b,i]*diagonal[t-1,b,j]
(49)  d_p_f_diagonal[i] = sum_t,b d_n_f_diagonal[t,b,i]*c_diagonal[t-1,b,i]
(50)  d_b_f_diagonal[i] = sum_t,b d_n_f_diagonal[t,b,i]
(51)  d_W_g_diagonal_x[i,j] = sum_t,b d_n_g_diagonal[t,b,i]*x[t,b,j]
(52)  d_U_g_diagonal[i,j] = sum_t,b d_n_g_diagonal[t,b,i]*diagonal[t-1,b,j]
(53)  d_b_g_diagonal[i] = sum_t,b d_n_g_diagonal[t,b,i]
(54)  d_W_o_diagonal_x[i,j] = sum_t,b d_n_o_diagonal[t,b,i]*x[t,b,j]
(55)  d_U_o_diagonal[i,j] = sum_t,b d_n_o_diagonal[t,b,i]*diagonal[t-1,b,j]
(56)  d_p_o_diagonal[i] = sum_t,b d_n_o_diagonal[t,b,i]*c_diagonal[t,b,i]
(57)  d_b_o_diagonal[i] = sum_t,b d_n_o_diagonal[t,b,i]
(58)  d_W_i_full_diagonal[i,j] = sum_t,b d_n_i_full[t,b,i]*diagonal[t,b,j]
(59)  d_W_i_full_x_1[i,j] = sum_t,b d_n_i_full[t,b,i]*x[t-1,b,j]
(60)  d_W_i_full_x_3[i,j] = sum_t,b d_n_i_full[t,b,i]*x[t-3,b,j]
(61)  d_U_i_full[i,j] = sum_t,b d_n_i_full[t,b,i]*full[t-1,b,j]
(62)  d_P_i_full[i,j] = sum_t,b d_n_i_full[t,b,i]*c_full[t-1,b,j]
(63)  d_b_i_full[i] = sum_t,b d_n_i_full[t,b,i]
(64)  d_W_f_full_diagonal[i,j] = sum_t,b d_n_f_full[t,b,i]*diagonal[t,b,j]
(65)  d_W_f_full_x_1[i,j] = sum_t,b d_n_f_full[t,b,i]*x[t-1,b,j]
(66)  d_W_f_full_x_3[i,j] = sum_t,b d_n_f_full[t,b,i]*x[t-3,b,j]
(67)  d_U_f_full[i,j] = sum_t,b d_n_f_full[t,b,i]*full[t-1,b,j]
(68)  d_P_f_full[i,j] = sum_t,b d_n_f_full[t,b,i]*c_full[t-1,b,j]
(69)  d_b_f_full[i] = sum_t,b d_n_f_full[t,b,i]
(70)  d_W_g_full_diagonal[i,j] = sum_t,b d_n_g_full[t,b,i]*diagonal[t,b,j]
(71)  d_W_g_full_x_1[i,j] = sum_t,b d_n_g_full[t,b,i]*x[t-1,b,j]
(72)  d_W_g_full_x_3[i,j] = sum_t,b d_n_g_full[t,b,i]*x[t-3,b,j]
(73)  d_U_g_full[i,j] = sum_t,b d_n_g_full[t,b,i]*full[t-1,b,j]
(74)  d_b_g_full[i] = sum_t,b d_n_g_full[t,b,i]
(75)  d_W_o_full_diagonal[i,j] = sum_t,b d_n_o_full[t,b,i]*diagonal[t,b,j]
(76)  d_W_o_full_x_1[i,j] = sum_t,b d_n_o_full[t,b,i]*x[t-1,b,j]
(77)  d_W_o_full_x_3[i,j] = sum_t,b d_n_o_full[t,b,i]*x[t-3,b,j]
(78)  d_U_o_full[i,j] = sum_t,b d_n_o_full[t,b,i]*full[t-1,b,j]
(79)  d_P_o_full[i,j] = sum_t,b d_n_o_full[t,b,i]*c_full[t,b,j]
(80)  d_b_o_full[i] = sum_t,b d_n_o_full[t,b,i]
(81)  d_initial_x[k,b,i] = sum_j W_o_full_x_1[j,i]*d_n_o_full[k-2,b,j] [k >= 2]
          + sum_j W_o_full_x_3[j,i]*d_n_o_full[k,b,j] [k <= T-1]
          + sum_j W_g_full_x_1[j,i]*d_n_g_full[k-2,b,j] [k >= 2]
          + sum_j W_g_full_x_3[j,i]*d_n_g_full[k,b,j] [k <= T-1]
          + sum_j W_f_full_x_1[j,i]*d_n_f_full[k-2,b,j] [k >= 2]
          + sum_j W_f_full_x_3[j,i]*d_n_f_full[k,b,j] [k <= T-1]
          + sum_j W_i_full_x_1[j,i]*d_n_i_full[k-2,b,j] [k >= 2]
          + sum_j W_i_full_x_3[j,i]*d_n_i_full[k,b,j] [k <= T-1]
(82)  d_initial_diagonal[k,b,i] = sum_j U_o_diagonal[j,i]*d_n_o_diagonal[k,b,j]
          + sum_j U_g_diagonal[j,i]*d_n_g_diagonal[k,b,j]
          + sum_j U_f_diagonal[j,i]*d_n_f_diagonal[k,b,j]
          + sum_j U_i_diagonal[j,i]*d_n_i_diagonal[k,b,j]
(83)  d_initial_c_diagonal[k,b,i] = d_c_diagonal[k,b,i]*f_diagonal[k,b,i]
          + p_f_diagonal[i]*d_n_f_diagonal[k,b,i] + p_i_diagonal[i]*d_n_i_diagonal[k,b,i]
(84)  d_initial_full[k,b,i] = sum_j U_o_full[j,i]*d_n_o_full[k,b,j]
          + sum_j U_g_full[j,i]*d_n_g_full[k,b,j] + sum_j U_f_full[j,i]*d_n_f_full[k,b,j]
          + sum_j U_i_full[j,i]*d_n_i_full[k,b,j]
(85)  d_initial_c_full[k,b,i] = d_c_full[k,b,i]*f_full[k,b,i]
          + sum_j P_f_full[j,i]*d_n_f_full[k,b,j] + sum_j P_i_full[j,i]*d_n_i_full[k,b,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_i_diagonal_x": (4, 2),
    "U_i_diagonal": (4, 4),
    "p_i_diagonal": (4,),
    "b_i_diagonal": (4,),
    "W_f_diagonal_x": (4, 2),
    "U_f_diagonal": (4, 4),
    "p_f_diagonal": (4,),
    "b_f_diagonal": (4,),
    "W_g_diagonal_x": (4, 2),
    "U_g_diagonal": (4, 4),
    "b_g_diagonal": (4,),
    "W_o_diagonal_x": (4, 2),
    "U_o_diagonal": (4, 4),
    "p_o_diagonal": (4,),
    "b_o_diagonal": (4,),
    "W_i_full_diagonal": (3, 4),
    "W_i_full_x_1": (3, 2),
    "W_i_full_x_3": (3, 2),
    "U_i_full": (3, 3),
    "P_i_full": (3, 3),
    "b_i_full": (3,),
    "W_f_full_diagonal": (3, 4),
    "W_f_full_x_1": (3, 2),
    "W_f_full_x_3": (3, 2),
    "U_f_full": (3, 3),
    "P_f_full": (3, 3),
    "b_f_full": (3,),
    "W_g_full_diagonal": (3, 4),
    "W_g_full_x_1": (3, 2),
    "W_g_full_x_3": (3, 2),
    "U_g_full": (3, 3),
    "b_g_full": (3,),
    "W_o_full_diagonal": (3, 4),
    "W_o_full_x_1": (3, 2),
    "W_o_full_x_3": (3, 2),
    "U_o_full": (3, 3),
    "P_o_full": (3, 3),
    "b_o_full": (3,),
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
    "full": ("T", "B", 3),
}
TARGETS = {
    "full": ("T", "B", 3),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "full": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "x": (3, "B", 2),
    "diagonal": (1, "B", 4),
    "c_diagonal": (1, "B", 4),
    "full": (1, "B", 3),
    "c_full": (1, "B", 3),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "diagonal": (
        ("W_i_diagonal_x", "U_i_diagonal", "p_i_diagonal", "b_i_diagonal"),
        ("W_f_diagonal_x", "U_f_diagonal", "p_f_diagonal", "b_f_diagonal"),
        ("W_g_diagonal_x", "U_g_diagonal", "b_g_diagonal"),
        ("W_o_diagonal_x", "U_o_diagonal", "p_o_diagonal", "b_o_diagonal"),
    ),
    "full": (
        ("W_i_full_diagonal", "W_i_full_x_1", "W_i_full_x_3", "U_i_full", "P_i_full", "b_i_full"),
        ("W_f_full_diagonal", "W_f_full_x_1", "W_f_full_x_3", "U_f_full", "P_f_full", "b_f_full"),
        ("W_g_full_diagonal", "W_g_full_x_1", "W_g_full_x_3", "U_g_full", "b_g_full"),
        ("W_o_full_diagonal", "W_o_full_x_1", "W_o_full_x_3", "U_o_full", "P_o_full", "b_o_full"),
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
        "i_diagonal": arrays["i_diagonal"],
        "f_diagonal": arrays["f_diagonal"],
        "g_diagonal": arrays["g_diagonal"],
        "c_diagonal": arrays["c_diagonal"][1 : 1 + T],
        "o_diagonal": arrays["o_diagonal"],
        "diagonal": arrays["diagonal"][1 : 1 + T],
        "i_full": arrays["i_full"],
        "f_full": arrays["f_full"],
        "g_full": arrays["g_full"],
        "c_full": arrays["c_full"][1 : 1 + T],
        "o_full": arrays["o_full"],
        "full": arrays["full"][1 : 1 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (full - target_full)^2.
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
    c_diagonal = arrays["c_diagonal"]
    diagonal = arrays["diagonal"]
    c_full = arrays["c_full"]
    full = arrays["full"]
    W_i_diagonal_x = arrays["W_i_diagonal_x"]
    U_i_diagonal = arrays["U_i_diagonal"]
    p_i_diagonal = arrays["p_i_diagonal"]
    b_i_diagonal = arrays["b_i_diagonal"]
    W_f_diagonal_x = arrays["W_f_diagonal_x"]
    U_f_diagonal = arrays["U_f_diagonal"]
    p_f_diagonal = arrays["p_f_diagonal"]
    b_f_diagonal = arrays["b_f_diagonal"]
    W_g_diagonal_x = arrays["W_g_diagonal_x"]
    U_g_diagonal = arrays["U_g_diagonal"]
    b_g_diagonal = arrays["b_g_diagonal"]
    W_o_diagonal_x = arrays["W_o_diagonal_x"]
    U_o_diagonal = arrays["U_o_diagonal"]
    p_o_diagonal = arrays["p_o_diagonal"]
    b_o_diagonal = arrays["b_o_diagonal"]
    W_i_full_diagonal = arrays["W_i_full_diagonal"]
    W_i_full_x_1 = arrays["W_i_full_x_1"]
    W_i_full_x_3 = arrays["W_i_full_x_3"]
    U_i_full = arrays["U_i_full"]
    P_i_full = arrays["P_i_full"]
    b_i_full = arrays["b_i_full"]
    W_f_full_diagonal = arrays["W_f_full_diagonal"]
    W_f_full_x_1 = arrays["W_f_full_x_1"]
    W_f_full_x_3 = arrays["W_f_full_x_3"]
    U_f_full = arrays["U_f_full"]
    P_f_full = arrays["P_f_full"]
    b_f_full = arrays["b_f_full"]
    W_g_full_diagonal = arrays["W_g_full_diagonal"]
    W_g_full_x_1 = arrays["W_g_full_x_1"]
    W_g_full_x_3 = arrays["W_g_full_x_3"]
    U_g_full = arrays["U_g_full"]
    b_g_full = arrays["b_g_full"]
    W_o_full_diagonal = arrays["W_o_full_diagonal"]
    W_o_full_x_1 = arrays["W_o_full_x_1"]
    W_o_full_x_3 = arrays["W_o_full_x_3"]
    U_o_full = arrays["U_o_full"]
    P_o_full = arrays["P_o_full"]
    b_o_full = arrays["b_o_full"]

    U_full = np.concatenate((U_f_full, U_i_full, U_o_full, U_g_full))
    P_full = np.concatenate((P_f_full, P_i_full))
    W_full_diagonal = np.concatenate(
        (W_f_full_diagonal, W_i_full_diagonal, W_o_full_diagonal, W_g_full_diagonal)
    )
    W_full_x_1 = np.concatenate((W_f_full_x_1, W_i_full_x_1, W_o_full_x_1, W_g_full_x_1))
    W_full_x_3 = np.concatenate((W_f_full_x_3, W_i_full_x_3, W_o_full_x_3, W_g_full_x_3))
    b_full = np.concatenate((b_f_full, b_i_full, b_o_full, b_g_full))
    U_diagonal = np.concatenate((U_f_diagonal, U_i_diagonal, U_o_diagonal, U_g_diagonal))
    W_diagonal_x = np.concatenate((W_f_diagonal_x, W_i_diagonal_x, W_o_diagonal_x, W_g_diagonal_x))
    b_diagonal = np.concatenate((b_f_diagonal, b_i_diagonal, b_o_diagonal, b_g_diagonal))
    n_diagonal = (_rows(x[3:]) @ W_diagonal_x.T).reshape(-1, B, 16)  # (1) (3) (5) (8) ij,tbj->tbi
    n_f_diagonal = n_diagonal[:, :, :4]
    n_i_diagonal = n_diagonal[:, :, 4:8]
    g_diagonal = n_diagonal[:, :, 12:16]
    n_g_diagonal = g_diagonal  # takes its place, step by step
    f_diagonal = n_f_diagonal  # takes its place, step by step
    i_diagonal = n_i_diagonal  # takes its place, step by step
    n_o_diagonal = n_diagonal[:, :, 8:12]
    o_diagonal = n_o_diagonal  # takes its place, step by step
    n_diagonal += b_diagonal  # (1) (3) (5) (8)
    tanh_c_diagonal = np.empty((T, B, 4), dtype)
    for t in range(T):
        c_diagonal_t_minus_1 = c_diagonal[t]
        n_f_diagonal_t = n_f_diagonal[t]
        n_f_diagonal_t += p_f_diagonal * c_diagonal_t_minus_1  # (3)
        n_i_diagonal_t = n_i_diagonal[t]
        n_i_diagonal_t += p_i_diagonal * c_diagonal_t_minus_1  # (1)
        n_diagonal_t = n_diagonal[t]
        n_diagonal_t += diagonal[t] @ U_diagonal.T  # (1) (3) (5) (8) ij,bj->bi
        g_diagonal_t = np.tanh(n_g_diagonal[t], out=g_diagonal[t])  # (6)
        _sigmoid(n_diagonal_t[:, :8], out=n_diagonal_t[:, :8])  # (2) (4)
        c_diagonal_t = np.multiply(  # (7)
            c_diagonal_t_minus_1, f_diagonal[t], out=c_diagonal[t + 1]
        )
        c_diagonal_t += g_diagonal_t * i_diagonal[t]  # (7)
        n_o_diagonal_t = n_o_diagonal[t]
        n_o_diagonal_t += p_o_diagonal * c_diagonal_t  # (8)
        o_diagonal_t = _sigmoid(n_o_diagonal_t, out=o_diagonal[t])  # (9)
        tanh_c_diagonal_t = np.tanh(c_diagonal_t, out=tanh_c_diagonal[t])  # (10)
        diagonal_t = np.multiply(o_diagonal_t, tanh_c_diagonal_t, out=diagonal[t + 1])  # (10)
    n_full = (  # (11) (13) (15) (18) ij,tbj->tbi
        (_rows(diagonal[1:]) @ W_full_diagonal.T).reshape(-1, B, 12)
    )
    g_full = n_full[:, :, 9:12]
    n_g_full = g_full  # takes its place, step by step
    f_full = n_full[:, :, :3]
    i_full = n_full[:, :, 3:6]
    n_o_full = n_full[:, :, 6:9]
    o_full = n_o_full  # takes its place, step by step
    n_full += (  # (11) (13) (15) (18) ij,tbj->tbi
        (_rows(x[2:T + 2]) @ W_full_x_1.T).reshape(-1, B, 12)
    )
    n_full += (_rows(x[:T]) @ W_full_x_3.T).reshape(-1, B, 12)  # (11) (13) (15) (18) ij,tbj->tbi
    n_full += b_full  # (11) (13) (15) (18)
    tanh_c_full = np.empty((T, B, 3), dtype)
    for t in range(T):
        c_full_t_minus_1 = c_full[t]
        n_full_t = n_full[t]
        n_full_t[:, :6] += c_full_t_minus_1 @ P_full.T  # (11) (13) ij,bj->bi
        n_full_t += full[t] @ U_full.T  # (11) (13) (15) (18) ij,bj->bi
        g_full_t = np.tanh(n_g_full[t], out=g_full[t])  # (16)
        _sigmoid(n_full_t[:, :6], out=n_full_t[:, :6])  # (12) (14)
        c_full_t = np.multiply(c_full_t_minus_1, f_full[t], out=c_full[t + 1])  # (17)
        c_full_t += g_full_t * i_full[t]  # (17)
        n_o_full_t = n_o_full[t]
        n_o_full_t += c_full_t @ P_o_full.T  # (18) ij,bj->bi
        o_full_t = _sigmoid(n_o_full_t, out=o_full[t])  # (19)
        tanh_c_full_t = np.tanh(c_full_t, out=tanh_c_full[t])  # (20)
        full_t = np.multiply(o_full_t, tanh_c_full_t, out=full[t + 1])  # (20)
    arrays["i_diagonal"] = i_diagonal
    arrays["f_diagonal"] = f_diagonal
    arrays["g_diagonal"] = g_diagonal
    arrays["o_diagonal"] = o_diagonal
    arrays["tanh_c_diagonal"] = tanh_c_diagonal
    arrays["i_full"] = i_full
    arrays["f_full"] = f_full
    arrays["g_full"] = g_full
    arrays["o_full"] = o_full
    arrays["tanh_c_full"] = tanh_c_full


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    full = arrays["full"]
    target_full = arrays["target_full"]

    error_full = full[1:] - target_full  # (21)
    loss = 1 / (B * 3 * T) * (error_full.ravel() @ error_full.ravel())  # (21) tbi->
    arrays["error_full"] = error_full
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    i_diagonal = arrays["i_diagonal"]
    f_diagonal = arrays["f_diagonal"]
    g_diagonal = arrays["g_diagonal"]
    c_diagonal = arrays["c_diagonal"]
    o_diagonal = arrays["o_diagonal"]
    diagonal = arrays["diagonal"]
    i_full = arrays["i_full"]
    f_full = arrays["f_full"]
    g_full = arrays["g_full"]
    c_full = arrays["c_full"]
    o_full = arrays["o_full"]
    full = arrays["full"]
    U_i_diagonal = arrays["U_i_diagonal"]
    p_i_diagonal = arrays["p_i_diagonal"]
    U_f_diagonal = arrays["U_f_diagonal"]
    p_f_diagonal = arrays["p_f_diagonal"]
    U_g_diagonal = arrays["U_g_diagonal"]
    U_o_diagonal = arrays["U_o_diagonal"]
    p_o_diagonal = arrays["p_o_diagonal"]
    W_i_full_diagonal = arrays["W_i_full_diagonal"]
    U_i_full = arrays["U_i_full"]
    P_i_full = arrays["P_i_full"]
    W_f_full_diagonal = arrays["W_f_full_diagonal"]
    U_f_full = arrays["U_f_full"]
    P_f_full = arrays["P_f_full"]
    W_g_full_diagonal = arrays["W_g_full_diagonal"]
    U_g_full = arrays["U_g_full"]
    W_o_full_diagonal = arrays["W_o_full_diagonal"]
    U_o_full = arrays["U_o_full"]
    P_o_full = arrays["P_o_full"]
    tanh_c_diagonal = arrays["tanh_c_diagonal"]
    tanh_c_full = arrays["tanh_c_full"]
    error_full = arrays["error_full"]

    U_full = np.concatenate((U_f_full, U_i_full, U_o_full, U_g_full))
    P_full = np.concatenate((P_f_full, P_i_full))
    W_full_diagonal = np.concatenate(
        (W_f_full_diagonal, W_i_full_diagonal, W_o_full_diagonal, W_g_full_diagonal)
    )
    U_diagonal = np.concatenate((U_f_diagonal, U_i_diagonal, U_o_diagonal, U_g_diagonal))
    d_full = 2 / (B * 3 * T) * error_full  # (22)
    d_n_o_full_per_d_full = tanh_c_full * o_full * (1 - o_full)  # (23) (24)
    d_c_full_per_d_full = o_full * (1 - tanh_c_full ** 2)  # (25)
    d_n_f_full_per_d_c_full = c_full[:T] * f_full * (1 - f_full)  # (28) (29)
    d_n_g_full_per_d_c_full = i_full * (1 - g_full ** 2)  # (26) (27)
    d_n_i_full_per_d_c_full = g_full * i_full * (1 - i_full)  # (30) (31)
    d_n = np.empty((T, B, 28), dtype)
    d_n_o_full = d_n[:, :, 6:9]
    d_n_f_full = d_n[:, :, :3]
    d_n_g_full = d_n[:, :, 9:12]
    d_n_i_full = d_n[:, :, 3:6]
    d_n_o_diagonal = d_n[:, :, 20:24]
    d_n_f_diagonal = d_n[:, :, 12:16]
    d_n_i_diagonal = d_n[:, :, 16:20]
    d_n_g_diagonal = d_n[:, :, 24:28]
    d_c_full = np.empty((T, B, 3), dtype)
    for t in range(T - 1, -1, -1):
        d_full_t = d_full[t]
        if t < T - 1:
            d_full_t += d_n[t + 1, :, :12] @ U_full  # (22) ij,bj->bi
        d_n_o_full_t = np.multiply(  # (23) (24)
            d_full_t, d_n_o_full_per_d_full[t], out=d_n_o_full[t]
        )
        d_c_full_t = d_c_full[t]
        d_c_full_t[...] = d_n_o_full_t @ P_o_full  # (25) ij,bj->bi
        d_c_full_t += d_full_t * d_c_full_per_d_full[t]  # (25)
        if t < T - 1:
            d_c_full_t += d_c_full[t + 1] * f_full[t + 1]  # (25)
            d_c_full_t += d_n[t + 1, :, :6] @ P_full  # (25) ij,bj->bi
        d_n_f_full_t = np.multiply(  # (28) (29)
            d_c_full_t, d_n_f_full_per_d_c_full[t], out=d_n_f_full[t]
        )
        d_n_g_full_t = np.multiply(  # (26) (27)
            d_c_full_t, d_n_g_full_per_d_c_full[t], out=d_n_g_full[t]
        )
        d_n_i_full_t = np.multiply(  # (30) (31)
            d_c_full_t, d_n_i_full_per_d_c_full[t], out=d_n_i_full[t]
        )
    d_diagonal = (_rows(d_n[:, :, :12]) @ W_full_diagonal).reshape(-1, B, 4)  # (32) ij,tbj->tbi
    d_n_o_diagonal_per_d_diagonal = tanh_c_diagonal * o_diagonal * (1 - o_diagonal)  # (33) (34)
    d_c_diagonal_per_d_diagonal = o_diagonal * (1 - tanh_c_diagonal ** 2)  # (35)
    d_n_f_diagonal_per_d_c_diagonal = c_diagonal[:T] * f_diagonal * (1 - f_diagonal)  # (38) (39)
    d_n_g_diagonal_per_d_c_diagonal = i_diagonal * (1 - g_diagonal ** 2)  # (36) (37)
    d_n_i_diagonal_per_d_c_diagonal = g_diagonal * i_diagonal * (1 - i_diagonal)  # (40) (41)
    d_c_diagonal = np.empty((T, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        d_diagonal_t = d_diagonal[t]
        if t < T - 1:
            d_diagonal_t += d_n[t + 1, :, 12:] @ U_diagonal  # (32) ij,bj->bi
        d_n_o_diagonal_t = np.multiply(  # (33) (34)
            d_diagonal_t, d_n_o_diagonal_per_d_diagonal[t], out=d_n_o_diagonal[t]
        )
        d_c_diagonal_t = np.multiply(  # (35)
            d_diagonal_t, d_c_diagonal_per_d_diagonal[t], out=d_c_diagonal[t]
        )
        d_c_diagonal_t += p_o_diagonal * d_n_o_diagonal_t  # (35)
        if t < T - 1:
            d_c_diagonal_t += d_c_diagonal[t + 1] * f_diagonal[t + 1]  # (35)
            d_c_diagonal_t += p_f_diagonal * d_n_f_diagonal[t + 1]  # (35)
            d_c_diagonal_t += p_i_diagonal * d_n_i_diagonal[t + 1]  # (35)
        d_n_f_diagonal_t = np.multiply(  # (38) (39)
            d_c_diagonal_t, d_n_f_diagonal_per_d_c_diagonal[t], out=d_n_f_diagonal[t]
        )
        d_n_g_diagonal_t = np.multiply(  # (36) (37)
            d_c_diagonal_t, d_n_g_diagonal_per_d_c_diagonal[t], out=d_n_g_diagonal[t]
        )
        d_n_i_diagonal_t = np.multiply(  # (40) (41)
            d_c_diagonal_t, d_n_i_diagonal_per_d_c_diagonal[t], out=d_n_i_diagonal[t]
        )
    d_p_i_diagonal = (d_n_i_diagonal * c_diagonal[:T]).sum(axis=(0, 1))  # (45) tbi->i
    d_p_f_diagonal = (d_n_f_diagonal * c_diagonal[:T]).sum(axis=(0, 1))  # (49) tbi->i
    d_W_diagonal_x = _rows(d_n[:, :, 12:]).T @ _rows(x[3:])  # (43) (47) (51) (54) tbi,tbj->ij
    d_W_i_diagonal_x = d_W_diagonal_x[4:8]
    d_W_f_diagonal_x = d_W_diagonal_x[:4]
    d_W_g_diagonal_x = d_W_diagonal_x[12:16]
    d_W_o_diagonal_x = d_W_diagonal_x[8:12]
    d_U_diagonal = _rows(d_n[:, :, 12:]).T @ _rows(diagonal[:T])  # (44) (48) (52) (55) tbi,tbj->ij
    d_U_i_diagonal = d_U_diagonal[4:8]
    d_U_f_diagonal = d_U_diagonal[:4]
    d_U_g_diagonal = d_U_diagonal[12:16]
    d_U_o_diagonal = d_U_diagonal[8:12]
    d_p_o_diagonal = (d_n_o_diagonal * c_diagonal[1:]).sum(axis=(0, 1))  # (56) tbi->i
    d_P_full = _rows(d_n[:, :, :6]).T @ _rows(c_full[:T])  # (62) (68) tbi,tbj->ij
    d_P_i_full = d_P_full[3:6]
    d_P_f_full = d_P_full[:3]
    d_W_full_diagonal = (  # (58) (64) (70) (75) tbi,tbj->ij
        _rows(d_n[:, :, :12]).T @ _rows(diagonal[1:])
    )
    d_W_i_full_diagonal = d_W_full_diagonal[3:6]
    d_W_f_full_diagonal = d_W_full_diagonal[:3]
    d_W_g_full_diagonal = d_W_full_diagonal[9:12]
    d_W_o_full_diagonal = d_W_full_diagonal[6:9]
    d_W_full_x_1 = _rows(d_n[:, :, :12]).T @ _rows(x[2:T + 2])  # (59) (65) (71) (76) tbi,tbj->ij
    d_W_i_full_x_1 = d_W_full_x_1[3:6]
    d_W_f_full_x_1 = d_W_full_x_1[:3]
    d_W_g_full_x_1 = d_W_full_x_1[9:12]
    d_W_o_full_x_1 = d_W_full_x_1[6:9]
    d_W_full_x_3 = _rows(d_n[:, :, :12]).T @ _rows(x[:T])  # (60) (66) (72) (77) tbi,tbj->ij
    d_W_i_full_x_3 = d_W_full_x_3[3:6]
    d_W_f_full_x_3 = d_W_full_x_3[:3]
    d_W_g_full_x_3 = d_W_full_x_3[9:12]
    d_W_o_full_x_3 = d_W_full_x_3[6:9]
    d_U_full = _rows(d_n[:, :, :12]).T @ _rows(full[:T])  # (61) (67) (73) (78) tbi,tbj->ij
    d_U_i_full = d_U_full[3:6]
    d_U_f_full = d_U_full[:3]
    d_U_g_full = d_U_full[9:12]
    d_U_o_full = d_U_full[6:9]
    d_P_o_full = _rows(d_n_o_full).T @ _rows(c_full[1:])  # (79) tbi,tbj->ij
    d_b = d_n.sum(axis=(0, 1))  # (46) (50) (53) (57) (63) (69) (74) (80) tbi->i
    d_b_i_diagonal = d_b[16:20]
    d_b_f_diagonal = d_b[12:16]
    d_b_g_diagonal = d_b[24:28]
    d_b_o_diagonal = d_b[20:24]
    d_b_i_full = d_b[3:6]
    d_b_f_full = d_b[:3]
    d_b_g_full = d_b[9:12]
    d_b_o_full = d_b[6:9]
    arrays["d_c_full"] = d_c_full
    arrays["d_c_diagonal"] = d_c_diagonal
    arrays["d_n_f_diagonal"] = d_n_f_diagonal
    arrays["d_n_i_diagonal"] = d_n_i_diagonal
    arrays["d_W_i_diagonal_x"] = d_W_i_diagonal_x
    arrays["d_U_i_diagonal"] = d_U_i_diagonal
    arrays["d_p_i_diagonal"] = d_p_i_diagonal
    arrays["d_b_i_diagonal"] = d_b_i_diagonal
    arrays["d_W_f_diagonal_x"] = d_W_f_diagonal_x
    arrays["d_U_f_diagonal"] = d_U_f_diagonal
    arrays["d_p_f_diagonal"] = d_p_f_diagonal
    arrays["d_b_f_diagonal"] = d_b_f_diagonal
    arrays["d_W_g_diagonal_x"] = d_W_g_diagonal_x
    arrays["d_U_g_diagonal"] = d_U_g_diagonal
    arrays["d_b_g_diagonal"] = d_b_g_diagonal
    arrays["d_W_o_diagonal_x"] = d_W_o_diagonal_x
    arrays["d_U_o_diagonal"] = d_U_o_diagonal
    arrays["d_p_o_diagonal"] = d_p_o_diagonal
    arrays["d_b_o_diagonal"] = d_b_o_diagonal
    arrays["d_W_i_full_diagonal"] = d_W_i_full_diagonal
    arrays["d_W_i_full_x_1"] = d_W_i_full_x_1
    arrays["d_W_i_full_x_3"] = d_W_i_full_x_3
    arrays["d_U_i_full"] = d_U_i_full
    arrays["d_P_i_full"] = d_P_i_full
    arrays["d_b_i_full"] = d_b_i_full
    arrays["d_W_f_full_diagonal"] = d_W_f_full_diagonal
    arrays["d_W_f_full_x_1"] = d_W_f_full_x_1
    arrays["d_W_f_full_x_3"] = d_W_f_full_x_3
    arrays["d_U_f_full"] = d_U_f_full
    arrays["d_P_f_full"] = d_P_f_full
    arrays["d_b_f_full"] = d_b_f_full
    arrays["d_W_g_full_diagonal"] = d_W_g_full_diagonal
    arrays["d_W_g_full_x_1"] = d_W_g_full_x_1
    arrays["d_W_g_full_x_3"] = d_W_g_full_x_3
    arrays["d_U_g_full"] = d_U_g_full
    arrays["d_b_g_full"] = d_b_g_full
    arrays["d_W_o_full_diagonal"] = d_W_o_full_diagonal
    arrays["d_W_o_full_x_1"] = d_W_o_full_x_1
    arrays["d_W_o_full_x_3"] = d_W_o_full_x_3
    arrays["d_U_o_full"] = d_U_o_full
    arrays["d_P_o_full"] = d_P_o_full
    arrays["d_b_o_full"] = d_b_o_full
    arrays["d_n"] = d_n


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_i_diagonal_x = arrays["W_i_diagonal_x"]
    W_f_diagonal_x = arrays["W_f_diagonal_x"]
    W_g_diagonal_x = arrays["W_g_diagonal_x"]
    W_o_diagonal_x = arrays["W_o_diagonal_x"]
    W_i_full_x_1 = arrays["W_i_full_x_1"]
    W_i_full_x_3 = arrays["W_i_full_x_3"]
    W_f_full_x_1 = arrays["W_f_full_x_1"]
    W_f_full_x_3 = arrays["W_f_full_x_3"]
    W_g_full_x_1 = arrays["W_g_full_x_1"]
    W_g_full_x_3 = arrays["W_g_full_x_3"]
    W_o_full_x_1 = arrays["W_o_full_x_1"]
    W_o_full_x_3 = arrays["W_o_full_x_3"]
    d_n = arrays["d_n"]

    W_full_x_1 = np.concatenate((W_f_full_x_1, W_i_full_x_1, W_o_full_x_1, W_g_full_x_1))
    W_full_x_3 = np.concatenate((W_f_full_x_3, W_i_full_x_3, W_o_full_x_3, W_g_full_x_3))
    W_diagonal_x = np.concatenate((W_f_diagonal_x, W_i_diagonal_x, W_o_diagonal_x, W_g_diagonal_x))
    d_x = (_rows(d_n[:, :, 12:]) @ W_diagonal_x).reshape(-1, B, 2)  # (42) ij,tbj->tbi
    d_x[:T - 1] += (_rows(d_n[1:, :, :12]) @ W_full_x_1).reshape(-1, B, 2)  # (42) ij,tbj->tbi
    d_x[:max(T - 3, 0)] += (  # (42) ij,tbj->tbi
        (_rows(d_n[3:, :, :12]) @ W_full_x_3).reshape(-1, B, 2)
    )
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    f_diagonal = arrays["f_diagonal"]
    f_full = arrays["f_full"]
    U_i_diagonal = arrays["U_i_diagonal"]
    p_i_diagonal = arrays["p_i_diagonal"]
    U_f_diagonal = arrays["U_f_diagonal"]
    p_f_diagonal = arrays["p_f_diagonal"]
    U_g_diagonal = arrays["U_g_diagonal"]
    U_o_diagonal = arrays["U_o_diagonal"]
    W_i_full_x_1 = arrays["W_i_full_x_1"]
    W_i_full_x_3 = arrays["W_i_full_x_3"]
    U_i_full = arrays["U_i_full"]
    P_i_full = arrays["P_i_full"]
    W_f_full_x_1 = arrays["W_f_full_x_1"]
    W_f_full_x_3 = arrays["W_f_full_x_3"]
    U_f_full = arrays["U_f_full"]
    P_f_full = arrays["P_f_full"]
    W_g_full_x_1 = arrays["W_g_full_x_1"]
    W_g_full_x_3 = arrays["W_g_full_x_3"]
    U_g_full = arrays["U_g_full"]
    W_o_full_x_1 = arrays["W_o_full_x_1"]
    W_o_full_x_3 = arrays["W_o_full_x_3"]
    U_o_full = arrays["U_o_full"]
    d_c_full = arrays["d_c_full"]
    d_c_diagonal = arrays["d_c_diagonal"]
    d_n_f_diagonal = arrays["d_n_f_diagonal"]
    d_n_i_diagonal = arrays["d_n_i_diagonal"]
    d_n = arrays["d_n"]

    U_full = np.concatenate((U_f_full, U_i_full, U_o_full, U_g_full))
    P_full = np.concatenate((P_f_full, P_i_full))
    W_full_x_1 = np.concatenate((W_f_full_x_1, W_i_full_x_1, W_o_full_x_1, W_g_full_x_1))
    W_full_x_3 = np.concatenate((W_f_full_x_3, W_i_full_x_3, W_o_full_x_3, W_g_full_x_3))
    U_diagonal = np.concatenate((U_f_diagonal, U_i_diagonal, U_o_diagonal, U_g_diagonal))
    d_initial_x = np.zeros((3, B, 2), dtype)
    d_initial_x[2:] += (_rows(d_n[:1, :, :12]) @ W_full_x_1).reshape(-1, B, 2)  # (81) ij,kbj->kbi
    d_initial_x[:min(3, T)] += (  # (81) ij,kbj->kbi
        (_rows(d_n[:min(3, T), :, :12]) @ W_full_x_3).reshape(-1, B, 2)
    )
    d_initial_diagonal = (  # (82) ij,kbj->kbi
        (_rows(d_n[:1, :, 12:]) @ U_diagonal).reshape(-1, B, 4)
    )
    d_initial_c_diagonal = (  # (83)
        d_c_diagonal[:1] * f_diagonal[:1]
        + p_f_diagonal * d_n_f_diagonal[:1]
        + p_i_diagonal * d_n_i_diagonal[:1]
    )
    d_initial_full = (_rows(d_n[:1, :, :12]) @ U_full).reshape(-1, B, 3)  # (84) ij,kbj->kbi
    d_initial_c_full = (_rows(d_n[:1, :, :6]) @ P_full).reshape(-1, B, 3)  # (85) ij,kbj->kbi
    d_initial_c_full += d_c_full[:1] * f_full[:1]  # (85)
    arrays["d_initial_x"] = d_initial_x
    arrays["d_initial_diagonal"] = d_initial_diagonal
    arrays["d_initial_c_diagonal"] = d_initial_c_diagonal
    arrays["d_initial_full"] = d_initial_full
    arrays["d_initial_c_full"] = d_initial_c_full


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
    "b_f_diagonal",
    "b_f_full",
    "b_g_diagonal",
    "b_g_full",
    "b_i_diagonal",
    "b_i_full",
    "b_o_diagonal",
    "b_o_full",
}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "full"): "target_full",
}
_GRADIENTS = {
    "W_i_diagonal_x": "d_W_i_diagonal_x",
    "U_i_diagonal": "d_U_i_diagonal",
    "p_i_diagonal": "d_p_i_diagonal",
    "b_i_diagonal": "d_b_i_diagonal",
    "W_f_diagonal_x": "d_W_f_diagonal_x",
    "U_f_diagonal": "d_U_f_diagonal",
    "p_f_diagonal": "d_p_f_diagonal",
    "b_f_diagonal": "d_b_f_diagonal",
    "W_g_diagonal_x": "d_W_g_diagonal_x",
    "U_g_diagonal": "d_U_g_diagonal",
    "b_g_diagonal": "d_b_g_diagonal",
    "W_o_diagonal_x": "d_W_o_diagonal_x",
    "U_o_diagonal": "d_U_o_diagonal",
    "p_o_diagonal": "d_p_o_diagonal",
    "b_o_diagonal": "d_b_o_diagonal",
    "W_i_full_diagonal": "d_W_i_full_diagonal",
    "W_i_full_x_1": "d_W_i_full_x_1",
    "W_i_full_x_3": "d_W_i_full_x_3",
    "U_i_full": "d_U_i_full",
    "P_i_full": "d_P_i_full",
    "b_i_full": "d_b_i_full",
    "W_f_full_diagonal": "d_W_f_full_diagonal",
    "W_f_full_x_1": "d_W_f_full_x_1",
    "W_f_full_x_3": "d_W_f_full_x_3",
    "U_f_full": "d_U_f_full",
    "P_f_full": "d_P_f_full",
    "b_f_full": "d_b_f_full",
    "W_g_full_diagonal": "d_W_g_full_diagonal",
    "W_g_full_x_1": "d_W_g_full_x_1",
    "W_g_full_x_3": "d_W_g_full_x_3",
    "U_g_full": "d_U_g_full",
    "b_g_full": "d_b_g_full",
    "W_o_full_diagonal": "d_W_o_full_diagonal",
    "W_o_full_x_1": "d_W_o_full_x_1",
    "W_o_full_x_3": "d_W_o_full_x_3",
    "U_o_full": "d_U_o_full",
    "P_o_full": "d_P_o_full",
    "b_o_full": "d_b_o_full",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {
    "x": "d_initial_x",
    "diagonal": "d_initial_diagonal",
    "c_diagonal": "d_initial_c_diagonal",
    "full": "d_initial_full",
    "c_full": "d_initial_c_full",
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
    arrays["x"] = _extended(T, (B, 2), outside.get("x"), 3, None, 0, dtype)
    arrays["x"][3 : 3 + T] = given_steps
    arrays["diagonal"] = _extended(T, (B, 4), outside.get("diagonal"), 1, None, 0, dtype)
    arrays["c_diagonal"] = _extended(T, (B, 4), outside.get("c_diagonal"), 1, None, 0, dtype)
    arrays["full"] = _extended(T, (B, 3), outside.get("full"), 1, None, 0, dtype)
    arrays["c_full"] = _extended(T, (B, 3), outside.get("c_full"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: 4598639a31c4b4b0b6ca5df9bcc2cd5786e522bf136e8010743737200daa045a
