"""The command line: `bptt generate`, `check`, `show`, `latex`, `report` and `markdown`."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table

from codegen.check import ModuleFailureError, Result, check
from codegen.emit import generate, source_of
from codegen.extras import EXTRAS, Extended, check_extras, extend, possible_extras
from codegen.places import further_sections, places
from codegen.report import report
from derive.adjoint import adjoint
from derive.build import build
from derive.errors import InternalError, UserError
from derive.reading.article import article, fragment
from derive.reading.document import Document, document
from derive.reading.listing import explained_text, listing, steps_text
from derive.reading.markdown import markdown
from derive.reading.notations import NOTATIONS
from derive.system import System
from derive.topology import load

CHECK_FAILED, USER_ERROR, OUR_ERROR = 1, 2, 3


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"bptt: {message}", err=True)
    sys.exit(status)


def _reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """A user's mistake ends in one sentence and status 2; a bug of ours says that it is one."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            _fail(str(error.located(file=kwargs.get("file", ""))), USER_ERROR)
        except BrokenPipeError:
            # The reader of a pipe (head, less) has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            # A full disk behind standard output, say; anything left in its buffer is lost.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            _fail(f"the output cannot be written ({error.strerror})", USER_ERROR)
        except InternalError as error:
            _fail(f"this is a bug of bptt, please report it: {error}", OUR_ERROR)

    return guarded


