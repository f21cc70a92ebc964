"""Emission: every kind of quantity, however it is read, gives right arrays of the given dtype."""

from __future__ import annotations

import inspect
import itertools
import random
import re
import sys
import types
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bptt.codegen.check import check
from bptt.codegen.emit import module_source
from bptt.codegen.extras import possible_extras
from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Call,
    Condition,
    Contract,
    Node,
    Number,
    Power,
    Product,
    Range,
    Sum,
    Where,
)
from bptt.codegen.numpy.arrays import ArrayPrinter
from bptt.codegen.numpy.source import signature
from bptt.derive import (
    Connection,
    Input,
    Layer,
    LossSpec,
    Network,
    System,
    UserError,
    adjoint,
    build,
    load,
)
from bptt.derive.description.network import Steps
from tests.numeric import Example, load_module

FOLDER = Path(__file__).parent.parent / "generated"

SHAPES: dict[str, tuple[int, ...]] = {
    "scalar": (),
    "vector": (3,),
    "unit": (1,),
    "matrix": (1, 2),
}


def family(*, batch: bool, shape: tuple[int, ...], delay: int, looped: bool) -> Network:
    """A network of h, which reads k some steps back and may be in a loop with it."""
    letters = "ij"[: len(shape)]
    at = "".join(f",{letter}" for letter in letters)
    past, more = (f"0.5*h[t-1{at}]*", f" + 0.3*h[t-1{at}]") if looped else ("", "")
    total = f"h[t{at}]"
    for letter in letters:
        total = f"sum({total}, {letter})"
    return Network(
        "family",
        {"x": 2, "z": Input(shape, batch=batch)},
        equations=f"h[t{at}] = {past}k[t-{delay}{at}] + tanh(z[t{at}])\n".replace("t-0", "t")
        + f"k[t{at}] = w*z[t{at}]{more}\ny[t,n] = x[t,n]*{total}",
        losses=(LossSpec("y"),),
        signals={"h": shape, "k": shape, "y": (2,)},
        parameters={"w": ()},
    )


def judged(system: System) -> None:
    """A system's module with all that it can have is right, and keeps the dtype it is given."""
    derived = adjoint(system)
    extras = possible_extras(derived)
    source = module_source(derived, extras)
    wrong = {(r.about, r.name): r.error for r in check(system, source, extras) if not r.passed}
    assert not wrong
    module = load_module(source)
    for steps, dtype in itertools.product((1, 6), (np.float32, np.float64)):
        for function, array in arrays_of(module, Example(module, 3, steps, 2), dtype):
            assert array.dtype == dtype, f"{function} of {steps} steps: {array.dtype}"


def arrays_of(module: Any, example: Example, dtype: type) -> Iterator[tuple[str, Any]]:
    """Every array that the functions of a module return, with the function's name."""
    groups = [example.parameters, example.inputs, example.initial, example.weights]
    parameters, inputs, initial, weights = (
        {n: a.astype(dtype) for n, a in group.items()} for group in groups
    )
    targets = {n: a if a.dtype.kind == "i" else a.astype(dtype) for n, a in example.targets.items()}
    given: dict[str, Any] = {
        "parameters": parameters,
        "inputs": inputs,
        "targets": targets,
        "initial": initial,
        "weights": weights,
        "wrt": ("parameters", "inputs", "initial"),
        "vector": parameters,
        "directions": {**parameters, **{n: a for n, a in inputs.items() if n not in module.MASKS}},
        "k1": 2,
        "k2": 3,
        "state": initial,
        **example.free,
    }
    first = {n: a[0] if module.INPUTS[n][0] == "T" else a for n, a in inputs.items()}
    cases: list[tuple[str, dict[str, Any]]] = [
        (name, given)
        for name, value in vars(module).items()
        if isinstance(value, types.FunctionType)
        and "inputs" in inspect.signature(value).parameters
        and not name.startswith("_")
        and name != "step"
    ]
    cases += [("jacobian", {**given, "mode": mode}) for mode in ("forward", "backward")]
    cases += [("step", {**given, "inputs": first})]
    for name, arguments in cases:
        function = getattr(module, name, None)
        if function is not None:
            known = inspect.signature(function).parameters
            found = function(**{n: a for n, a in arguments.items() if n in known})
            yield from ((name, array) for array in leaves(found))


