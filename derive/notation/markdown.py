"""A document as Markdown with LaTeX between dollar signs, as README files have it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bptt.derive.notation.document import Document, Explanation
from bptt.derive.notation.latex import latex, lines
from bptt.derive.notation.lines import Typeset, room
from bptt.derive.notation.typeset import Typesetter

# A page of Markdown is narrower than one of an article, in quads.
NARROW = 34.0


def markdown(document: Document) -> str:
    """Symbols, equations and derivations; each formula a paragraph of its own."""
    condition = "A term behind a condition in brackets is zero where the condition does not hold."
    text = [f"# {document.system.name}", "", f"Notation: {document.legend}. {condition}", ""]
    text += ["| symbol | in code | is | shape |", "| --- | --- | --- | --- |"]
    for row in document.symbols:
        text.append(
            f"| {_inline(latex(row.symbol))} | `{row.name}` | {row.about} | ({row.shape}) |"
        )
    for section in document.sections:
        text += ["", f"## {section.heading}", ""]
        for formula in document.typeset(section):
            text += [display(formula), ""]
    for explanation in document.explanations:
        text += _explained(explanation)
    return "\n".join(text).rstrip() + "\n"


def _inline(code: str) -> str:
    # In a table a bar would end the cell.
    return f"${code}$".replace("|", r"\vert ")


def display(formula: Typeset) -> str:
    """A formula set apart, its number as a tag."""
    body = r" \\ ".join(lines(formula, room([formula], NARROW)))
    tag = rf" \tag{{{formula.number}}}" if formula.number else ""
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}{tag}\n$$"


def _explained(explanation: Explanation) -> Iterator[str]:
    typesetter = Typesetter(explanation.system)
    yield from ("", f"## The derivative by `{explanation.name}`, step by step, in index notation")
    for number, step in enumerate(explanation.steps, 1):
        words = step.sentence(
            re.sub(r"\b(\w*_\w+)\b", r"`\1`", step.words),
            lambda node: f"${latex(typesetter.box(node))}$",
            lambda found: f"$[{', '.join(latex(typesetter.comparison(c)) for c in found)}]$",
        )
        yield from ("", f"{number}. **{step.rule.capitalize()}.** {words}", "")
        for formula in step.formulas:
            yield from (
                display(typesetter.formula(formula.left, formula.right, formula.number)),
                "",
            )
