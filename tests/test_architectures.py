"""What the architectures of generated/ promise: far out, masked, and against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bptt.derive import Connection, Input, Layer, LossSpec, Network, build
from tests.numeric import Arrays, Example, load_module, module_of, relative

FOLDER = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
WRT = ("parameters", "inputs", "initial")


def shelf(name: str) -> Any:
    return load_module((FOLDER / f"{name}.py").read_text(encoding="utf-8"), name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMES)
def test_stable_far_out(name: str, dtype: Any) -> None:
    """Inputs of ±1e4: no overflow, no warning, no NaN, in value or gradient."""
    module = shelf(name)
    example = Example(module, 0, 6, 2)
    groups = [dict(group) for group in example.arguments]
    for key in set(module.INPUTS) - set(module.MASKS):
        groups[1][key] = 1e4 * np.sign(groups[1][key])
    single = [
        {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in group.items()}
        for group in groups
    ]
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss, gradients = module.loss_and_gradients(*single, wrt=WRT)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert {array.dtype for array in (loss, *gradients.values())} == {np.dtype(dtype)}


def test_masked_steps_are_as_if_absent() -> None:
    """A shorter sequence in a batch gives what it gives alone, whatever stands beyond its end."""
    module = shelf("stacked_bidirectional")
    example = Example(module, 0, 7, 3)
    parameters, inputs, targets, _, _ = example.arguments
    lengths = np.array([7, 3, 5])
    mask = (np.arange(7)[:, None] < lengths).astype(float)
    whole = module.forward(parameters, {**inputs, "valid": mask})
    by_lengths = module.forward(parameters, {**inputs, "valid": lengths})
    by_truth = module.forward(parameters, {**inputs, "valid": mask > 0})
    for name, array in whole.items():
        assert np.array_equal(array, by_lengths[name]), name
        assert np.array_equal(array, by_truth[name]), name
    losses = []
    for b, n in enumerate(lengths):
        alone = {"x": inputs["x"][:n, b : b + 1], "valid": np.ones((n, 1))}
        signals = module.forward(parameters, alone)
        for name in ("forth2", "back2", "output"):
            assert relative(whole[name][:n, b], signals[name][:, 0]) < 1e-14
        assert not whole["forth2"][n:, b].any()
        assert np.array_equal(whole["state_forth2"][-1, b], whole["state_forth2"][n - 1, b])
        target = {"output": targets["output"][:n, b : b + 1]}
        losses.append(n * module.loss(parameters, alone, target))
    together = module.loss(parameters, {**inputs, "valid": lengths}, targets)
    assert relative(together, sum(losses) / lengths.sum()) < 1e-14


def test_a_mask_is_its_own_layer_s() -> None:
    """A layer whose name ends as a masked layer's is not masked with it."""
    layers = (
        Layer("h", 2, (Connection("x"),), cell="gru", mask="m", masked="zero"),
        Layer("x_h", 2, (Connection("h"), Connection("x_h", 1)), "linear", bias=False),
    )
    inputs = {"x": 2, "m": Input((), mask=True)}
    module = module_of(build(Network("names", inputs, layers, (LossSpec("x_h"),))))
    parameters = {n: np.ones(s) for n, s in module.PARAMETERS.items()}
    given = {"x": np.ones((3, 1, 2)), "m": np.array([[1.0], [0.0], [0.0]])}
    signals = module.forward(parameters, given)
    assert not signals["h"][1:].any()
    # Each step without a mask doubles it: it reads two units of its own, each with weight one.
    assert relative(signals["x_h"][1:], 2 * signals["x_h"][:-1]) < 1e-14


def test_lengths_are_checked_at_the_door() -> None:
    module = shelf("stacked_bidirectional")
    parameters, inputs, *_ = Example(module, 0, 4, 2).arguments
    for wrong in ([5, 2], [-1, 2], [1, 2, 3]):
        with pytest.raises(ValueError, match="from 0 to 4 are expected"):
            module.forward(parameters, {**inputs, "valid": np.array(wrong)})


