"""Times loss and gradients of an LSTM: the generated module beside PyTorch and JAX.

Each contender lives in a process of its own, so that their thread pools do not meet; they take
turns, and the ratios are those of the same round. Run with `make bench`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

SIZES = ((4, 10, 1, 100), (16, 32, 8, 50), (64, 128, 32, 50), (256, 512, 64, 30))
CONTENDERS = (
    "generated",
    "torch.nn.LSTM",
    "torch loop",
    "torch loop, gates stacked",
    "torch loop, stacked and hoisted",
    "jax.lax.scan",
)
NEEDS = {c: "jax" if c.startswith("jax") else "torch" for c in CONTENDERS[1:]}
GATES = ("i", "f", "g", "o")
Run = Callable[[], tuple[float, Any]]


def problem(size: tuple[int, ...], dtype: str) -> dict[str, np.ndarray[Any, Any]]:
    """Weights by gate (i, f, g, o), an input and a target: the same for all contenders."""
    inputs, hidden, batch, steps = size
    rng = np.random.default_rng(0)
    arrays = {
        "W": 0.1 * rng.standard_normal((4, hidden, inputs)),
        "U": 0.1 * rng.standard_normal((4, hidden, hidden)),
        "b": 0.1 * rng.standard_normal((4, hidden)),
        "x": rng.standard_normal((steps, batch, inputs)),
        "y": rng.standard_normal((steps, batch, hidden)),
    }
    return {name: array.astype(dtype) for name, array in arrays.items()}


def generated(size: tuple[int, ...], dtype: str) -> Run:
    from bptt.codegen.emit import module_source
    from bptt.derive import Connection, Layer, LossSpec, Network, adjoint, build

    inputs, hidden, _, _ = size
    layer = Layer("h", hidden, (Connection("x"),), cell="lstm")
    network = Network("lstm", {"x": inputs}, (layer,), (LossSpec("h", "mse"),))
    module = types.ModuleType("lstm")
    exec(module_source(adjoint(build(network))), module.__dict__)
    p = problem(size, dtype)
    parameters = {}
    for k, gate in enumerate(GATES):
        parameters[f"W_{gate}_h_x"] = p["W"][k]
        parameters[f"U_{gate}_h"] = p["U"][k]
        parameters[f"b_{gate}_h"] = p["b"][k]

    def run() -> tuple[float, Any]:
        loss, gradients = module.loss_and_gradients(parameters, {"x": p["x"]}, {"h": p["y"]})
        return float(loss), gradients["U_f_h"]

    return run


def torch_module(size: tuple[int, ...], dtype: str) -> Run:
    import torch

    inputs, hidden, _, _ = size
    p = {name: torch.from_numpy(array) for name, array in problem(size, dtype).items()}
    lstm = torch.nn.LSTM(inputs, hidden).to(p["x"].dtype)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(p["W"].reshape(4 * hidden, inputs))
        lstm.weight_hh_l0.copy_(p["U"].reshape(4 * hidden, hidden))
        lstm.bias_ih_l0.copy_(p["b"].reshape(-1))
        lstm.bias_hh_l0.zero_()

    def run() -> tuple[float, Any]:
        lstm.zero_grad()
        loss = ((lstm(p["x"])[0] - p["y"]) ** 2).mean()
        loss.backward()
        return loss.item(), lstm.weight_hh_l0.grad[hidden : 2 * hidden].numpy()

    return run


def torch_loop(size: tuple[int, ...], dtype: str) -> Run:
    """The recurrence as its equations are written: step by step and gate by gate."""
    import torch

    _, hidden, batch, _ = size
    p = {name: torch.from_numpy(array) for name, array in problem(size, dtype).items()}
    weights = [
        tuple(p[n][k].clone().requires_grad_() for n in ("W", "U", "b")) for k in range(len(GATES))
    ]

    def run() -> tuple[float, Any]:
        for gate in weights:
            for parameter in gate:
                parameter.grad = None
        h = c = torch.zeros(batch, hidden, dtype=p["x"].dtype)
        outputs = []
        for x in p["x"]:
            i, f, g, o = (x @ w.T + h @ u.T + b for w, u, b in weights)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        loss = ((torch.stack(outputs) - p["y"]) ** 2).mean()
        loss.backward()
        return loss.item(), weights[1][1].grad.numpy()

    return run


def torch_stacked_loop(size: tuple[int, ...], dtype: str, *, hoist: bool = False) -> Run:
    """The four gates as one product; `hoist`: all inputs are projected before the loop."""
    import torch

    _, hidden, batch, _ = size
    p = {name: torch.from_numpy(array) for name, array in problem(size, dtype).items()}
    weights = [p[n].reshape(4 * hidden, -1).clone().requires_grad_() for n in ("W", "U")]
    bias = p["b"].reshape(-1).clone().requires_grad_()

    def run() -> tuple[float, Any]:
        for parameter in (*weights, bias):
            parameter.grad = None
        h = c = torch.zeros(batch, hidden, dtype=p["x"].dtype)
        outputs = []
        steps = p["x"] @ weights[0].T + bias if hoist else p["x"]
        for x in steps:
            net = x if hoist else x @ weights[0].T + bias
            i, f, g, o = (net + h @ weights[1].T).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        loss = ((torch.stack(outputs) - p["y"]) ** 2).mean()
        loss.backward()
        return loss.item(), weights[1].grad[hidden : 2 * hidden].numpy()

    return run


def jax_scan(size: tuple[int, ...], dtype: str) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    _, hidden, batch, _ = size
    p = {name: jnp.asarray(array) for name, array in problem(size, dtype).items()}
    weights = {n: p[n].reshape(4 * hidden, -1) for n in ("W", "U")}
    weights["b"] = p["b"].reshape(-1)

    def loss(w: Any, x: Any, y: Any) -> Any:
        def step(carry: Any, net: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(net + h @ w["U"].T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((batch, hidden), x.dtype)
        _, outputs = jax.lax.scan(step, (zero, zero), x @ w["W"].T + w["b"])
        return ((outputs - y) ** 2).mean()

    compiled = jax.jit(jax.value_and_grad(loss))

    def run() -> tuple[float, Any]:
        value, gradients = jax.block_until_ready(compiled(weights, p["x"], p["y"]))
        return float(value), np.asarray(gradients["U"][hidden : 2 * hidden])

    return run


MAKERS: dict[str, Callable[[tuple[int, ...], str], Run]] = {
    "generated": generated,
    "torch.nn.LSTM": torch_module,
    "torch loop": torch_loop,
    "torch loop, gates stacked": torch_stacked_loop,
    "torch loop, stacked and hoisted": partial(torch_stacked_loop, hoist=True),
    "jax.lax.scan": jax_scan,
}


def serve(contender: str) -> None:
    """Answer requests on standard input: prepare a problem, or time one run of it."""
    run: Run | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "size" in request:
            run = MAKERS[contender](tuple(request["size"]), request["dtype"])
            for _ in range(2):
                loss, gradient = run()
            print(json.dumps({"loss": loss, "norm": float(np.linalg.norm(gradient))}), flush=True)
            continue
        assert run is not None
        start = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


class Worker:
    """A contender in its own process."""

    def __init__(self, contender: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.lstm", "--serve", contender],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def measure(rounds: int) -> Table:
    """Median milliseconds of the generated module, and the others' time over its time."""
    present = [c for c in CONTENDERS if importlib.util.find_spec(NEEDS.get(c, "numpy"))]
    workers = {c: Worker(c) for c in present}
    table = Table(title=f"loss and gradients of an LSTM, {rounds} rounds in turn, medians")
    table.add_column("dtype")
    table.add_column("(in, hidden, batch, steps)")
    table.add_column("generated", justify="right")
    for contender in present[1:]:
        table.add_column(f"{contender} / generated", justify="right")
    with Progress(transient=True) as progress:
        task = progress.add_task("timing", total=2 * len(SIZES) * rounds)
        for dtype in ("float64", "float32"):
            for size in SIZES:
                answers = {c: w.ask(size=size, dtype=dtype) for c, w in workers.items()}
                _agree(answers, dtype)
                times: dict[str, list[float]] = {c: [] for c in present}
                for _ in range(rounds):
                    for contender, worker in workers.items():
                        times[contender].append(worker.ask()["seconds"])
                    progress.advance(task)
                table.add_row(dtype, str(size), *_cells(times, present))
    for worker in workers.values():
        worker.stop()
    return table


def _agree(answers: dict[str, dict[str, float]], dtype: str) -> None:
    """All contenders compute the same thing, or the comparison means nothing."""
    tolerance = 1e-9 if dtype == "float64" else 1e-3
    for key in ("loss", "norm"):
        values = [answer[key] for answer in answers.values()]
        if max(values) - min(values) > tolerance * abs(values[0]):
            raise SystemExit(f"the contenders disagree on the {key}: {values}")


def _cells(times: dict[str, list[float]], present: list[str]) -> list[str]:
    ours = times["generated"]
    cells = [f"{1000 * statistics.median(ours):.1f} ms"]
    for contender in present[1:]:
        ratios = [a / b for a, b in zip(times[contender], ours, strict=True)]
        cells.append(f"{statistics.median(ratios):.2f}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="timed runs of each contender")
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    Console(width=140).print(measure(options.rounds))


if __name__ == "__main__":
    main()
