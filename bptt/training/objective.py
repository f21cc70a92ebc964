"""What an optimiser sees: a function of a vector, with the derivatives that a module computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from bptt.training.vector import Arrays, Layout, Vector


@dataclass(frozen=True)
class Batch:
    """Arguments of a generated module: dicts of arrays by name, as INPUTS and the others say."""

    inputs: Arrays
    targets: Arrays
    initial: Arrays = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """A loss and its gradient at a point; `carried` is the network's state after a chunk."""

    loss: float
    gradient: Vector
    carried: Arrays = field(default_factory=dict)


class Differentiable(Protocol):
    """A function with its gradient."""

    def evaluate(self, vector: Vector) -> Evaluation:
        """The value and its gradient at a point."""


class Objective(Differentiable, Protocol):
    """A function to be minimised."""

    def loss(self, vector: Vector) -> float:
        """The value at a point."""


class SumOfSquares(Objective, Protocol):
    """A loss that is `scale` times e'e, with e the errors and J their Jacobian."""

    @property
    def scale(self) -> float:
        """The loss divided by the sum of the squared errors."""

    def errors(self, vector: Vector) -> Vector:
        """e at a point, (n,)."""

    def errors_and_jacobian(self, vector: Vector) -> tuple[Vector, Vector]:
        """e and J at a point, (n,) and (n, parameters)."""


class Curved(Objective, Protocol):
    """A function with products of its Gauss-Newton matrix."""

    def gauss_newton(self, vector: Vector, direction: Vector) -> Vector:
        """The Gauss-Newton matrix at a point, times a direction."""


@dataclass(frozen=True)
class BatchObjective:
    """The loss of a generated module on a batch, and `decay` times the sum of squared parameters.

    The errors (for losses that are sums of squares alone) are the residuals that count, in units
    in which a mean of squares has the errors themselves: output minus target, say.
    """

    module: ModuleType
    batch: Batch
    decay: float = 0.0
    carries: bool = False

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.module)

    @property
    def _given(self) -> tuple[Arrays, Arrays, Arrays, Arrays]:
        batch = self.batch
        return batch.inputs, batch.targets, batch.initial, batch.weights

    def loss(self, vector: Vector) -> float:
        """The value at a point."""
        value = self.module.loss(self.layout.arrays(vector), *self._given)
        return float(value) + self.decay * float(vector @ vector)

    def evaluate(self, vector: Vector) -> Evaluation:
        """The value and its gradient; the network's state too, where it is carried on."""
        parameters, carried = self.layout.arrays(vector), {}
        inputs, targets, initial, weights = self._given
        if self.carries:
            loss, gradients, carried = self.module.carried_loss_and_gradients(
                parameters, initial, inputs, targets, weights
            )
        else:
            loss, gradients = self.module.loss_and_gradients(
                parameters, inputs, targets, initial, weights
            )
        gradient = self.layout.vector(gradients)
        if self.decay:
            gradient = gradient + 2 * self.decay * vector
        return Evaluation(float(loss) + self.decay * float(vector @ vector), gradient, carried)

    def gauss_newton(self, vector: Vector, direction: Vector) -> Vector:
        """J'HJ times a direction, by the module's `gauss_newton_vector`."""
        product = self.module.gauss_newton_vector(
            self.layout.arrays(vector),
            self.batch.inputs,
            self.batch.targets,
            self.layout.arrays(direction),
            self.batch.initial,
            self.batch.weights,
        )
        found = self.layout.vector(product)
        return found + 2 * self.decay * direction if self.decay else found

    # Sums of squares.

    @cached_property
    def _judged(self) -> tuple[Arrays, Arrays, Arrays, Arrays]:
        return self.batch.inputs, self.batch.targets, self.batch.initial, self.batch.weights

    @cached_property
    def _kept(self) -> Vector:
        """Which residuals count: those that move with the targets, or are not zero without them."""
        start = self.layout.arrays(np.zeros(self.layout.size))
        inputs, targets, *rest = self._judged
        moved = {name: target + 1 for name, target in targets.items()}
        first, second = (
            _joined(self.module.residuals(start, inputs, given, *rest))
            for given in (targets, moved)
        )
        kept: Vector = (first != second) | (first != 0)
        return kept

    @cached_property
    def scale(self) -> float:
        """The mean factor of the errors that count."""
        return 1 / max(int(self._kept.sum()), 1)

    def errors(self, vector: Vector) -> Vector:
        """The weighted errors at a point: their squares add up to the loss divided by scale."""
        found = _joined(self.module.residuals(self.layout.arrays(vector), *self._judged))
        errors: Vector = found[self._kept] / np.sqrt(self.scale)
        return errors

    def errors_and_jacobian(self, vector: Vector) -> tuple[Vector, Vector]:
        """The weighted errors and their derivatives, by `residuals_and_jacobian`."""
        found, by_name = self.module.residuals_and_jacobian(
            self.layout.arrays(vector), *self._judged
        )
        kept, root = self._kept, np.sqrt(self.scale)
        rows = [
            np.concatenate(
                [by_name[name][p].reshape(r.size, -1) for p in self.layout.shapes], axis=1
            )
            for name, r in found.items()
        ]
        return _joined(found)[kept] / root, np.concatenate(rows)[kept] / root


def _joined(arrays: Arrays) -> Vector:
    return np.concatenate([np.ravel(array) for array in arrays.values()])


def steps_argument(module: ModuleType, batch: Batch, steps: int | None = None) -> dict[str, int]:
    """What `forward` and `jacobian` are told of the number of steps, where no input says it.

    As `steps` says, or else the targets.
    """
    if "T" in {size for shape in module.INPUTS.values() for size in shape}:
        return {}
    if steps is None:
        steps = next(len(batch.targets[n]) for n, s in module.TARGETS.items() if s[0] == "T")
    return {"steps": steps}


def signals_of(
    module: ModuleType, parameters: Arrays, batch: Batch, steps: int | None = None
) -> Arrays:
    """The signals of a batch, by the module's `forward`; for `steps` see `steps_argument`."""
    told = steps_argument(module, batch, steps)
    found: Arrays = module.forward(parameters, batch.inputs, batch.initial, **told)
    return found


def judged_steps(module: ModuleType, output: str, array: Any) -> Any:
    """Of an output, or of its derivatives, what the loss judges."""
    return array[-1] if module.LOSSES[output]["steps"] == "last" else array


def counted_steps(module: ModuleType, batch: Batch, output: str, shape: tuple[int, ...]) -> Any:
    """Which steps of which sequences the loss of an output counts: none of weight 0."""
    found = np.ones(shape, bool)
    mask = module.LOSSES[output]["mask"]
    if mask is not None:
        found = found & (mask_of(module, batch, mask, len(found)) != 0)
    weights = batch.weights.get(output)
    if weights is not None:
        found = found & (np.asarray(weights).reshape(len(weights), -1) > 0)
    return found


def is_lengths(module: ModuleType, name: str, array: Any) -> bool:
    """Whether an input is a mask that is given as the length of each sequence."""
    return name in module.MASKS and np.ndim(array) == 1 and module.INPUTS[name] == ("T", "B")


def mask_of(module: ModuleType, batch: Batch, name: str, steps: int) -> Any:
    """A mask of one number a step as (steps, sequences), or (steps, 1) if it is for all of them."""
    mask = np.asarray(batch.inputs[name])
    if is_lengths(module, name, mask):
        return np.arange(steps)[:, None] < mask
    return mask.reshape(steps, -1)
