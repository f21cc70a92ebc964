"""Networks drawn at random: every feature of the description, in combination."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from bptt.derive import Cell, Connection, Input, Layer, LossSpec, Network
from bptt.derive.description.cell import shipped_cells

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
    "ticking": Cell(
        "ticking",
        "h[t] = every(t, 3) * tanh(W @ x[t] + U @ h[t-1]) + (1 - every(t, 3)) * h[t-1]",
    ),
    "attending": Cell(
        "attending",
        "s[t] = softmax(W @ x[t] + U @ h[t-1])\nh[t] = s[t] * tanh(V @ (s[t] * h[t-1]) + b)",
    ),
}


def draw(seed: int, *, layered: bool = False) -> Network:
    """The network of a seed; a `layered` one has no cells and reads nothing that comes later."""
    rng = random.Random(seed)
    inputs = {f"x{n}": rng.randint(1, 3) for n in range(rng.randint(1, 3))}
    count = rng.randint(1, 6)
    names = [f"layer{n}" for n in range(count)]
    directions = ["forward"] * count if layered else _directions(rng, count)
    sizes = [rng.randint(1, 3) for _ in names]
    shared: dict[tuple[int, int], str] = {}
    layers = []
    for n, name in enumerate(names):
        cell = None if layered else _cell(rng)
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
    network = Network(
        name=f"random_{seed}",
        inputs=inputs,
        layers=tuple(layers),
        losses=losses,
        cells={c: CELLS[c] for layer in layers if (c := layer.cell) in CELLS},
    )
    for change in () if layered else (_transposed, _twin, _read_once, _second_axis, _masked):
        if rng.random() < 0.3:
            network = change(rng, network)
    shuffled = list(network.layers)
    rng.shuffle(shuffled)
    return replace(network, layers=tuple(shuffled))


def _transposed(rng: random.Random, network: Network) -> Network:
    """A layer that reads its first source through a weight that another reads as it is."""
    layer = rng.choice(network.layers)
    source = rng.choice(list(network.inputs))
    width = network.input(source).size[0]
    reads = Connection(source, 0, "Q_of_both")
    back = Connection(layer.name, rng.randint(0, 2), "Q_of_both.T")
    first = Layer("there", layer.size, (reads,), "tanh")
    second = Layer("back_again", width, (back,), rng.choice(ACTIVATIONS))
    return replace(
        network,
        layers=(*network.layers, first, second),
        losses=(*network.losses, LossSpec("there"), LossSpec("back_again", "sse", 0.2)),
    )


def _twin(rng: random.Random, network: Network) -> Network:
    """A layer with the parameters of another, which reads the same."""
    layer = rng.choice(network.layers)
    plain = tuple(replace(c, weight=None) for c in layer.connections)
    original = replace(layer, connections=plain)
    twin = replace(original, name="twin", shares=layer.name, direction="forward")
    others = tuple(original if o is layer else o for o in network.layers)
    judged = (*network.losses, LossSpec("twin", weight=0.7))
    return replace(network, layers=(*others, twin), losses=judged)


def _read_once(rng: random.Random, network: Network) -> Network:
    """A layer without steps, which reads single steps of others; and one that reads it."""
    names = [layer.name for layer in network.layers]
    chosen = rng.sample(names, rng.randint(1, min(2, len(names))))
    reads = tuple(Connection(n, at=rng.choice(("first", "last"))) for n in chosen)
    once = Layer("once", rng.randint(1, 3), reads, rng.choice(ACTIVATIONS))
    source = rng.choice(list(network.inputs))
    after = Layer("after_once", 2, (Connection("once"), Connection(source)), "tanh")
    judged = (LossSpec("once", rng.choice(("mse", "huber"))), LossSpec("after_once"))
    return replace(
        network, layers=(*network.layers, once, after), losses=(*network.losses, *judged)
    )


def _second_axis(rng: random.Random, network: Network) -> Network:
    """An encoder on an axis of its own, whose first or last step a layer reads at every step."""
    direction = rng.choice(("forward", "backward"))
    encoder = Layer(
        "encoder", rng.randint(1, 3), (Connection("source"),), cell=rng.choice(("rnn", "gru")),
        direction=direction,
    )  # fmt: skip
    at = "first" if direction == "backward" else "last"
    source = rng.choice(list(network.inputs))
    reads = (Connection("encoder", at=at), Connection(source), Connection("decoder", 1))
    decoder = Layer("decoder", 2, reads, "tanh")
    return replace(
        network,
        inputs={**network.inputs, "source": Input((2,), ("S",))},
        layers=(*network.layers, encoder, decoder),
        losses=(*network.losses, LossSpec("decoder")),
    )


def _masked(rng: random.Random, network: Network) -> Network:
    """Masks on some of the layers and of the losses."""
    mask = Input((), mask=True, batch=rng.random() < 0.8)
    still = {"once", "encoder"}
    layers = tuple(
        replace(layer, mask="m", masked=rng.choice(("hold", "zero")))
        if layer.name not in still and rng.random() < 0.6
        else layer
        for layer in network.layers
    )
    masked = {layer.name for layer in layers if layer.mask}
    losses = []
    for loss in network.losses:
        # Logits are judged where the mask of their layer holds.
        by_logits = loss.output in masked and "cross_entropy" in loss.kind
        if by_logits and loss.steps != "all":
            loss = replace(loss, kind="mse")
        elif loss.steps == "all" and loss.output not in still and (by_logits or rng.random() < 0.5):
            loss = replace(loss, mask="m")
        losses.append(loss)
    inputs = {**network.inputs, "m": mask}
    return replace(network, inputs=inputs, layers=layers, losses=tuple(losses))


SIZE = 3


def draw_equations(seed: int) -> Network:
    """A network of equations on two axes of steps, of the parts of attention and the like."""
    rng = random.Random(seed)
    drawn = _Equations(rng)
    parts: list[Callable[[], None]] = [
        drawn.recurrent, drawn.encoder, drawn.across, drawn.within, drawn.within, drawn.in_loop,
        drawn.own_past, drawn.matrix, drawn.pooled, drawn.gated, drawn.located,
    ]  # fmt: skip
    for part in rng.sample(parts, rng.randint(2, 4)):
        part()
    judged = [n for n in (*drawn.timed, *drawn.still) if n not in ("x", "z")]
    losses = tuple(
        LossSpec(name, rng.choice(("mse", "huber")))
        for name in dict.fromkeys((judged[-1], rng.choice(judged)))
    )
    return Network(
        f"equations_{seed}",
        {
            "x": SIZE,
            "z": Input((SIZE,), ("S",)),
            "m": Input((), mask=True),
            "k": Input((), ("S",), mask=True, batch=rng.random() < 0.7),
        },
        equations="\n".join(drawn.lines),
        losses=losses,
        signals=drawn.sizes,
        parameters=drawn.parameters,
    )


class _Equations:
    """Equations as they are drawn; `timed` and `across_s` name the vectors on each axis."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.timed, self.across_s, self.still = ["x"], ["z"], list[str]()
        self.sizes: dict[str, int | tuple[int, ...]] = {}
        self.parameters: dict[str, tuple[int, ...]] = {}
        self.count = 0

    def new(self, stem: str, home: list[str] | None = None) -> str:
        self.count += 1
        name = f"{stem}{self.count}"
        if home is not None:
            home.append(name)
            self.sizes[name] = SIZE
        return name

    def matrix_of(self, stem: str = "W") -> str:
        self.count += 1
        self.parameters[f"{stem}{self.count}"] = (SIZE, SIZE)
        return f"{stem}{self.count}"

    def vector_of(self) -> str:
        self.count += 1
        self.parameters[f"w{self.count}"] = (SIZE,)
        return f"w{self.count}"

    def source(self) -> str:
        return self.rng.choice(self.timed)

    def recurrent(self) -> None:
        src, name = self.source(), self.new("a", self.timed)
        w, u, d = self.matrix_of(), self.matrix_of("U"), self.rng.randint(1, 3)
        self.lines.append(f"{name}[t] = tanh({w} @ {src}[t] + {u} @ {name}[t-{d}])")

    def encoder(self) -> None:
        src, name = self.rng.choice(self.across_s), self.new("b", self.across_s)
        w, u, sign = self.matrix_of(), self.matrix_of("U"), self.rng.choice("+-")
        self.lines.append(f"{name}[s] = sigmoid({w} @ {src}[s] + {u} @ {name}[s{sign}1])")

    def _score(self, query: str, key: str) -> str:
        if self.rng.random() < 0.5:
            return f"{query} @ {self.matrix_of('A')} @ {key}"
        return f"{self.vector_of()} @ tanh({self.matrix_of('A')} @ {query} + {key})"

    def _attend(self, query: str, keys: str, over: str, mask: str) -> str:
        e, a, c = self.new("e"), self.new("al"), self.new("c", self.timed)
        self.lines.append(f"{e}[t,s] = {self._score(query, f'{keys}[s]')}")
        self.lines.append(f"{a}[t,s] = softmax({e}[t,s], {over}{mask})")
        self.lines.append(f"{c}[t] = sum({a}[t,s] * {keys}[s], {over})")
        return c

    def across(self) -> None:
        keys = self.rng.choice(self.across_s)
        self._attend(f"{self.source()}[t]", keys, "s", self.rng.choice(("", ", k[s]")))

    def within(self) -> None:
        over = self.rng.choice(("s", "s <= t", "s < t", "t-2 <= s <= t", "s >= t", "s, t < s"))
        mask = self.rng.choice(("", ", m[s]"))
        self._attend(f"{self.source()}[t]", self.source(), over, mask)

    def in_loop(self) -> None:
        """A decoder that looks over the other axis by its own last state."""
        src, keys = self.source(), self.rng.choice(self.across_s)
        h = self.new("h")
        c = self._attend(f"{h}[t-1]", keys, "s", "")
        self.timed.append(h)
        self.sizes[h] = SIZE
        w, u = self.matrix_of(), self.matrix_of("U")
        self.lines.append(
            f"{h}[t] = tanh({w} @ {src}[t] + {u} @ concat({c}[t][0:2], {h}[t-2][1:2]))"
        )

    def own_past(self) -> None:
        src, h, g, p = self.source(), self.new("h", self.timed), self.new("g"), self.new("p")
        over = self.rng.choice(("s < t", "t-3 <= s < t"))
        self.sizes[p] = SIZE
        self.lines.append(f"{g}[t,s] = softmax({src}[t] @ {h}[s], {over})")
        self.lines.append(f"{p}[t] = sum({g}[t,s] * {h}[s], {over})")
        self.lines.append(f"{h}[t] = tanh({self.matrix_of()} @ {src}[t] + {p}[t])")

    def matrix(self) -> None:
        a, b, s = self.source(), self.source(), self.new("S")
        y = self.new("y", self.timed)
        self.sizes[s] = (SIZE, SIZE)
        gate = f"diag(sigmoid({self.matrix_of()} @ {a}[t])) @ {s}[t-1]"
        self.lines.append(
            f"{s}[t] = {gate} + outer(tanh({a}[t]), {b}[t] - {s}[t-1].T @ tanh({a}[t]))"
        )
        self.lines.append(f"{y}[t] = {s}[t].T @ tanh({a}[t])")

    def pooled(self) -> None:
        src = self.source()
        p = self.new("q", self.still)
        kind = self.rng.choice(
            (f"mean({src}[s], s)", f"{src}[end]", f"sum(m[s] * {src}[s], s)", f"{src}[0]")
        )
        self.lines.append(f"{p} = tanh({kind})")
        y, w, v = self.new("y", self.timed), self.matrix_of(), self.matrix_of("V")
        self.lines.append(f"{y}[t] = sigmoid({w} @ {self.source_but(y)}[t] + {v} @ {p})")

    def source_but(self, name: str) -> str:
        return self.rng.choice([n for n in self.timed if n != name])

    def gated(self) -> None:
        src, h = self.source(), self.new("h", self.timed)
        w, n = self.matrix_of(), self.rng.randint(2, 3)
        on = f"every(t, {n})"
        self.lines.append(
            f"{h}[t] = {on} * m[t] * layernorm({w} @ {src}[t], 0.1) + (1 - {on} * m[t]) * {h}[t-1]"
        )

    def located(self) -> None:
        """Attention that sees where it looked the step before, and beside it."""
        keys, a, e = self.rng.choice(self.across_s), self.new("al"), self.new("e")
        src, c, v = self.source(), self.new("c", self.timed), self.vector_of()
        near = f"{a}[t-1,s] + 0.5 * {a}[t-1,s-1] - 0.3 * {a}[t-1,s+2]"
        self.lines.append(f"{e}[t,s] = {src}[t] @ {keys}[s] + {v} @ tanh({keys}[s]) * ({near})")
        self.lines.append(f"{a}[t,s] = softmax({e}[t,s], s)")
        self.lines.append(f"{c}[t] = sum({a}[t,s] * {keys}[s], s)")


def _directions(rng: random.Random, count: int) -> list[str]:
    """Runs of layers with one direction: feedback stays within a run."""
    directions: list[str] = []
    while len(directions) < count:
        direction = "backward" if rng.random() < 0.2 else "forward"
        directions += [direction] * rng.randint(1, count)
    return directions[:count]


def _cell(rng: random.Random) -> str | None:
    shipped = [name for name in shipped_cells() if name not in ("rbf", "lstm_projected")]
    return rng.choice((*shipped, *CELLS)) if rng.random() < 0.25 else None


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
    if layer.size > 1 and (plain in ("softmax", "linear") or layer.cell in ("gru", "leaky")):
        kinds.append("cross_entropy")
    if plain in ("sigmoid", "linear") or layer.cell in ("gru", "leaky"):
        kinds.append("binary_cross_entropy")
    kind = rng.choice(kinds)
    return LossSpec(
        output=layer.name,
        kind=kind,
        weight=rng.choice((1.0, 0.5, 2.0, 0.3)),
        steps=rng.choice(("all", "all", "last", "weighted")),
        numbers={"delta": 0.5} if kind == "huber" else {},
    )
