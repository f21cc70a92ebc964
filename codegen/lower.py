"""Program to statements: arrays, time loops and guards, as lines of Python source."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bptt.codegen.arrays import (
    PRODUCT,
    ArrayPrinter,
    Contracted,
    Labels,
    Layout,
    signature,
    slice_code,
    step_code,
)
from bptt.codegen.inplace import has_out, into_row
from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Call,
    FrozenEquation,
    FrozenTerm,
    Range,
    Read,
    reads,
)
from bptt.codegen.schedule import AllSteps, LoopEquation, Stage, TimeLoop
from bptt.derive.calculus.quantity import unused
from bptt.derive.calculus.system import System

WIDTH = 96


@dataclass(frozen=True)
class Line:
    """A statement, and the remark behind it: equation numbers, a contraction's signature."""

    code: str
    remark: str = ""


@dataclass(frozen=True)
class Block:
    """A compound statement: its head and what stands under it."""

    head: str
    body: tuple[Statement, ...]
    remark: str = ""


Statement = Line | Block


@dataclass(frozen=True)
class Storage:
    """Where each quantity lives: its layout, and which ones an array has to keep.

    Of those that are rolled only the last steps are kept, in local variables: so many each.
    """

    layouts: Mapping[str, Layout]
    kept: frozenset[str]
    rolled: Mapping[str, int] = field(default_factory=dict)


def layouts(system: System) -> dict[str, Layout]:
    """The layout of every quantity."""
    found = {}
    for quantity in system.quantities.values():
        axes: list[Affine | None] = []
        for axis in quantity.axes:
            if axis.kind == "batch":
                axes.append(None)
            elif axis.kind == "time":
                axes.append(Affine(0, ((axis.size.name, 1),)))
            else:
                axes.append(Affine(system.size(axis.size)))
        reach = system.reach.get(quantity.name)
        position = quantity.time_axis
        before = 0
        if reach is not None and position is not None:
            before = reach.before
            steps = axes[position]
            assert steps is not None
            axes[position] = steps + (reach.before + reach.after)
        found[quantity.name] = Layout(before, tuple(axes), position, reach is not None)
    return found


