"""System to program: which equations run for all steps at once, and which in a time loop.

Equations are the nodes of a dependence graph. A strongly connected component without a cycle
runs for all steps at once; one with a cycle is a time loop, forward where it reads the past,
backward where it reads the future. Terms of a loop's equations that read nothing of the loop
are computed for all steps before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import sympy as sp

from codegen.nodes import Freezer, FrozenEquation, FrozenTerm, reads
from derive.causality import Loop, loops
from derive.system import Equation, index_symbol


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


Stage = AllSteps | TimeLoop


def schedule(
    equations: Iterable[Equation], freezer: Freezer, taken: Iterable[str]
) -> tuple[Stage, ...]:
    """The stages that compute the equations, each after those that it needs.

    No loop's step has a name that is `taken`.
    """
    by_name = {e.quantity.name: e for e in equations}
    taken = frozenset(taken)
    stages: list[Stage] = []
    for found in loops(by_name):
        if isinstance(found, Loop):
            stages.append(_time_loop(found, by_name, freezer, taken))
        else:
            stages.append(AllSteps(freezer.equation(by_name[found])))
    return tuple(stages)


def _time_loop(
    loop: Loop, by_name: dict[str, Equation], freezer: Freezer, taken: frozenset[str]
) -> TimeLoop:
    name = loop.size.name.lower()
    while name in taken:
        name += "_"
    step = index_symbol(name)
    return TimeLoop(
        loop.direction,
        step.name,
        loop.size.name,
        tuple(_split(by_name[n], loop, step, freezer) for n in loop.names),
    )


def _split(equation: Equation, loop: Loop, step: sp.Symbol, freezer: Freezer) -> LoopEquation:
    axis = loop.axes[equation.quantity.name]
    renamed = _with_step(equation, equation.indices[axis].symbol, step)
    members = set(loop.names)
    whole, inside = freezer.equation(renamed), freezer.equation(renamed, step)
    before: list[FrozenTerm] = []
    within: list[FrozenTerm] = []
    for at_once, stepwise in zip(whole.terms, inside.terms, strict=True):
        if any(read.name in members for read in reads(stepwise.factor)):
            within.append(stepwise)
        else:
            before.append(at_once)
    return LoopEquation(inside, tuple(before), tuple(within), axis)


def _with_step(equation: Equation, old: sp.Symbol, step: sp.Symbol) -> Equation:
    """The equation with `step` for the index that the loop runs along."""
    if old == step:
        return equation
    mapping = {old: step, step: old}

    def renamed(expr: sp.Expr) -> sp.Expr:
        return expr.xreplace(mapping)

    return replace(
        equation,
        indices=tuple(replace(i, symbol=renamed(i.symbol)) for i in equation.indices),
        terms=tuple(
            replace(
                term,
                factor=renamed(term.factor),
                sums=tuple(replace(i, symbol=renamed(i.symbol)) for i in term.sums),
                bounds=tuple(map(renamed, term.bounds)),
                equals=tuple(map(renamed, term.equals)),
            )
            for term in equation.terms
        ),
    )
