"""Programs: what is computed into which array, in which loop, in which order.

A program has buffers and functions. A function is a tree of assignments, of loops over the steps,
and of guards, which let some steps pass. An assignment says what one element of its target is, or
what is added to it, for all places of its indices: nothing here says how a language computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from bptt.codegen.nodes import Affine, Node, Range, Read, reads
from bptt.derive.calculus.bounds import AxisKind
from bptt.derive.calculus.quantity import unused


@dataclass(frozen=True)
class Block:
    """A part of a buffer: the places from `start` on along an axis.

    What lies there may have several axes in place of it, one after the other.
    """

    buffer: str
    axis: int
    start: int


@dataclass(frozen=True)
class Buffer:
    """An array.

    `lengths` counts all places along each axis, None for the batch. Those along the axis of steps
    hold `before` values before step 0, and what is `padded` has values outside the steps: given
    ones, or zeros. Of what has a `window` the step of its loop and so many before it are kept.
    With an `alias` it lies in another buffer.
    """

    name: str
    kinds: tuple[AxisKind, ...]
    lengths: tuple[Affine | None, ...]
    time_axis: int | None
    before: int = 0
    padded: bool = False
    window: int | None = None
    alias: Block | None = None

    def offset(self, axis: int) -> int:
        """How many places along an axis come before that of index 0."""
        return self.before if axis == self.time_axis else 0


@dataclass(frozen=True)
class Assign:
    """`target = value`, or `target += value`, where the indices run.

    It computes the equations of these numbers, or a part of them. A target whose index stands
    twice is the diagonal.
    """

    numbers: tuple[int, ...]
    target: Read
    operator: Literal["=", "+="]
    value: Node
    ranges: tuple[Range, ...]

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it reads, its target left out."""
        return reads(self.value)


@dataclass(frozen=True)
class Guard:
    """Statements for the steps at which all conditions are >= 0."""

    conditions: tuple[Affine, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Loop:
    """Statements for every step of a length, the first first or the last first."""

    step: str
    length: str
    direction: Literal["forward", "backward"]
    body: tuple[Statement, ...]


Statement = Assign | Guard | Loop
Body = tuple[Statement, ...]


@dataclass(frozen=True)
class Part:
    """A function to be made: its name, what it is about, and the quantities that it computes."""

    name: str
    about: str
    quantities: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function: what it takes from earlier ones, does, and hands on.

    `allocates` are arrays with given values outside the steps that it has to make before it fills
    them, those of tangents; those of signals exist already.
    """

    name: str
    about: str
    takes: tuple[str, ...]
    allocates: tuple[str, ...]
    body: Body
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """Functions, which run in this order, and the arrays that they share.

    `results` are those that the user of the functions gets to see.
    """

    buffers: Mapping[str, Buffer]
    functions: tuple[Function, ...]
    results: frozenset[str] = frozenset()


def first_step_of(program: Program) -> str:
    """The variable of every function for the number of the first step."""
    return unused("first_step", program.buffers)


def root(name: str, buffers: Mapping[str, Buffer]) -> Block:
    """The array that a buffer lies in, itself or another, and where in that."""
    axis, start, block = 0, 0, buffers[name].alias
    while block is not None:
        name, axis, start = block.buffer, block.axis, start + block.start
        block = buffers[name].alias
    return Block(name, axis, start)


def places(name: str, buffers: Mapping[str, Buffer]) -> range | None:
    """Where a part of an array has its places along an axis; None of what has them all."""
    block, lengths = root(name, buffers), buffers[name].lengths
    whole = buffers[block.buffer].lengths
    if lengths == whole:
        return None
    spans = lengths[block.axis : block.axis + 1 + len(lengths) - len(whole)]
    size = prod(span.constant for span in spans if span is not None)
    return range(block.start, block.start + size)


def overlap(one: str, other: str, buffers: Mapping[str, Buffer]) -> bool:
    """Whether two parts of one array share places."""
    mine, theirs = places(one, buffers), places(other, buffers)
    if mine is None or theirs is None:
        return True
    return mine.start < theirs.stop and theirs.start < mine.stop


# From program to program.
Pass = Callable[[Program], Program]


def assignments(body: Iterable[Statement]) -> Iterator[Assign]:
    """All assignments of a tree, in order."""
    for statement in body:
        if isinstance(statement, Assign):
            yield statement
        else:
            yield from assignments(statement.body)


def changed(body: Body, change: Callable[[Assign], Iterable[Statement]]) -> Body:
    """A tree with other statements for each of its assignments; what is left empty is left out."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, Assign):
            found += change(statement)
        elif inner := changed(statement.body, change):
            found.append(replace(statement, body=inner))
    return tuple(found)
