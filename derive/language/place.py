"""Where an expression stands: its indices, the letters around it, and what these mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

import sympy as sp

from bptt.derive.errors import UserError, shown
from bptt.derive.language import syntax
from bptt.derive.language.constants import exact_number

At = tuple[sp.Expr, ...]
Scope = Mapping[str, sp.Expr]


@dataclass(frozen=True)
class Place:
    """Where an expression is elaborated.

    In matrix notation `at` gives its unit indices. `scope` has the letters in use around it: in
    index notation, `by_letters`, the left side's and those that are summed already.
    """

    at: At = ()
    scope: Scope = field(default_factory=dict)
    by_letters: bool = False

    def inside(self, letters: Scope) -> Place:
        """Within a sum over these letters."""
        return replace(self, scope={**self.scope, **letters})


def conditions_of(
    conditions: Iterable[syntax.Comparison], scope: Scope
) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    """What must be >= 0, and what must be 0."""
    bounds, equals = [], []
    for condition in conditions:
        values = [affine(operand, scope) for operand in condition.operands]
        for left, right, operator in zip(values, values[1:], condition.operators, strict=False):
            if operator == "=":
                equals.append(sp.expand(left - right))
            elif operator in ("<", "<=", ">", ">="):
                gap = right - left if "<" in operator else left - right
                bounds.append(sp.expand(gap if "=" in operator else gap - 1))
            else:
                raise _no_condition(condition)
    return tuple(bounds), tuple(equals)


def affine(node: syntax.Node, scope: Scope) -> sp.Expr:
    """A sum of indices, lengths and whole numbers."""
    match node:
        case syntax.Number(text, at) if text.isdigit():
            return exact_number(text, at)
        case syntax.Negative(operand):
            return -affine(operand, scope)
        case syntax.Binary(operator, left, right) if operator in "+-":
            sign = 1 if operator == "+" else -1
            return affine(left, scope) + sign * affine(right, scope)
        case syntax.Reference(name, None):
            return _meaning(name, scope, node.at)
    raise _no_condition(node)


def position(subscript: syntax.Subscript, scope: Scope, at: str) -> sp.Expr:
    """The number that a subscript says."""
    names = (*(((1, subscript.name),) if subscript.name else ()), *subscript.also)
    found = sum((sign * _meaning(name, scope, at) for sign, name in names), sp.Integer(0))
    return sp.expand(found + subscript.offset)


def _no_condition(node: syntax.Node) -> UserError:
    return UserError(
        "a condition compares indices and lengths",
        place=syntax.begin(node),
        remedy="write s <= t, or t-4 <= s <= t",
    )


def _meaning(name: str, scope: Scope, at: str) -> sp.Expr:
    if name not in scope:
        raise UserError(
            f"{shown(name)} is neither an index nor a length here",
            place=at,
            remedy="use an index of the left side or of a sum",
        )
    return scope[name]


def repeated(node: syntax.Node, bound: Set[str]) -> list[str]:
    """The letters over which a product in index notation is summed: they are repeated in it."""
    operands = [n for _, n in syntax.factors(node)]
    counts = [_letter_counts(n) for n in operands]
    summed: list[str] = []
    for letter in sorted({letter for c in counts for letter in c} - bound):
        holders = [(n, c[letter]) for n, c in zip(operands, counts, strict=True) if letter in c]
        direct = [n for n, _ in holders if isinstance(n, syntax.Reference)]
        if len(holders) == 1 and not direct:
            continue
        if sum(count for _, count in holders) == 1:
            raise UserError(
                f"the index {letter!r} stands once, and not on the left side",
                place=operands[0].at,
                remedy=f"repeat it in a factor, or write sum(..., {letter})",
            )
        if any(count > 1 and not isinstance(n, syntax.Reference) for n, count in holders):
            raise UserError(
                f"the index {letter!r} can be summed in more than one way",
                place=operands[0].at,
                remedy="use different letters for different sums",
            )
        summed.append(letter)
    return summed


def _letter_counts(node: syntax.Node) -> dict[str, int]:
    """How often each index letter stands in an expression, explicit sums' own letters left out."""
    counts: dict[str, int] = {}
    stack: list[tuple[syntax.Node, frozenset[str]]] = [(node, frozenset())]
    while stack:
        top, hidden = stack.pop()
        if isinstance(top, syntax.Reference):
            for subscript in top.subscripts or ():
                name = subscript.name
                if name and name != syntax.END and name not in hidden:
                    counts[name] = counts.get(name, 0) + 1
        letter = syntax.index_letter(top)
        if letter is not None and isinstance(top, syntax.Call):
            if top.function in syntax.REDUCING:
                hidden = hidden | {letter.name}
            stack.extend((child, hidden) for child in (top.arguments[0], *top.arguments[2:]))
            continue
        stack.extend((child, hidden) for child in syntax.children(top))
    return counts
