"""`bptt audit` as a command: its statuses, its pages, code written by hand, and bad input."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest
from click.testing import CliRunner, Result

from bptt.commands.main import main
from bptt.derive.audit.claims_file import _Reading, _setting, load_claims
from bptt.derive.audit.tex import read_latex
from bptt.derive.audit.typeset import ClaimSetter
from bptt.derive.description.topology import read_bounded
from bptt.derive.errors import UserError
from bptt.derive.notation.latex import latex
from bptt.derive.notation.plain import node_text
from tests.claims import ELMAN, catalogue_claims

CATALOGUE = catalogue_claims()
HEAD = """
[network]
equations = '''
h[t] = tanh(W @ h[t-1] + U @ x[t])
L = sum(sum(h[t]*h[t]), t)
'''
[network.inputs]
x = "m"
[network.signals]
h = "n"
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments])


def write(folder: Path, text: str) -> str:
    path = folder / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def claim(text: str, **keys: str) -> str:
    kind = "latex" if "\\" in text else "text"
    rest = "".join(f"{k} = '{v}'\n" for k, v in keys.items())
    return f"{HEAD}\n[[claims]]\n{kind} = '''{text}'''\n{rest}"


def test_statuses_and_what_is_said(tmp_path: Path) -> None:
    right = claim("total(L, U) = sum_t (2*h[t] + W.T @ total(L, h[t]) * 0) @ x[t].T")
    right = claim("total(L, h[T]) = 2*h[T]", name="end")
    found = run(write(tmp_path, right))
    assert found.exit_code == 0, found.output
    assert "holds: proved" in found.output
    wrong = claim("total(L, h[T]) = h[T]", name="end")
    found = run(write(tmp_path, wrong))
    assert found.exit_code == 1
    for words in (
        "fails",
        "T = 1",
        "a constant factor",
        "+ total(L, h[T]) = 2*h[T]",
        "this is proved",
    ):
        assert words in found.output, found.output
    unclear = claim(
        r"\frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}(1-h_t^2) W", where="t > 1"
    )
    found = run(write(tmp_path, unclear))
    assert found.exit_code == 1
    assert "ambiguous: 1 of 2 readings hold" in found.output
    assert "∂y/∂x has a row for each y: holds" in found.output


def test_a_claim_that_is_not_read_does_not_silence_the_others(tmp_path: Path) -> None:
    text = claim("total(L, h[T]) = 2*h[T]", name="right")
    odd = "[[claims]]\nname = 'odd'\nlatex = '\\int h = 0'\n"
    found = run(write(tmp_path, text + odd))
    assert found.exit_code == 2
    assert "holds: proved" in found.output
    assert "claim 'odd'" in found.stderr


def test_pages(tmp_path: Path) -> None:
    """HTML, LaTeX and JSON of a file with every verdict."""
    names = [tmp_path / n for n in ("page.html", "page.tex", "page.json")]
    options = [
        x for o, n in zip(("--html", "--latex", "--json"), names, strict=True) for x in (o, str(n))
    ]
    found = run(str(CATALOGUE["immediate"]), *options)
    assert found.exit_code == 1
    html = names[0].read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(html)
    assert "holds: 4" in html
    for words in ("ambiguous", "<math", "explicit for total", "chain_said"):
        assert words in html
    data = json.loads(names[2].read_text(encoding="utf-8"))
    verdicts = {entry["name"]: entry["verdict"] for entry in data}
    assert verdicts["both_total"] == "fails"
    assert verdicts["unsaid"] == "ambiguous"
    wrong = next(e for e in data if e["name"] == "both_total")
    assert wrong["repair"]["edits"][0]["kind"] == "explicit for total"
    assert wrong["counterexample"]["steps"] == 2
    assert r"\partial ^+" in wrong["repair"]["latex"]


def test_json_alone_on_standard_output() -> None:
    found = run(str(CATALOGUE["softmax"]), "--json", "-", "--claim", "E28")
    (entry,) = json.loads(found.stdout)
    assert entry["verdict"] == "fails"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex to compile with")
