"""Derivatives that nobody derived: complex steps through the reference interpreter.

An element of a signal is disturbed where it is defined; all that reads it, reads it disturbed.
What follows is the total derivative. With other signals held at their values it is an explicit
one. Nothing here knows of adjoints.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from bptt.derive.audit.setting import Instance, padded, without_batch
from bptt.derive.calculus.system import System, name_of
from bptt.derive.interpreter import Array, Element

STEP = 1e-30


@dataclass(frozen=True)
class Held:
    """A signal that a derivative holds fixed, `offset` steps from the step of what it is by.

    Without an offset it is held at all steps.
    """

    name: str
    offset: int | None


class Truth:
    """Values and derivatives of the quantities of one instance, each computed when asked for.

    Arrays have the quantity's axes without that of sequences, and along each axis of steps
    `instance.pad` more at either end.
    """

    def __init__(
        self,
        instance: Instance,
        states: tuple[str, ...] = (),
        added: tuple[tuple[Element, complex], ...] = (),
    ) -> None:
        self.instance = instance
        self._states = states or read_at_other_steps(instance.system)
        self._added = added
        self._base: dict[str, Array] | None = None
        self._padded: dict[str, Array] = {}
        self._runs: dict[tuple[object, ...], dict[str, Array]] = {}
        self._tensors: dict[tuple[object, ...], Array] = {}
        self._kept: dict[tuple[object, ...], dict[Element, complex]] = {}

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.instance.steps

    def disturbed(self, *moved: tuple[Element, complex]) -> Truth:
        """The same instance with some elements moved, beside those that are already."""
        return Truth(self.instance, self._states, (*self._added, *moved))

    def value(self, name: str) -> Array:
        """The values of a quantity."""
        if name not in self._padded:
            values = self._values[name]
            for (disturbed, at), by in self._added:
                if disturbed == name and name not in self.instance.system.definitions:
                    values = np.array(values, dtype=complex)
                    if all(0 <= i < n for i, n in zip(at, values.shape, strict=True)):
                        values[at] += by
            self._padded[name] = padded(self.instance, name, values)
        return self._padded[name]

    @property
    def _values(self) -> dict[str, Array]:
        if self._base is None:
            self._base = dict(self.instance.arrays) | self.instance.values(self._moved())
        return self._base

    def elements(self, name: str) -> Iterator[Element]:
        """Every element of a quantity, those of its initial values too."""
        instance = self.instance
        quantity = instance.system.quantities[name]
        shape = instance.extents(quantity)
        ranges = [range(n) for n in shape]
        axis = quantity.time_axis
        reach = instance.system.reach.get(name)
        if axis is not None and reach is not None:
            ranges[axis] = range(-reach.before, shape[axis] + reach.after)
        for at in itertools.product(*ranges):
            yield name, at

    def total(self, of: str, by: str, held: tuple[Held, ...] = ()) -> Array:
        """The total derivative: the axes of `of`, then those of `by`."""
        key = ("total", of, by, held)
        if key not in self._tensors:
            tensor = self._blank(of, by)
            for element in self.elements(by):
                changes = self._run(element, held)
                self._put(tensor, of, by, element, changes)
            self._tensors[key] = self._cut(tensor, of, by)
        return self._tensors[key]

    def explicit(self, of: str, by: str) -> Array:
        """The explicit derivative: the axes of `of`, then those of `by`.

        Of something with steps: what other steps have is held fixed. Of something without: all
        states but the element itself.
        """
        key = ("explicit", of, by)
        if key not in self._tensors:
            tensor = self._blank(of, by)
            axis = self.instance.system.quantities[of].time_axis
            steps: list[int | None] = [None] if axis is None else list(range(self.instance.steps))
            for element in self.elements(by):
                for step in steps:
                    changes = self._held_run(element, of, step)
                    self._put(tensor, of, by, element, changes, step)
            self._tensors[key] = self._cut(tensor, of, by)
        return self._tensors[key]

    # How it is done.

    def _moved(self) -> dict[Element, complex]:
        found: dict[Element, complex] = {}
        for element, by in self._added:
            found[element] = found.get(element, 0) + by
        return found

    def _blank(self, of: str, by: str) -> Array:
        quantities = self.instance.system.quantities
        shape: list[int] = []
        for name in (of, by):
            extents = self.instance.extents(quantities[name])
            pads = [2 * self.instance.pad * (a.kind == "time") for a in quantities[name].axes]
            shape += [n + p for n, p in zip(extents, pads, strict=True)]
        return np.zeros(shape)

    def _put(
        self,
        tensor: Array,
        of: str,
        by: str,
        element: Element,
        changes: dict[str, Array],
        step: int | None = None,
    ) -> None:
        column = self._place(by, element[1])
        if of == by:
            tensor[column + column] = 1.0
        if of not in changes:
            return
        quantity = self.instance.system.quantities[of]
        rows = [
            slice(self.instance.pad, self.instance.pad + n) if a.kind == "time" else slice(None)
            for a, n in zip(quantity.axes, changes[of].shape, strict=True)
        ]
        change = changes[of]
        if step is not None and quantity.time_axis is not None:
            rows[quantity.time_axis] = slice(self.instance.pad + step, self.instance.pad + step + 1)
            change = change.take([step], axis=quantity.time_axis)
        tensor[(*rows, *column)] = change

    def _place(self, name: str, at: tuple[int, ...]) -> tuple[int, ...]:
        axes = self.instance.system.quantities[name].axes
        pad = self.instance.pad
        return tuple(i + pad if a.kind == "time" else i for i, a in zip(at, axes, strict=True))

    def _cut(self, tensor: Array, of: str, by: str) -> Array:
        quantities = self.instance.system.quantities
        cut = without_batch(quantities[of], tensor)
        return without_batch(quantities[by], cut, cut.ndim - len(quantities[by].axes))

    def _run(self, element: Element, held: tuple[Held, ...]) -> dict[str, Array]:
        key = (element, held)
        if key not in self._runs:
            fixed: dict[Element, complex] = {}
            for one in held:
                fixed |= self._fixed(one, element)
            # What is moved is not held, whatever else of its kind is.
            fixed.pop(element, None)
            self._runs[key] = self._changes({element: STEP * 1j}, fixed)
        return self._runs[key]

    def _held_run(self, element: Element, of: str, step: int | None) -> dict[str, Array]:
        key = (element, of if step is None else "", step)
        if key not in self._runs:
            fixed = self._states_held(of) if step is None else self._steps_held(step)
            if element in fixed:
                fixed = fixed | {element: fixed[element] + STEP * 1j}
            self._runs[key] = self._changes({element: STEP * 1j}, fixed)
        return self._runs[key]

    def _states_held(self, of: str) -> dict[Element, complex]:
        """All states but one."""
        key = ("states", of)
        if key not in self._kept:
            names = [n for n in self._states if n != of]
            self._kept[key] = {e: v for n in names for e, v in self._all(n).items()}
        return self._kept[key]

    def _steps_held(self, step: int) -> dict[Element, complex]:
        """What has steps, at all others but one."""
        key = ("steps", step)
        if key not in self._kept:
            self._kept[key] = {
                e: v
                for equation in self.instance.system.equations
                if (axis := equation.quantity.time_axis) is not None
                for e, v in self._all(equation.quantity.name).items()
                if e[1][axis] != step
            }
        return self._kept[key]

    def _fixed(self, held: Held, element: Element) -> dict[Element, complex]:
        found = self._all(held.name)
        if held.offset is None:
            return found
        quantities = self.instance.system.quantities
        by, own = quantities[element[0]].time_axis, quantities[held.name].time_axis
        assert by is not None
        assert own is not None
        step = element[1][by] + held.offset
        return {e: v for e, v in found.items() if e[1][own] == step}

    def _all(self, name: str) -> dict[Element, complex]:
        key = ("all", name)
        if key not in self._kept:
            values = np.ndenumerate(self._values[name])
            self._kept[key] = {(name, at): complex(v) for at, v in values}
        return self._kept[key]

    def _changes(
        self,
        added: dict[Element, complex],
        held: dict[Element, complex],
        of: Collection[str] | None = None,
    ) -> dict[str, Array]:
        both = self._moved()
        for element, by in added.items():
            both[element] = both.get(element, 0) + by
        moved = self.instance.values(both, held, of)
        return {name: np.imag(values) / STEP for name, values in moved.items()}


def read_at_other_steps(system: System) -> tuple[str, ...]:
    """The signals that some equation reads at another step than its own."""
    found = []
    for equation in system.equations:
        for term in equation.terms:
            for read in term.reads():
                quantity = system.quantity_of(read)
                axis, own = quantity.time_axis, equation.quantity.time_axis
                if quantity.role != "signal" or axis is None or own is None:
                    continue
                if read.indices[axis] != equation.indices[own].symbol:
                    found.append(name_of(read))
    return tuple(dict.fromkeys(found))
