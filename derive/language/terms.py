"""Sums of terms: what is multiplied out, and what is one value."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.system import Term
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Node, begin

Terms = list[Term]
MAX_PRODUCT = 60


def scaled(terms: Terms, factor: sp.Expr | int, node: Node | None = None) -> Terms:
    """Every term times a factor."""
    if factor == 1:
        return terms
    for term in terms:
        _check_linear(term, node, "is subtracted")
    return [replace(term, factor=factor * term.factor) for term in terms]


def multiplied(left: Terms, right: Terms, node: Node) -> Terms:
    """The products of all terms of one expression with all of another."""
    if len(left) * len(right) > MAX_PRODUCT:
        raise UserError(
            f"a product of more than {MAX_PRODUCT} terms",
            place=begin(node),
            remedy="name a part of it in an equation of its own",
        )
    for term in (*left, *right):
        _check_linear(term, node, "within a product")
    return [
        Term(a.factor * b.factor, a.sums + b.sums, a.bounds + b.bounds, a.equals + b.equals)
        for a in left
        for b in right
    ]


def _check_linear(term: Term, node: Node | None, what: str) -> None:
    if not term.reduction.is_linear:
        raise UserError(
            f"a {term.reduction.name} {what}",
            place=begin(node) if node else "",
            remedy="let it be the right side of an equation of its own",
        )


def is_atomic(term: Term) -> bool:
    """A quantity, perhaps with a constant in front; on the diagonal of a matrix, perhaps."""
    is_plain = not (term.sums or term.bounds or not term.reduction.is_linear)
    core = term.factor.as_coeff_Mul()[1]
    return is_plain and (isinstance(core, sp.Indexed) or core == 1)


def joined(terms: Terms) -> Terms:
    """The terms, those without sums and conditions as one."""
    plain = [term.factor for term in terms if term.is_pointwise]
    if len(plain) < 2:
        return terms
    return [Term(sp.Add(*plain)), *(term for term in terms if not term.is_pointwise)]
