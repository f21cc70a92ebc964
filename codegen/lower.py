"""From stages to a program: buffers, and the statements that fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction

from bptt.codegen.contract import value_of
from bptt.codegen.freeze import Freezer
from bptt.codegen.nodes import (
    ZERO,
    Affine,
    FrozenEquation,
    FrozenTerm,
    Node,
    Number,
    Range,
    Read,
    Subscript,
    Sum,
    indices,
    reads,
    rewritten,
    term_reads,
)
from bptt.codegen.program import (
    Assign,
    Buffer,
    Function,
    Guard,
    Loop,
    Part,
    Program,
    Statement,
)
from bptt.codegen.schedule import AllSteps, LoopEquation, Stage, TimeLoop, schedule
from bptt.derive.calculus.quantity import Tangent
from bptt.derive.calculus.system import System

NOTHING = Number(Fraction(0))


def lowered(
    system: System,
    parts: Sequence[Part],
    results: Iterable[str],
    *,
    step_by_step: bool = False,
    rolled: Mapping[str, int] | None = None,
) -> Program:
    """Schedule the parts of a system, and lower them.

    `results` are the quantities that the module's user gets to see. With `step_by_step` each
    part is one time loop, which keeps of the `rolled` quantities only so many last steps.
    """
    freezer = Freezer(system)
    results, rolled = frozenset(results), rolled or {}
    names = tuple(system.quantities)
    stages = [
        schedule(
            [system.definitions[n] for n in part.quantities],
            freezer,
            names,
            step_by_step=step_by_step,
        )
        for part in parts
    ]
    lowering = _Lowering(buffers(system), _kept(stages) | results, rolled)
    padded = {n for n in system.reach if n not in rolled}
    # Signals stand in their arrays with given values around them before they are computed.
    signals = {n for n in padded if not system.quantities[n].is_derived}
    directed = {n for n, q in system.quantities.items() if isinstance(q.origin, Tangent)}
    needs = [
        set[str]().union(*(system.definitions[n].needs for n in part.quantities)) for part in parts
    ]
    functions = []
    for position, part in enumerate(parts):
        defined = set(part.quantities)
        later = results.union(*needs[position + 1 :])
        taken_in = (needs[position] - defined) | (signals & defined)
        functions.append(
            Function(
                part.name,
                part.about,
                takes=tuple(n for n in system.quantities if n in taken_in),
                allocates=tuple(n for n in part.quantities if n in padded and n in directed),
                body=tuple(lowering.statements(stages[position])),
                gives=tuple(n for n in part.quantities if n in later),
            )
        )
    return Program(lowering.buffers, tuple(functions), results)


def buffers(system: System) -> dict[str, Buffer]:
    """A buffer for every quantity, which holds all of its steps."""
    found = {}
    for quantity in system.quantities.values():
        lengths: list[Affine | None] = []
        for axis in quantity.axes:
            if axis.kind == "batch":
                lengths.append(None)
            elif axis.kind == "time":
                lengths.append(Affine(0, ((axis.size.name, 1),)))
            else:
                lengths.append(Affine(system.size(axis.size)))
        position, reach = quantity.time_axis, system.reach.get(quantity.name)
        before = 0
        if reach is not None and position is not None:
            before, steps = reach.before, lengths[position]
            assert steps is not None
            lengths[position] = steps + (reach.before + reach.after)
        kinds = tuple(axis.kind for axis in quantity.axes)
        found[quantity.name] = Buffer(
            quantity.name, kinds, tuple(lengths), position, before, reach is not None
        )
    return found


def _kept(groups: Iterable[tuple[Stage, ...]]) -> frozenset[str]:
    """What is read by another stage than the one that computes it."""
    kept: set[str] = set()
    every = [stage for group in groups for stage in group]
    home = {e.name: stage for stage in every for e in _equations(stage)}
    for stage in every:
        for equation in _equations(stage):
            for read in term_reads(equation):
                if read.name in home and home[read.name] is not stage:
                    kept.add(read.name)
    return frozenset(kept)


def _equations(stage: Stage) -> tuple[FrozenEquation, ...]:
    if isinstance(stage, AllSteps):
        return (stage.equation,)
    return tuple(item.equation for item in stage.equations)


class _Lowering:
    """Lowers the stages of one function after the other, and settles what buffers they need.

    `kept` names the quantities that somebody reads after the stage that computes them.
    """

    def __init__(
        self, known: dict[str, Buffer], kept: frozenset[str], rolled: Mapping[str, int]
    ) -> None:
        self.buffers = known
        self._kept = kept
        self._rolled = rolled
        # Running sums have no steps of their own: the axis that they lack.
        self._running: dict[str, int] = {}

    def statements(self, stages: Iterable[Stage]) -> Iterator[Statement]:
        for stage in stages:
            if isinstance(stage, AllSteps):
                yield from self._all_steps(stage.equation, stage.equation.terms)
            else:
                yield from self._time_loop(stage)

    def _assign(
        self,
        equation: FrozenEquation,
        terms: Sequence[FrozenTerm],
        *,
        first: bool,
        step: str | None = None,
    ) -> Assign:
        """One statement for some terms on the same ranges."""
        (term, *others) = terms
        values = [self._value(m, step) for m in terms]
        value = values[0]
        if others or term.sign < 0:
            value = Sum(tuple(values), tuple(m.sign for m in terms))
        same = {b: a for a, b in term.diagonal}
        target = self._target(equation, lambda name: same.get(name, name))
        ranges = {r.name: r for m in terms for r in (*m.ranges, *m.sums) if r.name != step}
        return Assign(
            (equation.number,), target, "=" if first else "+=", value, tuple(ranges.values())
        )

    def _zero(self, equation: FrozenEquation, step: str | None = None) -> Assign:
        ranges = tuple(r for r in equation.ranges if r.name != step)
        target = self._target(equation, lambda name: name)
        return Assign((equation.number,), target, "=", NOTHING, ranges)

    def _target(self, equation: FrozenEquation, name: Callable[[str], str]) -> Read:
        subscripts = tuple(Subscript(name(r.name), ZERO) for r in equation.ranges)
        return self._present(Read(equation.name, subscripts))

    def _value(self, term: FrozenTerm, step: str | None) -> Node:
        found = value_of(term, () if step is None else (step,))
        return rewritten(found, self._present) if self._running else found

    def _present(self, read: Read) -> Read:
        """A read of what there is: of a running sum, whatever the step."""
        axis = self._running.get(read.name)
        if axis is None:
            return read
        return replace(read, subscripts=read.subscripts[:axis] + read.subscripts[axis + 1 :])

    # All steps at once.

    def _all_steps(
        self, equation: FrozenEquation, terms: Iterable[FrozenTerm]
    ) -> Iterator[Statement]:
        """The statements for some terms of an equation, for its whole range."""
        terms = [m for m in terms if not m.is_empty]
        full = [m for m in terms if m.is_full]
        rest = [m for m in terms if not m.is_full]
        out = frozenset(r.name for r in equation.ranges)
        if self.buffers[equation.name].padded:
            # It holds zeros where nothing is given.
            yield from self._added(equation, full, first=True)
        elif any(_covers(m, out) for m in full):
            yield from self._added(equation, full, first=True)
        else:
            yield self._zero(equation)
            yield from self._added(equation, full, first=False)
        for term in rest:
            yield self._assign(equation, [term], first=False)

    def _added(
        self, equation: FrozenEquation, terms: Sequence[FrozenTerm], *, first: bool
    ) -> Iterator[Statement]:
        """Terms that hold everywhere: in one statement, or one by one.

        A contraction makes a new array, to which the other terms are added in place.
        """
        out = {r.name for r in equation.ranges}
        is_array = any(m.sums and m.sign > 0 and _covers(m, out) and out for m in terms)
        if len(terms) > 1 and (is_array or not _agree(terms)):
            for number, term in enumerate(_with_first(terms, out)):
                yield self._assign(equation, [term], first=first and not number)
        elif terms:
            yield self._assign(equation, terms, first=first)

    # Time loops.

    def _time_loop(self, loop: TimeLoop) -> Iterator[Statement]:
        for item in loop.equations:
            yield from self._before(item, loop)
        body = [s for item in loop.equations for s in self._within(item, loop)]
        yield Loop(loop.step, loop.length, loop.direction, tuple(body))

    def _before(self, item: LoopEquation, loop: TimeLoop) -> Iterator[Statement]:
        """Settle how much is kept of what a loop computes; what is computed before the loop."""
        equation, name = item.equation, item.equation.name
        buffer = self.buffers[name]
        if name in self._rolled and added(item, loop) is not None:
            self._running[name] = axis = item.axis
            self.buffers[name] = replace(
                buffer,
                kinds=buffer.kinds[:axis] + buffer.kinds[axis + 1 :],
                lengths=buffer.lengths[:axis] + buffer.lengths[axis + 1 :],
                time_axis=None,
                before=0,
                padded=False,
            )
            yield self._zero(equation, loop.step)
        elif name in self._rolled:
            self.buffers[name] = replace(buffer, window=self._rolled[name])
        elif item.before:
            yield from self._all_steps(equation, item.before)
        elif not (self._is_stored(item, loop) or buffer.padded):
            self.buffers[name] = replace(buffer, window=0)

    def _is_stored(self, item: LoopEquation, loop: TimeLoop) -> bool:
        """Whether the values of all steps are needed, and not only those of the present one."""
        name = item.equation.name
        if name in self._kept:
            return True
        return any(row_offset(r, item.axis, loop.step) != 0 for r in loop.reads.get(name, ()))

    def _within(self, item: LoopEquation, loop: TimeLoop) -> Iterator[Statement]:
        """The statements of one step for an equation."""
        equation, step = item.equation, loop.step
        terms = [m for m in item.within if not m.is_empty]
        more = added(item, loop) if equation.name in self._running else None
        if more is not None:
            terms = [m for m in more if not m.is_empty]
        has_value = bool(item.before) or more is not None
        plain = [] if more is not None else [m for m in terms if _is_plain(m, step)]
        out = frozenset(r.name for r in equation.ranges if r.name != step)
        if not has_value:
            has_value = any(_covers(m, out, step) for m in plain)
            if has_value:
                plain = _with_first(plain, out, step)
                yield self._assign(equation, plain[:1], first=True, step=step)
                plain, terms = plain[1:], [m for m in terms if m is not plain[0]]
            else:
                yield self._zero(equation, step)
        for term in plain:
            yield self._assign(equation, [term], first=False, step=step)
        yield from _guarded(
            (_conditions(m, step), self._assign(equation, [m], first=False, step=step))
            for m in terms
            if m not in plain
        )


def _guarded(found: Iterable[tuple[tuple[Affine, ...], Assign]]) -> Iterator[Statement]:
    """Statements under their guards, those of one guard together."""
    groups: dict[tuple[Affine, ...], list[Assign]] = {}
    for conditions, statement in found:
        groups.setdefault(conditions, []).append(statement)
    for conditions, statements in groups.items():
        if conditions:
            yield Guard(conditions, tuple(statements))
        else:
            yield from statements


def _conditions(term: FrozenTerm, step: str) -> tuple[Affine, ...]:
    """What must be >= 0 for a term to hold at a step of its loop."""
    span = next(r for r in term.ranges if r.name == step)
    now = Affine(0, ((step, 1),))
    return (
        *(now - s for s in span.starts if s != ZERO),
        *(s - now - 1 for s in span.stops if s != span.length),
    )


def _is_plain(term: FrozenTerm, step: str) -> bool:
    """Whether a term holds at every step, and on the whole range of the left side."""
    others = all(r.is_full for r in term.ranges if r.name != step)
    return others and not term.diagonal and not _conditions(term, step)


def _covers(term: FrozenTerm, out: Set[str], step: str | None = None) -> bool:
    """Whether a term varies with all that the left side varies with: it is an array then."""
    free = indices(value_of(term)) - {step}
    return free == out and (bool(out) or bool(reads(term.factor)))


def _agree(terms: Iterable[FrozenTerm]) -> bool:
    """Whether sums over the same index have the same range in all terms."""
    known: dict[str, Range] = {}
    return all(known.setdefault(r.name, r) == r for m in terms for r in m.sums)


def _with_first(
    terms: Sequence[FrozenTerm], out: Set[str], step: str | None = None
) -> list[FrozenTerm]:
    """The terms with one in front that varies with all indices, a contraction if there is one."""

    def merit(term: FrozenTerm) -> tuple[bool, bool, bool]:
        return _covers(term, out, step), term.sign > 0, bool(term.sums)

    first = max(terms, key=merit)
    return [first, *(m for m in terms if m is not first)]


def added(item: LoopEquation, loop: TimeLoop) -> list[FrozenTerm] | None:
    """What each step adds to a running sum; None where there is another use of its values."""
    name = item.equation.name
    if len(loop.reads.get(name, ())) != 1:
        return None
    before = [m for m in item.within if _is_before(m, item, loop.step)]
    return [m for m in item.within if m not in before] if before else None


def _is_before(term: FrozenTerm, item: LoopEquation, step: str) -> bool:
    """Whether a term is the value at the step before, and nothing else."""
    read = term.factor
    if not isinstance(read, Read) or read.name != item.equation.name or term.sums:
        return False
    letters = [r.name for r in item.equation.ranges]
    plain = all(s.offset == ZERO for p, s in enumerate(read.subscripts) if p != item.axis)
    same = [s.index for s in read.subscripts] == letters and plain and term.sign > 0
    return same and not term.conditions and row_offset(read, item.axis, step) == -1


def row_offset(read: Read, axis: int, step: str) -> int | None:
    """How far from a loop's step a read is along an axis; None where it is not tied to it."""
    subscript = read.subscripts[axis] if read.subscripts else None
    return None if subscript is None or subscript.index != step else subscript.offset.constant
