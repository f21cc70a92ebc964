"""Data to arguments of modules: files, records, windows, streams, splits, units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bptt.derive.errors import UserError
from bptt.training import Options, fit
from bptt.training.data.feed import Segment, Sequences, Streams, Windows, split
from bptt.training.data.files import read_arrays, read_table
from bptt.training.data.given import given_data
from bptt.training.data.record import Record, scaled
from bptt.training.data.scale import fitted, scale_of
from bptt.training.data.text import Vocabulary
from bptt.training.judged import results
from bptt.training.modules import module_of
from bptt.training.objective import Batch, BatchObjective
from bptt.training.vector import Layout
from tests.numeric import relative
from tests.training import LSTM, NARX, plant

SIGNALS = {n: a[:, None, None] for n, a in plant(60).items()}


def opened_record() -> Record:
    return Record(module_of(NARX, measured=["y"], extras=["residuals"]), SIGNALS)


# The first steps are initial values (preparets).


def test_initial_values_are_those_measured_before() -> None:
    record = opened_record()
    assert record.before == 3
    batch = record.batch([10], 7)
    assert np.array_equal(batch.inputs["u"], SIGNALS["u"][10:17])
    assert np.array_equal(batch.inputs["measured_y"], SIGNALS["y"][10:17])
    assert np.array_equal(batch.targets["y"], SIGNALS["y"][10:17])
    assert np.array_equal(batch.initial["u"], SIGNALS["u"][8:10])
    assert np.array_equal(batch.initial["measured_y"], SIGNALS["y"][7:10])
    closed = Record(module_of(NARX), SIGNALS).batch([10], 7)
    assert np.array_equal(closed.initial["y"], SIGNALS["y"][7:10])


def test_a_window_does_what_the_whole_record_does() -> None:
    """Open loop: the errors of windows are those of the record at these steps."""
    record = opened_record()
    vector = Layout.of(record.module).vector(record.module.initial_parameters(1))
    whole = BatchObjective(record.module, record.batch([3], 57)).errors(vector)
    starts = np.array([3, 20, 44])
    parts = BatchObjective(record.module, record.batch(starts, 9)).errors(vector)
    expected = np.stack([whole[s - 3 : s + 6] for s in starts], axis=1)
    assert relative(parts.reshape(9, 3), expected) < 1e-13


def test_before_the_record_begins_there_are_zeros() -> None:
    batch = opened_record().batch([1], 4)
    assert np.array_equal(batch.initial["measured_y"][:2], np.zeros((2, 1, 1)))
    assert np.array_equal(batch.initial["measured_y"][2], SIGNALS["y"][0])


def test_streams_with_carried_state_are_one_long_sequence() -> None:
    module = module_of(LSTM, extras=["carry"])
    record = Record(module, SIGNALS)
    streams = Streams(Segment(record, 0, 60), 1, 12)
    assert len(streams) == 5
    parameters = module.initial_parameters(0)
    layout = Layout.of(module)
    carried: dict[str, Any] = {}
    losses = []
    for number in range(len(streams)):
        batch = streams.batch(0, number, carried)
        found = BatchObjective(module, batch, carries=True).evaluate(layout.vector(parameters))
        losses.append(found.loss)
        carried = found.carried
    whole = record.batch([0], 60)
    assert np.mean(losses) == pytest.approx(module.loss(parameters, whole.inputs, whole.targets))


def test_streams_lie_side_by_side() -> None:
    record = Record(module_of(LSTM), SIGNALS)
    batch = Streams(Segment(record, 0, 60), 3, 5).batch(0, 2, {"x": 1})
    for stream in range(3):
        start = 20 * stream + 10
        assert np.array_equal(batch.inputs["u"][:, stream], SIGNALS["u"][start : start + 5, 0])
    assert batch.initial == {"x": 1}


def test_windows_come_in_an_order_of_their_epoch() -> None:
    windows = Windows(Segment(opened_record(), 3, 60), 10, 5, 4, seed=7)
    assert len(windows) == 3

    def firsts(epoch: int) -> list[float]:
        batches = (windows.batch(epoch, n, {}) for n in range(len(windows)))
        return [float(v) for b in batches for v in b.targets["y"][0, :, 0]]

    assert firsts(0) == firsts(0)
    assert firsts(0) != firsts(1)
    assert sorted(firsts(0)) == sorted(firsts(1)) == sorted(SIGNALS["y"][3:51:5, 0, 0].tolist())


def test_minibatches_of_sequences() -> None:
    module = module_of("""
