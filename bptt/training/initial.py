"""Initial parameters, by layer and seeded, for any generated module.

For each matrix, with n its incoming weights to a unit and m its outgoing ones; biases are zero
unless said otherwise:

    uniform         within ±1/sqrt(n)
    glorot          within ±sqrt(6 / (n + m))         Glorot and Bengio 2010, (16)
    he              normal, variance 2/n              He et al. 2015, (10)
    orthogonal      Q of a random matrix              Saxe, McClelland and Ganguli 2014
    nguyen_widrow   see `_nguyen_widrow`              Nguyen and Widrow 1990
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.training.vector import Arrays

Group = tuple[str, ...]
Maker = Callable[[np.random.Generator, dict[str, tuple[int, ...]], set[str]], Arrays]


def initial_parameters(
    module: ModuleType,
    method: str | Mapping[str, str] = "uniform",
    seed: int = 0,
    dtype: Any = np.float64,
) -> Arrays:
    """Parameters of a generated module.

    `method` is one name for all layers, or names by layer with "default" for the others (uniform
    unless given). Biases, which are zero in the module's own `initial_parameters`, stay zero but
    for nguyen_widrow. Raises UserError for a layer or a method that does not exist.
    """
    named = {"default": method} if isinstance(method, str) else dict(method)
    for layer, name in named.items():
        if name not in METHODS:
            raise UserError(
                f"{shown(name)} is no initialisation{did_you_mean(name, METHODS)}",
                place="--initial",
                remedy=f"use {', '.join(METHODS)}",
            )
        if layer != "default" and layer not in module.LAYERS:
            raise UserError(
                f"there is no layer {shown(layer)}{did_you_mean(layer, module.LAYERS)}",
                place="--initial",
                remedy=f"name one of {', '.join(module.LAYERS)}",
            )
    start = module.initial_parameters(seed)
    biases = {name for name, array in start.items() if not np.any(array)}
    found: Arrays = dict(start)
    for number, (layer, groups) in enumerate(module.LAYERS.items()):
        make = METHODS[named.get(layer, named.get("default", "uniform"))]
        for place, group in enumerate(groups):
            rng = np.random.default_rng([seed, number, place])
            shapes = {name: module.PARAMETERS[name] for name in group}
            found |= make(rng, shapes, biases)
    return {name: found[name].astype(dtype) for name in module.PARAMETERS}


def _by_weight(
    make: Callable[[np.random.Generator, tuple[int, ...]], Any],
) -> Maker:
    """A method that looks at one array at a time."""

    def made(
        rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], biases: set[str]
    ) -> Arrays:
        return {
            name: np.zeros(shape) if name in biases else make(rng, shape)
            for name, shape in shapes.items()
        }

    return made


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Incoming and outgoing weights: the last axis is summed over, the others are units."""
    incoming = shape[-1] if shape else 1
    return incoming, int(np.prod(shape[:-1])) if len(shape) > 1 else 1


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    bound = 1 / np.sqrt(_fans(shape)[0])
    return rng.uniform(-bound, bound, shape)


def _glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    bound = np.sqrt(6 / sum(_fans(shape)))
    return rng.uniform(-bound, bound, shape)


def _he(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.standard_normal(shape) * np.sqrt(2 / _fans(shape)[0])


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Orthonormal rows, or columns where there are fewer of them; vectors are uniform."""
    if len(shape) < 2:
        return _uniform(rng, shape)
    units, incoming = int(np.prod(shape[:-1])), shape[-1]
    tall = rng.standard_normal((max(units, incoming), min(units, incoming)))
    q, r = np.linalg.qr(tall)
    # Signs that make the distribution uniform over orthogonal matrices (Mezzadri 2007).
    q = q * np.sign(np.diag(r))
    return (q if units >= incoming else q.T).reshape(shape)


def _nguyen_widrow(
    rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], biases: set[str]
) -> Arrays:
    """The active regions of a layer's units, spread over inputs within ±1.

    The incoming weights of each unit, of all connections together, are a random direction of
    length 0.7 S^(1/R), for S units with R inputs; its bias is uniform within that length.
    """
    matrices = {n: s for n, s in shapes.items() if n not in biases and len(s) >= 2}
    found = _by_weight(_uniform)(rng, shapes, biases)
    if not matrices:
        return found
    units = max(int(np.prod(s[:-1])) for s in matrices.values())
    inputs = sum(s[-1] for s in matrices.values())
    length = 0.7 * units ** (1 / inputs)
    rows = {n: rng.uniform(-1, 1, s) for n, s in matrices.items()}
    alike = len({s[:-1] for s in matrices.values()}) == 1
    norms = np.sqrt(sum((a**2).sum(-1, keepdims=True) for a in rows.values())) if alike else None
    for name, array in rows.items():
        own = norms if norms is not None else np.sqrt((array**2).sum(-1, keepdims=True))
        found[name] = length * array / own
    for name in shapes:
        if name in biases:
            found[name] = rng.uniform(-length, length, shapes[name])
    return found


METHODS: dict[str, Maker] = {
    "uniform": _by_weight(_uniform),
    "glorot": _by_weight(_glorot),
    "he": _by_weight(_he),
    "orthogonal": _by_weight(_orthogonal),
    "nguyen_widrow": _nguyen_widrow,
}
