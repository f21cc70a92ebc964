"""The run of a method over data: epochs, validation, early stopping, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from bptt.training.data.feed import Feed
from bptt.training.methods.state import Method, NotFiniteError, State
from bptt.training.objective import BatchObjective
from bptt.training.vector import Layout, Vector

Watch = Callable[["Progress"], None]


@dataclass(frozen=True)
class Plan:
    """How long to go on, and how often to look.

    A report, with a validation, comes after every `every` steps (an epoch of batches where 0).
    `patience` is how many reports without a better validation end the run; 0 never does.
    `minutes` ends it after the report that follows.
    """

    epochs: int = 100
    every: int = 0
    patience: int = 0
    minutes: float = 0.0
    decay: float = 0.0


@dataclass(frozen=True)
class Progress:
    """Where a run stands. All that it goes on from is here, and nothing that depends on time.

    `best` is the vector with the lowest validation loss, or without validation the last one at
    which the loss was finite; `history` has one row for each report.
    """

    state: State
    best: Vector
    epoch: int = 0
    number: int = 0
    best_validation: float = np.inf
    best_step: int = 0
    waited: int = 0
    total: float = 0.0
    counted: int = 0
    history: tuple[Mapping[str, float], ...] = ()
    stopped: str = ""
    diverged: bool = False

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return self.state.steps


@dataclass(frozen=True)
class Task:
    """What is trained: a generated module by a method, on the batches of a feed.

    `validation` gives the loss on data held back, at a vector of parameters.
    """

    module: ModuleType
    feed: Feed
    method: Method
    plan: Plan = field(default_factory=Plan)
    validation: Callable[[Vector], float] | None = None

    def start(self, parameters: Mapping[str, Any]) -> Progress:
        """The progress before the first step."""
        vector = Layout.of(self.module).vector(dict(parameters))
        return Progress(self.method.start(vector), vector)


def run(
    task: Task,
    progress: Progress,
    *,
    watch: Watch = lambda progress: None,
    tick: Watch = lambda progress: None,
) -> Progress:
    """Train until the plan or the method ends, or a loss is not finite.

    `tick` is called after every step and `watch` after every report, with where the run stands:
    a run that goes on from there ends with the same bits. What they raise ends the run.
    """
    deadline = time.monotonic() + 60 * task.plan.minutes if task.plan.minutes else np.inf
    while not progress.stopped:
        if progress.epoch >= task.plan.epochs:
            return _ended(task, progress, f"all {task.plan.epochs} epochs are done")
        reports = len(progress.history)
        progress = advanced(task, progress)
        if len(progress.history) == reports:
            tick(progress)
            continue
        watch(progress)
        if not progress.stopped and time.monotonic() > deadline:
            return _ended(task, progress, f"{task.plan.minutes:g} minutes are over")
    return progress


def _ended(task: Task, progress: Progress, why: str) -> Progress:
    """The end of a plan; the last point is kept if nothing was to choose among points."""
    vector = progress.state.vector
    if task.validation is None and task.method.takes_batches:
        batch = task.feed.batch(max(progress.epoch - 1, 0), 0, progress.state.carried)
        with np.errstate(all="ignore"):
            if np.isfinite(BatchObjective(task.module, batch).loss(vector)):
                progress = replace(progress, best=vector)
    return replace(progress, stopped=why)


def resumed(progress: Progress, plan: Plan) -> Progress:
    """Where a run goes on: it stays at its end, but for an end that the plan does not have now."""
    out_of_patience = 0 < plan.patience <= progress.waited
    final = progress.diverged or progress.state.done or out_of_patience
    return progress if final else replace(progress, stopped="")


def advanced(task: Task, progress: Progress) -> Progress:
    """One step further, with a report where one is due."""
    feed, state = task.feed, progress.state
    batch = feed.batch(progress.epoch, progress.number, state.carried)
    objective = BatchObjective(task.module, batch, task.plan.decay, feed.carries)
    try:
        new = task.method.step(objective, state)
    except NotFiniteError as error:
        return _diverged(progress, str(error))
    last = progress.number + 1 == len(feed)
    epoch, number = (progress.epoch + 1, 0) if last else (progress.epoch, progress.number + 1)
    # The loss of a step of batches is that of the point before it, and proves that one good.
    proven = state.vector if task.method.takes_batches else new.vector
    progress = replace(
        progress,
        state=new,
        epoch=epoch,
        number=number,
        total=progress.total + new.loss,
        counted=progress.counted + 1,
        best=progress.best if task.validation else proven,
    )
    every = task.plan.every or len(feed)
    if progress.counted >= every or new.done or epoch >= task.plan.epochs:
        progress = _reported(task, progress)
    if new.done and not progress.stopped:
        progress = replace(progress, stopped=new.done)
    return progress


def _diverged(progress: Progress, why: str) -> Progress:
    return replace(
        progress,
        diverged=True,
        stopped=f"{why} after step {progress.step}: the parameters before that are kept; a lower "
        "rate, clipping or another seed may help",
    )


def _reported(task: Task, progress: Progress) -> Progress:
    """A row of history, with the validation and what follows from it."""
    state = progress.state
    row: dict[str, float] = {
        "step": state.steps,
        "epoch": progress.epoch,
        "loss": progress.total / max(progress.counted, 1),
        "gradient_norm": state.gradient_norm,
        **state.report,
    }
    progress = replace(progress, total=0.0, counted=0)
    if task.validation is None:
        # Judged at the last point; one that is not finite is found by the next step.
        return replace(progress, history=(*progress.history, row), best_step=state.steps)
    with np.errstate(all="ignore"):
        value = float(task.validation(state.vector))
    row["validation"] = value
    progress = replace(progress, history=(*progress.history, row))
    if not np.isfinite(value):
        return _diverged(progress, f"the validation loss is {value}")
    if value < progress.best_validation:
        return replace(
            progress,
            best=state.vector,
            best_validation=value,
            best_step=state.steps,
            waited=0,
        )
    progress = replace(progress, waited=progress.waited + 1)
    if task.plan.patience and progress.waited >= task.plan.patience:
        return replace(
            progress,
            stopped=f"the validation loss has not fallen for {progress.waited} reports "
            f"(lowest after step {progress.best_step})",
        )
    return progress
