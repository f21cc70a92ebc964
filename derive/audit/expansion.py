"""A claim with the definitions of its source put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bptt.derive.audit.claim import Context, Definition
from bptt.derive.calculus.system import System
from bptt.derive.language import syntax

MAX_NODES = 3_000


class ExpansionError(Exception):
    """A definition cannot be put where it is mentioned, or what results is too large to be read."""


def expanded(context: Context, system: System, node: syntax.Node) -> syntax.Node:
    """The tree with the definitions of the source put in. Raises ExpansionError."""
    return _expanded(context, system, node, [MAX_NODES])


def _expanded(context: Context, system: System, node: syntax.Node, left: list[int]) -> syntax.Node:
    left[0] -= 1
    if left[0] < 0:
        raise ExpansionError
    if isinstance(node, syntax.Reference):
        found = next((d for d in context.definitions if d.target.name == node.name), None)
        if found is None or node.name in system.quantities:
            return node
        return _expanded(context, system, _instantiated(found, node), left)
    return syntax.with_children(
        node, [_expanded(context, system, c, left) for c in syntax.children(node)]
    )


def _instantiated(definition: Definition, node: syntax.Reference) -> syntax.Node:
    """The body of a definition with the subscripts of a mention."""
    own, given = definition.target.subscripts or (), node.subscripts or ()
    units = given[len(own) :]
    bound = {s.name: g for s, g in zip(own, given, strict=False) if s.name is not None}

    def change(at: syntax.Node) -> syntax.Node:
        if isinstance(at, syntax.Reference):
            if at.subscripts is None and at.name in bound:
                raise ExpansionError
            if at.subscripts is None:
                return at
            return replace(at, subscripts=tuple(_moved(s, bound) for s in at.subscripts))
        if isinstance(at, syntax.Big) and at.letter in bound:
            raise ExpansionError
        return syntax.with_children(at, [change(c) for c in syntax.children(at)])

    body = change(definition.body)
    if not units:
        return body
    if not isinstance(body, syntax.Call) or body.function not in ("total", "explicit"):
        raise ExpansionError
    by = body.arguments[1]
    if not isinstance(by, syntax.Reference):
        raise ExpansionError
    by = replace(by, subscripts=(*(by.subscripts or ()), *units))
    return replace(body, arguments=(body.arguments[0], by, *body.arguments[2:]))


def _moved(subscript: syntax.Subscript, bound: Mapping[str, syntax.Subscript]) -> syntax.Subscript:
    if any(n in bound for _, n in subscript.also):
        raise ExpansionError
    if subscript.name is None or subscript.name not in bound:
        return subscript
    given = bound[subscript.name]
    return syntax.Subscript(
        given.name, given.offset + subscript.offset, (*given.also, *subscript.also)
    )
