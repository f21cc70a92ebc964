"""One GRU layer, reset gate after the matrix product, judged at every step by mean squares."""

from __future__ import annotations

from collections.abc import Iterable
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


def network(size: Size) -> Network:
    inputs, hidden, _, _ = size
    layer = Layer("h", hidden, (Connection("x"),), cell="gru")
    return Network("gru", {"x": inputs}, (layer,), (LossSpec("h", "mse"),))


def problem(size: Size, dtype: str) -> Problem:
    """Weights of r, z and n, where n has a second bias within the reset; an input and a target."""
    inputs, hidden, batch, steps = size
    rng = np.random.default_rng(0)
    shapes: dict[str, Size] = {"c_n_h": (hidden,)}
    for gate in "rzn":
        shapes[f"W_{gate}_h_x"] = hidden, inputs
        shapes[f"U_{gate}_h"] = hidden, hidden
        shapes[f"b_{gate}_h"] = (hidden,)
    data = {"x": (steps, batch, inputs), "h": (steps, batch, hidden)}
    drawn = normal(rng, data, dtype)
    return Problem(weights(rng, shapes, dtype), {"x": drawn["x"]}, {"h": drawn["h"]})


def stacked(given: Problem) -> list[Any]:
    """W, U and b of r, z and n one below the other, and the bias within the reset."""
    names = (("W_", "_h_x"), ("U_", "_h"), ("b_", "_h"))
    p = given.parameters
    matrices = [np.concatenate([p[before + g + after] for g in "rzn"]) for before, after in names]
    return [*matrices, p["c_n_h"]]


def by_hand(given: Problem) -> Run:
    W, U, b, c = stacked(given)
    x, target = given.inputs["x"], given.targets["h"]

    def run() -> tuple[float, Iterable[Any]]:
        gates, resettable, h = _forward(W, U, b, c, x)
        error = h[1:] - batch_last(target)
        loss = error.ravel() @ error.ravel() / error.size
        error *= 2 / error.size
        d_u, d_n = (rows(batch_last(d)) for d in _backward(U, gates, resettable, h, error))
        # r and z have the same of both sums: of W x + b, n alone is left.
        d_r_z = d_u[:, : -len(c)]
        d_W = np.concatenate([d_r_z.T @ rows(x), d_n.T @ rows(x)])
        d_U = d_u.T @ rows(batch_last(h[:-1]))
        d_b = d_u.sum(0)
        d_b, d_c = np.concatenate([d_b[: -len(c)], d_n.sum(0)]), d_b[-len(c) :]
        return float(loss), (d_W, d_U, d_b, d_c)

    return run


def _forward(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, ...]:
    """The gates r, z and n as (T, 3, H, B), what r resets, (T, H, B), and h from before the first
    step on."""
    T, B, _ = x.shape
    H = len(c)
    # sigmoid(n) = tanh(n/2)/2 + 1/2: what enters the sigmoids is of half the size.
    half = np.array(0.5, x.dtype)
    W, U, b = (np.concatenate([half * part[: 2 * H], part[2 * H :]]) for part in (W, U, b))
    gates = projected(W, b, x).reshape(T, 3, H, B)
    h = np.zeros((T + 1, H, B), x.dtype)
    resettable = np.empty((T, H, B), x.dtype)
    fed_back, part = np.empty((3 * H, B), x.dtype), np.empty((H, B), x.dtype)
    to_r_z, to_n = fed_back[: 2 * H].reshape(2, H, B), fed_back[2 * H :]
    c = c[:, None]
    steps = zip(gates, resettable, h[:-1], h[1:], strict=True)
    for gate, resettable_t, h_before, h_t in steps:
        np.dot(U, h_before, out=fed_back)
        r_z, n = gate[:2], gate[2]
        r_z += to_r_z
        np.tanh(r_z, out=r_z)
        r_z *= half
        r_z += half
        np.add(to_n, c, out=resettable_t)
        n += np.multiply(r_z[0], resettable_t, out=part)
        np.tanh(n, out=n)
        np.subtract(h_before, n, out=h_t)
        h_t *= r_z[1]
        h_t += n
    return gates, resettable, h


