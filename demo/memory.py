"""Long memory: how far back does a network learn to look?

The adding problem (Hochreiter and Schmidhuber 1997): the sum of the two marked numbers of a
sequence. The delayed copy task: a few symbols, to be repeated after a silence. Elman networks, with
and without clipping, LSTM, and a network with a long tapped delay line, over growing lengths; and
the norm of the gradient by lag before and after training, where one sees it vanish or explode.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console

from bptt.training import plots
from bptt.training.fit import Prepared, prepare
from bptt.training.loop import Progress as Reached
from bptt.training.options import Options
from bptt.training.vector import Arrays
from demo.common import arguments, check_network, main_of, save_picture, table, trained

SYMBOLS, COPIED = 8, 5
SEQUENCES, HELD_BACK = 2000, 400


@dataclass(frozen=True)
class Contestant:
    """A network, how its gradient is limited, and how its weights begin.

    `gain` is on the recurrent weights: with 1.5 the network is chaotic at first.
    """

    label: str
    hidden: str
    clip: float
    colour: str
    initial: str
    gain: float = 1.0


ELMAN = 'activation = "tanh"\nfrom = { x = [0], hidden = [1] }'
DELAYS = 'activation = "tanh"\nfrom = { x = [0], hidden = [1, 10, 50] }'
CONTESTANTS = (
    Contestant("Elman, small weights", ELMAN, 0.0, plots.BLUE, "uniform"),
    Contestant("Elman, large weights", ELMAN, 0.0, "#56B4E9", "he", 1.5),
    Contestant("Elman, large, clipped", ELMAN, 1.0, plots.GREEN, "he", 1.5),
    Contestant("LSTM, clipped", 'cell = "lstm"\nfrom = { x = [0] }', 1.0, plots.RED, "uniform"),
    Contestant("delays 1, 10, 50, clipped", DELAYS, 1.0, plots.ORANGE, "uniform"),
)
UNITS = 32


def topology(contestant: Contestant, task: str) -> str:
    """A hidden layer, and an output that the task judges."""
    adding = task == "adding"
    kind = (
        '{ kind = "mse", steps = "last" }' if adding else '{ kind = "cross_entropy", mask = "m" }'
    )
    return f"""
name = "memory"

[inputs]
x = {2 if adding else SYMBOLS + 2}
{"" if adding else "m = { mask = true }"}

[layers.hidden]
size = {UNITS}
{contestant.hidden}

[layers.y]
size = {1 if adding else SYMBOLS}
activation = "{"linear" if adding else "softmax"}"
from = {{ hidden = [0] }}

[loss]
y = {kind}
"""


def adding(length: int, count: int, seed: int) -> Arrays:
    """Numbers in ±1 with two of them marked, one in each half; their sum."""
    rng = np.random.default_rng(seed)
    numbers = rng.uniform(-1, 1, (length, count))
    marks = np.zeros((length, count))
    half = length // 2
    for low, high in ((0, half), (half, length)):
        marks[rng.integers(low, high, count), np.arange(count)] = 1
    target = (numbers * marks).sum(0)[:, None]
    return {"x": np.stack([numbers, marks], axis=-1), "y": target}


def copying(length: int, count: int, seed: int) -> Arrays:
    """Symbols, a silence of `length` steps, a sign, and then the symbols are due."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(SYMBOLS, size=(COPIED, count))
    steps = 2 * COPIED + length
    codes = np.full((steps, count), SYMBOLS)
    codes[:COPIED] = symbols
    codes[steps - COPIED - 1] = SYMBOLS + 1
    target, due = np.zeros((steps, count), int), np.zeros((steps, count))
    target[-COPIED:], due[-COPIED:] = symbols, 1
    return {"x": np.eye(SYMBOLS + 2)[codes], "y": target, "m": due}


TASKS = {"adding": adding, "copying": copying}


def started(contestant: Contestant, prepared: Prepared) -> Prepared:
    """With the contestant's gain on the recurrent weights, and forget gates that are open at first,
    where there are any (Gers et al. 2000)."""
    changes: dict[str, Any] = {
        "W_hidden_hidden_1": lambda a: contestant.gain * a,
        "b_f_hidden": lambda a: a + 1,
    }
    start = {n: changes[n](a) if n in changes else a for n, a in prepared.start.items()}
    return replace(prepared, start=start)


