"""RNN, LSTM and GRU layers agree with PyTorch's own modules, in value and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bptt.derive import Connection, Layer, LossSpec, Network, build
from tests.numeric import module_of, relative

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

INPUTS, HIDDEN, BATCH, STEPS = 3, 5, 4, 7
GATES = {"rnn": [("", "")], "lstm": [(g, g) for g in "ifgo"], "gru": [(g, g) for g in "rzn"]}


def torch_run(cell: str, x: Any, y: Any, start: dict[str, Any]) -> tuple[Any, Any, Any]:
    torch.manual_seed(1)
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    reference = kind(INPUTS, HIDDEN).to(torch.float64)
    states = {n: torch.tensor(a, requires_grad=True) for n, a in start.items()}
    h0 = states["h"]
    state = (h0, states["c_h"]) if cell == "lstm" else h0
    given = torch.tensor(x, requires_grad=True)
    out, _ = reference(given, state)
    loss = ((out - torch.tensor(y)) ** 2).mean()
    loss.backward()
    return reference, out.detach().numpy(), (loss.item(), given.grad, states)


def rows(array: Any, gate: int) -> Any:
    return array.detach().numpy()[gate * HIDDEN : (gate + 1) * HIDDEN]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_agrees_with_pytorch(cell: str) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((STEPS, BATCH, INPUTS))
    y = rng.standard_normal((STEPS, BATCH, HIDDEN))
    names = ("h", "c_h") if cell == "lstm" else ("h",)
    start = {name: rng.standard_normal((1, BATCH, HIDDEN)) for name in names}
    reference, out, (loss, x_gradient, states) = torch_run(cell, x, y, start)

    layer = Layer("h", HIDDEN, (Connection("x"),), cell=cell)
    module = module_of(build(Network(cell, {"x": INPUTS}, (layer,), (LossSpec("h", "mse"),))))
    theirs = {n: getattr(reference, f"{n}_l0") for n in ("weight_ih", "weight_hh")}
    biases = [reference.bias_ih_l0, reference.bias_hh_l0]
    parameters: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for k, (mark, _) in enumerate(GATES[cell]):
        suffix = f"_{mark}" if mark else ""
        for name, array in (
            (f"W{suffix}_h_x", theirs["weight_ih"]),
            (f"U{suffix}_h", theirs["weight_hh"]),
        ):
            parameters[name], expected[name] = rows(array, k), rows(array.grad, k)
        bias = f"b{suffix}_h"
        if cell == "gru" and mark == "n":
            # PyTorch's second bias of the candidate stands inside the reset gate's product.
            parameters[bias], expected[bias] = rows(biases[0], k), rows(biases[0].grad, k)
            parameters["c_n_h"], expected["c_n_h"] = rows(biases[1], k), rows(biases[1].grad, k)
        else:
            parameters[bias] = rows(biases[0], k) + rows(biases[1], k)
            expected[bias] = rows(biases[0].grad, k)
    assert set(parameters) == set(module.PARAMETERS)

    ours, gradients = module.loss_and_gradients(
        parameters, {"x": x}, {"h": y}, start, wrt=("parameters", "inputs", "initial")
    )
    expected["x"] = x_gradient.numpy()
    expected |= {f"initial_{n}": states[n].grad.numpy() for n in names}
    assert relative(module.forward(parameters, {"x": x}, start)["h"], out) < 1e-10
    assert relative(ours, loss) < 1e-10
    assert set(gradients) == set(expected)
    for name, array in expected.items():
        assert relative(gradients[name], array) < 1e-10, name
