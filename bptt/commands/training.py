"""The commands `bptt train`, `bptt predict` and `bptt sample`."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bptt.commands.terminal import (
    CHECK_FAILED,
    STOPPED_BY_HAND,
    console,
    deliver,
    fail,
    reports_errors,
    working,
)
from bptt.derive.description.topology import load as load_topology
from bptt.derive.description.topology import loads, read_bounded
from bptt.derive.errors import UserError
from bptt.training import plots
from bptt.training.checkpoint import write_whole
from bptt.training.data.files import read_text
from bptt.training.data.given import given_data
from bptt.training.dynamics import sample
from bptt.training.fit import Prepared, prepare
from bptt.training.forecast import forecast
from bptt.training.judged import KINDS, pictures, predictions, results
from bptt.training.kept import INTERRUPTED, Keeper
from bptt.training.loop import Progress
from bptt.training.model import load_model
from bptt.training.modules import module_of, source_of
from bptt.training.options import METHODS, Options
from bptt.training.shown import Bar


def _split(context: Any, parameter: Any, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter("give numbers with commas, 70,15,15") from None


@click.command("train")
@click.argument("network", metavar="FILE", type=click.Path())
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]FILE[:COLUMN]",
    help="A file whose columns are called as inputs and outputs, a .npz of arrays, or a column for "
    "one signal. May be repeated.",
)
@click.option("--text", type=click.Path(), help="A text, for a model of characters.")
@click.option("-o", "--output", default="", help="Folder of the run [runs/NAME].")
@click.option("--resume", is_flag=True, help="Go on where the run in the folder was cut off.")
@click.option("--overwrite", is_flag=True, help="Start anew in a folder that holds a run.")
@click.option("--from", "start", type=click.Path(), help="Begin with the parameters of this run.")
@click.option(
    "--open",
    multiple=True,
    metavar="NAME",
    help="Train with measured values of this output in place of its own (series-parallel).",
)
@click.option(
    "--method",
    default="auto",
    help=f"auto (lm for few parameters and squared errors, else adam), {', '.join(METHODS)}.",
)
@click.option("--rate", type=float, default=0.0, help="Learning rate [by method].")
@click.option("--momentum", type=float, default=0.9, help="Of momentum and nesterov.")
@click.option(
    "--schedule",
    default="constant",
    help="constant, cosine, exponential:FACTOR (by the end), step:STEPS:FACTOR.",
)
@click.option("--warm-up", type=int, default=0, help="Steps in which the rate rises.")
@click.option("--clip", type=float, default=0.0, help="Limit of the gradient's norm.")
@click.option("--clip-value", type=float, default=0.0, help="Limit of each element.")
@click.option("--decay", type=float, default=0.0, help="Weight decay.")
@click.option("--epochs", type=int, default=0, help="Passes over the data [by method].")
@click.option("--minutes", type=float, default=0.0, help="End after the report that follows.")
@click.option("--patience", type=int, default=0, help="Reports without better validation [0: no].")
@click.option("--every", type=int, default=0, help="Steps between reports [an epoch].")
@click.option(
    "--initial",
    default="uniform",
    help="uniform, glorot, he, orthogonal, nguyen_widrow; or by layer: hidden=he,default=glorot.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--dtype", default="float64", show_default=True, help="float64 or float32.")
@click.option("--target", default="numpy", show_default=True, help="numpy, or c: what computes.")
@click.option(
    "--split",
    default="70,15,15",
    show_default=True,
    callback=_split,
    help="Parts for training, validation, test, in time.",
)
@click.option("--normalise", default="minmax", help="minmax (to ±1), standard, none.")
@click.option("--window", type=int, default=0, help="Cut the record into windows of this length.")
@click.option("--stride", type=int, default=0, help="Steps between windows [their length].")
@click.option("--batch", type=int, default=0, help="Windows, streams or sequences in a batch.")
@click.option(
    "--chunk", type=int, default=0, help="Truncated BPTT: so many steps, states carried on."
)
@click.option("--plots/--no-plots", default=None, help="Draw pictures [where matplotlib is].")
@reports_errors
def train_command(
    network: str,
    data: tuple[str, ...],
    text: str | None,
    output: str,
    resume: bool,
    overwrite: bool,
    start: str | None,
    **given: Any,
) -> None:
    """Train the network in FILE.

    The folder gets checkpoints, then parameters.npz, run.json, history.csv, the module, pictures.
    Exit status: 0 done, 1 the loss was not finite, 2 a mistake in what was given, 130 Ctrl-C.

    \b
    Examples:
      bptt train maglev.toml --data maglev.csv --open position --method lm
      bptt train maglev.toml --data maglev.csv --from runs/maglev -o runs/closed --window 100
      bptt train char.toml --text shakespeare.txt --chunk 50 --batch 32 --dtype float32
    """
    draws = given.pop("plots")
    if draws and not plots.is_available():
        plots.figure()  # says what is missing
    options = Options(**given)
    name = load_topology(network).name
    topology = read_bounded(Path(network))
    if "name" not in tomllib.loads(topology):
        topology = f'name = "{name}"\n{topology}'
    with working("deriving and generating"):
        begin = load_model(start) if start else None
        try:
            arrays = _data(topology, options, data, text)
            prepared = prepare(topology, arrays, options, start=begin)
        except UserError as error:
            # An option's fault is no file's; what has no place in the topology is the data's.
            about = network if error.place else text or ", ".join(data)
            raise error.located(file="" if error.place.startswith("--") else about) from None
    if start:
        facts = {**prepared.model.facts, "from": start}
        prepared = replace(prepared, model=replace(prepared.model, facts=facts))
    keeper = Keeper(Path(output or f"runs/{name}"), prepared)
    with keeper.locked():
        try:
            progress = _run(keeper, resume=resume, overwrite=overwrite, draws=draws)
        except KeyboardInterrupt:
            progress = replace(prepared.task.start(prepared.start), stopped=INTERRUPTED)
    if progress.stopped == INTERRUPTED:
        fail("interrupted; the same command with --resume goes on", STOPPED_BY_HAND)
    if progress.diverged:
        fail(progress.stopped, CHECK_FAILED)


def _run(keeper: Keeper, *, resume: bool, overwrite: bool, draws: bool | None) -> Progress:
    """A run from its beginning, or where it was cut off, to its report."""
    prepared = keeper.prepared
    progress = keeper.begin(resume=resume, overwrite=overwrite)
    _announce(prepared, progress)
    with Bar(prepared, progress) as bar:
        progress = keeper.run(progress, bar.report, bar.tick)
    made = predictions(prepared, prepared.trained(progress))
    found = results(prepared, progress, made)
    fitted = keeper.finish(progress, found)
    topology, measured = prepared.model.topology, prepared.model.measured
    name = loads(topology).name
    sources = {f"{name}.py": source_of(topology)}
    if measured:
        sources[f"{name}_open.py"] = source_of(topology, measured=measured)
    for file, source in sources.items():
        write_whole(keeper.folder / file, source.encode())
    screen = console()
    screen.print(f"stopped: {progress.stopped}", highlight=False, soft_wrap=True)
    _print_results(found, screen)
    if draws or (draws is None and plots.is_available()):
        for path in pictures(fitted, made, keeper.folder):
            click.echo(path)
    click.echo(keeper.folder / "run.json")
    return progress


def _data(
    topology: str, options: Options, data: tuple[str, ...], text: str | None
) -> Mapping[str, Any] | str:
    if bool(data) == (text is not None):
        raise UserError(
            "data and text" if text is not None else "no data",
            remedy="give --data or --text" if text is None else "give one of them",
        )
    if text is not None:
        return read_text(text)
    module = module_of(topology, measured=options.open)
    return given_data(module, data, said=lambda text: console().print(text, markup=False))


def _announce(prepared: Prepared, progress: Progress) -> None:
    counts = []
    unit = "steps" if prepared.record else "sequences"
    for name, (begin, stop) in prepared.parts.items():
        if stop > begin:
            counts.append(f"{name} {stop - begin} {unit}")
    size = progress.best.size
    about = f"{size} parameters, {METHODS[prepared.method]}"
    click.echo(", ".join([about, *counts]))
    if progress.step:
        click.echo(f"going on after step {progress.step}")


def _print_results(found: Mapping[str, Any], screen: Console) -> None:
    parts = list(found["loss"])
    made = Table("", *parts, box=None, pad_edge=False, header_style="italic")
    made.add_row("loss", *(f"{v:.4g}" for v in found["loss"].values()))
    if "bits_per_character" in found:
        row = (f"{v:.3f}" for v in found["bits_per_character"].values())
        made.add_row("bits per character", *row)
    for kind, title in KINDS.items():
        by_part = found.get(kind, {})
        for output in dict.fromkeys(name for errors in by_part.values() for name in errors):
            cells = [
                f"{e['rms']:.4g} ({e['percent_of_range']:.2f} %)"
                if (e := by_part.get(part, {}).get(output))
                else ""
                for part in parts
            ]
            made.add_row(f"rms error of {output}, {title}", *cells)
    for output in dict.fromkeys(n for shares in found.get("right", {}).values() for n in shares):
        shares = (found["right"].get(part, {}).get(output) for part in parts)
        texts = ("" if share is None else f"{100 * share:.1f} %" for share in shares)
        made.add_row(f"{output} right", *texts)
    screen.print(made, highlight=False)
    about = found["method"]
    if "gamma" in about:
        screen.print(
            f"{about['gamma']:.1f} effective parameters (gamma); alpha {about['alpha']:.4g}, "
            f"beta {about['beta']:.4g}, ln evidence {about['evidence']:.2f}",
            highlight=False,
            soft_wrap=True,
        )


@click.command("predict")
@click.argument("folder", type=click.Path())
@click.option("--data", multiple=True, required=True, metavar="[NAME=]FILE[:COLUMN]")
@click.option("--start", type=click.IntRange(0), help="First step known nothing of [by delays].")
@click.option("--free", is_flag=True, help="Run freely from there on, on its own predictions.")
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    help="With --free: so many steps, beyond the data's end where no input is needed.",
)
@click.option("--ahead", type=click.IntRange(1), help="So many steps ahead of every step.")
@click.option("-o", "--output", type=click.Path(), help="CSV to write; else standard output.")
@reports_errors
def predict_command(
    folder: str,
    data: tuple[str, ...],
    start: int | None,
    free: bool,
    steps: int | None,
    ahead: int | None,
    output: str | None,
) -> None:
    """Predictions of the trained network in FOLDER, in the data's units, as CSV.

    One step ahead from measured values where loops were opened for training; --free and --ahead
    close them. A free run needs measured outputs up to its start alone, and inputs to its end.

    \b
    Examples:
      bptt predict runs/maglev --data maglev.csv -o predicted.csv
      bptt predict runs/maglev --data maglev.csv --free --start 3401
      bptt predict runs/nar --data nar.csv --free --start 400 --steps 50
      bptt predict runs/maglev --data maglev.csv --ahead 10
    """
    for given, option in ((free, "--free"), (steps, "--steps")):
        if given and ahead:
            raise UserError("stands beside --ahead", place=option, remedy="give one of them")
    if steps and not free:
        raise UserError("is for free runs", place="--steps", remedy="add --free")
    model = load_model(folder)
    arrays = given_data(model.opened(), data)
    rows, found = forecast(model, arrays, start=start, free=free, steps=steps, ahead=ahead)
    names, columns = ["step"], [rows]
    for name, values in found.items():
        for unit in range(values.shape[-1]):
            names.append(name if values.shape[-1] == 1 else f"{name}_{unit + 1}")
            columns.append(values[:, unit])
    deliver(_csv(names, columns), output)


def _csv(names: list[str], columns: list[Any]) -> str:
    stream = io.StringIO()
    stream.write(",".join(names) + "\n")
    for row in zip(*columns, strict=True):
        stream.write(",".join([str(int(row[0])), *(f"{float(v):.10g}" for v in row[1:])]) + "\n")
    return stream.getvalue()


@click.command("sample")
@click.argument("folder", type=click.Path())
@click.option("--prompt", default="\n", help="Text to go on from.")
@click.option("--length", type=click.IntRange(1, 1_000_000), default=500, show_default=True)
@click.option("--temperature", type=click.FloatRange(0, 100), default=1.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(), help="File to write; else standard output.")
@reports_errors
def sample_command(
    folder: str, prompt: str, length: int, temperature: float, seed: int, output: str | None
) -> None:
    """Text that the model of characters in FOLDER writes.

    \b
    Example:
      bptt sample runs/char --prompt "KING " --temperature 0.7
    """
    model = load_model(folder)
    if model.vocabulary is None:
        raise UserError("its network was not trained on text", file=folder, remedy="use --text")
    text = sample(
        model.closed("step"),
        model.parameters,
        model.vocabulary,
        prompt,
        length,
        temperature=temperature,
        seed=seed,
    )
    deliver(prompt + text + "\n", output)
