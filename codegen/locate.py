"""Where a module that was changed leaves what was generated: its first wrong equation.

Both modules compute the same numbers, side by side, and what their functions hold is compared in
the order in which it is computed. The first sequences are of one step, then of two, ...: at the
first length at which anything differs, all that earlier steps have computed is right.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bptt.codegen.check import importable, loaded, under_test
from bptt.codegen.emit import source_of, source_of_test
from bptt.codegen.extras import Extended
from bptt.codegen.places import places
from bptt.derive.calculus.system import System

TOLERANCE = 1e-9
BATCH, MOST_STEPS = 2, 12
WRT = ("parameters", "inputs", "initial")
# What a function holds when it returns: by its name and the variable's, in the order of its text.
Held = dict[tuple[str, str], Any]
# Something that is computed by a module, with the help of its test.
Run = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """The first quantity that is wrong, its equation's number, and lines of the module for it."""

    quantity: str
    number: int
    lines: tuple[int, ...]


def first_wrong(extended: Extended, source: str) -> Fault | None:
    """The first equation that a module computes wrongly; None if none is found.

    `source` is a module for the network and its extras that runs, and was generated and then
    changed.
    """
    right = source_of(extended)
    modules = _loaded(right, extended), _loaded(source, extended)
    for run in _runs(extended):
        ours, theirs = (_held(*pair, run) for pair in modules)
        for function, quantity in _order(right, extended.system):
            for key in ((function, quantity), (function, f"{quantity}_t")):
                if key in ours and key in theirs and not _same(ours[key], theirs[key]):
                    number = extended.system.definitions[quantity].number
                    lines = _lines(quantity, source, right, extended.system)
                    return Fault(quantity, number, lines)
    return None


def _order(source: str, system: System) -> list[tuple[str, str]]:
    """The functions of a module with what each computes, in the order of computation."""
    computed = places(source, system)
    functions = [f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)]
    found = [
        (max(lines), function.name, quantity)
        for function in functions
        for quantity, every in computed.items()
        if (lines := [n for n in every if function.lineno <= n <= (function.end_lineno or 0)])
    ]
    return [(function, quantity) for _, function, quantity in sorted(found)]


def _loaded(source: str, extended: Extended) -> tuple[types.ModuleType, types.ModuleType]:
    """A module, and its test."""
    name = extended.base.name
    with under_test():
        module = loaded(source, name)
    with importable(module):
        return module, loaded(source_of_test(extended.base, extended.names), f"test_{name}")


def _runs(extended: Extended) -> Iterator[Run]:
    """What is computed: sequences of one step, of two, ..., and the further derivatives."""
    reach = max((r.before + r.after for r in extended.base.reach.values()), default=0)
    for steps in range(1, min(reach + 2, MOST_STEPS) + 1):
        yield lambda module, test, steps=steps: module.loss_and_gradients(
            *test.example(0, steps, BATCH), wrt=WRT
        )
    if extended.names:
        yield lambda _, test: test.extra_errors()


def _held(module: types.ModuleType, test: types.ModuleType, run: Run) -> Held:
    """The variables of a module's functions when each returns for the first time."""
    found: Held = {}
    seen: set[str] = set()

    def look(frame: types.FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "return" or code.co_filename != module.__file__ or code.co_name in seen:
            return
        seen.add(code.co_name)
        for name in code.co_varnames:
            value = frame.f_locals.get(name)
            if isinstance(value, np.ndarray | np.generic):
                found[code.co_name, name] = np.array(value)

    with _profiled(look), np.errstate(all="ignore"), under_test():
        run(module, test)
    return found


@contextmanager
def _profiled(look: Callable[[types.FrameType, str, Any], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)


def _same(right: Any, given: Any) -> bool:
    if right.shape != given.shape:
        return False
    if right.dtype.kind not in "fc":
        return True
    scale = 1.0 + float(np.abs(right[np.isfinite(right)]).max(initial=0.0))
    near = np.abs(right - given) <= TOLERANCE * scale
    return bool((near | (np.isnan(right) & np.isnan(given)) | (right == given)).all())


def _lines(quantity: str, source: str, right: str, system: System) -> tuple[int, ...]:
    """The lines that compute a quantity: of their statements those that were changed, if any."""
    numbered = places(source, system).get(quantity, ())
    known, lines = {*right.splitlines()}, source.splitlines()
    statements = (
        s for s in ast.walk(ast.parse(source)) if isinstance(s, ast.Assign | ast.AugAssign)
    )
    spans = [range(s.lineno, (s.end_lineno or s.lineno) + 1) for s in statements]
    every = sorted({n for span in spans for n in span if not {*span}.isdisjoint(numbered)})
    return tuple(n for n in every if lines[n - 1] not in known) or numbered
