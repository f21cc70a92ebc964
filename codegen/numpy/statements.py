"""The statements of a function as NumPy source: arrays, local names for rows, loops and guards."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bptt.codegen.nodes import (
    Affine,
    Number,
    Read,
    Sum,
    indices,
)
from bptt.codegen.numpy.arrays import ArrayPrinter
from bptt.codegen.numpy.inplace import into_row
from bptt.codegen.numpy.source import Labels, signature, step_code
from bptt.codegen.program import (
    Assign,
    Block,
    Function,
    Guard,
    Loop,
    Program,
    Statement,
    assignments,
    first_step_of,
    overlap,
    places,
    root,
)

# A row of an array: the buffer, the axis that the loop runs along, how far from its step.
Row = tuple[str, int, int]


@dataclass(frozen=True)
class Line:
    """A line of source, how deep it stands, and the remark behind it."""

    code: str
    remark: str = ""
    depth: int = 1

    def __str__(self) -> str:
        remark = f"  # {self.remark}" if self.remark else ""
        return f"{'    ' * self.depth}{self.code}{remark}"


def statements(program: Program, function: Function, *, plain: bool = False) -> list[str]:
    """The lines of a function's body, without what it takes and gives."""
    return [str(line) for line in _FunctionText(program, function, plain=plain).lines()]


class _FunctionText:
    """The text of one function."""

    def __init__(self, program: Program, function: Function, *, plain: bool) -> None:
        self.buffers = program.buffers
        self.first_step = first_step_of(program)
        self.is_plain = plain
        self._body = function.body
        self._masks: dict[str, str] = {}
        # What is there already, and the names of the rows of what keeps the last steps alone.
        self._made = {*function.takes, *function.allocates}
        self.last: dict[str, tuple[str, int]] = {}
        self._mentioned = dict.fromkeys(
            [r.name for a in assignments(function.body) for r in (a.target, *a.reads)]
            + [*function.gives]
        )
        # The parts of arrays that the function mentions, by the arrays.
        self._within: dict[str, dict[str, Block]] = {}
        for name in self._mentioned:
            block = root(name, self.buffers)
            if block.buffer != name:
                self._within.setdefault(block.buffer, {})[name] = block
        # What was made with zeros in it, and holds them still; what loops find so.
        self._zero: set[str] = set()
        self.cleared: set[str] = set()

    def lines(self) -> list[Line]:
        found = [line for statement in self._body for line in self._statement(statement)]
        masks = [Line(f"{name} = {code}") for code, name in self._masks.items()]
        return [*masks, *found]

    def named_mask(self, code: str, name: str) -> str:
        """A local variable for the truth values of a condition, made before all else."""
        if code not in self._masks:
            taken = {*self.buffers, *self._masks.values()}
            names = (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3)))
            self._masks[code] = next(n for n in names if n not in taken)
        return self._masks[code]

    def local_name(self, name: str, offset: int) -> str:
        """The local variable for a quantity at step t + offset."""
        suffix = "_t" if not offset else f"_t_{'plus' if offset > 0 else 'minus'}_{abs(offset)}"
        local = name + suffix
        while local in self.buffers:
            local += "_"
        return local

    def shape(self, lengths: Iterable[Affine | None]) -> str:
        codes = ["B" if length is None else str(length) for length in lengths]
        return f"({', '.join(codes)}{',' if len(codes) == 1 else ''})"

    def _statement(self, statement: Statement) -> Iterator[Line]:
        if isinstance(statement, Assign):
            yield from self._assign(statement)
        elif isinstance(statement, Loop):
            yield from self._loop(statement)
        else:
            raise AssertionError(statement)

    # All steps at once.

    def _assign(self, assign: Assign) -> Iterator[Line]:
        printer = self._printer(assign)
        name = assign.target.name
        target, labels = _target(assign, printer)
        if is_zero(assign) and (name in self._zero or name not in self._made):
            yield from self.make(name, "zeros" if name not in self._made else "empty")
            return
        self._zero -= {name, root(name, self.buffers).buffer, *self._within.get(name, ())}
        if name not in self._made:
            if self.buffers[name].alias is None and target == name and assign.operator == "=":
                self._made.add(name)
                yield from assigned(f"{name} =", assign, printer, labels, copy=True)
                yield from self._members(name)
                return
            yield from self.make(name)
        if assign.operator == "=":
            whole = target if "[" in target else f"{target}[...]"
            codes = None
            if not self.is_plain and labels == _axes(assign):
                codes = into_row(assign.value, printer, labels, whole, whole)
            if codes is not None:
                yield from (Line(code, said(assign)) for code in codes)
            else:
                yield from assigned(f"{whole} =", assign, printer, labels)
        else:
            yield from assigned(target, assign, printer, labels)

    def make(self, name: str, how: str = "empty") -> Iterator[Line]:
        """The array that a buffer lies in, if it is not there, and names for the parts of it."""
        whole = root(name, self.buffers).buffer
        if whole not in self._made:
            self._made.add(whole)
            if self.buffers[whole].padded:
                how = "zeros"
            yield Line(f"{whole} = np.{how}({self.shape(self.buffers[whole].lengths)}, dtype)")
            yield from self._members(whole)
            if how == "zeros":
                self._zero |= {whole, *self._within.get(whole, ())}
        elif how == "zeros":
            yield Line(f"{name}[...] = 0")

    def _members(self, whole: str) -> Iterator[Line]:
        """Names for the parts of an array that the function mentions, or hands on."""
        known: dict[Block, str] = {}
        for name, block in self._within.get(whole, {}).items():
            if name in self._made:
                continue
            self._made.add(name)
            lengths, part = self.buffers[name].lengths, places(name, self.buffers)
            if part is None or block in known:
                same = whole if part is None else known[block]
                yield Line(f"{name} = {same}", "takes its place, step by step")
                continue
            known[block] = name
            span = f"{part.start or ''}:{part.stop}"
            code = f"{whole}[{', '.join([*[':'] * block.axis, span])}]"
            if len(lengths) > len(self.buffers[whole].lengths):
                code = f"{code}.reshape{self.shape(lengths)}"
            yield Line(f"{name} = {code}")

    def _printer(self, assign: Assign) -> ArrayPrinter:
        return ArrayPrinter(
            self.buffers,
            {r.name: r for r in assign.ranges},
            local=lambda read: self.last.get(read.name),
            named=self.named_mask,
            first_step=self.first_step,
            plain=self.is_plain,
        )

    # Time loops.

    def _loop(self, loop: Loop) -> Iterator[Line]:
        firsts = {a.target.name: a for a in reversed([*assignments(loop.body)])}
        for name, first in reversed(firsts.items()):
            buffer = self.buffers[name]
            if buffer.window is not None:
                axis = _loop_axis(first, loop.step)
                rest = [n for p, n in enumerate(buffer.lengths) if p != axis]
                zeros = f"np.zeros({self.shape(rest)}, dtype)"
                for back in range(1, buffer.window + 1):
                    yield Line(f"{self.local_name(name, -back)} = {zeros}")
                self.last[name] = self.local_name(name, 0), axis
            elif name not in self._made:
                if is_zero(first) and buffer.alias is None:
                    self.cleared.add(name)
                yield from self.make(name, "zeros" if name in self.cleared else "empty")
        span = loop.length if loop.direction == "forward" else f"{loop.length} - 1, -1, -1"
        yield Line(f"for {loop.step} in range({span}):")
        for line in _LoopText(self, loop).lines():
            yield replace(line, depth=line.depth + 1)


