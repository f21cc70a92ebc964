"""Descent along gradients: clip, scale by a scheduled rate, move by a rule."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bptt.training.methods.rules import Rule
from bptt.training.methods.schedules import Constant, Schedule
from bptt.training.methods.state import State, evaluated, norm
from bptt.training.objective import Differentiable
from bptt.training.vector import Vector


@dataclass(frozen=True)
class Descent:
    """A first-order method.

    `clip_value` limits every element of the gradient to ±clip_value, then `clip_norm` scales it
    to that norm where it is longer (Pascanu, Mikolov and Bengio 2013, algorithm 1).
    """

    rule: Rule
    rate: float
    schedule: Schedule = field(default_factory=Constant)
    clip_norm: float | None = None
    clip_value: float | None = None

    @property
    def takes_batches(self) -> bool:
        return True

    def start(self, vector: Vector) -> State:
        return State(vector, memory=self.rule.memory(vector))

    def step(self, objective: Differentiable, state: State) -> State:
        """One move against the gradient of the objective, at the rate of this step."""
        found = evaluated(objective, state.vector)
        gradient = clipped(found.gradient, self.clip_norm, self.clip_value)
        rate = self.rate * self.schedule.factor(state.steps)
        with np.errstate(all="ignore"):
            vector, memory = self.rule.update(
                state.memory, state.vector, gradient, rate, state.steps + 1
            )
        return replace(
            state,
            vector=vector,
            steps=state.steps + 1,
            loss=found.loss,
            gradient_norm=norm(found.gradient),
            memory=memory,
            carried=found.carried,
            report={"rate": rate},
        )


def clipped(gradient: Vector, to_norm: float | None, to_value: float | None) -> Vector:
    """The gradient with its elements, then its norm limited, as far as limits are given."""
    if to_value is not None:
        gradient = np.clip(gradient, -to_value, to_value)
    if to_norm is not None:
        length = norm(gradient)
        if length > to_norm:
            gradient = gradient * (to_norm / length)
    return gradient
