"""What a source leaves open, and the ways to read it.

Whether a derivative is total or explicit, in which order the factors of a product stand, and which
way round a derivative of a vector by a vector is laid out: where a claim does not say so, each
reading is judged by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bptt.derive.audit.claim import Claim, Layout
from bptt.derive.language.syntax import Big, Call, Node, Reference, children, with_children
from bptt.derive.notation.plain import node_text

OPEN = "derivative"
MAX_OPEN = 4


@dataclass(frozen=True)
class Reading:
    """The sides of a claim with nothing left open; `choices` says in words what was chosen."""

    sides: tuple[Node, ...]
    layout: Layout
    choices: tuple[str, ...] = ()


def readings(claim: Claim) -> tuple[Reading, ...]:
    """All readings of a claim, the most usual first."""
    found = []
    for kinds in _kinds(claim):
        for order in _orders(claim.sides):
            sides = tuple(_chosen(s, kinds, order) for s in claim.sides)
            for layout in _layouts(claim, sides):
                choices = [f"{pair} is {kind}" for pair, kind, is_open in kinds if is_open]
                if order:
                    choices.append(f"the factors of the product are {order} from the left")
                if claim.layout is None and layout is not None and len(_layouts(claim, sides)) > 1:
                    choices.append(_LAYOUT_WORDS[layout])
                found.append(Reading(sides, layout, tuple(choices)))
    return tuple(found)


_LAYOUT_WORDS = {
    "jacobian": "∂y/∂x has a row for each y",
    "denominator": "∂y/∂x has a row for each x",
    "numerator": "∂y/∂x has a row for each y, and that of a number is a row",
}
Kind = tuple[str, str, bool]


def _kinds(claim: Claim) -> list[tuple[Kind, ...]]:
    """For each pair of quantities whose derivative is open: which it is."""
    pairs = list(dict.fromkeys(_pair(n) for s in claim.sides for n in walk(s) if _is_open(n)))
    alone = {_pair(s) for s in claim.sides if _is_open(s)}
    choices: list[list[Kind]] = []
    for pair in pairs:
        if claim.derivatives is not None:
            choices.append([(pair, claim.derivatives, False)])
        elif pair in alone:
            choices.append([(pair, "total", False)])
        else:
            choices.append([(pair, "total", True), (pair, "explicit", True)])
    if sum(len(c) > 1 for c in choices) > MAX_OPEN:
        together = []
        for kind in ("total", "explicit"):
            together.append(tuple(next((k for k in c if k[1] == kind), c[0]) for c in choices))
        return together
    return list(itertools.product(*choices))


def _is_open(node: Node) -> bool:
    return isinstance(node, Call) and node.function == OPEN


def _pair(node: Node) -> str:
    assert isinstance(node, Call)
    names = [n.name if isinstance(n, Reference) else node_text(n) for n in node.arguments[:2]]
    return f"∂{names[0]}/∂{names[1]}"


def _orders(sides: Sequence[Node]) -> tuple[str, ...]:
    is_open = any(isinstance(n, Big) and n.kind == "product" for s in sides for n in walk(s))
    return ("falling", "rising") if is_open else ("",)


def _chosen(node: Node, kinds: Sequence[Kind], order: str) -> Node:
    node = with_children(node, [_chosen(c, kinds, order) for c in children(node)])
    if _is_open(node):
        assert isinstance(node, Call)
        kind = next(k for pair, k, _ in kinds if pair == _pair(node))
        return replace(node, function=kind)
    if isinstance(node, Big) and node.kind == "product":
        return replace(node, kind=order)  # type: ignore[arg-type]
    return node


def _layouts(claim: Claim, sides: Sequence[Node]) -> tuple[Layout, ...]:
    if claim.layout is not None:
        return (claim.layout,)
    return ("jacobian", "denominator") if _has_jacobian(claim, sides) else ("jacobian",)


def _has_jacobian(claim: Claim, sides: Sequence[Node]) -> bool:
    """Whether a vector is derived by a vector, as a whole and with no transpose below."""
    for node in (n for s in sides for n in walk(s)):
        if not (isinstance(node, Call) and node.function in ("total", "explicit")):
            continue
        of, by = node.arguments[:2]
        if isinstance(of, Reference) and isinstance(by, Reference):
            ranks = claim.ranks(of), claim.ranks(by)
            if ranks[0] and ranks[1]:
                return True
    return False


def walk(node: Node) -> list[Node]:
    """A node and everything below it."""
    found = [node]
    for at in found:
        found.extend(children(at))
    return found


def rewritten(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with every node changed, from the leaves on."""
    return change(with_children(node, [rewritten(c, change) for c in children(node)]))
