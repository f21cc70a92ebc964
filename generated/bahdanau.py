"""bahdanau: a recurrent network with 298 parameters.

Inputs source (S, B, 3), valid (S, B), word (T, B, 4); outputs y (T, B, 4).

Arrays are laid out (time, batch, width); T, S, B are the numbers of steps and of sequences.
Parameters, inputs, targets and gradients are dicts of arrays by name, all of one dtype:
float32, float64, or complex128 (for derivatives by complex step).

Equations; d_x stands for the derivative of the loss by x, and a term with a condition in
brackets is zero where the condition does not hold.
t = 0..T-1, s = 0..S-1 steps, b = 0..B-1 sequences; sizes N_source = 3, N_word = 4, N_forth = 3,
N_back = 3, N_h = 5, N_y = 4, N_v_1 = 4.

 (1)  n_forth[s,b,i] = sum_j W_f[i,j]*source[s,b,j] + sum_j U_f[i,j]*forth[s-1,b,j] + b_f[i]
 (2)  forth[s,b,i] = tanh(n_forth[s,b,i])
 (3)  n_back[s,b,i] = sum_j W_b[i,j]*source[s,b,j] + sum_j U_b[i,j]*back[s+1,b,j] + b_b[i]
 (4)  back[s,b,i] = tanh(n_back[s,b,i])
 (5)  n_e[t,s,b,i] = sum_j Q[i,j]*h[t-1,b,j] + sum_j K_f[i,j]*forth[s,b,j]
          + sum_j K_b[i,j]*back[s,b,j]
 (6)  part_e[t,s,b,i] = tanh(n_e[t,s,b,i])
 (7)  e[t,s,b] = sum_i v[i]*part_e[t,s,b,i]
 (8)  n_a[t,s,b] = e[t,s,b] + (-1e+30 + 1e+30*valid[s,b])
 (9)  logsumexp_a[t,b] = log(sum_s exp(n_a[t,s,b]))
(10)  a[t,s,b] = valid[s,b]*exp(n_a[t,s,b] - logsumexp_a[t,b])
(11)  concat_forth_back[s,b,i] = forth[s,b,i] [i <= N_forth-1]
          + back[s,b,i-N_forth] [i >= N_forth]
(12)  c[t,b,i] = sum_s a[t,s,b]*concat_forth_back[s,b,i]
(13)  n_z[t,b,i] = sum_j W_z[i,j]*word[t,b,j] + sum_j U_z[i,j]*h[t-1,b,j]
          + sum_j C_z[i,j]*c[t,b,j] + b_z[i]
(14)  z[t,b,i] = sigmoid(n_z[t,b,i])
(15)  n_g[t,b,i] = sum_j W_g[i,j]*word[t,b,j] + sum_j U_g[i,j]*h[t-1,b,j]
          + sum_j C_g[i,j]*c[t,b,j] + b_g[i]
(16)  g[t,b,i] = tanh(n_g[t,b,i])
(17)  h[t,b,i] = h[t-1,b,i]*(1 - z[t,b,i]) + g[t,b,i]*z[t,b,i]
(18)  n_y[t,b,i] = sum_j W_y[i,j]*h[t,b,j] + sum_j C_y[i,j]*c[t,b,j] + b_y[i]
(19)  logsumexp_y[t,b] = log(sum_i exp(n_y[t,b,i]))
(20)  y[t,b,i] = exp(n_y[t,b,i] - logsumexp_y[t,b])
(21)  loss = sum_t,b logsumexp_y[t,b]/(B*T) - sum_t,b,i n_y[t,b,i]*target_y[t,b,i]/(B*T)
(22)  d_n_y[t,b,i] = (y[t,b,i] - target_y[t,b,i])/(B*T)
(23)  d_h[t,b,i] = sum_j W_y[j,i]*d_n_y[t,b,j] + d_h[t+1,b,i]*(1 - z[t+1,b,i]) [t <= T-2]
          + sum_j U_g[j,i]*d_n_g[t+1,b,j] [t <= T-2] + sum_j U_z[j,i]*d_n_z[t+1,b,j] [t <= T-2]
          + sum_s,j Q[j,i]*d_n_e[t+1,s,b,j] [t <= T-2]
(24)  d_g[t,b,i] = d_h[t,b,i]*z[t,b,i]
(25)  d_n_g[t,b,i] = d_g[t,b,i]*(1 - g[t,b,i]^2)
(26)  d_z[t,b,i] = d_h[t,b,i]*(g[t,b,i] - h[t-1,b,i])
(27)  d_n_z[t,b,i] = d_z[t,b,i]*z[t,b,i]*(1 - z[t,b,i])
(28)  d_c[t,b,i] = sum_j C_y[j,i]*d_n_y[t,b,j] + sum_j C_g[j,i]*d_n_g[t,b,j]
          + sum_j C_z[j,i]*d_n_z[t,b,j]
(29)  d_concat_forth_back[s,b,i] = sum_t d_c[t,b,i]*a[t,s,b]
(30)  d_a[t,s,b] = sum_i d_c[t,b,i]*concat_forth_back[s,b,i]
(31)  d_logsumexp_a[t,b] = -sum_s d_a[t,s,b]*valid[s,b]*exp(n_a[t,s,b] - logsumexp_a[t,b])
(32)  d_n_a[t,s,b] = d_a[t,s,b]*valid[s,b]*exp(n_a[t,s,b] - logsumexp_a[t,b])
          + d_logsumexp_a[t,b]*exp(n_a[t,s,b] - logsumexp_a[t,b])
(33)  d_e[t,s,b] = d_n_a[t,s,b]
(34)  d_part_e[t,s,b,i] = v[i]*d_e[t,s,b]
(35)  d_n_e[t,s,b,i] = d_part_e[t,s,b,i]*(1 - part_e[t,s,b,i]^2)
(36)  d_back[s,b,i] = d_concat_forth_back[s,b,N_forth+i] + sum_t,j K_b[j,i]*d_n_e[t,s,b,j]
          + sum_j U_b[j,i]*d_n_back[s-1,b,j] [s >= 1]
(37)  d_n_back[s,b,i] = d_back[s,b,i]*(1 - back[s,b,i]^2)
(38)  d_forth[s,b,i] = d_concat_forth_back[s,b,i] + sum_t,j K_f[j,i]*d_n_e[t,s,b,j]
          + sum_j U_f[j,i]*d_n_forth[s+1,b,j] [s <= S-2]
(39)  d_n_forth[s,b,i] = d_forth[s,b,i]*(1 - forth[s,b,i]^2)
(40)  d_source[s,b,i] = sum_j W_b[j,i]*d_n_back[s,b,j] + sum_j W_f[j,i]*d_n_forth[s,b,j]
(41)  d_word[t,b,i] = sum_j W_g[j,i]*d_n_g[t,b,j] + sum_j W_z[j,i]*d_n_z[t,b,j]
(42)  d_v[i] = sum_t,s,b d_e[t,s,b]*part_e[t,s,b,i]
(43)  d_W_f[i,j] = sum_s,b d_n_forth[s,b,i]*source[s,b,j]
(44)  d_U_f[i,j] = sum_s,b d_n_forth[s,b,i]*forth[s-1,b,j]
(45)  d_b_f[i] = sum_s,b d_n_forth[s,b,i]
(46)  d_W_b[i,j] = sum_s,b d_n_back[s,b,i]*source[s,b,j]
(47)  d_U_b[i,j] = sum_s,b d_n_back[s,b,i]*back[s+1,b,j]
(48)  d_b_b[i] = sum_s,b d_n_back[s,b,i]
(49)  d_W_y[i,j] = sum_t,b d_n_y[t,b,i]*h[t,b,j]
(50)  d_C_y[i,j] = sum_t,b d_n_y[t,b,i]*c[t,b,j]
(51)  d_b_y[i] = sum_t,b d_n_y[t,b,i]
(52)  d_Q[i,j] = sum_t,s,b d_n_e[t,s,b,i]*h[t-1,b,j]
(53)  d_K_f[i,j] = sum_t,s,b d_n_e[t,s,b,i]*forth[s,b,j]
(54)  d_K_b[i,j] = sum_t,s,b d_n_e[t,s,b,i]*back[s,b,j]
(55)  d_W_z[i,j] = sum_t,b d_n_z[t,b,i]*word[t,b,j]
(56)  d_U_z[i,j] = sum_t,b d_n_z[t,b,i]*h[t-1,b,j]
(57)  d_C_z[i,j] = sum_t,b d_n_z[t,b,i]*c[t,b,j]
(58)  d_b_z[i] = sum_t,b d_n_z[t,b,i]
(59)  d_W_g[i,j] = sum_t,b d_n_g[t,b,i]*word[t,b,j]
(60)  d_U_g[i,j] = sum_t,b d_n_g[t,b,i]*h[t-1,b,j]
(61)  d_C_g[i,j] = sum_t,b d_n_g[t,b,i]*c[t,b,j]
(62)  d_b_g[i] = sum_t,b d_n_g[t,b,i]
(63)  d_initial_forth[k,b,i] = sum_j U_f[j,i]*d_n_forth[k,b,j]
(64)  d_after_back[k,b,i] = sum_j U_b[j,i]*d_n_back[S+k-1,b,j]
(65)  d_initial_h[k,b,i] = d_h[k,b,i]*(1 - z[k,b,i]) + sum_j U_g[j,i]*d_n_g[k,b,j]
          + sum_j U_z[j,i]*d_n_z[k,b,j] + sum_s,j Q[j,i]*d_n_e[k,s,b,j]

Generated by bptt from a topology file. This module needs NumPy and nothing else.
"""

