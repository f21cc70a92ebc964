"""The open loop of a network: what is fed back is not its own output but the measurement of it.

    n[t] = W y[t-1] + ...   becomes   n[t] = W measured_y[t-1] + ...

for every equation that y itself depends on. This is the series-parallel form of a NARX network
(teacher forcing); the system as it is described is the parallel form, or closed loop. Both have
the same parameters. Narendra and Parthasarathy 1990, "Identification and Control of Dynamical
Systems Using Neural Networks", section III.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import upstream
from bptt.derive.calculus.quantity import Made, Quantity
from bptt.derive.calculus.system import Equation, System, Term, add_quantity, name_of
from bptt.derive.errors import UserError, did_you_mean, shown

MEASURED = "measured_"


def opened(system: System, names: Iterable[str]) -> System:
    """A system's primal equations with the loops through some signals opened.

    Its name ends in _open. Reads at the same step stay: they are no feedback. Raises
    UserError for what is not a signal that feeds back.
    """
    system = system.primal
    for name in dict.fromkeys(names):
        system = _opened(system, name)
    return replace(system, name=f"{system.name}_open")


def _opened(system: System, name: str) -> System:
    signal = system.quantities.get(name)
    known = [q.name for q in system.of_role("signal") if not q.internal and fed_back(system, q)]
    if signal is None or name not in known:
        what = "is not fed back" if signal else "is no signal of the network"
        listed = f"name one that is: {', '.join(known[:8])}" if known else "no signal is fed back"
        raise UserError(
            f"{shown(name)} {what}{did_you_mean(name, known)}", place="--open", remedy=listed
        )
    measured = replace(
        signal,
        name=MEASURED + name,
        role="input",
        about=f"measured value of {name}",
        layer="",
        origin=Made("measured", name),
        local=None,
    )
    quantities = {q.name: q for q in system.of_role("input")}
    for quantity in (measured, *system.quantities.values()):
        if quantities.get(quantity.name) != quantity:
            add_quantity(quantities, quantity)
    within = upstream(system, [name])
    equations = tuple(
        _reading_measured(equation, signal, measured)
        if equation.quantity.name in within
        else equation
        for equation in system.equations
    )
    return replace(system, quantities=quantities, equations=equations)


def fed_back(system: System, signal: Quantity) -> bool:
    """Whether the signal is read at another step by what it depends on itself."""
    within = upstream(system, [signal.name])
    return any(
        _feedback(equation, term, signal)
        for equation in system.equations
        if equation.quantity.name in within
        for term in equation.terms
    )


def _feedback(equation: Equation, term: Term, signal: Quantity) -> list[sp.Indexed]:
    """The mentions of a signal at other steps than the equation's own."""
    axis, own = signal.time_axis, equation.quantity.time_axis
    if axis is None or own is None:
        return []
    now = equation.indices[own].symbol
    return [r for r in term.reads() if name_of(r) == signal.name and r.indices[axis] != now]


def _reading_measured(equation: Equation, signal: Quantity, measured: Quantity) -> Equation:
    terms = []
    for term in equation.terms:
        mapping = {r: measured[r.indices] for r in _feedback(equation, term, signal)}
        terms.append(replace(term, factor=term.factor.xreplace(mapping)))
    return canonical(replace(equation, terms=tuple(terms)))
