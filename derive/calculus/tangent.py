"""The tangent of a system: derivatives along a direction, forward in time.

Where an equation reads q, its tangent reads the tangent of q:

    v[a] = sum f(q[e])        dot_v[a] = sum (df / dq[e]) * dot_q[e]

with the same sums and conditions. The tangent of an adjoint gives products with the Hessian.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bptt.derive.calculus.adjoint import collected, explicit_derivative
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.system import Equation, Kind, Quantity, System, Term, name_of

DOT = "dot_"
# The operator R{.} of Pearlmutter (1994), for tangents along a direction of the parameters alone.
PEARLMUTTER = "R_"


def tangent(
    system: System,
    along: Iterable[str],
    of: Iterable[str],
    *,
    prefix: str = DOT,
    initial: bool = False,
) -> System:
    """The system with the tangents of the quantities `of` behind its own equations.

    `along` names the given quantities that have a direction, which is a quantity of its own with
    `prefix` before the name; with `initial` values outside the steps have one too.
    """
    along = tuple(along)
    started = {n for n in system.reach if initial and system.quantities[n].kind != "mask"}
    active = dependent(system, {*along, *started})
    wanted = upstream(system, of) & active
    quantities = {
        name: _tangent_quantity(system.quantities[name], prefix, "direction") for name in along
    }
    defined = [e for e in system.equations if e.quantity.name in wanted]
    quantities |= {
        e.quantity.name: _tangent_quantity(e.quantity, prefix, "tangent") for e in defined
    }
    values = ForwardValues(system.forward())
    equations = [_tangent_equation(e, quantities, values) for e in defined]
    return system.extended({q.name: q for q in quantities.values()}, equations)


def _tangent_quantity(quantity: Quantity, prefix: str, kind: Kind) -> Quantity:
    return Quantity(
        prefix + quantity.name,
        kind,
        quantity.axes,
        f"{'direction' if kind == 'direction' else 'tangent'} of {quantity.name}",
    )


def _tangent_equation(
    equation: Equation, tangents: Mapping[str, Quantity], values: ForwardValues
) -> Equation:
    terms = []
    for term in equation.terms:
        for read in term.reads():
            dot = tangents.get(name_of(read))
            if dot is None:
                continue
            partial = explicit_derivative(equation, term, read, values)
            at = dot[read.indices] if dot.axes else dot[()]
            terms.append(Term(partial * at, term.sums, term.bounds, term.equals))
    quantity = tangents[equation.quantity.name]
    return canonical(Equation(0, quantity, equation.indices, collected(terms)))


def restricted(system: System, names: Iterable[str]) -> System:
    """The system with the equations of some quantities alone; what they read is given."""
    names = set(names)
    equations = tuple(e for e in system.equations if e.quantity.name in names)
    return replace(system, equations=equations, forward_count=-1)
