"""The picture of a network, as TikZ for an article and as SVG for a page, from one layout."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from bptt.derive.drawing.geometry import (
    NAME_SIZE,
    SMALL_SIZE,
    Box,
    Label,
    Point,
    Wire,
    between,
    is_straight,
)
from bptt.derive.drawing.graph import Graph, NodeKind
from bptt.derive.drawing.layout import layout

# Wider pictures than this are fitted into the width of the text, in points.
WIDE = 300.0
HEAD, HEAD_WIDTH = 5.0, 4.0

TIKZ_STYLES = r"""  >={Stealth[length=4.5pt, width=4pt]}, line width=0.5pt,
  box/.style={draw, align=center, inner sep=0pt, font=\fontsize{10}{10}\selectfont},
  input/.style={box, rounded corners=9pt, fill=black!6},
  mask/.style={input, densely dashed},
  layer/.style={box, rounded corners=1.5pt},
  output/.style={layer, line width=1.3pt, fill=black!6},
  label/.style={inner sep=0pt, font=\fontsize{8}{8}\selectfont},"""

SVG_STYLES: dict[NodeKind, str] = {
    "input": 'rx="9" fill-opacity="0.08"',
    "mask": 'rx="9" fill-opacity="0.08" stroke-dasharray="3 2"',
    "layer": 'rx="1.5" fill-opacity="0"',
    "output": 'rx="1.5" fill-opacity="0.08" stroke-width="1.6"',
}
TEX_SPECIAL = {
    **{c: f"\\{c}" for c in "_&%$#{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
}


def tikz(graph: Graph) -> str:
    """The picture for LaTeX with the package tikz and its library arrows.meta."""
    plan = layout(graph)
    lines = [r"\begin{tikzpicture}[x=1pt, y=-1pt,", TIKZ_STYLES + "]"]
    lines += [_tikz_box(box) for box in plan.boxes]
    lines += [line for wire in plan.wires for line in _tikz_wire(wire)]
    picture = "\n".join([*lines, r"\end{tikzpicture}"])
    if plan.width <= WIDE:
        return picture + "\n"
    fitted = r"\ifdim\width>\textwidth\textwidth\else\width\fi"
    return f"\\resizebox{{{fitted}}}{{!}}{{%\n{picture}%\n}}\n"


def _tikz_box(box: Box) -> str:
    small = [rf"\fontsize{{8}}{{10}}\selectfont {_tex(text)}" for text in box.node.text]
    lines = r" \\ ".join([rf"\strut {_tex(box.node.name)}", *small])
    size = f"minimum width={_n(box.width)}pt, minimum height={_n(box.height)}pt"
    return rf"  \node[{box.node.kind}, {size}] at {_pair((box.x, box.y))} {{{lines}}};"


def _tikz_wire(wire: Wire) -> list[str]:
    path = _pair(wire.points[0])
    for start, first, second, end in wire.curves():
        if is_straight(start, first, second, end):
            path += f" -- {_pair(end)}"
        else:
            path += f" .. controls {_pair(first)} and {_pair(second)} .. {_pair(end)}"
    lines = [rf"  \draw[->] {path};"]
    if wire.label:
        at = _pair((wire.label.x, wire.label.y))
        lines.append(rf"  \node[label] at {at} {{\strut {_tex_label(wire.label.text)}}};")
    return lines


def _tex(text: str) -> str:
    return "".join(TEX_SPECIAL.get(c, c) for c in text)


def _tex_label(text: str) -> str:
    """A label with its letters and comparisons in mathematics."""
    words = []
    for word in text.split():
        said = re.fullmatch(r"([a-z]\d*|.*[<>=-].*?)(,?)", word)
        words.append(f"${_tex_comparison(said[1])}${said[2]}" if said else word)
    return " ".join(words)


def _tex_comparison(text: str) -> str:
    return text.replace("<=", r"\le ").replace(">=", r"\ge ")


def svg(graph: Graph) -> str:
    """The picture as an <svg> element in the colour of the text around it."""
    plan = layout(graph)
    size = f'width="{_n(plan.width)}" height="{_n(plan.height)}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} '
        f'viewBox="0 0 {_n(plan.width)} {_n(plan.height)}" style="max-width:100%;height:auto" '
        f'font-family="sans-serif" font-size="{_n(NAME_SIZE)}" text-anchor="middle" '
        'fill="currentColor" stroke-width="0.8">'
    )
    lines = [head, f"<title>{escape(_title(graph))}</title>"]
    lines += [_svg_box(box) for box in plan.boxes]
    lines += [line for wire in plan.wires for line in _svg_wire(wire)]
    return "\n".join([*lines, "</svg>", ""])


def _title(graph: Graph) -> str:
    def names(*kinds: NodeKind) -> str:
        return ", ".join(node.name for node in graph.nodes if node.kind in kinds) or "none"

    return f"A network with the inputs {names('input', 'mask')} and the outputs {names('output')}"


def _svg_box(box: Box) -> str:
    place = f'x="{_n(box.left)}" y="{_n(box.top)}" width="{_n(box.width)}"'
    style = f'{SVG_STYLES[box.node.kind]} stroke="currentColor"'
    parts = [f'<rect {place} height="{_n(box.height)}" {style}/>']
    y = box.y + 3.5 - 5.5 * len(box.node.text)
    parts.append(f'<text x="{_n(box.x)}" y="{_n(y)}">{escape(box.node.name)}</text>')
    for n, text in enumerate(box.node.text, 1):
        parts.append(_svg_text(text, box.x, y + 10.5 * n))
    return "".join(parts)


def _svg_text(text: str, x: float, y: float) -> str:
    size = f'font-size="{_n(SMALL_SIZE)}"'
    return f'<text x="{_n(x)}" y="{_n(y)}" {size}>{escape(text)}</text>'


def _svg_wire(wire: Wire) -> list[str]:
    *curves, last = wire.curves()
    head, base = _head(last[2], last[3])
    path = f"M{_pt(wire.points[0])}"
    for start, first, second, end in [*curves, (*last[:3], base)]:
        if is_straight(start, first, second, end):
            path += f" L{_pt(end)}"
        else:
            path += f" C{_pt(first)} {_pt(second)} {_pt(end)}"
    lines = [f'<path d="{path}" fill="none" stroke="currentColor"/><path d="{head}"/>']
    if wire.label:
        lines.append(_svg_text(_plain_label(wire.label), wire.label.x, wire.label.y + 3))
    return lines


def _plain_label(label: Label) -> str:
    text = label.text.replace("<=", "\N{LESS-THAN OR EQUAL TO}")
    return text.replace(">=", "\N{GREATER-THAN OR EQUAL TO}").replace("-", "\N{MINUS SIGN}")


def _head(before: Point, tip: Point) -> tuple[str, Point]:
    """The path of an arrow's head that comes from `before`, and the middle of its base."""
    length = ((tip[0] - before[0]) ** 2 + (tip[1] - before[1]) ** 2) ** 0.5
    back = ((before[0] - tip[0]) / length, (before[1] - tip[1]) / length)
    base = (tip[0] + HEAD * back[0], tip[1] + HEAD * back[1])
    side = (-back[1] * HEAD_WIDTH / 2, back[0] * HEAD_WIDTH / 2)
    left, right = ((base[0] + s * side[0], base[1] + s * side[1]) for s in (1, -1))
    return f"M{_pt(left)} L{_pt(tip)} L{_pt(right)} Z", between(base, tip, 0.1)


def _n(number: float) -> str:
    """A number with one digit behind the point at most."""
    return f"{round(number, 1) + 0.0:g}"


def _pair(point: Point) -> str:
    return f"({_n(point[0])}, {_n(point[1])})"


def _pt(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"
