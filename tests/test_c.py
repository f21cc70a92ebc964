"""C code: it compiles without a warning, computes what NumPy computes, and stands alone."""

from __future__ import annotations

import ctypes
import os
import random
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.codegen.c.names import TAKEN, Names
from bptt.codegen.c.runtime import OTHERWISE, helpers
from bptt.codegen.check import check_target
from bptt.codegen.extras import extend, possible_extras
from bptt.codegen.stamp import is_as_generated
from bptt.codegen.targets import files_of
from bptt.codegen.templating import environment
from bptt.commands.main import main
from bptt.derive import Connection, Layer, LossSpec, Network, UserError, adjoint, build, load
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.system import System
from bptt.derive.description.network import check_name
from bptt.training import Options, fit
from tests.judge import moderate_example
from tests.numeric import Example, load_module
from tests.random_networks import draw, draw_equations
from tests.wide_networks import describe, draw_network, judge_network

FOLDER = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
STRICT = "-pedantic -Wall -Wextra -Wconversion -Wvla -Werror".split()
SANITIZED = "-fsanitize=address,undefined -fno-sanitize-recover=all".split()
COUNT = int(os.environ.get("BPTT_NETWORKS", "60"))
FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
# NumPy sums in another order.
CLOSE = 1e-12

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code stays in the test's own folder; quickly compiled code is as right as fast."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CFLAGS", "-O1")


def written(folder: Path, system: System, extras: Sequence[str] = ()) -> Path:
    """The files of a network in a folder; the Python module's path."""
    for name, text in files_of(extend(adjoint(system), extras), "c").items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / f"{system.name}.py"


def loaded(path: Path, name: str = "") -> types.ModuleType:
    module = types.ModuleType(name or path.stem)
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module


def compiled(folder: Path, command: str, *arguments: str) -> None:
    run = subprocess.run(
        [*command.split(), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[:2000]


def ran(folder: Path, program: str) -> str:
    run = subprocess.run([f"./{program}"], cwd=folder, capture_output=True, text=True, check=False)
    wrong = [line for line in run.stdout.splitlines() if line.startswith("WRONG")]
    assert run.returncode == 0, [*wrong, run.stderr[:2000]]
    return run.stdout


# In C alone.


@pytest.mark.parametrize("name", NAMES)
def test_the_test_in_c_passes_under_sanitizers(name: str, tmp_path: Path) -> None:
    written(tmp_path, build(load(FOLDER / f"{name}.toml")))
    sources = (f"{name}.c", f"test_{name}.c")
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, *SANITIZED, *sources, "-o", "own", "-lm")
    assert f"0 of {name} wrong" in ran(tmp_path, "own")
    macro = f"-D{name.upper()}_FLOAT"
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, macro, *sources, "-o", "single", "-lm")
    ran(tmp_path, "single")


