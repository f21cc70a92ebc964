"""What a typeset formula is made of, before it is LaTeX or MathML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
    *("omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi"),
    "Omega",
)


@dataclass(frozen=True)
class Name:
    """A letter in italics, a Greek letter by its name, or a word upright."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Digits:
    text: str


@dataclass(frozen=True)
class Mark:
    """An operator, a relation or a sign of punctuation: `+`, `⊙`, `≤`, `,`."""

    text: str


@dataclass(frozen=True)
class Row:
    items: tuple[Box, ...]


@dataclass(frozen=True)
class Script:
    """A base with what stands below and above it to the right."""

    base: Box
    below: Box | None = None
    above: Box | None = None


@dataclass(frozen=True)
class Fraction:
    top: Box
    bottom: Box


@dataclass(frozen=True)
class Fence:
    """Something in parentheses, brackets or bars."""

    inner: Box
    kind: Literal["(", "[", "|", "{", "‖"] = "("


@dataclass(frozen=True)
class Root:
    inner: Box


@dataclass(frozen=True)
class Dotted:
    """A symbol with a dot above it, or with another accent."""

    inner: Box
    accent: Literal["dot", "hat", "tilde", "bar"] = "dot"


@dataclass(frozen=True)
class BigSum:
    """A summation sign, or one of a product or a maximum, with its limits."""

    below: Box
    above: Box | None = None
    sign: Literal["∑", "∏", "max"] = "∑"


@dataclass(frozen=True)
class Gap:
    """The thin space between factors."""


Box = Name | Digits | Mark | Row | Script | Fraction | Fence | Root | Dotted | BigSum | Gap


def row(*items: Box) -> Box:
    """Boxes side by side; rows within are taken apart."""
    flat: list[Box] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Row) else (item,))
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def listed(items: Iterable[Box], mark: str = ",") -> Box:
    """Boxes with commas between them."""
    found: list[Box] = []
    for item in items:
        found += [Mark(mark), item] if found else [item]
    return row(*found)


def has_superscript(box: Box) -> bool:
    """Whether something above to the right would be a second one."""
    if isinstance(box, Row) and box.items:
        return has_superscript(box.items[-1])
    return isinstance(box, Script) and box.above is not None


def is_tall(box: Box | None) -> bool:
    """Whether parentheses around a box should be taller than the text."""
    match box:
        case Fraction() | BigSum() | Root():
            return True
        case Row(items):
            return any(map(is_tall, items))
        case Script(inner) | Fence(inner) | Dotted(inner):
            return is_tall(inner)
        case _:
            return False


# Scripts are set smaller, and without spaces around their operators.
SCRIPT = 0.72


def width(box: Box | None, script: bool = False) -> float:
    """The width of a box in quads, roughly, and rather too much than too little."""
    match box:
        case None:
            return 0
        case Name(text, bold):
            return (0.6 if text in GREEK or len(text) <= 2 else 0.5 * len(text)) + 0.06 * bold
        case Digits(text):
            return 0.5 * len(text)
        case Mark(text):
            return 0.3 if text in ",()[]" else 0.8 if script else 1.25
        case Row(items):
            return sum(width(item, script) for item in items)
        case Script(base, below, above):
            return width(base, script) + SCRIPT * max(width(below, True), width(above, True)) + 0.05
        case Fraction(top, bottom):
            return max(width(top, script), width(bottom, script)) + 0.25
        case Fence(inner):
            return width(inner, script) + 0.9
        case Root(inner) | Dotted(inner):
            return width(inner, script) + 0.9
        case BigSum(below, above):
            return max(1.45, SCRIPT * width(below, True), SCRIPT * width(above, True)) + 0.17
        case Gap():
            return 0.17
