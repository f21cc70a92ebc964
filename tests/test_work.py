"""The work of a derivation is bounded by its size: linear in connections, refused above a bound."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

import pytest
from click.testing import CliRunner

from bptt import codegen, derive
from bptt.codegen import extras
from bptt.codegen.emit import source_of
from bptt.codegen.extras import extend, fully_extended
from bptt.commands.main import main
from bptt.derive import Connection, Layer, LossSpec, Network, UserError, adjoint, build
from bptt.derive.calculus.dependence import dependences, dependent

LINEAR = ("jvp", "hvp", "gnvp", "truncated", "checkpoints", "step", "carry")


def chain(count: int) -> Network:
    """Layers that each read two earlier ones, every third of them a gated cell."""
    layers = [Layer("l0", 2, (Connection("x"), Connection("l0", 1)))]
    for n in range(1, count):
        sources = (Connection(f"l{n - 1}"), Connection(f"l{n // 2}", 1))
        cell = "gru" if n % 3 == 0 else None
        layers.append(Layer(f"l{n}", 1 + n % 3, sources, cell=cell))
    return Network("chain", {"x": 2}, tuple(layers), (LossSpec(f"l{count - 1}"),))


def calls(count: int) -> dict[object, int]:
    """How often each of this project's functions is called to generate a module of a chain."""
    profile = cProfile.Profile()
    profile.runcall(lambda: source_of(extend(adjoint(build(chain(count))), LINEAR)))
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    rooms = tuple(str(Path(room.__file__).parent) for room in (derive, codegen))
    return {place: numbers[1] for place, numbers in found.items() if place[0].startswith(rooms)}


def test_twice_the_layers_take_twice_the_work() -> None:
    few, many = calls(10), calls(20)
    often = [place for place, number in many.items() if number > 2.4 * max(few.get(place, 0), 100)]
    assert not often, f"called more than twice as often for twice the layers: {often}"


def test_what_depends_on_what_in_one_pass() -> None:
    system = adjoint(build(chain(7)))
    names = [q.name for q in system.of_role("parameter")]
    found = dependences(system, names)
    for place, name in enumerate(names):
        by_bits = {quantity for quantity, bits in found.items() if bits >> place & 1}
        assert by_bits == dependent(system, {name}) - {name}


def test_what_grows_with_the_square_is_refused_above_a_bound() -> None:
    derived = adjoint(build(chain(30)))
    for name in ("jacobian", "residuals", "rtrl"):
        with pytest.raises(UserError, match=r"are \d+ equations, and up to 1000 are derived"):
            extend(derived, [name])
    found, refused = fully_extended(derived)
    assert found.names == LINEAR
    assert refused.keys() == {"jacobian", "residuals", "rtrl"}


def test_adjoints_of_many_outputs_are_refused_above_a_bound() -> None:
    shared = [Layer("l0", 1, (Connection("x", weight="W"),), "tanh", bias=False)]
    for n in range(1, 50):
        source = Connection(f"l{n - 1}", weight="W")
        shared.append(Layer(f"l{n}", 1, (source,), "tanh", bias=False))
    losses = tuple(LossSpec(layer.name) for layer in shared)
    derived = adjoint(build(Network("tied", {"x": 1}, tuple(shared), losses)))
    assert extend(derived, ["rtrl"]).names == ("rtrl",)
    with pytest.raises(UserError, match=r"adjoints that jacobian needs .* are 2"):
        extend(derived, ["jacobian"])


def test_all_of_a_large_network_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "MOST_TERMS", 10)
    narx = Path(__file__).parent.parent / "generated" / "narx.toml"
    done = CliRunner().invoke(main, ["generate", str(narx), "--with", "all", "-o", str(tmp_path)])
    assert done.exit_code == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("bptt: without jvp, jacobian, residuals, hvp, gnvp, ")
    assert "terms; beyond 10 further derivatives are derived when they are named" in line
    assert "def step(" in (tmp_path / "narx.py").read_text(encoding="utf-8")
    named = CliRunner().invoke(main, ["generate", str(narx), "--with", "jvp", "-o", str(tmp_path)])
    assert named.exit_code == 0
