"""From a topology and data to a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.checkpoint import fingerprint
from bptt.training.data.arrays import (
    as_batch,
    as_signals,
    is_record,
    kept_steps,
    of_text,
    scaled_batch,
    shifted,
)
from bptt.training.data.feed import Feed, Segment, Sequences, Streams, Windows, split
from bptt.training.data.record import Record, scaled
from bptt.training.data.scale import Scale
from bptt.training.data.text import Vocabulary
from bptt.training.dynamics import outside
from bptt.training.initial import initial_parameters
from bptt.training.loop import Plan, Progress, Task, Watch, run
from bptt.training.model import Model
from bptt.training.modules import module_of
from bptt.training.objective import Batch, BatchObjective, counted_steps
from bptt.training.options import EXTRAS, Options, check, chosen, epochs_of, method_of
from bptt.training.vector import Arrays, Layout, Vector

PARTS = ("training", "validation", "test")
# Text is judged in parts of about this length, so many side by side, each from a zero state.
TEXT_PART, TEXT_PARTS = 1000, 32


@dataclass(frozen=True)
class Prepared:
    """All that a run needs: the task, where it starts, and how to judge what comes out.

    `parts` are steps, from and to, of the `record` where the data are one in time; else of
    sequences, with a batch of each part in `batches`. `module` is what is trained: the opened one,
    if loops are opened.
    """

    model: Model
    module: ModuleType
    task: Task
    start: Arrays
    method: str
    identity: Mapping[str, Any]
    losses: Mapping[str, Callable[[Vector], float]]
    record: Record | None = None
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    batches: Mapping[str, Batch] = field(default_factory=dict)

    def trained(self, progress: Progress) -> Model:
        """The model with the best parameters of a run."""
        parameters = Layout.of(self.module).arrays(progress.best)
        return replace(self.model, parameters={n: a.copy() for n, a in parameters.items()})


@dataclass(frozen=True)
class Fitted:
    """A trained model, with the run that made it."""

    model: Model
    progress: Progress
    prepared: Prepared


def fit(
    topology: str,
    data: Mapping[str, Any] | str,
    options: Options | None = None,
    *,
    start: Model | None = None,
    watch: Watch = lambda progress: None,
) -> Fitted:
    """Train a network: the text of its topology file, its data, options.

    `data` holds arrays by signal: (T,) or (T, width) of one record, split by time; (T, B, width)
    of sequences side by side, split by sequence, with what else INPUTS and TARGETS ask for; or it
    is text, for a model of characters. A target goes by its output's name. `start` is a model
    whose parameters and scales are taken over. `watch` is called after each report.

    Raises UserError for data that do not fit the network, and options that do not fit either.
    """
    prepared = prepare(topology, data, options or Options(), start=start)
    progress = run(prepared.task, prepared.task.start(prepared.start), watch=watch)
    return Fitted(prepared.trained(progress), progress, prepared)


def prepare(
    topology: str,
    data: Mapping[str, Any] | str,
    options: Options,
    *,
    start: Model | None = None,
) -> Prepared:
    """Data and network brought together; see `fit`."""
    plain = module_of(topology, measured=options.open, target=options.target)
    method = chosen(options, plain)
    check(method, options, Layout.of(plain).size)
    extras = [EXTRAS[method]] if method in EXTRAS else []
    if options.chunk:
        extras.append("carry")
    module = plain
    if extras:
        module = module_of(topology, measured=options.open, extras=extras, target=options.target)
    _check_losses(module)
    vocabulary = None
    if isinstance(data, str):
        vocabulary = start.vocabulary if start and start.vocabulary else Vocabulary.of(data)
        data = of_text(module, data, vocabulary)
        options = replace(options, normalise="none")
    identity = {
        "topology": topology,
        "options": _plain(options.decides),
        "data": fingerprint(data),
        "start": _identity_of(start) if start else "",
    }
    known = dict(start.scales) if start else None
    made = _Preparation(module, method, options, known, is_text=vocabulary is not None)
    found = made.of_record(data) if is_record(module, data) else made.of_sequences(data)
    if start is not None:
        _check_start(options)
        begin = _taken_over(module, start, options)
    else:
        begin = initial_parameters(
            module, options.initial_by_layer(), options.seed, np.dtype(options.dtype)
        )
    model = Model(
        topology=topology,
        parameters=begin,
        measured=options.open,
        scales=found.scales,
        vocabulary=vocabulary,
        facts={"options": _plain(asdict(options)), "method": method},
    )
    return Prepared(
        model=model,
        module=module,
        task=found.task,
        start=begin,
        method=method,
        identity=identity,
        losses=found.losses,
        record=found.record,
        parts=found.parts,
        batches=found.batches,
    )


@dataclass(frozen=True)
class _Found:
    task: Task
    scales: Mapping[str, Scale]
    losses: Mapping[str, Callable[[Vector], float]]
    record: Record | None = None
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    batches: Mapping[str, Batch] = field(default_factory=dict)


@dataclass(frozen=True)
class _Preparation:
    """The module and options that data are prepared for."""

    module: ModuleType
    method: str
    options: Options
    known: Mapping[str, Scale] | None
    is_text: bool

    def of_record(self, data: Mapping[str, Any]) -> _Found:
        """One record, split by time."""
        options, module = self.options, self.module
        signals = as_signals(module, data)
        record = Record(module, signals, np.dtype(options.dtype))
        left = record.steps - record.before
        if left < 1 + sum(p > 0 for p in options.split):
            raise UserError(
                f"there are {record.steps} steps, {record.before} of them before the first that "
                "can be predicted",
                remedy="give more data",
            )
        parts = dict(zip(PARTS, split(record.steps, record.before, options.split), strict=False))
        stop = parts["training"][1]
        counts = {n: record.counted(n, 0, stop) for n in module.LOSSES if n in signals}
        counts = {n: rows for n, rows in counts.items() if rows.any()}
        signals, scales = self._scaled(signals, stop, counts)
        record = replace(record, signals=signals)
        segments = {n: Segment(record, *part) for n, part in parts.items() if part[0] < part[1]}
        if "training" not in segments:
            raise UserError("no step is left to learn from", place="--split", remedy="give more")
        losses = {name: self._loss_on(segment) for name, segment in segments.items()}
        task = self._task(self._feed(segments["training"]), losses.get("validation"))
        return _Found(task, scales, losses, record, parts)

    def of_sequences(self, data: Mapping[str, Any]) -> _Found:
        """Whole sequences side by side, split by sequence."""
        options, module, dtype = self.options, self.module, np.dtype(self.options.dtype)
        if options.chunk or options.window:
            raise UserError(
                "the data are whole sequences",
                place="--chunk" if options.chunk else "--window",
                remedy="give one record in time, arrays without the axis of sequences",
            )
        whole = Sequences(module, shifted(module, as_batch(module, data, dtype)), seed=options.seed)
        count = whole.count
        bounds = dict(zip(PARTS, split(count, 0, options.split), strict=False))
        if not bounds["training"][1]:
            raise UserError(
                "no sequence is left to learn from", place="--split", remedy="give more"
            )
        first = whole.part(*bounds["training"]).batch(0, 0, {})
        kept = kept_steps(module, first)
        counted = {n: counted_steps(module, first, n, np.shape(a)[:2])
                   for n, a in first.targets.items() if module.TARGETS[n][0] == "T"}  # fmt: skip
        signals = {
            n: a[kept] if kept is not None and np.shape(a)[:2] == kept.shape else a
            for n, a in first.inputs.items()
        }
        signals |= {n: a[counted[n]] if n in counted else a for n, a in first.targets.items()}
        _, scales = self._scaled(signals, max(map(len, signals.values())))
        whole = replace(whole, whole=scaled_batch(whole.whole, scales, dtype))
        batches = {
            name: whole.part(start, stop).batch(0, 0, {})
            for name, (start, stop) in bounds.items()
            if start < stop
        }
        losses = {name: BatchObjective(module, batch).loss for name, batch in batches.items()}
        feed = replace(whole.part(*bounds["training"]), size=options.batch)
        task = self._task(feed, losses.get("validation"))
        return _Found(task, scales, losses, parts=bounds, batches=batches)

    def _scaled(
        self, signals: Mapping[str, Any], stop: int, counts: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], Mapping[str, Scale]]:
        if self.known is None:
            return scaled(self.module, signals, self.options.normalise, stop, counts)
        found = {n: self.known[n].scaled(a) if n in self.known else a for n, a in signals.items()}
        return found, self.known

    def _feed(self, training: Segment) -> Feed:
        options = self.options
        if options.chunk:
            return Streams(training, max(options.batch, 1), options.chunk)
        if options.window:
            stride = options.stride or options.window
            made = Windows(training, options.window, stride, options.batch or 1, options.seed)
            # Methods that see all data in each step get all windows at once.
            return made if options.batch else replace(made, size=len(made.starts))
        if options.batch:
            raise UserError(
                "there is one sequence",
                place="--batch",
                remedy="cut it with --window, or --chunk to carry states on",
            )
        return training

    def _loss_on(self, segment: Segment) -> Callable[[Vector], float]:
        """The loss on a part, from the states that the steps before it leave."""
        module, record = self.module, segment.record
        layout, length = Layout.of(module), segment.stop - segment.start
        if self.is_text:
            return self._text_loss(segment)
        if record.is_told:
            return lambda vector: BatchObjective(module, segment.whole).loss(vector)

        def loss(vector: Vector) -> float:
            before = outside(module, layout.arrays(vector), record, segment.start, length)
            return BatchObjective(module, replace(segment.whole, initial=before)).loss(vector)

        return loss

    def _text_loss(self, segment: Segment) -> Callable[[Vector], float]:
        """The mean loss of parts that are read side by side, some at a time."""
        count = max((segment.stop - segment.start) // TEXT_PART, 1)
        length = (segment.stop - segment.start) // count
        starts = segment.start + length * np.arange(count)

        def loss(vector: Vector) -> float:
            total = 0.0
            for first in range(0, count, TEXT_PARTS):
                taken = starts[first : first + TEXT_PARTS]
                batch = segment.record.batch(taken, length)
                total += len(taken) * BatchObjective(self.module, batch).loss(vector)
            return total / count

        return loss

    def _task(self, feed: Feed, validation: Callable[[Vector], float] | None) -> Task:
        options = self.options
        epochs = epochs_of(self.method, options)
        method = method_of(self.method, options, epochs * len(feed))
        # Decay belongs to the rule in AdamW; elsewhere it is a term of the loss.
        decay = 0.0 if self.method == "adam" else options.decay
        plan = Plan(epochs, options.every, options.patience, options.minutes, decay)
        # The evidence takes the place of held-back data: Bayesian regularisation runs on.
        chooses = validation if self.method != "bayes" else None
        return Task(self.module, feed, method, plan, chooses)


def _identity_of(start: Model) -> str:
    """Of the parameters and the units that a run begins with."""
    scales = {
        f"{kind} of {n}": np.array(values)
        for n, s in start.scales.items()
        for kind, values in s.as_json().items()
    }
    return fingerprint({**start.parameters, **scales})


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back."""
    return {n: list(v) if isinstance(v, tuple) else v for n, v in options.items()}


def _check_losses(module: ModuleType) -> None:
    if not module.LOSSES:
        raise UserError("the network has no loss", place="loss", remedy="say what judges an output")


def _check_start(options: Options) -> None:
    for name in ("normalise", "initial"):
        if getattr(options, name) not in (getattr(Options, name), "none"):
            raise UserError(
                "is taken from the run that is begun with",
                place=f"--{name}",
                remedy="leave it out, or leave out --from",
            )


def _taken_over(module: ModuleType, start: Model, options: Options) -> Arrays:
    shapes = {n: tuple(s) for n, s in module.PARAMETERS.items()}
    if {n: a.shape for n, a in start.parameters.items()} != shapes:
        raise UserError(
            "its network has other parameters", place="--from", remedy="name a run of the same"
        )
    return {n: a.astype(options.dtype) for n, a in start.parameters.items()}
