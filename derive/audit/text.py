"""Claims in the project's own equation language."""

from __future__ import annotations

from dataclasses import replace

from bptt.derive.language import syntax
from bptt.derive.language.parser import parse_claim


def read_text(text: str) -> tuple[syntax.Node, ...]:
    """The sides of an equality, conditions on a letter as limits of its sum. Raises UserError."""
    return tuple(limited(side) for side in parse_claim(text))


def limited(node: syntax.Node) -> syntax.Node:
    """The tree with conditions on the letter of a sum or product as its limits."""
    node = syntax.with_children(node, [limited(c) for c in syntax.children(node)])
    if not isinstance(node, syntax.Where):
        return node
    operand = node.operand
    rest = []
    for condition in node.conditions:
        for one in _pairs(condition):
            taken = _with_limit(operand, one)
            if taken is None:
                rest.append(one)
            else:
                operand = taken
    return syntax.Where(operand, tuple(rest), node.at) if rest else operand


def _pairs(condition: syntax.Comparison) -> list[syntax.Comparison]:
    """`a < b <= c` as `a < b` and `b <= c`."""
    operands, operators = condition.operands, condition.operators
    return [
        syntax.Comparison(operands[n : n + 2], (operator,), condition.at)
        for n, operator in enumerate(operators)
    ]


def _with_limit(node: syntax.Node, condition: syntax.Comparison) -> syntax.Node | None:
    """The tree with a limit of one of its leading sums; None where it is no such limit."""
    if isinstance(node, syntax.Big):
        found = _limit(node, condition)
        if found is not None:
            return found
        inner = _with_limit(node.operand, condition)
        return None if inner is None else replace(node, operand=inner)
    if isinstance(node, syntax.Negative):
        inner = _with_limit(node.operand, condition)
        return None if inner is None else replace(node, operand=inner)
    if isinstance(node, syntax.Binary) and node.operator in ("@", "*", "/"):
        for side in ("right", "left"):
            inner = _with_limit(getattr(node, side), condition)
            if inner is not None:
                return replace(node, right=inner) if side == "right" else replace(node, left=inner)
    return None


def _limit(node: syntax.Big, condition: syntax.Comparison) -> syntax.Node | None:
    (left, right), (operator,) = condition.operands, condition.operators
    is_left = (
        isinstance(left, syntax.Reference) and left.name == node.letter and left.subscripts is None
    )
    is_right = (
        isinstance(right, syntax.Reference)
        and right.name == node.letter
        and right.subscripts is None
    )
    if operator == "in" and is_left and isinstance(right, syntax.Reference):
        return replace(node, members=right.name)
    if is_left == is_right or operator not in ("<", "<=", ">", ">="):
        return None
    other = right if is_left else left
    below = operator.startswith(">") if is_left else operator.startswith("<")
    if "=" not in operator:
        one = syntax.Number("1", condition.at)
        other = syntax.Binary("+" if below else "-", other, one, condition.at)
    if below:
        return replace(node, low=other) if node.low is None else None
    return replace(node, high=other) if node.high is None else None