class _LoopText:
    """The text of one time step."""

    def __init__(self, function: _FunctionText, loop: Loop) -> None:
        self._function = function
        self._buffers = function.buffers
        self._loop = loop
        self._step = loop.step
        self._every = [*assignments(loop.body)]
        self._axes = {a.target.name: _loop_axis(a, loop.step) for a in self._every}
        self._writes = Counter(a.target.name for a in self._every)
        self._bound: dict[Row, str] = {}
        self._changed = self._changed_elsewhere()

    def lines(self) -> list[Line]:
        rolled = [n for n in dict.fromkeys(self._axes) if self._window(n)]
        for name in rolled:
            for back in range(1, self._window(name) + 1):
                local = self._function.local_name(name, -back)
                self._bound[name, self._axes[name], -back] = local
        lines = self._bindings()
        for statement in self._loop.body:
            lines += self._statement(statement)
        for name in rolled:
            rows = [self._function.local_name(name, -n) for n in range(self._window(name) + 1)]
            lines += [Line(f"{old} = {new}") for new, old in reversed([*itertools.pairwise(rows)])]
        return lines

    def _window(self, name: str) -> int:
        return self._buffers[name].window or 0

    def _bindings(self) -> list[Line]:
        """Local names for rows of arrays that unguarded statements read more than once."""
        counts: Counter[Row] = Counter()
        for assign in (s for s in self._loop.body if isinstance(s, Assign)):
            for read in assign.reads:
                row = self._row_of(read)
                if row is None or row in self._bound:
                    continue
                if not (read.name in self._axes and row[2] == 0):
                    counts[row] += 1
        return [self._bind(row) for row, count in counts.items() if count > 1]

    def _bind(self, row: Row) -> Line:
        """Give a row a local name."""
        name, axis, offset = row
        local = self._function.local_name(name, offset)
        while local in self._bound.values():
            local += "_"
        self._bound[row] = local
        return Line(f"{local} = {self._row_code(name, axis, offset)}")

    def _row_of(self, read: Read) -> Row | None:
        """The row of a read at this step; None where it has none."""
        axes = [p for p, s in enumerate(read.subscripts) if s.index == self._step]
        axis = self._axes.get(read.name, axes[0] if axes else None)
        if axis is None or not read.subscripts or read.subscripts[axis].index != self._step:
            return None
        return read.name, axis, read.subscripts[axis].offset.constant

    def _row_code(self, name: str, axis: int, offset: int) -> str:
        """The source of a row; a row without axes is an array all the same, not a number."""
        buffer = self._buffers[name]
        places = [*[":"] * axis, step_code(self._step, buffer.offset(axis) + offset)]
        more = ", ..." if len(buffer.lengths) == 1 and name in self._axes else ""
        return f"{name}[{', '.join(places)}{more}]"

    def _changed_elsewhere(self) -> set[str]:
        """The arrays whose row of a step is read after it was changed under another name.

        That is the name of an array that the row lies in, or of a part of it. A local variable has
        to be the row itself then: one that holds what was computed first misses the change.
        """
        written: dict[str, set[str]] = {}
        changed: set[str] = set()
        found: set[str] = set()
        for assign in self._every:
            for read in (r for r in assign.reads if r.name in changed):
                row = self._row_of(read)
                if row is not None and row[2] == 0:
                    found.add(read.name)
            name = assign.target.name
            others = written.setdefault(root(name, self._buffers).buffer, set())
            changed |= {n for n in others - {name} if overlap(n, name, self._buffers)}
            others.add(name)
        return found

    def _is_widened(self, name: str) -> bool:
        """Whether a row of an array has values outside the steps of another axis around it.

        What a step computes is then a part of the row, and no local variable stands for it.
        """
        buffer = self._buffers[name]
        return buffer.padded and buffer.time_axis != self._axes[name]

    def _local(self, read: Read) -> tuple[str, int] | None:
        row = self._row_of(read)
        local = self._bound.get(row) if row else None
        return (local, row[1]) if row and local else None

    def _printer(self, assign: Assign) -> ArrayPrinter:
        return ArrayPrinter(
            self._buffers,
            {r.name: r for r in assign.ranges},
            step=self._step,
            local=self._local,
            named=self._function.named_mask,
            first_step=self._function.first_step,
            plain=self._function.is_plain,
        )

    def _statement(self, statement: Statement) -> list[Line]:
        if isinstance(statement, Assign):
            return self._first(statement) if statement.operator == "=" else self._more(statement)
        if isinstance(statement, Guard):
            head = " and ".join(map(self._condition, statement.conditions))
            bound = [line for a in assignments(statement.body) for line in self._unbound(a)]
            inner = [line for s in statement.body for line in self._statement(s)]
            return [*bound, Line(f"if {head}:"), *(replace(n, depth=n.depth + 1) for n in inner)]
        raise AssertionError(statement)

    def _condition(self, condition: Affine) -> str:
        """`t >= 2`, or `t < T - 1`."""
        now = Affine(0, ((self._step, 1),))
        if dict(condition.names).get(self._step, 0) > 0:
            return f"{self._step} >= {now - condition}"
        return f"{self._step} < {condition + now + 1}"

    def _key(self, assign: Assign) -> Row:
        name = assign.target.name
        return name, self._axes[name], 0

    def _first(self, assign: Assign) -> list[Line]:
        """What a step's value is at first."""
        name = assign.target.name
        buffer, printer = self._buffers[name], self._printer(assign)
        local = self._function.local_name(name, 0)
        place, labels = printer.subscripted(assign.target, whole=True)
        if self._is_widened(name):
            return assigned(f"{place} =", assign, printer, labels)
        if buffer.window is not None:
            self._bound[self._key(assign)] = local
            if is_zero(assign):
                rest = [n for p, n in enumerate(buffer.lengths) if p != self._axes[name]]
                return [Line(f"{local} = np.zeros({self._function.shape(rest)}, dtype)")]
            return assigned(f"{local} =", assign, printer, labels, copy=self._writes[name] > 1)
        if is_zero(assign):
            bound = self._bind(self._key(assign))
            if name in self._function.cleared:
                return [bound]
            return [bound, Line(f"{self._bound[self._key(assign)]}[...] = 0")]
        if not self._is_whole(assign):
            return self._part(assign, printer, labels)
        row = self._row_code(name, self._axes[name], 0)
        if not self._function.is_plain and self._axes[name] == 0:
            codes = into_row(assign.value, printer, labels, row, local)
            if codes is not None:
                self._bound[self._key(assign)] = local
                return [Line(code, said(assign)) for code in (f"{local} = {codes[0]}", *codes[1:])]
        if self._writes[name] == 1 and name not in self._changed:
            found = assigned(f"{row} = {local} =", assign, printer, labels)
            self._bound[self._key(assign)] = local
            return found
        bound = self._bind(self._key(assign))
        local = self._bound[self._key(assign)]
        return [bound, *assigned(f"{local}[...] =", assign, printer, labels)]

    def _is_whole(self, assign: Assign) -> bool:
        """Whether a statement computes a whole row, and not a part of one."""
        spans, buffer = {r.name: r for r in assign.ranges}, self._buffers[assign.target.name]
        return all(
            s.index == self._step
            or buffer.lengths[axis] is None
            or (s.index in spans and spans[s.index].length == buffer.lengths[axis])
            for axis, s in enumerate(assign.target.subscripts)
            if axis != buffer.time_axis
        )

    def _part(self, assign: Assign, printer: ArrayPrinter, labels: Labels) -> list[Line]:
        """A part of a row, computed in its place."""
        lines = self._unbound(assign)
        place, _ = printer.subscripted(assign.target)
        codes = None
        if not self._function.is_plain:
            codes = into_row(assign.value, printer, labels, place, place)
        if codes is None:
            return [*lines, *assigned(f"{place} =", assign, printer, labels)]
        return [*lines, *(Line(code, said(assign)) for code in codes)]

    def _unbound(self, assign: Assign) -> list[Line]:
        """A local name for the row that a statement adds to, if it has none."""
        has_steps = any(s.index == self._step for s in assign.target.subscripts)
        is_bound = self._key(assign) in self._bound or self._is_widened(assign.target.name)
        return [self._bind(self._key(assign))] if has_steps and not is_bound else []

    def _more(self, assign: Assign) -> list[Line]:
        """What is added to a step's value."""
        lines = self._unbound(assign)
        printer = self._printer(assign)
        target, labels = _target(assign, printer)
        return [*lines, *assigned(target, assign, printer, labels)]