class Lowering:
    """Lowers the stages of one function.

    `kept` names the quantities that somebody reads after the stage that computes them.
    """

    def __init__(self, storage: Storage, taken: Iterable[str]) -> None:
        self._layouts = storage.layouts
        self._kept = storage.kept
        self.rolled = storage.rolled
        self._masks: dict[str, str] = {}
        self._taken = frozenset(taken)
        self.first_step = unused("first_step", self._taken)
        # The local variables of what is rolled, at the last step, with the axis of the loop.
        self._last: dict[str, tuple[str, int]] = {}

    def statements(self, stages: Iterable[Stage]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        self._masks.clear()
        for stage in stages:
            if isinstance(stage, AllSteps):
                found += self._all_steps(stage.equation, stage.equation.terms)
            else:
                found += self._time_loop(stage)
        masks = [Line(f"{name} = {code}") for code, name in self._masks.items()]
        return (*masks, *found)

    def named_mask(self, code: str, name: str) -> str:
        """A local variable for the truth values of a condition, made before all else."""
        if code not in self._masks:
            taken = {*self._taken, *self._masks.values()}
            names = (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3)))
            self._masks[code] = next(n for n in names if n not in taken)
        return self._masks[code]

    # All steps at once.

    def _all_steps(self, equation: FrozenEquation, terms: Sequence[FrozenTerm]) -> list[Statement]:
        """The statements for some terms of an equation."""
        out = tuple(r.name for r in equation.ranges)
        name, remark = equation.name, f"({equation.number})"
        terms = _not_empty(terms)
        full = [(m, self._value(m, out)) for m in terms if m.is_full]
        rest = [m for m in terms if not m.is_full]
        lines: list[Statement] = []
        # A number alone is no array.
        is_array = bool(out) or any(reads(m.factor) for m, _ in full)
        covered = is_array and any(value.labels == frozenset(out) for _, value in full)
        if self._is_padded(name):
            target = self._target(equation, equation.ranges, out)
            if full:
                lines += _assignment(f"{target} =", full, remark)
        elif len(full) > 1 and (fresh := self._fresh(full, out)) is not None:
            # A contraction makes a new array, to which the other terms are added in place.
            others = [pair for pair in full if pair is not fresh]
            lines += _assignment(f"{name} =", [fresh], remark)
            lines += [
                Line(
                    f"{name} {'+=' if m.sign > 0 else '-='} {value.source.code}",
                    _remark(equation, [value]),
                )
                for m, value in others
            ]
        elif full and covered:
            lines += _assignment(f"{name} =", full, remark, copy=True)
        else:
            lines.append(Line(f"{name} = {self._zeros(equation)}"))
            if full:
                lines += _assignment(f"{name} +=", full, remark)
        for term in rest:
            lines.append(self._restricted(equation, term, out))
        return lines

    @staticmethod
    def _fresh(
        full: Sequence[tuple[FrozenTerm, Contracted]], out: Labels
    ) -> tuple[FrozenTerm, Contracted] | None:
        """The first term that is a contraction over the whole range of the left side."""
        return next(
            (
                pair
                for pair in full
                if pair[0].sums and pair[0].sign > 0 and out and pair[1].labels == set(out)
            ),
            None,
        )

    def _restricted(self, equation: FrozenEquation, term: FrozenTerm, out: Labels) -> Line:
        """Add a term that holds on a part of the range to that part."""
        value = self._value(term, out)
        operator = "+=" if term.sign > 0 else "-="
        target = self._target(equation, term.ranges, out)
        if term.diagonal:
            target, kept = diagonal(target, term, out)
            value = self._value(term, kept)
        return Line(f"{target} {operator} {value.source.code}", _remark(equation, [value]))

    def _value(self, term: FrozenTerm, out: Labels) -> Contracted:
        ranges = {r.name: r for r in (*term.ranges, *term.sums)}
        return ArrayPrinter(
            self._layouts,
            ranges,
            local=lambda read: self._last.get(read.name),
            named=self.named_mask,
            first_step=self.first_step,
        ).term(term, out)

    def _is_padded(self, name: str) -> bool:
        return self._layouts[name].is_padded

    def _target(self, equation: FrozenEquation, ranges: Sequence[Range], out: Labels) -> str:
        """The part of the equation's array that the ranges cover."""
        layout = self._layouts[equation.name]
        places = [
            slice_code(span, Affine(layout.before if axis == layout.time_axis else 0), length)
            for axis, (span, length) in enumerate(zip(ranges, layout.lengths, strict=True))
        ]
        while places and places[-1] == ":":
            places.pop()
        return f"{equation.name}[{', '.join(places)}]" if places else equation.name

    def _shape(self, lengths: Sequence[Affine | None]) -> str:
        codes = ["B" if length is None else length.code for length in lengths]
        return f"({', '.join(codes)}{',' if len(codes) == 1 else ''})"

    def _zeros(self, equation: FrozenEquation) -> str:
        return f"np.zeros({self._shape(self._layouts[equation.name].lengths)}, dtype)"

    # Time loops.

    def _time_loop(self, loop: TimeLoop) -> list[Statement]:
        lines: list[Statement] = []
        for item in loop.equations:
            name = item.equation.name
            if name in self.rolled:
                spans = item.equation.ranges
                shape = self._shape([r.length for p, r in enumerate(spans) if p != item.axis])
                row, *earlier = self.rolled_rows(item, loop)
                lines += [Line(f"{local} = np.zeros({shape}, dtype)") for local in earlier]
                self._last[name] = row, item.axis
            elif item.before:
                lines += self._all_steps(item.equation, item.before)
            elif self._is_stored(item, loop) and not self._is_padded(name):
                donor = self._donor(item, loop)
                shape = self._shape(self._layouts[name].lengths)
                if donor is None:
                    lines.append(Line(f"{name} = np.empty({shape}, dtype)"))
                else:
                    lines.append(Line(f"{name} = {donor}", "takes its place, step by step"))
        body = _LoopBody(self, loop).statements()
        span = loop.length if loop.direction == "forward" else f"{loop.length} - 1, -1, -1"
        lines.append(Block(f"for {loop.step} in range({span}):", tuple(body)))
        return lines

    def _donor(self, item: LoopEquation, loop: TimeLoop) -> str | None:
        """The net input whose array an activation can take over: nobody else reads it."""
        factor = item.within[0].factor if len(item.within) == 1 else None
        if not (isinstance(factor, Call) and item.within[0].sign > 0 and has_out(factor)):
            return None
        (argument,) = factor.arguments
        if not isinstance(argument, Read) or argument.name in self._kept:
            return None
        source = next((o for o in loop.equations if o.equation.name == argument.name), None)
        if source is None or not source.before:
            return None
        if self._is_padded(argument.name):
            return None
        is_last = len(loop.reads[argument.name]) == 1
        same = self._layouts[argument.name].lengths == self._layouts[item.equation.name].lengths
        is_plain = not item.within[0].conditions and source.axis == item.axis
        is_now = row_offset(argument, source.axis, loop.step) == 0
        return argument.name if is_last and same and is_plain and is_now else None

    def _is_stored(self, item: LoopEquation, loop: TimeLoop) -> bool:
        """Whether an array keeps the values of all steps, and not only a local variable."""
        name, axis = item.equation.name, item.axis
        if name in self.rolled:
            return False
        if item.before or name in self._kept or self._is_padded(name):
            return True
        return any(row_offset(r, axis, loop.step) != 0 for r in loop.reads.get(name, ()))

    def rolled_rows(self, item: LoopEquation, loop: TimeLoop) -> list[str]:
        """The local variables for what a step computes of what is rolled, and for earlier steps.

        A running sum has one variable for both.
        """
        name = item.equation.name
        if added(item, loop) is not None:
            return [name, name]
        return [self.local_name(name, -back) for back in range(self.rolled[name] + 1)]

    def local_name(self, name: str, offset: int) -> str:
        """The local variable for a quantity at step t + offset."""
        suffix = "_t" if not offset else f"_t_{'plus' if offset > 0 else 'minus'}_{abs(offset)}"
        local = name + suffix
        while local in self._taken:
            local += "_"
        return local


