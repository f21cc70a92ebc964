"""What one says of a run, and the method that it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import numpy as np

from bptt.codegen.targets import TARGETS
from bptt.derive.errors import UserError, check_choice, shown
from bptt.training.methods.descent import Descent
from bptt.training.methods.hessian_free import HessianFree
from bptt.training.methods.levenberg import (
    BayesianRegularisation,
    LevenbergMarquardt,
    check_double,
)
from bptt.training.methods.line_search import LimitedMemory, LineSearch, PolakRibiere
from bptt.training.methods.rules import Adagrad, Adam, GradientDescent, RMSprop, Rule
from bptt.training.methods.schedules import (
    Constant,
    Cosine,
    Exponential,
    Schedule,
    Stepwise,
    WarmUp,
)
from bptt.training.methods.state import Method
from bptt.training.vector import Layout

# Networks with more parameters than this are not trained by normal equations unless asked for;
# with more than these not at all.
FEW_PARAMETERS, MOST_PARAMETERS = 1000, 5000
LARGEST = 1e9
WORDS = ("method", "schedule", "initial", "dtype", "target", "normalise")


@dataclass(frozen=True)
class Options:
    """All that a run depends on beside topology and data; `bptt train --help` says it in words."""

    method: str = "auto"
    open: tuple[str, ...] = ()
    epochs: int = 0
    minutes: float = 0.0
    patience: int = 0
    every: int = 0
    rate: float = 0.0
    momentum: float = 0.9
    schedule: str = "constant"
    warm_up: int = 0
    clip: float = 0.0
    clip_value: float = 0.0
    decay: float = 0.0
    initial: str = "uniform"
    seed: int = 0
    dtype: str = "float64"
    target: str = "numpy"
    split: tuple[float, ...] = (70.0, 15.0, 15.0)
    normalise: str = "minmax"
    window: int = 0
    stride: int = 0
    batch: int = 0
    chunk: int = 0

    def __post_init__(self) -> None:
        for name, choices in (
            ("method", ("auto", *METHODS)),
            ("dtype", ("float32", "float64")),
            ("target", tuple(TARGETS)),
            ("normalise", ("minmax", "standard", "none")),
        ):
            check_choice(getattr(self, name), choices, _option(name))
        for name, value in asdict(self).items():
            kind = str if name in WORDS else tuple if name in ("open", "split") else (int, float)
            if not isinstance(value, kind):
                raise UserError(f"is {shown(value)}", place=_option(name), remedy=_wanted(name))
            if isinstance(value, int | float) and not 0 <= value <= LARGEST:
                raise UserError(
                    f"is {value}",
                    place=_option(name),
                    remedy=f"give a number from 0 to {LARGEST:g}",
                )
        if not (
            len(self.split) in (1, 2, 3)
            and all(isinstance(p, int | float) and 0 <= p <= LARGEST for p in self.split)
        ):
            raise UserError(
                f"is {','.join(map(str, self.split))}",
                place="--split",
                remedy="give parts for training, validation and test: 70,15,15",
            )
        if not self.split[0] > 0:
            raise UserError(
                "leaves nothing to learn from", place="--split", remedy="start with more than 0"
            )
        if self.chunk and self.window:
            raise UserError(
                "stands beside --window",
                place="--chunk",
                remedy="use --window for windows apart, --chunk for states that are carried on",
            )

    @property
    def decides(self) -> dict[str, Any]:
        """What the numbers depend on: everything but how long the run goes on."""
        found = asdict(self)
        for name in ("epochs", "minutes", "patience"):
            del found[name]
        return found

    def initial_by_layer(self) -> str | dict[str, str]:
        """The initialisation: one name, or names by layer (`hidden=he,default=glorot`)."""
        if "=" not in self.initial:
            return self.initial
        found = {}
        for part in self.initial.split(","):
            layer, _, name = part.partition("=")
            found[layer.strip() if name else "default"] = (name or layer).strip()
        return found


METHODS = {
    "lm": "Levenberg-Marquardt",
    "bayes": "Bayesian regularisation",
    "lbfgs": "L-BFGS",
    "cg": "conjugate gradients",
    "hf": "Hessian-free",
    "adam": "Adam (AdamW with --decay)",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "momentum": "gradient descent with momentum",
    "nesterov": "Nesterov's momentum",
    "gd": "gradient descent",
}
WHOLE: dict[str, Callable[[Options], Any]] = {
    "lm": lambda options: LevenbergMarquardt(),
    "bayes": lambda options: BayesianRegularisation(),
    "lbfgs": lambda options: LineSearch(LimitedMemory()),
    "cg": lambda options: LineSearch(PolakRibiere()),
    "hf": lambda options: HessianFree(),
}
RULES: dict[str, tuple[float, Callable[[Options], Rule]]] = {
    "adam": (1e-3, lambda options: Adam(decay=options.decay)),
    "rmsprop": (1e-3, lambda options: RMSprop()),
    "adagrad": (1e-1, lambda options: Adagrad()),
    "momentum": (1e-2, lambda options: GradientDescent(options.momentum)),
    "nesterov": (1e-2, lambda options: GradientDescent(options.momentum, nesterov=True)),
    "gd": (1e-2, lambda options: GradientDescent()),
}
EPOCHS = {"lm": 100, "bayes": 200, "lbfgs": 300, "cg": 300, "hf": 100}
EXTRAS = {"lm": "residuals", "bayes": "residuals", "hf": "gnvp"}


def chosen(options: Options, module: ModuleType) -> str:
    """The name of the method: `auto` is lm for small networks with squared errors, else adam."""
    if options.method != "auto":
        return options.method
    squared = all(about["squares"] for about in module.LOSSES.values())
    few = Layout.of(module).size <= FEW_PARAMETERS
    whole = not options.chunk and not options.batch and options.dtype == "float64"
    return "lm" if squared and few and whole else "adam"


def check(name: str, options: Options, parameters: int) -> None:
    """Refuse what a method would ignore, and networks too large for it."""
    schedule_of(options, 1)
    if name in ("lm", "bayes") and parameters > MOST_PARAMETERS:
        raise UserError(
            f"the network has {parameters} parameters: normal equations would be as wide",
            place="--method",
            remedy="use lbfgs, hf or adam",
        )
    if name in ("lm", "bayes"):
        check_double(np.dtype(options.dtype))
    if options.momentum != Options.momentum and name not in ("momentum", "nesterov"):
        raise UserError(f"{name} has none", place="--momentum", remedy="use momentum or nesterov")
    if options.patience and name == "bayes":
        raise UserError("bayes needs no validation", place="--patience", remedy="leave it out")
    if options.patience and not (len(options.split) > 1 and options.split[1]):
        raise UserError(
            "there is no part for validation", place="--patience", remedy="use --split 70,15,15"
        )
    if options.stride and not options.window:
        raise UserError("there are no windows", place="--stride", remedy="give --window too")
    if name not in WHOLE:
        return
    for option in ("chunk", "batch"):
        if getattr(options, option):
            raise UserError(
                f"{name} looks at all data in every step",
                place=_option(option),
                remedy="leave it out, or use adam",
            )
    for option in ("rate", "schedule", "warm_up", "clip", "clip_value"):
        if getattr(options, option) not in (0, "constant"):
            raise UserError(
                f"{name} finds the length of its steps itself",
                place=_option(option),
                remedy="leave it out, or use adam",
            )
    if options.decay and name in ("lm", "bayes"):
        raise UserError(
            f"{name} takes none",
            place="--decay",
            remedy="use bayes, which finds the decay by itself" if name == "lm" else "leave it out",
        )


def method_of(name: str, options: Options, steps: int) -> Method:
    """The method of that name; `steps` is how many steps the run is meant to have."""
    if name in WHOLE:
        made: Method = WHOLE[name](options)
        return made
    rate, rule = RULES[name]
    return Descent(
        rule(options),
        options.rate or rate,
        schedule_of(options, steps),
        options.clip or None,
        options.clip_value or None,
    )


def epochs_of(name: str, options: Options) -> int:
    """How many epochs: those asked for, or what is customary."""
    return options.epochs or EPOCHS.get(name, 100)


def schedule_of(options: Options, steps: int) -> Schedule:
    """The schedule that a text says: `constant`, `cosine`, `exponential:F`, `step:N:F`.

    `exponential` falls to the factor F by the run's end, `step` by F every N steps.
    """
    kind, *values = options.schedule.split(":")
    left = max(steps - options.warm_up, 1)
    made: Schedule
    match kind, _numbers(values):
        case "constant", []:
            made = Constant()
        case "cosine", []:
            made = Cosine(left)
        case "cosine", [least] if 0 <= least <= 1:
            made = Cosine(left, least)
        case "exponential", [factor] if 0 < factor <= 1:
            made = Exponential(factor, left)
        case "step", [every, factor] if 1 <= every <= LARGEST and 0 < factor <= 1:
            made = Stepwise(factor, int(every))
        case _:
            raise UserError(
                f"{shown(options.schedule)} is no schedule",
                place="--schedule",
                remedy="use constant, cosine, cosine:0.1, exponential:0.01 or step:1000:0.5",
            )
    return WarmUp(options.warm_up, made) if options.warm_up else made


def _numbers(texts: Sequence[str]) -> list[float] | None:
    """The numbers that texts say; None where one of them says none."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _wanted(name: str) -> str:
    kinds = {"open": 'give a tuple of names, ("y",)', "split": "give a tuple, (70, 15, 15)"}
    return kinds.get(name, "give a word" if name in WORDS else "give a number")
