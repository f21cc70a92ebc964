"""self_attention: a recurrent network with 151 parameters.

Inputs x (T, B, 4), valid (T, B); outputs y (T, B, 4), label (B, 3).

Arrays are laid out (time, batch, width); T, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1 steps, b = 0..B-1 sequences; sizes N_x = 4, N_label = 3, N_Q1_1 = 4, N_K1_1 = 4,
N_V1_1 = 4, N_Q2_1 = 4, N_K2_1 = 4, N_V2_1 = 4.

 (1)  q1[t,b,i] = sum_j Q1[i,j]*x[t,b,j]
 (2)  k1[t,b,i] = sum_j K1[i,j]*x[t,b,j]
 (3)  v1[t,b,i] = sum_j V1[i,j]*x[t,b,j]
 (4)  e1[t,s,b] = sum_i 0.7071067811865476*k1[s,b,i]*q1[t,b,i] [i <= 1]
 (5)  e2[t,s,b] = sum_i 0.7071067811865476*k1[s,b,i+2]*q1[t,b,i+2] [i <= 1]
 (6)  n_a1[t,s,b] = e1[t,s,b] + (-1e+30 + 1e+30*valid[s,b])
 (7)  logsumexp_a1[t,b] = log(sum_s exp(n_a1[t,s,b]))
 (8)  a1[t,s,b] = valid[s,b]*exp(n_a1[t,s,b] - logsumexp_a1[t,b])
 (9)  n_a2[t,s,b] = e2[t,s,b] + (-1e+30 + 1e+30*valid[s,b])
(10)  logsumexp_a2[t,b] = log(sum_s exp(n_a2[t,s,b]))
(11)  a2[t,s,b] = valid[s,b]*exp(n_a2[t,s,b] - logsumexp_a2[t,b])
(12)  o1[t,b,i] = sum_s a1[t,s,b]*v1[s,b,i] [i <= 1] + sum_s a2[t,s,b]*v1[s,b,i] [i >= 2]
(13)  n_h[t,b,i] = x[t,b,i] + sum_j O1[i,j]*o1[t,b,j]
(14)  centred_h[t,b,i] = n_h[t,b,i] - sum_j n_h[t,b,j]/N_x
(15)  variance_h[t,b] = sum_i centred_h[t,b,i]^2/N_x
(16)  h[t,b,i] = s_h[i]*centred_h[t,b,i]/sqrt(1e-05 + variance_h[t,b]) + b_h[i]
(17)  q2[t,b,i] = sum_j Q2[i,j]*h[t,b,j]
(18)  k2[t,b,i] = sum_j K2[i,j]*h[t,b,j]
(19)  v2[t,b,i] = sum_j V2[i,j]*h[t,b,j]
(20)  e3[t,s,b] = sum_i 0.7071067811865476*k2[s,b,i]*q2[t,b,i] [i <= 1]
(21)  e4[t,s,b] = sum_i 0.7071067811865476*k2[s,b,i+2]*q2[t,b,i+2] [i <= 1]
(22)  logsumexp_a3[t,b] = log(sum_s exp(e3[t,s,b]) [s <= t])
(23)  a3[t,s,b] = exp(e3[t,s,b] - logsumexp_a3[t,b]) [s <= t]
(24)  logsumexp_a4[t,b] = log(sum_s exp(e4[t,s,b]) [s <= t])
(25)  a4[t,s,b] = exp(e4[t,s,b] - logsumexp_a4[t,b]) [s <= t]
(26)  o2[t,b,i] = sum_s a3[t,s,b]*v2[s,b,i] [i <= 1, s <= t]
          + sum_s a4[t,s,b]*v2[s,b,i] [i >= 2, s <= t]
(27)  y[t,b,i] = h[t,b,i] + sum_j O2[i,j]*o2[t,b,j]
(28)  count[b] = sum_t valid[t,b]
(29)  sum_valid_y[b,i] = sum_t valid[t,b]*y[t,b,i]
(30)  pooled[b,i] = sum_valid_y[b,i]/count[b]
(31)  n_label[b,i] = sum_j W[i,j]*pooled[b,j] + b[i]
(32)  logsumexp_label[b] = log(sum_i exp(n_label[b,i]))
(33)  label[b,i] = exp(n_label[b,i] - logsumexp_label[b])
(34)  total_weight_y = sum_t,b valid[t,b]
(35)  loss_y = sum_t,b,i valid[t,b]*(y[t,b,i] - target_y[t,b,i])^2/(N_x*total_weight_y)
(36)  loss_label = sum_b logsumexp_label[b]/B - sum_b,i n_label[b,i]*target_label[b,i]/B
(37)  loss = loss_y + loss_label
(38)  d_n_label[b,i] = (label[b,i] - target_label[b,i])/B
(39)  d_pooled[b,i] = sum_j W[j,i]*d_n_label[b,j]
(40)  d_sum_valid_y[b,i] = d_pooled[b,i]/count[b]
(41)  d_y[t,b,i] = 2*valid[t,b]*(y[t,b,i] - target_y[t,b,i])/(N_x*total_weight_y)
          + d_sum_valid_y[b,i]*valid[t,b]
(42)  d_o2[t,b,i] = sum_j O2[j,i]*d_y[t,b,j]
(43)  d_a4[t,s,b] = sum_i d_o2[t,b,i]*v2[s,b,i] [i >= 2, s <= t]
(44)  d_logsumexp_a4[t,b] = -sum_s d_a4[t,s,b]*a4[t,s,b] [s <= t]
(45)  d_a3[t,s,b] = sum_i d_o2[t,b,i]*v2[s,b,i] [i <= 1, s <= t]
(46)  d_logsumexp_a3[t,b] = -sum_s d_a3[t,s,b]*a3[t,s,b] [s <= t]
(47)  d_e4[t,s,b] = d_a4[t,s,b]*a4[t,s,b] [s <= t] + d_logsumexp_a4[t,b]*a4[t,s,b] [s <= t]
(48)  d_e3[t,s,b] = d_a3[t,s,b]*a3[t,s,b] [s <= t] + d_logsumexp_a3[t,b]*a3[t,s,b] [s <= t]
(49)  d_v2[t,b,i] = sum_s d_o2[s,b,i]*a3[s,t,b] [i <= 1, s >= t]
          + sum_s d_o2[s,b,i]*a4[s,t,b] [i <= 3, s >= t, i >= 2]
(50)  d_k2[t,b,i] = sum_s 0.7071067811865476*d_e4[s,t,b]*q2[s,b,i] [i <= 3, i >= 2]
          + sum_s 0.7071067811865476*d_e3[s,t,b]*q2[s,b,i] [i <= 1]
(51)  d_q2[t,b,i] = sum_s 0.7071067811865476*d_e4[t,s,b]*k2[s,b,i] [i <= 3, i >= 2]
          + sum_s 0.7071067811865476*d_e3[t,s,b]*k2[s,b,i] [i <= 1]
(52)  d_h[t,b,i] = d_y[t,b,i] + sum_j V2[j,i]*d_v2[t,b,j] + sum_j K2[j,i]*d_k2[t,b,j]
          + sum_j Q2[j,i]*d_q2[t,b,j]
(53)  d_variance_h[t,b] = -sum_i s_h[i]*d_h[t,b,i]*centred_h[t,b,i]/(2*(1e-05 + variance_h[t,b])^(3/2))
(54)  d_centred_h[t,b,i] = s_h[i]*d_h[t,b,i]/sqrt(1e-05 + variance_h[t,b])
          + 2*d_variance_h[t,b]*centred_h[t,b,i]/N_x
(55)  d_n_h[t,b,i] = d_centred_h[t,b,i] - sum_j d_centred_h[t,b,j]/N_x
(56)  d_o1[t,b,i] = sum_j O1[j,i]*d_n_h[t,b,j]
(57)  d_a2[t,s,b] = sum_i d_o1[t,b,i]*v1[s,b,i] [i >= 2]
(58)  d_logsumexp_a2[t,b] = -sum_s d_a2[t,s,b]*valid[s,b]*exp(n_a2[t,s,b] - logsumexp_a2[t,b])
(59)  d_n_a2[t,s,b] = d_a2[t,s,b]*valid[s,b]*exp(n_a2[t,s,b] - logsumexp_a2[t,b])
          + d_logsumexp_a2[t,b]*exp(n_a2[t,s,b] - logsumexp_a2[t,b])
(60)  d_a1[t,s,b] = sum_i d_o1[t,b,i]*v1[s,b,i] [i <= 1]
(61)  d_logsumexp_a1[t,b] = -sum_s d_a1[t,s,b]*valid[s,b]*exp(n_a1[t,s,b] - logsumexp_a1[t,b])
(62)  d_n_a1[t,s,b] = d_a1[t,s,b]*valid[s,b]*exp(n_a1[t,s,b] - logsumexp_a1[t,b])
          + d_logsumexp_a1[t,b]*exp(n_a1[t,s,b] - logsumexp_a1[t,b])
(63)  d_e2[t,s,b] = d_n_a2[t,s,b]
(64)  d_e1[t,s,b] = d_n_a1[t,s,b]
(65)  d_v1[t,b,i] = sum_s d_o1[s,b,i]*a1[s,t,b] [i <= 1]
          + sum_s d_o1[s,b,i]*a2[s,t,b] [i <= 3, i >= 2]
(66)  d_k1[t,b,i] = sum_s 0.7071067811865476*d_e2[s,t,b]*q1[s,b,i] [i <= 3, i >= 2]
          + sum_s 0.7071067811865476*d_e1[s,t,b]*q1[s,b,i] [i <= 1]
(67)  d_q1[t,b,i] = sum_s 0.7071067811865476*d_e2[t,s,b]*k1[s,b,i] [i <= 3, i >= 2]
          + sum_s 0.7071067811865476*d_e1[t,s,b]*k1[s,b,i] [i <= 1]
(68)  d_x[t,b,i] = d_n_h[t,b,i] + sum_j V1[j,i]*d_v1[t,b,j] + sum_j K1[j,i]*d_k1[t,b,j]
          + sum_j Q1[j,i]*d_q1[t,b,j]
(69)  d_Q1[i,j] = sum_t,b d_q1[t,b,i]*x[t,b,j]
(70)  d_K1[i,j] = sum_t,b d_k1[t,b,i]*x[t,b,j]
(71)  d_V1[i,j] = sum_t,b d_v1[t,b,i]*x[t,b,j]
(72)  d_Q2[i,j] = sum_t,b d_q2[t,b,i]*h[t,b,j]
(73)  d_K2[i,j] = sum_t,b d_k2[t,b,i]*h[t,b,j]
(74)  d_V2[i,j] = sum_t,b d_v2[t,b,i]*h[t,b,j]
(75)  d_O1[i,j] = sum_t,b d_n_h[t,b,i]*o1[t,b,j]
(76)  d_s_h[i] = sum_t,b d_h[t,b,i]*centred_h[t,b,i]/sqrt(1e-05 + variance_h[t,b])
(77)  d_b_h[i] = sum_t,b d_h[t,b,i]
(78)  d_O2[i,j] = sum_t,b d_y[t,b,i]*o2[t,b,j]
(79)  d_W[i,j] = sum_b pooled[b,j]*d_n_label[b,i]
(80)  d_b[i] = sum_b d_n_label[b,i]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "Q1": (4, 4),
    "K1": (4, 4),
    "V1": (4, 4),
    "Q2": (4, 4),
    "K2": (4, 4),
    "V2": (4, 4),
    "O1": (4, 4),
    "s_h": (4,),
    "b_h": (4,),
    "O2": (4, 4),
    "W": (3, 4),
    "b": (3,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T",)
INPUTS = {
    "x": ("T", "B", 4),
    "valid": ("T", "B"),
}
OUTPUTS = {
    "y": ("T", "B", 4),
    "label": ("B", 3),
}
TARGETS = {
    "y": ("T", "B", 4),
    "label": ("B", 3),
}
MASKS = ("valid",)
CLASSES = ("label",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "y": {
        "kinds": {"mse": 1}, "steps": "all", "mask": "valid", "differences": True, "squares": True
    },
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
}
AFTER = {}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "q1": (
        ("Q1",),
    ),
    "k1": (
        ("K1",),
    ),
    "v1": (
        ("V1",),
    ),
    "h": (
        ("O1",),
        ("s_h", "b_h"),
    ),
    "q2": (
        ("Q2",),
    ),
    "k2": (
        ("K2",),
    ),
    "v2": (
        ("V2",),
    ),
    "y": (
        ("O2",),
    ),
    "label": (
        ("W", "b"),
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
        "y": arrays["y"],
        "label": arrays["label"],
        "q1": arrays["q1"],
        "k1": arrays["k1"],
        "v1": arrays["v1"],
        "e1": arrays["e1"],
        "e2": arrays["e2"],
        "a1": arrays["a1"],
        "a2": arrays["a2"],
        "o1": arrays["o1"],
        "h": arrays["h"],
        "q2": arrays["q2"],
        "k2": arrays["k2"],
        "v2": arrays["v2"],
        "e3": arrays["e3"],
        "e4": arrays["e4"],
        "a3": arrays["a3"],
        "a4": arrays["a4"],
        "o2": arrays["o2"],
        "count": arrays["count"],
        "pooled": arrays["pooled"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    the weighted sum of
      1 * loss_y: mean over steps, sequences and units, weighted by valid[t,b], of (y - target_y)^2
      1 * loss_label: mean over steps and sequences of -sum(target_label*log(label))
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
    valid = arrays["valid"]
    Q1 = arrays["Q1"]
    K1 = arrays["K1"]
    V1 = arrays["V1"]
    Q2 = arrays["Q2"]
    K2 = arrays["K2"]
    V2 = arrays["V2"]
    O1 = arrays["O1"]
    s_h = arrays["s_h"]
    b_h = arrays["b_h"]
    O2 = arrays["O2"]
    W = arrays["W"]
    b = arrays["b"]

    where_s_t = np.arange(T)[:, None, None] >= np.arange(T)
    where_s_t_2 = np.arange(T)[:, None, None] >= np.arange(T)[:, None]
    stacked_Q1 = np.concatenate((Q1, K1, V1))
    stacked_Q2 = np.concatenate((Q2, K2, V2))
    stacked_q1 = (_rows(x) @ stacked_Q1.T).reshape(-1, B, 12)  # (1) (2) (3) ij,tbj->tbi
    k1 = stacked_q1[:, :, 4:8]
    q1 = stacked_q1[:, :, :4]
    v1 = stacked_q1[:, :, 8:12]
    e1 = (  # (4) sbi,tbi->tsb
        0.7071067811865476 * np.einsum('sbi,tbi->tsb', k1[:, :, :2], q1[:, :, :2])
    )
    e2 = (  # (5) sbi,tbi->tsb
        0.7071067811865476 * np.einsum('sbi,tbi->tsb', k1[:, :, 2:], q1[:, :, 2:])
    )
    n_a1 = e1 + (-1e+30 + 1e+30 * valid)  # (6)
    logsumexp_a1 = _logsumexp(n_a1.transpose(0, 2, 1), axis=2)  # (7)
    exp_logsumexp_a1_n_a1 = np.exp(n_a1 - logsumexp_a1[:, None, :])  # (8)
    a1 = exp_logsumexp_a1_n_a1 * valid  # (8)
    n_a2 = e2 + (-1e+30 + 1e+30 * valid)  # (9)
    logsumexp_a2 = _logsumexp(n_a2.transpose(0, 2, 1), axis=2)  # (10)
    exp_logsumexp_a2_n_a2 = np.exp(n_a2 - logsumexp_a2[:, None, :])  # (11)
    a2 = exp_logsumexp_a2_n_a2 * valid  # (11)
    o1 = np.zeros((T, B, 4), dtype)
    o1[:, :, :2] += np.einsum('tsb,sbi->tbi', a1, v1[:, :, :2])  # (12) tsb,sbi->tbi
    o1[:, :, 2:] += np.einsum('tsb,sbi->tbi', a2, v1[:, :, 2:])  # (12) tsb,sbi->tbi
    n_h = (_rows(o1) @ O1.T).reshape(-1, B, 4)  # (13) ij,tbj->tbi
    n_h += x  # (13)
    centred_h = n_h - 1 / 4 * n_h.sum(axis=2)[:, :, None]  # (14) tbj->tb
    variance_h = 1 / 4 * (centred_h ** 2).sum(axis=2)  # (15) tbi->tb
    h = s_h * centred_h / np.sqrt(1e-05 + variance_h[:, :, None]) + b_h  # (16)
    stacked_q2 = (_rows(h) @ stacked_Q2.T).reshape(-1, B, 12)  # (17) (18) (19) ij,tbj->tbi
    k2 = stacked_q2[:, :, 4:8]
    q2 = stacked_q2[:, :, :4]
    v2 = stacked_q2[:, :, 8:12]
    e3 = (  # (20) sbi,tbi->tsb
        0.7071067811865476 * np.einsum('sbi,tbi->tsb', k2[:, :, :2], q2[:, :, :2])
    )
    e4 = (  # (21) sbi,tbi->tsb
        0.7071067811865476 * np.einsum('sbi,tbi->tsb', k2[:, :, 2:], q2[:, :, 2:])
    )
    logsumexp_a3 = _logsumexp(e3.transpose(0, 2, 1), axis=2, where=where_s_t)  # (22)
    a3 = np.where(  # (23)
        where_s_t_2, np.exp(np.where(where_s_t_2, e3 - logsumexp_a3[:, None, :], 1)), 0
    )
    logsumexp_a4 = _logsumexp(e4.transpose(0, 2, 1), axis=2, where=where_s_t)  # (24)
    a4 = np.where(  # (25)
        where_s_t_2, np.exp(np.where(where_s_t_2, e4 - logsumexp_a4[:, None, :], 1)), 0
    )
    o2 = np.zeros((T, B, 4), dtype)
    o2[:, :, :2] += np.einsum('tsb,sbi->tbi', a3, v2[:, :, :2])  # (26) tsb,sbi->tbi
    o2[:, :, 2:] += np.einsum('tsb,sbi->tbi', a4, v2[:, :, 2:])  # (26) tsb,sbi->tbi
    y = (_rows(o2) @ O2.T).reshape(-1, B, 4)  # (27) ij,tbj->tbi
    y += h  # (27)
    count = valid.sum(axis=0)  # (28) tb->b
    sum_valid_y = (y * valid[:, :, None]).sum(axis=0)  # (29) tbi->bi
    pooled = sum_valid_y / count[:, None]  # (30)
    n_label = pooled @ W.T  # (31) ij,bj->bi
    n_label += b  # (31)
    logsumexp_label = _logsumexp(n_label, axis=1)  # (32)
    label = np.exp(n_label - logsumexp_label[:, None])  # (33)
    arrays["q1"] = q1
    arrays["k1"] = k1
    arrays["v1"] = v1
    arrays["e1"] = e1
    arrays["e2"] = e2
    arrays["exp_logsumexp_a1_n_a1"] = exp_logsumexp_a1_n_a1
    arrays["a1"] = a1
    arrays["exp_logsumexp_a2_n_a2"] = exp_logsumexp_a2_n_a2
    arrays["a2"] = a2
    arrays["o1"] = o1
    arrays["centred_h"] = centred_h
    arrays["variance_h"] = variance_h
    arrays["h"] = h
    arrays["q2"] = q2
    arrays["k2"] = k2
    arrays["v2"] = v2
    arrays["e3"] = e3
    arrays["e4"] = e4
    arrays["a3"] = a3
    arrays["a4"] = a4
    arrays["o2"] = o2
    arrays["y"] = y
    arrays["count"] = count
    arrays["pooled"] = pooled
    arrays["n_label"] = n_label
    arrays["logsumexp_label"] = logsumexp_label
    arrays["label"] = label


def _loss(arrays, T, B, dtype):
    """The losses, and what only they need."""
    valid = arrays["valid"]
    y = arrays["y"]
    n_label = arrays["n_label"]
    logsumexp_label = arrays["logsumexp_label"]
    target_y = arrays["target_y"]
    target_label = arrays["target_label"]

    total_weight_y = valid.sum()  # (34) tb->
    error_y = y - target_y  # (35)
    loss_y = 1 / (4 * total_weight_y) * (error_y ** 2 * valid[:, :, None]).sum()  # (35) tbi->
    loss_label = (  # (36) b->, bi->
        1 / B * logsumexp_label.sum()
        - 1 / B * (n_label * target_label).sum()
    )
    loss = loss_y + loss_label  # (37)
    arrays["total_weight_y"] = total_weight_y
    arrays["error_y"] = error_y
    arrays["loss_y"] = loss_y
    arrays["loss_label"] = loss_label
    arrays["loss"] = loss


def _backward(arrays, T, B, dtype):
    """Adjoints, and the parameters' gradients."""
    x = arrays["x"]
    valid = arrays["valid"]
    label = arrays["label"]
    q1 = arrays["q1"]
    k1 = arrays["k1"]
    v1 = arrays["v1"]
    a1 = arrays["a1"]
    a2 = arrays["a2"]
    o1 = arrays["o1"]
    h = arrays["h"]
    q2 = arrays["q2"]
    k2 = arrays["k2"]
    v2 = arrays["v2"]
    a3 = arrays["a3"]
    a4 = arrays["a4"]
    o2 = arrays["o2"]
    count = arrays["count"]
    pooled = arrays["pooled"]
    Q2 = arrays["Q2"]
    K2 = arrays["K2"]
    V2 = arrays["V2"]
    O1 = arrays["O1"]
    s_h = arrays["s_h"]
    O2 = arrays["O2"]
    W = arrays["W"]
    centred_h = arrays["centred_h"]
    variance_h = arrays["variance_h"]
    total_weight_y = arrays["total_weight_y"]
    target_label = arrays["target_label"]
    exp_logsumexp_a1_n_a1 = arrays["exp_logsumexp_a1_n_a1"]
    exp_logsumexp_a2_n_a2 = arrays["exp_logsumexp_a2_n_a2"]
    error_y = arrays["error_y"]

    where_s_t = np.arange(T)[:, None, None] >= np.arange(T)[:, None]
    stacked_Q2 = np.concatenate((Q2, K2, V2))
    d_n_label = 1 / B * (label - target_label)  # (38)
    d_pooled = d_n_label @ W  # (39) ij,bj->bi
    d_sum_valid_y = d_pooled / count[:, None]  # (40)
    d_y = (  # (41)
        2 / (4 * total_weight_y) * error_y * valid[:, :, None]
        + d_sum_valid_y * valid[:, :, None]
    )
    d_o2 = (_rows(d_y) @ O2).reshape(-1, B, 4)  # (42) ij,tbj->tbi
    d_a4 = np.einsum('tbi,sbi->tsb', d_o2[:, :, 2:], v2[:, :, 2:]) * where_s_t  # (43) tbi,sbi->tsb
    d_logsumexp_a4 = -(d_a4 * a4).sum(axis=1)  # (44) tsb->tb
    d_a3 = np.einsum('tbi,sbi->tsb', d_o2[:, :, :2], v2[:, :, :2]) * where_s_t  # (45) tbi,sbi->tsb
    d_logsumexp_a3 = -(d_a3 * a3).sum(axis=1)  # (46) tsb->tb
    d_e4 = d_a4 * a4 + d_logsumexp_a4[:, None, :] * a4  # (47)
    d_e3 = d_a3 * a3 + d_logsumexp_a3[:, None, :] * a3  # (48)
    stacked_d_q2 = np.zeros((T, B, 12), dtype)
    d_v2 = stacked_d_q2[:, :, 8:12]
    d_k2 = stacked_d_q2[:, :, 4:8]
    d_q2 = stacked_d_q2[:, :, :4]
    d_v2[:, :, :2] += np.einsum(  # (49) sbi,tsb->tbi
        'sbi,tsb->tbi', d_o2[:, :, :2], a3.transpose(1, 0, 2)
    )
    d_v2[:, :, 2:] += np.einsum(  # (49) sbi,tsb->tbi
        'sbi,tsb->tbi', d_o2[:, :, 2:], a4.transpose(1, 0, 2)
    )
    d_k2[:, :, 2:] += (  # (50) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e4.transpose(1, 0, 2), q2[:, :, 2:])
    )
    d_k2[:, :, :2] += (  # (50) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e3.transpose(1, 0, 2), q2[:, :, :2])
    )
    d_q2[:, :, 2:] += (  # (51) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e4, k2[:, :, 2:])
    )
    d_q2[:, :, :2] += (  # (51) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e3, k2[:, :, :2])
    )
    d_h = (_rows(stacked_d_q2) @ stacked_Q2).reshape(-1, B, 4)  # (52) ij,tbj->tbi
    d_h += d_y  # (52)
    d_variance_h = (  # (53) tbi->tb
        -(1 / 2 * (1 / (1e-05 + variance_h) ** 1.5) * (d_h * centred_h * s_h).sum(axis=2))
    )
    d_centred_h = (  # (54)
        s_h * d_h / np.sqrt(1e-05 + variance_h[:, :, None])
        + 2 / 4 * d_variance_h[:, :, None] * centred_h
    )
    d_n_h = d_centred_h - 1 / 4 * d_centred_h.sum(axis=2)[:, :, None]  # (55) tbj->tb
    d_o1 = (_rows(d_n_h) @ O1).reshape(-1, B, 4)  # (56) ij,tbj->tbi
    d_a2 = np.einsum('tbi,sbi->tsb', d_o1[:, :, 2:], v1[:, :, 2:])  # (57) tbi,sbi->tsb
    d_logsumexp_a2 = -(d_a2 * exp_logsumexp_a2_n_a2 * valid).sum(axis=1)  # (58) tsb->tb
    d_n_a2 = (  # (59)
        d_a2 * exp_logsumexp_a2_n_a2 * valid
        + d_logsumexp_a2[:, None, :] * exp_logsumexp_a2_n_a2
    )
    d_a1 = np.einsum('tbi,sbi->tsb', d_o1[:, :, :2], v1[:, :, :2])  # (60) tbi,sbi->tsb
    d_logsumexp_a1 = -(d_a1 * exp_logsumexp_a1_n_a1 * valid).sum(axis=1)  # (61) tsb->tb
    d_n_a1 = (  # (62)
        d_a1 * exp_logsumexp_a1_n_a1 * valid
        + d_logsumexp_a1[:, None, :] * exp_logsumexp_a1_n_a1
    )
    d_e2 = d_n_a2.copy()  # (63)
    d_e1 = d_n_a1.copy()  # (64)
    stacked_d_q1 = np.zeros((T, B, 12), dtype)
    d_v1 = stacked_d_q1[:, :, 8:12]
    d_k1 = stacked_d_q1[:, :, 4:8]
    d_q1 = stacked_d_q1[:, :, :4]
    d_v1[:, :, :2] += np.einsum(  # (65) sbi,tsb->tbi
        'sbi,tsb->tbi', d_o1[:, :, :2], a1.transpose(1, 0, 2)
    )
    d_v1[:, :, 2:] += np.einsum(  # (65) sbi,tsb->tbi
        'sbi,tsb->tbi', d_o1[:, :, 2:], a2.transpose(1, 0, 2)
    )
    d_k1[:, :, 2:] += (  # (66) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e2.transpose(1, 0, 2), q1[:, :, 2:])
    )
    d_k1[:, :, :2] += (  # (66) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e1.transpose(1, 0, 2), q1[:, :, :2])
    )
    d_q1[:, :, 2:] += (  # (67) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e2, k1[:, :, 2:])
    )
    d_q1[:, :, :2] += (  # (67) tsb,sbi->tbi
        0.7071067811865476 * np.einsum('tsb,sbi->tbi', d_e1, k1[:, :, :2])
    )
    d = _rows(stacked_d_q1).T @ _rows(x)  # (69) (70) (71) tbi,tbj->ij
    d_Q1 = d[:4]
    d_K1 = d[4:8]
    d_V1 = d[8:12]
    stacked_d_Q2 = _rows(stacked_d_q2).T @ _rows(h)  # (72) (73) (74) tbi,tbj->ij
    d_Q2 = stacked_d_Q2[:4]
    d_K2 = stacked_d_Q2[4:8]
    d_V2 = stacked_d_Q2[8:12]
    d_O1 = _rows(d_n_h).T @ _rows(o1)  # (75) tbi,tbj->ij
    d_s_h = (  # (76) tbi->i
        (d_h * centred_h * (1 / np.sqrt(1e-05 + variance_h[:, :, None]))).sum(axis=(0, 1))
    )
    d_b_h = d_h.sum(axis=(0, 1))  # (77) tbi->i
    d_O2 = _rows(d_y).T @ _rows(o2)  # (78) tbi,tbj->ij
    d_W = d_n_label.T @ pooled  # (79) bj,bi->ij
    d_b = d_n_label.sum(axis=0)  # (80) bi->i
    arrays["d_n_h"] = d_n_h
    arrays["d_Q1"] = d_Q1
    arrays["d_K1"] = d_K1
    arrays["d_V1"] = d_V1
    arrays["d_Q2"] = d_Q2
    arrays["d_K2"] = d_K2
    arrays["d_V2"] = d_V2
    arrays["d_O1"] = d_O1
    arrays["d_s_h"] = d_s_h
    arrays["d_b_h"] = d_b_h
    arrays["d_O2"] = d_O2
    arrays["d_W"] = d_W
    arrays["d_b"] = d_b
    arrays["stacked_d_q1"] = stacked_d_q1