class _LoopBody:
    """The statements of one time step."""

    def __init__(self, lowering: Lowering, loop: TimeLoop) -> None:
        self._lowering = lowering
        self._loop = loop
        self._step = loop.step
        self._axes = {o.equation.name: o.axis for o in loop.equations}
        self._bound: dict[tuple[str, int, int], str] = {}

    def statements(self) -> list[Statement]:
        lowering, loop = self._lowering, self._loop
        rolled = [o for o in loop.equations if o.equation.name in lowering.rolled]
        for item in rolled:
            for back, local in enumerate(lowering.rolled_rows(item, loop)[1:], 1):
                self._bound[item.equation.name, item.axis, -back] = local
        lines = self._bindings()
        for item in loop.equations:
            more = added(item, loop) if item in rolled else None
            lines += self._equation(item) if more is None else self._more(item, more)
        for item in rolled:
            pairs = [*itertools.pairwise(lowering.rolled_rows(item, loop))]
            lines += [Line(f"{old} = {new}") for new, old in reversed(pairs) if new != old]
        return lines

    def _more(self, item: LoopEquation, terms: list[FrozenTerm]) -> list[Statement]:
        """What a step adds to a running sum, in its place."""
        equation = item.equation
        out = tuple(r.name for r in equation.ranges if r.name != self._step)
        return self._guarded(equation, _not_empty(terms), out, equation.name)

    def _bindings(self) -> list[Statement]:
        """Local names for rows of arrays that unguarded terms read more than once."""
        counts: dict[tuple[str, int, int], int] = {}
        members = self._loop.names
        for item in self._loop.equations:
            for term in item.within:
                if not self._guard(term):
                    for read in reads(term.factor):
                        row = self._row_of(read)
                        if row is None or row in self._bound:
                            continue
                        if not (read.name in members and row[2] == 0):
                            counts[row] = counts.get(row, 0) + 1
        lines: list[Statement] = []
        for (name, axis, offset), count in counts.items():
            if count > 1:
                local = self._lowering.local_name(name, offset)
                while local in self._bound.values():
                    local += "_"
                self._bound[name, axis, offset] = local
                lines.append(Line(f"{local} = {name}[{self._row(name, axis, offset)}]"))
        return lines

    def _row_of(self, read: Read) -> tuple[str, int, int] | None:
        """The name, the axis and the offset of a read at this step; None where it has none."""
        axes = [p for p, s in enumerate(read.subscripts) if s.index == self._step]
        axis = self._axes.get(read.name, axes[0] if axes else 0)
        offset = row_offset(read, axis, self._step)
        return None if offset is None else (read.name, axis, offset)

    def _row(self, name: str, axis: int, offset: int) -> str:
        return ", ".join(self._places(name, axis, offset))

    def _places(self, name: str, axis: int, offset: int) -> list[str]:
        layout = self._lowering._layouts[name]
        shift = layout.before if axis == layout.time_axis else 0
        return [":"] * axis + [step_code(self._step, shift + offset)]

    def _own_row(self, equation: FrozenEquation, axis: int) -> str:
        """The row that a step computes: of what has values outside another axis, those within."""
        places = self._places(equation.name, axis, 0)
        if self._is_widened(equation.name, axis):
            layout = self._lowering._layouts[equation.name]
            at = layout.time_axis
            assert at is not None
            # The row keeps the place of the axis that the loop runs along.
            span = equation.ranges[at]
            places += [":"] * (at + 1 - len(places))
            places[at] = slice_code(span, Affine(layout.before), layout.lengths[at])
        return ", ".join(places)

    def _is_widened(self, name: str, axis: int) -> bool:
        """Whether a row of an array has values outside the steps of another axis around it.

        What a step computes is then a part of the row, and no local variable stands for it.
        """
        layout = self._lowering._layouts[name]
        return layout.is_padded and layout.time_axis != axis

    def _local(self, read: Read) -> tuple[str, int] | None:
        row = self._row_of(read)
        local = self._bound.get(row) if row else None
        return (local, row[1]) if row and local else None

    def _equation(self, item: LoopEquation) -> list[Statement]:
        equation, lowering = item.equation, self._lowering
        name = equation.name
        local = lowering.local_name(name, 0)
        place = self._own_row(equation, item.axis)
        # One element of an array is a number, which does not write to it; with an ellipsis it is
        # an array without axes, which does.
        row = f"{name}[{place if len(equation.ranges) > 1 else f'{place}, ...'}]"
        stored = lowering._is_stored(item, self._loop)
        out = tuple(r.name for r in equation.ranges if r.name != self._step)
        terms = _not_empty(item.within)
        plain = [m for m in terms if not self._guard(m) and self._holds_everywhere(m)]
        others = [m for m in terms if m not in plain]
        values = [(m, self._value(m, out)) for m in plain]
        remark = f"({equation.number})"
        lines: list[Statement] = []
        found: list[Statement] = []
        covered = any(value.labels == frozenset(out) for _, value in values)
        if item.before:
            # The row holds what was computed before the loop: add to it in place.
            lines.append(Line(f"{local} = {row}"))
            lines += [
                Line(
                    f"{local} {'+=' if m.sign > 0 else '-='} {value.source.code}",
                    _remark(equation, [value]),
                )
                for m, value in values
            ]
        elif (
            stored
            and covered
            and item.axis == 0
            and (found := self._in_place(equation, values, row, local, out))
        ):
            lines += found
        elif values and covered:
            target = f"{row} = {local} =" if stored and not others else f"{local} ="
            lines += _assignment(target, values, remark, copy=bool(others))
        else:
            shape = lowering._shape([r.length for r in equation.ranges if r.name != self._step])
            lines.append(Line(f"{local} = np.zeros({shape}, dtype)"))
            if values:
                lines += _assignment(f"{local} +=", values, remark)
        if not self._is_widened(name, item.axis):
            self._bound[name, item.axis, 0] = local
        lines += self._guarded(equation, others, out, local)
        is_in_place = item.before or found or (values and covered and not others)
        if stored and not is_in_place:
            lines.append(Line(f"{row} = {local}"))
        return lines

    def _in_place(
        self,
        equation: FrozenEquation,
        values: list[tuple[FrozenTerm, Contracted]],
        row: str,
        local: str,
        out: Labels,
    ) -> list[Statement]:
        """Statements that compute the terms into the row of the array; none where they cannot."""
        (term, _), *others = values
        if term.sign < 0 or term.sums or not term.reduction.is_linear or term.conditions:
            return []
        lines = into_row(term.factor, self._printer(term), out, row, local)
        if lines is None:
            return []
        remark = f"({equation.number})"
        return [
            *(Line(code, remark) for code in lines),
            *(
                Line(
                    f"{local} {'+=' if m.sign > 0 else '-='} {value.source.code}",
                    _remark(equation, [value]),
                )
                for m, value in others
            ),
        ]

    def _guarded(
        self, equation: FrozenEquation, terms: list[FrozenTerm], out: Labels, local: str
    ) -> list[Statement]:
        """Terms that hold at some steps or for some units only."""
        lines: list[Statement] = []
        guards = list(dict.fromkeys(map(self._guard, terms)))
        for term in sorted(terms, key=lambda m: guards.index(self._guard(m))):
            places = [slice_code(r, ZERO, r.length) for r in term.ranges if r.name != self._step]
            while places and places[-1] == ":":
                places.pop()
            target, labels = f"{local}[{', '.join(places)}]" if places else local, out
            if term.diagonal:
                target, labels = diagonal(target, term, out)
            value = self._value(term, labels)
            line = Line(
                f"{target} {'+=' if term.sign > 0 else '-='} {value.source.code}",
                _remark(equation, [value]),
            )
            guard = self._guard(term)
            last = lines[-1] if lines else None
            if not guard:
                lines.append(line)
            elif isinstance(last, Block) and last.head == f"if {guard}:":
                lines[-1] = replace(last, body=(*last.body, line))
            else:
                lines.append(Block(f"if {guard}:", (line,)))
        return lines

    def _value(self, term: FrozenTerm, out: Labels) -> Contracted:
        return self._printer(term).term(term, out)

    def _printer(self, term: FrozenTerm) -> ArrayPrinter:
        ranges = {r.name: r for r in (*term.ranges, *term.sums)}
        return ArrayPrinter(
            self._lowering._layouts,
            ranges,
            step=self._step,
            local=self._local,
            named=self._lowering.named_mask,
            first_step=self._lowering.first_step,
        )

    def _guard(self, term: FrozenTerm) -> str:
        """The condition on t under which a term holds, '' where it always does."""
        span = next(r for r in term.ranges if r.name == self._step)
        conditions = [f"{self._step} >= {s.code}" for s in span.starts if s != ZERO]
        conditions += [f"{self._step} < {s.code}" for s in span.stops if s != span.length]
        return " and ".join(conditions)

    def _holds_everywhere(self, term: FrozenTerm) -> bool:
        return all(r.is_full for r in term.ranges if r.name != self._step) and not term.diagonal


