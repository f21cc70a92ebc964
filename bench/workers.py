"""Contenders in processes of their own, which are asked for one evaluation after the other.

A library's threads wait for each other, and some go on spinning after their work: in a process of
its own each contender has its own, and only one of them works at a time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.networks import CASES
from bench.networks.case import Run

# A turn of a contender is as many evaluations as fit into this time, or one.
TURN_SECONDS = 0.02
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """A contender in its own process."""

    def __init__(self, contender: str, threads: int) -> None:
        self._contender = contender
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.workers", contender, str(threads)],
            env=os.environ | dict.fromkeys(POOLS, str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def prepare(self, case: str, size: int, dtype: str) -> dict[str, float]:
        """Set up an evaluation; returns its loss and the norm of its gradients."""
        return self._ask(case=case, size=size, dtype=dtype)

    def turn(self) -> float:
        """The seconds that an evaluation takes now."""
        return self._ask()["seconds"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _ask(self, **request: Any) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._contender} failed on {request or 'an evaluation'}")
        answer: dict[str, float] = json.loads(line)
        return answer


def restrict(threads: int) -> None:
    """Leave so many processors to this process.

    Not all libraries can be told by a variable how many threads to have (XLA can not), but they
    count the processors that they may use.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def serve(contender: str) -> None:
    """Answer the requests of a Worker, one a line."""
    run: Run | None = None
    count = 1
    for line in sys.stdin:
        request = json.loads(line)
        if request:
            case = CASES[request["case"]]
            run = case.run(contender, case.sizes[request["size"]], request["dtype"])
            answer = judged(run)
            count = max(1, int(TURN_SECONDS / _seconds(run)))
        else:
            assert run is not None
            answer = {"seconds": statistics.median(_seconds(run) for _ in range(count))}
        print(json.dumps(answer), flush=True)


def judged(run: Run) -> dict[str, float]:
    """The loss, and the norm of all gradients together, which is the same however stacked."""
    loss, gradients = run()
    squares = [np.square(np.asarray(g, np.float64)).sum() for g in gradients]
    return {"loss": loss, "norm": float(np.sqrt(sum(squares)))}


def _seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    restrict(int(sys.argv[2]))
    serve(sys.argv[1])
