"""The notation of Hagan et al., "Neural Network Design" (2nd ed.), chapter 14, set.

Layer m has the net input n^m(t) and the output a^m(t), an input is p^l(t); LW^{m,l}(d) is the
weight from layer l at delay d, IW^{m,l}(d) that from input l, b^m a bias; F is the performance,
d^m(t) its derivative by n^m(t), S^{u,m}(t) the explicit derivative of a^u(t) by n^m(t).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from functools import cached_property

from bptt.derive.calculus.lddn import LDDN, Link, link, net_inputs, unlayered
from bptt.derive.calculus.quantity import Derivative, Made, Quantity
from bptt.derive.calculus.system import System, name_of
from bptt.derive.language.syntax import Reference
from bptt.derive.notation.boxes import Box, Fence, Fraction, listed, row
from bptt.derive.notation.mentions import ratio
from bptt.derive.notation.symbols import Symbol, customary
from bptt.derive.notation.vectors import VectorTypesetter

LOSS = "F"
# What the book has for derivatives: no other quantity is written with one of these and marks.
DERIVATIVES = ("S", "d")
MEANINGS = {
    "n": "a net input",
    "a": "the output of a layer",
    "p": "an input",
    "LW": "the weight of an output, its delay in parentheses",
    "IW": "the weight of an input, its delay in parentheses",
    "b": "a bias",
    "t": "a target",
    LOSS: "the performance",
}
STATIC = (
    "S with u and m above it is the derivative of output u by net input m of the same step, values "
    "of other steps held fixed; u is an output that a loss judges or that is read at another step; "
    "the derivative of the performance by such an output holds the others of its step fixed"
)


class LayeredTypesetter(VectorTypesetter):
    """Sets matrix statements with the book's symbols and the step as an argument."""

    def __init__(self, system: System) -> None:
        self.nets = _nets(system)
        self._weights = dict(_weights(system.primal, self.nets))
        super().__init__(system)

    def mention(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        quantity = self.quantity(name)
        match quantity.origin:
            case Derivative(of, by, "static", per_sequence=False):
                of_net = of in self.nets and of != self.quantity(of).layer
                end = self.symbol(of) if of_net else self.quantity(of).layer
                return self._timed(Symbol("S", (end, self.quantity(by).layer)), quantity, at)
            case Derivative("loss", by, "held"):
                return self._by(by, at)
            case Derivative("loss", by, "total", "", False) if by in self.nets:
                return self._timed(Symbol("d", (self.quantity(by).layer,)), quantity, at)
            case Derivative("loss", by, "total", outside, False):
                return self._by(by, self._outside(by, outside, node, at) if outside else at)
        return super().mention(name, at, node)

    def _by(self, name: str, at: Sequence[Box]) -> Box:
        return Fraction(*ratio(self._at("loss", ()), self._at(name, at)))

    def plain(self, name: str, at: Sequence[Box], node: Reference) -> Box:
        if name not in self.system.quantities:
            return self.symbol(name).box()
        return self._timed(self.symbol(name), self.quantity(name), at)

    def _timed(self, own: Symbol, quantity: Quantity, at: Sequence[Box]) -> Box:
        """A symbol with its units below it and its steps as an argument."""
        count = sum(axis.is_step for axis in quantity.axes)
        steps, units = at[:count], at[count:]
        bold = bool(quantity.features) and not units
        box = own.box(below=listed(units) if units else None, bold=bold)
        return row(box, Fence(listed(steps))) if steps else box

    def own_symbol(self, name: str, system: System) -> Symbol:
        """The book's symbol, or that which the name says where the book has none."""
        found = customary(name, system)
        is_taken = found.head in DERIVATIVES or found in self._book
        return self.book_symbol(name) or (Symbol(name) if is_taken else found)

    @cached_property
    def _book(self) -> set[Symbol | None]:
        return {self.book_symbol(name) for name in self.system.quantities}

    def book_symbol(self, name: str) -> Symbol | None:
        """The book's symbol, if it has one for what a quantity is."""
        quantity = self.system.quantities.get(name)
        if quantity is None or quantity.role == "loss":
            found = customary(name, self.system)
            return Symbol(LOSS, found.marks) if found.head == "L" else None
        if quantity.role == "input" and quantity.differentiable:
            return Symbol("p", (name,))
        if quantity.role == "signal" and quantity.layer and quantity.layer == name:
            return Symbol("a", (name,))
        if name in self.nets:
            return Symbol("n", (quantity.layer,))
        if isinstance(quantity.origin, Made) and quantity.origin.what == "target":
            return Symbol("t", (quantity.origin.of,))
        return self._weights.get(name)


def legend(system: System) -> str:
    """What the book's symbols stand for in a system, as far as its equations have them."""
    typesetter = LayeredTypesetter(system)
    symbols = typesetter.symbols.items()
    nets = {q.name for o, q in system.by_origin.items() if o == Made("net input", o.of)}
    of_book = (own for name, own in symbols if name in nets or own == typesetter.book_symbol(name))
    heads = {own.head for own in of_book}
    origins = [o for o in system.by_origin if isinstance(o, Derivative)]
    by_nets = [o for o in origins if o.of == "loss" and o.by in typesetter.nets]
    words = [f"{head} is {what}" for head, what in MEANINGS.items() if head in heads]
    if any(o.way == "total" and not o.forward and not o.outside for o in by_nets):
        words.append("d is the total derivative of the performance by a net input")
    if any(own.delay.startswith("-") for _, own in symbols):
        words.append("a negative delay reads a later step")
    if not any(o.way == "static" and not o.per_sequence for o in origins):
        return "; ".join((*words, "derivatives are total where no e marks them as explicit"))
    if any(n == system.quantities[n].layer for n in typesetter.nets):
        words.append("the output of a layer without activation is its net input")
    if any(o.way == "held" for o in by_nets if o.by != system.quantities[o.by].layer):
        words.append("a net input that a loss judges counts as an output")
    return "; ".join((*words, STATIC))


def remark(system: System) -> str:
    """What the book's form wants of a network and a system has not; "" for an LDDN."""
    odd = unlayered(system)
    if not odd:
        return ""
    return (
        f"The matrices S of the book are for {LDDN}; {odd} is no such layer, and the "
        "adjoint equations are those of the other notations"
    )


def is_net_input(quantity: Quantity) -> bool:
    """Whether a signal is the net input of the layer that it belongs to."""
    return bool(quantity.layer) and quantity.origin == Made("net input", quantity.layer)


def _nets(system: System) -> set[str]:
    """The net inputs of layers that have one alone; in the book's form linear outputs are some."""
    static = (o for o in system.by_origin if isinstance(o, Derivative) and o.way == "static")
    if any(not o.per_sequence for o in static):
        return set(net_inputs(system))
    found = [q for q in system.quantities.values() if is_net_input(q)]
    layers = Counter(q.layer for q in found)
    return {q.name for q in found if layers[q.layer] == 1}


def _weights(system: System, nets: Container[str]) -> Iterator[tuple[str, Symbol]]:
    """Symbols of weights and biases, by what they connect; none for one that has two uses."""
    found: dict[str, set[Symbol | None]] = {}
    for equation in system.equations:
        name, layer = equation.quantity.name, equation.quantity.layer
        is_net = layer and (name == layer or name in nets)
        for term in equation.terms:
            own = _symbol(link(term, equation, system), system) if is_net else None
            for read in term.reads():
                if system.quantity_of(read).role == "parameter":
                    found.setdefault(name_of(read), set()).add(own)
    for name, symbols in found.items():
        own = symbols.pop()
        if own and not symbols:
            yield name, own


def _symbol(found: Link | None, system: System) -> Symbol | None:
    """LW, IW or b."""
    if found is None or found.transposed:
        return None
    if not found.source:
        return Symbol("b", (found.layer,))
    head = "IW" if system.quantities[found.source].role == "input" else "LW"
    return Symbol(head, (found.layer, found.source), str(found.delay))
