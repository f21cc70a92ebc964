"""Primitive functions: derivative, scalar value and array are three ways to say one thing."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import sympy as sp

from bptt.codegen.check import check
from bptt.derive import Connection, Layer, LossSpec, Network, build
from bptt.derive.calculus.primitives import ELEMENTWISE, PRIMITIVES, Primitive
from bptt.derive.calculus.reductions import REDUCTIONS
from bptt.derive.description.network import ACTIVATIONS

POINTS = np.array([-40.0, -3.3, -1.1, -0.4, 0.3, 0.9, 2.7, 35.0])
TINY = 1e-30


def arguments(primitive: Primitive) -> list[tuple[float, ...]]:
    if primitive.name == "log":
        return [(abs(float(x)),) for x in POINTS]
    if primitive.name == "every":
        return [(float(n), 3.0) for n in range(7)]
    return [(float(x),) if primitive.is_unary else (float(x), 1.5) for x in POINTS]


def value(expr: sp.Expr) -> complex:
    """A closed expression, by the scalar values of its functions."""
    if expr.is_Number:
        return complex(expr)
    parts = [value(a) for a in expr.args]
    if isinstance(expr, sp.Add):
        return sum(parts, 0j)
    if isinstance(expr, sp.Mul):
        return complex(np.prod(parts))
    if isinstance(expr, sp.Pow):
        return parts[0] ** parts[1]
    return complex(PRIMITIVES[type(expr).__name__].scalar(*parts))


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_array_is_the_scalar_for_each_element(name: str) -> None:
    primitive = PRIMITIVES[name]
    for dtype in (np.float32, np.float64, np.complex128):
        for x, *rest in arguments(primitive):
            found = primitive.array(np.array([x], dtype), *rest)
            exact = complex(primitive.scalar(complex(x), *map(complex, rest)))
            close = 1e-5 if dtype == np.float32 else 1e-13
            assert abs(complex(found[0]) - exact) <= close * max(1.0, abs(exact)), (dtype, x)
            assert found.dtype == dtype, dtype


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_derivative_is_that_of_the_scalar(name: str) -> None:
    primitive = PRIMITIVES[name]
    if name == "every":
        pytest.skip("a step has no derivative")
    place = sp.Symbol("x")
    for x, *rest in arguments(primitive):
        call = primitive.symbolic(place, *map(sp.Float, rest))
        # A derivative in the function's value: s (1 - s) is computed of s.
        derived = value(call.diff(place).xreplace({place: sp.Float(x)}))
        exact = complex(primitive.scalar(complex(x, TINY), *map(complex, rest))).imag / TINY
        assert abs(derived.real - exact) <= 1e-12 * max(1.0, abs(exact)), x


@pytest.mark.parametrize("name", PRIMITIVES)
def test_neither_overflows_nor_warns(name: str) -> None:
    primitive = PRIMITIVES[name]
    if name in ("exp", "every"):
        pytest.skip("it overflows by its nature, or counts")
    for x in (-1e4, 1e4) if name != "log" else (1e-300, 1e300):
        rest = () if primitive.is_unary else (1.5,)
        with np.errstate(all="raise", under="ignore"):
            assert np.isfinite(primitive.array(np.array([x]), *rest)).all()


def test_a_record_says_all() -> None:
    """What is emitted is the record's own source, and needs NumPy alone."""
    for primitive in PRIMITIVES.values():
        if not primitive.is_numpy:
            source = inspect.getsource(primitive.array)
            assert source.startswith(f"def {primitive.source}("), primitive.name
            namespace: dict[str, object] = {"np": np}
            exec(source, namespace)
            assert callable(namespace[primitive.source])
    assert {"softsign", "tanh", "elu"} <= set(ELEMENTWISE) & set(ACTIVATIONS)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n in ELEMENTWISE])
def test_every_activation_in_a_recurrent_layer(name: str) -> None:
    layers = (Layer("h", 2, (Connection("x"), Connection("h", 1)), name),)
    network = Network("one", {"x": 2}, layers, (LossSpec("h"),))
    assert all(r.passed for r in check(build(network)))


# Reductions, of summands of which some are equal, and of none.
SUMMANDS = [[], [0.7], [0.3, -1.2, 2.5], [1.5, -0.5, 1.5], [-40.0, 35.0, 700.0]]


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("summands", SUMMANDS, ids=str)
def test_a_reduction_of_an_array_is_that_of_a_list(name: str, summands: list[float]) -> None:
    reduction = REDUCTIONS[name]
    exact = reduction.scalar(list(map(complex, summands)))
    for dtype in (np.float32, np.float64, np.complex128):
        array = np.array([*summands, 9.0, 9.0], dtype)[None, :]
        found = reduction.array(array, axis=1, where=np.arange(array.size) < len(summands))
        close = 1e-5 if dtype == np.float32 else 1e-13
        assert abs(complex(found[0]) - exact) <= close * max(1.0, abs(exact)), dtype
        assert found.dtype == dtype


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("summands", SUMMANDS[1:], ids=str)
def test_the_weight_of_a_summand_is_the_derivative(name: str, summands: list[float]) -> None:
    """Of those that tie, along the direction in which all of them move."""
    reduction = REDUCTIONS[name]
    assert reduction.weight is not None
    exact = reduction.scalar([complex(z, TINY) for z in summands]).imag / TINY
    y = sp.Float(reduction.scalar(list(map(complex, summands))).real)
    weights = [value(reduction.weight(sp.Float(z), y)).real for z in summands]
    total = sum(weights) if reduction.shared else 1.0
    assert abs(sum(weights) / total - exact) < 1e-12
    for place, weight in enumerate(weights):
        moved = [complex(z, TINY * (n == place)) for n, z in enumerate(summands)]
        assert abs(weight / total - reduction.scalar(moved).imag / TINY) < 1e-12