def test_the_article_compiles(tmp_path: Path) -> None:
    for name in ("two_layers", "pascanu", "softmax", "immediate"):
        run(str(CATALOGUE[name]), "--latex", str(tmp_path / "page.tex"))
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_what_is_read_from_latex_is_written_back(name: str) -> None:
    """Claims typeset in their source's symbols are read as the same trees."""
    path = CATALOGUE[name]
    data = tomllib.loads(read_bounded(path))
    vocabulary = _Reading(data, _setting(data, path.parent))._vocabulary
    for one in load_claims(path):
        if not one.is_latex:
            continue
        code = latex(ClaimSetter(one).equality(one.sides))
        back = read_latex(code, vocabulary)
        texts = [" = ".join(map(node_text, sides)) for sides in (one.sides, back.sides)]
        # A number times something is a product of either kind; d and nabla are both total.
        plain = [t.replace("derivative(", "total(").replace(" @ ", "*") for t in texts]
        assert plain[0] == plain[1], code


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_latex_that_breaks_off_is_refused_in_one_sentence(name: str) -> None:
    """Every beginning of every claim is read, or is a mistake that is named."""
    path = CATALOGUE[name]
    data = tomllib.loads(read_bounded(path))
    vocabulary = _Reading(data, _setting(data, path.parent))._vocabulary
    codes = [claim["latex"] for claim in data["claims"] if "latex" in claim]
    for code in (*codes, r"\frac{\partial L}{\partial \frac{a}{b}} = W"):
        for length in range(0, len(code), 3):
            with contextlib.suppress(UserError):
                read_latex(code[:length], vocabulary)


def changed(code: str) -> Iterator[str]:
    """A formula with one of its parts changed: an accent, an offset, a prime, a star, a sign."""
    for m in re.finditer(r"(?<![\\A-Za-z])([A-Za-z])(?=[_^])", code):
        for accent in ("hat", "bar", "tilde"):
            yield f"{code[: m.start()]}\\{accent}{{{m[1]}}}{code[m.end() :]}"
    for m in re.finditer(r"[_^]\{([^{}]*)\}", code):
        if m[1] and m[1][-1].isalnum() and m[1] not in ("T", r"\top", "-1"):
            yield f"{code[: m.end() - 1]}+1{code[m.end() - 1 :]}"
    for m in re.finditer(r"[_^]([a-z0-9])(?![A-Za-z])", code):
        yield f"{code[: m.start() + 1]}{{{m[1]}+1}}{code[m.end() :]}"
    for m in re.finditer(r"[_^]\{\(([^{}()]*)\)\}", code):
        yield f"{code[: m.end() - 2]}+1{code[m.end() - 2 :]}"
    for m in re.finditer(r"\(([a-z])\)", code):
        yield f"{code[: m.end() - 1]}+1{code[m.end() - 1 :]}"
    for m in re.finditer(r"[A-Za-z](?:_\{[^{}]*\}|_[a-z])", code):
        for mark in ("'", "^{*}"):
            yield code[: m.end()] + mark + code[m.end() :]
    for m in re.finditer(r"\\(odot|circ|cdot|times|otimes)\b", code):
        yield code[: m.start()] + code[m.end() :]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_no_part_of_a_formula_is_ignored(name: str) -> None:
    """With any part changed a formula reads as another one, or is refused."""
    path = CATALOGUE[name]
    data = tomllib.loads(read_bounded(path))
    vocabulary = _Reading(data, _setting(data, path.parent))._vocabulary

    def read(code: str) -> tuple[str, ...] | None:
        try:
            return tuple(map(node_text, read_latex(code, vocabulary).sides))
        except UserError:
            return None

    for code in (claim["latex"] for claim in data["claims"] if "latex" in claim):
        plain = read(code)
        for other in changed(code):
            found = read(other)
            assert found is None or found != plain, other


