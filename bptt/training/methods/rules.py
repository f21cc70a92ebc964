"""First-order rules: how a gradient moves the parameters.

g is the gradient, w the parameters, r the rate. Memories are arrays of the parameters' shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bptt.training.vector import Vector

Memory = Mapping[str, Any]


class Rule(Protocol):
    """A rule with the arrays that it remembers."""

    def memory(self, vector: Vector) -> Memory:
        """What it remembers before the first step."""

    def update(
        self, memory: Memory, vector: Vector, gradient: Vector, rate: float, count: int
    ) -> tuple[Vector, Memory]:
        """Parameters and memory after step number `count`, the first being 1."""


@dataclass(frozen=True)
class GradientDescent:
    """v <- m v - r g;  w <- w + v, or with `nesterov` w <- w + m v - r g (m = momentum).

    Polyak 1964; Nesterov's form as in Sutskever et al. 2013, seen from the point ahead.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def memory(self, vector: Vector) -> Memory:
        return {"velocity": np.zeros_like(vector)} if self.momentum else {}

    def update(
        self, memory: Memory, vector: Vector, gradient: Vector, rate: float, count: int
    ) -> tuple[Vector, Memory]:
        if not self.momentum:
            return vector - rate * gradient, {}
        velocity = self.momentum * memory["velocity"] - rate * gradient
        move = self.momentum * velocity - rate * gradient if self.nesterov else velocity
        return vector + move, {"velocity": velocity}


@dataclass(frozen=True)
class Adagrad:
    """s <- s + g²;  w <- w - r g / (sqrt(s) + epsilon). Duchi, Hazan and Singer 2011."""

    epsilon: float = 1e-8

    def memory(self, vector: Vector) -> Memory:
        return {"squares": np.zeros_like(vector)}

    def update(
        self, memory: Memory, vector: Vector, gradient: Vector, rate: float, count: int
    ) -> tuple[Vector, Memory]:
        squares = self.squares(memory["squares"], gradient)
        return vector - rate * gradient / (np.sqrt(squares) + self.epsilon), {"squares": squares}

    def squares(self, old: Vector, gradient: Vector) -> Vector:
        """The new s."""
        return old + gradient**2


@dataclass(frozen=True)
class RMSprop(Adagrad):
    """Adagrad with an average: s <- a s + (1 - a) g². Tieleman and Hinton 2012."""

    average: float = 0.9

    def squares(self, old: Vector, gradient: Vector) -> Vector:
        return self.average * old + (1 - self.average) * gradient**2


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1); with `decay` AdamW.

    m <- b1 m + (1 - b1) g;  s <- b2 s + (1 - b2) g²;
    w <- w - r (m / (1 - b1^k) / (sqrt(s / (1 - b2^k)) + epsilon) + decay w),
    the decay as in Loshchilov and Hutter 2019, algorithm 2, with the rate for its schedule.
    """

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.0

    def memory(self, vector: Vector) -> Memory:
        return {"mean": np.zeros_like(vector), "squares": np.zeros_like(vector)}

    def update(
        self, memory: Memory, vector: Vector, gradient: Vector, rate: float, count: int
    ) -> tuple[Vector, Memory]:
        mean = self.first * memory["mean"] + (1 - self.first) * gradient
        squares = self.second * memory["squares"] + (1 - self.second) * gradient**2
        root = np.sqrt(squares / (1 - self.second**count)) + self.epsilon
        move = mean / (1 - self.first**count) / root
        if self.decay:
            move = move + self.decay * vector
        return vector - rate * move, {"mean": mean, "squares": squares}
