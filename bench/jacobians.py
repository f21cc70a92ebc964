"""Times Jacobians of a NARX network: generated ones beside NumPy by hand, with their memory.

    python -m bench.jacobians [--rounds N] [--units N] [--steps N] [--epoch-steps N]

The network has one input and one output, both read at the two steps before through a layer of
tanh. In open loop it reads what was measured, in closed loop its own output. The contenders take
turns; ratios are those of the same round. Their Jacobians must be the same to 1e-10 of the largest
element. At last, an epoch of Levenberg-Marquardt beside pyrenn's, where that is installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import levenberg
from bench.networks import narx
from bench.networks.case import module_of
from bptt.derive import build
from bptt.derive.calculus.open_loop import MEASURED, opened

DELAYS, TOLERANCE = narx.DELAYS, 1e-10
# Of a larger network, the peak of memory.
MEMORY_UNITS, MEMORY_STEPS = 28, 4000


@dataclass(frozen=True)
class Loop:
    """A Jacobian in two ways."""

    name: str
    generated: Callable[[], Any]
    by_hand: Callable[[], Any]


def loops(units: int, steps: int) -> list[Loop]:
    """The Jacobian in open and in closed loop, of one sequence in float64."""
    given = narx.problem((units, 1, steps), "float64")
    network = narx.network((units, 1, steps))
    open_module = module_of(opened(build(network), ["y"]), ["jacobian"])
    closed_module = module_of(build(network), ["jacobian"])
    measured = given.inputs | {f"{MEASURED}y": given.targets["y"]}
    x, y = given.inputs["x"][:, 0], given.targets["y"][:, 0]
    W, V, b, w, c = narx.stacked(given)
    return [
        Loop(
            "open",
            lambda: open_module.jacobian(given.parameters, measured),
            lambda: in_open_loop(W, V, b, w, c, x, y),
        ),
        Loop(
            "closed",
            lambda: closed_module.jacobian(given.parameters, given.inputs),
            lambda: in_closed_loop(W, V, b, w, c, x),
        ),
    ]


def matrix(found: dict[str, dict[str, Any]]) -> Any:
    """A generated Jacobian in the columns of `explicit`: unit by unit what W, V and b hold of it,
    the output's weights, its bias."""
    p = {name: array[:, 0, 0] for name, array in found["y"].items()}
    nets = [p[f"W_hidden_{s}_{d}"][:, :, 0] for s in "xy" for d in range(DELAYS, 0, -1)]
    by_unit = np.stack([*nets, p["b_hidden"]], axis=2)
    steps = len(by_unit)
    return np.concatenate(
        [by_unit.reshape(steps, -1), p["W_y_hidden"].reshape(steps, -1), p["b_y"]], axis=1
    )


def in_open_loop(W: Any, V: Any, b: Any, w: Any, c: Any, x: Any, y: Any) -> Any:
    """The Jacobian (T, parameters) by the whole record at once: no step waits for another."""
    x, y = (np.concatenate([np.zeros_like(s[:DELAYS]), s]) for s in (x, y))
    hidden = narx.delayed(x)[:, 0] @ W.T
    hidden += narx.delayed(y)[:, 0] @ V.T
    hidden += b
    np.tanh(hidden, out=hidden)
    return explicit(x, y, hidden, _local(hidden, w))


def in_closed_loop(W: Any, V: Any, b: Any, w: Any, c: Any, x: Any) -> Any:
    """The Jacobian S (T, parameters) from what each step does by itself, E, and what the output
    has of the two before it, A:

        S[t] = E[t] + A_1[t] S[t-1] + A_2[t] S[t-2]
    """
    x = np.concatenate([np.zeros_like(x[:DELAYS]), x])
    y, hidden = narx.forward(W, V, b, w, c, x)
    hidden = hidden[:, 0]
    local = _local(hidden, w)
    S = explicit(x, y, hidden, local)
    A = local @ V
    # The first steps have fewer than two before them: what is not there is left out.
    for t in range(1, DELAYS):
        S[t] += A[t, DELAYS - t :] @ S[:t]
    carried = np.empty_like(S[0])
    for t in range(DELAYS, len(S)):
        S[t] += np.dot(A[t], S[t - DELAYS : t], out=carried)
    return S


def _local(hidden: Any, w: Any) -> Any:
    """The derivatives of the output by the hidden layer's net inputs, (T, units)."""
    local = np.square(hidden)
    np.subtract(1, local, out=local)
    local *= w
    return local


