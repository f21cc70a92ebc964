"""Hessian-free optimisation: Newton steps by conjugate gradients on Gauss-Newton products.

Martens 2010, "Deep learning via Hessian-free optimization"; Martens and Sutskever 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from bptt.training.methods.line_search import FLAT, NO_LOWER
from bptt.training.methods.state import State, evaluated, norm
from bptt.training.objective import Curved
from bptt.training.vector import Vector


@dataclass(frozen=True)
class HessianFree:
    """d solves (G + damping I) d = -g, G the Gauss-Newton matrix, known by its products alone.

    The damping falls where the quadratic model tells the truth (more than 3/4 of the predicted
    decrease) and rises where it does not (less than 1/4); conjugate gradients start from the
    decayed last direction. A step that does not help is halved.
    """

    damping: float = 1.0
    iterations: int = 50
    tolerance: float = 5e-3
    memory_decay: float = 0.95
    flat: float = 1e-9

    @property
    def takes_batches(self) -> bool:
        return False

    def start(self, vector: Vector) -> State:
        memory = {"damping": np.array(self.damping), "along": np.zeros_like(vector)}
        return State(vector, memory=memory)

    def step(self, objective: Curved, state: State) -> State:
        """One truncated Newton step."""
        here = evaluated(objective, state.vector)
        length = norm(here.gradient)
        if float(np.max(np.abs(here.gradient), initial=0.0)) <= self.flat:
            return replace(state, loss=here.loss, gradient_norm=length, done=FLAT)
        damping = float(state.memory["damping"])

        def product(direction: Vector) -> Vector:
            direction = direction.astype(state.vector.dtype, copy=False).ravel()
            return objective.gauss_newton(state.vector, direction)

        size = state.vector.size
        operator = LinearOperator(
            (size, size), lambda v: product(v) + damping * v.ravel(), dtype=state.vector.dtype
        )
        start = self.memory_decay * state.memory["along"]
        along, _ = cg(
            operator, -here.gradient, x0=start, rtol=self.tolerance, maxiter=self.iterations
        )
        along = along.astype(state.vector.dtype)
        if not float(along @ here.gradient) < 0:
            along = -here.gradient
        model = float(here.gradient @ along) + 0.5 * float(along @ product(along))
        with np.errstate(all="ignore"):
            gained = objective.loss(state.vector + along) - here.loss
        # A trial that is not finite counts as no gain.
        ratio = gained / model if np.isfinite(gained) and model < 0 else -np.inf
        damping *= 2 / 3 if ratio > 0.75 else 1.5 if ratio < 0.25 else 1.0
        step = self._shortened(objective, state.vector, along, here.loss, here.gradient)
        memory = {"damping": np.array(damping), "along": along}
        state = replace(
            state,
            loss=here.loss,
            gradient_norm=length,
            memory=memory,
            report={"damping": damping, "ratio": max(ratio, -1e300)},
        )
        if step is None:
            return replace(state, done=NO_LOWER)
        vector = state.vector + step * along
        return replace(
            state, vector=vector, steps=state.steps + 1, loss=float(objective.loss(vector))
        )

    def _shortened(
        self, objective: Curved, vector: Vector, along: Vector, loss: float, gradient: Vector
    ) -> float | None:
        """The first of 1, 1/2, 1/4, ... that lowers the loss as Armijo asks; None if none does."""
        slope = float(gradient @ along)
        for halving in range(30):
            step = 0.5**halving
            with np.errstate(all="ignore"):
                value = objective.loss(vector + step * along)
            if value <= loss + 1e-4 * step * slope and value < loss:
                return step
        return None
