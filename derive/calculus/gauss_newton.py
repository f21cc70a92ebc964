"""Products with the Gauss-Newton matrix, J' H J, as a system made of other derivations.

The network computes signals z, the losses judge them: J is the derivative of z by the
parameters, H the Hessian of the loss by z. With the tangents R_z = J v, the tangent of the
explicit derivative e_z of the loss is H J v; the adjoint of the network takes it back.
"""

from __future__ import annotations

from bptt.derive.calculus.adjoint import Adjoint
from bptt.derive.calculus.contraction import derivative
from bptt.derive.calculus.dependence import dependent, network_side
from bptt.derive.calculus.pairing import paired
from bptt.derive.calculus.quantity import Derivative, Made, Tangent
from bptt.derive.calculus.system import Equation, System, name_of, reads
from bptt.derive.calculus.tangent import PEARLMUTTER, tangent

CURVATURE = Made("curvature", "", derived=True)


def loss_side(system: System) -> set[str]:
    """The equations that judge the network.

    A convex reduction that a loss reads, plainly, is one of them, even where a signal needs it
    too: with the logarithm of a sum of exponentials cross-entropy is convex in the logits.
    """
    primal = system.primal
    found = set(primal.definitions) - network_side(primal)
    moving = dependent(primal, [q.name for q in primal.of_role("parameter")])
    return found | {
        name
        for judge in found
        for term in primal.definitions[judge].terms
        for read in term.reads()
        if (name := name_of(read)) in primal.definitions
        and _is_convex(primal.definitions[name])
        and moving.isdisjoint(map(name_of, reads(derivative(term.factor, read))))
    }


def _is_convex(equation: Equation) -> bool:
    return any(not t.reduction.is_linear and t.reduction.convex for t in equation.terms)


def judged_signals(system: System) -> tuple[str, ...]:
    """The signals of the network that the losses read, in order of declaration."""
    primal, side = system.primal, loss_side(system)
    read = set().union(*(primal.definitions[name].needs for name in side))
    return tuple(q.name for q in primal.of_role("signal") if q.name in read - side)


def explicit_adjoint(system: System, of: str = "loss") -> System:
    """The system with e_z, the derivative of a loss by the signals z that the losses judge.

    What they judge is given to the losses: how it came about is held fixed.
    """
    losses = system.restricted(loss_side(system))
    cut = judged_signals(system)
    return system.joined(Adjoint(losses, of, by=cut, way="explicit").system())


def gauss_newton(system: System, of: str = "loss") -> System:
    """The system with the product of the Gauss-Newton matrix with a direction of the parameters.

    It is the derivative of a scalar, the `curvature`, by each parameter.
    """
    parameters = [q.name for q in system.of_role("parameter")]
    cut = judged_signals(system)
    explicit = explicit_adjoint(system, of)
    errors = [explicit.by_origin[Derivative(of, z, "explicit")].name for z in cut]
    curved = tangent(explicit, parameters, [*cut, *errors], operator=PEARLMUTTER)
    seeds = [
        (curved.by_origin.get(Tangent(e, tuple(parameters), PEARLMUTTER)), z)
        for z, e in zip(cut, errors, strict=True)
    ]
    pairs = [(s, z) for s, z in seeds if s is not None and s.name in curved.definitions]
    about = "what the losses judge, weighed by the tangents of their derivatives by it"
    whole = paired(curved, pairs, CURVATURE, about)
    scalar = whole.by_origin[CURVATURE].name
    # The tangents are weights here, and given: the network alone moves.
    network = whole.restricted({*network_side(system), scalar})
    return whole.joined(Adjoint(network, scalar, by=parameters).system())
