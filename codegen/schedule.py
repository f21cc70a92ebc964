"""System to program: which equations run for all steps at once, and which in a time loop.

Equations are the nodes of a dependence graph. A strongly connected component without a cycle
runs for all steps at once; one with a cycle is a time loop, forward where it reads the past,
backward where it reads the future. Terms of a loop's equations that read nothing of the loop
are computed for all steps before it.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import sympy as sp

from bptt.codegen.freeze import Freezer
from bptt.codegen.nodes import FrozenEquation, FrozenTerm, Read, reads, term_reads
from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.canonical import renamed
from bptt.derive.calculus.causality import Loop, in_one_loop, loops
from bptt.derive.calculus.quantity import index_symbol
from bptt.derive.calculus.system import Equation


@dataclass(frozen=True)
class AllSteps:
    """An equation computed for its whole range at once."""

    equation: FrozenEquation


@dataclass(frozen=True)
class LoopEquation:
    """An equation in a time loop: the terms computed before the loop, and those within.

    `axis` is the axis that the loop runs along.
    """

    equation: FrozenEquation
    before: tuple[FrozenTerm, ...]
    within: tuple[FrozenTerm, ...]
    axis: int


@dataclass(frozen=True)
class TimeLoop:
    """Equations computed step by step, in an order in which each finds what it needs."""

    direction: Literal["forward", "backward"]
    step: str
    length: str
    equations: tuple[LoopEquation, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(e.equation.name for e in self.equations)

    @cached_property
    def reads(self) -> Mapping[str, tuple[Read, ...]]:
        """What the equations read, repetitions included, by the quantity's name."""
        found: dict[str, list[Read]] = {}
        for item in self.equations:
            for read in term_reads(item.equation):
                found.setdefault(read.name, []).append(read)
        return {name: tuple(mentions) for name, mentions in found.items()}


Stage = AllSteps | TimeLoop


def schedule(
    equations: Iterable[Equation],
    freezer: Freezer,
    taken: Collection[str],
    *,
    step_by_step: bool = False,
) -> tuple[Stage, ...]:
    """The stages that compute the equations, each after those that it needs.

    No loop's step has a name that is `taken`. With `step_by_step`, all that has steps is computed
    in one loop, and nothing of it ahead: raises LoopError where a step needs later ones.
    """
    by_name = {e.quantity.name: e for e in equations}
    taken = frozenset(taken)
    stages: list[Stage] = []
    for found in (in_one_loop if step_by_step else loops)(by_name):
        if isinstance(found, Loop):
            stages.append(_time_loop(found, by_name, freezer, taken, ahead=not step_by_step))
        else:
            stages.append(AllSteps(freezer.equation(by_name[found])))
    return tuple(stages)


def _time_loop(
    loop: Loop,
    by_name: dict[str, Equation],
    freezer: Freezer,
    taken: frozenset[str],
    *,
    ahead: bool,
) -> TimeLoop:
    step = _step_of(loop.size, taken)
    return TimeLoop(
        loop.direction,
        step.name,
        loop.size.name,
        tuple(_split(by_name[n], loop, step, freezer, ahead=ahead) for n in loop.names),
    )


def _step_of(length: sp.Expr, taken: Container[str]) -> sp.Symbol:
    """The index of a loop over an axis, by a name that nothing else has."""
    name = length.name.lower()
    while name in taken:
        name += "_"
    return index_symbol(name)


def _split(
    equation: Equation, loop: Loop, step: sp.Symbol, freezer: Freezer, *, ahead: bool
) -> LoopEquation:
    """An equation in a loop: with `ahead`, terms that read nothing of it come before."""
    axis = loop.axes[equation.quantity.name]
    renamed = _with_step(equation, equation.indices[axis].symbol, step)
    members = set(loop.names)
    inside = freezer.equation(renamed, step)
    before: list[FrozenTerm] = []
    within: list[FrozenTerm] = []
    for term, stepwise in zip(renamed.terms, inside.terms, strict=True):
        if not ahead or any(read.name in members for read in reads(stepwise.factor)):
            within.append(stepwise)
        else:
            before.append(freezer.term(term, renamed))
    return LoopEquation(inside, tuple(before), tuple(within), axis)


def _with_step(equation: Equation, old: sp.Symbol, step: sp.Symbol) -> Equation:
    """The equation with `step` for the index that the loop runs along."""
    if old == step:
        return equation
    mapping = {old: step, step: old}

    def moved(index: Index) -> Index:
        return replace(index, symbol=mapping.get(index.symbol, index.symbol))

    return replace(
        equation,
        indices=tuple(map(moved, equation.indices)),
        terms=tuple(renamed(m, mapping, tuple(map(moved, m.sums))) for m in equation.terms),
    )
