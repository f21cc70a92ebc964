"""The frozen form of equations: small immutable nodes, with no SymPy left.

Feature sizes are numbers here; the number of steps T and of sequences B stay open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from derive.bounds import Index, limits
from derive.errors import InternalError
from derive.functions import primitive_of
from derive.order import addends, split_quotient, split_sign
from derive.system import AxisKind, B, Equation, System, T, Term, name_of


@dataclass(frozen=True)
class Affine:
    """`steps * T + constant`."""

    constant: int
    steps: int = 0

    def __add__(self, other: int) -> Affine:
        return Affine(self.constant + other, self.steps)

    @property
    def code(self) -> str:
        """Python source, with T named `T`."""
        if not self.steps:
            return str(self.constant)
        stem = "T" if self.steps == 1 else f"{self.steps} * T"
        if not self.constant:
            return stem
        return f"{stem} {'+' if self.constant > 0 else '-'} {abs(self.constant)}"

    @property
    def least(self) -> int:
        """The value at T = 1, the least where `steps` is not negative."""
        return self.constant + self.steps


@dataclass(frozen=True)
class Subscript:
    """An index with an offset, or, without an index, one fixed place."""

    index: str | None
    offset: Affine


@dataclass(frozen=True)
class Number:
    value: Fraction | float


@dataclass(frozen=True)
class Size:
    """T or B, known when the module runs."""

    name: str


@dataclass(frozen=True)
class Read:
    """An element of a quantity: one subscript for each axis."""

    name: str
    subscripts: tuple[Subscript, ...]


@dataclass(frozen=True)
class Sum:
    operands: tuple[Node, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True)
class Product:
    """`above / below`, each a product."""

    above: tuple[Node, ...]
    below: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Power:
    base: Node
    exponent: Fraction


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


Node = Number | Size | Read | Sum | Product | Power | Call


@dataclass(frozen=True)
class Range:
    """An index and where it runs: from the greatest start up to, without, the least stop."""

    name: str
    kind: AxisKind
    length: Affine | None
    starts: tuple[Affine, ...]
    stops: tuple[Affine, ...]

    @property
    def is_full(self) -> bool:
        return self.starts == (Affine(0),) and self.stops == (self.length,)


@dataclass(frozen=True)
class FrozenTerm:
    """A term: its sign and factor, the ranges of its equation's indices and of its sums.

    `diagonal` pairs the indices of the left side that must be equal.
    """

    sign: int
    factor: Node
    ranges: tuple[Range, ...]
    sums: tuple[Range, ...]
    reduction: str
    diagonal: tuple[tuple[str, str], ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether the term holds on the whole range of the left side."""
        return all(r.is_full for r in self.ranges) and not self.diagonal


