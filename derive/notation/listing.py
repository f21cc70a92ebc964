"""Equations as a listing: plain text for the terminal and for the head of a generated module."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import sympy as sp

from bptt.derive.calculus.system import Equation, System
from bptt.derive.notation.explain import Step
from bptt.derive.notation.index import reference, subscript
from bptt.derive.notation.notations import NOTATIONS, Notation
from bptt.derive.notation.plain import (
    comparison_text,
    formula_text,
    node_text,
    statement_text,
    subscript_text,
)


def trace_text(equation: Equation, system: System) -> str:
    """Where each term comes from: an equation's number, and the rule that made the term."""
    numbered = {e.number: e for e in system}
    return "\n".join(
        f"term {number} from ({m.equation}): {_rule(numbered[m.equation], m.read)}"
        for number, term in enumerate(equation.terms, 1)
        for m in term.mentions
        if m.equation in numbered
    )


def _rule(equation: Equation, read: sp.Indexed) -> str:
    """The rule in words: what is differentiated by what, and what its delta in time does."""
    rule = f"chain rule, d {equation.quantity.name} / d {node_text(reference(read))}"
    steps = [i.symbol for i in equation.indices if i.kind == "time"]
    moved = ((s, at) for at in read.indices for s in steps if at.coeff(s) == 1 and at != s)
    for step, at in moved:
        return (
            f"{rule}; the delta in time puts {subscript_text(subscript(2 * step - at))} for {step}"
        )
    return rule


def listing(
    equations: Iterable[Equation],
    system: System,
    *,
    notation: Notation = NOTATIONS["index"],
    width: int = 96,
    trace: bool = False,
) -> str:
    """Numbered equations, one or more lines each; with `trace`, the origins of their terms.

    `system` is the one that the equations belong to.
    """
    equations = tuple(equations)
    digits = len(str(max((e.number for e in equations), default=0)))
    lines = []
    for equation in equations:
        label = f"({equation.number})".rjust(digits + 2)
        text = statement_text(notation.statement(equation, system), width - digits - 4)
        lines.append(f"{label}  " + textwrap.indent(text, " " * (digits + 4)).lstrip())
        if trace and any(term.mentions for term in equation.terms):
            lines.append(textwrap.indent(trace_text(equation, system), " " * (digits + 4)))
    return "\n".join(lines)


def system_text(system: System, *, notation: Notation = NOTATIONS["index"], width: int = 96) -> str:
    """All equations of a system as plain text, numbered."""
    return listing(system.equations, system, notation=notation, width=width)


def explained_text(steps: Iterable[Step], *, width: int = 96) -> str:
    """A derivation, step by step."""
    lines = []
    for number, step in enumerate(steps, 1):
        words = step.sentence(
            step.words,
            node_text,
            lambda found: f"[{', '.join(map(comparison_text, found))}]",
        )
        text = f"{number}. {step.rule.capitalize()}. {words}"
        lines += textwrap.wrap(text, width, subsequent_indent="   ", break_on_hyphens=False)
        for formula in step.formulas:
            label = f"({formula.number})" if formula.number else ""
            body = formula_text(formula.left, formula.right, width - 12)
            lines.append(f"   {label:5} " + textwrap.indent(body, " " * 9).lstrip())
        lines.append("")
    return "\n".join(lines).rstrip()


def steps_text(system: System) -> str:
    """What the indices run over, in one line."""
    sizes = ", ".join(f"{symbol} = {number}" for symbol, number in system.sizes.items())
    steps = [f"{size.name.lower()} = 0..{size}-1" for size in system.lengths]
    return f"{', '.join(steps)} steps, b = 0..B-1 sequences; sizes {sizes}"
