"""What the test of a C file checks beside gradients: steps, and what extras compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from bptt.codegen.c.calls import Call
from bptt.codegen.c.further import WAYS, Offer
from bptt.codegen.c.interface import Group, Interface, Shown
from bptt.codegen.c.memory import lengths_of, size_code
from bptt.codegen.templating import environment

Values = Mapping[str, Any]
# Beyond so many derivatives of signals by parameters, functions that find them are not tested in C.
MOST_ELEMENTS = 400_000
OF_ELEMENTS = frozenset(
    {"forward_jacobian", "backward_jacobian", "forward_residual_jacobian",
     "backward_residual_jacobian", "rtrl", "learn_step"}
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A function of the test; the name of what it checks, or "" where others call it."""

    name: str
    source: str


@dataclass(frozen=True)
class Tested:
    """What the checks need to know: `arrays` are those of the members of given structures."""

    interface: Interface
    offers: Sequence[Offer]
    sizes: Mapping[str, int]
    arrays: Mapping[str, Mapping[str, str]]

    @property
    def prefix(self) -> str:
        return self.interface.prefix

    @property
    def counts(self) -> str:
        return ", ".join(self.interface.sizes)

    def passed(self, *groups: str) -> str:
        """Those of some structures that there are, as arguments, with a comma behind each."""
        return "".join(f"&{g}, " for g in groups if self.interface.has(g))

    def group(self, name: str) -> Group:
        return next(g for offer in self.offers for g in offer.groups if g.name == name)

    @cached_property
    def calls(self) -> dict[str, Call]:
        """The functions of extras that are tested, by their names."""
        system = self.interface.system
        units = sum(map(system.elements, system.of_role("signal")))
        left_out = OF_ELEMENTS if units * system.parameter_count > MOST_ELEMENTS else frozenset()
        every = (c for offer in self.offers for c in offer.calls if c.about)
        return {c.name: c for c in every if c.name not in left_out}

    def workspaces(self) -> list[str]:
        """How much the functions need that are tested, which use the same space in turn."""
        found = (c.workspace for c in self.calls.values())
        macros = [("WORKSPACE", self.interface.sizes), *((w.name, w.sizes) for w in found if w)]
        # A segment may have any length up to all steps.
        return [
            f"{self.prefix.upper()}_{name}({', '.join(given).replace('segment', length)})"
            for length in ("1", "T")
            for name, given in macros
            if length == "1" or "segment" in given
        ]

    def number(self, shape: Sequence[int | str]) -> int:
        """How many elements a shape has here."""
        return prod(length if isinstance(length, int) else self.sizes[length] for length in shape)

    @cached_property
    def outputs(self) -> tuple[Shown, ...]:
        interface = self.interface
        return tuple(s for s in interface.signals if s.quantity in interface.system.outputs)


def checks(tested: Tested) -> Iterator[Check]:
    """The functions of a test, those that others call before them."""
    yield from _steps(tested)
    names, interface = tested.calls.keys(), tested.interface
    whole = names & {"rtrl", "truncated", "checkpointed"}
    if names - {"gauss_newton_vector", "learn_step"}:
        yield _filled("", "shared", tested)
    if whole or "hessian_vector" in names:
        given = [g for g in ("input_gradients", "initial_gradients") if interface.has(g)]
        yield _filled("", "gradients", tested, nothing="".join(", 0" for _ in given))
    if whole:
        yield _filled("", "others", tested)
    if tested.outputs and names & {"jvp", "forward_jacobian"}:
        yield _filled("", "signals", tested, outputs=_rows(tested, tested.outputs))
        yield from _directional(tested)
        if "forward_jacobian" in names:
            yield from _elements(tested, "")
    if "residuals" in names:
        values = _rows(tested, tested.group("residual_values").shown)
        yield _filled("", "residuals", tested, values=values)
        if "forward_residual_jacobian" in names:
            yield from _elements(tested, "residual_")
    for name in ("hessian_vector", "gauss_newton_vector", "rtrl", "truncated", "checkpointed"):
        if name in names:
            yield _filled(name, name, tested, members=interface.parameters)


def _filled(name: str, template: str, tested: Tested, **values: Any) -> Check:
    text = environment().get_template(f"c/checks/{template}.c.jinja").render(
        p=tested.prefix,
        P=tested.prefix.upper(),
        counts=tested.counts,
        given=tested.passed("parameters", "inputs", "initial"),
        judged=tested.passed("parameters", "inputs", "targets", "initial"),
        **values,
    )  # fmt: skip
    return Check(name, text.rstrip())


def _rows(tested: Tested, every: Sequence[Shown], size: int = 0) -> list[str]:
    """The arguments of `weighted`, but for the structure: of elements with `size` derivatives, or
    of elements alone."""
    system, found = tested.interface.extended.system, []
    for shown in every:
        if shown.quantity:
            count = tested.number(system.shape(system.quantities[shown.quantity])) // max(size, 1)
            found.append(f"{shown.member.name}, {count}, {size}, {shown.width}, {shown.apart}")
    return found


# Step by step.


def _of_step(tested: Tested, *, judged: bool) -> str:
    """The arguments of a function for one step that say what is given."""
    has = tested.interface.has
    found = tested.passed("parameters")
    found += "&one, " if has("inputs") else ""
    return found + ("&of_one, " if judged and has("targets") else "")


