"""The laws of the calculus: derivations compose, in every order, and agree with complex steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bptt.derive import System, UserError, adjoint, build, interpret, loads
from bptt.derive.calculus.accumulation import accumulated
from bptt.derive.calculus.adjoint import contributions
from bptt.derive.calculus.causality import Loop, LoopError, in_one_loop
from bptt.derive.calculus.chunks import OBJECTIVE, chunked
from bptt.derive.calculus.gauss_newton import CURVATURE, gauss_newton
from bptt.derive.calculus.open_loop import opened
from bptt.derive.calculus.pairing import paired
from bptt.derive.calculus.quantity import Derivative, Made, Quantity, Tangent
from bptt.derive.calculus.recursion import recursive_sensitivities
from bptt.derive.calculus.sensitivity import sensitivities
from bptt.derive.calculus.tangent import tangent
from tests.numeric import relative
from tests.random_networks import draw, draw_equations

Arrays = dict[str, Any]
TINY = 1e-30
PAIRED = Made("paired", "", derived=True)
STEPS, BATCH = 3, 2
SMALL = """
name = "small"
[inputs]
x = 2
[layers.h]
size = 2
activation = "tanh"
from = { x = [0, 1], h = [1], y = [2] }
[layers.y]
size = 1
activation = "linear"
from = { h = [0] }
[loss]
y = "mse"
"""


def small() -> System:
    return build(loads(SMALL))


def drawn(seed: int) -> System:
    """A random network, and not a large one: every element is computed from its definition."""
    kind = draw if seed % 2 else draw_equations
    systems = (build(kind(n)) for n in itertools.count(100 * seed))
    return next(s for s in systems if s.parameter_count < 40 and len(s.equations) < 15)


def parameters(system: System) -> list[str]:
    return [q.name for q in system.of_role("parameter")]


def given(system: System, seed: int) -> Arrays:
    """Random values of all that no equation defines."""
    rng = np.random.default_rng(seed)
    sizes = {"T": STEPS, "B": BATCH, **{str(n): STEPS + 1 for n in system.lengths[1:]}}
    found = {}
    for name, quantity in sorted(system.quantities.items()):
        if name not in system.definitions:
            shape = [sizes.get(str(n), n) for n in system.shape(quantity)]
            found[name] = 0.4 * rng.standard_normal(shape)
            if quantity.role == "weight" or not quantity.differentiable:
                found[name] = np.abs(found[name]) + 0.1
    return found


def values(system: System, arrays: Mapping[str, Any]) -> Arrays:
    rng = np.random.default_rng(7)
    sizes = {"T": STEPS, "B": BATCH, **{str(n): STEPS + 1 for n in system.lengths[1:]}}
    sides: dict[str, Arrays] = {"initial": {}, "after": {}}
    for name, reach in sorted(system.reach.items()):
        quantity = system.quantities[name]
        if not quantity.is_derived:
            for side, rows in (("initial", reach.before), ("after", reach.after)):
                rest = [sizes.get(str(n), n) for n in system.shape(quantity)[1:]]
                sides[side][name] = 0.4 * rng.standard_normal((rows, *rest))
    free = {str(symbol): 0 for symbol in system.free}
    lengths = {str(n): STEPS + 1 for n in system.lengths[1:]}
    system = substituted(system, free)
    with np.errstate(all="ignore"):
        return interpret(system, arrays, steps=STEPS, batch=BATCH, lengths=lengths, **sides)


def substituted(system: System, free: Mapping[str, int]) -> System:
    """A system with numbers in place of its free symbols."""
    if not free:
        return system
    numbers = {symbol: free[str(symbol)] for symbol in system.free}
    equations = [
        replace(
            e,
            terms=tuple(
                replace(t, bounds=tuple(b.subs(numbers) for b in t.bounds)) for t in e.terms
            ),
        )
        for e in system
    ]
    return replace(system, equations=tuple(equations), free=())


def moved(arrays: Arrays, names: list[str], operator: str) -> Arrays:
    """The arrays with a complex step of some along their directions."""
    return {**arrays, **{n: arrays[n] + 1j * TINY * arrays[f"{operator}_{n}"] for n in names}}


def close(ours: Any, theirs: Any, scale: float = 1e-3) -> bool:
    return relative(ours, theirs, scale) < 1e-9


def gradients(system: System, of: str = "loss") -> dict[str, str]:
    found = {p: system.derivative(of, p) for p in parameters(system)}
    return {p: name for p, name in found.items() if name in system.definitions}


@pytest.mark.parametrize("seed", range(8))
def test_the_hessian_product_is_the_same_in_both_orders(seed: int) -> None:
    system = drawn(seed)
    along = parameters(system)
    first = adjoint(system)
    products = tangent(first, along, gradients(first).values())
    scalar = tangent(system, along, ["loss"])
    (dot_loss,) = (n for o, n in names(scalar) if isinstance(o, Tangent) and o.of == "loss")
    turned = adjoint(scalar, dot_loss)
    arrays = given(products, seed)
    ours, theirs = values(products, arrays), values(turned, arrays)
    exact = values(first, moved(arrays, along, "dot"))
    for name, gradient in gradients(first).items():
        step = np.asarray(exact[gradient]).imag / TINY
        product = products.by_origin.get(Tangent(gradient, tuple(along)))
        by = turned.derivative(dot_loss, name)
        if product is None:
            assert not np.any(step), f"seed {seed}: {name}"
        else:
            assert close(ours[product.name], step), f"seed {seed}: tangent of the adjoint, {name}"
        assert close(theirs[by], step), f"seed {seed}: adjoint of the tangent, {name}"


def names(system: System) -> list[tuple[object, str]]:
    return [(q.origin, q.name) for q in system.quantities.values()]


@pytest.mark.parametrize("seed", range(4))
def test_third_derivatives(seed: int) -> None:
    """The tangent of the Hessian product, along another direction."""
    system = adjoint(drawn(seed))
    along = parameters(system)
    second = tangent(system, along, gradients(system).values())
    found = (second.by_origin.get(Tangent(g, tuple(along))) for g in gradients(system).values())
    products = [q.name for q in found if q is not None]
    third = tangent(second, along, products, operator="R")
    arrays = given(third, seed)
    ours, exact = values(third, arrays), values(second, moved(arrays, along, "R"))
    for product in products:
        made = third.by_origin.get(Tangent(product, tuple(along), "R"))
        step = np.asarray(exact[product]).imag / TINY
        if made is None:
            assert not np.any(step), f"seed {seed}: {product}"
        else:
            assert close(ours[made.name], step), f"seed {seed}: {product}"


def test_the_adjoint_of_an_adjoint_is_the_second_derivative() -> None:
    first = adjoint(small())
    gradient = first.derivative("loss", "W_h_h_1")
    second = adjoint(first, gradient)
    by = parameters(first)
    arrays = given(second, 3)
    found = values(second, arrays)
    for name in by:
        hessian = found[second.derivative(gradient, name)]
        for place in np.ndindex(arrays[name].shape):
            step = np.zeros(arrays[name].shape, complex)
            step[place] = 1j * TINY
            exact = values(first, {**arrays, name: arrays[name] + step})[gradient].imag / TINY
            assert close(hessian[(..., *place)], exact), (name, place)


def test_an_adjoint_that_is_there_is_not_silently_derived_again() -> None:
    with pytest.raises(UserError, match="holds the adjoint of loss already"):
        adjoint(adjoint(small()))
    with pytest.raises(UserError, match=r"'los' is nothing .* \(did you mean 'loss'\?\)"):
        adjoint(small(), "los")


MAPS: dict[str, Callable[[System], tuple[System, str]]] = {
    "as it is": lambda s: (s, "y"),
    "adjoint": lambda s: ((a := adjoint(s)), a.derivative("loss", "W_h_x")),
    "adjoint of a signal": lambda s: (
        (a := adjoint(s, "y")),
        a.derivative("y", "b_h"),
    ),
    "adjoint per sequence": lambda s: (
        (a := adjoint(s, "y", per_sequence=True)),
        a.by_origin[Derivative("y", "b_h", per_sequence=True)].name,
    ),
    "tangent": lambda s: (
        (a := tangent(s, parameters(s), ["y"], operator="D")),
        a.by_origin[Tangent("y", tuple(parameters(s)), "D")].name,
    ),
    "sensitivities": lambda s: (
        (a := sensitivities(s, ["y"], ["W_h_h_1"])),
        a.by_origin[Derivative("y", "W_h_h_1", forward=True)].name,
    ),
    "opened": lambda s: (opened(s, ["y"]), "y"),
    "chunked": lambda s: ((a := chunked(s)), a.by_origin[OBJECTIVE].name),
}
DERIVED = ("adjoint", "adjoint of a signal", "adjoint per sequence", "tangent", "sensitivities")
PAIRS = [
    *itertools.product(("as it is", "opened", "chunked"), MAPS),
    *itertools.product(DERIVED, DERIVED),
]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{a}, {b}" for a, b in PAIRS])
def test_the_dot_test_holds_after_every_pair_of_maps(first: str, second: str) -> None:
    """<u, J v> = <J' u, v>, of what the second map has made of what the first has."""
    system, made = MAPS[first](small())
    if second == "chunked" and first == "chunked":
        pytest.skip("a chunk has no loss of its own to share out")
    if "loss" not in system.definitions and second == "adjoint":
        system = adjoint(system, made)
        made = system.derivative(made, "W_h_x")
    elif first != second:
        system, made = MAPS[second](system)
    along = parameters(system)
    weight = Quantity("u", "given", system.quantities[made].axes)
    whole = paired(system, [(weight, made)], PAIRED)
    scalar = whole.by_origin[PAIRED].name
    forth = tangent(whole, along, [scalar], operator="E")
    back = adjoint(whole, scalar)
    arrays = given(forth, 5)
    forward, backward = values(forth, arrays), values(back, arrays)
    tangent_name = forth.by_origin[Tangent(scalar, tuple(along), "E")].name
    ours = float(forward[tangent_name]) if tangent_name in forward else 0.0
    theirs = sum(
        float(np.sum(backward[back.derivative(scalar, p)] * arrays[f"E_{p}"])) for p in along
    )
    exact = values(whole, moved(arrays, along, "E"))[scalar]
    assert abs(ours - theirs) < 1e-11 * max(1e-2, abs(ours)), (ours, theirs)
    assert abs(ours - exact.imag / TINY) < 1e-10 * max(1e-2, abs(ours))


