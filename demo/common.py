"""What the examples share: the check of what is generated, where pictures go, tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bptt.codegen import check
from bptt.derive import build
from bptt.derive.calculus.open_loop import opened
from bptt.derive.description.topology import loads
from bptt.derive.errors import UserError
from bptt.training import plots
from bptt.training.fit import Prepared
from bptt.training.loop import Progress as Reached
from bptt.training.loop import run

HERE = Path(__file__).parent


def arguments(about: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all examples have."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--pictures", type=Path, default=Path("runs/pictures"), help="folder for the pictures"
    )
    return parser


def check_network(topology: str, console: Console, measured: Iterable[str] = ()) -> None:
    """Generate the network and its opened form, and stop when their derivatives are wrong."""
    system = build(loads(topology))
    for form in (system, *([opened(system, measured)] if measured else [])):
        results = check(form)
        worst = max(results, key=lambda r: r.error)
        console.print(
            f"[bold]{form.name}[/bold]: {form.parameter_count} parameters; {len(results)} values "
            f"and gradients checked, worst relative error {worst.error:.1e}",
            soft_wrap=True,
            highlight=False,
        )
        if not all(r.passed for r in results):
            raise SystemExit("the check failed")


def trained(prepared: Prepared, label: str, console: Console) -> Reached:
    """Run to the end, with a bar."""
    total = prepared.task.plan.epochs * len(prepared.task.feed)
    columns = (TextColumn(label), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("", total=total)

        def shown(reached: Reached) -> None:
            text = f"loss {reached.state.loss:.3g}"
            done = reached.epoch * len(prepared.task.feed) + reached.number
            bar.update(task, completed=done, description=text)

        return run(prepared.task, prepared.task.start(prepared.start), watch=shown, tick=shown)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Figures in columns."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def save_picture(made: Any, folder: Path, name: str, console: Console) -> None:
    """A picture as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    console.print(str(plots.save(made, folder / f"{name}.png")), highlight=False, soft_wrap=True)


def main_of(example: Any) -> None:
    """Run an example; a user's mistake ends in one sentence."""
    try:
        example()
    except UserError as error:
        raise SystemExit(f"bptt: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
