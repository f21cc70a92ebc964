"""Which statements of a body have to come before which."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bptt.codegen.program import Assign, Body, Buffer, assignments, root

# How many statements are looked at for each that is to become one with others, at the most: in a
# deep network all that lies between its ends would be looked at for each pair of layers.
MOST_SEARCHED = 3


class Order:
    """The statements of a body in an order of computation, some of which become one.

    Statements are known by their places in the body, and those that are one by the first of them.
    """

    def __init__(self, body: Body, buffers: Mapping[str, Buffer]) -> None:
        self._home = list(range(len(body)))
        self._members = {n: [n] for n in self._home}
        self._after: dict[int, set[int]] = {n: set() for n in self._home}
        self._sequence: list[int | None] = [*self._home]
        self._position = {n: n for n in self._home}
        writers: dict[str, list[int]] = {}
        adders: dict[str, list[int]] = {}
        readers: dict[str, list[int]] = {}
        for place, statement in enumerate(body):
            inner = [*assignments((statement,))]
            read = {root(r.name, buffers).buffer for a in inner for r in a.reads}
            written = {root(a.target.name, buffers).buffer for a in inner}
            # What is added to one array may be added in any order.
            adds = isinstance(statement, Assign) and statement.operator == "+="
            for name in read | written:
                self._come_before(writers.get(name, ()), place)
            for name in written:
                self._come_before(readers.get(name, ()), place)
            for name in read if adds else read | written:
                self._come_before(adders.get(name, ()), place)
            for name in written:
                (adders if adds else writers).setdefault(name, []).append(place)
            for name in read:
                readers.setdefault(name, []).append(place)

    def _come_before(self, earlier: Collection[int], place: int) -> None:
        for n in earlier:
            self._after[n].add(place)

    def _later(self, home: int) -> set[int]:
        """What a statement has to come before, statements that are one by the first of them."""
        return {self._home[n] for member in self._members[home] for n in self._after[member]}

    def joined(self, places: Collection[int]) -> bool:
        """Make some statements one, if none has to come between two of them.

        Where that takes long to see they stay apart.
        """
        homes = {self._home[n] for n in places}
        positions = [self._position[home] for home in homes]
        low, high = min(positions), max(positions)
        behind: set[int] = set()
        found = [n for home in homes for n in self._later(home) if n not in homes]
        while found:
            home = found.pop()
            if home in behind or self._position[home] > high:
                continue
            behind.add(home)
            if len(behind) > MOST_SEARCHED * len(homes):
                return False
            for n in self._later(home):
                if n in homes:
                    return False
                found.append(n)
        region = [n for n in self._sequence[low : high + 1] if n is not None and n not in homes]
        first = min(homes)
        self._members[first] = sorted(n for home in homes for n in self._members[home])
        for n in self._members[first]:
            self._home[n] = first
        ahead = [n for n in region if n not in behind]
        order = [*ahead, first, *(n for n in region if n in behind)]
        self._sequence[low : high + 1] = [*order, *[None] * (high + 1 - low - len(order))]
        self._position.update((n, low + place) for place, n in enumerate(order))
        return True

    def follows(self, one: int, other: int) -> bool:
        """Whether one of two statements, or what it is one with, needs what the other has done."""
        first, second = self._home[one], self._home[other]
        return second in self._later(first) or first in self._later(second)

    def sorted(self) -> list[int]:
        """The statements in their order, those that are one by the first of them."""
        return [n for n in self._sequence if n is not None]

    def members(self, home: int) -> list[int]:
        """The statements that are one with this one, the first of them."""
        return self._members[home]
