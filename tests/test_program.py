"""Programs: every pass computes the same, by the interpreter, and so does what is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.codegen.c.emit import PASSES as C_PASSES
from bptt.codegen.emit import programs, source_of
from bptt.codegen.extras import Extended, extend, possible_extras
from bptt.codegen.interpret import interpret
from bptt.codegen.listing import program_text, statement_lines
from bptt.codegen.nodes import Read, rewritten
from bptt.codegen.numpy.layout import WIDTH, formatted
from bptt.codegen.passes import PASSES, optimised
from bptt.codegen.program import Assign, Block, Body, Guard, Loop, Program, assignments, changed
from bptt.commands.main import main
from bptt.derive import Network, adjoint, build, load
from bptt.derive.description.topology import loads
from tests.numeric import Example, load_module
from tests.random_networks import draw, draw_equations

FOLDER = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
CLOSE = 1e-10


class Runs:
    """Programs and modules of one network, run on the same numbers."""

    def __init__(self, extended: Extended, steps: int, batch: int) -> None:
        self.plain = programs(extended, plain=True)[0][0]
        self._module = load_module(source_of(extended, plain=True))
        self._example = Example(self._module, 1, steps, batch, 0.3)
        self._fast = load_module(source_of(extended))

    def _given(self) -> tuple[dict[str, Any], tuple[int, ...], Any]:
        example = self._example
        with np.errstate(all="ignore"):
            arrays, *sizes, dtype = self._module._prepare(
                example.parameters,
                example.inputs,
                example.initial,
                example.targets,
                example.weights,
                **example.free,
            )
        copies = {n: a if isinstance(n, tuple) else np.array(a) for n, a in arrays.items()}
        return copies, tuple(sizes), dtype

    def interpreted(self, program: Program) -> Mapping[str, Any]:
        arrays, sizes, dtype = self._given()
        names = (*self._module.LENGTHS, "B")
        with np.errstate(all="ignore"):
            found: Mapping[str, Any] = interpret(
                program, arrays, dict(zip(names, sizes, strict=True)), dtype
            )
        return found

    def computed(self, program: Program, *, plain: bool) -> Mapping[str, Any]:
        arrays, sizes, dtype = self._given()
        with np.errstate(all="ignore"):
            for function in program.functions:
                run = getattr(self._module if plain else self._fast, function.name)
                run(arrays, *sizes, dtype)
        return arrays


def results(program: Program) -> Iterator[str]:
    return (n for f in program.functions for n in f.gives if n in program.results)


def differing(program: Program, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name in results(program)
        if not np.allclose(one[name], other[name], CLOSE, CLOSE, equal_nan=True)
    ]


def judge(network: Network, steps: int, batch: int, extras: tuple[str, ...] = ()) -> None:
    """Every pass on its own, and both printed modules, against the program as it was lowered."""
    runs = Runs(extend(adjoint(build(network)), extras), steps, batch)
    program = runs.plain
    right = runs.interpreted(program)
    assert not differing(program, right, runs.computed(program, plain=True))
    for change in PASSES:
        program = change(program)
        assert not differing(program, right, runs.interpreted(program)), change.__name__
    assert not differing(program, right, runs.computed(program, plain=False))
    program = runs.plain
    for change in C_PASSES:
        program = change(program)
        assert not differing(program, right, runs.interpreted(program)), f"C, {change.__name__}"


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_every_pass_computes_the_same(name: str, steps: int) -> None:
    judge(load(FOLDER / f"{name}.toml"), steps, 2)


@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
@pytest.mark.parametrize("seed", range(30))
def test_of_random_networks_too(seed: int, kind: Any) -> None:
    judge(kind(seed), 1 + seed % 5, 1 + seed % 3)


@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
@pytest.mark.parametrize("seed", range(10))
def test_with_the_derivatives_of_every_element(seed: int, kind: Any) -> None:
    possible = possible_extras(adjoint(build(kind(seed))))
    extras = tuple(name for name in ("jacobian", "residuals") if name in possible)
    judge(kind(seed), 3, 2, extras)


def lines_of(name: str) -> list[str]:
    (program, _), *_ = programs(extend(adjoint(build(load(FOLDER / f"{name}.toml"))), ()))
    return [" ".join(line.split()) for line in program_text(program).splitlines()]


LSTM = (
    # The four gates are one product forward, one backward, and one for the weights' gradients.
    "n_memory[t,b,i] += sum_j U_memory[i,j]*memory[t-1,b,j] (1) (3) (5) (7)",
    "d_memory[t,b,i] += sum_j U_memory[j,i]*d_n_memory[t+1,b,j] (14)",
    "d_U_memory[i,j] = sum_t,b d_n_memory[t,b,i]*memory[t-1,b,j] (26) (29) (32) (35)",
    # Three of them have one function, and what the loop back multiplies by comes before it.
    "n_memory[t,b,i] = sigmoid(n_memory[t,b,i]) (2) (4) (8)",
    "d_n_g_memory_per_d_c_memory[t,b,i] = i_memory[t,b,i]*(1 - g_memory[t,b,i]^2) (18) (19)",
)


@pytest.mark.parametrize("line", LSTM)
def test_an_lstm_as_one_writes_it_by_hand(line: str) -> None:
    assert line in lines_of("lstm")


def test_layers_that_read_one_source_are_stacked_whatever_they_are() -> None:
    network = loads(
        """