def leaves(found: Any) -> Iterator[Any]:
    """The arrays in nested dicts and tuples."""
    if isinstance(found, Mapping):
        found = tuple(found.values())
    if isinstance(found, tuple):
        for part in found:
            yield from leaves(part)
    elif not isinstance(found, int):
        yield found


@pytest.mark.parametrize("looped", [True, False], ids=["loop", "all_steps"])
@pytest.mark.parametrize("delay", [0, 1, 5])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "no_batch"])
def test_every_kind_of_quantity(batch: bool, shape: str, delay: int, looped: bool) -> None:
    judged(build(family(batch=batch, shape=SHAPES[shape], delay=delay, looped=looped)))


# Equations with the inputs x (2 units), v (one number a step, without a batch), z and q (the same
# on the axis S), and a mask m.
FORMS = {
    "part of a softmax": "y[t] = outer(A @ x[t], a1) @ log_softmax(w*concat(x[t], a1))[0:2]",
    "sums over pairs": "h[t] = w*v[t]\ny = a1*sum(sum(sin(h[s])*sum(x[r]), r), s)",
    "sums over pairs of states": "h[t] = tanh(w*h[t-1] + v[t])\n"
    "y = a1*sum(sum(h[s]*h[r], r <= s), s) + a1*sum(h[s], s)*sum(x[end])",
    "sums around sums": "h[t] = tanh(w*h[t-1] + v[t])\nk = mean(h[s], s)\n"
    "y = a1*mean((h[s] - k)*(h[s] - k), s) + a1*h[end]*sum(x[end]) + a1*max(h[s], s)",
    "own states": "h[t] = tanh(w*sum(h[s]*v[s], s < t) + v[t])\ny[t] = x[t]*h[t]",
    "attention to the past": "e[t,s] = w*(h[t-1] + x[t] @ (A @ x[s]))\n"
    "a[t,s] = softmax(e[t,s], s <= t)\nh[t] = tanh(sum(a[t,s]*v[s], s <= t))\ny[t] = x[t]*h[t]",
    "a loss that nothing moves": "h[t] = w*v[t]\ny[t] = x[t]*x[t-1]",
    "a difference that cancels": "h[t] = w*v[t]\ny[t] = x[t] + (h[t] - h[t])",
    "overwritten": "h[t] = h[t-1]*k[t-1] + v[t]\nk[t] = w*v[t]\ny[t] = x[t]*h[t]",
    "far overwritten": "h[t] = h[t-5]*k[t] + v[t]\nk[t] = w*v[t]\ny[t] = x[t]*h[t]",
    "across": "h[s] = h[s-1]*k[s-1] + q[s]\nk[s] = w*q[s]\ny[t] = x[t]*h[end]",
    "function in a loop": "h[t] = tanh(0.5*h[t-1] + v[t])\ny[t] = x[t]*h[t]",
    "root of steps": "y[t] = x[t]*sqrt(mean(v[s]*v[s], s) + 1)*w",
    "root": "h[t] = sqrt(2)*v[t]/sqrt(3)\ny[t] = x[t]*h[t]*exp(-1)",
    "root in a loop": "h[t] = sqrt(2)*tanh(h[t-1]/sqrt(3) + v[t]) + exp(-2)\ny[t] = x[t]*h[t]",
    "clock": "h[t] = every(t, 2)*v[t] + (1 - every(t, 2))*h[t-1]\ny[t] = x[t]*h[t]",
    "place": "h[t] = sin(0.1*t)*v[t]\ny[t] = x[t]*h[t]*cos(0.2*t)",
    "place in a loop": "h[t] = tanh(sin(0.1*t)*h[t-1] + v[t] + 0.1*t)\ny[t] = x[t]*h[t]*cos(0.2*t)",
    "place alone": "h[t] = 0.5*h[t-1] + sin(0.1*t)\ny[t] = x[t]*h[t]*w",
    "fixed places": "y[t,i] = tanh(W[i,0]*x[t,0] + W[i,2]*x[t,1])",
    "fixed and summed": "g[t,i,j] = tanh(x[t,i]*A[i,j])\ny[t,n] = sum(tanh(g[t,j,0] - A[j,n]), j)",
    "one place of one": "G[t,n,l] = tanh(x[t,n]*C[n,l])\n"
    "H[t,i,m] = sum((G[t,n,0] + 2)*D[i,n,m], n)\ny[t,i] = sum(H[t,i,m], m)",
    "scores": "e[t,s] = x[t] @ (A @ x[s])\na[t,s] = softmax(e[t,s], s <= t)\n"
    "y[t] = sum(a[t,s]*x[s], s <= t)",
    "earlier scores": "e[t,s] = x[t] @ (A @ x[s])\na[t,s] = softmax(e[t,s], s < t)\n"
    "y[t] = sum(a[t,s]*x[s], s < t)",
    "scores of keys alone": "e[s] = x[s] @ a1\na[t,s] = softmax(e[s], s <= t)\n"
    "y[t] = sum(a[t,s]*x[s], s <= t)",
    "masked scores": "e[t,s] = v[t]*q[s]\na[t,s] = softmax(e[t,s], s)\n"
    "y[t] = sum(a[t,s]*z[s], s)*w",
    "count": "c[t] = sum(0*v[s] + 1, s <= t)\ny[t] = x[t]*c[t]*w",
    "window": "c[t] = sum(v[s], t-3 <= s <= t)\ny[t] = x[t]*c[t]*w",
    "own past": "g[t,s] = softmax(v[t]*h[s], s < t)\np[t] = sum(g[t,s]*h[s], s < t)\n"
    "h[t] = tanh(w*v[t] + p[t])\ny[t] = x[t]*h[t]",
    "last": "h[t] = tanh(w*h[t-1] + v[t])\ny[t] = x[t]*h[end]",
    "pooled": "p = mean(v[s], s)\ny[t] = x[t]*tanh(w*p)",
    "kinks": "h[t] = relu(v[t]) + abs(w*v[t-1]) + leaky_relu(v[t] - 0.3)\ny[t] = x[t]*h[t]",
    "sigmoid": "h[t] = sigmoid(h[t-1] + v[t])*softplus(v[t-1])\n"
    "y[t] = x[t]*h[t]*sigmoid(0.3)*softplus(w)",
    "slice": "y[t] = tanh(concat(A @ x[t], a1 * x[t])[0:2])",
    "inner slice": "y[t] = concat(tanh(A @ x[t]), w*y[t-1])[1:3]",
    "twice what is before": "e[t,s] = tanh(w*v[t]*v[s])\n"
    "y[t] = tanh(x[t] + sum(-2*e[t,s], s <= t))",
    "mask": "h[t] = m[t]*tanh(w*h[t-1] + v[t]) + (1 - m[t])*h[t-1]\ny[t] = x[t]*h[t]",
    "diagonal": "K[t] = diag(v[t]*a1) @ A\ny[t] = K[t] @ x[t]",
    "trace": "y[t,i] = x[t,i]*A[j,j]",
    "shifted trace": "y[t,i] = x[t,i]*A[j,j]*W[i,j+1]",
    "shifted diagonal": "y[t,i] = x[t,i]*W[i,i+1]",
    "diagonal of three": "y[t,i] = x[t,i]*E[i,i,i]",
    "own scores": "g[t,s] = x[t] @ (A @ x[s])\ny[t] = x[t]*g[t,t] + g[t-1,t-1]",
    "score before": "g[t,s] = x[t] @ (A @ x[s])\ny[t] = x[t]*g[t-1,t]",
    "less the sum before": "y[t] = w*x[t] - sum(y[s], s < t)",
    "own score alone": "e[t,s] = x[t] @ (A @ x[s])\na[t,s] = softmax(e[t,s], s <= t)\n"
    "y[t] = x[t]*a[t,t]",
    "transposed": "e[t,s] = x[t] @ (A @ x[s])\na[t,s] = softmax(e[t,s], s <= t)\n"
    "y[t] = x[t]*sum(a[s,t], s >= t)",
    "logarithms of scores": "e[t,s] = x[t] @ (A @ x[s])\na[t,s] = log_softmax(e[t,s], s < t)\n"
    "y[t] = sum(a[t,s]*x[s], s < t)",
}


