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

Which arrays lie together follows from the statements: those that stand at the same place of
statements of one form play one part, and they have the same order in all packs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from bptt.codegen.nodes import ZERO, Affine, Join, Range, Read, Subscript, rewritten
from bptt.codegen.passes.forms import Address, Group, Site, bodies, contracts, groups
from bptt.codegen.passes.order import Order
from bptt.codegen.passes.packs import Layout, Parts, Writers, can_lie, name_of_pack
from bptt.codegen.program import (
    Assign,
    Block,
    Body,
    Function,
    Program,
    Statement,
    assignments,
    root,
)


def stacked(program: Program) -> Program:
    """The program with such statements in one.

    Needs: whole buffers in others at the most. Gives: packs, parameters joined at the start of
    each function that reads them so, and the statements of a body in another order if need be.
    """
    writers = Writers(program)
    found = _found(program, writers)
    while found:
        fit = _fitting(found, writers)
        if fit == found:
            return _Rewriting(writers, fit).program()
        found = fit
    return program


def _found(program: Program, writers: Writers) -> list[Group]:
    """Groups of statements that fit together: contractions first, those in loops before all."""
    every = [g for address, body in bodies(program) for g in groups(address, body, program)]
    every.sort(key=lambda g: (not contracts(g), -len(g.address)))
    parts, found = Parts(), []
    for group in every:
        if not contracts(group):
            # Only what a contraction has brought together draws others to it.
            sites = (s for s in group.sites if not parts.axes.keys().isdisjoint(s.own))
            group = replace(group, sites=tuple(sites))
        if len(group.sites) < 2:
            continue
        axes = {n: a for site in group.sites for n, a in zip(site.own, site.axes, strict=True)}
        if all(can_lie(c, axes, writers) for c in group.columns) and parts.add(group):
            found.append(group)
    return found


def _fitting(groups: Sequence[Group], writers: Writers) -> list[Group]:
    """The groups whose arrays can lie together, one after the other, and whose bodies allow it."""
    layout, program = Layout(writers, groups), writers.program
    found: list[Group] = []
    orders: dict[Address, Order] = {}
    known = dict(bodies(program))
    for group in groups:
        if not layout.fits(group):
            continue
        order = orders.get(group.address)
        if order is None:
            order = orders[group.address] = Order(known[group.address], program.buffers)
        found += [replace(group, sites=run) for run in _runs(group, order) if len(run) > 1]
    return found


def _runs(group: Group, order: Order) -> list[tuple[Site, ...]]:
    """The statements of a group in runs that can be one each: all of them in one, if they can."""
    if order.joined([site.place for site in group.sites]):
        return [group.sites]
    runs: list[tuple[Site, ...]] = []
    for site in group.sites:
        if runs and order.joined([runs[-1][0].place, site.place]):
            runs[-1] = (*runs[-1], site)
        else:
            runs.append((site,))
    return runs


class _Rewriting:
    """A program with the statements of groups in one, and their arrays in packs."""

    def __init__(self, writers: Writers, groups: Sequence[Group]) -> None:
        self._program = program = writers.program
        self._writers = writers
        self._layout = Layout(writers, groups)
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
        pack = self._pack[part] = name_of_pack(names, self._buffers)
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
