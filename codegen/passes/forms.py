"""Statements of one form: what is alike in them, and the arrays in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bptt.codegen.nodes import (
    ZERO,
    Contract,
    Join,
    Place,
    Read,
    Reduce,
    Subscript,
    Where,
    indices,
    rewritten,
    walk,
)
from bptt.codegen.program import Assign, Body, Buffer, Program, root

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


def bodies(program: Program) -> Iterator[tuple[Address, Body]]:
    def inner(address: Address, body: Body) -> Iterator[tuple[Address, Body]]:
        yield address, body
        for place, statement in enumerate(body):
            if not isinstance(statement, Assign):
                yield from inner((*address, place), statement.body)

    for place, function in enumerate(program.functions):
        yield from inner((place,), function.body)


def contracts(group: Group) -> bool:
    """Whether the statements have a product of two arrays summed."""
    value = group.sites[0].assign.value
    return any(isinstance(n, Contract) and len(n.operands) > 1 for n in walk(value))


def groups(address: Address, body: Body, program: Program) -> Iterator[Group]:
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
        fits = fits and (not is_last or at == [*range(at[0], len(subscripts))])
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