import numpy as np

# Parameters, with their shapes.
PARAMETERS = {
    "v": (4,),
    "W_f": (3, 3),
    "U_f": (3, 3),
    "b_f": (3,),
    "W_b": (3, 3),
    "U_b": (3, 3),
    "b_b": (3,),
    "W_y": (4, 5),
    "C_y": (4, 6),
    "b_y": (4,),
    "Q": (4, 5),
    "K_f": (4, 3),
    "K_b": (4, 3),
    "W_z": (5, 4),
    "U_z": (5, 5),
    "C_z": (5, 6),
    "b_z": (5,),
    "W_g": (5, 4),
    "U_g": (5, 5),
    "C_g": (5, 6),
    "b_g": (5,),
}

# Inputs, outputs, targets of the losses, and weights of the steps of weighted losses: names with
# shapes in which T (and other lengths), B and widths stand. Where classes are told apart, class
# numbers without the last axis will do as targets. Masks may be truth values, and those of one
# number a step may be given as lengths, one whole number for each sequence.
LENGTHS = ("T", "S")
INPUTS = {
    "source": ("S", "B", 3),
    "valid": ("S", "B"),
    "word": ("T", "B", 4),
}
OUTPUTS = {
    "y": ("T", "B", 4),
}
TARGETS = {
    "y": ("T", "B", 4),
}
MASKS = ("valid",)
CLASSES = ("y",)
WEIGHTED = {}

