"""What depends on what, through any number of equations."""

from __future__ import annotations

from collections.abc import Iterable

from derive.system import System, name_of


def dependent(system: System, on: Iterable[str]) -> set[str]:
    """What depends on some quantities, these included."""
    found = set(on)
    grown = True
    while grown:
        grown = False
        for equation in system.equations:
            name = equation.quantity.name
            if name not in found and any(
                name_of(read) in found for term in equation.terms for read in term.reads()
            ):
                found.add(name)
                grown = True
    return found


def upstream(system: System, of: Iterable[str]) -> set[str]:
    """What some quantities depend on, these included."""
    todo = list(of)
    found = set(todo)
    while todo:
        definition = system.definitions.get(todo.pop())
        for term in definition.terms if definition else ():
            for read in term.reads():
                if name_of(read) not in found:
                    found.add(name_of(read))
                    todo.append(name_of(read))
    return found


def network_side(system: System) -> set[str]:
    """The forward equations that a named signal needs: all but those that only judge."""
    forward = system.forward()
    named = [q.name for q in forward.of_kind("signal") if not q.internal]
    return upstream(forward, named) & set(forward.definitions)
