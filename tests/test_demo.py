"""The examples run, on the least that they can run on; the longer ones are `make demo`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate

from bptt.training.fit import fit
from bptt.training.options import Options
from demo.maglev import simulated
from demo.regularisation import NEW, POINTS, points, topology

HERE = Path(__file__).parent.parent
QUICK = {
    "characters": [
        *("--text", "text.txt", "--units", "6", "--epochs", "2", "--chunk", "10", "--batch", "4"),
        *("--cells", "elman", "gru", "--rules", "adagrad"),
    ],
    "memory": ["--lengths", "6", "--epochs", "1"],
}


@pytest.mark.parametrize("name", QUICK)
def test_examples_run(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question\n" * 60)
    process = subprocess.run(
        [sys.executable, "-m", f"demo.{name}", *QUICK[name], "--pictures", "pictures"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(HERE), "PATH": "/usr/bin:/bin"},
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert list((tmp_path / "pictures").glob("*.png"))


def test_the_simulated_plant_follows_its_equation() -> None:
    data = simulated(300, seed=3)
    held = int(np.flatnonzero(np.diff(data["current"]))[0]) + 1
    current = data["current"][0]

    def slope(_: float, state: tuple[float, float]) -> tuple[float, float]:
        y, v = state
        return v, -9.8 + 5.0 * current**2 / y - 4.0 * v

    times = 0.01 * np.arange(held)
    exact = scipy.integrate.solve_ivp(
        slope, (0, times[-1]), (0.5, 0.0), t_eval=times, rtol=1e-10, atol=1e-12
    )
    assert (exact.y[0] > 0.1).all()
    assert np.allclose(data["position"][:held], exact.y[0], rtol=1e-6)
    assert (simulated(2000)["position"] >= 0.1).all()


def test_effective_parameters_stay_where_they_are_while_units_double() -> None:
    """The classical picture of Bayesian regularisation, and what happens without."""
    data, gammas, errors = points(), [], {"bayes": [], "lm": []}
    for units in (8, 16, 32):
        for method, found in errors.items():
            options = Options(
                method=method,
                epochs=300,
                split=(POINTS, 0, NEW),
                normalise="none",
                initial="nguyen_widrow",
            )
            fitted = fit(topology(units), data, options)
            found.append(fitted.prepared.losses["test"](fitted.progress.best))
            if method == "bayes":
                gammas.append(fitted.progress.state.report["gamma"])
    assert max(gammas) < 1.1 * min(gammas) < 13
    assert max(errors["bayes"]) < 1.2 * min(errors["bayes"]) < 0.02
    assert errors["lm"][2] > errors["lm"][1] > errors["lm"][0] > 3 * max(errors["bayes"])
