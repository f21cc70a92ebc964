"""Programs run as they are written: what judges every pass.

An assignment is evaluated on the whole grid of its indices, with no thought of speed: each index
has an axis of its own, a read takes its elements one by one, a contraction is the sum of a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np

from bptt.codegen.nodes import (
    Affine,
    Call,
    Condition,
    Contract,
    Join,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Reduce,
    Size,
    Sum,
    Where,
    children,
)
from bptt.codegen.program import (
    Assign,
    Buffer,
    Function,
    Guard,
    Loop,
    Program,
    Statement,
    assignments,
    root,
)
from bptt.derive.calculus.primitives import PRIMITIVES

Array = Any
# Numbers of steps and of sequences, and within loops their steps, by name.
Sizes = Mapping[str, int]


def interpret(program: Program, arrays: Mapping[str, Array], sizes: Sizes, dtype: Any) -> Array:
    """The arrays of all functions by name, given those that the first ones take.

    What nothing has been assigned to is NaN, and so is what a window has left behind.
    """
    run = _Run(program, dict(arrays), sizes, np.dtype(dtype))
    for function in program.functions:
        run.function(function)
    return run.arrays


class _Run:
    def __init__(
        self, program: Program, arrays: dict[str, Array], sizes: Sizes, dtype: np.dtype[Any]
    ) -> None:
        self._buffers = program.buffers
        self.arrays = arrays
        self._sizes = dict(sizes)
        self._dtype = dtype

    def function(self, function: Function) -> None:
        written = (a.target.name for a in assignments(function.body))
        made = {root(name, self._buffers).buffer for name in written} - set(function.takes)
        for name, buffer in self._buffers.items():
            if buffer.alias is None and (name in made or name not in self.arrays):
                fill = 0 if buffer.padded else np.nan
                self.arrays[name] = np.full(self._shape(buffer), fill, self._dtype)
        for name in self._buffers:
            self.arrays[name] = self._array(name)
        self._run(function.body)

    def _array(self, name: str) -> Array:
        """The array of a buffer, a part of another where it lies in that."""
        buffer = self._buffers[name]
        if buffer.alias is None:
            return self.arrays[name]
        block = buffer.alias
        whole, shape = self._array(block.buffer), self._shape(buffer)
        length = prod(shape[block.axis : block.axis + 1 + len(shape) - whole.ndim])
        places = (slice(None),) * block.axis + (slice(block.start, block.start + length),)
        return whole[places].reshape(shape)

    def _shape(self, buffer: Buffer) -> tuple[int, ...]:
        return tuple(self._sizes["B"] if n is None else self._at(n) for n in buffer.lengths)

    def _at(self, place: Affine) -> int:
        return place.constant + sum(count * self._sizes[name] for name, count in place.names)

    def _run(self, body: Iterable[Statement]) -> None:
        for statement in body:
            if isinstance(statement, Loop):
                self._loop(statement)
            elif isinstance(statement, Guard):
                if all(self._at(condition) >= 0 for condition in statement.conditions):
                    self._run(statement.body)
            else:
                self._assign(statement)

    def _loop(self, loop: Loop) -> None:
        steps = range(self._sizes[loop.length])
        for step in steps if loop.direction == "forward" else reversed(steps):
            self._sizes[loop.step] = step
            self._run(loop.body)
        del self._sizes[loop.step]

    def _assign(self, assign: Assign) -> None:
        places = _Grid(self, assign.ranges)
        at = places.subscripts(assign.target)
        target = self.arrays[assign.target.name]
        kept = {s.index for s in assign.target.subscripts}
        axes = tuple(n for n, name in enumerate(places.names) if name not in kept)
        value = places.value(assign.value)
        if axes:
            value = value[tuple(0 if n in axes else slice(None) for n in range(value.ndim))]
            at = tuple(i.squeeze(axes) if np.ndim(i) else i for i in at)
        if assign.operator == "=":
            target[at] = value
        else:
            target[at] += value

    def _indices(self, span: Range) -> Array:
        if span.length is None:
            return np.arange(self._sizes["B"])
        start = max(self._at(place) for place in span.starts)
        return np.arange(start, min(self._at(place) for place in span.stops))


class _Grid:
    """The places of a statement's indices, and nodes evaluated there: every index has an axis."""

    def __init__(self, run: _Run, ranges: Iterable[Range]) -> None:
        self._run = run
        spans = {r.name: run._indices(r) for r in ranges}
        self.names = tuple(spans)
        self._at = {
            name: places.reshape([-1 if n == axis else 1 for n in range(len(spans))])
            for axis, (name, places) in enumerate(spans.items())
        }

    def _number(self, index: str) -> Array:
        return self._at[index] if index in self._at else self._run._sizes[index]

    def subscripts(self, read: Read) -> tuple[Array, ...]:
        """Where the elements of a read stand in its array."""
        buffer = self._run._buffers[read.name]
        return tuple(
            (0 if s.index is None else self._number(s.index))
            + self._run._at(s.offset)
            + buffer.offset(axis)
            for axis, s in enumerate(read.subscripts)
        )

    def value(self, node: Node) -> Array:
        """The value of a node, one for each place of the indices that it varies with."""
        run = self._run
        match node:
            case Number(value):
                return np.asarray(float(value), run._dtype).reshape((1,) * len(self.names))
            case Size(name):
                return self.value(Number(float(run._sizes[name])))
            case Place(index, offset):
                first = run.arrays.get("first step", 0)
                return (self._number(index) + run._at(offset) + first) * self.value(Number(1.0))
            case Read(name):
                return run.arrays[name][self.subscripts(node)] * self.value(Number(1.0))
            case Sum(operands, signs):
                return sum(s * self.value(n) for n, s in zip(operands, signs, strict=True))
            case Product(above, below):
                found = self.value(Number(1.0))
                for factor in above:
                    found = found * self.value(factor)
                for factor in below:
                    found = found / self.value(factor)
                return found
            case Power(base, exponent):
                return self.value(base) ** float(exponent)
            case Call(function, arguments):
                return PRIMITIVES[function].array(*map(self.value, arguments))
            case Where(conditions, _, otherwise):
                return np.where(self._holds(conditions), self.value(node.value), otherwise)
            case Contract(operands, over):
                return self._over(self.value(Product(operands)), over, np.sum, True)
            case Reduce(reduction, inner, over, conditions):
                where = self._holds(conditions)
                return self._over(self.value(inner), over, reduction.array, where)
            case Join():
                return self._joined(node)
        raise AssertionError(children(node))

    def _holds(self, conditions: Iterable[Condition]) -> Array:
        found: Array = True
        for condition in conditions:
            left = sum(count * self._number(name) for name, count in condition.counts)
            found = found & np.asarray(left + self._run._at(condition.offset) >= 0)
        return found

    def _over(self, value: Array, over: Iterable[str], reduced: Any, where: Array) -> Array:
        """A reduction over some axes, which stay with one place."""
        axes = tuple(self.names.index(name) for name in over)
        shape = list(value.shape)
        for axis, name in zip(axes, over, strict=True):
            shape[axis] = self._at[name].size
        if where is not True:
            shape = [*np.broadcast_shapes(tuple(shape), where.shape)]
            where = np.broadcast_to(where, shape)
        found = reduced(np.broadcast_to(value, shape), axis=axes, where=where)
        return np.expand_dims(found, axes)

    def _joined(self, node: Join) -> Array:
        """The parts one after the other: of each only the places that it has."""
        axis = self.names.index(node.along)
        known, start, found = self._at[node.along], 0, []
        for part, length in zip(node.parts, node.lengths, strict=True):
            self._at[node.along] = np.take(known, range(length), axis)
            found.append(self.value(part))
            start += length
        self._at[node.along] = known
        shape = np.broadcast_shapes(*(np.delete(f, slice(1, None), axis).shape for f in found))
        wide = []
        for value, length in zip(found, node.lengths, strict=True):
            wide.append(np.broadcast_to(value, (*shape[:axis], length, *shape[axis + 1 :])))
        return np.concatenate(wide, axis)
