"""The order in which a person writes factors and addends; printers and code share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import sympy as sp

from bptt.derive.calculus.bounds import MOST_KEPT
from bptt.derive.calculus.quantity import Derivative, Made, Quantity
from bptt.derive.calculus.reductions import REDUCTIONS
from bptt.derive.calculus.system import calls, name_of, reads, written

Known = Mapping[str, Quantity]
_sort_key = lru_cache(maxsize=MOST_KEPT)(sp.default_sort_key)


def addends(expr: sp.Expr, known: Known) -> tuple[sp.Expr, ...]:
    """The addends of a sum: numbers first (1 - a²), positive before negative, then by name.

    `known` are the quantities that may be mentioned, by name.
    """
    return _sorted(sp.Add.make_args(expr), lambda addend: _addend_key(addend, known))


def factors(expr: sp.Expr, known: Known) -> tuple[sp.Expr, ...]:
    """The factors of a product: numbers, parameters, adjoints, signals, then what is composed."""
    return _sorted(sp.Mul.make_args(expr), lambda factor: _factor_key(factor, known))


def _sorted(
    operands: tuple[sp.Expr, ...], key: Callable[[sp.Expr], tuple[object, ...]]
) -> tuple[sp.Expr, ...]:
    return tuple(sorted(operands, key=key)) if len(operands) > 1 else operands


def split_sign(expr: sp.Expr) -> tuple[int, sp.Expr]:
    """(-1, -expr) where the expression has a minus sign in front, else (1, expr)."""
    if expr.could_extract_minus_sign() and not isinstance(expr, sp.Add):
        return -1, -expr
    return 1, expr


def split_quotient(expr: sp.Expr, known: Known) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The factors of a product above and below the fraction bar, in order."""
    above: list[sp.Expr] = []
    below: list[sp.Expr] = []
    for factor in factors(expr, known):
        if isinstance(factor, sp.Rational) and not factor.is_Integer:
            if factor.p != 1:
                above.append(sp.Integer(factor.p))
            below.append(sp.Integer(factor.q))
        elif isinstance(factor, sp.Pow) and factor.exp.could_extract_minus_sign():
            below.append(1 / factor)
        else:
            above.append(factor)
    return above, below


def _addend_key(expr: sp.Expr, known: Known) -> tuple[object, ...]:
    sign, positive = split_sign(expr)
    names = tuple(name_of(r) for r in reads(expr))
    return (
        not expr.is_Number,
        any(_is_compared_with(known[n]) for n in names),
        sign < 0,
        names,
        _sort_key(positive),
    )


def _is_compared_with(quantity: Quantity) -> bool:
    """Whether a person writes it behind what it is compared with: y - target, z - log sum."""
    origin = quantity.origin
    return isinstance(origin, Made) and (origin.what == "target" or origin.what in REDUCTIONS)


def _factor_key(expr: sp.Expr, known: Known) -> tuple[object, ...]:
    if isinstance(expr, sp.Indexed):
        quantity = known[name_of(expr)]
        is_adjoint = isinstance(quantity.origin, Derivative) and not quantity.origin.forward
        rank = 3 if is_adjoint else 4 if quantity.time_axis is not None else 2
        return rank, (quantity.name,), "", written(expr)
    if expr.is_Number:
        rank = 0
    elif isinstance(expr, sp.Symbol):
        rank = 1
    else:
        rank = 6 if calls(expr) else 5
    # A length goes by its name: whether it is a count makes no difference to a reader.
    base = expr.as_base_exp()[0]
    length = base.name if isinstance(base, sp.Symbol) else ""
    return rank, tuple(map(name_of, reads(expr))), length, _sort_key(expr)
