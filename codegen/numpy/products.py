"""Contractions as NumPy source: matrix products where they are one, else sums or einsum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bptt.codegen.nodes import Node, Power
from bptt.codegen.numpy.source import (
    ATOM,
    PRODUCT,
    UNARY,
    Labels,
    Source,
    aligned,
    axes_code,
    signature,
)

# A node with the indices that it varies with, in the order of its axes.
Operand = tuple[Node, Labels]


class Printer(Protocol):
    """What prints the operands."""

    is_plain: bool

    def elementwise(self, node: Node, out: Labels) -> Source: ...
    def factor(self, node: Node, out: Labels, among: Sequence[Node]) -> Source: ...
    def labels(self, node: Node) -> frozenset[str]: ...
    def customary(self, labels: Labels) -> Labels: ...
    def has_width(self, index: str) -> bool: ...
    def is_batch(self, index: str) -> bool: ...
    def width(self, index: str) -> int: ...


def contraction(printer: Printer, nodes: Sequence[Node], over: Labels, out: Labels) -> Source:
    """The sum over some indices of a product, made to broadcast over axes `out`."""
    order = printer.customary((*out, *over))
    operands = []
    for node in nodes:
        labels = printer.labels(node)
        operands.append((node, tuple(name for name in order if name in labels)))
    every = {name for _, labels in operands for name in labels}
    free = tuple(name for name in out if name in every)
    sign = signature([labels for _, labels in operands], free)
    source = _summed(printer, operands, over, free, sign)
    if free == out:
        return Source(source.code, source.precedence, sign)
    code = aligned(source.within(ATOM), free, out)
    return Source(code, source.precedence if code == source.code else ATOM, sign)


def _summed(
    printer: Printer, operands: Sequence[Operand], over: Labels, free: Labels, sign: str
) -> Source:
    if printer.is_plain:
        return _einsum(printer, operands, sign)
    if len(operands) == 1:
        return _total(printer, operands[0], over, free)
    product = _matrix_product(printer, operands, over, free) if len(operands) == 2 else None
    return product or _einsum(printer, operands, sign)


def _einsum(printer: Printer, operands: Sequence[Operand], sign: str) -> Source:
    among = [node for node, _ in operands]
    codes = [printer.factor(node, labels, among).code for node, labels in operands]
    best = ", optimize=True" if len(operands) > 2 else ""
    return Source(f"np.einsum({sign!r}, {', '.join(codes)}{best})")


def _total(printer: Printer, operand: Operand, over: Labels, free: Labels) -> Source:
    """The sum of one operand over some of its axes."""
    node, labels = operand
    if free == () and isinstance(node, Power) and node.exponent == 2:
        flat = f"{printer.elementwise(node.base, labels).within(ATOM)}.ravel()"
        return Source(f"{flat} @ {flat}", PRODUCT)
    code = printer.elementwise(node, labels).within(ATOM)
    if free == ():
        return Source(f"{code}.sum()")
    axes = [n for n, name in enumerate(labels) if name in over]
    left = tuple(name for name in labels if name not in over)
    return Source(aligned(f"{code}.sum(axis={axes_code(axes)})", left, free))


def _matrix_product(
    printer: Printer, operands: Sequence[Operand], over: Labels, free: Labels
) -> Source | None:
    (_, first), (_, second) = operands
    shared = set(first) & set(second)
    if shared > set(over):
        return _batch_of_products(printer, operands, over, free)
    if shared != set(over):
        return None
    for left, right in (operands, operands[::-1]):
        rows = tuple(n for n in left[1] if n not in over)
        columns = tuple(n for n in right[1] if n not in over)
        if rows + columns == free and len(columns) <= 1:
            return _product_of_matrices(printer, left, right, rows, columns, over)
    return None


def _batch_of_products(
    printer: Printer, operands: Sequence[Operand], over: Labels, free: Labels
) -> Source | None:
    """One product of matrices for each place of the indices that both operands have."""
    for left, right in (operands, operands[::-1]):
        common = tuple(n for n in left[1] if n in right[1] and n not in over)
        rows = tuple(n for n in left[1] if n not in (*common, *over))
        columns = tuple(n for n in right[1] if n not in (*common, *over))
        if common + rows + columns == free and len(rows) == len(columns) == len(over) == 1:
            first = printer.elementwise(left[0], (*common, *rows, *over))
            second = printer.elementwise(right[0], (*common, *over, *columns))
            return Source(f"{first.within(PRODUCT)} @ {second.within(UNARY)}", PRODUCT)
    return None


def _product_of_matrices(
    printer: Printer, left: Operand, right: Operand, rows: Labels, columns: Labels, over: Labels
) -> Source | None:
    """`left @ right` with left (rows, over) and right (over, columns), flattened."""
    if not rows and not columns:
        return None
    if len(over) > 1:
        if len(rows) != 1 or len(columns) != 1:
            return None
        if not all(map(printer.has_width, (*rows, *columns))):
            return None
        a = printer.elementwise(left[0], (*over, *rows)).code
        b = printer.elementwise(right[0], (*over, *columns)).code
        return Source(f"_rows({a}).T @ _rows({b})", PRODUCT)
    if columns and not printer.has_width(columns[0]):
        return None
    first = printer.elementwise(left[0], (*rows, *over))
    second = printer.elementwise(right[0], (*over, *columns))
    if len(rows) != 2 or not columns:
        return Source(f"{first.within(PRODUCT)} @ {second.within(UNARY)}", PRODUCT)
    if not printer.is_batch(rows[1]):
        return None
    width = printer.width(columns[0])
    return Source(f"(_rows({first.code}) @ {second.within(UNARY)}).reshape(-1, B, {width})")
