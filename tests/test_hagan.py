"""The notation of "Neural Network Design": what it says of S, d and F holds of the numbers."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.codegen.places import further_sections, places
from bptt.commands.main import main
from bptt.derive import System, UserError, adjoint, build, load, loads
from bptt.derive.calculus.lddn import is_layered, layered, link, net_inputs, unlayered
from bptt.derive.calculus.open_loop import opened
from bptt.derive.calculus.quantity import Derivative
from bptt.derive.interpreter import Interpreter
from bptt.derive.notation.document import HEADINGS, Document, document
from bptt.derive.notation.latex import latex
from bptt.pages.report import report
from tests.numeric import Arrays, Example, load_module
from tests.random_networks import draw, draw_equations

FOLDER = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
COUNT = int(os.environ.get("BPTT_NETWORKS", "300")) // 15
FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
STEP = 1e-30
STEPS, BATCH = 4, 2


@cache
def shelf(name: str) -> System:
    return adjoint(build(load(FOLDER / f"{name}.toml")))


LAYERED = [name for name in NAMES if is_layered(shelf(name))]

CELLS = {
    # The net input has a name of the user's own.
    "named": """
        [layers.h]
        size = 2
        cell = "own"
        from = { x = [0, 1], y = [2] }
        [cells.own]
        equations = "z[t] = W @ x[t] + U @ h[t-1] + b\\nh[t] = tanh(z[t])"
        """,
    # A linear layer that no loss judges and that is read at its own step alone.
    "linear_within": """
        [layers.m]
        size = 3
        activation = "linear"
        from = { x = [0], y = [1] }
        [layers.h]
        size = 2
        activation = "tanh"
        from = { m = [0] }
        """,
    # What has the letters of derivatives: weights that two connections share.
    "shared": """
        [layers.h]
        size = 2
        activation = "tanh"
        [layers.h.from]
        x = { delays = [0, 1], weight = "S_h_y" }
        h = { delays = [1, 3], weight = "d_h" }
        """,
}
REST = """
[inputs]
x = 3
[layers.y]
size = 2
activation = "tanh"
from = { h = [0, 1] }
[loss]
y = "mse"
"""


def small(name: str) -> System:
    return build(loads(REST + CELLS[name], default_name=name))


NETWORKS = [*LAYERED, *CELLS, *map(str, range(FIRST, FIRST + COUNT))]


@cache
def forward_of(name: str) -> System:
    """A layered network: of the shelf, of CELLS, or drawn at random."""
    if name in CELLS:
        return small(name)
    return build(draw(int(name), layered=True)) if name.isdigit() else shelf(name).primal


# The numbers.


@cache
def numbers_of(name: str) -> Numbers:
    return Numbers(forward_of(name))


class Numbers:
    """One example of a layered network: its derivatives, and complex steps to judge them by."""

    def __init__(self, forward: System) -> None:
        self.found = layered(forward)
        module = load_module(module_source(adjoint(forward)))
        self.known = Example(module, 5, STEPS, BATCH).known(self.found)
        self.values: Arrays = Interpreter(self.found).values(**self.known)
        self.forward = forward
        self._judge = Interpreter(forward)
        signals = [q for q in forward.of_role("signal") if q.features and q.name in self.values]
        self._signals = [q.name for q in signals if q.time_axis is not None]
        self.ends = [o.by for o in self.found.by_origin if is_derivative(o, "held")]

    def step(self, of: str, by: str, at: tuple[int, ...], held: dict[object, complex]) -> Arrays:
        """The derivative of a quantity by one element of another, where others are held."""
        added = {(by, at): STEP * 1j}
        moved = self._judge.values(**self.known, added=added, held=held, of=[of])[of]
        return np.asarray(moved).imag / STEP

    def other_steps(self, t: int) -> dict[object, complex]:
        """All signals at all steps but one."""
        return {
            (name, at): complex(self.values[name][at])
            for name in self._signals
            for at in np.ndindex(self.values[name].shape)
            if at[0] != t
        }

    def other_ends(self, end: str, t: int) -> dict[object, complex]:
        """All outputs at one step that a loss judges or that are read at another step, but one."""
        return {
            (name, at): complex(self.values[name][at])
            for name in self.ends
            for at in np.ndindex(self.values[name].shape)
            if at[0] == t and name != end
        }


def is_derivative(origin: object, way: str) -> bool:
    return isinstance(origin, Derivative) and origin.way == way


def close(found: object, known: object) -> None:
    np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_said_of_the_derivatives_holds(name: str) -> None:
    """(14.38), (14.52) and (14.63), by complex steps with other steps or outputs held."""
    numbers = numbers_of(name)
    b = BATCH - 1
    for origin, quantity in numbers.found.by_origin.items():
        if not isinstance(origin, Derivative) or origin.outside:
            continue
        of, by = origin.of, origin.by
        if by not in numbers.found.definitions:
            continue
        for t, i in itertools.product(range(STEPS), range(numbers.values[by].shape[-1])):
            own = numbers.values[quantity.name]
            if origin.way == "static":
                found = numbers.step(of, by, (t, b, i), numbers.other_steps(t))
                close(own[t, b, :, i], found[t, b])
                close(0, found[t, :b])
            else:
                held = numbers.other_ends(by, t) if origin.way == "held" else {}
                close(own[t, b, i], numbers.step(of, by, (t, b, i), held))


@pytest.mark.parametrize("name", NETWORKS)
def test_all_of_the_books_derivatives_are_there(name: str) -> None:
    """An S for every output and every net input that it depends on in a step, a d for every one
    that the loss depends on; no other derivative by a signal."""
    numbers = numbers_of(name)
    nets, known = net_inputs(numbers.found), numbers.found.by_origin
    ways = {o.way for o in known if is_signal(o, numbers.found)}
    assert ways == {"static", "held", "total"}
    assert {o.by for o in known if is_derivative(o, "static")} <= set(nets)
    totals = {o.by for o in known if is_derivative(o, "total") and is_signal(o, numbers.found)}
    assert totals <= set(nets)
    at, t = (1, 0, 0), 1
    for net in nets:
        assert np.any(numbers.step("loss", net, at, {})) <= (net in totals)
        for end in numbers.ends:
            moved = np.any(numbers.step(end, net, at, numbers.other_steps(t)))
            assert moved <= (Derivative(end, net, "static") in known)


def is_signal(origin: object, system: System) -> bool:
    """Whether it is a derivative by a signal, not by a parameter, an input or initial values."""
    by_signal = isinstance(origin, Derivative) and origin.by in system.definitions
    return by_signal and not origin.outside


# What is printed.


def written(name: str) -> Document:
    """A network in the book's notation: of the shelf, of CELLS, layered, of any layers, of text."""
    if name.startswith("layers"):
        system = adjoint(build(draw(int(name[6:]))))
    elif name.startswith("text"):
        system = adjoint(build(draw_equations(int(name[4:]))))
    else:
        system = adjoint(forward_of(name)) if name in NETWORKS else shelf(name)
    return document(system, style="hagan")


