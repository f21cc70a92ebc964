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

from bptt.codegen.nodes import Freezer, FrozenEquation, FrozenTerm, Read, reads, term_reads
from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.canonical import renamed
from bptt.derive.calculus.causality import Loop, LoopError, components, interval, loops
from bptt.derive.calculus.quantity import TIME, T, index_symbol
from bptt.derive.calculus.system import Equation, Term, name_of


@dataclass(frozen=True)
class AllSteps:
    """An equation computed for its whole range at once."""

    equation: FrozenEquation


@dataclass(frozen=True)
class LoopEquation:
    """An equation in a time loop: the terms computed before the loop, and those within.

    `axis` is the axis that the loop runs along. A total has no such axis: each step adds to it.
    """

    equation: FrozenEquation
    before: tuple[FrozenTerm, ...]
    within: tuple[FrozenTerm, ...]
    axis: int | None


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
    equations: Iterable[Equation], freezer: Freezer, taken: Collection[str]
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
    step = _step_of(loop.size, taken)
    return TimeLoop(
        loop.direction,
        step.name,
        loop.size.name,
        tuple(_split(by_name[n], loop, step, freezer) for n in loop.names),
    )


def _step_of(length: sp.Expr, taken: Container[str]) -> sp.Symbol:
    """The index of a loop over an axis, by a name that nothing else has."""
    name = length.name.lower()
    while name in taken:
        name += "_"
    return index_symbol(name)


def _split(equation: Equation, loop: Loop, step: sp.Symbol, freezer: Freezer) -> LoopEquation:
    axis = loop.axes[equation.quantity.name]
    renamed = _with_step(equation, equation.indices[axis].symbol, step)
    members = set(loop.names)
    inside = freezer.equation(renamed, step)
    before: list[FrozenTerm] = []
    within: list[FrozenTerm] = []
    for term, stepwise in zip(renamed.terms, inside.terms, strict=True):
        if any(read.name in members for read in reads(stepwise.factor)):
            within.append(stepwise)
        else:
            before.append(freezer.term(term, renamed))
    return LoopEquation(inside, tuple(before), tuple(within), axis)


def online(
    equations: Iterable[Equation], freezer: Freezer, taken: Collection[str]
) -> tuple[Stage, ...]:
    """One time loop, forward, that computes everything step by step and adds up sums over steps.

    What carries no steps and reads nothing of the loop comes before it; what reads its sums,
    after it. Raises LoopError where a step needs later ones.
    """
    by_name = {e.quantity.name: e for e in equations}
    needs = {name: e.needs & by_name.keys() for name, e in by_name.items()}
    timed = {name for name, e in by_name.items() if e.quantity.time_axis is not None}
    if any(size != T for e in by_name.values() for size in _lengths(e)):
        raise LoopError(timed, None)
    totals = {n for n in by_name if n not in timed and needs[n] & timed}
    ordered = [n for group in components({k: sorted(v) for k, v in needs.items()}) for n in group]
    later: set[str] = set(totals)
    for name in ordered:
        if name not in timed and needs[name] & later:
            later.add(name)
    if any(needs[name] & later for name in timed) or any(needs[n] & later for n in totals):
        raise LoopError(timed | later, None)
    if any(not _is_kept(by_name[n], timed) for n in totals):
        raise LoopError(timed | totals, None)
    step = _step_of(T, taken)
    body = {}
    for name in (n for n in by_name if n in timed):
        item = _split(by_name[name], Loop((name,), "forward", {name: 0}, T), step, freezer)
        body[name] = replace(item, before=(), within=item.equation.terms)
    now = {n: sorted(needs[n] & timed - _earlier(by_name[n], timed)) for n in body}
    if any(len(group) > 1 or group[0] in now[group[0]] for group in components(now)):
        raise LoopError(timed, None)
    sums = [_total(by_name[n], step, freezer) for n in ordered if n in totals]
    loop = TimeLoop(
        "forward",
        step.name,
        T.name,
        (*(body[n] for group in components(now) for n in group), *sums),
    )
    outside = [n for n in ordered if n not in timed | totals]
    first = [AllSteps(freezer.equation(by_name[n])) for n in outside if n not in later]
    last = [AllSteps(freezer.equation(by_name[n])) for n in outside if n in later]
    return (*first, loop, *last) if loop.equations else (*first, *last)


