"""Which quantity needs which, and the time loops that compute those that need each other.

An equation reads a quantity at an interval of offsets from its own step: h[t-1] at [-1, -1], all
steps before its own at [.., -1], a whole axis anywhere. Quantities that need each other run in
one time loop, along one axis of each, forward where every offset is negative or zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sympy as sp

from bptt.derive.calculus.bounds import prune
from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import UserError

STARTS, MOST_SHOWN, MOST_CHOICES = 20, 12, 256


@dataclass(frozen=True)
class Interval:
    """Offsets from `low` to `high`; None where there is no limit."""

    low: int | None
    high: int | None

    @property
    def holds_zero(self) -> bool:
        return (self.low is None or self.low <= 0) and (self.high is None or self.high >= 0)


@dataclass(frozen=True)
class Loop:
    """Quantities that need each other, in the order in which one step computes them.

    `axes` says which axis of each the loop runs along, `size` how long that is.
    """

    names: tuple[str, ...]
    direction: Literal["forward", "backward"]
    axes: Mapping[str, int]
    size: sp.Expr


# The quantities in an order of computation, one by one or in loops.
Order = Callable[[Mapping[str, Equation]], Iterator[str | Loop]]


class LoopError(Exception):
    """No time loop computes these quantities: by which graph of needs, instant or not."""

    def __init__(self, names: set[str], instant: Mapping[str, list[str]] | None) -> None:
        super().__init__(f"no time loop computes {sorted(names)}")
        self.names, self.instant = names, instant


def loops(equations: Mapping[str, Equation]) -> Iterator[str | Loop]:
    """The quantities in an order of computation: one by one, or those of a time loop together.

    Raises LoopError where quantities need each other at the same step, or both before and after.
    """
    graph = {name: sorted(e.needs & equations.keys()) for name, e in equations.items()}
    for component in components(graph):
        first = component[0]
        if len(component) == 1 and first not in graph[first]:
            yield first
        else:
            yield _loop(sorted(component), equations)


def in_one_loop(equations: Mapping[str, Equation]) -> Iterator[str | Loop]:
    """The quantities in an order of computation: all that have steps together, forward in time.

    What has no steps comes before them, or after them if it needs them. Raises LoopError where a
    step needs later ones.
    """
    graph = {name: sorted(e.needs & equations.keys()) for name, e in equations.items()}
    ordered = [name for component in components(graph) for name in component]
    timed = [name for name in ordered if time_axes(equations[name].quantity)]
    late = reached(timed, graph.items()) - {*timed}
    if any(late.intersection(graph[name]) for name in timed):
        raise LoopError(late.union(timed), None)
    yield from (name for name in ordered if name not in late.union(timed))
    if timed:
        loop = _loop(timed, equations)
        if loop.direction != "forward":
            raise LoopError({*timed}, None)
        yield loop
    yield from (name for name in ordered if name in late)


def _loop(members: list[str], equations: Mapping[str, Equation]) -> Loop:
    failure: LoopError | None = None
    for axes, size in _choices(members, equations):
        edges = list(_edges(members, equations, axes))
        needs: dict[str, set[str]] = {name: set() for name in members}
        for name, need, at in edges:
            if at.holds_zero:
                needs[name].add(need)
        instant = {name: sorted(found) for name, found in needs.items()}
        groups = components(instant)
        if any(len(g) > 1 or g[0] in instant[g[0]] for g in groups):
            failure = failure or LoopError(set(members), instant)
            continue
        ordered = tuple(name for group in groups for name in group)
        if all(at.high is not None and at.high <= 0 for _, _, at in edges):
            return Loop(ordered, "forward", axes, size)
        if all(at.low is not None and at.low >= 0 for _, _, at in edges):
            return Loop(ordered, "backward", axes, size)
        failure = LoopError(set(members), None)
    raise failure or LoopError(set(members), dict.fromkeys(members, members))


def _choices(
    members: list[str], equations: Mapping[str, Equation]
) -> Iterator[tuple[dict[str, int], sp.Expr]]:
    """Ways to choose an axis of each member, all of one length.

    Those first that follow from an axis of one member by the indices that the others are read at;
    then the first axis of each, the last, and any.
    """
    axes = {n: time_axes(equations[n].quantity) for n in members}
    sizes = dict.fromkeys(size for found in axes.values() for size in found.values())
    for size in sizes:
        fitting = {n: [p for p, s in found.items() if s == size] for n, found in axes.items()}
        if not all(fitting.values()):
            continue
        yield {n: found[0] for n, found in fitting.items()}, size
        for position in fitting[members[0]]:
            found = _followed(members[0], position, equations, fitting)
            if found is not None:
                yield found, size
        if any(len(found) > 1 for found in fitting.values()):
            yield {n: found[-1] for n, found in fitting.items()}, size
            every = itertools.product(*fitting.values())
            for choice in itertools.islice(every, MOST_CHOICES):
                yield dict(zip(members, choice, strict=True)), size


def _followed(
    member: str, position: int, equations: Mapping[str, Equation], fitting: Mapping[str, list[int]]
) -> dict[str, int] | None:
    """The axes that others have where one has this: those with its index, shifted perhaps."""
    found = {member: position}
    grown = -1
    while grown != (grown := len(found)):
        for name in fitting:
            indices = equations[name].indices
            for term in equations[name].terms:
                for read in term.reads():
                    need = name_of(read)
                    if need not in fitting or need == name:
                        continue
                    if name in found and need not in found:
                        now = indices[found[name]].symbol
                        at = [p for p in fitting[need] if (read.indices[p] - now).is_Integer]
                        found.update([(need, p) for p in at[:1]])
                    elif need in found and name not in found:
                        step = read.indices[found[need]]
                        own = [p for p in fitting[name] if (step - indices[p].symbol).is_Integer]
                        found.update([(name, p) for p in own[:1]])
    return found if found.keys() == fitting.keys() else None


def time_axes(quantity: Quantity) -> dict[int, sp.Expr]:
    """The positions of the time axes, with their lengths."""
    return {p: axis.size for p, axis in enumerate(quantity.axes) if axis.kind == "time"}


def _edges(
    members: list[str], equations: Mapping[str, Equation], axes: Mapping[str, int]
) -> Iterator[tuple[str, str, Interval]]:
    for name in members:
        equation = equations[name]
        now = equation.indices[axes[name]].symbol
        for term in equation.terms:
            for read in term.reads():
                need = name_of(read)
                if need in axes:
                    yield name, need, interval(read.indices[axes[need]], now, term)


def interval(at: sp.Expr, now: sp.Symbol, term: Term) -> Interval:
    """The offsets from `now` at which a term reads, `at` being the subscript in time."""
    offset = sp.expand(at - now)
    if offset.is_Integer:
        return Interval(int(offset), int(offset))
    lows, highs = [], []
    for bound in (*term.bounds, *term.equals, *(-e for e in term.equals)):
        below, above = sp.expand(offset - bound), sp.expand(offset + bound)
        if below.is_Integer:
            lows.append(int(below))
        if above.is_Integer:
            highs.append(int(above))
    return Interval(max(lows, default=None), min(highs, default=None))


def reached(start: Iterable[str], needs: Iterable[tuple[str, Iterable[str]]]) -> set[str]:
    """What has a need in `start`, or in what is reached so; `needs` are names with their needs."""
    readers: dict[str, list[str]] = {}
    for name, needed in needs:
        for need in needed:
            readers.setdefault(need, []).append(name)
    todo = list(start)
    found = set(todo)
    while todo:
        more = [name for name in readers.get(todo.pop(), ()) if name not in found]
        found.update(more)
        todo += more
    return found


def components(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Strongly connected components, each after those that it needs (Tarjan, without recursion).

    `graph` maps every node to the nodes that it needs.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in graph:
        if root in order:
            continue
        work = [(root, iter(graph[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, needs = work[-1]
            for need in needs:
                if need not in order:
                    order[need] = low[need] = len(order)
                    stack.append(need)
                    on_stack.add(need)
                    work.append((need, iter(graph[need])))
                    break
                if need in on_stack:
                    low[node] = min(low[node], order[need])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == order[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    found.append(component)
    return found


def causal(system: System) -> System:
    """The system; if no time loop computes it, with the signals on loops where they are read alone.

    What is read under `s < t` alone is then zero elsewhere, and needs nothing that is later.
    Outputs are read everywhere. Raises UserError for loops that no order of time steps can
    evaluate, naming the layers on them.
    """
    try:
        return ordered(system, loops)
    except LoopError as failure:
        raise _refusal(system, failure) from None


def ordered(system: System, order: Order) -> System:
    """The system, with signals where they are read alone if no such order computes it otherwise.

    These are the signals that need each other, and no others. Raises LoopError where no order
    computes them so either.
    """
    first = failure = _failure(system, order)
    for _ in system.equations:
        if failure is None:
            break
        narrowed = _narrowed(system, failure.names)
        if narrowed is system:
            break
        system = narrowed
        failure = _failure(system, order)
    if first is not None and failure is not None:
        raise first
    return system


def is_computable(system: System) -> bool:
    """Whether its quantities can be computed one after another, or step by step."""
    return _failure(system, loops) is None


def _failure(system: System, order: Order) -> LoopError | None:
    try:
        for _ in order(system.definitions):
            pass
    except LoopError as error:
        return error
    return None


def _refusal(system: System, failure: LoopError) -> UserError:
    if failure.instant is not None:
        return _algebraic_loop(system, failure.instant, failure.names)
    layers = sorted(n for n in failure.names if not system.quantities[n].internal)
    return UserError(
        f"{' and '.join(layers)} need each other both before and after a step",
        remedy="a loop runs forward or backward in time: let all its delays point one way",
    )


def _narrowed(system: System, names: Container[str]) -> System:
    """The system with the conditions that all readers of a signal share on its own terms.

    So it is with the signals of these names.
    """
    shared: dict[str, list[sp.Expr]] = {name: [] for name in system.outputs}
    for equation in system.equations:
        for term in equation.terms:
            for read in term.reads():
                bounds = _conditions(term, read, system.quantity_of(read))
                name = name_of(read)
                shared[name] = _weakest(shared[name], bounds) if name in shared else bounds
    equations = tuple(
        replace(e, terms=tuple(_under(e, m, shared.get(e.quantity.name, ())) for m in e.terms))
        if e.quantity.name in names
        else e
        for e in system.equations
    )
    return system if equations == system.equations else replace(system, equations=equations)


def _conditions(term: Term, read: sp.Indexed, quantity: Quantity) -> list[sp.Expr]:
    """The bounds of a term in the steps of what it reads, in the letters of its own equation."""
    places: dict[sp.Symbol, sp.Expr] = {}
    indices = quantity.canonical_indices()
    for position in time_axes(quantity):
        at = read.indices[position]
        index = next((s for s in at.free_symbols if at.coeff(s) == 1), None)
        if index is not None and (at - index).is_Integer and index not in places:
            places[index] = indices[position].symbol - (at - index)
    return [
        sp.expand(bound.xreplace(places))
        for bound in term.bounds
        if places.keys() >= {s for s in bound.free_symbols if not s.is_positive}
    ]


def _weakest(some: list[sp.Expr], others: list[sp.Expr]) -> list[sp.Expr]:
    """The bounds that hold wherever some do or the others do."""
    pairs = ((a, b, sp.expand(a - b)) for a in some for b in others)
    return [a if gap >= 0 else b for a, b, gap in pairs if gap.is_Integer]


def _under(equation: Equation, term: Term, bounds: Iterable[sp.Expr]) -> Term:
    return replace(term, bounds=prune((*term.bounds, *bounds), equation.box(term)))


def _algebraic_loop(
    system: System, instant: Mapping[str, list[str]], members: set[str]
) -> UserError:
    """The error for a loop of total delay zero: its shortest round, and where to put a delay."""
    cycle = _shortest_cycle(instant, members)
    shown = [name for name in cycle if not system.quantities[name].internal] or cycle
    # `instant` points from a signal to what it needs: reverse it to read along the connections.
    path = shown[::-1]
    start = path.index(min(path))
    path = path[start:] + path[:start]
    source, target = path[-1], path[0]
    around = [*path, path[0]]
    if len(around) > MOST_SHOWN:
        around = [*around[: MOST_SHOWN // 2], "...", *around[-MOST_SHOWN // 2 :]]
    return UserError(
        f"the loop {' -> '.join(around)} has no delay",
        remedy=f"give a connection on it a delay of 1 or more, such as {source} -> {target}",
    )


def _shortest_cycle(graph: Mapping[str, list[str]], members: set[str]) -> list[str]:
    """The shortest round through one of the first few members, by breadth-first search."""
    best: list[str] = []
    for start in sorted(members)[:STARTS]:
        came_from = {start: ""}
        frontier, last = [start], ""
        while frontier and not last:
            reached = []
            for node in frontier:
                for need in graph[node]:
                    if need == start:
                        last = node
                    elif need in members and need not in came_from:
                        came_from[need] = node
                        reached.append(need)
            frontier = reached
        cycle = []
        while last:
            cycle.append(last)
            last = came_from[last]
        if not best or len(cycle) < len(best):
            best = cycle
    return best[::-1]