def _not_empty(terms: Iterable[FrozenTerm]) -> list[FrozenTerm]:
    return [m for m in terms if not m.is_empty]


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
    indices = [r.name for r in item.equation.ranges]
    plain = all(s.offset == ZERO for p, s in enumerate(read.subscripts) if p != item.axis)
    same = [s.index for s in read.subscripts] == indices and plain and term.sign > 0
    return same and not term.conditions and row_offset(read, item.axis, step) == -1


def row_offset(read: Read, axis: int, step: str) -> int | None:
    """How far from a loop's step a read is along an axis; None where it is not tied to it."""
    subscript = read.subscripts[axis] if read.subscripts else None
    return None if subscript is None or subscript.index != step else subscript.offset.constant


def diagonal(target: str, term: FrozenTerm, out: Labels) -> tuple[str, Labels]:
    """The part of a target where pairs of its indices are equal, and the labels that are left."""
    first = {b: a for a, b in term.diagonal}
    kept = tuple(name for name in out if name not in first)
    every = tuple(first.get(name, name) for name in out)
    return f"np.einsum({signature([every], kept)!r}, {target})[...]", kept


def _remark(equation: FrozenEquation, values: Sequence[Contracted]) -> str:
    signatures = [v.signature for v in values if v.signature]
    return " ".join([f"({equation.number})", *signatures])


