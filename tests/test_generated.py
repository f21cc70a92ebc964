"""generated/ is what the project makes today, byte for byte, whatever the hash seed."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bptt.codegen.emit import generate
from bptt.derive import build, load

FOLDER = Path(__file__).parent.parent / "generated"
TOPOLOGIES = sorted(FOLDER.glob("*.toml"))


def test_the_shelf_is_full() -> None:
    names = {path.stem for path in TOPOLOGIES}
    assert names >= {
        "elman", "jordan", "narx", "tdnn", "feedback", "two_in_two_out", "lstm", "gru", "char_lstm",
        "bidirectional", "stacked_bidirectional", "peephole", "lstm_variants", "gru_conventions",
        "own_gates", "bahdanau", "luong", "self_attention", "own_past", "delta_rule",
        "many_to_one", "one_to_many", "clockwork", "residual_tied", "perceptron", "radial_basis",
        "derivatives", "viterbi",
    }  # fmt: skip


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda p: p.stem)
def test_remade_byte_for_byte(path: Path) -> None:
    network = load(path)
    for name, text in generate(build(network), network.extras).files().items():
        kept = (FOLDER / name).read_text(encoding="utf-8")
        difference = "".join(
            difflib.unified_diff(kept.splitlines(True), text.splitlines(True), name, "remade")
        )
        assert not difference, f"{difference}\nif this is meant, run: make generated"


def test_nothing_else_lies_there() -> None:
    made = {f"{p.stem}{end}" for p in TOPOLOGIES for end in (".toml", ".py", ".tex")}
    made |= {f"test_{p.stem}.py" for p in TOPOLOGIES}
    assert {p.name for p in FOLDER.iterdir() if p.is_file()} == made


@pytest.mark.parametrize("name", ["feedback", "char_lstm", "derivatives", "self_attention"])
def test_same_bytes_under_every_hash_seed(name: str, tmp_path: Path) -> None:
    texts = set()
    for seed in ("0", "1", "42", "4294967295"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "bptt", "generate", FOLDER / f"{name}.toml", "-o", folder],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        texts.add(tuple((folder / f).read_bytes() for f in sorted(os.listdir(folder))))
    assert len(texts) == 1
    assert texts.pop() == tuple(
        (FOLDER / f).read_bytes() for f in (f"{name}.py", f"{name}.tex", f"test_{name}.py")
    )


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda p: p.stem)
def test_stands_alone(path: Path, tmp_path: Path) -> None:
    """The module and its test run in an empty folder, isolated from this project."""
    for name in (f"{path.stem}.py", f"test_{path.stem}.py"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    blocker = (
        "import sys, runpy; sys.path.insert(0, '.')\n"
        "for name in ('sympy', 'jinja2', 'derive', 'codegen', 'scipy'): sys.modules[name] = None\n"
        f"runpy.run_path('test_{path.stem}.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", blocker],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worst" in done.stdout