def test_nothing_masked_is_nothing_lost() -> None:
    """A sequence without a valid step changes no other, and gives no NaN."""
    module = shelf("bahdanau")
    example = Example(module, 0, 4, 3)
    arguments = [dict(group) for group in example.arguments]
    arguments[1]["valid"] = np.ones_like(arguments[1]["valid"])
    arguments[1]["valid"][:, 1] = 0
    loss, gradients = module.loss_and_gradients(*arguments, wrt=WRT)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert not module.forward(*arguments[:2], arguments[3])["c"][:, 1].any()


def test_free_steps() -> None:
    module = shelf("one_to_many")
    parameters, inputs, targets, _, _ = Example(module, 0, 4, 2).arguments
    assert module.forward(parameters, inputs, steps=9)["output"].shape == (9, 2, 4)
    assert np.isfinite(module.loss(parameters, inputs, targets))
    with pytest.raises(ValueError, match="the size T is not known"):
        module.forward(parameters, inputs)


# Against PyTorch.


def torch_case(module: Any, seed: int = 0, steps: int = 6) -> tuple[Any, Any, Arrays, Arrays]:
    """PyTorch, an example, and its parameters and inputs as tensors that collect gradients."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    example = Example(module, seed, steps, 3)
    p = {n: torch.tensor(a, requires_grad=True) for n, a in example.parameters.items()}
    x = {n: torch.tensor(a, requires_grad=True) for n, a in example.inputs.items()}
    return torch, example, p, x


def assert_same(module: Any, example: Example, loss: Any, p: Arrays, x: Arrays) -> None:
    """Our loss and gradients, of parameters and inputs, are those of PyTorch to 1e-10."""
    loss.backward()
    example.initial = {}
    ours, gradients = module.loss_and_gradients(*example.arguments, wrt=("parameters", "inputs"))
    assert relative(ours, loss.item()) < 1e-10
    for name, gradient in gradients.items():
        theirs = {**p, **x}[name].grad
        expected = np.zeros_like(gradient) if theirs is None else theirs.numpy()
        assert relative(gradient, expected, 1e-8) < 1e-10, name


def test_packed_sequences() -> None:
    """Two bidirectional LSTM layers over sequences of several lengths."""
    module = shelf("stacked_bidirectional")
    torch, example, p, x = torch_case(module, steps=7)
    lengths = np.array([7, 2, 5])
    example.inputs["valid"] = (np.arange(7)[:, None] < lengths).astype(float)
    reference = torch.nn.LSTM(3, 4, bidirectional=True).double()
    second = torch.nn.LSTM(8, 3, bidirectional=True).double()
    given = x["x"]
    for network, layers in ((reference, ("forth", "back")), (second, ("forth2", "back2"))):
        weights: dict[str, Any] = {}
        for layer, mark in zip(layers, ("", "_reverse"), strict=True):
            sources = ["x"] if network is reference else ["forth", "back"]
            gates = "ifgo"
            weights[f"weight_ih_l0{mark}"] = torch.cat(
                [torch.cat([p[f"W_{g}_{layer}_{s}"] for s in sources], 1) for g in gates]
            )
            weights[f"weight_hh_l0{mark}"] = torch.cat([p[f"U_{g}_{layer}"] for g in gates])
            weights[f"bias_ih_l0{mark}"] = torch.cat([p[f"b_{g}_{layer}"] for g in gates])
            weights[f"bias_hh_l0{mark}"] = torch.zeros_like(weights[f"bias_ih_l0{mark}"])
        packed = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, enforce_sorted=False)
        out, (final, _) = torch.func.functional_call(network, weights, (packed,))
        given, _ = torch.nn.utils.rnn.pad_packed_sequence(out)
    logits = given @ torch.cat([p["W_output_forth2"], p["W_output_back2"]], 1).T + p["b_output"]
    mask = torch.tensor(example.inputs["valid"])
    labels = torch.tensor(example.targets["output"])
    each = torch.nn.functional.cross_entropy(logits.permute(0, 2, 1), labels, reduction="none")
    signals = module.forward(example.parameters, example.inputs)
    assert relative(signals["forth2"], given[..., :3].detach().numpy()) < 1e-10
    assert relative(signals["state_forth2"][-1], final[0].detach().numpy()) < 1e-10
    assert relative(signals["state_back2"][0], final[1].detach().numpy()) < 1e-10
    assert_same(module, example, (each * mask).sum() / mask.sum(), p, x)


def test_projection() -> None:
    """The projected LSTM is PyTorch's with proj_size, the coupled and normalised ones a loop."""
    module = shelf("lstm_variants")
    torch, example, p, x = torch_case(module)
    sigmoid, tanh = torch.sigmoid, torch.tanh
    norm = torch.nn.functional.layer_norm
    inputs = x["x"]
    steps, batch = inputs.shape[:2]

    h, c, coupled = torch.zeros(batch, 4).double(), torch.zeros(batch, 4).double(), []
    for t in range(steps):
        f, g, o = (
            inputs[t] @ p[f"W_{n}_coupled_x"].T + h @ p[f"U_{n}_coupled"].T + p[f"b_{n}_coupled"]
            for n in "fgo"
        )
        c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(g)
        h = sigmoid(o) * tanh(c)
        coupled.append(h)
    below = torch.cat([torch.stack(coupled), inputs], -1)
    layer = torch.nn.LSTM(6, 5, proj_size=2).double()
    read = [[p[f"W_{n}_projected_{s}"] for s in ("coupled", "x")] for n in "ifgo"]
    weights = {
        "weight_ih_l0": torch.cat([torch.cat(pair, 1) for pair in read]),
        "weight_hh_l0": torch.cat([p[f"U_{n}_projected"] for n in "ifgo"]),
        "bias_ih_l0": torch.cat([p[f"b_{n}_projected"] for n in "ifgo"]),
        "bias_hh_l0": torch.zeros(20).double(),
        "weight_hr_l0": p["P_projected"],
    }
    projected, _ = torch.func.functional_call(layer, weights, (below,))
    h, c, outputs = torch.zeros(batch, 3).double(), torch.zeros(batch, 3).double(), []
    before = torch.cat([torch.zeros(1, batch, 2).double(), inputs[:-1]])
    for t in range(steps):
        net = {
            n: projected[t] @ p[f"W_{n}_normalised_projected"].T
            + before[t] @ p[f"W_{n}_normalised_x_1"].T
            + h @ p[f"U_{n}_normalised"].T
            for n in "ifgo"
        }
        i, f, g, o = (
            norm(net[n], (3,), p[f"s_{n}_normalised"], p[f"b_{n}_normalised"]) for n in "ifgo"
        )
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(norm(c, (3,), p["s_c_normalised"], p["b_c_normalised"]))
        outputs.append(h)
    loss = ((torch.stack(outputs) - torch.tensor(example.rows["normalised"])) ** 2).mean()
    assert_same(module, example, loss, p, x)


