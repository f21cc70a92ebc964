"""Equations as lines of boxes, broken where an author would break them: before a term."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bptt.derive.notation.boxes import BigSum, Box, Fence, Gap, Mark, Row, Script, row, width

WIDTH = 43.0
RELATION = 1.5
INDENT = 1.2


@dataclass(frozen=True)
class Typeset:
    """A formula: its number (or zero), its left side, and the signed terms of its right side."""

    number: int
    left: Box
    terms: tuple[tuple[int, Box], ...]


def room(formulas: Iterable[Typeset], most: float = WIDTH) -> float:
    """The width for right sides, where formulas are aligned at their relations."""
    return most - RELATION - max((width(f.left) for f in formulas), default=0)


def broken(formula: Typeset, most: float) -> tuple[Box, ...]:
    """The right side in lines of at most `most` quads, as far as there are places to break."""
    lines: list[list[Box]] = [[]]
    used = 0.0
    for position, (sign, box) in enumerate(formula.terms):
        if sign < 0:
            lead: list[Box] = [Mark("-")]
        else:
            lead = [Mark("+")] if position else []
        for part in _parts(row(*lead, box), most - INDENT):
            size = width(part)
            if lines[-1] and used + size > most:
                lines.append([])
                used = INDENT
                part = _continued(part)
            lines[-1].append(part)
            used += size
    return tuple(row(*line) for line in lines)


def _continued(part: Box) -> Box:
    """The beginning of a line within a product: a sign says that it goes on."""
    if isinstance(part, Row) and isinstance(part.items[0], Gap):
        return row(Mark("·"), *part.items[1:])
    return part


def _parts(box: Box, most: float) -> Iterator[Box]:
    """The box whole where it fits, else in pieces between which a line may end.

    A product is cut between its factors, parentheses before the terms within them.
    """
    if width(box) <= most:
        yield box
        return
    match box:
        case Row(items):
            groups = list(_groups(items))
            for group in groups:
                yield from _parts(group, most) if len(groups) > 1 else _within(items, most)
        case Fence(inner, "("):
            yield from _enclosed(inner, Mark(")"), most)
        case Script(Fence(inner, "("), None, above):
            yield from _enclosed(inner, Script(Mark(")"), None, above), most)
        case _:
            yield box


def _within(items: Iterable[Box], most: float) -> Iterator[Box]:
    """A group cut within what is wide in it; a function's name stays with its argument."""
    pending: list[Box] = []
    for item in items:
        first, *others = _parts(item, most)
        pending.append(first)
        for piece in others:
            yield row(*pending)
            pending = [piece]
    yield row(*pending)


def _enclosed(inner: Box, closing: Box, most: float) -> Iterator[Box]:
    pieces = list(_parts(inner, most - 1))
    pieces[0] = row(Mark("("), pieces[0])
    pieces[-1] = row(pieces[-1], closing)
    yield from pieces


def _groups(items: Iterable[Box]) -> Iterator[Row]:
    """The terms and factors of a row, each with the sign before it."""
    current: list[Box] = []
    for item in items:
        starts = isinstance(item, Gap) or (isinstance(item, Mark) and item.text in "+-⊙·")
        # A summation sign stays with what it sums.
        if starts and current and not isinstance(current[-1], BigSum):
            yield Row(tuple(current))
            current = []
        current.append(item)
    yield Row(tuple(current))
