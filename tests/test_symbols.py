"""Symbols say what a quantity is, whatever the letters and underscores of its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bptt.codegen.extras import extend
from bptt.derive import (
    Input,
    Layer,
    LossSpec,
    Network,
    System,
    UserError,
    adjoint,
    build,
    load,
    loads,
)
from bptt.derive.calculus.chunks import chunked
from bptt.derive.calculus.open_loop import fed_back as is_fed_back
from bptt.derive.calculus.open_loop import opened
from bptt.derive.calculus.quantity import Local
from bptt.derive.calculus.system import name_of
from bptt.derive.language.syntax import Reference
from bptt.derive.notation.latex import latex
from bptt.derive.notation.notations import NOTATIONS
from bptt.derive.notation.symbols import Symbol, symbols
from tests.random_networks import draw

FOLDER = Path(__file__).parent.parent / "generated"

# W_h_1_x_2_1 could be the weight of h from 1_x_2 at 1, of h_1 from x at 2, of h_1 from x_2 at 1.
NASTY = """
[inputs]
x = 1
x_2 = 2
[layers.h]
size = 2
activation = "tanh"
from = { x = [1], h_1 = [1, 2] }
[layers.h_1]
size = 3
activation = "tanh"
from = { x_2 = [1, 2], h_1 = [2], a_b = [0] }
[layers.a_b]
size = 3
cell = "lstm"
from = { x = [0, 2], x_2 = [1], h = [0] }
[layers.b]
size = 2
cell = "own"
from = { h_1 = [0], x = [1] }
[layers.b_2]
size = 2
activation = "tanh"
direction = "backward"
from = { b = [0], b_2 = [1], x_2 = [2] }
[cells.own]
equations = '''
r_a[t] = tanh(W_1 @ x[t] + s_2 * r_a[t-1] + v)
h[t] = r_a[t] * h[t-1]
'''
[loss]
b_2 = "mse"
h = "mse"
"""

# Parameters and signals of NASTY: head, what stands above it, and the delay behind it.
SYMBOLS = {
    "W_h_x_1": ("W", "h,x", "1"),
    "W_h_h_1_1": ("W", "h,h_1", "1"),
    "W_h_h_1_2": ("W", "h,h_1", "2"),
    "b_h": ("b", "h", ""),
    "W_h_1_x_2_1": ("W", "h_1,x_2", "1"),
    "W_h_1_x_2_2": ("W", "h_1,x_2", "2"),
    "W_h_1_h_1_2": ("W", "h_1,h_1", "2"),
    "W_h_1_a_b": ("W", "h_1,a_b", ""),
    "b_h_1": ("b", "h_1", ""),
    "W_i_a_b_x": ("W", "i,a_b,x", ""),
    "W_i_a_b_x_2": ("W", "i,a_b,x", "2"),
    "W_i_a_b_x_2_1": ("W", "i,a_b,x_2", "1"),
    "W_i_a_b_h": ("W", "i,a_b,h", ""),
    "U_i_a_b": ("U", "i,a_b", ""),
    "b_i_a_b": ("b", "i,a_b", ""),
    "c_a_b": ("c", "a_b", ""),
    "r_a_b": ("r", "a,b", ""),
    "W_1_b_h_1": ("W", "1,b,h_1", ""),
    "W_1_b_x_1": ("W", "1,b,x", "1"),
    "s_2_b": ("s", "2,b", ""),
    "v_b": ("v", "b", ""),
    "W_b_2_b": ("W", "b_2,b", ""),
    "W_b_2_b_2_1": ("W", "b_2,b_2", "1"),
    "W_b_2_x_2_2": ("W", "b_2,x_2", "2"),
    "n_h_1": ("n", "h_1", ""),
    "i_a_b": ("i", "a_b", ""),
    "n_b_2": ("n", "b_2", ""),
}


def by_structure(system: System) -> dict[str, set[tuple[str, str, int]]]:
    """Of each matrix the layers whose net inputs it is in, what it multiplies and how far back."""
    found: dict[str, set[tuple[str, str, int]]] = {}
    for equation in system.primal:
        for term in equation.terms:
            known = {name_of(r): r for r in term.reads()}
            matrices = [n for n in known if system.quantities[n].role == "parameter"]
            sources = [n for n in known if system.quantities[n].time_axis is not None]
            if len(matrices) == len(sources) == 1 and equation.indices[0].kind == "time":
                at = known[sources[0]].indices[0] - equation.indices[0].symbol
                if at.is_Integer:
                    place = equation.quantity.layer, sources[0], abs(int(at))
                    found.setdefault(matrices[0], set()).add(place)
    return found


def test_nasty_names() -> None:
    system = build(loads(NASTY, default_name="nasty"))
    for found in (system, adjoint(system), opened(system, ["h_1"])):
        own = symbols(found)
        for name, (head, marks, delay) in SYMBOLS.items():
            assert own[name] == Symbol(head, tuple(marks.split(",")), delay), name
    typesetter = NOTATIONS["matrix"].typesetter(adjoint(system))
    code = latex(typesetter.reference(Reference("W_h_1_x_2_1", None, "")))
    assert code == r"\boldsymbol{W}^{\mathrm{h\_1},\mathrm{x\_2}}(1)"


@pytest.mark.parametrize("seed", range(40))
def test_symbols_say_what_a_weight_multiplies(seed: int) -> None:
    """In random networks, opened and not: layer, source and delay, found in the equations."""
    system = build(renamed(draw(seed)))
    fed_back = [
        q.name for q in system.of_role("signal") if not q.internal and is_fed_back(system, q)
    ]
    own = symbols(opened(system, fed_back[:1]) if fed_back else system)
    places = by_structure(system)
    count = 0
    for parameter in system.of_role("parameter"):
        local = parameter.local
        if local is None or not local.source or isinstance(local.delay, str):
            continue
        symbol = own[parameter.name]
        assert symbol.marks[-2:] == (local.layer, local.source)
        assert symbol.delay == (str(local.delay) if local.delay else "")
        if parameter.name in places:
            count += 1
            # A layer whose output is masked reads the state behind it.
            masked = {system.quantities[s].layer or s for _, s, _ in places[parameter.name]}
            assert local.source in masked
            assert local.delay in {d for _, _, d in places[parameter.name]}
            assert local.layer in {layer for layer, _, _ in places[parameter.name]}
    assert count or not any(layer.cell is None for layer in draw(seed).layers)


def test_chunks_keep_what_a_parameter_is() -> None:
    system = build(load(FOLDER / "narx.toml"))
    assert symbols(chunked(system))["W_hidden_position_2"].delay == "2"
    found = extend(adjoint(system), ("truncated", "checkpoints", "jvp")).system
    assert symbols(found)["W_hidden_position_2"].delay == "2"


def test_no_delay_is_read_into_the_name_of_a_parameter() -> None:
    """A user's W_h_1 is no weight at delay 1 even where it multiplies h[t-1]."""
    text = """
    equations = "h[t] = tanh(W_h_1 @ h[t-1] + W_x_2 @ x[t-2] + W_xh @ x[t] + b_h)"
    [inputs]
    x = 2
    [signals]
    h = 3
    [loss]
    h = "mse"
    """
    own = symbols(build(loads(text, default_name="own")))
    assert own["W_h_1"] == Symbol("W", ("h", "1"))
    assert own["W_x_2"] == Symbol("W", ("x", "2"))
    assert own["W_xh"] == Symbol("W", ("xh",))


