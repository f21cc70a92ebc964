"""Elementwise expressions computed in place: into a row of an array, without temporaries.

`d = g * (1 - a**2)` becomes `d = np.square(a, out=row)`, `np.subtract(1, d, out=d)`, `d *= g`.
"""

from __future__ import annotations

from bptt.codegen.nodes import (
    Call,
    Contract,
    Node,
    Power,
    Product,
    Read,
    Reduce,
    Sum,
    children,
    reads,
    walk,
)
from bptt.codegen.numpy.arrays import ArrayPrinter
from bptt.codegen.numpy.source import PRODUCT, Labels
from bptt.derive.calculus.primitives import PRIMITIVES


def has_out(call: Call) -> bool:
    """Whether a function of one argument can write to an array that it is given."""
    return len(call.arguments) == 1 and PRIMITIVES[call.function].has_out


def into_row(
    node: Node, printer: ArrayPrinter, out: Labels, row: str, local: str
) -> list[str] | None:
    """An expression that computes a node into `row`, and statements that then change `local`.

    None where it gains nothing: where the outermost operation has no form with `out`.
    """
    if any(isinstance(n, Contract | Reduce) for n in walk(node)):
        return None
    return _evaluate(node, printer, out, row, local)


def _evaluate(
    node: Node, printer: ArrayPrinter, out: Labels, row: str, local: str
) -> list[str] | None:
    """An expression that writes to `row`, and statements that then change `local` in place."""

    def code(part: Node) -> str:
        return printer.elementwise(part, out).code

    match node:
        case Call(function, (argument,)) if has_out(node):
            name = PRIMITIVES[function].source
            return [f"{name}({code(argument)}, out={row})"]
        case Power(Read() as base, exponent) if exponent == 2:
            return [f"np.square({code(base)}, out={row})"]
        case Sum((first, second), (1, sign)):
            operation = "np.add" if sign > 0 else "np.subtract"
            inner = None if _is_simple(second) else _evaluate(second, printer, out, row, local)
            if inner is not None:
                return [*inner, f"{operation}({code(first)}, {local}, out={local})"]
            return [f"{operation}({code(first)}, {code(second)}, out={row})"]
        case Product(above, ()) if len(above) > 1 and all(reads(n) for n in above):
            return _product(above, printer, out, row, local)
        case _:
            return None


def _product(
    above: tuple[Node, ...], printer: ArrayPrinter, out: Labels, row: str, local: str
) -> list[str]:
    """A product: what is composed is computed into the row first, then multiplied in place."""
    composed = [n for n in above if not _is_simple(n)]
    simple = [n for n in above if _is_simple(n)]
    for first in composed:
        lines = _evaluate(first, printer, out, row, local)
        if lines is not None:
            others = [*simple, *(n for n in composed if n is not first)]
            break
    else:
        first, second, *others = [*simple, *composed]
        a, b = (printer.elementwise(n, out).code for n in (first, second))
        lines = [f"np.multiply({a}, {b}, out={row})"]
    for other in others:
        lines.append(f"{local} *= {printer.elementwise(other, out).within(PRODUCT)}")
    return lines


def _is_simple(node: Node) -> bool:
    return not children(node)