def _input_gradients(arrays, T, B, dtype):
    """The gradients of the inputs."""
    Q1 = arrays["Q1"]
    K1 = arrays["K1"]
    V1 = arrays["V1"]
    d_n_h = arrays["d_n_h"]
    stacked_d_q1 = arrays["stacked_d_q1"]

    stacked_Q1 = np.concatenate((Q1, K1, V1))
    d_x = (_rows(stacked_d_q1) @ stacked_Q1).reshape(-1, B, 4)  # (68) ij,tbj->tbi
    d_x += d_n_h  # (68)
    arrays["d_x"] = d_x


def _initial_gradients(arrays, T, B, dtype):
    """The gradients of values outside the steps."""
    return


# Functions used above. None of them overflows or loses digits; a complex number takes the
# branch of its real part.


def _rows(x):
    """(..., width) as a matrix with one row for each step and sequence."""
    return x.reshape(-1, x.shape[-1])


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)


# What is given, checked at the door.

_DTYPES = tuple(map(np.dtype, ("float32", "float64", "complex128")))
_BIASES = {"b", "b_h"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "y"): "target_y",
    ("targets", "label"): "target_label",
}
_GRADIENTS = {
    "Q1": "d_Q1",
    "K1": "d_K1",
    "V1": "d_V1",
    "Q2": "d_Q2",
    "K2": "d_K2",
    "V2": "d_V2",
    "O1": "d_O1",
    "s_h": "d_s_h",
    "b_h": "d_b_h",
    "O2": "d_O2",
    "W": "d_W",
    "b": "d_b",
}
_INPUT_GRADIENTS = {"x": "d_x"}
_INITIAL_GRADIENTS = {}
_JUDGING = ("valid",)


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
# Generated. SHA-256 of all above: 5e50d1c79c91b0cff457a6e4960eaa862a50bc9dc6c3910629d7f510ad07b54f
