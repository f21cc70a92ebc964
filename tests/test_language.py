"""What the equation language takes: values and gradients against numbers that nobody derived."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bptt.commands.main import main
from bptt.derive import (
    Connection,
    Layer,
    LossSpec,
    Network,
    System,
    adjoint,
    build,
)
from bptt.derive.description.topology import loads
from bptt.derive.errors import UserError
from bptt.derive.language.shapes import ELEMENTWISE
from tests.judge import judge
from tests.numeric import Example, module_of, relative


def toml(
    equations: str, signals: str = "", parameters: str = "", inputs: str = "", loss: str = "y"
) -> str:
    return (
        f"equations = '''\n{equations}\n'''\n[inputs]\nx = 2\n{inputs}\n[signals]\n{signals}\n"
        f"[parameters]\n{parameters}\n[loss]\n{loss} = 'mse'\n"
    )


def forward(text: str, seed: int = 3, steps: int = 4) -> tuple[System, Example, Any]:
    """A network, random arguments, and the signals that its module computes."""
    system = build(loads(text))
    module = module_of(system)
    example = Example(module, seed, steps, 2)
    found = module.forward(example.parameters, example.inputs, example.initial, **example.free)
    return system, example, found


def check(text: str) -> None:
    """Values against the interpreter, gradients against complex step, at several sizes."""
    for seed in (1, 4):
        judge(loads(text), seed)


PARTS = (
    "[0:2]", "[1:5]", "[2:5][1]", "[3]", "[4:6]", "[5]", "[2:6][1:4]", "[2:6][1:4][0]", "[0]",
    "[0:6][4:5]",
)  # fmt: skip
JOINED = {
    "concat(w, x[t])": lambda w, x, v: np.concatenate([w, x]),
    "concat(x[t], w)": lambda w, x, v: np.concatenate([x, w]),
    "concat(x[t], w[0:2], v)": lambda w, x, v: np.concatenate([x, w[:2], v]),
    "concat(concat(v, x[t])[1:4], w[1:4])": lambda w, x, v: np.concatenate(
        [np.concatenate([v, x])[1:4], w[1:4]]
    ),
}


def test_a_part_of_a_diagonal_matrix_ends_where_it_ends() -> None:
    text = toml("y[t] = diag(v[t])[0:2].T @ x[t]", signals="y = 3", inputs="v = 3")
    _, example, found = forward(text)
    v, x = example.inputs["v"], example.inputs["x"]
    assert np.allclose(found["y"][..., :2], v[..., :2] * x)
    assert not found["y"][..., 2].any()
    check(text)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("joined", JOINED)
def test_parts_of_concatenations(joined: str, part: str) -> None:
    """Parts of parts: what each leaves, whatever it leaves nothing of."""
    text = toml(
        f"y[t] = tanh({joined}{part}) + x[t] @ x[t]",
        parameters="w = 4\nv = 2",
    ).replace("+ x[t] @ x[t]", "+ x[t] @ x[t] + sum(w)*sum(v)")
    if not part.endswith(":2]") and ":" not in part.rsplit("[", 1)[1]:
        text = text.replace("y[t] = ", "y[t] = x[t] * ")
    _, example, found = forward(text)
    w, v = example.parameters["w"], example.parameters["v"]
    for step in range(4):
        for row in range(2):
            x = example.inputs["x"][step, row]
            whole = JOINED[joined](w, x, v)
            value = np.tanh(eval(f"whole{part}", {"whole": whole})) + x @ x + w.sum() * v.sum()
            if np.ndim(value) == 0:
                value = x * np.tanh(eval(f"whole{part}", {"whole": whole})) + x @ x
                value = value + w.sum() * v.sum()
            assert relative(found["y"][step, row], value) < 1e-12
    check(text)


# Summands that cancel, or do not depend on what is summed over; and what is left, for N units.
CANCELLED = {
    "logsumexp(0*x[t])": lambda x: np.log(2),
    "logsumexp(x[t] - x[t])": lambda x: np.log(2),
    "logsumexp(tanh(x[t] - x[t]))": lambda x: np.log(2),
    "sum(0*x[t] + 1)": lambda x: 2,
    "sum(exp(0*x[t]))": lambda x: 2,
    "mean(0*x[t] + 3)": lambda x: 3,
    "mean(x[t] - x[t])": lambda x: 0,
    "softmax(0*x[t])": lambda x: np.full(2, 0.5),
    "softmax(x[t] - x[t])": lambda x: np.full(2, 0.5),
    "log_softmax(0*x[t])": lambda x: np.full(2, -np.log(2)),
    "layernorm(0*x[t])": lambda x: np.zeros(2),
    "layernorm(0*x[t] + 2)": lambda x: np.zeros(2),
}


@pytest.mark.parametrize("reduced", CANCELLED)
def test_what_is_summed_is_counted(reduced: str) -> None:
    text = toml(f"y[t] = x[t] * {reduced} + x[t]")
    _, example, found = forward(text)
    x = example.inputs["x"]
    assert relative(found["y"], x * CANCELLED[reduced](x) + x) < 1e-12
    check(text)


# Scores over steps that vary with one of the two steps alone, or with none.
@pytest.mark.parametrize("score", ["w @ x[s]", "w @ x[t]", "0*(w @ x[s])", "w @ x[t] + w @ x[s]"])
@pytest.mark.parametrize("over", ["s", "s <= t", "t-1 <= s <= t"])
def test_reductions_over_steps(score: str, over: str) -> None:
    text = toml(
        f"e[t,s] = {score}\na[t,s] = softmax(e[t,s], {over})\nz[t] = logsumexp(e[t,s], {over})\n"
        f"y[t] = sum(a[t,s]*x[s], {over}) + z[t]*x[t]",
        parameters="w = 2",
    )
    _, example, found = forward(text)
    x, w = example.inputs["x"], example.parameters["w"]
    for t in range(4):
        lows = {"s": range(4), "s <= t": range(t + 1), "t-1 <= s <= t": range(max(t - 1, 0), t + 1)}
        steps = list(lows[over])
        scores = {
            "w @ x[s]": x[steps] @ w,
            "w @ x[t]": np.tile(x[t] @ w, (len(steps), 1)),
            "0*(w @ x[s])": 0 * (x[steps] @ w),
            "w @ x[t] + w @ x[s]": x[steps] @ w + x[t] @ w,
        }[score]
        total = np.log(np.exp(scores).sum(axis=0))
        weights = np.exp(scores - total)
        expected = np.einsum("sb,sbi->bi", weights, x[steps]) + total[:, None] * x[t]
        assert relative(found["y"][t], expected) < 1e-12
    check(text)


def test_scores_of_one_axis() -> None:
    """The scores stand on s alone, the condition brings t in."""
    check(
        toml(
            "e[t] = w @ x[t]\na[t,s] = softmax(e[s], s <= t)\nv[t] = V @ x[t]\n"
            "y[t] = sum(a[t,s]*v[s], s <= t)",
            "v = 3", "w = 2",
        )
    )  # fmt: skip


FIXED = {
    "y[t,i] = tanh(W[i,0]*x[t,0] + W[i,2]*x[t,1])": ("", "W = [2, 3]"),
    "y[t,n] = sum(tanh(h[t,j,0] - W[j,n]), j)\nh[t,j,k] = tanh(U[j,k,l]*x[t,l])": (
        "h = [3, 2]\ny = 4", "",
    ),
    "y[t,q] = sum((c[t,n,0] + 2)*W[q,n,m], m)\nc[t,n,k] = tanh(U[n,k,l]*x[t,l])": (
        "c = [4, 1]\ny = 3", "W = [3, 4, 2]",
    ),
    "y[t,i] = W[0,i]*v[i]*x[t,0] + W[1,2]*x[t,1]": ("", "W = [2, 3]\nv = 3"),
    "y[t,i] = W[i,i+1]*x[t,i] + W[1,i+1]*x[t,0]": ("", "W = [2, 3]"),
    "y[t,k] = h[t,1,k,2]*h[t,0,k,1]\nh[t,i,j,k] = tanh(U[i,j,k,l]*x[t,l])": ("h = [2, 4, 3]", ""),
}  # fmt: skip


@pytest.mark.parametrize("equations", FIXED)
def test_fixed_subscripts(equations: str) -> None:
    check(toml(equations, *FIXED[equations]))


@pytest.mark.parametrize("number", ["0", "-1", "1", "0.5", "-2.25"])
@pytest.mark.parametrize("function", [*ELEMENTWISE, "gaussian", "square", "sqrt", "linear"])
def test_functions_of_constants(function: str, number: str, tmp_path: Path) -> None:
    """A number, or a refusal where the function has none there."""
    text = toml(f"y[t] = {function}({number})*x[t] + x[t]")
    with np.errstate(all="ignore"):
        values = {"gaussian": lambda x: np.exp(-x * x), "linear": float, "sqrt": np.sqrt}
        values |= {"square": lambda x: x * x, "log": np.log}
        value = values.get(function, lambda x: 0.0)(float(number))
    path = tmp_path / "net.toml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(path)])
    refused = not np.isfinite(value)
    assert result.exit_code == (2 if refused else 0), result.output
    assert ("finite real number" in result.output) == refused


ONE = {
    "y[t] = x[t] + p": "p = [1]",
    "y[t] = tanh(W @ x[t])*x[t] + softmax(p) + layernorm(q)": "W = [1, 2]\np = 1\nq = 1",
    "y[t] = x[t][0:1]*x[t] + p": "p = 1",
    "y[t] = (P + Q.T*diag(r) + 2) @ x[t]": "P = [2, 2]\nQ = [2, 1]\nr = 1",
    "y[t] = (P + Q) @ x[t] + outer(p, x[t]) @ x[t]": "P = [2, 2]\nQ = [1, 2]\np = 1",
    "y[t] = p*concat(p, r) + x[t]": "p = 1\nr = 1",
}


@pytest.mark.parametrize("equations", ONE)
def test_one_unit_is_broadcast(equations: str) -> None:
    check(toml(equations, parameters=ONE[equations]))


ATTENTION = """enc[s] = tanh(E @ z[s])
dec[t] = tanh(D @ x[t] + c[t])
score[t,s] = v @ tanh(A @ dec[t-1] + K @ enc[s])
a[t,s] = softmax(score[t,s], s)
c[t] = sum(a[t,s]*enc[s], s)
y[t] = Y @ dec[t]"""


def test_guesses_are_said(tmp_path: Path) -> None:
    """Scores weight what they multiply, and `show` lists which shapes are a guess."""
    text = toml(ATTENTION, "enc = 6\ndec = 6\ny = 2", "A = [9, 6]", 'z = { size = 2, time = "S" }')
    system = build(loads(text))
    shapes = {q.name: system.shape(q) for q in system.quantities.values()}
    assert shapes["v"] == (9,)
    assert shapes["score"] == shapes["a"] == ("T", "S", "B")
    path = tmp_path / "net.toml"
    path.write_text(text, encoding="utf-8")
    lines = CliRunner().invoke(main, ["show", str(path)]).output.splitlines()
    said = {line.split()[0] for line in lines if "guessed" in line}
    assert said == {"a", "score"}
    check(text)


@pytest.mark.parametrize(
    "value",
    [
        "1/(0.001*(p @ x[t]))**90",
        "1/(0.02*(p @ x[t]))**90",
        "exp(exp(exp(99*(p @ x[t]))))",
        "exp(800)",
    ],
)
def test_overflow_is_named(value: str, tmp_path: Path) -> None:
    """Where the network's values leave the range of numbers, nobody's module is wrong."""
    path = tmp_path / "net.toml"
    path.write_text(toml(f"y[t] = x[t]*{value}", parameters="p = 2"), encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 2
    assert "overflow" in result.output or "finite real number" in result.output
    assert "wrong" not in result.output


# What no loop computes at every pair of steps: needed before its own step alone, under a condition.
NEEDED = {
    "own past": "w[t,s] = h[t-1] @ h[s]\nc[t] = sum(w[t,s]*h[s], s < t)",
    "through another": "v[t,s] = h[t-1] @ h[s]\nw[t,s] = tanh(v[t,s])\n"
    "c[t] = sum(w[t,s]*h[s], s < t) + sum(v[t,s]*h[s], s <= t-2)",
    "softmax": "e[t,s] = h[t-1] @ h[s]\na[t,s] = softmax(e[t,s], s < t)\n"
    "c[t] = sum(a[t,s]*h[s], s < t)",
    "shifted": "w[t,s] = h[t-1] @ h[s+1]\nc[t] = sum(w[t,s]*h[s], s < t-1)",
    "future": "w[t,s] = h[t+1] @ h[s]\nc[t] = sum(w[t,s]*h[s], s > t)",
    "window": "w[t,s] = h[t-1] @ h[s]\nc[t] = sum(w[t,s]*h[s], t-2 <= s <= t-1)",
}


@pytest.mark.parametrize("case", NEEDED)
def test_computed_where_it_is_needed(case: str) -> None:
    check(toml(f"{NEEDED[case]}\nh[t] = tanh(x[t] + c[t])\ny[t] = W @ h[t]", "h = 2\ny = 2"))


def test_what_is_on_no_loop_is_computed_everywhere() -> None:
    """Though another part of the network has a loop that is computed where it is needed alone."""
    text = toml(f"{NEEDED['own past']}\nh[t] = tanh(x[t] + c[t])\ny[t] = W @ h[t]\n"
    "k[t,s] = x[s,0] + 0.5*k[t-1,t+1]", "h = 2\ny = 2\nk = []")  # fmt: skip
    _, example, found = forward(text)
    x, before = example.inputs["x"][:, :, 0], example.initial["k"][0]
    for t in range(4):
        before = x + 0.5 * (before[t + 1] if t + 1 < 4 else 0)
        assert np.allclose(found["k"][t], before)


def test_needed_where_it_is_not_known() -> None:
    """A reader without the condition needs all: then there is no order of computation."""
    text = toml("w[t,s] = h[t-1] @ h[s]\nc[t] = sum(w[t,s]*h[s], s < t)\nd[t] = sum(w[t,s], s)\n"
    "h[t] = tanh(x[t] + c[t] + d[t])", "h = 2", loss="h")  # fmt: skip
    with pytest.raises(UserError, match="no delay"):
        build(loads(text))


BEGUN = {
    "h[0] = p\nh[t] = W @ x[t] + U @ h[t-1]": "forward",
    "h[0] = tanh(D @ z[end])\nh[t] = tanh(W @ x[t] + U @ h[t-1])": "forward",
    "h[t] = softmax(W @ x[t] + U @ h[t-1])\nh[0] = softmax(W @ x[0])": "forward",
    "h[t,i] = tanh(W[i,j]*x[t,j] + U[i,k]*h[t-1,k])\nh[0,i] = p[i]*x[0,0]": "forward",
    "h[end] = tanh(p)\nh[t] = tanh(W @ x[t] + U @ h[t+1])": "backward",
}


@pytest.mark.parametrize("equations", BEGUN)
def test_a_first_step_of_its_own(equations: str) -> None:
    """Beside the equation of all steps; no value before the first step is left to give."""
    text = toml(f"{equations}\ny[t] = V @ h[t]", "h = 3\ny = 2", "", 'z = { size = 2, time = "S" }')
    if "z[" not in equations:
        text = text.replace("V @ h[t]", "V @ h[t] + Z @ z[end]")
    network = loads(text)
    for seed in (0, 1, 5):  # of 1, 2 and 6 steps
        judge(network, seed)
    assert module_of(build(network)).INITIAL == {}


def test_a_first_step_is_what_it_says() -> None:
    _, example, found = forward(toml("h[0] = p\nh[t] = x[t] + h[t-1]\ny[t] = h[t]", "h = 2"))
    whole = example.inputs["x"].copy()
    whole[0] = example.parameters["p"]
    assert relative(found["y"], whole.cumsum(axis=0)) < 1e-12


def test_letters_that_count() -> None:
    """Whatever letter the steps have, it may stand for its number; a parameter may have it too."""
    text = toml("y[s] = tanh(every(s, 2)*x[s]) * sin(s)\nq[t] = s*x[t]", parameters="s = 1")
    _, example, found = forward(text)
    x, steps = example.inputs["x"], np.arange(4)[:, None, None]
    assert relative(found["y"], np.tanh((steps % 2 == 0) * x) * np.sin(steps)) < 1e-12
    assert relative(found["q"], example.parameters["s"] * x) < 1e-12


# The same equations in customary letters, and in others.
LETTERS = {
    "h[t] = tanh(W @ x[t] + U @ h[t-1])\ny[t] = V @ h[t]": (
        "h[n] = tanh(W @ x[n] + U @ h[n-1])\ny[S] = V @ h[S]"
    ),
    "y[t,i] = W[i,j]*x[t,j]": "y[k,t] = W[t,r]*x[k,r]",
    "y[t] = sum(W @ x[s], s <= t)*sin(t)": "y[s] = sum(W @ x[t], t <= s)*sin(s)",
    "h[t] = tanh(U @ h[t-1])\ny[t] = x[t] @ h[t] + W @ x[t]": (
        "h[m] = tanh(U @ h[m-1])\ny[a] = x[a] @ h[a] + W @ x[a]"
    ),
    "e[t,s] = x[t] @ x[s]\na[t,s] = softmax(e[t,s], s <= t)\n"
    "y[t] = sum(a[t,s]*(W @ x[s]), s <= t)": (
        "e[i,j] = x[i] @ x[j]\na[n,m] = softmax(e[n,m], m <= n)\n"
        "y[r] = sum(a[r,c]*(W @ x[c]), c <= r)"
    ),
    "h[0] = p\nh[t] = x[t] + every(t, 3)*h[t-1]\ny[t] = W @ h[t]": (
        "h[0] = p\nh[z] = x[z] + every(z, 3)*h[z-1]\ny[z] = W @ h[z]"
    ),
    "y[t] = (u @ x[t])*(W @ x[t])": "y[s] = (u @ x[s])*(W @ x[s])",
    # Which letter a sum or a softmax runs over does not hang on how it is called.
    "e[t,s] = x[t] @ x[s]\na[t,s] = softmax(e[t,s], s, t < s)\n"
    "y[t] = W @ x[t]*sum(sum(e[r,u], r <= u), u >= t)*sum(a[t,s], s)": (
        "e[u,t] = x[u] @ x[t]\na[s,t] = softmax(e[s,t], t, s < t)\n"
        "y[s] = W @ x[s]*sum(sum(e[k,t], t >= k), s <= t)*sum(a[s,m], m)"
    ),
    "y[t] = W @ (x[t]*sum(x[s], s)*sum(x[r], r)*sum(x[u], u)*sum(x[v], v))": (
        "y[k] = W @ (x[k]*sum(x[a], a)*sum(x[c], c)*sum(x[d], d)*sum(x[e], e))"
    ),
    "y[t,i] = p[i] + W[i,j]*x[t,j]*k[i]\nk[i] = exp(p[i])\nh[t] = every(t, 2) + 0.5*h[t-1]": (
        "y[k,t] = p[t] + W[t,s]*x[k,s]*k[t]\nk[u] = exp(p[u])\nh[j] = every(j, 2) + 0.5*h[j-1]"
    ),
}


@pytest.mark.parametrize("usual", LETTERS)
def test_letters_mean_what_they_are_used_for(usual: str) -> None:
    """An index is one of steps because it stands where steps are, whatever its letter."""
    other = LETTERS[usual]
    signals = "y = 3\nh = 2" if "h[" in usual else "y = 3"
    first, second = (build(loads(toml(text, signals))) for text in (usual, other))
    assert first.equations == second.equations
    assert first.quantities == second.quantities


IDENTITIES = [
    "y[t] = (W + 0.5*eye(2)) @ x[t] + eye(2) @ x[t] - 2*eye(2) @ (x[t]*x[t])",
    "y[t] = (eye(2) @ W.T @ eye(2) + eye(2).T) @ x[t]",
    "S[t] = S[t-1] @ (eye(2) - outer(x[t], x[t])) + outer(x[t], x[t])\ny[t] = (W + S[t]) @ x[t]",
]


@pytest.mark.parametrize("equations", IDENTITIES)
def test_identity_matrices(equations: str) -> None:
    check(toml(equations, "S = [2, 2]" if "S" in equations else "", "W = [2, 2]"))


@pytest.mark.parametrize("slope", ["0.3", "2", "a", "a*x[t]"])
@pytest.mark.parametrize("function", ["elu", "leaky_relu"])
def test_slopes(function: str, slope: str) -> None:
    text = toml(f"y[t] = {function}(3*x[t], {slope}) + {function}(-1, 0.5)")
    if "a" in slope:
        text = text.replace("[parameters]", "[parameters]\na = 2")
    _, example, found = forward(text)
    x, a = example.inputs["x"], example.parameters.get("a")
    below = np.expm1(np.minimum(3 * x, 0)) if function == "elu" else np.minimum(3 * x, 0)
    by = (a if slope == "a" else a * x) if "a" in slope else float(slope)
    constant = 0.5 * (np.expm1(-1) if function == "elu" else -1)
    assert relative(found["y"], np.maximum(3 * x, 0) + by * below + constant) < 1e-12
    check(text)


APART = """
[inputs]
x = 2
[layers.c]
size = 3
activation = "tanh"
[layers.osc]
size = 2
activation = "tanh"
from = { osc = [1, 3] }
[layers.y]
size = 2
activation = "tanh"
from = { x = [0], c = [0], osc = [0] }
[loss]
y = { kind = "huber_sum", delta = 0.3 }
"""


def test_layers_that_no_input_reaches() -> None:
    """Biases alone have no steps; what has initial values has them for every sequence."""
    network = loads(APART)
    system = build(network)
    module = module_of(system)
    assert system.shape(system.quantities["c"]) == (3,)
    assert module.INITIAL["osc"] == (3, "B", 2)
    judge(network, 1)
    example = Example(module, 1, 5, 2)
    y = module.forward(example.parameters, example.inputs, example.initial)["y"]
    error = np.abs(y - example.targets["y"])
    huber = np.where(error <= 0.3, error**2 / 2, 0.3 * (error - 0.15)).sum()
    assert abs(module.loss(*example.arguments) - huber) < 1e-12


def chained(count: int) -> Network:
    """Layers in a row, each with connections from far and near, declared against their order."""
    layers = []
    for n in range(count):
        near = [Connection(f"l{n - 1}" if n else "x")]
        far = [Connection(f"l{(7 * n + k) % count}", k) for k in (1, 2, 3)]
        layers.append(Layer(f"l{n}", 3, (*near, *far)))
    return Network("chained", {"x": 2}, tuple(layers[::-1]), (LossSpec(f"l{count - 1}"),))


def calls(network: Network, derivation: Callable[[Network], object]) -> int:
    profile = cProfile.Profile()
    profile.runcall(derivation, network)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("derivation", [build, lambda network: adjoint(build(network))])
def test_work_grows_as_the_network(derivation: Callable[[Network], object]) -> None:
    """Twice the layers and connections take twice the function calls, not four times."""
    derivation(chained(4))
    few, many = (calls(chained(count), derivation) for count in (60, 180))
    assert many < 3.6 * few


def test_many_equations() -> None:
    """Shapes of a bidirectional GRU in three layers are compared without any algebra."""
    lines, before = [], "x"
    for layer in range(3):
        for side, step in (("f", "t-1"), ("b", "t+1")):
            n = f"{side}{layer}"
            lines += [
                f"{g}_{n}[t] = sigmoid(W{g}_{n} @ {before}[t] + U{g}_{n} @ h_{n}[{step}])"
                for g in "rz"
            ]
            lines.append(f"g_{n}[t] = tanh(W_{n} @ {before}[t] + r_{n}[t]*(U_{n} @ h_{n}[{step}]))")
            lines.append(f"h_{n}[t] = (1 - z_{n}[t])*g_{n}[t] + z_{n}[t]*h_{n}[{step}]")
        lines.append(f"o{layer}[t] = concat(h_f{layer}[t], h_b{layer}[t])")
        before = f"o{layer}"
    signals = "\n".join(f"h_{side}{layer} = 5" for side in "fb" for layer in range(3))
    text = toml("\n".join([*lines, "y[t] = V @ o2[t]"]), f"{signals}\ny = 3")
    profile = cProfile.Profile()
    system = profile.runcall(build, loads(text))
    assert system.shape(system.quantities["o2"]) == ("T", "B", 10)
    entries = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    callers = [entry[4] for (_, _, name), entry in entries if name == "subs"]
    assert not any("language" in file for found in callers for file, _, _ in found)


def test_without_sequences() -> None:
    """Where every input is the same for all sequences, initial values are too."""
    text = toml("h[t] = tanh(W @ x[t] + U @ h[t-1])\ny[t] = h[t]", "h = 3")
    text = text.replace("x = 2", "x = { size = 2, batch = false }")
    text = text[: text.index("[loss]")]
    system = build(loads(text), judged=False)
    assert system.shape(system.quantities["h"]) == ("T", 3)


# A maximum, over units, over an index, over steps, within a loop; and of what ties.
MAXIMA = {
    "y[t] = max(x[t]) * x[t]": lambda x: x.max(-1, keepdims=True) * x,
    "y[t,i] = max(x[t,i] * x[t,j], j)": lambda x: (x[..., :, None] * x[..., None, :]).max(-1),
    "y[t] = max(x[s], s <= t) + x[t]": lambda x: np.maximum.accumulate(x, axis=0) + x,
    "y[t] = max(x[s], s < t) * x[t]": lambda x: (
        np.concatenate((0 * x[:1], np.maximum.accumulate(x, axis=0)[:-1])) * x
    ),
    "y[t] = max(relu(x[t] - 9)) + x[t]": lambda x: x,
}


@pytest.mark.parametrize("text", MAXIMA)
def test_maximum(text: str) -> None:
    _, example, found = forward(toml(text))
    assert relative(found["y"], MAXIMA[text](example.inputs["x"])) < 1e-12
    check(toml(text))


def test_a_maximum_within_a_loop_is_the_recursion_of_viterbi() -> None:
    text = toml("y[t,i] = x[t,i] + max(A[i,j] + y[t-1,j], j)")
    _, example, found = forward(text)
    (best,) = example.initial["y"]
    for step, x in enumerate(example.inputs["x"]):
        best = x + (example.parameters["A"] + best[:, None, :]).max(-1)
        assert relative(found["y"][step], best) < 1e-12
    check(text)


def test_what_ties_shares_the_derivative_of_a_maximum() -> None:
    """Evenly, as PyTorch's amax has it: all but one of the two kinks are far away."""
    system = build(loads(toml("y[t] = max(relu(x[t] - w)) * x[t]", parameters="w = 2")))
    module = module_of(system)
    example = Example(module, 1, 3, 2)
    example.parameters["w"][:] = 9
    example.inputs["x"][0, 0] = 10, 10
    _, gradients = module.loss_and_gradients(*example.arguments, wrt=("parameters", "inputs"))
    x = example.inputs["x"][0, 0]
    error = 2 * (x - example.targets["y"][0, 0]) / example.targets["y"].size
    # Here y = x times the maximum, 1, which both units attain.
    assert relative(gradients["x"][0, 0], error + error @ x / 2) < 1e-12
    assert relative(gradients["w"], np.full(2, -error @ x / 2)) < 1e-12


