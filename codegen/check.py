"""The check of a generated module: its values and its gradients, against independent judges.

Signals and losses are compared with the reference interpreter; gradients with derivatives of the
module's own loss that nobody derived (complex step, or central differences where a function has
a kink), by the test that is emitted beside the module.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bptt.codegen.boundaries import boundary_values
from bptt.codegen.emit import module_source, source_of_test
from bptt.codegen.extras import Extended
from bptt.codegen.targets import files_of
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.system import System
from bptt.derive.errors import InternalError, UserError
from bptt.derive.interpreter import interpret

VALUE_TOLERANCE = 1e-10
EXTRA_TOLERANCE = 1e-10
MAX_INTERPRETED = 300_000


@dataclass(frozen=True)
class Result:
    """One comparison: of what, with its worst relative error, by which method."""

    name: str
    about: str
    error: float
    tolerance: float
    method: str

    @property
    def passed(self) -> bool:
        return bool(self.error <= self.tolerance)


class ModuleFailureError(Exception):
    """The module under test cannot be run at all."""


def check(
    system: System,
    source: str | None = None,
    extras: Iterable[str] = (),
    *,
    folder: Path | None = None,
) -> list[Result]:
    """Compare a module with its judges. Without `source`, the module is generated.

    `extras` are names of `bptt.codegen.extras.EXTRAS` that the module has and are compared too. In
    the `folder` stand the files that the module needs beside it.

    Raises ModuleFailureError when the module that is given does not load, stops with an exception
    or returns something else than arrays of the network's shapes; UserError where the network's
    values overflow, so that there is nothing to compare.
    """
    derived, extras = adjoint(system), tuple(extras)
    if source is not None:
        return _compared(derived, source, extras, folder)
    try:
        return _compared(derived, module_source(derived, extras), extras)
    except ModuleFailureError as error:
        raise InternalError(
            f"the module that is generated for {system.name} fails: {error}"
        ) from error


def check_target(extended: Extended, target: str = "numpy") -> list[Result]:
    """Compare the module that is generated for a target with its judges, extras included."""
    system = extended.base
    files = files_of(extended, target)
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        return _compared(system, files[f"{system.name}.py"], extended.names, Path(folder))


def _compared(
    system: System, source: str, extras: Sequence[str], folder: Path | None = None
) -> list[Result]:
    """The comparison of a module with a system that holds its own adjoint."""
    primal = system.primal
    with under_test():
        module = loaded(source, system.name, folder)
    for name, quantities in (
        ("PARAMETERS", primal.of_role("parameter")),
        ("INPUTS", primal.of_role("input")),
    ):
        if set(getattr(module, name, ())) != {q.name for q in quantities}:
            raise ModuleFailureError(f"its {name} are not those of {system.name}")
    with importable(module), np.errstate(all="ignore"):
        test = loaded(source_of_test(system, extras), f"test_{system.name}")
        results = _values(system, module, test)
        with under_test():
            errors = test.worst_errors()
        if not np.isfinite(list(errors.values())).all():
            _check_range(system, module, test)
        with under_test():
            others = test.extra_errors() if extras else {}
    method = "complex step" if primal.is_analytic else "central differences"
    results += [
        Result(name, "gradient", error, test.TOLERANCE, method) for name, error in errors.items()
    ]
    results += [
        Result(name, "extra", error, EXTRA_TOLERANCE, "complex step, or another way")
        for name, error in others.items()
    ]
    return results


@contextmanager
def under_test() -> Iterator[None]:
    """Whatever a module stops with when it is run, and what its test cannot compute with, is its
    own failure: it may be any program."""
    try:
        yield
    except Exception as error:
        raise ModuleFailureError(f"{type(error).__name__}: {error}") from error


def _values(system: System, module: types.ModuleType, test: types.ModuleType) -> list[Result]:
    """Signals and losses against the interpreter, on one small example."""
    elements = _elements(system)
    if elements > MAX_INTERPRETED:
        return []
    steps, batch = (2, 1) if elements > MAX_INTERPRETED // 100 else (3, 2)
    with under_test():
        example = test.example(0, steps, batch)
        parameters, inputs, targets, initial, weights = example
        free = {"steps": steps} if "steps" in inspect.signature(module.forward).parameters else {}
        found = dict(module.forward(parameters, inputs, initial, **free))
        found["loss"] = module.loss(parameters, inputs, targets, initial, weights)
        found = {name: np.asarray(value) for name, value in found.items()}
    expected = _interpreted(system.primal, module, example, steps, batch)
    results = []
    for name, value in found.items():
        right = expected.get(name)
        if right is None or value.shape != right.shape or value.dtype.kind != "f":
            raise ModuleFailureError(
                f"{name!r} is of {value.dtype} and shape {value.shape}, where "
                + ("there is no such signal" if right is None else f"its shape is {right.shape}")
            )
        error = float(np.abs(value - right).max()) / (1.0 + float(np.abs(right).max()))
        about = "loss" if name == "loss" else "signal"
        error = error if np.isfinite(error) else np.inf
        results.append(Result(name, about, error, VALUE_TOLERANCE, "reference interpreter"))
    return results


def _elements(system: System) -> int:
    """How many numbers the parameters hold, and the signals at one step of one sequence."""
    return system.parameter_count + sum(map(system.elements, system.of_role("signal")))


def _check_range(system: System, module: types.ModuleType, test: types.ModuleType) -> None:
    """Refuse a network whose values or gradients overflow, in one of the cases of its test."""
    elements = _elements(system)
    for seed, steps, batch in test.cases():
        if elements * steps * batch <= MAX_INTERPRETED // 10:
            _interpreted(system, module, test.example(seed, steps, batch), steps, batch)


def _interpreted(
    system: System, module: types.ModuleType, example: tuple[Any, ...], steps: int, batch: int
) -> dict[str, Any]:
    """The interpreter's values. Raises UserError where they leave the range of numbers."""
    parameters, inputs, targets, initial, weights = example
    arrays = {**parameters, **inputs}
    for loss in system.losses:
        target = targets[loss.output]
        is_class = target.dtype.kind == "i"
        width = module.TARGETS[loss.output][-1]
        arrays[loss.target] = np.eye(width)[target] if is_class else target
        if loss.output in weights:
            arrays[loss.weights] = weights[loss.output]
    sides: dict[str, dict[str, Any]] = {"initial": {}, "after": {}}
    for boundary in boundary_values(system):
        sides[boundary.side][boundary.quantity] = initial[boundary.key]
    remedy = "keep powers, exponentials and divisors in range: scale what they are applied to"
    try:
        values = interpret(
            system,
            arrays,
            steps=steps,
            batch=batch,
            lengths={name: steps + n for n, name in enumerate(module.LENGTHS)},
            initial=sides["initial"],
            after=sides["after"],
        )
    except ArithmeticError as error:
        raise UserError(
            f"overflow: a value of the network leaves the range of numbers ({error})", remedy=remedy
        ) from None
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise UserError(f"overflow: {name!r} leaves the range of numbers", remedy=remedy)
    return values


def loaded(source: str, name: str, folder: Path | None = None) -> types.ModuleType:
    """A module that is made of a source, as if it stood in a folder."""
    module = types.ModuleType(name)
    module.__file__ = str((folder or Path()) / f"{name}.py")
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module


@contextmanager
def importable(module: types.ModuleType) -> Iterator[None]:
    """Let the emitted test import the module by its name."""
    name = module.__name__
    old = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        if old is None:
            del sys.modules[name]
        else:
            sys.modules[name] = old