def _loop_axis(assign: Assign, step: str) -> int:
    """The axis of a target that a loop runs along; that of a running sum is none of its own."""
    return next((p for p, s in enumerate(assign.target.subscripts) if s.index == step), -1)


def is_zero(assign: Assign) -> bool:
    """Whether a statement clears its target."""
    return isinstance(assign.value, Number) and assign.value.value == 0


def said(assign: Assign) -> str:
    """The numbers of the equations that a statement computes: (3) (5)."""
    return " ".join(f"({number})" for number in assign.numbers)


def _axes(assign: Assign) -> Labels:
    """The indices of a target, if its value varies with all: NumPy then computes in its place."""
    labels = tuple(s.index for s in assign.target.subscripts if s.index is not None)
    return labels if frozenset(labels) == indices(assign.value) else ()


def _target(assign: Assign, printer: ArrayPrinter) -> tuple[str, Labels]:
    """The part of an array that a statement changes, and its labels; a diagonal is a view."""
    code, every = printer.subscripted(assign.target)
    kept = tuple(dict.fromkeys(every))
    if kept != every:
        code = f"np.einsum({signature([every], kept)!r}, {code})[...]"
    return code, kept


def assigned(
    target: str, assign: Assign, printer: ArrayPrinter, out: Labels, *, copy: bool = False
) -> list[Line]:
    """`target = value`, or `target += value` where the target has no operator yet."""
    value, remark = assign.value, said(assign)
    if not target.endswith("="):
        negative = isinstance(value, Sum) and value.signs == (-1,)
        if negative:
            assert isinstance(value, Sum)
            (value,) = value.operands
        target = f"{target} {'-=' if negative else '+='}"
    source = printer.elementwise(value, out)
    code = source.code
    if copy and isinstance(value, Read):
        code += ".copy()"  # a view of another array would change with it
    return [Line(f"{target} {code}", " ".join(filter(None, (remark, source.signature))))]
