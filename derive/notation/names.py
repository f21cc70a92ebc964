"""What the names of quantities mean, and how they are typeset.

`W_hidden_position_2` is a weight with a delay, `d_h` a derivative of the loss, `h_by_W` one by a
parameter: a derived name is taken apart into what is differentiated and by what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from bptt.derive.calculus.chunks import CARRY, CHUNK, OBJECTIVE
from bptt.derive.calculus.gauss_newton import EXPLICIT, GAUSS_NEWTON
from bptt.derive.calculus.lddn import HELD, STATIC
from bptt.derive.calculus.system import PREFIX, Quantity, System
from bptt.derive.calculus.tangent import DOT, PEARLMUTTER
from bptt.derive.notation.boxes import Box, Mark, Name, Script, row

PER = "_per_"
BY = "_by_"
Way = Literal["total", "explicit", "initial", "after"]


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
        return Derivative(*_split(name, BY, system))
    if kind in ("tangent", "direction"):
        prefix = DOT if name.startswith(DOT) else PEARLMUTTER
        return Along(prefix, name.removeprefix(prefix))
    if kind == "static":
        of, _, by = name.removeprefix(STATIC).partition("__")
        return Static(of, by)
    if kind == "adjoint" and name.startswith(HELD):
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
        return Derivative(*_split(name, PER, system))
    return Plain(name)


def found_quantity(name: str, system: System) -> Quantity | None:
    """The quantity of a name; an explicit derivative may be known by its tangent alone."""
    by = system.quantities.get(name.removeprefix(EXPLICIT))
    if name not in system.quantities and by is not None:
        return replace(by, name=name, kind="adjoint")
    return system.quantities.get(name)


def _split(name: str, mark: str, system: System) -> tuple[str, str]:
    """A name cut at the mark that has quantities' names on both sides."""
    parts = name.split(mark)
    for n in range(1, len(parts)):
        left, right = mark.join(parts[:n]), mark.join(parts[n:])
        if left in system.quantities and right in system.quantities:
            return left, right
    return parts[0], mark.join(parts[1:])


def _outside(name: str, system: System) -> tuple[str, Way]:
    sides: tuple[Way, ...] = ("initial", "after")
    for side in sides:
        inner = name.removeprefix(f"{side}_")
        if inner != name and name not in system.quantities:
            return inner, side
    return name, "total"


def ratio(top: Box, bottom: Box, *, explicit: bool = False) -> tuple[Box, Box]:
    """The two parts of a derivative written as a fraction."""
    sign: Box = Script(Mark("∂"), None, Name("e")) if explicit else Mark("∂")
    return row(sign, top), row(Mark("∂"), bottom)
