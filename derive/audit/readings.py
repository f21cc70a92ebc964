"""What a source leaves open, and the ways to read it.

Whether a derivative is total or explicit, in which order the factors of a product stand, and which
way round a derivative of a vector by a vector is laid out: where a claim does not say so, each
reading is judged by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bptt.derive.audit.claim import Claim, Layout
from bptt.derive.audit.indices import letters_in
from bptt.derive.language.syntax import (
    Big,
    Binary,
    Call,
    Negative,
    Node,
    Reference,
    children,
    with_children,
)
from bptt.derive.notation.plain import node_text

OPEN = "derivative"
# Signs between two factors that mean several things, where both are vectors.
CENTRED, CIRCLED = "·", "⊗"
PRODUCTS = ("product", "rising", "falling")
MAX_OPEN = 4
MAX_DOTS = 3


@dataclass(frozen=True)
class Reading:
    """The sides of a claim with nothing left open; `choices` says in words what was chosen.

    Those of a higher rank are less usual: they are meant where no other holds.
    """

    sides: tuple[Node, ...]
    layout: Layout
    choices: tuple[str, ...] = ()
    rank: int = 0


def readings(claim: Claim) -> tuple[Reading, ...]:
    """All readings of a claim, the most usual first."""
    found = []
    orders, dots = _orders(claim), _dots(claim.sides)
    ways = itertools.product(enumerate(_ended(claim.sides)), enumerate(dots))
    for (early, (words, ended)), (unusual, dot) in ways:
        for kinds, order in itertools.product(_kinds(claim), orders):
            sides = tuple(_chosen(s, kinds, order, dot) for s in ended)
            for layout in _layouts(claim, sides):
                choices = [f"{pair} is {kind}" for pair, kind, is_open in kinds if is_open]
                choices += [*filter(None, [words]), *itertools.starmap(_said_of, dot.items())]
                if order and len(orders) > 1:
                    choices.append(f"the factors of the product are {order} from the left")
                if claim.layout is None and layout is not None and len(_layouts(claim, sides)) > 1:
                    choices.append(_LAYOUT_WORDS[layout])
                found.append(Reading(sides, layout, tuple(choices), early + unusual))
    return tuple(sorted(found, key=lambda reading: reading.rank))


# What they mean, the usual first: functions, and words for them.
_SIGNS = {
    CENTRED: {"dot": "a scalar product", "mul": "a product element by element"},
    CIRCLED: {"kron": "Kronecker's product", "outer": "the outer product, a column times a row"},
}
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


def _orders(claim: Claim) -> tuple[str, ...]:
    sides = claim.sides
    if not any(isinstance(n, Big) and n.kind == "product" for s in sides for n in walk(s)):
        return ("",)
    return ("falling", "rising") if claim.products is None else (claim.products,)


def _dots(sides: Sequence[Node]) -> list[dict[Node, str]]:
    """For each sign of several meanings which it has."""
    nodes = dict.fromkeys(n for s in sides for n in walk(s) if _has_meanings(n))
    meanings = [tuple(_SIGNS[n.function]) for n in nodes if isinstance(n, Call)]
    if len(nodes) > MAX_DOTS:
        return [dict(zip(nodes, (m[k] for m in meanings), strict=True)) for k in (0, 1)]
    return [dict(zip(nodes, choice, strict=True)) for choice in itertools.product(*meanings)]


def _has_meanings(node: Node) -> bool:
    return isinstance(node, Call) and node.function in _SIGNS


def _said_of(node: Node, meaning: str) -> str:
    assert isinstance(node, Call)
    what = "dot" if node.function == CENTRED else "sign ⊗"
    return f"the {what} in {node_text(node)} is {_SIGNS[node.function][meaning]}"


def _chosen(node: Node, kinds: Sequence[Kind], order: str, dots: Mapping[Node, str]) -> Node:
    whole = node
    node = with_children(node, [_chosen(c, kinds, order, dots) for c in children(node)])
    if isinstance(node, Call) and whole in dots:
        return replace(node, function=dots[whole])
    if _is_open(node):
        assert isinstance(node, Call)
        kind = next(k for pair, k, _ in kinds if pair == _pair(node))
        return replace(node, function=kind)
    if isinstance(node, Big) and node.kind == "product":
        return replace(node, kind=order)  # type: ignore[arg-type]
    return node


def _ended(sides: tuple[Node, ...]) -> list[tuple[str, tuple[Node, ...]]]:
    """The sides with sums and products that end where one may end them, the usual first; and what
    is then to be said."""
    usual, *others = _products(sides)
    stretched = tuple(rewritten(side, _stretched) for side in sides)
    more = [("a sum goes on over the terms behind it", stretched)] if stretched != sides else []
    fewer = [(f"a product ends {n} factors earlier", o) for n, o in enumerate(others, 1)]
    is_open = bool(more or fewer)
    return [("sums and products end as they are written" if is_open else "", usual), *fewer, *more]


def _stretched(node: Node) -> Node:
    """Terms with a sum that goes on over those behind it that speak of its letter: sum_t a - b."""
    terms = _terms(node)
    for n, (sign, term) in enumerate(terms):
        if not (isinstance(term, Big) and term.kind == "sum"):
            continue
        behind = [k for k in range(n + 1, len(terms)) if speaks_of(terms[k][1], term.letter)]
        if behind:
            operand = term.operand
            for other, more in terms[n + 1 : behind[-1] + 1]:
                operand = Binary("+" if other == sign else "-", operand, more, term.at)
            whole = [*terms[:n], (sign, replace(term, operand=operand)), *terms[behind[-1] + 1 :]]
            return _joined(whole, term.at)
    return node


def _terms(node: Node) -> list[tuple[int, Node]]:
    """The terms of a sum, with their signs."""
    match node:
        case Binary("+" | "-" as operator, left, right):
            return [*_terms(left), (1 if operator == "+" else -1, right)]
        case Negative(operand):
            return [(-1, operand)]
    return [(1, node)]


def _joined(terms: Sequence[tuple[int, Node]], at: str) -> Node:
    (sign, found), *rest = terms
    found = found if sign > 0 else Negative(found, at)
    for sign, term in rest:
        found = Binary("+" if sign > 0 else "-", found, term, at)
    return found


def _products(sides: tuple[Node, ...]) -> list[tuple[Node, ...]]:
    """The sides with products that end behind their last factor, or earlier by constants.

    A reader ends a product by what conforms: in `\\prod_i W^T D_i V^T e` V stands behind it.
    """
    products = [n for s in sides for n in walk(s) if isinstance(n, Big) and n.kind in PRODUCTS]
    most = max((_constants(n.operand, n.letter) for n in products), default=0)
    return [tuple(rewritten(s, lambda n: _shortened(n, out)) for s in sides)  # noqa: B023
            for out in range(most + 1)]  # fmt: skip


def _constants(operand: Node, letter: str) -> int:
    """How many factors at the end of a product are the same for all of its numbers."""
    if not (isinstance(operand, Binary) and operand.operator == "@"):
        return 0
    return 0 if speaks_of(operand.right, letter) else 1 + _constants(operand.left, letter)


def _shortened(node: Node, out: int) -> Node:
    """A product without so many of its last factors, which stand behind it."""
    if not (isinstance(node, Big) and node.kind in PRODUCTS and out):
        return node
    if not _constants(node.operand, node.letter) or not speaks_of(node.operand, node.letter):
        return node
    operand = node.operand
    assert isinstance(operand, Binary)
    inner = _shortened(replace(node, operand=operand.left), out - 1)
    return replace(operand, left=inner)


def speaks_of(node: Node, letter: str) -> bool:
    """Whether a letter stands in an expression."""
    is_number = any(n.name == letter for n in walk(node) if isinstance(n, Reference))
    return is_number or letter in letters_in(node)


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
