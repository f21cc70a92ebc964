"""The test of a C file in C: stored values of the reference interpreter, central differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod, sin, sqrt
from typing import Any

import numpy as np

from bptt.codegen.c.interface import Interface
from bptt.codegen.templating import environment
from bptt.derive.calculus.system import System
from bptt.derive.interpreter import interpret

STEPS, BATCH = 4, 2
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


def test_source(system: System, interface: Interface) -> str:
    """The source of test_NAME.c."""
    prefix = system.name
    sizes = {n: STEPS + k for k, n in enumerate(interface.sizes[:-1])} | {"B": BATCH}
    given = _given(system, interface, sizes)
    groups = list(dict.fromkeys(g.group for g in given))
    structures, filling = [], [g.filling for g in given]
    for group in groups:
        structures.append(f"{group} {group}")
        if group != "parameters":
            filling += [f"{group}.{g.member} = {g.array};" for g in given if g.group == group]
    judged = "".join(
        f"&{g}, " for g in ("parameters", "inputs", "targets", "initial") if g in groups
    )
    counts = ", ".join(interface.sizes)
    gradients, arrays, table, into = "", [], [], dict[str, str]()
    if "parameters" in groups:
        structures.append("parameters gradients")
        gradients += ", &gradients"
    for kind, group in (("input", "inputs"), ("initial", "initial")):
        if group in groups:
            structures.append(f"{kind}_gradients {kind}_gradients")
            gradients += f", &{kind}_gradients"
    for g in given:
        if g.group != "parameters":
            arrays.append(f"{g.array}[{g.size}]")
        if not _has_gradient(system, interface, g):
            continue
        if g.group == "parameters":
            into[g.array] = f"gradients.{g.member}"
        else:
            into[g.array] = f"d_{g.array}"
            arrays.append(f"d_{g.array}[{g.size}]")
            kind = "input" if g.group == "inputs" else "initial"
            filling.append(f"{kind}_gradients.{g.member} = d_{g.array};")
        name = g.member if g.group != "initial" else f"initial {g.member}"
        table.append(f'"{name}", {g.array}, {into[g.array]}, {g.size}')
    values = {
        "p": prefix,
        "P": prefix.upper(),
        "sizes": [f"{n} = {k}" for n, k in sizes.items()],
        "size_names": counts,
        "most": max([g.size for g in given], default=1),
        "arrays": arrays,
        "structures": structures,
        "table": table,
        "filling": filling,
        "judged": f"{judged}{counts}, ",
        "gradients": gradients,
        "values": [
            *_stored(system, interface, given, sizes, judged.replace("&targets, ", "")),
            *_stepped(system, interface, given, judged.replace("&targets, ", "")),
        ],
    }
    return environment().get_template("c/test.c.jinja").render(values)


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

    for q, member in zip(system.of_role("parameter"), interface.parameters(), strict=True):
        shape = system.shape(q)
        scale = round(1 / sqrt(max(2, *(n for n in shape if isinstance(n, int)), 2)), 3)
        add("parameters", member.name, shape, "x", scale, q.name)
    for q, member in zip(system.of_role("input"), interface.inputs(), strict=True):
        add("inputs", member.name, system.shape(q), "m" if q.name in masks else "x", 1.0, q.name)
    for key, (member, quantity) in interface.targets().items():
        kind = "w" if quantity.role == "weight" else "c" if key in classes else "x"
        add("targets", member.name, system.shape(quantity), kind, 1.0, quantity.name)
    for member, boundary in interface.initial():
        add("initial", member.name, boundary.shape, "x", 1.0, boundary.key)
    return found


def _has_gradient(system: System, interface: Interface, given: Given) -> bool:
    if given.group == "targets":
        return False
    if given.group == "initial":
        return any(b.key == given.quantity and b.gradient for _, b in interface.initial())
    return bool(system.derivative("loss", given.quantity))


def _stored(
    system: System,
    interface: Interface,
    given: list[Given],
    sizes: Mapping[str, int],
    arguments: str,
) -> list[str]:
    """Statements that compare the loss, and what the outputs come to, with stored numbers."""
    primal = system.primal
    elements = system.parameter_count + sum(map(system.elements, system.of_role("signal")))
    if elements > MOST_INTERPRETED:
        return ["/* The network is too large for the reference interpreter. */"]
    found = _interpreted(primal, interface, given, sizes)
    if not all(np.isfinite(v).all() for v in found.values()):
        return ["/* The values leave the range of numbers. */"]
    lines = [_compared("loss", "loss()", float(found["loss"]))]
    outputs = [s for s in interface.signals() if s.quantity in system.outputs]
    if outputs:
        prefix, counts = system.name, ", ".join(interface.sizes)
        lines += [
            f"{prefix}_signals signals;",
            f"{prefix}_forward({arguments}{counts}, workspace, &signals);",
        ]
    for signal in outputs:
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


def _stepped(system: System, interface: Interface, given: list[Given], arguments: str) -> list[str]:
    """Statements that compute the first sequence step by step, and compare with all steps."""
    signals = [s for s in interface.signals() if s.quantity in system.outputs]
    signals = [s for s in signals if system.quantities[s.quantity].time_axis is not None]
    if interface.state is None or not signals:
        return []
    prefix = system.name
    lines = [f"static {prefix}_state state;", f"{prefix}_signals every, now;"]
    for (member, boundary), whole in zip(
        interface.state, (g for g in given if g.group == "initial"), strict=True
    ):
        width = prod(n for n in boundary.shape[1:] if isinstance(n, int))
        lines += [
            f"for (long k = 0; k < {member.size}; ++k)",
            f"    state.{member.name}[k] = {whole.array}"
            f"[k / {width} * {'B * ' if 'B' in boundary.shape else ''}{width} + k % {width}];",
        ]
    lines.append(f"{prefix}_forward({arguments}{', '.join(interface.sizes)}, workspace, &every);")
    lines += [f"double all_{s.member.name} = 0, own_{s.member.name} = 0;" for s in signals]
    for s in signals:
        batch = "B * " if "batch" in {a.kind for a in system.quantities[s.quantity].axes} else ""
        lines += [
            f"for (long k = 0; k < T * {s.width}; ++k)",
            f"    all_{s.member.name} += number(k) * (double)every.{s.member.name}"
            f"[k / {s.width} * {batch}{s.apart} + k % {s.width}];",
        ]
    lines.append("for (long t = 0; t < T; ++t) {")
    inputs = [(q, g) for q in system.of_role("input") for g in given
              if g.group == "inputs" and g.quantity == q.name]  # fmt: skip
    if inputs:
        lines.append(f"    {prefix}_inputs one;")
    for quantity, g in inputs:
        row = "".join(
            f" * {'B' if a.kind == 'batch' else system.size(a.size)}"
            for a in quantity.axes
            if a.kind != "time"
        )
        step = f" + t{row}" if quantity.time_axis is not None else ""
        lines.append(f"    one.{g.member} = {g.array}{step};")
    names = [n for n in ("parameters", "inputs") if f"&{n}" in arguments]
    passed = "".join("&one, " if n == "inputs" else f"&{n}, " for n in names)
    lines.append(f"    {prefix}_step({passed}&state, workspace, &now);")
    for s in signals:
        name = s.member.name
        lines += [
            f"    for (long k = 0; k < {s.width}; ++k)",
            f"        own_{name} += number(t * {s.width} + k) * (double)now.{name}[k];",
        ]
    lines.append("}")
    for s in signals:
        name = s.member.name
        most = f"VALUES_TOLERANCE * (1 + fabs(all_{name}))"
        lines.append(f'wrong += is_wrong("{name}, step by step", own_{name}, all_{name}, {most});')
    return lines


def _compared(name: str, code: str, value: float) -> str:
    most = f"VALUES_TOLERANCE * {max(1.0, abs(value)):.3g}"
    return f'wrong += is_wrong("{name}", {code}, {value:.10g}, {most});'


def _interpreted(
    primal: System, interface: Interface, given: list[Given], sizes: Mapping[str, int]
) -> dict[str, Any]:
    arrays = {g.quantity: g.values for g in given if g.group != "initial"}
    values = {g.quantity: g.values for g in given if g.group == "initial"}
    sides: dict[str, dict[str, Any]] = {"initial": {}, "after": {}}
    for _, boundary in interface.initial():
        sides[boundary.side][boundary.quantity] = values[boundary.key]
    lengths = {n: k for n, k in sizes.items() if n not in ("T", "B")}
    with np.errstate(all="ignore"):
        return interpret(
            primal,
            arrays,
            steps=sizes.get("T", STEPS),
            batch=BATCH,
            lengths=lengths,
            initial=sides["initial"],
            after=sides["after"],
        )
