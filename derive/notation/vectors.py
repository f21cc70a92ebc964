"""Matrix notation, set: bold vectors with their step below, gradients as nabla."""

from __future__ import annotations

from collections.abc import Sequence

from bptt.derive.calculus.quantity import Derivative
from bptt.derive.language.syntax import Node, Reference
from bptt.derive.notation.boxes import Box, Fence, Mark, Row, Script, listed, row
from bptt.derive.notation.rank import is_indexed
from bptt.derive.notation.typeset import Typesetter


class VectorTypesetter(Typesetter):
    """Sets statements in matrix notation; a mention with all its indices as in index notation."""

    def mention(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        quantity = self.quantity(name)
        found = quantity.origin
        is_whole = quantity.features and not is_indexed(node, quantity)
        by = self.system.quantities.get(found.by) if isinstance(found, Derivative) else None
        if not (isinstance(found, Derivative) and is_whole and by is not None):
            return super().mention(name, at, node)
        of = self.system.quantities.get(found.of)
        if (of is not None and of.axes) or found.way != "total":
            return super().mention(name, at, node)
        if found.outside:
            at = self._outside(found.by, found.outside, node, at)
        below = self.plain(found.by, at, Reference(found.by, None, ""))
        return row(Script(Mark("∇"), below), self._at(found.of, ()))

    def plain(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        quantity = self.system.quantities.get(name)
        bold = quantity is not None and bool(quantity.features) and len(at) < len(quantity.axes)
        return self.symbol(name).box(below=listed(at) if at else None, bold=bold)

    def factor(self, node: Node, *, alone: bool = False) -> Box:
        box = super().factor(node, alone=alone)
        is_gradient = isinstance(node, Reference) and _starts_with_nabla(box)
        return Fence(box) if is_gradient and not alone else box


def _starts_with_nabla(box: Box) -> bool:
    first = box.items[0] if isinstance(box, Row) else box
    return isinstance(first, Script) and first.base == Mark("∇")
