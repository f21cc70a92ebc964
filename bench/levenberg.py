"""Epochs of Levenberg-Marquardt on a NARX network in closed loop, by bptt and by pyrenn.

Both start at the same parameters. Their rules for the damping differ, and with them how often an
epoch tries: what is compared is an epoch as each of them has it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from bench.networks import narx
from bench.networks.case import Problem, module_of
from bptt.derive import build
from bptt.training.methods.levenberg import LevenbergMarquardt
from bptt.training.methods.state import State
from bptt.training.objective import Batch, BatchObjective

EPOCHS = 5


@dataclass(frozen=True)
class Trainer:
    """A training, and the sums of squared errors before and after what it returned."""

    train: Callable[[], Any]
    errors: Callable[[Any], tuple[float, float]]


def problem(units: int, steps: int) -> Problem:
    """What another network of this kind answers to noise.

    The largest values are 1: pyrenn divides by them.
    """
    given = narx.problem((units, 1, steps), "float64")
    rng = np.random.default_rng(1)
    teacher = {n: a + 0.3 * rng.standard_normal(a.shape) for n, a in given.parameters.items()}
    x = given.inputs["x"] / np.abs(given.inputs["x"]).max()
    y = module_of(build(narx.network((units, 1, steps)))).forward(teacher, {"x": x})["y"]
    return Problem(given.parameters, {"x": x}, {"y": y / np.abs(y).max()})


def generated(units: int, given: Problem) -> Trainer:
    """The training of this project, on the generated residuals and their Jacobian."""
    network = narx.network((units, 1, len(given.inputs["x"])))
    module = module_of(build(network), ["residuals"])
    objective = BatchObjective(module, Batch(given.inputs, given.targets))
    start = objective.layout.vector(given.parameters)
    method = LevenbergMarquardt()

    def train() -> State:
        state = method.start(start)
        for _ in range(EPOCHS):
            state = method.step(objective, state)
        return state

    def errors(state: State) -> tuple[float, float]:
        before, after = (objective.errors(vector) for vector in (start, state.vector))
        return float(before @ before), float(after @ after)

    return Trainer(train, errors)


def pyrenn(units: int, given: Problem) -> Trainer:
    """The training of pyrenn, through what its documentation describes."""
    library: Any = import_module("pyrenn")
    delays = list(range(1, narx.DELAYS + 1))
    network = library.CreateNN([1, units, 1], dIn=delays, dOut=delays)
    p = given.parameters
    inputs = {(1, 1, d): p[f"W_hidden_x_{d}"] for d in delays}
    layers = {(1, 2, d): p[f"W_hidden_y_{d}"] for d in delays}
    layers[2, 1, 0] = p["W_y_hidden"]
    biases = {1: p["b_hidden"], 2: p["b_y"]}
    start = library.Wb2w(network, inputs, layers, biases)
    x, y = given.inputs["x"].ravel(), given.targets["y"].ravel()

    def train() -> Any:
        network.update(w=start.copy(), w0=start.copy())
        # It says so when it has done all the epochs that it was asked for.
        with contextlib.redirect_stdout(io.StringIO()):
            return library.train_LM(x, y, network, k_max=EPOCHS, E_stop=0.0)

    def errors(trained: Any) -> tuple[float, float]:
        last = library.NNOut(x, trained) - y
        return float(trained["ErrorHistory"][0]), float(last @ last)

    return Trainer(train, errors)
