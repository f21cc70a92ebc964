"""A document as LaTeX: an article that compiles by itself, or its equations alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bptt.derive.calculus.system import System
from bptt.derive.drawing import network_graph, tikz
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Number
from bptt.derive.notation.boxes import listed
from bptt.derive.notation.document import Document, Explanation
from bptt.derive.notation.explain import Step
from bptt.derive.notation.latex import aligned, escaped, labelled, latex, lines, referring
from bptt.derive.notation.lines import WIDTH
from bptt.derive.notation.symbols import length
from bptt.derive.notation.typeset import Typesetter

PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\usepackage{longtable}
\usepackage{tikz}
\usetikzlibrary{arrows.meta}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\raggedright
\raggedbottom"""


def article(document: Document) -> str:
    """A complete article."""
    system = document.system
    parts = [
        PREAMBLE,
        rf"\title{{{escaped(system.name)}}}",
        r"\date{}",
        r"\begin{document}",
        r"\maketitle",
        *_introduction(document),
        *_picture(system),
        *_symbols(document),
    ]
    for section in document.sections:
        parts += [rf"\section*{{{escaped(section.heading)}}}", aligned(document.typeset(section))]
    for explanation in document.explanations:
        parts += _explained(explanation)
    parts += [*_costs(document), *_places(document), r"\end{document}", ""]
    return "\n".join(parts)


def fragment(document: Document) -> str:
    """The equations alone, to be read by \\input; labels begin with the network's name."""
    formulas = [f for section in document.sections for f in document.typeset(section)]
    prefix = document.system.name
    about = [
        rf"% {prefix}: needs \usepackage{{amsmath,amssymb}}; \allowdisplaybreaks lets pages end",
        f"% within. Labels are {prefix}:1, {prefix}:2, ... A term behind a condition in brackets",
        "% is zero where the condition does not hold.",
    ]
    return "\n".join([*about, aligned(formulas, labelled(prefix)), ""])


def _introduction(document: Document) -> Iterator[str]:
    system = document.system
    steps = ", ".join(
        rf"${size.name.lower()} = 0, \ldots, {latex(length(str(size)))}-1$"
        for size in system.lengths
    )
    sizes = ", ".join(rf"${latex(length(str(s)))} = {n}$" for s, n in system.sizes.items())
    yield rf"Steps {steps}; sequences $b = 0, \ldots, B-1$; sizes {sizes}."
    yield rf"Notation: {escaped(document.legend)}."
    yield (
        "Values before the first step and after the last are given; $k = 0, 1, \\ldots$ counts "
        "them. A term behind a condition in brackets is zero where the condition does not hold."
    )


def _picture(system: System) -> Iterator[str]:
    try:
        picture = tikz(network_graph(system)).strip()
    except UserError as error:
        yield f"No picture: {escaped(str(error))}."
    else:
        yield from (r"\begin{center}", picture, r"\end{center}")


def _code(text: str) -> str:
    """A name as in the code; it may be broken after an underscore."""
    return rf"\texttt{{{escaped(text)}}}".replace(r"\_", r"\_\allowbreak{}")


def _symbols(document: Document) -> Iterator[str]:
    yield r"\section*{Symbols}"
    yield r"\begin{longtable}{lp{4.2cm}p{5.2cm}l}"
    yield r"symbol & in code & is & shape \\ \hline \endhead"
    for row in document.symbols:
        symbol, about = latex(row.symbol), escaped(row.about)
        yield rf"${symbol}$ & {_code(row.name)} & {about} & $({row.shape})$ \\"
    yield r"\end{longtable}"


def _explained(explanation: Explanation) -> Iterator[str]:
    name = _code(explanation.name)
    yield rf"\section*{{The derivative by {name}, step by step, in index notation}}"
    typesetter = Typesetter(explanation.system)
    yield r"\begin{enumerate}"
    for step in explanation.steps:
        yield rf"\item \emph{{{escaped(step.rule).capitalize()}.}} {_words(step, typesetter)}"
        yield aligned(
            (typesetter.formula(f.left, f.right, f.number) for f in step.formulas), referring
        )
    yield r"\end{enumerate}"


def _words(step: Step, typesetter: Typesetter) -> str:
    return step.sentence(
        re.sub(r"\((\d+)\)", r"(\\ref{eq:\1})", escaped(step.words)),
        lambda node: f"${latex(typesetter.box(node))}$",
        lambda found: f"$[{latex(listed(map(typesetter.comparison, found)))}]$",
    )


def _costs(document: Document) -> Iterator[str]:
    typesetter = Typesetter(document.system)
    yield r"\section*{Cost}"
    for row in document.costs:
        yield rf"\par {escaped(row.about)}:"
        for node in (row.formula, row.number):
            formula = typesetter.formula(Number("", ""), node)
            code = " \\\\ ".join(lines(formula, WIDTH))
            yield rf"\begin{{align*}} {code} \end{{align*}}"


def _places(document: Document) -> Iterator[str]:
    """The equations, and the lines of the generated module that compute them."""
    if not document.places:
        return
    yield r"\section*{Equations in the generated module}"
    yield rf"Lines of {_code(document.system.name + '.py')} that compute each equation."
    yield r"\begin{longtable}{rlp{8cm}}"
    yield r"equation & computes & lines \\ \hline \endhead"
    for section in document.sections:
        for equation in section.equations:
            found = document.places.get(equation.quantity.name)
            if found:
                yield (
                    rf"(\ref{{eq:{equation.number}}}) & {_code(equation.quantity.name)} & "
                    rf"{runs(found)} \\"
                )
    yield r"\end{longtable}"


def runs(numbers: tuple[int, ...]) -> str:
    """Line numbers with runs drawn together: 12, 20--24."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}--{r[-1]}" for r in found)
