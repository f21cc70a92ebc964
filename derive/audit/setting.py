"""The network that a claim is about, with its sizes left open, and instances of it.

Sizes are letters: every instance draws numbers for them, and steps, parameters and data, so that
a formula that holds for square matrices or a single step alone is seen through.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import System
from bptt.derive.description.build import build
from bptt.derive.description.network import Input, Network
from bptt.derive.description.topology import network_of
from bptt.derive.errors import UserError, shown
from bptt.derive.interpreter import Array, Element, Interpreter

DRAWS = ("normal", "positive", "probability", "one hot", "zero")
MAX_ELEMENTS = 150
MAX_TOTAL = 3_000


@dataclass(frozen=True)
class Setting:
    """A network with letters for sizes; `draws` says how data and parameters are drawn.

    `states` are the signals that explicit derivatives hold fixed where they have no step of their
    own; those that are read at another step, unless given.
    """

    network: Mapping[str, Any] | Network
    draws: Mapping[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    judged: bool = False

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """The letters that stand for sizes, in the order of their first use."""
        if isinstance(self.network, Network):
            return tuple(f"size {n}" for n in dict.fromkeys(_sizes_of(self.network)) if n > 1)
        return tuple(dict.fromkeys(_letters(self.network)))

    def system(self, sizes: Mapping[str, int]) -> System:
        """The system at some sizes. Raises UserError where they do not fit each other."""
        if isinstance(self.network, Network):
            network = _resized(self.network, {int(k.split()[1]): n for k, n in sizes.items()})
        else:
            network = network_of(_numbered(self.network, sizes), "network")
            network = replace(network, inputs=_single(network, self.network))
        return build(network, judged=self.judged)


def _letters(table: Mapping[str, Any]) -> Iterator[str]:
    for place in ("inputs", "signals", "parameters", "layers"):
        entries = table.get(place, {})
        for entry in entries.values() if isinstance(entries, dict) else ():
            yield from _letters_in(entry)


def _letters_in(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for item in entry:
            yield from _letters_in(item)
    elif isinstance(entry, dict):
        for key in ("size", "inner"):
            yield from _letters_in(entry.get(key))


def _numbered(table: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """The network's table with numbers in the place of letters."""
    found = dict(table)
    for place in ("inputs", "signals", "parameters", "layers"):
        if isinstance(found.get(place), dict):
            found[place] = {k: _with_numbers(v, sizes) for k, v in found[place].items()}
    return found


