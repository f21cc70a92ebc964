"""Magnetic levitation: a NARX network of 10 hidden units, trained open loop, run closed loop.

The magnet's position from the coil's current: 4001 samples, every 0.01 s, the data set of
"Neural Network Design" (Hagan et al.). Where it is not there, the plant is simulated from its
differential equation. Levenberg-Marquardt, Bayesian regularisation and Adam are compared on the
open loop; then the closed loop is trained from the weights of the open one, over longer and
longer windows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from demo.common import HERE, arguments, check_network, main_of, save_picture, table, trained
from train import plots
from train.dynamics import multi_step
from train.fit import Prepared, prepare
from train.judged import predictions, results, rms
from train.model import Model
from train.options import Options

TOPOLOGY = (HERE / "maglev.toml").read_text(encoding="utf-8")
DATA = HERE.parents[1] / "shared" / "data"
OPEN = Options(open=("position",), initial="nguyen_widrow")
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = 4
WINDOWS = ((25, 40), (100, 40), (400, 60))


def measured(folder: Path) -> tuple[dict[str, Any], str] | None:
    """The measured plant, if its files are there."""
    current, position = folder / "maglev_u.txt", folder / "maglev_y.txt"
    if not (current.exists() and position.exists()):
        return None
    data = {"current": np.loadtxt(current), "position": np.loadtxt(position)}
    return data, f"the measured plant ({len(data['current'])} samples)"


def simulated(steps: int = 4001, seed: int = 0) -> dict[str, Any]:
    """The plant y'' = -g + (a/m) i²/y - (b/m) y', every 0.01 s, by the classical Runge-Kutta rule.

    Current i in A, held for random times; g = 9.8, a = 15, b = 12, m = 3, as in "Neural Network
    Design", chapter on case studies; the magnet rests on its base at y = 0.1.
    """
    rng = np.random.default_rng(seed)
    current = np.empty(steps)
    t = 0
    while t < steps:
        held = int(rng.integers(20, 120))
        current[t : t + held] = rng.uniform(0.5, 4.0)
        t += held

    def slope(state: Any, i: float) -> Any:
        y, v = max(state[0], 0.1), state[1]
        return np.array([v, -9.8 + 5.0 * i * i / y - 4.0 * v])

    state, position = np.array([0.5, 0.0]), np.empty(steps)
    h = 0.001
    for t in range(steps):
        position[t] = state[0]
        for _ in range(10):
            k1 = slope(state, current[t])
            k2 = slope(state + h / 2 * k1, current[t])
            k3 = slope(state + h / 2 * k2, current[t])
            k4 = slope(state + h * k3, current[t])
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            if state[0] < 0.1:
                state = np.array([0.1, max(state[1], 0.0)])
    return {"current": current, "position": position}


class Trial:
    """One method on the open loop: what it reached, and how long it took."""

    def __init__(self, label: str, prepared: Prepared, console: Console) -> None:
        begin = time.perf_counter()
        self.label, self.prepared = label, prepared
        self.progress = trained(prepared, label, console)
        self.seconds = time.perf_counter() - begin
        self.results = results(prepared, self.progress)

    @property
    def model(self) -> Model:
        return self.prepared.trained(self.progress)

    @property
    def losses(self) -> list[float]:
        return [row["loss"] for row in self.progress.history]

    def row(self) -> list[str]:
        loss, free = self.results["loss"], self.results["free_run"]["test"]["position"]
        return [
            self.label,
            str(self.progress.epoch),
            f"{self.seconds:.1f}",
            f"{self.losses[-1]:.2e}",
            f"{loss['test']:.2e}",
            f"{free['percent_of_range']:.1f} %",
        ]


def pyrenn_rows(prepared: Prepared, ours: Trial) -> list[list[str]]:
    """pyrenn's Levenberg-Marquardt (PyPI) on the same data and structure, if it is installed."""
    try:
        import pyrenn
    except ImportError:
        return []
    record, (start, stop) = prepared.record, (prepared.parts or {})["training"]
    assert record is not None
    u, y = (record.signals[n][:stop, 0, 0] for n in ("current", "position"))
    np.random.seed(0)
    network = pyrenn.CreateNN([2, 10, 1], dIn=[1, 2], dOut=[], dIntern=[])
    begin = time.perf_counter()
    network = pyrenn.train_LM(np.array([u, y]), y, network, k_max=100, E_stop=1e-12)
    seconds = time.perf_counter() - begin
    out = pyrenn.NNOut(np.array([u, y]), network)
    loss = float(np.mean((out - y)[start:] ** 2))
    reached = next((n for n, value in enumerate(ours.losses, 1) if value <= loss), None)
    rows = [["pyrenn's LM", "100", f"{seconds:.1f}", f"{loss:.2e}", "", ""]]
    if reached:
        part = ours.seconds * reached / len(ours.losses)
        label = f"LM to pyrenn's error ({seconds / part:.0f} times as fast)"
        rows.append([label, str(reached), f"{part:.2f}", f"{ours.losses[reached - 1]:.2e}", "", ""])
    return rows


