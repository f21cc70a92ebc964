"""A system of indexed recurrence equations: what every derivation takes and gives.

    n[t,b,i] = sum_j W[i,j] a[t-1,b,j] + c[i]          0 <= t <= T-1

Every equation has the same normal form: a quantity on the left with one index per axis, and on
the right a sum of terms, each a pointwise expression in indexed quantities, summed over the
indices that it lists, where its conditions hold. Time runs over 0..T-1; the values of a signal
at steps outside that range are given (its initial values).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

import sympy as sp
from bptt.derive.calculus.bounds import STEPS, AxisKind, Index, limits, minimum
from bptt.derive.calculus.primitives import primitive_of
from bptt.derive.errors import InternalError, UserError

T = sp.Symbol("T", integer=True, positive=True)
B = sp.Symbol("B", integer=True, positive=True)

Kind = Literal[
    "input",
    "mask",
    "target",
    "weight",
    "parameter",
    "signal",
    "loss",
    "adjoint",
    "gradient",
    "direction",
    "tangent",
    "sensitivity",
    "static",
    "given",
]
Reduction = Literal["sum", "logsumexp"]
FORWARD: frozenset[Kind] = frozenset(
    ("input", "mask", "target", "weight", "parameter", "signal", "loss")
)

# What stands before a name for the derivative of the loss by it.
PREFIX = "d_"

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

    def index(self, symbol: sp.Symbol) -> Index:
        return Index(symbol, sp.Integer(0), self.size - 1, self.kind)


TIME = Axis("time", T)
BATCH = Axis("batch", B)


def index_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, integer=True)


def time_size(name: str) -> sp.Symbol:
    """The number of steps of a time axis, by its name: `T`, `S`."""
    return sp.Symbol(name, integer=True, positive=True)


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


@dataclass(frozen=True)
class Quantity:
    """A named array: its axes, its role in words, and the layer that it belongs to, if any."""

    name: str
    kind: Kind
    axes: tuple[Axis, ...]
    role: str = ""
    internal: bool = False
    layer: str = ""

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

    @property
    def time_axis(self) -> int | None:
        """The first time axis: the one that has values outside its steps."""
        return next((p for p, axis in enumerate(self.axes) if axis.kind == "time"), None)

    @property
    def features(self) -> tuple[sp.Expr, ...]:
        """The sizes of the feature axes."""
        return tuple(axis.size for axis in self.axes if axis.kind == "feature")

    def canonical_indices(self) -> tuple[Index, ...]:
        """One index per axis, by the customary letters: t, b, then i, j, k."""
        taken: list[sp.Symbol] = []
        indices = []
        for axis in self.axes:
            symbol = fresh(axis.kind, taken, axis.size)
            taken.append(symbol)
            indices.append(axis.index(symbol))
        return tuple(indices)


@dataclass(frozen=True)
class Origin:
    """Where a term comes from: the number of an equation, and the rule that made the term."""

    equation: int
    rule: str


@dataclass(frozen=True)
class Term:
    """`sum over sums, where bounds >= 0 and equals == 0, of factor`.

    With `reduction = "logsumexp"` it is log(sum(exp(factor))) instead, and the only term of its
    equation.
    """

    factor: sp.Expr
    sums: tuple[Index, ...] = ()
    bounds: tuple[sp.Expr, ...] = ()
    equals: tuple[sp.Expr, ...] = ()
    reduction: Reduction = "sum"
    origins: tuple[Origin, ...] = ()

    @property
    def is_pointwise(self) -> bool:
        return not (self.sums or self.bounds or self.equals or self.reduction != "sum")

    def reads(self) -> tuple[sp.Indexed, ...]:
        return reads(self.factor)


@lru_cache(maxsize=100_000)
def reads(expr: sp.Expr) -> tuple[sp.Indexed, ...]:
    """The indexed quantities in an expression, in an order that depends on names alone."""
    return tuple(sorted(expr.atoms(sp.Indexed), key=sp.default_sort_key))


def name_of(read: sp.Indexed) -> str:
    return str(read.base.label)


@dataclass(frozen=True)
class Equation:
    """`quantity[indices] = sum of terms`, over the ranges of the indices."""

    number: int
    quantity: Quantity
    indices: tuple[Index, ...]
    terms: tuple[Term, ...]

    @property
    def lhs(self) -> sp.Expr:
        return self.quantity[[index.symbol for index in self.indices]]

    @cached_property
    def needs(self) -> frozenset[str]:
        """The names of the quantities that the right side mentions."""
        return frozenset(name_of(read) for term in self.terms for read in term.reads())

    def _repr_latex_(self) -> str:
        """The equation in index notation, for notebooks."""
        from bptt.derive.notation.notebook import equation_latex  # printers read systems

        return equation_latex(self)

    def box(self, term: Term) -> tuple[Index, ...]:
        """The ranges of all indices that occur in a term of this equation."""
        return self.indices + term.sums


@dataclass(frozen=True)
class Reach:
    """How many steps outside 0..T-1 a quantity is read: before the first, after the last."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Loss:
    """One loss of a network: which output it judges, its kind and weight, its formula in words.

    `weights` names the quantity that weights its steps, if any.
    """

    output: str
    kind: str
    signal: str
    weight: float
    steps: str
    formula: str
    by_class: bool = False
    weights: str = ""


