"""Where the elements of buffers stand: row after row, the last axis closest together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from bptt.codegen.nodes import Affine, Read, Subscript
from bptt.codegen.program import Buffer, root

Lengths = Sequence[Affine | None]


def length_code(length: Affine | None) -> str:
    """The length of an axis; None is the batch."""
    return "B" if length is None else str(length)


def lengths_of(shape: Iterable[int | str]) -> Lengths:
    """The lengths of axes: numbers, numbers of steps by name, B for the batch."""
    return [
        Affine(n) if isinstance(n, int) else None if n == "B" else Affine(0, ((n, 1),))
        for n in shape
    ]


def within_product(code: str) -> str:
    """A sum in parentheses."""
    return f"({code})" if " + " in code or " - " in code or code.startswith("-") else code


def size_factors(lengths: Lengths) -> tuple[int, str]:
    """How many elements an array has, as a number times a product of lengths that are open."""
    number = prod(n.constant for n in lengths if n is not None and not n.names)
    codes = [within_product(length_code(n)) for n in lengths if n is None or n.names]
    return number, " * ".join(codes)


def size_code(lengths: Lengths) -> str:
    """How many elements an array has: (T + 2) * B * 10."""
    number, codes = size_factors(lengths)
    return " * ".join(
        [*([codes] if codes else []), *([str(number)] if number != 1 or not codes else [])]
    )


@dataclass(frozen=True)
class Stride:
    """How far apart elements stand: a number times lengths that are known when the code runs."""

    number: int
    lengths: tuple[str, ...] = ()

    def __str__(self) -> str:
        codes = [*map(within_product, self.lengths)]
        if self.number != 1 or not codes:
            codes.append(str(self.number))
        return " * ".join(codes)

    def __mul__(self, other: Stride | Affine | None) -> Stride:
        """As many times as far; a length of an axis is so many times, None that of the batch."""
        if other is None or (isinstance(other, Affine) and other.names):
            other = Stride(1, (length_code(other),))
        elif isinstance(other, Affine):
            other = Stride(other.constant)
        if not self.number:
            return self
        return Stride(self.number * other.number, tuple(sorted((*self.lengths, *other.lengths))))


NONE, ONE_APART = Stride(0), Stride(1)


@dataclass(frozen=True)
class Memory:
    """Buffers as C lays them out; of those with a window `axes` say along which axis it moves."""

    buffers: Mapping[str, Buffer]
    axes: Mapping[str, int]

    def lengths(self, name: str) -> Lengths:
        """The lengths of the axes of an array; along a window, how many steps are kept."""
        buffer = self.buffers[name]
        if buffer.window is None or name not in self.axes:
            return buffer.lengths
        axis = self.axes[name]
        kept = Affine(buffer.window + 1)
        return (*buffer.lengths[:axis], kept, *buffer.lengths[axis + 1 :])

    def place(self, read: Read, letters: Mapping[str, str]) -> tuple[str, str]:
        """The array in which an element stands, and its place there as source."""
        subscripts = [
            self._subscript(read.name, axis, s, letters) for axis, s in enumerate(read.subscripts)
        ]
        block, own = root(read.name, self.buffers), self.lengths(read.name)
        whole = self.lengths(block.buffer)
        if block.buffer != read.name:
            count = 1 + len(own) - len(whole)
            axis = block.axis
            inner = _flat(subscripts[axis : axis + count], own[axis : axis + count])
            inner = f"{block.start} + {inner}" if block.start else inner
            subscripts[axis : axis + count] = [inner]
        return block.buffer, _flat(subscripts, whole)

    def stride(self, read: Read, index: str) -> Stride | None:
        """How far apart neighbours along an index stand in an array; None along a window."""
        block, lengths = root(read.name, self.buffers), self.lengths(read.name)
        whole: Lengths = self.lengths(block.buffer)
        behind = len(lengths) - len(whole)
        step, found = Stride(1), NONE
        for axis in reversed(range(len(lengths))):
            if read.subscripts[axis].index == index:
                rolls = self.axes.get(read.name) == axis
                if rolls or found != NONE:
                    return None
                found = step
            inside = block.axis <= axis <= block.axis + behind
            if block.buffer != read.name and axis == block.axis:
                # Before its axis a part lies as far apart as the whole.
                step = Stride(1)
                for length in reversed(whole[axis:]):
                    step = step * length
            elif block.buffer != read.name and not inside:
                step = step * whole[axis if axis < block.axis else axis - behind]
            else:
                step = step * lengths[axis]
        return found

    def _subscript(
        self, name: str, axis: int, subscript: Subscript, letters: Mapping[str, str]
    ) -> str:
        buffer = self.buffers[name]
        offset = subscript.offset + buffer.offset(axis)
        index = subscript.index
        if buffer.window is not None and self.axes.get(name) == axis:
            kept = buffer.window + 1
            if kept == 1:
                return "0"
            # A step before the first has a place too.
            offset = Affine(offset.constant % kept, offset.names)
            return f"({affine_code(offset, letters, index)}) % {kept}"
        return affine_code(offset, letters, index)


def affine_code(place: Affine, letters: Mapping[str, str], index: str | None = None) -> str:
    """A place, or an index with an offset, in the letters that C has for them."""
    counts = [*place.names] if index is None else [(index, 1), *place.names]
    known = sorted((letters.get(name, name), count) for name, count in counts)
    return str(Affine(place.constant, tuple(known)))


def _flat(subscripts: Sequence[str], lengths: Lengths) -> str:
    """The place of an element in a row of all elements."""
    found = ""
    for subscript, length in zip(subscripts, lengths, strict=True):
        if found in ("", "0"):
            found = subscript
            continue
        if length != Affine(1):
            found = f"{within_product(found)} * {within_product(length_code(length))}"
        # Along an axis of one place there is only that.
        if subscript != "0" and length != Affine(1):
            found = f"{found} + {subscript}"
    return found or "0"
