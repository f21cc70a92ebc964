"""Where the arrays of some functions stand: with the caller, or in a workspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from bptt.codegen.c.expressions import Item, under
from bptt.codegen.c.frame import Frame
from bptt.codegen.c.memory import Memory, length_code, size_code, size_factors, within_product
from bptt.codegen.nodes import ZERO, Affine, Read, Subscript
from bptt.codegen.operations import Operations, operations
from bptt.codegen.program import root


@dataclass(frozen=True)
class Given:
    """What a caller gives of an array: a pointer, and the condition under which there is one."""

    code: str
    wanted: str = ""


@dataclass(frozen=True)
class Rows:
    """Values outside the steps: after which row they begin, how many rows, where they are given."""

    start: Affine
    steps: int
    given: Given


@dataclass(frozen=True)
class Layout:
    """The arrays that some functions of a program use, which run in this order.

    `given` are those of which the caller has the values, or the space; `outside` the values of
    steps that do not belong to a sequence; `shown` those that the caller looks at afterwards.
    """

    frame: Frame
    stages: tuple[str, ...]
    given: Mapping[str, Given]
    outside: Mapping[str, Sequence[Rows]] = field(default_factory=dict)
    shown: tuple[str, ...] = ()

    @property
    def memory(self) -> Memory:
        return self.frame.memory

    @cached_property
    def _arrays(self) -> dict[str, tuple[str, ...]]:
        """The arrays of each function."""
        texts = {text.name: text for text in self.frame.texts}
        return {stage: texts[stage].arrays for stage in self.stages}

    @cached_property
    def _kept(self) -> frozenset[str]:
        """The arrays that several functions use, that are seen from outside, or begin as zeros."""
        counts = Counter(n for arrays in self._arrays.values() for n in arrays)
        buffers = self.memory.buffers
        shown = {root(n, buffers).buffer for n in self.shown}
        return frozenset(
            n for n, uses in counts.items() if uses > 1 or n in shown or self._begins(n)
        )

    def _begins(self, name: str) -> bool:
        """Whether an array holds something before it is computed: zeros, or what is given."""
        buffer, given = self.memory.buffers[name], self.given.get(name)
        return bool(buffer.padded or buffer.window or (given and given.wanted))

    def _stands(self, name: str) -> bool:
        """Whether an array stands where the caller has it."""
        buffer = self.memory.buffers[name]
        # Steps that are given are copied between those outside; a window is kept as it is.
        is_between = buffer.padded and buffer.window is None
        return name in self.given and not (is_between or self.given[name].wanted)

    def _first(self, stage: str) -> list[str]:
        """The arrays that a function is the first to use."""
        before = self.stages[: self.stages.index(stage)]
        earlier = {n for s in before for n in self._arrays[s]}
        return [n for n in self._arrays[stage] if n not in earlier]

    def _own(self, stage: str) -> list[str]:
        """The arrays that one function alone uses."""
        return [n for n in self._arrays[stage] if n not in self._kept and n not in self.given]

    # Statements.

    def placed(self) -> list[Item]:
        """Statements that place all arrays of all functions."""
        items = [item for stage in self.stages for item in self.placing(stage)]
        return items + [item for stage in self.stages for item in self.passing(stage)]

    def placing(self, stage: str) -> Iterator[Item]:
        """Statements that place what a function is the first to use, and is kept."""
        for name in self._first(stage):
            if self._stands(name):
                yield f"arrays->{self.frame.names[name]} = {self.given[name].code};"
            elif name in self._kept:
                yield from self._placed(name)

    def passing(self, stage: str) -> list[Item]:
        """Statements that place what only this function uses: all use the same space for that."""
        found: list[Item] = []
        for name in self._own(stage):
            size = size_code(self.memory.lengths(name))
            found += [f"arrays->{self.frame.names[name]} = own;", f"own += {size};"]
        return ["own = workspace;", *found[:-1]] if found else []

    def _placed(self, name: str) -> Iterator[Item]:
        """A place in the workspace, with what is given of it: steps, values outside."""
        lengths = self.memory.lengths(name)
        size, row = size_code(lengths), size_code(lengths[1:])
        yield f"arrays->{self.frame.names[name]} = workspace;"
        if self._begins(name):
            yield f"{self.frame.prefix}_clear(workspace, {size});"
            if name in self.given:
                buffer = self.memory.buffers[name]
                if buffer.padded:
                    first, count = Affine(buffer.before), self._steps(name)
                else:
                    first, count = ZERO, size
                yield from self._copied(first, row, count, self.given[name])
            for rows in self.outside.get(name, ()):
                yield from self._copied(rows.start, row, _times(str(rows.steps), row), rows.given)
        yield f"workspace += {size};"

    def _steps(self, name: str) -> str:
        """How many elements the steps of a sequence have, those outside them left out."""
        lengths, rows = self.memory.lengths(name), self.frame.reach[name]
        assert lengths[0] is not None
        steps = lengths[0] - rows.before - rows.after
        return _times(within_product(str(steps)), size_code(lengths[1:]))

    def _copied(self, start: Affine, row: str, count: str, given: Given) -> tuple[Item, ...]:
        place = "workspace"
        if start != ZERO:
            place += f" + {_times(within_product(str(start)), row)}"
        line = f"{self.frame.prefix}_copy({place}, {given.code}, {count});"
        return under([f"if ({given.wanted})"] if given.wanted else [], [line])

    def run(self, stage: str, sizes: Sequence[str] = (), **counts: str) -> str:
        """A statement that runs a function; `counts` are numbers that it is given, else 0."""
        text = next(text for text in self.frame.texts if text.name == stage)
        numbers = [counts.get(n, "0") for n in text.counts]
        given = ["arrays", *(sizes or self.frame.sizes), *numbers]
        return f"{self.frame.prefix}_compute{stage}({', '.join(given)});"

    # Sizes and results.

    def workspace(self, stage: str = "") -> Counter[str]:
        """How many elements a workspace holds, up to a function: numbers of products of lengths,
        by the products."""
        kept, most = Counter[str](), Counter[str]()
        for part in self.stages[: self.stages.index(stage or self.stages[-1]) + 1]:
            for name in self._first(part):
                if name in self._kept and not self._stands(name):
                    number, lengths = size_factors(self.memory.lengths(name))
                    kept[lengths] += number
            own = Counter[str]()
            for name in self._own(part):
                number, lengths = size_factors(self.memory.lengths(name))
                own[lengths] += number
            most |= own
        return kept + most

    def operations(self, stages: Iterable[str] = ()) -> Operations:
        """What some functions need, or all of them."""
        wanted = {*(stages or self.stages)}
        return operations(f for f in self.frame.program.functions if f.name in wanted)

    def pointer(self, name: str) -> str:
        """Where the first element of a quantity stands, its first step within the sequence."""
        axes = self.memory.buffers[name].kinds
        read = Read(name, tuple(Subscript(None, ZERO) for _ in axes))
        array, place = self.memory.place(read, {})
        code = f"arrays->{self.frame.names[array]}"
        return code if place == "0" else f"{code} + {place}"

    def rows(self, name: str) -> tuple[int, int]:
        """How many elements of a quantity stand together, and how far apart such rows begin."""
        block, own = root(name, self.memory.buffers), self.memory.lengths(name)
        first = block.axis if block.buffer != name else _closed(own)
        whole = self.memory.lengths(block.buffer)
        return _number(own[first:]), _number(whole[first:])

    def handed(
        self, name: str, member: str, wanted: str = "", operator: str = "="
    ) -> tuple[Item, ...]:
        """Statements that put a quantity where the caller wants it, element by element."""
        buffers = self.memory.buffers
        lengths = self.memory.lengths(name)
        # Along an axis of one place there is no loop.
        every = [None if n == Affine(1) else f"i{k}" for k, n in enumerate(lengths)]
        letters = {letter: letter for letter in every if letter}
        read = Read(name, tuple(Subscript(letter, ZERO) for letter in every))
        array, place = self.memory.place(read, letters)
        alone = Memory({name: replace(buffers[name], alias=None)}, {})
        heads = [
            f"for (long {letter} = 0; {letter} < {length_code(length)}; ++{letter})"
            for letter, length in zip(every, lengths, strict=True)
            if letter
        ]
        own = alone.place(read, letters)[1]
        line = f"{member}[{own}] {operator} arrays->{self.frame.names[array]}[{place}];"
        return under([f"if ({wanted})"] if wanted else [], under(heads, [line]))

    def is_whole(self, name: str) -> bool:
        """Whether a quantity is an array of its own, and no part of another."""
        return root(name, self.memory.buffers).buffer == name


def _closed(lengths: Sequence[Affine | None]) -> int:
    """From which axis on all lengths are numbers."""
    known = [n is not None and not n.names for n in lengths]
    return len(known) - known[::-1].index(False) if False in known else 0


def _number(lengths: Iterable[Affine | None]) -> int:
    """How many elements there are along axes whose lengths are numbers."""
    return prod(n.constant for n in lengths if n is not None and not n.names)


def _times(count: str, row: str) -> str:
    if row == "1":
        return count
    return row if count == "1" else f"{count} * {row}"