D = r"\mathrm{diag}(1 - h_i^2) W"
SLOPE = r"\frac{\partial L}{\partial h_t}"
# As printed; the exit status, and words of the answer.
PRINTED: dict[str, tuple[str, dict[str, str], int, str]] = {
    "a dot of matrices": (r"h_t = \tanh(W \cdot h_{t-1} + U \cdot x_t)", {}, 0, "holds"),
    "a dot of vectors": (r"L = \sum_t h_t \cdot h_t", {}, 0, "holds"),
    "an outer product": (
        rf"\frac{{\partial L}}{{\partial W}} = \sum_t ({SLOPE} \odot (1-h_t^2)) "
        r"\cdot h_{t-1}^\top",
        {"derivatives": "total"},
        0,
        "holds",
    ),
    "a dot of elements": (
        rf"\frac{{\partial L}}{{\partial U}} = \sum_t ({SLOPE} \cdot (1-h_t^2)) x_t^\top",
        {"derivatives": "total"},
        0,
        "holds",
    ),
    "a dot of either": (
        r"\frac{\partial L}{\partial h_T} = 2 h_T + (h_T \cdot h_T - h_T \odot h_T)",
        {},
        1,
        "the dot in h[T] · h[T] is a product element by element: holds",
    ),
    "an outer product by its sign": (
        r"\frac{\partial L}{\partial W} = \sum_t \delta_t \otimes h_{t-1}",
        {"definitions": "total(L, h[t])*(1 - h[t]^2)"},
        0,
        "holds",
    ),
    "a sum that goes on": (
        r"L = \sum_t 2 h_t^\top h_t - h_t^\top h_t",
        {},
        1,
        "a sum goes on over the terms behind it: holds",
    ),
    "a product with a constant": (
        rf"\frac{{\partial h_t}}{{\partial h_k}} = \prod_{{i=k+1}}^t {D}",
        {"where": "k < t", "layout": "jacobian", "products": "falling"},
        0,
        "holds",
    ),
    "rising": (
        rf"\frac{{\partial h_t}}{{\partial h_k}} = \prod_{{i=k+1}}^t {D}",
        {"where": "k < t", "layout": "jacobian", "products": "rising"},
        1,
        "fails",
    ),
    "what stands behind a product": (
        rf"\frac{{\partial h_t}}{{\partial x_k}} = \prod_{{i=k+1}}^t {D} "
        r"\mathrm{diag}(1 - h_k^2) U",
        {"where": "k < t", "layout": "jacobian", "products": "falling"},
        0,
        "holds",
    ),
    "a constant behind a product": (
        r"\frac{\partial h_t}{\partial x_k} = \mathrm{diag}(1 - h_t^2) "
        r"\prod_{i=k+1}^t W \mathrm{diag}(1 - h_{i-1}^2) U",
        {"where": "k < t", "layout": "jacobian", "products": "falling"},
        0,
        "holds",
    ),
    "a wide space": (r"L = L \qquad h_t = 0", {}, 2, "another formula"),
    "a space before a sign": (r"L \quad = L", {}, 0, "holds"),
    "a comma": (r"L = L, h_t = 0 \,", {}, 2, "another formula"),
    "and": (r"L = L \text{ and } h_t = 0", {}, 2, "another formula"),
    "a condition": (r"h_t = h_t \quad (t < T)", {}, 2, "conditions in where"),
    "two lines": (r"\begin{aligned} L &= L \\ h_t &= h_t \end{aligned}", {}, 2, "another formula"),
    "a box": (r"\boxed{L = \sum_t h_t \cdot h_t} \tag{3}", {}, 0, "holds"),
    "colours": (r"L = \textcolor{red}{\sum_t h_t} \cdot {\color{blue} h_t}", {}, 0, "holds"),
    "what a colour is around": (r"L = \textcolor{red}{0 +} L \label{a}", {}, 0, "holds"),
    "a brace below": (r"L = \underbrace{\sum_t h_t \cdot h_t}_{\text{all}} + 0", {}, 0, "holds"),
    "no brace is a parenthesis": (r"L = \underbrace{1 + 0}_{u} L", {}, 1, "fails"),
    "a box that is not closed": (r"\boxed{L = L 2", {}, 2, "a brace is not closed"),
    "a colour of one letter": (r"L = \textcolor{red}L", {}, 0, "holds"),
    "displayed": (r"$$L = \sum_t h_t \cdot h_t.$$", {}, 0, "holds"),
    "angles": (r"L = \sum_t \langle h_t, h_t \rangle", {}, 0, "holds"),
    "one formula in two lines": (r"\begin{aligned} L &= 0 \\ &+ L \end{aligned}", {}, 0, "holds"),
}