SEEDS = range(FIRST, FIRST + COUNT)
WRITTEN = [
    *dict.fromkeys((*NAMES, *NETWORKS)),
    *(f"{kind}{seed}" for kind in ("layers", "text") for seed in SEEDS),
]


OUTPUT = re.compile(r"\\frac{\\partial F}{\\partial \\boldsymbol{a}\^\S+\(t\)} =")


def formulas(found: Document) -> list[str]:
    return [
        latex(typeset.left) + " = " + " ".join(latex(box) for _, box in typeset.terms)
        for section in found.sections
        for typeset in found.typeset(section)
    ]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_legend_says_what_is_there(name: str) -> None:
    """S and derivatives that hold others are spoken of where they stand, and nowhere else."""
    found = written(name)
    text, legend, system = " ".join(formulas(found)), found.legend, found.system
    ways = {o.way for o in system.by_origin if isinstance(o, Derivative)}
    assert ("static" in ways) == ("held" in ways) == is_layered(system)
    assert (HEADINGS[2] in [s.heading for s in found.sections]) == is_layered(system)
    assert ("; S with u and m above" in legend) == is_layered(system)
    assert ("holds the others of its step" in legend) == is_layered(system)
    assert ("derivatives are total" in legend) == (not is_layered(system))
    assert bool(re.search(r"S(?:_{b,i,j}|})\^{(?!\\top)", text)) == is_layered(system)
    odd = unlayered(system)
    assert ("matrices S of the book are for layers" in legend) == bool(odd)
    assert not odd or f"; {odd} is no such layer" in legend
    symbols = [latex(row.symbol) for row in found.symbols]
    lefts = [formula for formula in formulas(found) if formula.startswith(r"\boldsymbol{d}^")]
    for letter in ("p", "IW", "LW", "a", "n", "t", "F"):
        has_one = any(re.match(rf"(\\\w+{{)?{letter}\b", symbol) for symbol in symbols)
        assert has_one or f"; {letter} is " not in legend, letter
        if letter in ("p", "IW", "LW"):
            assert has_one == (f"; {letter} is " in legend), letter
    assert bool(lefts) == ("; d is " in legend)
    if is_layered(system):
        # By an output at step t there is the one derivative that the legend speaks of.
        by_outputs = [f for f in formulas(found) if OUTPUT.match(f)]
        ends = [o.by for o in system.by_origin if is_derivative(o, "held")]
        assert len(by_outputs) == len([e for e in ends if e == system.quantities[e].layer])


