"""Quantities: arrays with typed axes, what they are, and the letters of their indices.

What a quantity is stands in its role and its origin, never in its name: the name is for people,
chosen around those that the user has chosen.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import sympy as sp

from bptt.derive.calculus.bounds import STEPS, AxisKind, Index
from bptt.derive.errors import InternalError

T = sp.Symbol("T", integer=True, positive=True)
B = sp.Symbol("B", integer=True, positive=True)

# How whoever computes a system meets a quantity: what is given, what is learnt, what comes out.
Role = Literal["input", "target", "weight", "given", "parameter", "signal", "loss"]

# The order in which quantities have their axes.
AXIS_ORDER: dict[AxisKind, int] = {"time": 0, "delay": 0, "batch": 1, "feature": 2}

LETTERS: dict[AxisKind, tuple[str, ...]] = {
    "time": ("t", "s", "r", "u"),
    "batch": ("b",),
    "feature": ("i", "j", "k", "l", "m", "n"),
    "delay": ("k",),
}


@dataclass(frozen=True)
class Axis:
    """One axis of a quantity: what it runs over, and its size (a symbol, or a number)."""

    kind: AxisKind
    size: sp.Expr

    @property
    def is_step(self) -> bool:
        """Whether it runs along steps, or along values outside them."""
        return self.kind in STEPS

    @cached_property
    def last(self) -> sp.Expr:
        """The last place along it."""
        return self.size - 1

    def index(self, symbol: sp.Symbol) -> Index:
        return Index(symbol, sp.Integer(0), self.last, self.kind)


TIME = Axis("time", T)
BATCH = Axis("batch", B)


def index_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, integer=True)


def time_size(name: str) -> sp.Symbol:
    """The number of steps of a time axis, by its name: `T`, `S`."""
    return sp.Symbol(name, integer=True, positive=True)


class Count(sp.Symbol):  # type: ignore[misc]
    """How many steps a mean divides by: those of the whole sequence, also within a part of it."""

    @classmethod
    def of(cls, length: sp.Symbol) -> Count:
        return cls(length.name, integer=True, positive=True)

    @property
    def length(self) -> sp.Symbol:
        """The length of the axis whose steps are counted."""
        return time_size(self.name)


def fresh(kind: AxisKind, taken: Iterable[sp.Symbol], size: sp.Expr = T) -> sp.Symbol:
    """The first customary index letter that is not taken: of a time axis S, s before all others."""
    used = {s.name for s in taken}
    letters = LETTERS[kind]
    if kind == "time" and size.is_Symbol and len(size.name) == 1:
        letters = (size.name.lower(), *letters)
    for name in letters:
        if name not in used:
            return index_symbol(name)
    stem = letters[0]
    number = next(n for n in range(2, len(used) + 3) if f"{stem}{n}" not in used)
    return index_symbol(f"{stem}{number}")


Way = Literal["total", "explicit", "static", "held"]
Outside = Literal["", "initial", "after"]


@dataclass(frozen=True)
class Derivative:
    """Made as the derivative of one quantity by another.

    An `explicit` one holds other signals fixed, a `static` one what is read at other steps, and a
    `held` one other outputs of the same step. `outside` says that it is by the values before the
    first step, or after the last. One that runs `forward` is a sensitivity, with the axes of what
    is differentiated in front. Of `per_sequence` the sequences of a batch are kept apart. A static
    one may be by what another step has of a quantity, so many steps `back`.
    """

    of: str
    by: str
    way: Way = "total"
    outside: Outside = ""
    forward: bool = False
    per_sequence: bool = False
    back: int = 0


@dataclass(frozen=True)
class Tangent:
    """Made as the derivative of a quantity along a direction of others.

    The `operator` tells apart directions along the same quantities.
    """

    of: str
    along: tuple[str, ...]
    operator: str = "dot"


@dataclass(frozen=True)
class Made:
    """Made as the target, the weight, the state, the net input, ... of a quantity.

    What is `derived` belongs to a derivation, not to the network: the loss of a chunk, say.
    """

    what: str
    of: str
    derived: bool = False


Origin = Derivative | Tangent | Made


@dataclass(frozen=True)
class Local:
    """What a signal or a parameter of a layer is called in the layer's cell: W_i, c.

    The weight of a connection has the `source` that it multiplies and the `delay`: a number of
    steps, or which one step of the source is read, "first" or "last".
    """

    name: str
    layer: str
    source: str = ""
    delay: int | str = 0

    @property
    def about(self) -> str:
        """What it is in words."""
        source = f" for {self.source}" if self.source else ""
        at = f" at {self.delay}" if self.delay else ""
        return f"{self.name} of layer {self.layer}{source}{at}"


def name_of_origin(origin: Origin) -> str:
    """The name that a quantity gets for what it is, where no other has it."""
    match origin:
        case Derivative(of, by, "static", back=back):
            at = f"_{'plus_' * (back < 0)}{abs(back)}" if back else ""
            return f"S_{of}__{by}{at}"
        case Derivative(_, by, "held"):
            return f"held_{by}"
        case Derivative(_, by, "explicit"):
            return f"e_{by}"
        case Derivative(of, by, forward=True):
            return f"{of}_by_{by}"
        case Derivative(of, by, outside=outside):
            inner = f"{outside}_{by}" if outside else by
            return f"d_{inner}" if of == "loss" else f"{of}_per_{inner}"
        case Tangent(of, _, operator):
            return f"{operator}_{of}"
        case Made(what, of):
            return "_".join(filter(None, (*what.split(), of)))


def unused(name: str, taken: Container[str]) -> str:
    """The name, with as many underscores behind it as tell it from those that are taken."""
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True)
class Quantity:
    """A named array: its axes, its role, and what it is.

    `about` says in words what it is, `layer` the layer that it belongs to, if any; an `internal`
    one is made by the elaboration of equations, not named by the user. Of what is not
    `differentiable`, masks for instance, no derivative is taken. `origin` says what a map has
    made it as, `local` what it is to its layer where it is not the output; the name never does.
    """

    name: str
    role: Role
    axes: tuple[Axis, ...]
    about: str = ""
    internal: bool = False
    layer: str = ""
    differentiable: bool = True
    origin: Origin | None = None
    local: Local | None = None

    @property
    def is_derived(self) -> bool:
        """Whether a derivation has made it: it is a derivative, a tangent, or serves one."""
        if isinstance(self.origin, Made):
            return self.origin.derived
        return self.origin is not None

    @cached_property
    def base(self) -> sp.IndexedBase:
        return sp.IndexedBase(self.name)

    def __getitem__(self, indices: Iterable[sp.Expr]) -> sp.Expr:
        indices = tuple(indices)
        if len(indices) != len(self.axes):
            raise InternalError(f"{self.name} has {len(self.axes)} axes, not {len(indices)}")
        return self.base[indices] if indices else self.scalar

    @cached_property
    def scalar(self) -> sp.Expr:
        """A quantity without axes is read at the index 0 of an axis of length one."""
        return self.base[sp.Integer(0)]

    @cached_property
    def time_axis(self) -> int | None:
        """The first time axis: the one that has values outside its steps."""
        return next((p for p, axis in enumerate(self.axes) if axis.kind == "time"), None)

    @cached_property
    def last_step(self) -> sp.Expr:
        """The last step along the first time axis."""
        assert self.time_axis is not None
        return self.axes[self.time_axis].last

    @property
    def features(self) -> tuple[sp.Expr, ...]:
        """The sizes of the feature axes."""
        return tuple(axis.size for axis in self.axes if axis.kind == "feature")

    def canonical_indices(self) -> tuple[Index, ...]:
        """One index per axis, by the customary letters: t, b, then i, j, k."""
        return self._indices

    @cached_property
    def _indices(self) -> tuple[Index, ...]:
        taken: list[sp.Symbol] = []
        indices = []
        for axis in self.axes:
            symbol = fresh(axis.kind, taken, axis.size)
            taken.append(symbol)
            indices.append(axis.index(symbol))
        return tuple(indices)


def make(
    origin: Origin, role: Role, axes: tuple[Axis, ...], about: str, taken: Container[str]
) -> Quantity:
    """A quantity made as `origin`, with a name around those that are taken."""
    return Quantity(unused(name_of_origin(origin), taken), role, axes, about, origin=origin)
