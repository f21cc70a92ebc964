"""What a caller gives, arrays by name or text, as records and batches take it."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.calculus.open_loop import MEASURED
from bptt.derive.errors import UserError
from bptt.training.data.scale import Scale
from bptt.training.data.text import Vocabulary, text_names
from bptt.training.objective import Batch, is_lengths, mask_of
from bptt.training.vector import Arrays


def is_record(module: ModuleType, data: Mapping[str, Any]) -> bool:
    """Whether the data are one record in time: no array has an axis of sequences."""
    shapes = {n.removeprefix(MEASURED): s for n, s in module.INPUTS.items()} | module.TARGETS
    if not all(shape[0] == "T" for shape in shapes.values()):
        return False
    for name, array in data.items():
        # Whole numbers, (T, B), are classes of sequences, unless as many columns as units.
        classes = np.ndim(array) == 2 and np.asarray(array).dtype.kind in "iub"
        if np.ndim(array) > 2 or (classes and np.shape(array)[1] != shapes.get(name, (1,))[-1]):
            return False
    return True


def as_signals(module: ModuleType, data: Mapping[str, Any]) -> Arrays:
    """Data of one record as a Record takes them. Raises UserError for what is not finite."""
    return {name: _as_signal(module, name, array) for name, array in data.items()}


def _as_signal(module: ModuleType, name: str, array: Any) -> Any:
    """(T,), (T, width) or classes (T,) as (T, 1, width) or (T, 1); refuses what is not finite."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2) or not len(array):
        raise UserError(
            f"{name!r} has dtype {array.dtype} and shape {array.shape}",
            remedy="give numbers, (steps,) or (steps, width)",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        at = int(np.argwhere(~np.isfinite(array))[0][0])
        raise UserError(
            f"{name!r} is not finite at step {at}", remedy="fill in or leave out what is missing"
        )
    wide = module.INPUTS.get(name, (1,))[-1] != 1 and name not in module.MASKS
    if array.dtype.kind in "iu" and array.ndim == 1 and (wide or name in module.CLASSES):
        return array.astype(np.int64)[:, None]
    return array.astype(float).reshape(len(array), 1, -1)


def as_batch(module: ModuleType, data: Mapping[str, Any], dtype: Any) -> Batch:
    """Arrays of whole sequences by name, told apart."""
    groups: dict[str, Arrays] = {"inputs": {}, "targets": {}, "initial": {}, "weights": {}}
    for name, array in data.items():
        array = np.asarray(array)
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                raise UserError(f"{name!r} is not finite everywhere", remedy="fill in the rest")
            array = array.astype(dtype)
        if name.startswith("initial_"):
            key = name.removeprefix("initial_")
            groups["initial"][MEASURED + key if MEASURED + key in module.INITIAL else key] = array
        elif name.startswith("weight_"):
            groups["weights"][name.removeprefix("weight_")] = array
        elif name in module.INPUTS:
            groups["inputs"][name] = array
        elif name in module.TARGETS:
            groups["targets"][name] = array
        else:
            raise UserError(f"the network has neither input nor target {name!r}", remedy="rename")
    for name in module.INPUTS:
        source = name.removeprefix(MEASURED)
        if name not in groups["inputs"] and source in data:
            groups["inputs"][name] = np.asarray(data[source]).astype(dtype)
    for kind, shapes in (("inputs", module.INPUTS), ("targets", module.TARGETS)):
        missing = [n for n in shapes if n not in groups[kind]]
        if missing:
            raise UserError(
                f"there is no data for {missing[0]!r}",
                remedy=f"the network needs {', '.join((*module.INPUTS, *module.TARGETS))}",
            )
    batch = Batch(**groups)
    parameters = module.initial_parameters(dtype=dtype)
    try:
        # What the module refuses before it computes.
        module._prepare(parameters, batch.inputs, batch.initial, batch.targets, batch.weights)
    except ValueError as error:
        raise UserError(str(error), remedy="give arrays of that shape") from None
    return batch


def scaled_batch(batch: Batch, scales: Mapping[str, Scale], dtype: Any) -> Batch:
    def of(arrays: Arrays) -> Arrays:
        return {
            n: scales[n.removeprefix(MEASURED)].scaled(a).astype(dtype)
            if n.removeprefix(MEASURED) in scales
            else a
            for n, a in arrays.items()
        }

    return Batch(of(batch.inputs), of(batch.targets), of(batch.initial), batch.weights)


def of_text(module: ModuleType, text: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """Text as data: each character is to be followed by the next."""
    source, target = text_names(module)
    width = min(module.INPUTS[source][-1], module.TARGETS[target][-1])
    if len(vocabulary) > width:
        raise UserError(
            f"the text has {len(vocabulary)} different characters, the network {width} classes",
            remedy=f"make {source!r} and {target!r} {len(vocabulary)} wide",
        )
    codes = vocabulary.encode(text)
    if len(codes) < 2:
        raise UserError("the text has less than two characters", remedy="give more")
    return {source: codes[:-1], target: codes[1:]}


def shifted(module: ModuleType, batch: Batch) -> Batch:
    """Sequences whose first steps become the initial values of measured outputs, if none are given.

    As many as the longest delay of what is measured; inputs have theirs from the same steps.
    """
    told = [n for n in module.INITIAL if n in module.INPUTS and n not in module.AFTER]
    measured = [n for n in told if n.startswith(MEASURED) and n not in batch.initial]
    before = max((module.INITIAL[n][0] for n in measured), default=0)
    if not before:
        return batch
    initial = dict(batch.initial)
    for name in told:
        rows = module.INITIAL[name][0]
        initial.setdefault(name, batch.inputs[name][max(before - rows, 0) : before])
        short = rows - len(initial[name])
        if short > 0:
            initial[name] = np.pad(initial[name], ((short, 0), (0, 0), (0, 0)))

    def later(arrays: Arrays, shapes: Mapping[str, Any]) -> Arrays:
        found = {}
        for name, array in arrays.items():
            if is_lengths(module, name, array):
                found[name] = np.maximum(array - before, 0)
            else:
                found[name] = array[before:] if shapes[name][0] == "T" else array
        return found

    return Batch(
        later(batch.inputs, module.INPUTS),
        later(batch.targets, module.TARGETS),
        initial,
        later(batch.weights, module.WEIGHTED),
    )


def kept_steps(module: ModuleType, batch: Batch) -> Any:
    """Which steps of which sequences its mask keeps, (T, B); None where there is not one mask."""
    masks = [n for n in module.MASKS if module.INPUTS[n][:2] == ("T", "B")]
    if len(masks) != 1:
        return None
    steps = max(
        len(array)
        for name, array in batch.inputs.items()
        if module.INPUTS[name][0] == "T" and not is_lengths(module, name, array)
    )
    return mask_of(module, batch, masks[0], steps) != 0
