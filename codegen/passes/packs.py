"""Packs: which arrays lie one after the other, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence

from bptt.codegen.passes.forms import Axes, Group, Site
from bptt.codegen.program import Program, assignments
from bptt.derive.calculus.quantity import unused
from bptt.derive.description.network import is_free_name


class Classes:
    """Names in classes, which can be made one."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}

    def united(self, classes: Iterable[Sequence[str]]) -> dict[str, str]:
        """For each class that some names are in, by its name: the class that all these become."""
        found: dict[str, str] = {}

        def home(name: str) -> str:
            name = found.setdefault(self.of.get(name, name), self.of.get(name, name))
            while found[name] != name:
                name = found[name]
            return name

        for names in classes:
            first = home(names[0])
            for name in names[1:]:
                found[home(name)] = first
        return {name: home(name) for name in found}

    def names(self, classes: Iterable[str]) -> list[str]:
        """All names in some classes."""
        return [name for known in classes for name in self._names.get(known, [known])]

    def unite(self, found: Mapping[str, str]) -> None:
        """Make classes one, as `united` says."""
        for old, new in found.items():
            names = self._names.pop(old, [old])
            self._names.setdefault(new, []).extend(names)
            self.of.update(dict.fromkeys(names, new))


class Parts:
    """Which arrays play one part (stand in one pack), and which belong to one member of it."""

    def __init__(self) -> None:
        self.part = Classes()
        self.member = Classes()
        self.axes: dict[str, Axes] = {}

    def add(self, group: Group) -> bool:
        """Add the parts of a group, if they fit: of a member there is one array in each pack."""
        axes = dict[str, Axes]()
        for site in group.sites:
            for name, found in zip(site.own, site.axes, strict=True):
                if axes.setdefault(name, self.axes.get(name, found)) != found:
                    return False
        part = self.part.united(group.columns)
        member = self.member.united(site.own for site in group.sites)
        names = dict.fromkeys([*self.part.names(part), *self.member.names(member), *axes])
        places = set()
        for name in names:
            own = self.part.of.get(name, name), self.member.of.get(name, name)
            places.add((part.get(own[0], own[0]), member.get(own[1], own[1])))
        if len(places) < len(names):
            return False
        self.part.unite(part)
        self.member.unite(member)
        self.axes.update(axes)
        return True


class Writers:
    """Which functions of a program write each buffer, by their places."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._of: dict[str, list[int]] = {}
        for place, function in enumerate(program.functions):
            for name in dict.fromkeys(a.target.name for a in assignments(function.body)):
                self._of.setdefault(name, []).append(place)

    def of(self, name: str) -> list[int]:
        """The functions that write a buffer; none writes what is given."""
        return self._of.get(name, [])


def can_lie(names: Sequence[str], axes: Mapping[str, Axes], known: Writers) -> bool:
    """Whether arrays can lie one after the other: of one shape otherwise, and ours to place."""
    rest, program = set(), known.program
    for name in names:
        buffer, (axis, count) = program.buffers[name], axes[name]
        kinds, lengths = buffer.kinds, buffer.lengths
        around = (kinds[:axis], lengths[:axis], kinds[axis + count :], lengths[axis + count :])
        rest.add((*around, axis, buffer.before, buffer.padded, buffer.window))
    writers = [place for name in names for place in known.of(name)]
    made = len(writers) == len(names) and len(set(writers)) == 1
    if made:
        function = program.functions[writers[0]]
        fixed = {*function.takes, *function.allocates}
        made = fixed.isdisjoint(names) and program.buffers[names[0]].window is None
    # What is given is joined along one axis of each.
    given = not writers and all(
        set(program.buffers[n].kinds) == {"feature"} and axes[n][1] == 1 for n in names
    )
    return len(rest) == 1 and (given or made)


class Layout:
    """The packs that groups need: which arrays, in which order, and where each starts."""

    def __init__(self, writers: Writers, groups: Sequence[Group]) -> None:
        parts = Parts()
        for group in groups:
            parts.add(group)
        self._part, member = parts.part.of, parts.member.of
        within: dict[str, dict[int, None]] = {}
        for number, group in enumerate(groups):
            for site in group.sites:
                within.setdefault(member[site.own[0]], {})[number] = None
        # Members of the first groups come first, and those of the same groups stand together.
        last = len(groups)
        order = sorted(within, key=lambda m: (*within[m], last))
        places = {m: n for n, m in enumerate(order)}
        found: dict[str, list[str]] = {}
        for name in sorted(self._part, key=lambda n: places[member[n]]):
            found.setdefault(self._part[name], []).append(name)
        self.packs = {part: tuple(names) for part, names in found.items()}
        self.axes = parts.axes
        self._place = {n: place for names in found.values() for place, n in enumerate(names)}
        self._bad = {
            part for part, names in self.packs.items() if not can_lie(names, self.axes, writers)
        }

    def fits(self, group: Group) -> bool:
        """Whether the arrays of a group stand one after the other in their packs."""
        return all(self._adjoin(column) for column in group.columns)

    def _adjoin(self, column: Sequence[str]) -> bool:
        part = self._part[column[0]]
        places = sorted(self._place[name] for name in column)
        return part not in self._bad and places == list(range(places[0], places[-1] + 1))

    def sorted(self, group: Group) -> list[Site]:
        """The statements of a group in the order of their arrays."""
        return sorted(group.sites, key=lambda site: self._place[site.own[0]])

    def part_of(self, name: str) -> str:
        return self._part[name]


def name_of_pack(names: Sequence[str], taken: Container[str]) -> str:
    """What is common to some names: n_memory of n_i_memory and n_f_memory."""
    words = [name.split("_") for name in names]
    start, end = _common(words), _common([w[::-1] for w in words])[::-1]
    if len(start) + len(end) > min(map(len, words)):
        end = []
    name = "_".join([*start, *end])
    if is_free_name(name) and name not in taken:
        return name
    return unused(f"stacked_{names[0]}", taken)


def _common(words: Sequence[Sequence[str]]) -> list[str]:
    """What some lists begin with, all of them."""
    same = itertools.takewhile(lambda at: len(set(at)) == 1, zip(*words, strict=False))
    return [word for word, *_ in same]
