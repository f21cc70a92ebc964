"""The description of a network: what a topology file says, and what Python code can say."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bptt.derive.calculus.primitives import ELEMENTWISE
from bptt.derive.errors import UserError, shown
from bptt.derive.language.shapes import FUNCTIONS

Direction = Literal["forward", "backward"]
Masked = Literal["hold", "zero"]
Steps = Literal["all", "last", "weighted"]
Over = Literal["mean", "sum"]

MAX_SIZE = 100_000
MAX_DELAY = 10_000
MAX_LAYERS = 1_000
MAX_CONNECTIONS = 5_000
MAX_PARAMETERS = 1_000_000_000
MAX_ELEMENTS = 10_000_000
MAX_NAME = 64

# Of what the language has, what a layer may apply to its net input.
NO_ACTIVATIONS = ("exp", "log", "cos", "abs")
ACTIVATIONS = (
    "linear",
    *(name for name in ELEMENTWISE if name not in NO_ACTIVATIONS),
    *("softmax", "gaussian", "square"),
)
STEPS: tuple[Steps, ...] = ("all", "last", "weighted")

# Names that generated code and the equation language use themselves.
RESERVED = frozenset(
    {"t", "T", "B", "end", "np", "numpy", "dtype", "arrays", "range", "max", "min", "loss"}
    | set(FUNCTIONS)
)

# What a module and its data say beside the names that a user has chosen: the target of an output
# and the weights of its steps, values before the first step, measurements, numbers of units.
PREFIXES = ("target_", "weight_", "initial_", "measured_", "N_")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)


@dataclass(frozen=True)
class Input:
    """What is given to a network: an array with axes of steps, sequences and units.

    `size` are the sizes of its units (none for one number a step), `time` the names of the
    lengths of its axes of steps, at most two. Without `batch` it is the same for all sequences.
    A mask is data that no gradient is taken of: zeros and ones that say which steps are there,
    or anything else that is only looked at.
    """

    size: tuple[int, ...] = (1,)
    time: tuple[str, ...] = ("T",)
    batch: bool = True
    mask: bool = False


@dataclass(frozen=True)
class Connection:
    """What a layer reads: a source at one delay (steps), through a weight matrix.

    `weight` names the matrix; two connections with the same weight share it, and "W.T" reads it
    transposed. Without it the name is made of the layer's, the source's and the delay:
    `W_hidden_output_2`. With `at`, "first" or "last", that one step of the source is read.
    """

    source: str
    delay: int = 0
    weight: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class Layer:
    """A layer: `size` units that read connections, with an activation or a gated cell.

    `inner` is the number of units within a cell that projects them to `size`. Where the input
    `mask` is zero, the layer's states keep their values, and its output too (`masked = "hold"`)
    or it is zero (`masked = "zero"`; the state then is a signal `state_` + name). `shares` names
    a layer of the same cell and as many connections whose parameters this one uses.
    """

    name: str
    size: int
    connections: tuple[Connection, ...]
    activation: str = "tanh"
    cell: str | None = None
    bias: bool = True
    direction: Direction = "forward"
    inner: int | None = None
    mask: str | None = None
    masked: Masked = "hold"
    shares: str | None = None


@dataclass(frozen=True)
class LossKind:
    """A loss as text: what an output y and its target d add at one step.

    That is averaged, or summed, `over` steps, sequences and, of a vector, units. `numbers` are
    names in the formula with the values that they have unless they are given. With an
    `activation`, y is a value of it; an output that is none goes through it. Targets of `classes`
    sum to one over the units, and may be given as numbers of classes.
    """

    name: str
    formula: str
    over: Over = "mean"
    activation: str = ""
    classes: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True)
class LossSpec:
    """A loss on one output, of a kind that ships (`losses.toml`) or is the network's own.

    With the name of a mask it is a sum or mean over the steps that the mask keeps. `numbers` are
    those of its kind that differ.
    """

    output: str
    kind: str = "mse"
    weight: float = 1.0
    steps: Steps = "all"
    mask: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A gated cell as equations in matrix notation, in its input `x` and signals of its own.

    `inner` lists the signals that have the layer's `inner` size instead of its size.
    """

    name: str
    equations: str
    output: str = "h"
    bias: tuple[str, ...] = ()
    signals: Mapping[str, int] = field(default_factory=dict)
    about: str = ""
    inner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A network: inputs (name to width) with layers, or with equations, and its losses.

    An input that is a width alone is `Input((width,))`. With `equations`, `signals` and
    `parameters` give the shapes that do not follow from use: a width, or a list of sizes.
    `extras` name derivatives that a generated module should have beside its gradient, `kinds` are
    losses of its own.
    """

    name: str
    inputs: Mapping[str, int | Input]
    layers: tuple[Layer, ...] = ()
    losses: tuple[LossSpec, ...] = ()
    outputs: tuple[str, ...] = ()
    cells: Mapping[str, Cell] = field(default_factory=dict)
    equations: str = ""
    signals: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    kinds: Mapping[str, LossKind] = field(default_factory=dict)

    def input(self, name: str) -> Input:
        given = self.inputs[name]
        return given if isinstance(given, Input) else Input((given,))


def check_module_name(name: str) -> None:
    """Refuse a network's name that would hide a module which NumPy or Python imports."""
    check_name(name, "a network", "name")
    if name in sys.stdlib_module_names or name in ("numpy", "pytest"):
        raise UserError(
            f"{name!r} cannot name a network: a module of that name would hide Python's own",
            place="name",
            remedy="choose another name",
        )


