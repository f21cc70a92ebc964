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
from bptt.derive.calculus.dependence import dependent
from bptt.derive.calculus.quantity import (
    Axis,
    Count,
    Made,
    Quantity,
    T,
    index_symbol,
    make,
    name_of_origin,
    unused,
)
from bptt.derive.calculus.system import Equation, Reach, System, Term, name_of
from bptt.derive.errors import UserError

OBJECTIVE = Made("chunk objective", "", derived=True)
# Steps of the whole sequence, over which means are taken.
TOTAL_STEPS = Made("total steps", "", derived=True)
# 1 in the last chunk, else 0.
ENDS = Made("ends", "", derived=True)


def share_of(name: str) -> Made:
    """What a chunk adds to a loss, or the given total of weights of the whole sequence."""
    return Made("chunk", name, derived=True)


def carry_of(name: str) -> Made:
    """The derivative of the loss of later chunks by the last values of a quantity."""
    return Made("carry", name, derived=True)


def total_weight_of(output: str) -> Made:
    """The sum of the weights of an output's steps, by which its loss divides."""
    return Made("total weight", output)


def chunked(system: System) -> System:
    """A part of the sequence: shares in place of losses, and the objective of a chunk.

    Its `free` symbol is the number of steps at its beginning whose losses another chunk counts.
    Raises UserError where the network does not run forward in time alone: chunks of a sequence
    then depend on what comes later.
    """
    check_forward(system)
    return _Chunk(system.primal).system()


class _Chunk:
    def __init__(self, system: System) -> None:
        self._system = system
        self._taken = set(system.quantities)
        losses = {q.name for q in system.of_role("loss")}
        totals = {
            q.name
            for q in system.quantities.values()
            if isinstance(q.origin, Made) and q.origin == total_weight_of(q.origin.of)
        }
        self._skip = sp.Symbol(self._named("skip"), integer=True, nonnegative=True)
        self._steps = self._made(TOTAL_STEPS, "steps of the whole sequence")
        self._ends = self._made(ENDS, "1 in the last chunk, else 0")
        self._shares = {
            n: replace(
                q,
                name=self._named(name_of_origin(share_of(n))),
                role="given" if n in totals else "loss",
                origin=share_of(n),
                differentiable=n in losses,
            )
            for n, q in system.quantities.items()
            if n in losses | totals
        }
        self._given = totals
        self._carries = {n: self._carry(n, reach) for n, reach in self._states()}

    def _named(self, name: str) -> str:
        found = unused(name, self._taken)
        self._taken.add(found)
        return found

    def _made(self, origin: Made, about: str, axes: tuple[Axis, ...] = ()) -> Quantity:
        found = replace(make(origin, "given", axes, about, self._taken), differentiable=False)
        self._taken.add(found.name)
        return found

    def _states(self) -> list[tuple[str, Reach]]:
        """What passes from a chunk to the next, with the steps of it that are read."""
        signals = {q.name for q in self._system.of_role("signal")}
        return [(n, r) for n, r in self._system.reach.items() if n in signals]

    def _carry(self, name: str, reach: Reach) -> Quantity:
        axes = (Axis("delay", sp.Integer(reach.before)), *self._system.quantities[name].axes[1:])
        about = f"derivative of the later loss by the last values of {name}"
        return self._made(carry_of(name), about, axes)

    def system(self) -> System:
        objective = replace(
            self._made(OBJECTIVE, "what a chunk passes on to earlier ones"),
            role="loss",
            differentiable=True,
        )
        kept = {n: q for n, q in self._system.quantities.items() if n not in self._shares}
        made = (self._steps, self._ends, *self._shares.values(), *self._carries.values(), objective)
        equations = [
            self._share(e) if e.quantity.name in self._shares else e
            for e in self._system
            if e.quantity.name not in self._given  # those count the whole sequence, and are given
        ]
        terms = (Term(self._shares["loss"][()]), *self._carried())
        equations.append(canonical(Equation(0, objective, (), terms)))
        return replace(
            self._system,
            quantities={**kept, **{q.name: q for q in made}},
            equations=tuple(equations),
            free=(self._skip,),
            losses=(),
        )

    def _share(self, equation: Equation) -> Equation:
        """The equation of a loss, for the steps of a chunk that count."""
        terms = []
        for term in equation.terms:
            mapping: dict[sp.Expr, sp.Expr] = {
                r: self._shares[name_of(r)][()] for r in term.reads() if name_of(r) in self._shares
            }
            mapping |= dict.fromkeys(term.factor.atoms(Count), self._steps[()])
            of_losses = any(self._system.quantity_of(r).role == "loss" for r in term.reads())
            factor = term.factor.xreplace(mapping)
            step = next((i for i in term.sums if i.kind == "time"), None)
            if step is not None:
                term = replace(term, bounds=(*term.bounds, step.symbol - self._skip))
            elif not of_losses:
                # Judged at the last step alone, or without steps: this is the last chunk's.
                factor = factor * self._ends[()]
            terms.append(replace(term, factor=factor))
        share = self._shares[equation.quantity.name]
        return replace(equation, quantity=share, terms=tuple(terms), number=0)

    def _carried(self) -> Iterator[Term]:
        """The later loss to first order, in the last values of what is carried on."""
        for name, reach in self._states():
            quantity, carry = self._system.quantities[name], self._carries[name]
            indices = [
                replace(i, symbol=index_symbol(f"_{i.symbol.name}"))
                for i in carry.canonical_indices()
            ]
            symbols = [i.symbol for i in indices]
            at = [T - reach.before + symbols[0], *symbols[1:]]
            yield Term(carry[symbols] * quantity[at], tuple(indices))