def score(task: str, prepared: Prepared, reached: Reached, data: Arrays) -> float:
    """On sequences held back: of adding the variance explained, of copying the share right."""
    module = prepared.module
    taken = {n: data[n][:, -HELD_BACK:].astype(np.float32) for n in module.INPUTS}
    out = module.forward(prepared.trained(reached).parameters, taken)["y"]
    if task == "adding":
        target = data["y"][-HELD_BACK:]
        return float(1 - np.mean((out[-1] - target) ** 2) / np.var(target))
    right = out.argmax(-1)[-COPIED:] == data["y"][-COPIED:, -HELD_BACK:]
    return float(right.mean())


def gradient_by_lag(module: Any, parameters: Arrays, data: Arrays) -> Any:
    """The norm of the loss's gradient by the input so many steps before the last, mean of 64."""
    taken = {n: data[n][:, :64].astype(np.float32) for n in module.INPUTS}
    if data["y"].dtype.kind == "i":
        targets = {"y": data["y"][:, :64]}
        # The last symbol alone is judged: every lag is then one to it.
        taken["m"] = np.zeros_like(taken["m"])
        taken["m"][-1] = 1
    else:
        targets = {"y": data["y"][:64].astype(np.float32)}
    _, gradients = module.loss_and_gradients(parameters, taken, targets, wrt=("inputs",))
    norms = np.sqrt(np.square(gradients["x"].astype(float)).sum(-1)).mean(1)
    return norms[::-1] * 64


def example(options: argparse.Namespace, console: Console) -> None:
    check_network(topology(CONTESTANTS[-1], "copying"), console)
    for task, make in TASKS.items():
        rows, found = [], {}
        for contestant in CONTESTANTS:
            scores = []
            for length in options.lengths:
                data = make(length, SEQUENCES + HELD_BACK, seed=length)
                settings = Options(
                    method="adam",
                    rate=options.rate,
                    epochs=options.epochs,
                    batch=50,
                    clip=contestant.clip,
                    dtype="float32",
                    normalise="none",
                    initial=contestant.initial,
                    split=(SEQUENCES, 0, HELD_BACK),
                )
                prepared = prepare(topology(contestant, task), data, settings)
                prepared = started(contestant, prepared)
                reached = trained(prepared, f"{task} {length}, {contestant.label}", console)
                scores.append(score(task, prepared, reached, data))
                found[contestant.label, length] = (prepared, reached, data)
            rows.append([contestant.label, *(f"{100 * s:.0f} %" for s in scores)])
        what = "variance explained" if task == "adding" else "symbols right"
        title = f"{task}: {what} after {options.epochs} epochs, by length"
        console.print(table(title, ("network", *map(str, options.lengths)), rows))
        draw(task, found, options, console)


def draw(
    task: str,
    found: dict[tuple[str, int], tuple[Prepared, Reached, Arrays]],
    options: argparse.Namespace,
    console: Console,
) -> None:
    """Gradients by lag at the middle length, before and after; and the norms met in training."""
    length = options.lengths[len(options.lengths) // 2]
    made, axes = plots.figure(1, 3, size=(13, 3.8))
    for contestant in CONTESTANTS:
        prepared, reached, data = found[contestant.label, length]
        start = {n: a.astype(np.float32) for n, a in prepared.start.items()}
        for axis, parameters in ((axes[0], start), (axes[1], prepared.trained(reached).parameters)):
            norms = gradient_by_lag(prepared.module, parameters, data)
            axis.plot(norms, color=contestant.colour, label=contestant.label)
        norms = [row["gradient_norm"] for row in reached.history]
        axes[2].plot(norms, color=contestant.colour, label=contestant.label)
    for axis, title in zip(axes, ("before training", "after training"), strict=False):
        axis.set(yscale="log", xlabel="lag", ylabel="norm of the gradient", title=title)
        axis.set_ylim(bottom=1e-12)
    axes[2].set(yscale="log", xlabel="epoch", ylabel="norm of the whole gradient", title="training")
    axes[0].legend(frameon=False, fontsize=8)
    made.suptitle(f"{task}, length {length}")
    save_picture(made, options.pictures, f"memory_{task}", console)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 30, 60, 100])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rate", type=float, default=3e-3)
    options = parser.parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