def _with_numbers(entry: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(entry, str):
        return sizes.get(entry, entry)
    if isinstance(entry, list):
        return [_with_numbers(item, sizes) for item in entry]
    if isinstance(entry, dict):
        return {
            k: _with_numbers(v, sizes) if k in ("size", "inner") else v for k, v in entry.items()
        }
    return entry


def _single(network: Network, table: Mapping[str, Any]) -> dict[str, int | Input]:
    """The inputs of equations without an axis of sequences, unless they say that they have one."""
    if network.layers:
        return dict(network.inputs)
    given = table.get("inputs", {})
    return {
        name: network.input(name)
        if isinstance(given.get(name), dict) and "batch" in given[name]
        else replace(network.input(name), batch=False)
        for name in network.inputs
    }


def _sizes_of(network: Network) -> Iterator[int]:
    for layer in network.layers:
        yield layer.size
        if layer.inner:
            yield layer.inner
    for name in network.inputs:
        yield from network.input(name).size
    for size in network.signals.values():
        yield from size if isinstance(size, tuple) else (size,)
    for shape in network.parameters.values():
        yield from shape


def _resized(network: Network, sizes: Mapping[int, int]) -> Network:
    """The network with other numbers for its sizes; equal ones stay equal."""

    def new(size: int) -> int:
        return sizes.get(size, size)

    return replace(
        network,
        layers=tuple(
            replace(y, size=new(y.size), inner=new(y.inner) if y.inner else None)
            for y in network.layers
        ),
        inputs={
            n: replace(network.input(n), size=tuple(map(new, network.input(n).size)))
            for n in network.inputs
        },
        signals={
            n: tuple(map(new, s)) if isinstance(s, tuple) else new(s)
            for n, s in network.signals.items()
        },
        parameters={n: tuple(map(new, s)) for n, s in network.parameters.items()},
    )


@dataclass(frozen=True)
class Instance:
    """Numbers for everything that is given: sizes, steps, parameters, data, initial values.

    Arrays have the axes of their quantities; what lies outside the steps, and is no initial
    value, is a number at random: no formula may depend on it.
    """

    system: System
    sizes: Mapping[str, int]
    steps: int
    arrays: Mapping[str, Array]
    initial: Mapping[str, Array]
    after: Mapping[str, Array]
    seed: int
    batch: int = 1

    @property
    def is_single(self) -> bool:
        """Whether all sizes are one, as far as they are drawn."""
        return bool(self.sizes) and set(self.sizes.values()) == {1}

    @cached_property
    def interpreter(self) -> Interpreter:
        return Interpreter(self.system)

    @cached_property
    def pad(self) -> int:
        """How many steps before the first and after the last have a number."""
        reach = self.system.reach.values()
        return 4 + 2 * self.steps + max((max(r.before, r.after) for r in reach), default=0)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """For each quantity its number of axes of steps, and its shape without sequences."""
        found = {}
        for name, quantity in self.system.quantities.items():
            kinds = [axis.kind for axis in quantity.axes]
            pairs = zip(self.extents(quantity), kinds, strict=True)
            found[name] = kinds.count("time"), tuple(n for n, kind in pairs if kind != "batch")
        return found

    def extents(self, quantity: Quantity) -> tuple[int, ...]:
        """The shape of a quantity's array."""
        return tuple(
            self.steps
            if axis.kind == "time"
            else self.batch
            if axis.kind == "batch"
            else self.system.size(axis.size)
            for axis in quantity.axes
        )

    def values(
        self,
        added: Mapping[Element, complex] | None = None,
        held: Mapping[Element, complex] | None = None,
        of: Collection[str] | None = None,
    ) -> dict[str, Array]:
        """The arrays of all signals (or of those in `of`), some elements disturbed or held."""
        lengths = {s.name: self.steps for s in self.system.lengths if s.name != "T"}
        return self.interpreter.values(
            self.arrays,
            steps=self.steps,
            batch=self.batch,
            lengths=lengths,
            initial=self.initial,
            after=self.after,
            added=added,
            held=held,
            of=of,
        )


def draw(
    setting: Setting,
    sizes: Mapping[str, int],
    steps: int,
    seed: int,
    *,
    batch: int = 1,
    room: int = 1,
) -> Instance:
    """An instance at random, of so many times the usual elements at most.

    Raises UserError where the sizes do not fit, or are too large.
    """
    system = setting.system(sizes)
    rng = np.random.default_rng(seed)
    blank = Instance(system, sizes, steps, {}, {}, {}, seed, batch)
    total = 0
    for quantity in system.quantities.values():
        count = int(np.prod(blank.extents(quantity)))
        total += count
        if count > MAX_ELEMENTS * room or total > MAX_TOTAL * room:
            raise UserError(
                f"{quantity.name!r} has {count} elements in an instance of {steps} steps",
                place="network",
                remedy='name sizes by letters, such as "n": numbers are then drawn small',
            )
    given = [q for q in system.quantities.values() if q.name not in system.definitions]
    for name, how in setting.draws.items():
        if how == "zero" and name in system.reach:
            continue
        needs_units = how in ("one hot", "probability") and name in system.quantities
        if needs_units and not system.quantities[name].features:
            raise UserError(
                f"{name!r} has no units that could be {how}", place="draw", remedy="give it a size"
            )
        if name not in {q.name for q in given}:
            raise UserError(
                f"{shown(name)} is nothing that is given to the network",
                place="draw",
                remedy=f"name one of {', '.join(q.name for q in given)}",
            )
    arrays = {
        q.name: _drawn(setting.draws.get(q.name, "normal"), blank.extents(q), rng) for q in given
    }
    outside: dict[str, dict[str, Array]] = {"before": {}, "after": {}}
    for name, reach in system.reach.items():
        quantity = system.quantities[name]
        for side, rows in (("before", reach.before), ("after", reach.after)):
            shape = list(blank.extents(quantity))
            shape[_steps_axis(quantity)] = rows
            scale = 0.0 if setting.draws.get(name) == "zero" else 0.6
            outside[side][name] = scale * rng.standard_normal(shape)
    return replace(blank, arrays=arrays, initial=outside["before"], after=outside["after"])


def _steps_axis(quantity: Quantity) -> int:
    assert quantity.time_axis is not None
    return quantity.time_axis


def _drawn(how: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if how == "zero":
        return np.zeros(shape)
    if how == "positive":
        return 0.3 + rng.random(shape)
    if how == "probability":
        weights = 0.2 + rng.random(shape)
        return np.asarray(weights / weights.sum(-1, keepdims=True))
    if how == "one hot":
        values = np.zeros(shape)
        chosen = rng.integers(shape[-1], size=shape[:-1])
        np.put_along_axis(values, chosen[..., None], 1.0, -1)
        return values
    return 0.8 * rng.standard_normal(shape)


def instances(setting: Setting, *, seed: int = 0, count: int = 6) -> tuple[Instance, ...]:
    """Instances from the smallest on: one step and one unit, then all sizes different."""
    plan = [(1, False), (2, False), (2, True), (3, True), (4, True), (6, True)]
    found = []
    for number in range(count):
        steps, apart = plan[min(number, len(plan) - 1)]
        found.append(draw(setting, _sizes(setting, number, apart), steps, seed + number))
    return tuple(found)


def _sizes(setting: Setting, number: int, apart: bool) -> dict[str, int]:
    """All one; or from two on, each another, and others from instance to instance.

    Of more than four letters any two are different in some instance.
    """
    letters = setting.letters
    if not apart:
        return dict.fromkeys(letters, 1)
    if len(letters) > 4:
        return {a: 2 + (n // 4 ** (number % 4) + n) % 4 for n, a in enumerate(letters)}
    return {a: 2 + (n + number - 2) % 4 for n, a in enumerate(letters)}


def padded(instance: Instance, name: str, values: Array) -> Array:
    """An array without the axis of sequences, with more steps at either end.

    Outside the steps stand initial values as far as there are any, random numbers elsewhere.
    """
    quantity = instance.system.quantities[name]
    # Every quantity has numbers of its own, so that no two are equal out there.
    rng = np.random.default_rng([instance.seed, zlib.crc32(name.encode())])
    pads = [instance.pad if axis.kind == "time" else 0 for axis in quantity.axes]
    inner = tuple(slice(p, p + n) for p, n in zip(pads, values.shape, strict=True))
    found = rng.standard_normal([n + 2 * p for n, p in zip(values.shape, pads, strict=True)])
    found = found.astype(values.dtype)
    found[inner] = values
    for given, before in ((instance.initial, True), (instance.after, False)):
        if name in given and given[name].size:
            axis = _steps_axis(quantity)
            rows = given[name].shape[axis]
            start = instance.pad - rows if before else instance.pad + values.shape[axis]
            place = list(inner)
            place[axis] = slice(start, start + rows)
            found[tuple(place)] = given[name]
    return without_batch(quantity, found)


def without_batch(quantity: Quantity, values: Array, lead: int = 0) -> Array:
    """The array without the axis of sequences, which has length one."""
    for position, axis in enumerate(quantity.axes):
        if axis.kind == "batch":
            return np.asarray(values.take(0, axis=lead + position))
    return values


def lengths_of(system: System) -> set[str]:
    """The names of the numbers of steps."""
    return {"T", *(s.name for s in system.lengths)}
