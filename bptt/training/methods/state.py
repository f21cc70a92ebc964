"""Where a method stands: everything that its next step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bptt.training.objective import Differentiable, Evaluation
from bptt.training.vector import Arrays, Vector


class NotFiniteError(Exception):
    """A loss or a gradient is infinite or not a number at the point where it is to be used."""


@dataclass(frozen=True)
class State:
    """A point with what the method knows there.

    `loss` and `gradient_norm` are those of the last evaluation: of the point itself for methods
    that see all data in each step, of the point before the step for those that see a batch.
    `memory` holds the method's own arrays, `carried` the state of the network after the last
    chunk, `report` numbers that a method tells of, `done` why no further step will help.
    """

    vector: Vector
    steps: int = 0
    loss: float = np.nan
    gradient_norm: float = np.nan
    memory: Mapping[str, Any] = field(default_factory=dict)
    carried: Arrays = field(default_factory=dict)
    report: Mapping[str, float] = field(default_factory=dict)
    done: str = ""


class Method(Protocol):
    """A method of optimisation. `takes_batches` says whether it may see a part of the data."""

    @property
    def takes_batches(self) -> bool:
        """Whether each step may see another part of the data."""

    def start(self, vector: Vector) -> State:
        """The state before the first step."""

    def step(self, objective: Any, state: State) -> State:
        """One step. Raises NotFiniteError where the loss or the gradient is not finite."""


def norm(vector: Vector) -> float:
    """The Euclidean norm, without overflow."""
    largest = float(np.max(np.abs(vector), initial=0.0))
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(vector / largest))


def evaluated(objective: Differentiable, vector: Vector) -> Evaluation:
    """The evaluation at a point; raises NotFiniteError where it is not finite."""
    with np.errstate(all="ignore"):
        found = objective.evaluate(vector)
    if not np.isfinite(found.loss):
        raise NotFiniteError(f"the loss is {found.loss}")
    if not np.isfinite(found.gradient).all():
        raise NotFiniteError("the gradient is not finite")
    return found
