"""The tangent of a system: derivatives along a direction, forward in time.

Where an equation reads q, its tangent reads the tangent of q:

    v[a] = sum f(q[e])        dot_v[a] = sum (df / dq[e]) * dot_q[e]

with the same sums and conditions. The tangent of an adjoint gives products with the Hessian, and
so does the adjoint of a tangent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.contraction import collected, explicit_derivative, in_forward_values
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.quantity import Quantity, Role, Tangent, make
from bptt.derive.calculus.reductions import SUM
from bptt.derive.calculus.system import Equation, Mention, System, name_of

DOT = "dot"
# The operator R{.} of Pearlmutter (1994), for tangents along a direction of the parameters alone.
PEARLMUTTER = "R"


def tangent(
    system: System,
    along: Iterable[str],
    of: Iterable[str],
    *,
    operator: str = DOT,
    initial: bool = False,
) -> System:
    """The system with the tangents of the quantities `of` behind its own equations.

    `along` names the given quantities that have a direction, a given quantity of its own; with
    `initial` values outside the steps have one too. Tangents along the same quantities by the
    same `operator` are one and the same: those that the system holds are not derived again.
    """
    return _Tangents(system, tuple(along), operator, initial).system(tuple(of))


class _Tangents:
    def __init__(
        self, system: System, along: tuple[str, ...], operator: str, initial: bool
    ) -> None:
        self._system, self._along, self._operator = system, along, operator
        started = {n for n in system.reach if initial and system.quantities[n].differentiable}
        self._active = dependent(system, {*along, *started})
        self._known = dict(system.quantities)
        self._made: dict[str, Quantity] = {}

    def system(self, of: tuple[str, ...]) -> System:
        wanted = upstream(self._system, of)
        values = ForwardValues.of(self._system, of)
        for name in self._along:
            self._quantity(name, "given")
        moved = wanted & self._active
        defined = [e for e in self._system.equations if e.quantity.name in moved]
        for equation in defined:
            self._quantity(equation.quantity.name, "signal")
        known = self._system.definitions
        new = [e for e in defined if self._made[e.quantity.name].name not in known]
        equations = [self._equation(e, values) for e in new]
        return self._system.extended(equations, [self._made[name] for name in self._along])

    def _quantity(self, name: str, role: Role) -> None:
        quantity = self._system.quantities[name]
        origin = Tangent(name, self._along, self._operator)
        about = f"{'direction' if role == 'given' else 'tangent'} of {name}"
        known = self._system.by_origin.get(origin)
        found = known or make(origin, role, quantity.axes, about, self._known)
        self._made[name] = self._known[found.name] = found

    def _equation(self, equation: Equation, values: ForwardValues) -> Equation:
        terms = []
        for term in equation.terms:
            for read in term.reads():
                dot = self._made.get(name_of(read))
                if dot is None:
                    continue
                partial = in_forward_values(
                    explicit_derivative(self._system, equation, term, read), term, values
                )
                factor = partial * dot[self._system.subscripts(read)]
                mentions = (Mention(equation.number, read),)
                terms.append(replace(term, factor=factor, reduction=SUM, mentions=mentions))
        quantity = self._made[equation.quantity.name]
        return canonical(Equation(0, quantity, equation.indices, collected(terms, self._known)))
