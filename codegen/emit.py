"""Program to source text: Python prepares every line, the templates lay them out."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import jinja2

from codegen import runtime
from codegen.lower import render
from codegen.program import Function, Part, needed_for_signals, program
from codegen.share import share_values
from derive.adjoint import adjoint
from derive.latex import document
from derive.system import Quantity, System, check_names
from derive.text import steps_text, system_text


@dataclass(frozen=True)
class Generated:
    """What is generated for one network: file names with their text."""

    module: str
    test: str
    latex: str
    name: str

    def files(self) -> dict[str, str]:
        return {
            f"{self.name}.py": self.module,
            f"test_{self.name}.py": self.test,
            f"{self.name}.tex": self.latex,
        }


def generate(system: System) -> Generated:
    """A forward system as a module, its test, and its equations as LaTeX."""
    derived = adjoint(system)
    return Generated(
        module=module_source(derived),
        test=test_source(derived),
        latex=document(derived),
        name=system.name,
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def module_source(system: System) -> str:
    """The source of the generated module for a system that holds its own adjoint."""
    shared = share_values(system)
    functions = [_function(f, shared) for f in program(shared, _parts(shared), _results(shared))]
    body = "\n".join(line for f in functions for line in f.lines)
    boundaries = boundary_values(system)
    inputs = system.of_kind("input", "mask")
    return (
        _environment()
        .get_template("module.py.jinja")
        .render(
            title=f"{system.name}: a recurrent network with {system.parameter_count} parameters.",
            description=_description(system),
            index_note=textwrap.wrap(f"{steps_text(system)}.", 96, break_on_hyphens=False),
            equations=system_text(system.equations).splitlines(),
            sizes=size_names(system),
            lengths=_tuple(size.name for size in system.lengths),
            parameters=[_entry(q, system) for q in system.of_kind("parameter")],
            inputs=[_entry(q, system) for q in inputs],
            masks=_tuple(q.name for q in system.of_kind("mask")),
            outputs=[_entry(system.quantities[n], system) for n in system.outputs],
            initial=[f'"{b.key}": {_shape(b.shape)}' for b in boundaries],
            initial_gradients=[
                f'"{b.key}": "{b.gradient}"' for b in boundaries if b.gradient in system.definitions
            ],
            targets=[
                _entry(system.quantities[f"target_{loss.output}"], system, loss.output)
                for loss in system.losses
            ],
            classes=_tuple(x.output for x in system.losses if x.by_class),
            weighted=[
                _entry(q, system, q.name.removeprefix("weight_")) for q in system.of_kind("weight")
            ],
            judging=_tuple(x.weights for x in system.losses if system.quantities.get(x.weights)),
            free_steps=", steps=None" if _has_free_steps(system) else "",
            steps="steps" if _has_free_steps(system) else "None",
            signals=[_trimmed(q, system) for q in system.of_kind("signal") if _is_visible(q)],
            loss_formula=_loss_formula(system),
            functions=functions,
            helpers=_helpers(body, bool(system.reach)),
            biases=[f'"{name}"' for name in sorted(_biases(system))],
            extensions=_extensions(system, boundaries),
        )
    )


def size_names(system: System) -> str:
    """The names of the sizes that are known when a module runs: lengths of axes of steps, B."""
    return ", ".join([*(size.name for size in system.lengths), "B"])


def _has_free_steps(system: System) -> bool:
    """Whether no input says how many steps there are."""
    given = {a.size for q in system.of_kind("input", "mask") for a in q.axes if a.kind == "time"}
    return not set(system.lengths) <= given


def _parts(system: System) -> list[Part]:
    """The functions of a module, in the order in which they run."""
    forward, losses = needed_for_signals(system)
    names = [e.quantity.name for e in system.equations]
    backward = names[system.forward_count :]
    parameters = {f"d_{q.name}" for q in system.of_kind("parameter")}
    sides = {f"d_{q.name}" for q in system.of_kind("input")}
    outside = {n for n in backward if n.startswith(("d_initial_", "d_after_"))} - parameters
    groups = (
        ("_forward", "The signals, forward in time.", forward),
        ("_loss", "The losses, and what only they need.", losses),
        (
            "_backward",
            "Adjoints, and the parameters' gradients.",
            set(backward) - sides - outside,
        ),
        ("_input_gradients", "The gradients of the inputs.", sides),
        ("_initial_gradients", "The gradients of values outside the steps.", outside),
    )
    return [Part(n, about, tuple(q for q in names if q in group)) for n, about, group in groups]


def _results(system: System) -> list[str]:
    """What a user gets to see: named signals, losses, gradients."""
    return [q.name for q in system.of_kind("signal", "loss", "gradient") if _is_visible(q)]


def test_source(system: System) -> str:
    """The source of the generated module's own test."""
    return (
        _environment()
        .get_template("test_module.py.jinja")
        .render(
            name=system.name,
            method="complex step" if system.is_analytic else "central differences",
            analytic=system.is_analytic,
            steps=_test_steps(system),
        )
    )


