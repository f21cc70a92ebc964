"""Audits for pages and for machines: HTML, LaTeX, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from bptt.derive.audit.audit import Audited
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.typeset import ClaimSetter
from bptt.derive.audit.words import (
    gap_sentence,
    misfit,
    place,
    repair_lines,
    repaired_how,
    verdict_sentence,
)
from bptt.derive.description.network import Network
from bptt.derive.language.syntax import Node
from bptt.derive.notation.boxes import Box, Mark, Name, listed, row
from bptt.derive.notation.latex import escaped, latex, lines
from bptt.derive.notation.lines import Typeset, broken
from bptt.derive.notation.mathml import mathml
from bptt.derive.notation.plain import node_text
from bptt.derive.notation.typeset import signed
from bptt.pages.templating import page_environment, text_environment

ROOM = 34.0


@dataclass(frozen=True)
class Row:
    """A claim as a page shows it; formulas are ready to be put in."""

    name: str
    status: str
    book: str
    equation: str
    about: str
    where: str
    network: str
    claimed: Sequence[str]
    sentence: str
    wrong: Sequence[str]
    repair: Sequence[str]
    repaired: Sequence[str]
    repaired_how: str
    readings: Sequence[tuple[str, str]]


def typeset(setter: ClaimSetter, sides: Sequence[Node]) -> Typeset:
    """An equality with the terms of its last side, between which lines are broken."""
    left = listed((setter.box(s) for s in sides[:-1]), "=")
    terms = tuple((sign, setter.inner(node, 1)) for sign, node in signed(sides[-1]))
    return Typeset(0, left, terms)


@dataclass(frozen=True)
class _Writer:
    """How a page writes formulas: set apart, and within sentences."""

    display: Callable[[Typeset], Sequence[str]]
    inline: Callable[[Box], str]
    escape: Callable[[str], str]

    def sentence(self, setter: ClaimSetter, say: Callable[[Callable[[Node], str]], str]) -> str:
        """A sentence with formulas in it; `say` makes it with what stands for each."""
        boxes: list[Box] = []

        def mark(node: Node) -> str:
            boxes.append(setter.box(node))
            return f"\x00{len(boxes) - 1}\x00"

        pieces = say(mark).split("\x00")
        return "".join(
            self.inline(boxes[int(piece)]) if n % 2 else self.escape(piece)
            for n, piece in enumerate(pieces)
        )


def _row(audited: Audited, writer: _Writer) -> Row:
    claim = audited.claim
    setter = ClaimSetter(claim)
    formula = writer.display
    gap = audited.gap
    found = audited.repair
    verdict = audited.verdict
    wrong: list[str] = []
    readings: list[tuple[str, str]] = []
    if verdict is not None and audited.status == "fails":
        why = misfit(audited.finding.outcome)
        wrong.append(writer.escape(f"{why[0].upper()}{why[1:]}."))
        if gap is not None:
            wrong.append(writer.sentence(setter, lambda mark: f"T{gap_sentence(gap, mark)[1:]}."))
    if verdict is not None and (audited.status == "ambiguous" or len(verdict.findings) > 1):
        readings = [
            ("; ".join(f.reading.choices) or "as it stands", _reading(f.outcome))
            for f in verdict.findings
        ]
    return Row(
        name=claim.name,
        status=audited.status,
        book=claim.source.book,
        equation=claim.source.equation,
        about=claim.about,
        where=", ".join(map(node_text, claim.where)),
        network=_network(claim),
        claimed=formula(typeset(setter, claim.sides)),
        sentence=verdict_sentence(audited),
        wrong=wrong,
        repair=_mended(audited, setter, writer) if audited.status == "fails" else (),
        repaired=formula(typeset(setter, found.sides)) if found is not None else (),
        repaired_how=repaired_how(audited) if found is not None else "",
        readings=readings if audited.status == "ambiguous" else (),
    )


def _mended(audited: Audited, setter: ClaimSetter, writer: _Writer) -> list[str]:
    """What mends a claim, line by line."""
    text = writer.sentence(setter, lambda mark: "\n".join(repair_lines(audited, mark)))
    return text.split("\n")


def _network(claim: Claim) -> str:
    """The equations of the network that a claim is about, as its file has them."""
    network = claim.context.setting.network
    text = network.equations if isinstance(network, Network) else network.get("equations", "")
    return str(text).strip()


def _reading(outcome: Any) -> str:
    return "holds" if outcome.holds else f"fails: {misfit(outcome)}"


def _mathml(formula: Typeset) -> list[Markup]:
    first, *others = broken(formula, ROOM)
    pieces: list[Box] = [row(formula.left, Mark("="), first)]
    pieces += [row(Name(""), line) for line in others]
    return [Markup(mathml(box, display=True)) for box in pieces]


def _latex(formula: Typeset) -> list[str]:
    return lines(formula, 40.0)


def html_page(audits: Iterable[Audited]) -> str:
    """One page without scripts: the table, then every claim with what is said of it."""
    writer = _Writer(_mathml, mathml, lambda text: str(escape(text)).replace("-&gt;", "→"))
    rows = [_row(a, writer) for a in audits]
    return (
        page_environment().get_template("audit.html.jinja").render(rows=rows, counts=_counts(rows))
    )


def latex_page(audits: Iterable[Audited]) -> str:
    """An article of the same content."""
    rows = [_row(a, _Writer(_latex, lambda box: f"${latex(box)}$", _tex)) for a in audits]
    template = text_environment().get_template("audit.tex.jinja")
    return template.render(rows=rows, counts=_counts(rows), escaped=_tex)


# Signs that plain text has, in LaTeX.
SIGNS = {"->": r"$\to$", "×": r"$\times$", "∂": r"$\partial$"}


def _tex(text: str) -> str:
    found = escaped(text)
    for sign, code in SIGNS.items():
        found = found.replace(sign, code)
    return found


def _counts(rows: Sequence[Row]) -> str:
    order = ("holds", "fails", "ambiguous", "unreadable")
    counts = [(sum(r.status == s for r in rows), s) for s in order]
    return ", ".join(f"{s}: {n}" for n, s in counts if n)


def json_page(audits: Iterable[Audited]) -> str:
    """A list with one object for each claim."""
    return json.dumps([_object(a) for a in audits], indent=2, ensure_ascii=False) + "\n"


def _object(audited: Audited) -> dict[str, Any]:
    claim = audited.claim
    source = claim.source
    found: dict[str, Any] = {
        "name": claim.name,
        "source": {
            "book": source.book,
            "edition": source.edition,
            "equation": source.equation,
            "address": source.address,
        },
        "claim": " = ".join(map(node_text, claim.sides)),
        "as_given": claim.text,
        "where": ", ".join(map(node_text, claim.where)),
        "verdict": audited.status,
    }
    if audited.verdict is None:
        return found | {"error": audited.error}
    finding = audited.finding
    found |= {
        "proved": finding.proved,
        "instances": finding.outcome.instances,
        "digits": round(finding.outcome.digits, 1),
        "readings": [
            {"choices": list(f.reading.choices), "holds": f.outcome.holds}
            for f in audited.verdict.findings
        ],
    }
    if audited.status == "fails":
        found["shapes"] = finding.outcome.shapes
        example = finding.outcome.counterexample
        if example is not None:
            found["counterexample"] = {
                "at": place(example),
                "steps": example.steps,
                "sizes": dict(example.sizes),
                "letters": dict(example.letters),
                "left": np.real(example.left).tolist(),
                "right": np.real(example.right).tolist(),
            }
        if audited.gap is not None:
            found["difference"] = gap_sentence(audited.gap)
        if audited.condition is not None:
            found["holds_where"] = node_text(audited.condition)
        found["repair"] = _repair_object(audited)
    return found


def _repair_object(audited: Audited) -> dict[str, Any] | None:
    repair = audited.repair
    if repair is None:
        return None
    return {
        "edits": [
            {"kind": e.kind, "old": node_text(e.old), "new": node_text(e.new)} for e in repair.edits
        ],
        "derived": repair.is_derived,
        "text": " = ".join(map(node_text, repair.sides)),
        "latex": latex(ClaimSetter(audited.claim).equality(repair.sides)),
        "proved": repair.proved,
        "instances": repair.outcome.instances,
    }
