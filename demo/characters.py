"""Character models: Elman, LSTM and GRU learn to write, by Adam and by Adagrad.

Tiny Shakespeare where it lies beside the project, else the source of some modules of Python's
standard library (--code), or any text that one names. Truncated backpropagation through time, the
states carried from chunk to chunk; bits per character on text held back, and samples at several
stages. The module is generated for the text's own vocabulary.
"""

from __future__ import annotations

import argparse
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bptt.training import plots
from bptt.training.data.files import read_text
from bptt.training.data.text import Vocabulary
from bptt.training.dynamics import sample
from bptt.training.fit import Prepared, prepare
from bptt.training.loop import Progress as Reached
from bptt.training.loop import run
from bptt.training.options import Options
from demo.common import HERE, arguments, check_network, main_of, save_picture, table

SHAKESPEARE = HERE.parents[1] / "shared" / "data" / "tinyshakespeare.txt"
SOURCES = ("argparse.py", "configparser.py", "csv.py", "shutil.py", "subprocess.py", "tarfile.py")
CELLS = {
    "elman": 'activation = "tanh"\nfrom = { character = [0], hidden = [1] }',
    "lstm": 'cell = "lstm"\nfrom = { character = [0] }',
    "gru": 'cell = "gru"\nfrom = { character = [0] }',
}
RULES = {
    "adam": Options(method="adam", rate=4e-3, schedule="cosine:0.05"),
    "adagrad": Options(method="adagrad", rate=1e-1),  # as in min-char-rnn
}
STAGES = 4
COLOURS = (plots.BLUE, plots.RED, plots.GREEN, plots.ORANGE, plots.GREY, "black")


def topology(cell: str, units: int, classes: int) -> str:
    """One layer of a cell, and a softmax over characters."""
    return f"""
name = "characters"

[inputs]
character = {classes}

[layers.hidden]
size = {units}
{CELLS[cell]}

[layers.next]
size = {classes}
activation = "softmax"
from = {{ hidden = [0] }}

[loss]
next = "cross_entropy"
"""


def library_text() -> str:
    """The source of some modules of the Python standard library."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in SOURCES)


def learn(
    cell: str, rule: str, text: str, options: argparse.Namespace, console: Console
) -> tuple[Prepared, Reached, float]:
    """Train one network; samples are printed at several stages."""
    vocabulary = Vocabulary.of(text)
    source = topology(cell, options.units, len(vocabulary))
    settings = replace(
        RULES[rule],
        epochs=options.epochs,
        minutes=options.minutes,
        clip=5.0,
        dtype="float32",
        chunk=options.chunk,
        batch=options.batch,
        split=(90.0, 5.0, 5.0),
        initial="orthogonal",
    )
    prepared = prepare(source, text, settings)
    total = options.epochs * len(prepared.task.feed)
    plan = replace(prepared.task.plan, every=max(total // 20, 1))
    prepared = replace(prepared, task=replace(prepared.task, plan=plan))
    begin, told = time.perf_counter(), 0
    columns = (TextColumn(f"{cell}, {rule}"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def tick(reached: Reached) -> None:
            bits = reached.state.loss / np.log(2)
            text = f"step {reached.step}/{total}, {bits:.2f} bits per character"
            bar.update(task, completed=reached.step, description=text)

        def watch(reached: Reached) -> None:
            nonlocal told
            tick(reached)
            stage = reached.step * STAGES // total
            if options.samples and stage > told:
                told = stage
                bits = reached.history[-1]["validation"] / np.log(2)
                console.rule(f"{cell}, {rule}, step {reached.step}: {bits:.2f} bits per character")
                wrote = written(prepared, reached, vocabulary, 240, options)
                console.print(wrote, markup=False, highlight=False)

        reached = run(prepared.task, prepared.task.start(prepared.start), watch=watch, tick=tick)
    return prepared, reached, time.perf_counter() - begin


def written(
    prepared: Prepared,
    reached: Reached,
    vocabulary: Vocabulary,
    length: int,
    options: argparse.Namespace,
) -> str:
    model = prepared.trained(reached)
    return sample(
        model.closed("step"),
        model.parameters,
        vocabulary,
        vocabulary.decode([vocabulary.encode("\n")[0] if "\n" in vocabulary.characters else 0]),
        length,
        temperature=options.temperature,
        seed=1,
    )


def example(options: argparse.Namespace, console: Console) -> None:
    if options.text is not None:
        text, about = read_text(str(options.text)), str(options.text)
    elif options.code or not SHAKESPEARE.exists():
        text, about = library_text(), "the source of Python's standard library"
    else:
        text, about = read_text(str(SHAKESPEARE)), "Tiny Shakespeare"
    text = text[: options.characters] if options.characters else text
    vocabulary = Vocabulary.of(text)
    console.print(f"{about}: {len(text)} characters, {len(vocabulary)} different", highlight=False)
    check_network(topology(options.cells[0], 3, 5), console)
    rows, curves = [], {}
    for cell in options.cells:
        for rule in options.rules:
            prepared, reached, seconds = learn(cell, rule, text, options, console)
            bits = prepared.losses["test"](reached.best) / np.log(2)
            curves[f"{cell}, {rule}"] = (prepared, reached)
            rows.append(
                [
                    f"{cell}, {rule}",
                    str(reached.best.size),
                    str(reached.step),
                    f"{seconds:.0f}",
                    f"{1000 * seconds / max(reached.step, 1):.1f}",
                    f"{bits:.3f}",
                ]
            )
    columns = ("network", "parameters", "steps", "seconds", "ms a step", "bits per character")
    title = (
        f"{options.units} units, chunks of {options.chunk}, batch {options.batch}; held-back text"
    )
    console.print(table(title, columns, rows))
    best = min(curves, key=lambda name: curves[name][1].best_validation)
    console.rule(f"a sample of {best}")
    wrote = written(*curves[best], vocabulary, 500, options)
    console.print(wrote, markup=False, highlight=False)
    made, axis = plots.figure(size=(8, 4))
    for (label, (_, reached)), colour in zip(curves.items(), COLOURS, strict=False):
        steps = [row["step"] for row in reached.history]
        axis.plot(
            steps, [r["validation"] / np.log(2) for r in reached.history], color=colour, label=label
        )
    axis.set(xlabel="step", ylabel="bits per character, held-back text")
    axis.legend(frameon=False)
    name = "characters_code" if options.code else "characters"
    save_picture(made, options.pictures, name, console)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--text", type=Path, help="a text to learn")
    parser.add_argument("--code", action="store_true", help="learn Python's standard library")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.0, help="for each network")
    parser.add_argument("--chunk", type=int, default=50)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--characters", type=int, default=0, help="only so many of the text")
    parser.add_argument("--no-samples", dest="samples", action="store_false")
    options = parser.parse_args()
    main_of(lambda: example(options, Console()))


if __name__ == "__main__":
    main()
