"""What the names of quantities mean, and how they are typeset.

`W_hidden_position_2` is a weight with a delay, `d_h` a derivative of the loss, `h_by_W` one by a
parameter: a derived name is taken apart into what is differentiated and by what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from derive.chunks import CARRY, CHUNK, OBJECTIVE
from derive.gauss_newton import EXPLICIT, GAUSS_NEWTON
from derive.lddn import HELD, STATIC
from derive.reading.boxes import Box, Digits, Fence, Mark, Name, Script, listed, row
from derive.system import PREFIX, Quantity, System
from derive.tangent import DOT, PEARLMUTTER

PER = "_per_"
BY = "_by_"
LOSS = "L"
Way = Literal["total", "explicit", "initial", "after", "element"]


@dataclass(frozen=True)
class Plain:
    """A quantity with a name of its own."""

    name: str


@dataclass(frozen=True)
class Derivative:
    """The derivative of one quantity by another; `way` says which values are meant.

    `initial` and `after` are those before the first step and after the last.
    """

    of: str
    by: str
    way: Way = "total"


@dataclass(frozen=True)
class Along:
    """A tangent: the derivative of `of` along a direction, by the operator's prefix."""

    operator: str
    of: str


@dataclass(frozen=True)
class Product:
    """An element of the Gauss-Newton matrix times a direction, or of a derivative carried on."""

    letter: str
    of: str
    way: Way = "total"


@dataclass(frozen=True)
class Static:
    """The explicit derivative of one signal by another of the same step."""

    of: str
    by: str


@dataclass(frozen=True)
class Held:
    """The derivative of the loss by a signal, other outputs of the same step held fixed."""

    by: str


Meaning = Plain | Derivative | Along | Product | Static | Held


def meaning(name: str, system: System) -> Meaning:
    """What a quantity's name says, by its kind and by the other names of the system."""
    quantity = found_quantity(name, system)
    kind = quantity.kind if quantity is not None else "signal"
    if kind == "sensitivity":
        of, _, by = _split(name, BY, system)
        return Derivative(of, by)
    if kind in ("tangent", "direction"):
        prefix = DOT if name.startswith(DOT) else PEARLMUTTER
        return Along(prefix, name.removeprefix(prefix))
    if kind == "static":
        cuts = [n for n, letter in enumerate(name) if letter == "_" and n > len(STATIC)]
        pairs = ((name[len(STATIC) : n], name[n + 1 :]) for n in cuts)
        return next(Static(u, m) for u, m in pairs if {u, m} <= system.quantities.keys())
    if name.startswith(HELD):
        return Held(name.removeprefix(HELD))
    if kind == "given" and name.startswith(CARRY):
        return Product("later", name.removeprefix(CARRY))
    if kind not in ("adjoint", "gradient"):
        return Plain(name)
    for prefix, of in (
        (f"{CHUNK}{PREFIX}", OBJECTIVE),
        (PREFIX, "loss"),
        (EXPLICIT, "loss"),
        (GAUSS_NEWTON, ""),
    ):
        if name.startswith(prefix):
            by, way = _outside(name.removeprefix(prefix), system)
            if prefix == GAUSS_NEWTON:
                return Product("G", by, way)
            return Derivative(of, by, "explicit" if prefix == EXPLICIT else way)
    if PER in name:
        of, _, by = _split(name, PER, system)
        return Derivative(of, by, "element")
    return Plain(name)


def found_quantity(name: str, system: System) -> Quantity | None:
    """The quantity of a name; an explicit derivative may be known by its tangent alone."""
    by = system.quantities.get(name.removeprefix(EXPLICIT))
    if name not in system.quantities and by is not None:
        return replace(by, name=name, kind="adjoint")
    return system.quantities.get(name)


def _split(name: str, mark: str, system: System) -> tuple[str, str, str]:
    """A name cut at the mark that has quantities' names on both sides."""
    parts = name.split(mark)
    for n in range(1, len(parts)):
        left, right = mark.join(parts[:n]), mark.join(parts[n:])
        if left in system.quantities and right in system.quantities:
            return left, mark, right
    return name.partition(mark)


