"""What depends on what, through any number of equations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bptt.derive.calculus.system import Derivative, Equation, System


def dependent(system: System, on: Iterable[str]) -> set[str]:
    """What depends on some quantities, these included."""
    found = set(on)
    grown = True
    while grown:
        grown = False
        for equation in system.equations:
            name = equation.quantity.name
            if name not in found and equation.needs & found:
                found.add(name)
                grown = True
    return found


def upstream(
    system: System,
    of: Iterable[str],
    needs: Callable[[Equation], frozenset[str]] = lambda equation: equation.needs,
) -> set[str]:
    """What some quantities depend on, these included; `needs` says what is followed."""
    todo = list(of)
    found = set(todo)
    while todo:
        definition = system.definitions.get(todo.pop())
        more = needs(definition) - found if definition else frozenset()
        found |= more
        todo += more
    return found


def network_side(system: System) -> set[str]:
    """The primal equations that a named signal needs: all but those that only judge."""
    primal = system.primal
    named = [q.name for q in primal.of_role("signal") if not q.internal]
    return upstream(primal, named) & set(primal.definitions)


def is_gradient(system: System, name: str) -> bool:
    """Whether a quantity is the derivative by something that is given."""
    origin = system.quantities[name].origin
    if not isinstance(origin, Derivative):
        return False
    return bool(origin.outside) or origin.by not in system.definitions
