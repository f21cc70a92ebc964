"""A network as one self-contained page: picture, equations, code, and the result of its check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from bptt.codegen.check import Result
from bptt.codegen.places import NUMBER, NUMBERED
from bptt.derive.calculus.system import System
from bptt.derive.drawing import network_graph, svg
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Node, Number
from bptt.derive.notation.article import runs
from bptt.derive.notation.boxes import Box, Digits, Mark, Name, listed, row
from bptt.derive.notation.document import Cost, Document, Explanation, Section
from bptt.derive.notation.lines import Typeset, broken
from bptt.derive.notation.mathml import mathml
from bptt.derive.notation.symbols import length
from bptt.derive.notation.typeset import Typesetter
from bptt.pages.templating import page_environment

# A right side is broken at this many quads: what a page holds beside a left side.
ROOM = 34.0
_REFERENCE = re.compile(r"\((\d+)\)")


@dataclass(frozen=True)
class Formula:
    """A formula on the page: its two sides, and which lines of code compute it."""

    number: int
    left: Markup
    right: tuple[Markup, ...]
    first: int = 0
    lines: str = ""


@dataclass(frozen=True)
class Step:
    """A step of a derivation on the page."""

    rule: str
    words: Markup
    formulas: tuple[Formula, ...]


def _picture(system: System) -> str:
    try:
        return Markup(svg(network_graph(system)))
    except UserError as error:
        return f"No picture: {error}."


def report(document: Document, module: str, results: Iterable[Result]) -> str:
    """The page: HTML without scripts, with its style, MathML and SVG in it.

    `module` is the source of the generated module, `results` are those of `codegen.check`.
    """
    system = document.system
    results = tuple(results)
    return (
        page_environment()
        .get_template("report.html.jinja")
        .render(
            name=system.name,
            parameters=system.parameter_count,
            picture=_picture(system),
            legend=document.legend,
            ranges=_math(listed(_ranges(system), ";")),
            sizes=[(_math(length(str(s))), n) for s, n in system.sizes.items()],
            symbols=[(_math(s.symbol), s.name, s.about, s.shape) for s in document.symbols],
            sections=[(s.heading, _formulas(s, document)) for s in document.sections],
            explanations=[(e.name, _steps(e)) for e in document.explanations],
            costs=[_cost(c, system) for c in document.costs],
            results=[
                ("ok" if r.passed else "wrong", r.about, r.name, f"{r.error:.1e}", r.method)
                for r in results
            ],
            verdict=_verdict(results),
            renumbered=any(a != b for a, b in document.numbers.items()),
            code=[_code(line, document.numbers) for line in module.splitlines()],
        )
    )


def _math(box: Box, *, display: bool = False) -> Markup:
    return Markup(mathml(box, display=display))


def _ranges(system: System) -> list[Box]:
    """t = 0, ..., T-1, and b."""
    axes = [(size.name.lower(), size.name) for size in system.lengths] + [("b", "B")]
    dots = (Mark("="), Digits("0"), Mark(","), Mark("…"), Mark(","))
    return [row(Name(t), *dots, Name(size), Mark("-"), Digits("1")) for t, size in axes]


def _formulas(section: Section, document: Document) -> list[Formula]:
    pairs = zip(document.typeset(section), section.equations, strict=True)
    return [_formula(f, document.places.get(e.quantity.name, ())) for f, e in pairs]


def _formula(typeset: Typeset, lines: tuple[int, ...] = ()) -> Formula:
    first, *others = broken(typeset, ROOM)
    # Behind an empty name a sign is one between two terms, and is spaced so.
    right = (row(Mark("="), first), *(row(Name(""), line) for line in others))
    return Formula(
        typeset.number,
        _math(typeset.left, display=True),
        tuple(_math(line, display=True) for line in right),
        lines[0] if lines else 0,
        runs(lines).replace("--", "–"),
    )


def _steps(explanation: Explanation) -> list[Step]:
    typesetter = Typesetter(explanation.system)
    found = []
    for step in explanation.steps:
        words = step.sentence(
            _REFERENCE.sub(r'(<a href="#eq-\1">\1</a>)', str(escape(step.words))),
            lambda node: _math(typesetter.box(node)),
            lambda found: f"[{_math(listed(map(typesetter.comparison, found)))}]",
        )
        formulas = tuple(
            _formula(typesetter.formula(f.left, f.right, f.number)) for f in step.formulas
        )
        found.append(Step(step.rule.capitalize(), Markup(words), formulas))
    return found


def _cost(cost: Cost, system: System) -> tuple[str, list[Markup], list[Markup]]:
    return cost.about, _sum(cost.formula, system), _sum(cost.number, system)


def _sum(node: Node, system: System) -> list[Markup]:
    typeset = Typesetter(system).formula(Number("", ""), node)
    return [_math(line) for line in broken(typeset, ROOM)]


def _verdict(results: tuple[Result, ...]) -> str:
    if not results:
        return "The module has not been checked."
    wrong = [r for r in results if not r.passed]
    if wrong:
        return f"{len(wrong)} of {len(results)} comparisons fail."
    worst = max(results, key=lambda r: r.error / r.tolerance)
    return (
        f"All {len(results)} comparisons agree; the worst is the {worst.about} {worst.name}, "
        f"with a relative error of {worst.error:.1e} (tolerance {worst.tolerance:.0e})."
    )


def _code(line: str, numbers: Mapping[int, int]) -> Markup:
    """A line of code; the numbers of its equations link to them, as they are numbered here."""

    def link(match: re.Match[str]) -> str:
        number = numbers.get(int(match[1]))
        return match[0] if number is None else f'(<a href="#eq-{number}">{match[1]}</a>)'

    def links(match: re.Match[str]) -> str:
        return match[1] + NUMBER.sub(link, match[2])

    return Markup(NUMBERED.sub(links, str(escape(line)), count=1))