GUARDED = """
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "{name}.h"

/* Space for some numbers, before a page that nobody may touch. */
static {name}_real *guarded(long count)
{{
    const long page = sysconf(_SC_PAGESIZE), size = count * (long)sizeof({name}_real);
    const long whole = (size + page - 1) / page * page;
    char *found = mmap(0, (size_t)(whole + page), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(found + whole, (size_t)page, PROT_NONE);
    return ({name}_real *)(found + whole - size);
}}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are guarded as on Linux")
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize(
    "name", ["bahdanau", "clockwork", "luong", "narx", "nar", "two_in_two_out"]
)
def test_short_sequences_stay_within_the_workspace(
    name: str, steps: int, batch: int, tmp_path: Path
) -> None:
    """One step, fewer than the longest delay, one sequence: what is beyond cannot be touched."""
    system = build(load(FOLDER / f"{name}.toml"))
    written(tmp_path, system, [n for n in possible_extras(adjoint(system)) if n == "rtrl"])
    path = tmp_path / f"test_{name}.c"
    text = path.read_text(encoding="utf-8")
    array, start = r"workspace\[([^]]*)\];", "    int wrong = 0;\n"
    text, once = re.subn(array, r"*workspace;\nenum { SPACE = \1 };", text, count=1)
    text, again = re.subn(f"int main.*?{start}", r"\g<0>    workspace = guarded(SPACE);\n", text,
                          flags=re.DOTALL)  # fmt: skip
    assert once == again == 1
    text = re.sub(r"\bT = \d+", f"T = {steps}", text, count=1)
    text = re.sub(r"\bB = \d+", f"B = {batch}", text, count=1)
    path.write_text(GUARDED.format(name=name) + text, encoding="utf-8")
    compiled(tmp_path, "cc -std=c99 -O1", f"{name}.c", f"test_{name}.c", "-o", "own", "-lm")
    run = subprocess.run(["./own"], cwd=tmp_path, capture_output=True, text=True, check=False)
    # The stored values are those of more steps.
    stored = {"loss", *(n for n in system.outputs)}
    wrong = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("WRONG")}
    assert run.returncode in (0, 1)
    assert wrong <= stored, run.stdout


# Of the others the same functions are larger, and take long to compile.
SMALL = ["delta_rule", "elman", "feedback", "gru", "luong", "many_to_one", "narx", "nar",
         "one_to_many", "radial_basis", "residual_tied", "tdnn", "viterbi"]  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_the_functions_of_extras_pass_too(name: str, tmp_path: Path) -> None:
    system = build(load(FOLDER / f"{name}.toml"))
    judge_extras(system, tmp_path)
    if shutil.which("c++"):
        for source in (f"{name}.c", f"test_{name}.c"):
            compiled(tmp_path, "c++ -x c++ -fsyntax-only", *STRICT, source)


@pytest.mark.parametrize("seed", range(FIRST + 7000, FIRST + 7000 + max(COUNT // 5, 1)))
def test_the_functions_of_extras_of_random_networks(seed: int, tmp_path: Path) -> None:
    kind = draw if seed % 2 else draw_equations
    judge_extras(kind(seed), tmp_path)


def judge_extras(network: Network | System, folder: Path) -> None:
    """All functions of a file pass their checks in C, under sanitizers."""
    system = build(network) if isinstance(network, Network) else network
    name = system.name
    written(folder, system, possible_extras(adjoint(system)))
    sources = (f"{name}.c", f"test_{name}.c")
    compiled(folder, "cc -std=c99 -O0", *STRICT, *SANITIZED, *sources, "-o", "own", "-lm")
    assert f"0 of {name} wrong" in ran(folder, "own")


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
@pytest.mark.parametrize("name", NAMES)
def test_it_is_c_plus_plus_too(name: str, tmp_path: Path) -> None:
    written(tmp_path, build(load(FOLDER / f"{name}.toml")))
    for source in (f"{name}.c", f"test_{name}.c"):
        compiled(tmp_path, "c++ -x c++ -fsyntax-only", *STRICT, source)


@pytest.mark.skipif(shutil.which("clang") is None, reason="there is no clang")
@pytest.mark.parametrize("name", NAMES)
def test_clang_has_no_warning(name: str, tmp_path: Path) -> None:
    written(tmp_path, build(load(FOLDER / f"{name}.toml")))
    compiled(tmp_path, "clang -std=c99 -fsyntax-only", *STRICT, f"{name}.c")


@pytest.mark.parametrize("name", ["lstm", "luong", "viterbi"])
def test_the_object_needs_mathematics_alone(name: str, tmp_path: Path) -> None:
    """No allocator, no memory of its own between calls."""
    written(tmp_path, build(load(FOLDER / f"{name}.toml")), ["jvp", "hvp"])
    compiled(tmp_path, "cc -std=c99 -O2 -fno-builtin -c", f"{name}.c", "-o", "own.o")
    table = subprocess.run(["nm", "own.o"], cwd=tmp_path, capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in table.splitlines()]
    assert {s for kind, s in symbols if kind == "U"} <= {"exp", "log", "log1p", "sqrt", "pow"}
    assert not [s for kind, s in symbols if kind in "BbDdC"]


def test_a_spoilt_line_fails_the_test_in_c(tmp_path: Path) -> None:
    """A check that notices nothing is no check: of an equation, of what is given or carried on."""
    system = build(load(FOLDER / "narx.toml"))
    written(tmp_path, system, ["jvp", "jacobian", "hvp", "rtrl", "truncated", "checkpoints"])
    source = (tmp_path / "narx.c").read_text(encoding="utf-8")
    lines = source.splitlines()
    start = lines.index("/* The derived equations. */")
    middle = lines.index("/* What is called from outside. */")
    summed = [n for n in range(start, middle) if "] += " in lines[n]]
    passed = re.compile(r"(_copy\(.*|] [+-]= .*);")
    copied = [n for n in range(middle, len(lines)) if passed.search(lines[n])]
    rng = random.Random(3)
    for number in (*rng.sample(summed, 8), *rng.sample(copied, 8)):
        changed = lines[number].replace(" += ", " -= ", 1) if number < middle else ";"
        spoilt = [*lines[:number], changed, *lines[number + 1 :]]
        (tmp_path / "narx.c").write_text("\n".join(spoilt), encoding="utf-8")
        compiled(tmp_path, "cc -std=c99 -O0 -w", "narx.c", "test_narx.c", "-o", "own", "-lm")
        run = subprocess.run(["./own"], cwd=tmp_path, capture_output=True, check=False)
        assert run.returncode == 1, lines[number]


def of_the_page(language: str) -> list[str]:
    page = (FOLDER.parent / "docs" / "c.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_plant_of_the_page_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained by Python, stepped by C."""
    system = build(load(FOLDER.parent / "demo" / "maglev.toml"))
    written(tmp_path, system)
    (tmp_path / "demo").symlink_to(FOLDER.parent / "demo")
    monkeypatch.chdir(tmp_path)
    exec(of_the_page("python")[0], {})
    (tmp_path / "own.c").write_text(of_the_page("c")[1], encoding="utf-8")
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, "own.c", "maglev.c", "-o", "own", "-lm")
    steps, error = re.findall(r"[\d.]+", ran(tmp_path, "own"))
    assert steps == "4001"
    assert float(error) < 10


