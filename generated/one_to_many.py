"""one_to_many: a recurrent network with 284 parameters.

Inputs context (B, 3); outputs output (T, B, 4).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_context = 3, N_hidden = 5, N_output = 4.

 (1)  n_i_hidden[t,b,i] = sum_j W_i_hidden_context[i,j]*context[b,j]
          + sum_j W_i_hidden_output_1[i,j]*output[t-1,b,j]
          + sum_j U_i_hidden[i,j]*hidden[t-1,b,j] + b_i_hidden[i]
 (2)  i_hidden[t,b,i] = sigmoid(n_i_hidden[t,b,i])
 (3)  n_f_hidden[t,b,i] = sum_j W_f_hidden_context[i,j]*context[b,j]
          + sum_j W_f_hidden_output_1[i,j]*output[t-1,b,j]
          + sum_j U_f_hidden[i,j]*hidden[t-1,b,j] + b_f_hidden[i]
 (4)  f_hidden[t,b,i] = sigmoid(n_f_hidden[t,b,i])
 (5)  n_g_hidden[t,b,i] = sum_j W_g_hidden_context[i,j]*context[b,j]
          + sum_j W_g_hidden_output_1[i,j]*output[t-1,b,j]
          + sum_j U_g_hidden[i,j]*hidden[t-1,b,j] + b_g_hidden[i]
 (6)  g_hidden[t,b,i] = tanh(n_g_hidden[t,b,i])
 (7)  n_o_hidden[t,b,i] = sum_j W_o_hidden_context[i,j]*context[b,j]
          + sum_j W_o_hidden_output_1[i,j]*output[t-1,b,j]
          + sum_j U_o_hidden[i,j]*hidden[t-1,b,j] + b_o_hidden[i]
 (8)  o_hidden[t,b,i] = sigmoid(n_o_hidden[t,b,i])
 (9)  c_hidden[t,b,i] = c_hidden[t-1,b,i]*f_hidden[t,b,i] + g_hidden[t,b,i]*i_hidden[t,b,i]
(10)  hidden[t,b,i] = o_hidden[t,b,i]*tanh(c_hidden[t,b,i])
(11)  n_output[t,b,i] = sum_j W_output_hidden[i,j]*hidden[t,b,j] + b_output[i]
(12)  logsumexp_output[t,b] = log(sum_i exp(n_output[t,b,i]))
(13)  output[t,b,i] = exp(n_output[t,b,i] - logsumexp_output[t,b])
(14)  loss = sum_t,b logsumexp_output[t,b]/(B*T)
          - sum_t,b,i n_output[t,b,i]*target_output[t,b,i]/(B*T)
(15)  d_output[t,b,i] = sum_j W_o_hidden_output_1[j,i]*d_n_o_hidden[t+1,b,j] [t <= T-2]
          + sum_j W_g_hidden_output_1[j,i]*d_n_g_hidden[t+1,b,j] [t <= T-2]
          + sum_j W_f_hidden_output_1[j,i]*d_n_f_hidden[t+1,b,j] [t <= T-2]
          + sum_j W_i_hidden_output_1[j,i]*d_n_i_hidden[t+1,b,j] [t <= T-2]
(16)  d_logsumexp_output[t,b] = 1/(B*T) - sum_i d_output[t,b,i]*output[t,b,i]
(17)  d_n_output[t,b,i] = -target_output[t,b,i]/(B*T) + d_output[t,b,i]*output[t,b,i]
          + d_logsumexp_output[t,b]*output[t,b,i]
(18)  d_hidden[t,b,i] = sum_j W_output_hidden[j,i]*d_n_output[t,b,j]
          + sum_j U_o_hidden[j,i]*d_n_o_hidden[t+1,b,j] [t <= T-2]
          + sum_j U_g_hidden[j,i]*d_n_g_hidden[t+1,b,j] [t <= T-2]
          + sum_j U_f_hidden[j,i]*d_n_f_hidden[t+1,b,j] [t <= T-2]
          + sum_j U_i_hidden[j,i]*d_n_i_hidden[t+1,b,j] [t <= T-2]
(19)  d_c_hidden[t,b,i] = d_hidden[t,b,i]*o_hidden[t,b,i]*(1 - tanh(c_hidden[t,b,i])^2)
          + d_c_hidden[t+1,b,i]*f_hidden[t+1,b,i] [t <= T-2]
(20)  d_o_hidden[t,b,i] = d_hidden[t,b,i]*tanh(c_hidden[t,b,i])
(21)  d_n_o_hidden[t,b,i] = d_o_hidden[t,b,i]*o_hidden[t,b,i]*(1 - o_hidden[t,b,i])
(22)  d_g_hidden[t,b,i] = d_c_hidden[t,b,i]*i_hidden[t,b,i]
(23)  d_n_g_hidden[t,b,i] = d_g_hidden[t,b,i]*(1 - g_hidden[t,b,i]^2)
(24)  d_f_hidden[t,b,i] = d_c_hidden[t,b,i]*c_hidden[t-1,b,i]
(25)  d_n_f_hidden[t,b,i] = d_f_hidden[t,b,i]*f_hidden[t,b,i]*(1 - f_hidden[t,b,i])
(26)  d_i_hidden[t,b,i] = d_c_hidden[t,b,i]*g_hidden[t,b,i]
(27)  d_n_i_hidden[t,b,i] = d_i_hidden[t,b,i]*i_hidden[t,b,i]*(1 - i_hidden[t,b,i])
(28)  d_context[b,i] = sum_t,j W_o_hidden_context[j,i]*d_n_o_hidden[t,b,j]
          + sum_t,j W_g_hidden_context[j,i]*d_n_g_hidden[t,b,j]
          + sum_t,j W_f_hidden_context[j,i]*d_n_f_hidden[t,b,j]
          + sum_t,j W_i_hidden_context[j,i]*d_n_i_hidden[t,b,j]
(29)  d_W_i_hidden_context[i,j] = sum_t,b context[b,j]*d_n_i_hidden[t,b,i]
(30)  d_W_i_hidden_output_1[i,j] = sum_t,b d_n_i_hidden[t,b,i]*output[t-1,b,j]
(31)  d_U_i_hidden[i,j] = sum_t,b d_n_i_hidden[t,b,i]*hidden[t-1,b,j]
(32)  d_b_i_hidden[i] = sum_t,b d_n_i_hidden[t,b,i]
(33)  d_W_f_hidden_context[i,j] = sum_t,b context[b,j]*d_n_f_hidden[t,b,i]
(34)  d_W_f_hidden_output_1[i,j] = sum_t,b d_n_f_hidden[t,b,i]*output[t-1,b,j]
(35)  d_U_f_hidden[i,j] = sum_t,b d_n_f_hidden[t,b,i]*hidden[t-1,b,j]
(36)  d_b_f_hidden[i] = sum_t,b d_n_f_hidden[t,b,i]
(37)  d_W_g_hidden_context[i,j] = sum_t,b context[b,j]*d_n_g_hidden[t,b,i]
(38)  d_W_g_hidden_output_1[i,j] = sum_t,b d_n_g_hidden[t,b,i]*output[t-1,b,j]
(39)  d_U_g_hidden[i,j] = sum_t,b d_n_g_hidden[t,b,i]*hidden[t-1,b,j]
(40)  d_b_g_hidden[i] = sum_t,b d_n_g_hidden[t,b,i]
(41)  d_W_o_hidden_context[i,j] = sum_t,b context[b,j]*d_n_o_hidden[t,b,i]
(42)  d_W_o_hidden_output_1[i,j] = sum_t,b d_n_o_hidden[t,b,i]*output[t-1,b,j]
(43)  d_U_o_hidden[i,j] = sum_t,b d_n_o_hidden[t,b,i]*hidden[t-1,b,j]
(44)  d_b_o_hidden[i] = sum_t,b d_n_o_hidden[t,b,i]
(45)  d_W_output_hidden[i,j] = sum_t,b d_n_output[t,b,i]*hidden[t,b,j]
(46)  d_b_output[i] = sum_t,b d_n_output[t,b,i]
(47)  d_initial_output[k,b,i] = sum_j W_o_hidden_output_1[j,i]*d_n_o_hidden[k,b,j]
          + sum_j W_g_hidden_output_1[j,i]*d_n_g_hidden[k,b,j]
          + sum_j W_f_hidden_output_1[j,i]*d_n_f_hidden[k,b,j]
          + sum_j W_i_hidden_output_1[j,i]*d_n_i_hidden[k,b,j]
(48)  d_initial_hidden[k,b,i] = sum_j U_o_hidden[j,i]*d_n_o_hidden[k,b,j]
          + sum_j U_g_hidden[j,i]*d_n_g_hidden[k,b,j]
          + sum_j U_f_hidden[j,i]*d_n_f_hidden[k,b,j]
          + sum_j U_i_hidden[j,i]*d_n_i_hidden[k,b,j]
(49)  d_initial_c_hidden[k,b,i] = d_c_hidden[k,b,i]*f_hidden[k,b,i]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "W_i_hidden_context": (5, 3),
    "W_i_hidden_output_1": (5, 4),
    "U_i_hidden": (5, 5),
    "b_i_hidden": (5,),
    "W_f_hidden_context": (5, 3),
    "W_f_hidden_output_1": (5, 4),
    "U_f_hidden": (5, 5),
    "b_f_hidden": (5,),
    "W_g_hidden_context": (5, 3),
    "W_g_hidden_output_1": (5, 4),
    "U_g_hidden": (5, 5),
    "b_g_hidden": (5,),
    "W_o_hidden_context": (5, 3),
    "W_o_hidden_output_1": (5, 4),
    "U_o_hidden": (5, 5),
    "b_o_hidden": (5,),
    "W_output_hidden": (4, 5),
    "b_output": (4,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "context": ("B", 3),
}
OUTPUTS = {
    "output": ("T", "B", 4),
}
TARGETS = {
    "output": ("T", "B", 4),
}
MASKS = ()
CLASSES = ("output",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "output": {
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
    "output": (1, "B", 4),
    "hidden": (1, "B", 5),
    "c_hidden": (1, "B", 5),
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "hidden": (
        ("W_i_hidden_context", "W_i_hidden_output_1", "U_i_hidden", "b_i_hidden"),
        ("W_f_hidden_context", "W_f_hidden_output_1", "U_f_hidden", "b_f_hidden"),
        ("W_g_hidden_context", "W_g_hidden_output_1", "U_g_hidden", "b_g_hidden"),
        ("W_o_hidden_context", "W_o_hidden_output_1", "U_o_hidden", "b_o_hidden"),
    ),
    "output": (
        ("W_output_hidden", "b_output"),
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
        "i_hidden": arrays["i_hidden"],
        "f_hidden": arrays["f_hidden"],
        "g_hidden": arrays["g_hidden"],
        "o_hidden": arrays["o_hidden"],
        "c_hidden": arrays["c_hidden"][1 : 1 + T],
        "hidden": arrays["hidden"][1 : 1 + T],
        "output": arrays["output"][1 : 1 + T],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps and sequences of -sum(target_output*log(output)).
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
    context = arrays["context"]
    c_hidden = arrays["c_hidden"]
    hidden = arrays["hidden"]
    output = arrays["output"]
    W_i_hidden_context = arrays["W_i_hidden_context"]
    W_i_hidden_output_1 = arrays["W_i_hidden_output_1"]
    U_i_hidden = arrays["U_i_hidden"]
    b_i_hidden = arrays["b_i_hidden"]
    W_f_hidden_context = arrays["W_f_hidden_context"]
    W_f_hidden_output_1 = arrays["W_f_hidden_output_1"]
    U_f_hidden = arrays["U_f_hidden"]
    b_f_hidden = arrays["b_f_hidden"]
    W_g_hidden_context = arrays["W_g_hidden_context"]
    W_g_hidden_output_1 = arrays["W_g_hidden_output_1"]
    U_g_hidden = arrays["U_g_hidden"]
    b_g_hidden = arrays["b_g_hidden"]
    W_o_hidden_context = arrays["W_o_hidden_context"]
    W_o_hidden_output_1 = arrays["W_o_hidden_output_1"]
    U_o_hidden = arrays["U_o_hidden"]
    b_o_hidden = arrays["b_o_hidden"]
    W_output_hidden = arrays["W_output_hidden"]
    b_output = arrays["b_output"]

    W_hidden_output_1 = np.concatenate(
        (W_o_hidden_output_1, W_f_hidden_output_1, W_i_hidden_output_1, W_g_hidden_output_1)
    )
    U_hidden = np.concatenate((U_o_hidden, U_f_hidden, U_i_hidden, U_g_hidden))
    W_hidden_context = np.concatenate(
        (W_o_hidden_context, W_f_hidden_context, W_i_hidden_context, W_g_hidden_context)
    )
    b_hidden = np.concatenate((b_o_hidden, b_f_hidden, b_i_hidden, b_g_hidden))
    n_hidden = np.zeros((T, B, 20), dtype)
    n_f_hidden = n_hidden[:, :, 5:10]
    n_g_hidden = n_hidden[:, :, 15:20]
    n_i_hidden = n_hidden[:, :, 10:15]
    n_o_hidden = n_hidden[:, :, :5]
    g_hidden = n_g_hidden  # takes its place, step by step
    f_hidden = n_f_hidden  # takes its place, step by step
    i_hidden = n_i_hidden  # takes its place, step by step
    o_hidden = n_o_hidden  # takes its place, step by step
    n_hidden += (context @ W_hidden_context.T) + b_hidden  # (1) (3) (5) (7) ij,bj->bi
    n_output = np.zeros((T, B, 4), dtype)
    n_output += b_output  # (11)
    tanh_c_hidden = np.empty((T, B, 5), dtype)
    logsumexp_output = np.empty((T, B), dtype)
    for t in range(T):
        n_hidden_t = n_hidden[t]
        n_hidden_t += output[t] @ W_hidden_output_1.T  # (1) (3) (5) (7) ij,bj->bi
        n_hidden_t += hidden[t] @ U_hidden.T  # (1) (3) (5) (7) ij,bj->bi
        g_hidden_t = np.tanh(n_g_hidden[t], out=g_hidden[t])  # (6)
        _sigmoid(n_hidden_t[:, :15], out=n_hidden_t[:, :15])  # (2) (4) (8)
        c_hidden_t = np.multiply(c_hidden[t], f_hidden[t], out=c_hidden[t + 1])  # (9)
        c_hidden_t += g_hidden_t * i_hidden[t]  # (9)
        tanh_c_hidden_t = np.tanh(c_hidden_t, out=tanh_c_hidden[t])  # (10)
        hidden_t = np.multiply(o_hidden[t], tanh_c_hidden_t, out=hidden[t + 1])  # (10)
        n_output_t = n_output[t]
        n_output_t += hidden_t @ W_output_hidden.T  # (11) ij,bj->bi
        logsumexp_output[t] = logsumexp_output_t = _logsumexp(n_output_t, axis=1)  # (12)
        output_t = np.exp(n_output_t - logsumexp_output_t[:, None], out=output[t + 1])  # (13)
    arrays["i_hidden"] = i_hidden
    arrays["f_hidden"] = f_hidden
    arrays["g_hidden"] = g_hidden
    arrays["o_hidden"] = o_hidden
    arrays["tanh_c_hidden"] = tanh_c_hidden
    arrays["n_output"] = n_output
    arrays["logsumexp_output"] = logsumexp_output


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    n_output = arrays["n_output"]
    logsumexp_output = arrays["logsumexp_output"]
    target_output = arrays["target_output"]

    loss = (  # (14) tb->, tbi->
        1 / (B * T) * logsumexp_output.sum()
        - 1 / (B * T) * (n_output * target_output).sum()
    )
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    context = arrays["context"]
    i_hidden = arrays["i_hidden"]
    f_hidden = arrays["f_hidden"]
    g_hidden = arrays["g_hidden"]
    o_hidden = arrays["o_hidden"]
    c_hidden = arrays["c_hidden"]
    hidden = arrays["hidden"]
    output = arrays["output"]
    W_i_hidden_output_1 = arrays["W_i_hidden_output_1"]
    U_i_hidden = arrays["U_i_hidden"]
    W_f_hidden_output_1 = arrays["W_f_hidden_output_1"]
    U_f_hidden = arrays["U_f_hidden"]
    W_g_hidden_output_1 = arrays["W_g_hidden_output_1"]
    U_g_hidden = arrays["U_g_hidden"]
    W_o_hidden_output_1 = arrays["W_o_hidden_output_1"]
    U_o_hidden = arrays["U_o_hidden"]
    W_output_hidden = arrays["W_output_hidden"]
    target_output = arrays["target_output"]
    tanh_c_hidden = arrays["tanh_c_hidden"]

    W_hidden_output_1 = np.concatenate(
        (W_o_hidden_output_1, W_f_hidden_output_1, W_i_hidden_output_1, W_g_hidden_output_1)
    )
    U_hidden = np.concatenate((U_o_hidden, U_f_hidden, U_i_hidden, U_g_hidden))
    d_logsumexp_output = np.zeros((T, B), dtype)
    d_logsumexp_output += 1 / (B * T)  # (16)
    d_n_output = -(1 / (B * T) * target_output)  # (17)
    d_c_hidden_per_d_hidden = o_hidden * (1 - tanh_c_hidden ** 2)  # (19)
    d_n_f_hidden_per_d_c_hidden = c_hidden[:T] * f_hidden * (1 - f_hidden)  # (24) (25)
    d_n_g_hidden_per_d_c_hidden = i_hidden * (1 - g_hidden ** 2)  # (22) (23)
    d_n_i_hidden_per_d_c_hidden = g_hidden * i_hidden * (1 - i_hidden)  # (26) (27)
    d_n_o_hidden_per_d_hidden = tanh_c_hidden * o_hidden * (1 - o_hidden)  # (20) (21)
    d_c_hidden = np.empty((T, B, 5), dtype)
    d_n_hidden = np.empty((T, B, 20), dtype)
    d_n_f_hidden = d_n_hidden[:, :, 5:10]
    d_n_g_hidden = d_n_hidden[:, :, 15:20]
    d_n_i_hidden = d_n_hidden[:, :, 10:15]
    d_n_o_hidden = d_n_hidden[:, :, :5]
    for t in range(T - 1, -1, -1):
        output_t = output[t + 1]
        d_output_t = np.zeros((B, 4), dtype)
        if t < T - 1:
            d_output_t += d_n_hidden[t + 1] @ W_hidden_output_1  # (15) ij,bj->bi
        d_logsumexp_output_t = d_logsumexp_output[t]
        d_logsumexp_output_t -= (d_output_t * output_t).sum(axis=1)  # (16) bi->b
        d_n_output_t = d_n_output[t]
        d_n_output_t += d_output_t * output_t  # (17)
        d_n_output_t += d_logsumexp_output_t[:, None] * output_t  # (17)
        d_hidden_t = d_n_output_t @ W_output_hidden  # (18) ij,bj->bi
        if t < T - 1:
            d_hidden_t += d_n_hidden[t + 1] @ U_hidden  # (18) ij,bj->bi
        d_c_hidden_t = np.multiply(  # (19)
            d_hidden_t, d_c_hidden_per_d_hidden[t], out=d_c_hidden[t]
        )
        if t < T - 1:
            d_c_hidden_t += d_c_hidden[t + 1] * f_hidden[t + 1]  # (19)
        d_n_f_hidden_t = np.multiply(  # (24) (25)
            d_c_hidden_t, d_n_f_hidden_per_d_c_hidden[t], out=d_n_f_hidden[t]
        )
        d_n_g_hidden_t = np.multiply(  # (22) (23)
            d_c_hidden_t, d_n_g_hidden_per_d_c_hidden[t], out=d_n_g_hidden[t]
        )
        d_n_i_hidden_t = np.multiply(  # (26) (27)
            d_c_hidden_t, d_n_i_hidden_per_d_c_hidden[t], out=d_n_i_hidden[t]
        )
        d_n_o_hidden_t = np.multiply(  # (20) (21)
            d_hidden_t, d_n_o_hidden_per_d_hidden[t], out=d_n_o_hidden[t]
        )
    d_W_hidden_context = d_n_hidden.sum(axis=0).T @ context  # (29) (33) (37) (41) bj,bi->ij
    d_W_i_hidden_context = d_W_hidden_context[10:15]
    d_W_f_hidden_context = d_W_hidden_context[5:10]
    d_W_g_hidden_context = d_W_hidden_context[15:20]
    d_W_o_hidden_context = d_W_hidden_context[:5]
    d_W_hidden_output_1 = (  # (30) (34) (38) (42) tbi,tbj->ij
        _rows(d_n_hidden).T @ _rows(output[:T])
    )
    d_W_i_hidden_output_1 = d_W_hidden_output_1[10:15]
    d_W_f_hidden_output_1 = d_W_hidden_output_1[5:10]
    d_W_g_hidden_output_1 = d_W_hidden_output_1[15:20]
    d_W_o_hidden_output_1 = d_W_hidden_output_1[:5]
    d_U_hidden = _rows(d_n_hidden).T @ _rows(hidden[:T])  # (31) (35) (39) (43) tbi,tbj->ij
    d_U_i_hidden = d_U_hidden[10:15]
    d_U_f_hidden = d_U_hidden[5:10]
    d_U_g_hidden = d_U_hidden[15:20]
    d_U_o_hidden = d_U_hidden[:5]
    d_b_hidden = d_n_hidden.sum(axis=(0, 1))  # (32) (36) (40) (44) tbi->i
    d_b_i_hidden = d_b_hidden[10:15]
    d_b_f_hidden = d_b_hidden[5:10]
    d_b_g_hidden = d_b_hidden[15:20]
    d_b_o_hidden = d_b_hidden[:5]
    d_W_output_hidden = _rows(d_n_output).T @ _rows(hidden[1:])  # (45) tbi,tbj->ij
    d_b_output = d_n_output.sum(axis=(0, 1))  # (46) tbi->i
    arrays["d_c_hidden"] = d_c_hidden
    arrays["d_W_i_hidden_context"] = d_W_i_hidden_context
    arrays["d_W_i_hidden_output_1"] = d_W_i_hidden_output_1
    arrays["d_U_i_hidden"] = d_U_i_hidden
    arrays["d_b_i_hidden"] = d_b_i_hidden
    arrays["d_W_f_hidden_context"] = d_W_f_hidden_context
    arrays["d_W_f_hidden_output_1"] = d_W_f_hidden_output_1
    arrays["d_U_f_hidden"] = d_U_f_hidden
    arrays["d_b_f_hidden"] = d_b_f_hidden
    arrays["d_W_g_hidden_context"] = d_W_g_hidden_context
    arrays["d_W_g_hidden_output_1"] = d_W_g_hidden_output_1
    arrays["d_U_g_hidden"] = d_U_g_hidden
    arrays["d_b_g_hidden"] = d_b_g_hidden
    arrays["d_W_o_hidden_context"] = d_W_o_hidden_context
    arrays["d_W_o_hidden_output_1"] = d_W_o_hidden_output_1
    arrays["d_U_o_hidden"] = d_U_o_hidden
    arrays["d_b_o_hidden"] = d_b_o_hidden
    arrays["d_W_output_hidden"] = d_W_output_hidden
    arrays["d_b_output"] = d_b_output
    arrays["d_n_hidden"] = d_n_hidden


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    W_i_hidden_context = arrays["W_i_hidden_context"]
    W_f_hidden_context = arrays["W_f_hidden_context"]
    W_g_hidden_context = arrays["W_g_hidden_context"]
    W_o_hidden_context = arrays["W_o_hidden_context"]
    d_n_hidden = arrays["d_n_hidden"]

    W_hidden_context = np.concatenate(
        (W_o_hidden_context, W_f_hidden_context, W_i_hidden_context, W_g_hidden_context)
    )
    d_context = d_n_hidden.sum(axis=0) @ W_hidden_context  # (28) ij,bj->bi
    arrays["d_context"] = d_context


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    f_hidden = arrays["f_hidden"]
    W_i_hidden_output_1 = arrays["W_i_hidden_output_1"]
    U_i_hidden = arrays["U_i_hidden"]
    W_f_hidden_output_1 = arrays["W_f_hidden_output_1"]
    U_f_hidden = arrays["U_f_hidden"]
    W_g_hidden_output_1 = arrays["W_g_hidden_output_1"]
    U_g_hidden = arrays["U_g_hidden"]
    W_o_hidden_output_1 = arrays["W_o_hidden_output_1"]
    U_o_hidden = arrays["U_o_hidden"]
    d_c_hidden = arrays["d_c_hidden"]
    d_n_hidden = arrays["d_n_hidden"]

    W_hidden_output_1 = np.concatenate(
        (W_o_hidden_output_1, W_f_hidden_output_1, W_i_hidden_output_1, W_g_hidden_output_1)
    )
    U_hidden = np.concatenate((U_o_hidden, U_f_hidden, U_i_hidden, U_g_hidden))
    d_initial_output = (  # (47) ij,kbj->kbi
        (_rows(d_n_hidden[:1]) @ W_hidden_output_1).reshape(-1, B, 4)
    )
    d_initial_hidden = (_rows(d_n_hidden[:1]) @ U_hidden).reshape(-1, B, 5)  # (48) ij,kbj->kbi
    d_initial_c_hidden = d_c_hidden[:1] * f_hidden[:1]  # (49)
    arrays["d_initial_output"] = d_initial_output
    arrays["d_initial_hidden"] = d_initial_hidden
    arrays["d_initial_c_hidden"] = d_initial_c_hidden


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
_BIASES = {"b_f_hidden", "b_g_hidden", "b_i_hidden", "b_o_hidden", "b_output"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "output"): "target_output",
}
_GRADIENTS = {
    "W_i_hidden_context": "d_W_i_hidden_context",
    "W_i_hidden_output_1": "d_W_i_hidden_output_1",
    "U_i_hidden": "d_U_i_hidden",
    "b_i_hidden": "d_b_i_hidden",
    "W_f_hidden_context": "d_W_f_hidden_context",
    "W_f_hidden_output_1": "d_W_f_hidden_output_1",
    "U_f_hidden": "d_U_f_hidden",
    "b_f_hidden": "d_b_f_hidden",
    "W_g_hidden_context": "d_W_g_hidden_context",
    "W_g_hidden_output_1": "d_W_g_hidden_output_1",
    "U_g_hidden": "d_U_g_hidden",
    "b_g_hidden": "d_b_g_hidden",
    "W_o_hidden_context": "d_W_o_hidden_context",
    "W_o_hidden_output_1": "d_W_o_hidden_output_1",
    "U_o_hidden": "d_U_o_hidden",
    "b_o_hidden": "d_b_o_hidden",
    "W_output_hidden": "d_W_output_hidden",
    "b_output": "d_b_output",
}
_INPUT_GRADIENTS = {"context": "d_context"}
_INITIAL_GRADIENTS = {
    "output": "d_initial_output", "hidden": "d_initial_hidden", "c_hidden": "d_initial_c_hidden"
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
    arrays["output"] = _extended(T, (B, 4), outside.get("output"), 1, None, 0, dtype)
    arrays["hidden"] = _extended(T, (B, 5), outside.get("hidden"), 1, None, 0, dtype)
    arrays["c_hidden"] = _extended(T, (B, 5), outside.get("c_hidden"), 1, None, 0, dtype)
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
# Generated. SHA-256 of all above: 1b331dee016641d06a7a672fd11345115ff312ef64a203b633c52510e422cbfa
