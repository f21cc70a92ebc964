"""Predictions of a saved model on data that one has, in the data's units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.data.arrays import as_signals, is_record
from bptt.training.data.record import Record
from bptt.training.dynamics import multi_step, predicted
from bptt.training.model import Model


def forecast(
    model: Model,
    data: Mapping[str, Any],
    *,
    start: int | None = None,
    free: bool = False,
    steps: int | None = None,
    ahead: int | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Steps (rows,) and predictions of them (rows, width) by output.

    `data` as `fit` takes one record; outputs are needed as far as the network reads them. From the
    first possible step on, or from `start`: one step ahead, as the network was trained; `free` on
    its own predictions, for `steps` steps or to the end of its inputs (without `start` from where
    the outputs end, if it goes further); or `ahead` steps ahead of every step. Raises UserError
    where the data do not reach so far.
    """
    opened = model.opened()
    if not is_record(opened, data):
        raise UserError(
            "the data are whole sequences", remedy="run the module on them, or give one record"
        )
    signals = as_signals(opened, data)
    signals = {n: model.scales[n].scaled(a) if n in model.scales else a for n, a in signals.items()}
    outputs = [n for n in signals if n not in opened.INPUTS]
    known = min((len(signals[n]) for n in outputs), default=0)
    if free:
        inputs = [len(a) for n, a in signals.items() if n not in outputs]
        end = min(inputs) if inputs else max(known, (start or known) + (steps or 0))
        if start is None and (steps or known < end):
            start = known
        signals = {n: _reaching(a, end) if n in outputs else a[:end] for n, a in signals.items()}
    dtype = next(iter(model.parameters.values())).dtype
    record = Record(opened, signals, dtype, judged=False)
    first = record.before if start is None else start
    needs = record.before
    if first < needs:
        raise UserError(
            f"is {first}, and {needs} steps before it are needed", place="--start", remedy="more"
        )
    if free and outputs and first > known:
        raise UserError(
            f"is {first}, and the outputs are known for {known} steps",
            place="--start",
            remedy=f"use {known} at most",
        )
    stop = min(record.steps, first + steps) if steps else record.steps
    if first + (ahead or 1) > stop:
        raise UserError(
            f"there are {record.steps} steps, and {first + (ahead or 1)} are needed",
            remedy="give more data",
        )
    if ahead:
        origins = np.arange(first, record.steps - ahead + 1)
        runs = multi_step(model.closed(), opened, model.parameters, record, origins, ahead)
        rows, found = origins + ahead - 1, {n: a[-1] for n, a in runs.items()}
    else:
        module = model.closed() if free else opened
        runs = predicted(module, model.parameters, record, first, stop, driver=opened)
        rows, found = np.arange(first, stop), {n: a[:, 0] for n, a in runs.items()}
    return rows, {n: model.original(n, a) for n, a in found.items()}


def _reaching(array: Any, end: int) -> Any:
    """An output drawn out to the end of a free run: beyond its start nobody reads it."""
    missing = max(end - len(array), 0)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])[:end]
