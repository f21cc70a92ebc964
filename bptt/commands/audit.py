"""The command `bptt audit`."""

from __future__ import annotations

import sys

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bptt.commands.audit_callable import audit_callable
from bptt.commands.terminal import (
    CHECK_FAILED,
    USER_ERROR,
    console,
    deliver,
    fail,
    reports_errors,
    working,
)
from bptt.derive.audit.audit import Audited, audit
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.claims_file import catalogue, load_claims
from bptt.derive.audit.edits import described
from bptt.derive.audit.typeset import ClaimSetter
from bptt.derive.audit.words import (
    gap_sentence,
    misfit,
    repair_lines,
    repaired_how,
    verdict_sentence,
)
from bptt.derive.errors import UserError
from bptt.derive.notation.latex import latex
from bptt.derive.notation.plain import node_text
from bptt.pages.audit import html_page, json_page, latex_page

COLOURS = {"holds": "green", "fails": "bold red", "ambiguous": "yellow", "unreadable": "yellow"}


@click.command("audit")
@click.argument("file", type=click.Path(), required=False)
@click.option("--all", "whole", is_flag=True, help="Audit the catalogue that is shipped.")
@click.option("--claim", "only", multiple=True, metavar="NAME", help="Only this claim.")
@click.option("--html", type=click.Path(), help="Write a page.")
@click.option("--latex", "tex", type=click.Path(), help="Write an article in LaTeX.")
@click.option("--json", "machine", type=click.Path(), help="Write JSON; - is standard output.")
@click.option(
    "--callable", "function", metavar="MODULE:FUNCTION", help="Audit a gradient written by hand."
)
@reports_errors
def audit_command(
    file: str | None,
    whole: bool,
    only: tuple[str, ...],
    html: str | None,
    tex: str | None,
    machine: str | None,
    function: str | None,
) -> None:
    """Say of every formula that FILE claims whether it holds.

    FILE is a claims file (TOML). Exit status: 0 all hold (of the catalogue: all verdicts are as
    expected), 1 some do not, 2 something cannot be read.

    \b
    Examples:
      bptt audit claims.toml
      bptt audit --all --html catalogue.html
      bptt audit narx.toml --callable mine:gradients
    """
    if function is not None:
        if file is None:
            raise UserError("no file is given", remedy="name a topology file")
        audit_callable(file, function)
        return
    if whole == (file is not None):
        raise UserError(
            "a file and --all" if whole else "no file is given",
            file="audit",
            remedy="name a claims file, or write --all",
        )
    unread: list[UserError] = []
    claims = [c for path in catalogue() for c in load_claims(path)] if whole else []
    if file is not None:
        claims = list(load_claims(file, unread))
    claims = _chosen(claims, only)
    quiet = machine == "-"
    found: list[Audited] = []
    with working("judging") as status:
        for result in audit(claims, said=lambda c: status.update(f"judging {c.name}")):
            found.append(result)
            if not quiet and not whole:
                _show(result)
    if whole and not quiet:
        _table(found)
    if html is not None:
        deliver(html_page(found), html)
    if tex is not None:
        deliver(latex_page(found), tex)
    if machine is not None:
        deliver(json_page(found), None if quiet else machine)
    for error in unread:
        click.echo(f"bptt: {error.located(file=file or '')}", err=True)
    if unread:
        sys.exit(USER_ERROR)
    _finish(found, whole, file or "the catalogue")


def _chosen(claims: list[Claim], only: tuple[str, ...]) -> list[Claim]:
    names = [c.name for c in claims]
    for name in only:
        if name not in names:
            raise UserError(f"there is no claim {name!r}", remedy=f"name one of {', '.join(names)}")
    return [c for c in claims if not only or c.name in only]


def _finish(found: list[Audited], whole: bool, file: str) -> None:
    unreadable = [a for a in found if a.status == "unreadable"]
    if unreadable:
        fail(f"{file}: {unreadable[0].error}", USER_ERROR)
    if whole:
        wrong = [a.claim.name for a in found if a.status != a.claim.expected]
        if wrong:
            fail(f"the verdict is not as expected: {', '.join(wrong)}", CHECK_FAILED)
        return
    failed = [a.claim.name for a in found if a.status != "holds"]
    if failed:
        fail(f"{len(failed)} of {len(found)} claims do not hold: {', '.join(failed)}", CHECK_FAILED)


def _show(audited: Audited) -> None:
    claim, screen = audited.claim, console()
    source = ", ".join(p for p in (claim.source.book, claim.source.equation) if p)
    screen.print(f"[bold]{claim.name}[/bold]", end="", highlight=False)
    screen.print(f"  {source}" if source else "", markup=False, highlight=False)
    _say(" = ".join(map(node_text, claim.sides)))
    _say(verdict_sentence(audited), COLOURS[audited.status])
    if audited.verdict is None:
        return
    if audited.status == "ambiguous":
        for finding in audited.verdict.findings:
            choices = "; ".join(finding.reading.choices) or "as it stands"
            result = "holds" if finding.outcome.holds else f"fails: {misfit(finding.outcome)}"
            _say(f"  {choices}: {result}")
    if audited.status != "fails":
        return
    _say(f"  {misfit(audited.finding.outcome)}")
    if audited.gap is not None:
        _say(f"  {gap_sentence(audited.gap)}")
    for line in repair_lines(audited):
        _say(f"  {line}")
    if audited.repair is not None:
        right = " = ".join(map(node_text, audited.repair.sides))
        _say(f"  - {' = '.join(map(node_text, audited.finding.reading.sides))}", "red")
        _say(f"  + {right}", "green")
        _say(f"  {latex(ClaimSetter(claim).equality(audited.repair.sides))}")
        _say(f"  this {repaired_how(audited)}")


def _say(text: str, style: str = "") -> None:
    """A paragraph, set in under the name of its claim."""
    indent = 4 + len(text) - len(text.lstrip())
    paragraph = Text(text.strip(), style=style)
    console().print(Padding(paragraph, (0, 0, 0, indent)), highlight=False)


def _table(found: list[Audited]) -> None:
    table = Table(
        "source", "equation", "claim", "verdict", "correction", box=None, header_style="italic"
    )
    for audited in found:
        claim = audited.claim
        verdict = audited.status
        if audited.verdict is not None and audited.finding.proved and verdict == "holds":
            verdict = "holds, proved"
        correction = ""
        if audited.repair is not None:
            edits = "; ".join(map(described, audited.repair.edits))
            correction = edits or " = ".join(map(node_text, audited.repair.sides))
        table.add_row(
            claim.source.book.split(":")[0][:30],
            claim.source.equation,
            claim.name,
            f"[{COLOURS[audited.status]}]{verdict}[/]",
            correction.replace("[", r"\["),
        )
    console().print(table, highlight=False)
    for status in ("holds", "fails", "ambiguous", "unreadable"):
        count = sum(a.status == status for a in found)
        if count:
            console().print(f"{count} {status}", highlight=False)