@pytest.mark.parametrize("name", WRITTEN)
def test_weights_stand_before_what_they_are_weights_of(name: str) -> None:
    """LW^{m,l}(d) before the output of l, d steps back, and IW before an input, wherever it is."""
    found = written(name)
    forward = [s for s in found.sections if s.heading in HEADINGS[:2]]
    text = " ".join(formulas(replace(found, sections=tuple(forward))))
    mark = r"(?:\\mathrm{((?:[^{}]|\\_)+)}|(\w))"
    factor = rf"\\mathbf{{(LW|IW)}}\^{{{mark},{mark}}}\((-?\d+)\)\\,(\S+ ?[-+]? ?\d*\)?)"
    assert re.search(factor, text) or name not in LAYERED
    for match in re.finditer(factor, text):
        kind, source, delay, after = match[1], match[4] or match[5], int(match[6]), match[7]
        letter = "p" if kind == "IW" else "a"
        steps = f" {'+' if delay < 0 else '-'} {abs(delay)}" if delay else ""
        plain = after.replace(r"\mathrm", "").replace("{", "").replace("}", "")
        assert re.match(rf"\\boldsymbol{letter}\^{source}\([ts]{re.escape(steps)}", plain), match[0]


@pytest.mark.parametrize("name", WRITTEN)
def test_no_two_quantities_are_written_alike(name: str) -> None:
    found = written(name)
    symbols = [latex(row.symbol) for row in found.symbols]
    assert len(symbols) == len(set(symbols))
    lefts = [latex(t.left) for section in found.sections for t in found.typeset(section)]
    assert len(lefts) == len(set(lefts))


def test_what_is_layered() -> None:
    assert {"elman", "jordan", "narx", "tdnn", "feedback", "two_in_two_out"} <= set(LAYERED)
    assert unlayered(opened(shelf("narx"), ["position"])) == ""