def closed_loop(
    data: dict[str, Any], start: Model, console: Console
) -> tuple[Prepared, Any, Model, list[list[str]]]:
    """The closed loop trained from the open one's weights, over longer and longer windows.

    Of all stages and seeds the one is kept that runs best over the validation part.
    """
    rows: list[list[str]] = []
    best: tuple[float, Any] = (np.inf, None)
    model = start
    for length, epochs in WINDOWS:
        options = Options(method="lm", window=length, stride=max(length // 2, 1), epochs=epochs)
        prepared = prepare(TOPOLOGY, data, options, start=model)
        progress = trained(prepared, f"windows of {length}", console)
        # The last point of every stage goes on; the best of each is judged.
        model = replace(prepared.trained(progress), measured=("position",))
        found = results(prepared, progress)["predicted"]
        value = found["validation"]["position"]["percent_of_range"]
        rows.append(
            [
                f"closed loop, windows of {length}",
                *(f"{found[p]['position']['percent_of_range']:.2f} %" for p in found),
            ]
        )
        if value < best[0]:
            best = (value, (prepared, progress, prepared.trained(progress)))
    return (*best[1], rows)


def example(options: argparse.Namespace, console: Console) -> None:
    found = measured(options.data)
    data, about = found if found else (simulated(), "the plant, simulated")
    console.print(about, highlight=False)
    check_network(TOPOLOGY, console, ["position"])

    def trial(label: str, **changes: Any) -> Trial:
        return Trial(label, prepare(TOPOLOGY, data, replace(OPEN, **changes)), console)

    lm = min(
        (trial(f"LM, seed {seed}", method="lm", epochs=99, seed=seed) for seed in range(SEEDS)),
        key=lambda t: t.results["loss"]["validation"],
    )
    bayes = trial("Bayesian regularisation", method="bayes", epochs=300)
    adams = [
        trial(f"Adam, rate {rate:g}", method="adam", rate=rate, schedule="cosine", epochs=2000)
        for rate in RATES
    ]
    rows = [t.row() for t in (lm, bayes, *adams)]
    rows += pyrenn_rows(lm.prepared, lm)
    columns = ("open loop", "epochs", "seconds", "training MSE", "test MSE", "closed loop, test")
    console.print(table("Mean squared errors in units of ±1", columns, rows))
    gamma = bayes.progress.state.report
    console.print(
        f"Bayesian regularisation: gamma = {gamma['gamma']:.1f} of {bayes.progress.best.size} "
        f"parameters, alpha = {gamma['alpha']:.3g}, beta = {gamma['beta']:.3g}, "
        f"ln evidence = {gamma['evidence']:.0f}",
        highlight=False,
        soft_wrap=True,
    )
    ends = [closed_loop(data, t.model, console) for t in (lm, bayes)]
    for label, end in zip(("LM", "Bayesian regularisation"), ends, strict=True):
        columns = (f"from {label}", "training", "validation", "test")
        console.print(table("Closed loop: rms error, of the range", columns, end[3]))
    prepared, progress, model, _ = min(
        ends, key=lambda e: results(e[0], e[1])["predicted"]["validation"]["position"]["rms"]
    )
    final = results(prepared, progress)["predicted"]["test"]["position"]
    console.print(
        f"closed loop over the whole held-back part: rms {final['rms']:.4f}, "
        f"{final['percent_of_range']:.2f} % of the range",
        highlight=False,
    )
    draw(lm, bayes, adams, prepared, model, options.pictures, console)


def draw(
    lm: Trial,
    bayes: Trial,
    adams: list[Trial],
    prepared: Prepared,
    model: Model,
    folder: Path,
    console: Console,
) -> None:
    made, axis = plots.figure(size=(8, 4))
    best = min(adams, key=lambda t: t.losses[-1])
    for one, colour in ((lm, plots.BLUE), (bayes, plots.RED), (best, plots.ORANGE)):
        axis.plot(np.arange(1, len(one.losses) + 1), one.losses, color=colour, label=one.label)
    axis.set(xscale="log", yscale="log", xlabel="epoch", ylabel="training MSE, in units of ±1")
    axis.legend(frameon=False)
    save_picture(made, folder, "maglev_learning", console)

    free = predictions(prepared, model)["predicted"]["test"]["position"]
    one = predictions(lm.prepared, lm.model)["one_step"]["test"]["position"]
    truth = free[0][:, 0]
    series = {"one step ahead": one[1][:, 0], "closed loop, running freely": free[1][:, 0]}
    times = 0.01 * np.arange(len(truth))
    made = plots.prediction("position", truth, series, times=times, xlabel="s")
    save_picture(made, folder, "maglev_prediction", console)

    record, (start, stop) = lm.prepared.record, (lm.prepared.parts or {})["test"]
    assert record is not None
    current = record.signals["current"][start:stop, 0, 0]
    made = plots.correlations("one step ahead", one[1][:, 0] - one[0][:, 0], {"current": current})
    save_picture(made, folder, "maglev_residuals", console)

    layout = {"LM": lm.progress.best, "Bayesian regularisation": bayes.progress.best}
    before = np.concatenate([np.ravel(a) for a in lm.prepared.start.values()])
    save_picture(plots.weights(before, layout), folder, "maglev_weights", console)

    origins = np.arange(start, stop - 100)
    made, axis = plots.figure(size=(7, 3.4))
    opened: Callable[..., Any] = lm.model.opened
    for label, which, colour in (
        ("trained open loop (LM)", lm.model, plots.BLUE),
        ("trained closed loop", model, plots.RED),
    ):
        runs = multi_step(model.closed(), opened(), which.parameters, record, origins, 100)
        rows = origins[None, :] + np.arange(100)[:, None]
        errors = runs["position"][..., 0] - record.signals["position"][rows, 0, 0]
        scale = model.scales["position"].spread[0]
        axis.plot(np.arange(1, 101), [rms(e) * scale for e in errors], color=colour, label=label)
    axis.set(xlabel="steps ahead", ylabel="rms error on the test part", yscale="log")
    axis.legend(frameon=False)
    save_picture(made, folder, "maglev_horizon", console)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder with maglev_u.txt and maglev_y.txt"
    )
    options = parser.parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
