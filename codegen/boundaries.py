"""Values outside the given steps: what they are called, and the arrays that hold them."""

from __future__ import annotations

from dataclasses import dataclass

from bptt.derive.calculus.quantity import Outside, Quantity, Tangent, unused
from bptt.derive.calculus.system import System


def allocated(quantity: Quantity, system: System) -> str:
    """An array with rows outside the steps, for a derivative; a tangent's have a direction."""
    origin = quantity.origin
    of = origin.of if isinstance(origin, Tangent) else quantity.name
    reach = system.reach[quantity.name]
    keys = {b.side: b.key for b in _boundaries(of, system)}
    before, after = (
        f'arrays.get(("direction", "initial_{keys[side]}"))' if side in keys else "None"
        for side in ("initial", "after")
    )
    length, *rest = map(str, system.shape(quantity))
    shape = ", ".join(rest) + ("," if len(rest) == 1 else "")
    rows = f"{before}, {reach.before}, {after}, {reach.after}"
    return f"_extended({length}, ({shape}), {rows}, dtype)"


@dataclass(frozen=True)
class Boundary:
    """Values of a quantity outside 0..T-1: how the module's user names them."""

    key: str
    quantity: str
    side: str
    steps: int
    shape: tuple[int | str, ...]
    gradient: str


def boundary_values(system: System) -> list[Boundary]:
    """The entries of `initial`: before the first step, or after the last.

    What is read on one side alone goes by the quantity's name; where both sides are read, the
    side after the last step gets `_after` behind it.
    """
    return [b for name in system.reach for b in _boundaries(name, system)]


def _boundaries(name: str, system: System) -> list[Boundary]:
    """Those of one quantity."""
    quantity, reach = system.quantities.get(name), system.reach.get(name)
    if quantity is None or reach is None or quantity.is_derived:
        return []
    if quantity.role not in ("signal", "input"):
        return []
    found = []
    given = {n for n in system.reach if not system.quantities[n].is_derived}
    rest = system.shape(quantity)[1:]
    sides: tuple[tuple[Outside, int], ...] = (("initial", reach.before), ("after", reach.after))
    for side, steps in sides:
        if steps:
            both = side == "after" and reach.before
            key = unused(f"{name}_after", given) if both else name
            gradient = system.derivative("loss", name, side)
            found.append(Boundary(key, name, side, steps, (steps, *rest), gradient))
    return found


def extensions(system: System, boundaries: list[Boundary], *, chunked: bool = False) -> list[str]:
    """Statements that put the values outside 0..T-1 around the arrays of given and computed.

    In a module that computes chunks, states are extended for each chunk anew.
    """
    lines = []
    keys = {(b.quantity, b.side): b.key for b in boundaries}
    for name, reach in system.reach.items():
        quantity = system.quantities[name]
        before, after = (
            f'outside.get("{keys[name, side]}")' if (name, side) in keys else "None"
            for side in ("initial", "after")
        )
        length, *rest = map(str, system.shape(quantity))
        shape = ", ".join(rest) + ("," if len(rest) == 1 else "")
        outside = f"{before}, {reach.before}, {after}, {reach.after}"
        extended = f"_extended({length}, ({shape}), {outside}, dtype)"
        if quantity.role == "input":
            rows = f"{reach.before} : {reach.before} + {length}"
            lines += [
                f'given_steps = arrays["{name}"]',
                f'arrays["{name}"] = {extended}',
                f'arrays["{name}"][{rows}] = given_steps',
            ]
        elif chunked:
            zeros = f"np.zeros(({reach.before}, {shape}), dtype)"
            lines += [
                "if whole:",
                f'    arrays["{name}"] = {extended}',
                "else:",
                f'    arrays["before", "{name}"] = outside.get("{keys[name, "initial"]}", {zeros})',
            ]
        else:
            lines.append(f'arrays["{name}"] = {extended}')
    return lines


def trimmed(quantity: Quantity, system: System, key: str) -> str:
    """An entry of a dict of arrays: the rows of a quantity that are its steps."""
    reach = system.reach.get(quantity.name)
    array = f'arrays["{quantity.name}"]'
    if reach is not None:
        length = system.shape(quantity)[0]
        array += f"[{reach.before} : {reach.before} + {length}]" if reach.before else f"[:{length}]"
    return f'"{key}": {array}'


def row(quantity: Quantity, system: System) -> str:
    """An entry of a dict of arrays: the one step of a quantity."""
    reach = system.reach.get(quantity.name)
    row = "" if quantity.time_axis is None else f"[{reach.before if reach else 0}]"
    return f'"{quantity.name}": arrays["{quantity.name}"]{row}'
