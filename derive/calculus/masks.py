"""Masked systems: where a mask is zero, states keep their values and outputs may be zero.

    v[t] = f(...)   becomes   v[t] = m[t] f(...) + (1 - m[t]) v[t-1]

for every signal v that some equation reads at another step (t+1 in place of t-1 where the layer
runs backward). With the steps beyond a sequence's length masked this is what packed sequences
mean: the last value is that of the last valid step, and a backward layer starts there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import coefficient
from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import Equation, Term, name_of


def states(equations: Iterable[Equation], quantities: Mapping[str, Quantity]) -> set[str]:
    """The signals that an equation reads at another step than its own."""
    found = set()
    for equation in equations:
        axis = equation.quantity.time_axis
        if axis is None:
            continue
        now = equation.indices[axis].symbol
        for term in equation.terms:
            for read in term.reads():
                time = quantities[name_of(read)].time_axis
                if time is None:
                    continue
                at = read.indices[time]
                if at != now and coefficient(at, now) == 1:
                    found.add(name_of(read))
    return found


def held(equation: Equation, mask: Quantity, *, backward: bool) -> Equation:
    """The equation of a state that keeps its value where the mask is zero."""
    quantity = equation.quantity
    symbols = {axis.kind: i.symbol for axis, i in zip(quantity.axes, equation.indices, strict=True)}
    now, m = symbols["time"], mask[[symbols[axis.kind] for axis in mask.axes]]
    before = equation.lhs.xreplace({now: now + (1 if backward else -1)})
    terms = [replace(term, factor=m * term.factor) for term in equation.terms]
    return replace(equation, terms=(*terms, Term((1 - m) * before)))


def renamed(equation: Equation, old: Quantity, new: Quantity) -> Equation:
    """The equation with one quantity in another's place, on both sides."""

    def moved(factor: sp.Expr) -> sp.Expr:
        mapping = {r: new[r.indices] for r in factor.atoms(sp.Indexed) if name_of(r) == old.name}
        return factor.xreplace(mapping)

    return replace(
        equation,
        quantity=new if equation.quantity == old else equation.quantity,
        terms=tuple(replace(term, factor=moved(term.factor)) for term in equation.terms),
    )
