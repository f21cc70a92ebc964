"""Boxes, labels and wires on the plane: x to the right, y downward, in points of print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bptt.derive.drawing.graph import Edge, Node

Point = tuple[float, float]

NAME_SIZE, SMALL_SIZE = 10.0, 8.0
NARROW, WIDE = "fijlrt.,:;|'()[] ", "mwMW@\N{MULTIPLICATION SIGN}"
# The control points that make a cubic curve a quarter of a circle.
QUARTER = 0.5523


@dataclass(frozen=True)
class Rectangle:
    """A rectangle by its centre and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    def meets(self, other: Rectangle) -> bool:
        """Whether the two have more than a border in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Box(Rectangle):
    """The box of a node."""

    node: Node


@dataclass(frozen=True)
class Label(Rectangle):
    """The label of an edge."""

    text: str


@dataclass(frozen=True)
class Wire:
    """An edge as a chain of cubic curves: where it starts, then for each its three points."""

    edge: Edge
    points: tuple[Point, ...]
    label: Label | None = None

    def curves(self) -> list[tuple[Point, Point, Point, Point]]:
        """The start, the two control points and the end of each curve."""
        p = self.points
        return [(p[n], p[n + 1], p[n + 2], p[n + 3]) for n in range(0, len(p) - 1, 3)]


@dataclass(frozen=True)
class Layout:
    """A picture of `width` times `height`, its upper left corner at (0, 0)."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a common typeface, rather too much than too little."""
    units = sum(0.36 if c in NARROW else 0.86 if c in WIDE else 0.64 for c in text)
    return size * units


def line(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """What continues a chain from its end `start` with a straight line."""
    return between(start, end, 1 / 3), between(start, end, 2 / 3), end


def wave(
    start: Point, end: Point, leaving: float = 0.0, arriving: float = 0.0
) -> tuple[Point, Point, Point]:
    """What continues a chain with a curve of given slopes at its ends."""
    half = (end[0] - start[0]) / 2
    return (
        (start[0] + half, start[1] + half * leaving),
        (end[0] - half, end[1] - half * arriving),
        end,
    )


def between(start: Point, end: Point, part: float) -> Point:
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def rounded(corners: Sequence[Point], radius: float) -> tuple[Point, ...]:
    """The chain along horizontal and vertical lines, its corners rounded off."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        room = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start = _toward(corner, before, room)
        end = _toward(corner, after, room)
        bend = (between(start, corner, QUARTER), between(end, corner, QUARTER), end)
        points += [*line(points[-1], start), *bend]
    return (*points, *line(points[-1], corners[-1]))


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _toward(start: Point, end: Point, distance: float) -> Point:
    whole = _distance(start, end)
    return between(start, end, distance / whole) if whole else start


def tidy(points: Sequence[Point]) -> tuple[Point, ...]:
    """The chain without curves of no length, and with one line for lines that go straight on."""
    found = [points[0]]
    for n in range(1, len(points), 3):
        first, second, end = points[n : n + 3]
        if _distance(found[-1], end) < 0.01:
            continue
        if (
            len(found) > 3
            and is_straight(*found[-4:])
            and _turns_none(found[-4], *points[n - 1 : n + 3])
        ):
            found[-3:] = line(found[-4], end)
        else:
            found += [first, second, end]
    return tuple(found)


def _turns_none(before: Point, *curve: Point) -> bool:
    return is_straight(*curve) and is_straight(before, *curve[1:])


def is_straight(start: Point, first: Point, second: Point, end: Point) -> bool:
    """Whether a curve is a line: its control points lie on the line between its ends."""
    (x, y), (u, v) = start, end
    return all(abs((a - x) * (v - y) - (b - y) * (u - x)) < 0.01 for a, b in (first, second))