@dataclass(frozen=True)
class System:
    """Quantities and the equations between them.

    `sizes` gives the sizes of units their numbers; `free` are other whole numbers in bounds that
    are known only when the equations are computed.
    """

    name: str
    quantities: Mapping[str, Quantity]
    equations: tuple[Equation, ...]
    sizes: Mapping[sp.Symbol, int]
    outputs: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    forward_count: int = field(default=-1)
    free: tuple[sp.Symbol, ...] = ()

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def _repr_latex_(self) -> str:
        """The equations in index notation, for notebooks."""
        from bptt.derive.notation.notebook import system_latex  # printers read systems

        return system_latex(self)

    def forward(self) -> System:
        """The system without the equations that a derivation has added."""
        return self if self.forward_count < 0 else self._forward

    @cached_property
    def _forward(self) -> System:
        return replace(
            self,
            quantities={n: q for n, q in self.quantities.items() if q.kind in FORWARD},
            equations=self.equations[: self.forward_count],
            forward_count=-1,
        )

    def extended(self, quantities: Mapping[str, Quantity], equations: Iterable[Equation]) -> System:
        """The system with more quantities and equations behind its own, numbered on."""
        first = len(self.equations) + 1
        added = tuple(replace(e, number=n) for n, e in enumerate(equations, first))
        merged = dict(self.quantities)
        for quantity in quantities.values():
            if merged.get(quantity.name) != quantity:
                add_quantity(merged, quantity)
        count = len(self.equations) if self.forward_count < 0 else self.forward_count
        return replace(
            self,
            quantities=merged,
            equations=self.equations + added,
            forward_count=count,
        )

    def joined(self, other: System, names: Iterable[str] | None = None) -> System:
        """The system with what `other` defines and it does not; of that, `names` alone if given."""
        wanted = other.definitions.keys() if names is None else set(names)
        added = [
            e
            for e in other.equations
            if e.quantity.name in wanted and e.quantity.name not in self.definitions
        ]
        found = self.extended({e.quantity.name: e.quantity for e in added}, added)
        return replace(found, free=tuple(dict.fromkeys((*self.free, *other.free))))

    def of_kind(self, *kinds: Kind) -> tuple[Quantity, ...]:
        return tuple(q for q in self.quantities.values() if q.kind in kinds)

    @cached_property
    def definitions(self) -> dict[str, Equation]:
        """The equation that defines each quantity, by the quantity's name."""
        return {e.quantity.name: e for e in self.equations}

    def quantity_of(self, read: sp.Indexed) -> Quantity:
        return self.quantities[name_of(read)]

    def subscripts(self, read: sp.Indexed) -> tuple[sp.Expr, ...]:
        """One index expression per axis (none for a quantity without axes)."""
        return tuple(read.indices) if self.quantity_of(read).axes else ()

    def size(self, expr: sp.Expr) -> int:
        """The number of a size: of a feature axis, say."""
        total = 0
        for symbol, count in expr.as_coefficients_dict().items():
            if symbol != 1 and symbol not in self.sizes:
                raise InternalError(f"the size {symbol} has no number in {self.name}")
            total += int(count) * (1 if symbol == 1 else self.sizes[symbol])
        return total

    @cached_property
    def lengths(self) -> tuple[sp.Symbol, ...]:
        """The sizes of the time axes, T first."""
        found = {a.size for q in self.quantities.values() for a in q.axes if a.kind == "time"}
        return tuple(sorted(found, key=lambda size: (size != T, size.name)))

    def shape(self, quantity: Quantity) -> tuple[int | str, ...]:
        """The shape, with 'T' and 'B' for the number of steps and of sequences."""
        return tuple(
            str(axis.size) if axis.kind in ("time", "batch") else self.size(axis.size)
            for axis in quantity.axes
        )

    @cached_property
    def parameter_count(self) -> int:
        return sum(self.elements(parameter) for parameter in self.of_kind("parameter"))

    def elements(self, quantity: Quantity) -> int:
        """The number of elements: of what has steps and sequences, at one of them."""
        product = 1
        for size in quantity.features:
            product *= self.size(size)
        return product

    @cached_property
    def reach(self) -> dict[str, Reach]:
        """How far each quantity is read outside 0..T-1, by name; absent where it is not."""
        found: dict[str, Reach] = {}
        for equation in self.equations:
            for term in equation.terms:
                for read in term.reads():
                    quantity = self.quantity_of(read)
                    if quantity.time_axis is None:
                        continue
                    at = read.indices[quantity.time_axis]
                    last = quantity.axes[quantity.time_axis].size - 1
                    old = found.get(quantity.name, Reach())
                    before, after = _overshoot(at, last, equation.box(term), term)
                    found[quantity.name] = Reach(max(old.before, before), max(old.after, after))
        return {name: reach for name, reach in found.items() if reach != Reach()}

    @cached_property
    def is_analytic(self) -> bool:
        """Whether every function in the equations is analytic: a complex step is then exact."""
        return all(
            primitive_of(call).analytic
            for equation in self.equations
            for term in equation.terms
            for call in term.factor.atoms(sp.Function)
        )


