"""Open and closed loop, several steps ahead, free runs, samples, residuals, initial parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bptt.derive.errors import UserError
from bptt.training.data.record import Record
from bptt.training.data.text import Vocabulary
from bptt.training.dynamics import multi_step, outside, predicted, sample
from bptt.training.initial import METHODS, initial_parameters
from bptt.training.modules import module_of
from bptt.training.residuals import autocorrelation, bound, cross_correlation, outside_bounds
from tests.numeric import relative
from tests.training import AUTONOMOUS, CHARACTERS, LSTM, NARX, plant

SIGNALS = {n: a[:, None, None] for n, a in plant(80).items()}
# A layer of its own memory beside what is fed back: its states are not measured.
WITH_STATE = NARX.replace(
    "[layers.y]",
    """[layers.slow]
size = 2
activation = "tanh"
from = { hidden = [1], slow = [1, 2] }
[layers.y]""",
).replace("from = { hidden = [0] }", "from = { hidden = [0], slow = [0] }")


def by_hand(opened: Any, parameters: Any, start: int, stop: int, signals: Any = SIGNALS) -> Any:
    """A free run by the opened module alone: each prediction is written where it is read next."""
    known = {n: a.copy() for n, a in signals.items()}
    record = Record(opened, known)
    for t in range(start, stop):
        known["y"][t] = 0
        out = opened.forward(parameters, *_args(record, t))
        known["y"][t] = out["y"][-1]
    return known["y"][start:stop]


def _args(record: Record, t: int) -> tuple[Any, Any]:
    batch = record.batch([record.before], t + 1 - record.before)
    return batch.inputs, batch.initial


@pytest.mark.parametrize("topology", [NARX, WITH_STATE, AUTONOMOUS])
def test_the_closed_loop_is_the_open_one_fed_by_itself(topology: str) -> None:
    opened, closed = module_of(topology, measured=["y"]), module_of(topology)
    parameters = closed.initial_parameters(3)
    record = Record(opened, SIGNALS)
    found = predicted(closed, parameters, record, 40, 60, driver=opened)["y"]
    assert relative(found, by_hand(opened, parameters, 40, 60)) < 1e-12


@pytest.mark.parametrize("topology", [NARX, WITH_STATE, AUTONOMOUS])
def test_several_steps_ahead_are_short_free_runs(topology: str) -> None:
    opened, closed = module_of(topology, measured=["y"]), module_of(topology)
    parameters = closed.initial_parameters(3)
    origins = np.array([5, 30, 70])
    found = multi_step(closed, opened, parameters, Record(opened, SIGNALS), origins, 6)["y"]
    assert found.shape == (6, 3, 1)
    for column, origin in enumerate(origins):
        expected = by_hand(opened, parameters, origin, origin + 6)
        assert relative(found[:, [column]], expected) < 1e-12, origin


def test_one_step_ahead_is_the_open_loop_of_the_whole_record() -> None:
    opened = module_of(WITH_STATE, measured=["y"])
    parameters, record = opened.initial_parameters(1), Record(opened, SIGNALS)
    whole = opened.forward(parameters, *_args(record, 79))["y"]
    found = predicted(opened, parameters, record, 40, 80)["y"]
    assert relative(found, whole[37:]) < 1e-12


def test_states_that_nobody_measured_are_warmed_up() -> None:
    module = module_of(LSTM)
    parameters, record = module.initial_parameters(1), Record(module, SIGNALS)
    whole = module.forward(parameters, *_args(record, 79))
    assert relative(predicted(module, parameters, record, 50, 80)["y"], whole["y"][50:]) < 1e-12
    found = outside(module, parameters, record, 50, 30)
    assert np.allclose(found["c_memory"][0], whole["c_memory"][49])
    short = outside(module, parameters, record, 50, 30, warm_up=5)
    assert not np.allclose(short["c_memory"], found["c_memory"], atol=1e-6)


# Samples.


def letters() -> tuple[Any, Any, Vocabulary]:
    module = module_of(CHARACTERS, extras=["step"])
    return module, initial_parameters(module, "glorot", 2), Vocabulary(" \n,.abcde")


def test_samples_are_drawn_from_the_outputs_of_the_whole_sequence() -> None:
    module, parameters, vocabulary = letters()
    text = sample(module, parameters, vocabulary, "ab", 12, temperature=0)
    assert text == sample(module, parameters, vocabulary, "ab", 12, temperature=0)
    codes = vocabulary.encode("ab" + text)
    rows = np.eye(9)[codes][:, None]
    probabilities = module.forward(parameters, {"now": rows})["next"][:, 0]
    assert np.array_equal(probabilities[1:-1].argmax(-1), codes[2:])


def test_the_temperature_sharpens() -> None:
    module, parameters, vocabulary = letters()
    first = module.forward(parameters, {"now": np.eye(9)[[4]][:, None]})["next"][0, 0]
    for temperature in (0.5, 1.0, 3.0):
        drawn = [
            sample(module, parameters, vocabulary, "a", 1, temperature=temperature, seed=s)
            for s in range(1500)
        ]
        counts = np.array([drawn.count(c) for c in vocabulary.characters]) / len(drawn)
        expected = first ** (1 / temperature)
        assert np.abs(counts - expected / expected.sum()).max() < 0.05


def test_prompts_that_cannot_be() -> None:
    module, parameters, vocabulary = letters()
    with pytest.raises(UserError, match="empty"):
        sample(module, parameters, vocabulary, "", 3)
    with pytest.raises(UserError, match="'Z'"):
        sample(module, parameters, vocabulary, "Z", 3)
    with pytest.raises(UserError, match="no model of characters"):
        sample(module_of(LSTM, extras=["step"]), {}, vocabulary, "a", 3)


# Residuals.


def test_correlations() -> None:
    rng = np.random.default_rng(0)
    u, white = rng.standard_normal((2, 4000))
    late = np.zeros(4000)
    late[3:] = u[:-3]
    found = cross_correlation(u, late, 5)
    assert found[5 + 3] == pytest.approx(1, abs=0.01)
    assert np.abs(np.delete(found, 8)).max() < 0.06
    assert autocorrelation(white, 5)[0] == pytest.approx(1)
    assert outside_bounds(autocorrelation(white, 400)[1:], 4000) == pytest.approx(0.05, abs=0.03)
    coloured = np.convolve(white, [1, 0.5], "valid")
    assert autocorrelation(coloured, 1)[1] == pytest.approx(0.4, abs=0.03)
    assert bound(400) == pytest.approx(0.098, abs=1e-3)
    assert not cross_correlation(np.ones(9), white[:9], 2).any()
    with pytest.raises(ValueError, match="lags"):
        autocorrelation(white[:3], 5)


# Initial parameters.


@pytest.mark.parametrize("method", METHODS)
def test_initial_parameters_are_seeded_and_by_layer(method: str) -> None:
    module = module_of(LSTM)
    first = initial_parameters(module, method, 1)
    again = initial_parameters(module, method, 1)
    other = initial_parameters(module, method, 2)
    assert list(first) == list(module.PARAMETERS)
    for name, shape in module.PARAMETERS.items():
        assert first[name].shape == shape
        assert np.array_equal(first[name], again[name])
        if name.startswith(("W", "U")):
            assert not np.array_equal(first[name], other[name])
    mixed = initial_parameters(module, {"y": method, "default": "he"}, 1)
    assert np.array_equal(mixed["W_y_memory"], first["W_y_memory"])
    assert np.array_equal(mixed["U_f_memory"], initial_parameters(module, "he", 1)["U_f_memory"])
    assert initial_parameters(module, method, 1, np.float32)["U_f_memory"].dtype == np.float32


BIG = """
name = "big"
[inputs]
x = 60
[layers.h]
size = 80
activation = "tanh"
from = { x = [0], h = [1] }
[layers.y]
size = 40
activation = "linear"
from = { h = [0] }
[loss]
y = "mse"
"""


def test_initial_distributions() -> None:
    module = module_of(BIG)
    made = {m: initial_parameters(module, m, 0) for m in METHODS}
    assert np.abs(made["uniform"]["W_h_x"]).max() == pytest.approx(1 / np.sqrt(60), rel=0.01)
    assert np.abs(made["glorot"]["W_h_x"]).max() == pytest.approx(np.sqrt(6 / 140), rel=0.01)
    assert made["he"]["W_h_x"].std() == pytest.approx(np.sqrt(2 / 60), rel=0.05)
    q = made["orthogonal"]["W_h_h_1"]
    assert np.allclose(q @ q.T, np.eye(80), atol=1e-12)
    wide = made["orthogonal"]["W_y_h"]
    assert np.allclose(wide @ wide.T, np.eye(40), atol=1e-12)
    length = 0.7 * 80 ** (1 / 140)
    rows = np.concatenate([made["nguyen_widrow"][n] for n in ("W_h_x", "W_h_h_1")], axis=1)
    assert np.allclose(np.linalg.norm(rows, axis=1), length)
    assert 0 < np.abs(made["nguyen_widrow"]["b_h"]).max() <= length
    for method in ("uniform", "glorot", "he", "orthogonal"):
        assert not made[method]["b_h"].any()


def test_initialisations_that_do_not_exist() -> None:
    module = module_of(BIG)
    with pytest.raises(UserError, match="did you mean 'glorot'"):
        initial_parameters(module, "glorott")
    with pytest.raises(UserError, match="no layer 'z'"):
        initial_parameters(module, {"z": "he"})
