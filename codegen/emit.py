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
from codegen.program import Function, program
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
    parts = program(shared)
    functions = [
        _function("_forward", "The signals, forward in time.", parts.forward),
        _function("_loss", "The losses, and what only they need.", parts.loss),
        _function("_backward", "Adjoints, and the parameters' gradients.", parts.backward),
        _function("_input_gradients", "The gradients of the inputs.", parts.inputs),
        _function(
            "_initial_gradients", "The gradients of values outside the steps.", parts.initial
        ),
    ]
    body = "\n".join(line for f in functions for line in f.lines)
    boundaries = boundary_values(system)
    return (
        _environment()
        .get_template("module.py.jinja")
        .render(
            title=f"{system.name}: a recurrent network with {system.parameter_count} parameters.",
            description=_description(system),
            index_note=textwrap.wrap(f"{steps_text(system)}.", 96, break_on_hyphens=False),
            equations=system_text(system.equations).splitlines(),
            parameters=[_entry(q, system) for q in system.of_kind("parameter")],
            inputs=[_width_entry(q, system) for q in system.of_kind("input")],
            outputs=[_width_entry(system.quantities[n], system) for n in system.outputs],
            initial=[f'"{b.key}": {(b.steps, *b.units)}' for b in boundaries],
            initial_gradients=[f'"{b.key}": "{b.gradient}"' for b in boundaries],
            targets=[
                f'"{loss.output}": {system.shape(system.quantities[loss.output])[-1]}'
                for loss in system.losses
            ],
            last_step=_tuple(x.output for x in system.losses if x.steps == "last"),
            classes=_tuple(x.output for x in system.losses if x.by_class),
            weighted=_tuple(x.output for x in system.losses if x.steps == "weighted"),
            signals=[_trimmed(q, system) for q in system.of_kind("signal") if _is_visible(q)],
            loss_formula=_loss_formula(system),
            functions=functions,
            helpers=_helpers(body, bool(system.reach)),
            biases=[f'"{name}"' for name in sorted(_biases(system))],
            extensions=_extensions(system, boundaries),
        )
    )


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


def _function(name: str, about: str, part: Function) -> FunctionText:
    lines = [f'    {n} = arrays["{n}"]' for n in part.takes]
    if lines and part.statements:
        lines.append("")
    lines += render(part.statements)
    lines += [f'    arrays["{n}"] = {n}' for n in part.gives if n not in part.takes]
    return FunctionText(name, about, tuple(lines or ["    return"]))


@dataclass(frozen=True)
class Boundary:
    """Values of a quantity outside 0..T-1: how the module's user names them."""

    key: str
    quantity: str
    side: str
    steps: int
    units: tuple[int, ...]
    gradient: str


def boundary_values(system: System) -> list[Boundary]:
    """The entries of `initial`: before the first step, or after the last.

    What is read on one side alone goes by the quantity's name; where both sides are read, the
    side after the last step gets `_after` behind it.
    """
    found = []
    for name, reach in system.reach.items():
        quantity = system.quantities[name]
        if quantity.kind not in ("signal", "input"):
            continue
        units = tuple(int(n) for n in system.shape(quantity)[2:])
        for side, steps in (("initial", reach.before), ("after", reach.after)):
            if steps:
                both = side == "after" and reach.before
                key = f"{name}_after" if both else name
                found.append(Boundary(key, name, side, steps, units, f"d_{side}_{name}"))
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
        shape = ", ".join(("B", *map(str, system.shape(quantity)[2:])))
        shape += "," if shape == "B" else ""
        extended = (
            f"_extended(T, ({shape}), {before}, {reach.before}, {after}, {reach.after}, dtype)"
        )
        if quantity.kind == "input":
            lines.append(f'steps = arrays["{name}"]')
        lines.append(f'arrays["{name}"] = {extended}')
        if quantity.kind == "input":
            lines.append(f'arrays["{name}"][{reach.before} : {reach.before} + T] = steps')
    return lines


def _description(system: System) -> str:
    inputs = ", ".join(f"{q.name} ({system.shape(q)[-1]})" for q in system.of_kind("input"))
    outputs = ", ".join(f"{n} ({system.shape(system.quantities[n])[-1]})" for n in system.outputs)
    return f"Inputs {inputs}; outputs {outputs}."


def _entry(quantity: Quantity, system: System) -> str:
    shape = system.shape(quantity)
    return f'"{quantity.name}": ({", ".join(map(str, shape))}{"," if len(shape) == 1 else ""})'


def _width_entry(quantity: Quantity, system: System) -> str:
    return f'"{quantity.name}": {system.shape(quantity)[-1]}'


def _tuple(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _is_visible(quantity: Quantity) -> bool:
    return not quantity.internal


def _trimmed(quantity: Quantity, system: System) -> str:
    reach = system.reach.get(quantity.name)
    array = f'arrays["{quantity.name}"]'
    if reach is not None:
        array += f"[{reach.before} : {reach.before} + T]" if reach.before else "[:T]"
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
