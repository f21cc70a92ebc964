"""The symbols of quantities and lengths: W with `hidden,position` above it, N with `hidden` below.

No two quantities of a system have one symbol: those that would are written as their whole names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bptt.derive.calculus.chunks import OBJECTIVE
from bptt.derive.calculus.system import System, name_of
from bptt.derive.notation.boxes import Box, Digits, Fence, Name, Script, listed, row
from bptt.derive.notation.names import Plain, meaning

LOSS = "L"


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


# What formulas have for themselves: the logistic function, Kronecker's delta, the identity.
RESERVED = (Symbol("sigma"), Symbol("delta"), Symbol("I"))


def symbols(system: System, of: Callable[[str, System], Symbol] | None = None) -> dict[str, Symbol]:
    """The symbols of all quantities with names of their own; `of` gives one, customary if not."""
    found = {
        name: (of or customary)(name, system)
        for name in system.quantities
        if meaning(name, system) == Plain(name)
    }
    counts = Counter(found.values())
    return {
        name: Symbol(name) if counts[own] > 1 or own in RESERVED else own
        for name, own in found.items()
    }


def customary(name: str, system: System) -> Symbol:
    """The symbol that a name says."""
    quantity = system.quantities[name]
    for prefix, mark in (("target_", "target"), ("total_weight_", "total"), ("weight_", "weight")):
        if name.startswith(prefix) and name.removeprefix(prefix) in system.quantities:
            inner = customary(name.removeprefix(prefix), system)
            return Symbol(inner.head, (*inner.marks, mark))
    if quantity.kind == "loss":
        return _loss(name)
    if "_" not in name or is_layer(name, system):
        return Symbol(name)
    ends_in_number = name.rpartition("_")[2].isdigit()
    delay = _delay(name, system) if quantity.kind == "parameter" and ends_in_number else ""
    stem = name.removesuffix(f"_{delay}") if delay else name
    head, *rest = re.split(r"_+", stem)
    marks = _marks(rest, system)
    if len(marks) == 1 and not is_layer(marks[0], system) and _is_ambiguous(marks[0]):
        return Symbol(name)
    return Symbol("lse" if head == "logsumexp" else head, marks, delay)


def _is_ambiguous(mark: str) -> bool:
    """Whether a mark above a symbol would be read as a power or a transpose."""
    return mark.isdigit() or mark in ("T", "e")


def _loss(name: str) -> Symbol:
    if name == OBJECTIVE:
        return Symbol("C")
    of = name.removeprefix("chunk_")
    chunk = ("chunk",) if of != name else ()
    mark = of.removeprefix("loss").removeprefix("_")
    return Symbol(LOSS, (*((mark,) if mark else ()), *chunk))


def is_layer(name: str, system: System) -> bool:
    """Whether a name is that of a layer or of an input."""
    quantity = system.quantities.get(name)
    return quantity is not None and (
        quantity.kind in ("input", "mask") or (quantity.layer == name and name != "")
    )


def _delay(name: str, system: System) -> str:
    """The delay at the end of a weight's name: that at which it multiplies its source."""
    for equation in system.forward().equations:
        for term in equation.terms:
            read = {name_of(r): r for r in term.reads()}
            if name not in read:
                continue
            for source, mention in read.items():
                quantity = system.quantities[source]
                if quantity.time_axis is None or not equation.indices:
                    continue
                delay = abs(equation.indices[0].symbol - mention.indices[quantity.time_axis])
                if delay.is_Integer and delay != 0 and name.endswith(f"_{source}_{delay}"):
                    return str(delay)
    return ""


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
