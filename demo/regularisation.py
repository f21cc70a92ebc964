"""Bayesian regularisation of networks that are too large: the classical picture.

A sine with noise, 40 points, fitted by networks of 2 to 64 hidden units. Levenberg-Marquardt fits
the noise as soon as it has the units for it; with Bayesian regularisation the effective number of
parameters, gamma, stays where it is while the units double, and so does the error on new points.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from rich.console import Console

from bptt.training import plots
from bptt.training.fit import prepare
from bptt.training.judged import rms
from bptt.training.options import Options
from demo.common import arguments, check_network, main_of, save_picture, table, trained

UNITS = (2, 4, 8, 16, 32, 64)
POINTS, NEW, NOISE = 40, 400, 0.25
METHODS = {"lm": "Levenberg-Marquardt", "bayes": "Bayesian regularisation"}


def topology(units: int) -> str:
    """A static network: its steps are points, and nothing is delayed."""
    return f"""
name = "sine"

[inputs]
x = 1

[layers.hidden]
size = {units}
activation = "tanh"
from = {{ x = [0] }}

[layers.y]
size = 1
activation = "linear"
from = {{ hidden = [0] }}

[loss]
y = "mse"
"""


def points(seed: int = 0) -> dict[str, Any]:
    """Noisy points to learn from, then points of the sine itself."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-1, 1, POINTS), np.linspace(-1, 1, NEW)])
    y = np.sin(2 * np.pi * x)
    y[:POINTS] += NOISE * rng.standard_normal(POINTS)
    return {"x": x, "y": y}


def example(options: argparse.Namespace, console: Console) -> None:
    check_network(topology(4), console)
    data = points()
    rows, curves = [], {}
    found: dict[str, list[dict[str, float]]] = {m: [] for m in METHODS}
    for units in UNITS:
        for method in METHODS:
            prepared = prepare(
                topology(units),
                data,
                Options(
                    method=method,
                    epochs=400,
                    split=(POINTS, 0, NEW),
                    normalise="none",
                    initial="nguyen_widrow",
                ),
            )
            progress = trained(prepared, f"{units} units, {METHODS[method]}", console)
            module = prepared.module
            out = module.forward(
                prepared.trained(progress).parameters, {"x": data["x"][:, None, None]}
            )["y"][:, 0, 0]
            curves[method, units] = out[POINTS:]
            found[method].append(
                {
                    "new": rms(out[POINTS:] - data["y"][POINTS:]),
                    "given": rms(out[:POINTS] - data["y"][:POINTS]),
                    **progress.state.report,
                }
            )
        lm, bayes = found["lm"][-1], found["bayes"][-1]
        count = 3 * units + 1
        rows.append(
            [
                str(units),
                str(count),
                *(f"{r[part]:.3f}" for part in ("given", "new") for r in (lm, bayes)),
                f"{bayes['gamma']:.1f}",
                f"{bayes['alpha']:.3g}",
                f"{bayes['beta']:.3g}",
                f"{bayes['evidence']:.1f}",
            ]
        )
    columns = (
        "units",
        "parameters",
        "LM, given",
        "BR, given",
        "LM, new",
        "BR, new",
        "gamma",
        "alpha",
        "beta",
        "ln evidence",
    )
    title = f"rms error on {POINTS} given and {NEW} new points (noise {NOISE})"
    console.print(table(title, columns, rows))
    draw(data, found, curves, options, console)


def draw(
    data: dict[str, Any],
    found: dict[str, list[dict[str, float]]],
    curves: dict[tuple[str, int], Any],
    options: argparse.Namespace,
    console: Console,
) -> None:
    made, (left, middle, right) = plots.figure(1, 3, size=(13, 3.8))
    colours = {"lm": plots.BLUE, "bayes": plots.RED}
    left.plot(data["x"][:POINTS], data["y"][:POINTS], "o", color="black", markersize=3.5)
    for method, colour in colours.items():
        curve = curves[method, UNITS[-2]]
        left.plot(data["x"][POINTS:], curve, color=colour, label=METHODS[method])
    left.set(xlabel="x", ylabel="y", title=f"{UNITS[-2]} hidden units", ylim=(-2, 2))
    left.legend(frameon=False, fontsize=8)
    for method, colour in colours.items():
        errors = [r["new"] for r in found[method]]
        middle.plot(UNITS, errors, "o-", color=colour, label=METHODS[method])
    middle.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="rms error, new points")
    middle.set_xticks(UNITS, [str(u) for u in UNITS])
    middle.minorticks_off()
    right.plot(UNITS, [3 * u + 1 for u in UNITS], "o-", color=plots.GREY, label="parameters")
    gammas = [r["gamma"] for r in found["bayes"]]
    right.plot(UNITS, gammas, "o-", color=plots.RED, label="effective parameters")
    right.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="count")
    right.set_xticks(UNITS, [str(u) for u in UNITS])
    right.minorticks_off()
    right.legend(frameon=False, fontsize=8)
    save_picture(made, options.pictures, "regularisation", console)


def main() -> None:
    options = arguments(__doc__).parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