@pytest.mark.parametrize(
    "equations",
    [
        # Two net inputs.
        "h[t] = tanh(W @ x[t]) * sigmoid(V @ x[t])",
        # A parameter that is no weight: a scale, a diagonal matrix.
        "h[t] = s * tanh(W @ x[t])",
        "h[t,i] = tanh(W[i,j]*x[t,j] + u[i]*h[t-1,i])",
        # A product of two signals, an output at an earlier step, the step itself.
        "h[t] = tanh((W @ x[t]) * (V @ h[t-1]))",
        "h[t] = tanh(W @ x[t]) + h[t-1]",
        "h[t] = every(t, 2) * tanh(W @ x[t])",
        # A second sum of weights behind the first.
        "z[t] = W @ x[t]\\nh[t] = tanh(V @ z[t])",
    ],
)
def test_what_is_not_layered(equations: str) -> None:
    layer = '[layers.h]\nsize = 2\ncell = "own"\nfrom = { x = [0] }\n[cells.own]\n'
    system = build(loads(f'{REST}{layer}equations = "{equations}"', default_name="own"))
    assert unlayered(system) == "h"
    with pytest.raises(UserError, match="h is no such layer"):
        layered(system)


@pytest.mark.parametrize("name", ["bidirectional", "perceptron", "lstm", "self_attention"])
def test_the_shelf_has_networks_that_are_not_layered(name: str) -> None:
    assert unlayered(shelf(name))


def test_a_transposed_weight_is_none_of_the_books() -> None:
    text = """
    [layers.h]
    size = 2
    activation = "tanh"
    from = { x = [0], h = { delays = [1], weight = "Q.T" } }
    """
    system = build(loads(REST + text, default_name="own"))
    found = [link(t, system.definitions["n_h"], system) for t in system.definitions["n_h"].terms]
    assert [x.transposed for x in found if x and x.parameter == "Q"] == [True]
    text = " ".join(formulas(document(adjoint(system), style="hagan")))
    assert r"\boldsymbol{Q}^{\top}\,\boldsymbol{a}^h(t - 1)" in text


def test_further_derivatives_and_compact_equations_are_said() -> None:
    system = shelf("narx")
    more = extend(system, ("jvp",))
    found = document(more.system, style="hagan", more=further_sections(more))
    assert "With further derivatives" in found.legend
    assert "derivatives are total" in found.legend
    assert "; S with u and m" not in found.legend
    short = document(system, style="hagan", compacted=True)
    assert "The derivatives by net inputs stay" in short.legend
    assert "; S with u and m" in short.legend


# Pages and the command.


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("style", ["index", "hagan"])
@pytest.mark.parametrize("name", ["narx", "lstm", "feedback"])
def test_numbers_in_the_code_lead_to_the_same_equation(
    name: str, style: str, compacted: bool
) -> None:
    """Layered and compact forms number equations in their own way, the module in its own."""
    system = shelf(name)
    module = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    lines = places(module, system)
    found = document(system, style=style, places=lines, compacted=compacted)
    text = report(found, module, [])
    links = re.findall(r'\(<a href="#eq-(\d+)">(\d+)</a>\)', text[text.index('id="code"') :])
    assert len(links) > 10
    own = {e.number: e.quantity.name for e in system.equations}
    here = {e.number: e.quantity.name for e in found.system.equations}
    assert all(own[int(theirs)] == here[int(ours)] for ours, theirs in links)
    renumbered = any(ours != theirs for ours, theirs in links)
    assert ("numbers of its own head" in text) == renumbered


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("narx", "S_position__n_hidden derivative of position by n_hidden, values of other steps"),
        ("narx", "held_position derivative of the loss by position, other outputs of the step"),
        ("lstm", "S of the book are for layers, each with one net input"),
        ("lstm", "memory is no such layer"),
        ("self_attention", "is no such layer"),
    ],
)
def test_show_says_what_the_derivatives_are(name: str, part: str) -> None:
    found = CliRunner().invoke(
        main, ["show", str(FOLDER / f"{name}.toml"), "--notation", "hagan"], env={"COLUMNS": "200"}
    )
    assert found.exit_code == 0
    assert part in " ".join(found.output.split())
