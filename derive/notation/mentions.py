"""How quantities are mentioned: symbols with subscripts, derivatives as fractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bptt.derive.calculus.quantity import Axis, Derivative, Made, Quantity, Tangent
from bptt.derive.calculus.system import System
from bptt.derive.calculus.tangent import DOT
from bptt.derive.errors import InternalError
from bptt.derive.language.syntax import Reference, Subscript
from bptt.derive.notation import boxes
from bptt.derive.notation.symbols import Symbol, customary, has_symbol, length, symbols


class Mentions:
    """Sets the quantities of one system with every subscript; subclasses set them otherwise."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.symbols = symbols(system, self.own_symbol)

    def own_symbol(self, name: str, system: System) -> Symbol:
        """The symbol of a quantity before it is seen whether another one has it."""
        return customary(name, system)

    def symbol(self, name: str) -> Symbol:
        """The symbol of a quantity with a name of its own."""
        return self.symbols.get(name) or self.own_symbol(name, self.system)

    def is_delayed(self, name: str) -> bool:
        """Whether a symbol has its delay behind it: what is above then is not above that."""
        return bool(self.symbol(name).delay)

    def quantity(self, name: str) -> Quantity:
        """The quantity of a name that is mentioned."""
        found = self.system.quantities.get(name)
        if found is None:
            raise InternalError(f"{name} is no quantity of {self.system.name}")
        return found

    def reference(self, node: Reference) -> boxes.Box:
        """A mention of a quantity, of an index or of a length."""
        if node.name not in self.system.quantities:
            return length(node.name, self.system)
        at = [self.subscript(s) for s in node.subscripts or ()]
        return self.mention(node.name, at, node)

    def mention(self, name: str, at: Sequence[boxes.Box], node: Reference) -> boxes.Box:
        """A quantity at its subscripts, by what it was made as."""
        match self.quantity(name).origin:
            case Derivative(of, by, "static", back=back):
                units = len(self.system.quantities[of].features) if at[2:] else 0
                steps = list(at[: len(at) - 2 * units])
                top = self._at(of, [*steps, *at[len(steps) : len(steps) + units]])
                if back and node.subscripts and steps:
                    first = node.subscripts[0]
                    steps[0] = self.subscript(replace(first, offset=first.offset - back))
                bottom = self._at(by, [*steps, *at[len(steps) + units :]])
                return boxes.Fraction(*ratio(top, bottom, explicit=True))
            case Derivative(of, by, "held"):
                top, bottom = ratio(self._at(of, ()), self._at(by, at))
                return boxes.Script(boxes.Fence(boxes.Fraction(top, bottom)), boxes.Name("held"))
            case Derivative(of, by, way, outside):
                own, other = self._parted(self.quantity(name), of, by, at)
                if outside:
                    other = self._outside(by, outside, node, other)
                top, bottom = self._at(of, own), self._at(by, other)
                return boxes.Fraction(*ratio(top, bottom, explicit=way == "explicit"))
            case Tangent(of, _, operator):
                inner = self.mention(of, at, replace(node, name=of))
                if operator == DOT and isinstance(inner, boxes.Name | boxes.Script | boxes.Row):
                    return dotted(inner)
                return boxes.row(boxes.Name("R"), boxes.Fence(inner, "{"))
            case Made("carry", of, True):
                later = boxes.Script(boxes.Name("L"), None, boxes.Name("later"))
                return boxes.Fraction(*ratio(later, self._at(of, at)))
            case _:
                return self.plain(name, at, node)

    def plain(self, name: str, at: Sequence[boxes.Box], node: Reference) -> boxes.Box:
        return self.symbol(name).box(below=boxes.listed(at) if at else None)

    def _at(self, name: str, at: Sequence[boxes.Box]) -> boxes.Box:
        """A quantity of which the subscripts are known."""
        if name not in self.system.quantities or has_symbol(self.quantity(name)):
            return self.plain(name, at, Reference(name, None, ""))
        return self.mention(name, at, Reference(name, None, ""))

    def _parted(
        self, quantity: Quantity, of: str, by: str, at: Sequence[boxes.Box]
    ) -> tuple[list[boxes.Box], list[boxes.Box]]:
        """The subscripts of a derivative: those of what is differentiated, and the others'."""
        of_quantity, by_quantity = self.system.quantities.get(of), self.system.quantities.get(by)
        if not at or of_quantity is None or not of_quantity.axes or by_quantity is None:
            return [], list(at)
        shown = [a for a in quantity.axes if len(at) == len(quantity.axes) or a.is_step]
        assert isinstance(quantity.origin, Derivative)
        owners = _owners(shown, of_quantity, by_quantity, forward=quantity.origin.forward)
        pairs = list(zip(at, owners, strict=True))
        return [b for b, o in pairs if "of" in o], [b for b, o in pairs if "by" in o]

    def _outside(
        self, by: str, way: str, node: Reference, at: Sequence[boxes.Box]
    ) -> list[boxes.Box]:
        """The step that a value outside the steps stands for: k - 3, or T + k."""
        if not at or by not in self.system.reach:
            return list(at)
        quantity, subscripts = self.system.quantities[by], node.subscripts or ()
        position = 0 if len(at) < len(quantity.axes) else quantity.time_axis or 0
        step = subscripts[position]
        if way == "initial":
            moved = replace(step, offset=step.offset - self.system.reach[by].before)
        else:
            last = quantity.axes[quantity.time_axis or 0].size
            moved = replace(step, also=(*step.also, (1, str(last))))
        return [*at[:position], self.subscript(moved), *at[position + 1 :]]

    def subscript(self, subscript: Subscript) -> boxes.Box:
        """t-1, T-2, k+T-1."""
        items: list[boxes.Box] = [length(subscript.name, self.system)] if subscript.name else []
        for sign, name in subscript.also:
            if items or sign < 0:
                items.append(boxes.Mark("+" if sign > 0 else "-"))
            items.append(length(name, self.system))
        if subscript.offset or not items:
            if items or subscript.offset < 0:
                items.append(boxes.Mark("+" if subscript.offset > 0 else "-"))
            items.append(boxes.Digits(str(abs(subscript.offset))))
        return boxes.row(*items)