# The losses of each output: their kinds with their weights; which steps they judge, and the mask
# that says so, if any; whether they are of the differences between output and target, which are
# in the same units then, and whether they are sums of squares.
LOSSES = {
    "y": {
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
    "forth": (1, "B", 3),
    "back": (1, "B", 3),
    "h": (1, "B", 5),
}
AFTER = {"back": "back"}

# Layers, with the parameters that stand together in each of their net inputs.
LAYERS = {
    "forth": (
        ("W_f", "U_f", "b_f"),
    ),
    "back": (
        ("W_b", "U_b", "b_b"),
    ),
    "e": (
        ("Q", "K_f", "K_b"),
        ("v",),
    ),
    "z": (
        ("W_z", "U_z", "C_z", "b_z"),
    ),
    "g": (
        ("W_g", "U_g", "C_g", "b_g"),
    ),
    "y": (
        ("W_y", "C_y", "b_y"),
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
    arrays, T, S, B, dtype = _prepare(parameters, inputs, initial, judge=False, steps=None)
    _forward(arrays, T, S, B, dtype)
    return {
        "forth": arrays["forth"][1 : 1 + S],
        "back": arrays["back"][:S],
        "h": arrays["h"][1 : 1 + T],
        "y": arrays["y"],
        "c": arrays["c"],
        "e": arrays["e"],
        "a": arrays["a"],
        "z": arrays["z"],
        "g": arrays["g"],
    }


def loss(parameters, inputs, targets, initial=None, weights=None):
    """The loss, a number:

    mean over steps and sequences of -sum(target_y*log(y)).
    """
    arrays, T, S, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, S, B, dtype)
    _loss(arrays, T, S, B, dtype)
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
    arrays, T, S, B, dtype = _prepare(parameters, inputs, initial, targets, weights)
    _forward(arrays, T, S, B, dtype)
    _loss(arrays, T, S, B, dtype)
    _backward(arrays, T, S, B, dtype)
    gradients = {}
    if "parameters" in wrt:
        gradients.update((name, arrays[d_name]) for name, d_name in _GRADIENTS.items())
    if "inputs" in wrt:
        _input_gradients(arrays, T, S, B, dtype)
        gradients.update((name, arrays[d_name]) for name, d_name in _INPUT_GRADIENTS.items())
    if "initial" in wrt:
        _initial_gradients(arrays, T, S, B, dtype)
        gradients.update(("initial_" + n, arrays[d_n]) for n, d_n in _INITIAL_GRADIENTS.items())
    return arrays["loss"], gradients


# The derived equations. `arrays` holds every array by name.


def _forward(arrays, T, S, B, dtype):
    """The signals, forward in time."""
    source = arrays["source"]
    valid = arrays["valid"]
    word = arrays["word"]
    forth = arrays["forth"]
    back = arrays["back"]
    h = arrays["h"]
    v = arrays["v"]
    W_f = arrays["W_f"]
    U_f = arrays["U_f"]
    b_f = arrays["b_f"]
    W_b = arrays["W_b"]
    U_b = arrays["U_b"]
    b_b = arrays["b_b"]
    W_y = arrays["W_y"]
    C_y = arrays["C_y"]
    b_y = arrays["b_y"]
    Q = arrays["Q"]
    K_f = arrays["K_f"]
    K_b = arrays["K_b"]
    W_z = arrays["W_z"]
    U_z = arrays["U_z"]
    C_z = arrays["C_z"]
    b_z = arrays["b_z"]
    W_g = arrays["W_g"]
    U_g = arrays["U_g"]
    C_g = arrays["C_g"]
    b_g = arrays["b_g"]

    U = np.concatenate((U_g, U_z))
    C = np.concatenate((C_g, C_z))
    W = np.concatenate((W_g, W_z))
    b = np.concatenate((b_g, b_z))
    stacked_W_f = np.concatenate((W_f, W_b))
    stacked_b_f = np.concatenate((b_f, b_b))
    stacked_n_forth = (_rows(source) @ stacked_W_f.T).reshape(-1, B, 6)  # (1) (3) ij,sbj->sbi
    n_forth = stacked_n_forth[:, :, :3]
    n_back = stacked_n_forth[:, :, 3:6]
    stacked_n_forth += stacked_b_f  # (1) (3)
    for s in range(S):
        n_forth_t = n_forth[s]
        n_forth_t += forth[s] @ U_f.T  # (1) ij,bj->bi
        forth_t = np.tanh(n_forth_t, out=forth[s + 1])  # (2)
    for s in range(S - 1, -1, -1):
        n_back_t = n_back[s]
        n_back_t += back[s + 1] @ U_b.T  # (3) ij,bj->bi
        back_t = np.tanh(n_back_t, out=back[s])  # (4)
    concat_forth_back = np.zeros((S, B, 6), dtype)
    concat_forth_back[:, :, :3] += forth[1:]  # (11)
    concat_forth_back[:, :, 3:] += back[:S]  # (11)
    n_e = np.zeros((T, S, B, 4), dtype)
    part_e = n_e  # takes its place, step by step
    n_e += (  # (5) ij,sbj->sbi
        (_rows(forth[1:]) @ K_f.T).reshape(-1, B, 4)
        + (_rows(back[:S]) @ K_b.T).reshape(-1, B, 4)
    )
    n_a = np.zeros((T, S, B), dtype)
    n_a += -1e+30 + 1e+30 * valid  # (8)
    n = (_rows(word) @ W.T).reshape(-1, B, 10)  # (13) (15) ij,tbj->tbi
    g = n[:, :, :5]
    n_g = g  # takes its place, step by step
    z = n[:, :, 5:10]
    n_z = z  # takes its place, step by step
    n += b  # (13) (15)
    e = np.empty((T, S, B), dtype)
    exp_logsumexp_a_n_a = np.empty((T, S, B), dtype)
    a = np.empty((T, S, B), dtype)
    c = np.empty((T, B, 6), dtype)
    for t in range(T):
        h_t_minus_1 = h[t]
        n_e_t = n_e[t]
        n_e_t += (h_t_minus_1 @ Q.T)  # (5) ij,bj->bi
        part_e_t = np.tanh(n_e_t, out=part_e[t])  # (6)
        e[t] = e_t = (part_e_t * v).sum(axis=2)  # (7) sbi->sb
        n_a_t = n_a[t]
        n_a_t += e_t  # (8)
        logsumexp_a_t = _logsumexp(n_a_t.T, axis=1)  # (9)
        exp_logsumexp_a_n_a_t = np.exp(n_a_t - logsumexp_a_t, out=exp_logsumexp_a_n_a[t])  # (10)
        a_t = np.multiply(exp_logsumexp_a_n_a_t, valid, out=a[t])  # (10)
        c[t] = c_t = (concat_forth_back * a_t[:, :, None]).sum(axis=0)  # (12) sbi->bi
        n_t = n[t]
        n_t += h_t_minus_1 @ U.T  # (13) (15) ij,bj->bi
        n_t += c_t @ C.T  # (13) (15) ij,bj->bi
        g_t = np.tanh(n_g[t], out=g[t])  # (16)
        z_t = _sigmoid(n_z[t], out=z[t])  # (14)
        h_t = np.subtract(1, z_t, out=h[t + 1])  # (17)
        h_t *= h_t_minus_1  # (17)
        h_t += g_t * z_t  # (17)
    n_y = (_rows(h[1:]) @ W_y.T).reshape(-1, B, 4)  # (18) ij,tbj->tbi
    n_y += (_rows(c) @ C_y.T).reshape(-1, B, 4)  # (18) ij,tbj->tbi
    n_y += b_y  # (18)
    logsumexp_y = _logsumexp(n_y, axis=2)  # (19)
    y = np.exp(n_y - logsumexp_y[:, :, None])  # (20)
    arrays["part_e"] = part_e
    arrays["e"] = e
    arrays["exp_logsumexp_a_n_a"] = exp_logsumexp_a_n_a
    arrays["a"] = a
    arrays["concat_forth_back"] = concat_forth_back
    arrays["c"] = c
    arrays["z"] = z
    arrays["g"] = g
    arrays["n_y"] = n_y
    arrays["logsumexp_y"] = logsumexp_y
    arrays["y"] = y


def _loss(arrays, T, S, B, dtype):
    """The losses, and what only they need."""
    n_y = arrays["n_y"]
    logsumexp_y = arrays["logsumexp_y"]
    target_y = arrays["target_y"]

    loss = (  # (21) tb->, tbi->
        1 / (B * T) * logsumexp_y.sum()
        - 1 / (B * T) * (n_y * target_y).sum()
    )
    arrays["loss"] = loss


def _backward(arrays, T, S, B, dtype):
    """Adjoints, and the parameters' gradients."""
    source = arrays["source"]
    valid = arrays["valid"]
    word = arrays["word"]
    forth = arrays["forth"]
    back = arrays["back"]
    h = arrays["h"]
    y = arrays["y"]
    c = arrays["c"]
    a = arrays["a"]
    z = arrays["z"]
    g = arrays["g"]
    v = arrays["v"]
    U_f = arrays["U_f"]
    U_b = arrays["U_b"]
    W_y = arrays["W_y"]
    C_y = arrays["C_y"]
    Q = arrays["Q"]
    K_f = arrays["K_f"]
    K_b = arrays["K_b"]
    U_z = arrays["U_z"]
    C_z = arrays["C_z"]
    U_g = arrays["U_g"]
    C_g = arrays["C_g"]
    part_e = arrays["part_e"]
    concat_forth_back = arrays["concat_forth_back"]
    target_y = arrays["target_y"]
    exp_logsumexp_a_n_a = arrays["exp_logsumexp_a_n_a"]

    U = np.concatenate((U_g, U_z))
    C = np.concatenate((C_g, C_z))
    stacked_W_y = np.concatenate((W_y, C_y), axis=1)
    K = np.concatenate((K_b, K_f), axis=1)
    d_n = np.empty((T, B, 14), dtype)
    d_n_y = d_n[:, :, 10:14]
    d_n_g = d_n[:, :, :5]
    d_n_z = d_n[:, :, 5:10]
    d_n_y[...] = 1 / (B * T) * (y - target_y)  # (22)
    d = (_rows(d_n_y) @ stacked_W_y).reshape(-1, B, 11)  # (23) (28) ij,tbj->tbi
    d_h = d[:, :, :5]
    d_c = d[:, :, 5:11]
    d_n_g_per_d_h = z * (1 - g ** 2)  # (24) (25)
    d_n_z_per_d_h = (g - h[:T]) * z * (1 - z)  # (26) (27)
    d_n_a_per_d_a = exp_logsumexp_a_n_a * valid  # (32)
    d_n_e_per_d_e = v * (1 - part_e ** 2)  # (34) (35)
    d_e = np.empty((T, S, B), dtype)
    d_n_e = np.empty((T, S, B, 4), dtype)
    for t in range(T - 1, -1, -1):
        exp_logsumexp_a_n_a_t = exp_logsumexp_a_n_a[t]
        d_h_t = d_h[t]
        if t < T - 1:
            d_h_t += d_h[t + 1] * (1 - z[t + 1])  # (23)
            d_h_t += d_n[t + 1, :, :10] @ U  # (23) ij,bj->bi
            d_h_t += d_n_e[t + 1].sum(axis=0) @ Q  # (23) ij,bj->bi
        d_n_g_t = np.multiply(d_h_t, d_n_g_per_d_h[t], out=d_n_g[t])  # (24) (25)
        d_n_z_t = np.multiply(d_h_t, d_n_z_per_d_h[t], out=d_n_z[t])  # (26) (27)
        d_c_t = d_c[t]
        d_c_t += d_n[t, :, :10] @ C  # (28) ij,bj->bi
        d_a_t = (concat_forth_back * d_c_t).sum(axis=2)  # (30) sbi->sb
        d_logsumexp_a_t = -(d_a_t * exp_logsumexp_a_n_a_t * valid).sum(axis=0)  # (31) sb->b
        d_n_a_t = d_a_t * d_n_a_per_d_a[t]  # (32)
        d_n_a_t += d_logsumexp_a_t * exp_logsumexp_a_n_a_t  # (32)
        d_e[t] = d_e_t = d_n_a_t  # (33)
        d_n_e_t = np.multiply(d_e_t[:, :, None], d_n_e_per_d_e[t], out=d_n_e[t])  # (34) (35)
    d_concat_forth_back = np.einsum('tbi,stb->sbi', d_c, a.transpose(1, 0, 2))  # (29) tbi,stb->sbi
    d_n_back_per_d_back = 1 - back[:S] ** 2  # (37)
    stacked_d_back = (  # (36) (38) ij,sbj->sbi
        (_rows(d_n_e.transpose(1, 0, 2, 3).sum(axis=1)) @ K).reshape(-1, B, 6)
    )
    d_back = stacked_d_back[:, :, :3]
    d_forth = stacked_d_back[:, :, 3:6]
    d_back += d_concat_forth_back[:, :, 3:]  # (36)
    stacked_d_n_forth = np.empty((S, B, 6), dtype)
    d_n_back = stacked_d_n_forth[:, :, 3:6]
    d_n_forth = stacked_d_n_forth[:, :, :3]
    for s in range(S):
        d_back_t = d_back[s]
        if s >= 1:
            d_back_t += d_n_back[s - 1] @ U_b  # (36) ij,bj->bi
        d_n_back_t = np.multiply(d_back_t, d_n_back_per_d_back[s], out=d_n_back[s])  # (37)
    d_forth += d_concat_forth_back[:, :, :3]  # (38)
    d_n_forth_per_d_forth = 1 - forth[1:] ** 2  # (39)
    for s in range(S - 1, -1, -1):
        d_forth_t = d_forth[s]
        if s < S - 1:
            d_forth_t += d_n_forth[s + 1] @ U_f  # (38) ij,bj->bi
        d_n_forth_t = np.multiply(d_forth_t, d_n_forth_per_d_forth[s], out=d_n_forth[s])  # (39)
    d_v = (part_e * d_e[:, :, :, None]).sum(axis=(0, 1, 2))  # (42) tsbi->i
    d_U_f = _rows(d_n_forth).T @ _rows(forth[:S])  # (44) sbi,sbj->ij
    stacked_d_W_f = _rows(stacked_d_n_forth).T @ _rows(source)  # (43) (46) sbi,sbj->ij
    d_W_f = stacked_d_W_f[:3]
    d_W_b = stacked_d_W_f[3:6]
    d_U_b = _rows(d_n_back).T @ _rows(back[1:])  # (47) sbi,sbj->ij
    stacked_d_b_f = stacked_d_n_forth.sum(axis=(0, 1))  # (45) (48) sbi->i
    d_b_f = stacked_d_b_f[:3]
    d_b_b = stacked_d_b_f[3:6]
    d_W_y = _rows(d_n_y).T @ _rows(h[1:])  # (49) tbi,tbj->ij
    d_Q = _rows(d_n_e.sum(axis=1)).T @ _rows(h[:T])  # (52) tbi,tbj->ij
    d_K_f = _rows(d_n_e.transpose(1, 0, 2, 3).sum(axis=1)).T @ _rows(forth[1:])  # (53) sbi,sbj->ij
    d_K_b = _rows(d_n_e.transpose(1, 0, 2, 3).sum(axis=1)).T @ _rows(back[:S])  # (54) sbi,sbj->ij
    d_W = _rows(d_n[:, :, :10]).T @ _rows(word)  # (55) (59) tbi,tbj->ij
    d_W_z = d_W[5:10]
    d_W_g = d_W[:5]
    d_U = _rows(d_n[:, :, :10]).T @ _rows(h[:T])  # (56) (60) tbi,tbj->ij
    d_U_z = d_U[5:10]
    d_U_g = d_U[:5]
    d_C = _rows(d_n).T @ _rows(c)  # (50) (57) (61) tbi,tbj->ij
    d_C_y = d_C[10:14]
    d_C_z = d_C[5:10]
    d_C_g = d_C[:5]
    d_b = d_n.sum(axis=(0, 1))  # (51) (58) (62) tbi->i
    d_b_y = d_b[10:14]
    d_b_z = d_b[5:10]
    d_b_g = d_b[:5]
    arrays["d_h"] = d_h
    arrays["d_n_e"] = d_n_e
    arrays["d_n_back"] = d_n_back
    arrays["d_n_forth"] = d_n_forth
    arrays["d_v"] = d_v
    arrays["d_W_f"] = d_W_f
    arrays["d_U_f"] = d_U_f
    arrays["d_b_f"] = d_b_f
    arrays["d_W_b"] = d_W_b
    arrays["d_U_b"] = d_U_b
    arrays["d_b_b"] = d_b_b
    arrays["d_W_y"] = d_W_y
    arrays["d_C_y"] = d_C_y
    arrays["d_b_y"] = d_b_y
    arrays["d_Q"] = d_Q
    arrays["d_K_f"] = d_K_f
    arrays["d_K_b"] = d_K_b
    arrays["d_W_z"] = d_W_z
    arrays["d_U_z"] = d_U_z
    arrays["d_C_z"] = d_C_z
    arrays["d_b_z"] = d_b_z
    arrays["d_W_g"] = d_W_g
    arrays["d_U_g"] = d_U_g
    arrays["d_C_g"] = d_C_g
    arrays["d_b_g"] = d_b_g
    arrays["d_n"] = d_n
    arrays["stacked_d_n_forth"] = stacked_d_n_forth


def _input_gradients(arrays, T, S, B, dtype):
    """The gradients of the inputs."""
    W_f = arrays["W_f"]
    W_b = arrays["W_b"]
    W_z = arrays["W_z"]
    W_g = arrays["W_g"]
    d_n = arrays["d_n"]
    stacked_d_n_forth = arrays["stacked_d_n_forth"]

    W = np.concatenate((W_g, W_z))
    stacked_W_f = np.concatenate((W_f, W_b))
    d_source = (_rows(stacked_d_n_forth) @ stacked_W_f).reshape(-1, B, 3)  # (40) ij,sbj->sbi
    d_word = (_rows(d_n[:, :, :10]) @ W).reshape(-1, B, 4)  # (41) ij,tbj->tbi
    arrays["d_source"] = d_source
    arrays["d_word"] = d_word


def _initial_gradients(arrays, T, S, B, dtype):
    """The gradients of values outside the steps."""
    z = arrays["z"]
    U_f = arrays["U_f"]
    U_b = arrays["U_b"]
    Q = arrays["Q"]
    U_z = arrays["U_z"]
    U_g = arrays["U_g"]
    d_h = arrays["d_h"]
    d_n_e = arrays["d_n_e"]
    d_n_back = arrays["d_n_back"]
    d_n_forth = arrays["d_n_forth"]
    d_n = arrays["d_n"]

    U = np.concatenate((U_g, U_z))
    d_initial_forth = (_rows(d_n_forth[:1]) @ U_f).reshape(-1, B, 3)  # (63) ij,kbj->kbi
    d_after_back = (_rows(d_n_back[S - 1:]) @ U_b).reshape(-1, B, 3)  # (64) ij,kbj->kbi
    d_initial_h = (_rows(d_n[:1, :, :10]) @ U).reshape(-1, B, 5)  # (65) ij,kbj->kbi
    d_initial_h += d_h[:1] * (1 - z[:1])  # (65)
    d_initial_h += (_rows(d_n_e[:1].sum(axis=1)) @ Q).reshape(-1, B, 5)  # (65) ij,kbj->kbi
    arrays["d_initial_forth"] = d_initial_forth
    arrays["d_after_back"] = d_after_back
    arrays["d_initial_h"] = d_initial_h


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
_BIASES = {"b_b", "b_f", "b_g", "b_y", "b_z"}
# What arrays hold by other names than a caller gives, and the names of gradients.
_GIVEN_AS = {
    ("targets", "y"): "target_y",
}
_GRADIENTS = {
    "v": "d_v",
    "W_f": "d_W_f",
    "U_f": "d_U_f",
    "b_f": "d_b_f",
    "W_b": "d_W_b",
    "U_b": "d_U_b",
    "b_b": "d_b_b",
    "W_y": "d_W_y",
    "C_y": "d_C_y",
    "b_y": "d_b_y",
    "Q": "d_Q",
    "K_f": "d_K_f",
    "K_b": "d_K_b",
    "W_z": "d_W_z",
    "U_z": "d_U_z",
    "C_z": "d_C_z",
    "b_z": "d_b_z",
    "W_g": "d_W_g",
    "U_g": "d_U_g",
    "C_g": "d_C_g",
    "b_g": "d_b_g",
}
_INPUT_GRADIENTS = {"source": "d_source", "word": "d_word"}
_INITIAL_GRADIENTS = {"forth": "d_initial_forth", "back": "d_after_back", "h": "d_initial_h"}
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
    (T, S, B,) = (sizes[name] for name in (*LENGTHS, "B"))
    arrays["forth"] = _extended(S, (B, 3), outside.get("forth"), 1, None, 0, dtype)
    arrays["back"] = _extended(S, (B, 3), None, 0, outside.get("back"), 1, dtype)
    arrays["h"] = _extended(T, (B, 5), outside.get("h"), 1, None, 0, dtype)
    return arrays, T, S, B, dtype


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
# Generated. SHA-256 of all above: 8e321d0ffec21a24710822faf74ad5b71ec275dbc7c40efa36b19579c35c3fd8
