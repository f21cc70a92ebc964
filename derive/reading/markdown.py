"""A document as Markdown with LaTeX between dollar signs, as README files have it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from derive.reading.article import symbol_box
from derive.reading.document import Document, Explanation
from derive.reading.latex import latex
from derive.reading.lines import Typeset, broken, room
from derive.reading.typeset import Typesetter

# A page of Markdown is narrower than one of an article, in quads.
NARROW = 34.0


def markdown(document: Document) -> str:
    """Symbols, equations and derivations; each formula a paragraph of its own."""
    typesetter, system = document.typesetter, document.system
    condition = "A term behind a condition in brackets is zero where the condition does not hold."
    lines = [f"# {system.name}", "", f"Notation: {document.legend}. {condition}", ""]
    lines += ["| symbol | in code | is | shape |", "| --- | --- | --- | --- |"]
    for quantity in document.symbols:
        shape = ", ".join(map(str, system.shape(quantity)))
        code = _inline(latex(symbol_box(quantity, typesetter)))
        what = quantity.role or quantity.kind
        lines.append(f"| {code} | `{quantity.name}` | {what} | ({shape}) |")
    for section in document.sections:
        lines += ["", f"## {section.heading}", ""]
        for formula in document.typeset(section):
            lines += [display(formula), ""]
    for explanation in document.explanations:
        lines += _explained(explanation)
    return "\n".join(lines).rstrip() + "\n"


def _inline(code: str) -> str:
    # In a table a bar would end the cell.
    return f"${code}$".replace("|", r"\vert ")


def display(formula: Typeset) -> str:
    """A formula set apart, its number as a tag."""
    first, *others = broken(formula, room([formula], NARROW))
    body = rf"{latex(formula.left)} &= {latex(first)}"
    body += "".join(rf" \\ &\quad {{}} {latex(line)}" for line in others)
    tag = rf" \tag{{{formula.number}}}" if formula.number else ""
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}{tag}\n$$"


def _explained(explanation: Explanation) -> Iterator[str]:
    typesetter = Typesetter(explanation.system)
    yield from ("", f"## The derivative by `{explanation.name}`, step by step, in index notation")
    for number, step in enumerate(explanation.steps, 1):
        words = re.sub(r"\b(\w*_\w+)\b", r"`\1`", step.words)
        if step.subject is not None:
            words = f"For ${latex(typesetter.box(step.subject))}$. {words}"
        if step.conditions:
            found = ", ".join(latex(typesetter.comparison(c)) for c in step.conditions)
            words += f" Of the ranges $[{found}]$ is left."
        yield from ("", f"{number}. **{step.rule.capitalize()}.** {words}", "")
        for formula in step.formulas:
            yield from (
                display(typesetter.formula(formula.left, formula.right, formula.number)),
                "",
            )
