"""Pieces of Python source: operators by how tightly they bind, axes, slices, letters."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bptt.derive.errors import UserError

Labels = tuple[str, ...]

COMPARISON, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)


@dataclass(frozen=True)
class Source:
    """Python source, how tightly its outermost operator binds, and what it contracts."""

    code: str
    precedence: int = ATOM
    signature: str = ""

    def within(self, precedence: int) -> str:
        """The source, in parentheses where it binds less tightly than its surroundings."""
        return self.code if self.precedence >= precedence else f"({self.code})"


def number(value: Fraction | float) -> Source:
    """A number as source."""
    if isinstance(value, float):
        return Source(repr(value), ATOM if value >= 0 else UNARY)
    if value.denominator == 1:
        return Source(str(value), ATOM if value >= 0 else UNARY)
    return Source(f"{value.numerator} / {value.denominator}", PRODUCT)


def axes_code(axes: Sequence[int]) -> str:
    """Axes as an argument: `1`, or `(0, 2)`."""
    return str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"


def step_code(step: str, shift: int) -> str:
    """`t`, `t + 2` or `t - 1`."""
    return step if not shift else f"{step} {'+' if shift > 0 else '-'} {abs(shift)}"


def aligned(code: str, labels: Labels, out: Labels) -> str:
    """The source of an array with axes `labels`, made to broadcast over axes `out`."""
    if not labels or labels == out[len(out) - len(labels) :]:
        return code
    wanted = tuple(name for name in out if name in labels)
    if wanted != labels:
        if len(labels) == 2:
            code = f"{code}.T"
        else:
            code = f"{code}.transpose({', '.join(str(labels.index(n)) for n in wanted)})"
    present = [name in wanted for name in out]
    first = present.index(True)
    if all(present[first:]):
        return code
    places = [":" if have else "None" for have in present[first:]]
    return f"{code}[{', '.join(places)}]"


def signature(operands: Sequence[Labels], out: Labels) -> str:
    """An einsum signature, one letter an index."""
    names = list(dict.fromkeys(name for labels in (*operands, out) for name in labels))
    own = {n for n in names if len(n) == 1 and n in string.ascii_letters}
    spare = [c for c in string.ascii_letters if c not in own]
    if len(names) > len(string.ascii_letters):
        raise UserError(
            f"a product of arrays has {len(names)} indices",
            remedy=f"split it: einsum has letters for {len(string.ascii_letters)}",
        )
    letters = {n: n if n in own else spare.pop(0) for n in names}
    left = ",".join("".join(letters[n] for n in labels) for labels in operands)
    return f"{left}->{''.join(letters[n] for n in out)}"
