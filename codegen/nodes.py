"""The frozen form of equations: small immutable nodes, with no SymPy left.

Feature sizes are numbers here; the numbers of steps T and of sequences B stay open. A node varies
with its indices: what it is at each place of them is what it means, and no node says how arrays
are laid out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from bptt.derive.calculus.bounds import AxisKind
from bptt.derive.calculus.reductions import Reduction


@dataclass(frozen=True)
class Affine:
    """`constant + sum of count * name`, in lengths (T) and, within a loop, its step (t)."""

    constant: int
    names: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: int | Affine) -> Affine:
        if isinstance(other, int):
            return replace(self, constant=self.constant + other)
        counts = dict(self.names)
        for name, count in other.names:
            counts[name] = counts.get(name, 0) + count
        names = tuple(sorted((n, c) for n, c in counts.items() if c))
        return Affine(self.constant + other.constant, names)

    def __sub__(self, other: int | Affine) -> Affine:
        return self + other * -1

    def __mul__(self, count: int) -> Affine:
        names = tuple((n, count * c) for n, c in self.names if count)
        return Affine(count * self.constant, names)

    def __rmul__(self, count: int) -> Affine:
        return self * count

    def __str__(self) -> str:
        """What it is, as all languages write it: T - 2."""
        if not self.names:
            return str(self.constant)
        text = ""
        for name, count in sorted(self.names, key=lambda pair: pair[1] < 0):
            term = name if abs(count) == 1 else f"{abs(count)} * {name}"
            if text:
                text += f" {'-' if count < 0 else '+'} {term}"
            else:
                text = f"-{term}" if count < 0 else term
        if not self.constant:
            return text
        return f"{text} {'+' if self.constant > 0 else '-'} {abs(self.constant)}"

    def is_never_negative(self, steps: Collection[str] = ()) -> bool:
        """Whether it is >= 0 for every length >= 1, and for the numbers >= 0 of some steps."""
        least = self.constant + sum(count for name, count in self.names if name not in steps)
        return least >= 0 and all(count >= 0 for _, count in self.names)


ZERO = Affine(0)


@dataclass(frozen=True)
class Subscript:
    """An index with an offset, or, without an index, one fixed place."""

    index: str | None
    offset: Affine


@dataclass(frozen=True)
class Condition:
    """`sum of count * index + offset >= 0`, in two indices or more."""

    counts: tuple[tuple[str, int], ...]
    offset: Affine


@dataclass(frozen=True)
class Number:
    value: Fraction | float


@dataclass(frozen=True)
class Size:
    """T or B, known when the module runs."""

    name: str


@dataclass(frozen=True)
class Place:
    """An index as a number, with an offset."""

    index: str
    offset: Affine


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


@dataclass(frozen=True)
class Where:
    """`value` where all conditions hold, else `otherwise`."""

    conditions: tuple[Condition, ...]
    value: Node
    otherwise: int = 0


@dataclass(frozen=True)
class Contract:
    """The sum of a product over some of its indices."""

    operands: tuple[Node, ...]
    over: tuple[str, ...]


@dataclass(frozen=True)
class Reduce:
    """What a reduction makes of a value over some of its indices, where conditions hold."""

    reduction: Reduction
    value: Node
    over: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Join:
    """One part after the other along an index; each part has so many places of it."""

    parts: tuple[Node, ...]
    lengths: tuple[int, ...]
    along: str


Node = (
    Number | Size | Place | Read | Sum | Product | Power | Call | Where | Contract | Reduce | Join
)
ONE = Number(Fraction(1))


@dataclass(frozen=True)
class Range:
    """An index and where it runs: from the greatest start up to, without, the least stop."""

    name: str
    kind: AxisKind
    length: Affine | None
    starts: tuple[Affine, ...]
    stops: tuple[Affine, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it runs nowhere, whatever the numbers of steps."""
        starts, stops = (
            [p.constant for p in places if not p.names] for places in (self.starts, self.stops)
        )
        return bool(starts and stops) and max(starts) >= min(stops)

    @property
    def is_full(self) -> bool:
        return self.kind == "batch" or (self.starts == (ZERO,) and self.stops == (self.length,))


@dataclass(frozen=True)
class FrozenTerm:
    """A term: its sign and factor, the ranges of its equation's indices and of its sums.

    `diagonal` pairs the indices of the left side that must be equal; `conditions` are those on
    two indices or more.
    """

    sign: int
    factor: Node
    ranges: tuple[Range, ...]
    sums: tuple[Range, ...]
    reduction: Reduction
    diagonal: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the term holds nowhere, or is a sum over nothing."""
        return any(r.is_empty for r in (*self.ranges, *self.sums))

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
    found: list[Node] = []

    def keep(child: Node) -> Node:
        found.append(child)
        return child

    mapped(node, keep)
    return tuple(found)


def mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with its operands changed."""
    match node:
        case Sum(operands, signs):
            return Sum(tuple(map(change, operands)), signs)
        case Product(above, below):
            return Product(tuple(map(change, above)), tuple(map(change, below)))
        case Power(base, exponent):
            return Power(change(base), exponent)
        case Call(function, arguments):
            return Call(function, tuple(map(change, arguments)))
        case Where(conditions, value, otherwise):
            return Where(conditions, change(value), otherwise)
        case Contract(operands, over):
            return Contract(tuple(map(change, operands)), over)
        case Reduce(_, value):
            return replace(node, value=change(value))
        case Join(parts):
            return replace(node, parts=tuple(map(change, parts)))
        case _:
            return node


def rewritten(node: Node, change: Callable[[Read], Node]) -> Node:
    """The node with every read of it changed."""
    if isinstance(node, Read):
        return change(node)
    return mapped(node, lambda child: rewritten(child, change))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def reads(node: Node) -> tuple[Read, ...]:
    """Every read in a node, in order, repetitions included."""
    return tuple(n for n in walk(node) if isinstance(n, Read))


def indices(node: Node) -> frozenset[str]:
    """The indices that a node varies with."""
    hidden: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()
    match node:
        case Read(_, subscripts):
            return frozenset(s.index for s in subscripts if s.index is not None)
        case Place(index):
            return frozenset((index,))
        case Contract():
            hidden = frozenset(node.over)
        case Reduce():
            hidden, conditions = frozenset(node.over), node.conditions
        case Where():
            conditions = node.conditions
    found = {name for condition in conditions for name, _ in condition.counts}
    return frozenset(found.union(*map(indices, children(node)))) - hidden


def is_indicator(node: Node) -> bool:
    """Whether a node is 1 where some conditions hold, else 0."""
    return isinstance(node, Where) and (node.value, node.otherwise) == (ONE, 0)


def term_reads(equation: FrozenEquation) -> tuple[Read, ...]:
    return tuple(r for term in equation.terms for r in reads(term.factor))
