"""The yearly sunspot record: a network on its own past against linear autoregression.

Fitted on the years to 1920 by Bayesian regularisation, which needs no years for validation; of
several random starts the one with the largest evidence is taken. Judged on the years from 1921:
one step ahead, several steps ahead, and running freely. The linear autoregression of the same
order, by least squares, is what it has to beat.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from rich.console import Console

from bptt.training import plots
from bptt.training.dynamics import multi_step
from bptt.training.fit import Prepared, prepare
from bptt.training.judged import predictions, rms
from bptt.training.methods.levenberg import BayesianRegularisation
from bptt.training.model import Model
from bptt.training.options import Options
from demo.common import HERE, arguments, check_network, main_of, save_picture, table, trained

TOPOLOGY = (HERE / "sunspots.toml").read_text(encoding="utf-8")
FIRST_HELD_BACK = 1921
ORDER = 9
# Starts: random weights, and how strong the prior is at first.
SEEDS, PRIORS = 4, (1e-3, 1e-1)
HORIZONS = (1, 2, 3, 5, 8, 11)
FREE = 33


def autoregression(series: Any, stop: int) -> Any:
    """Coefficients of the last ORDER values, newest first, and a constant: least squares."""
    rows = [[*series[t - ORDER : t][::-1], 1.0] for t in range(ORDER, stop)]
    return np.linalg.lstsq(np.array(rows), series[ORDER:stop])[0]


def free_run(coefficients: Any, series: Any, start: int, steps: int) -> Any:
    """The autoregression on its own predictions from `start` on."""
    known = list(series[:start])
    for _ in range(steps):
        known.append(float(np.dot(coefficients, [*known[: -ORDER - 1 : -1], 1.0])))
    return np.array(known[start:])


def network_runs(prepared: Prepared, model: Model, origins: Any, steps: int) -> Any:
    """Free runs of the network from every origin, (steps, origins), in the record's units."""
    record = prepared.record
    assert record is not None
    found = multi_step(model.closed(), prepared.module, model.parameters, record, origins, steps)[
        "spots"
    ]
    return model.original("spots", found)[..., 0]


def fitted(series: Any, held_back: int, console: Console) -> tuple[Prepared, Any]:
    """The start with the largest evidence."""
    parts = (held_back - ORDER, 0, len(series) - held_back)
    options = Options(
        method="bayes",
        open=("spots",),
        split=tuple(map(float, parts)),
        normalise="standard",
        initial="nguyen_widrow",
        epochs=200,
    )
    found = []
    for seed, weak in product(range(SEEDS), PRIORS):
        prepared = prepare(TOPOLOGY, {"spots": series}, replace(options, seed=seed))
        method = BayesianRegularisation(weak=weak)
        prepared = replace(prepared, task=replace(prepared.task, method=method))
        found.append((prepared, trained(prepared, f"seed {seed}, prior {weak}", console)))
    return max(found, key=lambda pair: pair[1].state.report["evidence"])


def example(options: argparse.Namespace, console: Console) -> None:
    years, series = np.loadtxt(
        HERE / "data" / "sunspots.csv", delimiter=",", comments="#", skiprows=4
    ).T
    held_back = int(np.searchsorted(years, FIRST_HELD_BACK))
    check_network(TOPOLOGY, console, ["spots"])
    prepared, progress = fitted(series, held_back, console)
    model, about = prepared.trained(progress), progress.state.report
    console.print(
        f"gamma = {about['gamma']:.1f} of {progress.best.size} parameters, "
        f"ln evidence = {about['evidence']:.1f}",
        highlight=False,
    )
    coefficients = autoregression(series, held_back)
    longest = max(HORIZONS)
    origins = np.arange(held_back, len(series) - longest + 1)
    ours = network_runs(prepared, model, origins, longest)
    linear = np.array([free_run(coefficients, series, t, longest) for t in origins]).T
    truth = series[origins[None, :] + np.arange(longest)[:, None]]
    rows = []
    for ahead in HORIZONS:
        last = series[origins - 1]
        errors = (run[ahead - 1] - truth[ahead - 1] for run in (ours, linear))
        rows.append([str(ahead), *(f"{rms(e):.1f}" for e in (*errors, last - truth[ahead - 1]))])
    columns = ("years ahead", "network", "linear autoregression", "same as last known year")
    title = f"rms error on {FIRST_HELD_BACK}-{int(years[-1])}, sunspot number"
    console.print(table(title, columns, rows))
    free = network_runs(prepared, model, np.array([held_back]), FREE)[:, 0]
    alone = free_run(coefficients, series, held_back, FREE)
    truth = series[held_back : held_back + FREE]
    console.print(
        f"running freely for {FREE} years from {FIRST_HELD_BACK}: rms {rms(free - truth):.1f}, "
        f"linear {rms(alone - truth):.1f}, the mean of the years before "
        f"{rms(series[:held_back].mean() - truth):.1f}",
        highlight=False,
        soft_wrap=True,
    )
    draw(prepared, model, years, series, coefficients, (free, alone), options, console)


def draw(
    prepared: Prepared,
    model: Model,
    years: Any,
    series: Any,
    coefficients: Any,
    runs: tuple[Any, Any],
    options: argparse.Namespace,
    console: Console,
) -> None:
    measured, one = predictions(prepared, model)["one_step"]["test"]["spots"]
    start = len(series) - len(measured)
    made = plots.prediction(
        "sunspot number",
        measured[:, 0],
        {"network, one year ahead": one[:, 0]},
        times=years[start:],
        xlabel="year",
    )
    save_picture(made, options.pictures, "sunspots_one_step", console)
    made, axis = plots.figure(size=(9, 3.6))
    axis.plot(years[start - 40 : start + FREE], series[start - 40 : start + FREE], color="black")
    for label, values, colour in (
        ("network, running freely", runs[0], plots.RED),
        ("linear autoregression, running freely", runs[1], plots.BLUE),
    ):
        axis.plot(years[start : start + FREE], values, color=colour, label=label)
    axis.axvline(FIRST_HELD_BACK - 0.5, color=plots.GREY, linestyle=":")
    axis.set(xlabel="year", ylabel="sunspot number")
    axis.legend(frameon=False)
    save_picture(made, options.pictures, "sunspots_free_run", console)
    made = plots.correlations("the network", one[:, 0] - measured[:, 0], {})
    save_picture(made, options.pictures, "sunspots_residuals", console)


def main() -> None:
    options = arguments(__doc__).parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
