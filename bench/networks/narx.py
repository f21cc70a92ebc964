"""A NARX network in closed loop: its own output comes back one and two steps later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.networks.case import (
    Case,
    Problem,
    Run,
    Size,
    device_arrays,
    jax_compiled,
    leaves,
    normal,
    pytorch,
    rows,
    tensors,
    weights,
)
from bptt.derive import Connection, Layer, LossSpec, Network

DELAYS = 2


def network(size: Size) -> Network:
    """One input and one output, both read at the two steps before, through a layer of tanh."""
    delayed = [Connection(source, d) for source in "xy" for d in range(1, DELAYS + 1)]
    layers = (
        Layer("hidden", size[0], tuple(delayed), activation="tanh"),
        Layer("y", 1, (Connection("hidden"),), activation="linear"),
    )
    return Network("narx", {"x": 1}, layers, (LossSpec("y", "mse"),))


def problem(size: Size, dtype: str) -> Problem:
    units, batch, steps = size
    rng = np.random.default_rng(0)
    shapes: dict[str, Size] = {
        f"W_hidden_{source}_{d}": (units, 1) for source in "xy" for d in range(1, DELAYS + 1)
    }
    shapes |= {"b_hidden": (units,), "W_y_hidden": (1, units), "b_y": (1,)}
    drawn = normal(rng, {"x": (steps, batch, 1), "y": (steps, batch, 1)}, dtype)
    return Problem(weights(rng, shapes, dtype), {"x": drawn["x"]}, {"y": drawn["y"]})


def stacked(given: Problem) -> list[Any]:
    """W (units, 2) on the input and V (units, 2) on the output, the longest delay first, as the
    steps lie in memory; the biases of the units, the output's weights, its bias."""
    p = given.parameters
    W, V = (
        np.concatenate([p[f"W_hidden_{source}_{d}"] for d in range(DELAYS, 0, -1)], axis=1)
        for source in "xy"
    )
    return [W, V, p["b_hidden"], p["W_y_hidden"][0], p["b_y"]]


def delayed(signal: Any) -> Any:
    """(2 + T, B) as (T, B, 2): of every step, the two before it."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, DELAYS, axis=0)
    return windows[: len(signal) - DELAYS]


def by_hand(given: Problem) -> Run:
    """NumPy, with what one knows of a single output: the hidden layer's Jacobians are numbers,
    and backward in time only they are needed."""
    W, V, b, w, c = stacked(given)
    x = np.concatenate([np.zeros_like(given.inputs["x"][:DELAYS]), given.inputs["x"]])[..., 0]
    target = given.targets["y"][..., 0]

    def run() -> tuple[float, Iterable[Any]]:
        y, hidden = forward(W, V, b, w, c, x)
        error = (y[DELAYS:] - target).ravel()
        loss = error @ error / error.size
        local = (1 - hidden * hidden) * w
        d_y = backward(local @ V, (2 / error.size * error).reshape(target.shape))
        d_net = rows(local * d_y[..., None])
        d_W, d_V = (d_net.T @ delayed(s).reshape(-1, DELAYS) for s in (x, y))
        return float(loss), (d_W, d_V, d_net.sum(0), d_y.ravel() @ rows(hidden), d_y.sum())

    return run


def forward(W: Any, V: Any, b: Any, w: Any, c: Any, x: Any) -> tuple[Any, Any]:
    """The output from before the first step on, (2 + T, B), and the hidden layer, (T, B, units)."""
    y = np.zeros_like(x)
    hidden = delayed(x) @ W.T
    hidden += b
    V_T, fed_back = V.T, np.empty_like(hidden[0])
    for t, h in enumerate(hidden):
        h += np.matmul(y[t : t + DELAYS].T, V_T, out=fed_back)
        np.tanh(h, out=h)
        y_t = np.matmul(h, w, out=y[t + DELAYS])
        y_t += c
    return y, hidden


def backward(gains: Any, d_y: Any) -> Any:
    """The total derivatives by the output, (T, B): `gains` (T, B, 2) are those of every output by
    the two before it."""
    padded = np.concatenate([np.zeros_like(d_y[:DELAYS]), d_y])
    gains = np.ascontiguousarray(gains.transpose(0, 2, 1))
    for t in range(len(d_y) - 1, -1, -1):
        gain = gains[t]
        gain *= padded[t + DELAYS]
        padded[t : t + DELAYS] += gain
    return padded[DELAYS:]


def torch_loop(given: Problem) -> Run:
    import torch

    W, V, b, w, c = leaves(stacked(given))
    data = tensors({"x": given.inputs["x"], "target": given.targets["y"]})
    before = torch.zeros_like(data["x"][:DELAYS])
    x = torch.cat([before, data["x"]]).squeeze(2).unfold(0, DELAYS, 1)[: len(data["x"])]

    def loss() -> Any:
        y = list(before)
        for net in x @ W.T + b:
            hidden = torch.tanh(net + torch.cat(y[-DELAYS:], 1) @ V.T)
            y.append((hidden @ w + c).unsqueeze(1))
        return ((torch.stack(y[DELAYS:]) - data["target"]) ** 2).mean()

    return pytorch((W, V, b, w, c), loss)


def jax_scan(given: Problem) -> Run:
    import jax

    jnp = jax.numpy

    def loss(p: Any, x: Any, target: Any) -> Any:
        def step(past: Any, net: Any) -> Any:
            y = (jnp.tanh(net + past @ p["V"].T) @ p["w"] + p["c"])[:, None]
            return jnp.concatenate([past[:, 1:], y], axis=1), y

        _, outputs = jax.lax.scan(step, jnp.zeros_like(x[0]), x @ p["W"].T + p["b"])
        return ((outputs - target) ** 2).mean()

    x = np.concatenate([np.zeros_like(given.inputs["x"][:DELAYS]), given.inputs["x"]])[..., 0]
    parameters = device_arrays(dict(zip("WVbwc", stacked(given), strict=True)))
    data = device_arrays({"x": delayed(x), "target": given.targets["y"]})
    return jax_compiled(loss, parameters, *data.values())


CASE = Case(
    name="narx",
    about="NARX network in closed loop, delays 1 and 2",
    axes="units, batch, steps",
    sizes=((10, 1, 300), (10, 32, 100)),
    network=network,
    problem=problem,
    others={
        "NumPy by hand": by_hand,
        "PyTorch hoisted": torch_loop,
        "jax.lax.scan": jax_scan,
    },
)
