"""A loss's formula, about one output: read, and said in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.contraction import derivative
from bptt.derive.calculus.quantity import Axis, Quantity
from bptt.derive.calculus.system import Equation, Term, name_of
from bptt.derive.description.network import LossKind, LossSpec
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language.syntax import (
    Call,
    Node,
    Number,
    Reference,
    Subscript,
    children,
    is_index,
    with_children,
)

OUTPUT, TARGET, NOW = "y", "d", "t"


@dataclass(frozen=True)
class Judged:
    """An output under one loss: its target, and the equation that defines it there.

    Where the formula is about a value of an activation that the output is none of, that is
    `applied`.
    """

    spec: LossSpec
    kind: LossKind
    output: Quantity
    target: Quantity
    definition: Equation
    applied: str = ""

    @property
    def numbers(self) -> Mapping[str, float]:
        return {**self.kind.numbers, **self.spec.numbers}

    @property
    def is_last(self) -> bool:
        return self.spec.steps == "last"

    @property
    def steps(self) -> Axis | None:
        """The axis of steps that the output has, if any."""
        return next((a for a in self.output.axes if a.kind == "time"), None)


def about_network(judged: Judged, formula: Node, known: Mapping[str, Quantity]) -> Node:
    """The formula about the network's quantities, at the step at hand, with its numbers."""
    names = {OUTPUT: judged.output.name, TARGET: judged.target.name}

    def about(node: Node) -> Node:
        if not isinstance(node, Reference) or is_index(node):
            return with_children(node, [about(child) for child in children(node)])
        if node.name in judged.numbers and node.subscripts is None:
            return Number(repr(judged.numbers[node.name]), node.at)
        quantity = known.get(names.get(node.name, node.name))
        if quantity is None:
            raise UserError(
                f"{shown(node.name)} is nothing that a loss can be about"
                f"{did_you_mean(node.name, (*names, *judged.numbers, *known))}",
                place=node.at,
                remedy="y is the output, d its target",
            )
        axes = [a for a in quantity.axes if a.kind == "time"]
        if axes not in ([], [judged.steps]):
            raise UserError(
                f"{quantity.name!r} runs along other steps than {judged.output.name!r}",
                place=node.at,
                remedy="judge a signal that reads it",
            )
        if any(s.name != NOW for s in node.subscripts or ()):
            raise UserError(
                "a loss is about one step, t, and those before or after it",
                place=node.at,
                remedy="write y, or y[t-1]",
            )
        subscripts = node.subscripts or ((Subscript(NOW, 0, steps=True),) if axes else None)
        read = replace(node, name=quantity.name, subscripts=subscripts)
        if node.name == OUTPUT and judged.applied:
            return Call(judged.applied, (read,), node.at)
        return read

    return about(formula)


def is_of_differences(terms: Iterable[Term], judged: Judged) -> bool:
    """Whether the terms stay what they are when output and target move together."""
    names = (judged.output.name, judged.target.name)
    return all(
        sp.expand(sp.Add(*(derivative(t.factor, r) for r in t.reads() if name_of(r) in names))) == 0
        for t in terms
    )


def in_words(judged: Judged, weights: str, *, has_units: bool) -> str:
    """The exact formula of a loss, in plain text, with the names of its target and weights."""
    output = judged.output.name
    meanings = {
        OUTPUT: f"{judged.applied}({output})" if judged.applied else output,
        TARGET: judged.target.name,
        **{name: f"{value:g}" for name, value in judged.numbers.items()},
    }
    summand = re.sub(
        r"[A-Za-z]\w*", lambda m: meanings.get(m[0], m[0]), judged.kind.formula.replace("**", "^")
    )
    over = ["sequences"] if judged.is_last else ["steps", "sequences"]
    over += ["units"] if has_units else []
    listed = f"{', '.join(over[:-1])} and {over[-1]}" if len(over) > 1 else over[0]
    if weights:
        listed += f", weighted by {weights}[t,b],"
    elif judged.is_last:
        listed += ", at the last step,"
    return f"{judged.kind.over} over {listed} of {' '.join(summand.split())}"
