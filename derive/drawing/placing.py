"""How large slots are, and where they lie: columns beside each other, slots below each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bptt.derive.drawing.columns import Columns, Slot
from bptt.derive.drawing.geometry import NAME_SIZE, SMALL_SIZE, text_width

LABEL_HEIGHT, LABEL_PAD = 9.0, 4.0
BOX_HEIGHT, BOX_PAD, PORT = 28.0, 11.0, 6.0
LOOP_HEIGHT = 13.0
BETWEEN_BOXES, BETWEEN_EDGES = 14.0, 8.0
SWEEPS = 200
# How much more an edge pulls that has company at neither end.
ALONE = 20.0


@dataclass(frozen=True)
class Extent:
    """How far a slot reaches above and below its line, and how wide it is.

    `height` is that of the box alone, without the loops above it.
    """

    above: float
    below: float
    width: float
    height: float = 0.0


def extents(columns: Columns) -> list[Extent]:
    """The extent of every slot, by its number."""
    looped = {edge.source: edge for edge in columns.loops}
    ins: dict[int, int] = {}
    outs: dict[int, int] = {}
    for _, way in columns.ways:
        outs[way[0]] = outs.get(way[0], 0) + 1
        ins[way[-1]] = ins.get(way[-1], 0) + 1
    found = []
    for number, slot in enumerate(columns.slots):
        ports = max(ins.get(number, 0), outs.get(number, 0))
        loop = looped.get(slot.node.name) if slot.node else None
        found.append(_extent(slot, ports, loop.label if loop else ""))
    return found


def _extent(slot: Slot, ports: int, loop: str) -> Extent:
    if slot.node:
        height = max(BOX_HEIGHT, PORT * (ports + 1))
        lines = [text_width(text, SMALL_SIZE) for text in slot.node.text]
        width = max(text_width(slot.node.name, NAME_SIZE), *lines, 12.0) + BOX_PAD
        above = height / 2 + (LOOP_HEIGHT + LABEL_HEIGHT + 1 if loop else 0)
        return Extent(above, height / 2, max(width, label_width(loop)), height)
    if slot.edge and slot.labelled:
        return Extent(LABEL_HEIGHT + 2, 1, label_width(slot.edge.label))
    return Extent(0, 0, 0)


def label_width(text: str) -> float:
    return text_width(text, SMALL_SIZE) + LABEL_PAD


def lines_of(columns: Columns, sizes: Sequence[Extent]) -> list[float]:
    """The y of every slot, by its number: linked slots on one line as far as there is room."""
    springs = _springs(columns)
    y = [0.0] * len(columns.slots)
    stacks = [(column, _stacked(columns, column, sizes)) for column in columns.columns]
    for column, stacked in stacks:
        for slot, at in zip(column, stacked, strict=True):
            y[slot] = at
    # Springs give long smooth slopes; when those that are longer pull less, few steps remain.
    for sweep in range(2 * SWEEPS):
        for column, stacked in stacks[:: -1 if sweep % 2 else 1]:
            _settle(column, stacked, springs, y, level=sweep >= SWEEPS)
    return y


def _springs(columns: Columns) -> Mapping[int, list[tuple[int, float]]]:
    """What each slot is drawn to, and how strongly: most where an edge has company at no end."""
    outs = Counter(left for left, _ in columns.links)
    ins = Counter(right for _, right in columns.links)
    found: dict[int, list[tuple[int, float]]] = {n: [] for n in range(len(columns.slots))}
    for left, right in columns.links:
        strength = ALONE if outs[left] == ins[right] == 1 else 1.0
        found[left].append((right, strength))
        found[right].append((left, strength))
    return found


def _stacked(columns: Columns, column: Sequence[int], sizes: Sequence[Extent]) -> list[float]:
    """The y of the slots of a column as close to each other as they may be, about 0."""
    found, at = [], 0.0
    for n, slot in enumerate(column):
        if n:
            above = column[n - 1]
            both = columns.slots[above].node and columns.slots[slot].node
            room = BETWEEN_BOXES if both else BETWEEN_EDGES
            at += sizes[above].below + room + sizes[slot].above
        found.append(at)
    return [y - at / 2 for y in found]


def _settle(
    column: Sequence[int],
    stacked: Sequence[float],
    springs: Mapping[int, list[tuple[int, float]]],
    y: list[float],
    *,
    level: bool,
) -> None:
    """Move the slots of a column where the springs are loosest, none nearer than `stacked`.

    That is a regression by a rising function: neighbours that want to pass each other move as one.
    """
    blocks: list[tuple[float, float, int]] = []  # (wish, weight, number of slots)
    for slot, offset in zip(column, stacked, strict=True):
        pulls = [
            (y[other], strength / (0.3 + abs(y[other] - y[slot])) if level else strength)
            for other, strength in springs[slot]
        ]
        weight = sum(pull for _, pull in pulls)
        wish = sum(pull * at for at, pull in pulls)
        blocks.append((wish / weight - offset, weight, 1) if weight else (y[slot] - offset, 1.0, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, v, m), (b, w, n) = blocks[-2:]
            blocks[-2:] = [((a * v + b * w) / (v + w), v + w, m + n)]
    shifts = [at for at, _, count in blocks for _ in range(count)]
    for slot, offset, shift in zip(column, stacked, shifts, strict=True):
        y[slot] = offset + shift
