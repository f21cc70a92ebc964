"""Conjugate gradients and L-BFGS, along SciPy's line search for the strong Wolfe conditions.

Each step is a function of its state alone, so that a run can be cut anywhere and go on with the
same bits; that is why these are not SciPy's own loops.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import scipy.optimize

from bptt.training.methods.state import State, evaluated, norm
from bptt.training.objective import Differentiable, Evaluation
from bptt.training.vector import Vector

NO_LOWER = "no lower point is found along the gradient"
FLAT = "the gradient is zero to the precision asked for"


class Directions(Protocol):
    """How the next direction follows from gradients and moves."""

    @property
    def curvature(self) -> float:
        """The second Wolfe constant: how much of the slope may be left."""

    @property
    def has_scale(self) -> bool:
        """Whether a direction, once there is a memory, is as long as the step to be expected."""

    def direction(self, memory: Mapping[str, Any], gradient: Vector) -> Vector:
        """Where to search from here."""

    def remember(
        self, memory: Mapping[str, Any], move: Vector, old: Vector, new: Vector, along: Vector
    ) -> dict[str, Any]:
        """The memory after a move, by the gradients before and after, and the direction."""


@dataclass(frozen=True)
class PolakRibiere:
    """d = -g + b d_old, b = max(0, g'(g - g_old) / g_old'g_old).

    Nocedal and Wright 2006, (5.44) and (5.45): PR+, which starts anew by itself.
    """

    curvature: float = 0.4
    has_scale: bool = False

    def direction(self, memory: Mapping[str, Any], gradient: Vector) -> Vector:
        if "old" not in memory:
            return -gradient
        old = memory["old"]
        factor = max(0.0, float(gradient @ (gradient - old)) / float(old @ old))
        found: Vector = factor * memory["along"] - gradient
        return found

    def remember(
        self, memory: Mapping[str, Any], move: Vector, old: Vector, new: Vector, along: Vector
    ) -> dict[str, Any]:
        return {"old": old, "along": along}


@dataclass(frozen=True)
class LimitedMemory:
    """-H g with the inverse Hessian's estimate H of the last `pairs` moves.

    L-BFGS: Nocedal and Wright 2006, algorithms 7.4 and 7.5.
    """

    pairs: int = 10
    curvature: float = 0.9
    has_scale: bool = True

    def direction(self, memory: Mapping[str, Any], gradient: Vector) -> Vector:
        found = -gradient
        if "moves" not in memory:
            return found
        both = list(zip(memory["moves"], memory["changes"], strict=True))
        factors = []
        for move, change in reversed(both):
            factor = float(move @ found) / float(move @ change)
            factors.append(factor)
            found = found - factor * change
        move, change = both[-1]
        found = found * (float(move @ change) / float(change @ change))
        for (move, change), factor in zip(both, reversed(factors), strict=True):
            found = found + (factor - float(change @ found) / float(move @ change)) * move
        return found

    def remember(
        self, memory: Mapping[str, Any], move: Vector, old: Vector, new: Vector, along: Vector
    ) -> dict[str, Any]:
        change = new - old
        if not float(move @ change) > 1e-10 * norm(move) * norm(change):
            return dict(memory)  # no positive curvature: H would lose its definiteness
        found = {}
        for name, row in (("moves", move), ("changes", change)):
            rows = [*memory.get(name, ()), row]
            found[name] = np.array(rows[-self.pairs :])
        return found


@dataclass(frozen=True)
class LineSearch:
    """A method that searches along one direction in each step, over all data.

    It is done where no element of the gradient exceeds `flat`, or where neither its direction nor
    the gradient leads to a lower point.
    """

    directions: Directions = field(default_factory=LimitedMemory)
    flat: float = 1e-8

    @property
    def takes_batches(self) -> bool:
        return False

    def start(self, vector: Vector) -> State:
        return State(vector)

    def step(self, objective: Differentiable, state: State) -> State:
        """The lowest point that a line search finds along the next direction."""
        seen = _Seen(objective)
        here = evaluated(seen, state.vector)
        if float(np.max(np.abs(here.gradient), initial=0.0)) <= self.flat:
            return replace(state, loss=here.loss, gradient_norm=norm(here.gradient), done=FLAT)
        memory = {n: a for n, a in state.memory.items() if n != "before"}
        for known in (memory, {}) if memory else ({},):
            along = self.directions.direction(known, here.gradient)
            if not float(along @ here.gradient) < 0:
                continue
            length = self._length(
                seen, state.vector, along, self._before(state, known, along, here)
            )
            if length is None:
                continue
            vector = state.vector + length * along
            there = evaluated(seen, vector)
            move = vector - state.vector
            memory = self.directions.remember(known, move, here.gradient, there.gradient, along)
            return replace(
                state,
                vector=vector,
                steps=state.steps + 1,
                loss=there.loss,
                gradient_norm=norm(there.gradient),
                memory={**memory, "before": np.array(here.loss)},
                report={"length": norm(move)},
            )
        return replace(state, loss=here.loss, gradient_norm=norm(here.gradient), done=NO_LOWER)

    def _before(
        self, state: State, known: Mapping[str, Any], along: Vector, here: Evaluation
    ) -> float | None:
        """The loss before the last step: SciPy takes its first guess of a length from it.

        None stands for the guess 1; where there is no last step, the first move has length 1 at
        most.
        """
        if known:
            return None if self.directions.has_scale else float(state.memory["before"])
        length = norm(along)
        return here.loss + min(1.0, 1.0 / length) * length**2 / 2.02

    def _length(
        self, seen: _Seen, vector: Vector, along: Vector, before: float | None
    ) -> float | None:
        """How far to go along a direction, by the strong Wolfe conditions; None if nowhere."""
        here = seen.evaluate(vector)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = scipy.optimize.line_search(
                lambda x: seen.evaluate(x).loss,
                lambda x: seen.evaluate(x).gradient,
                vector,
                along,
                gfk=here.gradient,
                old_fval=here.loss,
                old_old_fval=before,
                c2=self.directions.curvature,
                maxiter=30,
            )
        length = found[0]
        if length is None or not seen.evaluate(vector + length * along).loss < here.loss:
            return None
        return float(length)


class _Seen:
    """An objective that remembers the points of one step, where SciPy asks for each twice."""

    def __init__(self, objective: Differentiable) -> None:
        self._objective = objective
        self._known: dict[bytes, Evaluation] = {}

    def evaluate(self, vector: Vector) -> Evaluation:
        key = vector.tobytes()
        if key not in self._known:
            self._known[key] = self._objective.evaluate(vector)
        return self._known[key]
