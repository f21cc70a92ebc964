"""A part of a long sequence: its share of the loss, and what its last state means for the rest.

Backpropagation over a sequence that is cut into chunks needs, for each chunk,

    chunk_loss = losses of the steps t >= skip
    chunk_objective = chunk_loss + sum_q sum_k carry_q[k] q[T-n+k]

where carry_q is the derivative of the loss of all later chunks by the last n values of q, those
that the next chunk reads before its first step. Means divide by what the whole sequence counts.
With carry given, chunks make up full backpropagation in bounded memory; with carry zero and skip
above, they are truncated backpropagation (Williams and Peng 1990).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.causality import Loop, loops
from bptt.derive.calculus.system import (
    Axis,
    Equation,
    Quantity,
    Reach,
    System,
    T,
    Term,
    index_symbol,
    name_of,
)
from bptt.derive.errors import UserError

CHUNK = "chunk_"
CARRY = "carry_"
OBJECTIVE = "chunk_objective"
TOTAL_WEIGHT = "total_weight_"
# Steps at the beginning of a chunk whose losses another chunk counts.
SKIP = sp.Symbol("skip", integer=True, nonnegative=True)
TOTAL_STEPS = Quantity("total_steps", "given", (), "steps of the whole sequence")
ENDS = Quantity("ends", "given", (), "1 in the last chunk, else 0")


def chunked(system: System) -> System:
    """A forward system with `chunk_loss` in place of its loss, and `chunk_objective`.

    Raises UserError where the network does not run forward in time alone: chunks of a sequence
    then depend on what comes later.
    """
    forward = system.forward()
    _check_forward(forward)
    judged = {loss.signal for loss in forward.losses} | {"loss"}
    totals = {n for n in forward.quantities if n.startswith(TOTAL_WEIGHT)}
    quantities = {n: q for n, q in forward.quantities.items() if n not in judged | totals}
    renamed = {
        n: replace(q, name=CHUNK + n, kind="given" if n in totals else q.kind)
        for n, q in forward.quantities.items()
        if n in judged | totals
    }
    for quantity in (TOTAL_STEPS, ENDS, *renamed.values(), *_carries(forward)):
        quantities[quantity.name] = quantity
    equations = []
    for equation in forward.equations:
        name = equation.quantity.name
        if name in totals:
            continue  # it counts the whole sequence, and is given
        if name in judged:
            equation = _share(equation, renamed, forward)
        equations.append(equation)
    objective = Quantity(OBJECTIVE, "loss", (), "what a chunk passes on to earlier ones")
    quantities[OBJECTIVE] = objective
    terms = (Term(renamed["loss"][()]), *_carried(forward, quantities))
    equations.append(canonical(Equation(0, objective, (), terms)))
    return replace(
        forward, quantities=quantities, equations=tuple(equations), free=(SKIP,), losses=()
    )


def _share(equation: Equation, renamed: dict[str, Quantity], forward: System) -> Equation:
    """The equation of a loss, for the steps of a chunk that count."""
    terms = []
    for term in equation.terms:
        mapping: dict[sp.Expr, sp.Expr] = {
            r: renamed[name_of(r)][()] for r in term.reads() if name_of(r) in renamed
        }
        is_of_losses = any(forward.quantities[name_of(r)].kind == "loss" for r in mapping)
        factor = term.factor.xreplace(mapping)
        step = next((i for i in term.sums if i.kind == "time"), None)
        if step is not None:
            # Subscripts keep T, the steps of the chunk; what a mean counts is all steps.
            factor = factor.subs(1 / T, 1 / TOTAL_STEPS[()])
            term = replace(term, bounds=(*term.bounds, step.symbol - SKIP))
        elif not is_of_losses:
            # Judged at the last step alone, or without steps: this is the last chunk's.
            factor = factor * ENDS[()]
        terms.append(replace(term, factor=factor))
    return replace(equation, quantity=renamed[equation.quantity.name], terms=tuple(terms), number=0)


def _states(forward: System) -> list[tuple[str, Reach]]:
    """What passes from a chunk to the next, with the steps of it that are read."""
    return [(n, r) for n, r in forward.reach.items() if forward.quantities[n].kind != "mask"]


def _carries(forward: System) -> Iterator[Quantity]:
    for name, reach in _states(forward):
        quantity = forward.quantities[name]
        axes = (Axis("delay", sp.Integer(reach.before)), *quantity.axes[1:])
        role = f"derivative of the later loss by the last values of {name}"
        yield Quantity(CARRY + name, "given", axes, role)


def _carried(forward: System, quantities: dict[str, Quantity]) -> Iterator[Term]:
    for name, reach in _states(forward):
        quantity, carry = forward.quantities[name], quantities[CARRY + name]
        indices = [
            replace(i, symbol=index_symbol(f"_{i.symbol.name}")) for i in carry.canonical_indices()
        ]
        symbols = [i.symbol for i in indices]
        at = [T - reach.before + symbols[0], *symbols[1:]]
        yield Term(carry[symbols] * quantity[at], tuple(indices))


def _check_forward(forward: System) -> None:
    """Refuse networks whose steps need later ones, or all steps at once."""
    reason = ""
    if forward.lengths != (T,):
        reason = f"it runs along {len(forward.lengths)} axes of steps"
    for name, reach in forward.reach.items():
        if reach.after:
            reason = f"{name!r} is read at later steps"
    judged = {q.name for q in forward.of_kind("loss")}
    for equation in forward.equations:
        quantity = equation.quantity
        steps = [axis for axis in quantity.axes if axis.kind == "time"]
        if len(steps) > 1:
            reason = f"{quantity.name!r} compares steps with each other"
        is_total = quantity.name in judged or quantity.name.startswith(TOTAL_WEIGHT)
        for term in equation.terms:
            if any(i.kind == "time" for i in term.sums) and not is_total:
                reason = f"{quantity.name!r} sums over steps"
            for read in term.reads():
                source = forward.quantity_of(read)
                if source.time_axis is None:
                    continue
                at = read.indices[source.time_axis]
                fixed = not any(at.has(i.symbol) for i in equation.box(term))
                if fixed and at != T - 1:
                    reason = f"{quantity.name!r} reads one step of {source.name!r}"
                if fixed and steps:
                    reason = f"{quantity.name!r} reads the last step of {source.name!r}"
    signals = {e.quantity.name: e for e in forward.equations}
    for loop in loops(signals):
        if isinstance(loop, Loop) and loop.direction == "backward":
            reason = f"{loop.names[0]!r} runs backward in time"
    if reason:
        raise UserError(
            f"the network cannot be computed chunk by chunk: {reason}",
            remedy="chunks are for networks that run forward in time",
        )
