"""The reductions: how the summands of a term become one value.

A sum is linear: the derivative of a term is that of its summands. Every other reduction gives a
summand z a weight in its value y, which is the explicit derivative of y by z: exp(z - y) in a
logarithm of a sum of exponentials. Where several summands may attain a maximum they share its
weight evenly, which is a subgradient: [z = y] / ties, with `ties` the number of them.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from bptt.derive.calculus.primitives import is_zero

Number = complex


@dataclass(frozen=True)
class Fold:
    """A number that a loop over the summands x makes: where it starts, and what each makes of it.

    The text is what C and its kin have in common, with primitive functions behind an @; the numbers
    of folds before this one go by their names. In the end it is `settled`, where that says how.
    """

    name: str
    start: str
    update: str
    settled: str = ""


@dataclass(frozen=True)
class Reduction:
    """A reduction: all that any stage knows of it.

    `scalar` reduces the numbers of a list, from its definition, and `array` an array over axes,
    where a condition holds; over nothing both are zero. `weight(z, y)` is the explicit derivative
    of the value y by a summand z, with `shared` divided by its sum over all summands. It is
    written `outer(big inner(z))`: log(sum exp(z)). A value without a
    name has the symbol `symbol`. A loop makes the numbers of `folds`, of which `result` is the
    value.
    """

    name: str
    big: str
    scalar: Callable[[Sequence[Number]], Number]
    array: Callable[..., Any]
    weight: Callable[[sp.Expr, sp.Expr], sp.Expr] | None = None
    shared: bool = False
    convex: bool = True
    analytic: bool = True
    outer: str = ""
    inner: str = ""
    symbol: str = ""
    folds: tuple[Fold, ...] = ()
    result: str = ""

    @property
    def is_linear(self) -> bool:
        """Whether the derivative of its value is the sum of its summands' derivatives."""
        return self.weight is None

    @property
    def source(self) -> str:
        """What modules call."""
        return f"_{self.name}"


def _sum_of(summands: Sequence[Number]) -> Number:
    return sum(summands, 0j)


def _logsumexp_of(summands: Sequence[Number]) -> Number:
    if not summands:
        return 0j
    top = max(s.real for s in summands)
    return top + cmath.log(sum(cmath.exp(s - top) for s in summands))


def _max_of(summands: Sequence[Number]) -> Number:
    if not summands:
        return 0j
    top = max(s.real for s in summands)
    moved = [s.imag for s in summands if s.real == top]
    return complex(top, sum(moved) / len(moved))


# The reductions of arrays, as generated modules carry them: they need NumPy alone.


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)


def _max(x, axis, where=True):
    """The greatest x where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    found = np.where(top == -np.inf, 0, top).astype(x.dtype)
    if np.iscomplexobj(x):
        tied = where & (x.real == top)
        found += 1j * np.where(tied, x.imag, 0).sum(axis, keepdims=True)
        found.imag /= np.maximum(tied.sum(axis, keepdims=True), 1)
    return found.squeeze(axis)


SUM = Reduction("sum", "sum", _sum_of, np.sum)
LOGSUMEXP = Reduction(
    "logsumexp",
    "sum",
    _logsumexp_of,
    _logsumexp,
    weight=lambda z, y: sp.exp(z - y),
    outer="log",
    inner="exp",
    symbol="lse",
    folds=(
        Fold("top", "-@infinity()", "@greater(top, x)", "top - top == 0 ? top : 0"),
        Fold("total", "0", "total + @exp(x - top)"),
    ),
    result="total == 0 ? top : @log(total) + top",
)
MAX = Reduction(
    "max",
    "max",
    _max_of,
    _max,
    weight=lambda z, y: is_zero(z - y),
    shared=True,
    analytic=False,
    symbol="top",
    folds=(Fold("top", "-@infinity()", "@greater(top, x)"),),
    result="top == -@infinity() ? 0 : top",
)

# Those that have a weight, by the names that they are written by.
REDUCTIONS = {r.name: r for r in (LOGSUMEXP, MAX)}
# The words that stand before letters, for what is reduced over them: sum_j, max_j.
BIG = tuple(dict.fromkeys(r.big for r in (SUM, *REDUCTIONS.values())))
