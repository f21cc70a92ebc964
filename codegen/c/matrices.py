"""Sums of products that are products of matrices: which indices are rows, columns and depth.

    y[row, column] += sum_depth x[row, depth] * w[depth, column]

Several indices that stand evenly apart in all arrays that have them count as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bptt.codegen.c.memory import NONE, ONE_APART, Memory, Stride
from bptt.codegen.nodes import Affine, Contract, Node, Range, Read, Subscript
from bptt.codegen.program import Assign

# Below so many products that are known a call costs more than it gives.
WORTH = 48


@dataclass(frozen=True)
class Product:
    """A product of matrices: loops around it, its sizes, and where its arrays begin.

    `rows` and `depth` are sizes as source; strides are of the rows of y, the rows and the depth of
    x, and the depth of w.
    """

    outer: tuple[str, ...]
    rows: str
    columns: str
    depth: str
    y: Read
    y_row: Stride
    x: Read
    x_row: Stride
    x_step: Stride
    w: Read
    w_row: Stride


@dataclass(frozen=True)
class _Axis:
    """Indices that count as one: how many places it has, and its strides in y, x and w."""

    size: Stride
    strides: tuple[Stride, ...]


def product_of(
    memory: Memory, assign: Assign, node: Contract, inner: str, own: Sequence[str]
) -> Product | None:
    """A sum of products as one of matrices with `inner` as columns; None where it is none.

    `own` are the indices of the target that its statement runs over.
    """
    spans = {r.name: r for r in assign.ranges}
    reads = _factors(node.operands, inner)
    if reads is None:
        return None
    arrays = (assign.target, *reads)
    every = (*own, *node.over)
    known: dict[str, _Axis] = {}
    for name in every:
        size, strides = _count(spans[name]), tuple(memory.stride(a, name) for a in arrays)
        if size is None or None in strides:
            return None
        known[name] = _Axis(size, tuple(s for s in strides if s is not None))
    if known[inner].strides[1] != NONE:
        return None
    rows = [n for n in own if n != inner and known[n].strides[2] == NONE]
    outer = [n for n in own if n != inner and n not in rows]
    row, more = _joined(known, rows)
    depth, others = _joined(known, node.over)
    outer = [*outer, *more, *others]
    if not _is_worth(known[inner].size, row.size, depth.size):
        return None
    inside = {n for n in every if n not in outer}
    y, x, w = (_begin(a, inside, spans) for a in arrays)
    return Product(
        tuple(outer),
        str(row.size),
        str(known[inner].size),
        str(depth.size),
        y,
        row.strides[0],
        x,
        row.strides[1],
        depth.strides[1],
        w,
        depth.strides[2],
    )


def _factors(operands: Sequence[Node], inner: str) -> tuple[Read, Read] | None:
    """The two arrays of a product, the one with its columns last."""
    if len(operands) != 2 or not all(isinstance(o, Read) for o in operands):
        return None
    first, second = (o for o in operands if isinstance(o, Read))
    if any(s.index == inner for s in first.subscripts):
        first, second = second, first
    return first, second


def _count(span: Range) -> Stride | None:
    """How many places an index has, where its start and its stop are one each."""
    if span.kind == "batch":
        return Stride(1, ("B",))
    if len(span.starts) != 1 or len(span.stops) != 1:
        return None
    return ONE_APART * (span.stops[0] - span.starts[0])


def _joined(known: Mapping[str, _Axis], names: Iterable[str]) -> tuple[_Axis, list[str]]:
    """Indices as one axis, the last ones that stand evenly apart; and those before them."""
    found, rest = _Axis(Stride(1), (NONE, NONE, NONE)), list(names)
    while rest:
        axis = known[rest[-1]]
        if found.size != Stride(1):
            wanted = tuple(s * found.size for s in found.strides)
            if axis.strides != wanted:
                break
            strides = found.strides
        else:
            strides = axis.strides
        found = _Axis(axis.size * found.size, strides)
        rest.pop()
    return found, rest


def _is_worth(*sizes: Stride) -> bool:
    """Whether there are many products; lengths of steps count as many."""
    number = 1
    for size in sizes:
        number *= size.number * (8 if any(n != "B" for n in size.lengths) else 1)
    return number >= WORTH


def _begin(read: Read, inside: Iterable[str], spans: Mapping[str, Range]) -> Read:
    """Where an array begins along the indices of a product."""

    def first(subscript: Subscript) -> Subscript:
        if subscript.index is None or subscript.index not in inside:
            return subscript
        span = spans[subscript.index]
        start = Affine(0) if span.kind == "batch" else span.starts[0]
        return Subscript(None, subscript.offset + start)

    return replace(read, subscripts=tuple(map(first, read.subscripts)))