def check_forward(system: System) -> None:
    """Refuse networks whose steps need later ones, or all steps at once."""
    reason = next(_obstacles(system.primal), "")
    if reason:
        raise UserError(
            f"the network cannot be computed chunk by chunk: {reason}",
            remedy="chunks are for networks that run forward in time",
        )


def _obstacles(system: System) -> Iterator[str]:
    """Why a network is not computed step by step, forward in time."""
    if system.lengths != (T,):
        yield f"it runs along {len(system.lengths)} axes of steps"
    for quantity in system.quantities.values():
        if sum(axis.kind == "time" for axis in quantity.axes) > 1:
            yield f"{quantity.name!r} compares steps with each other"
    for name, reach in system.reach.items():
        if reach.after:
            yield f"{name!r} is read at later steps"
    timed = {q.name for q in system.quantities.values() if q.time_axis is not None}
    late = dependent(system, timed) - timed
    for equation in system:
        yield from _whole_reads(equation, system, late)
    for loop in loops(system.definitions):
        if isinstance(loop, Loop) and loop.direction == "backward":
            yield f"{loop.names[0]!r} runs backward in time"


def _whole_reads(equation: Equation, system: System, late: set[str]) -> Iterator[str]:
    """What an equation needs of all steps, or of one; `late` is known after all steps alone."""
    quantity = equation.quantity
    has_steps = quantity.time_axis is not None
    origin = quantity.origin
    counts = isinstance(origin, Made) and origin == total_weight_of(origin.of)
    for term in equation.terms:
        sums_steps = any(i.kind == "time" for i in term.sums)
        if sums_steps and quantity.role != "loss" and not counts:
            yield f"{quantity.name!r} sums over steps"
        for read in term.reads():
            source = system.quantity_of(read)
            if has_steps and source.name in late:
                yield f"{quantity.name!r} reads {source.name!r}, which needs all steps"
            if source.time_axis is None:
                continue
            at = read.indices[source.time_axis]
            if any(at.has(i.symbol) for i in equation.box(term)):
                continue
            if at != T - 1:
                yield f"{quantity.name!r} reads one step of {source.name!r}"
            elif has_steps:
                yield f"{quantity.name!r} reads the last step of {source.name!r}"