name = "two"
equations = '''
f[t] = tanh(A @ x[t] + P @ f[t-1] + S @ g[t-1])
g[t] = sin(C @ x[t] + Q @ f[t-1] + R @ g[t-1])
'''
[inputs]
x = 3
[signals]
f = 2
g = 4
[parameters]
A = [2, 3]
C = [4, 3]
P = [2, 2]
S = [2, 4]
Q = [4, 2]
R = [4, 4]
[loss]
f = "mse"
g = "mse"
"""
    )
    judge(network, 4, 2)
    program = optimised(programs(extend(adjoint(build(network)), ()))[0][0])
    joined = [a for f in program.functions for a in assignments(f.body) if not a.numbers]
    found = {frozenset(r.name for r in a.reads) for a in joined}
    assert found >= {frozenset("AC"), frozenset("PQ"), frozenset("RS")}


def test_elements_that_do_not_stand_in_a_row_are_not_stacked() -> None:
    """Of part[i,l,j,k] the last three indices of a target [t,b,i,j,k] are not the last ones."""
    network = loads(
        """
name = "apart"
equations = '''
y[t] = tanh((v / (1 + exp(-y_hat))) @ concat(g[0:1] * q[t-1], (w @ y[t-2]).T) + g * q[t-1])
q[t] = -y[t,1] + c * q[t-2] + x[t]
'''
[inputs]
x = { size = [] }
[signals]
y = [3]
q = []
[parameters]
y_hat = [3, 2]
v = [3, 2]
w = [1, 3]
g = [3]
c = []
[loss]
y = "sse"
"""
    )
    judge(network, 5, 2, ("residuals", "jacobian"))


@pytest.mark.parametrize("shape", ["[2, 3]", "[2, 1]", "[3]"])
def test_parameters_with_other_axes_are_not_joined(shape: str) -> None:
    """A[i,j,k,l] and C[i,j,m,n] could be one product with d_h[t,b,i,j], were they one array."""
    letters = "m,n" if "," in shape else "m"
    network = loads(
        f"""
