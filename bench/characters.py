"""One training step of the character LSTM beside PyTorch: the same network, batch and update.

Both take a chunk of 50 steps of 32 streams of text, its loss and gradients with the state carried
on, clip the gradient's norm and take a step of Adam, in float32. Ratios are taken within rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console

from bptt.training.data.files import read_text
from bptt.training.data.text import Vocabulary
from bptt.training.fit import prepare
from bptt.training.loop import advanced
from bptt.training.options import Options
from demo.characters import SHAKESPEARE, library_text, topology
from demo.common import table

CHUNK, BATCH = 50, 32


def ours(text: str, units: int) -> Callable[[], None]:
    """A function that takes one step of `train`."""
    classes = len(Vocabulary.of(text))
    options = Options(
        method="adam",
        rate=4e-3,
        clip=5.0,
        dtype="float32",
        chunk=CHUNK,
        batch=BATCH,
        split=(90.0, 5.0, 5.0),
        epochs=1000,
    )
    prepared = prepare(topology("lstm", units, classes), text, options)
    task = replace(prepared.task, validation=None)
    progress = task.start(prepared.start)

    def step() -> None:
        nonlocal progress
        progress = advanced(task, progress)

    return step


def pytorch(text: str, units: int) -> Callable[[], None]:
    """A function that takes one step with torch.nn.LSTM, as one writes it."""
    import torch

    vocabulary = Vocabulary.of(text)
    classes = len(vocabulary)
    codes = torch.tensor(vocabulary.encode(text))
    length = len(codes) // BATCH
    streams = codes[: length * BATCH].reshape(BATCH, length).T
    lstm = torch.nn.LSTM(classes, units)
    head = torch.nn.Linear(units, classes)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=4e-3)
    one_hot = torch.eye(classes)
    state: Any = None
    place = 0

    def step() -> None:
        nonlocal state, place
        if place + CHUNK + 1 > length:
            place, state = 0, None
        x, y = streams[place : place + CHUNK], streams[place + 1 : place + CHUNK + 1]
        hidden, state = lstm(one_hot[x], state)
        state = tuple(s.detach() for s in state)
        loss = torch.nn.functional.cross_entropy(head(hidden).reshape(-1, classes), y.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        float(loss)
        place += CHUNK

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[128])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20, help="steps in a round")
    options = parser.parse_args()
    text = read_text(str(SHAKESPEARE)) if SHAKESPEARE.exists() else library_text()
    rows = []
    for units in options.units:
        both = {"bptt": ours(text, units), "PyTorch": pytorch(text, units)}
        times: dict[str, list[float]] = {name: [] for name in both}
        for number in range(options.rounds + 1):
            for name, step in both.items():
                begin = time.perf_counter()
                for _ in range(options.steps):
                    step()
                if number:  # the first round warms up
                    times[name].append((time.perf_counter() - begin) / options.steps)
        ratios = [b / a for a, b in zip(times["bptt"], times["PyTorch"], strict=True)]
        rows.append(
            [
                str(units),
                *(f"{1000 * statistics.median(t):.1f} ms" for t in times.values()),
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
            ]
        )
    columns = ("units", "bptt", "PyTorch", "PyTorch / bptt")
    title = f"one step: {CHUNK} steps of {BATCH} streams, float32, NumPy {np.__version__}"
    Console().print(table(title, columns, rows))


if __name__ == "__main__":
    main()
