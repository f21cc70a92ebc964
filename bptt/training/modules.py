"""From a topology to an imported module, closed or with loops opened."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType

from bptt.codegen.emit import module_source
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.open_loop import opened
from bptt.derive.description.build import build
from bptt.derive.description.topology import loads


def source_of(topology: str, *, measured: Iterable[str] = (), extras: Iterable[str] = ()) -> str:
    """The source of the module of a topology, with the loops through `measured` opened.

    Raises UserError for what is no network, for extras that it cannot have, and for signals that
    are not fed back.
    """
    return _source(topology, tuple(measured), tuple(extras))


def module_of(
    topology: str, *, measured: Iterable[str] = (), extras: Iterable[str] = ()
) -> ModuleType:
    """The same module, imported. Raises UserError like `source_of`."""
    return _module(topology, tuple(measured), tuple(extras))


# Each is made once: a run asks for its modules in several places.


@lru_cache(maxsize=64)
def _source(topology: str, measured: tuple[str, ...], extras: tuple[str, ...]) -> str:
    system = build(loads(topology))
    return module_source(adjoint(opened(system, measured) if measured else system), extras)


@lru_cache(maxsize=64)
def _module(topology: str, measured: tuple[str, ...], extras: tuple[str, ...]) -> ModuleType:
    name = loads(topology).name
    module = ModuleType(name)
    exec(compile(_source(topology, measured, extras), f"{name}.py", "exec"), module.__dict__)
    return module
