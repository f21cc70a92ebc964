"""Runs: reproduced, cut off anywhere and gone on with, stopped, judged, saved, misused."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bptt.commands.main import main
from bptt.derive.errors import UserError
from bptt.training.checkpoint import load, save, write_whole
from bptt.training.fit import fit, prepare
from bptt.training.judged import results
from bptt.training.kept import Keeper
from bptt.training.loop import Progress, run
from bptt.training.model import load_model
from bptt.training.options import Options
from tests.numeric import Arrays
from tests.training import AUTONOMOUS, CHARACTERS, LSTM, NARX, TEXT, plant, write_csv

DATA = plant(120)
RUNS: dict[str, tuple[str, Any, Options]] = {
    "lm": (NARX, DATA, Options(method="lm", open=("y",), epochs=9)),
    "bayes": (NARX, DATA, Options(method="bayes", open=("y",), epochs=9)),
    "lbfgs": (NARX, DATA, Options(method="lbfgs", open=("y",), epochs=9)),
    "cg": (NARX, DATA, Options(method="cg", open=("y",), epochs=9)),
    "hf": (NARX, DATA, Options(method="hf", epochs=6)),
    "adam": (LSTM, DATA, Options(method="adam", epochs=3, window=10, batch=3, decay=0.01)),
    "momentum": (LSTM, DATA, Options(method="nesterov", epochs=3, chunk=7, batch=2, warm_up=3)),
    "text": (
        CHARACTERS,
        TEXT,
        Options(method="adagrad", epochs=2, chunk=8, batch=4, dtype="float32", every=5),
    ),
}


def same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        one[n].dtype == other[n].dtype and np.array_equal(one[n], other[n]) for n in one
    )


def same_progress(one: Progress, other: Progress) -> bool:
    return (
        np.array_equal(one.state.vector, other.state.vector)
        and np.array_equal(one.best, other.best)
        and same(dict(one.state.memory), dict(other.state.memory))
        and same(dict(one.state.carried), dict(other.state.carried))
        and [dict(r) for r in one.history] == [dict(r) for r in other.history]
        and one.stopped == other.stopped
    )


class CutError(Exception):
    pass


@pytest.mark.parametrize("name", RUNS)
def test_a_run_cut_off_after_any_step_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    topology, data, options = RUNS[name]
    prepared = prepare(topology, data, options)
    task = prepared.task
    whole = run(task, task.start(prepared.start))
    assert whole.step > 3
    assert same_progress(whole, run(task, task.start(prepared.start)))
    path = tmp_path / "checkpoint.npz"

    for cut in range(1, whole.step, max(whole.step // 6, 1)):

        def stop(reached: Progress, cut: int = cut) -> None:
            if reached.step >= cut:
                save(path, reached, prepared.identity)
                raise CutError

        with pytest.raises(CutError):
            run(task, task.start(prepared.start), watch=stop, tick=stop)
        # In another process everything is prepared anew.
        again = prepare(topology, data, options)
        reached, identity = load(path)
        assert identity == json.loads(json.dumps(again.identity))
        assert reached.step == cut
        found = run(again.task, replace(reached, stopped=reached.state.done))
        assert same_progress(found, whole), f"{name}, cut after step {cut}"


def command(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bptt", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        # A shell's background jobs ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def written(tmp_path: Path) -> list[str]:
    (tmp_path / "net.toml").write_text(LSTM)
    write_csv(tmp_path / "data.csv", plant(400))
    return ["train", "net.toml", "--data", "data.csv", "--no-plots", "--method", "adam"]


def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    arguments = [*written(tmp_path), "--chunk", "20", "--batch", "2", "--epochs", "700"]
    whole = command(*arguments, "-o", "whole", folder=tmp_path)
    said = whole.communicate(timeout=120)
    assert whole.returncode == 0, said
    rng, kills = random.Random(0), 0
    while True:
        process = command(*arguments, "-o", "killed", "--resume", folder=tmp_path)
        try:
            said = process.communicate(timeout=rng.uniform(2.5, 5.0) if kills < 4 else 120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, said
        break
    assert kills, "the run ended before it could be killed"
    for name in ("parameters.npz", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    left = [p.name for p in (tmp_path / "killed").iterdir() if not p.name.startswith(".bptt-")]
    assert sorted(left) == sorted(p.name for p in (tmp_path / "whole").iterdir())


def test_a_kill_while_a_file_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    write_whole(path, b"old")
    script = (
        "import os, signal; from pathlib import Path\n"
        "from bptt.training.checkpoint import write_whole\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_whole(Path({str(path)!r}), b'new')"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent.parent)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves(tmp_path: Path, number: int) -> None:
    arguments = [*written(tmp_path), "--chunk", "20", "--epochs", "100000", "-o", "run"]
    process = command(*arguments, folder=tmp_path)
    checkpoint = tmp_path / "run" / "checkpoint.npz"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "--resume" in err
    assert "Traceback" not in err
    reached, _ = load(checkpoint)
    assert reached.step > 0
    assert reached.stopped == "interrupted"
    facts = load_model(tmp_path / "run").facts
    assert facts["stopped"] == "interrupted"
    assert facts["steps"] == reached.step


# The command, in this process.


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text(NARX)
    (tmp_path / "char.toml").write_text(CHARACTERS)
    (tmp_path / "text.txt").write_text(TEXT)
    write_csv(tmp_path / "data.csv", DATA)

    def invoked(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoked


TRAIN = ("train", "net.toml", "--data", "data.csv", "--no-plots")


def test_train_predict_and_carry_weights_over(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    found = invoke(*TRAIN, "--open", "y", "--epochs", "30")
    assert found.exit_code == 0, found.output
    assert "one step ahead" in found.output
    assert "running freely" in found.output
    folder = tmp_path / "runs" / "plant"
    model = load_model(folder)
    results = model.facts["results"]
    assert results["one_step"]["test"]["y"]["percent_of_range"] < 2
    found = invoke("predict", "runs/plant", "--data", "data.csv", "--start", "102", "-o", "p.csv")
    assert found.exit_code == 0, found.output
    rows = np.loadtxt("p.csv", delimiter=",", skiprows=1)
    error = rows[:, 1] - DATA["y"][rows[:, 0].astype(int)]
    assert rows[0, 0] == 102
    assert np.sqrt(np.mean(error**2)) == pytest.approx(results["one_step"]["test"]["y"]["rms"])
    free = invoke("predict", "runs/plant", "--data", "data.csv", "--start", "102", "--free")
    values = np.array([float(line.split(",")[1]) for line in free.output.splitlines()[1:]])
    error = values - DATA["y"][102:]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(results["free_run"]["test"]["y"]["rms"])
    ahead = invoke("predict", "runs/plant", "--data", "data.csv", "--start", "102", "--ahead", "1")
    assert ahead.output == (tmp_path / "p.csv").read_text()
    # The closed loop takes the weights over.
    found = invoke(*TRAIN, "--from", "runs/plant", "-o", "closed", "--epochs", "5")
    assert found.exit_code == 0, found.output
    closed = load_model("closed")
    assert closed.scales == model.scales
    assert closed.facts["results"]["loss"]["training"] <= 1.0
    # What is written stands alone.
    source = (folder / "plant_open.py").read_text()
    assert "import numpy as np" in source
    assert "train" not in [line.split()[1] for line in source.splitlines() if "import " in line]


def test_pictures(invoke: Callable[..., Result], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = ["learning_curves", "weights", "prediction_y", "residuals_y"]
    found = []
    for folder in ("one", "two"):
        run = invoke(*TRAIN[:-1], "--open", "y", "--epochs", "4", "--plots", "-o", folder)
        assert run.exit_code == 0, run.output
        found.append([(tmp_path / folder / f"{name}.png").read_bytes() for name in names])
    assert found[0] == found[1]
    assert all(image.startswith(b"\x89PNG") for image in found[0])


def test_bayesian_regularisation_reports(invoke: Callable[..., Result]) -> None:
    found = invoke(*TRAIN, "--open", "y", "--method", "bayes", "--epochs", "20")
    assert "effective parameters (gamma)" in found.output
    about = load_model("runs/plant").facts["results"]["method"]
    assert {"gamma", "alpha", "beta", "evidence"} <= about.keys()
    assert 0 < about["gamma"] <= 25


def test_python_and_the_command_do_the_same(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert invoke(*TRAIN, "--open", "y", "--epochs", "5").exit_code == 0
    fitted = fit(NARX, DATA, Options(open=("y",), epochs=5))
    assert same(fitted.model.parameters, load_model("runs/plant").parameters)


def test_text_is_learnt_and_sampled(invoke: Callable[..., Result]) -> None:
    train = ("train", "char.toml", "--text", "text.txt", "--no-plots", "--epochs", "12")
    found = invoke(*train, "--chunk", "10", "--batch", "4", "--rate", "0.03", "--clip", "5")
    assert found.exit_code == 0, found.output
    bits = load_model("runs/letters").facts["results"]["bits_per_character"]
    assert bits["test"] < 1.0
    text = invoke("sample", "runs/letters", "--prompt", "abc", "--length", "30")
    assert text.exit_code == 0
    assert len(text.output) == 34
    assert (
        text.output == invoke("sample", "runs/letters", "--prompt", "abc", "--length", "30").output
    )
    wrong = invoke("sample", "runs/letters", "--prompt", "Q")
    assert wrong.exit_code == 2
    assert "'Q'" in wrong.output


def test_a_run_is_never_lost(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert invoke(*TRAIN, "--open", "y", "--epochs", "3").exit_code == 0
    before = (tmp_path / "runs/plant/parameters.npz").read_bytes()
    again = invoke(*TRAIN, "--open", "y", "--epochs", "3")
    assert again.exit_code == 2
    assert "--resume" in again.output
    other = invoke(*TRAIN, "--open", "y", "--epochs", "3", "--seed", "4", "--resume")
    assert other.exit_code == 2
    assert "--seed: the run began with 0, now it is 4" in other.output
    write_csv(tmp_path / "data.csv", plant(120, seed=1))
    assert "the data is not what" in invoke(*TRAIN, "--open", "y", "--resume").output
    write_csv(tmp_path / "data.csv", DATA)
    (tmp_path / "net.toml").write_text(NARX.replace("size = 4", "size = 5"))
    assert "the topology is not what" in invoke(*TRAIN, "--open", "y", "--resume").output
    (tmp_path / "net.toml").write_text(NARX)
    assert (tmp_path / "runs/plant/parameters.npz").read_bytes() == before
    # More epochs go on, and end where a run of as many ends.
    assert invoke(*TRAIN, "--open", "y", "--epochs", "8", "--resume").exit_code == 0
    assert invoke(*TRAIN, "--open", "y", "--epochs", "8", "-o", "long").exit_code == 0
    assert same(load_model("runs/plant").parameters, load_model("long").parameters)
    checkpoint = tmp_path / "runs/plant/checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    found = invoke(*TRAIN, "--open", "y", "--resume")
    assert found.exit_code == 2
    assert "or damaged" in found.output
    assert "start anew with --overwrite" in found.output
    assert invoke(*TRAIN, "--open", "y", "--resume", "--overwrite").exit_code == 2
    checkpoint.unlink()
    assert "holds a run" in invoke(*TRAIN, "--open", "y", "--epochs", "9").output
    assert invoke(*TRAIN, "--open", "y", "--resume").exit_code == 2
    assert invoke(*TRAIN, "--open", "y", "--overwrite", "--epochs", "2").exit_code == 0


def test_what_diverges_keeps_the_last_good_parameters(invoke: Callable[..., Result]) -> None:
    found = invoke(*TRAIN, "--method", "gd", "--rate", "1e9", "--epochs", "50", "--split", "1")
    assert found.exit_code == 1
    assert "not finite" in found.output or "the loss is" in found.output
    assert "a lower rate" in found.output
    model = load_model("runs/plant")
    assert all(np.isfinite(a).all() for a in model.parameters.values())
    assert np.isfinite(model.facts["results"]["loss"]["training"])


def test_a_run_that_lost_patience_stays_at_its_end(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    noisy = {n: a + 0.3 * rng.standard_normal(a.shape) for n, a in plant(60).items()}
    write_csv(tmp_path / "data.csv", noisy)
    arguments = (*TRAIN, "--open", "y", "--epochs", "90", "--patience", "3")
    assert "has not fallen for 3 reports" in invoke(*arguments).output
    before = {n: (tmp_path / "runs/plant" / n).read_bytes() for n in ("run.json", "history.csv")}
    assert "has not fallen for 3 reports" in invoke(*arguments, "--resume").output
    for name, content in before.items():
        assert (tmp_path / "runs/plant" / name).read_bytes() == content
    # With more patience it goes on.
    assert invoke(*arguments[:-1], "8", "--resume").exit_code == 0
    assert (tmp_path / "runs/plant/history.csv").read_bytes() != before["history.csv"]


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    arguments = [*written(tmp_path), "--chunk", "20", "--epochs", "100000", "-o", "run"]
    first = command(*arguments, folder=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run/checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    second = command(*arguments, "--overwrite", folder=tmp_path)
    _, err = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert "another run is at work in it" in err


def test_forecasts_beyond_the_data(invoke: Callable[..., Result], tmp_path: Path) -> None:
    """A free run needs measured outputs up to its start alone."""
    assert invoke(*TRAIN, "--open", "y", "--epochs", "9").exit_code == 0
    known = write_csv(tmp_path / "known.csv", {n: a[:100] for n, a in DATA.items()})
    whole = invoke("predict", "runs/plant", "--data", "data.csv", "--free", "--start", "100")
    data = ("--data", "u=data.csv:u", "--data", f"y={known}:y")
    found = invoke("predict", "runs/plant", *data, "--free")
    assert found.exit_code == 0, found.output
    assert found.output == whole.output
    short = invoke("predict", "runs/plant", *data, "--free", "--steps", "5")
    assert short.output.splitlines() == whole.output.splitlines()[:6]
    late = invoke("predict", "runs/plant", *data, "--free", "--start", "101")
    assert late.exit_code == 2
    assert "known for 100 steps" in late.output
    for wrong in (("--ahead", "-3"), ("--start", "1"), ("--steps", "4"), ("--ahead", "700")):
        assert invoke("predict", "runs/plant", "--data", "data.csv", *wrong).exit_code == 2


def test_networks_without_inputs_go_on_beyond_the_data(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "nar.toml").write_text(AUTONOMOUS)
    series = np.sin(0.3 * np.arange(150))
    write_csv(tmp_path / "series.csv", {"y": series})
    train = ("train", "nar.toml", "--data", "series.csv", "--open", "y", "--no-plots")
    assert invoke(*train, "--epochs", "40").exit_code == 0
    found = invoke("predict", "runs/nar", "--data", "series.csv", "--free", "--steps", "20")
    assert found.exit_code == 0, found.output
    rows = [tuple(map(float, line.split(","))) for line in found.output.splitlines()[1:]]
    assert [int(r[0]) for r in rows] == list(range(150, 170))
    assert np.allclose([r[1] for r in rows], np.sin(0.3 * np.arange(150, 170)), atol=0.05)


def test_early_stopping_keeps_the_best() -> None:
    rng = np.random.default_rng(0)
    data = {n: a + 0.3 * rng.standard_normal(a.shape) for n, a in plant(60).items()}
    topology = NARX.replace("size = 4", "size = 12")
    fitted = fit(topology, data, Options(method="lm", open=("y",), epochs=200, patience=6))
    progress = fitted.progress
    assert "has not fallen for 6 reports" in progress.stopped
    assert progress.step == progress.best_step + 6
    values = [row["validation"] for row in progress.history]
    assert min(values) == progress.best_validation == values[progress.best_step - 1]
    losses = fitted.prepared.losses
    assert losses["validation"](progress.best) == pytest.approx(min(values))
    assert losses["validation"](progress.state.vector) > min(values)


def test_whole_sequences_with_classes(tmp_path: Path) -> None:
    topology = """