def test_viterbi() -> None:
    module = shelf("viterbi")
    torch, example, p, x = torch_case(module)
    v = torch.zeros(3, 3, dtype=torch.float64)
    outputs = []
    for step in x["x"]:
        v = step @ p["E"].T + torch.amax(p["A"] + v[:, None, :], -1)
        outputs.append(v - torch.amax(v, -1, keepdim=True))
    labels = torch.tensor(example.targets["y"])
    logits = torch.stack(outputs).permute(0, 2, 1)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    assert_same(module, example, loss, p, x)


def test_self_attention() -> None:
    """Two heads, masked and causal, by PyTorch's scaled dot-product attention."""
    module = shelf("self_attention")
    torch, example, p, x = torch_case(module)
    attend = torch.nn.functional.scaled_dot_product_attention
    valid = torch.tensor(example.inputs["valid"])

    def heads(array: Any, weight: Any) -> Any:
        steps, batch, _ = array.shape
        return (array @ weight.T).reshape(steps, batch, 2, 2).permute(1, 2, 0, 3)

    def joined(array: Any) -> Any:
        batch, _, steps, _ = array.shape
        return array.permute(2, 0, 1, 3).reshape(steps, batch, 4)

    q, k, v = (heads(x["x"], p[f"{n}1"]) for n in "QKV")
    keys = valid.T[:, None, None, :] > 0
    first = torch.nan_to_num(attend(q, k, v, attn_mask=keys))
    h = x["x"] + joined(first) @ p["O1"].T
    h = torch.nn.functional.layer_norm(h, (4,), p["s_h"], p["b_h"])
    q, k, v = (heads(h, p[f"{n}2"]) for n in "QKV")
    y = h + joined(attend(q, k, v, is_causal=True)) @ p["O2"].T
    pooled = (valid[..., None] * y).sum(0) / valid.sum(0)[:, None]
    logits = pooled @ p["W"].T + p["b"]
    squares = ((y - torch.tensor(example.rows["y"])) ** 2).mean(-1)
    loss = (squares * valid).sum() / valid.sum()
    labels = torch.tensor(example.targets["label"])
    assert valid.sum(0).min() > 0
    assert_same(module, example, loss + torch.nn.functional.cross_entropy(logits, labels), p, x)


