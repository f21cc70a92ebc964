"""Opened loops: with its own outputs for measurements, a network does what it does closed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.commands.main import main
from bptt.derive import build
from bptt.derive.calculus.open_loop import MEASURED, fed_back, opened
from bptt.derive.calculus.system import System
from bptt.derive.description.topology import load, loads
from bptt.derive.errors import UserError
from tests.judge import moderate_example
from tests.numeric import derivative, module_of, relative
from tests.random_networks import draw, draw_equations


def fed_back_names(system: System) -> list[str]:
    return [q.name for q in system.of_role("signal") if not q.internal and fed_back(system, q)]


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
def test_an_opened_network_follows_its_own_outputs(kind: object, seed: int) -> None:
    assert callable(kind)
    system = build(kind(seed))
    names = fed_back_names(system)
    if not names:
        return
    chosen = names[: 1 + seed % 2]
    closed, opening = module_of(system), module_of(opened(system, chosen))
    assert closed.PARAMETERS == opening.PARAMETERS
    example = moderate_example(closed, seed)
    signals = closed.forward(example.parameters, example.inputs, example.initial, **example.free)
    inputs = example.inputs | {MEASURED + n: signals[n] for n in chosen}
    # By signal and side: which of both sides has the plain name may differ between the two.
    known = {
        (closed.AFTER.get(key, key), key in closed.AFTER): values
        for key, values in example.initial.items()
    }
    initial = {}
    for key, shape in opening.INITIAL.items():
        signal, after = opening.AFTER.get(key, key), key in opening.AFTER
        values = known[signal.removeprefix(MEASURED), after]
        initial[key] = values[: shape[0]] if after else values[-shape[0] :]
    with np.errstate(all="ignore"):
        found = opening.forward(example.parameters, inputs, initial)
    for name, expected in signals.items():
        assert relative(found[name], expected, 1e-3) < 1e-11, f"seed {seed}: {name}"


@pytest.mark.parametrize("seed", range(10))
def test_gradients_of_an_opened_network(seed: int) -> None:
    system = build(draw(seed))
    names = fed_back_names(system)
    if not names:
        return
    module = module_of(opened(system, names[:1]))
    example = moderate_example(module, seed)
    _, gradients = module.loss_and_gradients(*example.arguments)
    floor = 1e-4 * max(float(np.abs(g).max(initial=0.0)) for g in gradients.values())
    for name, gradient in gradients.items():
        exact = derivative(module, example, name, "complex")
        assert relative(gradient, exact, floor) < 1e-10, f"seed {seed}: {name}"


def test_same_step_reads_and_other_layers_stay() -> None:
    system = opened(build(load("generated/narx.toml")), ["position"])
    assert system.name == "narx_open"
    assert "measured_position" in system.definitions["n_hidden"].needs
    assert "position" not in system.definitions["n_hidden"].needs
    assert "position" in system.definitions["loss"].needs


@pytest.mark.parametrize(
    ("name", "said"),
    [("hidden", "is not fed back"), ("positon", "did you mean"), ("current", "is not fed back")],
)
def test_what_cannot_be_opened(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        opened(build(load("generated/narx.toml")), [name])


def test_an_input_is_not_taken_for_a_measurement() -> None:
    """Names that begin like those of opened loops are refused, as others that are made here."""
    text = Path("generated/narx.toml").read_text().replace("current", "measured_current")
    with pytest.raises(UserError, match="names that begin with measured_ are made here"):
        build(loads(text))


def test_every_command_opens_loops(tmp_path: Path) -> None:
    """A module of its own name beside the closed one, checked like any other."""
    invoke = CliRunner().invoke
    given = ["generated/narx.toml", "--open", "position"]
    assert invoke(main, ["generate", *given, "-o", str(tmp_path)]).exit_code == 0
    assert {p.name for p in tmp_path.iterdir()} == {
        "narx_open.py",
        "test_narx_open.py",
        "narx_open.tex",
    }
    assert "measured_position" in invoke(main, ["show", *given]).output
    assert invoke(main, ["check", *given, "--with", "jacobian,carry"]).exit_code == 0
    assert "measured_position" in invoke(main, ["markdown", *given]).output
    wrong = invoke(main, ["show", "generated/narx.toml", "--open", "hidden"])
    assert wrong.exit_code == 2
    assert "--open: 'hidden' is not fed back" in wrong.output
