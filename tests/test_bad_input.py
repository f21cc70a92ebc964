"""What a stranger's file may hold: one clear sentence, status 2, nothing written."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bptt.commands.main import main

FOLDER = Path(__file__).parent.parent / "generated"
NARX = (FOLDER / "narx.toml").read_text(encoding="utf-8")
EQUATIONS = (FOLDER / "equations.toml").read_text(encoding="utf-8")
CELL = (FOLDER / "own_cell.toml").read_text(encoding="utf-8")


def layer(**changes: str) -> str:
    """A network of one layer, with some keys replaced by other TOML text."""
    keys = {"size": "3", "activation": '"tanh"', "from": "{ x = [0] }"} | changes
    body = "\n".join(f"{key} = {value}" for key, value in keys.items() if value)
    return f'[inputs]\nx = 2\n[layers.y]\n{body}\n[loss]\ny = "mse"\n'


def named(name: str) -> str:
    keys = 'size = 1\nactivation = "tanh"\nfrom = { x = [0] }'
    return f'[inputs]\nx = 2\n[layers."{name}"]\n{keys}\n[loss]\n"{name}" = "mse"\n'


def equation(text: str, more: str = "") -> str:
    tables = f"[inputs]\nx = 2\n[signals]\ny = 3\n{more}[loss]\ny = 'mse'\n"
    return f"equations = '''\n{text}\n'''\n{tables}"


ON_S = 'z = { size = 2, time = "S" }\nk = { mask = true, time = "S" }\nm = { mask = true }\n'


def two_axes(text: str, loss: str = 'y = "mse"') -> str:
    """Equations on two axes of steps, with a mask on each."""
    tables = f"[inputs]\nx = 2\n{ON_S}[signals]\ny = 3\n[loss]\n{loss}\n"
    return f"equations = '''\n{text}\n'''\n{tables}"


# The text of a file, and words that the sentence must hold.
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "index of nothing": (equation("y[t] = W @ x[s]"), ("'s'", "neither")),
    "index of steps or of units": (
        equation("y[t] = tanh(u[0])", "[inputs.u]\nsize = 2\ntime = []\n"),
        ("'t'", "steps or of units"),
    ),
    "index of steps or of units beside steps": (
        equation("y[t,s] = tanh(x[t,0])"), ("'s'", "steps or of units"),
    ),
    "two lengths, one index": (two_axes("y[t] = W @ x[t] + V @ z[t]"), ("along T", "along S")),
    "within a second axis": (
        two_axes("e[t,s] = u @ x[t] + v @ z[s]\ny[t] = e[t,3] * (W @ x[t])"), ("second axis",),
    ),
    "three axes": (two_axes("y[t,s,r] = W @ x[t]"), ("3 axes",)),
    "every of a signal": (equation("y[t] = every(x[t], 2) * (W @ x[t])"), ("every",)),
    "every half step": (equation("y[t] = every(t/2, 2) * (W @ x[t])"), ("every",)),
    "comparison of signals": (
        equation("y[t] = sum(W @ x[s], s <= x[t])"), ("comparison",),
    ),
    "part beyond": (equation("y[t] = W @ x[t][0:5]"), ("part up to 5",)),
    "part of nothing": (equation("y[t] = W @ x[t][1:1]"), ("empty",)),
    "grid": (
        two_axes("h[t,s] = tanh(h[t-1,s] + h[t,s-1] + u @ x[t])\ny[t] = W @ x[t] * h[t,end]"),
        ("h",),
    ),
    "mask of another axis": (
        two_axes("y[t] = W @ x[t]", 'y = { kind = "mse", mask = "k" }'), ("other steps",),
    ),
    "no mask": (layer(mask='"x"'), ("not a mask",)),
    "masked without a mask": (layer(masked='"zero"'), ("no mask",)),
    "masked somehow": (layer(masked='"drop"'), ("'drop'",)),
    "shares with nobody": (layer(shares='"z"'), ("other layer",)),
    "inner of a plain layer": (layer(inner="3"), ("inner",)),
    "step of a source": (layer(**{"from": '{ x = { at = "middle" } }'}), ("'middle'",)),
    "name of a length": (layer().replace("x = 2", 'x = { time = "time" }'), ("capital",)),
    "length and parameter": (
        'equations = "y[t] = S @ x[t] + mean(z[s], s)"\n[inputs]\nx = 2\n'
        'z = { size = 3, time = "S" }\n[signals]\ny = 3\n[loss]\ny = "mse"\n',
        ("'S'", "two things"),
    ),
    "unknown extra": ('with = ["jacobean"]\n' + layer(), ("jacobian",)),
    "extra that cannot be": (
        'with = ["step"]\n' + layer(direction='"backward"', **{"from": "{ x = [0], y = [1] }"}),
        ("chunk by chunk",),
    ),
    "logits behind a mask": (
        layer(activation='"softmax"', mask='"m"', **{"from": "{ x = [0], y = [1] }"})
        .replace("x = 2", "x = 2\nm = { mask = true }").replace('"mse"', '"cross_entropy"'),
        ("masked",),
    ),
    "too many elements": (
        equation("y[t] = W @ x[t]").replace("x = 2", "x = 2\nz = { size = [9999, 9999] }"),
        ("elements",),
    ),
    "keyword": (named("lambda"), ("lambda", "meaning of its own")),
    "soft keyword": (named("match"), ("match",)),
    "dunder": (named("__import__"), ("__import__",)),
    "jinja": (named("{{ 7*7 }}"), ("{{ 7*7 }}",)),
    "python": (named("a; import os"), ("import os",)),
    "newline": (named("a\\nb"), ("cannot name",)),
    "long name": (named("a" * 10**5), ("line 3", "characters")),
    "rather long name": (named("a" * 2000), ("2000 characters",)),
    "a million dots": ("a" + ".a" * 10**5 + " = 1", ("line 1",)),
    "a module of Python": ('name = "re"\n' + layer(), ("'re'",)),
    "name made here": (named("target_x"), ("begin with target_",)),
    "index b": (equation("y[t,b] = W[b,j]*x[t,j]"), ("'b'",)),
    "steps among units": (equation("y[n,i] = W[i,n]*x[n,i]"), ("'n'", "among the units")),
    "index of no axis": (equation("y[s] = sin(t)*(W @ x[s])"), ("'t'", "a meaning of its own")),
    "softmax over either": (
        two_axes("e[t,s] = x[t] @ x[s]\na[s,t] = softmax(e[s,t], s <= t)\ny[t] = W @ x[t]"),
        ("'s' or 't'", "say which"),
    ),
    "index t": (equation("y[t,i] = W[i,t]*x[t,t]"), ("'t'",)),
    "beyond the units": (equation("y[t,i] = W[i,5]*x[t,1]", "[parameters]\nW = [3, 2]\n"), ("2",)),
    "shifted beyond": (equation("y[t,i] = y[t-1,i+1] + W[i,j]*x[t,j]"), ("leaves its 3",)),
    "letter of unknown range": (equation("y[t,i] = W[i,j]*x[t,j+1]"), ("W",)),
    "number of 7 digits": (equation("y[t] = 1e9999999 * (W @ x[t])"), ("out of range",)),
    "t twice": (equation("y[t,t] = W @ x[t]"), ("'t'",)),
    "softmax of a constant": (
        equation("y[t,i] = softmax(p[j]*p[j], i) + W[i,k]*x[t,k]", "[parameters]\np = 3\n"),
        ("vary",),
    ),
    "line break in a key": (layer().replace("x = 2", '"a\\nb" = 2'), ("a\\nb",)),
    "signals of a cell": (
        CELL.replace("[layers.memory]", "[cells.leaky.signals]\nq = 3\n[layers.memory]"), ("'q'",),
    ),
    "root of -1": (equation("y[t] = sqrt(-1) + W @ x[t]"), ("real number",)),
    "log of 0": (equation("y[t] = log(0) + W @ x[t]"), ("finite",)),
    "huge exp": (equation("y[t] = exp(1e5) * (W @ x[t])"), ("finite",)),
    "tower": (equation("y[t] = ((9 ** 99) ** 99) ** 99 * (W @ x[t])"), ("out of range",)),
    "squares": (equation("y[t] = " + "square(" * 35 + "W @ x[t]" + ")" * 35), ("exponent",)),
    "long sum": (equation("y[t] = W @ x[t]" + " + W @ x[t]" * 500), ("200 terms",)),
    "not ascii": (named("größe"), ("größe",)),
    "module path": (f'name = "../evil"\n{NARX.split(chr(10), 2)[2]}', ("../evil",)),
    "size zero": (layer(size="0"), ("size 0", "layers.y.size")),
    "size negative": (layer(size="-1"), ("-1",)),
    "size huge": (layer(size="1000000000000"), ("1000000000000",)),
    "size fraction": (layer(size="1.5"), ("1.5",)),
    "size text": (layer(size='"ten"'), ("ten",)),
    "size nan": (layer(size="nan"), ("nan",)),
    "size true": (layer(size="true"), ("True",)),
    "size of 5000 digits": (layer(size="9" * 5000), ("size",)),
    "no size": (layer(size=""), ("no size",)),
    "delay negative": (layer(**{"from": "{ x = [-1] }"}), ("-1", "layers.y.from.x")),
    "delay huge": (layer(**{"from": "{ x = [1000000000] }"}), ("1000000000",)),
    "delays repeated": (layer(**{"from": "{ x = [1, 1] }"}), ("repeats", "name the weights")),
    "delays unsorted": (layer(**{"from": "{ x = [2, 1] }"}), ("rising", "[1, 2]")),
    "delays empty": (layer(**{"from": "{ x = [] }"}), ("empty",)),
    "delay alone": (layer(**{"from": "{ x = 1 }"}), ("list",)),
    "unknown source": (layer(**{"from": "{ xx = [0] }"}), ("xx", "did you mean 'x'")),
    "unknown key": (layer(sise="3"), ("sise", "did you mean 'size'")),
    "unknown activation": (layer(activation='"tan"'), ("did you mean 'tanh'",)),
    "unknown cell": (layer(activation="", cell='"lstn"'), ("did you mean 'lstm'",)),
    "cell and activation": (layer(cell='"lstm"'), ("cell and an activation",)),
    "direction": (layer(direction='"up"'), ("direction",)),
    "bias text": (layer(bias='"no"'), ("bias",)),
    "reads nothing": (layer(bias="false", **{"from": "{}"}), ("reads nothing",)),
    "cell reads nothing": (layer(activation="", cell='"lstm"', **{"from": "{}"}), ("nothing",)),
    "two losses": (layer().replace('"mse"', '["mse", "mse"]'), ("two losses", "weights")),
    "first step alone": (equation("y[0] = W @ x[0]"), ("time t", "y[t]")),
    "second step": (equation("y[1] = p\ny[t] = W @ x[t]"), ("second time", "the first or last")),
    "first step, other axes": (
        equation("y[0] = p\ny[t,s] = x[t]*x[s]"), ("axes of steps",),
    ),
    "first step twice": (equation("y[0] = p\ny[0] = q\ny[t] = W @ x[t]"), ("second time",)),
    "first step of a cell": (
        CELL.replace("g[t,i] =", "h[0,i] = p[i]\ng[t,i] ="), ("one step",),
    ),
    "steps of a still thing": (equation("y[t] = every(s, 2)*(W @ x[t])"), ("'s'",)),
    "eye without a size": (equation("y[t] = eye(n) @ x[t]"), ("whole number",)),
    "eye of another size": (equation("y[t] = eye(4) @ x[t]"), ("(4, 4)",)),
    "no loss": (layer().split("[loss]")[0], ("no loss",)),
    "unknown loss": (layer().replace("mse", "mee"), ("did you mean 'mse'",)),
    "loss of nobody": (layer().replace('y = "mse"', 'z = "mse"'), ("'z'",)),
    "loss steps": (layer().replace('"mse"', '{ kind = "mse", steps = "first" }'), ("first",)),
    "loss weight": (layer().replace('"mse"', '{ kind = "mse", weight = inf }'), ("inf",)),
    "loss delta": (layer().replace('"mse"', '{ kind = "mse", delta = 1.0 }'), ("'delta'",)),
    "wrong activation for loss": (layer().replace("mse", "cross_entropy"), ("softmax",)),
    "no input": ("[layers.y]\nsize = 1", ("no activation",)),
    "empty": ("", ("empty",)),
    "spaces": ("  \n", ("empty",)),
    "broken toml": ("[inputs\nx = 3", ("line 1",)),
    "duplicate key": ("[inputs]\nx = 3\nx = 4\n", ("line 3",)),
    "nested": ("x = " + "[" * 10**5, ("nested",)),
    "layers a list": ("layers = [1, 2]\n" + layer().split("[layers")[0], ("not a table",)),
    "inputs a number": ("inputs = 3\n", ("not a table",)),
    "a loop": (
        NARX.replace("position = [1, 2]", "position = [0]"),
        ("hidden -> position -> hidden", "position -> hidden"),
    ),
    "reads itself": (layer(**{"from": "{ x = [0], y = [0] }"}), ("y -> y", "delay")),
    "unreached output": (
        layer(**{"from": "{ y = [1] }"}), ("no input reaches",),
    ),
    "both ways in time": (
        '[inputs]\nx = 1\n[layers.a]\nsize = 1\nactivation = "tanh"\nfrom = { x = [0], b = [3] }\n'
        '[layers.b]\nsize = 1\nactivation = "tanh"\nfrom = { a = [1] }\ndirection = "backward"\n'
        '[loss]\na = "mse"\n',
        ("a and b",),
    ),
    "shared weight": (
        layer(**{"from": '{ x = { weight = "Q" }, y = { delays = [1], weight = "Q" } }'}),
        ("(3, 2)", "size 3"),
    ),
    "weights count": (
        layer(**{"from": '{ x = { delays = [0], weights = ["A", "B"] } }'}), ("2 weights for 1",),
    ),
    "name twice": (
        layer(**{"from": '{ x = { delays = [0], weight = "y" } }'}), ("'y'",),
    ),
    "call": (equation("y[t] = __import__('os')"), ("line 1",)),
    "eval": (equation("y[t] = eval(x[t])"), ("eval", "line 1, column 8")),
    "attribute": (equation("y[t] = x.shape"), ("transpose",)),
    "semicolon": (equation("y[t] = x[t]; import os"), (";",)),
    "unknown function": (equation("y[t] = tanhh(W @ x[t])"), ("did you mean 'tanh'",)),
    "unclosed": (equation("y[t] = tanh(W @ x[t]"), ("')'",)),
    "no right side": (equation("y[t] ="), ("line 1",)),
    "future left": (equation("y[t+1] = W @ x[t]"), ("time t",)),
    "defined twice": (equation("y[t] = W @ x[t]\ny[t] = V @ x[t]"), ("second time",)),
    "undefined signal": (equation("y[t] = W @ z[t]"), ("'z'",)),
    "no time": (equation("y[t] = W @ x"), ("x[t]",)),
    "shapes": (equation("y[t] = x[t] + W @ x[t]"), ("size 2", "size 3")),
    "matrix shapes": (
        equation("y[t] = W @ x[t]", "[parameters]\nW = [3, 4]\n"), ("(3, 4)", "size 2"),
    ),
    "index sizes": (equation("y[t,i] = W[i,j]*x[t,j] + x[t,i]"), ("index 'i'",)),
    "repeated index": (
        equation("y[t,j] = V[j,k]*x[t,k]*W[i,i]", "[parameters]\nW = [2, 3]\n"),
        ("'i' runs over 2", "over 3"),
    ),
    "repeated index, shifted": (
        equation("y[t,j] = V[j,k]*x[t,k]*W[i,i+1]", "[parameters]\nW = [3, 3]\n"),
        ("leaves its 3 units",),
    ),
    "width of scores": (
        two_axes(
            "e[t,s] = tanh(A @ x[t] + C @ z[s])\nc[t] = sum((1 - e[t,s])*(V @ z[s]), s)\n"
            "y[t] = W @ c[t]"
        ),
        ("'e'", "declare"),
    ),
    "high power": (equation("y[t] = (W @ x[t]) ** 100"), ("at most 99",)),
    "product of high powers": (equation("y[t] = W @ (x[t]**60 * x[t]**60)"), ("99",)),
    "index once": (equation("y[t,i] = W[i,j]*x[t,i]"), ("index",)),
    "mixed notations": (equation("y[t,i] = W @ x[t]"), ("notation",)),
    "shape unknown": (equation("y[t] = A @ (C @ x[t])"), ("'A'", "declare")),
    "unused parameter": (equation("y[t] = W @ x[t]", "[parameters]\nV = [3]\n"), ("'V'",)),
    "exponent": (equation("y[t] = (W @ x[t]) ** x[t]"), ("exponent",)),
    "division by zero": (equation("y[t] = W @ x[t] / 0"), ("zero",)),
    "deep nesting": (equation("y[t] = " + "(" * 2000 + "x[t]" + ")" * 2000), ("nested",)),
    "long product": (equation("y[t] = W @ x[t]" + " * 1" * 2000), ("factors",)),
    "algebraic equations": (
        equation("y[t] = tanh(W @ x[t] + U @ z[t])\nz[t] = tanh(y[t])", ""), ("y -> z -> y",),
    ),
    "equations too low": (
        layer().split("[layers")[0] + "equations = '''y[t] = x[t]'''\n", ("above the first",),
    ),
    "layers and equations": ("equations = 'y[t] = x[t]'\n" + layer(), ("both",)),
    "cell without output": (CELL.replace('output = "h"', 'output = "q"'), ("'q'",)),
    "cell defines x": (CELL.replace("g[t,i] =", "x[t,i] ="), ("x",)),
    "cell reads unknown": (CELL.replace("h[t-1,i]", "q[t-1,i]"), ("'q'",)),
    "wrong bias": (CELL.replace('["b", "c"]', '["b", "q"]'), ("'q'",)),
}  # fmt: skip


def run(path: Path, out: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["generate", str(path), "-o", str(out)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


def is_one_sentence(text: str, path: Path) -> bool:
    lines = text.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith(f"bptt: {path}: ") and len(lines[0]) < 900


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(case: str, tmp_path: Path) -> None:
    text, words = CASES[case]
    path, out = tmp_path / "net.toml", tmp_path / "out"
    path.write_text(text, encoding="utf-8")
    status, message = run(path, out)
    assert status == 2, message
    assert is_one_sentence(message, path), message
    for word in words:
        assert word in message, message
    assert not out.exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(bytes(range(256)))
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 2_000_000)
    for path in (tmp_path / "missing.toml", tmp_path, binary, large):
        status, message = run(path, tmp_path / "out")
        assert status == 2
        assert is_one_sentence(message, path), message
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("kept", encoding="utf-8")
    status, message = run(FOLDER / "narx.toml", blocked)
    assert status == 2
    assert len(message.strip().splitlines()) == 1
    assert blocked.read_text(encoding="utf-8") == "kept"


def test_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "narx.tex").mkdir()
    status, _ = run(FOLDER / "narx.toml", tmp_path)
    assert status == 2
    assert [p.name for p in tmp_path.iterdir()] == ["narx.tex"]


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(layer(size="0"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bptt", "show", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


PIECES = [
    "[", "]", "{", "}", "=", ",", '"', "'''", "\n", "0", "-1", "1e9", "nan", "[0]", "x", "hidden",
    "position", "mse", "loss", "t", "t-1", "@", "*", "**", "(", ")", "W", "+", "/", ".T", "#",
    "softmax", "concat", "sum", "\\u0000", "é", "__class__", "{{x}}", "true", "[[layers]]", "i,j",
]  # fmt: skip


def mutated(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        match rng.randrange(4):
            case 0:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + rng.randint(1, 8) :]
            case 2:
                other = rng.randrange(len(text) + 1)
                text = text[:at] + text[min(at, other) : max(at, other)][:40] + text[at:]
            case _:
                lines = text.split("\n")
                rng.shuffle(lines)
                text = "\n".join(lines)
    return text


@pytest.mark.parametrize("seed", range(12))
def test_mutated_files(seed: int, tmp_path: Path) -> None:
    """A file with random damage is either a network or one sentence."""
    rng = random.Random(seed)
    path = tmp_path / "net.toml"
    for _ in range(40):
        text = mutated(rng, rng.choice((NARX, EQUATIONS, CELL)))
        path.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(main, ["show", str(path)])
        fine = result.exit_code == 0 or (
            result.exit_code == 2 and is_one_sentence(result.stderr, path)
        )
        assert fine, f"seed {seed}\n{text}\n{result.stderr}\n{result.exception!r}"