def test_conditions_of_sums_within_sums_are_their_own() -> None:
    """The inner sum's letter is not that of the outer sum."""
    check(
        toml(
            "z[t] = sum(sum(v @ x[r-2], r <= t) * (v @ x[s-1]), s <= t)\ny[t] = z[t] * x[t]",
            parameters="v = 2",
        )
    )


def test_a_delay_with_two_weights() -> None:
    text = """
[inputs]
x = 2
[layers.h]
size = 3
activation = "tanh"
from = { x = { delays = [1, 1], weights = ["V", "W"] }, h = [1] }
[loss]
h = "mse"
"""
    first = build(loads(text)).equations[0]
    assert first.needs == {"V", "W", "x", "W_h_h_1", "h", "b_h"}
    check(text)


def test_a_reduction_keeps_its_condition_where_its_summands_are_zero() -> None:
    """Zero adds nothing to a sum, but something to a logarithm of a sum of exponentials."""
    check(
        toml(
            "q[s,u,i] = tanh(softmax(0.5 + z[u] + v @ x[s], s, s <= u) + W[i,k]*q[u,u-1,k])\n"
            "z[t] = w @ x[t]\ny[t,i] = x[t,i] + sum(q[s,t,i], s <= t)",
            signals="q = 2",
            parameters="v = 2\nw = 2",
        )
        .replace("v @ x[s]", "v[j]*x[s,j]")
        .replace("w @ x[t]", "w @ x[t]")
    )