def explicit(x: Any, y: Any, hidden: Any, local: Any) -> Any:
    """The derivatives of the output by the parameters, what the network reads being held."""
    T, units = hidden.shape
    read = np.concatenate([narx.delayed(x)[:, 0], narx.delayed(y)[:, 0], np.ones((T, 1))], axis=1)
    within = units * read.shape[1]
    found = np.empty((T, within + units + 1))
    by_unit = found[:, :within].reshape(T, units, -1)
    np.multiply(local[:, :, None], read[:, None], out=by_unit)
    found[:, within:-1] = hidden
    found[:, -1] = 1
    return found


def agree(loop: Loop) -> float:
    """The largest difference, relative to the largest element; ends the program where it is one."""
    ours, theirs = matrix(loop.generated()), loop.by_hand()
    difference = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
    # So written that what is not a number does not pass.
    if not difference <= TOLERANCE:
        raise SystemExit(f"the Jacobians in {loop.name} loop differ by {difference:.1e}")
    return difference


def turns(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender, once in each round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def _cells(times: dict[str, list[float]]) -> list[str]:
    """The first one's median, and the median of the second one's times over its times."""
    ours, theirs = times.values()
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return [f"{1000 * statistics.median(ours):.2f} ms", f"{statistics.median(ratios):.2f}"]


def peak(run: Callable[[], Any], size: int) -> float:
    """The peak of memory in a run, divided by the bytes that its result has."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / size
    finally:
        tracemalloc.stop()


def speed(rounds: int, units: int, steps: int) -> Table:
    """The Jacobian's time by loop."""
    table = Table(title=f"Jacobian of a NARX network, {units} units, {steps} steps")
    for heading in ("loop", "generated", "by hand / generated", "difference"):
        table.add_column(heading, justify="left" if heading == "loop" else "right")
    for loop in loops(units, steps):
        difference = agree(loop)
        times = turns({"generated": loop.generated, "by hand": loop.by_hand}, rounds)
        table.add_row(loop.name, *_cells(times), f"{difference:.0e}")
    return table


def memory() -> Table:
    """The peak of memory by loop, as a multiple of the Jacobian's own."""
    table = Table(title=f"peak of memory / size of the Jacobian, {MEMORY_UNITS} units, "
                        f"{MEMORY_STEPS} steps")  # fmt: skip
    for heading in ("loop", "Jacobian", "generated", "by hand"):
        table.add_column(heading, justify="left" if heading == "loop" else "right")
    for loop in loops(MEMORY_UNITS, MEMORY_STEPS):
        agree(loop)
        size = loop.by_hand().nbytes
        ours, theirs = peak(loop.generated, size), peak(loop.by_hand, size)
        table.add_row(loop.name, f"{size / 2**20:.1f} MiB", f"{ours:.2f}", f"{theirs:.2f}")
    return table


def epochs(rounds: int, units: int, steps: int) -> Table:
    """The time of epochs of Levenberg-Marquardt, in closed loop, from the same parameters."""
    given = levenberg.problem(units, steps)
    trainers = (levenberg.generated(units, given), levenberg.pyrenn(units, given))
    (first, ours), (other, theirs) = (t.errors(t.train()) for t in trainers)
    if not abs(first - other) <= TOLERANCE * first:
        raise SystemExit(f"the sums of squares at the start are {first} and {other}")
    table = Table(title=f"{levenberg.EPOCHS} epochs of Levenberg-Marquardt in closed loop, "
                        f"{units} units, {steps} steps")  # fmt: skip
    for heading in ("sum of squares", "bptt: after", "pyrenn: after", "bptt", "pyrenn / bptt"):
        table.add_column(heading, justify="right")
    times = turns(dict(zip(("bptt", "pyrenn"), (t.train for t in trainers), strict=True)), rounds)
    table.add_row(*(f"{error:.4g}" for error in (first, ours, theirs)), *_cells(times))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="turns of each contender")
    parser.add_argument("--units", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2800)
    parser.add_argument("--epoch-steps", type=int, default=500, help="steps of training")
    options = parser.parse_args()
    console = Console()
    console.print(speed(options.rounds, options.units, options.steps))
    console.print(memory())
    if find_spec("pyrenn"):
        console.print(epochs(min(options.rounds, 5), options.units, options.epoch_steps))
    else:
        console.print("pyrenn is not installed: without epochs of Levenberg-Marquardt")
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    console.print(f"medians of {options.rounds} rounds, threads: {threads}, NumPy {np.__version__}")


if __name__ == "__main__":
    main()
