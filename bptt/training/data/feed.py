"""How an epoch is made of batches. The batches of an epoch depend on its number and the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.data.record import Record
from bptt.training.objective import Batch, is_lengths
from bptt.training.vector import Arrays


class Feed(Protocol):
    """Batches by epoch and number."""

    @property
    def carries(self) -> bool:
        """Whether a batch goes on where the one before it ended, with the network's state."""

    def __len__(self) -> int:
        """How many batches an epoch has."""

    def batch(self, epoch: int, number: int, carried: Arrays) -> Batch:
        """One batch; `carried` is the network's state after the one before it."""


@dataclass(frozen=True)
class Segment:
    """Steps start..stop-1 of a record, as one sequence: full-length, one batch an epoch."""

    record: Record
    start: int
    stop: int
    carries: bool = False

    def __len__(self) -> int:
        return 1

    @cached_property
    def whole(self) -> Batch:
        """All of it."""
        return self.record.batch([self.start], self.stop - self.start)

    def batch(self, epoch: int, number: int, carried: Arrays) -> Batch:
        return self.whole


@dataclass(frozen=True)
class Windows:
    """Windows of `length` steps of a segment, one every `stride`, in random order.

    The values before a window are those measured; other states begin at zero.
    """

    segment: Segment
    length: int
    stride: int
    size: int
    seed: int = 0
    carries: bool = False

    def __post_init__(self) -> None:
        if not len(self.starts):
            raise UserError(
                f"a window of {self.length} steps is longer than the "
                f"{self.segment.stop - self.segment.start} to learn from",
                place="--window",
                remedy="use a shorter one",
            )

    @cached_property
    def starts(self) -> Any:
        """Where the windows begin."""
        return np.arange(self.segment.start, self.segment.stop - self.length + 1, self.stride)

    def __len__(self) -> int:
        return -(-len(self.starts) // self.size)

    def batch(self, epoch: int, number: int, carried: Arrays) -> Batch:
        taken = self.starts[_taken(len(self.starts), self.size, self.seed, epoch, number)]
        return self.segment.record.batch(taken, self.length)


@dataclass(frozen=True)
class Streams:
    """A segment cut into `count` parts that are read side by side, `length` steps at a time.

    The network's state is carried from chunk to chunk: truncated backpropagation through time.
    """

    segment: Segment
    count: int
    length: int
    carries: bool = True

    def __post_init__(self) -> None:
        if not len(self):
            raise UserError(
                f"{self.count} streams of {self.length} steps are more than the "
                f"{self.segment.stop - self.segment.start} to learn from",
                place="--chunk",
                remedy="use shorter chunks or a smaller --batch",
            )

    def __len__(self) -> int:
        return (self.segment.stop - self.segment.start) // self.count // self.length

    def batch(self, epoch: int, number: int, carried: Arrays) -> Batch:
        span = (self.segment.stop - self.segment.start) // self.count
        starts = self.segment.start + span * np.arange(self.count) + number * self.length
        found = self.segment.record.batch(starts, self.length)
        # An epoch begins with what is measured, and zero states; after that all is carried.
        return replace(found, initial=dict(carried)) if number else found


@dataclass(frozen=True)
class Sequences:
    """Whole sequences, `size` at a time in random order (all at once where size is 0).

    The arrays are those that the module takes, all sequences side by side.
    """

    module: ModuleType
    whole: Batch
    size: int = 0
    seed: int = 0
    carries: bool = False
    chosen: Any = field(default=None)

    @cached_property
    def count(self) -> int:
        """How many sequences there are."""
        return len(self._all) if self.chosen is None else len(self.chosen)

    @cached_property
    def _all(self) -> Any:
        module, whole = self.module, self.whole
        for shapes, arrays in ((module.INPUTS, whole.inputs), (module.TARGETS, whole.targets)):
            for name, shape in shapes.items():
                if "B" in shape:
                    array = arrays[name]
                    axis = 0 if is_lengths(module, name, array) else shape.index("B")
                    return np.arange(array.shape[axis])
        raise UserError("no input and no target has sequences", remedy="change the topology")

    def __len__(self) -> int:
        return -(-self.count // self.size) if self.size else 1

    def part(self, start: int, stop: int) -> Sequences:
        """Some of the sequences."""
        return replace(self, chosen=self._all[start:stop])

    def batch(self, epoch: int, number: int, carried: Arrays) -> Batch:
        chosen = self._all if self.chosen is None else self.chosen
        if self.size:
            chosen = chosen[_taken(len(chosen), self.size, self.seed, epoch, number)]
        return self.of(chosen)

    def of(self, chosen: Any) -> Batch:
        """Some sequences as a batch."""
        module, whole = self.module, self.whole

        def taken(arrays: Arrays, shapes: dict[str, Any]) -> Arrays:
            found = {}
            for name, array in arrays.items():
                shape = shapes[name]
                axis = shape.index("B") if "B" in shape else None
                if is_lengths(module, name, array):
                    axis = 0
                found[name] = array if axis is None else np.take(array, chosen, axis=axis)
            return found

        return Batch(
            taken(whole.inputs, module.INPUTS),
            taken(whole.targets, module.TARGETS),
            taken(whole.initial, module.INITIAL),
            taken(whole.weights, module.WEIGHTED),
        )


def _taken(count: int, size: int, seed: int, epoch: int, number: int) -> Any:
    """Which of `count` things, by their places, are batch `number` of an epoch."""
    return np.sort(_order(count, seed, epoch)[number * size : (number + 1) * size])


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> Any:
    """The order of an epoch; all its batches want it."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def split(steps: int, before: int, fractions: tuple[float, ...]) -> Iterator[tuple[int, int]]:
    """Where parts of a record begin and end, in time, the first `before` steps left out.

    `fractions` are of what is left, by part; they need not add up to one.
    """
    left, total = steps - before, sum(fractions)
    done, start = 0.0, before
    for fraction in fractions:
        done += fraction
        stop = before + round(left * done / total)
        yield start, stop
        start = stop
