"""Affine conditions on indices: what is left of a range when a Kronecker delta is contracted.

A condition is an affine expression in indices and sizes that must be >= 0 (a bound) or == 0 (an
equality). Index ranges are boxes; sizes are positive integers. This one mechanism carries the
first and last steps, the blocks of a concatenation, and a read at one fixed step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import sympy as sp

AxisKind = Literal["time", "batch", "feature", "delay"]
STEPS: tuple[AxisKind, ...] = ("time", "delay")
# How many answers about expressions are kept: the same few conditions are asked about everywhere.
MOST_KEPT = 100_000


@dataclass(frozen=True)
class Index:
    """An index symbol with its inclusive range `low <= symbol <= high`, and what it runs over."""

    symbol: sp.Symbol
    low: sp.Expr
    high: sp.Expr
    kind: AxisKind = "feature"

    @property
    def is_step(self) -> bool:
        """Whether it runs along steps, or along values outside them."""
        return self.kind in STEPS

    @cached_property
    def length(self) -> sp.Expr:
        return self.high - self.low + 1


@lru_cache(maxsize=MOST_KEPT)
def expanded(expr: sp.Expr) -> sp.Expr:
    """An expression multiplied out."""
    return sp.expand(expr)


@lru_cache(maxsize=MOST_KEPT)
def coefficients(expr: sp.Expr) -> Mapping[sp.Expr, sp.Expr]:
    """An affine expression as {symbol: coefficient}, its constant under `1`."""
    found = expanded(expr).as_coefficients_dict()
    # Whole numbers of Python are added and compared faster, and are what nearly all are.
    return {symbol: int(c) if c.is_Integer else c for symbol, c in found.items()}


def coefficient(expr: sp.Expr, symbol: sp.Expr) -> sp.Expr:
    """How often an affine expression holds a symbol."""
    return coefficients(expr).get(symbol, 0)


def minimum(expr: sp.Expr, box: Iterable[Index]) -> sp.Expr:
    """The least value of an affine expression over a box of index ranges."""
    return sp.Add(*(c * symbol for symbol, c in least(expr, box).items()))


def least(expr: sp.Expr, box: Iterable[Index]) -> Mapping[sp.Expr, sp.Expr]:
    """The coefficients of the least value of an affine expression over a box."""
    found = dict(coefficients(expr))
    for index in box:
        c = found.pop(index.symbol, 0)
        if c != 0:
            for symbol, count in coefficients(index.low if c > 0 else index.high).items():
                found[symbol] = found.get(symbol, 0) + c * count
    return found


def is_nonnegative(expr: sp.Expr) -> bool:
    """Whether an affine expression in sizes is >= 0 whenever every size is at its least or more.

    A size is 1 at least, unless its symbol may be zero.
    """
    return _is_nonnegative(coefficients(expr))


def _is_nonnegative(found: Mapping[sp.Expr, sp.Expr]) -> bool:
    total = 0
    for symbol, c in found.items():
        if symbol != 1 and c < 0:
            return False
        if symbol == 1 or symbol.is_positive:
            total += c
    return bool(total >= 0)


def always_holds(bound: sp.Expr, box: Iterable[Index]) -> bool:
    """Whether `bound >= 0` at every point of the box, for every choice of sizes >= 1."""
    return _is_nonnegative(least(bound, box))


def prune(bounds: Iterable[sp.Expr], box: Iterable[Index]) -> tuple[sp.Expr, ...]:
    """The bounds that do not always hold over the box, each once, in a canonical order."""
    box = tuple(box)
    kept = {b for b in map(expanded, bounds) if not always_holds(b, box)}
    if len(kept) < 2:
        return tuple(kept)
    tight = {b for b in kept if not any(o != b and is_nonnegative_constant(b - o) for o in kept)}
    return tuple(sorted(tight, key=sp.default_sort_key))


def is_nonnegative_constant(expr: sp.Expr) -> bool:
    return bool(expr.is_Number and expr >= 0)


def limits(
    index: Index, bounds: Iterable[sp.Expr], equals: Iterable[sp.Expr] = ()
) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """All lower and all upper limits of one index: its range, and the conditions on it alone.

    The effective range is from the greatest of the first to the least of the second.
    """
    lows, highs = [index.low], [index.high]
    for bound in bounds:
        c = coefficient(bound, index.symbol)
        rest = bound - c * index.symbol
        if c == 1:
            lows.append(-rest)
        elif c == -1:
            highs.append(rest)
    for equal in equals:
        c = coefficient(equal, index.symbol)
        if abs(c) == 1:
            at = -(equal - c * index.symbol) / c
            lows.append(at)
            highs.append(at)
    return _undominated(lows, greatest=True), _undominated(highs, greatest=False)


def _undominated(values: list[sp.Expr], *, greatest: bool) -> list[sp.Expr]:
    kept: list[sp.Expr] = []
    for value in dict.fromkeys(map(expanded, values)):
        sign = 1 if greatest else -1
        if any(is_nonnegative(sign * (other - value)) for other in kept):
            continue
        kept = [o for o in kept if not is_nonnegative(sign * (value - o))]
        kept.append(value)
    return kept


def substitute(exprs: Iterable[sp.Expr], mapping: Mapping[sp.Expr, sp.Expr]) -> tuple[sp.Expr, ...]:
    return tuple(expanded(e.xreplace(dict(mapping))) for e in exprs)
