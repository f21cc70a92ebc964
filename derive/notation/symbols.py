"""The symbols of quantities and lengths: W with `hidden,position` above it, N with `hidden` below.

No two quantities of a system have one symbol: those that would are written as their whole names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from bptt.derive.calculus.chunks import OBJECTIVE
from bptt.derive.calculus.quantity import Local, Made, Quantity
from bptt.derive.calculus.reductions import REDUCTIONS
from bptt.derive.calculus.system import System
from bptt.derive.notation.boxes import Box, Digits, Fence, Name, Script, listed, row

LOSS = "L"
# What stands above a symbol for what a quantity was made as.
ABOVE = {"target": "target", "weight": "weight", "total weight": "total", "chunk": "chunk"}


@dataclass(frozen=True)
class Symbol:
    """A quantity's own symbol: its letter or word, what it is of, and its delay."""

    head: str
    marks: tuple[str | Symbol, ...] = ()
    delay: str = ""

    @cached_property
    def above(self) -> Box | None:
        """What stands above it: what it is of."""
        marks = [Name(mark) if isinstance(mark, str) else mark.box() for mark in self.marks]
        return listed(marks) if marks else None

    def box(self, *, below: Box | None = None, bold: bool = False) -> Box:
        """W with `hidden,position` above, indices below, and the delay in parentheses behind."""
        base: Box = Name(self.head, bold)
        if self.above is not None or below is not None:
            base = Script(base, below, self.above)
        return row(base, Fence(Digits(self.delay))) if self.delay else base


# What formulas have for themselves: the logistic function, Kronecker's delta, the identity.
RESERVED = (Symbol("sigma"), Symbol("delta"), Symbol("I"))


def symbols(system: System, of: Callable[[str, System], Symbol] | None = None) -> dict[str, Symbol]:
    """The symbols of all quantities but derivatives; `of` gives one, customary if not."""
    found = {
        name: (of or customary)(name, system)
        for name, quantity in system.quantities.items()
        if has_symbol(quantity)
    }
    counts = Counter(found.values())
    return {
        name: Symbol(name) if counts[own] > 1 or own in RESERVED else own
        for name, own in found.items()
    }


def has_symbol(quantity: Quantity) -> bool:
    """Whether a quantity has a symbol of its own: others are derivatives, and written so."""
    is_carry = isinstance(quantity.origin, Made) and quantity.origin.what == "carry"
    return not quantity.is_derived and not is_carry


def customary(name: str, system: System) -> Symbol:
    """The symbol of a quantity: by what it was made as, else by its name."""
    quantity = system.quantities.get(name)
    origin = quantity.origin if quantity is not None else None
    if isinstance(origin, Made) and origin.what in ABOVE:
        inner = customary(origin.of, system)
        return Symbol(inner.head, (*inner.marks, ABOVE[origin.what]))
    if isinstance(origin, Made) and origin.what == "loss":
        return Symbol(LOSS, (origin.of,))
    if origin == OBJECTIVE:
        return Symbol("C")
    if quantity is None or quantity.role == "loss":
        # A loss that a chunk has its share of is no quantity of the chunk's own.
        return Symbol(LOSS if name == "loss" else name)
    own = _of_layer(quantity.local) if quantity.local else _of_name(name, system)
    reduction = REDUCTIONS.get(origin.what) if isinstance(origin, Made) else None
    return replace(own, head=reduction.symbol) if reduction and own.marks else own


def _of_layer(local: Local) -> Symbol:
    """The symbol of what a layer has: W with the layer's and the source's name, and the delay."""
    head, *rest = re.split(r"_+", local.name)
    marks = (*rest, local.layer, *filter(None, (local.source,)))
    if isinstance(local.delay, str):
        return Symbol(head, (*marks, local.delay))
    return Symbol(head, marks, str(local.delay) if local.delay else "")


def _of_name(name: str, system: System) -> Symbol:
    """The symbol that a name says: what follows an underscore stands above."""
    if "_" not in name or is_layer(name, system):
        return Symbol(name)
    head, *rest = re.split(r"_+", name)
    marks = _marks(rest, system)
    if len(marks) == 1 and not is_layer(marks[0], system) and _is_ambiguous(marks[0]):
        return Symbol(name)
    return Symbol(head, marks)


def _is_ambiguous(mark: str) -> bool:
    """Whether a mark above a symbol would be read as a power or a transpose."""
    return mark.isdigit() or mark in ("T", "e")


def is_layer(name: str, system: System) -> bool:
    """Whether a name is that of a layer or of an input."""
    quantity = system.quantities.get(name)
    return quantity is not None and (
        quantity.role == "input" or (quantity.layer == name and name != "")
    )


def _marks(parts: list[str], system: System) -> tuple[str, ...]:
    """Parts of a name, those together that name a layer or an input."""
    found: list[str] = []
    start = 0
    while start < len(parts):
        stops = range(len(parts), start, -1)
        named = (n for n in stops if is_layer("_".join(parts[start:n]), system))
        stop = next(named, start + 1)
        found.append("_".join(parts[start:stop]))
        start = stop
    return tuple(found)


def length(name: str, system: System | None = None) -> Box:
    """The symbol of a length or size: T, B, N with the name of whose units it counts."""
    head, _, rest = name.partition("_")
    if not rest or len(head) > 1:
        return Name(name)
    if system is not None and rest in system.quantities:
        return Script(Name(head), Name(rest))
    whose, _, axis = rest.rpartition("_")
    marks = (whose, axis) if axis.isdigit() and whose else (rest,)
    return Script(Name(head), listed(map(Name, marks)))
