"""What a trained network is worth: its errors on each part of the data, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derive.open_loop import MEASURED
from train import plots
from train.dynamics import predicted
from train.fit import Fitted, Prepared
from train.loop import Progress
from train.model import Model
from train.objective import Batch, steps_argument
from train.vector import Layout

KINDS = {
    "predicted": "predicted",
    "one_step": "one step ahead",
    "free_run": "running freely",
}


def rms(values: Any) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def results(prepared: Prepared, progress: Progress) -> dict[str, Any]:
    """Losses by part; for text bits per character; for records errors in the data's units; what the
    method told last. For sequences the share of classes that are `right`, too.

    Where loops were opened, `one_step` are the predictions from measured values and `free_run`
    those of the closed loop that runs on from the first step of a part; else `predicted` are those
    of the network as it is.
    """
    model = prepared.trained(progress)
    with np.errstate(all="ignore"):
        losses = {name: loss(progress.best) for name, loss in prepared.losses.items()}
    found: dict[str, Any] = {"loss": losses, "method": dict(progress.state.report)}
    if model.vocabulary is not None:
        found["bits_per_character"] = {n: v / np.log(2) for n, v in losses.items()}
    if prepared.record is not None and model.vocabulary is None:
        for kind, by_part in predictions(prepared, model).items():
            found[kind] = {
                part: {
                    name: _errors(*pair, model.original(name, prepared.record.signals[name]))
                    for name, pair in by_output.items()
                }
                for part, by_output in by_part.items()
            }
    for part, batch in prepared.batches.items():
        for kind, by_output in _of_sequences(prepared, model, batch).items():
            found.setdefault(kind, {})[part] = by_output
    return found


def _of_sequences(prepared: Prepared, model: Model, batch: Batch) -> dict[str, dict[str, Any]]:
    """Of the steps that losses judge: errors in the data's units, the share of classes right."""
    module = prepared.module
    told = steps_argument(module, next((len(t) for t in batch.targets.values()), 0))
    with np.errstate(all="ignore"):
        signals = module.forward(model.parameters, batch.inputs, batch.initial, **told)
    found: dict[str, dict[str, Any]] = {"predicted": {}, "right": {}}
    for output, about in module.LOSSES.items():
        target, values = batch.targets[output], signals[output]
        if about["steps"] == "last" and values.ndim == 3:
            values = values[-1]
        judged = np.ones(values.shape[:-1], bool)
        if about["mask"] is not None:
            mask = np.asarray(batch.inputs[about["mask"]])
            lengths = mask.ndim == 1 and mask.dtype.kind in "iu"
            mask = np.arange(len(judged))[:, None] < mask if lengths else mask != 0
            judged = judged & (mask if mask.ndim == 2 else mask[:, None])
        if output in module.CLASSES:
            classes = target if target.ndim < values.ndim else target.argmax(-1)
            found["right"][output] = float((values.argmax(-1) == classes)[judged].mean())
        elif about["kind"] in ("mse", "sse", "huber"):
            measured = model.original(output, target[judged])
            error = _errors(measured, model.original(output, values[judged]), measured)
            found["predicted"][output] = error
    return {kind: by_output for kind, by_output in found.items() if by_output}


def _errors(measured: Any, values: Any, whole: Any) -> dict[str, float]:
    """The rms error, also in per cent of the range of all that was measured."""
    reach = float(whole.max() - whole.min())
    error = rms(values - measured)
    return {"rms": error, "percent_of_range": 100 * error / reach if reach else float("nan")}


def predictions(
    prepared: Prepared, model: Model
) -> dict[str, dict[str, dict[str, tuple[Any, Any]]]]:
    """By kind (see `results`), part and output: measured values and predictions, (T, width).

    In the data's units, of the outputs that squared errors judge at every step.
    """
    record, parts = prepared.record, prepared.parts
    assert record is not None
    runs = {"predicted": prepared.module}
    if model.measured:
        runs = {"one_step": prepared.module, "free_run": model.closed()}
    names = [
        name
        for name, about in prepared.module.LOSSES.items()
        if about["kind"] in ("mse", "sse", "huber") and about["steps"] != "last"
    ]
    found: dict[str, dict[str, dict[str, tuple[Any, Any]]]] = {}
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


def pictures(fitted: Fitted, folder: Path) -> Iterator[Path]:
    """Draw what a run shows, into PNG files. Raises UserError without matplotlib."""
    prepared, progress, model = fitted.prepared, fitted.progress, fitted.model
    if progress.history:
        made = plots.learning_curves(progress.history)
        yield plots.save(made, folder / "learning_curves.png")
    layout = Layout.of(prepared.module)
    made = plots.weights(layout.vector(prepared.start), {"after": progress.best})
    yield plots.save(made, folder / "weights.png")
    if prepared.record is None or model.vocabulary is not None:
        return
    by_kind = predictions(prepared, model)
    for output, (series, measured, part) in _series(by_kind).items():
        made = plots.prediction(output, measured, series, xlabel=f"step of the {part} part")
        yield plots.save(made, folder / f"prediction_{output}.png")
        residuals = next(iter(series.values())) - measured
        about = f"{output}, {next(iter(series))}, {part} part"
        made = plots.correlations(about, residuals, _inputs(prepared, part))
        yield plots.save(made, folder / f"residuals_{output}.png")


def _series(by_kind: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], Any, str]]:
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