def _steps(tested: Tested) -> Iterator[Check]:
    """Checks of functions for one step: the signals, and learning."""
    interface, system = tested.interface, tested.interface.system
    timed = [s for s in tested.outputs if system.quantities[s.quantity].time_axis is not None]
    learns = "learn_step" in tested.calls
    if interface.state is None or not (timed or learns):
        return
    yield _filled("", "steps", tested, **_one_step(tested))
    if timed:
        yield _filled("step", "step", tested, **_stepped(tested, timed))
    if learns:
        has_signals = interface.has("signals")
        yield _filled(
            "learn_step",
            "learn_step",
            tested,
            windows=tested.group("learner").members,
            declared=[f"{tested.prefix}_signals signals;"] if has_signals else [],
            signals=", &signals" if has_signals else "",
            stepped=_of_step(tested, judged=True),
        )


def _one_step(tested: Tested) -> Values:
    """Statements that give the values before the first step, and those of a step."""
    interface, system = tested.interface, tested.interface.system
    declared, begin, take = list[str](), list[str](), list[str]()
    for member, boundary in interface.state or ():
        width = tested.number([n for n in boundary.shape[1:] if n != "B"])
        batch = "B * " if "B" in boundary.shape else ""
        begin += [
            f"for (long k = 0; k < {member.size}; ++k)",
            f"    state->{member.name}[k] = {tested.arrays['initial'][member.name]}"
            f"[k / {width} * {batch}{width} + k % {width}];",
        ]
    if not begin:
        begin = ["(void)state;"]
    inputs = zip(interface.inputs, system.of_role("input"), strict=True)
    pairs = [("one", "inputs", m.name, q) for m, q in inputs]
    pairs += [("of_one", "targets", m.name, q) for m, q in interface.targets.values()]
    for one, group, name, quantity in pairs:
        row = size_code(lengths_of(system.shape(quantity)[1:]))
        step = "" if quantity.time_axis is None else f" + t * {row}"
        take.append(f"{one}.{name} = {tested.arrays[group][name]}{step};")
    if interface.has("inputs"):
        declared.append("inputs one")
    if interface.has("targets"):
        declared.append("targets of_one")
    return {"declared": declared, "begin": begin, "take": take}


def _stepped(tested: Tested, timed: Sequence[Shown]) -> Values:
    system = tested.interface.system
    sums, whole, own, compared = list[str](), list[str](), list[str](), list[str]()
    for n, s in enumerate(timed):
        name = s.member.name
        kinds = {a.kind for a in system.quantities[s.quantity].axes}
        batch = "B * " if "batch" in kinds else ""
        sums.append(f"double all_{n} = 0, own_{n} = 0;")
        whole += [
            f"for (long k = 0; k < T * {s.width}; ++k)",
            f"    all_{n} += number(k) * (double)every.{name}"
            f"[k / {s.width} * {batch}{s.apart} + k % {s.width}];",
        ]
        own += [
            f"for (long k = 0; k < {s.width}; ++k)",
            f"    own_{n} += number(t * {s.width} + k) * (double)now.{name}[k];",
        ]
        most = f"VALUES_TOLERANCE * (1 + fabs(all_{n}))"
        compared.append(f'wrong += is_wrong("{name}, step by step", own_{n}, all_{n}, {most});')
    return {"sums": sums, "whole": whole, "own": own, "compared": compared,
            "stepped": _of_step(tested, judged=False)}  # fmt: skip


# Along directions, and by every parameter.


def _directional(tested: Tested) -> Iterator[Check]:
    """Tangents, along a direction of all that has a gradient."""
    if "jvp" not in tested.calls:
        return
    interface = tested.interface
    lines, directions = list[str](), ""
    for m in interface.parameters:
        lines += [f"for (long k = 0; k < {m.size}; ++k)",
                  f"    along.{m.name}[k] = ({tested.prefix}_real)number(k + 1);"]  # fmt: skip
    if interface.parameters:
        lines.insert(0, f"static {tested.prefix}_parameters along;")
        directions += "&along, "
    inputs = zip(interface.inputs, interface.system.of_role("input"), strict=True)
    known = [m.name for m, q in inputs if q.differentiable]
    initial = [m.name for m, b in interface.initial if b.gradient]
    for group, moving in (("inputs", known), ("initial", initial)):
        if not interface.has(group):
            continue
        own = f"{group}_direction"
        lines.append(f"static {tested.prefix}_{group} {own};")
        directions += f"&{own}, "
        for member in moving:
            array = tested.arrays[group][member]
            size = f"sizeof {array} / sizeof *{array}"
            lines += [
                f"static {tested.prefix}_real along_{array}[{size}];",
                f"for (long k = 0; k < (long)({size}); ++k)",
                f"    along_{array}[k] = ({tested.prefix}_real)number(k + 1);",
                f"{own}.{member} = along_{array};",
            ]
    of = {s.member.name for s in tested.outputs}
    tangents = tested.group("tangents").shown
    rows = _rows(tested, [s for s in tangents if s.member.name in of])
    yield _filled("jvp", "jvp", tested, moving=lines, directions=directions, tangents=rows)


def _elements(tested: Tested, of: str) -> Iterator[Check]:
    """Derivatives of every output, or of every residual, by every parameter."""
    system = tested.interface.extended.system
    sizes = [tested.number(system.shape(q)) for q in system.of_role("parameter")]
    for way in WAYS:
        group = f"{way}_{of}elements"
        every = tested.group(group).shown
        yield _filled(
            f"{way}_{of}jacobian",
            "elements",
            tested,
            about=f"Derivatives of every {'residual' if of else 'output'}, {way} in time.",
            group=group,
            function=f"{way}_{of}jacobian",
            arguments=tested.passed(
                "parameters", "inputs", *(["targets"] if of else []), "initial"
            ),
            more=[f"{tested.prefix}_residual_values values;"] if of else [],
            passed=", &values" if of else "",
            elements=[
                line
                for place, shown in enumerate(every)
                for line in _rows(tested, [shown], sizes[place % len(sizes)])
            ],
            of="of_residuals" if of else "of_outputs",
        )
