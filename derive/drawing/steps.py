"""Which steps of a quantity are read, and how to say so in a few characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.causality import interval
from bptt.derive.calculus.quantity import LETTERS
from bptt.derive.calculus.system import Equation, System, Term

LAST = sp.Symbol("last", integer=True)


@dataclass(frozen=True)
class Steps:
    """The steps that a reader reads along one axis of what it reads.

    From `low` to `high` (None: no limit), counted from the reader's index number `axis`, called
    `now`; on the whole axis where that is None; or, if given, at the one step `at`. `own` is the
    letter of the steps read where it is not `now`.
    """

    axis: int | None
    low: int | None = None
    high: int | None = None
    now: str = ""
    own: str = ""
    at: sp.Expr | None = None

    @property
    def is_delay(self) -> bool:
        return self.low is not None and self.low == self.high and not self.own

    @property
    def is_range(self) -> bool:
        return self.at is None and (self.low is None or self.low != self.high)

    @property
    def holds_now(self) -> bool:
        """Whether the reader's own step is among them."""
        if self.at is not None or (self.own and not self.is_range):
            return False
        return (self.low or 0) <= 0 <= (self.high or 0)

    @property
    def text(self) -> str:
        """In words: "1" for a delay, "last", "t=3", "s" for an index of the reader's, "s<=t"."""
        if self.at is not None:
            return _fixed_text(self.at)
        if not self.is_range:
            offset = self.low or 0
            return f"{self.own}{offset:+d}" if offset and self.own else self.own or str(-offset)
        own = self.own
        if own == self.now:
            own = next(letter for letter in LETTERS["time"] if letter != self.now)
        if self.low is None and self.high is None:
            return f"all {own}"
        if self.low is None:
            below = self.high == -1
            return f"{own}<{self.now}" if below else f"{own}<={_shifted(self.now, self.high)}"
        if self.high is None:
            above = self.low == 1
            return f"{own}>{self.now}" if above else f"{own}>={_shifted(self.now, self.low)}"
        return f"{_shifted(self.now, self.low)}<={own}<={_shifted(self.now, self.high)}"

    def after(self, outer: Steps) -> Steps:
        """These steps of what is itself read at the steps `outer`."""
        if outer.at is not None:
            return replace(outer, at=outer.at + (self.low or 0))
        return replace(
            outer,
            low=_plus(outer.low, self.low),
            high=_plus(outer.high, self.high),
            own=self.own or outer.own,
        )


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _shifted(letter: str, offset: int | None) -> str:
    return f"{letter}{offset:+d}" if offset else letter


def _fixed_text(at: sp.Expr) -> str:
    """One step of an axis, counted from its first or its last."""
    if at.free_symbols == {LAST}:
        return str(at).replace(" ", "")
    return "first" if at == 0 else f"t={at}".replace(" ", "")


@dataclass(frozen=True)
class Read:
    """One quantity as it is read: its name, and the steps along each of its axes of steps."""

    name: str
    steps: tuple[Steps, ...]

    @property
    def said(self) -> tuple[Steps, ...]:
        """The steps other than the reader's own."""
        return tuple(s for s in self.steps if not (s.is_delay and s.low == 0))

    @property
    def is_now(self) -> bool:
        """Whether this is one step along every axis, counted by the reader's own indices."""
        return all(s.at is None and s.low == s.high == 0 for s in self.steps)

    @property
    def covers_now(self) -> bool:
        """Whether a range of steps is read that makes mention of the own step idle."""
        ranges = [s for s in self.steps if s.is_range]
        return bool(ranges) and (len(self.steps) > 1 or ranges[0].holds_now)


def steps_read(system: System, read: sp.Indexed, equation: Equation, term: Term) -> Iterator[Steps]:
    """The steps that a term reads, for each axis of steps of what it reads."""
    nows = [i for i in equation.indices if i.kind == "time"]
    summed = [i for i in term.sums if i.kind == "time"]
    axes = system.quantity_of(read).axes
    for axis, at in zip(axes, system.subscripts(read), strict=True):
        if axis.kind == "time":
            yield _steps_at(at, axis.size, nows, summed, term)


def _steps_at(
    at: sp.Expr, size: sp.Expr, nows: list[Index], summed: list[Index], term: Term
) -> Steps:
    """The steps of an axis of `size` steps that are read at the subscript `at`."""
    for number, index in enumerate(nows):
        if (at - index.symbol).is_Integer:
            offset, name = int(at - index.symbol), index.symbol.name
            twice = any(other.length == index.length for other in nows[:number])
            return Steps(number, offset, offset, name, own=name if twice else "")
    letter = next((i.symbol.name for i in summed if at.has(i.symbol)), "")
    if not letter:
        return Steps(None, at=at.subs(size, LAST + 1))
    for number, index in enumerate(nows):
        offsets = interval(at, index.symbol, term)
        if (offsets.low, offsets.high) != (None, None):
            return Steps(number, offsets.low, offsets.high, index.symbol.name, letter)
    return Steps(None, own=letter)


def within(inner: Steps, outer: tuple[Steps, ...]) -> Steps:
    """The steps `inner` of what is itself read at the steps `outer`, one for each of its axes."""
    return inner if inner.axis is None else inner.after(outer[inner.axis])
