"""From a topology to an imported module, closed or with loops opened."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType

from codegen.emit import module_source
from derive.adjoint import adjoint
from derive.build import build
from derive.network import Network
from derive.open_loop import opened
from derive.topology import loads


def source_of_network(
    network: Network, *, measured: Iterable[str] = (), extras: Iterable[str] = ()
) -> str:
    """The source of the module of a network, with the loops through `measured` opened."""
    system = build(network)
    measured = tuple(measured)
    return module_source(adjoint(opened(system, measured) if measured else system), tuple(extras))


def module_of(
    topology: str, *, measured: Iterable[str] = (), extras: Iterable[str] = ()
) -> ModuleType:
    """The generated module of a topology, the text of its file, imported; each is made once.

    Raises UserError for what is no network, for extras that it cannot have, and for signals that
    are not fed back.
    """
    return _module(topology, tuple(measured), tuple(extras))


@lru_cache(maxsize=64)
def _module(topology: str, measured: tuple[str, ...], extras: tuple[str, ...]) -> ModuleType:
    network = loads(topology)
    module = ModuleType(network.name)
    source = source_of_network(network, measured=measured, extras=extras)
    exec(compile(source, f"{network.name}.py", "exec"), module.__dict__)
    return module
