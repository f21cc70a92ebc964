"""Which quantity needs which: loops without a delay, and loops that run both ways in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derive.errors import UserError
from derive.system import Equation, System

Offsets = dict[str, set[int]]
STARTS, MOST_SHOWN = 20, 12


def time_offsets(system: System, equation: Equation) -> Offsets:
    """The signals that an equation reads at its own time t, with their offsets (-1 for t-1)."""
    found: Offsets = {}
    axis = equation.quantity.time_axis
    if axis is None:
        return found
    now = equation.indices[axis].symbol
    for term in equation.terms:
        for read in term.reads():
            quantity = system.quantity_of(read)
            if quantity.time_axis is None or quantity.name not in system.definitions:
                continue
            at = read.indices[quantity.time_axis]
            if at.coeff(now) == 1:
                found.setdefault(quantity.name, set()).add(int(at - now))
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


def check_causality(system: System) -> None:
    """Refuse loops that no order of time steps can evaluate, naming the layers on them."""
    offsets = {e.quantity.name: time_offsets(system, e) for e in system.equations}
    instant = {
        name: sorted(need for need, at in needs.items() if 0 in at)
        for name, needs in offsets.items()
    }
    for component in components(instant):
        if len(component) > 1 or component[0] in instant[component[0]]:
            raise _algebraic_loop(system, instant, set(component))
    graph = {name: sorted(needs) for name, needs in offsets.items()}
    for component in components(graph):
        members = set(component)
        inside = {
            d for n in component for need, at in offsets[n].items() if need in members for d in at
        }
        if any(d < 0 for d in inside) and any(d > 0 for d in inside):
            layers = sorted(n for n in component if not system.quantities[n].internal)
            raise UserError(
                f"{' and '.join(layers)} need each other both before and after a step",
                remedy="a loop runs forward or backward in time: let all its delays point one way",
            )


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
