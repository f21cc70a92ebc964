"""Magnetic levitation: a NARX network of 10 hidden units, trained open loop, run closed loop.

The magnet's position from the coil's current: 4001 samples, every 0.01 s, the data set of
"Neural Network Design" (Hagan et al.). Where it is not there, the plant is simulated from its
differential equation. Levenberg-Marquardt, Bayesian regularisation and Adam are compared on the
open loop; then the closed loop is trained from the weights of the open one, over longer and
longer windows, from several random starts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bptt.training import plots
from bptt.training.dynamics import multi_step
from bptt.training.fit import Prepared, prepare
from bptt.training.judged import predictions, results, rms
from bptt.training.methods.levenberg import BayesianRegularisation
from bptt.training.model import Model
from bptt.training.options import Options
from demo.common import HERE, arguments, check_network, main_of, save_picture, table, trained

TOPOLOGY = (HERE / "maglev.toml").read_text(encoding="utf-8")
DATA = HERE.parents[1] / "shared" / "data"
OPEN = Options(open=("position",), initial="nguyen_widrow")
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
EPOCHS = 500
WINDOWS = ((25, 50), (50, 50), (100, 50), (200, 60), (400, 60), (800, 60))


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
    record, (start, stop) = prepared.record, prepared.parts["training"]
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


@dataclass(frozen=True)
class Closed:
    """A closed loop that was trained, and its free runs over the parts of the record."""

    prepared: Prepared
    model: Model
    stages: tuple[str, ...]
    runs: Mapping[str, tuple[Any, Any]]

    def errors(self) -> dict[str, float]:
        """The rms error by part, in per cent of the range of the whole record."""
        return {part: percent(self.prepared, *pair) for part, pair in self.runs.items()}


def percent(prepared: Prepared, truth: Any, values: Any) -> float:
    """The rms error in per cent of the measured range."""
    record = prepared.record
    assert record is not None
    whole = prepared.model.original("position", record.signals["position"])
    return 100 * rms(values - truth) / float(whole.max() - whole.min())


def closed_loop(data: dict[str, Any], seed: int, console: Console) -> Closed:
    """Open loop by Levenberg-Marquardt; then, from these weights, the closed loop by Bayesian
    regularisation, over longer and longer windows."""
    options = replace(OPEN, method="lm", epochs=EPOCHS, seed=seed)
    prepared = prepare(TOPOLOGY, data, options)
    progress = trained(prepared, f"seed {seed}, open loop", console)
    model, stages = prepared.trained(progress), []
    for length, epochs in WINDOWS:
        options = Options(method="bayes", window=length, stride=length // 2, epochs=epochs)
        prepared = prepare(TOPOLOGY, data, options, start=model)
        # Near a minimum already: alpha and beta are estimated after every move.
        method = BayesianRegularisation(ripe=np.inf)
        prepared = replace(prepared, task=replace(prepared.task, method=method))
        progress = trained(prepared, f"seed {seed}, closed, windows of {length}", console)
        model = prepared.trained(progress)
        runs = {
            n: pair["position"] for n, pair in predictions(prepared, model)["predicted"].items()
        }
        found = Closed(prepared, model, (), runs)
        stages.append(f"{found.errors()['test']:.1f} %")
    return replace(found, stages=tuple(stages))


def example(options: argparse.Namespace, console: Console) -> None:
    found = measured(options.data)
    data, about = found if found else (simulated(), "the plant, simulated")
    console.print(about, highlight=False)
    check_network(TOPOLOGY, console, ["position"])

    def trial(label: str, **changes: Any) -> Trial:
        return Trial(label, prepare(TOPOLOGY, data, replace(OPEN, **changes)), console)

    lm = min(
        (
            trial(f"LM, seed {seed}", method="lm", epochs=99, seed=seed)
            for seed in range(options.seeds)
        ),
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
    ends = [closed_loop(data, seed, console) for seed in range(options.seeds)]
    rows = [
        [f"seed {seed}", *(f"{v:.2f} %" for v in end.errors().values()), " ".join(end.stages)]
        for seed, end in enumerate(ends)
    ]
    middle = {
        part: (pair[0], np.median([end.runs[part][1] for end in ends], axis=0))
        for part, pair in ends[0].runs.items()
    }
    errors = (percent(lm.prepared, *pair) for pair in middle.values())
    rows.append([f"median of {len(ends)}", *(f"{v:.2f} %" for v in errors), ""])
    lengths = "/".join(str(length) for length, _ in WINDOWS)
    columns = ("closed loop", "training", "validation", "test", f"test, after windows of {lengths}")
    title = "Running freely over each part: rms error, of the range of the record"
    console.print(table(title, columns, rows))
    best = min(ends, key=lambda end: end.errors()["validation"])
    draw(lm, bayes, adams, best.prepared, best.model, options.pictures, console)


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

    record, (start, stop) = lm.prepared.record, lm.prepared.parts["test"]
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
    parser.add_argument("--seeds", type=int, default=4, help="random starts")
    options = parser.parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
