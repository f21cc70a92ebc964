"""Forward sensitivities: real-time recurrent learning as a system.

    v[a] = sum f(q[e])
    v_by_W[a,k,l] = sum (df / dq[e]) * q_by_W[e,k,l]  +  sum (df / dW[i,j]) delta(i,k) delta(j,l)

for every parameter W (Williams and Zipser 1989). They run forward with the signals; those of the
loss are its gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.contraction import (
    collected,
    contract,
    explicit_derivative,
    in_forward_values,
)
from bptt.derive.calculus.dependence import dependences, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.quantity import Derivative, Quantity, index_symbol, make
from bptt.derive.calculus.reductions import SUM
from bptt.derive.calculus.system import Equation, Mention, System, name_of
from bptt.derive.errors import UserError

MOST = 1_000

# Explicit derivatives, by equation, number of the term, and mention.
Partials = dict[tuple[str, int, sp.Indexed], sp.Expr]


def sensitivities(
    system: System, of: Iterable[str], by: Iterable[str], apart: Collection[str] = ()
) -> System:
    """The system with the derivatives of the quantities `of` by the given quantities `by`.

    `v_by_W` has the axes of v, then those of W. There is one for every signal and every parameter
    that it depends on, but for those that stand `apart`, which nothing else needs: raises UserError
    where these are more than MOST equations.
    """
    wanted, by = upstream(system, of) - {*apart}, tuple(by)
    depends = dependences(system, by)
    defined = [e for e in system.equations if e.quantity.name in wanted]
    count = sum(depends[e.quantity.name].bit_count() for e in defined)
    if count > MOST:
        raise UserError(
            f"forward sensitivities of this network are {count} equations, and up to {MOST} are "
            "derived",
            remedy="leave out jacobian and rtrl",
        )
    values = ForwardValues.of(system, wanted)
    partials: Partials = {
        (e.quantity.name, number, read): in_forward_values(
            explicit_derivative(system, e, term, read), term, values
        )
        for e in defined
        for number, term in enumerate(e.terms)
        for read in term.reads()
    }
    known = dict(system.quantities)
    equations: list[Equation] = []
    for place, name in enumerate(by):
        parameter = system.quantities[name]
        found = [e for e in defined if depends[e.quantity.name] >> place & 1]
        made: dict[str, Quantity] = {}
        for v in (e.quantity for e in found):
            origin = Derivative(v.name, name, forward=True)
            about = f"derivative of {v.name} by {name}"
            axes = v.axes + parameter.axes
            own = system.by_origin.get(origin) or make(origin, "signal", axes, about, known)
            made[v.name] = known[own.name] = own
        new = [e for e in found if made[e.quantity.name].name not in system.definitions]
        equations += [_equation(e, parameter, made, partials, system, known) for e in new]
    return system.extended(equations)


def _equation(
    equation: Equation,
    parameter: Quantity,
    made: dict[str, Quantity],
    partials: Partials,
    system: System,
    known: Mapping[str, Quantity],
) -> Equation:
    element = tuple(
        replace(i, symbol=index_symbol(f"_{i.symbol.name}_of"))
        for i in parameter.canonical_indices()
    )
    terms = []
    for number, term in enumerate(equation.terms):
        for read in term.reads():
            name = name_of(read)
            if name != parameter.name and name not in made:
                continue
            partial = partials[equation.quantity.name, number, read]
            subscripts = system.subscripts(read)
            if name == parameter.name:
                found, _ = contract(partial, term.sums, term, subscripts, element)
                box = (*equation.indices, *element, *found.sums)
                found = replace(found, bounds=prune(found.bounds, box))
            else:
                at = (*subscripts, *(i.symbol for i in element))
                found = replace(term, factor=partial * made[name][at], reduction=SUM)
            terms.append(replace(found, mentions=(Mention(equation.number, read),)))
    quantity = made[equation.quantity.name]
    indices = (*equation.indices, *element)
    return canonical(Equation(0, quantity, indices, collected(terms, known)))