def test_the_learner_of_the_page_learns(tmp_path: Path) -> None:
    """One step after the other, in both precisions."""
    written(tmp_path, build(load(FOLDER / "narx.toml")), ["rtrl"])
    (tmp_path / "own.c").write_text(of_the_page("c")[2], encoding="utf-8")
    for flags in ([], ["-DNARX_FLOAT"]):
        compiled(
            tmp_path, "cc -std=c99 -O2", *STRICT, *flags, "own.c", "narx.c", "-o", "own", "-lm"
        )
        first, *_, last = map(float, re.findall(r"error (\S+)", ran(tmp_path, "own")))
        assert last < 0.01 < first


def test_the_example_of_the_page_learns(tmp_path: Path) -> None:
    example, *_ = of_the_page("c")
    written(tmp_path, build(load(FOLDER / "narx.toml")))
    (tmp_path / "learn.c").write_text(example, encoding="utf-8")
    for flags in ([], ["-DNARX_FLOAT"]):
        compiled(
            tmp_path, "cc -std=c99 -O2", *STRICT, *flags, "learn.c", "narx.c", "-o", "own", "-lm"
        )
        loss, position, measured = map(float, re.findall(r"-?\d+\.\d+", ran(tmp_path, "own")))
        assert loss < 0.05
        assert abs(position - measured) < 0.3


# By its Python module.


def results(module: types.ModuleType, example: Example, dtype: type) -> Mapping[str, Any]:
    groups = [
        {n: a if a.dtype.kind == "i" else a.astype(dtype) for n, a in group.items()}
        for group in example.arguments
    ]
    loss, gradients = module.loss_and_gradients(*groups, wrt=("parameters", "inputs", "initial"))
    signals = module.forward(groups[0], groups[1], groups[3], **example.free)
    return {**gradients, **{f"signal {n}": a for n, a in signals.items()}, "loss": loss}


