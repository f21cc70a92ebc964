"""The parameters of a generated module as one vector."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.floating]
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """The shapes of parameters by name, in the order in which they stand in the vector."""

    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, module: ModuleType) -> Layout:
        """The layout of a generated module: the order of its PARAMETERS."""
        return cls(dict(module.PARAMETERS))

    @property
    def size(self) -> int:
        """How many numbers the parameters are."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def vector(self, arrays: Arrays) -> Vector:
        """Arrays by name, one behind the other."""
        return np.concatenate([np.ravel(arrays[name]) for name in self.shapes])

    def arrays(self, vector: Vector) -> Arrays:
        """The arrays in a vector, by name; they are views."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            found[name] = vector[start:stop].reshape(shape)
            start = stop
        return found
