"""Function values that the gradient needs again are kept: `tanh(c)` inside h = o tanh(c)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from derive.elaborate import canonical
from derive.forward_values import ForwardValues
from derive.system import Equation, Quantity, System, Term, reads


def share_functions(system: System) -> System:
    """The system with a signal for every function value that forward and adjoint both compute.

    Such a signal has the number of the equation that it was a part of.
    """
    forward, backward = (
        system.equations[: system.forward_count],
        system.equations[system.forward_count :],
    )
    wanted = {call for e in backward for term in e.terms for call in _calls(term)}
    quantities = dict(system.quantities)
    added: list[Equation] = []
    for equation in forward:
        for term in equation.terms:
            if not term.is_pointwise:
                continue
            for call in sorted(_calls(term), key=sp.default_sort_key):
                if call != term.factor and call in wanted:
                    shared = _shared(equation, call, quantities)
                    quantities[shared.quantity.name] = shared.quantity
                    added.append(shared)
    if not added:
        return system
    values = ForwardValues(replace(system, quantities=quantities, equations=tuple(added)))

    def express(equation: Equation) -> Equation:
        terms = tuple(replace(m, factor=values.express(m.factor)) for m in equation.terms)
        return replace(equation, terms=terms)

    merged: list[Equation] = []
    for equation in forward:
        merged += [a for a in added if a.number == equation.number]
        merged.append(express(equation))
    return replace(
        system,
        quantities=quantities,
        equations=(*merged, *map(express, backward)),
        forward_count=len(merged),
    )


def _calls(term: Term) -> set[sp.Expr]:
    return set(term.factor.atoms(sp.Function))


def _shared(equation: Equation, call: sp.Expr, quantities: dict[str, Quantity]) -> Equation:
    arguments = "_".join(dict.fromkeys(str(r.base.label) for r in reads(call)))
    stem = f"{type(call).__name__}_{arguments}"[:60]
    name = stem
    while name in quantities:
        name += "_"
    quantity = Quantity(
        name, "signal", equation.quantity.axes, f"part of {equation.quantity.name}", internal=True
    )
    return canonical(Equation(equation.number, quantity, equation.indices, (Term(call),)))
