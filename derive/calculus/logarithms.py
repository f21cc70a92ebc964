"""Logarithms of what an exponential has made, without it: neither overflows nor loses digits.

    p = exp(u)       log p = u
    p = sigmoid(u)   log p = u - softplus(u),   log(1 - p) = -softplus(u)

Found by their form. With p = exp(z - lse), a softmax, the cross-entropy -sum d log p becomes
sum d (lse - z); where d sums to one, lse - sum d z.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.order import Known, addends
from bptt.derive.calculus.primitives import sigmoid, softplus
from bptt.derive.calculus.system import Equation, Term, name_of, reads


def without_exponentials(expr: sp.Expr, definitions: Mapping[str, Equation]) -> sp.Expr:
    """The expression with its logarithms of what `definitions` make by an exponential rewritten."""
    found = {
        call: value
        for call in expr.atoms(sp.log)
        if (value := _logarithm(call.args[0], definitions)) is not None
    }
    return expr.xreplace(found)


def _logarithm(argument: sp.Expr, definitions: Mapping[str, Equation]) -> sp.Expr | None:
    """log(argument), where that is an exponential, a sigmoid, or one minus a sigmoid."""
    values = {r: v for r in reads(argument) if (v := value_of(r, definitions)) is not None}
    value = argument.xreplace(values)
    if isinstance(value, sp.exp):
        return value.args[0]
    for call in value.atoms(sigmoid):
        (u,) = call.args
        if value in (call, 1 - call):
            return (u if value == call else 0) - softplus(u)
    return None


def value_of(read: sp.Indexed, definitions: Mapping[str, Equation]) -> sp.Expr | None:
    """What defines the element that is read, where that is one expression and nothing summed."""
    equation = definitions.get(name_of(read))
    if equation is None or len(equation.terms) != 1 or not equation.terms[0].is_pointwise:
        return None
    at = {i.symbol: s for i, s in zip(equation.indices, read.indices, strict=False)}
    return equation.terms[0].factor.xreplace(at)


def multiplied_out(terms: Iterable[Term], known: Known) -> list[Term]:
    """The terms multiplied out, those with the same sums and conditions brought together first.

    What still has an exponential stays in one piece: parts of it could overflow.
    """
    groups: dict[object, list[Term]] = {}
    for term in terms:
        groups.setdefault((term.sums, term.bounds, term.equals), []).append(term)
    found = []
    for group in groups.values():
        whole = sp.Add(*(term.factor for term in group))
        pieces = (whole,) if whole.has(sp.exp) else addends(sp.expand(whole), known)
        found += [replace(group[0], factor=piece) for piece in pieces if piece != 0]
    return found


def with_unit_sum(term: Term, one: str) -> Term:
    """The term, with 1 for the sum over the last axis of the quantity `one`, where it has such."""
    factors = sp.Mul.make_args(term.factor)
    found = next((f for f in factors if isinstance(f, sp.Indexed) and name_of(f) == one), None)
    last = None if found is None else found.indices[-1]
    index = next((i for i in term.sums if i.symbol == last), None)
    if index is None or sum(f.has(index.symbol) for f in factors) > 1:
        return term
    rest = sp.Mul(*(f for f in factors if f is not found))
    return replace(term, factor=rest, sums=tuple(i for i in term.sums if i != index))