@pytest.mark.parametrize("name", PRINTED)
def test_as_it_is_printed(name: str, tmp_path: Path) -> None:
    latex, given, status, words = PRINTED[name]
    keys = dict(given)
    defined = keys.pop("definitions", "")
    text = claim(latex, **keys)
    if defined:
        text = text.replace("[[claims]]", f'[definitions]\n"delta[t]" = "{defined}"\n[[claims]]')
    found = run(write(tmp_path, text))
    assert found.exit_code == status, found.output
    assert words in " ".join(found.output.split())


def test_no_condition_is_offered_that_leaves_nothing(tmp_path: Path) -> None:
    """Where t <= k and k <= t, a power of nothing is the identity."""
    latex = r"\frac{\partial h_t}{\partial h_k} = W^{t-k}"
    found = run(write(tmp_path, claim(latex, where="k <= t")))
    assert found.exit_code == 1
    assert "it holds where" not in found.output


@pytest.mark.parametrize("exact_first", [True, False])
def test_what_a_symbol_says_more_goes_before_what_says_less(
    exact_first: bool, tmp_path: Path
) -> None:
    symbols = ["'q_{W}' = 'W'", "'q_{t}' = 'x[t]'"]
    text = claim(r"q_W h_{t-1} = W h_{t-1} \,")
    table = "\n".join(symbols if exact_first else symbols[::-1])
    found = run(write(tmp_path, text.replace("[[claims]]", f"[symbols]\n{table}\n[[claims]]")))
    assert found.exit_code == 0, found.output


def test_what_one_unit_does_not_have_is_judged_at_more(tmp_path: Path) -> None:
    """One unit has no variance."""
    text = """
[network]
equations = '''
c[t] = x[t] - mean(x[t])
v[t] = mean(c[t]*c[t])
y[t] = c[t]/sqrt(v[t])
L = sum(sum(y[t]*g[t]), t)
'''
[network.inputs]
x = "n"
g = "n"
[[claims]]
text = "total(L, x[t]) = (g[t] - mean(g[t]) {sign} y[t]*mean(g[t]*y[t]))/sqrt(v[t])"
"""
    for sign, status, words in (("-", 0, "at 4 random instances"), ("+", 1, "fails")):
        found = run(write(tmp_path, text.replace("{sign}", sign)))
        assert found.exit_code == status, found.output
        assert words in found.output