name = "last"
[inputs]
x = 2
valid = { mask = true }
[layers.h]
size = 3
activation = "tanh"
mask = "valid"
from = { x = [0], h = [1] }
[layers.y]
size = 4
activation = "softmax"
from = { h = [0] }
[loss]
y = { kind = "cross_entropy", steps = "last" }
""")
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((5, 7, 2)), "valid": np.array([5, 1, 2, 3, 4, 5, 2])}
    targets = {"y": rng.integers(4, size=7)}
    whole = Sequences(module, Batch(inputs, targets), size=3, seed=1)
    assert len(whole) == 3
    assert len(whole.part(0, 5)) == 2
    parameters = module.initial_parameters(0)
    losses, counts = [], []
    for number in range(3):
        batch = whole.batch(4, number, {})
        counts.append(len(batch.targets["y"]))
        losses.append(module.loss(parameters, batch.inputs, batch.targets))
    assert counts == [3, 3, 1]
    assert np.average(losses, weights=counts) == pytest.approx(
        module.loss(parameters, inputs, targets)
    )


def test_split_by_time() -> None:
    assert list(split(103, 3, (70, 15, 15))) == [(3, 73), (73, 88), (88, 103)]
    assert list(split(10, 0, (1,))) == [(0, 10)]
    assert list(split(10, 0, (80, 0, 20))) == [(0, 8), (8, 8), (8, 10)]


# Units.


def test_minmax_and_standard() -> None:
    values = np.random.default_rng(0).uniform(-3, 9, (50, 1, 2))
    low = fitted("x", values, "minmax").scaled(values)
    assert low.min((0, 1)) == pytest.approx([-1, -1])
    assert low.max((0, 1)) == pytest.approx([1, 1])
    scale = fitted("x", values, "standard")
    assert scale.scaled(values).mean((0, 1)) == pytest.approx([0, 0], abs=1e-12)
    assert scale.scaled(values).std((0, 1)) == pytest.approx([1, 1])
    assert np.allclose(scale.original(scale.scaled(values)), values)
    assert scale_of(scale.as_json()) == scale


def test_scales_are_those_of_the_part_to_learn_from() -> None:
    signals = {**SIGNALS, "y": SIGNALS["y"].copy()}
    signals["y"][50:] = 1e6
    _, scales = scaled(module_of(NARX, measured=["y"]), signals, "minmax", 50)
    assert scales["y"].centre[0] < 10


def test_a_constant_signal_is_refused() -> None:
    with pytest.raises(UserError, match="same value, 2, at every step"):
        fitted("u", np.full((9, 1, 1), 2.0), "minmax")
    assert fitted("u", np.full((9, 1, 1), 2.0), "none").scaled(3.0) == 3.0


# Errors of weighted, masked and last-step losses are those that the loss counts.


@pytest.mark.parametrize(
    ("loss", "mask"),
    [
        ('{ kind = "mse", steps = "last" }', ""),
        ('{ kind = "mse", steps = "weighted" }', ""),
        ('{ kind = "sse", weight = 3 }', ""),
        ('{ kind = "sse", steps = "weighted", weight = 0.5 }', ""),
        ('{ kind = "mse", mask = "m" }', "m = { mask = true }\n"),
        ('{ kind = "sse", mask = "m" }', "m = { mask = true }\n"),
        ('{ kind = "mse", mask = "m" }', "m = { mask = true, batch = false, size = [] }\n"),
    ],
)
def test_squared_errors_add_up_to_the_loss(loss: str, mask: str) -> None:
    text = NARX.replace('y = "mse"', f"y = {loss}\nhidden = {{ kind = 'mse', weight = 0.1 }}")
    text = text.replace("u = 1\n", f"u = 1\n{mask}")
    module = module_of(text, extras=["residuals", "gnvp"])
    rng = np.random.default_rng(3)
    steps, count = 6, 3
    inputs = {"u": rng.standard_normal((steps, count, 1))}
    if mask:
        shape = module.INPUTS["m"]
        inputs["m"] = rng.integers(2, size=(steps, count, 1)[: len(shape)]).astype(float)
        if shape == ("T",):
            inputs["m"] = rng.integers(2, size=steps).astype(float)
        inputs["m"].flat[-1] = 1.0
    last = module.LOSSES["y"]["steps"] == "last"
    targets = {
        "y": rng.standard_normal((count, 1) if last else (steps, count, 1)),
        "hidden": rng.standard_normal((steps, count, 4)),
    }
    weights = {n: rng.integers(4, size=(steps, count)).astype(float) for n in module.WEIGHTED}
    objective = BatchObjective(module, Batch(inputs, targets, {}, weights), decay=0.0)
    vector = objective.layout.vector(module.initial_parameters(5))
    found = objective.evaluate(vector)
    errors, jacobian = objective.errors_and_jacobian(vector)
    assert objective.scale * float(errors @ errors) == pytest.approx(found.loss, rel=1e-12)
    gradient = 2 * objective.scale * jacobian.T @ errors
    assert relative(gradient, found.gradient) < 1e-11
    direction = rng.standard_normal(vector.size)
    product = 2 * objective.scale * jacobian.T @ (jacobian @ direction)
    assert relative(objective.gauss_newton(vector, direction), product) < 1e-11


def test_decay_is_in_value_gradient_and_product() -> None:
    record = opened_record()
    objective = BatchObjective(module_of(NARX, measured=["y"]), record.batch([3], 20), decay=0.3)
    vector = objective.layout.vector(record.module.initial_parameters(5))
    step = 1e-6 * np.ones(vector.size)
    slope = (objective.loss(vector + step) - objective.loss(vector - step)) / 2e-6
    assert slope == pytest.approx(objective.evaluate(vector).gradient.sum(), rel=1e-6)
    assert objective.loss(vector) == pytest.approx(objective.evaluate(vector).loss)


def test_residuals_are_refused_for_other_losses() -> None:
    text = NARX.replace('y = "mse"', 'y = "huber"')
    with pytest.raises(UserError, match="no sum of squares"):
        module_of(text, measured=["y"], extras=["residuals"])


def test_vocabulary() -> None:
    vocabulary = Vocabulary.of("banana\n")
    assert vocabulary.characters == "\nabn"
    assert vocabulary.decode(vocabulary.encode("nab")) == "nab"
    with pytest.raises(UserError, match="'x'"):
        vocabulary.encode("nax")


# Files.


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b"), [1, 2]),
        ("# c\n\n1 2\n3 4\n", ("1", "2"), [1, 2]),
        ("a;b\r\n1;2\r\n", ("a", "b"), [1, 2]),
        ("a\tb\n-1e3\t.5\n", ("a", "b"), [-1000, 0.5]),
        ('"the a","b"\n1,2\n', ("the a", "b"), [1, 2]),
        ("  5.0e-1\n 6\n", ("1",), [0.5]),
        ("\ufeffa,b\n1,2\n", ("a", "b"), [1, 2]),
    ],
)
def test_tables(tmp_path: Path, text: str, names: tuple[str, ...], first: list[float]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    table = read_table(str(path))
    assert table.names == names
    assert table.values[0].tolist() == first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no numbers"),
        ("a,b\n", "header and no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 columns"),
        ("a,b\n1,2\n3,x\n", "line 3, column b: 'x'"),
        ("a,b\n1,2\n3,\n", "line 3, column b: nothing"),
        ("a,b\n1,nan\n", "line 2, column b: the value is nan"),
        ("a,b\n1,inf\n", "the value is inf"),
        ("a,a\n1,2\n", "two columns"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=said):
        read_table(str(path)).values  # noqa: B018


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, u=np.ones((3, 2)), k=np.arange(3))
    assert set(read_arrays(str(path))) == {"u", "k"}
    np.savez(path, u=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"no \.npz file of plain arrays"):
        read_arrays(str(path))
    np.savez(path, u=np.array([1.0, np.nan]))
    with pytest.raises(UserError, match="nan"):
        read_arrays(str(path))
    path.write_bytes(b"PK but no more")
    with pytest.raises(UserError, match="npz"):
        read_arrays(str(path))
    with pytest.raises(UserError, match="No such file"):
        read_arrays(str(tmp_path / "none.npz"))


def test_signals_in_files(tmp_path: Path) -> None:
    module = module_of(NARX, measured=["y"])
    path = tmp_path / "x.csv"
    path.write_text("time,u,y\n0,1,2\n1,3,4\n")
    assert {n: a.tolist() for n, a in given_data(module, [str(path)]).items()} == {
        "u": [[1], [3]],
        "y": [[2], [4]],
    }
    found = given_data(module, [f"u={path}:y", f"y={path}:time"])
    assert found["u"].tolist() == [[2], [4]]
    with pytest.raises(UserError, match="no column 'yy'"):
        given_data(module, [f"u={path}:yy"])
    with pytest.raises(UserError, match="has 3 columns"):
        given_data(module, [f"u={path}"])
    path.write_text("a,b\n0,1\n")
    with pytest.raises(UserError, match="none that the network needs"):
        given_data(module, [str(path)])


# What does not count, and what is not used.

WEIGHTED = """
name = "weighted"
[inputs]
u = 1
[layers.y]
size = 1
activation = "linear"
from = { u = [0, 1] }
[loss]
y = { kind = "mse", steps = "weighted" }
"""


def gaps(steps: int = 60) -> dict[str, Any]:
    """A moving sum, of which two steps in three were not measured: they hold what cannot be."""
    u = np.random.default_rng(4).uniform(-1, 1, steps)
    y = u + 0.5 * np.concatenate([[0.0], u[:-1]])
    weights = np.where(np.arange(steps) % 3 == 0, 1.0, 0.0)
    return {"u": u, "y": np.where(weights > 0, y, 1e3), "weight_y": weights}


@pytest.mark.parametrize("sequences", [False, True])
def test_steps_of_no_weight_enter_no_error_and_no_scale(sequences: bool) -> None:
    data = gaps()
    if sequences:
        shapes = {"u": (10, 6, 1), "y": (10, 6, 1), "weight_y": (10, 6)}
        data = {n: a.reshape(6, 10).T.reshape(shapes[n]) for n, a in data.items()}
    trained = fit(WEIGHTED, data, Options(method="lm", epochs=20, seed=1))
    found = results(trained.prepared, trained.progress)
    assert np.abs(trained.model.scales["y"].centre[0]) < 5
    for part, by_output in found["predicted"].items():
        # The first step of a sequence reads an input that is not known.
        assert by_output["y"]["rms"] < (0.2 if sequences else 1e-3), part
        assert by_output["y"]["percent_of_range"] < 50


def test_initial_values_are_none_that_do_not_count() -> None:
    text = WEIGHTED.replace("from = { u = [0, 1] }", "from = { u = [0], y = [1] }")
    signals = {n: a[:, None, None] for n, a in gaps().items()}
    record = Record(module_of(text), signals)
    known = record.batch([4, 5], 3).initial["y"].ravel()
    assert known.tolist() == [signals["y"][3, 0, 0], 0]


def test_a_signal_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    """Not the last file alone, in silence."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("u,y\n1,2\n3,4\n", encoding="utf-8")
    paths = [str(tmp_path / f"{name}.csv") for name in ("a", "b")]
    for specs in (paths, [f"u={path}:u" for path in paths]):
        with pytest.raises(UserError, match="holds 'u', which other data hold too"):
            given_data(module_of(NARX), specs)
    found = given_data(module_of(NARX), [f"u={paths[0]}:y", paths[0]])
    assert found["u"].ravel().tolist() == [2, 4]


def test_columns_that_nobody_uses_may_be_text_and_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("when,u,y,run\nMonday,1,2,a\nTuesday,3,4,a\n", encoding="utf-8")
    said: list[str] = []
    found = given_data(module_of(NARX), [str(path)], said=said.append)
    assert found["u"].ravel().tolist() == [1, 3]
    assert said == [f"{path}: not used: when, run"]
    path.write_text("when,u,y\nMonday,1,2\nTuesday,x,4\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 3, column u: 'x'"):
        given_data(module_of(NARX), [str(path)])
