"""Fifty small layers in one loop, with delays drawn at random: no framework has that ready."""

from __future__ import annotations

import random
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
    tensors,
    weights,
)
from bptt.derive import Connection, Layer, LossSpec, Network

LAYERS, INPUTS, LONGEST = 50, 4, 3
LAST = f"layer{LAYERS - 1}"


def topology(seed: int = 0) -> dict[str, tuple[int, list[tuple[str, int]]]]:
    """Layers by name, in the order in which a step computes them: units, and what they read at
    which delay.

    Each reads the layer before it, now or a step later, and every other one reads some layer up
    to three steps later; the first reads the last.
    """
    rng = random.Random(seed)
    names = [f"layer{n}" for n in range(LAYERS)]
    found = {}
    for n, name in enumerate(names):
        reads = {(names[n - 1], rng.randint(0 if n else 1, 1))}
        if n % 2:
            reads.add((rng.choice(names), rng.randint(1, LONGEST)))
        found[name] = rng.randint(3, 8), sorted(reads)
    return found


def weight(layer: str, source: str, delay: int) -> str:
    """The name of a weight in the generated module."""
    return f"W_{layer}_{source}" + (f"_{delay}" if delay else "")


def network(size: Size) -> Network:
    layers = tuple(
        Layer(name, units, tuple(Connection(*read) for read in (("x", 0), *reads)))
        for name, (units, reads) in topology().items()
    )
    return Network("layers", {"x": INPUTS}, layers, (LossSpec(LAST, "mse"),))


def problem(size: Size, dtype: str) -> Problem:
    batch, steps = size
    rng = np.random.default_rng(0)
    layers = topology()
    shapes: dict[str, Size] = {}
    for name, (units, reads) in layers.items():
        shapes[weight(name, "x", 0)] = units, INPUTS
        shapes |= {weight(name, source, d): (units, layers[source][0]) for source, d in reads}
        shapes[f"b_{name}"] = (units,)
    data = {"x": (steps, batch, INPUTS), LAST: (steps, batch, layers[LAST][0])}
    drawn = normal(rng, data, dtype)
    return Problem(weights(rng, shapes, dtype), {"x": drawn["x"]}, {LAST: drawn[LAST]})


def torch_loop(given: Problem) -> Run:
    """Steps, and within them layers; what the layers have of the input is computed before."""
    import torch

    p = dict(zip(given.parameters, leaves(given.parameters.values()), strict=True))
    data = tensors({"x": given.inputs["x"], "target": given.targets[LAST]})
    layers = topology()

    def loss() -> Any:
        nets = {
            name: (data["x"] @ p[weight(name, "x", 0)].T + p[f"b_{name}"]).unbind()
            for name in layers
        }
        signals: dict[str, list[Any]] = {name: [] for name in layers}
        for t in range(len(data["x"])):
            for name, (_, reads) in layers.items():
                net = nets[name][t]
                for source, delay in reads:
                    if t >= delay:
                        net = net + signals[source][t - delay] @ p[weight(name, source, delay)].T
                signals[name].append(torch.tanh(net))
        return ((torch.stack(signals[LAST]) - data["target"]) ** 2).mean()

    return pytorch(p.values(), loss)


def jax_scan(given: Problem) -> Run:
    """The state is all layers at the three steps before."""
    import jax

    jnp = jax.numpy
    layers = topology()

    def loss(p: Any, x: Any, target: Any) -> Any:
        def step(past: Any, nets: Any) -> Any:
            now: dict[str, Any] = {}
            for name, (_, reads) in layers.items():
                net = nets[name]
                for source, delay in reads:
                    read = past[delay - 1][source] if delay else now[source]
                    net = net + read @ p[weight(name, source, delay)].T
                now[name] = jnp.tanh(net)
            return (now, *past[:-1]), now[LAST]

        nets = {name: x @ p[weight(name, "x", 0)].T + p[f"b_{name}"] for name in layers}
        zero = {name: jnp.zeros_like(net[0]) for name, net in nets.items()}
        _, outputs = jax.lax.scan(step, (zero,) * LONGEST, nets)
        return ((outputs - target) ** 2).mean()

    data = device_arrays({"x": given.inputs["x"], "target": given.targets[LAST]})
    return jax_compiled(loss, device_arrays(given.parameters), *data.values())


CASE = Case(
    name="layers",
    about=f"{LAYERS} layers of 3 to 8 units in one loop",
    axes="batch, steps",
    sizes=((1, 50), (8, 50)),
    network=network,
    problem=problem,
    others={"PyTorch hoisted": torch_loop, "jax.lax.scan": jax_scan},
)
