"""How many unit axes an expression has: which product of matrix notation is meant."""

from __future__ import annotations

from collections.abc import Mapping

from derive.syntax import (
    Binary,
    Call,
    Negative,
    Node,
    Part,
    Reference,
    Sum,
    Transpose,
    Where,
)
from derive.system import Quantity


def is_indexed(reference: Reference, quantity: Quantity) -> bool:
    """Whether the mention has all its subscripts, those of sequences and units too."""
    return len(reference.subscripts or ()) == len(quantity.axes)


def rank(node: Node, quantities: Mapping[str, Quantity]) -> int:
    """0 for a number, 1 for a vector, 2 for a matrix; 0 for what is written with its indices."""
    match node:
        case Reference(name):
            quantity = quantities.get(name)
            if quantity is None or is_indexed(node, quantity):
                return 0
            return len(quantity.features)
        case Negative(operand) | Transpose(operand) | Sum(_, operand) | Where(operand):
            return rank(operand, quantities)
        case Part(operand, _, stop):
            return rank(operand, quantities) - (stop is None)
        case Binary("@", left, right):
            return rank(left, quantities) + rank(right, quantities) - 2
        case Binary("**", base, _):
            return rank(base, quantities)
        case Binary(_, left, right):
            return max(rank(left, quantities), rank(right, quantities))
        case Call("outer" | "diag"):
            return 2
        case Call("sum"):
            return 0
        case Call(_, arguments):
            return max(rank(a, quantities) for a in arguments)
        case _:
            return 0
