"""What depends on what, through any number of equations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bptt.derive.calculus.causality import components, reached
from bptt.derive.calculus.quantity import Derivative
from bptt.derive.calculus.system import Equation, System


def dependent(system: System, on: Iterable[str]) -> set[str]:
    """What depends on some quantities by a derivative, these included."""
    moving = (e for e in system.equations if e.quantity.differentiable)
    return reached(on, ((e.quantity.name, e.needs) for e in moving))


def dependences(system: System, on: Iterable[str]) -> dict[str, int]:
    """On which of some quantities each defined one depends: bit n is set where it does on the nth.

    That is one pass over the equations, where `dependent` takes one for each quantity.
    """
    bits = {name: 1 << n for n, name in enumerate(on)}
    definitions = system.definitions
    found: dict[str, int] = {}
    for group in components({n: e.needs & definitions.keys() for n, e in definitions.items()}):
        shared = 0
        for need in frozenset[str]().union(*(definitions[name].needs for name in group)):
            shared |= bits.get(need, 0) | found.get(need, 0)
        found.update(dict.fromkeys(group, shared))
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
    """The primal equations that compute the network: all but those that only judge it."""
    primal = system.primal
    named = [q.name for q in primal.of_role("signal") if not q.internal]
    losses = [q.name for q in primal.of_role("loss")]
    judging = upstream(primal, losses) - upstream(primal, named)
    needs = ((e.quantity.name, e.needs) for e in primal.equations)
    return set(primal.definitions) - reached(judging, needs)


def is_gradient(system: System, name: str) -> bool:
    """Whether a quantity is the derivative by something that is given."""
    origin = system.quantities[name].origin
    if not isinstance(origin, Derivative):
        return False
    return bool(origin.outside) or origin.by not in system.definitions
