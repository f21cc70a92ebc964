"""Numbers to judge by: examples, derivatives that nobody derived, relative errors."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bptt.codegen.boundaries import boundary_values
from bptt.codegen.emit import module_source
from bptt.derive import System, adjoint, interpret

Arrays = dict[str, Any]


def load_module(source: str, name: str = "generated_network") -> types.ModuleType:
    """A module from its source, without a file."""
    module = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def module_of(system: System) -> types.ModuleType:
    return load_module(module_source(adjoint(system)), system.name)


class Example:
    """Random arguments for a generated module, and the same for the interpreter."""

    def __init__(
        self, module: types.ModuleType, seed: int, steps: int, batch: int, scale: float = 0.5
    ) -> None:
        rng = np.random.default_rng(seed)
        self.steps, self.batch = steps, batch
        self.parameters = {n: scale * rng.standard_normal(s) for n, s in module.PARAMETERS.items()}
        sizes = {"B": batch, **{name: steps + n for n, name in enumerate(module.LENGTHS)}}
        # The number of steps, for a module whose inputs do not say it.
        given = {size for shape in module.INPUTS.values() for size in shape}
        self.free = {} if "T" in given else {"steps": steps}
        self.lengths = {name: sizes[name] for name in module.LENGTHS}

        def shaped(shapes: Arrays) -> Arrays:
            return {n: tuple(sizes.get(k, k) for k in shape) for n, shape in shapes.items()}

        self.inputs = {n: rng.standard_normal(s) for n, s in shaped(module.INPUTS).items()}
        for name in module.MASKS:
            self.inputs[name] = (rng.random(self.inputs[name].shape) < 0.7).astype(float)
            self.inputs[name].flat[0] = 1.0
        self.initial = {n: rng.standard_normal(s) for n, s in shaped(module.INITIAL).items()}
        self.targets: Arrays = {}
        self.rows: Arrays = {}
        for name, shape in shaped(module.TARGETS).items():
            if name in module.CLASSES:
                self.targets[name] = rng.integers(shape[-1], size=shape[:-1])
                self.rows[name] = np.eye(shape[-1])[self.targets[name]]
            else:
                self.targets[name] = rng.standard_normal(shape)
                self.rows[name] = self.targets[name]
        self.weights = {n: rng.uniform(0.1, 1.0, s) for n, s in shaped(module.WEIGHTED).items()}

    @property
    def arguments(self) -> tuple[Arrays, ...]:
        return self.parameters, self.inputs, self.targets, self.initial, self.weights

    def array(self, gradient: str) -> tuple[Arrays, str]:
        """The dict and the key of what a gradient is about."""
        key = gradient.removeprefix("initial_")
        if gradient.startswith("initial_") and key in self.initial:
            return self.initial, key
        return (self.parameters if gradient in self.parameters else self.inputs), gradient

    def interpreted(self, system: System) -> Arrays:
        """The values of all quantities, by the reference interpreter."""
        return interpret(system, **self.known(system))

    def known(self, system: System) -> Arrays:
        """What the interpreter is given."""
        arrays = {**self.parameters, **self.inputs}
        for loss in system.losses:
            arrays[loss.target] = self.rows[loss.output]
            if loss.output in self.weights:
                arrays[loss.weights] = self.weights[loss.output]
        sides: dict[str, Arrays] = {"initial": {}, "after": {}}
        for boundary in boundary_values(system):
            sides[boundary.side][boundary.quantity] = self.initial[boundary.key]
        return {
            "arrays": arrays,
            "steps": self.steps,
            "batch": self.batch,
            "lengths": self.lengths,
            "initial": sides["initial"],
            "after": sides["after"],
        }


def derivative(
    module: types.ModuleType, example: Example, name: str, method: str, near: Any = None
) -> Any:
    """The derivative of the module's loss by one array, element by element.

    By "complex" step, or by "central" differences at several widths, of which the one closest
    to `near` counts: across a kink a difference says nothing, and a narrow one crosses fewer.
    """
    group, key = example.array(name)
    start = np.asarray(group[key])
    found = np.empty(start.shape)

    def loss(place: tuple[int, ...], step: complex) -> Any:
        moved = np.array(start, dtype=complex if isinstance(step, complex) else float)
        moved[place] += step
        group[key] = moved
        try:
            return module.loss(*example.arguments)
        finally:
            group[key] = start

    places = list(np.ndindex(start.shape))
    if method == "central":
        # Slow, and a second opinion: a few elements of each array, the others as given.
        found[...] = near
        places = places[:: max(1, len(places) // 6)]
    for place in places:
        if method == "complex":
            found[place] = loss(place, 1e-30j).imag / 1e-30
        else:
            found[place] = min(_differences(loss, place), key=lambda v: abs(v - near[place]))
    return found


def _differences(
    loss: Callable[[tuple[int, ...], complex], Any], place: tuple[int, ...]
) -> Iterator[Any]:
    for h in (1e-3, 1e-4):
        near, far = (loss(place, k * h) - loss(place, -k * h) for k in (1, 2))
        yield (8 * near - far) / (12 * h)
    for h in (1e-5, 1e-6):
        yield (loss(place, h) - loss(place, -h)) / (2 * h)


def relative(ours: Any, theirs: Any, floor: float = 0.0) -> float:
    """max|a - b| / max|b|, on a scale of at least `floor`."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    scale = max(floor, float(np.abs(theirs).max(initial=0.0)))
    error = float(np.abs(ours - theirs).max(initial=0.0))
    return error / scale if scale else error