INPUTS = {
    "x": Input((2,)),
    "v": Input((), batch=False),
    "z": Input((2,), ("S",)),
    "q": Input((), ("S",), batch=False),
    "m": Input((), mask=True, batch=False),
}
SIGNALS: dict[str, int | tuple[int, ...]] = {
    **dict.fromkeys(("h", "k", "p"), ()),
    **dict.fromkeys(("c", "e", "a"), ()),
    "G": (2, 1),
    "H": (2, 3),
    "K": (2, 2),
    "y": 2,
}
PARAMETERS: dict[str, tuple[int, ...]] = {"w": (), "a1": (2,), "A": (2, 2), "W": (2, 3)}
PARAMETERS |= {"C": (2, 1), "D": (2, 2, 3), "E": (2, 2, 2)}


def form_of(equations: str) -> Network:
    """The network of some equations, of the inputs, signals and parameters that they mention."""

    def mentioned(table: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in table.items() if re.search(rf"\b{n}\b", equations)}

    return Network(
        "form",
        mentioned(INPUTS),
        equations=equations,
        losses=(LossSpec("y"),),
        signals=mentioned(SIGNALS),
        parameters=mentioned(PARAMETERS),
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_equation(form: str) -> None:
    system = build(form_of(FORMS[form]))
    assert "residuals" in possible_extras(adjoint(system))
    judged(system)


@pytest.mark.parametrize(
    "form", ["sums over pairs of states", "sums around sums", "own states", "attention to the past"]
)
def test_what_needs_no_later_step_is_learnt_in_real_time(form: str) -> None:
    assert "rtrl" in possible_extras(adjoint(build(form_of(FORMS[form]))))


T_OF_STEPS = Affine(0, (("T", 1),))
RANGES = {n: Range(n, "time", T_OF_STEPS, (ZERO,), (T_OF_STEPS,)) for n in ("t", "s")}
PAST = Where((Condition((("s", -1), ("t", 1)), ZERO),), Number(Fraction(1)))
FIRST_HALF = Where((Condition((("s", -2), ("t", 1)), ZERO),), Number(Fraction(1)))


@pytest.mark.parametrize(
    "node",
    [
        PAST,
        Sum((PAST,), (-1,)),
        Sum((PAST, FIRST_HALF), (1, 1)),
        Product((PAST, FIRST_HALF)),
        Product((Number(Fraction(3)), PAST)),
        Product((Number(Fraction(3)),), (Sum((PAST, Number(Fraction(2))), (1, -1)),)),
        Contract((PAST,), ("s",)),
        Where(PAST.conditions, Number(Fraction(3))),
        Power(Number(Fraction(2)), Fraction(1, 2)),
        Call("sin", (Number(Fraction(1)),)),
        Call("tanh", (Sum((Number(Fraction(1)), PAST), (1, -1)),)),
    ],
)
def test_conditions_and_constants_are_numbers_of_the_dtype(node: Node) -> None:
    code = ArrayPrinter({}, RANGES).elementwise(node, ("t", "s")).code
    found = eval(code, {"np": np, "T": 4, "dtype": np.dtype(np.float32)})
    past, half = (np.arange(4)[:, None] >= n * np.arange(4) for n in (1, 2))
    assert (np.float32(1) * found).dtype == np.float32
    if node == Sum((PAST, FIRST_HALF), (1, 1)):
        assert np.array_equal(found, past.astype(int) + half)


def test_an_einsum_signature_has_a_letter_for_each_index() -> None:
    assert signature([("t_", "_", "i"), ("i", "s2")], ("t_", "s2")) == "abi,ic->ac"
    many = tuple(f"i{n}" for n in range(53))
    assert len(set(signature([many[:52]], ()))) == 54
    with pytest.raises(UserError, match="53 indices"):
        signature([many], ())


@pytest.mark.parametrize("steps", ["all", "last", "weighted"])
@pytest.mark.parametrize("kind", ["mse", "sse", "cross_entropy", "binary_cross_entropy", "huber"])
def test_every_loss(kind: str, steps: Steps) -> None:
    layers = (
        Layer("h", 2, (Connection("x"), Connection("h", 1)), "tanh"),
        Layer("y", 2, (Connection("h"),), "linear"),
    )
    judged(build(Network("judged", {"x": 1}, layers, (LossSpec("y", kind, steps=steps),))))


CORRUPTIONS = (
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r"(?<!:) = ", " = -"),
    (r"\+= ", "-= "),
    (r"-= ", "+= "),
    (r"\.T\b", ""),
    (r"\b0\b", "1"),
    (r"\b1\b", "2"),
    (r"\b2\b", "1"),
    (r"\[:T\]", "[1:]"),
    (r"\[1:\]", "[:T]"),
    (r"\bt \+ 1", "t"),
    (r"\[t\]", "[0]"),
    (r"T - 1", "T - 2"),
    (r"np\.tanh", "np.sin"),
    (r"@ (\w+)", r"@ \1[::-1]"),
)