name = "joined"
equations = '''
h[t,i,j] = tanh(A[i,j,k,l] * h[t-2,k,l] + C[i,j,{letters}] * x[t-2,{letters}])
y[t] = h[t] @ v
'''
[inputs]
x = {{ size = {shape}, time = ["T"] }}
[signals]
h = [2, 2]
[parameters]
A = [2, 2, 2, 2]
C = [2, 2, {shape[1:]}
v = [2]
[loss]
y = "mse"
"""
    )
    judge(network, 3, 2)


def test_a_part_is_read_as_the_array_around_it_has_been_changed() -> None:
    """h_by_A[t] is what W makes of it and what h_by[t], in which it lies, adds to it."""
    network = loads(
        """
name = "around"
equations = '''
h[t,i,j] = r[t-1,k,k]*x[t,i,k] + W[i,j,l,m]*h[t-1,l,m]
r[t,i,j] = A[i,j,k,l]*h[t,k,l]
y[t,i] = r[t,0,0] + b[i]
'''
[inputs]
x = { size = [2, 1] }
[signals]
h = [2, 2]
r = [1, 1]
y = [2]
[parameters]
W = [2, 2, 2, 2]
A = [1, 1, 2, 2]
b = [2]
[loss]
y = "mse"
"""
    )
    judge(network, 3, 2, ("residuals",))
    program = programs(extend(adjoint(build(network)), ("residuals",)))[0][0]
    every = [a for f in program.functions for a in assignments(f.body)]
    written = [(a.target.name, a.operator) for a in every]
    assert written.index(("h_by_A", "=")) < written.index(("h_by", "+="))


# A check that notices nothing is no check: each slip changes some result.


def spoilt(body: Body, slip: str) -> Body:
    """A body with one kind of slip in it."""
    if slip == "a guard that lets all pass":
        return tuple(
            replace(
                s, body=tuple(x for g in s.body for x in (g.body if isinstance(g, Guard) else (g,)))
            )
            if isinstance(s, Loop)
            else s
            for s in body
        )
    if slip == "a loop the other way":
        return tuple(
            replace(s, direction="forward" if s.direction == "backward" else "backward")
            if isinstance(s, Loop)
            else s
            for s in body
        )

    def change(assign: Assign) -> tuple[Assign, ...]:
        if slip == "= for +=":
            return (replace(assign, operator="="),)
        if slip == "a step too early":
            return (replace(assign, value=rewritten(assign.value, earlier)),)
        return ()

    def earlier(read: Read) -> Read:
        moved = tuple(
            replace(s, offset=s.offset - 1) if s.index == "t" and read.name == "memory" else s
            for s in read.subscripts
        )
        return replace(read, subscripts=moved)

    return changed(body, change)


@pytest.mark.parametrize(
    "slip", ["a guard that lets all pass", "a loop the other way", "= for +=", "a step too early"]
)
def test_a_slip_of_a_pass_is_noticed(slip: str) -> None:
    runs = Runs(extend(adjoint(build(load(FOLDER / "lstm.toml"))), ()), 4, 2)
    right, program = runs.interpreted(runs.plain), optimised(runs.plain)
    functions = tuple(replace(f, body=spoilt(f.body, slip)) for f in program.functions)
    assert functions != program.functions
    try:
        found = runs.interpreted(replace(program, functions=functions))
    except IndexError:
        return
    assert differing(program, right, found)


def test_a_part_in_the_wrong_place_is_noticed() -> None:
    runs = Runs(extend(adjoint(build(load(FOLDER / "lstm.toml"))), ()), 4, 2)
    right, program = runs.interpreted(runs.plain), optimised(runs.plain)
    moved = dict(program.buffers)
    name = next(n for n, b in moved.items() if b.alias is not None and b.alias.start == 20)
    block = moved[name].alias
    assert block is not None
    moved[name] = replace(moved[name], alias=Block(block.buffer, block.axis, 10))
    assert differing(program, right, runs.interpreted(replace(program, buffers=moved)))


# What people read.


def test_a_plain_module_has_an_einsum_for_each_contraction() -> None:
    extended = extend(adjoint(build(load(FOLDER / "narx.toml"))), ())
    source = source_of(extended, plain=True)
    computing = [n.partition("#")[0] for n in source.splitlines() if "  # (" in n]
    assert len([n for n in computing if "np.einsum(" in n]) > 8
    assert not any(" @ " in n or ".sum(" in n or "out=" in n for n in computing)
    assert "_rows" not in source


@pytest.mark.parametrize("name", ["narx", "lstm", "gru", "luong", "elman"])
def test_lines_are_short(name: str) -> None:
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    # Equations in a docstring are broken between their terms alone.
    code = "".join(source.split('"""')[::2])
    assert max(map(len, code.splitlines())) <= WIDTH
    assert formatted(source) == source


def test_a_long_line_is_the_same_statement() -> None:
    long = "    first = np.einsum('ij,bj->bi', " + ", ".join(f"name_{n}[t + 1]" for n in range(9))
    source = f"def f(t):\n{long}) + {' * '.join(f'factor_{n}' for n in range(12))}\n"
    found = formatted(source)
    assert max(map(len, found.splitlines())) <= WIDTH
    assert compile(found, "f", "exec").co_code == compile(source, "f", "exec").co_code
    assert "".join(found.split()).replace("(np.", "np.").count("factor_") == 12


def test_the_command_prints_the_program() -> None:
    def shown(*options: str) -> str:
        given = ["show", str(FOLDER / "elman.toml"), "--program", *options]
        done = CliRunner().invoke(main, given)
        assert done.exit_code == 0
        return done.stdout

    assert "  loop t backward over T\n" in shown()
    assert "d_n_hidden_per_d_hidden" in shown()
    assert "d_n_hidden_per_d_hidden" not in shown("--plain")
    alone = CliRunner().invoke(main, ["show", str(FOLDER / "elman.toml"), "--plain"])
    assert alone.exit_code == 2
    assert "add --program" in alone.stderr


def test_a_statement_is_one_line() -> None:
    program = programs(extend(adjoint(build(load(FOLDER / "elman.toml"))), ()))[0][0]
    (loop,) = (s for s in program.functions[0].body if isinstance(s, Loop))
    lines = [" ".join(line.split()) for line in statement_lines((loop,))]
    assert lines == [
        "loop t forward over T",
        "n_hidden[t,b,i] += sum_j W_hidden_hidden_1[i,j]*hidden[t-1,b,j] (1)",
        "hidden[t,b,i] = tanh(n_hidden[t,b,i]) (2)",
    ]
