"""Forward sensitivities: real-time recurrent learning as a system.

    v[a] = sum f(q[e])
    v_by_W[a,k,l] = sum (df / dq[e]) * q_by_W[e,k,l]  +  sum (df / dW[i,j]) delta(i,k) delta(j,l)

for every parameter W (Williams and Zipser 1989). They run forward with the signals; those of the
loss are its gradient.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp
from bptt.derive.calculus.adjoint import collected, contract, explicit_derivative
from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.system import Equation, Quantity, System, Term, index_symbol, name_of

# Explicit derivatives, by equation, number of the term, and mention.
Partials = dict[tuple[str, int, sp.Indexed], sp.Expr]


def sensitivity_name(of: str, by: str) -> str:
    return f"{of}_by_{by}"


def sensitivities(system: System, of: Iterable[str], by: Iterable[str]) -> System:
    """The system with the derivatives of the quantities `of` by the parameters `by`.

    `v_by_W` has the axes of v, then those of W.
    """
    of = tuple(of)
    forward = system.forward()
    wanted = upstream(forward, of)
    values = ForwardValues(forward)
    partials: Partials = {
        (e.quantity.name, number, read): explicit_derivative(e, term, read, values)
        for e in forward.equations
        if e.quantity.name in wanted
        for number, term in enumerate(e.terms)
        for read in term.reads()
    }
    quantities: dict[str, Quantity] = {}
    equations = []
    for name in by:
        parameter = forward.quantities[name]
        active = dependent(forward, {name}) & wanted
        found = [e for e in forward.equations if e.quantity.name in active]
        for equation in found:
            v = equation.quantity
            quantities[sensitivity_name(v.name, name)] = Quantity(
                sensitivity_name(v.name, name),
                "sensitivity",
                v.axes + parameter.axes,
                f"derivative of {v.name} by {name}",
            )
        equations += [_equation(e, parameter, quantities, partials, active) for e in found]
    return system.extended(quantities, equations)


def _equation(
    equation: Equation,
    parameter: Quantity,
    quantities: dict[str, Quantity],
    partials: Partials,
    active: set[str],
) -> Equation:
    element = tuple(
        replace(i, symbol=index_symbol(f"_{i.symbol.name}_of"))
        for i in parameter.canonical_indices()
    )
    terms = []
    for number, term in enumerate(equation.terms):
        for read in term.reads():
            name = name_of(read)
            if name != parameter.name and name not in active:
                continue
            partial = partials[equation.quantity.name, number, read]
            if name == parameter.name:
                subscripts = read.indices if parameter.axes else ()
                found = contract(partial, term.sums, term.bounds, term.equals, subscripts, element)
                box: tuple[Index, ...] = (*equation.indices, *element, *found.sums)
                terms.append(replace(found, bounds=prune(found.bounds, box)))
                continue
            inner = quantities[sensitivity_name(name, parameter.name)]
            has_axes = len(inner.axes) > len(element)
            at = (*(read.indices if has_axes else ()), *(i.symbol for i in element))
            terms.append(Term(partial * inner[at], term.sums, term.bounds, term.equals))
    quantity = quantities[sensitivity_name(equation.quantity.name, parameter.name)]
    return canonical(Equation(0, quantity, (*equation.indices, *element), collected(terms)))
