"""A network as a graph: its inputs and layers, and which steps of each other they read.

All signals of a layer are one node. In a network written as equations every named signal is one,
and what the intermediate signals read is read by those that they lead to: of

    n[t] = W h[t-1] + V x[t],   h[t] = tanh(n[t])

the graph has the edges x -> h, and h -> h with the label 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import Equation, System, name_of
from bptt.derive.drawing.steps import Read, steps_read, within

NodeKind = Literal["input", "mask", "layer", "output"]


@dataclass(frozen=True)
class Node:
    """An input, a mask, a layer or an output; `text` is what stands below its name: its shape."""

    name: str
    kind: NodeKind
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """What `target` reads of `source`: the delays, or the steps in words; "" for its own step.

    `same_step` says whether some of it is read at the very step that is being computed.
    """

    source: str
    target: str
    label: str = ""
    same_step: bool = True


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of their declaration, and at most one edge from each to each."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def network_graph(system: System) -> Graph:
    """The graph of a network, from its forward equations."""
    return _Reader(system.primal).graph()


class _Reader:
    """Gathers what the nodes of a network read."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._within: dict[str, tuple[Read, ...]] = {}

    def graph(self) -> Graph:
        found: dict[tuple[str, str], list[Read]] = {}
        for equation in self.system.equations:
            target = self.node_of(equation.quantity)
            if target:
                for read in self.reads(equation):
                    source = self.node_of(self.system.quantities[read.name])
                    found.setdefault((source, target), []).append(read)
        place = {name: position for position, name in enumerate(self.nodes)}
        edges = [_edge(*ends, reads) for ends, reads in found.items()]
        kept = [e for e in edges if e.source != e.target or e.label]
        kept.sort(key=lambda e: (place[e.source], place[e.target]))
        return Graph(tuple(self.nodes.values()), tuple(kept))

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes by their names: inputs, masks, then layers as they are computed."""
        sources = self.system.of_role("input")
        quantities = (*sources, *(e.quantity for e in self.system.equations))
        names = dict.fromkeys(self.node_of(q) for q in quantities)
        return {name: self._node(name) for name in names if name}

    def _node(self, name: str) -> Node:
        quantity = self.system.quantities[name]
        kind: NodeKind = "layer"
        if quantity.role == "input":
            kind = "input" if quantity.differentiable else "mask"
        elif name in self.system.outputs:
            kind = "output"
        return Node(name, kind, (_shape(self.system, quantity),))

    def node_of(self, quantity: Quantity) -> str:
        """The name of the node that shows a quantity; "" where none does."""
        if quantity.role == "input":
            return quantity.name
        if quantity.role != "signal":
            return ""
        return quantity.layer or ("" if quantity.internal else quantity.name)

    def reads(self, equation: Equation) -> Iterator[Read]:
        """What an equation reads of the nodes, itself or by way of what is within them."""
        for term in equation.terms:
            for read in term.reads():
                quantity = self.system.quantities[name_of(read)]
                steps = tuple(steps_read(self.system, read, equation, term))
                if self.node_of(quantity):
                    yield Read(quantity.name, steps)
                elif quantity.role == "signal":
                    for inner in self.within(quantity.name):
                        yield Read(inner.name, tuple(within(s, steps) for s in inner.steps))

    def within(self, name: str) -> tuple[Read, ...]:
        """What a signal that is no node reads of the nodes."""
        if name not in self._within:
            self._within[name] = ()  # a signal within others that reads itself adds nothing
            self._within[name] = tuple(dict.fromkeys(self.reads(self.system.definitions[name])))
        return self._within[name]


def _shape(system: System, quantity: Quantity) -> str:
    """The width; with the axes of steps in front of it where there are several."""
    times = [str(axis.size) for axis in quantity.axes if axis.kind == "time"]
    sizes = [str(system.size(size)) for size in quantity.features]
    return " \N{MULTIPLICATION SIGN} ".join([*(times if len(times) > 1 else []), *sizes]) or "1"


def _edge(source: str, target: str, reads: list[Read]) -> Edge:
    """One edge for all that one node reads of another."""
    same_step = any(not read.steps or read.steps[0].holds_now for read in reads)
    if source == target:
        reads = [read for read in reads if read.said]
    elif any(read.covers_now for read in reads):
        reads = [read for read in reads if not read.is_now]
    delays, words = set(), set()
    for read in reads:
        if len(read.said) == 1 and read.said[0].is_delay:
            delays.add(-(read.said[0].low or 0))
        elif read.said:
            words.add("; ".join(steps.text for steps in read.said))
        else:
            delays.add(0)
    if words or delays != {0}:
        label = ", ".join([*map(str, sorted(delays)), *sorted(words)])
        return Edge(source, target, label, same_step)
    return Edge(source, target, same_step=same_step)