def _lengths(equation: Equation) -> set[sp.Expr]:
    """The lengths of the axes of steps that an equation runs along and sums over."""
    boxes = (equation.indices, *(term.sums for term in equation.terms))
    return {index.length for box in boxes for index in box if index.kind == "time"}


def _earlier(equation: Equation, timed: set[str]) -> set[str]:
    """What an equation reads at earlier steps alone; refuses what it reads at later ones."""
    now = equation.indices[0].symbol
    latest: dict[str, int] = {}
    for term in equation.terms:
        for read in term.reads():
            name = name_of(read)
            if name in timed:
                at = interval(read.indices[0], now, term)
                if at.high is None or at.high > 0 or at.low != at.high:
                    raise LoopError({equation.quantity.name, name}, None)
                latest[name] = max(latest.get(name, at.high), at.high)
    return {name for name, offset in latest.items() if offset < 0}


def _is_kept(equation: Equation, timed: set[str]) -> bool:
    """Whether a total reads of the loop's quantities the step at hand, or the last one, alone."""
    for term in equation.terms:
        steps = {i.symbol for i in term.sums if i.kind == "time"} or {T - 1}
        reads = (r for r in term.reads() if name_of(r) in timed)
        if any(r.indices[0] not in steps for r in reads):
            return False
    return True


def _total(equation: Equation, step: sp.Symbol, freezer: Freezer) -> LoopEquation:
    """An equation without steps, its sums over steps left to the loop that adds them up.

    Of several sums each step adds what has come with it: where the latest index is that step.
    """
    index = TIME.index(step)
    terms = []
    for term in equation.terms:
        summed = [i for i in term.sums if i.kind == "time"]
        if not summed:
            # Read at the last step: what is known there.
            factor = term.factor.xreplace(
                {r: r.xreplace({T - 1: step}) for r in term.factor.atoms(sp.Indexed)}
            )
            if any(r.indices[0].has(T) for r in factor.atoms(sp.Indexed)):
                raise LoopError({equation.quantity.name}, None)
            terms.append(replace(term, factor=factor, equals=(*term.equals, step - (T - 1))))
            continue
        for place, latest in enumerate(summed):
            before = (latest.symbol - 1 - i.symbol for i in summed[:place])
            until = (latest.symbol - i.symbol for i in summed[place + 1 :])
            others = tuple(i for i in term.sums if i != latest)
            limited = replace(term, bounds=(*term.bounds, *before, *until))
            terms.append(_moved(limited, {latest.symbol: step, step: latest.symbol}, others))
    stepwise = replace(equation, indices=(index, *equation.indices), terms=tuple(terms))
    frozen = freezer.equation(stepwise, step)
    return LoopEquation(frozen, (), frozen.terms, None)


def _with_step(equation: Equation, old: sp.Symbol, step: sp.Symbol) -> Equation:
    """The equation with `step` for the index that the loop runs along."""
    if old == step:
        return equation
    mapping = {old: step, step: old}
    return replace(
        equation,
        indices=_letters(equation.indices, mapping),
        terms=tuple(_moved(term, mapping, term.sums) for term in equation.terms),
    )


def _moved(term: Term, mapping: Mapping[sp.Symbol, sp.Symbol], sums: tuple[Index, ...]) -> Term:
    return renamed(term, mapping, _letters(sums, mapping))


def _letters(box: tuple[Index, ...], mapping: Mapping[sp.Symbol, sp.Symbol]) -> tuple[Index, ...]:
    return tuple(replace(i, symbol=mapping.get(i.symbol, i.symbol)) for i in box)
