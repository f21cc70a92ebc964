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

from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import network_side
from bptt.derive.calculus.gauss_newton import EXPLICIT, judged_signals, loss_adjoint
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.system import Equation, Quantity, System, Term, index_symbol, name_of
from bptt.derive.calculus.tangent import restricted
from bptt.derive.errors import UserError

STATIC = "S_"
HELD = "held_"


def is_layered(system: System) -> bool:
    """Whether the network is layers of sums and activations, connected through delays.

    Every signal then belongs to a layer, has steps along T alone, and is the layer's output, its
    net input, or what its activation needs.
    """
    forward = system.forward()
    signals = [q for q in forward.quantities.values() if q.kind == "signal"]
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
        has_weight |= quantity.kind == "parameter"
        if quantity.kind not in ("parameter", "signal", "input"):
            return False
        if quantity.time_axis is not None:
            offset = read.indices[0] - step
            if not offset.is_Integer:
                return False
            moved |= offset != 0
    return not term.bounds and not term.equals and (has_weight or not moved)


def layered(system: System) -> System:
    """A forward system with its gradients in the layered form. Raises UserError."""
    forward = system.forward()
    if not is_layered(forward):
        raise UserError(
            "the network is not made of layers that are connected through delays",
            remedy="use another notation for gated cells and attention",
        )
    network = network_side(forward)
    kept = [n for n in forward.definitions if n in network and _has_parameter(n, forward)]
    judged = judged_signals(forward)
    delayed = {n for n in network if _is_delayed(n, forward)}
    total = adjoint(forward)
    ends = [
        n for n in forward.definitions if n in judged | delayed and f"d_{n}" in total.definitions
    ]
    found = _with_static(forward, ends, kept, network)
    explicit = loss_adjoint(forward)
    for end in ends:
        found = _with(found, _held(end, total, explicit))
    for name in kept:
        if f"d_{name}" in total.definitions:
            found = _with(found, _net_derivative(name, ends, found, total))
    for equation in total.equations[len(forward.equations) :]:
        is_gradient = equation.quantity.kind == "gradient"
        if is_gradient and equation.needs <= found.quantities.keys():
            found = _with(found, equation)
    return found


def _with(system: System, equation: Equation) -> System:
    return system.extended({equation.quantity.name: equation.quantity}, [equation])


def _has_parameter(name: str, system: System) -> bool:
    needs = system.definitions[name].needs
    return any(system.quantities[n].kind == "parameter" for n in needs)


def _is_delayed(name: str, system: System) -> bool:
    """Whether a signal is read at another step than that of the reader."""
    return any(
        name_of(read) == name and read.indices[0] != equation.indices[0].symbol
        for equation in system.equations
        if equation.quantity.kind == "signal"
        for term in equation.terms
        for read in term.reads()
    )


def _with_static(
    forward: System, ends: Iterable[str], kept: list[str], network: set[str]
) -> System:
    """The system with S_u_m for every end u and every net input m that reaches it in a step."""
    found = forward
    inner = restricted(forward, network)
    for end in ends:
        prefix = f"{STATIC}{end}__"
        within = adjoint(inner, end, prefix=prefix, within_step=True)
        names = {
            e.quantity.name
            for e in within.equations[len(inner.equations) :]
            if e.quantity.name.removeprefix(prefix) in network
        }
        wanted = {prefix + n for n in kept}
        within = inlined(restricted(within, names), names - wanted)
        static = {e.quantity.name: replace(e.quantity, kind="static") for e in within}
        equations = [replace(e, quantity=static[e.quantity.name]) for e in within if e.terms]
        found = found.extended({e.quantity.name: e.quantity for e in equations}, equations)
    return found


def _held(end: str, total: System, explicit: System) -> Equation:
    """The derivative of the loss by an end, what passes through its own step left out."""
    definition = total.definitions[f"d_{end}"]
    quantity = Quantity(
        HELD + end,
        "adjoint",
        definition.quantity.axes,
        f"derivative of the loss by {end}, other outputs of the step held fixed",
    )
    terms = [t for t in definition.terms if _is_later(t, definition, total)]
    direct = explicit.definitions.get(EXPLICIT + end)
    if direct is not None:
        terms = [*direct.terms, *terms]
    return canonical(replace(definition, quantity=quantity, terms=tuple(terms)))


def _is_later(term: Term, equation: Equation, system: System) -> bool:
    """Whether a term of an adjoint comes from another step."""
    return any(
        system.quantity_of(read).kind == "adjoint" and read.indices[0] != equation.indices[0].symbol
        for read in term.reads()
    )


def _net_derivative(name: str, ends: Iterable[str], system: System, total: System) -> Equation:
    """(14.52): the derivative of the loss by a net input."""
    definition = total.definitions[f"d_{name}"]
    terms = []
    for end in ends:
        static = system.quantities.get(f"{STATIC}{end}__{name}")
        if static is None:
            continue
        step, batch, unit = (i.symbol for i in definition.indices)
        row = static.axes[2].index(index_symbol("_row"))
        held = system.quantities[HELD + end][(step, batch, row.symbol)]
        terms.append(Term(static[(step, batch, row.symbol, unit)] * held, (row,)))
    return canonical(replace(definition, terms=tuple(terms)))
