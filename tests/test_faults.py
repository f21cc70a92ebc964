"""Whose fault it is: a bug of the project comes to light, and never counts as an answer."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bptt.codegen import extras
from bptt.codegen.check import ModuleFailureError, check
from bptt.commands import main as commands
from bptt.derive import InternalError, UserError, adjoint, build, loads
from bptt.derive.audit import by_hand, derived, proof, repair, verdict
from bptt.derive.audit.by_hand import compare_by_hand
from bptt.derive.language import syntax
from bptt.training import checkpoint, model
from bptt.training.data.files import load_npz
from tests.claims import audited, claims_of, elman

checking = import_module("bptt.codegen.check")
NET = """
name = "net"
[inputs]
x = 2
[layers.y]
size = 2
activation = "tanh"
from = { x = [0], y = [1] }
[loss]
y = "mse"
"""
RIGHT = "total(L, c) = sum_t total(L, o[t])"
# No single slip leads from here to what is right.
FAR = "total(L, U) = sum_t W @ W @ W @ total(L, o[t]) @ x[t].T @ V.T @ o[t]"


class BugError(Exception):
    """What a bug of ours raises, whichever it is."""


def broken(*given: Any, **named: Any) -> Any:
    raise BugError


@pytest.mark.parametrize(
    ("module", "name", "claim"),
    [
        (proof, "adjoint", RIGHT),
        (proof, "expanded", RIGHT),
        (proof, "derived_equation", RIGHT),
        (proof, "terms_of", RIGHT),
        (verdict, "proves", RIGHT),
        (repair, "expanded", RIGHT.replace("sum_t", "2*sum_t")),
        (repair, "proves", RIGHT.replace("sum_t", "2*sum_t")),
        (repair, "derived_sides", FAR),
        (derived, "expanded", FAR),
        (derived, "derived_equation", FAR),
        (derived, "matrix_statement", FAR),
        (derived, "limited", FAR),
    ],
)
@pytest.mark.parametrize("bug", [BugError, InternalError, RecursionError, IndexError])
def test_a_bug_of_the_audit_is_no_verdict(
    module: ModuleType,
    name: str,
    claim: str,
    bug: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: Any, **named: Any) -> Any:
        raise bug

    monkeypatch.setattr(repair, "BUDGET", 2_000)
    monkeypatch.setattr(module, name, fails)
    with pytest.raises(bug):
        audited(elman(claim))


@pytest.mark.parametrize("name", ["read_equations", "index_statement", "is_computable"])
def test_a_bug_explains_no_gradient_written_by_hand(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_hand, name, broken)
    with pytest.raises(BugError):
        compare_by_hand(loads(NET), wrong_gradients)


def test_a_bug_of_the_interpreter_explains_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    values = by_hand.Instance.values

    def fails(self: Any, added: Any = None, held: Any = None, of: Any = None) -> Any:
        if of is not None:
            raise KeyError(of)
        return values(self, added, held, of)

    monkeypatch.setattr(by_hand.Instance, "values", fails)
    with pytest.raises(KeyError):
        compare_by_hand(loads(NET), wrong_gradients)


def wrong_gradients(parameters: dict[str, Any], inputs: Any, targets: Any) -> dict[str, Any]:
    return {name: np.full_like(array, 0.3) for name, array in parameters.items()}


@pytest.mark.parametrize("name", ["interpret", "source_of_test", "boundary_values", "adjoint"])
def test_a_bug_of_the_check_is_no_failure_of_the_module(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = build(loads(NET))
    source = checking.module_source(adjoint(system))
    monkeypatch.setattr(checking, name, broken)
    for given in (None, source):
        with pytest.raises(BugError):
            check(system, given)


def test_a_module_that_is_generated_and_fails_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(loads(NET))
    for source in ("def (", "raise OSError('x')", "PARAMETERS = {}"):
        with pytest.raises(ModuleFailureError):
            check(system, source)
        monkeypatch.setattr(checking, "module_source", lambda *given, source=source: source)
        with pytest.raises(InternalError, match="that is generated for net fails"):
            check(system)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y": arrays["y"]', '"z": arrays["y"]'),
        ('"y": arrays["y"]', '"y": "two"'),
        ('"y": arrays["y"]', '"y": arrays["y"][:, 0], "none": arrays["y"]'),
        ('return arrays["loss"]', 'return arrays["loss"] + np.zeros(2)'),
        ('return arrays["loss"]', "return None"),
    ],
)
def test_what_a_module_returns_is_looked_at(old: str, new: str) -> None:
    system = build(loads(NET))
    source = checking.module_source(adjoint(system))
    assert old in source
    with pytest.raises(ModuleFailureError):
        check(system, source.replace(old, new))


def test_a_step_that_breaks_is_no_extra_that_a_network_cannot_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(extras._STEPS, "jvp", broken)
    with pytest.raises(BugError):
        extras.possible_extras(adjoint(build(loads(NET))))


# What has no value is the network's, whichever function it comes from.


def test_the_logarithm_of_zero_is_said() -> None:
    text = NET.replace("[layers.y]", "").split("size = 2")[0]
    text = f"""{text}
