"""The command line: `bptt generate`, `check`, `show`, `latex`, `report`, `markdown`, `audit`."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from bptt.codegen.check import ModuleFailureError, Result, check, check_target
from bptt.codegen.emit import programs, source_of
from bptt.codegen.extras import EXTRAS, Extended, extend, fully_extended
from bptt.codegen.listing import program_text
from bptt.codegen.locate import first_wrong
from bptt.codegen.places import further_sections, places
from bptt.codegen.stamp import is_as_generated
from bptt.codegen.targets import TARGETS, files_of
from bptt.commands.audit import audit_command
from bptt.commands.terminal import (
    CHECK_FAILED,
    console,
    deliver,
    fail,
    read,
    reports_errors,
    working,
)
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.open_loop import opened
from bptt.derive.calculus.system import System
from bptt.derive.description.build import build, guessed_shapes
from bptt.derive.description.topology import load
from bptt.derive.errors import UserError, check_choice
from bptt.derive.notation.article import article, fragment
from bptt.derive.notation.document import Document, document, is_listed
from bptt.derive.notation.listing import explained_text, listing, steps_text
from bptt.derive.notation.markdown import markdown
from bptt.derive.notation.notations import NOTATIONS
from bptt.files import write_all
from bptt.pages.report import report

MADE_BETWEEN_COLLECTIONS = 50_000

FILE = click.argument("file", type=click.Path())
WITH = click.option(
    "--with",
    "extras",
    default="",
    metavar="NAMES",
    help=f"More to derive, with commas: {', '.join(EXTRAS)}; or all.",
)
OPEN = click.option(
    "--open",
    "measured",
    multiple=True,
    metavar="NAME",
    help="Open the loop through this signal: in place of itself the network gets measured values "
    "of it, the input measured_NAME. May be repeated.",
)
NOTATION = click.option(
    "--notation",
    default="index",
    show_default=True,
    metavar="NAME",
    help=f"How equations are written: {', '.join(NOTATIONS)}.",
)
COMPACT = click.option(
    "--compact", is_flag=True, help="Put derivatives by net inputs where they are read."
)
EXPLAIN = click.option(
    "--explain",
    multiple=True,
    metavar="NAME",
    help="Derive the loss's derivative by this quantity step by step (all: by every one). May be "
    "repeated.",
)


def written(command: Callable[..., None]) -> Callable[..., None]:
    """A command that writes equations, with the options that say which and how."""
    for option in (OPEN, WITH, EXPLAIN, COMPACT, NOTATION):
        command = option(command)
    return command


TARGET = click.option(
    "--target",
    default="numpy",
    show_default=True,
    metavar="NAME",
    help=f"The language: {'; '.join(f'{n}: {about}' for n, about in TARGETS.items())}.",
)
PLAIN = click.option(
    "--plain",
    is_flag=True,
    help="Compute each contraction as its equation stands, by one einsum: slower, and read easily.",
)
OUTPUT = click.option(
    "-o", "--output", type=click.Path(), help="File to write; else standard output."
)


def _derived(file: str, names: str, measured: tuple[str, ...]) -> Extended:
    """The system of a file with its adjoint, and the extras that the file or the option asks for.

    `all` are those that the network can have. Loops through `measured` signals are opened.
    """
    network = load(file)
    system = build(network)
    derived = adjoint(opened(system, measured) if measured else system)
    if names != "all":
        asked = (name.strip() for name in names.split(",") if name.strip())
        return extend(derived, (*network.extras, *asked))
    found, refused = fully_extended(derived)
    for reason in dict.fromkeys(error.found for error in refused.values()):
        without = [name for name, error in refused.items() if error.found == reason]
        click.echo(f"bptt: without {', '.join(without)}: {reason}", err=True)
    return found


# Training loads SciPy, which takes as long as a derivation: only for who trains.
TRAINING = {"train": "train_command", "predict": "predict_command", "sample": "sample_command"}


class Commands(click.Group):
    """A group that loads the commands of training when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *TRAINING])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TRAINING:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module("bptt.commands.training")
        found: click.Command = getattr(module, TRAINING[cmd_name])
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bptt", message="%(prog)s %(version)s")
def main() -> None:
    """Derive backpropagation through time for a recurrent network, and generate NumPy code.

    A topology file (TOML) describes the network. Exit status: 0 done, 1 a check failed, 2 a
    mistake in what was given, 3 a bug of bptt.

    \b
    Examples:
      bptt show narx.toml
      bptt generate narx.toml -o out
      bptt check narx.toml
      bptt latex narx.toml -o narx.tex
      bptt audit claims.toml
    """
    # A derivation makes millions of small objects and hardly a cycle of them: seldom look for any.
    gc.set_threshold(MADE_BETWEEN_COLLECTIONS)


