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
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.adjoint import Adjoint, adjoint
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent, is_gradient, network_side
from bptt.derive.calculus.gauss_newton import explicit_adjoint, judged_signals
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.quantity import Derivative, Quantity, index_symbol, make
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import UserError

# What a layered digital dynamic network is made of.
LDDN = (
    "layers, each with one net input, a sum of weights times inputs and outputs at this step or "
    "earlier ones, and an output that is a function of it"
)


@dataclass(frozen=True)
class Link:
    """A term of a net input: a weight times a source at a delay, or a bias, which has no source.

    A `transposed` weight is one that another layer has as it is.
    """

    parameter: str
    layer: str
    source: str = ""
    delay: int = 0
    transposed: bool = False


def link(term: Term, equation: Equation, system: System) -> Link | None:
    """The link that a term is; None if it is no weight times an input or an output, and no bias."""
    reads, layer = term.reads(), equation.quantity.layer
    weights = [r for r in reads if system.quantity_of(r).role == "parameter"]
    sources = [r for r in reads if _is_source(system.quantity_of(r))]
    is_product = not (term.bounds or term.equals) and term.factor == sp.Mul(*reads)
    if not is_product or len(weights) != 1 or len(equation.indices) != 3:
        return None
    step, batch, unit = (i.symbol for i in equation.indices)
    weight = weights[0]
    if len(reads) == 1:
        return Link(name_of(weight), layer) if weight.indices == (unit,) else None
    if len(reads) > 2 or not sources or len(term.sums) != 1:
        return None
    over, (at, *others) = term.sums[0].symbol, sources[0].indices
    ways = {(unit, over): False, (over, unit): True}
    if others != [batch, over] or not (step - at).is_Integer or weight.indices not in ways:
        return None
    back = ways[weight.indices]
    return Link(name_of(weight), layer, name_of(sources[0]), int(step - at), back)


def _is_source(quantity: Quantity) -> bool:
    """Whether it is an input or the output of a layer, at every step."""
    is_input = quantity.role == "input" and quantity.differentiable
    is_output = quantity.role == "signal" and quantity.name == quantity.layer
    return _has_one_step(quantity) and (is_input or is_output)


def _has_one_step(quantity: Quantity) -> bool:
    return [a.kind for a in quantity.axes if a.kind != "feature"] == ["time", "batch"]


def net_inputs(system: System) -> list[str]:
    """The signals of layers that are sums of links alone; a linear layer's output is one."""
    primal = system.primal
    return [
        e.quantity.name
        for e in primal
        if e.quantity.layer and e.terms and all(_is_past(link(t, e, primal)) for t in e.terms)
    ]


def _is_past(found: Link | None) -> bool:
    """Whether this is a link from the same step or an earlier one.

    Where some layers read later steps and others earlier ones, a path can leave a step and return
    to it: what is held fixed of the step would then lie on paths between the steps.
    """
    return found is not None and found.delay >= 0


def unlayered(system: System) -> str:
    """The first layer that an LDDN cannot have, or signal outside layers; "" if there is none.

    An LDDN has layers, each with one net input, a sum of weights times inputs and outputs of layers
    at delays from 0, and an output that is a function of the net input at the same step.
    """
    primal = system.primal
    nets = net_inputs(primal)
    layers = [primal.quantities[n].layer for n in nets]
    # Sums of the weights of steps are the losses' own.
    given = primal.of_role("input", "parameter", differentiable=True)
    network = dependent(primal, [q.name for q in given])
    for quantity in primal.of_role("signal"):
        if quantity.name not in network:
            continue
        definition, layer = primal.definitions[quantity.name], quantity.layer
        is_net = quantity.name in nets and layers.count(layer) == 1
        is_function = layer in layers and all(
            _is_within(term, definition, primal) for term in definition.terms
        )
        if not (_has_one_step(quantity) and (is_net or is_function)):
            return layer or quantity.name
    return ""


def _is_within(term: Term, equation: Equation, system: System) -> bool:
    """Whether a term needs signals of the equation's own layer and step, and nothing else."""
    step = equation.indices[0].symbol
    rest = term.factor.xreplace(dict.fromkeys(term.reads(), sp.Integer(1)))
    own = (system.quantity_of(r).layer == equation.quantity.layer for r in term.reads())
    now = (r.indices[0] == step for r in term.reads())
    over_units = all(index.kind == "feature" for index in term.sums)
    is_free = term.bounds or term.equals or step in rest.free_symbols
    return not is_free and over_units and all(own) and all(now)


def is_layered(system: System) -> bool:
    """Whether a network is an LDDN."""
    return not unlayered(system)


def layered(system: System) -> System:
    """A system's primal equations with its gradients in the layered form. Raises UserError."""
    primal = system.primal
    odd = unlayered(primal)
    if odd:
        raise UserError(
            f"the network is not made of {LDDN}: {odd} is no such layer",
            remedy="use the notation matrix or index",
        )
    network = network_side(primal)
    kept = [n for n in net_inputs(primal) if n in network]
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