[signals]
y = 2
[loss]
y = "mse"
""".replace('name = "net"', 'name = "net"\nequations = "y[t] = log(relu(-x[t]*x[t]))"')
    with pytest.raises(UserError, match="overflow"):
        check(build(loads(text)))
    (claim,) = claims_of(
        '[network]\nequations = "y[t] = log(x[t])\\nL = sum(sum(y[t]), t)"\n'
        '[network.inputs]\nx = "n"\n[draw]\nx = "zero"\n[[claims]]\ntext = "L = sum_t sum(y[t])"\n'
    )
    assert "a side is no number" in audited(claim).error


# Trees as high as are read, and higher.


def nested(levels: int, terms: int, leaf: str) -> str:
    for _ in range(levels):
        leaf = f"({leaf}{' + 2' * terms})"
    return leaf


def test_what_is_read_can_be_judged() -> None:
    high = nested(29, 7, "L")
    found = audited(elman(f"{high} = {high}"))
    assert found.status == "holds", found.error
    tower = "\n".join(f'q{n} = "q{n - 1} + 1"' for n in range(1, 78))
    stacked = elman("q77 = L + 77", more=f'q0 = "L"\n{tower}')
    assert audited(stacked).status == "holds"


@pytest.mark.parametrize(
    ("claim", "more"),
    [
        (f"L = {nested(30, 8, 'L')}", ""),
        (f"\\nabla_c L = {nested(15, 20, 'L')}", ""),
        ("q0 = L", '"q0" = "' + nested(20, 8, "q1") + '"\nq1 = "' + nested(20, 8, "L") + '"'),
    ],
)
def test_what_is_too_high_is_refused(claim: str, more: str) -> None:
    with pytest.raises(UserError, match=f"deeper than {syntax.MAX_HEIGHT} operations"):
        elman(claim, more=more)


# Files of a run that somebody has changed.


def forged(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """A whole checkpoint whose content is another than is written."""
    arrays: dict[str, Any] = {"vector": np.zeros(3), "best": np.zeros(3)}
    about: dict[str, Any] = {
        "format": checkpoint.FORMAT,
        "identity": {},
        "progress": dict.fromkeys(checkpoint._PLAIN, 0),
        "history": [{"loss": 1.0}],
        "stopped": "",
        "diverged": False,
        "state": {"steps": 0, "loss": 1.0, "gradient_norm": 1.0, "report": {}, "done": ""},
    }
    change(arrays, about)
    path.write_bytes(checkpoint.packed(arrays, about))


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "no vector": lambda arrays, about: arrays.pop("vector"),
    "a matrix": lambda arrays, about: arrays.update(best=np.zeros((3, 1))),
    "whole numbers": lambda arrays, about: arrays.update(vector=np.zeros(3, int)),
    "not finite": lambda arrays, about: arrays.update(best=np.full(3, np.nan)),
    "two lengths": lambda arrays, about: arrays.update(best=np.zeros(4)),
    "no progress": lambda arrays, about: about.pop("progress"),
    "a list": lambda arrays, about: about.update(progress=[]),
    "half a step": lambda arrays, about: about["progress"].update(epoch=0.5),
    "a step before the first": lambda arrays, about: about["state"].update(steps=-1),
    "no state": lambda arrays, about: about.update(state=None),
    "a word": lambda arrays, about: about["state"].update(loss="low"),
    "a row": lambda arrays, about: about.update(history=[["loss"]]),
    "words": lambda arrays, about: about["history"].append({"loss": "low"}),
    "a truth value": lambda arrays, about: about.update(diverged="no"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_forged_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    forged(path, CHANGES[name])
    with pytest.raises(UserError, match="is no checkpoint; start anew"):
        checkpoint.load(path)


def test_a_bug_is_no_damaged_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.npz"
    forged(path, lambda arrays, about: about["state"].update(more=1))
    found, _ = checkpoint.load(path)
    assert found.state.loss == 1.0
    monkeypatch.setattr(checkpoint, "State", broken)
    with pytest.raises(BugError):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[" * 5000, "7", "[]", "{}", '{"topology": 7}', "1" * 5000),
        '{"topology":"","measured":"y","scales":{},"vocabulary":"","digest":""}',
        '{"topology":"","measured":[],"scales":{"y":[]},"vocabulary":"","digest":""}',
        '{"topology":"","measured":[],"scales":{"y":{"centre":["a"],"spread":[1.0]}},'
        '"vocabulary":"","digest":""}',
        '{"topology":"","measured":[],"scales":{},"vocabulary":7,"digest":""}',
        '{"topology":"","measured":[],"scales":{},"vocabulary":null}',
    ],
)
def test_a_description_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / model.ABOUT).write_text(text)
    with pytest.raises(UserError, match="no description of a trained network"):
        model.load_model(tmp_path)


@pytest.mark.parametrize("described", ["('<f8',)", "5", "{'a': 1}", "'O'", "[", "'<f8'}"])
def test_arrays_with_a_forged_head_are_refused(described: str, tmp_path: Path) -> None:
    head = f"{{'descr': {described}, 'fortran_order': False, 'shape': (2,)}}".encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        length = len(head).to_bytes(2, "little")
        archive.writestr("u.npy", b"\x93NUMPY\x01\x00" + length + head + bytes(16))
    path = tmp_path / "x.npz"
    path.write_bytes(stream.getvalue())
    with pytest.raises(UserError, match="plain arrays, or damaged"):
        load_npz(str(path))


# The command.


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (UserError("a slip", remedy="mend it"), 2, "a slip; mend it"),
        (InternalError("a hole"), 3, "this is a bug of bptt"),
        (KeyError("x"), 3, "this is a bug of bptt"),
        (RecursionError("x"), 3, "this is a bug of bptt"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.jinja"), 3, "this is a bug of bptt"),
        (OSError("of whom?"), 3, "this is a bug of bptt"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_the_status_says_whose_fault_it_is(
    raised: BaseException,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: Any, **options: Any) -> Any:
        raise raised

    monkeypatch.setattr(commands, "files_of", fails)
    (tmp_path / "net.toml").write_text(NET)
    arguments = ["generate", str(tmp_path / "net.toml"), "-o", str(tmp_path)]
    found: Result = CliRunner().invoke(commands.main, arguments)
    assert found.exit_code == status, found.output
    assert said in found.stderr
    assert ("Traceback" in found.stderr and "test_faults.py" in found.stderr) == (status == 3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_nobodys_fault(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(NET)
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [sys.executable, "-m", "bptt", "show", str(tmp_path / "net.toml")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert found.returncode == 2
    assert "cannot be written (No space left" in found.stderr
    assert "Traceback" not in found.stderr
