"""A generated module at its user's hands: the door, dtypes, stability, initial values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bptt.codegen.emit import generate, module_source
from bptt.derive import Connection, Layer, LossSpec, Network, UserError, adjoint, build, load
from bptt.derive.description.network import ACTIVATIONS
from tests.numeric import Example, derivative, load_module, module_of, relative

FOLDER = Path(__file__).parent.parent / "generated"
WRT = ("parameters", "inputs", "initial")


def shelf(name: str) -> Any:
    return load_module((FOLDER / f"{name}.py").read_text(encoding="utf-8"), name)


def spoil(group: int, name: str, value: Any) -> Any:
    def change(arguments: list[dict[str, Any]]) -> None:
        if value is None:
            del arguments[group][name]
        else:
            arguments[group][name] = value

    return change


ONES = np.ones
REFUSED = {
    "missing parameter": (spoil(0, "b_hidden", None), "parameters['b_hidden'] is missing"),
    "unknown parameter": (spoil(0, "c", ONES(3)), "parameters['c'] is not known"),
    "broadcastable": (spoil(0, "b_hidden", ONES(1)), "has shape (1,); (10,) is expected"),
    "transposed": (spoil(0, "W_position_hidden", ONES((10, 1))), "(10, 1); (1, 10) is expected"),
    "input without batch": (spoil(1, "current", ONES((4, 1))), "(T, B, 1) is expected"),
    "no steps": (spoil(1, "current", ONES((0, 2, 1))), "size T is 0"),
    "wrong width": (spoil(1, "current", ONES((4, 2, 3))), "(4, 2, 1) is expected"),
    "targets of other length": (spoil(2, "position", ONES((3, 2, 1))), "(4, 2, 1) is expected"),
    "whole numbers": (spoil(1, "current", ONES((4, 2, 1), int)), "dtype int64"),
    "objects": (spoil(1, "current", np.full((4, 2, 1), None)), "dtype object"),
    "mixed dtypes": (spoil(0, "b_hidden", ONES(10, np.float32)), "float32"),
    "initial of other length": (spoil(3, "position", ONES((1, 2, 1))), "(2, 2, 1) is expected"),
    "unknown initial": (spoil(3, "hidden", ONES((1, 2, 10))), "initial['hidden'] is not known"),
    "weights that nobody asked for": (spoil(4, "position", ONES((4, 2))), "weights['position']"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_the_door(case: str) -> None:
    change, words = REFUSED[case]
    module = shelf("narx")
    arguments = list(map(dict, Example(module, 0, 4, 2).arguments))
    change(arguments)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        module.loss_and_gradients(*arguments)
    assert words in str(error.value)


def test_other_mistakes_at_the_door() -> None:
    module = shelf("narx")
    arguments = Example(module, 0, 4, 2).arguments
    with pytest.raises(ValueError, match="a dict of"):
        module.loss(list(arguments[0].values()), *arguments[1:])
    with pytest.raises(ValueError, match="wrt is 'inputs'"):
        module.loss_and_gradients(*arguments, wrt="inputs")
    with pytest.raises(ValueError, match="it lists some of"):
        module.loss_and_gradients(*arguments, wrt=("weights",))


def test_weights_that_count_nothing() -> None:
    arguments = list(Example(shelf("gru"), 0, 4, 2).arguments)
    arguments[4] = {"output": np.zeros((4, 2))}
    with pytest.raises(ValueError, match="not all zero"):
        shelf("gru").loss(*arguments)


def test_class_targets() -> None:
    module = shelf("elman")
    example = Example(module, 0, 4, 2)
    parameters, inputs, targets, *_ = example.arguments
    whole = module.loss(parameters, inputs, targets)
    assert whole == module.loss(parameters, inputs, example.rows)
    for labels, words in (
        (np.full((4, 2), 3), "class 3; 0..2 exist"),
        (np.full((4, 2), -1), "class -1"),
        (np.zeros((4, 1), int), "class numbers of shape (4, 2)"),
    ):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            module.loss(parameters, inputs, {"output": labels})
        assert words in str(error.value)


@pytest.mark.parametrize("name", ["narx", "feedback", "char_lstm", "two_in_two_out", "gru"])
def test_float32_throughout(name: str) -> None:
    module = shelf(name)
    single = [
        {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in group.items()}
        for group in Example(module, 0, 5, 2).arguments
    ]
    loss, gradients = module.loss_and_gradients(*single, wrt=WRT)
    signals = module.forward(single[0], single[1], single[3])
    assert {a.dtype for a in (*gradients.values(), *signals.values(), loss)} == {
        np.dtype(np.float32)
    }


def test_arguments_are_left_alone() -> None:
    module = shelf("feedback")
    arguments = Example(module, 0, 6, 2).arguments
    before = [{n: a.copy() for n, a in group.items()} for group in arguments]
    first = module.loss_and_gradients(*arguments, wrt=WRT)
    for group, kept in zip(arguments, before, strict=True):
        for name, array in group.items():
            assert np.array_equal(array, kept[name]), name
    second = module.loss_and_gradients(*arguments, wrt=WRT)
    assert first[0] == second[0]
    for name, array in first[1].items():
        assert np.array_equal(array, second[1][name]), name


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stable_far_out(activation: str, dtype: Any) -> None:
    """Net inputs of ±1e4: no overflow, no warning, no NaN, in value or gradient."""
    kind = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}.get(activation, "mse")
    layers = (Layer("y", 3, (Connection("x"),), activation=activation),)
    module = module_of(build(Network("far", {"x": 3}, layers, (LossSpec("y", kind),))))
    scales = np.array([1e4, -1e4, 40.0, -40.0, 0.0, 1e-9])
    x = np.einsum("t,bi->tbi", scales, np.array([[1.0, -1.0, 0.5]])).astype(dtype)
    parameters = {"W_y_x": np.eye(3, dtype=dtype), "b_y": np.zeros(3, dtype)}
    targets = {"y": np.zeros((6, 1), int) if kind == "cross_entropy" else np.zeros_like(x)}
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss, gradients = module.loss_and_gradients(parameters, {"x": x}, targets, wrt=WRT)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())


def test_small_values_keep_their_digits() -> None:
    """sigmoid, softplus and softmax where naive formulas cancel."""
    for activation, exact in (
        ("sigmoid", np.exp(-40.0)),
        ("softplus", np.exp(-40.0)),
    ):
        layers = (Layer("y", 1, (Connection("x"),), activation=activation, bias=False),)
        module = module_of(build(Network("small", {"x": 1}, layers, (LossSpec("y"),))))
        x = {"x": np.full((1, 1, 1), -40.0)}
        y = module.forward({"W_y_x": np.ones((1, 1))}, x)["y"].item()
        assert abs(y / exact - 1) < 1e-14, activation


def test_zero_is_the_default_initial_value() -> None:
    module = shelf("feedback")
    example = Example(module, 1, 4, 2)
    parameters, inputs, targets, initial, _ = example.arguments
    zeros = {n: np.zeros_like(a) for n, a in initial.items()}
    assert module.loss(parameters, inputs, targets) == module.loss(
        parameters, inputs, targets, zeros
    )
    assert module.loss(parameters, inputs, targets) != module.loss(*example.arguments)


def test_chunks_with_carried_state_are_one_sequence() -> None:
    module = shelf("lstm")
    example = Example(module, 1, 9, 2)
    parameters, inputs, _, initial, _ = example.arguments
    whole = module.forward(parameters, inputs, initial)
    first = module.forward(parameters, {"x": inputs["x"][:4]}, initial)
    state = {name: first[name][-1:] for name in module.INITIAL}
    rest = module.forward(parameters, {"x": inputs["x"][4:]}, state)
    assert relative(np.concatenate([first["output"], rest["output"]]), whole["output"]) < 1e-14


def test_length_of_the_sequence_is_no_part_of_the_derivation() -> None:
    source = (FOLDER / "lstm.py").read_text(encoding="utf-8")
    assert generate(build(load(FOLDER / "lstm.toml"))).files()["lstm.py"] == source
    module = load_module(source)
    example = Example(module, 0, 20_000, 1)
    assert np.isfinite(module.loss(*example.arguments))


def test_signals_read_before_and_after() -> None:
    """A layer that another one reads in both directions of time."""
    layers = (
        Layer("a", 2, (Connection("x"), Connection("a", 1))),
        Layer("b", 2, (Connection("a", 2), Connection("b", 1)), direction="backward"),
    )
    system = build(Network("both", {"x": 2}, layers, (LossSpec("b"),)))
    module = module_of(system)
    assert module.INITIAL == {"a": (1, "B", 2), "a_after": (2, "B", 2), "b": (1, "B", 2)}
    for steps in (1, 2, 5):
        example = Example(module, steps, steps, 2)
        _, gradients = module.loss_and_gradients(*example.arguments, wrt=WRT)
        for name, gradient in gradients.items():
            exact = derivative(module, example, name, "complex")
            assert relative(gradient, exact, 1e-6) < 1e-10, name


EQUATIONS = {
    "transpose": "h[t] = tanh(W @ x[t] + U.T @ h[t-1])\ny[t] = W.T @ h[t]",
    "shared in two ways": "h[t] = tanh(W @ x[t] + u * h[t-1])\ny[t] = V @ (u * h[t])",
    "scalar parameter": "h[t] = tanh(a * (W @ x[t]) + h[t-1])\ny[t] = V @ h[t] / (1 + a ** 2)",
    "sums": "h[t] = tanh(W @ x[t] - mean(h[t-1]))\ny[t] = V @ h[t] * sum(h[t] * h[t])",
    "softmax": "h[t] = softmax(W @ x[t] + 2 * h[t-1])\ny[t] = V @ log_softmax(h[t])",
    "concat": "h[t] = tanh(W @ concat(x[t], y[t-1], h[t-2]))\ny[t] = V @ h[t]",
    "future": "h[t] = tanh(W @ x[t+2] + U @ h[t+1])\ny[t] = V @ h[t]",
    "powers": "h[t] = sin(W @ x[t]) ** 3 + 0.3 * h[t-1]\ny[t] = sqrt(2 + sin(V @ h[t])) ** -1",
    "index": "h[t,i] = tanh(W[i,j]*x[t,j] + U[i,k]*h[t-1,k] + b[i])\ny[t,i] = V[i,j]*h[t,j]",
    "index softmax": "h[t,i] = softmax(W[i,j]*x[t,j]*2, i)\ny[t,i] = V[i,j]*h[t,j]*h[t-1,j]",
    "index sum": "h[t,i] = tanh(W[i,j]*x[t,j])*sum(h[t-1,k]*h[t-1,k], k)\ny[t,i] = V[i,j]*h[t,j]",
    "diagonal": "h[t,i] = tanh(W[i,j]*x[t,j] + U[i,i]*h[t-1,i])\ny[t,i] = V[i,j]*h[t,j]",
    "first unit": "h[t,i] = tanh(W[i,j]*x[t,j] + h[t-1,0])\ny[t,i] = V[i,j]*h[t,j]",
    "functions alike": "a[t] = W @ x[t] + 0.1 * h[t-1]\nh[t] = tanh(a[t])\n"
    "y[t] = V @ (h[t] * tanh(2 * a[t]) + tanh(a[t-1]))",
    "scalar signal": "m[t] = x[t] @ x[t-1]\nh[t] = (W @ x[t]) * m[t-1]\ny[t] = V @ h[t]",
    "matrix signal": "a[t,i,j] = 0.5*a[t-1,i,j] + h[t-1,i]*x[t,j]\n"
    "h[t,i] = tanh(a[t,i,j]*v[j])\ny[t,i] = V[i,j]*h[t,j]",
    "nothing left": "h[t] = tanh(W @ x[t]) + 0.1 * h[t-1]\ny[t] = V @ h[t] * 0 + C @ x[t]",
    "constants": "h[t] = tanh(W @ x[t] * sigmoid(1) + exp(0.5))\ny[t] = V @ sin(cos(h[t]))",
    "parts of other sizes": "h[t] = tanh(concat(tanh(q @ x[t]), p * p) + W @ x[t])\n"
    "y[t] = V @ h[t]",
    "vector and matrix": "h[t] = tanh(x[t] @ A + 0.1 * h[t-1])\ny[t] = V @ h[t]",
    "nested functions": "h[t] = "
    + "tanh(" * 20
    + "W @ x[t] + 0.3 * h[t-1]"
    + ")" * 20
    + "\ny[t] = V @ h[t]",
    "three indices": "h[t,i] = tanh(Z[i,j,k]*x[t,j]*h[t-1,k] + 0.5)\ny[t,i] = V[i,j]*h[t,j]",
}


# Shapes that do not follow from use.
DECLARED: dict[str, dict[str, tuple[int, ...]]] = {
    "scalar parameter": {"a": ()},
    "diagonal": {"U": (4, 4)},
    "three indices": {"Z": (4, 2, 4)},
    "parts of other sizes": {"q": (3, 2), "p": (1,)},
}


@pytest.mark.parametrize("case", EQUATIONS)
def test_networks_of_equations(case: str) -> None:
    network = Network(
        name="equations",
        inputs={"x": 2},
        losses=(LossSpec("y", "mse"),),
        equations=EQUATIONS[case],
        signals={"h": 4, "y": 2},
        parameters=DECLARED.get(case, {}),
    )
    system = build(network)
    derived = adjoint(system)
    module = load_module(module_source(derived))
    for steps in (1, 4):
        example = Example(module, steps, steps, 2)
        loss, gradients = module.loss_and_gradients(*example.arguments, wrt=WRT)
        values = example.interpreted(derived)
        assert relative(loss, values["loss"]) < 1e-12
        for name, gradient in gradients.items():
            exact = derivative(module, example, name, "complex")
            assert relative(gradient, exact, 1e-6) < 1e-10, name


def test_the_same_network_in_both_notations() -> None:
    texts = (
        "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\ny[t] = V @ h[t]",
        "h[t,i] = tanh(W[i,j]*x[t,j] + U[i,k]*h[t-1,k] + b[i])\ny[t,i] = V[i,j]*h[t,j]",
    )
    systems = [
        build(
            Network(
                "n", {"x": 2}, losses=(LossSpec("y"),), equations=text, signals={"h": 4, "y": 2}
            )
        )
        for text in texts
    ]
    first, second = ([(e.lhs, e.terms) for e in s.equations] for s in systems)
    assert first == second


def test_errors_are_about_the_python_api_too() -> None:
    with pytest.raises(UserError, match="did you mean 'h'"):
        build(Network("n", {"x": 1}, (Layer("h", 1, (Connection("hh"),)),), (LossSpec("h"),)))


MISTAKES = {
    "a layer without its comma": {"layers": Layer("h", 1, (Connection("x"),))},
    "a connection without its comma": {"layers": (Layer("h", 1, Connection("x")),)},  # type: ignore[arg-type]
    "a name for a connection": {"layers": (Layer("h", 1, ("x",)),)},  # type: ignore[arg-type]
    "losses as in a file": {"losses": {"h": "mse"}},
    "delta without huber": {"losses": (LossSpec("h", "mse", numbers={"delta": 3.0}),)},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_python_are_one_sentence(mistake: str) -> None:
    keys: dict[str, Any] = {
        "layers": (Layer("h", 1, (Connection("x"),)),),
        "losses": (LossSpec("h"),),
    }
    with pytest.raises(UserError, match=r"tuple of|delta"):
        build(Network("n", {"x": 1}, **(keys | MISTAKES[mistake])))


def test_what_is_no_system_is_not_derived() -> None:
    with pytest.raises(TypeError, match="build"):
        adjoint(load(FOLDER / "narx.toml"))  # type: ignore[arg-type]


def test_one_hot_rows_and_class_numbers() -> None:
    module = shelf("elman")
    example = Example(module, 0, 4, 2)
    parameters, inputs, targets, *_ = example.arguments
    rows = {"output": example.rows["output"].astype(int)}
    assert module.loss(parameters, inputs, rows) == module.loss(parameters, inputs, targets)
    with pytest.raises(ValueError, match="classes are integers"):
        module.loss(parameters, inputs, {"output": targets["output"].astype(float)})
    with pytest.raises(ValueError, match="float16"):
        module.initial_parameters(0, np.float16)


def test_shared_values_are_all_read() -> None:
    """What the module keeps for the gradient, somebody reads."""
    network = Network(
        "n",
        {"x": 2},
        losses=(LossSpec("y"),),
        equations="c[t] = W @ x[t] + h[t-1]\nh[t] = tanh(c[t]) * softmax(c[t])\ny[t] = V @ h[t]",
        signals={"h": 4, "y": 2},
    )
    source = module_source(adjoint(build(network)))
    assert "_minus_" not in source
