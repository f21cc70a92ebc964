"""residual_tied: a recurrent network with 160 parameters.

Inputs x (T, B, 3); outputs output (T, B, 3).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 3, N_code = 4.

 (1)  n_code[t,b,i] = sum_j E[i,j]*x[t,b,j] + b_code[i]
 (2)  code[t,b,i] = tanh(n_code[t,b,i])
 (3)  n_r_first[t,b,i] = sum_j W_r_first_code[i,j]*code[t,b,j]
          + sum_j U_r_first[i,j]*first[t-1,b,j] + b_r_first[i]
 (4)  r_first[t,b,i] = sigmoid(n_r_first[t,b,i])
 (5)  n_z_first[t,b,i] = sum_j W_z_first_code[i,j]*code[t,b,j]
          + sum_j U_z_first[i,j]*first[t-1,b,j] + b_z_first[i]
 (6)  z_first[t,b,i] = sigmoid(n_z_first[t,b,i])
 (7)  part_n_first[t,b,i] = sum_j U_n_first[i,j]*first[t-1,b,j] + c_n_first[i]
 (8)  n_n_first[t,b,i] = sum_j W_n_first_code[i,j]*code[t,b,j] + b_n_first[i]
          + part_n_first[t,b,i]*r_first[t,b,i]
 (9)  n_first[t,b,i] = tanh(n_n_first[t,b,i])
(10)  first[t,b,i] = n_first[t,b,i]*(1 - z_first[t,b,i]) + first[t-1,b,i]*z_first[t,b,i]
(11)  n_r_second[t,b,i] = sum_j W_r_first_code[i,j]*first[t,b,j]
          + sum_j U_r_first[i,j]*second[t-1,b,j] + b_r_first[i]
(12)  r_second[t,b,i] = sigmoid(n_r_second[t,b,i])
(13)  n_z_second[t,b,i] = sum_j W_z_first_code[i,j]*first[t,b,j]
          + sum_j U_z_first[i,j]*second[t-1,b,j] + b_z_first[i]
(14)  z_second[t,b,i] = sigmoid(n_z_second[t,b,i])
(15)  part_n_second[t,b,i] = sum_j U_n_first[i,j]*second[t-1,b,j] + c_n_first[i]
(16)  n_n_second[t,b,i] = sum_j W_n_first_code[i,j]*first[t,b,j] + b_n_first[i]
          + part_n_second[t,b,i]*r_second[t,b,i]
(17)  n_second[t,b,i] = tanh(n_n_second[t,b,i])
(18)  second[t,b,i] = n_second[t,b,i]*(1 - z_second[t,b,i]) + second[t-1,b,i]*z_second[t,b,i]
(19)  n_mixed[t,b,i] = sum_j W_mixed_second[i,j]*second[t,b,j] + b_mixed[i]
(20)  mixed[t,b,i] = second[t,b,i] + tanh(n_mixed[t,b,i])
(21)  output[t,b,i] = sum_j E[j,i]*mixed[t,b,j] + sum_j W_output_x_1[i,j]*x[t-1,b,j]
          + b_output[i]
(22)  loss = sum_t,b,i (output[t,b,i] - target_output[t,b,i])^2/(B*N_x*T)
(23)  d_output[t,b,i] = 2*(output[t,b,i] - target_output[t,b,i])/(B*N_x*T)
(24)  d_mixed[t,b,i] = sum_j E[i,j]*d_output[t,b,j]
(25)  d_n_mixed[t,b,i] = d_mixed[t,b,i]*(1 - tanh(n_mixed[t,b,i])^2)
(26)  d_second[t,b,i] = d_mixed[t,b,i] + sum_j W_mixed_second[j,i]*d_n_mixed[t,b,j]
          + d_second[t+1,b,i]*z_second[t+1,b,i] [t <= T-2]
          + sum_j U_n_first[j,i]*d_part_n_second[t+1,b,j] [t <= T-2]
          + sum_j U_z_first[j,i]*d_n_z_second[t+1,b,j] [t <= T-2]
          + sum_j U_r_first[j,i]*d_n_r_second[t+1,b,j] [t <= T-2]
(27)  d_n_second[t,b,i] = d_second[t,b,i]*(1 - z_second[t,b,i])
(28)  d_n_n_second[t,b,i] = d_n_second[t,b,i]*(1 - n_second[t,b,i]^2)
(29)  d_part_n_second[t,b,i] = d_n_n_second[t,b,i]*r_second[t,b,i]
(30)  d_z_second[t,b,i] = d_second[t,b,i]*(second[t-1,b,i] - n_second[t,b,i])
(31)  d_n_z_second[t,b,i] = d_z_second[t,b,i]*z_second[t,b,i]*(1 - z_second[t,b,i])
(32)  d_r_second[t,b,i] = d_n_n_second[t,b,i]*part_n_second[t,b,i]
(33)  d_n_r_second[t,b,i] = d_r_second[t,b,i]*r_second[t,b,i]*(1 - r_second[t,b,i])
(34)  d_first[t,b,i] = sum_j W_n_first_code[j,i]*d_n_n_second[t,b,j]
          + sum_j W_z_first_code[j,i]*d_n_z_second[t,b,j]
          + sum_j W_r_first_code[j,i]*d_n_r_second[t,b,j]
          + d_first[t+1,b,i]*z_first[t+1,b,i] [t <= T-2]
          + sum_j U_n_first[j,i]*d_part_n_first[t+1,b,j] [t <= T-2]
          + sum_j U_z_first[j,i]*d_n_z_first[t+1,b,j] [t <= T-2]
          + sum_j U_r_first[j,i]*d_n_r_first[t+1,b,j] [t <= T-2]
(35)  d_n_first[t,b,i] = d_first[t,b,i]*(1 - z_first[t,b,i])
(36)  d_n_n_first[t,b,i] = d_n_first[t,b,i]*(1 - n_first[t,b,i]^2)
(37)  d_part_n_first[t,b,i] = d_n_n_first[t,b,i]*r_first[t,b,i]
(38)  d_z_first[t,b,i] = d_first[t,b,i]*(first[t-1,b,i] - n_first[t,b,i])
(39)  d_n_z_first[t,b,i] = d_z_first[t,b,i]*z_first[t,b,i]*(1 - z_first[t,b,i])
(40)  d_r_first[t,b,i] = d_n_n_first[t,b,i]*part_n_first[t,b,i]
(41)  d_n_r_first[t,b,i] = d_r_first[t,b,i]*r_first[t,b,i]*(1 - r_first[t,b,i])
(42)  d_code[t,b,i] = sum_j W_n_first_code[j,i]*d_n_n_first[t,b,j]
          + sum_j W_z_first_code[j,i]*d_n_z_first[t,b,j]
          + sum_j W_r_first_code[j,i]*d_n_r_first[t,b,j]
(43)  d_n_code[t,b,i] = d_code[t,b,i]*(1 - code[t,b,i]^2)
(44)  d_x[t,b,i] = sum_j W_output_x_1[j,i]*d_output[t+1,b,j] [t <= T-2]
          + sum_j E[j,i]*d_n_code[t,b,j]
(45)  d_E[i,j] = sum_t,b d_output[t,b,j]*mixed[t,b,i] + sum_t,b d_n_code[t,b,i]*x[t,b,j]
(46)  d_b_code[i] = sum_t,b d_n_code[t,b,i]
(47)  d_W_r_first_code[i,j] = sum_t,b d_n_r_second[t,b,i]*first[t,b,j]
          + sum_t,b d_n_r_first[t,b,i]*code[t,b,j]
(48)  d_U_r_first[i,j] = sum_t,b d_n_r_second[t,b,i]*second[t-1,b,j]
          + sum_t,b d_n_r_first[t,b,i]*first[t-1,b,j]
(49)  d_b_r_first[i] = sum_t,b d_n_r_second[t,b,i] + sum_t,b d_n_r_first[t,b,i]
(50)  d_W_z_first_code[i,j] = sum_t,b d_n_z_second[t,b,i]*first[t,b,j]
          + sum_t,b d_n_z_first[t,b,i]*code[t,b,j]
(51)  d_U_z_first[i,j] = sum_t,b d_n_z_second[t,b,i]*second[t-1,b,j]
          + sum_t,b d_n_z_first[t,b,i]*first[t-1,b,j]
(52)  d_b_z_first[i] = sum_t,b d_n_z_second[t,b,i] + sum_t,b d_n_z_first[t,b,i]
(53)  d_W_n_first_code[i,j] = sum_t,b d_n_n_second[t,b,i]*first[t,b,j]
          + sum_t,b d_n_n_first[t,b,i]*code[t,b,j]
(54)  d_b_n_first[i] = sum_t,b d_n_n_second[t,b,i] + sum_t,b d_n_n_first[t,b,i]
(55)  d_U_n_first[i,j] = sum_t,b d_part_n_second[t,b,i]*second[t-1,b,j]
          + sum_t,b d_part_n_first[t,b,i]*first[t-1,b,j]
(56)  d_c_n_first[i] = sum_t,b d_part_n_second[t,b,i] + sum_t,b d_part_n_first[t,b,i]
(57)  d_W_mixed_second[i,j] = sum_t,b d_n_mixed[t,b,i]*second[t,b,j]
(58)  d_b_mixed[i] = sum_t,b d_n_mixed[t,b,i]
(59)  d_W_output_x_1[i,j] = sum_t,b d_output[t,b,i]*x[t-1,b,j]
(60)  d_b_output[i] = sum_t,b d_output[t,b,i]
(61)  d_initial_x[k,b,i] = sum_j W_output_x_1[j,i]*d_output[k,b,j]
(62)  d_initial_first[k,b,i] = d_first[k,b,i]*z_first[k,b,i]
          + sum_j U_n_first[j,i]*d_part_n_first[k,b,j] + sum_j U_z_first[j,i]*d_n_z_first[k,b,j]
          + sum_j U_r_first[j,i]*d_n_r_first[k,b,j]
(63)  d_initial_second[k,b,i] = d_second[k,b,i]*z_second[k,b,i]
          + sum_j U_n_first[j,i]*d_part_n_second[k,b,j]
          + sum_j U_z_first[j,i]*d_n_z_second[k,b,j] + sum_j U_r_first[j,i]*d_n_r_second[k,b,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "E": (4, 3),
    "b_code": (4,),
    "W_r_first_code": (4, 4),
    "U_r_first": (4, 4),
    "b_r_first": (4,),
    "W_z_first_code": (4, 4),
    "U_z_first": (4, 4),
    "b_z_first": (4,),
    "W_n_first_code": (4, 4),
    "b_n_first": (4,),
    "U_n_first": (4, 4),
    "c_n_first": (4,),
    "W_mixed_second": (4, 4),
    "b_mixed": (4,),
    "W_output_x_1": (3, 3),
    "b_output": (3,),
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
    "output": ("T", "B", 3),
}
TARGETS = {
    "output": ("T", "B", 3),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "output": {
        "kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True
    },
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "x": (1, "B", 3),
    "first": (1, "B", 4),
    "second": (1, "B", 4),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "code": (
        ("E", "b_code"),
    ),
    "first": (
        ("W_r_first_code", "U_r_first", "b_r_first"),
        ("W_z_first_code", "U_z_first", "b_z_first"),
        ("U_n_first", "c_n_first"),
        ("W_n_first_code", "b_n_first"),
    ),
    "mixed": (
        ("W_mixed_second", "b_mixed"),
    ),
    "output": (
        ("W_output_x_1", "b_output"),
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
        "code": arrays["code"],
        "r_first": arrays["r_first"],
        "z_first": arrays["z_first"],
        "n_first": arrays["n_first"],
        "first": arrays["first"][1 : 1 + T],
        "r_second": arrays["r_second"],
        "z_second": arrays["z_second"],
        "n_second": arrays["n_second"],
        "second": arrays["second"][1 : 1 + T],
        "mixed": arrays["mixed"],
        "output": arrays["output"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (output - target_output)^2.
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
    first = arrays["first"]
    second = arrays["second"]
    E = arrays["E"]
    b_code = arrays["b_code"]
    W_r_first_code = arrays["W_r_first_code"]
    U_r_first = arrays["U_r_first"]
    b_r_first = arrays["b_r_first"]
    W_z_first_code = arrays["W_z_first_code"]
    U_z_first = arrays["U_z_first"]
    b_z_first = arrays["b_z_first"]
    W_n_first_code = arrays["W_n_first_code"]
    b_n_first = arrays["b_n_first"]
    U_n_first = arrays["U_n_first"]
    c_n_first = arrays["c_n_first"]
    W_mixed_second = arrays["W_mixed_second"]
    b_mixed = arrays["b_mixed"]
    W_output_x_1 = arrays["W_output_x_1"]
    b_output = arrays["b_output"]

    U_first = np.concatenate((U_z_first, U_r_first, U_n_first))
    n_code = (_rows(x[1:]) @ E.T).reshape(-1, B, 4)  # (1) ij,tbj->tbi
    n_code += b_code  # (1)
    code = np.tanh(n_code)  # (2)
    stacked_n_z_first = np.zeros((T, B, 12), dtype)
    part_n_first = stacked_n_z_first[:, :, 8:12]
    n_r_first = stacked_n_z_first[:, :, 4:8]
    n_z_first = stacked_n_z_first[:, :, :4]
    r_first = n_r_first  # takes its place, step by step
    z_first = n_z_first  # takes its place, step by step
    part_n_first += c_n_first  # (7)
    n_r_first[...] = (_rows(code) @ W_r_first_code.T).reshape(-1, B, 4)  # (3) ij,tbj->tbi
    n_r_first += b_r_first  # (3)
    n_n_first = (_rows(code) @ W_n_first_code.T).reshape(-1, B, 4)  # (8) ij,tbj->tbi
    n_first = n_n_first  # takes its place, step by step
    n_n_first += b_n_first  # (8)
    n_z_first[...] = (_rows(code) @ W_z_first_code.T).reshape(-1, B, 4)  # (5) ij,tbj->tbi
    n_z_first += b_z_first  # (5)
    for t in range(T):
        first_t_minus_1 = first[t]
        z_first_t = z_first[t]
        stacked_n_z_first_t = stacked_n_z_first[t]
        stacked_n_z_first_t += first_t_minus_1 @ U_first.T  # (3) (5) (7) ij,bj->bi
        _sigmoid(stacked_n_z_first_t[:, :8], out=stacked_n_z_first_t[:, :8])  # (4) (6)
        n_n_first_t = n_n_first[t]
        n_n_first_t += part_n_first[t] * r_first[t]  # (8)
        n_first_t = np.tanh(n_n_first_t, out=n_first[t])  # (9)
        first_t = np.subtract(1, z_first_t, out=first[t + 1])  # (10)
        first_t *= n_first_t  # (10)
        first_t += first_t_minus_1 * z_first_t  # (10)
    stacked_n_z_second = np.zeros((T, B, 12), dtype)
    part_n_second = stacked_n_z_second[:, :, 8:12]
    n_r_second = stacked_n_z_second[:, :, 4:8]
    n_z_second = stacked_n_z_second[:, :, :4]
    r_second = n_r_second  # takes its place, step by step
    z_second = n_z_second  # takes its place, step by step
    part_n_second += c_n_first  # (15)
    n_r_second[...] = (_rows(first[1:]) @ W_r_first_code.T).reshape(-1, B, 4)  # (11) ij,tbj->tbi
    n_r_second += b_r_first  # (11)
    n_n_second = (_rows(first[1:]) @ W_n_first_code.T).reshape(-1, B, 4)  # (16) ij,tbj->tbi
    n_second = n_n_second  # takes its place, step by step
    n_n_second += b_n_first  # (16)
    n_z_second[...] = (_rows(first[1:]) @ W_z_first_code.T).reshape(-1, B, 4)  # (13) ij,tbj->tbi
    n_z_second += b_z_first  # (13)
    for t in range(T):
        second_t_minus_1 = second[t]
        z_second_t = z_second[t]
        stacked_n_z_second_t = stacked_n_z_second[t]
        stacked_n_z_second_t += second_t_minus_1 @ U_first.T  # (11) (13) (15) ij,bj->bi
        _sigmoid(stacked_n_z_second_t[:, :8], out=stacked_n_z_second_t[:, :8])  # (12) (14)
        n_n_second_t = n_n_second[t]
        n_n_second_t += part_n_second[t] * r_second[t]  # (16)
        n_second_t = np.tanh(n_n_second_t, out=n_second[t])  # (17)
        second_t = np.subtract(1, z_second_t, out=second[t + 1])  # (18)
        second_t *= n_second_t  # (18)
        second_t += second_t_minus_1 * z_second_t  # (18)
    n_mixed = (_rows(second[1:]) @ W_mixed_second.T).reshape(-1, B, 4)  # (19) ij,tbj->tbi
    n_mixed += b_mixed  # (19)
    mixed = second[1:] + np.tanh(n_mixed)  # (20)
    output = (_rows(mixed) @ E).reshape(-1, B, 3)  # (21) ij,tbj->tbi
    output += (_rows(x[:T]) @ W_output_x_1.T).reshape(-1, B, 3)  # (21) ij,tbj->tbi
    output += b_output  # (21)
    arrays["code"] = code
    arrays["r_first"] = r_first
    arrays["z_first"] = z_first
    arrays["part_n_first"] = part_n_first
    arrays["n_first"] = n_first
    arrays["r_second"] = r_second
    arrays["z_second"] = z_second
    arrays["part_n_second"] = part_n_second
    arrays["n_second"] = n_second
    arrays["n_mixed"] = n_mixed
    arrays["mixed"] = mixed
    arrays["output"] = output


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    output = arrays["output"]
    target_output = arrays["target_output"]

    error_output = output - target_output  # (22)
    loss = 1 / (B * 3 * T) * (error_output.ravel() @ error_output.ravel())  # (22) tbi->
    arrays["error_output"] = error_output
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    code = arrays["code"]
    r_first = arrays["r_first"]
    z_first = arrays["z_first"]
    n_first = arrays["n_first"]
    first = arrays["first"]
    r_second = arrays["r_second"]
    z_second = arrays["z_second"]
    n_second = arrays["n_second"]
    second = arrays["second"]
    mixed = arrays["mixed"]
    E = arrays["E"]
    W_r_first_code = arrays["W_r_first_code"]
    U_r_first = arrays["U_r_first"]
    W_z_first_code = arrays["W_z_first_code"]
    U_z_first = arrays["U_z_first"]
    W_n_first_code = arrays["W_n_first_code"]
    U_n_first = arrays["U_n_first"]
    W_mixed_second = arrays["W_mixed_second"]
    part_n_first = arrays["part_n_first"]
    part_n_second = arrays["part_n_second"]
    n_mixed = arrays["n_mixed"]
    error_output = arrays["error_output"]

    U_first = np.concatenate((U_z_first, U_r_first, U_n_first))
    d_output = 2 / (B * 3 * T) * error_output  # (23)
    d_mixed = (_rows(d_output) @ E.T).reshape(-1, B, 4)  # (24) ij,tbj->tbi
    d_n_mixed = d_mixed * (1 - np.tanh(n_mixed) ** 2)  # (25)
    d_second = (_rows(d_n_mixed) @ W_mixed_second).reshape(-1, B, 4)  # (26) ij,tbj->tbi
    d_second += d_mixed  # (26)
    d_n_n_second_per_d_second = (1 - z_second) * (1 - n_second ** 2)  # (27) (28)
    d_n_r_second_per_d_n_n_second = part_n_second * r_second * (1 - r_second)  # (32) (33)
    d_n_z_second_per_d_second = (second[:T] - n_second) * z_second * (1 - z_second)  # (30) (31)
    stacked_d_n_z_second = np.empty((T, B, 16), dtype)
    d_n_n_second = stacked_d_n_z_second[:, :, 12:16]
    d_n_r_second = stacked_d_n_z_second[:, :, 4:8]
    d_n_z_second = stacked_d_n_z_second[:, :, :4]
    d_part_n_second = stacked_d_n_z_second[:, :, 8:12]
    for t in range(T - 1, -1, -1):
        d_second_t = d_second[t]
        if t < T - 1:
            d_second_t += d_second[t + 1] * z_second[t + 1]  # (26)
            d_second_t += stacked_d_n_z_second[t + 1, :, :12] @ U_first  # (26) ij,bj->bi
        d_n_n_second_t = np.multiply(  # (27) (28)
            d_second_t, d_n_n_second_per_d_second[t], out=d_n_n_second[t]
        )
        d_n_r_second_t = np.multiply(  # (32) (33)
            d_n_n_second_t, d_n_r_second_per_d_n_n_second[t], out=d_n_r_second[t]
        )
        d_n_z_second_t = np.multiply(  # (30) (31)
            d_second_t, d_n_z_second_per_d_second[t], out=d_n_z_second[t]
        )
        d_part_n_second_t = np.multiply(  # (29)
            d_n_n_second_t, r_second[t], out=d_part_n_second[t]
        )
    d_first = (_rows(d_n_n_second) @ W_n_first_code).reshape(-1, B, 4)  # (34) ij,tbj->tbi
    d_first += (_rows(d_n_z_second) @ W_z_first_code).reshape(-1, B, 4)  # (34) ij,tbj->tbi
    d_first += (_rows(d_n_r_second) @ W_r_first_code).reshape(-1, B, 4)  # (34) ij,tbj->tbi
    d_n_n_first_per_d_first = (1 - z_first) * (1 - n_first ** 2)  # (35) (36)
    d_n_r_first_per_d_n_n_first = part_n_first * r_first * (1 - r_first)  # (40) (41)
    d_n_z_first_per_d_first = (first[:T] - n_first) * z_first * (1 - z_first)  # (38) (39)
    stacked_d_n_z_first = np.empty((T, B, 16), dtype)
    d_n_n_first = stacked_d_n_z_first[:, :, 12:16]
    d_n_r_first = stacked_d_n_z_first[:, :, 4:8]
    d_n_z_first = stacked_d_n_z_first[:, :, :4]
    d_part_n_first = stacked_d_n_z_first[:, :, 8:12]
    for t in range(T - 1, -1, -1):
        d_first_t = d_first[t]
        if t < T - 1:
            d_first_t += d_first[t + 1] * z_first[t + 1]  # (34)
            d_first_t += stacked_d_n_z_first[t + 1, :, :12] @ U_first  # (34) ij,bj->bi
        d_n_n_first_t = np.multiply(  # (35) (36)
            d_first_t, d_n_n_first_per_d_first[t], out=d_n_n_first[t]
        )
        d_n_r_first_t = np.multiply(  # (40) (41)
            d_n_n_first_t, d_n_r_first_per_d_n_n_first[t], out=d_n_r_first[t]
        )
        d_n_z_first_t = np.multiply(  # (38) (39)
            d_first_t, d_n_z_first_per_d_first[t], out=d_n_z_first[t]
        )
        d_part_n_first_t = np.multiply(d_n_n_first_t, r_first[t], out=d_part_n_first[t])  # (37)
    d_code = (_rows(d_n_n_first) @ W_n_first_code).reshape(-1, B, 4)  # (42) ij,tbj->tbi
    d_code += (_rows(d_n_z_first) @ W_z_first_code).reshape(-1, B, 4)  # (42) ij,tbj->tbi
    d_code += (_rows(d_n_r_first) @ W_r_first_code).reshape(-1, B, 4)  # (42) ij,tbj->tbi
    d_n_code = d_code * (1 - code ** 2)  # (43)
    d_E = _rows(mixed).T @ _rows(d_output)  # (45) tbj,tbi->ij
    d_E += _rows(d_n_code).T @ _rows(x[1:])  # (45) tbi,tbj->ij
    d_b_code = d_n_code.sum(axis=(0, 1))  # (46) tbi->i
    d_W_r_first_code = _rows(d_n_r_second).T @ _rows(first[1:])  # (47) tbi,tbj->ij
    d_W_r_first_code += _rows(d_n_r_first).T @ _rows(code)  # (47) tbi,tbj->ij
    d_W_z_first_code = _rows(d_n_z_second).T @ _rows(first[1:])  # (50) tbi,tbj->ij
    d_W_z_first_code += _rows(d_n_z_first).T @ _rows(code)  # (50) tbi,tbj->ij
    d_W_n_first_code = _rows(d_n_n_second).T @ _rows(first[1:])  # (53) tbi,tbj->ij
    d_W_n_first_code += _rows(d_n_n_first).T @ _rows(code)  # (53) tbi,tbj->ij
    d_U_first = (  # (48) (51) (55) tbi,tbj->ij
        _rows(stacked_d_n_z_second[:, :, :12]).T @ _rows(second[:T])
    )
    d_U_r_first = d_U_first[4:8]
    d_U_z_first = d_U_first[:4]
    d_U_n_first = d_U_first[8:12]
    d_U_first += (  # (48) (51) (55) tbi,tbj->ij
        _rows(stacked_d_n_z_first[:, :, :12]).T @ _rows(first[:T])
    )
    stacked_d_b_z_first = stacked_d_n_z_second.sum(axis=(0, 1))  # (49) (52) (54) (56) tbi->i
    d_b_r_first = stacked_d_b_z_first[4:8]
    d_b_z_first = stacked_d_b_z_first[:4]
    d_b_n_first = stacked_d_b_z_first[12:16]
    d_c_n_first = stacked_d_b_z_first[8:12]
    stacked_d_b_z_first += stacked_d_n_z_first.sum(axis=(0, 1))  # (49) (52) (54) (56) tbi->i
    d_W_mixed_second = _rows(d_n_mixed).T @ _rows(second[1:])  # (57) tbi,tbj->ij
    d_b_mixed = d_n_mixed.sum(axis=(0, 1))  # (58) tbi->i
    d_W_output_x_1 = _rows(d_output).T @ _rows(x[:T])  # (59) tbi,tbj->ij
    d_b_output = d_output.sum(axis=(0, 1))  # (60) tbi->i
    arrays["d_output"] = d_output
    arrays["d_second"] = d_second
    arrays["d_first"] = d_first
    arrays["d_n_code"] = d_n_code
    arrays["d_E"] = d_E
    arrays["d_b_code"] = d_b_code
    arrays["d_W_r_first_code"] = d_W_r_first_code
    arrays["d_U_r_first"] = d_U_r_first
    arrays["d_b_r_first"] = d_b_r_first
    arrays["d_W_z_first_code"] = d_W_z_first_code
    arrays["d_U_z_first"] = d_U_z_first
    arrays["d_b_z_first"] = d_b_z_first
    arrays["d_W_n_first_code"] = d_W_n_first_code
    arrays["d_b_n_first"] = d_b_n_first
    arrays["d_U_n_first"] = d_U_n_first
    arrays["d_c_n_first"] = d_c_n_first
    arrays["d_W_mixed_second"] = d_W_mixed_second
    arrays["d_b_mixed"] = d_b_mixed
    arrays["d_W_output_x_1"] = d_W_output_x_1
    arrays["d_b_output"] = d_b_output
    arrays["stacked_d_n_z_second"] = stacked_d_n_z_second
    arrays["stacked_d_n_z_first"] = stacked_d_n_z_first


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    E = arrays["E"]
    W_output_x_1 = arrays["W_output_x_1"]
    d_output = arrays["d_output"]
    d_n_code = arrays["d_n_code"]

    d_x = (_rows(d_n_code) @ E).reshape(-1, B, 3)  # (44) ij,tbj->tbi
    d_x[:T - 1] += (_rows(d_output[1:]) @ W_output_x_1).reshape(-1, B, 3)  # (44) ij,tbj->tbi
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    z_first = arrays["z_first"]
    z_second = arrays["z_second"]
    U_r_first = arrays["U_r_first"]
    U_z_first = arrays["U_z_first"]
    U_n_first = arrays["U_n_first"]
    W_output_x_1 = arrays["W_output_x_1"]
    d_output = arrays["d_output"]
    d_second = arrays["d_second"]
    d_first = arrays["d_first"]
    stacked_d_n_z_second = arrays["stacked_d_n_z_second"]
    stacked_d_n_z_first = arrays["stacked_d_n_z_first"]

    U_first = np.concatenate((U_z_first, U_r_first, U_n_first))
    d_initial_x = (_rows(d_output[:1]) @ W_output_x_1).reshape(-1, B, 3)  # (61) ij,kbj->kbi
    d_initial_first = (  # (62) ij,kbj->kbi
        (_rows(stacked_d_n_z_first[:1, :, :12]) @ U_first).reshape(-1, B, 4)
    )
    d_initial_first += d_first[:1] * z_first[:1]  # (62)
    d_initial_second = (  # (63) ij,kbj->kbi
        (_rows(stacked_d_n_z_second[:1, :, :12]) @ U_first).reshape(-1, B, 4)
    )
    d_initial_second += d_second[:1] * z_second[:1]  # (63)
    arrays["d_initial_x"] = d_initial_x
    arrays["d_initial_first"] = d_initial_first
    arrays["d_initial_second"] = d_initial_second


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
_BIASES = {"b_code", "b_mixed", "b_n_first", "b_output", "b_r_first", "b_z_first", "c_n_first"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "output"): "target_output",
}
_GRADIENTS = {
    "E": "d_E",
    "b_code": "d_b_code",
    "W_r_first_code": "d_W_r_first_code",
    "U_r_first": "d_U_r_first",
    "b_r_first": "d_b_r_first",
    "W_z_first_code": "d_W_z_first_code",
    "U_z_first": "d_U_z_first",
    "b_z_first": "d_b_z_first",
    "W_n_first_code": "d_W_n_first_code",
    "b_n_first": "d_b_n_first",
    "U_n_first": "d_U_n_first",
    "c_n_first": "d_c_n_first",
    "W_mixed_second": "d_W_mixed_second",
    "b_mixed": "d_b_mixed",
    "W_output_x_1": "d_W_output_x_1",
    "b_output": "d_b_output",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {"x": "d_initial_x", "first": "d_initial_first", "second": "d_initial_second"}
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
    arrays["x"] = _extended(T, (B, 3), outside.get("x"), 1, None, 0, dtype)
    arrays["x"][1 : 1 + T] = given_steps
    arrays["first"] = _extended(T, (B, 4), outside.get("first"), 1, None, 0, dtype)
    arrays["second"] = _extended(T, (B, 4), outside.get("second"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: d3d2b04f721ae53f23e73e0e66a2cbd5164c0a8319d744ceefc50707f5592505