@main.command("generate")
@FILE
@click.option("-o", "--output", default=".", show_default=True, help="Folder for the files.")
@click.option("--force", is_flag=True, help="Overwrite files that were changed by hand.")
@TARGET
@PLAIN
@WITH
@OPEN
@reports_errors
def generate_command(
    file: str,
    output: str,
    target: str,
    extras: str,
    measured: tuple[str, ...],
    *,
    force: bool,
    plain: bool,
) -> None:
    """Write NAME.py, test_NAME.py and NAME.tex for the network in FILE.

    With --target c these are NAME.c, NAME.h and test_NAME.c, which need no library but math.h, and
    a NAME.py with the same functions as ever, for which compiled code computes.

    What was changed since it was generated, or was not generated, stays: --force overwrites it.

    \b
    Example:
      bptt generate narx.toml -o out
      bptt generate narx.toml -o out --with jacobian,hvp
      bptt generate narx.toml -o out --open position
      bptt generate narx.toml -o out --target c
      python out/test_narx.py
    """
    with working("deriving and generating"):
        files = files_of(_derived(file, extras, measured), target, plain=plain)
    if not force:
        _check_unchanged(Path(output), files)
    for path in write_all(Path(output), files):
        click.echo(path)


def _check_unchanged(folder: Path, files: Iterable[str]) -> None:
    """Refuse to overwrite what somebody has written, or has changed."""
    for path in (folder / name for name in files):
        try:
            is_free = not path.is_file() or is_as_generated(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            is_free = False
        if not is_free:
            raise UserError(
                "somebody has changed this file since it was generated, or has written it",
                file=str(path),
                remedy="overwrite it with --force, or name another folder with -o",
            )


@main.command("check")
@FILE
@click.option("--module", type=click.Path(), help="Check this module instead of a fresh one.")
@TARGET
@WITH
@OPEN
@reports_errors
def check_command(
    file: str, module: str | None, target: str, extras: str, measured: tuple[str, ...]
) -> None:
    """Compare values and gradients of the generated module with independent numbers.

    Every signal is compared with the reference interpreter, every gradient with complex-step
    derivatives (central differences where a function is not analytic). Exit status 1 when an
    error is too large. With --module that Python file is run.

    \b
    Examples:
      bptt check narx.toml
      bptt check narx.toml --module out/narx.py
    """
    given = None if module is None else read(module)
    check_choice(target, TARGETS, "--target", "the target")
    extended = _derived(file, extras, measured)
    system = extended.base.primal
    try:
        with working("comparing values and gradients"):
            if given is not None:
                results = check(system, given, extended.names, folder=Path(module or "").parent)
            else:
                results = check_target(extended, target)
    except ModuleFailureError as error:
        fail(f"{module or system.name}: the module fails: {error}", CHECK_FAILED)
    _print_results(results)
    wrong = [r for r in results if not r.passed]
    if wrong:
        listed = ", ".join(f"{r.about} {r.name}" for r in wrong[:8])
        more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        fault = None if given is None else first_wrong(extended, given)
        if fault is not None:
            lines = f"line{'s' if len(fault.lines) > 1 else ''} {', '.join(map(str, fault.lines))}"
            place = f"{module}, {lines}" if fault.lines else f"{module}"
            fail(
                f"{place}: equation ({fault.number}), {fault.quantity}, is the first that is "
                f"wrong; it spoils {listed}{more}",
                CHECK_FAILED,
            )
        fail(f"wrong: {listed}{more}", CHECK_FAILED)


@main.command("show")
@FILE
@written
@click.option("--trace", is_flag=True, help="Say for each derived term where it comes from.")
@click.option(
    "--program",
    "is_program",
    is_flag=True,
    help="Print the program between the equations and the code: loops, guards and assignments.",
)
@PLAIN
@reports_errors
def show_command(
    file: str,
    trace: bool,
    is_program: bool,
    plain: bool,
    extras: str,
    measured: tuple[str, ...],
    **options: Any,
) -> None:
    """Print the network in FILE: its shapes, its forward and its adjoint equations.

    \b
    Examples:
      bptt show narx.toml | less
      bptt show narx.toml --notation matrix
      bptt show narx.toml --explain hidden
      bptt show narx.toml --program
    """
    if plain and not is_program:
        raise UserError(
            "equations are shown as they stand",
            place="--plain",
            remedy="add --program, or leave it out",
        )
    with working("deriving"):
        guessed = guessed_shapes(load(file))
        derived = _derived(file, extras, measured)
        found = _document(derived, **options)
    if is_program:
        for program, _ in programs(derived, plain=plain):
            click.echo(program_text(program), nl=False)
        return
    screen = console()
    width = max(screen.width, 60)

    def printed(text: str) -> None:
        screen.print(text, highlight=False, markup=False, soft_wrap=True)

    if found.explanations:
        for explanation in found.explanations:
            screen.print(f"\n[bold]The derivative by {explanation.name}, step by step[/bold]")
            printed(explained_text(explanation.steps, width=width))
        return
    system = found.system
    count = system.parameter_count
    screen.print(f"[bold]{system.name}[/bold]: {count} parameter{'s' * (count != 1)}")
    screen.print(_shapes(system, guessed))
    screen.print(steps_text(system), highlight=False, markup=False)
    for loss in system.losses:
        printed(f"{loss.signal} (weight {loss.weight:g}): {loss.formula}")
    screen.print("d_x is the derivative of the loss by x", highlight=False)
    if found.remark:
        printed(f"{found.remark}.")
    for section in found.sections:
        screen.print(f"\n[bold]{section.heading}[/bold]")
        text = listing(section.equations, system, notation=found.notation, width=width, trace=trace)
        printed(text)


@main.command("latex")
@FILE
@OUTPUT
@written
@click.option("--fragment", "bare", is_flag=True, help="The equations alone, for \\input.")
@reports_errors
def latex_command(
    file: str,
    output: str | None,
    bare: bool,
    extras: str,
    measured: tuple[str, ...],
    **options: Any,
) -> None:
    """Write the network in FILE as a LaTeX article.

    It has the network's picture, its symbols, its equations, what they cost, and the lines of the
    generated module that compute each.

    \b
    Examples:
      bptt latex narx.toml -o narx.tex && pdflatex narx.tex
      bptt latex narx.toml --notation matrix --fragment -o equations.tex
      bptt latex narx.toml --explain hidden --with rtrl -o narx.tex
    """
    if bare and options["explain"]:
        raise UserError(
            "a fragment has equations alone",
            place="--explain",
            remedy="leave out --fragment or --explain",
        )
    with working("deriving"):
        extended = _derived(file, extras, measured)
        if bare:
            text = fragment(_document(extended, **options))
        else:
            text = article(_document(extended, source_of(extended), **options))
    deliver(text, output)


@main.command("report")
@FILE
@OUTPUT
@written
@reports_errors
def report_command(
    file: str, output: str | None, extras: str, measured: tuple[str, ...], **options: Any
) -> None:
    """Write the network in FILE as one HTML page.

    It has the picture, the equations, the generated module with links between both, and the
    result of its check; it needs no script and no network. Exit status 1 when the check fails.

    \b
    Example:
      bptt report narx.toml -o narx.html
    """
    with working("deriving and checking"):
        extended = _derived(file, extras, measured)
        module = source_of(extended)
        results = check(extended.base.primal, module, extended.names)
        text = report(_document(extended, module, **options), module, results)
    deliver(text, output)
    if not all(r.passed for r in results):
        fail("the module is wrong: the report says where", CHECK_FAILED)


@main.command("markdown")
@FILE
@OUTPUT
@written
@reports_errors
def markdown_command(
    file: str, output: str | None, extras: str, measured: tuple[str, ...], **options: Any
) -> None:
    """Write the equations of the network in FILE as Markdown, formulas between dollar signs.

    \b
    Example:
      bptt markdown narx.toml --notation matrix -o equations.md
    """
    with working("deriving"):
        text = markdown(_document(_derived(file, extras, measured), **options))
    deliver(text, output)


def _document(
    extended: Extended, module: str = "", *, notation: str, compact: bool, explain: tuple[str, ...]
) -> Document:
    """The document that the options of a command ask for; it names the lines of `module`."""
    return document(
        extended.system,
        style=notation,
        more=further_sections(extended),
        explained=explain,
        places=places(module, extended.system),
        compacted=compact,
    )


def _shapes(system: System, guessed: Mapping[str, str]) -> Table:
    """What every quantity is, and its shape: also which shapes are `guessed`, by which equation."""
    table = Table("name", "is", "shape", box=None, pad_edge=False, header_style="italic")
    derived = (e.quantity for e in system.derived if is_listed(e.quantity))
    given = system.of_role("input", "parameter", "signal", "target", "weight")
    for quantity in (*given, *derived):
        shape = f"({', '.join(map(str, system.shape(quantity)))})"
        if quantity.name in guessed:
            shape += f", guessed from the equation of {guessed[quantity.name]}"
        table.add_row(quantity.name, quantity.about or quantity.role, shape)
    return table


def _print_results(results: Iterable[Result]) -> None:
    results = list(results)
    table = Table("", "of", "name", "relative error", "against", box=None, pad_edge=False)
    for result in results:
        verdict = "ok" if result.passed else "[bold red]WRONG[/bold red]"
        table.add_row(verdict, result.about, result.name, f"{result.error:.1e}", result.method)
    screen = console()
    screen.print(table)
    worst = max(results, key=lambda r: r.error / r.tolerance)
    screen.print(
        f"worst: {worst.about} {worst.name}, {worst.error:.1e} (tolerance {worst.tolerance:.0e})",
        highlight=False,
    )


main.add_command(audit_command)