FILE = click.argument("file", type=click.Path())
WITH = click.option(
    "--with",
    "extras",
    default="",
    metavar="NAMES",
    help=f"More to derive, with commas: {', '.join(EXTRAS)}; or all.",
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
OUTPUT = click.option(
    "-o", "--output", type=click.Path(), help="File to write; else standard output."
)


def _asked(file: str, names: str) -> tuple[System, tuple[str, ...]]:
    """The system of a file, and the extras that the file or the option asks for.

    `all` are those that the network can have.
    """
    network = load(file)
    system = build(network)
    if names == "all":
        found = possible_extras(adjoint(system))
        without = [name for name in EXTRAS if name not in found]
        if without:
            click.echo(f"bptt: this network cannot have {', '.join(without)}", err=True)
        return system, found
    asked = (name.strip() for name in names.split(",") if name.strip())
    return system, check_extras((*network.extras, *asked))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bptt", message="%(prog)s %(version)s")
def main() -> None:
    """Derive backpropagation through time for a recurrent network, and generate NumPy code.

    A topology file (TOML) describes the network. Exit status: 0 done, 1 a check failed, 2 a
    mistake in what was given.

    \b
    Examples:
      bptt show narx.toml
      bptt generate narx.toml -o out
      bptt check narx.toml
      bptt latex narx.toml -o narx.tex
    """


@main.command("generate")
@FILE
@click.option("-o", "--output", default=".", show_default=True, help="Folder for the files.")
@WITH
@_reports_errors
def generate_command(file: str, output: str, extras: str) -> None:
    """Write NAME.py, test_NAME.py and NAME.tex for the network in FILE.

    \b
    Example:
      bptt generate narx.toml -o out
      bptt generate narx.toml -o out --with jacobian,hvp
      python out/test_narx.py
    """
    with _working("deriving and generating"):
        files = generate(*_asked(file, extras)).files()
    for path in write_all(Path(output), files):
        click.echo(path)


@main.command("check")
@FILE
@click.option("--module", type=click.Path(), help="Check this module instead of a fresh one.")
@WITH
@_reports_errors
def check_command(file: str, module: str | None, extras: str) -> None:
    """Compare values and gradients of the generated module with independent numbers.

    Every signal is compared with the reference interpreter, every gradient with complex-step
    derivatives (central differences where a function is not analytic). Exit status 1 when an
    error is too large. With --module that Python file is run.

    \b
    Examples:
      bptt check narx.toml
      bptt check narx.toml --module out/narx.py
    """
    source = None if module is None else _read(module)
    system, names = _asked(file, extras)
    try:
        with _working("comparing values and gradients"):
            results = check(system, source, names)
    except ModuleFailureError as error:
        _fail(f"{module or system.name}: the module fails: {error}", CHECK_FAILED)
    _print_results(results)
    wrong = [r for r in results if not r.passed]
    if wrong:
        listed = ", ".join(f"{r.about} {r.name}" for r in wrong[:8])
        more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        _fail(f"wrong: {listed}{more}", CHECK_FAILED)


@main.command("show")
@FILE
@NOTATION
@COMPACT
@EXPLAIN
@click.option("--trace", is_flag=True, help="Say for each derived term where it comes from.")
@WITH
@_reports_errors
def show_command(file: str, trace: bool, **options: Any) -> None:
    """Print the network in FILE: its shapes, its forward and its adjoint equations.

    \b
    Examples:
      bptt show narx.toml | less
      bptt show narx.toml --notation matrix
      bptt show narx.toml --explain hidden
    """
    with _working("deriving"):
        found = _document(_derived(file, options.pop("extras")), **options)
    console = _console()
    width = max(console.width, 60)

    def printed(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    if found.explanations:
        for explanation in found.explanations:
            console.print(f"\n[bold]The derivative by {explanation.name}, step by step[/bold]")
            printed(explained_text(explanation.steps, width=width))
        return
    system = found.system
    count = system.parameter_count
    console.print(f"[bold]{system.name}[/bold]: {count} parameter{'s' * (count != 1)}")
    console.print(_shapes(system))
    console.print(steps_text(system), highlight=False, markup=False)
    for loss in system.losses:
        printed(f"{loss.signal} (weight {loss.weight:g}): {loss.formula}")
    console.print("d_x is the derivative of the loss by x", highlight=False)
    for section in found.sections:
        console.print(f"\n[bold]{section.heading}[/bold]")
        text = listing(section.equations, system, notation=found.notation, width=width, trace=trace)
        printed(text)


@main.command("latex")
@FILE
@OUTPUT
@NOTATION
@COMPACT
@EXPLAIN
@click.option("--fragment", "bare", is_flag=True, help="The equations alone, for \\input.")
@WITH
@_reports_errors
def latex_command(file: str, output: str | None, bare: bool, **options: Any) -> None:
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
    with _working("deriving"):
        extended = _derived(file, options.pop("extras"))
        if bare:
            text = fragment(_document(extended, **options))
        else:
            text = article(_document(extended, source_of(extended), **options))
    _deliver(text, output)


@main.command("report")
@FILE
@OUTPUT
@NOTATION
@COMPACT
@EXPLAIN
@WITH
@_reports_errors
def report_command(file: str, output: str | None, **options: Any) -> None:
    """Write the network in FILE as one HTML page.

    It has the picture, the equations, the generated module with links between both, and the
    result of its check; it needs no script and no network. Exit status 1 when the check fails.

    \b
    Example:
      bptt report narx.toml -o narx.html
    """
    with _working("deriving and checking"):
        extended = _derived(file, options.pop("extras"))
        module = source_of(extended)
        results = check(extended.base.forward(), module, extended.names)
        text = report(_document(extended, module, **options), module, results)
    _deliver(text, output)
    if not all(r.passed for r in results):
        _fail("the module is wrong: the report says where", CHECK_FAILED)


@main.command("markdown")
@FILE
@OUTPUT
@NOTATION
@COMPACT
@EXPLAIN
@WITH
@_reports_errors
def markdown_command(file: str, output: str | None, **options: Any) -> None:
    """Write the equations of the network in FILE as Markdown, formulas between dollar signs.

    \b
    Example:
      bptt markdown narx.toml --notation matrix -o equations.md
    """
    with _working("deriving"):
        text = markdown(_document(_derived(file, options.pop("extras")), **options))
    _deliver(text, output)


def _derived(file: str, extras: str) -> Extended:
    """The system of a file with its adjoint and the extras that are asked for."""
    system, names = _asked(file, extras)
    return extend(adjoint(system), names)


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


def _deliver(text: str, output: str | None) -> None:
    """Write a text to a file, or else to standard output."""
    if output is None:
        click.echo(text, nl=False)
    else:
        path = Path(output)
        for written in write_all(path.parent, {path.name: text}):
            click.echo(written)


def write_all(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files, each one whole or not at all; all are ready before the first is in place."""
    ready: list[tuple[str, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with tempfile.NamedTemporaryFile(
                "w", dir=folder, prefix=".bptt-", delete=False, encoding="utf-8", newline="\n"
            ) as stream:
                ready.append((stream.name, folder / name))
                stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        for _, path in ready:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{path.name} in it is a folder")
        for temporary, path in ready:
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
    except OSError as error:
        for temporary, _ in ready:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(
            f"cannot be written ({error.strerror})", file=str(folder), remedy="name another folder"
        ) from None
    return [path for _, path in ready]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(
            f"cannot be read ({reason})", file=path, remedy="name a generated module"
        ) from None


def _working(what: str) -> Status:
    """A sign of life on standard error, where that is a terminal."""
    return Console(stderr=True).status(what)


def _console() -> Console:
    return Console(width=None if sys.stdout and sys.stdout.isatty() else 100)


def _shapes(system: System) -> Table:
    table = Table("name", "is", "shape", box=None, pad_edge=False, header_style="italic")
    for quantity in system.of_kind("input", "mask", "parameter", "signal", "target", "weight"):
        shape = ", ".join(map(str, system.shape(quantity)))
        table.add_row(quantity.name, quantity.role or quantity.kind, f"({shape})")
    return table


def _print_results(results: Iterable[Result]) -> None:
    results = list(results)
    table = Table("", "of", "name", "relative error", "against", box=None, pad_edge=False)
    for result in results:
        verdict = "ok" if result.passed else "[bold red]WRONG[/bold red]"
        table.add_row(verdict, result.about, result.name, f"{result.error:.1e}", result.method)
    console = _console()
    console.print(table)
    worst = max(results, key=lambda r: r.error / r.tolerance)
    console.print(
        f"worst: {worst.about} {worst.name}, {worst.error:.1e} (tolerance {worst.tolerance:.0e})",
        highlight=False,
    )
