"""Syntax trees as plain text, in the equation language: `language.parser` reads it back."""

from __future__ import annotations

from bptt.derive.language import syntax

# How tightly operators bind; what binds less than its surroundings needs parentheses.
SUM, PRODUCT, POWER, ATOM = range(4)
_RANK = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": PRODUCT, "**": POWER}


def statement_text(statement: syntax.Statement, width: int = 10_000) -> str:
    """An equation, broken before a term where it is longer than `width`."""
    return formula_text(statement.target, statement.expression, width)


def formula_text(left: syntax.Node, right: syntax.Node, width: int = 10_000) -> str:
    """Two expressions with an equals sign between them."""
    lines = [f"{node_text(left)} ="]
    for piece in _pieces(right):
        if len(lines[-1]) + 1 + len(piece) > width and not lines[-1].endswith(" ="):
            lines.append(f"    {piece}")
        else:
            lines[-1] += f" {piece}"
    return "\n".join(lines)


def _pieces(node: syntax.Node) -> list[str]:
    """The terms of a sum, each with its sign."""
    found = []
    for position, (sign, operand) in enumerate(syntax.addends(node)):
        lead = "" if position == 0 else "+ " if sign > 0 else "- "
        found.append(lead + node_text(operand, SUM if position == 0 else PRODUCT))
    return found


def node_text(node: syntax.Node, rank: int = SUM) -> str:
    """An expression; in parentheses where it binds less tightly than `rank`."""
    text = _text(node)
    return f"({text})" if _rank(node) < rank else text


def _rank(node: syntax.Node) -> int:
    match node:
        case syntax.Binary(operator):
            return _RANK[operator]
        case syntax.Negative():
            return SUM
        case syntax.Sum() | syntax.Big() | syntax.Where() | syntax.Call("·" | "⊗"):
            return PRODUCT
        case _:
            return ATOM


def _text(node: syntax.Node) -> str:
    match node:
        case syntax.Number(text):
            return text
        case syntax.Reference(name, subscripts):
            return f"{name}[{','.join(map(subscript_text, subscripts))}]" if subscripts else name
        case syntax.Negative(operand):
            return f"-{node_text(operand, PRODUCT)}"
        case syntax.Binary(operator, left, right):
            return _binary(operator, left, right)
        case syntax.Transpose(operand):
            return f"{node_text(operand, ATOM)}.T"
        case syntax.Part(operand, start, stop):
            bounds = str(start) if stop is None else f"{start}:{stop}"
            return f"{node_text(operand, ATOM)}[{bounds}]"
        case syntax.Comparison():
            return comparison_text(node)
        case syntax.Sum(letters, operand, _, big):
            return f"{big}_{','.join(letters)} {_operand(operand)}"
        case syntax.Big():
            return _big(node)
        case syntax.Where(operand, conditions):
            return f"{_operand(operand)} [{', '.join(map(comparison_text, conditions))}]"
        case syntax.Call("partial", (of, by)):
            return f"∂{node_text(of)}/∂{node_text(by)}"
        case syntax.Call("delta", (left, right)):
            return f"δ({tight(left)}, {tight(right)})"
        case syntax.Call("·" | "⊗" as sign, (left, right)):
            return f"{node_text(left, PRODUCT)} {sign} {node_text(right, ATOM)}"
        case syntax.Call(function, arguments):
            return f"{function}({', '.join(map(node_text, arguments))})"


def _big(node: syntax.Big) -> str:
    """A sum or product over a letter, its limits behind it as conditions."""
    limits = []
    if node.members:
        limits.append(f"{node.letter} in {node.members}")
    if node.low is not None:
        limits.append(f"{tight(node.low)} <= {node.letter}")
    if node.high is not None:
        limits.append(f"{node.letter} <= {tight(node.high)}")
    behind = f" [{', '.join(limits)}]" if limits else ""
    kind = "prod" if node.kind == "product" else node.kind
    operand = _operand(node.operand)
    if behind and isinstance(node.operand, syntax.Where | syntax.Big | syntax.Sum):
        operand = f"({operand})"
    return f"{kind}_{node.letter} {operand}{behind}"


def _operand(node: syntax.Node) -> str:
    """What a sum or a condition is about: a product, without parentheses."""
    return node_text(node, PRODUCT)


def _binary(operator: str, left: syntax.Node, right: syntax.Node) -> str:
    rank = _RANK[operator]
    if operator == "**":
        return f"{node_text(left, ATOM)}^{node_text(right, ATOM)}"
    first = node_text(left, rank)
    if _hides(left) and rank == PRODUCT:
        first = f"({_text(left)})"
    # Operators of one rank bind from the left.
    second = node_text(right, rank + 1)
    sign = operator if operator in "*/" else f" {operator} "
    return f"{first}{sign}{second}"


def _hides(node: syntax.Node) -> bool:
    """Whether a factor behind this node would be read as a part of it."""
    return isinstance(node, syntax.Sum | syntax.Big | syntax.Where) or (
        isinstance(node, syntax.Negative) and _hides(node.operand)
    )


def comparison_text(node: syntax.Comparison) -> str:
    """`t <= T-2`."""
    first, *others = map(tight, node.operands)
    for operator, other in zip(node.operators, others, strict=True):
        first += f" {operator} {other}"
    return first


def tight(node: syntax.Node) -> str:
    """An index expression without spaces: t-1."""
    return node_text(node).replace(" ", "")


def subscript_text(subscript: syntax.Subscript) -> str:
    """`t-1`, `T-2`, `3`, `k+T-1`."""
    text = subscript.name or ""
    for sign, name in subscript.also:
        text += ("-" if sign < 0 else "+") + name
    if not text:
        return str(subscript.offset)
    return f"{text}{subscript.offset:+d}" if subscript.offset else text