def _overshoot(at: sp.Expr, last: sp.Expr, box: tuple[Index, ...], term: Term) -> tuple[int, int]:
    """How far a time subscript lies before 0 and after `last`, at most."""
    index = next((i for i in box if at.coeff(i.symbol) == 1), None)
    if index is None:
        return _greatest(-at, box), _greatest(at - last, box)
    offset = at - index.symbol
    # Arrays are read whole where a condition ties two indices: it does not shorten the reach.
    others = {i.symbol for i in box} - {index.symbol}
    bounds = [e for e in term.bounds if not e.free_symbols & others]
    equals = [e for e in term.equals if not e.free_symbols & others]
    lows, highs = limits(index, bounds, equals)
    before = min(_greatest(-(low + offset), box) for low in lows)
    after = min(_greatest(high + offset - last, box) for high in highs)
    return before, after


def _greatest(expr: sp.Expr, box: tuple[Index, ...]) -> int:
    """The greatest value, but 0 at least, of an affine expression that falls with every size."""
    top = -minimum(-expr, box)
    top = top.subs(dict.fromkeys(top.free_symbols, 1))
    return max(int(top), 0)


def add_quantity(quantities: dict[str, Quantity], quantity: Quantity) -> None:
    """Put a quantity among others; refuse a name that another one has."""
    other = quantities.get(quantity.name)
    if other is not None:
        check_names([(q.name, q.role or q.kind) for q in (other, quantity)])
    quantities[quantity.name] = quantity


def check_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse a name that two things have. `names` are pairs of a name and what it names."""
    seen: dict[str, str] = {}
    for name, what in names:
        if name in seen:
            raise UserError(
                f"the name {name!r} belongs to two things, {seen[name]} and {what}",
                remedy="rename one of them",
            )
        seen[name] = what