def corrupted(source: str, seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Lines that compute, each changed in one place at random, with the whole source."""
    rng = random.Random(seed)
    lines = source.splitlines()
    heads = ("def _forward(", "# Functions used above")
    first, last = (next(n for n, x in enumerate(lines) if x.startswith(h)) for h in heads)
    while count:
        number = rng.randrange(first, last)
        code = lines[number].partition("  # ")[0]
        pattern, new = rng.choice(CORRUPTIONS)
        places = list(re.finditer(pattern, code))
        if places and not code.lstrip().startswith(("def", '"""')):
            place = rng.choice(places)
            changed = code[: place.start()] + place.expand(new) + code[place.end() :]
            yield changed.strip(), "\n".join((*lines[:number], changed, *lines[number + 1 :]))
            count -= 1


def outcome(module: Any, test: Any) -> list[Any]:
    """The loss and all gradients of a module, at several sizes."""
    found = []
    for case in ((5, 1, 2), (6, 4, 1), (7, 5, 3)):
        arguments = test.example(*case)
        wrt = ("parameters", "inputs", "initial")
        loss, gradients = module.loss_and_gradients(*arguments, wrt=wrt)
        found += [np.asarray(loss), *gradients.values()]
    return found


@pytest.mark.parametrize("name", ["narx", "clockwork", "equations", "self_attention"])
def test_a_corrupted_line_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no derivative of the module's loss, by its test; another loss, by the check."""
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    judge = (FOLDER / f"test_{name}.py").read_text(encoding="utf-8")

    def ran(text: str) -> tuple[Any, list[Any]]:
        module = load_module(text, name)
        monkeypatch.setitem(sys.modules, name, module)
        test: Any = load_module(judge, f"test_{name}")
        return test, outcome(module, test)

    _, right = ran(source)
    altered = 0
    with np.errstate(all="ignore"):
        for line, changed in corrupted(source, 1, 15):
            try:
                test, found = ran(changed)
                noticed = max(test.worst_errors().values()) > test.TOLERANCE
            except (ArithmeticError, LookupError, NameError, SyntaxError, TypeError, ValueError):
                continue  # a change that stops the module is noticed
            same = all(
                a.shape == b.shape and np.allclose(a, b) for a, b in zip(found, right, strict=True)
            )
            altered += not same
            if not (same or noticed):
                results = check(build(load(FOLDER / f"{name}.toml")), changed)
                assert not all(r.passed for r in results), line
    assert altered
