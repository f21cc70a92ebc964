"""Learning-rate schedules: the factor of the rate at each step, the first being step 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Schedule(Protocol):
    """The factor of the rate at a step."""

    def factor(self, step: int) -> float:
        """What the rate is multiplied with at this step."""


@dataclass(frozen=True)
class Constant:
    """1 at every step."""

    def factor(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Exponential:
    """decay^(step / steps): smooth, falling to `decay` within `steps`."""

    decay: float
    steps: int = 1

    def factor(self, step: int) -> float:
        return float(self.decay ** (step / self.steps))


@dataclass(frozen=True)
class Stepwise:
    """decay^floor(step / steps): constant for `steps`, then lower by `decay`."""

    decay: float
    steps: int

    def factor(self, step: int) -> float:
        return float(self.decay ** (step // self.steps))


@dataclass(frozen=True)
class Cosine:
    """From 1 to `least` along half a cosine within `steps`, `least` from there on.

    Loshchilov and Hutter 2017, equation (5), without restarts.
    """

    steps: int
    least: float = 0.0

    def factor(self, step: int) -> float:
        done = min(step / self.steps, 1.0)
        return self.least + (1 - self.least) * 0.5 * (1 + float(np.cos(np.pi * done)))


@dataclass(frozen=True)
class WarmUp:
    """(step + 1) / steps for the first `steps`, then what `after` says of the steps since."""

    steps: int
    after: Schedule = Constant()

    def factor(self, step: int) -> float:
        if step < self.steps:
            return (step + 1) / self.steps
        return self.after.factor(step - self.steps)
