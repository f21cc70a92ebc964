"""The order in which a person writes factors and addends; printers and code share it."""

from __future__ import annotations

import sympy as sp
from bptt.derive.calculus.system import PREFIX, name_of, reads


def addends(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    """The addends of a sum: numbers first (1 - a²), positive before negative, then by name."""
    return tuple(sorted(sp.Add.make_args(expr), key=_addend_key))


def factors(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    """The factors of a product: numbers, parameters, adjoints, signals, then what is composed."""
    return tuple(sorted(sp.Mul.make_args(expr), key=_factor_key))


def split_sign(expr: sp.Expr) -> tuple[int, sp.Expr]:
    """(-1, -expr) where the expression has a minus sign in front, else (1, expr)."""
    if expr.could_extract_minus_sign() and not isinstance(expr, sp.Add):
        return -1, -expr
    return 1, expr


def split_quotient(expr: sp.Expr) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The factors of a product above and below the fraction bar, in order."""
    above: list[sp.Expr] = []
    below: list[sp.Expr] = []
    for factor in factors(expr):
        if isinstance(factor, sp.Rational) and not factor.is_Integer:
            if factor.p != 1:
                above.append(sp.Integer(factor.p))
            below.append(sp.Integer(factor.q))
        elif isinstance(factor, sp.Pow) and factor.exp.could_extract_minus_sign():
            below.append(1 / factor)
        else:
            above.append(factor)
    return above, below


def _addend_key(expr: sp.Expr) -> tuple[object, ...]:
    sign, positive = split_sign(expr)
    names = tuple(name_of(r) for r in reads(expr))
    has_prior = any(n.startswith(("target_", "logsumexp_")) for n in names)
    return (
        not expr.is_Number,
        has_prior,
        sign < 0,
        names,
        sp.default_sort_key(positive),
    )


def _factor_key(expr: sp.Expr) -> tuple[object, ...]:
    if expr.is_Number:
        rank = 0
    elif isinstance(expr, sp.Symbol):
        rank = 1
    elif isinstance(expr, sp.Indexed):
        name = name_of(expr)
        carries_time = any(s.has(sp.Symbol("t", integer=True)) for s in expr.indices)
        rank = 3 if name.startswith(PREFIX) else 4 if carries_time else 2
    else:
        rank = 5 if not expr.atoms(sp.Function) else 6
    return rank, tuple(name_of(r) for r in reads(expr)), sp.default_sort_key(expr)
