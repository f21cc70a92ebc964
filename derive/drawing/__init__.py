"""The picture of a network: layers, connections, and the delays on them."""

from derive.drawing.graph import Graph, network_graph
from derive.drawing.writers import svg, tikz

__all__ = ["Graph", "network_graph", "svg", "tikz"]
