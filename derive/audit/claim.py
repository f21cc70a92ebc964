"""What somebody claims: an equality between expressions about a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bptt.derive.audit.setting import Setting
from bptt.derive.audit.symbols import Spelling
from bptt.derive.language.syntax import Comparison, Node, Reference

Layout = Literal["jacobian", "denominator", "numerator"]
LAYOUTS: tuple[Layout, ...] = ("jacobian", "denominator", "numerator")
Members = tuple[str, ...]


@dataclass(frozen=True)
class Definition:
    """A symbol of the source's own: `delta[t] = total(L, a[t])`."""

    target: Reference
    body: Node


@dataclass(frozen=True)
class Context:
    """What the symbols of a claim mean.

    `axes` are the numbers of axes of steps and of units that the network's quantities have;
    `first` is the number of the first step. Vectors are columns, or `rows`. `sets` are the labels
    that a letter in a name can stand for, `families` the names with such letters, `spellings` how
    the source writes those.
    """

    setting: Setting
    axes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    sets: Mapping[str, Members] = field(default_factory=dict)
    families: tuple[Reference, ...] = ()
    spellings: tuple[Spelling, ...] = ()
    first: int = 1
    rows: bool = False


@dataclass(frozen=True)
class Source:
    """Where a claim stands."""

    book: str = ""
    equation: str = ""
    address: str = ""
    edition: str = ""


@dataclass(frozen=True)
class Claim:
    """`sides[0] = sides[1] = ...`, for all values of its free letters that fulfil `where`.

    What the source leaves open is None: the layout of derivatives of vectors by vectors
    (`jacobian`: element i by element j stands in row i and column j, and a number by a vector is
    shaped as the vector; `denominator`: the transpose; `numerator`: that of a number by a vector
    is a row), whether derivatives that do not say so are total or explicit, and whether the factor
    of a product's lowest number is on its left (`rising`) or on its right (`falling`).
    """

    name: str
    sides: tuple[Node, ...]
    context: Context
    where: tuple[Comparison, ...] = ()
    layout: Layout | None = None
    derivatives: Literal["total", "explicit"] | None = None
    products: Literal["rising", "falling"] | None = None
    source: Source = Source()
    text: str = ""
    is_latex: bool = False
    about: str = ""
    expected: str = ""
    correction: tuple[Node, ...] = ()
    spellings: Mapping[str, Spelling] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)

    def ranks(self, mention: Reference) -> int:
        """How many axes of units a mention of a quantity leaves open."""
        axes = self.context.axes.get(mention.name)
        if axes is None:
            like = re.sub(r"\\{\w+\\}", r"\\w+", re.escape(mention.name))
            axes = next((a for n, a in self.context.axes.items() if re.fullmatch(like, n)), (0, 0))
        steps, units = axes
        return 0 if len(mention.subscripts or ()) == steps + units else units
