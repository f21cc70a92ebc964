"""What a trained network does: one step ahead, several, running freely, writing text.

`parameters` and records are in the network's units. An opened module reads measured values of its
outputs (series-parallel), the closed one of the same topology its own (parallel); both have the
same parameters.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.data.record import Record
from bptt.training.data.text import Vocabulary, text_names
from bptt.training.objective import signals_of
from bptt.training.vector import Arrays


def outside(
    module: ModuleType,
    parameters: Arrays,
    record: Record,
    start: int,
    length: int,
    *,
    warm_up: int | None = None,
    driver: ModuleType | None = None,
) -> Arrays:
    """The values before step `start` of a record: those measured, and the network's own states.

    States that no measurement tells are those after a run over the steps before (`warm_up` of them,
    if given) of the module or of `driver` (the opened one, say). At the record's beginning they are
    zero.
    """
    own = record.of(module)
    found = dict(own.batch([start], length).initial)
    missing = [n for n in module.INITIAL if n not in found and n not in module.AFTER]
    driven = record.of(driver or module)
    first = min(driven.before, start)
    if warm_up is not None:
        first = max(first, start - warm_up)
    if not missing or first == start:
        return found
    batch = driven.batch([first], start - first)
    signals = signals_of(driven.module, parameters, batch, start - first)
    for name in missing:
        if name not in signals:
            continue
        shape = module.INITIAL[name]
        rows = np.zeros((shape[0], record.sequences, *shape[2:]), record.dtype)
        last = signals[name][-shape[0] :]
        rows[shape[0] - len(last) :] = last
        found[name] = rows
    return found


def predicted(
    module: ModuleType,
    parameters: Arrays,
    record: Record,
    start: int,
    stop: int,
    *,
    driver: ModuleType | None = None,
) -> Arrays:
    """The outputs at steps start..stop-1, (steps, sequences, width) by name.

    Of an opened module one step ahead; of a closed one running freely from `start` on, what it
    knows being the inputs and the measured values before.
    """
    own = record.of(module)
    batch = own.batch([start], stop - start)
    initial = outside(module, parameters, own, start, stop - start, driver=driver)
    signals = signals_of(module, parameters, replace(batch, initial=initial), stop - start)
    return {name: signals[name] for name in module.OUTPUTS}


def multi_step(
    closed: ModuleType,
    opened: ModuleType,
    parameters: Arrays,
    record: Record,
    origins: Any,
    horizon: int,
) -> Arrays:
    """Free runs of `horizon` steps from each origin, (horizon, origins, width) by output.

    Measured values are known up to the step before an origin, inputs at all steps. Row k is the
    prediction k + 1 steps ahead. For records of one sequence.
    """
    origins = np.asarray(origins)
    if record.sequences != 1:
        raise UserError("a record of several sequences", remedy="predict one at a time")
    own = record.of(closed)
    batch = own.batch(origins, horizon)
    initial = dict(batch.initial)
    missing = [n for n in closed.INITIAL if n not in initial and n not in closed.AFTER]
    if missing:
        driven = record.of(opened)
        first = driven.before
        length = max(int(origins.max()) - first, 1)
        signals = signals_of(opened, parameters, driven.batch([first], length), length)
        for name in missing:
            shape = closed.INITIAL[name]
            if name in signals:
                rows = origins[None, :] - shape[0] + np.arange(shape[0])[:, None] - first
                values = signals[name][np.clip(rows, 0, None), 0]
                values[rows < 0] = 0
                initial[name] = values
    signals = signals_of(closed, parameters, replace(batch, initial=initial), horizon)
    return {name: signals[name] for name in closed.OUTPUTS}


def sample(
    module: ModuleType,
    parameters: Arrays,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> str:
    """Text that a character model writes after a prompt.

    Each character is drawn with probabilities proportional to p^(1/temperature), the most likely
    one taken where the temperature is 0. The module has `step`, one input and one output of
    classes.
    """
    source, target = text_names(module)
    if not prompt:
        raise UserError("the prompt is empty", place="--prompt", remedy="give a character")
    rng = np.random.default_rng(seed)
    dtype = next(iter(parameters.values())).dtype
    codes = list(vocabulary.encode(prompt))
    width = module.INPUTS[source][-1]
    state: Any = None
    for place in range(len(codes) + length - 1):
        row = np.zeros((1, width), dtype)
        row[0, codes[place]] = 1
        signals, state = module.step(parameters, state, {source: row})
        if place + 1 == len(codes):
            scores = _logits(signals[target][0, : len(vocabulary)].astype(float))
            codes.append(_drawn(scores, temperature, rng))
    return vocabulary.decode(codes[len(prompt) :])


def _logits(output: Any) -> Any:
    """The logarithms of probabilities; an output that is none holds the logits themselves."""
    if (output >= 0).all() and output.sum() <= 1 + 1e-3:
        return np.log(np.maximum(output, 1e-300))
    return output


def _drawn(logits: Any, temperature: float, rng: np.random.Generator) -> int:
    if temperature == 0:
        return int(np.argmax(logits))
    with np.errstate(over="ignore"):
        weights = np.exp((logits - logits.max()) / temperature)
    return int(rng.choice(len(weights), p=weights / weights.sum()))