HAND = """
import numpy as np


def right(parameters, inputs, targets, shift=1, lost=False, scale=1.0, turned=False):
    W, V, b = parameters["W_h_h_1"], parameters["W_y_h"], parameters["b_h"]
    x = inputs["x"]
    T, B, _ = x.shape
    h = np.zeros((T + 1, B, len(b)))
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ parameters["W_h_x"].T + h[t] @ W.T + b)
    y = h[1:] @ V.T + parameters["b_y"]
    dy = scale * 2 * (y - targets["y"]) / y.size
    g = {n: np.zeros_like(p) for n, p in parameters.items()}
    after = 0.0
    for t in reversed(range(T)):
        dn = (dy[t] @ V + (0 if lost else after)) * (1 - h[t + 1] ** 2)
        g["W_y_h"] += dy[t].T @ h[t + 1]
        g["b_y"] += dy[t].sum(0)
        g["W_h_x"] += dn.T @ x[t]
        g["W_h_h_1"] += dn.T @ h[t + 1 - shift]
        g["b_h"] += dn.sum(0)
        after = dn @ W
    if turned:
        g["W_h_h_1"] = g["W_h_h_1"].T
    return g


def cut(parameters, inputs, targets, most):
    # Each step's loss goes back through a number of steps.
    W, V, b = parameters["W_h_h_1"], parameters["W_y_h"], parameters["b_h"]
    x = inputs["x"]
    T, B, _ = x.shape
    h = np.zeros((T + 1, B, len(b)))
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ parameters["W_h_x"].T + h[t] @ W.T + b)
    y = h[1:] @ V.T + parameters["b_y"]
    dy = 2 * (y - targets["y"]) / y.size
    g = {n: np.zeros_like(p) for n, p in parameters.items()}
    for last in range(T):
        g["W_y_h"] += dy[last].T @ h[last + 1]
        g["b_y"] += dy[last].sum(0)
        dh = dy[last] @ V
        for t in range(last, max(last - most, -1), -1):
            dn = dh * (1 - h[t + 1] ** 2)
            g["W_h_x"] += dn.T @ x[t]
            g["W_h_h_1"] += dn.T @ h[t]
            g["b_h"] += dn.sum(0)
            dh = dn @ W
    return g


def cut_4(p, i, t): return cut(p, i, t, 4)
def cut_32(p, i, t): return cut(p, i, t, 2 ** 5)
def cut_45(p, i, t): return cut(p, i, t, 45)


def sized(p, i, t):
    if p["b_h"].shape != (5,):
        raise ValueError("made for 5 units")
    return right(p, i, t)


def sized_cut(p, i, t):
    if p["b_h"].shape != (5,):
        raise ValueError("made for 5 units")
    return cut(p, i, t, 16)


def shifted(p, i, t): return right(p, i, t, shift=0)
def lost(p, i, t): return right(p, i, t, lost=True)
def half(p, i, t): return 1.0, right(p, i, t, scale=0.5)
def turned(p, i, t): return right(p, i, t, turned=True)
def fewer(p, i, t): return {n: g for n, g in right(p, i, t).items() if n != "b_h"}
def stops(p, i, t): return p["nothing"]
def named(p, i, t): return {"d" + n: g for n, g in right(p, i, t).items()}
def number(p, i, t): return 3
def shape(p, i, t): return right(p, i, t) | {"b_y": np.zeros((3, 3))}
"""
NET = """
name = "net"
[inputs]
x = 3
[layers.h]
size = 5
activation = "tanh"
from = { x = [0], h = [1] }
[layers.y]
size = 2
activation = "linear"
from = { h = [0] }
[loss]
y = "mse"
"""
BY_HAND = {
    "right": (0, ("compared at sizes 2 for 5, 3 for 2, 4 for 3",)),
    "sized": (0, ("compared at the file's sizes",)),
    "sized_cut": (1, ("right for 16 steps", "3 of 5", "compared at the file's sizes")),
    "cut_4": (1, ("right for 4 steps", "3 of 5")),
    "cut_32": (1, ("steps, and wrong for", "3 of 5")),
    "cut_45": (1, ("steps, and wrong for", "3 of 5")),
    "named": (0, ()),
    "shifted": (1, ("W_h_h_1 agrees if in (", "h[t-1,b,j] is read as h[t,b,j]", "1 of 5")),
    "lost": (1, ("W_h_x, W_h_h_1, b_h agree if", "W_h_h_1[j,i]*d_n_h[t+1,b,j]", "is left out")),
    "half": (1, ("1/2 of what", "5 of 5")),
    "turned": (1, ("W_h_h_1 is the transpose", "1 of 5")),
    "fewer": (1, ("it is missing",)),
    "shape": (1, ("its shape is (3, 3)",)),
    "stops": (2, ("KeyError", "W_h_h_1 (")),
    "number": (2, ("'int'", "dict of gradients")),
    "nowhere": (2, ("there is no function 'nowhere'",)),
}