name = "parity"
[inputs]
x = 1
[layers.h]
size = 6
activation = "tanh"
from = { x = [0], h = [1] }
[layers.y]
size = 2
activation = "softmax"
from = { h = [0] }
[loss]
y = { kind = "cross_entropy", steps = "last" }
"""
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(3, 60, 1)).astype(float)
    data = {"x": 2 * x - 1, "y": x.sum((0, 2)).astype(int) % 2}
    options = Options(method="lbfgs", epochs=120, normalise="none", split=(80, 0, 20), seed=1)
    fitted = fit(topology, data, options)
    model = fitted.model
    out = model.closed().forward(model.parameters, {"x": data["x"]})["y"][-1]
    assert (out.argmax(-1) == data["y"])[48:].mean() > 0.9
    shares = results(fitted.prepared, fitted.progress)["right"]
    assert shares["test"]["y"] == pytest.approx((out.argmax(-1) == data["y"])[48:].mean())
    small = fit(topology, data, replace(options, method="adam", batch=16, epochs=2))
    assert small.progress.step == 6
    with pytest.raises(UserError, match="whole sequences"):
        fit(topology, data, replace(options, window=2))
    with pytest.raises(UserError, match="shape"):
        fit(topology, {**data, "y": data["y"][:5]}, options)


def test_sequences_with_opened_loops_begin_with_what_was_measured() -> None:
    """The first steps are initial values; none is judged from zeros."""
    rows = [plant(40, seed=s) for s in range(6)]
    data = {n: np.stack([r[n] for r in rows], axis=1)[..., None] for n in ("u", "y")}
    fitted = fit(NARX, data, Options(open=("y",), epochs=3, split=(4, 1, 1)))
    batch = fitted.prepared.batches["training"]
    assert batch.targets["y"].shape == (37, 4, 1)
    scale = fitted.model.scales["y"]
    assert np.allclose(batch.initial["measured_y"], scale.scaled(data["y"][:3, :4]))
    assert np.allclose(batch.initial["u"], fitted.model.scales["u"].scaled(data["u"][1:3, :4]))
    alone = fit(NARX, {n: a[:, 0, 0] for n, a in data.items()}, Options(open=("y",), split=(1,)))
    errors = results(fitted.prepared, fitted.progress)["predicted"]["training"]["y"]
    assert 0 < errors["percent_of_range"] < 30
    assert alone.prepared.record is not None


def test_padding_does_not_count_in_the_units() -> None:
    topology = NARX.replace("u = 1\n", "u = 1\nm = { mask = true }\n").replace(
        'y = "mse"', 'y = { kind = "mse", mask = "m" }'
    )
    rng = np.random.default_rng(0)
    lengths = np.array([20, 12, 15, 20, 9])
    kept = (np.arange(20)[:, None] < lengths)[..., None]
    data = {n: rng.uniform(2, 4, (20, 5, 1)) for n in ("u", "y")}
    data = {n: np.where(kept, a, -9999.0) for n, a in data.items()} | {"m": lengths}
    fitted = fit(topology, data, Options(method="lbfgs", epochs=2, split=(3, 1, 1)))
    assert 2 < fitted.model.scales["u"].centre[0] < 4
    assert 2 < fitted.model.scales["y"].centre[0] < 4


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    arguments = [*written(tmp_path), "--chunk", "20", "--epochs", "40", "-o", "run"]
    first = command(*arguments, folder=tmp_path)
    said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = subprocess.run(
        [sys.executable, "-m", "bptt", *arguments[:-4], "--epochs", "80", "-o", "run", "--resume"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=limited,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert process.returncode == 2, process.stderr
    last = process.stderr.strip().splitlines()[-1]
    assert "checkpoint.npz: cannot be written (File too large)" in last
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


BAD: list[tuple[list[str], str]] = [
    ([], "no data"),
    (["--data", "none.csv"], "none.csv: cannot be read (No such file"),
    (["--data", "."], "is no plain file"),
    (["--data", "data.csv", "--text", "text.txt"], "data and text"),
    (["--data", "q=data.csv:u"], "neither input nor target 'q'"),
    (["--data", "u=data.csv:u"], "no data for 'y'"),
    (["--data", "data.csv", "--data", "u=data.csv:z"], "no column 'z'"),
    (["--data", "data.csv", "--method", "adamm"], "did you mean 'adam'"),
    (["--data", "data.csv", "--open", "hidden"], "'hidden' is not fed back"),
    (["--data", "data.csv", "--rate", "-1", "--method", "gd"], "--rate: is -1"),
    (["--data", "data.csv", "--rate", "nan"], "--rate: is nan"),
    (["--data", "data.csv", "--split", "0,1"], "leaves nothing to learn"),
    (["--data", "data.csv", "--split", "a,b"], "70,15,15"),
    (["--data", "data.csv", "--schedule", "linear"], "is no schedule"),
    (["--data", "data.csv", "--initial", "hidden=best"], "is no initialisation"),
    (["--data", "data.csv", "--method", "lm", "--batch", "3"], "looks at all data"),
    (["--data", "data.csv", "--method", "lm", "--dtype", "float32"], "float64"),
    (["--data", "data.csv", "--method", "lm", "--decay", "0.1"], "--decay"),
    (["--data", "data.csv", "--method", "adam", "--window", "500"], "--window"),
    (["--data", "data.csv", "--method", "adam", "--chunk", "500"], "--chunk"),
    (["--data", "data.csv", "--method", "adam", "--chunk", "5", "--window", "5"], "--window"),
    (["--data", "data.csv", "--method", "adam", "--batch", "4"], "there is one sequence"),
    (["--data", "data.csv", "--from", "nowhere"], "run.json"),
    (["--data", "nan.csv"], "nan.csv: line 3, column y: the value is nan"),
    (["--data", "constant.csv"], "'u' has the same value, 1, at every step"),
    (["--data", "short.csv"], "there are 4 steps"),
    (["--data", "data.csv", "-o", "data.csv/x"], "data.csv/x"),
    (["--text", "text.txt"], "no model of characters"),
    (["--data", "data.csv", "--dtype", "float16"], "--dtype"),
    (["--data", "data.csv", "--method", "lm", "--rate", "0.1"], "finds the length of its steps"),
    (["--data", "data.csv", "--stride", "4"], "there are no windows"),
    (["--data", "data.csv", "--epochs", "-3"], "--epochs: is -3"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_ends_in_one_sentence(
    invoke: Callable[..., Result], tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "nan.csv").write_text("u,y\n1,2\n3,nan\n")
    constant = {"u": np.ones(120), "y": DATA["y"]}
    write_csv(tmp_path / "constant.csv", constant)
    write_csv(tmp_path / "short.csv", {n: a[:4] for n, a in DATA.items()})
    found = invoke("train", "net.toml", *arguments)
    assert found.exit_code == 2, found.output
    assert said in found.output
    assert "Traceback" not in found.output
    assert not (tmp_path / "runs").exists()


def test_a_text_with_too_many_characters(invoke: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abcdefghijklmnopqrstuvwxyz" * 9)
    found = invoke("train", "char.toml", "--text", "text.txt")
    assert found.exit_code == 2
    assert "26 different characters, the network 9 classes" in found.output


def test_folders_that_hold_no_model(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert invoke(*TRAIN, "--open", "y", "--epochs", "2").exit_code == 0
    folder = tmp_path / "runs/plant"
    about = (folder / "run.json").read_text()
    for spoiled in ("{", "[]", "{}", about.replace('"measured": [', '"measured": [3, ')):
        (folder / "run.json").write_text(spoiled)
        found = invoke("predict", "runs/plant", "--data", "data.csv")
        assert found.exit_code == 2, spoiled
    (folder / "run.json").write_text(about.replace("size = 4", "size = 5"))
    found = invoke("predict", "runs/plant", "--data", "data.csv")
    assert found.exit_code == 2
    assert "does not hold the parameters" in found.output


def test_progress_is_kept_by_a_keeper(tmp_path: Path) -> None:
    """Checkpoints at every step: each of them leads to the same end."""
    topology, data, options = RUNS["adam"]
    prepared = prepare(topology, data, options)
    keeper = Keeper(tmp_path, prepared, seconds=0.0)
    whole = keeper.run(keeper.begin(resume=False, overwrite=False), lambda p: None, lambda p: None)
    reached, _ = load(keeper.checkpoint)
    assert same_progress(reached, whole)
    again = keeper.begin(resume=True, overwrite=False)
    assert same_progress(keeper.run(again, lambda p: None, lambda p: None), whole)
