"""What a trained network is worth: its errors on each part of the data, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.calculus.open_loop import MEASURED
from bptt.training import plots
from bptt.training.data.record import Record
from bptt.training.dynamics import predicted
from bptt.training.fit import Fitted, Prepared
from bptt.training.loop import Progress
from bptt.training.model import Model
from bptt.training.objective import Batch, counted_steps, judged_steps, signals_of
from bptt.training.vector import Layout

KINDS = {
    "predicted": "predicted",
    "one_step": "one step ahead",
    "free_run": "running freely",
}


def rms(values: Any) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


# By kind (see `results`), part and output: measured values and predictions, (T, width).
Predictions = dict[str, dict[str, dict[str, tuple[Any, Any]]]]


def results(
    prepared: Prepared, progress: Progress, made: Predictions | None = None
) -> dict[str, Any]:
    """Losses by part; for text bits per character; for records errors in the data's units; what the
    method told last. For sequences the share of classes that are `right`, too.

    Where loops were opened, `one_step` are the predictions from measured values and `free_run`
    those of the closed loop that runs on from the first step of a part; else `predicted` are those
    of the network as it is. `made` are the predictions, where the caller has them already.
    """
    model = prepared.trained(progress)
    with np.errstate(all="ignore"):
        losses = {name: loss(progress.best) for name, loss in prepared.losses.items()}
    found: dict[str, Any] = {"loss": losses, "method": dict(progress.state.report)}
    if model.vocabulary is not None:
        found["bits_per_character"] = {n: v / np.log(2) for n, v in losses.items()}
    for kind, by_part in (predictions(prepared, model) if made is None else made).items():
        assert prepared.record is not None
        found[kind] = {
            part: {
                name: _of_record(prepared.record, prepared.parts[part], model, name, *pair)
                for name, pair in by_output.items()
            }
            for part, by_output in by_part.items()
        }
    for part, batch in prepared.batches.items():
        for kind, by_output in _of_sequences(prepared, model, batch).items():
            found.setdefault(kind, {})[part] = by_output
    return found


def _of_record(
    record: Record, part: tuple[int, int], model: Model, name: str, measured: Any, values: Any
) -> dict[str, float]:
    """The error at the steps that count."""
    counts = record.counted(name, *part)[:, 0]
    whole = record.signals[name][record.counted(name, 0, record.steps)]
    return _errors(measured[counts], values[counts], model.original(name, whole))


def _of_sequences(prepared: Prepared, model: Model, batch: Batch) -> dict[str, dict[str, Any]]:
    """Of the steps that losses judge: errors in the data's units, the share of classes right."""
    module = prepared.module
    with np.errstate(all="ignore"):
        signals = signals_of(module, model.parameters, batch)
    found: dict[str, dict[str, Any]] = {"predicted": {}, "right": {}}
    for output, about in module.LOSSES.items():
        target, values = batch.targets[output], judged_steps(module, output, signals[output])
        judged = counted_steps(module, batch, output, values.shape[:-1])
        if output in module.CLASSES:
            classes = target if target.ndim < values.ndim else target.argmax(-1)
            found["right"][output] = float((values.argmax(-1) == classes)[judged].mean())
        elif about["differences"]:
            measured = model.original(output, target[judged])
            error = _errors(measured, model.original(output, values[judged]), measured)
            found["predicted"][output] = error
    return {kind: by_output for kind, by_output in found.items() if by_output}


def _errors(measured: Any, values: Any, whole: Any) -> dict[str, float]:
    """The rms error, also in per cent of the range of all that was measured."""
    if not len(measured):
        return {"rms": float("nan"), "percent_of_range": float("nan")}
    reach = float(whole.max() - whole.min())
    error = rms(values - measured)
    return {"rms": error, "percent_of_range": 100 * error / reach if reach else float("nan")}


def predictions(prepared: Prepared, model: Model) -> Predictions:
    """In the data's units, of the outputs that squared errors judge at every step of a record.

    None for text, and for whole sequences.
    """
    record, parts = prepared.record, prepared.parts
    if record is None or model.vocabulary is not None:
        return {}
    runs = {"predicted": prepared.module}
    if model.measured:
        runs = {"one_step": prepared.module, "free_run": model.closed()}
    names = [
        name
        for name, about in prepared.module.LOSSES.items()
        if about["differences"] and about["steps"] != "last"
    ]
    found: Predictions = {}
    for kind, module in runs.items():
        found[kind] = {}
        for part, (start, stop) in parts.items():
            if start == stop or not names:
                continue
            with np.errstate(all="ignore"):
                given = predicted(
                    module, model.parameters, record, start, stop, driver=prepared.module
                )
            found[kind][part] = {
                name: (
                    model.original(name, record.signals[name][start:stop, 0]),
                    model.original(name, given[name][:, 0]),
                )
                for name in names
            }
    return found


def pictures(fitted: Fitted, made: Predictions, folder: Path) -> Iterator[Path]:
    """Draw what a run shows, its predictions among it, into PNG files.

    Raises UserError without matplotlib.
    """
    prepared, progress = fitted.prepared, fitted.progress
    if progress.history:
        drawn = plots.learning_curves(progress.history)
        yield plots.save(drawn, folder / "learning_curves.png")
    layout = Layout.of(prepared.module)
    drawn = plots.weights(layout.vector(prepared.start), {"after": progress.best})
    yield plots.save(drawn, folder / "weights.png")
    for output, (series, measured, part) in _series(made).items():
        drawn = plots.prediction(output, measured, series, xlabel=f"step of the {part} part")
        yield plots.save(drawn, folder / f"prediction_{output}.png")
        residuals = next(iter(series.values())) - measured
        about = f"{output}, {next(iter(series))}, {part} part"
        drawn = plots.correlations(about, residuals, _inputs(prepared, part))
        yield plots.save(drawn, folder / f"residuals_{output}.png")


def _series(by_kind: Predictions) -> dict[str, tuple[dict[str, Any], Any, str]]:
    """By output (of width one) the predictions on the last part that there is."""
    found: dict[str, tuple[dict[str, Any], Any, str]] = {}
    for kind, by_part in by_kind.items():
        if not by_part:
            continue
        part = list(by_part)[-1]
        for output, (measured, values) in by_part[part].items():
            if measured.shape[-1] == 1:
                series, _, _ = found.setdefault(output, ({}, measured[:, 0], part))
                series[KINDS[kind]] = values[:, 0]
    return found


def _inputs(prepared: Prepared, part: str) -> dict[str, Any]:
    """Inputs of width one on a part, three at most; measured outputs are none."""
    record, parts = prepared.record, prepared.parts
    assert record is not None
    start, stop = parts[part]
    found = {
        name: record.signals[name][start:stop, 0, 0]
        for name, shape in prepared.module.INPUTS.items()
        if shape[-1] == 1 and not name.startswith(MEASURED) and record.signals[name].ndim == 3
    }
    return dict(list(found.items())[:3])