@pytest.mark.parametrize("function", BY_HAND)
def test_gradients_written_by_hand(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"hand_{function}"
    (tmp_path / f"{module}.py").write_text(HAND, encoding="utf-8")
    (tmp_path / "net.toml").write_text(NET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = run("net.toml", "--callable", f"{module}:{function}")
    status, words = BY_HAND[function]
    assert found.exit_code == status, found.output
    text = " ".join(found.output.split())
    for word in words:
        assert word in text, found.output


def defined(text: str, definitions: str) -> str:
    """A claim with symbols of its own; w1 is a parameter."""
    text = claim(text).replace("[[claims]]", f"[definitions]\n{definitions}\n[[claims]]")
    return text.replace("L = sum", "r[t] = sum(w1*x[t])\nL = sum", 1)


def doubled(count: int) -> str:
    """Definitions that each mention the one before twice."""
    return "\n".join(f'"q{n}[t]" = "q{n - 1}[t] + q{n - 1}[t+1]"' for n in range(1, count))


def headed(key: str) -> str:
    return claim("L = L").replace("[network]", f"{key}\n[network]", 1)


def tabled(table: str) -> str:
    return claim("L = L").replace("[[claims]]", f"{table}\n[[claims]]")


# Bad input: words that the one sentence must hold.
BAD: dict[str, tuple[str, tuple[str, ...]]] = {
    "no claims": (HEAD, ("has no claims",)),
    "unknown key": (claim("a = b", wher="t"), ("'wher'", "did you mean 'where'")),
    "both": (claim("L = L", latex="L = L"), ("either a text or latex",)),
    "one side": (claim("total(L, U)"), ("nothing is claimed to be equal",)),
    "unknown quantity": (claim("total(L, hh[T]) = 0"), ("'hh'", "did you mean 'h'")),
    "unknown in latex": (claim(r"\nabla_{q_t} L = 0"), ("'q_t'", "column 9")),
    "unknown function": (claim("L = tanhh(L)"), ("'tanhh'", "did you mean 'tanh'")),
    "character": (claim("L = L $ 2"), ("'$'",)),
    "braces": (claim(r"\frac{\partial L}{\partial h_t = 0"), ("is not read", "latex")),
    "trailing": (claim(r"\nabla_{h_T} L = 2 h_T )"), ("')'", "column")),
    "integral": (claim(r"L = \int_0^1 x"), ("int",)),
    "no step": (claim("total(L, h) = 0"), ("'h' has 0 subscripts", "give it 1")),
    "too many subscripts": (claim("total(L, h[t,i,j]) = 0"), ("3 subscripts",)),
    "steps that never are": (claim("total(L, h[t]) = 0", where="t > T"), ("nothing to compare",)),
    "deep": (claim("L = " + "(" * 300 + "L" + ")" * 300), ("nested deeper",)),
    "deep latex": (claim("L = \\hat" + "{\\hat" * 400 + "{L}" + "}" * 400), ("nested deeper",)),
    "many terms": (
        claim("\\nabla_{h_T} L = " + " + ".join(["h_T"] * 500)),
        ("more than 100 terms",),
    ),
    "great power": (claim("W = W^100000"), ("power",)),
    "long sum": (claim("L = sum_k k [1 <= k, k <= 999999]"), ("too many numbers",)),
    "long product": (claim("W = falling_k W [1 <= k, k <= 99999]"), ("too many factors",)),
    "many letters": (
        claim("L = " + " + ".join(f"h[{a},{b}]" for a, b in ("pq", "rs", "uv", "wz", "cd"))),
        ("free letters",),
    ),
    "derivative of a sum": (claim("total(L + L, U) = 0"), ("one quantity by one quantity",)),
    "circle": (
        claim("L = a").replace("[[claims]]", '[definitions]\na = "a + 1"\n[[claims]]'),
        ("circle",),
    ),
    "large network": (
        claim("L = L").replace('"n"', "9000"),
        ("9000", "letters"),
    ),
    "bad layout": (claim("L = L", layout="sideways"), ("'sideways'", "jacobian")),
    "no network": ("[[claims]]\ntext = 'a = b'\n", ("which network",)),
    "missing network": (
        "network = 'none.toml'\n[[claims]]\ntext = 'a = b'\n",
        ("none.toml", "cannot be read"),
    ),
    "draw": (claim("L = L").replace("[[claims]]", '[draw]\nx = "odd"\n[[claims]]'), ("'odd'",)),
    "draw of a signal": (
        claim("L = L").replace("[[claims]]", '[draw]\nh = "normal"\n[[claims]]'),
        ("'h' is nothing that is given",),
    ),
    "no set": (claim("L = sum_l 1 [l in U2]"), ("no set 'U2'",)),
    "no label": (claim("L = W_{m}"), ("'m'",)),
    "defined by itself": (defined("total(q, U) = 0", 'q = "q"'), ("defined in a circle",)),
    "defined in a circle of two": (
        defined("L = p", 'p = "q + 1"\nq = "2*p"'),
        ("defined in a circle",),
    ),
    "doubled forty times": (
        defined("q39[t] = 1", '"q0[t]" = "sum(W)"\n' + doubled(40)),
        ("takes too long",),
    ),
    "a definition with a meaning": (defined("T = 7", 'T = "7"'), ("'T' has a meaning already",)),
    "a definition of a quantity": (defined("L = L", '"h[t]" = "7"'), ("'h' has a meaning",)),
    "derivatives nested": (
        defined(
            "total(q2,W) = 1",
            'q0 = "sum(W*W)"\nq1 = "sum(total(q0,W)*total(L,W))"\n'
            'q2 = "sum(total(q1,W)*total(L,W))"',
        ),
        ("derivatives of derivatives",),
    ),
    "products of products": (
        claim("\\prod_{i=1}^{150} \\prod_{j=1}^{150} \\prod_{k=1}^{150} 0 W = W"),
        ("too long",),
    ),
    "kronecker": (claim("W" + " \\otimes W" * 30 + " = W"), ("entries",)),
    "no number": (claim("L = L/0"), ("no number",)),
    "no number in a step": (claim("step(0/0) = 0"), ("no number",)),
    "argmin of what has no least": (
        defined("argmin(Q, w1) = 0*w1", 'Q = "-sum(w1*w1)"'),
        ("no least value",),
    ),
    "argmin of no square": (
        defined("argmin(Q, w1) = 0*w1", 'Q = "sum(exp(w1))"'),
        ("not quadratic",),
    ),
    "overflow in a condition": (
        claim("h[t] = 3", where="999999*999999*999999*999999 < 0"),
        ("too great",),
    ),
    "inverse or reciprocal": (claim("\\tanh^{-1} h_t = h_t"), ("negative power",)),
    "huge index": (claim("h_{t-99999999999999999999} = h_t\\,"), ("20 digits",)),
    "first step a float": (headed("first_step = 1.0"), ("1.0", "use 0 or 1")),
    "layout a table": (headed("layout = {}"), ("{} is not known",)),
    "a state of nothing": (headed('states = ["zz"]'), ("'zz'",)),
    "a function a list": (tabled('[functions]\nf = ["tanh"]'), ("['tanh']",)),
    "a label a sign": (tabled('[sets]\nM = ["²"]'), ("labels",)),
    "a step and a unit": (claim("h[t,t] = 0"), ("'t' stands on steps and on units",)),
    "a weight of another name": (claim("\\nabla_{W_{hh}} L = 0"), ("no quantity 'W_hh'",)),
    "several arguments": (claim("clip(L) = 0"), ("more than one argument",)),
    "argmin": (claim("U = argmin(L + 1, U)"), ("argmin",)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_claims_end_in_one_sentence(name: str, tmp_path: Path) -> None:
    text, words = BAD[name]
    start = time.perf_counter()
    found = run(write(tmp_path, text))
    assert found.exit_code == 2, found.output
    assert isinstance(found.exception, SystemExit), found.exception
    assert "Traceback" not in found.output
    sentence = found.stderr.strip()
    assert sentence.startswith("bptt: ")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence, sentence
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize(
    "arguments", [[], ["--all", "x.toml"], ["none.toml"], [".", "--json", "-"]]
)
def test_bad_arguments(arguments: list[str]) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert found.stderr.startswith("bptt: ")


def test_claims_are_data(tmp_path: Path) -> None:
    """Nothing in a claims file is run."""
    for text in (
        "L = __import__('os').system('touch gone')",
        "L = {L.__class__}",
        "h_{m.__class__}[T] = 0",
        r"\nabla_{h_T} L = \input{/etc/passwd}",
    ):
        found = run(write(tmp_path, claim(text, where="m in M")))
        assert found.exit_code == 2, found.output
    assert not (tmp_path / "gone").exists()


def test_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bptt", "audit", write(tmp_path, ELMAN)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "has no claims" in done.stderr
