"""Backpropagation in the form of layered digital dynamic networks (LDDN).

Hagan, Demuth, Beale and De Jesús, "Neural Network Design" (2nd ed.), chapter 14, part what
happens within a step from what passes between steps. Let U be the layer outputs that the loss
judges or that are read at a delay:

    S_u_m[t]   explicit derivative of u at t by the net input m of the same step, values of
               other steps held fixed                                            (14.38)
    held_u[t]  derivative of the loss by u at t, outputs of the same step held fixed   (14.63)
    d_m[t]     = sum over u in U of S_u_m[t]' held_u[t]                           (14.52)

A link with delay 0 is followed by S, one with a delay by held. The gradients are those of the
adjoint system: d_m is the same number in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bptt.derive.calculus.adjoint import Adjoint, adjoint
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import is_gradient, network_side
from bptt.derive.calculus.gauss_newton import explicit_adjoint, judged_signals
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.quantity import Derivative, Quantity, index_symbol, make
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import UserError


def is_layered(system: System) -> bool:
    """Whether the network is layers of sums and activations, connected through delays.

    Every signal then belongs to a layer, has steps along T alone, and is the layer's output, its
    net input, or what its activation needs.
    """
    forward = system.primal
    signals = forward.of_role("signal")
    return all(
        q.layer and (q.name == q.layer or q.internal) and _has_one_step(q) for q in signals
    ) and all(
        _is_simple(term, equation, forward)
        for equation in (forward.definitions[q.name] for q in signals)
        for term in equation.terms
    )


def _has_one_step(quantity: Quantity) -> bool:
    return [a.kind for a in quantity.axes if a.kind != "feature"] == ["time", "batch"]


def _is_simple(term: Term, equation: Equation, system: System) -> bool:
    """Weights times signals at some delay, or a function of signals of the same step."""
    step = equation.indices[0].symbol
    has_weight = False
    moved = False
    for read in term.reads():
        quantity = system.quantity_of(read)
        has_weight |= quantity.role == "parameter"
        if quantity.role not in ("parameter", "signal", "input") or not quantity.differentiable:
            return False
        if quantity.time_axis is not None:
            offset = read.indices[0] - step
            if not offset.is_Integer:
                return False
            moved |= offset != 0
    return not term.bounds and not term.equals and (has_weight or not moved)


def layered(system: System) -> System:
    """A system's primal equations with its gradients in the layered form. Raises UserError."""
    primal = system.primal
    if not is_layered(primal):
        raise UserError(
            "the network is not made of layers that are connected through delays",
            remedy="use another notation for gated cells and attention",
        )
    network = network_side(primal)
    kept = [n for n in primal.definitions if n in network and _has_parameter(n, primal)]
    delayed = {n for n in network if _is_delayed(n, primal)}
    total = adjoint(primal)
    ends = [
        n
        for n in primal.definitions
        if n in {*judged_signals(primal), *delayed} and total.derivative("loss", n)
    ]
    found = _with_static(primal, ends, kept, network)
    explicit = explicit_adjoint(primal)
    for end in ends:
        found = found.extended([_held(end, found, total, explicit)])
    for name in kept:
        if total.derivative("loss", name):
            found = found.extended([_net_derivative(name, ends, found, total)])
    gradients = [e for e in total.derived if is_gradient(total, e.quantity.name)]
    return found.extended(e for e in gradients if e.needs <= found.quantities.keys())


def _has_parameter(name: str, system: System) -> bool:
    needs = system.definitions[name].needs
    return any(system.quantities[n].role == "parameter" for n in needs)


def _is_delayed(name: str, system: System) -> bool:
    """Whether a signal is read at another step than that of the reader."""
    return any(
        name_of(read) == name and read.indices[0] != equation.indices[0].symbol
        for equation in system.equations
        if equation.quantity.role == "signal"
        for term in equation.terms
        for read in term.reads()
    )


def _with_static(primal: System, ends: Iterable[str], kept: list[str], network: set[str]) -> System:
    """The system with S_u_m for every end u and every net input m that reaches it in a step."""
    found = primal
    for end in ends:
        within = Adjoint(found.restricted(network), end, way="static").system()
        own = {by: within.by_origin.get(Derivative(end, by, "static")) for by in network}
        names = {q.name for q in own.values() if q is not None} & within.definitions.keys()
        wanted = {q.name for by in kept if (q := own[by]) is not None}
        static = inlined(within.restricted(names), names - wanted)
        found = found.extended(e for e in static if e.terms)
    return found


def _held(end: str, system: System, total: System, explicit: System) -> Equation:
    """The derivative of the loss by an end, what passes through its own step left out."""
    definition = total.definitions[total.derivative("loss", end)]
    origin = Derivative("loss", end, "held")
    about = f"derivative of the loss by {end}, other outputs of the step held fixed"
    taken = {*system.quantities, *total.quantities}
    quantity = make(origin, "signal", definition.quantity.axes, about, taken)
    terms = [t for t in definition.terms if _is_later(t, definition, total)]
    direct = explicit.by_origin.get(Derivative("loss", end, "explicit"))
    if direct is not None:
        terms = [*explicit.definitions[direct.name].terms, *terms]
    return canonical(replace(definition, quantity=quantity, terms=tuple(terms)))


def _is_later(term: Term, equation: Equation, system: System) -> bool:
    """Whether a term of an adjoint comes from another step."""
    return any(
        system.quantity_of(read).is_derived and read.indices[0] != equation.indices[0].symbol
        for read in term.reads()
    )


def _net_derivative(name: str, ends: Iterable[str], system: System, total: System) -> Equation:
    """(14.52): the derivative of the loss by a net input."""
    definition = total.definitions[total.derivative("loss", name)]
    terms = []
    for end in ends:
        static = system.by_origin.get(Derivative(end, name, "static"))
        if static is None:
            continue
        step, batch, unit = (i.symbol for i in definition.indices)
        row = static.axes[2].index(index_symbol("_row"))
        held = system.by_origin[Derivative("loss", end, "held")][(step, batch, row.symbol)]
        terms.append(Term(static[(step, batch, row.symbol, unit)] * held, (row,)))
    return canonical(replace(definition, terms=tuple(terms)))
