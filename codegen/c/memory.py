"""Where the elements of buffers stand: row after row, the last axis closest together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from bptt.codegen.nodes import Affine, Read, Subscript
from bptt.codegen.program import Buffer, root

Lengths = Sequence[Affine | None]


def length_code(length: Affine | None) -> str:
    """The length of an axis; None is the batch."""
    return "B" if length is None else str(length)


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

    def stride(self, read: Read, index: str) -> int | None:
        """How far apart the elements at neighbouring places of an index stand, if that is known."""
        lengths = [n.constant if n is not None and not n.names else None for n in self._whole(read)]
        found: int | None = 0
        step: int | None = 1
        for subscript, length in zip(reversed(read.subscripts), reversed(lengths), strict=True):
            if subscript.index == index:
                found = None if found is None or step is None else found + step
            step = None if step is None or length is None else step * length
        return found

    def _whole(self, read: Read) -> Lengths:
        """The lengths along its axes, and of what it lies in along the axes behind a part."""
        block, own = root(read.name, self.buffers), list(self.lengths(read.name))
        whole = self.lengths(block.buffer)
        if block.buffer != read.name and len(own) == len(whole):
            return whole
        return own

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
