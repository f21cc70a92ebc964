"""Products with the Gauss-Newton matrix, J' H J, as a system made of other derivations.

The network computes signals z, the losses judge them: J is the derivative of z by the
parameters, H the Hessian of the loss by z. With the tangents R_z = J v known, the tangent of the
explicit derivative e_z of the loss is H J v; the adjoint of the network takes it back.
"""

from __future__ import annotations

from dataclasses import replace

from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.dependence import network_side
from bptt.derive.calculus.system import Equation, Quantity, System, Term, name_of
from bptt.derive.calculus.tangent import PEARLMUTTER, restricted, tangent

EXPLICIT = "e_"
GAUSS_NEWTON = "G_"


def loss_side(system: System) -> set[str]:
    """The equations that judge the network.

    A logarithm of a sum of exponentials that a loss reads is one of them, even where a signal
    needs it too: with it the loss is convex in the logits.
    """
    forward = system.forward()
    found = set(forward.definitions) - network_side(system)
    judged = {name_of(r) for n in found for m in forward.definitions[n].terms for r in m.reads()}
    return found | {
        name
        for name in judged & set(forward.definitions)
        if any(term.reduction == "logsumexp" for term in forward.definitions[name].terms)
    }


def judged_signals(system: System) -> set[str]:
    """The signals of the network that the losses read."""
    forward, side = system.forward(), loss_side(system)
    return {
        read
        for name in side
        for read in forward.definitions[name].needs
        if forward.quantities[read].kind == "signal" and read not in side
    }


def loss_adjoint(system: System) -> System:
    """The losses as a system of their own, and e_z, the derivative of the loss by z alone.

    Its inputs are the signals z that the losses judge.
    """
    forward, cut = system.forward(), judged_signals(system)
    quantities = {
        name: replace(q, kind="input" if name in cut else "mask")
        if q.kind in ("input", "parameter") or name in cut
        else q
        for name, q in forward.quantities.items()
    }
    losses = replace(restricted(forward, loss_side(system)), quantities=quantities)
    return adjoint(losses, prefix=EXPLICIT)


def gauss_newton(system: System) -> System:
    """The system with G_W, the product of the Gauss-Newton matrix with a direction, for every W.

    The system must hold the tangents `R_` of the losses' arguments along the parameters.
    """
    forward = system.forward()
    side, cut = loss_side(system), judged_signals(system)
    explicit = loss_adjoint(system)
    losses = explicit.forward()
    known = {n for n in system.quantities if n.startswith(PEARLMUTTER)}
    along = {n for n in (*cut, *side) if PEARLMUTTER + n in known}
    curved = tangent(explicit, along, [EXPLICIT + n for n in cut], prefix=PEARLMUTTER)
    added = [
        e
        for e in curved.equations[len(losses.equations) :]
        if e.quantity.name not in system.definitions
    ]
    names = {e.quantity.name for e in added}
    found = system.extended({n: curved.quantities[n] for n in names}, added)
    return _taken_back(found, forward, side, [n for n in forward.quantities if n in cut])


def _taken_back(system: System, forward: System, side: set[str], cut: list[str]) -> System:
    """The adjoint of the network, seeded with the tangents of the explicit derivatives."""
    signals = network_side(forward)
    network = [e for e in forward.equations if e.quantity.name in signals]
    quantities = {n: q for n, q in forward.quantities.items() if n in signals or n not in side}
    terms = []
    for name in cut:
        seed = system.quantities.get(PEARLMUTTER + EXPLICIT + name)
        if seed is None:
            continue
        quantities[seed.name] = replace(seed, kind="mask")
        indices = forward.quantities[name].canonical_indices()
        symbols = [i.symbol for i in indices]
        product = seed[symbols] * forward.quantities[name][symbols]
        terms.append(Term(product, indices))
    judged = Quantity("curvature", "loss", (), "the loss to second order")
    quantities[judged.name] = judged
    equations = (*network, Equation(0, judged, (), tuple(terms)))
    taken = adjoint(
        replace(forward, quantities=quantities, equations=equations, forward_count=-1),
        judged.name,
        prefix=GAUSS_NEWTON,
    )
    added = taken.equations[len(equations) :]
    names = {e.quantity.name for e in added}
    return system.extended({n: taken.quantities[n] for n in names}, added)
