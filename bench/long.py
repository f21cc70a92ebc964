"""Long sequences: peak memory and time of whole backpropagation and of checkpoints.

    python -m bench.long [steps ...]

Every figure comes from a process of its own: the peak of its resident memory above what it had
when its inputs were made, and the time of one call.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bptt.codegen.emit import module_source
from bptt.derive import Connection, Layer, LossSpec, Network, adjoint, build
from tests.numeric import load_module

INPUTS, HIDDEN, BATCH = 8, 64, 4
WAYS = ("loss_and_gradients", "checkpointed_loss_and_gradients")


def lstm() -> Network:
    layers = (
        Layer("h", HIDDEN, (Connection("x"),), cell="lstm"),
        Layer("y", INPUTS, (Connection("h"),), "linear"),
    )
    return Network("long", {"x": INPUTS}, layers, (LossSpec("y"),))


def measure(way: str, steps: int) -> None:
    """One call in this process; prints time, memory and a figure of the gradient."""
    module = load_module(module_source(adjoint(build(lstm())), ["checkpoints"]))
    rng = np.random.default_rng(0)
    parameters = module.initial_parameters(0)
    x, y = ({n: rng.standard_normal((steps, BATCH, INPUTS))} for n in "xy")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    loss, gradients = getattr(module, way)(parameters, x, y)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    size = float(sum(np.sum(g * g) for g in gradients.values())) ** 0.5
    print(json.dumps([seconds, peak / 1024, float(loss), size]))


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], int(sys.argv[3]))
        return
    lengths = [int(n) for n in sys.argv[1:]] or [1_000, 10_000, 100_000]
    print(f"LSTM, {INPUTS} inputs, {HIDDEN} hidden, batch {BATCH}, float64")
    print(f"{'steps':>8}  {'way':<32} {'seconds':>8} {'MiB':>8}  {'loss':>10} {'|gradient|':>10}")
    for steps in lengths:
        for way in WAYS:
            run = subprocess.run(
                [sys.executable, "-m", "bench.long", "--one", way, str(steps)],
                check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent,
            )  # fmt: skip
            seconds, peak, loss, size = json.loads(run.stdout)
            print(
                f"{steps:>8}  {way:<32} {seconds:>8.2f} {peak:>8.1f}  {loss:>10.6f} {size:>10.3e}"
            )


if __name__ == "__main__":
    main()
