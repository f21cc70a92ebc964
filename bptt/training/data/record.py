"""Records: measured signals along time, and the arguments of a generated module cut from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.calculus.open_loop import MEASURED
from bptt.derive.errors import UserError
from bptt.training.data.scale import Scale, fitted
from bptt.training.objective import Batch
from bptt.training.vector import Arrays


@dataclass(frozen=True)
class Record:
    """Signals by name, each (steps, sequences, width), or (steps, sequences) of class numbers.

    `module` says which of them are inputs and targets. A target goes by its output's name. What a
    network with opened loops reads as measured_y is the signal y; so is what y was before the
    first step. Values before the first step that no signal tells are zero. Where nothing is to be
    `judged`, targets may be missing.
    """

    module: ModuleType
    signals: Mapping[str, Any]
    dtype: Any = np.float64
    judged: bool = True

    def __post_init__(self) -> None:
        needed = {self._source(n): s for n, s in self.module.INPUTS.items()}
        needed |= dict(self.module.TARGETS) if self.judged else {}
        for name, shape in needed.items():
            if shape[0] != "T" and not (name in self.module.TARGETS and shape[0] == "B"):
                raise UserError(
                    f"{name!r} has the shape {shape}, no steps along T",
                    remedy="give such data as arrays of whole sequences, in a .npz file",
                )
            if name not in self.signals:
                raise UserError(
                    f"there is no data for {name!r}",
                    remedy=f"the network needs {', '.join(needed)}",
                )
            self._check(name, shape[-1])
        lengths = {len(array): name for name, array in self.signals.items()}
        if len(lengths) > 1:
            (short, one), (long, other) = min(lengths.items()), max(lengths.items())
            raise UserError(
                f"{one!r} has {short} steps and {other!r} has {long}",
                remedy="give all signals as many",
            )

    def _check(self, name: str, width: Any) -> None:
        array = self.signals[name]
        if array.ndim == 2 and array.dtype.kind in "iu":
            if name in self.module.MASKS:
                return
            if array.size and not 0 <= array.min() <= array.max() < width:
                raise UserError(
                    f"{name!r} has classes up to {array.max()}, and the network {width} of them",
                    remedy=f"make the network's layer {array.max() + 1} wide",
                )
        elif isinstance(width, int) and array.shape[-1] != width:
            raise UserError(
                f"{name!r} has {array.shape[-1]} columns, and the network a width of {width}",
                remedy="name as many columns, or change the topology",
            )

    @staticmethod
    def _source(name: str) -> str:
        return name.removeprefix(MEASURED)

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(next(iter(self.signals.values())))

    @property
    def sequences(self) -> int:
        """How many sequences run side by side."""
        return int(next(iter(self.signals.values())).shape[1])

    @cached_property
    def before(self) -> int:
        """How many steps are taken as initial values: the longest delay of what is measured."""
        known = (
            rows[0]
            for name, rows in self.module.INITIAL.items()
            if self._source(name) in self.signals and name not in self.module.AFTER
        )
        return max(known, default=0)

    @cached_property
    def is_told(self) -> bool:
        """Whether all values before the first step are measured."""
        return all(
            self._source(n) in self.signals
            for n in self.module.INITIAL
            if n not in self.module.AFTER
        )

    def counted(self, output: str, start: int, stop: int) -> Any:
        """Which of some steps the loss of an output counts, (stop - start, sequences): none of
        weight 0."""
        found = np.ones(self.signals[output][start:stop].shape[:2], bool)
        for name in (f"weight_{output}", self.module.LOSSES[output]["mask"]):
            if name in self.signals:
                rows = self.signals[name][start:stop]
                found &= rows.reshape(len(rows), -1, 1)[..., 0] > 0
        return found

    def of(self, module: ModuleType) -> Record:
        """The same signals for another module: the closed loop of an opened one, say."""
        return replace(self, module=module)

    def batch(self, starts: Any, length: int) -> Batch:
        """The sequences of `length` steps from each of `starts`, side by side.

        Values before them are those measured, zero where the record begins.
        """
        starts = np.atleast_1d(np.asarray(starts))
        rows = starts[None, :] + np.arange(length)[:, None]
        inputs = {n: self._input(n, rows) for n in self.module.INPUTS}
        targets = {}
        for name, shape in self.module.TARGETS.items():
            if name not in self.signals and not self.judged:
                continue
            at = rows if shape[0] == "T" else rows[-1:]
            found = self._target(name, at)
            targets[name] = found if shape[0] == "T" else found[0]
        weights = {n: self._weights(n, rows) for n in self.module.WEIGHTED}
        return Batch(inputs, targets, self._outside(starts, length), weights)

    def _taken(self, name: str, rows: Any) -> Any:
        """Rows (steps, starts) of a signal, the sequences of all starts side by side."""
        array = self.signals[name][rows]
        return array.reshape(rows.shape[0], -1, *array.shape[3:])

    def _input(self, name: str, rows: Any) -> Any:
        shape, source = self.module.INPUTS[name], self._source(name)
        values = self._taken(source, rows)
        if name in self.module.MASKS:
            return values[..., 0] if values.ndim > len(shape) else values
        if values.dtype.kind in "iu" and values.ndim < len(shape):
            values = one_hot(values, shape[-1], self.dtype)
        values = values.astype(self.dtype, copy=False)
        return values if "B" in shape else values[:, 0]

    def _target(self, name: str, rows: Any) -> Any:
        values = self._taken(name, rows)
        is_class = name in self.module.CLASSES and values.dtype.kind in "iu"
        return values if is_class else values.astype(self.dtype, copy=False)

    def _weights(self, name: str, rows: Any) -> Any:
        key = f"weight_{name}"
        if key not in self.signals:
            return np.ones((rows.shape[0], rows.shape[1] * self.sequences), self.dtype)
        values = self._taken(key, rows).astype(self.dtype)
        return values[..., 0] if values.ndim == 3 else values

    def _outside(self, starts: Any, length: int) -> Arrays:
        """What is measured just before each start, and after each end for what runs backward.

        Zero where nothing is.
        """
        found = {}
        for key, shape in self.module.INITIAL.items():
            after = key in self.module.AFTER
            name = self.module.AFTER.get(key, key)
            source = self._source(name)
            if source not in self.signals or (source != name and name not in self.module.INPUTS):
                continue
            first = starts + length if after else starts - shape[0]
            rows = first[None, :] + np.arange(shape[0])[:, None]
            inside = (rows >= 0) & (rows < self.steps)
            within = np.clip(rows, 0, self.steps - 1)
            if name in self.module.INPUTS:
                values = self._input(name, within)
            else:
                values = self._target(source, within)
                if values.ndim == 2:
                    values = one_hot(values, shape[-1], self.dtype)
            missing = np.repeat(~inside, self.sequences, axis=1)
            if source in self.module.LOSSES:
                # What does not count was not measured.
                counts = self.counted(source, 0, self.steps)[within]
                missing |= ~counts.reshape(missing.shape)
            if missing.any():
                values = values.copy()
                values[missing] = 0
            found[key] = values
        return found


def one_hot(classes: Any, width: int, dtype: Any) -> Any:
    """Rows that hold a single one, at the place of the class."""
    found = np.zeros((*classes.shape, width), dtype)
    np.put_along_axis(found, classes[..., None], 1, axis=-1)
    return found


def scaled(
    module: ModuleType,
    signals: Mapping[str, Any],
    kind: str,
    stop: int,
    counts: Mapping[str, Any] | None = None,
) -> tuple[Arrays, dict[str, Scale]]:
    """The signals in the network's units, and their scales, fitted on the steps before `stop`.

    Inputs are scaled, and outputs that squared errors or huber judge, by the steps that `counts`
    has of them; masks, weights, classes and class probabilities stay what they are. Raises
    UserError for a signal that is constant.
    """
    judged = {n for n, a in module.LOSSES.items() if a["differences"]}
    others = module.LOSSES.keys() - judged | set(module.MASKS)
    names = ({Record._source(n) for n in module.INPUTS} | judged) - others
    scales: dict[str, Scale] = {}
    found: Arrays = dict(signals)
    for name, values in signals.items():
        if name in names and values.dtype.kind == "f":
            rows = (counts or {}).get(name)
            known = values[:stop]
            scales[name] = fitted(name, known if rows is None else known[rows], kind)
            found[name] = scales[name].scaled(values)
    return found, scales