def is_free_name(name: str) -> bool:
    """Whether a quantity can have a name, which neither Python nor generated code uses."""
    is_keyword = keyword.iskeyword(name) or keyword.issoftkeyword(name)
    return bool(_NAME.match(name)) and not is_keyword and name not in RESERVED


def check_name(name: str, what: str, place: str) -> None:
    """Refuse what cannot be a name in equations and in generated code."""
    remedy = "use a letter, then letters, digits and _"
    if len(name) > MAX_NAME:
        raise UserError(
            f"the name of {what} has {len(name)} characters",
            place=_short(place),
            remedy=f"use at most {MAX_NAME}",
        )
    if not _NAME.match(name):
        raise UserError(f"{shown(name)} cannot name {what}", place=_short(place), remedy=remedy)
    if not is_free_name(name):
        raise UserError(
            f"{name!r} cannot name {what}: it has a meaning of its own",
            place=place,
            remedy="choose another name",
        )
    if name.startswith(PREFIXES):
        prefix = next(p for p in PREFIXES if name.startswith(p))
        raise UserError(
            f"{name!r} cannot name {what}: names that begin with {prefix} are made here",
            place=place,
            remedy="choose another name",
        )
    if "__" in name:
        raise UserError(
            f"{shown(name)} cannot name {what}: it holds two underscores in a row",
            place=place,
            remedy="use one",
        )


def check_size(size: object, place: str) -> int:
    """A number of units: a whole number from 1 to MAX_SIZE."""
    return _whole(size, "size", 1, MAX_SIZE, place)


def check_delay(delay: object, place: str) -> int:
    """A delay in steps: a whole number from 0 to MAX_DELAY."""
    return _whole(delay, "delay", 0, MAX_DELAY, place)


def _short(place: str) -> str:
    return place if len(place) <= 120 else place[:119] + "…"


def _whole(number: object, what: str, least: int, most: int, place: str) -> int:
    place = _short(place)
    if isinstance(number, bool) or not isinstance(number, int):
        raise UserError(
            f"{shown(number)} is not a {what}", place=place, remedy="use a whole number"
        )
    if not least <= number <= most:
        raise UserError(
            f"the {what} {shown(number)} is out of range",
            place=place,
            remedy=f"use {least} to {most}",
        )
    return number
