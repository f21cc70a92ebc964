"""Every legal name works everywhere: in equations, in modules with all derivatives, in print."""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import os
import random
import tokenize
from functools import cache
from pathlib import Path

import pytest
import sympy

from bptt.codegen.check import check
from bptt.codegen.emit import generate
from bptt.codegen.extras import possible_extras
from bptt.derive import Connection, Layer, LossSpec, Network, UserError, adjoint, build
from bptt.derive.description.network import check_name
from bptt.derive.description.topology import loads
from bptt.derive.notation.symbols import symbols

ROOT = Path(__file__).parent.parent
COUNT = int(os.environ.get("BPTT_NETWORKS", "300")) // 75
FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
# What derivations and modules have named something, at one time or another.
MADE = (
    *("ends", "skip", "total_steps", "chunk_loss", "chunk_objective", "first_step", "curvature"),
    *("R", "dot", "target", "weights", "parameters", "d", "c", "d_c", "d_d", "d_h", "dot_h", "R_h"),
    *("h_by_W", "h_per_h", "e_h", "carry_h", "n_h", "n", "state_h", "h_t", "h_t_minus_1"),
    *("before_h", "loss_h", "logsumexp_h", "error_h", "total_weight_h", "h_after", "arrays_"),
)


@cache
def words() -> tuple[str, ...]:
    """Names that generated code, templates, SymPy or Python use, as far as they are legal."""
    found = {*MADE, *dir(builtins), *keyword.softkwlist, *dir(sympy)}
    for path in (*(ROOT / "generated").glob("*.py"), ROOT / "codegen" / "numpy" / "runtime.py"):
        with path.open("rb") as file:
            found |= {t.string for t in tokenize.tokenize(file.readline) if t.type == tokenize.NAME}
    return tuple(sorted(filter(is_legal, found)))


def is_legal(name: str) -> bool:
    try:
        check_name(name, "a layer", "")
    except UserError:
        return False
    return True


def network(names: list[str]) -> Network:
    """Layers, an input and a weight of these names, with delays, a cell and two kinds of loss."""
    x, shared, first, second, third, last = names
    return Network(
        "named",
        {x: 2},
        (
            Layer(first, 2, (Connection(x), Connection(last, 2), Connection(first, 1, shared))),
            Layer(second, 2, (Connection(first),), cell="gru"),
            Layer(third, 2, (Connection(second), Connection(third, 1, shared)), "softmax"),
            Layer(last, 1, (Connection(third), Connection(x, 1)), "linear"),
        ),
        (LossSpec(last), LossSpec(third, "cross_entropy", 0.5, steps="last")),
    )


def judge(names: list[str]) -> None:
    system = build(network(names))
    extras = possible_extras(adjoint(system))
    assert {"jvp", "hvp", "gnvp", "rtrl", "truncated", "checkpoints", "jacobian"} <= set(extras)
    wrong = [r for r in check(system, extras=extras) if not r.passed]
    assert not wrong, (names, wrong)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_random_names(seed: int) -> None:
    rng = random.Random(seed)
    names = rng.sample(words() if seed % 2 else list(filter(is_legal, MADE)), 6)
    try:
        judge(names)
    except UserError as error:
        # Two connections whose weights would have one name are the user's to tell apart.
        if "belongs to two things" not in str(error):
            raise


@pytest.mark.parametrize(
    "names",
    [
        ["d", "W", "c", "h", "k", "d_c"],
        ["R", "dot", "ends", "total_steps", "chunk_loss", "chunk_objective"],
        ["skip", "first_step", "target", "parameters", "carry_y", "y"],
        ["E", "I", "S", "N", "Q", "O"],
    ],
    ids=" ".join,
)
def test_names_that_derivations_use(names: list[str]) -> None:
    judge(names)


def test_one_name_for_each_quantity_whatever_the_user_has_chosen() -> None:
    system = adjoint(build(network(["x", "d_h", "h", "d_d_h", "dot_h", "y"])))
    assert system.derivative("loss", "h") == "d_h_"
    assert len(set(map(str, symbols(system).values()))) == len(symbols(system))
    files = generate(build(network(["x", "d_h", "h", "d_d_h", "dot_h", "y"])), ["hvp"]).files()
    ast.parse(files["named.py"])


@pytest.mark.parametrize(
    "names", [*itertools.permutations(["x", "after", "dot", "x_after"], 2)], ids=" ".join
)
def test_names_of_values_before_and_after(names: tuple[str, str]) -> None:
    """An input is read on both sides of its steps: both have values that a direction can move."""
    given, state = names
    text = f"{state}[t] = tanh(p*{state}[t-1] + {given}[t-1] + {given}[t+1])"
    text = f"equations = '{text}'\n[inputs]\n{given} = 2\n[signals]\n{state} = 2\n"
    system = build(loads(f"{text}[parameters]\np = []\n[loss]\n{state} = 'mse'"))
    assert not [r for r in check(system, extras=["jvp", "hvp"]) if not r.passed]
