"""A character model: a two-layer LSTM, generated, learns to write Python's standard library.

Truncated backpropagation through time with the state carried from chunk to chunk, Adam, and the
gradient clipped by its norm; then a sample of what the network writes.
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from demo.network import HERE, network_module

TOPOLOGY = HERE.parent / "generated" / "char_lstm.toml"
SOURCES = ("argparse.py", "configparser.py", "csv.py", "shutil.py", "subprocess.py", "tarfile.py")
STEPS, BATCH = 32, 32
RATE, CLIP = 4e-3, 5.0
STATES = ("lower", "c_lower", "upper", "c_upper")
# The last class stands for every character that is not printable ASCII: line ends, mostly.
CLASSES = 96


def encode(text: str) -> Any:
    codes = np.array([ord(c) - 32 for c in text])
    return np.where((codes >= 0) & (codes < CLASSES - 1), codes, CLASSES - 1)


def decode(codes: Any) -> str:
    return "".join(chr(c + 32) if c < CLASSES - 1 else "\n" for c in codes)


def library_text() -> str:
    """The source of some modules of the Python standard library."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts = [(folder / name).read_text(encoding="utf-8") for name in SOURCES]
    return "\n".join(texts)


def one_hot(codes: Any) -> Any:
    return np.eye(CLASSES, dtype=np.float32)[codes]


def last_state(signals: dict[str, Any]) -> dict[str, Any]:
    """The states at the last step, as initial values for the next chunk."""
    return {name: signals[name][-1:] for name in STATES}


class Adam:
    """Adam (Kingma and Ba 2015) on a dict of arrays."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.first = {n: np.zeros_like(a) for n, a in parameters.items()}
        self.second = {n: np.zeros_like(a) for n, a in parameters.items()}
        self.count = 0

    def step(self, parameters: dict[str, Any], gradients: dict[str, Any], rate: float) -> None:
        self.count += 1
        correction = np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for name, gradient in gradients.items():
            self.first[name] += 0.1 * (gradient - self.first[name])
            self.second[name] += 0.001 * (gradient**2 - self.second[name])
            parameters[name] -= (
                rate * correction * self.first[name] / (np.sqrt(self.second[name]) + 1e-8)
            )


def clipped(gradients: dict[str, Any], limit: float) -> dict[str, Any]:
    norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values())))
    scale = min(1.0, limit / norm)
    return {name: scale * gradient for name, gradient in gradients.items()}


def sample(module: Any, parameters: dict[str, Any], prompt: str, length: int, seed: int) -> str:
    """Text that the network writes after a prompt, one character at a time."""
    rng = np.random.default_rng(seed)
    codes = list(encode(prompt))
    signals = module.forward(parameters, {"character": one_hot(codes)[:, None]})
    for _ in range(length):
        probabilities = signals["next"][-1, 0].astype(float) ** 1.4
        codes.append(rng.choice(CLASSES, p=probabilities / probabilities.sum()))
        signals = module.forward(
            parameters, {"character": one_hot(codes[-1:])[:, None]}, last_state(signals)
        )
    return decode(codes)


def bits(module: Any, parameters: dict[str, Any], codes: Any) -> float:
    """Bits per character over a text, read from its start."""
    inputs = {"character": one_hot(codes[:-1])[:, None]}
    loss = module.loss(parameters, inputs, {"next": codes[1:, None]})
    return float(loss / np.log(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, help="a text file to learn instead")
    parser.add_argument("--steps", type=int, default=1200, help="steps of Adam")
    options = parser.parse_args()
    console = Console()
    module = network_module(TOPOLOGY, console)
    text = library_text() if options.text is None else options.text.read_text(encoding="utf-8")
    codes = encode(text)
    held_back, codes = codes[-4000:], codes[:-4000]
    console.print(f"{len(codes)} characters to learn from, {len(held_back)} held back")

    parameters = module.initial_parameters(0, np.float32)
    for name in ("b_f_lower", "b_f_upper"):
        parameters[name] += 1.0  # gates that remember at first (Gers et al. 2000)
    adam = Adam(parameters)
    length = len(codes) // BATCH
    rows = codes[: length * BATCH].reshape(BATCH, length).T
    console.print(f"before: {bits(module, parameters, held_back):.2f} bits per character")
    state: dict[str, Any] | None = None
    place, smooth = 0, np.log(CLASSES)
    columns = (TextColumn("step {task.completed}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as progress:
        task = progress.add_task("", total=options.steps)
        for step in range(options.steps):
            if place + STEPS + 1 > length:
                place, state = 0, None
            inputs = {"character": one_hot(rows[place : place + STEPS])}
            targets = {"next": rows[place + 1 : place + STEPS + 1]}
            loss, gradients = module.loss_and_gradients(parameters, inputs, targets, state)
            state = last_state(module.forward(parameters, inputs, state))
            rate = RATE * min(1.0, 2.0 * (1 - step / options.steps))
            adam.step(parameters, clipped(gradients, CLIP), rate)
            place += STEPS
            smooth += 0.05 * (float(loss) - smooth)
            progress.update(task, advance=1, description=f"{smooth / np.log(2):.2f} bits/char")
            if (step + 1) % max(1, options.steps // 5) == 0:
                console.print(
                    f"step {step + 1}: {bits(module, parameters, held_back):.2f} bits per "
                    "character on held-back text"
                )
    console.print("[bold]a sample[/bold]")
    console.print(sample(module, parameters, "def ", 400, seed=1), markup=False, highlight=False)


if __name__ == "__main__":
    main()
