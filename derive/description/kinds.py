"""The kinds of losses: those that ship with the project, and what must hold of any."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from bptt.derive.description.network import (
    ACTIVATIONS,
    STEPS,
    LossKind,
    LossSpec,
    Network,
    check_name,
)
from bptt.derive.errors import UserError, check_choice, shown

OVER = ("mean", "sum")


@cache
def shipped_losses() -> Mapping[str, LossKind]:
    """The losses that ship with the project, by name."""
    text = files("bptt.derive.description").joinpath("losses.toml").read_text(encoding="utf-8")
    return {name: LossKind(name, **entry) for name, entry in tomllib.loads(text).items()}


def check_kinds(kinds: Mapping[str, LossKind]) -> None:
    """Refuse what is no kind of a loss; the formulas are read where the losses are built."""
    for name, kind in kinds.items():
        place = f"losses.{name}"[:80]
        check_name(name, "a loss", place)
        if name in shipped_losses():
            raise UserError("the loss ships with bptt", place=place, remedy="use another name")
        fault = "does not say how steps are brought together"
        check_choice(kind.over, OVER, f"{place}.over", fault=fault)
        if kind.activation:
            check_choice(kind.activation, ACTIVATIONS, f"{place}.activation", "the activation")
        for number in kind.numbers:
            check_name(number, "a number", f"{place}.numbers")


def check_losses(network: Network) -> None:
    """Refuse losses that are not known, and settings that say nothing."""
    if not network.losses:
        raise UserError(
            "the network has no loss",
            place="loss",
            remedy='judge an output, for example  [loss]  y = "mse"',
        )
    kinds = {**shipped_losses(), **network.kinds}
    seen: dict[str, LossSpec] = {}
    for loss in network.losses:
        place = f"loss.{loss.output}"
        check_choice(loss.kind, kinds, place, "the loss")
        other = seen.setdefault(loss.output, loss)
        if other is not loss:
            _check_pair(other, loss, place)
        check_choice(loss.steps, STEPS, f"{place}.steps", fault="does not say which steps count")
        if loss.mask is not None and loss.steps != "all":
            raise UserError("both a mask and steps", place=place, remedy="keep one of the two")
        _check_numbers(loss, kinds[loss.kind], place)


def _check_pair(first: LossSpec, second: LossSpec, place: str) -> None:
    """Refuse two losses of one output that are the same, or judge other steps."""
    if first.kind == second.kind:
        raise UserError(
            f"the output has two losses of the kind {first.kind}",
            place=place,
            remedy="give it one, with the sum of their weights",
        )
    if (first.steps, first.mask) != (second.steps, second.mask):
        raise UserError(
            "the losses of the output judge different steps",
            place=place,
            remedy="judge the same, or let another signal copy the output",
        )


def _check_numbers(loss: LossSpec, kind: LossKind, place: str) -> None:
    for name in loss.numbers:
        if name not in kind.numbers:
            raise UserError(
                f"{name} is no number of {kind.name}",
                place=place,
                remedy=f"known are {', '.join(kind.numbers)}" if kind.numbers else "leave it out",
            )
    given = {**kind.numbers, **loss.numbers}
    for key, value in (("weight", loss.weight), *given.items()):
        is_own = kind.name in shipped_losses() and key != "weight"
        is_near = math.isfinite(value) and abs(value) < 1e9
        if not is_near or (key == "weight" and abs(value) < 1e-9) or (is_own and value < 1e-9):
            remedy = "use one above 0" if is_own else "use a number that is not 0"
            raise UserError(
                f"{shown(value)} is out of range", place=f"{place}.{key}", remedy=remedy
            )