def _assignment(
    target: str,
    values: Sequence[tuple[FrozenTerm, Contracted]],
    remark: str,
    *,
    copy: bool = False,
) -> list[Statement]:
    """`target value + value - value`, over several lines where it is long."""
    if len(values) == 1 and values[0][0].sign > 0:
        term, value = values[0]
        code = value.source.code
        if copy and isinstance(term.factor, Read) and not term.sums:
            code += ".copy()"  # a view of another array would change with it
        return [Line(f"{target} {code}", " ".join(filter(None, (remark, value.signature))))]
    pieces = []
    for position, (term, value) in enumerate(values):
        code = value.source.within(PRODUCT)
        if position == 0:
            pieces.append(code if term.sign > 0 else f"-{value.source.within(PRODUCT + 1)}")
        else:
            pieces.append(f"{'+' if term.sign > 0 else '-'} {code}")
    line = f"{target} {' '.join(pieces)}"
    if len(line) <= WIDTH - 24:
        signatures = [v.signature for _, v in values if v.signature]
        return [Line(line, " ".join([remark, ", ".join(dict.fromkeys(signatures))]).strip())]
    found: list[Statement] = [Line(f"{target} (", remark)]
    for piece, (_, value) in zip(pieces, values, strict=True):
        found.append(Line(f"    {piece}", value.signature))
    found.append(Line(")"))
    return found


def render(statements: Iterable[Statement], indent: int = 1) -> list[str]:
    """The statements as source lines."""
    lines: list[str] = []
    for statement in statements:
        prefix = "    " * indent
        if isinstance(statement, Block):
            lines.append(f"{prefix}{statement.head}")
            lines += render(statement.body, indent + 1)
        elif statement.remark:
            lines.append(f"{prefix}{statement.code}  # {statement.remark}")
        else:
            lines.append(f"{prefix}{statement.code}")
    return lines
