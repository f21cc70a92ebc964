"""Normalisation: what a network sees and gives, and the units of the data.

scaled = (value - centre) / spread, for each unit of a signal
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bptt.derive.errors import UserError

# Beyond this squares overflow.
LARGEST = 1e150


@dataclass(frozen=True)
class Scale:
    """The centre and spread of each unit of a signal, (width,)."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def scaled(self, values: Any) -> Any:
        """Values in the network's units."""
        return (values - np.array(self.centre)) / np.array(self.spread)

    def original(self, values: Any) -> Any:
        """Values in the units of the data."""
        return values * np.array(self.spread) + np.array(self.centre)

    def as_json(self) -> dict[str, list[float]]:
        return {"centre": list(self.centre), "spread": list(self.spread)}


def fitted(name: str, values: Any, kind: str) -> Scale:
    """The scale of a signal by its values, (..., width).

    `minmax` takes the least and the greatest value to ±1 (MATLAB's mapminmax), `standard` the mean
    to 0 and the standard deviation to 1 (mapstd). Raises UserError for a signal that is constant.
    """
    rows = np.asarray(values, float).reshape(-1, np.shape(values)[-1])
    low, high = rows.min(0), rows.max(0)
    if not (np.abs(rows).max() < LARGEST):
        raise UserError(
            f"{name!r} reaches {np.abs(rows).max():g}", remedy=f"use numbers within {LARGEST:g}"
        )
    if kind == "none":
        return Scale((0.0,) * len(low), (1.0,) * len(low))
    for unit in np.flatnonzero(low == high):
        which = f"unit {unit} of {name!r}" if len(low) > 1 else repr(name)
        raise UserError(
            f"{which} has the same value, {low[unit]:g}, at every step to learn from",
            remedy="leave it out, use more data, or --normalise none",
        )
    if kind == "minmax":
        # Halves first: the sum of two large numbers might overflow.
        return Scale(tuple((low / 2 + high / 2).tolist()), tuple((high / 2 - low / 2).tolist()))
    return Scale(tuple(rows.mean(0).tolist()), tuple(rows.std(0).tolist()))


def scale_of(entry: Mapping[str, Any]) -> Scale:
    """A scale from what `as_json` wrote."""
    return Scale(tuple(map(float, entry["centre"])), tuple(map(float, entry["spread"])))
