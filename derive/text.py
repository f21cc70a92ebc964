"""Equations as plain text, for the terminal and for the head of a generated module.

n_hidden[t,b,i] = sum_j W_hidden_x[i,j]*x[t,b,j] + b_hidden[i]
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import sympy as sp

from derive.bounds import Index
from derive.order import addends, split_quotient, split_sign
from derive.system import Equation, System, T, Term, name_of

# Functions that have a customary form of their own.
CALLS = {"negative_part": "min({}, 0)", "absolute": "|{}|", "signum": "sign({})"}


def equation_text(equation: Equation, *, width: int = 96) -> str:
    """One equation, broken after an operator where it is longer than `width`."""
    pieces = []
    for position, term in enumerate(equation.terms):
        sign, text = _signed_term(term, equation)
        if position == 0:
            pieces.append(f"-{text}" if sign < 0 else text)
        else:
            pieces.append(f"{'-' if sign < 0 else '+'} {text}")
    lines = [f"{expression_text(equation.lhs)} ="]
    for piece in pieces or ["0"]:
        if len(lines[-1]) + 1 + len(piece) > width and not lines[-1].endswith(" ="):
            lines.append(f"    {piece}")
        else:
            lines[-1] += f" {piece}"
    return "\n".join(lines)


def trace_text(equation: Equation) -> str:
    """Where each term comes from: an equation's number, and the rule that made the term."""
    return "\n".join(
        f"term {number} from ({origin.equation}): {origin.rule}"
        for number, term in enumerate(equation.terms, 1)
        for origin in term.origins
    )


def system_text(equations: Iterable[Equation], *, width: int = 96, trace: bool = False) -> str:
    """Numbered equations, one or more lines each; with `trace`, the origins of their terms."""
    equations = tuple(equations)
    digits = len(str(max((e.number for e in equations), default=0)))
    lines = []
    for equation in equations:
        label = f"({equation.number})".rjust(digits + 2)
        text = equation_text(equation, width=width - digits - 4)
        lines.append(f"{label}  " + textwrap.indent(text, " " * (digits + 4)).lstrip())
        if trace and any(term.origins for term in equation.terms):
            lines.append(textwrap.indent(trace_text(equation), " " * (digits + 4)))
    return "\n".join(lines)


def _signed_term(term: Term, equation: Equation) -> tuple[int, str]:
    sign, factor = split_sign(term.factor)
    text = expression_text(factor)
    if term.sums or term.reduction != "sum":
        names = ",".join(index.symbol.name for index in term.sums)
        if isinstance(factor, sp.Add):
            text = f"({text})"
        if term.reduction == "sum":
            text = f"sum_{names} {text}"
        else:
            text = f"log sum_{names} exp({text})"
    elif isinstance(factor, sp.Add) and len(equation.terms) > 1:
        text = f"({text})"
    condition = condition_text(term, equation)
    return sign, f"{text} [{condition}]" if condition else text


def condition_text(term: Term, equation: Equation) -> str:
    """Where a term holds, in words of its indices: 't <= T-2'."""
    parts = []
    for bound in term.bounds:
        parts.append(_bound_text(bound, equation.box(term)))
    for equal in term.equals:
        parts.append(_equality_text(equal, equation.box(term)))
    return ", ".join(parts)


def _bound_text(bound: sp.Expr, box: tuple[Index, ...]) -> str:
    # Of two indices the later one is spoken of: s <= t.
    for index in reversed(box):
        c = bound.coeff(index.symbol)
        if c == -1:
            return f"{index.symbol} <= {affine_text(bound + index.symbol)}"
        if c == 1:
            return f"{index.symbol} >= {affine_text(index.symbol - bound)}"
    return f"{affine_text(bound)} >= 0"


def _equality_text(equal: sp.Expr, box: tuple[Index, ...]) -> str:
    for index in reversed(box):
        c = equal.coeff(index.symbol)
        if abs(c) == 1:
            return f"{index.symbol} = {affine_text(index.symbol - equal / c)}"
    return f"{affine_text(equal)} = 0"


def affine_text(expr: sp.Expr) -> str:
    """An index expression without spaces: t-1, T-2, i+3."""
    expr = sp.expand(expr)
    constant = expr.as_coeff_Add()[0]
    symbols = sorted(
        (a for a in sp.Add.make_args(expr) if not a.is_Number),
        key=lambda a: (a.could_extract_minus_sign(), a.has(T), str(a)),
    )
    text = ""
    for symbol in symbols:
        sign, positive = split_sign(symbol)
        text += ("-" if sign < 0 else "+" if text else "") + str(positive)
    if not text:
        return str(constant)
    return text if constant == 0 else f"{text}{int(constant):+d}"


def expression_text(expr: sp.Expr) -> str:
    """A pointwise expression."""
    if isinstance(expr, sp.Indexed):
        if expr.indices == (sp.Integer(0),):
            return name_of(expr)
        return f"{name_of(expr)}[{','.join(affine_text(s) for s in expr.indices)}]"
    if isinstance(expr, sp.Add):
        parts = []
        for position, addend in enumerate(addends(expr)):
            sign, positive = split_sign(addend)
            if position == 0:
                parts.append(
                    f"-{expression_text(positive)}" if sign < 0 else expression_text(positive)
                )
            else:
                parts.append(f"{'-' if sign < 0 else '+'} {expression_text(positive)}")
        return " ".join(parts)
    if isinstance(expr, sp.Mul):
        return _quotient(expr)
    if isinstance(expr, sp.Pow):
        if expr.exp == sp.Rational(1, 2):
            return f"sqrt({expression_text(expr.base)})"
        if expr.exp.could_extract_minus_sign():
            return _quotient(expr)
        return f"{_atom(expr.base)}^{_atom(expr.exp)}"
    if isinstance(expr, sp.Function):
        inner = ", ".join(expression_text(a) for a in expr.args)
        return CALLS.get(type(expr).__name__, type(expr).__name__ + "({})").format(inner)
    if isinstance(expr, sp.Float):
        return repr(float(expr))
    return str(expr)


def _quotient(expr: sp.Expr) -> str:
    above, below = split_quotient(expr)
    if above and above[0].is_Number and above[0] < 0:
        return f"-{_quotient(-expr)}"
    top = "*".join(_atom(f) for f in above) or "1"
    if not below:
        return top
    bottom = "*".join(_atom(f) for f in below)
    return f"{top}/({bottom})" if len(below) > 1 else f"{top}/{bottom}"


def _atom(expr: sp.Expr) -> str:
    text = expression_text(expr)
    composed = isinstance(expr, sp.Add) or (expr.is_Number and (expr < 0 or not expr.is_Integer))
    return f"({text})" if composed and not isinstance(expr, sp.Float) else text


def steps_text(system: System) -> str:
    """What the indices run over, in one line."""
    sizes = ", ".join(f"{symbol} = {number}" for symbol, number in system.sizes.items())
    steps = [f"{size.name.lower()} = 0..{size}-1" for size in system.lengths]
    return f"{', '.join(steps)} steps, b = 0..B-1 sequences; sizes {sizes}"