def differences(system: System, folder: Path, example_of: Any) -> Iterator[tuple[str, float]]:
    """How far what C computes is from what NumPy does, in units of what may be, by name."""
    module = loaded(written(folder, system))
    other = load_module(files_of(extend(adjoint(system), ()))[f"{system.name}.py"])
    example = example_of(other)
    for dtype, close in ((np.float64, CLOSE), (np.float32, 1e-3)):
        found, expected = results(module, example, dtype), results(other, example, dtype)
        largest = max(float(np.abs(a).max(initial=0)) for a in expected.values())
        for name, array in expected.items():
            assert found[name].dtype == dtype, name
            assert np.shape(found[name]) == np.shape(array), name
            error = float(np.abs(found[name] - array).max(initial=0))
            yield f"{name}, {dtype.__name__}", error / (close * largest)


@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(COUNT // 4, 1)))
def test_random_networks_as_numpy_computes_them(seed: int, kind: Any, tmp_path: Path) -> None:
    found = differences(build(kind(seed)), tmp_path, lambda m: moderate_example(m, seed))
    assert not [(seed, name, error) for name, error in found if not error <= 1]


@pytest.mark.parametrize(
    ("width", "units", "batch"), [(150, 40, 18), (300, 17, 1), (5, 33, 4), (17, 129, 16)]
)
def test_products_of_every_size(width: int, units: int, batch: int, tmp_path: Path) -> None:
    """Tiles of rows and columns, what is left over, and parts of a matrix brought together."""
    found = differences(of_products(width, units), tmp_path, lambda m: Example(m, 1, 3, batch, 0.1))
    assert not [(name, error) for name, error in found if not error <= 1]


def of_products(width: int, units: int) -> System:
    layers = (
        Layer("h", units, (Connection("x"), Connection("h", 1)), "tanh"),
        Layer("y", 3, (Connection("h"), Connection("x", 1)), "linear"),
    )
    return build(Network("products", {"x": width}, layers, (LossSpec("y"),)))


@pytest.mark.parametrize("sizes", [(5, 3, 1), (7, 33, 4), (40, 20, 18)])
def test_products_by_a_blas(
    sizes: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every product by the BLAS of SciPy, where there is SciPy."""
    pytest.importorskip("scipy.linalg.cython_blas")
    monkeypatch.setenv("CFLAGS", "-O1 -DPRODUCTS_MUCH=0")
    *layers, batch = sizes
    calls = 0

    def example(module: types.ModuleType) -> Example:
        return Example(module, 1, 3, batch, 0.1)

    def with_blas(path: Path, name: str = "") -> types.ModuleType:
        module = plain(path, name)
        module._MUCH = 0
        given = module._gemm

        def gemm(dtype: Any) -> int:
            nonlocal calls
            calls += 1
            found: int = given(dtype)
            assert found
            return found

        module._gemm = gemm
        return module

    plain = loaded
    monkeypatch.setattr(f"{__name__}.loaded", with_blas)
    found = [*differences(of_products(*layers), tmp_path, example)]
    assert not [(name, error) for name, error in found if not error <= 1]
    assert calls


@pytest.mark.parametrize("seed", range(FIRST + 5000, FIRST + 5000 + COUNT // 3))
def test_wide_networks_with_all_their_derivatives(seed: int, tmp_path: Path) -> None:
    def make(derived: System, extras: Sequence[str], name: str) -> types.ModuleType:
        return loaded(written(tmp_path, derived.primal, extras), name)

    try:
        judge_network(draw_network(seed), make)
    except Exception as error:
        error.add_note(describe(seed))
        raise


@pytest.mark.parametrize("name", ["elman", "narx", "gru", "luong"])
def test_every_extra(name: str) -> None:
    derived = adjoint(build(load(FOLDER / f"{name}.toml")))
    extended = extend(derived, possible_extras(derived))
    assert not [r for r in check_target(extended, "c") if not r.passed]


def test_training_goes_on_the_same_way() -> None:
    """The same losses up to rounding, by the Jacobian and by gradients of batches."""
    rng = np.random.default_rng(2)
    u = rng.uniform(-1, 1, 120)
    y = np.convolve(u, [0.3, 0.2, 0.1])[: u.size]
    text = (FOLDER / "narx.toml").read_text(encoding="utf-8")
    for method, epochs in (("lm", 3), ("adam", 5)):
        losses = []
        for target in ("numpy", "c"):
            options = Options(method=method, epochs=epochs, seed=1, target=target)
            fitted = fit(text, {"current": u, "position": y}, options)
            losses.append([report["loss"] for report in fitted.progress.history])
        assert np.allclose(*losses, rtol=1e-6)


# Names from a file.

WORDS = sorted(
    TAKEN
    | {"n", "i", "j", "b", "k", "total", "found", "main", "workspace", "arrays", "parts", "placed"}
    | {"named_real", "named_forward", "NAMED_FLOAT", "tanh", "exp", "y0", "jn", "signgam", "printf"}
    | {"parameters", "gradients", "signals", "inputs", "T1", "S", "moved", "number", "fill", "all"}
)


def is_legal(name: str) -> bool:
    try:
        check_name(name, "a layer", "")
    except UserError:
        return False
    return True


@pytest.mark.parametrize("seed", range(12))
def test_names_that_mean_something_to_c(seed: int, tmp_path: Path) -> None:
    names = random.Random(seed).sample([w for w in WORDS if is_legal(w)], 5)
    x, weight, first, second, last = names
    system = build(
        Network(
            "named",
            {x: 2},
            (
                Layer(first, 2, (Connection(x), Connection(x, 1), Connection(first, 1, weight))),
                Layer(second, 2, (Connection(first),), cell="gru"),
                Layer(last, 2, (Connection(second), Connection(last, 2)), "softmax"),
            ),
            (LossSpec(last, "cross_entropy"), LossSpec(first)),
        )
    )
    written(tmp_path, system)
    sources = ("named.c", "test_named.c")
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, *sources, "-o", "own", "-lm")
    assert "0 of named wrong" in ran(tmp_path, "own"), names
    if shutil.which("c++"):
        compiled(tmp_path, "c++ -x c++ -fsyntax-only", *STRICT, "named.c")


def test_no_two_names_become_one() -> None:
    names = Names(["double", "double_", "double__", "own_net_x", "net_x", "NET_X"], "net", ["T"])
    found = [names[n] for n in ("double", "double_", "double__", "own_net_x", "net_x", "NET_X")]
    assert len(set(found)) == len(found)
    assert not TAKEN.intersection(found)
    assert not any(name.startswith(("net_", "NET_")) for name in found)


@pytest.mark.parametrize("name", ["double", "main", "std", "int", "a" * 60])
def test_a_network_may_have_any_name(name: str, tmp_path: Path) -> None:
    layer = Layer("y", 1, (Connection("x"), Connection("y", 1)))
    written(tmp_path, build(Network(name, {"x": 1}, (layer,), (LossSpec("y"),))))
    sources = (f"{name}.c", f"test_{name}.c")
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, *sources, "-o", "own", "-lm")
    ran(tmp_path, "own")


# Functions.

PROGRAM = """
{macros}
{source}
#include <stdio.h>
int main(void)
{{
    {real} x, y;
    while (fread(&x, sizeof x, 1, stdin) == 1) {{
        y = m_{name}(x);
        fwrite(&y, sizeof y, 1, stdout);
    }}
    return 0;
}}
"""


def values_in_c(folder: Path, name: str, x: Any) -> Any:
    """What C computes of numbers, in their dtype."""
    is_single = x.dtype == np.float32
    macros = environment().get_template("c/macros.c.jinja").render(p="m", P="M")
    real = "float" if is_single else "double"
    text = PROGRAM.format(
        macros=f"#include <math.h>\ntypedef {real} m_real;\n{macros}",
        source="\n\n".join(helpers([name], "m")),
        real=real,
        name=name,
    )
    (folder / "own.c").write_text(text, encoding="utf-8")
    flags = ("-DM_FLOAT",) if is_single else ()
    compiled(folder, "cc -std=c99 -O2", *flags, "own.c", "-o", "own", "-lm")
    run = subprocess.run(["./own"], cwd=folder, input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(run.stdout, x.dtype)


REFERENCES = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
}
EVERY = int(os.environ.get("BPTT_FLOATS", "997"))


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_are_right_to_two_units_in_the_last_place(
    name: str, dtype: type, tmp_path: Path
) -> None:
    """Of float every 997th number there is (BPTT_FLOATS=1: all), of double a million."""
    if dtype == np.float32:
        x = np.arange(0, 1 << 32, EVERY, dtype=np.uint64).astype(np.uint32).view(np.float32)
    else:
        rng = np.random.default_rng(1)
        size = np.concatenate([rng.uniform(-12, 3, 800_000), rng.uniform(-300, -12, 200_000)])
        x = rng.choice([-1.0, 1.0], size.size) * 10**size
    found = values_in_c(tmp_path, name, x)
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(np.longdouble))
        rounded = exact.astype(dtype)
        unit = np.spacing(np.abs(rounded)).astype(np.longdouble)
        error = np.abs(found.astype(np.longdouble) - exact) / unit
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    worst = np.argmax(np.where(same, 0, np.where(np.isnan(error), np.inf, error)))
    assert same[worst] or error[worst] <= 2, (x[worst], found[worst], rounded[worst])


def test_there_is_c_for_every_primitive() -> None:
    for name in (OTHERWISE.get(n, n) for n in PRIMITIVES):
        assert f"net_{name}(" in "\n".join(helpers([name], "net"))


# The command.


def test_generate_writes_four_files(tmp_path: Path) -> None:
    arguments = ["generate", str(FOLDER / "narx.toml"), "--target", "c", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    files = {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir() if p.is_file()}
    assert set(files) == {"narx.c", "narx.h", "test_narx.c", "narx.py"}
    assert all(map(is_as_generated, files.values()))
    assert all(len(line) <= 120 for line in files["narx.c"].splitlines())
    changed = tmp_path / "narx.c"
    changed.write_text(files["narx.c"].replace("narx", "mine", 1), encoding="utf-8")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "narx.c" in result.output


def test_the_files_are_the_same_whatever_the_hash_seed(tmp_path: Path) -> None:
    command = "from bptt.commands.main import main; main()"
    for seed in ("1", "2"):
        folder = tmp_path / seed
        arguments = ["generate", str(FOLDER / "luong.toml"), "--target", "c", "-o", str(folder)]
        subprocess.run(
            [sys.executable, "-c", command, *arguments],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_without_a_compiler_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded(written(tmp_path, build(load(FOLDER / "elman.toml"))))
    example = Example(module, 1, 3, 2)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ImportError, match="no C compiler 'no-such-compiler'; install gcc"):
        module.loss(*example.arguments)


def test_without_its_c_file_the_module_says_what_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, build(load(FOLDER / "elman.toml")))
    (tmp_path / "elman.c").unlink()
    module = loaded(path)
    with pytest.raises(ImportError, match=r"elman\.c is missing; it belongs beside"):
        module.loss(*Example(module, 1, 3, 2).arguments)


# What a header says.


@pytest.mark.parametrize("name", ["elman", "jordan", "feedback", "tdnn"])
def test_operations_are_those_of_the_layers(name: str, tmp_path: Path) -> None:
    """A product and a sum for each weight of a layer, and an activation for each unit."""
    network = load(FOLDER / f"{name}.toml")
    assert isinstance(network, Network)
    system = build(network)
    written(tmp_path, system)
    header = " ".join((tmp_path / f"{name}.h").read_text(encoding="utf-8").split())
    found = re.search(r"Operations: (\d+) \* T \* B; [a-z, ]+: (\d+) \* T \* B\.", header)
    assert found is not None
    curved = sum(layer.size for layer in network.layers if layer.activation != "linear")
    assert 2 * system.parameter_count <= int(found[1]) + 2 * curved <= 4 * system.parameter_count
    assert int(found[2]) == curved


def test_truncated_gradients_are_those_of_numpy(tmp_path: Path) -> None:
    """Where parts begin within a sequence, by the function for C's own users."""
    system = build(load(FOLDER / "narx.toml"))
    module = loaded(written(tmp_path, system, ["truncated"]))
    other = load_module(files_of(extend(adjoint(system), ["truncated"]))["narx.py"])
    example = Example(module, 3, 11, 2)
    parameters, inputs, targets, initial, _ = example.arguments
    compiled(tmp_path, "cc -std=c99 -O1 -fPIC -shared narx.c -o narx.so -lm")
    function = ctypes.CDLL(str(tmp_path / "narx.so")).narx_truncated
    function.restype = ctypes.c_double
    row = np.concatenate([parameters[n].ravel() for n in module.PARAMETERS])
    gradients, workspace = np.zeros_like(row), np.zeros(10_000)

    def pointers(arrays: Sequence[Any]) -> Any:
        return (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))

    groups = (inputs, module.INPUTS), (targets, module.TARGETS), (initial, module.INITIAL)
    given = [[arrays[n] for n in names] for arrays, names in groups]
    for k1, k2 in ((1, 1), (2, 3), (4, 4), (3, 7)):
        loss = function(
            ctypes.c_void_p(row.ctypes.data),
            *map(pointers, given),
            *map(ctypes.c_long, (k1, k2, 11, 2)),
            ctypes.c_void_p(workspace.ctypes.data),
            ctypes.c_void_p(gradients.ctypes.data),
        )
        expected, slopes = other.truncated_loss_and_gradients(
            parameters, inputs, targets, k1, k2, initial
        )
        flat = np.concatenate([slopes[n].ravel() for n in module.PARAMETERS])
        assert loss == pytest.approx(expected, rel=1e-12)
        assert np.allclose(gradients, flat, rtol=1e-9, atol=1e-12 * np.abs(flat).max())


def test_a_step_of_weight_zero_is_not_learned(tmp_path: Path) -> None:
    """Where nothing was measured, states go on and parameters stay."""
    network = Network(
        "gaps", {"x": 1}, (Layer("y", 1, (Connection("x"), Connection("y", 1)), "tanh"),),
        (LossSpec("y", steps="weighted"),),
    )  # fmt: skip
    written(tmp_path, build(network), ["rtrl"])
    program = """
#include "gaps.h"
#include <stdio.h>
int main(void)
{
    static gaps_parameters parameters, gradients;
    static gaps_learner learner;
    static gaps_real workspace[GAPS_LEARN_WORKSPACE(1, 1)];
    const gaps_real x = 1, d = 2, all = 1, none = 0;
    const gaps_inputs inputs = {&x};
    for (int t = 0; t < 3; ++t) {
        const gaps_targets targets = {&d, t == 1 ? &none : &all};
        gaps_signals signals;
        const gaps_real loss = gaps_learn_step(&parameters, &inputs, &targets, &learner,
            (gaps_real)0.1, workspace, &gradients, &signals);
        printf("%.6f %.6f\\n", (double)loss, (double)parameters.b_y[0]);
    }
    return 0;
}
"""
    (tmp_path / "own.c").write_text(program, encoding="utf-8")
    compiled(tmp_path, "cc -std=c99 -O1", *STRICT, "own.c", "gaps.c", "-o", "own", "-lm")
    (first, once), (gap, kept), (last, twice) = (
        map(float, line.split()) for line in ran(tmp_path, "own").splitlines()
    )
    assert min(first, last) > gap == 0
    assert 0 < once == kept < twice
