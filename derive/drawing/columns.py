"""The columns of a picture: which box stands where, and in which order from top to bottom.

A box stands in the column of its rank, the length of the longest way to it. An edge from column
to column passes a slot in each one between, so that it meets no box; an edge with a label between
neighbouring columns gets a column of its own for it. Edges that close a cycle stay out of this.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bptt.derive.drawing.graph import Edge, Graph, Node
from bptt.derive.errors import UserError

SWEEPS = 12
# Boxes, edges within a column and links between columns: more than these nobody can read.
MOST = 2_000


@dataclass(frozen=True)
class Slot:
    """A box in a column, or the place where an edge passes it, with its label or without."""

    node: Node | None = None
    edge: Edge | None = None
    labelled: bool = False


@dataclass(frozen=True)
class Columns:
    """Slots by number, from the left column to the right one, each from top to bottom.

    `links` join slots of neighbouring columns; `ways` has the slots that each forward edge passes
    from its source to its target; `feedback` are the edges that go back, `loops` those that stay.
    """

    slots: tuple[Slot, ...]
    columns: tuple[tuple[int, ...], ...]
    links: tuple[tuple[int, int], ...]
    ways: tuple[tuple[Edge, tuple[int, ...]], ...]
    feedback: tuple[Edge, ...]
    loops: tuple[Edge, ...]


def arrange(graph: Graph) -> Columns:
    """The boxes and edges of a graph in columns, with few crossings.

    Raises UserError where these are more boxes and pieces of edges than a page has room for.
    """
    _check_size(len(graph.nodes) + len(graph.edges))
    loops = tuple(e for e in graph.edges if e.source == e.target)
    forward, feedback = _without_cycles(e for e in graph.edges if e.source != e.target)
    rank = _ranks(graph.nodes, forward)
    # Between the columns of two ranks, at 2r and 2r + 2, there is one for labels where needed.
    place = {name: 2 * r for name, r in rank.items()}
    slots = [Slot(node) for node in graph.nodes]
    column = [place[node.name] for node in graph.nodes]
    number = {node.name: n for n, node in enumerate(graph.nodes)}
    used = {*column, *(_label_place(e, place) for e in forward if e.label)}
    ways = []
    for edge in forward:
        way = [number[edge.source]]
        for position in range(place[edge.source] + 1, place[edge.target]):
            if position in used:
                labelled = bool(edge.label) and position == _label_place(edge, place)
                way.append(len(slots))
                slots.append(Slot(edge=edge, labelled=labelled))
                column.append(position)
        ways.append((edge, (*way, number[edge.target])))
    links = [pair for _, way in ways for pair in itertools.pairwise(way)]
    _check_size(len(slots) + len(links))
    columns = [[n for n, c in enumerate(column) if c == position] for position in sorted(used)]
    ordered = _ordered(columns, links)
    return Columns(tuple(slots), ordered, tuple(links), tuple(ways), feedback, loops)


def _check_size(pieces: int) -> None:
    if pieces > MOST:
        raise UserError(
            f"a picture of the network has more than {MOST} boxes and pieces of edges",
            remedy="larger ones are not drawn",
        )


def _label_place(edge: Edge, place: dict[str, int]) -> int:
    """Where a forward edge has its label: next to its target, among the boxes if it can."""
    first, last = place[edge.source], place[edge.target]
    return last - 1 if last == first + 2 else last - 2


def _without_cycles(edges: Iterable[Edge]) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
    """Edges that make no cycle, and the rest; those of one and the same step come first."""
    forward: list[Edge] = []
    feedback: list[Edge] = []
    targets: dict[str, list[str]] = {}
    for edge in sorted(edges, key=lambda e: not e.same_step):
        if _reaches(targets, edge.target, edge.source):
            feedback.append(edge)
        else:
            forward.append(edge)
            targets.setdefault(edge.source, []).append(edge.target)
    return tuple(forward), tuple(feedback)


def _reaches(targets: dict[str, list[str]], start: str, end: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        fresh = [t for t in targets.get(name, []) if t not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return False


def _ranks(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """The number of edges on the longest way to each node; `edges` make no cycle."""
    rank = {node.name: 0 for node in nodes}
    changed = True
    while changed:
        changed = False
        for edge in edges:
            if rank[edge.target] <= rank[edge.source]:
                rank[edge.target] = rank[edge.source] + 1
                changed = True
    return rank


def _ordered(
    columns: list[list[int]], links: Sequence[tuple[int, int]]
) -> tuple[tuple[int, ...], ...]:
    """The columns in an order with few crossings: by the middle of their neighbours, in sweeps."""
    neighbours: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
    for left, right in links:
        neighbours[0].setdefault(right, []).append(left)
        neighbours[1].setdefault(left, []).append(right)
    best = [list(column) for column in columns]
    fewest = _crossings(best, links)
    for start in (columns, [column[::-1] for column in columns]):
        trial = [list(column) for column in start]
        for sweep in range(SWEEPS):
            backward = sweep % 2
            order = range(len(trial) - 2, -1, -1) if backward else range(1, len(trial))
            for c in order:
                fixed = trial[c + 1] if backward else trial[c - 1]
                trial[c] = _by_barycentre(trial[c], fixed, neighbours[backward])
            _swap(trial, links)
            crossings = _crossings(trial, links)
            if crossings < fewest:
                best, fewest = [list(column) for column in trial], crossings
    return tuple(tuple(column) for column in best)


def _by_barycentre(
    column: list[int], fixed: list[int], neighbours: dict[int, list[int]]
) -> list[int]:
    """A column sorted by the mean place of what each slot is linked to in the column beside it."""
    place = {slot: n / max(len(fixed) - 1, 1) for n, slot in enumerate(fixed)}
    own = {slot: n / max(len(column) - 1, 1) for n, slot in enumerate(column)}

    def middle(slot: int) -> float:
        linked = [place[n] for n in neighbours.get(slot, [])]
        return sum(linked) / len(linked) if linked else own[slot]

    return sorted(column, key=middle)


def _swap(columns: list[list[int]], links: Sequence[tuple[int, int]]) -> None:
    """Exchange neighbours in a column as long as that removes crossings."""
    linked: dict[int, tuple[list[int], list[int]]] = {n: ([], []) for c in columns for n in c}
    for left, right in links:
        linked[left][1].append(right)
        linked[right][0].append(left)
    for _ in range(SWEEPS):
        place = {slot: n for column in columns for n, slot in enumerate(column)}
        changed = False
        for column in columns:
            for n in range(len(column) - 1):
                upper, lower = column[n], column[n + 1]
                if _gain(linked[upper], linked[lower], place) > 0:
                    column[n], column[n + 1] = lower, upper
                    place[upper], place[lower] = n + 1, n
                    changed = True
        if not changed:
            return


def _gain(
    above: tuple[list[int], list[int]], below: tuple[list[int], list[int]], place: dict[int, int]
) -> int:
    """How many crossings fewer there are with what is below above; both by what they link to."""
    gain = 0
    for first, second in zip(above, below, strict=True):
        if first and second:
            ends = sorted(place[slot] for slot in second)
            for slot in first:
                at = place[slot]
                gain += bisect_left(ends, at) + bisect_right(ends, at) - len(ends)
    return gain


def _crossings(columns: list[list[int]], links: Sequence[tuple[int, int]]) -> int:
    """How many pairs of links between the same columns cross."""
    place = {slot: (c, n) for c, column in enumerate(columns) for n, slot in enumerate(column)}
    ends: dict[int, list[tuple[int, int]]] = {}
    for left, right in links:
        ends.setdefault(place[left][0], []).append((place[left][1], place[right][1]))
    found = 0
    for pairs in ends.values():
        # From top to bottom on the left: a link crosses those before it that end below it.
        before: list[int] = []
        for _, end in sorted(pairs):
            found += len(before) - bisect_right(before, end)
            insort(before, end)
    return found
