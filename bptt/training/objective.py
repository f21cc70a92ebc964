"""What an optimiser sees: a function of a vector, with the derivatives that a module computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.vector import Arrays, Layout, Vector

# Losses that are squared errors, and all losses of a difference between output and target.
SQUARED = ("mse", "sse")
DIFFERENCES = (*SQUARED, "huber", "huber_sum")


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

    The errors (for losses that are squared errors alone) are those that the loss counts, each
    times the root of its weight relative to the mean weight: where all weigh the same they are
    output minus target.
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
    def _weights(self) -> dict[str, Any]:
        """The factor of each squared error in the loss, by output, with the target's shape."""
        return dict(self._squared_weights())

    def _squared_weights(self) -> Iterator[tuple[str, Any]]:
        for output, about in self.module.LOSSES.items():
            if about["kind"] not in SQUARED:
                raise UserError(
                    f"the loss of {output!r} is {about['kind']}, no squared error",
                    place=f"loss.{output}",
                    remedy="use another method (lbfgs, adam), or mse",
                )
            shape = np.shape(self.batch.targets[output])
            counted = np.ones(shape[:-1])
            if output in self.module.WEIGHTED:
                counted = counted * np.asarray(self.batch.weights[output])
            elif about["mask"] is not None:
                counted = counted * mask_of(self.module, self.batch, about["mask"], shape[0])
            total = 1.0 if about["kind"] == "sse" else counted.sum() * shape[-1]
            weight = about["weight"] * counted / total
            yield output, np.broadcast_to(weight[..., None], shape)

    @cached_property
    def scale(self) -> float:
        """The mean factor of the errors that count."""
        factors = np.concatenate([w[w > 0] for w in self._weights.values()])
        return float(factors.mean())

    @cached_property
    def _kept(self) -> dict[str, tuple[Any, Any]]:
        """Which errors count, and the roots of their relative weights, by output."""
        return {
            output: (w.ravel() > 0, np.sqrt(w[w > 0] / self.scale))
            for output, w in self._weights.items()
        }

    def errors(self, vector: Vector) -> Vector:
        """The weighted errors at a point: their squares add up to the loss divided by scale."""
        signals = signals_of(self.module, self.layout.arrays(vector), self.batch)
        found = []
        for output, (kept, roots) in self._kept.items():
            judged = judged_steps(self.module, output, signals[output])
            error = judged - self.batch.targets[output]
            found.append(roots * error.ravel()[kept])
        return np.concatenate(found)

    def errors_and_jacobian(self, vector: Vector) -> tuple[Vector, Vector]:
        """The weighted errors and their derivatives, by the module's `jacobian`."""
        batch = self.batch
        told = steps_argument(self.module, batch)
        by_output = self.module.jacobian(
            self.layout.arrays(vector), batch.inputs, batch.initial, **told
        )
        rows = []
        for output, (kept, roots) in self._kept.items():
            count = kept.size
            columns = [
                judged_steps(self.module, output, by_output[output][name]).reshape(count, -1)[kept]
                for name in self.layout.shapes
            ]
            rows.append(roots[:, None] * np.concatenate(columns, axis=1))
        return self.errors(vector), np.concatenate(rows)


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


def is_lengths(module: ModuleType, name: str, array: Any) -> bool:
    """Whether an input is a mask that is given as the length of each sequence."""
    return name in module.MASKS and np.ndim(array) == 1 and module.INPUTS[name] == ("T", "B")


def mask_of(module: ModuleType, batch: Batch, name: str, steps: int) -> Any:
    """A mask of one number a step as (steps, sequences), or (steps, 1) if it is for all of them."""
    mask = np.asarray(batch.inputs[name])
    if is_lengths(module, name, mask):
        return np.arange(steps)[:, None] < mask
    return mask.reshape(steps, -1)
