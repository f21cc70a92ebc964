"""One LSTM layer with diagonal peepholes: torch.nn has none, and a loop is what one writes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from bench.networks import lstm
from bench.networks.case import (
    Case,
    Problem,
    Run,
    batch_last,
    device_arrays,
    jax_compiled,
    leaves,
    projected,
    pytorch,
    rows,
    tensors,
)

PEEPHOLES = ("p_i_h", "p_f_h", "p_o_h")


def by_hand(given: Problem) -> Run:
    """NumPy, with the gates in the order i, f, o, g: of the peepholes, those of i and f look at
    the cell before, that of o at the new one."""
    W, U, b = lstm.stacked(given, "ifog")
    peepholes = np.stack([given.parameters[name] for name in PEEPHOLES])[:, :, None]
    x, target = given.inputs["x"], given.targets["h"]

    def run() -> tuple[float, Iterable[Any]]:
        gates, h, c, squashed = _forward(W, U, b, peepholes, x)
        error = h[1:] - batch_last(target)
        loss = error.ravel() @ error.ravel() / error.size
        error *= 2 / error.size
        d_gates = _backward(U, peepholes, gates, c, squashed, error)
        d_p = [
            np.einsum("tib,tib->i", d_gates[:, k], seen)
            for k, seen in enumerate((c[:-1], c[:-1], c[1:]))
        ]
        d_net = rows(batch_last(d_gates.reshape(len(x), len(b), -1)))
        d_W, d_U = d_net.T @ rows(x), d_net.T @ rows(batch_last(h[:-1]))
        return float(loss), (d_W, d_U, d_net.sum(0), *d_p)

    return run


def _forward(W: Any, U: Any, b: Any, peepholes: Any, x: Any) -> tuple[Any, ...]:
    """The gates (T, 4, H, B), h and c with the step before the first, and tanh(c)."""
    T, B, _ = x.shape
    H = U.shape[1]
    # sigmoid(n) = tanh(n/2)/2 + 1/2: all that enters a sigmoid is of half the size.
    half = np.array(0.5, x.dtype)
    W, U, b = (np.concatenate([half * part[: 3 * H], part[3 * H :]]) for part in (W, U, b))
    before, after = half * peepholes[:2], half * peepholes[2]
    nets = projected(W, b, x)
    gates = nets.reshape(T, 4, H, B)
    h, c = np.zeros((2, T + 1, H, B), x.dtype)
    squashed = np.empty((T, H, B), x.dtype)
    fed_back, seen = np.empty((4 * H, B), x.dtype), np.empty((2, H, B), x.dtype)
    part = np.empty((H, B), x.dtype)
    steps = zip(nets, gates, h[:-1], h[1:], c[:-1], c[1:], squashed, strict=True)
    for net, gate, h_before, h_t, c_before, c_t, squashed_t in steps:
        net += np.dot(U, h_before, out=fed_back)
        i_f, o, g = gate[:2], gate[2], gate[3]
        i_f += np.multiply(before, c_before, out=seen)
        _sigmoid_of_double(i_f, half)
        np.tanh(g, out=g)
        np.multiply(i_f[1], c_before, out=c_t)
        c_t += np.multiply(i_f[0], g, out=part)
        o += np.multiply(after, c_t, out=part)
        _sigmoid_of_double(o, half)
        np.multiply(o, np.tanh(c_t, out=squashed_t), out=h_t)
    return gates, h, c, squashed


def _sigmoid_of_double(n: Any, half: Any) -> None:
    """sigmoid(2 n) in the place of n."""
    np.tanh(n, out=n)
    n *= half
    n += half


def _backward(U: Any, peepholes: Any, gates: Any, c: Any, squashed: Any, d_h: Any) -> Any:
    """The derivatives of the loss by the net inputs, (T, 4, H, B), of those by h from outside."""
    T, _, H, B = gates.shape
    p_i, p_f, p_o = peepholes
    i, f, o, g = np.moveaxis(gates, 1, 0)
    # What each gate's net input does to h (o) or to c (the others), at all steps; what c does to
    # h, through o too, and to the next c, through i and f too.
    local = np.empty_like(gates)
    np.multiply(gates[:, :3], 1 - gates[:, :3], out=local[:, :3])
    local[:, 0] *= g
    local[:, 1] *= c[:-1]
    local[:, 2] *= squashed
    np.multiply(i, 1 - g * g, out=local[:, 3])
    through = o * (1 - squashed * squashed) + p_o * local[:, 2]
    kept = f + p_i * local[:, 0] + p_f * local[:, 1]
    d_gates = np.empty_like(gates)
    d_nets = d_gates.reshape(T, 4 * H, B)
    d_c, part = np.zeros((2, H, B), gates.dtype)
    for t in range(T - 1, -1, -1):
        d_h_t, d_gate, local_t = d_h[t], d_gates[t], local[t]
        if t < T - 1:
            d_h_t += np.dot(U.T, d_nets[t + 1], out=part)
            d_c *= kept[t + 1]
        d_c += np.multiply(d_h_t, through[t], out=part)
        np.multiply(local_t, d_c, out=d_gate)
        np.multiply(local_t[2], d_h_t, out=d_gate[2])
    return d_gates


def torch_loop(given: Problem) -> Run:
    import torch

    W, U, b = leaves(lstm.stacked(given, "ifgo"))
    p_i, p_f, p_o = leaves(given.parameters[name] for name in PEEPHOLES)
    data = tensors({"x": given.inputs["x"], "target": given.targets["h"]})

    def loss() -> Any:
        h = c = torch.zeros_like(data["target"][0])
        outputs = []
        for net in data["x"] @ W.T + b:
            i, f, g, o = (net + h @ U.T).chunk(4, 1)
            i, f = torch.sigmoid(i + p_i * c), torch.sigmoid(f + p_f * c)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + p_o * c) * torch.tanh(c)
            outputs.append(h)
        return ((torch.stack(outputs) - data["target"]) ** 2).mean()

    return pytorch((W, U, b, p_i, p_f, p_o), loss)


def jax_scan(given: Problem) -> Run:
    import jax

    jnp = jax.numpy

    def loss(p: Any, x: Any, target: Any) -> Any:
        def step(state: Any, net: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(net + h @ p["U"].T, 4, axis=1)
            i, f = jax.nn.sigmoid(i + p["p_i_h"] * c), jax.nn.sigmoid(f + p["p_f_h"] * c)
            c = f * c + i * jnp.tanh(g)
            h = jax.nn.sigmoid(o + p["p_o_h"] * c) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros_like(target[0])
        _, outputs = jax.lax.scan(step, (zero, zero), x @ p["W"].T + p["b"])
        return ((outputs - target) ** 2).mean()

    matrices = dict(zip("WUb", lstm.stacked(given, "ifgo"), strict=True))
    parameters = device_arrays(matrices | {name: given.parameters[name] for name in PEEPHOLES})
    data = device_arrays({"x": given.inputs["x"], "target": given.targets["h"]})
    return jax_compiled(loss, parameters, *data.values())


CASE = Case(
    name="peephole",
    about="one LSTM layer with diagonal peepholes",
    axes="in, hidden, batch, steps",
    sizes=((16, 32, 8, 50), (64, 128, 32, 50)),
    network=partial(lstm.network, cell="lstm_peephole"),
    problem=partial(lstm.problem, peepholes="ifo"),
    others={
        "NumPy by hand": by_hand,
        "PyTorch hoisted": torch_loop,
        "jax.lax.scan": jax_scan,
    },
)