@dataclass(frozen=True)
class FrozenEquation:
    """`name[ranges] = sum of terms`."""

    number: int
    name: str
    ranges: tuple[Range, ...]
    terms: tuple[FrozenTerm, ...]


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node."""
    match node:
        case Sum(operands):
            return operands
        case Product(above, below):
            return above + below
        case Power(base):
            return (base,)
        case Call(_, arguments):
            return arguments
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def reads(node: Node) -> tuple[Read, ...]:
    """Every read in a node, in order, repetitions included."""
    return tuple(n for n in walk(node) if isinstance(n, Read))


def term_reads(equation: FrozenEquation) -> tuple[Read, ...]:
    return tuple(r for term in equation.terms for r in reads(term.factor))


class Freezer:
    """Turns the equations of one system into frozen ones."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._places: dict[sp.Expr, Affine] = {}

    def equation(self, equation: Equation) -> FrozenEquation:
        kinds = [axis.kind for axis in equation.quantity.axes]
        ranges = tuple(
            self._range(index, kind, (), ())
            for index, kind in zip(equation.indices, kinds, strict=True)
        )
        terms = tuple(self._term(term, equation) for term in equation.terms)
        return FrozenEquation(equation.number, equation.quantity.name, ranges, terms)

    def _term(self, term: Term, equation: Equation) -> FrozenTerm:
        factor, pairs, equals = term.factor, [], []
        symbols = [index.symbol for index in equation.indices]
        for equal in term.equals:
            found = [s for s in symbols if equal.coeff(s) != 0]
            if len(found) == 2 and sp.expand(equal).as_coeff_Add()[0] == 0:
                factor = factor.xreplace({found[1]: found[0]})
                pairs.append((found[0].name, found[1].name))
            else:
                equals.append(equal)
        ranges = []
        for index, axis in zip(equation.indices, equation.quantity.axes, strict=True):
            ranges.append(self._range(index, axis.kind, term.bounds, tuple(equals)))
        sums = [
            self._range(index, self._kind(index, term), term.bounds, tuple(equals))
            for index in term.sums
        ]
        sign, factor = split_sign(factor)
        return FrozenTerm(
            sign, self.node(factor), tuple(ranges), tuple(sums), term.reduction, tuple(pairs)
        )

    def _kind(self, index: Index, term: Term) -> AxisKind:
        for read in term.reads():
            quantity = self._system.quantity_of(read)
            for axis, at in zip(quantity.axes, self._system.subscripts(read), strict=True):
                if at.coeff(index.symbol) != 0:
                    return axis.kind
        return "feature"

    def _range(
        self,
        index: Index,
        kind: AxisKind,
        bounds: tuple[sp.Expr, ...],
        equals: tuple[sp.Expr, ...],
    ) -> Range:
        if kind == "batch":
            # B is the one size that is neither a number nor T; nothing restricts a batch.
            return Range(index.symbol.name, kind, None, (Affine(0),), (None,))  # type: ignore[arg-type]
        lows, highs = limits(index, bounds, equals)
        return Range(
            index.symbol.name,
            kind,
            self._affine(index.length),
            tuple(self._affine(low) for low in lows),
            tuple(self._affine(high) + 1 for high in highs),
        )

    def _affine(self, expr: sp.Expr) -> Affine:
        found = self._places.get(expr)
        if found is None:
            found = self._places[expr] = self._evaluated(expr)
        return found

    def _evaluated(self, expr: sp.Expr) -> Affine:
        constant, steps = 0, 0
        for symbol, count in sp.expand(expr).as_coefficients_dict().items():
            if symbol == T:
                steps = int(count)
            elif symbol == 1:
                constant += int(count)
            elif symbol in self._system.sizes:
                constant += int(count) * self._system.sizes[symbol]
            else:
                raise InternalError(f"{expr} is not a place on an axis")
        return Affine(constant, steps)

    def node(self, expr: sp.Expr) -> Node:
        """A pointwise expression as nodes."""
        if isinstance(expr, sp.Indexed):
            subscripts = self._system.subscripts(expr)
            return Read(name_of(expr), tuple(self._subscript(s) for s in subscripts))
        if expr.is_Rational:
            return Number(Fraction(int(expr.p), int(expr.q)))
        if expr.is_Number:
            return Number(float(expr))
        if isinstance(expr, sp.Symbol):
            if expr in (T, B):
                return Size(expr.name)
            return Number(Fraction(self._system.size(expr)))
        if isinstance(expr, sp.Add):
            signed = [split_sign(a) for a in addends(expr)]
            return Sum(tuple(self.node(e) for _, e in signed), tuple(s for s, _ in signed))
        if isinstance(expr, sp.Mul):
            above, below = (
                tuple(n for n in map(self.node, part) if n != Number(Fraction(1)))
                for part in split_quotient(expr)
            )
            if len(above) == 1 and not below:
                return above[0]
            return Product(above, below) if above or below else Number(Fraction(1))
        if isinstance(expr, sp.Pow):
            if expr.exp.could_extract_minus_sign():
                return Product((), (self.node(1 / expr),))
            if not expr.exp.is_Rational:
                raise InternalError(f"the exponent {expr.exp} is not a number")
            return Power(self.node(expr.base), Fraction(int(expr.exp.p), int(expr.exp.q)))
        primitive = primitive_of(expr)
        return Call(primitive.name, tuple(self.node(a) for a in expr.args))

    def _subscript(self, expr: sp.Expr) -> Subscript:
        symbols = [s for s in expr.free_symbols if s != T and s not in self._system.sizes]
        if not symbols:
            return Subscript(None, self._affine(expr))
        (symbol,) = symbols
        return Subscript(symbol.name, self._affine(expr - symbol))
