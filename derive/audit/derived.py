"""The derived formula in a claim's notation: what to write where no small edit mends a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bptt.derive.audit.claim import Claim, Definition
from bptt.derive.audit.edits import folded
from bptt.derive.audit.expansion import ExpansionError, expanded
from bptt.derive.audit.proof import derived_equation
from bptt.derive.audit.readings import rewritten, walk
from bptt.derive.audit.text import limited
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.quantity import Derivative
from bptt.derive.calculus.system import System
from bptt.derive.language import syntax
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.matrix import matrix_statement
from bptt.derive.notation.rank import rank

BATCH = "b"


def derived_sides(
    claim: Claim, sides: Sequence[syntax.Node], system: System
) -> list[tuple[syntax.Node, ...]]:
    """The derived right side of `derivative = ...`, in matrix and in index notation.

    Derivatives that the claim mentions are mentioned, all others put where they are read.
    Empty where the claim is about something else than the derivative of a number.
    """
    try:
        target, *others = (expanded(claim.context, system, side) for side in sides)
    except ExpansionError:
        return []
    if not (isinstance(target, syntax.Call) and target.function == "total" and _is_plain(target)):
        return []
    of, by = target.arguments
    if not isinstance(of, syntax.Reference) or not isinstance(by, syntax.Reference):
        return []
    if of.name not in system.definitions or system.quantities[of.name].axes:
        return []
    found = []
    system_with = adjoint(system, of.name)
    name = system_with.derivative(of.name, by.name)
    if name not in system_with.definitions:
        return []
    mentioned = {
        system_with.derivative(of.name, n.arguments[1].name)
        for side in others
        for n in walk(side)
        if isinstance(n, syntax.Call) and n.function == "total" and _is_plain(n)
        if isinstance(n.arguments[1], syntax.Reference)
    }
    for known in (mentioned, {e.quantity.name for e in system_with.derived}):
        equation = derived_equation(system, system_with, name, known)
        if equation is None:
            continue
        for statement in (
            matrix_statement(equation, system_with),
            index_statement(equation, system_with.quantities),
        ):
            found.append(_Translation(claim, system_with, of).sides(statement, sides[0]))
    return found


def _is_plain(node: syntax.Call) -> bool:
    """Whether a derivative holds nothing fixed."""
    return len(node.arguments) == 2


class _Translation:
    """A derived statement as a claim: its derivatives, its steps, its limits."""

    def __init__(self, claim: Claim, system: System, of: syntax.Reference) -> None:
        self._claim = claim
        self._system = system
        self._of = of
        self._first = claim.context.first

    def sides(self, statement: syntax.Statement, left: syntax.Node) -> tuple[syntax.Node, ...]:
        target = self._claimed(statement.target)
        assert isinstance(target, syntax.Call | syntax.Reference)
        right = limited(rewritten(statement.expression, self._node))
        return (self._left(left, statement.target, target), right)

    def _left(
        self, left: syntax.Node, statement: syntax.Reference, target: syntax.Node
    ) -> syntax.Node:
        """The claim's own left side where it has the same subscripts, else the derived one."""
        mentions = [n for n in walk(left) if isinstance(n, syntax.Reference) and n.subscripts]
        own = mentions[-1].subscripts if mentions else None
        return left if (own or None) == (statement.subscripts or None) else target

    def _node(self, node: syntax.Node) -> syntax.Node:
        match node:
            case syntax.Reference():
                return self._claimed(node)
            case syntax.Sum(letters, operand):
                for letter in reversed([n for n in letters if n != BATCH]):
                    operand = syntax.Big("sum", letter, None, None, "", operand, node.at)
                return operand
            case syntax.Comparison():
                return self._condition(node)
            case syntax.Binary("@", left, right):
                # A vector on the left of a product stands as a row.
                known = {**self._system.quantities}
                if rank(self._raw(left), known) == 1 and not isinstance(left, syntax.Transpose):
                    return replace(node, left=syntax.Transpose(left, ""))
                return replace(node, left=left, right=right)
            case syntax.Call("outer", (left, right)):
                return syntax.Binary("@", left, syntax.Transpose(right, ""), node.at)
            case _:
                return node

    def _raw(self, node: syntax.Node) -> syntax.Node:
        """The tree with derivatives as quantities, whose axes are known."""

        def back(at: syntax.Node) -> syntax.Node:
            if isinstance(at, syntax.Call) and at.function == "total":
                by = at.arguments[1]
                assert isinstance(by, syntax.Reference)
                return replace(by, name=self._system.derivative(self._of.name, by.name))
            return at

        return rewritten(node, back)

    def _claimed(self, node: syntax.Reference) -> syntax.Node:
        given = [s for s in node.subscripts or () if s.name != BATCH]
        subscripts = tuple(self._subscript(s) for s in given)
        node = replace(node, subscripts=subscripts or None)
        quantity = self._system.quantities.get(node.name)
        if quantity is None or not isinstance(quantity.origin, Derivative):
            return node
        by = quantity.origin.by
        inner = replace(node, name=by)
        derivative = syntax.Call("total", (self._of, inner), "")
        for definition in self._claim.context.definitions:
            if _is_derivative_by(definition, self._of.name, by):
                return replace(node, name=definition.target.name)
        return derivative

    def _subscript(self, subscript: syntax.Subscript) -> syntax.Subscript:
        if subscript.name is None or subscript.name in ("T", "S", "end"):
            return replace(subscript, offset=subscript.offset + self._first)
        return subscript

    def _condition(self, node: syntax.Comparison) -> syntax.Comparison:
        """`t <= T-2`, counted from 0, as `t <= T-1`, counted from 1."""
        if len(node.operands) != 2 or not self._first:
            return node
        gap = self._letters(node.operands[0]) - self._letters(node.operands[1])
        right = node.operands[1]
        for _ in range(abs(gap)):
            right = folded(
                syntax.Binary("+" if gap > 0 else "-", right, syntax.Number("1", ""), "")
            )
        return replace(node, operands=(node.operands[0], right))

    def _letters(self, node: syntax.Node) -> int:
        """How many indices a side of a condition has, with their signs."""
        match node:
            case syntax.Binary("+", left, right):
                return self._letters(left) + self._letters(right)
            case syntax.Binary("-", left, right):
                return self._letters(left) - self._letters(right)
            case syntax.Reference(name, None):
                return 0 if name in ("T", "S") or name[0].isupper() else 1
            case _:
                return 0


def _is_derivative_by(definition: Definition, of: str, by: str) -> bool:
    """Whether a definition is the derivative by a quantity, at the step that it has itself."""
    body = definition.body
    return (
        isinstance(body, syntax.Call)
        and body.function == "total"
        and len(body.arguments) == 2
        and isinstance(body.arguments[0], syntax.Reference)
        and isinstance(body.arguments[1], syntax.Reference)
        and body.arguments[0].name == of
        and body.arguments[1].name == by
        and body.arguments[1].subscripts == definition.target.subscripts
    )
