"""The picture of a network: layers, connections, and the delays on them."""

from bptt.derive.drawing.graph import Graph, network_graph
from bptt.derive.drawing.writers import svg, tikz

__all__ = ["Graph", "network_graph", "svg", "tikz"]
