"""Times derivation and generation: the LSTM, and a random network of 50 layers."""

from __future__ import annotations

import random
import time
from pathlib import Path

from bptt.codegen import generate
from bptt.derive import Connection, Layer, LossSpec, Network, build, load

LAYERS, CONNECTIONS = 50, 250


def large(seed: int = 1) -> Network:
    """A chain of 50 layers with 200 delayed connections drawn at random among them."""
    rng = random.Random(seed)
    names = [f"layer{n}" for n in range(LAYERS)]
    read = {name: {(before, 0)} for before, name in zip(["x", *names], names, strict=False)}
    while sum(map(len, read.values())) < CONNECTIONS:
        read[rng.choice(names)].add((rng.choice(names), rng.randint(1, 5)))
    layers = tuple(
        Layer(
            name,
            rng.randint(3, 8),
            tuple(Connection(*c) for c in sorted(read[name])),
            activation=rng.choice(["tanh", "sigmoid", "relu"]),
        )
        for name in names
    )
    return Network("large", {"x": 4}, layers, (LossSpec(names[-1], "mse"),))


def main() -> None:
    lstm = load(Path(__file__).parent.parent / "generated" / "lstm.toml")
    for name, network in (("LSTM", lstm), ("50 layers", large())):
        start = time.perf_counter()
        generate(build(network))
        print(f"{name}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
