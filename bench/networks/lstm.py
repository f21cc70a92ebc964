"""One LSTM layer, judged at every step by the mean of squares."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from bench.networks.case import (
    Case,
    Problem,
    Run,
    Size,
    batch_last,
    device_arrays,
    jax_compiled,
    leaves,
    normal,
    projected,
    pytorch,
    rows,
    tensors,
    weights,
)
from bptt.derive import Connection, Layer, LossSpec, Network


def network(size: Size, cell: str = "lstm") -> Network:
    inputs, hidden, _, _ = size
    layer = Layer("h", hidden, (Connection("x"),), cell=cell)
    return Network(cell, {"x": inputs}, (layer,), (LossSpec("h", "mse"),))


def problem(size: Size, dtype: str, peepholes: str = "") -> Problem:
    """Weights of the gates i, f, g and o, peepholes of some of them, an input and a target."""
    inputs, hidden, batch, steps = size
    rng = np.random.default_rng(0)
    shapes: dict[str, Size] = {}
    for gate in "ifgo":
        shapes[f"W_{gate}_h_x"] = hidden, inputs
        shapes[f"U_{gate}_h"] = hidden, hidden
        shapes[f"b_{gate}_h"] = (hidden,)
    shapes |= {f"p_{gate}_h": (hidden,) for gate in peepholes}
    data = {"x": (steps, batch, inputs), "h": (steps, batch, hidden)}
    drawn = normal(rng, data, dtype)
    return Problem(weights(rng, shapes, dtype), {"x": drawn["x"]}, {"h": drawn["h"]})


def stacked(given: Problem, gates: str) -> list[Any]:
    """W, U and b of the gates, in this order, one below the other."""
    names = (("W_", "_h_x"), ("U_", "_h"), ("b_", "_h"))
    p = given.parameters
    return [np.concatenate([p[before + g + after] for g in gates]) for before, after in names]


def by_hand(given: Problem) -> Run:
    """NumPy, with the gates in the order o, i, f, g: the three sigmoids are neighbours, and so are
    the three that move the cell."""
    W, U, b = stacked(given, "oifg")
    x, target = given.inputs["x"], given.targets["h"]

    def run() -> tuple[float, Iterable[Any]]:
        gates, h, c, squashed = _forward(W, U, b, x)
        error = h[1:] - batch_last(target)
        loss = error.ravel() @ error.ravel() / error.size
        error *= 2 / error.size
        d_net = rows(batch_last(_backward(U, gates, c, squashed, error)))
        d_W, d_U = d_net.T @ rows(x), d_net.T @ rows(batch_last(h[:-1]))
        return float(loss), (d_W, d_U, d_net.sum(0))

    return run


def _forward(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, ...]:
    """The gates (T, 4, H, B), h and c with the step before the first, and tanh(c)."""
    T, B, _ = x.shape
    H = U.shape[1]
    # sigmoid(n) = tanh(n/2)/2 + 1/2: with rows of half the size, one call of tanh does for all.
    # (Of half as an array nothing needs to be converted in each step.)
    half = np.array(0.5, x.dtype)
    W, U, b = (np.concatenate([half * part[: 3 * H], part[3 * H :]]) for part in (W, U, b))
    nets = projected(W, b, x)
    gates = nets.reshape(T, 4, H, B)
    h, c = np.zeros((2, T + 1, H, B), x.dtype)
    squashed = np.empty((T, H, B), x.dtype)
    fed_back, taken_in = np.empty((4 * H, B), x.dtype), np.empty((H, B), x.dtype)
    steps = zip(nets, gates, h[:-1], h[1:], c[:-1], c[1:], squashed, strict=True)
    for net, gate, h_before, h_t, c_before, c_t, squashed_t in steps:
        net += np.dot(U, h_before, out=fed_back)
        np.tanh(net, out=net)
        sigmoids = gate[:3]
        sigmoids *= half
        sigmoids += half
        o, i, f, g = gate
        np.multiply(f, c_before, out=c_t)
        c_t += np.multiply(i, g, out=taken_in)
        np.multiply(o, np.tanh(c_t, out=squashed_t), out=h_t)
    return gates, h, c, squashed


def _backward(U: Any, gates: Any, c: Any, squashed: Any, d_h: Any) -> Any:
    """The derivatives of the loss by the net inputs, (T, 4 H, B), of those by h from outside."""
    T, _, H, B = gates.shape
    o, i, f, g = np.moveaxis(gates, 1, 0)
    # What each gate's net input does to h (o) or to c (the others), and c to h, at all steps.
    local = np.empty_like(gates)
    np.multiply(gates[:, :3], 1 - gates[:, :3], out=local[:, :3])
    local[:, 0] *= squashed
    local[:, 1] *= g
    local[:, 2] *= c[:-1]
    np.multiply(i, 1 - g * g, out=local[:, 3])
    through = o * (1 - squashed * squashed)
    d_gates = np.empty_like(gates)
    d_nets = d_gates.reshape(T, 4 * H, B)
    d_c, part = np.zeros((2, H, B), gates.dtype)
    for t in range(T - 1, -1, -1):
        d_h_t, d_gate, local_t = d_h[t], d_gates[t], local[t]
        if t < T - 1:
            d_h_t += np.dot(U.T, d_nets[t + 1], out=part)
            d_c *= f[t + 1]
        d_c += np.multiply(d_h_t, through[t], out=part)
        np.multiply(local_t[0], d_h_t, out=d_gate[0])
        np.multiply(local_t[1:], d_c, out=d_gate[1:])
    return d_nets


def torch_module(given: Problem) -> Run:
    """torch.nn.LSTM. It has two biases that are added; the second is zero and has the same
    gradient."""
    import torch

    W, U, b = (torch.from_numpy(array) for array in stacked(given, "ifgo"))
    x, target = torch.from_numpy(given.inputs["x"]), torch.from_numpy(given.targets["h"])
    lstm = torch.nn.LSTM(W.shape[1], U.shape[1]).to(x.dtype)
    with torch.no_grad():
        for own, value in zip(lstm.parameters(), (W, U, b, torch.zeros_like(b)), strict=True):
            own.copy_(value)
    return pytorch(list(lstm.parameters())[:3], lambda: ((lstm(x)[0] - target) ** 2).mean())


def torch_equations(given: Problem) -> Run:
    """A loop in PyTorch as the equations are written: step by step and gate by gate."""
    import torch

    p = given.parameters
    gates = [leaves((p[f"W_{g}_h_x"], p[f"U_{g}_h"], p[f"b_{g}_h"])) for g in "ifgo"]
    data = tensors({"x": given.inputs["x"], "target": given.targets["h"]})

    def loss() -> Any:
        h = c = torch.zeros_like(data["target"][0])
        outputs = []
        for x in data["x"]:
            i, f, g, o = (x @ W.T + h @ U.T + b for W, U, b in gates)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return ((torch.stack(outputs) - data["target"]) ** 2).mean()

    return pytorch([parameter for gate in gates for parameter in gate], loss)


def torch_stacked(given: Problem, *, hoisted: bool) -> Run:
    """A loop in PyTorch, with one product for all gates; `hoisted`: that of the inputs before the
    loop."""
    import torch

    W, U, b = leaves(stacked(given, "ifgo"))
    data = tensors({"x": given.inputs["x"], "target": given.targets["h"]})

    def loss() -> Any:
        h = c = torch.zeros_like(data["target"][0])
        outputs = []
        for x in data["x"] @ W.T + b if hoisted else data["x"]:
            net = x if hoisted else x @ W.T + b
            i, f, g, o = (net + h @ U.T).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return ((torch.stack(outputs) - data["target"]) ** 2).mean()

    return pytorch((W, U, b), loss)


def jax_scan(given: Problem) -> Run:
    import jax

    jnp = jax.numpy

    def loss(p: Any, x: Any, target: Any) -> Any:
        def step(state: Any, net: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(net + h @ p["U"].T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros_like(target[0])
        _, outputs = jax.lax.scan(step, (zero, zero), x @ p["W"].T + p["b"])
        return ((outputs - target) ** 2).mean()

    parameters = device_arrays(dict(zip("WUb", stacked(given, "ifgo"), strict=True)))
    data = device_arrays({"x": given.inputs["x"], "target": given.targets["h"]})
    return jax_compiled(loss, parameters, *data.values())


CASE = Case(
    name="lstm",
    about="one LSTM layer",
    axes="in, hidden, batch, steps",
    sizes=((4, 10, 1, 100), (16, 32, 8, 50), (64, 128, 32, 50), (256, 512, 64, 30)),
    network=network,
    problem=problem,
    others={
        "NumPy by hand": by_hand,
        "torch.nn": torch_module,
        "PyTorch as equations": torch_equations,
        "PyTorch stacked": partial(torch_stacked, hoisted=False),
        "PyTorch hoisted": partial(torch_stacked, hoisted=True),
        "jax.lax.scan": jax_scan,
    },
)
