"""How many operations the functions of a program need: what their statements say, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from bptt.codegen.nodes import (
    Affine,
    Call,
    Contract,
    Join,
    Node,
    Power,
    Product,
    Range,
    Reduce,
    Sum,
    children,
    walk,
)
from bptt.codegen.program import Assign, Body, Function, Loop

# A product of lengths that are open, in order.
Lengths = tuple[str, ...]


@dataclass(frozen=True)
class Operations:
    """Sums and products of two numbers, and calls of functions: numbers of them, each times a
    product of lengths. Steps at the ends of a sequence, where less is done, count as all others."""

    arithmetic: Counter[Lengths] = field(default_factory=Counter)
    calls: Counter[Lengths] = field(default_factory=Counter)

    def __add__(self, other: Operations) -> Operations:
        return Operations(self.arithmetic + other.arithmetic, self.calls + other.calls)

    def at(self, sizes: Mapping[str, int]) -> Operations:
        """The numbers for some lengths."""
        first, second = (
            sum(n * prod(sizes[name] for name in lengths) for lengths, n in counts.items())
            for counts in (self.arithmetic, self.calls)
        )
        return Operations(Counter({(): first}), Counter({(): second} if second else {}))


def operations(functions: Iterable[Function]) -> Operations:
    """What some functions need, each called once."""
    return sum((_of_body(f.body, ()) for f in functions), Operations())


def written(counts: Counter[Lengths]) -> str:
    """Numbers times lengths, as a sum: 120 * T * B + 30."""
    order = sorted(counts.items(), key=lambda pair: (-len(pair[0]), pair[0]))
    return " + ".join(" * ".join([f"{n}", *lengths]) for lengths, n in order) or "0"


def _of_body(body: Body, loops: Lengths) -> Operations:
    found = Operations()
    for statement in body:
        if isinstance(statement, Assign):
            found += _of_assign(statement, loops)
        else:
            more = (statement.length,) if isinstance(statement, Loop) else ()
            found += _of_body(statement.body, (*loops, *more))
    return found


def _of_assign(assign: Assign, loops: Lengths) -> Operations:
    ranges = {r.name: r for r in assign.ranges}
    summed = {n for node in walk(assign.value) for n in getattr(node, "over", ())}
    own = [r for n, r in ranges.items() if n not in summed]
    found = _of_node(assign.value, own, loops, ranges)
    if assign.operator == "+=":
        found += Operations(_times(1, own, loops))
    return found


def _of_node(
    node: Node, own: list[Range], loops: Lengths, ranges: Mapping[str, Range]
) -> Operations:
    """What a node needs at all places of some indices."""
    if isinstance(node, Join):
        found = Operations()
        for part, length in zip(node.parts, node.lengths, strict=True):
            along = ranges[node.along]
            places = [Range(r.name, r.kind, Affine(length), (), ()) if r == along else r
                      for r in own]  # fmt: skip
            found += _of_node(part, places, loops, ranges)
        return found
    every, arithmetic, calls = own, 0, 0
    match node:
        case Sum(operands):
            arithmetic = len(operands) - 1
        case Product(above, below):
            arithmetic = len(above) + len(below) - 1
        case Power(_, exponent) if exponent.denominator == 1:
            # A square is one product, and so is an inverse.
            arithmetic = max(abs(exponent.numerator) - 1, 1)
        case Power() | Call():
            calls = 1
        case Contract(operands, over):
            every = [*own, *(ranges[n] for n in over)]
            arithmetic = len(operands)
        case Reduce(_, _, over):
            every = [*own, *(ranges[n] for n in over)]
            arithmetic = 1
    found = Operations(_times(arithmetic, every, loops), _times(calls, every, loops))
    return sum((_of_node(child, every, loops, ranges) for child in children(node)), found)


def _times(count: int, ranges: Iterable[Range], loops: Lengths) -> Counter[Lengths]:
    """So many at each place of some indices: a length of T - 1 counts as T."""
    names, number = [*loops], count
    for span in ranges:
        if span.kind == "batch" or span.length is None:
            names.append("B")
        elif span.length.names:
            names += [name for name, _ in span.length.names]
        else:
            number *= span.length.constant
    return Counter({tuple(sorted(names, reverse=True)): number} if number else {})
