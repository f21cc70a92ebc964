"""Shapes, sizes and tuples as a module's source writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import System


def size_names(system: System) -> str:
    """The names of the sizes that are known when a module runs: lengths of axes of steps, B."""
    return ", ".join([*(size.name for size in system.lengths), "B"])


def free_steps(system: System) -> dict[str, str]:
    """An argument that says how many steps there are, where no input does."""
    if not has_free_steps(system):
        return {"free_steps": "", "steps": "None"}
    return {"free_steps": ", steps=None", "steps": "steps"}


def has_free_steps(system: System) -> bool:
    """Whether no input says how many steps there are."""
    given = {a.size for q in system.of_role("input") for a in q.axes if a.kind == "time"}
    return not set(system.lengths) <= given


def plain_shape(quantity: Quantity, system: System) -> str:
    return f"({', '.join(map(str, system.shape(quantity)))})"


def shape_text(shape: Iterable[int | str]) -> str:
    """A shape as source: ("T", "B", 3)."""
    entries = [f'"{n}"' if isinstance(n, str) else str(n) for n in shape]
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def entry(quantity: Quantity, system: System, key: str = "") -> str:
    return f'"{key or quantity.name}": {shape_text(system.shape(quantity))}'


def tuple_text(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def pairs_text(pairs: Mapping[str, str]) -> list[str]:
    """The entries of a dict from names to names."""
    return [f'"{key}": "{value}"' for key, value in pairs.items()]