def test_what_stands_for_a_parameter_does_not_make_it_derived() -> None:
    system = adjoint(build(loads(NASTY, default_name="nasty")))
    parameter = system.quantities["W_h_1_x_2_1"]
    assert parameter.local == Local("W", "h_1", "x_2", 1)
    assert parameter.origin is None
    assert not parameter.is_derived
    assert parameter.name in system.primal.quantities
    assert system.derivative("loss", parameter.name) == "d_W_h_1_x_2_1"


def test_names_of_layers_that_read_alike_are_refused() -> None:
    text = """
    [inputs]
    x = 2
    [layers.b]
    size = 2
    cell = "own"
    from = { x = [0] }
    [layers.a_b]
    size = 3
    cell = "gru"
    from = { b = [0] }
    [cells.own]
    equations = "z_a[t] = W @ x[t]\\nh[t] = tanh(z_a[t])"
    [loss]
    a_b = "mse"
    """
    with pytest.raises(UserError, match="signal of layer b and signal of layer a_b"):
        build(loads(text, default_name="two"))


def test_sizes_of_axes_do_not_share_a_symbol() -> None:
    """The second axis of x and the width of x_2 are two sizes."""
    network = Network(
        "sizes",
        {"x": Input((2, 3)), "x_2": 5},
        equations="h[t,i] = W[i,j]*x_2[t,j] + V[i,k,l]*x[t,k,l]",
        signals={"h": 4},
        losses=(LossSpec("h"),),
    )
    system = build(network)
    assert system.shape(system.quantities["x"]) == ("T", "B", 2, 3)
    assert system.shape(system.quantities["x_2"]) == ("T", "B", 5)
    assert system.shape(system.quantities["V"]) == (4, 2, 3)


def renamed(network: Network) -> Network:
    """The network with names of layers and inputs that end in numbers, and in each other."""
    names = [layer.name for layer in network.layers]
    others = {n: f"{'h_a_x'[: 1 + 2 * (k % 3)]}_{k}" for k, n in enumerate(names)}
    others |= {n: f"x_{k}" for k, n in enumerate(network.inputs)}

    def moved(layer: Layer) -> Layer:
        reads = tuple(replace(c, source=others[c.source]) for c in layer.connections)
        return replace(
            layer,
            name=others[layer.name],
            connections=reads,
            mask=layer.mask and others[layer.mask],
            shares=layer.shares and others[layer.shares],
        )

    return replace(
        network,
        inputs={others[n]: given for n, given in network.inputs.items()},
        layers=tuple(map(moved, network.layers)),
        losses=tuple(
            replace(o, output=others[o.output], mask=o.mask and others[o.mask])
            for o in network.losses
        ),
    )
