"""The test of a C file in C: stored values of the reference interpreter, central differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sin, sqrt
from typing import Any

import numpy as np

from bptt.codegen.c.checks import Tested, checks
from bptt.codegen.c.further import Offer
from bptt.codegen.c.interface import Interface
from bptt.codegen.templating import environment
from bptt.derive.calculus.system import System
from bptt.derive.interpreter import interpret

STEPS, BATCH = 4, 2
# The structures in which the derivatives by given arrays are wanted, by those of the arrays.
KINDS = {"inputs": "input_gradients", "initial": "initial_gradients"}
# Beyond so many elements a step the interpreter takes too long: then gradients alone are checked.
MOST_INTERPRETED = 1_500


@dataclass(frozen=True)
class Given:
    """An array that is given: of which structure, how it is filled, its shape and its values."""

    group: str
    member: str
    array: str
    shape: tuple[int, ...]
    kind: str
    scale: float
    seed: int
    quantity: str

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def values(self) -> Any:
        """What C fills the array with."""
        width = self.shape[-1] if self.shape else 1
        found = []
        for k in range(self.size):
            x = number(self.seed + k)
            if self.kind == "m":
                x = float(k == 0 or x > -0.4)
            elif self.kind == "w":
                x = 0.55 + 0.45 * x
            elif self.kind == "c":
                x = float(k % width == (self.seed + k // width) % width)
            else:
                x = self.scale * x
            found.append(x)
        return np.array(found).reshape(self.shape)

    @property
    def filling(self) -> str:
        width = self.shape[-1] if self.shape else 1
        scale = repr(self.scale)
        return f"fill({self.array}, {self.size}, '{self.kind}', {scale}, {self.seed}, {width});"


def number(k: int) -> float:
    return sin(1.0 + 2.399963 * k + 0.07 * (k % 11))


def test_source(interface: Interface, offers: Sequence[Offer]) -> str:
    """The source of test_NAME.c."""
    system, prefix = interface.system, interface.prefix
    sizes = {n: STEPS + k for k, n in enumerate(interface.sizes[:-1])} | {"B": BATCH}
    given = _given(system, interface, sizes)
    of = {n: {g.member: g.array for g in given if g.group == n} for n in (*KINDS, "targets")}
    tested = Tested(interface, offers, sizes, of)
    judged = [g for g in given if _has_gradient(system, interface, g)]
    groups = list(dict.fromkeys(g.group for g in given))
    structures = [f"{group} {group}" for group in groups]
    filling = [g.filling for g in given]
    filling += [f"{g.group}.{g.member} = {g.array};" for g in given if g.group != "parameters"]
    gradients = ""
    if "parameters" in groups:
        structures.append("parameters gradients")
        gradients += ", &gradients"
    for group, kind in KINDS.items():
        if group in groups:
            structures.append(f"{kind} {kind}")
            gradients += f", &{kind}"
    arrays = [f"{g.array}[{g.size}]" for g in given if g.group != "parameters"]
    for g in judged:
        if g.group != "parameters":
            arrays.append(f"d_{g.array}[{g.size}]")
            filling.append(f"{KINDS[g.group]}.{g.member} = d_{g.array};")
    found = [*checks(tested)]
    values = {
        "p": prefix,
        "P": prefix.upper(),
        "sizes": [f"{n} = {k}" for n, k in sizes.items()],
        "workspace": tested.workspaces(),
        "total": max(sum(g.size for g in judged), 1),
        "parameters": sum(g.group == "parameters" for g in judged),
        "arrays": arrays,
        "structures": structures,
        "table": [_entry(g) for g in judged],
        "filling": filling,
        "judged": f"{tested.passed('parameters', 'inputs', 'targets', 'initial')}{tested.counts}, ",
        "gradients": gradients,
        "values": _stored(tested, given),
        "checks": [check.source for check in found],
        "checked": [check.name for check in found if check.name],
    }
    return environment().get_template("c/test.c.jinja").render(values)


def _entry(given: Given) -> str:
    """An entry of the table of what the loss has a gradient by."""
    is_parameter = given.group == "parameters"
    gradient = f"gradients.{given.member}" if is_parameter else f"d_{given.array}"
    name = given.member if given.group != "initial" else f"initial {given.member}"
    return f'"{name}", {given.array}, {gradient}, {given.size}'


def _given(system: System, interface: Interface, sizes: Mapping[str, int]) -> list[Given]:
    found: list[Given] = []
    masks = {q.name for q in system.masks}
    classes = {x.output for x in system.losses if x.by_class} - {
        x.output for x in system.losses if not x.by_class
    }

    def add(group: str, member: str, shape: Any, kind: str, scale: float, quantity: str) -> None:
        numbers = tuple(sizes.get(n, n) for n in shape)
        array = f"parameters.{member}" if group == "parameters" else f"{group}_{member}"
        seed = sum(g.size for g in found) + 7 * len(found)
        found.append(Given(group, member, array, numbers, kind, scale, seed, quantity))

    for q, member in zip(system.of_role("parameter"), interface.parameters, strict=True):
        shape = system.shape(q)
        scale = round(1 / sqrt(max(2, *(n for n in shape if isinstance(n, int)), 2)), 3)
        add("parameters", member.name, shape, "x", scale, q.name)
    for q, member in zip(system.of_role("input"), interface.inputs, strict=True):
        add("inputs", member.name, system.shape(q), "m" if q.name in masks else "x", 1.0, q.name)
    for key, (member, quantity) in interface.targets.items():
        kind = "w" if quantity.role == "weight" else "c" if key in classes else "x"
        add("targets", member.name, system.shape(quantity), kind, 1.0, quantity.name)
    for member, boundary in interface.initial:
        add("initial", member.name, boundary.shape, "x", 1.0, boundary.key)
    return found


def _has_gradient(system: System, interface: Interface, given: Given) -> bool:
    if given.group == "targets":
        return False
    if given.group == "initial":
        return any(b.key == given.quantity and b.gradient for _, b in interface.initial)
    return bool(system.derivative("loss", given.quantity))


def _stored(tested: Tested, given: list[Given]) -> list[str]:
    """Statements that compare the loss, and what the outputs come to, with stored numbers."""
    system = tested.interface.system
    elements = system.parameter_count + sum(map(system.elements, system.of_role("signal")))
    if elements > MOST_INTERPRETED:
        return ["/* The network is too large for the reference interpreter. */"]
    found = _interpreted(tested, given)
    if not all(np.isfinite(v).all() for v in found.values()):
        return ["/* The values leave the range of numbers. */"]
    lines = [_compared("loss", "loss()", float(found["loss"]))]
    if tested.outputs:
        prefix, passed = system.name, tested.passed("parameters", "inputs", "initial")
        lines += [
            f"{prefix}_signals signals;",
            f"{prefix}_forward({passed}{tested.counts}, workspace, &signals);",
        ]
    for signal in tested.outputs:
        name, value = signal.member.name, found[signal.quantity]
        rows = prod(value.shape) // signal.width
        total = sum(number(k) * x for k, x in enumerate(value.ravel().tolist()))
        lines += [
            f"double of_{name} = 0;",
            f"for (long k = 0; k < {rows * signal.width}; ++k)",
            f"    of_{name} += number(k) * (double)signals.{name}"
            f"[k / {signal.width} * {signal.apart} + k % {signal.width}];",
            _compared(name, f"of_{name}", total),
        ]
    return lines


def _compared(name: str, code: str, value: float) -> str:
    most = f"VALUES_TOLERANCE * {max(1.0, abs(value)):.3g}"
    return f'wrong += is_wrong("{name}", {code}, {value:.10g}, {most});'


def _interpreted(tested: Tested, given: list[Given]) -> dict[str, Any]:
    interface, sizes = tested.interface, tested.sizes
    arrays = {g.quantity: g.values for g in given if g.group != "initial"}
    values = {g.quantity: g.values for g in given if g.group == "initial"}
    sides: dict[str, dict[str, Any]] = {"initial": {}, "after": {}}
    for _, boundary in interface.initial:
        sides[boundary.side][boundary.quantity] = values[boundary.key]
    lengths = {n: k for n, k in sizes.items() if n not in ("T", "B")}
    with np.errstate(all="ignore"):
        return interpret(
            interface.system.primal,
            arrays,
            steps=sizes.get("T", STEPS),
            batch=BATCH,
            lengths=lengths,
            initial=sides["initial"],
            after=sides["after"],
        )
