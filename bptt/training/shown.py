"""A run on the terminal: a bar where it is one, else a line now and then."""

from __future__ import annotations

import sys
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bptt.training.fit import Prepared
from bptt.training.loop import Progress as Reached

LINES = 10


class Bar:
    """Shows how far a run is: loss, norm of the gradient, validation."""

    def __init__(self, prepared: Prepared, reached: Reached) -> None:
        plan, self._batches = prepared.task.plan, len(prepared.task.feed)
        self._total = plan.epochs * self._batches
        self._unit = "epoch" if self._batches == 1 else "step"
        self._line_every = max(self._total // LINES, 1)
        self._next_line = reached.step + self._line_every
        self._text = ""
        self._bar = Progress(
            TextColumn(self._unit),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=self._total, completed=self._done(reached))

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def _done(self, reached: Reached) -> int:
        return reached.epoch * self._batches + reached.number

    def tick(self, reached: Reached) -> None:
        """After every step."""
        state = reached.state
        text = self._text or f"loss {state.loss:.4g}  |g| {state.gradient_norm:.2g}"
        self._bar.update(self._task, completed=self._done(reached), description=text)

    def report(self, reached: Reached) -> None:
        """After every report: the numbers of the last row of the history."""
        row = reached.history[-1]
        self._text = f"loss {row['loss']:.4g}  |g| {row['gradient_norm']:.2g}"
        if "validation" in row:
            self._text += f"  validation {row['validation']:.4g}"
        if "gamma" in row:
            self._text += f"  gamma {row['gamma']:.1f}"
        self.tick(reached)
        if self._bar.disable and (reached.step >= self._next_line or reached.stopped):
            self._next_line = reached.step + self._line_every
            click.echo(f"{self._unit} {reached.step} of {self._total}: {self._text}", err=True)
