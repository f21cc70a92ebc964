"""Statements of one form that share an operand become one, over arrays one after the other.

    n_i[t,b,i] += sum_j U_i[i,j]*h[t-1,b,j]
    n_f[t,b,i] += sum_j U_f[i,j]*h[t-1,b,j]      is      n[t,b,i] += sum_j U[i,j]*h[t-1,b,j]

where n_i and n_f lie one after the other in n, and U_i and U_f in U. So do sums of such products,

    d_h[t,b,j] += sum_i d_n_i[t+1,b,i]*U_i[i,j]
    d_h[t,b,j] += sum_i d_n_f[t+1,b,i]*U_f[i,j]

what is pointwise, where its arrays lie so already, and sums whose last indices stand in one factor
alone: the sensitivities by all parameters are one recursion, each parameter's elements in a row.

    y_by_W[t,b,i,j,k] += sum_l A[t,b,i,l]*y_by_W[t-1,b,l,j,k]
    y_by_b[t,b,i,j] += sum_k A[t,b,i,k]*y_by_b[t-1,b,k,j]

Which arrays lie together follows from the
statements: those that stand at the same place of statements of one form play one part, and in what
plays it they have the same order everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Contract,
    Join,
    Place,
    Range,
    Read,
    Reduce,
    Subscript,
    Where,
    indices,
    rewritten,
    walk,
)
from bptt.codegen.passes.order import Order
from bptt.codegen.program import (
    Assign,
    Block,
    Body,
    Buffer,
    Function,
    Program,
    Statement,
    assignments,
    root,
)
from bptt.derive.calculus.quantity import unused
from bptt.derive.description.network import is_free_name

# Where a body stands: the function's place, and the places of loops and guards within.
Address = tuple[int, ...]
# A statement without some names, and these names.
Form = tuple[tuple[object, ...], tuple[str, ...]]
# Where an array has the indices that it is stacked along: from which axis on, and how many.
Axes = tuple[int, int]


@dataclass(frozen=True)
class Site:
    """A statement of a body, the indices that it can be stacked along, and the arrays with them.

    `own` are these arrays, in the order in which the statement mentions them, its target first.
    Of several indices all arrays have them last and in this order, and they become one. `axes` says
    where each array has them.
    """

    place: int
    assign: Assign
    along: tuple[str, ...]
    own: tuple[str, ...]
    axes: tuple[Axes, ...]


@dataclass(frozen=True)
class Group:
    """Statements of one form in one body."""

    address: Address
    sites: tuple[Site, ...]

    @property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """The arrays that stand at each place of the form, one for each statement."""
        return tuple(zip(*(site.own for site in self.sites), strict=True))


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


def stacked(program: Program) -> Program:
    """The program with such statements in one.

    Needs: whole buffers in others at the most. Gives: packs, parameters joined at the start of
    each function that reads them so, and the statements of a body in another order if need be.
    """
    writers = Writers(program)
    groups = _found(program, writers)
    while groups:
        fit = _fitting(groups, writers)
        if fit == groups:
            return _Rewriting(writers, fit).program()
        groups = fit
    return program


def _found(program: Program, writers: Writers) -> list[Group]:
    """Groups of statements that fit together: contractions first, those in loops before all."""
    every = [g for address, body in _bodies(program) for g in _groups(address, body, program)]
    every.sort(key=lambda g: (not _contracts(g), -len(g.address)))
    parts, found = Parts(), []
    for group in every:
        if not _contracts(group):
            # Only what a contraction has brought together draws others to it.
            sites = (s for s in group.sites if not parts.axes.keys().isdisjoint(s.own))
            group = replace(group, sites=tuple(sites))
        if len(group.sites) < 2:
            continue
        axes = {n: a for site in group.sites for n, a in zip(site.own, site.axes, strict=True)}
        if all(_can_lie(c, axes, writers) for c in group.columns) and parts.add(group):
            found.append(group)
    return found


def _bodies(program: Program) -> Iterator[tuple[Address, Body]]:
    def inner(address: Address, body: Body) -> Iterator[tuple[Address, Body]]:
        yield address, body
        for place, statement in enumerate(body):
            if not isinstance(statement, Assign):
                yield from inner((*address, place), statement.body)

    for place, function in enumerate(program.functions):
        yield from inner((place,), function.body)


def _contracts(group: Group) -> bool:
    """Whether the statements have a product of two arrays summed."""
    value = group.sites[0].assign.value
    return any(isinstance(n, Contract) and len(n.operands) > 1 for n in walk(value))


def _groups(address: Address, body: Body, program: Program) -> Iterator[Group]:
    """The statements of a body by their form, along each index that they may be stacked along."""
    found: dict[tuple[object, ...], list[Site]] = {}
    for place, statement in enumerate(body):
        if isinstance(statement, Assign):
            for along, is_last, (form, own) in _forms(statement, program.buffers):
                key = () if is_last else along
                axes = _axes(statement, along)
                site = Site(place, statement, along, own, axes)
                found.setdefault((key, form), []).append(site)
    for sites in found.values():
        group = Group(address, tuple(sites))
        if len(sites) > 1 and all(len(set(c)) == len(c) for c in group.columns):
            yield group


def _axes(assign: Assign, along: tuple[str, ...]) -> tuple[Axes, ...]:
    """Where the arrays of a statement have some indices, of those that have them."""
    places = (
        [p for p, s in enumerate(read.subscripts) if s.index in along]
        for read in (assign.target, *assign.reads)
    )
    return tuple((at[0], len(at)) for at in places if at)


def _can_lie(names: Sequence[str], axes: Mapping[str, Axes], known: Writers) -> bool:
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
    given = not writers and all(set(program.buffers[n].kinds) == {"feature"} for n in names)
    return len(rest) == 1 and (given or made)


def _forms(
    assign: Assign, buffers: Mapping[str, Buffer]
) -> Iterator[tuple[tuple[str, ...], bool, Form]]:
    """The forms of a statement, along which indices, and whether all arrays have these last.

    As many of the last ones of a target that is a sum as have a form; any other index of the target
    or of its sums, wherever it stands.
    """
    if any(isinstance(n, Where | Reduce | Place | Join) for n in walk(assign.value)):
        return
    whole = [r.name for r in assign.ranges if r.kind == "feature" and r.is_full]
    labels = [s.index for s in assign.target.subscripts]
    taken: tuple[str, ...] = ()
    for count in range(len(labels) - 1, 0, -1) if isinstance(assign.value, Contract) else ():
        last = tuple(name for name in labels[-count:] if name in whole)
        form = _form(assign, last, True, buffers) if len(set(last)) == count else None
        if form is not None and form[1]:
            taken = last
            yield last, True, form
            break
    for name in whole:
        form = _form(assign, (name,), False, buffers) if name not in taken else None
        if form is not None and form[1]:
            yield (name,), False, form


def _form(
    assign: Assign, along: tuple[str, ...], is_last: bool, buffers: Mapping[str, Buffer]
) -> Form:
    """A statement without the names of the arrays that have some indices, and these names.

    There are no names where the indices are used in a way that cannot be stacked.
    """
    own: list[str] = []
    fits = True

    def form(read: Read) -> Read:
        nonlocal fits
        at = [p for p, s in enumerate(read.subscripts) if s.index in along]
        name = root(read.name, buffers).buffer
        if not at:
            return replace(read, name=name, subscripts=renamed(read.subscripts))
        lengths, subscripts = buffers[read.name].lengths, read.subscripts
        fits = fits and tuple(subscripts[p].index for p in at) == along
        fits = fits and all(subscripts[p].offset == ZERO for p in at)
        fits = fits and all(lengths[p] == spans[n].length for p, n in zip(at, along, strict=False))
        fits = fits and (not is_last or at[-1] == len(subscripts) - 1)
        own.append(name)
        if is_last:
            return Read("#", renamed(subscripts[: at[0]]))
        return Read(f"# {len(buffers[name].lengths)}", renamed(subscripts))

    def renamed(subscripts: tuple[Subscript, ...]) -> tuple[Subscript, ...]:
        """The subscripts with the letters of sums by their order, whatever others there are."""
        return tuple(replace(s, index=letters.get(s.index or "", s.index)) for s in subscripts)

    spans = {r.name: r for r in assign.ranges}
    sums = [n for n in walk(assign.value) if isinstance(n, Contract)]
    over = [name for n in sums for name in n.over]
    letters = {n: f"sum {p}" for p, n in enumerate(over)} if is_last else {}
    target = form(assign.target)
    value = rewritten(assign.value, form)
    if is_last and isinstance(value, Contract):
        value = replace(value, over=tuple(letters[n] for n in value.over))
    inner = [n for n in sums if not set(n.over).isdisjoint(along)]
    is_outside = not set(along) <= indices(assign.target)
    if is_outside and (len(inner) != 1 or assign.value != inner[0]):
        fits = False
    if not is_outside and (inner or not set(along) <= indices(assign.value)):
        fits = False
    # What is summed may be the first of several sums.
    operator = "+=" if is_outside else assign.operator
    ranges = tuple(
        replace(r, name=letters.get(r.name, r.name)) for r in assign.ranges if r.name not in along
    )
    ranges = tuple(sorted(ranges, key=lambda r: r.name)) if is_last else ranges
    return (operator, target, value, ranges), tuple(own) if fits else ()


def _fitting(groups: Sequence[Group], writers: Writers) -> list[Group]:
    """The groups whose arrays can lie together, one after the other, and whose bodies allow it."""
    layout, program = _Layout(writers, groups), writers.program
    found: list[Group] = []
    bodies: dict[Address, Order] = {}
    known = dict(_bodies(program))
    for group in groups:
        if not layout.fits(group):
            continue
        order = bodies.get(group.address)
        if order is None:
            order = bodies[group.address] = Order(known[group.address], program.buffers)
        kept = _joined(group, order)
        if len(kept) > 1:
            found.append(replace(group, sites=kept))
    return found


def _joined(group: Group, order: Order) -> tuple[Site, ...]:
    """The statements of a group that can be one: all, or as many as their order allows."""
    if order.joined([site.place for site in group.sites]):
        return group.sites
    (first, *others) = group.sites
    kept = [first]
    for site in others:
        if order.joined([first.place, site.place]):
            kept.append(site)
    return tuple(kept)


class _Layout:
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
            part for part, names in self.packs.items() if not _can_lie(names, self.axes, writers)
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


class _Rewriting:
    """A program with the statements of groups in one, and their arrays in packs."""

    def __init__(self, writers: Writers, groups: Sequence[Group]) -> None:
        self._program = program = writers.program
        self._writers = writers
        self._layout = _Layout(writers, groups)
        self._groups: dict[Address, list[Group]] = {}
        for group in groups:
            self._groups.setdefault(group.address, []).append(group)
        self._buffers = dict(program.buffers)
        self._pack: dict[str, str] = {}
        self._start: dict[str, int] = {}
        for part, names in self._layout.packs.items():
            self._add(part, names)

    def _add(self, part: str, names: Sequence[str]) -> None:
        axis, count = self._layout.axes[names[0]]
        first = self._buffers[names[0]]
        total = 0
        pack = self._pack[part] = _name(names, self._buffers)
        for name in names:
            buffer, (_, own) = self._buffers[name], self._layout.axes[name]
            self._start[name] = total
            if self._writers.of(name):
                self._buffers[name] = replace(buffer, alias=Block(pack, axis, total))
            lengths = buffer.lengths[axis : axis + own]
            total += prod(length.constant for length in lengths if length is not None)
        kinds = (*first.kinds[: axis + 1], *first.kinds[axis + count :])
        whole = (*first.lengths[:axis], Affine(total), *first.lengths[axis + count :])
        self._buffers[pack] = replace(first, name=pack, kinds=kinds, lengths=whole, alias=None)

    def program(self) -> Program:
        bodies = [self._body((place,), f.body) for place, f in enumerate(self._program.functions)]
        found: list[Function] = []
        known = {pack: self._layout.packs[part] for part, pack in self._pack.items()}
        needs = [self._mentioned(body) for body in bodies]
        for place, (function, body) in enumerate(zip(self._program.functions, bodies, strict=True)):
            made = {p for p in known if place in self._writers.of(known[p][0])}
            packs = [p for p in known if p in needs[place] or p in made]
            joined = [p for p in packs if not self._writers.of(known[p][0])]
            needed = needs[place].union(*(known[p] for p in joined))
            takes = [n for n in function.takes if n in needed]
            takes += [n for p in joined for n in known[p] if n not in takes]
            takes += [p for p in packs if p not in made and p not in joined]
            body = (*(self._join(p, known[p]) for p in joined), *body)
            gives = (*function.gives, *(p for p in packs if p in made))
            found.append(replace(function, takes=tuple(takes), gives=gives, body=body))
        return replace(
            self._program,
            buffers=self._buffers,
            functions=tuple(_trimmed(found, self._program.results)),
        )

    @staticmethod
    def _mentioned(body: Body) -> set[str]:
        return {r.name for a in assignments(body) for r in (a.target, *a.reads)}

    def _join(self, name: str, names: Sequence[str]) -> Assign:
        """The parameters of a pack, one after the other."""
        pack, (axis, _) = self._buffers[name], self._layout.axes[names[0]]
        letters = [f"i{n}" for n in range(len(pack.lengths))]
        subscripts = tuple(Subscript(letter, ZERO) for letter in letters)
        ranges = []
        for letter, kind, length in zip(letters, pack.kinds, pack.lengths, strict=True):
            assert length is not None
            ranges.append(Range(letter, kind, length, (ZERO,), (length,)))
        lengths = [self._buffers[n].lengths[axis] for n in names]
        value = Join(
            tuple(Read(n, subscripts) for n in names),
            tuple(n.constant for n in lengths if n is not None),
            letters[axis],
        )
        return Assign((), Read(pack.name, subscripts), "=", value, tuple(ranges))

    def _body(self, address: Address, body: Body) -> Body:
        statements: dict[int, Statement] = {}
        for place, statement in enumerate(body):
            if not isinstance(statement, Assign):
                statement = replace(statement, body=self._body((*address, place), statement.body))
            statements[place] = statement
        groups = self._groups.get(address, ())
        if not groups:
            return tuple(statements.values())
        order = Order(body, self._program.buffers)
        for group in groups:
            places = [site.place for site in group.sites]
            order.joined(places)
            statements[min(places)] = self._one(group)
        return tuple(statements[place] for place in order.sorted())

    def _one(self, group: Group) -> Assign:
        """The statements of a group as one."""
        sites = self._layout.sorted(group)
        (first, *_) = sites
        (letter, *others) = first.along
        total = Affine(0)
        for site in sites:
            spans = (r.length for r in site.assign.ranges if r.name in site.along)
            total += prod(length.constant for length in spans if length is not None)

        def pack(read: Read) -> Read:
            if all(s.index != letter for s in read.subscripts):
                return read
            own = root(read.name, self._program.buffers).buffer
            start = self._start[own]
            moved = tuple(
                replace(s, offset=s.offset + start) if s.index == letter else s
                for s in read.subscripts
                if s.index not in others
            )
            return Read(self._pack[self._layout.part_of(own)], moved)

        ranges = tuple(
            replace(r, length=total, stops=(total,)) if r.name == letter else r
            for r in first.assign.ranges
            if r.name not in others
        )
        operators = {s.assign.operator for s in sites}
        return replace(
            first.assign,
            operator="=" if "=" in operators else "+=",
            numbers=tuple(sorted({n for s in sites for n in s.assign.numbers})),
            target=pack(first.assign.target),
            value=rewritten(first.assign.value, pack),
            ranges=ranges,
        )


def _trimmed(functions: Sequence[Function], results: frozenset[str]) -> Iterator[Function]:
    """Functions that give only what others take, or the user sees."""
    for place, function in enumerate(functions):
        later = results.union(*(f.takes for f in functions[place + 1 :]))
        yield replace(function, gives=tuple(n for n in function.gives if n in later))


def _name(names: Sequence[str], taken: Container[str]) -> str:
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
