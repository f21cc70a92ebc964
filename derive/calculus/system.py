"""A system of indexed recurrence equations: what every derivation takes and gives.

    n[t,b,i] = sum_j W[i,j] a[t-1,b,j] + c[i]          0 <= t <= T-1

Every equation has the same normal form: a quantity on the left with one index per axis, and on
the right a sum of terms, each a pointwise expression in indexed quantities, summed over the
indices that it lists, where its conditions hold. Time runs over 0..T-1; the values of a signal
at steps outside that range are given (its initial values).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, singledispatch

import sympy as sp

from bptt.derive.calculus.bounds import MOST_KEPT, Index, coefficient, coefficients, least, limits
from bptt.derive.calculus.primitives import primitive_of
from bptt.derive.calculus.quantity import Derivative, Origin, Outside, Quantity, Role, T, Tangent
from bptt.derive.calculus.reductions import SUM, Reduction
from bptt.derive.errors import InternalError, UserError


@dataclass(frozen=True)
class Mention:
    """Where a derived term comes from: a mention of a quantity in the equation of a number."""

    equation: int
    read: sp.Indexed


@dataclass(frozen=True)
class Term:
    """`sum over sums, where bounds >= 0 and equals == 0, of factor`.

    With another `reduction` than the sum it is that of the factors instead, and the only term of
    its equation.
    """

    factor: sp.Expr
    sums: tuple[Index, ...] = ()
    bounds: tuple[sp.Expr, ...] = ()
    equals: tuple[sp.Expr, ...] = ()
    reduction: Reduction = SUM
    mentions: tuple[Mention, ...] = ()

    @property
    def is_pointwise(self) -> bool:
        return self.reduction.is_linear and not (self.sums or self.bounds or self.equals)

    def reads(self) -> tuple[sp.Indexed, ...]:
        return reads(self.factor)


@lru_cache(maxsize=MOST_KEPT)
def reads(expr: sp.Expr) -> tuple[sp.Indexed, ...]:
    """The indexed quantities in an expression, in an order that depends on names alone."""
    return tuple(sorted((n for n in parts(expr) if isinstance(n, sp.Indexed)), key=written))


@lru_cache(maxsize=MOST_KEPT)
def calls(expr: sp.Expr) -> frozenset[sp.Expr]:
    """The applications of functions in an expression."""
    return frozenset(node for node in parts(expr) if isinstance(node, sp.Function))


def parts(expr: sp.Expr) -> set[sp.Expr]:
    """An expression and all that it is made of, as far down as what is indexed."""
    found = {expr}
    todo = [expr]
    while todo:
        node = todo.pop()
        if not isinstance(node, sp.Indexed):
            todo += [part for part in node.args if part not in found]
            found.update(node.args)
    return found


def written(read: sp.Indexed) -> str:
    """An indexed quantity as SymPy writes it, by which it sorts such; few subscripts differ."""
    return f"{name_of(read)}[{', '.join(map(_text, read.indices))}]"


_text = lru_cache(maxsize=MOST_KEPT)(str)


def name_of(read: sp.Indexed) -> str:
    name: str = read.base.label.name
    return name


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

    def box(self, term: Term) -> tuple[Index, ...]:
        """The ranges of all indices that occur in a term of this equation."""
        return self.indices + term.sums


@singledispatch
def latex_of(shown: object) -> str | None:
    """What a notebook shows; `notation.notebook` registers how systems are printed."""
    return None


@dataclass(frozen=True)
class Reach:
    """How many steps outside 0..T-1 a quantity is read: before the first, after the last."""

    before: int = 0
    after: int = 0


def _spoken_of(origin: Origin | None) -> tuple[str, ...]:
    """The names of the quantities that an origin speaks of."""
    match origin:
        case Derivative(of, by):
            return of, by
        case Tangent(of):
            return (of,)
    return ()


@dataclass(frozen=True)
class Loss:
    """One loss of a network: which output it judges, its kind and weight, its formula in words.

    `weights` names the quantity that weights its steps, if any, `target` its target. It is
    `of_differences` where output and target may move together.
    """

    output: str
    kind: str
    signal: str
    weight: float
    steps: str
    formula: str
    by_class: bool = False
    weights: str = ""
    target: str = ""
    of_differences: bool = False


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
    free: tuple[sp.Symbol, ...] = ()

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def _repr_latex_(self) -> str | None:
        """The equations in index notation, for notebooks, where a printer is loaded."""
        return latex_of(self)

    @cached_property
    def primal(self) -> System:
        """The system without what derivations have made: what they started from."""
        return replace(
            self,
            quantities={n: q for n, q in self.quantities.items() if not q.is_derived},
            equations=tuple(e for e in self.equations if not e.quantity.is_derived),
        )

    @property
    def derived(self) -> tuple[Equation, ...]:
        """The equations that derivations have made."""
        return tuple(e for e in self.equations if e.quantity.is_derived)

    def extended(self, equations: Iterable[Equation], given: Iterable[Quantity] = ()) -> System:
        """The system with more equations behind its own, numbered on, and more that is given.

        What it defines already stays as it is.
        """
        first = len(self.equations) + 1
        new = [e for e in equations if e.quantity.name not in self.definitions]
        added = tuple(replace(e, number=n) for n, e in enumerate(new, first))
        merged = dict(self.quantities)
        for quantity in (*given, *(e.quantity for e in added)):
            if merged.get(quantity.name) != quantity:
                add_quantity(merged, quantity)
        return replace(self, quantities=merged, equations=self.equations + added)

    def joined(self, other: System, names: Iterable[str] | None = None) -> System:
        """The system with what `other` defines and it does not; of that, `names` alone if given.

        What these read and no equation defines is given, and what they are derivatives of is
        known.
        """
        wanted = other.definitions.keys() if names is None else set(names)
        added = [e for e in other.equations if e.quantity.name in wanted]
        read = {name for e in added for name in e.needs} - other.definitions.keys()
        spoken = read | {name for e in added for name in _spoken_of(e.quantity.origin)}
        new = spoken - self.quantities.keys()
        given = (q for n, q in other.quantities.items() if n in new)
        found = self.extended(added, given)
        return replace(found, free=tuple(dict.fromkeys((*self.free, *other.free))))

    def restricted(self, names: Iterable[str]) -> System:
        """The system with the equations of some quantities alone; what they read is given."""
        names = set(names)
        return replace(self, equations=tuple(e for e in self if e.quantity.name in names))

    def of_role(self, *roles: Role, differentiable: bool | None = None) -> tuple[Quantity, ...]:
        """The quantities of some roles, derivatives and tangents left out."""
        return tuple(
            q
            for q in self.quantities.values()
            if q.role in roles and not q.is_derived and differentiable in (None, q.differentiable)
        )

    @cached_property
    def masks(self) -> tuple[Quantity, ...]:
        """Inputs that nothing is differentiated by."""
        return self.of_role("input", differentiable=False)

    @cached_property
    def by_origin(self) -> dict[Origin, Quantity]:
        """The quantities that a map has made, by what it has made them as."""
        return {q.origin: q for q in self.quantities.values() if q.origin is not None}

    def derivative(self, of: str, by: str, outside: Outside = "") -> str:
        """The name of the total derivative of one quantity by another; "" where there is none."""
        found = self.by_origin.get(Derivative(of, by, outside=outside))
        return found.name if found else ""

    @cached_property
    def definitions(self) -> dict[str, Equation]:
        """The equation that defines each quantity, by the quantity's name."""
        return {e.quantity.name: e for e in self.equations}

    @cached_property
    def readers(self) -> Mapping[str, tuple[tuple[Equation, Term], ...]]:
        """The terms that mention each quantity, with their equations, by the quantity's name."""
        found: dict[str, list[tuple[Equation, Term]]] = {}
        for equation in self.equations:
            for term in equation.terms:
                for name in dict.fromkeys(map(name_of, term.reads())):
                    found.setdefault(name, []).append((equation, term))
        return {name: tuple(terms) for name, terms in found.items()}

    def quantity_of(self, read: sp.Indexed) -> Quantity:
        return self.quantities[name_of(read)]

    def subscripts(self, read: sp.Indexed) -> tuple[sp.Expr, ...]:
        """One index expression per axis (none for a quantity without axes)."""
        return tuple(read.indices) if self.quantity_of(read).axes else ()

    def size(self, expr: sp.Expr) -> int:
        """The number of a size: of a feature axis, say."""
        total = 0
        for symbol, count in coefficients(expr).items():
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
        return sum(self.elements(parameter) for parameter in self.of_role("parameter"))

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
                box = equation.box(term)
                ranges = {(i.symbol, i.high) for i in box if i.low == 0}
                for read in term.reads():
                    quantity = self.quantity_of(read)
                    if quantity.time_axis is None:
                        continue
                    at, last = read.indices[quantity.time_axis], quantity.last_step
                    old = found.setdefault(quantity.name, Reach())
                    if (at, last) not in ranges:
                        before, after = _overshoot(at, last, box, term)
                        found[quantity.name] = Reach(max(old.before, before), max(old.after, after))
        found = {name: reach for name, reach in found.items() if reach != Reach()}
        for name, reach in found.items():
            origin = self.quantities[name].origin
            if isinstance(origin, Tangent):
                # It has a value wherever what it is the tangent of has one.
                whole = found.get(origin.of, reach)
                most = max(reach.before, whole.before), max(reach.after, whole.after)
                found[name] = Reach(*most)
        return found

    @cached_property
    def is_analytic(self) -> bool:
        """Whether every function in the equations is analytic: a complex step is then exact."""
        return all(
            term.reduction.analytic
            and all(primitive_of(call).analytic for call in calls(term.factor))
            for equation in self.equations
            for term in equation.terms
        )


def _overshoot(at: sp.Expr, last: sp.Expr, box: tuple[Index, ...], term: Term) -> tuple[int, int]:
    """How far a time subscript lies before 0 and after `last`, at most."""
    index = next((i for i in box if coefficient(at, i.symbol) == 1), None)
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
    return max(-int(sum(least(-expr, box).values())), 0)


def add_quantity(quantities: dict[str, Quantity], quantity: Quantity) -> None:
    """Put a quantity among others; refuse a name that another one has."""
    other = quantities.get(quantity.name)
    if other is not None:
        check_names([(q.name, q.about or q.role) for q in (other, quantity)])
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