def dotted(box: boxes.Box) -> boxes.Box:
    """A symbol with a dot on its letter."""
    match box:
        case boxes.Script(base):
            return replace(box, base=dotted(base))
        case boxes.Row(items):
            return boxes.row(dotted(items[0]), *items[1:])
        case _:
            return boxes.Dotted(box)


def ratio(
    top: boxes.Box, bottom: boxes.Box, *, explicit: bool = False
) -> tuple[boxes.Box, boxes.Box]:
    """The two parts of a derivative written as a fraction."""
    sign: boxes.Box = (
        boxes.Script(boxes.Mark("∂"), None, boxes.Name("e")) if explicit else boxes.Mark("∂")
    )
    return boxes.row(sign, top), boxes.row(boxes.Mark("∂"), bottom)


def _owners(
    shown: Sequence[Axis], of: Quantity, by: Quantity, *, forward: bool
) -> list[tuple[str, ...]]:
    """Of each axis of a derivative, whose it is: of what is differentiated, or by what.

    A sensitivity has those of the first, then those of the second. An adjoint with an element has
    of one kind the steps of `by` first and its units last; sequences are those of both.
    """
    counts = Counter(axis.kind for axis in shown)
    seen: Counter[str] = Counter()
    found: list[tuple[str, ...]] = []
    for position, axis in enumerate(shown):
        own = sum(a.kind == axis.kind for a in by.axes)
        if forward:
            first = sum(a in shown or a.is_step for a in of.axes)
            found.append(("of",) if position < first else ("by",))
        elif axis.kind == "batch":
            found.append(("of", "by") if own else ("of",))
        elif axis.kind == "feature":
            found.append(("by",) if seen[axis.kind] >= counts[axis.kind] - own else ("of",))
        else:
            found.append(("by",) if seen[axis.kind] < own else ("of",))
        seen[axis.kind] += 1
    return found