def test_gauss_newton_relabels_nothing_and_is_the_hessian_of_a_linear_network() -> None:
    system = build(loads(SMALL.replace(", y = [2]", "")))
    whole = gauss_newton(adjoint(system))
    roles = {n: q.role for n, q in system.quantities.items()}
    assert {n: whole.quantities[n].role for n in roles} == roles
    # Of an output that is linear in a parameter the Gauss-Newton product is the Hessian's.
    product = whole.derivative(whole.by_origin[CURVATURE].name, "W_y_h")
    arrays = given(whole, 1)
    for name in parameters(whole):
        if name != "W_y_h":
            arrays[f"R_{name}"] = np.zeros_like(arrays[f"R_{name}"])
    exact = values(adjoint(system), moved(arrays, ["W_y_h"], "R"))["d_W_y_h"].imag / TINY
    assert close(values(whole, arrays)[product], exact)


def test_contributions_are_data() -> None:
    """Each mention of h, what its delta does, and what it adds; their collection is the adjoint."""
    system = small()
    made = contributions(system)["h"]
    told = {(c.equation.quantity.name, str(c.read)): c for c in made}
    assert list(told) == [("y", "h[t, b, j]"), ("n_h", "h[t - 1, b, j]")]
    past = told["n_h", "h[t - 1, b, j]"]
    assert {str(k): str(v) for k, v in past.solution.solved.items()} == {
        "_t": "t + 1",
        "_b": "b",
        "_j": "i",
    }
    assert str(past.partial) == "W_h_h_1[i, j]"
    derived = adjoint(system).definitions["d_h"]
    assert [m for term in derived.terms for m in term.mentions] == [
        m for c in made for m in c.result.mentions
    ]


