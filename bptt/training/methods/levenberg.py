"""Levenberg-Marquardt, and Bayesian regularisation within it.

Both minimise F = b e'e + a w'w with e the errors and w the parameters: Levenberg-Marquardt with
b = 1 and a given, Bayesian regularisation with a and b that the data tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from bptt.derive.errors import UserError
from bptt.training.methods.state import NotFiniteError, State
from bptt.training.objective import SumOfSquares
from bptt.training.vector import Vector

STUCK = "the damping has reached its largest value: no lower point is near"
SETTLED = "the objective and the effective number of parameters have settled"


@dataclass(frozen=True)
class Normal:
    """The normal equations at a point: e'e, J'e, and J'J = V diag(values) V'."""

    squares: float
    count: int
    gradient: Vector
    values: Vector
    vectors: Vector

    @classmethod
    def at(cls, objective: SumOfSquares, vector: Vector) -> Normal:
        """Those of an objective. Raises NotFiniteError where errors or Jacobian are not finite."""
        with np.errstate(all="ignore"):
            errors, jacobian = objective.errors_and_jacobian(vector)
            product, gradient = jacobian.T @ jacobian, jacobian.T @ errors
        squares = float(errors @ errors)
        if not np.isfinite(squares):
            raise NotFiniteError("the loss is not finite")
        if not (np.isfinite(product).all() and np.isfinite(gradient).all()):
            raise NotFiniteError("the Jacobian is not finite")
        values, vectors = scipy.linalg.eigh(product)
        return cls(squares, errors.size, gradient, np.maximum(values, 0.0), vectors)

    def solve(self, damping: float, right: Vector) -> Vector:
        """(J'J + damping I)^-1 times a vector; directions without any curvature are left out."""
        values = self.values + damping
        inverse = np.where(values > 0, 1 / np.where(values > 0, values, 1), 0.0)
        found: Vector = self.vectors @ (inverse * (self.vectors.T @ right))
        return found


@dataclass(frozen=True)
class Damping:
    """How the damping mu falls after a step that helps, and rises after one that does not."""

    first: float = 1e-3
    fall: float = 0.1
    rise: float = 10.0
    largest: float = 1e10
    least: float = 1e-20


class _Damped:
    """What both methods share: they see all data in each step, and begin with their damping."""

    damping: Damping

    @property
    def takes_batches(self) -> bool:
        return False

    def start(self, vector: Vector) -> State:
        check_double(vector.dtype)
        return State(vector, memory={"mu": np.array(self.damping.first)})


@dataclass(frozen=True)
class LevenbergMarquardt(_Damped):
    """w <- w - (J'J + (mu + decay) I)^-1 (J'e + decay w), with mu such that e'e + decay w'w falls.

    Hagan and Menhaj 1994, "Training feedforward networks with the Marquardt algorithm".
    """

    damping: Damping = Damping()
    decay: float = 0.0
    flat: float = 1e-10

    def step(self, objective: SumOfSquares, state: State) -> State:
        """One accepted move; `done` where none is found."""
        normal = Normal.at(objective, state.vector)
        gradient = normal.gradient + self.decay * state.vector
        found = _search(
            objective, normal, state.vector, float(state.memory["mu"]), self.decay, self.damping
        )
        state = replace(
            state,
            vector=found.vector,
            steps=state.steps + 1,
            loss=objective.scale * found.value,
            gradient_norm=2 * objective.scale * float(np.linalg.norm(gradient)),
            memory={"mu": np.array(found.mu)},
            report={"mu": found.mu},
        )
        if not found.moved:
            return replace(state, done=STUCK)
        if float(np.max(np.abs(gradient))) <= self.flat:
            return replace(state, done="the gradient is zero to the precision asked for")
        return state


@dataclass(frozen=True)
class BayesianRegularisation(_Damped):
    """F = b E_D + a E_W, E_D = e'e, E_W = w'w, with a and b re-estimated after each move:

        gamma = N - 2 a tr(H^-1),  H = 2 b J'J + 2 a I,  a = gamma / (2 E_W),
        b = (n - gamma) / (2 E_D)

    N parameters, n errors, gamma the effective number of parameters. Foresee and Hagan 1997,
    "Gauss-Newton approximation to Bayesian learning". The report has gamma, alpha, beta and the
    logarithm of the evidence, ln p(D | a, b), in Gauss-Newton's approximation of the Hessian.

    The formulas hold at a minimum of F. They are applied after moves that lower F by less than
    the share `ripe` (with `ripe = inf` after each, as first published): far from a minimum they
    often find that no parameter is worth anything, and all weights then shrink to zero. At first
    all parameters count, but a / b is at most `weak` times the mean eigenvalue of J'J.
    """

    damping: Damping = Damping(first=5e-3)
    ripe: float = 0.02
    weak: float = 1e-3
    settled: float = 1e-7

    def step(self, objective: SumOfSquares, state: State) -> State:
        """One accepted move of the parameters, then a and b anew if it is time."""
        memory, vector = state.memory, state.vector
        if "alpha" in memory:
            normal = _remembered(memory)
            alpha, beta = float(memory["alpha"]), float(memory["beta"])
        else:
            normal = Normal.at(objective, vector)
            alpha, beta = _weights(float(vector.size), normal, vector)
            alpha = min(alpha, self.weak * max(float(normal.values.mean()), 1e-12) * beta)
        found = _search(
            objective, normal, vector, float(memory["mu"]), alpha / beta, self.damping, 1 / beta
        )
        old = beta * normal.squares + alpha * float(vector @ vector)
        new = beta * found.value + alpha * float(found.vector @ found.vector)
        gradient = 2 * (beta * normal.gradient + alpha * vector)
        normal = Normal.at(objective, found.vector)
        gamma = effective_parameters(normal, alpha, beta)
        settled = False
        if old - new <= self.ripe * abs(old):
            before = (alpha, beta)
            alpha, beta = _weights(gamma, normal, found.vector)
            # At the fixed point the parameters stand still, and so do a, b and gamma.
            changes = [abs(a / b - 1) for a, b in zip((alpha, beta), before, strict=True)]
            is_least = old - new <= self.settled * abs(old)
            settled = is_least and max(changes) <= self.settled * vector.size
        report = {
            "mu": found.mu,
            "gamma": gamma,
            "alpha": alpha,
            "beta": beta,
            "evidence": log_evidence(normal, found.vector, alpha, beta),
        }
        kept = {name: np.array(report[name]) for name in ("mu", "gamma", "alpha", "beta")}
        done = SETTLED if settled else ""
        if not found.moved:
            # With other a and b there may be a way again.
            kept["mu"] = np.array(self.damping.first)
            done = done or (STUCK if "stuck" in memory else "")
            kept["stuck"] = np.array(1)
        return replace(
            state,
            vector=found.vector,
            steps=state.steps + 1,
            loss=objective.scale * normal.squares,
            gradient_norm=float(np.linalg.norm(gradient)),
            memory={**kept, **_to_remember(normal)},
            report=report,
            done=done,
        )


def effective_parameters(normal: Normal, alpha: float, beta: float) -> float:
    """gamma = N - 2 a tr(H^-1), as the sum of b v / (b v + a) over the eigenvalues v of J'J."""
    values = beta * normal.values
    return float(np.sum(values / (values + alpha)))


def log_evidence(normal: Normal, vector: Vector, alpha: float, beta: float) -> float:
    """ln p(D | a, b) for Gaussian noise of variance 1/(2b) and a prior of variance 1/(2a).

    -F - ln det(H)/2 + n/2 ln(b/pi) + N/2 ln(a/pi) + N/2 ln(2 pi), H = 2 b J'J + 2 a I: exact
    where the errors are linear in the parameters. MacKay 1992, "Bayesian interpolation".
    """
    n, count = normal.count, vector.size
    objective = beta * normal.squares + alpha * float(vector @ vector)
    log_det = float(np.sum(np.log(2 * (beta * normal.values + alpha))))
    return float(
        -objective
        - log_det / 2
        + n / 2 * np.log(beta / np.pi)
        + count / 2 * np.log(alpha / np.pi)
        + count / 2 * np.log(2 * np.pi)
    )


def _weights(gamma: float, normal: Normal, vector: Vector) -> tuple[float, float]:
    """a and b for an effective number of parameters; b = 1 where as many fit no fewer errors."""
    tiny = float(np.finfo(float).tiny)
    alpha = gamma / max(2 * float(vector @ vector), tiny)
    spare = normal.count - gamma
    beta = spare / max(2 * normal.squares, tiny) if spare > 0 else 1.0
    return min(max(alpha, 1e-12), 1e12), min(beta, 1e15)


@dataclass(frozen=True)
class _Found:
    """Where a search ended: the point, e'e there, the damping for the next, whether it moved."""

    vector: Vector
    value: float
    mu: float
    moved: bool


def _search(
    objective: SumOfSquares,
    normal: Normal,
    vector: Vector,
    mu: float,
    decay: float,
    damping: Damping,
    unit: float = 1.0,
) -> _Found:
    """Raise the damping, in `unit`, until e'e + decay w'w falls."""
    gradient = normal.gradient + decay * vector
    here = normal.squares + decay * float(vector @ vector)
    while mu <= damping.largest:
        trial = vector - normal.solve(decay + mu * unit, gradient)
        with np.errstate(all="ignore"):
            errors = objective.errors(trial)
            value = float(errors @ errors)
        if value + decay * float(trial @ trial) < here:
            return _Found(trial, value, max(mu * damping.fall, damping.least), True)
        mu = max(mu * damping.rise, damping.least)
    return _Found(vector, normal.squares, mu, False)


def _to_remember(normal: Normal) -> dict[str, Any]:
    """The normal equations as arrays: a point's Jacobian is wanted before and after its step."""
    return {
        "squares": np.array(normal.squares),
        "count": np.array(normal.count),
        "gradient": normal.gradient,
        "values": normal.values,
        "vectors": normal.vectors,
    }


def _remembered(memory: Any) -> Normal:
    return Normal(
        float(memory["squares"]),
        int(memory["count"]),
        memory["gradient"],
        memory["values"],
        memory["vectors"],
    )


def check_double(dtype: np.dtype[Any]) -> None:
    """Refuse numbers of too few digits for normal equations."""
    if dtype != np.float64:
        raise UserError(
            f"normal equations lose too many digits in {dtype}",
            place="--dtype",
            remedy="use float64",
        )
