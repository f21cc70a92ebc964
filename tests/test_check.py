"""A check that does not notice is no check: every line of a module, corrupted on purpose."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bptt.codegen.check import ModuleFailureError, check
from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.codegen.locate import first_wrong
from bptt.commands.main import main
from bptt.derive import adjoint, build, load, loads

FOLDER = Path(__file__).parent.parent / "generated"
# A statement on one line, with its equation's number.
SPOILT = re.compile(r"^( +\w+) = (?![^#]*(?:\bout=|\(  #))(.*# ((?:\(\d+\) ?)+).*)$")
EQUATION = re.compile(
    r"^( +)(?:([A-Za-z_]\w*)(?:\[[^=]*?\])? [-+*]?= |np\.\w+\(.*out=(\w+)\)).*# \("
)


def corruptions(source: str) -> list[tuple[str, str, str]]:
    """Each computing line with the name that it computes, and the source with it spoilt."""
    lines = source.splitlines()
    found = []
    for number, line in enumerate(lines):
        match = EQUATION.match(line)
        if match and not line.partition("  #")[0].endswith("("):
            name = match[2] or match[3]
            spoilt = f"{match[1]}{name} = {name} * 1.001 if np.ndim({name}) == 0 else {name}"
            inplace = f"{match[1]}np.multiply({name}, 1.001, out={name}) if np.ndim({name}) else 0"
            changed = [*lines[: number + 1], inplace, spoilt, *lines[number + 1 :]]
            found.append((line.strip(), name, "\n".join(changed)))
    return found


@pytest.mark.parametrize("name", ["narx", "two_in_two_out", "gru"])
def test_every_spoilt_line_is_noticed(name: str) -> None:
    system = build(load(FOLDER / f"{name}.toml"))
    spoilt = corruptions((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    kinds = {target.split("_")[0] for _, target, _ in spoilt}
    assert len(spoilt) > 20
    assert "d" in kinds, "no line of a derivative was spoilt"
    for line, target, source in spoilt:
        wrong = {r.name for r in check(system, source) if not r.passed}
        assert wrong, f"unnoticed: {line}"
        gradient = target.removeprefix("d_")
        if target.startswith("d_") and gradient in (q.name for q in system.of_role("parameter")):
            assert wrong == {gradient}, f"{line}: {wrong} instead of {gradient}"


SLIPS = {
    "a lost transpose": ("@ W_hidden_position_1  #", "@ W_hidden_position_1.T.T[::-1]  #"),
    "a shift in time": ("d_n_hidden[t + 2] @", "d_n_hidden[t + 1] @"),
    "a lost square": ("1 - hidden ** 2", "1 - hidden"),
    "a factor": ("2 / (B * T)", "1 / (B * T)"),
    "a sign": ("d_current[:T - 1] += ", "d_current[:T - 1] -= "),
    "the wrong rows": ("_rows(position[1:T + 1])", "_rows(position[:T])"),
    "a wrong guard": ("if t < T - 2:", "if t < T - 3:"),
    "a wrong initial value": ("d_initial[1:] +=", "d_initial[:1] +="),
    "a wrong output": ("np.tanh(n_hidden_t", "np.sin(n_hidden_t"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named(slip: str) -> None:
    old, new = SLIPS[slip]
    source = (FOLDER / "narx.py").read_text(encoding="utf-8")
    assert old in source
    results = check(build(load(FOLDER / "narx.toml")), source.replace(old, new))
    wrong = {r.name for r in results if not r.passed}
    named = {
        "a sign": {"current"},
        "the wrong rows": {"W_hidden_position_1"},
        "a wrong initial value": {"initial_position", "initial_current"},
    }
    if slip == "a lost transpose":
        assert wrong  # the weight has one column: only its order can be lost
    else:
        assert wrong >= named.get(slip, {"W_hidden_current"}), wrong
        assert slip not in named or wrong == named[slip]


@pytest.mark.parametrize("name", ["gru", "self_attention"])
def test_the_first_wrong_equation_is_named(name: str) -> None:
    """However much a line spoils, its own equation is the one that is named, with the line."""
    network = load(FOLDER / f"{name}.toml")
    extended = extend(adjoint(build(network)), network.extras)
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    rng = random.Random(4)
    numbered = [n for n, line in enumerate(lines) if SPOILT.search(line)]
    seen = set()
    for place in rng.sample(numbered, 6):
        changed = SPOILT.sub(r"\1 = 1.5 * \2", lines[place])
        fault = first_wrong(extended, "\n".join((*lines[:place], changed, *lines[place + 1 :])))
        assert fault is not None, changed
        numbers = re.findall(r"\((\d+)\)", SPOILT.search(lines[place])[3])
        assert str(fault.number) in numbers
        assert fault.lines == (place + 1,)
        seen.add(fault.quantity)
    assert len(seen) > 3
    assert first_wrong(extended, "\n".join(lines)) is None


def test_the_command_says_which_line_is_wrong(tmp_path: Path) -> None:
    source = (FOLDER / "gru.py").read_text(encoding="utf-8")
    old = "= (1 - z_memory) * (1 - n_memory ** 2)"
    assert source.count(old) == 1
    path = tmp_path / "gru.py"
    path.write_text(source.replace(old, old.replace("1 -", "1 +", 1)), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", str(FOLDER / "gru.toml"), "--module", str(path)])
    assert done.exit_code == 1
    line = 1 + source[: source.index(old)].count("\n")
    words = (
        f"gru.py, line {line}: equation (15), d_n_n_memory, is the first that is wrong; it spoils"
    )
    assert words in done.stderr


def test_what_was_changed_by_hand_is_not_overwritten(tmp_path: Path) -> None:
    def generate(*options: str) -> Result:
        given = ["generate", str(FOLDER / "elman.toml"), "-o", str(tmp_path), *options]
        return CliRunner().invoke(main, given)

    module = tmp_path / "elman.py"
    assert generate().exit_code == generate().exit_code == generate("--with", "hvp").exit_code == 0
    for text in ("", "mine = 1\n", module.read_text(encoding="utf-8").replace("tanh", "sin", 1)):
        module.write_text(text, encoding="utf-8")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        done = generate()
        assert done.exit_code == 2
        assert "elman.py: somebody has changed this file" in done.stderr
        assert "--force" in done.stderr
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert generate("--force").exit_code == 0
    assert module.read_bytes() == (FOLDER / "elman.py").read_bytes()


def test_a_module_that_does_not_run_is_a_failure() -> None:
    system = build(load(FOLDER / "narx.toml"))
    source = (FOLDER / "narx.py").read_text(encoding="utf-8")
    for broken in ("def (", "raise OSError('x')", source.replace(".reshape(-1, B, 10)", "")):
        with pytest.raises(ModuleFailureError):
            check(system, broken)


def test_nan_is_wrong() -> None:
    system = build(load(FOLDER / "narx.toml"))
    source = (FOLDER / "narx.py").read_text(encoding="utf-8")
    spoilt = source.replace(
        '    arrays["d_b_hidden"] =', '    d_b_hidden[0] = np.nan\n    arrays["d_b_hidden"] ='
    )
    assert {r.name for r in check(system, spoilt) if not r.passed} == {"b_hidden"}


SHARED = """
equations = "y[t] = softmax(W @ x[t] + exp(a * x[t][0] + 12))"
[inputs]
x = 2
[signals]
y = 3
[parameters]
a = []
[loss]
y = "cross_entropy"
"""


def test_rounding_alone_is_not_wrong() -> None:
    """What all classes share has no gradient, and what its large summands leave is rounding."""
    system = build(loads(SHARED))
    source = module_source(adjoint(system))
    assert all(r.passed for r in check(system, source))
    spoilt = source.replace('arrays["d_a"] = d_a', 'arrays["d_a"] = d_a + d_a.dtype.type(1e-4)')
    assert {r.name for r in check(system, spoilt) if not r.passed} == {"a"}


def test_the_module_of_another_network_is_refused() -> None:
    source = (FOLDER / "lstm.py").read_text(encoding="utf-8")
    with pytest.raises(ModuleFailureError, match="PARAMETERS are not those of narx"):
        check(build(load(FOLDER / "narx.toml")), source)
