"""The notation of Hagan et al., "Neural Network Design" (2nd ed.), chapter 14, set.

Layer m has the net input n^m(t) and the output a^m(t), an input is p^l(t); LW^{m,l}(d) is the
weight from layer l at delay d, IW^{m,l}(d) that from input l, b^m a bias; F is the performance,
d^m(t) its derivative by n^m(t), S^{u,m}(t) the explicit derivative of a^u(t) by n^m(t).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

from bptt.derive.calculus.quantity import Derivative, Made, Quantity
from bptt.derive.calculus.system import Equation, System, Term
from bptt.derive.language.syntax import Reference
from bptt.derive.notation.boxes import Box, Fence, Fraction, Name, listed, row
from bptt.derive.notation.mentions import ratio
from bptt.derive.notation.symbols import Symbol, customary
from bptt.derive.notation.vectors import VectorTypesetter

LOSS = "F"


class LayeredTypesetter(VectorTypesetter):
    """Sets matrix statements with the book's symbols and the step as an argument."""

    def __init__(self, system: System) -> None:
        self._weights = dict(_weights(system.primal))
        super().__init__(system)

    def mention(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        quantity = self.quantity(name)
        match quantity.origin:
            case Derivative(of, by, "static"):
                own = Symbol("S", (*self._layer(of), *self._layer(by)))
                return self._timed(own, quantity, at)
            case Derivative("loss", by, "held"):
                return Fraction(*ratio(Name(LOSS), self._at(by, at)))
            case Derivative("loss", by, "total", "", False) if self._is_net(by):
                return self._timed(Symbol("d", self._layer(by)), quantity, at)
            case Derivative("loss", by, "total", outside, False):
                at = self._outside(by, outside, node, at) if outside else at
                return Fraction(*ratio(Name(LOSS), self._at(by, at)))
        return super().mention(name, at, node)

    def plain(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        return self._timed(self.symbol(name), self.quantity(name), at)

    def _timed(self, own: Symbol, quantity: Quantity, at: Sequence[Box]) -> Box:
        """A symbol with its units below it and its steps as an argument."""
        count = sum(axis.is_step for axis in quantity.axes)
        steps, units = at[:count], at[count:]
        bold = bool(quantity.features) and not units
        box = own.box(below=listed(units) if units else None, bold=bold)
        return row(box, Fence(listed(steps))) if steps else box

    def own_symbol(self, name: str, system: System) -> Symbol:
        """The book's symbol, or that which the name says."""
        if name in self._weights:
            return self._weights[name]
        quantity = system.quantities.get(name)
        if quantity is None:
            return customary(name, system)
        if quantity.role == "input" and quantity.differentiable:
            return Symbol("p", (name,))
        if quantity.role == "loss":
            found = customary(name, system)
            return Symbol(LOSS if found.head == "L" else found.head, found.marks)
        if quantity.role == "signal" and quantity.layer and quantity.layer == name:
            return Symbol("a", (name,))
        if isinstance(quantity.origin, Made) and quantity.origin.what == "target":
            return Symbol("t", (quantity.origin.of,))
        return customary(name, system)

    def _layer(self, name: str) -> tuple[str, ...]:
        """The layer of a net input or of an output; other signals, and a net input that stands
        for its layer beside the output, by their own names."""
        quantity = self.system.quantities[name]
        both = name != quantity.layer and self._is_end(name)
        is_own = quantity.layer and (name == quantity.layer or is_net_input(quantity))
        return (quantity.layer,) if is_own and not both else (name,)

    def _is_end(self, name: str) -> bool:
        """Whether the loss has a derivative by a signal with the rest of its step held."""
        return Derivative("loss", name, "held") in self.system.by_origin

    def _is_net(self, name: str) -> bool:
        """Whether d^m is the derivative by this signal: a net input, or a linear layer's output.

        Of a linear layer both are one; the book's form tells them apart by their derivatives.
        """
        quantity = self.quantity(name)
        return quantity.role == "signal" and (is_net_input(quantity) or self._is_end(name))


def is_net_input(quantity: Quantity) -> bool:
    """Whether a signal is the net input of the layer that it belongs to."""
    return bool(quantity.layer) and quantity.origin == Made("net input", quantity.layer)


def _weights(system: System) -> Iterator[tuple[str, Symbol]]:
    """Symbols of weights and biases, by what they connect; none for one that has two uses."""
    found: dict[str, set[Symbol]] = {}
    for equation in system.equations:
        layer = equation.quantity.layer
        is_net = equation.quantity.name == layer or is_net_input(equation.quantity)
        for term in equation.terms:
            for name in dict.fromkeys(_parameters(term, system)):
                own = _connection(term, equation, system) if layer and is_net else None
                found.setdefault(name, set()).add(own or customary(name, system))
    for name, symbols in found.items():
        if len(symbols) == 1:
            yield name, next(iter(symbols))


def _parameters(term: Term, system: System) -> Iterator[str]:
    for read in term.reads():
        quantity = system.quantity_of(read)
        if quantity.role == "parameter":
            yield quantity.name


def _connection(term: Term, equation: Equation, system: System) -> Symbol | None:
    """LW, IW or b for a term that is a weight times a signal, or a bias."""
    layer = equation.quantity.layer
    quantities = [system.quantity_of(read) for read in term.reads()]
    parameters = [q for q in quantities if q.role == "parameter"]
    sources = [q for q in quantities if q.role in ("signal", "input") and q.differentiable]
    if len(parameters) != 1 or len(quantities) > 2 or term.factor != sp.Mul(*term.reads()):
        return None
    if not sources:
        return Symbol("b", (layer,)) if len(parameters[0].features) == 1 else None
    source = sources[0]
    if len(parameters[0].features) != 2 or source.time_axis is None:
        return None
    if parameters[0].features[1] != source.features[0]:
        return None
    (read,) = (r for r in term.reads() if system.quantity_of(r) == source)
    delay = equation.indices[0].symbol - read.indices[0]
    if not delay.is_Integer:
        return None
    head = "IW" if source.role == "input" else "LW"
    return Symbol(head, (layer, source.layer or source.name), str(delay))
