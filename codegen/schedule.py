"""System to program: which equations run for all steps at once, and which in a time loop.

Equations are the nodes of a dependence graph. A strongly connected component without a cycle
runs for all t at once; one with a cycle is a time loop, forward where it reads the past,
backward where it reads the future. Terms of a loop's equations that read nothing of the loop
are computed for all steps before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from codegen.nodes import FrozenEquation, FrozenTerm, Read, reads, term_reads
from derive.causality import components
from derive.errors import InternalError


@dataclass(frozen=True)
class AllSteps:
    """An equation computed for its whole range at once."""

    equation: FrozenEquation


@dataclass(frozen=True)
class LoopEquation:
    """An equation in a time loop: the terms computed before the loop, and those within."""

    equation: FrozenEquation
    before: tuple[FrozenTerm, ...]
    within: tuple[FrozenTerm, ...]


@dataclass(frozen=True)
class TimeLoop:
    """Equations computed step by step, in an order in which each finds what it needs."""

    direction: Literal["forward", "backward"]
    equations: tuple[LoopEquation, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(e.equation.name for e in self.equations)


Stage = AllSteps | TimeLoop


def schedule(equations: Iterable[FrozenEquation]) -> tuple[Stage, ...]:
    """The stages that compute the equations, each after those that it needs."""
    by_name = {e.name: e for e in equations}
    offsets = {name: _offsets(e, by_name) for name, e in by_name.items()}
    graph = {name: sorted(needs) for name, needs in offsets.items()}
    stages: list[Stage] = []
    for component in components(graph):
        first = component[0]
        if len(component) == 1 and first not in offsets[first]:
            stages.append(AllSteps(by_name[first]))
        else:
            stages.append(_loop(component, by_name, offsets))
    return tuple(stages)


def _offsets(
    equation: FrozenEquation, known: Mapping[str, FrozenEquation]
) -> dict[str, set[int | None]]:
    """What an equation needs of the others: offsets in time, None for a read of a whole axis."""
    now = next((r.name for r in equation.ranges if r.kind == "time"), None)
    found: dict[str, set[int | None]] = {}
    for read in term_reads(equation):
        if read.name in known:
            found.setdefault(read.name, set()).add(_offset(read, known[read.name], now))
    return found


def _offset(read: Read, definition: FrozenEquation, now: str | None) -> int | None:
    for subscript, span in zip(read.subscripts, definition.ranges, strict=True):
        if span.kind == "time" and subscript.index == now and now is not None:
            return subscript.offset.constant
    return None


def _loop(
    component: list[str],
    by_name: Mapping[str, FrozenEquation],
    offsets: Mapping[str, dict[str, set[int | None]]],
) -> TimeLoop:
    members = set(component)
    inside = {
        d for name in component for need, at in offsets[name].items() if need in members for d in at
    }
    constant = {d for d in inside if d is not None}
    if len(constant) < len(inside) or (min(constant) < 0 < max(constant)):
        raise InternalError(f"no time loop computes {sorted(members)}")
    instant = {
        name: sorted(n for n, at in offsets[name].items() if n in members and 0 in at)
        for name in sorted(members)
    }
    ordered = [name for group in components(instant) for name in group]
    return TimeLoop(
        "forward" if min(constant) < 0 else "backward",
        tuple(_split(by_name[name], members) for name in ordered),
    )


def _split(equation: FrozenEquation, members: set[str]) -> LoopEquation:
    before: list[FrozenTerm] = []
    within: list[FrozenTerm] = []
    for term in equation.terms:
        is_inside = any(read.name in members for read in reads(term.factor))
        (within if is_inside else before).append(term)
    return LoopEquation(equation, tuple(before), tuple(within))