def test_what_a_quantity_is_stands_in_its_origin() -> None:
    system = tangent(adjoint(small()), ["W_y_h"], ["d_W_y_h"])
    origins = {q.name: q.origin for q in system.quantities.values()}
    assert origins["d_h"] == Derivative("loss", "h")
    assert origins["dot_d_W_y_h"] == Tangent("d_W_y_h", ("W_y_h",))
    assert origins["target_y"] == Made("target", "y")
    assert origins["n_h"] == Made("net input", "h")
    assert system.primal.equations == small().equations


PAIRS = (
    """
name = "pairs"
equations = """
    + "'''"
    + """
h[t] = tanh(w*h[t-1] + V @ x[t])
k = mean(h[s], s) + sum(sum(h[s]*h[r], r < s), s)
y[t] = x[t]*sum(h[t])
q = sum(sum(h[r]*x[s]*w, s <= r), r) + h[end]*k
"""
    + "'''"
    + """
[inputs]
x = 2
[signals]
h = 2
y = 2
q = 2
[parameters]
w = []
V = [2, 2]
[loss]
y = "mse"
q = "mse"
"""
)


@pytest.mark.parametrize("seed", range(16))
def test_the_recursion_in_the_states_gives_the_sensitivities(seed: int) -> None:
    """What lies between the states is put into it, and the parameters' derivatives are the same."""
    system = drawn(seed)
    by = parameters(system)
    whole, recursive = (
        sensitivities(system, ["loss"], by),
        recursive_sensitivities(system, ["loss"], by),
    )
    numbers = [e.number for e in recursive.equations]
    assert len(set(numbers)) == len(numbers)
    arrays = given(whole, 1)
    right, found = values(whole, arrays), values(recursive, arrays)
    for name in by:
        origin = Derivative("loss", name, forward=True)
        if origin in whole.by_origin:
            known, made = whole.by_origin[origin].name, recursive.by_origin[origin].name
            assert close(found[made], right[known]), name


@pytest.mark.parametrize("seed", range(-1, 12))
def test_running_sums_are_the_sums(seed: int) -> None:
    """In one pass or not, forward values, losses and sensitivities are what they were."""
    system = build(loads(PAIRS)) if seed < 0 else drawn(seed)
    derived = sensitivities(system, ["loss"], parameters(system))
    online = accumulated(derived)
    arrays = given(derived, 1)
    before, after = values(derived, arrays), values(online, arrays)
    for name in derived.definitions:
        assert close(after[name], before[name]), name
    try:
        stages = list(in_one_loop(online.definitions))
    except LoopError:
        assert seed >= 0
        return
    running = [q for q in online.quantities.values() if q.name not in derived.quantities]
    assert running or seed >= 0
    assert sum(isinstance(stage, Loop) for stage in stages) == 1