def _backward(U: Any, gates: Any, resettable: Any, h: Any, d_h: Any) -> tuple[Any, Any]:
    """The derivatives of the loss by what U h + c gives, (T, 3 H, B), and by the net input of n,
    (T, H, B), which has the reset in between."""
    T, _, H, B = gates.shape
    r, z, n = np.moveaxis(gates, 1, 0)
    # What each sum does to h, at all steps: all the backward loop has to do is to multiply.
    local = np.empty_like(gates)
    by_net = (1 - z) * (1 - n * n)
    np.multiply(gates[:, :2], 1 - gates[:, :2], out=local[:, :2])
    local[:, 0] *= by_net
    local[:, 0] *= resettable
    local[:, 1] *= h[:-1] - n
    np.multiply(by_net, r, out=local[:, 2])
    d_u = np.empty_like(gates)
    flat = d_u.reshape(T, 3 * H, B)
    part = np.empty((H, B), gates.dtype)
    for t in range(T - 1, -1, -1):
        d_h_t = d_h[t]
        if t < T - 1:
            d_h_t += np.dot(U.T, flat[t + 1], out=part)
            d_h_t += np.multiply(d_h[t + 1], z[t + 1], out=part)
        np.multiply(local[t], d_h_t, out=d_u[t])
    by_net *= d_h
    return flat, by_net


def torch_module(given: Problem) -> Run:
    """torch.nn.GRU. Of its second bias, only what lies within the reset counts here."""
    import torch

    W, U, b, c = (torch.from_numpy(array) for array in stacked(given))
    x, target = torch.from_numpy(given.inputs["x"]), torch.from_numpy(given.targets["h"])
    gru = torch.nn.GRU(W.shape[1], U.shape[1]).to(x.dtype)
    second = torch.cat([torch.zeros_like(c), torch.zeros_like(c), c])
    with torch.no_grad():
        for own, value in zip(gru.parameters(), (W, U, b, second), strict=True):
            own.copy_(value)
    run = pytorch(gru.parameters(), lambda: ((gru(x)[0] - target) ** 2).mean())

    def counted() -> tuple[float, Iterable[Any]]:
        loss, (*others, d_second) = run()
        return loss, (*others, d_second[2 * len(c) :])

    return counted


def torch_loop(given: Problem) -> Run:
    import torch

    W, U, b, c = leaves(stacked(given))
    data = tensors({"x": given.inputs["x"], "target": given.targets["h"]})

    def loss() -> Any:
        h = torch.zeros_like(data["target"][0])
        outputs = []
        for net in data["x"] @ W.T + b:
            x_r, x_z, x_n = net.chunk(3, 1)
            u_r, u_z, u_n = (h @ U.T).chunk(3, 1)
            r, z = torch.sigmoid(x_r + u_r), torch.sigmoid(x_z + u_z)
            n = torch.tanh(x_n + r * (u_n + c))
            h = n + z * (h - n)
            outputs.append(h)
        return ((torch.stack(outputs) - data["target"]) ** 2).mean()

    return pytorch((W, U, b, c), loss)


def jax_scan(given: Problem) -> Run:
    import jax

    jnp = jax.numpy

    def loss(p: Any, x: Any, target: Any) -> Any:
        def step(h: Any, net: Any) -> Any:
            x_r, x_z, x_n = jnp.split(net, 3, axis=1)
            u_r, u_z, u_n = jnp.split(h @ p["U"].T, 3, axis=1)
            r, z = jax.nn.sigmoid(x_r + u_r), jax.nn.sigmoid(x_z + u_z)
            n = jnp.tanh(x_n + r * (u_n + p["c"]))
            h = n + z * (h - n)
            return h, h

        _, outputs = jax.lax.scan(step, jnp.zeros_like(target[0]), x @ p["W"].T + p["b"])
        return ((outputs - target) ** 2).mean()

    parameters = device_arrays(dict(zip("WUbc", stacked(given), strict=True)))
    data = device_arrays({"x": given.inputs["x"], "target": given.targets["h"]})
    return jax_compiled(loss, parameters, *data.values())


CASE = Case(
    name="gru",
    about="one GRU layer",
    axes="in, hidden, batch, steps",
    sizes=((16, 32, 8, 50), (64, 128, 32, 50)),
    network=network,
    problem=problem,
    others={
        "NumPy by hand": by_hand,
        "torch.nn": torch_module,
        "PyTorch hoisted": torch_loop,
        "jax.lax.scan": jax_scan,
    },
)
