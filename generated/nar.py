"""nar: a recurrent network with 18 parameters.

No inputs; outputs y (T, B, 1).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold. y_by_W is the derivative of y by W, y_per_x
that of y[s] by x[t].
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_hidden = 3, N_y = 1.

 (1)  n_hidden[t,b,i] = sum_j W_hidden_y_1[i,j]*y[t-1,b,j] + sum_j W_hidden_y_2[i,j]*y[t-2,b,j]
          + sum_j W_hidden_y_3[i,j]*y[t-3,b,j] + b_hidden[i]
 (2)  hidden[t,b,i] = tanh(n_hidden[t,b,i])
 (3)  y[t,b,i] = sum_j W_y_hidden[i,j]*hidden[t,b,j] + sum_j W_y_y_1[i,j]*y[t-1,b,j]
          + sum_j W_y_y_2[i,j]*y[t-2,b,j] + b_y[i]
 (4)  loss = sum_t,b,i (y[t,b,i] - target_y[t,b,i])^2/(B*N_y*T)
 (5)  d_y[t,b,i] = 2*(y[t,b,i] - target_y[t,b,i])/(B*N_y*T)
          + sum_j W_y_y_1[j,i]*d_y[t+1,b,j] [t <= T-2]
          + sum_j W_y_y_2[j,i]*d_y[t+2,b,j] [t <= T-3]
          + sum_j W_hidden_y_1[j,i]*d_n_hidden[t+1,b,j] [t <= T-2]
          + sum_j W_hidden_y_2[j,i]*d_n_hidden[t+2,b,j] [t <= T-3]
          + sum_j W_hidden_y_3[j,i]*d_n_hidden[t+3,b,j] [t <= T-4]
 (6)  d_hidden[t,b,i] = sum_j W_y_hidden[j,i]*d_y[t,b,j]
 (7)  d_n_hidden[t,b,i] = d_hidden[t,b,i]*(1 - hidden[t,b,i]^2)
 (8)  d_W_hidden_y_1[i,j] = sum_t,b d_n_hidden[t,b,i]*y[t-1,b,j]
 (9)  d_W_hidden_y_2[i,j] = sum_t,b d_n_hidden[t,b,i]*y[t-2,b,j]
(10)  d_W_hidden_y_3[i,j] = sum_t,b d_n_hidden[t,b,i]*y[t-3,b,j]
(11)  d_b_hidden[i] = sum_t,b d_n_hidden[t,b,i]
(12)  d_W_y_hidden[i,j] = sum_t,b d_y[t,b,i]*hidden[t,b,j]
(13)  d_W_y_y_1[i,j] = sum_t,b d_y[t,b,i]*y[t-1,b,j]
(14)  d_W_y_y_2[i,j] = sum_t,b d_y[t,b,i]*y[t-2,b,j]
(15)  d_b_y[i] = sum_t,b d_y[t,b,i]
(16)  d_initial_y[k,b,i] = sum_j W_y_y_1[j,i]*d_y[k-2,b,j] [k >= 2]
          + sum_j W_y_y_2[j,i]*d_y[k-1,b,j] [k <= T, k >= 1]
          + sum_j W_hidden_y_1[j,i]*d_n_hidden[k-2,b,j] [k >= 2]
          + sum_j W_hidden_y_2[j,i]*d_n_hidden[k-1,b,j] [k <= T, k >= 1]
          + sum_j W_hidden_y_3[j,i]*d_n_hidden[k,b,j] [k <= T-1]
(17)  S_y__n_hidden[t,b,i,j] = W_y_hidden[i,j]*(1 - hidden[t,b,j]^2)
(18)  S_y__y_1[t,b,i,j] = W_y_y_1[i,j] + sum_k W_hidden_y_1[k,j]*S_y__n_hidden[t,b,i,k]
(19)  S_y__y_2[t,b,i,j] = W_y_y_2[i,j] + sum_k W_hidden_y_2[k,j]*S_y__n_hidden[t,b,i,k]
(20)  S_y__y_3[t,b,i,j] = sum_k W_hidden_y_3[k,j]*S_y__n_hidden[t,b,i,k]
(21)  y_by_W_hidden_y_1[t,b,i,j,k] = S_y__n_hidden[t,b,i,j]*y[t-1,b,k]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_hidden_y_1[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_hidden_y_1[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_hidden_y_1[t-3,b,l,j,k]
(22)  y_by_W_hidden_y_2[t,b,i,j,k] = S_y__n_hidden[t,b,i,j]*y[t-2,b,k]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_hidden_y_2[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_hidden_y_2[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_hidden_y_2[t-3,b,l,j,k]
(23)  y_by_W_hidden_y_3[t,b,i,j,k] = S_y__n_hidden[t,b,i,j]*y[t-3,b,k]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_hidden_y_3[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_hidden_y_3[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_hidden_y_3[t-3,b,l,j,k]
(24)  y_by_b_hidden[t,b,i,j] = S_y__n_hidden[t,b,i,j]
          + sum_k S_y__y_1[t,b,i,k]*y_by_b_hidden[t-1,b,k,j]
          + sum_k S_y__y_2[t,b,i,k]*y_by_b_hidden[t-2,b,k,j]
          + sum_k S_y__y_3[t,b,i,k]*y_by_b_hidden[t-3,b,k,j]
(25)  y_by_W_y_hidden[t,b,i,j,k] = hidden[t,b,k] [j = i]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_y_hidden[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_y_hidden[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_y_hidden[t-3,b,l,j,k]
(26)  y_by_W_y_y_1[t,b,i,j,k] = y[t-1,b,k] [j = i]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_y_y_1[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_y_y_1[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_y_y_1[t-3,b,l,j,k]
(27)  y_by_W_y_y_2[t,b,i,j,k] = y[t-2,b,k] [j = i]
          + sum_l S_y__y_1[t,b,i,l]*y_by_W_y_y_2[t-1,b,l,j,k]
          + sum_l S_y__y_2[t,b,i,l]*y_by_W_y_y_2[t-2,b,l,j,k]
          + sum_l S_y__y_3[t,b,i,l]*y_by_W_y_y_2[t-3,b,l,j,k]
(28)  y_by_b_y[t,b,i,j] = 1 [j = i] + sum_k S_y__y_1[t,b,i,k]*y_by_b_y[t-1,b,k,j]
          + sum_k S_y__y_2[t,b,i,k]*y_by_b_y[t-2,b,k,j]
          + sum_k S_y__y_3[t,b,i,k]*y_by_b_y[t-3,b,k,j]
(29)  y_per_y[t,s,b,i,j] = 1 [s = t, j = i] + sum_k W_y_y_1[k,j]*y_per_y[t+1,s,b,i,k] [t <= T-2]
          + sum_k W_y_y_2[k,j]*y_per_y[t+2,s,b,i,k] [t <= T-3]
          + sum_k W_hidden_y_1[k,j]*y_per_n_hidden[t+1,s,b,i,k] [t <= T-2]
          + sum_k W_hidden_y_2[k,j]*y_per_n_hidden[t+2,s,b,i,k] [t <= T-3]
          + sum_k W_hidden_y_3[k,j]*y_per_n_hidden[t+3,s,b,i,k] [t <= T-4]
(30)  y_per_hidden[t,s,b,i,j] = sum_k W_y_hidden[k,j]*y_per_y[t,s,b,i,k]
(31)  y_per_n_hidden[t,s,b,i,j] = y_per_hidden[t,s,b,i,j]*(1 - hidden[t,b,j]^2)
(32)  y_per_W_hidden_y_1[t,b,i,j,k] = sum_s y_per_n_hidden[s,t,b,i,j]*y[s-1,b,k]
(33)  y_per_W_hidden_y_2[t,b,i,j,k] = sum_s y_per_n_hidden[s,t,b,i,j]*y[s-2,b,k]
(34)  y_per_W_hidden_y_3[t,b,i,j,k] = sum_s y_per_n_hidden[s,t,b,i,j]*y[s-3,b,k]
(35)  y_per_b_hidden[t,b,i,j] = sum_s y_per_n_hidden[s,t,b,i,j]
(36)  y_per_W_y_hidden[t,b,i,j,k] = sum_s y_per_y[s,t,b,i,j]*hidden[s,b,k]
(37)  y_per_W_y_y_1[t,b,i,j,k] = sum_s y_per_y[s,t,b,i,j]*y[s-1,b,k]
(38)  y_per_W_y_y_2[t,b,i,j,k] = sum_s y_per_y[s,t,b,i,j]*y[s-2,b,k]
(39)  y_per_b_y[t,b,i,j] = sum_s y_per_y[s,t,b,i,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_hidden_y_1": (3, 1),
    "W_hidden_y_2": (3, 1),
    "W_hidden_y_3": (3, 1),
    "b_hidden": (3,),
    "W_y_hidden": (1, 3),
    "W_y_y_1": (1, 1),
    "W_y_y_2": (1, 1),
    "b_y": (1,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
}
OUTPUTS = {
    "y": ("T", "B", 1),
}
TARGETS = {
    "y": ("T", "B", 1),
}
MASKS = ()
CLASSES = ()
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "y": {"kinds": {"mse": 1}, "steps": "all", "mask": None, "differences": True, "squares": True},
}

# Values outside the given steps, with their shapes: those before the first step in
# chronological order, or those after the last for what runs backward in time. Zero unless given.
# AFTER lists those after the last step, with the signal that they belong to.
INITIAL = {
    "y": (3, "B", 1),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "hidden": (
        ("W_hidden_y_1", "W_hidden_y_2", "W_hidden_y_3", "b_hidden"),
    ),
    "y": (
        ("W_y_hidden", "W_y_y_1", "W_y_y_2", "b_y"),
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


def forward(parameters, inputs, initial=None, steps=None):
    """The signals of the network.

    parameters, inputs, initial: arrays as PARAMETERS, INPUTS and, any of them, INITIAL say.
    Returns the arrays of all named signals: outputs, layers, and what is within their cells.
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=steps)
    _forward(arrays, T, B, dtype)
    return {
        "hidden": arrays["hidden"],
        "y": arrays["y"][3 : 3 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps, sequences and units of (y - target_y)^2.
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


def jacobian(parameters, inputs, initial=None, mode=None, steps=None):
    """The derivative of every output at every step by every parameter.

    Returns {output: {parameter: array}}, each array with the output's axes, then the parameter's.
    By forward sensitivities (mode "forward") or by the adjoints of every output ("backward");
    without a mode by the cheaper one. Their costs, as numbers of products:

    forward:  12*B*N_hidden*N_y**3*T + 9*B*N_hidden*N_y**2*T + 3*B*N_hidden*N_y*T +
        6*B*N_y**4*T + 3*B*N_y**3*T + 4*B*N_y**2*T + B*N_y*T
    backward: 8*B*N_hidden*N_y**2*T**2 + 2*B*N_hidden*N_y*T**2 + 4*B*N_y**3*T**2 +
        B*N_y**2*T**2 + B*N_y*T
    """
    arrays, T, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=steps)
    way = _chosen_mode(mode, 86*B*T, 35*B*T**2 + B*T)
    _forward(arrays, T, B, dtype)
    ways = {"forward": _sensitivities, "backward": _output_adjoints}
    ways[way](arrays, T, B, dtype)
    before = {
        "y_by_W_hidden_y_1": 3,
        "y_by_W_hidden_y_2": 3,
        "y_by_W_hidden_y_3": 3,
        "y_by_b_hidden": 3,
        "y_by_W_y_hidden": 3,
        "y_by_W_y_y_1": 3,
        "y_by_W_y_y_2": 3,
        "y_by_b_y": 3,
    }
    return _elements(arrays, _ELEMENTS[way], OUTPUTS, before, {"T": T, "B": B}, dtype)


# The names of the derivatives of the outputs by the parameters.
_ELEMENTS = {
    "forward": {
        "y": {
            "W_hidden_y_1": "y_by_W_hidden_y_1",
            "W_hidden_y_2": "y_by_W_hidden_y_2",
            "W_hidden_y_3": "y_by_W_hidden_y_3",
            "b_hidden": "y_by_b_hidden",
            "W_y_hidden": "y_by_W_y_hidden",
            "W_y_y_1": "y_by_W_y_y_1",
            "W_y_y_2": "y_by_W_y_y_2",
            "b_y": "y_by_b_y",
        },
    },
    "backward": {
        "y": {
            "W_hidden_y_1": "y_per_W_hidden_y_1",
            "W_hidden_y_2": "y_per_W_hidden_y_2",
            "W_hidden_y_3": "y_per_W_hidden_y_3",
            "b_hidden": "y_per_b_hidden",
            "W_y_hidden": "y_per_W_y_hidden",
            "W_y_y_1": "y_per_W_y_y_1",
            "W_y_y_2": "y_per_W_y_y_2",
            "b_y": "y_per_b_y",
        },
    },
}


def _chosen_mode(mode, forward, backward):
    """The mode, or the one that costs less."""
    if mode not in (None, "forward", "backward"):
        raise ValueError(f"mode is {mode!r}; 'forward', 'backward' or None are possible")
    return mode or ("forward" if forward <= backward else "backward")


def _elements(arrays, names, shapes, before, sizes, dtype):
    """The derivatives of signals by parameters, without rows before the first step."""
    found = {}
    for signal, axes in shapes.items():
        found[signal] = {}
        for name, shape in PARAMETERS.items():
            key, size = names[signal].get(name), tuple(sizes.get(n, n) for n in axes)
            if key in before:
                arrays[key] = arrays[key][before[key] : before[key] + size[0]]
            is_known = key in arrays
            found[signal][name] = arrays[key] if is_known else np.zeros((*size, *shape), dtype)
    return found


# The derived equations. `arrays` holds every array by name.


def _forward(arrays, T, B, dtype):
    """The signals, forward in time."""
    y = arrays["y"]
    W_hidden_y_1 = arrays["W_hidden_y_1"]
    W_hidden_y_2 = arrays["W_hidden_y_2"]
    W_hidden_y_3 = arrays["W_hidden_y_3"]
    b_hidden = arrays["b_hidden"]
    W_y_hidden = arrays["W_y_hidden"]
    W_y_y_1 = arrays["W_y_y_1"]
    W_y_y_2 = arrays["W_y_y_2"]
    b_y = arrays["b_y"]

    n_hidden = np.zeros((T, B, 3), dtype)
    hidden = n_hidden  # takes its place, step by step
    n_hidden += b_hidden  # (1)
    y[3:] = b_y  # (3)
    for t in range(T):
        y_t_minus_1 = y[t + 2]
        y_t_minus_2 = y[t + 1]
        n_hidden_t = n_hidden[t]
        n_hidden_t += y_t_minus_1 @ W_hidden_y_1.T  # (1) ij,bj->bi
        n_hidden_t += y_t_minus_2 @ W_hidden_y_2.T  # (1) ij,bj->bi
        n_hidden_t += y[t] @ W_hidden_y_3.T  # (1) ij,bj->bi
        hidden_t = np.tanh(n_hidden_t, out=hidden[t])  # (2)
        y_t = y[t + 3]
        y_t += hidden_t @ W_y_hidden.T  # (3) ij,bj->bi
        y_t += y_t_minus_1 @ W_y_y_1.T  # (3) ij,bj->bi
        y_t += y_t_minus_2 @ W_y_y_2.T  # (3) ij,bj->bi
    arrays["hidden"] = hidden


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    y = arrays["y"]
    target_y = arrays["target_y"]

    error_y = y[3:] - target_y  # (4)
    loss = 1 / (B * T) * (error_y.ravel() @ error_y.ravel())  # (4) tbi->
    arrays["error_y"] = error_y
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    hidden = arrays["hidden"]
    y = arrays["y"]
    W_hidden_y_1 = arrays["W_hidden_y_1"]
    W_hidden_y_2 = arrays["W_hidden_y_2"]
    W_hidden_y_3 = arrays["W_hidden_y_3"]
    W_y_hidden = arrays["W_y_hidden"]
    W_y_y_1 = arrays["W_y_y_1"]
    W_y_y_2 = arrays["W_y_y_2"]
    error_y = arrays["error_y"]

    W_y_1 = np.concatenate((W_y_y_1, W_hidden_y_1))
    W_y_2 = np.concatenate((W_y_y_2, W_hidden_y_2))
    d = np.empty((T, B, 4), dtype)
    d_y = d[:, :, :1]
    d_n_hidden = d[:, :, 1:4]
    d_y[...] = 2 / (B * T) * error_y  # (5)
    d_n_hidden_per_d_hidden = 1 - hidden ** 2  # (7)
    for t in range(T - 1, -1, -1):
        d_y_t = d_y[t]
        if t < T - 1:
            d_y_t += d[t + 1] @ W_y_1  # (5) ij,bj->bi
        if t < T - 2:
            d_y_t += d[t + 2] @ W_y_2  # (5) ij,bj->bi
        if t < T - 3:
            d_y_t += d_n_hidden[t + 3] @ W_hidden_y_3  # (5) ij,bj->bi
        d_hidden_t = d_y_t @ W_y_hidden  # (6) ij,bj->bi
        d_n_hidden_t = np.multiply(  # (7)
            d_hidden_t, d_n_hidden_per_d_hidden[t], out=d_n_hidden[t]
        )
    d_W_hidden_y_3 = _rows(d_n_hidden).T @ _rows(y[:T])  # (10) tbi,tbj->ij
    d_W_y_hidden = _rows(d_y).T @ _rows(hidden)  # (12) tbi,tbj->ij
    d_W_y_1 = _rows(d).T @ _rows(y[2:T + 2])  # (8) (13) tbi,tbj->ij
    d_W_hidden_y_1 = d_W_y_1[1:4]
    d_W_y_y_1 = d_W_y_1[:1]
    d_W_y_2 = _rows(d).T @ _rows(y[1:T + 1])  # (9) (14) tbi,tbj->ij
    d_W_hidden_y_2 = d_W_y_2[1:4]
    d_W_y_y_2 = d_W_y_2[:1]
    d_b = d.sum(axis=(0, 1))  # (11) (15) tbi->i
    d_b_hidden = d_b[1:4]
    d_b_y = d_b[:1]
    arrays["d_n_hidden"] = d_n_hidden
    arrays["d_W_hidden_y_1"] = d_W_hidden_y_1
    arrays["d_W_hidden_y_2"] = d_W_hidden_y_2
    arrays["d_W_hidden_y_3"] = d_W_hidden_y_3
    arrays["d_b_hidden"] = d_b_hidden
    arrays["d_W_y_hidden"] = d_W_y_hidden
    arrays["d_W_y_y_1"] = d_W_y_y_1
    arrays["d_W_y_y_2"] = d_W_y_y_2
    arrays["d_b_y"] = d_b_y
    arrays["d"] = d


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    return


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    W_hidden_y_1 = arrays["W_hidden_y_1"]
    W_hidden_y_2 = arrays["W_hidden_y_2"]
    W_hidden_y_3 = arrays["W_hidden_y_3"]
    W_y_y_1 = arrays["W_y_y_1"]
    W_y_y_2 = arrays["W_y_y_2"]
    d_n_hidden = arrays["d_n_hidden"]
    d = arrays["d"]

    W_y_1 = np.concatenate((W_y_y_1, W_hidden_y_1))
    W_y_2 = np.concatenate((W_y_y_2, W_hidden_y_2))
    d_initial_y = np.zeros((3, B, 1), dtype)
    d_initial_y[2:] += (_rows(d[:1]) @ W_y_1).reshape(-1, B, 1)  # (16) ij,kbj->kbi
    d_initial_y[1:min(3, T + 1)] += (  # (16) ij,kbj->kbi
        (_rows(d[:min(2, T)]) @ W_y_2).reshape(-1, B, 1)
    )
    d_initial_y[:min(3, T)] += (  # (16) ij,kbj->kbi
        (_rows(d_n_hidden[:min(3, T)]) @ W_hidden_y_3).reshape(-1, B, 1)
    )
    arrays["d_initial_y"] = d_initial_y


def _sensitivities(arrays, T, B, dtype):
    """Sensitivities, forward in time."""
    hidden = arrays["hidden"]
    y = arrays["y"]
    W_hidden_y_1 = arrays["W_hidden_y_1"]
    W_hidden_y_2 = arrays["W_hidden_y_2"]
    W_hidden_y_3 = arrays["W_hidden_y_3"]
    W_y_hidden = arrays["W_y_hidden"]
    W_y_y_1 = arrays["W_y_y_1"]
    W_y_y_2 = arrays["W_y_y_2"]

    S_y__n_hidden = W_y_hidden * (1 - hidden[:, :, None, :] ** 2)  # (17)
    S_y__y_1 = S_y__n_hidden @ W_hidden_y_1  # (18) jk,tbik->tbij
    S_y__y_1 += W_y_y_1  # (18)
    S_y__y_2 = S_y__n_hidden @ W_hidden_y_2  # (19) jk,tbik->tbij
    S_y__y_2 += W_y_y_2  # (19)
    S_y__y_3 = S_y__n_hidden @ W_hidden_y_3  # (20) jk,tbik->tbij
    y_by = np.zeros((T + 3, B, 1, 18), dtype)
    y_by_W_hidden_y_1 = y_by[:, :, :, :3].reshape(T + 3, B, 1, 3, 1)
    y_by_W_hidden_y_2 = y_by[:, :, :, 3:6].reshape(T + 3, B, 1, 3, 1)
    y_by_W_hidden_y_3 = y_by[:, :, :, 6:9].reshape(T + 3, B, 1, 3, 1)
    y_by_b_hidden = y_by[:, :, :, 9:12]
    y_by_W_y_hidden = y_by[:, :, :, 12:15].reshape(T + 3, B, 1, 1, 3)
    y_by_W_y_y_1 = y_by[:, :, :, 15:16].reshape(T + 3, B, 1, 1, 1)
    y_by_W_y_y_2 = y_by[:, :, :, 16:17].reshape(T + 3, B, 1, 1, 1)
    y_by_b_y = y_by[:, :, :, 17:18]
    np.multiply(  # (21)
        S_y__n_hidden[:, :, :, :, None], y[2:T + 2][:, :, None, None, :], out=y_by_W_hidden_y_1[3:]
    )
    np.multiply(  # (22)
        S_y__n_hidden[:, :, :, :, None], y[1:T + 1][:, :, None, None, :], out=y_by_W_hidden_y_2[3:]
    )
    np.multiply(  # (23)
        S_y__n_hidden[:, :, :, :, None], y[:T][:, :, None, None, :], out=y_by_W_hidden_y_3[3:]
    )
    y_by_b_hidden[3:] = S_y__n_hidden  # (24)
    np.einsum('tbiik->tbik', y_by_W_y_hidden[3:])[...] += hidden[:, :, None, :]  # (25)
    np.einsum('tbiik->tbik', y_by_W_y_y_1[3:])[...] += y[2:T + 2][:, :, None, :]  # (26)
    np.einsum('tbiik->tbik', y_by_W_y_y_2[3:])[...] += y[1:T + 1][:, :, None, :]  # (27)
    np.einsum('tbii->tbi', y_by_b_y[3:])[...] += 1  # (28)
    for t in range(T):
        y_by_t = y_by[t + 3]
        y_by_t += S_y__y_1[t] @ y_by[t + 2]  # (21) (22) (23) (24) (25) (26) (27) (28) bil,bjl->bij
        y_by_t += S_y__y_2[t] @ y_by[t + 1]  # (21) (22) (23) (24) (25) (26) (27) (28) bil,bjl->bij
        y_by_t += S_y__y_3[t] @ y_by[t]  # (21) (22) (23) (24) (25) (26) (27) (28) bil,bjl->bij
    arrays["y_by_W_hidden_y_1"] = y_by_W_hidden_y_1
    arrays["y_by_W_hidden_y_2"] = y_by_W_hidden_y_2
    arrays["y_by_W_hidden_y_3"] = y_by_W_hidden_y_3
    arrays["y_by_b_hidden"] = y_by_b_hidden
    arrays["y_by_W_y_hidden"] = y_by_W_y_hidden
    arrays["y_by_W_y_y_1"] = y_by_W_y_y_1
    arrays["y_by_W_y_y_2"] = y_by_W_y_y_2
    arrays["y_by_b_y"] = y_by_b_y


def _output_adjoints(arrays, T, B, dtype):
    """Adjoints of every element."""
    hidden = arrays["hidden"]
    y = arrays["y"]
    W_hidden_y_1 = arrays["W_hidden_y_1"]
    W_hidden_y_2 = arrays["W_hidden_y_2"]
    W_hidden_y_3 = arrays["W_hidden_y_3"]
    W_y_hidden = arrays["W_y_hidden"]
    W_y_y_1 = arrays["W_y_y_1"]
    W_y_y_2 = arrays["W_y_y_2"]

    W_y_1 = np.concatenate((W_y_y_1, W_hidden_y_1))
    W_y_2 = np.concatenate((W_y_y_2, W_hidden_y_2))
    y_per = np.zeros((T, T, B, 1, 4), dtype)
    y_per_y = y_per[:, :, :, :, :1]
    y_per_n_hidden = y_per[:, :, :, :, 1:4]
    np.einsum('ttbii->tbi', y_per_y)[...] += 1  # (29)
    y_per_n_hidden_per_y_per_hidden = 1 - hidden ** 2  # (31)
    for t in range(T - 1, -1, -1):
        y_per_y_t = y_per_y[t]
        if t < T - 1:
            y_per_y_t += y_per[t + 1] @ W_y_1  # (29) jk,sbik->sbij
        if t < T - 2:
            y_per_y_t += y_per[t + 2] @ W_y_2  # (29) jk,sbik->sbij
        if t < T - 3:
            y_per_y_t += y_per_n_hidden[t + 3] @ W_hidden_y_3  # (29) jk,sbik->sbij
        y_per_hidden_t = y_per_y_t @ W_y_hidden  # (30) jk,sbik->sbij
        y_per_n_hidden_t = np.multiply(  # (31)
            y_per_hidden_t, y_per_n_hidden_per_y_per_hidden[t][:, None, :], out=y_per_n_hidden[t]
        )
    y_per_W_hidden_y_3 = np.einsum(  # (34) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', y_per_n_hidden.transpose(1, 0, 2, 3, 4), y[:T]
    )
    y_per_b_hidden = y_per_n_hidden.transpose(1, 0, 2, 3, 4).sum(axis=1)  # (35) tsbij->tbij
    y_per_W_y_hidden = np.einsum(  # (36) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', y_per_y.transpose(1, 0, 2, 3, 4), hidden
    )
    y_per_W_y_1 = np.einsum(  # (32) (37) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', y_per.transpose(1, 0, 2, 3, 4), y[2:T + 2]
    )
    y_per_W_hidden_y_1 = y_per_W_y_1[:, :, :, 1:4]
    y_per_W_y_y_1 = y_per_W_y_1[:, :, :, :1]
    y_per_W_y_2 = np.einsum(  # (33) (38) tsbij,sbk->tbijk
        'tsbij,sbk->tbijk', y_per.transpose(1, 0, 2, 3, 4), y[1:T + 1]
    )
    y_per_W_hidden_y_2 = y_per_W_y_2[:, :, :, 1:4]
    y_per_W_y_y_2 = y_per_W_y_2[:, :, :, :1]
    y_per_b_y = y_per_y.transpose(1, 0, 2, 3, 4).sum(axis=1)  # (39) tsbij->tbij
    arrays["y_per_W_hidden_y_1"] = y_per_W_hidden_y_1
    arrays["y_per_W_hidden_y_2"] = y_per_W_hidden_y_2
    arrays["y_per_W_hidden_y_3"] = y_per_W_hidden_y_3
    arrays["y_per_b_hidden"] = y_per_b_hidden
    arrays["y_per_W_y_hidden"] = y_per_W_y_hidden
    arrays["y_per_W_y_y_1"] = y_per_W_y_y_1
    arrays["y_per_W_y_y_2"] = y_per_W_y_y_2
    arrays["y_per_b_y"] = y_per_b_y


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


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {"b_hidden", "b_y"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "y"): "target_y",
}
_GRADIENTS = {
    "W_hidden_y_1": "d_W_hidden_y_1",
    "W_hidden_y_2": "d_W_hidden_y_2",
    "W_hidden_y_3": "d_W_hidden_y_3",
    "b_hidden": "d_b_hidden",
    "W_y_hidden": "d_W_y_hidden",
    "W_y_y_1": "d_W_y_y_1",
    "W_y_y_2": "d_W_y_y_2",
    "b_y": "d_b_y",
}
_INPUT_GRADIENTS = {}
_INITIAL_GRADIENTS = {"y": "d_initial_y"}
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
    arrays["y"] = _extended(T, (B, 1), outside.get("y"), 3, None, 0, dtype)
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
# Generated. SHA-256 of all above: d0a22addd9ea8c1d2947858a506e50a5560322a63b567d65fc7c5505c27f72a2
