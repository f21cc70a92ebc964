"""Networks drawn at random: every feature of the description, in combination."""

from __future__ import annotations

import random

from derive import Cell, Connection, Layer, LossSpec, Network

ACTIVATIONS = (
    "linear",
    "tanh",
    "sigmoid",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "softmax",
    "gaussian",
    "sin",
    "square",
)
CELLS = {
    "leaky": Cell(
        "leaky",
        "n[t] = W @ x[t] + U @ h[t-1] + b\nh[t] = a * h[t-1] + (1 - a) * tanh(n[t])",
        bias=("b",),
    ),
    "indexed": Cell(
        "indexed",
        "g[t,i] = sigmoid(V[i,j]*x[t,j] + c[i])\n"
        "h[t,i] = g[t,i]*tanh(u[i]*h[t-2,i] + W[i,j]*x[t,j]) + (1 - g[t,i])*h[t-1,i]",
        bias=("c",),
    ),
    "normed": Cell(
        "normed",
        "e[t] = W @ x[t] + U @ h[t-1]\n"
        "m[t] = e[t] - mean(e[t])\n"
        "h[t] = tanh(g * m[t] / sqrt(mean(m[t] * m[t]) + 0.1) + b)",
    ),
    "joined": Cell(
        "joined",
        "r[t] = sigmoid(R @ x[t] + S @ h[t-1])\n"
        "h[t] = tanh(W @ x[t] + V @ concat(r[t] * h[t-1], h[t-2]) + b)",
        bias=("b",),
    ),
    "split": Cell(
        "split",
        "a[t] = tanh(W @ x[t] + b)\n"
        "h[t] = U @ concat(a[t], h[t-1] * a[t], h[t-3]) - a[t-1] / (1 + a[t-1] ** 2)",
    ),
    "attending": Cell(
        "attending",
        "s[t] = softmax(W @ x[t] + U @ h[t-1])\nh[t] = s[t] * tanh(V @ (s[t] * h[t-1]) + b)",
    ),
}


def draw(seed: int) -> Network:
    """The network of a seed."""
    rng = random.Random(seed)
    inputs = {f"x{n}": rng.randint(1, 3) for n in range(rng.randint(1, 3))}
    count = rng.randint(1, 6)
    names = [f"layer{n}" for n in range(count)]
    directions = _directions(rng, count)
    sizes = [rng.randint(1, 3) for _ in names]
    shared: dict[tuple[int, int], str] = {}
    layers = []
    for n, name in enumerate(names):
        cell = _cell(rng)
        sources = _sources(rng, n, names, directions, inputs)
        if cell is not None:
            sources = [(s, d) for s, d in sources if s not in names[n:] or d > 0]
        widths = dict(zip(names, sizes, strict=True)) | inputs
        connections = tuple(
            Connection(s, d, _weight(rng, shared, sizes[n], widths[s]) if not cell else None)
            for s, d in sources
        )
        layers.append(
            Layer(
                name=name,
                size=sizes[n],
                connections=connections,
                activation=rng.choice(ACTIVATIONS),
                cell=cell,
                bias=rng.random() < 0.8,
                direction=directions[n],
            )
        )
    losses = tuple(_loss(rng, layer) for layer in _judged(rng, layers))
    shuffled = layers[:]
    rng.shuffle(shuffled)
    return Network(
        name=f"random_{seed}",
        inputs=inputs,
        layers=tuple(shuffled),
        losses=losses,
        cells={c: CELLS[c] for layer in layers if (c := layer.cell) in CELLS},
    )


def _directions(rng: random.Random, count: int) -> list[str]:
    """Runs of layers with one direction: feedback stays within a run."""
    directions: list[str] = []
    while len(directions) < count:
        direction = "backward" if rng.random() < 0.2 else "forward"
        directions += [direction] * rng.randint(1, count)
    return directions[:count]


def _cell(rng: random.Random) -> str | None:
    return rng.choice(("rnn", "lstm", "gru", *CELLS)) if rng.random() < 0.25 else None


def _sources(
    rng: random.Random,
    n: int,
    names: list[str],
    directions: list[str],
    inputs: dict[str, int],
) -> list[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    earlier = [*inputs, *names[:n]]
    for _ in range(rng.randint(1, 3)):
        source = rng.choice(earlier)
        found |= {(source, d) for d in rng.sample(range(6), rng.randint(1, 3))}
    if n == 0 or rng.random() < 0.8:
        found.add((rng.choice(earlier), 0))
    last = n
    while last < len(names) and directions[last] == directions[n]:
        last += 1
    for _ in range(rng.randint(0, 2)):
        source = rng.choice(names[n:last])
        found |= {(source, d) for d in rng.sample(range(1, 6), rng.randint(1, 2))}
    if not any(s in inputs for s, _ in found) and n == 0:
        found.add((next(iter(inputs)), 0))
    ordered = sorted(found)
    rng.shuffle(ordered)
    return ordered


def _weight(
    rng: random.Random, shared: dict[tuple[int, int], str], rows: int, columns: int
) -> str | None:
    if rng.random() < 0.85:
        return None
    return shared.setdefault((rows, columns), f"Q_{rows}_{columns}")


def _judged(rng: random.Random, layers: list[Layer]) -> list[Layer]:
    chosen = {layers[-1].name} | {rng.choice(layers).name for _ in range(rng.randint(0, 2))}
    return [layer for layer in layers if layer.name in chosen]


def _loss(rng: random.Random, layer: Layer) -> LossSpec:
    kinds = ["mse", "sse", "huber"]
    plain = None if layer.cell else layer.activation
    if plain in ("softmax", "linear") or layer.cell in ("gru", "leaky"):
        kinds.append("cross_entropy")
    if plain in ("sigmoid", "linear") or layer.cell in ("gru", "leaky"):
        kinds.append("binary_cross_entropy")
    kind = rng.choice(kinds)
    return LossSpec(
        output=layer.name,
        kind=kind,
        weight=rng.choice((1.0, 0.5, 2.0, 0.3)),
        steps=rng.choice(("all", "all", "last", "weighted")),
        delta=0.5 if kind == "huber" else 1.0,
    )