def _outside(name: str, system: System) -> tuple[str, Way]:
    sides: tuple[Way, ...] = ("initial", "after")
    for side in sides:
        inner = name.removeprefix(f"{side}_")
        if inner != name and name not in system.quantities:
            return inner, side
    return name, "total"


@dataclass(frozen=True)
class Symbol:
    """A quantity's own symbol: its letter or word, what it is of, and its delay."""

    head: str
    marks: tuple[str, ...] = ()
    delay: str = ""

    def box(self, *, below: Box | None = None, bold: bool = False) -> Box:
        """W with `hidden,position` above, indices below, and the delay in parentheses behind."""
        above = listed(Name(mark) for mark in self.marks) if self.marks else None
        base: Box = Name(self.head, bold)
        if above is not None or below is not None:
            base = Script(base, below, above)
        return row(base, Fence(Digits(self.delay))) if self.delay else base


def symbol(name: str, system: System) -> Symbol:
    """The symbol of a quantity with a name of its own."""
    quantity = system.quantities.get(name)
    for prefix, mark in (("target_", "target"), ("total_weight_", "total"), ("weight_", "weight")):
        if quantity is not None and name.startswith(prefix) and quantity.kind != "parameter":
            inner = symbol(name.removeprefix(prefix), system)
            return Symbol(inner.head, (*inner.marks, mark))
    if quantity is not None and quantity.kind == "loss":
        return Symbol(*_loss(name))
    if _is_word(name, system):
        return Symbol(name)
    head, *rest = re.split(r"_+", name)
    delay = ""
    if quantity is not None and _has_delay(quantity, rest, system):
        delay = rest.pop()
    if head == "logsumexp":
        head = "lse"
    return Symbol(head, _marks(rest, system), delay)


def _loss(name: str) -> tuple[str, tuple[str, ...]]:
    if name == OBJECTIVE:
        return "C", ()
    marks = [m for m in name.split("_") if m and m != "loss"]
    return LOSS, tuple(marks)


def _is_word(name: str, system: System) -> bool:
    """Whether a name is that of a layer or an input, and means one thing as a whole."""
    return "_" not in name or _is_layer(name, system)


def _is_layer(name: str, system: System) -> bool:
    """Whether a name is that of a layer or of an input."""
    quantity = system.quantities.get(name)
    return quantity is not None and (
        quantity.kind in ("input", "mask") or (quantity.layer == name and name != "")
    )


def _has_delay(quantity: Quantity, rest: list[str], system: System) -> bool:
    """Whether the last part is the delay of a connection: a source's name stands before it."""
    if quantity.kind != "parameter" or len(rest) < 2 or not rest[-1].isdigit():
        return False
    return any("_".join(rest[n:-1]) in system.quantities for n in range(len(rest) - 1))


def _marks(parts: list[str], system: System) -> tuple[str, ...]:
    """Parts of a name, those together that name a layer or an input."""
    found: list[str] = []
    start = 0
    while start < len(parts):
        stops = range(len(parts), start, -1)
        named = (n for n in stops if _is_layer("_".join(parts[start:n]), system))
        stop = next(named, start + 1)
        found.append("_".join(parts[start:stop]))
        start = stop
    return tuple(found)


def length(name: str) -> Box:
    """The symbol of a length or size: T, B, N with the name of whose units it counts."""
    head, _, rest = name.partition("_")
    if not rest or len(head) > 1:
        return Name(name)
    return Script(Name(head), listed(map(Name, rest.split("_"))))


def ratio(top: Box, bottom: Box, *, explicit: bool = False) -> tuple[Box, Box]:
    """The two parts of a derivative written as a fraction."""
    sign: Box = Script(Mark("∂"), None, Name("e")) if explicit else Mark("∂")
    return row(sign, top), row(Mark("∂"), bottom)
