"""What a module can compute beside its loss and gradient, on request.

Each extra adds derived equations to the system, functions that compute them, and a function for
the module's user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import sympy as sp

from bptt.codegen.lower import lowered
from bptt.codegen.program import Part, Program
from bptt.derive.calculus.accumulation import accumulated
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.causality import LoopError, in_one_loop, ordered
from bptt.derive.calculus.chunks import (
    OBJECTIVE,
    check_forward,
    chunked,
    share_of,
    total_weight_of,
)
from bptt.derive.calculus.cost import cost
from bptt.derive.calculus.dependence import dependent, network_side, upstream
from bptt.derive.calculus.gauss_newton import CURVATURE, gauss_newton
from bptt.derive.calculus.quantity import Derivative, Tangent
from bptt.derive.calculus.recursion import recursive_sensitivities
from bptt.derive.calculus.residuals import residuals
from bptt.derive.calculus.sensitivity import MOST
from bptt.derive.calculus.system import System
from bptt.derive.calculus.tangent import DOT, PEARLMUTTER, tangent
from bptt.derive.errors import UserError, did_you_mean

EXTRAS = {
    "jvp": "Jacobian-vector products: derivatives of all signals along a direction",
    "jacobian": "the derivative of every output at every step by every parameter",
    "residuals": "what the loss sums the squares of, and its derivative by every parameter",
    "hvp": "products of the loss's Hessian with a vector",
    "gnvp": "products of the Gauss-Newton matrix with a vector",
    "rtrl": "the gradient in one forward pass, by real-time recurrent learning",
    "truncated": "truncated backpropagation through time",
    "checkpoints": "full backpropagation in memory that grows as the root of the steps",
    "step": "one step at a time",
    "carry": "loss and gradients of a chunk of a long sequence, and the state after it",
}
# Each extra has about as many terms as a network with its adjoint, or twice as many: all of them,
# of such a network, take some 20 seconds.
MOST_TERMS = 4_000
# Names of quantities by what they are of: of what a gradient is, say.
Names = Mapping[str, str]


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
    values: Mapping[str, Any] = field(default_factory=dict)


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
    return fully_extended(system)[0].names


def fully_extended(system: System) -> tuple[Extended, Mapping[str, UserError]]:
    """A system that holds its own adjoint with all extras, and why it cannot have the others."""
    found, refused = Extended(system, system), {}
    terms = sum(len(e.terms) for e in system.equations)
    for name in EXTRAS:
        try:
            if terms > MOST_TERMS and _STEPS[name] is not _forward_in_time:
                raise UserError(
                    f"the network and its adjoint have {terms} terms; beyond {MOST_TERMS} further "
                    "derivatives are derived when they are named"
                )
            found = _with(found, name)
        except UserError as error:
            refused[name] = error
    return found, refused


def extend(system: System, names: Iterable[str]) -> Extended:
    """A system that holds its own adjoint, with the equations of the extras of these names."""
    return reduce(_with, check_extras(names), Extended(system, system))


def _with(old: Extended, name: str) -> Extended:
    found = _STEPS[name](old)
    return replace(found, names=(*found.names, name))


def _grown(
    old: Extended,
    system: System,
    parts: Iterable[Part],
    results: Iterable[str],
    values: Mapping[str, Any] | None = None,
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
    return [q.name for q in system.of_role("parameter")]


def _derivatives(system: System, of: str, by: Iterable[str]) -> Names:
    """The names of the derivatives of one quantity that the system defines."""
    found = {name: system.derivative(of, name) for name in by}
    return {name: made for name, made in found.items() if made in system.definitions}


def _tangents(system: System, of: Iterable[str], along: Iterable[str], operator: str) -> Names:
    """The names of tangents, and of the directions, along the same quantities."""
    along = tuple(along)
    found = {name: system.by_origin.get(Tangent(name, along, operator)) for name in of}
    return {name: made.name for name, made in found.items() if made is not None}


def _jvp(old: Extended) -> Extended:
    system = old.system
    along = [q.name for q in system.of_role("parameter", "input", differentiable=True)]
    signals = [q.name for q in system.of_role("signal") if not q.internal]
    found = tangent(system, along, signals, initial=True)
    part = Part("_tangents", "Tangents of the signals.", _added(system, found))
    known = _tangents(found, signals, along, DOT)
    defined = {n: name for n, name in known.items() if name in found.definitions}
    values = {"directions": _tangents(found, along, along, DOT), "tangents": defined}
    return _grown(old, found, [part], defined.values(), values)


def _second_order(old: Extended) -> Extended:
    """Tangents of the signals and losses along a direction of the parameters."""
    system = old.system
    if any(part.name == "_directional" for part in old.parts):
        return old
    parameters = _parameters(system)
    found = tangent(system, parameters, system.primal.definitions, operator=PEARLMUTTER)
    part = Part("_directional", "Tangents along the parameters.", _added(system, found))
    values = {"vector": _tangents(found, parameters, parameters, PEARLMUTTER)}
    return _grown(old, found, [part], (), values)


def _hvp(old: Extended) -> Extended:
    """The tangent of the adjoint."""
    old = _second_order(old)
    system, parameters = old.system, _parameters(old.system)
    gradients = _derivatives(system, "loss", parameters)
    whole = tangent(system, parameters, gradients.values(), operator=PEARLMUTTER)
    part = Part("_hessian_products", "Tangents of the adjoints.", _added(system, whole))
    known = _tangents(whole, gradients.values(), parameters, PEARLMUTTER)
    products = {n: known[g] for n, g in gradients.items() if known.get(g) in whole.definitions}
    return _grown(old, whole, [part], products.values(), {"hessian_products": products})


def _gnvp(old: Extended) -> Extended:
    old = _second_order(old)
    found = gauss_newton(old.system)
    curvature = found.by_origin[CURVATURE].name
    products = _derivatives(found, curvature, _parameters(found))
    # The system says what the curvature is that the products are derivatives of, and so all that
    # the curvature reads; of that only what the products need is computed.
    needed = upstream(found, products.values())
    whole = old.system.joined(found, needed | upstream(found, [curvature]))
    names = tuple(n for n in _added(old.system, whole) if n in needed)
    part = Part("_gauss_newton_products", "The tangents taken back.", names)
    return _grown(old, whole, [part], products.values(), {"gauss_newton_products": products})


def _jacobian(old: Extended) -> Extended:
    outputs = list(old.system.outputs)
    return _differentiated(
        old, old.system, outputs, "jacobian", ("_sensitivities", "_output_adjoints")
    )


def _residuals(old: Extended) -> Extended:
    """The loss as a sum of squares, and what the squares are of, differentiated."""
    system = residuals(old.system)
    names = _added(old.system, system)
    about = "What the loss sums the squares of."
    judging = upstream(system, names) & set(system.primal.definitions) - network_side(system)
    order = [e.quantity.name for e in system.equations if e.quantity.name in {*names, *judging}]
    part = Part("_residuals", about, tuple(order))
    known = replace(old, parts=(*old.parts, part))
    ways = ("_residual_sensitivities", "_residual_adjoints")
    found = _differentiated(known, system, list(names), "residuals", ways)
    return replace(found, results=found.results | set(names))


def _differentiated(
    old: Extended, system: System, of: list[str], key: str, ways: tuple[str, str]
) -> Extended:
    """The derivatives of every element of some signals by the parameters, in both modes.

    The module takes the one that costs less at the sizes that it is given.
    """
    parameters = _parameters(system)
    whole = recursive_sensitivities(system, of, parameters)
    moved = dependent(system, parameters)
    count = sum(len(upstream(system, [signal]) & moved) for signal in of)
    if count > MOST:
        raise UserError(
            f"the adjoints that {key} needs of this network are {count} equations, and up to "
            f"{MOST} are derived",
            remedy=f"leave out {key}",
        )
    forth = {signal: _elements(whole, signal, forward=True) for signal in of}
    back: dict[str, Names] = {}
    for signal in of:
        taken = adjoint(system, signal, per_sequence=True)
        back[signal] = _elements(taken, signal, forward=False)
        whole = whole.joined(taken, upstream(taken, back[signal].values()))
    # What another extra has derived already is computed here too: it may not have run.
    known = {*system.primal.definitions, *of}
    names, backward = (_needed(whole, mode, known) for mode in (forth, back))
    parts = [
        Part(ways[0], "Sensitivities, forward in time.", names),
        Part(ways[1], "Adjoints of every element.", backward),
    ]
    values: dict[str, Any] = {"forward": forth, "backward": back}
    for mode, group in (("forward", names), ("backward", backward)):
        formula = cost(whole.definitions[n] for n in group)
        values[f"{mode}_formula"] = str(formula)
        values[f"{mode}_cost"] = str(sp.expand(formula.xreplace(dict(system.sizes))))
    results = (name for mode in (forth, back) for found in mode.values() for name in found.values())
    return _grown(old, whole, parts, results, {key: values})


def _needed(system: System, elements: Mapping[str, Names], known: set[str]) -> tuple[str, ...]:
    """What the derivatives of elements need, in order, but for what is known."""
    needed = upstream(system, [n for found in elements.values() for n in found.values()]) - known
    return tuple(e.quantity.name for e in system.equations if e.quantity.name in needed)


def _elements(system: System, of: str, *, forward: bool) -> Names:
    """The names of the derivatives of every element of a signal, by the parameters."""
    origins = {
        p: Derivative(of, p, forward=forward, per_sequence=not forward) for p in _parameters(system)
    }
    found = {p: system.by_origin.get(origin) for p, origin in origins.items()}
    return {p: q.name for p, q in found.items() if q is not None and q.name in system.definitions}


def _chunks(old: Extended) -> Extended:
    system = old.system
    if any(part.name == "_chunk_loss" for part in old.parts):
        return old
    chunk = chunked(system)
    objective = chunk.by_origin[OBJECTIVE].name
    derived = adjoint(chunk, objective)
    signals = [q.name for q in derived.of_role("signal") if q.name in derived.reach]
    starts = {n: derived.derivative(objective, n, "initial") for n in signals}
    values: dict[str, Any] = {
        "chunk": derived,
        "chunk_loss": derived.by_origin[share_of("loss")].name,
        "chunk_gradients": _derivatives(derived, objective, _parameters(system)),
        "chunk_starts": {n: name for n, name in starts.items() if name},
    }
    results = [
        str(values["chunk_loss"]),
        *values["chunk_gradients"].values(),
        *values["chunk_starts"].values(),
    ]
    whole = system.joined(derived, upstream(derived, results) | {objective})
    names = tuple(n for n in _added(system, whole) if n != objective)
    # What only the losses need is computed of a chunk anew.
    judging = upstream(whole, names) & set(system.primal.definitions) - network_side(system)
    shares = {n for n in names if derived.quantities[n].role == "loss"}
    losses = tuple(n for n in whole.definitions if n in judging | shares)
    parts = [
        Part("_chunk_loss", "A chunk's share of the loss.", losses),
        Part("_chunk_backward", "Adjoints within a chunk.",
             tuple(n for n in names if n not in losses)),
    ]  # fmt: skip
    return _grown(old, whole, parts, results, values)


def total_weights(system: System) -> Names:
    """The weights of steps that losses divide the sums of by, by the names of these sums."""
    known = system.by_origin
    found = {known.get(total_weight_of(x.output)): x.weights for x in system.losses if x.weights}
    return {total.name: weights for total, weights in found.items() if total is not None}


def _rtrl(old: Extended) -> Extended:
    """Scheduled apart from all else: it is one function."""
    primal, parameters = old.system.primal, _parameters(old.system)
    found = recursive_sensitivities(primal, ["loss"], parameters)
    whole = old.system.joined(found)
    try:
        online = _online_program(whole, found)
    except LoopError:
        raise UserError(
            "a step of the network needs later steps",
            place="--with rtrl",
            remedy="sensitivities are carried along networks that run forward in time",
        ) from None
    adjoints = (e for e in old.base.derived)
    values: dict[str, Any] = {
        "rtrl_formula": str(cost(found.equations)),
        "bptt_formula": str(cost((*primal.equations, *adjoints))),
        "online_gradients": _online_gradients(whole),
        "online": online,
    }
    return _grown(old, whole, (), (), values)


def _online_gradients(system: System) -> Names:
    """The sensitivities of the loss, by parameter."""
    origins = {p: Derivative("loss", p, forward=True) for p in _parameters(system)}
    known = system.by_origin
    return {p: known[origin].name for p, origin in origins.items() if origin in known}


def _online_program(whole: System, found: System) -> Program:
    """Signals, losses and sensitivities in one loop, the sensitivities of the last steps alone.

    `found` is the network with its sensitivities, `whole` all that the module knows.
    """
    results = ["loss", *_online_gradients(found).values()]
    needed = ordered(accumulated(whole.restricted(upstream(whole, results))), in_one_loop)
    names = tuple(e.quantity.name for e in needed)
    part = Part("_online", "Signals, losses and sensitivities, step by step.", names)
    others = tuple(e for e in whole if e.quantity.name not in needed.definitions)
    every = replace(needed, equations=(*others, *needed))
    return lowered(every, [part], results, step_by_step=True, rolled=_rolled(needed))


def _rolled(system: System) -> dict[str, int]:
    """How many earlier steps are read of each derivative of which no others are, by name."""
    earlier: dict[str, int] = {}
    stored: set[str] = set()
    for equation in system:
        now = equation.indices[0].symbol if equation.quantity.time_axis == 0 else None
        for read in (r for term in equation.terms for r in term.reads()):
            quantity = system.quantity_of(read)
            if quantity.time_axis is None or not quantity.is_derived:
                continue
            if sum(axis.kind == "time" for axis in quantity.axes) > 1:
                continue
            # What has no steps itself comes after the last one.
            back = (quantity.last_step if now is None else now) - read.indices[quantity.time_axis]
            if back == 0 or (now is not None and back.is_Integer):
                earlier[quantity.name] = max(earlier.get(quantity.name, 0), int(back))
            else:
                stored.add(quantity.name)
    return {n: back for n, back in earlier.items() if n in system.definitions and n not in stored}


def _forward_in_time(old: Extended) -> Extended:
    check_forward(old.system)
    return old


# What the names of derived quantities mean, by the extra that makes them.
LEGENDS = {
    "jvp": "dot_x is the derivative of x along a direction",
    "jacobian": "y_by_W is the derivative of y by W, y_per_x that of y[s] by x[t]",
    "residuals": "y_by_W is the derivative of y by W, y_per_x that of y[s] by x[t]",
    "hvp": "R_x is the derivative of x along a vector of parameters",
    "gnvp": "R_x is the derivative of x along a vector of parameters, e_z that of the loss by z"
    " alone, curvature_per_x the product taken back",
    "rtrl": "x_by_W is the derivative of x by W",
    "truncated": "chunk_objective_per_x is the derivative of chunk_objective by x",
    "checkpoints": "chunk_objective_per_x is the derivative of chunk_objective by x",
}

_STEPS: dict[str, Callable[[Extended], Extended]] = {
    "jvp": _jvp,
    "jacobian": _jacobian,
    "residuals": _residuals,
    "hvp": _hvp,
    "gnvp": _gnvp,
    "rtrl": _rtrl,
    "truncated": _chunks,
    "checkpoints": _chunks,
    "step": _forward_in_time,
    "carry": _forward_in_time,
}
