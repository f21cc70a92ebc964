"""Times loss and gradients: generated modules, NumPy's and C's, beside others.

    python -m bench.speed [--rounds N] [--threads 1|2] [--only NAME ...]

Each contender lives in a process of its own, so that their threads do not meet. They take turns;
the ratios are those of the same round, so that what disturbs the machine for a while disturbs all,
and the tables have their medians. All contenders must have the same loss and the same norm of
gradients.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import statistics
from importlib.util import find_spec

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.networks import CASES
from bench.networks.case import Case
from bench.workers import Worker

# The contenders with the packages that they need, in the order of the tables' columns.
CONTENDERS = {
    "generated": "numpy",
    "generated C": "numpy",
    "NumPy by hand": "numpy",
    "torch.nn": "torch",
    "PyTorch as equations": "torch",
    "PyTorch stacked": "torch",
    "PyTorch hoisted": "torch",
    "jax.lax.scan": "jax",
}
DTYPES = ("float64", "float32")
# How far apart the results of contenders may lie, relative to their size.
TOLERANCES = {"float64": 1e-9, "float32": 1e-3}


def measure(case: Case, workers: dict[str, Worker], rounds: int) -> Table:
    """Median milliseconds of the generated module, and the others' time over its time."""
    own = {n: w for n, w in workers.items() if n.startswith("generated") or n in case.others}
    table = Table(title=f"{case.about}: generated, and others' time / its time")
    for heading in ("dtype", case.axes):
        table.add_column(heading)
    for name in own:
        table.add_column(name, justify="right")
    # It is drawn between the rounds only, to disturb none.
    with Progress(transient=True, auto_refresh=False) as progress:
        task = progress.add_task(case.name, total=len(DTYPES) * len(case.sizes) * rounds)
        for dtype in DTYPES:
            for number, size in enumerate(case.sizes):
                answers = {n: w.prepare(case.name, number, dtype) for n, w in own.items()}
                _agree(answers, dtype)
                times: dict[str, list[float]] = {name: [] for name in own}
                for _ in range(rounds):
                    for name, worker in own.items():
                        times[name].append(worker.turn())
                    progress.advance(task)
                    progress.refresh()
                table.add_row(dtype, ", ".join(map(str, size)), *_cells(times))
    return table


def _agree(answers: dict[str, dict[str, float]], dtype: str) -> None:
    """All contenders compute the same thing, or the comparison means nothing."""
    for key in ("loss", "norm"):
        values = {name: answer[key] for name, answer in answers.items()}
        first = values["generated"]
        # So written that what is not a number does not pass.
        if not all(abs(v - first) <= TOLERANCES[dtype] * abs(first) for v in values.values()):
            raise SystemExit(f"the contenders disagree on the {key}: {values}")


def _cells(times: dict[str, list[float]]) -> list[str]:
    ours = times["generated"]
    cells = [f"{1000 * statistics.median(ours):.2f} ms"]
    for name, theirs in times.items():
        if name != "generated":
            ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
            cells.append(f"{statistics.median(ratios):.2f}")
    return cells


def _present() -> list[str]:
    """The contenders that are installed; says which are not."""
    for package in dict.fromkeys(CONTENDERS.values()):
        if not find_spec(package):
            names = [name for name, needed in CONTENDERS.items() if needed == package]
            print(f"{package} is not installed: without {', '.join(names)}")
    return [name for name, package in CONTENDERS.items() if find_spec(package)]


def _about(rounds: int, threads: int) -> str:
    """What was measured with, and how busy the machine was."""
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in dict.fromkeys(CONTENDERS.values())
        if find_spec(package)
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"medians of {rounds} rounds, threads: {threads}; {versions}{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21, help="turns of each contender")
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME",
                        help=f"networks: {', '.join(CASES)}")  # fmt: skip
    options = parser.parse_args()
    console = Console(width=140)
    workers = {name: Worker(name, options.threads) for name in _present()}
    try:
        for name in options.only:
            console.print(measure(CASES[name], workers, options.rounds))
        console.print(_about(options.rounds, options.threads))
    finally:
        for worker in workers.values():
            worker.stop()


if __name__ == "__main__":
    main()
