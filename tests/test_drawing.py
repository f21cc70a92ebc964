"""The picture of a network: the graph says what is read, and nothing lies upon anything else."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bptt.derive import build, load, loads
from bptt.derive.drawing.geometry import Layout, Point, Wire
from bptt.derive.drawing.graph import Edge, Graph, Node, NodeKind, network_graph
from bptt.derive.drawing.layout import layout
from bptt.derive.drawing.writers import svg, tikz
from bptt.derive.errors import UserError

FOLDER = Path(__file__).parent.parent / "generated"
TOPOLOGIES = sorted(path.stem for path in FOLDER.glob("*.toml"))
SVG = "{http://www.w3.org/2000/svg}"


@cache
def graph_of(name: str) -> Graph:
    return network_graph(build(load(FOLDER / f"{name}.toml")))


def labels(graph: Graph) -> dict[tuple[str, str], str]:
    return {(edge.source, edge.target): edge.label for edge in graph.edges}


def test_the_tapped_delay_lines_of_narx() -> None:
    graph = graph_of("narx")
    assert graph.nodes == (
        Node("current", "input", ("1",)),
        Node("hidden", "layer", ("10",)),
        Node("position", "output", ("1",)),
    )
    assert labels(graph) == {
        ("current", "hidden"): "0, 1, 2",
        ("hidden", "position"): "",
        ("position", "hidden"): "1, 2",
    }


def test_what_an_intermediate_signal_reads_is_read_by_those_it_leads_to() -> None:
    # Within the equations of y and a stand signals without a name for the products, the
    # concatenation, the logits and the sum of the softmax; their delays add up.
    text = """
        equations = '''
        a[t] = softmax(K @ concat(x[t-1], h[t-2]))
        h[t] = tanh(W @ a[t] + U @ (h[t-1] * a[t-3]) + b)
        y[t] = V @ concat(h[t+1], h[t])
        '''
        [inputs]
        x = 2
        [signals]
        a = 3
        h = 3
        y = 1
        [loss]
        y = "mse"
    """
    graph = network_graph(build(loads(text)))
    assert [node.name for node in graph.nodes] == ["x", "a", "h", "y"]
    assert labels(graph) == {
        ("x", "a"): "1",
        ("h", "a"): "2",
        ("a", "h"): "0, 3",
        ("h", "h"): "1",
        ("h", "y"): "-1, 0",
    }


def test_reads_of_later_single_and_many_steps() -> None:
    ends = labels(graph_of("many_to_one"))
    assert ends["back", "back"] == "-1"
    assert ends["forth", "label"] == "last"
    assert ends["back", "label"] == "first"
    past = labels(graph_of("own_past"))
    assert past["h", "c"] == past["a", "c"] == past["e", "a"] == "s<t"
    assert past["h", "e"] == "s"
    attention = labels(graph_of("self_attention"))
    assert attention["valid", "a1"] == attention["v1", "o1"] == "all s"
    assert attention["v2", "o2"] == "s<=t"
    assert attention["y", "pooled"] == "all t"
    assert attention["q1", "e1"] == ""


def test_a_layer_is_one_node_with_the_states_within_it() -> None:
    graph = graph_of("stacked_bidirectional")
    assert [node.kind for node in graph.nodes] == ["input", "mask", *["layer"] * 4, "output"]
    assert labels(graph)["forth", "forth"] == "1"
    assert labels(graph)["valid", "back2"] == ""


def random_graph(seed: int) -> Graph:
    """Up to twelve nodes, any of them joined, each labelled or not."""
    chance = random.Random(seed)
    names = [f"n{n}" * chance.randint(1, 4) for n in range(chance.randint(1, 12))]
    kinds: tuple[NodeKind, ...] = ("input", "mask", "layer", "output")
    nodes = tuple(Node(name, chance.choice(kinds), ("3",)) for name in names)
    edges = [
        Edge(a, b, label or ("1" if a == b else ""), same_step=not label)
        for a, b in itertools.product(names, names)
        if chance.random() < 0.22
        for label in [chance.choice(["", "", "1", "0, 1, 2", "t-4<=s<=t"])]
    ]
    return Graph(nodes, tuple(edges))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_nothing_lies_upon_anything_else(name: str) -> None:
    check_layout(graph_of(name), layout(graph_of(name)))


def test_nothing_lies_upon_anything_else_in_random_graphs() -> None:
    for seed in range(30):
        graph = random_graph(seed)
        check_layout(graph, layout(graph))


def check_layout(graph: Graph, plan: Layout) -> None:
    assert [box.node for box in plan.boxes] == list(graph.nodes)
    assert [wire.edge for wire in plan.wires] == list(graph.edges)
    marks = [wire.label for wire in plan.wires if wire.label]
    assert [mark.text for mark in marks] == [e.label for e in graph.edges if e.label]
    for one, other in itertools.combinations((*plan.boxes, *marks), 2):
        assert not one.meets(other), (one, other)
    for one in (*plan.boxes, *marks):
        assert one.left >= 0
        assert one.right <= plan.width
        assert one.top >= 0
        assert one.bottom <= plan.height
    for wire in plan.wires:
        check_wire(wire, plan)


def check_wire(wire: Wire, plan: Layout) -> None:
    """A wire joins the borders of its boxes, meets no box, and has its label beside it."""
    boxes = {box.node.name: box for box in plan.boxes}
    for name, (x, y) in ((wire.edge.source, wire.points[0]), (wire.edge.target, wire.points[-1])):
        box = boxes[name]
        sides = min(abs(x - box.left), abs(x - box.right))
        ends = min(abs(y - box.top), abs(y - box.bottom))
        assert min(sides, ends) < 0.01
        assert abs(x - box.x) <= box.width / 2 + 0.01
        assert abs(y - box.y) <= box.height / 2 + 0.01
    points = list(along(wire))
    for box in plan.boxes:
        for x, y in points:
            inside = abs(x - box.x) < box.width / 2 - 0.1 and abs(y - box.y) < box.height / 2 - 0.1
            assert not inside, (wire.edge, box.node.name)
    if wire.label:
        mark = wire.label
        assert any(abs(x - mark.x) < 40 and 0 < y - mark.bottom < 4 for x, y in points)


def along(wire: Wire) -> Iterator[Point]:
    """Points on a wire, close to each other."""
    for start, first, second, end in wire.curves():
        for step in range(33):
            u, v = 1 - step / 32, step / 32
            weights = (u**3, 3 * u * u * v, 3 * u * v * v, v**3)
            points = (start, first, second, end)
            x = sum(w * p[0] for w, p in zip(weights, points, strict=True))
            yield x, sum(w * p[1] for w, p in zip(weights, points, strict=True))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_svg_and_tikz_draw_every_node_and_edge(name: str) -> None:
    graph = graph_of(name)
    root = ET.fromstring(svg(graph))
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert root.find(f"{SVG}title") is not None
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {node.name for node in graph.nodes} <= set(texts)
    assert len(list(root.iter(f"{SVG}rect"))) == len(graph.nodes)
    assert len(list(root.iter(f"{SVG}path"))) == 2 * len(graph.edges)
    picture = tikz(graph)
    assert picture.count(r"\draw") == len(graph.edges)
    assert picture.count(r"\node[label]") == sum(bool(edge.label) for edge in graph.edges)
    assert picture.count(r"\node[") - picture.count(r"\node[label]") == len(graph.nodes)


def test_names_are_escaped() -> None:
    graph = Graph((Node("a_b", "input"), Node("c<d&", "output")), (Edge("a_b", "c<d&", "s<=t"),))
    assert r"a\_b" in tikz(graph)
    assert r"c<d\&" in tikz(graph)
    assert r"$s\le t$" in tikz(graph)
    assert "c<d&" in [text.text for text in ET.fromstring(svg(graph)).iter(f"{SVG}text")]


def test_an_empty_graph_is_drawn() -> None:
    assert ET.fromstring(svg(Graph((), ()))).tag == f"{SVG}svg"


def test_the_same_picture_whatever_the_hash_seed() -> None:
    code = (
        "from bptt.derive import build, load\n"
        "from bptt.derive.drawing.writers import svg, tikz\n"
        "from bptt.derive.drawing.graph import network_graph\n"
        "for name in ('self_attention', 'bahdanau', 'lstm_variants', 'own_past'):\n"
        "    graph = network_graph(build(load(f'generated/{name}.toml')))\n"
        "    print(tikz(graph), svg(graph))\n"
    )
    pictures = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=FOLDER.parent,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pictures) == 1


def test_what_nobody_could_read_is_not_drawn() -> None:
    nodes = tuple(Node(f"n{n}", "layer") for n in range(80))
    chain = tuple(Edge(a.name, b.name) for a, b in itertools.pairwise(nodes))
    across = tuple(Edge(nodes[0].name, node.name) for node in nodes[2:])
    assert ET.fromstring(svg(Graph(nodes, chain))).tag == f"{SVG}svg"
    with pytest.raises(UserError, match="more than 2000 boxes and pieces of edges"):
        layout(Graph(nodes, (*chain, *across)))
