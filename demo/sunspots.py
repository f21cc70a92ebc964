"""The yearly sunspot record: a NARX network fitted by L-BFGS through its generated gradients.

Fitted on the years to 1920, with the last twenty of them choosing among random starts; judged on
the years from 1921, one step ahead and running freely on its own predictions.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import scipy.optimize
from rich.console import Console
from rich.progress import track
from rich.table import Table

from demo.network import HERE, network_module

FIRST_HELD_BACK = 1921
CHOOSING = 20
STARTS = 8
ITERATIONS = 150
DECAY = 1e-3
HORIZONS = (1, 2, 3, 5, 8)


class Fit:
    """A module with the record in its units; parameters as one vector, for SciPy."""

    def __init__(self, module: types.ModuleType, spots: Any, last: int) -> None:
        self.module = module
        self.delay = module.INITIAL["spots"][0]
        self.spots = spots
        # The first years are read as initial values; the rest is predicted.
        self.inputs = {"spots": spots[self.delay :, None, None]}
        self.initial = {"spots": spots[: self.delay, None, None]}
        self.targets = {"prediction": self.inputs["spots"]}
        self.weights = {"prediction": np.zeros((len(spots) - self.delay, 1))}
        self.weights["prediction"][: last - self.delay] = 1.0

    def named(self, vector: Any) -> dict[str, Any]:
        found, start = {}, 0
        for name, shape in self.module.PARAMETERS.items():
            stop = start + int(np.prod(shape))
            found[name] = vector[start:stop].reshape(shape)
            start = stop
        return found

    def objective(self, vector: Any) -> tuple[float, Any]:
        """The loss with weight decay, and its gradient."""
        loss, gradients = self.module.loss_and_gradients(
            self.named(vector), self.inputs, self.targets, self.initial, self.weights
        )
        gradient = np.concatenate([gradients[n].ravel() for n in self.module.PARAMETERS])
        return loss + DECAY * vector @ vector, gradient + 2 * DECAY * vector

    def run(self, seed: int) -> Any:
        start = self.module.initial_parameters(seed)
        vector = np.concatenate([a.ravel() for a in start.values()])
        return scipy.optimize.minimize(
            self.objective, vector, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}
        ).x

    def one_step(self, vector: Any) -> Any:
        """Predictions of every year from the measured years before it."""
        out = self.module.forward(self.named(vector), self.inputs, self.initial)
        return np.concatenate([np.full(self.delay, np.nan), out["prediction"][:, 0, 0]])

    def free_run(self, vector: Any, start: int, steps: int) -> Any:
        """Predictions of `steps` years from `start` on, measured years known up to `start`.

        Each prediction takes the place of the measurement that is not there yet.
        """
        parameters = self.named(vector)
        series = self.spots[:start].copy()
        for _ in range(steps):
            known = series[self.delay :, None, None]
            inputs = {"spots": np.concatenate([known, np.zeros((1, 1, 1))])}
            out = self.module.forward(parameters, inputs, self.initial)["prediction"]
            series = np.append(series, out[-1, 0, 0])
        return series[start:]


def rms(error: Any) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


def main() -> None:
    console = Console()
    module = network_module(HERE / "sunspots.toml", console)
    years, record = np.loadtxt(
        HERE / "data" / "sunspots.csv", delimiter=",", comments="#", skiprows=4
    ).T
    held_back = int(np.searchsorted(years, FIRST_HELD_BACK))
    choosing = held_back - CHOOSING
    mean, scale = record[:choosing].mean(), record[:choosing].std()
    fit = Fit(module, (record - mean) / scale, choosing)

    def validation(vector: Any) -> float:
        return rms((fit.one_step(vector) - fit.spots)[choosing:held_back])

    starts = track(range(STARTS), "L-BFGS from random starts", console=console)
    vector = min((fit.run(seed) for seed in starts), key=validation)

    table = Table(title=f"error on {FIRST_HELD_BACK}-{int(years[-1])}, root mean square")
    for column in ("years ahead", "NARX, running freely", "same as the last known year"):
        table.add_column(column, justify="right")
    origins = range(held_back, len(record) - max(HORIZONS) + 1)
    runs = np.array([fit.free_run(vector, at, max(HORIZONS)) for at in origins]) * scale + mean
    for horizon in HORIZONS:
        truth = np.array([record[at + horizon - 1] for at in origins])
        naive = np.array([record[at - 1] for at in origins])
        ours = rms(runs[:, horizon - 1] - truth)
        table.add_row(str(horizon), f"{ours:.1f}", f"{rms(naive - truth):.1f}")
    console.print(table)
    one_step = fit.one_step(vector) * scale + mean
    console.print(
        f"one step ahead over all {len(record) - held_back} held-back years: "
        f"{rms((one_step - record)[held_back:]):.1f}, "
        f"same as last year: {rms(np.diff(record)[held_back - 1 :]):.1f}"
    )


if __name__ == "__main__":
    main()
