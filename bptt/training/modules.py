"""From a topology to an imported module, closed or with loops opened."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.codegen.targets import files_of
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.open_loop import opened
from bptt.derive.calculus.system import System
from bptt.derive.description.build import build
from bptt.derive.description.topology import loads


def source_of(topology: str, *, measured: Iterable[str] = (), extras: Iterable[str] = ()) -> str:
    """The source of the module of a topology, with the loops through `measured` opened.

    Raises UserError for what is no network, for extras that it cannot have, and for signals that
    are not fed back.
    """
    return _source(topology, tuple(measured), tuple(extras))


def module_of(
    topology: str,
    *,
    measured: Iterable[str] = (),
    extras: Iterable[str] = (),
    target: str = "numpy",
) -> ModuleType:
    """The same module, imported, or that of another target. Raises UserError like `source_of`."""
    return _module(topology, tuple(measured), tuple(extras), target)


# Each is made once: a run asks for its modules in several places.


@lru_cache(maxsize=64)
def _source(topology: str, measured: tuple[str, ...], extras: tuple[str, ...]) -> str:
    return module_source(_derived(topology, measured), extras)


def _derived(topology: str, measured: tuple[str, ...]) -> System:
    system = build(loads(topology))
    return adjoint(opened(system, measured) if measured else system)


@lru_cache(maxsize=64)
def _module(
    topology: str, measured: tuple[str, ...], extras: tuple[str, ...], target: str
) -> ModuleType:
    name = loads(topology).name
    module = ModuleType(name)
    module.__file__ = f"{name}.py"
    if target == "numpy":
        source = _source(topology, measured, extras)
    else:
        files = files_of(extend(_derived(topology, measured), extras), target)
        # What stands beside the module is read when it first computes.
        folder = Path(tempfile.mkdtemp(prefix="bptt-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        module.__file__ = str(folder / module.__file__)
        source = files[f"{name}.py"]
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module
