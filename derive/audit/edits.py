"""The kinds of error seen in books and code, as edits of a tree.

Every edit is one slip undone, or made: a step or an index shifted, a transpose, factors in another
order, a term or a factor that is missing or too much, parentheses, a sum for a product, the wrong
parameter, a sign, a constant factor, values before and after an activation, total and explicit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bptt.derive.audit.readings import walk
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.language import syntax
from bptt.derive.notation.plain import node_text

SHIFT = "a step or an index is shifted"
TRANSPOSE = "a transpose"
ORDER = "the order of factors"
DROPPED_TERM = "a term is too much"
DROPPED_FACTOR = "a factor is too much"
MISSING_TERM = "a term is missing"
MISSING_FACTOR = "a factor is missing"
PARENTHESES = "parentheses"
SUM_PRODUCT = "sum for product"
NAME = "the wrong quantity"
SIGN = "a sign"
CONSTANT = "a constant factor"
ACTIVATION = "before or after the activation"
EXPLICIT = "explicit for total"
DIAGONAL = "a diagonal for a matrix"
INVERSE = "an inverse or a power"
LIMIT = "the limit of a sum"
IDENTITY = "ones for the identity"
KINDS = (
    *(SHIFT, LIMIT, TRANSPOSE, ORDER, SIGN, EXPLICIT, NAME, ACTIVATION, PARENTHESES, CONSTANT),
    *(SUM_PRODUCT, DROPPED_FACTOR, DROPPED_TERM, INVERSE, DIAGONAL, IDENTITY),
    *(MISSING_FACTOR, MISSING_TERM),
)


@dataclass(frozen=True)
class Edit:
    """One change: what kind of slip it is, what stood there, and what stands there now."""

    kind: str
    old: syntax.Node
    new: syntax.Node


@dataclass(frozen=True)
class Words:
    """What edits may put in: names that can stand for each other, labels, activations.

    `alike` gives the names with the axes of a name; `before` the argument of the activation that
    a signal is the value of, with the activation's name; `delays` are letters that are added to
    steps, `sets` the families of labels.
    """

    steps: dict[str, int] = field(default_factory=dict)
    alike: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: dict[str, tuple[str, str]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    delays: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()


def edits(node: syntax.Node, words: Words) -> Iterator[tuple[Edit, syntax.Node]]:
    """Every edit of a tree, with the whole tree as it then is."""
    for new, kind in _local(node, words):
        yield Edit(kind, node, new), new
    below = list(syntax.children(node))
    for position, child in enumerate(below):
        if isinstance(child, syntax.Comparison) or (isinstance(node, syntax.Big) and position):
            # Limits are shifted where they stand.
            continue
        for edit, changed in edits(child, words):
            if isinstance(node, syntax.Transpose) and isinstance(changed, syntax.Transpose):
                # A transpose taken off is an edit of its own.
                continue
            below[position] = changed
            yield edit, syntax.with_children(node, below)
            below[position] = child


def _local(node: syntax.Node, words: Words) -> Iterator[tuple[syntax.Node, str]]:
    match node:
        case syntax.Reference():
            yield from _mention(node, words)
        case syntax.Negative(operand):
            yield operand, SIGN
        case syntax.Transpose(operand):
            yield operand, TRANSPOSE
            return
        case syntax.Binary(operator):
            yield from _BINARY[operator](node)
        case syntax.Call():
            yield from _call(node)
        case syntax.Big():
            yield from _big(node, words)
        case syntax.Where(operand, conditions):
            for position, condition in enumerate(conditions):
                for new in _comparison(condition):
                    changed = (*conditions[:position], new, *conditions[position + 1 :])
                    yield replace(node, conditions=changed), LIMIT
            yield operand, LIMIT
        case _:
            return
    if isinstance(node, syntax.Binary) and node.operator == "@":
        yield syntax.Binary("@", _turned(node.right), _turned(node.left), ""), TRANSPOSE
    elif isinstance(node, syntax.Reference | syntax.Call) or _is_sum(node):
        yield syntax.Transpose(node, ""), TRANSPOSE
    if _is_sum(node) or (isinstance(node, syntax.Reference) and not node.subscripts):
        yield syntax.Call("inv", (node,), ""), INVERSE


def _turned(node: syntax.Node) -> syntax.Node:
    """The transpose of a factor."""
    return node.operand if isinstance(node, syntax.Transpose) else syntax.Transpose(node, "")


def _is_sum(node: syntax.Node) -> bool:
    return isinstance(node, syntax.Binary) and node.operator in "+-"


def _mention(node: syntax.Reference, words: Words) -> Iterator[tuple[syntax.Node, str]]:
    subscripts = node.subscripts or ()
    for position, subscript in enumerate(subscripts):
        is_step = position < words.steps.get(node.name, 1)
        for by in (-1, 1) if is_step else ():
            moved = replace(subscript, offset=subscript.offset + by)
            if subscript.name is not None:
                yield _at(node, position, moved), SHIFT
        free = [d for d in words.delays if d not in {n for _, n in subscript.also}]
        for delay in free if is_step and subscript.name is not None else ():
            for sign in (-1, 1):
                also = (*subscript.also, (sign, delay))
                yield _at(node, position, replace(subscript, also=also)), SHIFT
        others = (n for n in words.letters if n != subscript.name and subscript.name is not None)
        for letter in others:
            yield _at(node, position, replace(subscript, name=letter)), SHIFT
        for n, (sign, name) in enumerate(subscript.also):
            flipped = (*subscript.also[:n], (-sign, name), *subscript.also[n + 1 :])
            without = (*subscript.also[:n], *subscript.also[n + 1 :])
            yield _at(node, position, replace(subscript, also=flipped)), SHIFT
            yield _at(node, position, replace(subscript, also=without)), SHIFT
    for first in range(len(subscripts)):
        for second in range(first + 1, len(subscripts)):
            turned = list(subscripts)
            turned[first], turned[second] = turned[second], turned[first]
            yield replace(node, subscripts=tuple(turned)), TRANSPOSE
    for other in words.alike.get(node.name, ()):
        yield replace(node, name=other), NAME
    for old in words.labels:
        for new in words.labels:
            parts = node.name.split(f"{{{old}}}") if old != new else [node.name]
            for n in range(1, len(parts)):
                # One of the places where the label stands.
                ahead, behind = (f"{{{old}}}".join(x) for x in (parts[:n], parts[n:]))
                yield replace(node, name=f"{ahead}{{{new}}}{behind}"), NAME
    if words.labels:
        yield from _labels_turned(node)
    if node.name in words.before:
        function, argument = words.before[node.name]
        yield replace(node, name=argument), ACTIVATION
        yield syntax.Call(function, (node,), node.at), ACTIVATION


def _labels_turned(node: syntax.Reference) -> Iterator[tuple[syntax.Node, str]]:
    parts = node.name.split("_")
    holes = [n for n, p in enumerate(parts) if p.startswith("{")]
    for first, second in itertools.pairwise(holes):
        turned = list(parts)
        turned[first], turned[second] = turned[second], turned[first]
        yield replace(node, name="_".join(turned)), TRANSPOSE


def _at(node: syntax.Reference, position: int, subscript: syntax.Subscript) -> syntax.Reference:
    subscripts = list(node.subscripts or ())
    subscripts[position] = subscript
    return replace(node, subscripts=tuple(subscripts))


def _added(node: syntax.Binary) -> Iterator[tuple[syntax.Node, str]]:
    left, right = node.left, node.right
    yield replace(node, operator="-" if node.operator == "+" else "+"), SIGN
    yield left, DROPPED_TERM
    yield (right if node.operator == "+" else syntax.Negative(right, node.at)), DROPPED_TERM
    for is_left, operand in ((True, left), (False, right)):
        yield from _pulled(node, is_left)
        if isinstance(operand, syntax.Binary) and operand.operator == "**":
            # (a - b)^2 for a - b^2.
            yield replace(operand, left=_with_operand(node, is_left, operand.left)), PARENTHESES
    yield syntax.Negative(node, ""), SIGN


def _chain(node: syntax.Node) -> list[tuple[str, syntax.Node]]:
    """The factors of a product from the left, each with the operator in front of it."""
    found: list[tuple[str, syntax.Node]] = []
    while isinstance(node, syntax.Binary) and node.operator in ("@", "*"):
        found.insert(0, (node.operator, node.right))
        node = node.left
    return [("", node), *found]


def _joined(factors: Sequence[tuple[str, syntax.Node]]) -> syntax.Node:
    found = factors[0][1]
    for operator, factor in factors[1:]:
        found = syntax.Binary(operator, found, factor, "")
    return found


def _with_operand(node: syntax.Binary, is_left: bool, new: syntax.Node) -> syntax.Binary:
    return replace(node, left=new) if is_left else replace(node, right=new)


def _pulled(node: syntax.Binary, is_left: bool) -> Iterator[tuple[syntax.Node, str]]:
    """`a + b*c*d` as `(a + b)*c*d`, and `b*c*d + a` as `b*(c*d + a)`: first or last factors out."""
    factors = _chain(node.left if is_left else node.right)
    for cut in range(1, len(factors)):
        ahead, behind = factors[:cut], factors[cut:]
        inner = _with_operand(node, is_left, _joined(ahead))
        yield _joined([("", inner), *behind]), PARENTHESES
        inner = _with_operand(node, is_left, _joined(behind))
        yield syntax.Binary(behind[0][0], _joined(ahead), inner, ""), PARENTHESES


def _multiplied(node: syntax.Binary) -> Iterator[tuple[syntax.Node, str]]:
    left, right, operator = node.left, node.right, node.operator
    yield left, DROPPED_FACTOR
    yield right, DROPPED_FACTOR
    yield replace(node, operator="/"), INVERSE
    if operator == "@":
        yield replace(node, left=right, right=left), ORDER
        if isinstance(left, syntax.Binary) and left.operator == "@":
            # a b c as a c b.
            inner = replace(left, right=right)
            yield replace(node, left=inner, right=left.right), ORDER
        yield replace(node, operator="*"), DIAGONAL
    else:
        yield replace(node, operator="@"), DIAGONAL
        if isinstance(left, syntax.Binary) and left.operator == "*":
            # The last but one of several factors.
            yield replace(node, left=left.left), DROPPED_FACTOR
    if operator == "*" and isinstance(right, syntax.Binary) and right.operator == "@":
        # a * (B c) as B (a * c).
        yield replace(right, right=syntax.Binary("*", left, right.right, "")), PARENTHESES
    if operator == "@" and isinstance(right, syntax.Binary) and right.operator == "*":
        yield syntax.Binary("*", right.left, replace(node, right=right.right), ""), PARENTHESES
    # (a + b)*c as a + b*c, and a*(b + c) as a*b + c.
    if _is_sum(left):
        assert isinstance(left, syntax.Binary)
        yield replace(left, right=replace(node, left=left.right)), PARENTHESES
        yield replace(left, left=replace(node, left=left.left)), PARENTHESES
    if _is_sum(right):
        assert isinstance(right, syntax.Binary)
        yield replace(right, left=replace(node, right=right.left)), PARENTHESES
        yield replace(right, right=replace(node, right=right.right)), PARENTHESES


def _divided(node: syntax.Binary) -> Iterator[tuple[syntax.Node, str]]:
    yield node.left, DROPPED_FACTOR
    yield replace(node, operator="*"), INVERSE
    yield replace(node, operator="@"), INVERSE


def _raised(node: syntax.Binary) -> Iterator[tuple[syntax.Node, str]]:
    yield node.left, INVERSE
    if _is_sum(node.left):
        # a - b^2 for (a - b)^2.
        assert isinstance(node.left, syntax.Binary)
        yield replace(node.left, right=replace(node, left=node.left.right)), PARENTHESES
    for by in ("+", "-"):
        exponent = syntax.Binary(by, node.right, syntax.Number("1", ""), "")
        yield replace(node, right=folded(exponent)), INVERSE


def folded(node: syntax.Node) -> syntax.Node:
    """`2 + 1` as 3, `i + 1 - 1` as i."""
    if not isinstance(node, syntax.Binary) or node.operator not in "+-":
        return node
    left, right = node.left, node.right
    if not isinstance(right, syntax.Number) or not right.text.isdigit():
        return node
    step = int(right.text) if node.operator == "+" else -int(right.text)
    if isinstance(left, syntax.Number) and left.text.isdigit() and int(left.text) + step >= 0:
        return syntax.Number(str(int(left.text) + step), left.at)
    if (
        isinstance(left, syntax.Binary)
        and left.operator in "+-"
        and isinstance(left.right, syntax.Number)
    ):
        old = int(left.right.text) if left.operator == "+" else -int(left.right.text)
        total = old + step
        if total == 0:
            return left.left
        number = syntax.Number(str(abs(total)), left.right.at)
        return replace(left, operator="+" if total > 0 else "-", right=number)
    return node


_BINARY = {
    "+": _added,
    "-": _added,
    "*": _multiplied,
    "@": _multiplied,
    "/": _divided,
    "**": _raised,
}


def _call(node: syntax.Call) -> Iterator[tuple[syntax.Node, str]]:
    name, arguments = node.function, node.arguments
    if name in ("total", "explicit") and len(arguments) == 2:
        yield replace(node, function="explicit" if name == "total" else "total"), EXPLICIT
        return
    if name in ("kron", "outer"):
        yield replace(node, arguments=arguments[::-1]), ORDER
        return
    if name in ("dot", "mul"):
        # A vector of ones in the place of one of the two.
        for argument in arguments:
            yield syntax.Call("sum", (argument,), node.at), IDENTITY
        return
    if name == "inv":
        yield arguments[0], INVERSE
    if name == "trace":
        yield replace(node, function="sum"), IDENTITY
    if name == "diag":
        yield arguments[0], DIAGONAL
    stem = name.removesuffix("'")
    if stem in PRIMITIVES:
        other = stem if name.endswith("'") else f"{stem}'"
        yield replace(node, function=other), ACTIVATION
        yield arguments[0], ACTIVATION


def _big(node: syntax.Big, words: Words) -> Iterator[tuple[syntax.Node, str]]:
    for end in ("low", "high"):
        limit = getattr(node, end)
        if limit is None:
            continue
        for by in ("+", "-"):
            moved = folded(syntax.Binary(by, limit, syntax.Number("1", ""), ""))
            yield (replace(node, low=moved) if end == "low" else replace(node, high=moved)), LIMIT
    if node.members:
        stem, hole, rest = node.members.partition("{")
        for other in words.sets:
            if other != stem and hole:
                yield replace(node, members=other + hole + rest), LIMIT
        return
    if node.kind == "sum":
        yield replace(node, kind="falling"), SUM_PRODUCT
        return
    yield replace(node, kind="falling" if node.kind == "rising" else "rising"), ORDER
    yield replace(node, kind="sum"), SUM_PRODUCT


def _comparison(node: syntax.Comparison) -> Iterator[syntax.Comparison]:
    opposite = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
    for position, operator in enumerate(node.operators):
        if operator in opposite:
            for sign in ("+", "-"):
                moved = folded(
                    syntax.Binary(sign, node.operands[position + 1], syntax.Number("1", ""), "")
                )
                operands = (*node.operands[: position + 1], moved, *node.operands[position + 2 :])
                yield replace(node, operands=operands)
            operators = (
                *node.operators[:position],
                opposite[operator],
                *node.operators[position + 1 :],
            )
            yield replace(node, operators=operators)


def constants(node: syntax.Node, sizes: Sequence[str] = ()) -> Iterator[tuple[Edit, syntax.Node]]:
    """Every term of a tree with a constant factor: 2, 1/2, -1, 1/T, T, or by a size."""
    for term, rebuilt in terms(node):
        for size in sizes:
            new = syntax.Binary("/", term, syntax.Reference(size, None, ""), "")
            yield Edit(CONSTANT, term, new), rebuilt(new)
        for factor in (
            syntax.Number("2", ""),
            syntax.Binary("/", syntax.Number("1", ""), syntax.Number("2", ""), ""),
            syntax.Binary("/", syntax.Number("1", ""), syntax.Reference("T", None, ""), ""),
            syntax.Reference("T", None, ""),
        ):
            changed = syntax.Binary("*", factor, term, "")
            yield Edit(CONSTANT, term, changed), rebuilt(changed)
        opposite = syntax.Negative(term, "")
        yield Edit(SIGN, term, opposite), rebuilt(opposite)


def doubled(node: syntax.Node) -> Iterator[tuple[Edit, syntax.Node]]:
    """Every product with its first or its last factor written twice."""
    for at, rebuilt in places(node):
        if isinstance(at, syntax.Binary) and at.operator in ("*", "@"):
            for new in (
                syntax.Binary(at.operator, at.left, at, ""),
                syntax.Binary(at.operator, at, at.right, ""),
            ):
                yield Edit(DROPPED_FACTOR, at, new), rebuilt(new)


def _lost(whole: syntax.Node, part: syntax.Node) -> syntax.Node | None:
    """What a sum or a product has beside one of its operands."""
    if not isinstance(whole, syntax.Binary):
        return None
    if part == whole.left:
        return whole.right
    is_right = part == whole.right or part == syntax.Negative(whole.right, whole.at)
    return whole.left if is_right else None


def usualness(edit: Edit) -> tuple[float, int]:
    """Slips that are usual come first, and of these the smaller."""
    rank = float(KINDS.index(edit.kind))
    if edit.kind == SIGN and _is_sum(edit.old):
        return rank, 0
    if edit.kind == TRANSPOSE and isinstance(edit.old, syntax.Binary):
        # Of a product rather the factors stand in another order.
        rank = KINDS.index(ORDER) + 0.5
    return rank, size([edit.old])


def described(edit: Edit, shown: Callable[[syntax.Node], str] = node_text) -> str:
    """An edit that mends, in words: `a term is too much: W.T @ d[t]`; `shown` writes formulas."""
    if edit.kind in (DROPPED_TERM, DROPPED_FACTOR):
        lost = _lost(edit.old, edit.new)
        if lost is not None:
            return f"{edit.kind}: {shown(lost)}"
    if edit.kind in (MISSING_TERM, MISSING_FACTOR):
        added = _lost(edit.new, edit.old)
        if added is not None:
            return f"{edit.kind}: {shown(added)}"
    return f"{edit.kind}: {shown(edit.old)} -> {shown(edit.new)}"


def misread(edit: Edit) -> str:
    """An edit that spoils, in words: `h[t-1] is read as h[t]`."""
    lost = _lost(edit.old, edit.new)
    if edit.kind in (DROPPED_TERM, DROPPED_FACTOR) and lost is not None:
        what = "term" if edit.kind == DROPPED_TERM else "factor"
        return f"the {what} {node_text(lost)} is left out"
    return f"{node_text(edit.old)} is read as {node_text(edit.new)}"


class Rebuilt:
    """Puts another node at one place of a tree."""

    def __init__(self, root: syntax.Node, path: tuple[int, ...]) -> None:
        self._root = root
        self._path = path

    def __call__(self, new: syntax.Node) -> syntax.Node:
        return _put(self._root, self._path, new)


def _put(node: syntax.Node, path: Sequence[int], new: syntax.Node) -> syntax.Node:
    if not path:
        return new
    below = list(syntax.children(node))
    below[path[0]] = _put(below[path[0]], path[1:], new)
    return syntax.with_children(node, below)


def places(node: syntax.Node) -> Iterator[tuple[syntax.Node, Rebuilt]]:
    """Every node of a tree that has a value, with what puts another in its place."""
    return ((at, Rebuilt(node, path)) for at, path in _paths(node, ()))


def _paths(
    node: syntax.Node, path: tuple[int, ...]
) -> Iterator[tuple[syntax.Node, tuple[int, ...]]]:
    if isinstance(node, syntax.Comparison):
        return
    yield node, path
    if isinstance(node, syntax.Call) and node.function in ("total", "explicit"):
        return
    below = syntax.children(node)
    if isinstance(node, syntax.Big):
        below = below[:1]
    if isinstance(node, syntax.Binary) and node.operator == "**":
        below = below[:1]
    for position, child in enumerate(below):
        yield from _paths(child, (*path, position))


def terms(node: syntax.Node) -> Iterator[tuple[syntax.Node, Rebuilt]]:
    """The outermost terms of a tree: what stands between + and -."""
    stack: list[tuple[syntax.Node, tuple[int, ...]]] = [(node, ())]
    while stack:
        at, path = stack.pop()
        if _is_sum(at):
            stack += [(c, (*path, n)) for n, c in enumerate(syntax.children(at))]
        else:
            yield at, Rebuilt(node, path)


def size(nodes: Iterable[syntax.Node]) -> int:
    """How many nodes trees have: of two repairs the smaller is the better."""
    return sum(len(walk(n)) for n in nodes)
