"""What a module can compute beside its loss and gradient, on request.

Each extra adds derived equations to the system, functions that compute them, and a function for
the module's user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bptt.codegen.program import Function, Part, program
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.causality import LoopError
from bptt.derive.calculus.chunks import CHUNK, OBJECTIVE, chunked
from bptt.derive.calculus.cost import cost
from bptt.derive.calculus.dependence import network_side, upstream
from bptt.derive.calculus.gauss_newton import GAUSS_NEWTON, gauss_newton
from bptt.derive.calculus.sensitivity import sensitivities, sensitivity_name
from bptt.derive.calculus.system import PREFIX, System
from bptt.derive.calculus.tangent import DOT, PEARLMUTTER, restricted, tangent
from bptt.derive.errors import UserError, did_you_mean

EXTRAS = {
    "jvp": "Jacobian-vector products: derivatives of all signals along a direction",
    "jacobian": "the derivative of every output at every step by every parameter",
    "hvp": "products of the loss's Hessian with a vector",
    "gnvp": "products of the Gauss-Newton matrix with a vector",
    "rtrl": "the gradient in one forward pass, by real-time recurrent learning",
    "truncated": "truncated backpropagation through time",
    "checkpoints": "full backpropagation in memory that grows as the root of the steps",
    "step": "one step at a time",
    "carry": "loss and gradients of a chunk of a long sequence, and the state after it",
}
PER = "_per_"


@dataclass(frozen=True)
class Extended:
    """A system with the equations of extras, and what is to be made of them.

    `base` is the system that holds its own adjoint and nothing else.
    """

    system: System
    base: System
    parts: tuple[Part, ...] = ()
    results: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


def check_extras(names: Iterable[str]) -> tuple[str, ...]:
    """The names in their customary order. Raises UserError for one that is not known."""
    names = tuple(names)
    for name in names:
        if name not in EXTRAS:
            raise UserError(
                f"{name[:40]!r} is nothing that a module can have{did_you_mean(name, EXTRAS)}",
                place="--with",
                remedy=f"name some of {', '.join(EXTRAS)}",
            )
    return tuple(name for name in EXTRAS if name in names)


def possible_extras(system: System) -> tuple[str, ...]:
    """The extras that a network can have, by a system that holds its own adjoint."""
    found = []
    for name in EXTRAS:
        try:
            extend(system, [name])
        except UserError:
            continue
        found.append(name)
    return tuple(found)


def extend(system: System, names: Iterable[str]) -> Extended:
    """A system that holds its own adjoint, with the equations of the extras of these names."""
    found = Extended(system, system)
    for name in check_extras(names):
        found = _STEPS[name](found)
        found = replace(found, names=(*found.names, name))
    return found


def _grown(
    old: Extended,
    system: System,
    parts: Iterable[Part],
    results: Iterable[str],
    values: Mapping[str, object] | None = None,
) -> Extended:
    return replace(
        old,
        system=system,
        parts=(*old.parts, *parts),
        results=old.results | frozenset(results),
        values={**old.values, **(values or {})},
    )


def _added(old: System, new: System) -> tuple[str, ...]:
    return tuple(e.quantity.name for e in new.equations[len(old.equations) :])


def _parameters(system: System) -> list[str]:
    return [q.name for q in system.of_kind("parameter")]


def _jvp(old: Extended) -> Extended:
    system = old.system
    along = [q.name for q in system.of_kind("parameter", "input")]
    signals = [q.name for q in system.of_kind("signal") if not q.internal]
    found = tangent(system, along, signals, initial=True)
    part = Part("_tangents", "Tangents of the signals.", _added(system, found))
    results = [DOT + n for n in signals if DOT + n in found.definitions]
    return _grown(old, found, [part], results)


def _second_order(old: Extended) -> Extended:
    """Tangents of the signals along a direction of the parameters."""
    system = old.system
    if any(part.name == "_directional" for part in old.parts):
        return old
    parameters = _parameters(system)
    judged = [e.quantity.name for e in system.forward().equations]
    found = tangent(system, parameters, judged, prefix=PEARLMUTTER)
    part = Part("_directional", "Tangents along the parameters.", _added(system, found))
    return _grown(old, found, [part], ())


def _hvp(old: Extended) -> Extended:
    old = _second_order(old)
    system = old.system
    parameters = _parameters(system)
    gradients = [f"d_{n}" for n in parameters]
    whole = system.joined(tangent(system, parameters, gradients, prefix=PEARLMUTTER))
    part = Part("_hessian_products", "Tangents of the adjoints.", _added(system, whole))
    return _grown(old, whole, [part], [PEARLMUTTER + g for g in gradients])


def _gnvp(old: Extended) -> Extended:
    old = _second_order(old)
    found = gauss_newton(old.system)
    results = [GAUSS_NEWTON + n for n in _parameters(found)]
    whole = old.system.joined(found, upstream(found, results))
    names = _added(old.system, whole)
    part = Part("_gauss_newton_products", "The tangents taken back.", names)
    return _grown(old, whole, [part], results)


def _jacobian(old: Extended) -> Extended:
    """Both modes; the module takes the one that costs less at the sizes it is given."""
    system, parameters = old.system, _parameters(old.system)
    outputs = list(system.outputs)
    forward = sensitivities(system, outputs, parameters)
    names = _added(system, forward)
    results = [sensitivity_name(o, p) for o in outputs for p in parameters]
    parts = [Part("_sensitivities", "Sensitivities, forward in time.", names)]
    whole = forward
    backward: list[str] = []
    for output in outputs:
        taken = adjoint(system, output, prefix=output + PER, per_sequence=True)
        grown = whole.joined(taken, upstream(taken, [output + PER + p for p in parameters]))
        backward += _added(whole, grown)
        whole = grown
        results += [output + PER + p for p in parameters]
    parts.append(Part("_output_adjoints", "Adjoints of every output.", tuple(backward)))
    costs: dict[str, object] = {}
    for mode, group in (("forward", names), ("backward", tuple(backward))):
        formula = cost(whole.definitions[n] for n in group)
        costs[f"{mode}_formula"] = str(formula)
        costs[f"{mode}_cost"] = str(formula.subs(dict(system.sizes)))
    defined = [n for n in results if n in whole.definitions]
    return _grown(old, whole, parts, defined, costs)


def _chunks(old: Extended) -> Extended:
    system = old.system
    if any(part.name == "_chunk_loss" for part in old.parts):
        return old
    part_of = adjoint(chunked(system), OBJECTIVE, prefix=f"{CHUNK}d_")
    given = {q.name: q for q in part_of.of_kind("given")}
    whole = system.joined(part_of).extended(given, ())
    names = _added(system, whole)
    # What only the losses need is computed of a chunk anew.
    judging = (upstream(whole, names) & set(system.definitions)) - network_side(system)
    losses = tuple(
        n
        for n in whole.definitions
        if n in judging or (n in names and whole.quantities[n].kind == "loss")
    )
    adjoints = tuple(n for n in names if n not in losses)
    parts = [
        Part("_chunk_loss", "A chunk's share of the loss.", losses),
        Part("_chunk_backward", "Adjoints within a chunk.", adjoints),
    ]
    results = [f"{CHUNK}loss", *(n for n in adjoints if part_of.quantities[n].kind == "gradient")]
    return _grown(old, whole, parts, results)


def _rtrl(old: Extended) -> Extended:
    """Checked here, scheduled apart: `online_function` makes its one function."""
    try:
        online_function(old.system)
    except LoopError:
        raise UserError(
            "a step of the network needs later steps, or many earlier ones",
            place="--with rtrl",
            remedy="sensitivities are carried along networks that run forward in time",
        ) from None
    forward, parameters = old.system.forward(), _parameters(old.system)
    found = sensitivities(forward, ["loss"], parameters)
    whole = old.system.joined(found)
    adjoints = [e for e in old.system.equations if e.quantity.name.startswith(PREFIX)]
    formulas = {
        "rtrl_formula": str(cost(found.equations)),
        "bptt_formula": str(cost((*forward.equations, *adjoints))),
    }
    return _grown(old, whole, (), (), formulas)


def online_function(system: System) -> Function:
    """Signals, losses and sensitivities in one loop, the sensitivities of the last steps alone."""
    forward, parameters = system.forward(), _parameters(system)
    gradients = [sensitivity_name("loss", p) for p in parameters]
    if not any(g in system.definitions for g in gradients):
        system = sensitivities(forward, ["loss"], parameters)
    needed = restricted(system, upstream(system, ["loss", *gradients]))
    part = Part(
        "_online",
        "Signals, losses and sensitivities, step by step.",
        tuple(e.quantity.name for e in needed.equations),
    )
    rolled = {
        n: r.before for n, r in needed.reach.items() if needed.quantities[n].kind == "sensitivity"
    }
    results = ["loss", *gradients]
    (function,) = program(system, [part], results, step_by_step=True, rolled=rolled)
    return function


def _forward_in_time(old: Extended) -> Extended:
    chunked(old.system)  # refuses what does not run forward in time
    return old


# What the names of derived quantities mean, by the extra that makes them.
LEGENDS = {
    "jvp": "dot_x is the derivative of x along a direction",
    "jacobian": "y_by_W is the derivative of y by W, y_per_x that of y[s] by x[t]",
    "hvp": "R_x is the derivative of x along a vector of parameters",
    "gnvp": "R_x is the derivative of x along a vector of parameters, e_z that of the loss by z"
    " alone, G_x the product taken back",
    "rtrl": "x_by_W is the derivative of x by W",
    "truncated": "chunk_d_x is the derivative of chunk_objective by x",
    "checkpoints": "chunk_d_x is the derivative of chunk_objective by x",
}

_STEPS: dict[str, Callable[[Extended], Extended]] = {
    "jvp": _jvp,
    "jacobian": _jacobian,
    "hvp": _hvp,
    "gnvp": _gnvp,
    "rtrl": _rtrl,
    "truncated": _chunks,
    "checkpoints": _chunks,
    "step": _forward_in_time,
    "carry": _forward_in_time,
}
