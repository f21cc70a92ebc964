"""Where everything in the picture of a network lies, computed once for all ways to draw it.

Data flow from left to right. What closes a cycle runs back below the boxes, in a lane of its own,
from the lower side of its source where nothing stands below that, else around from its right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bptt.derive.drawing.columns import Columns, arrange
from bptt.derive.drawing.geometry import (
    Box,
    Label,
    Layout,
    Point,
    Rectangle,
    Wire,
    line,
    rounded,
    tidy,
    wave,
)
from bptt.derive.drawing.graph import Edge, Graph
from bptt.derive.drawing.placing import (
    LABEL_HEIGHT,
    LOOP_HEIGHT,
    PORT,
    Extent,
    extents,
    label_width,
    lines_of,
)

GAP, LABEL_GAP, STEEP, MOST_GAP = 24.0, 12.0, 0.14, 16.0
TRACK, ARROW, RADIUS = 6.0, 8.0, 7.0
LANE, MARGIN = 8.0, 3.0
PLACES = 9
# How far an edge may leave its line within a column.
DRIFT = 3.0


@dataclass(frozen=True)
class Return:
    """A feedback edge: its boxes, whether it uses their lower sides, and the y of its lane."""

    edge: Edge
    source: int
    target: int
    below_source: bool
    below_target: bool
    lane: float = 0.0


def layout(graph: Graph) -> Layout:
    """The layout of a graph."""
    return _Plan(graph).layout()


class _Plan:
    """The places of boxes, column by column, and the ways of edges between them."""

    def __init__(self, graph: Graph) -> None:
        self.columns: Columns = arrange(graph)
        self.graph = graph
        self.sizes: Sequence[Extent] = extents(self.columns)
        self.y = lines_of(self.columns, self.sizes)
        self.column = {s: c for c, slots in enumerate(self.columns.columns) for s in slots}
        self.number = {node.name: n for n, node in enumerate(graph.nodes)}
        self.returns = self._returns()
        self.spans = self._spans()
        self.boxes = [self._box(n) for n in range(len(graph.nodes))]
        self.returns = self._with_lanes()

    def layout(self) -> Layout:
        """Everything, moved so that its upper left corner is at (0, 0)."""
        wires = [*self._forward(), *self._loops(), *self._feedback()]
        order = {edge: n for n, edge in enumerate(self.graph.edges)}
        return _framed(self.boxes, sorted(wires, key=lambda wire: order[wire.edge]))

    def _box(self, number: int) -> Box:
        left, right = self.spans[self.column[number]]
        width = max(
            self.sizes[n].width
            for n in self.columns.columns[self.column[number]]
            if self.columns.slots[n].node
        )
        size = self.sizes[number]
        return Box((left + right) / 2, self.y[number], width, size.height, self.graph.nodes[number])

    def _returns(self) -> list[Return]:
        """The feedback edges, the shorter ones first: their lanes are the upper ones."""
        lowest = {slots[-1] for slots in self.columns.columns}
        found = []
        for edge in self.columns.feedback:
            source, target = self.number[edge.source], self.number[edge.target]
            found.append(Return(edge, source, target, source in lowest, target in lowest))

        def length(r: Return) -> tuple[int, bool]:
            return self.column[r.source] - self.column[r.target], not r.below_target

        return sorted(found, key=length)

    def _spans(self) -> list[tuple[float, float]]:
        """The left and the right border of every column."""
        steep = [0.0] * len(self.columns.columns)
        for left, right in self.columns.links:
            c = self.column[left]
            steep[c] = max(steep[c], abs(self.y[left] - self.y[right]))
        found: list[tuple[float, float]] = []
        at = 0.0
        for c, slots in enumerate(self.columns.columns):
            if c:
                tight = not (self._holds_boxes(c - 1) and self._holds_boxes(c))
                at += (LABEL_GAP if tight else GAP) + min(STEEP * steep[c - 1], MOST_GAP)
                at += TRACK * (len(self._exits(c - 1)) + len(self._entries(c)))
            width = max(self.sizes[n].width for n in slots)
            found.append((at, at + width))
            at += width
        return found

    def _holds_boxes(self, column: int) -> bool:
        return any(self.columns.slots[n].node for n in self.columns.columns[column])

    def _exits(self, column: int) -> list[Return]:
        """The feedback edges that leave a column by its right side."""
        return [r for r in self.returns if self.column[r.source] == column and not r.below_source]

    def _entries(self, column: int) -> list[Return]:
        """The feedback edges that come into a column by its left side."""
        return [r for r in self.returns if self.column[r.target] == column and not r.below_target]

    def _with_lanes(self) -> list[Return]:
        """The feedback edges with their lanes, below all that lies in the columns they pass."""
        bottom = [
            max(self.y[n] + self.sizes[n].below for n in slots) for slots in self.columns.columns
        ]
        found = []
        for r in self.returns:
            first, last = self.column[r.target], self.column[r.source]
            lane = max(bottom[first : last + 1]) + LANE + (LABEL_HEIGHT if r.edge.label else 0)
            bottom[first : last + 1] = [lane] * (last + 1 - first)
            found.append(replace(r, lane=lane))
        return found

    @cached_property
    def _side_ports(self) -> dict[tuple[Edge, str], float]:
        """The y where each edge leaves the right side of its source and meets its target's left.

        From top to bottom as the ways go on, so that they do not cross; feedback comes last.
        """
        sides: dict[tuple[int, str], list[tuple[float, Edge]]] = {}
        for edge, way in self.columns.ways:
            sides.setdefault((way[0], "out"), []).append((self.y[way[1]], edge))
            sides.setdefault((way[-1], "in"), []).append((self.y[way[-2]], edge))
        for r in self.returns[::-1]:
            if not r.below_source:
                sides.setdefault((r.source, "out"), []).append((float("inf"), r.edge))
            if not r.below_target:
                sides.setdefault((r.target, "in"), []).append((float("inf"), r.edge))
        found = {}
        for (number, side), ends in sides.items():
            ends.sort(key=lambda end: end[0])
            box = self.boxes[number]
            for (_, edge), offset in zip(ends, _spread(len(ends), PORT, box.height), strict=True):
                found[edge, side] = box.y + offset
        return found

    @cached_property
    def _lower_ports(self) -> dict[tuple[Edge, str], float]:
        """The x where feedback edges leave and meet the lower sides of boxes.

        What leaves goes to the left, what comes in is from the right, without crossing.
        """
        sides: dict[int, list[tuple[bool, float, Edge]]] = {}
        for r in self.returns:
            if r.below_source:
                sides.setdefault(r.source, []).append((False, r.lane, r.edge))
            if r.below_target:
                sides.setdefault(r.target, []).append((True, -r.lane, r.edge))
        found = {}
        for number, ends in sides.items():
            ends.sort(key=lambda end: end[:2])
            box = self.boxes[number]
            offsets = _spread(len(ends), 1.5 * PORT, box.width)
            for (comes_in, _, edge), offset in zip(ends, offsets, strict=True):
                found[edge, "in" if comes_in else "out"] = box.x + offset
        return found

    def _forward(self) -> Iterable[Wire]:
        ports = self._side_ports
        for edge, way in self.columns.ways:
            source, target = self.boxes[way[0]], self.boxes[way[-1]]
            start, end = (source.right, ports[edge, "out"]), (target.left, ports[edge, "in"])
            yield Wire(edge, *self._through(edge, way, start, end))

    def _through(
        self, edge: Edge, way: Sequence[int], start: Point, end: Point
    ) -> tuple[tuple[Point, ...], Label | None]:
        """The way of a forward edge through its slots, and its label."""
        label = None
        heights = [start[1], *(self.y[slot] for slot in way[1:-1]), end[1]]
        spans = [self.spans[self.column[slot]] for slot in way]
        at = (spans[0][1], start[1])
        points: list[Point] = [start, *line(start, at)]
        slope = 0.0
        for n, slot in enumerate(way[1:-1], 1):
            (left, right), y = spans[n], heights[n]
            if self.columns.slots[slot].labelled:
                label, after = _label(edge, (left + right) / 2, y), 0.0
            else:
                after = _slope(spans[n - 1 : n + 2], heights[n - 1 : n + 2])
            rise = after * (right - left) / 2
            at, out = (left, y - rise), (right, y + rise)
            points += [*wave(points[-1], at, slope, after), *line(at, out)]
            slope = after
        at = (spans[-1][0], end[1])
        return tidy([*points, *wave(points[-1], at, slope), *line(at, end)]), label

    def _loops(self) -> Iterable[Wire]:
        for edge in self.columns.loops:
            box = self.boxes[self.number[edge.source]]
            high = box.top - LOOP_HEIGHT / 0.75
            points = (
                (box.x + 5, box.top),
                (box.x + 13, high),
                (box.x - 13, high),
                (box.x - 5, box.top),
            )
            yield Wire(edge, points, _label(edge, box.x, box.top - LOOP_HEIGHT))

    def _feedback(self) -> Iterable[Wire]:
        corners = [self._corners(r) for r in self.returns]
        pieces = [tuple(_pieces(way)) for way in corners]
        taken: list[Rectangle] = list(self.boxes)
        for n, r in enumerate(self.returns):
            others = itertools.chain(*pieces[:n], *pieces[n + 1 :])
            things = itertools.chain(taken, others)
            label = _clear_label(r, corners[n], things) if r.edge.label else None
            taken += [label] if label else []
            yield Wire(r.edge, tidy(rounded(corners[n], RADIUS)), label)

    def _corners(self, r: Return) -> list[Point]:
        """The corners of the way of a feedback edge."""
        side, lower = self._side_ports, self._lower_ports
        source, target = self.boxes[r.source], self.boxes[r.target]
        if r.below_source:
            x = lower[r.edge, "out"]
            start = [(x, source.bottom), (x, r.lane)]
        else:
            column = self.column[r.source]
            x = self.spans[column][1] + TRACK * (self._exits(column).index(r) + 1)
            start = [(source.right, side[r.edge, "out"]), (x, side[r.edge, "out"]), (x, r.lane)]
        if r.below_target:
            x = lower[r.edge, "in"]
            return [*start, (x, r.lane), (x, target.bottom)]
        column = self.column[r.target]
        x = self.spans[column][0] - ARROW - TRACK * (self._entries(column).index(r) + 1)
        y = side[r.edge, "in"]
        return [*start, (x, r.lane), (x, y), (target.left, y)]


def _spread(count: int, most: float, room: float) -> list[float]:
    """Offsets of ports from the middle of a side that is `room` long."""
    step = min(most, (room - 8) / max(count - 1, 1))
    return [(n - (count - 1) / 2) * step for n in range(count)]


def _slope(spans: Sequence[tuple[float, float]], heights: Sequence[float]) -> float:
    """How an edge slopes where it passes the middle one of three columns: as little as it may."""
    slopes = [
        (heights[n + 1] - heights[n]) / (sum(spans[n + 1]) / 2 - sum(spans[n]) / 2) for n in (0, 1)
    ]
    if slopes[0] * slopes[1] <= 0:
        return 0.0
    least = min(slopes, key=abs)
    most = 2 * DRIFT / max(spans[1][1] - spans[1][0], DRIFT)
    return max(-most, min(most, least))


def _label(edge: Edge, x: float, y: float) -> Label:
    """A label above its line."""
    return Label(x, y - 1.5 - LABEL_HEIGHT / 2, label_width(edge.label), LABEL_HEIGHT, edge.label)


def _clear_label(r: Return, corners: Sequence[Point], things: Iterable[Rectangle]) -> Label:
    """The label of a feedback edge above its lane, in the middle unless something lies there."""
    first, last = (x for x, y in corners if y == r.lane)
    # The parts of the lane at which it may stand: 0.5, then by turns to both sides of that.
    parts = [0.5 + (n + 1) // 2 * (-1) ** n * 0.8 / (PLACES - 1) for n in range(PLACES)]
    labels = [_label(r.edge, first + part * (last - first), r.lane) for part in parts]
    top, bottom = labels[0].top, labels[0].bottom
    beside = [thing for thing in things if thing.top < bottom and top < thing.bottom]
    return min(labels, key=lambda label: sum(label.meets(thing) for thing in beside))


def _pieces(corners: Sequence[Point]) -> Iterable[Rectangle]:
    """The lines from corner to corner, as thin rectangles."""
    for (x, y), (u, v) in itertools.pairwise(corners):
        yield Rectangle((x + u) / 2, (y + v) / 2, abs(x - u) + 2, abs(y - v) + 2)


def _framed(boxes: Sequence[Box], wires: Sequence[Wire]) -> Layout:
    labels = [wire.label for wire in wires if wire.label]
    corners = [p for o in (*boxes, *labels) for p in ((o.left, o.top), (o.right, o.bottom))]
    corners += [point for wire in wires for point in wire.points]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    dx, dy = MARGIN - min(xs, default=0.0), MARGIN - min(ys, default=0.0)

    def moved(wire: Wire) -> Wire:
        label = wire.label and replace(wire.label, x=wire.label.x + dx, y=wire.label.y + dy)
        return replace(wire, points=tuple((x + dx, y + dy) for x, y in wire.points), label=label)

    return Layout(
        max(xs, default=0.0) + dx + MARGIN,
        max(ys, default=0.0) + dy + MARGIN,
        tuple(replace(box, x=box.x + dx, y=box.y + dy) for box in boxes),
        tuple(moved(wire) for wire in wires),
    )
