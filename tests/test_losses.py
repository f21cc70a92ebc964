"""Losses as text: those of a user's own, several of one output, logarithms that stay finite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.commands.main import main
from bptt.derive import build
from bptt.derive.calculus.residuals import is_sum_of_squares, residuals
from bptt.derive.description.kinds import shipped_losses
from bptt.derive.description.topology import loads
from bptt.derive.errors import UserError
from tests.judge import judge
from tests.numeric import Example, module_of, relative

NETWORK = """
[inputs]
x = 2
[layers.h]
size = 3
activation = "tanh"
from = { x = [0, 1], h = [1] }
[layers.y]
size = 3
activation = "ACTIVATION"
from = { h = [0] }
"""


def network(formula: str, more: str = "", use: str = "", activation: str = "linear") -> str:
    used = use or '"own"'
    own = f"[losses.own]\nformula = '''{formula}'''\n{more}\n" if formula else ""
    return f"{NETWORK.replace('ACTIVATION', activation)}\n{own}\n[loss]\ny = {used}\n"


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def before(y: Any, initial: Any) -> Any:
    return np.concatenate((initial, y[:-1]))


# A formula with what stands beside it; the same of arrays y and d (T, B, 3), and rows before y.
OWN: dict[str, tuple[dict[str, str], Callable[..., Any]]] = {
    "quantile": (
        {"formula": "q*relu(d - y) + (1 - q)*relu(y - d)", "more": "numbers = { q = 0.9 }"},
        lambda y, d, r: np.mean(np.where(d > y, 0.9 * (d - y), 0.1 * (y - d))),
    ),
    "quantile as given": (
        {
            "formula": "q*relu(d - y) + (1 - q)*relu(y - d)",
            "more": "numbers = { q = 0.9 }",
            "use": '{ kind = "own", q = 0.2, weight = 3 }',
        },
        lambda y, d, r: 3 * np.mean(np.where(d > y, 0.2 * (d - y), 0.8 * (y - d))),
    ),
    "log cosh": (
        {"formula": "log((exp(y - d) + exp(d - y))/2)", "more": 'over = "sum"'},
        lambda y, d, r: np.sum(np.log(np.cosh(y - d))),
    ),
    "smooth": (
        {"formula": "(y - d)**2 + 0.1*(y - y[t-1])**2"},
        lambda y, d, r: np.mean((y - d) ** 2 + 0.1 * (y - before(y, r)) ** 2),
    ),
    "norm": (
        {"formula": "sqrt(sum((y - d)**2) + 1)"},
        lambda y, d, r: np.mean(np.sqrt(((y - d) ** 2).sum(-1) + 1)),
    ),
    "worst unit": (
        {"formula": "max(square(y - d))"},
        lambda y, d, r: np.mean(((y - d) ** 2).max(-1)),
    ),
    "focal": (
        {
            "formula": "-sum(d*(1 - y)**2*log(y))",
            "more": 'activation = "softmax"',
            "activation": "softmax",
        },
        lambda y, d, r: -np.mean((d * (1 - y) ** 2 * np.log(y)).sum(-1)),
    ),
    "focal of logits": (
        {"formula": "-sum(d*(1 - y)**2*log(y))", "more": 'activation = "softmax"'},
        lambda z, d, r: -np.mean((d * (1 - softmax(z)) ** 2 * np.log(softmax(z))).sum(-1)),
    ),
    "divergence": (
        {"formula": "-d*log(y) - (1 - d)*log(1 - y)", "activation": "sigmoid"},
        lambda y, d, r: np.mean(-d * np.log(y) - (1 - d) * np.log(1 - y)),
    ),
    "penalty": (
        {"formula": "(y - d)**2 + 0.5*sum(b_y*b_y)"},
        lambda y, d, r, p: np.mean((y - d) ** 2) + 0.5 * (p["b_y"] ** 2).sum(),
    ),
    "last": (
        {"formula": "abs(y - d)", "use": '{ kind = "own", steps = "last" }'},
        lambda y, d, r: np.mean(np.abs(y[-1] - d)),
    ),
    "two": (
        {"formula": "abs(y - d)", "use": '["own", { kind = "mse", weight = 2 }]'},
        lambda y, d, r: np.mean(np.abs(y - d)) + 2 * np.mean((y - d) ** 2),
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_a_loss_is_what_its_formula_says(name: str) -> None:
    settings, formula = OWN[name]
    text = network(**settings)
    module = module_of(build(loads(text)))
    example = Example(module, 5, 6, 2)
    y = module.forward(example.parameters, example.inputs, example.initial)["y"]
    rest = (example.initial.get("y"), example.parameters)
    expected = formula(y, example.targets["y"], *rest[: formula.__code__.co_argcount - 2])
    assert relative(module.loss(*example.arguments), expected) < 1e-12
    for seed in (2, 5):
        judge(loads(text), seed)


@pytest.mark.parametrize("shipped", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("through", [True, False])
def test_logarithms_of_exponentials_are_gone(shipped: str, through: bool) -> None:
    """By their form: a loss of the user's own stays as finite as the one that ships."""
    kind = shipped_losses()[shipped]
    more = f'activation = "{kind.activation}"\nclasses = {str(kind.classes).lower()}'
    activation = kind.activation if through else "linear"
    texts = (
        network(kind.formula, more, activation=activation),
        network("", use=f'"{shipped}"', activation=activation),
    )
    found = []
    for text in texts:
        module = module_of(build(loads(text)))
        example = Example(module, 1, 4, 2, scale=1e4)
        loss, gradients = module.loss_and_gradients(*example.arguments)
        assert np.isfinite(loss)
        assert all(np.isfinite(g).all() for g in gradients.values())
        found.append((loss, gradients))
    assert found[0][0] == found[1][0] > 10
    for name, gradient in found[0][1].items():
        assert np.array_equal(gradient, found[1][1][name])


def test_what_is_a_sum_of_squares() -> None:
    squares = {
        "(y - d)**2": True,
        "4*(y - d)**2 + (y - y[t-1])**2": True,
        "sum((y - d)**2)": True,
        "-(y - d)**2": False,
        "(y - d)**2 + y": False,
        "abs(y - d)": False,
        "huber(y - d, 1)": False,
    }
    for formula, expected in squares.items():
        assert is_sum_of_squares(build(loads(network(formula)))) == expected, formula
    with pytest.raises(UserError, match="no sum of squares"):
        residuals(build(loads(network("abs(y - d)"))))


BAD = {
    "(y - e)**2": "'e' is nothing that a loss can be about",
    "(y - d": "stands where it cannot",
    "y @ x": "the last size on the left of @",
    "(y[s] - d)**2": "one step, t",
    "y - outer(y, d)": "",
    "(y[i] - d[i])**2": "one step, t",
    "(y - d)**2 extra": "stands where it cannot",
}


@pytest.mark.parametrize("formula", BAD)
def test_a_formula_that_is_none_is_refused(formula: str, tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(network(formula))
    result = CliRunner().invoke(main, ["show", str(path)])
    assert result.exit_code == 2, result.output
    assert "losses.own.formula" in result.output
    assert BAD[formula] in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_net_input_of_a_net_input() -> None:
    """What a loss judges becomes a signal beside the one that the output's equation has."""
    equations = "k[t] = sigmoid(-log_softmax(W @ x[t]))"
    text = f"equations = '{equations}'\n[inputs]\nx = 2\n[signals]\nk = 3\n"
    for seed in (1, 4):
        judge(loads(f"{text}[loss]\nk = 'binary_cross_entropy'\n"), seed)