def test_encoder_and_decoder() -> None:
    """Additive attention over a bidirectional encoder of another length."""
    module = shelf("bahdanau")
    torch, example, p, x = torch_case(module)
    source, word = x["source"], x["word"]
    valid = torch.tensor(example.inputs["valid"])
    zeros = torch.zeros(3, 3).double()
    forth, back = [zeros], [zeros]
    for s in range(len(source)):
        forth.append(torch.tanh(source[s] @ p["W_f"].T + forth[-1] @ p["U_f"].T + p["b_f"]))
        back.append(torch.tanh(source[-1 - s] @ p["W_b"].T + back[-1] @ p["U_b"].T + p["b_b"]))
    forth_, back_ = torch.stack(forth[1:]), torch.stack(back[:0:-1])
    annotations = torch.cat([forth_, back_], -1)
    h, logits = torch.zeros(3, 5).double(), []
    for t in range(len(word)):
        keys = torch.tanh(h @ p["Q"].T + forth_ @ p["K_f"].T + back_ @ p["K_b"].T)
        scores = (keys @ p["v"]).masked_fill(valid == 0, float("-inf"))
        weights = torch.nan_to_num(torch.softmax(scores, 0))
        c = (weights[..., None] * annotations).sum(0)
        z = torch.sigmoid(word[t] @ p["W_z"].T + h @ p["U_z"].T + c @ p["C_z"].T + p["b_z"])
        g = torch.tanh(word[t] @ p["W_g"].T + h @ p["U_g"].T + c @ p["C_g"].T + p["b_g"])
        h = (1 - z) * h + z * g
        logits.append(h @ p["W_y"].T + c @ p["C_y"].T + p["b_y"])
    labels = torch.tensor(example.targets["y"])
    loss = torch.nn.functional.cross_entropy(torch.stack(logits).permute(0, 2, 1), labels)
    assert_same(module, example, loss, p, x)


def test_matrix_states() -> None:
    """Linear attention with a decay, and the delta rule."""
    module = shelf("delta_rule")
    torch, example, p, x = torch_case(module)
    state, memory = torch.zeros(3, 4, 3).double(), torch.zeros(3, 4, 3).double()
    ys, zs = [], []
    for t in range(len(x["x"])):
        now = x["x"][t]
        k, v, q = torch.tanh(now @ p["K"].T), now @ p["V"].T, now @ p["Q"].T
        state = torch.sigmoid(now @ p["D"].T)[:, :, None] * state + k[:, :, None] * v[:, None, :]
        ys.append((state * q[:, :, None]).sum(1))
        missing = v - (memory * k[:, :, None]).sum(1)
        beta = torch.sigmoid(now @ p["w"])[:, None, None]
        memory = memory + beta * k[:, :, None] * missing[:, None, :]
        zs.append(torch.einsum("ijl,bjl->bi", p["G"], memory))
    loss = sum(
        ((torch.stack(found) - torch.tensor(example.rows[name])) ** 2).mean()
        for name, found in (("y", ys), ("z", zs))
    )
    assert_same(module, example, loss, p, x)