def _test_steps(system: System) -> str:
    """Lengths that the test runs: one step, some, and one more than the longest delay."""
    longest = max((r.before + r.after for r in system.reach.values()), default=0)
    return ", ".join(str(n) for n in sorted({1, 4, min(longest + 1, 12)}))


@dataclass(frozen=True)
class FunctionText:
    """A function as the template lays it out."""

    name: str
    about: str
    lines: tuple[str, ...]


def _function(made: Function, system: System) -> FunctionText:
    lines = [f'    {n} = arrays["{n}"]' for n in made.takes]
    if lines and made.statements:
        lines.append("")
    lines += render(made.statements)
    lines += [f'    arrays["{n}"] = {n}' for n in made.gives if n not in made.takes]
    return FunctionText(made.part.name, made.part.about, tuple(lines or ["    return"]))


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
    found = []
    for name, reach in system.reach.items():
        quantity = system.quantities[name]
        if quantity.kind not in ("signal", "input", "mask"):
            continue
        rest = system.shape(quantity)[1:]
        for side, steps in (("initial", reach.before), ("after", reach.after)):
            if steps:
                both = side == "after" and reach.before
                key = f"{name}_after" if both else name
                found.append(Boundary(key, name, side, steps, (steps, *rest), f"d_{side}_{name}"))
    check_names((b.key, f"the values of {b.quantity} outside the steps") for b in found)
    return found


def _extensions(system: System, boundaries: list[Boundary]) -> list[str]:
    """Statements that put the values outside 0..T-1 around the arrays of given and computed."""
    lines = []
    for name, reach in system.reach.items():
        quantity = system.quantities[name]
        keys = {b.side: b.key for b in boundaries if b.quantity == name}
        before, after = (
            f'outside.get("{keys[side]}")' if side in keys else "None"
            for side in ("initial", "after")
        )
        length, *rest = map(str, system.shape(quantity))
        shape = ", ".join(rest) + ("," if len(rest) == 1 else "")
        outside = f"{before}, {reach.before}, {after}, {reach.after}"
        extended = f"_extended({length}, ({shape}), {outside}, dtype)"
        is_given = quantity.kind in ("input", "mask")
        if is_given:
            lines.append(f'given_steps = arrays["{name}"]')
        lines.append(f'arrays["{name}"] = {extended}')
        if is_given:
            rows = f"{reach.before} : {reach.before} + {length}"
            lines.append(f'arrays["{name}"][{rows}] = given_steps')
    return lines


def _description(system: System) -> str:
    inputs = ", ".join(f"{q.name} {_plain(q, system)}" for q in system.of_kind("input", "mask"))
    outputs = ", ".join(f"{n} {_plain(system.quantities[n], system)}" for n in system.outputs)
    return f"Inputs {inputs}; outputs {outputs}."


def _plain(quantity: Quantity, system: System) -> str:
    return f"({', '.join(map(str, system.shape(quantity)))})"


def _shape(shape: Iterable[int | str]) -> str:
    """A shape as source: ("T", "B", 3)."""
    entries = [f'"{n}"' if isinstance(n, str) else str(n) for n in shape]
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def _entry(quantity: Quantity, system: System, key: str = "") -> str:
    return f'"{key or quantity.name}": {_shape(system.shape(quantity))}'


def _tuple(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _is_visible(quantity: Quantity) -> bool:
    return not quantity.internal


def _trimmed(quantity: Quantity, system: System) -> str:
    reach = system.reach.get(quantity.name)
    array = f'arrays["{quantity.name}"]'
    if reach is not None:
        length = system.shape(quantity)[0]
        array += f"[{reach.before} : {reach.before} + {length}]" if reach.before else f"[:{length}]"
    return f'"{quantity.name}": {array}'


def _biases(system: System) -> set[str]:
    """Parameters that are only ever added: they start at zero."""
    added: set[str] = set()
    used: set[str] = set()
    names = {q.name for q in system.of_kind("parameter")}
    for equation in system.equations[: system.forward_count]:
        for term in equation.terms:
            mentioned = {str(r.base.label) for r in term.reads()} & names
            is_alone = len(term.reads()) == 1 and not term.sums and term.factor in term.reads()
            (added if is_alone else used).update(mentioned)
    return added - used


def _loss_formula(system: System) -> list[str]:
    if len(system.losses) == 1 and system.losses[0].weight == 1:
        return [f"{system.losses[0].formula}."]
    return [
        "the weighted sum of",
        *(f"  {loss.weight:g} * {loss.signal}: {loss.formula}" for loss in system.losses),
    ]


def _helpers(body: str, extends: bool) -> list[str]:
    """The source of the functions that the equations call."""
    called = set(re.findall(r"\b(_[a-z_]+)\(", body))
    if extends:
        called.add("_extended")
    known = {
        name: value
        for name, value in vars(runtime).items()
        if name.startswith("_") and inspect.isfunction(value)
    }
    return [inspect.getsource(f).rstrip() for name, f in known.items() if name in called]
