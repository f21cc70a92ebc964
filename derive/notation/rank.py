"""The axes of an expression: which product of matrix notation is meant, what an index runs over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from bptt.derive.calculus.quantity import Axis, Quantity
from bptt.derive.calculus.reductions import BIG, REDUCTIONS
from bptt.derive.language import syntax

Shape = tuple[sp.Expr, ...]


def is_indexed(reference: syntax.Reference, quantity: Quantity) -> bool:
    """Whether the mention has all its subscripts, those of sequences and units too."""
    return len(reference.subscripts or ()) == len(quantity.axes)


def axis_of(
    letter: str, node: syntax.Node, quantity_of: Callable[[syntax.Reference], Quantity | None]
) -> Axis | None:
    """The axis that an index stands on alone; of several that of the first mention by name."""
    found: list[tuple[str, Axis]] = []
    stack = [node]
    while stack:
        top = stack.pop()
        stack.extend(syntax.children(top))
        quantity = (
            quantity_of(top) if isinstance(top, syntax.Reference) and top.subscripts else None
        )
        if isinstance(top, syntax.Reference) and quantity is not None:
            indexed = is_indexed(top, quantity)
            axes = [axis for axis in quantity.axes if indexed or axis.is_step]
            for subscript, axis in zip(top.subscripts or (), axes, strict=False):
                if subscript == syntax.Subscript(letter, 0):
                    found.append((top.name, axis))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def rank(node: syntax.Node, quantities: Mapping[str, Quantity]) -> int:
    """0 for a number, 1 for a vector, 2 for a matrix; 0 for what is written with its indices."""
    return len(shape(node, quantities))


def shape(node: syntax.Node, quantities: Mapping[str, Quantity]) -> Shape:
    """The sizes of an expression's unit axes; none for what is written with its indices."""
    match node:
        case syntax.Reference(name):
            quantity = quantities.get(name)
            if quantity is None or is_indexed(node, quantity):
                return ()
            return quantity.features
        case (
            syntax.Negative(operand)
            | syntax.Sum(_, operand)
            | syntax.Where(operand)
            | syntax.Binary("**", operand)
        ):
            return shape(operand, quantities)
        case syntax.Transpose(operand):
            return shape(operand, quantities)[::-1]
        case syntax.Part(operand, start, stop):
            inner = shape(operand, quantities)[1:]
            return inner if stop is None else (sp.Integer(stop - start), *inner)
        case syntax.Binary("@", left, right):
            return shape(left, quantities)[:-1] + shape(right, quantities)[1:]
        case syntax.Binary(_, left, right):
            return max(shape(left, quantities), shape(right, quantities), key=len)
        case syntax.Call("outer", (left, right)):
            return shape(left, quantities) + shape(right, quantities)
        case syntax.Call("diag", (operand,)):
            # Of a number it is as large as what it stands beside.
            return (shape(operand, quantities) or (sp.Integer(1),)) * 2
        case syntax.Call(function) if function in (*BIG, *REDUCTIONS):
            return ()
        case syntax.Call(_, arguments):
            return max((shape(a, quantities) for a in arguments), key=len)
        case _:
            return ()
