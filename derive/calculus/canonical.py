"""Equations with the customary index letters: t, b, then i, j, k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.quantity import fresh
from bptt.derive.calculus.system import Equation, Term


def canonical(equation: Equation) -> Equation:
    """The same equation with the customary letters: the left side's first, then the sums'."""
    wanted = equation.quantity.canonical_indices()
    left = {old.symbol: new.symbol for old, new in zip(equation.indices, wanted, strict=True)}
    taken = {new.symbol for new in wanted}
    terms = []
    for term in map(counted, equation.terms):
        mapping = dict(left)
        used = set(taken)
        sums = []
        for index in term.sums:
            symbol = fresh(index.kind, used, index.length)
            used.add(symbol)
            mapping[index.symbol] = symbol
            sums.append(replace(index, symbol=symbol))
        terms.append(renamed(term, mapping, tuple(sums)))
    return Equation(equation.number, equation.quantity, wanted, tuple(terms))


def counted(term: Term) -> Term:
    """The term without sums over indices that nothing in it depends on: so many times it."""
    mentioned = set(term.factor.free_symbols).union(
        *(e.free_symbols for e in (*term.bounds, *term.equals))
    )
    idle = [index for index in term.sums if index.symbol not in mentioned]
    if not idle or not term.reduction.is_linear:
        return term
    return replace(
        term,
        factor=term.factor * sp.Mul(*(index.length for index in idle)),
        sums=tuple(index for index in term.sums if index not in idle),
    )


def renamed(term: Term, mapping: Mapping[sp.Symbol, sp.Symbol], sums: tuple[Index, ...]) -> Term:
    """The term with its index symbols replaced, all at once."""
    # A letter that is replaced by itself would have every product around it made anew.
    mapping = {old: new for old, new in mapping.items() if old != new}
    if not mapping:
        return replace(term, sums=sums)
    return Term(
        term.factor.xreplace(mapping),
        sums,
        tuple(e.xreplace(mapping) for e in term.bounds),
        tuple(e.xreplace(mapping) for e in term.equals),
        term.reduction,
        term.mentions,
    )
