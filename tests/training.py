"""Small networks and data for the tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

NARX = """
name = "plant"
[inputs]
u = 1
[layers.hidden]
size = 4
activation = "tanh"
from = { u = [1, 2], y = [1, 3] }
[layers.y]
size = 1
activation = "linear"
from = { hidden = [0] }
[loss]
y = "mse"
"""

# A network without inputs: it goes on from its own past.
AUTONOMOUS = """
name = "nar"
[layers.hidden]
size = 3
activation = "tanh"
from = { y = [1, 2, 3] }
[layers.y]
size = 1
activation = "linear"
from = { hidden = [0], y = [1] }
[loss]
y = "mse"
"""

LSTM = """
name = "filter"
[inputs]
u = 1
[layers.memory]
size = 3
cell = "lstm"
from = { u = [0] }
[layers.y]
size = 1
activation = "linear"
from = { memory = [0, 1] }
[loss]
y = "mse"
"""

CHARACTERS = """
name = "letters"
[inputs]
now = 9
[layers.memory]
size = 6
cell = "gru"
from = { now = [0] }
[layers.next]
size = 9
activation = "softmax"
from = { memory = [0] }
[loss]
next = "cross_entropy"
"""

TEXT = "abc cab, bca.\n" * 40


def plant(steps: int, seed: int = 0) -> dict[str, Any]:
    """A nonlinear plant of second order: its input and its output."""
    rng = np.random.default_rng(seed)
    u = np.repeat(rng.uniform(-1, 1, steps // 5 + 1), 5)[:steps]
    y = np.zeros(steps)
    for t in range(2, steps):
        y[t] = 0.6 * y[t - 1] - 0.2 * y[t - 2] * y[t - 1] + 0.5 * np.tanh(u[t - 1])
    return {"u": u, "y": 3 + 2 * y}


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    rows = zip(*columns.values(), strict=True)
    text = ",".join(columns) + "\n"
    text += "".join(",".join(repr(float(v)) for v in row) + "\n" for row in rows)
    path.write_text(text)
    return path
