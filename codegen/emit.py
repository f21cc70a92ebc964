"""Program to source text: Python prepares every line, the templates lay them out."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any

from bptt.codegen import door
from bptt.codegen.boundaries import allocated, boundary_values, extensions, trimmed
from bptt.codegen.entries import (
    entry,
    free_steps,
    pairs_text,
    plain_shape,
    shape_text,
    size_names,
    tuple_text,
)
from bptt.codegen.extra_text import extra_functions, extra_tests
from bptt.codegen.extras import LEGENDS, Extended, check_extras, extend
from bptt.codegen.lower import lowered
from bptt.codegen.numpy import runtime
from bptt.codegen.numpy.layout import formatted
from bptt.codegen.numpy.statements import statements
from bptt.codegen.passes import optimised
from bptt.codegen.places import further_sections, places
from bptt.codegen.program import Function, Part, Program, first_step_of
from bptt.codegen.share import share_values
from bptt.codegen.stamp import stamped
from bptt.codegen.templating import environment
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.dependence import is_gradient, network_side
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import Derivative, Made, Quantity, Role
from bptt.derive.calculus.reductions import REDUCTIONS
from bptt.derive.calculus.residuals import is_sum_of_squares
from bptt.derive.calculus.system import System, name_of
from bptt.derive.notation.article import article
from bptt.derive.notation.document import document
from bptt.derive.notation.listing import listing, steps_text


@dataclass(frozen=True)
class Generated:
    """What is generated for one network: file names with their text."""

    module: str
    test: str
    latex: str
    name: str

    def files(self) -> dict[str, str]:
        """The texts by the names of their files, each with a sum as its last line."""
        return {
            f"{self.name}.py": stamped(self.module, ".py"),
            f"test_{self.name}.py": stamped(self.test, ".py"),
            f"{self.name}.tex": stamped(self.latex, ".tex"),
        }


def generate(system: System, extras: Iterable[str] = ()) -> Generated:
    """A forward system as a module with extras, its test, and its equations as LaTeX."""
    return generated(extend(adjoint(system), extras))


def generated(extended: Extended, *, plain: bool = False) -> Generated:
    """The module, its test and its equations, for a system with the equations of its extras."""
    module = source_of(extended, plain=plain)
    described = document(
        extended.system, more=further_sections(extended), places=places(module, extended.system)
    )
    return Generated(
        module=module,
        test=source_of_test(extended.base, extended.names),
        latex=article(described),
        name=extended.base.name,
    )


def module_source(system: System, extras: Iterable[str] = ()) -> str:
    """The source of the generated module for a system that holds its own adjoint.

    `extras` are names of `bptt.codegen.extras.EXTRAS`.
    """
    return source_of(extend(system, extras))


def programs(extended: Extended, *, plain: bool = False) -> list[tuple[Program, System]]:
    """What a module computes, with the systems whose equations that are.

    `plain` programs are as they were lowered: each term of an equation is a statement.
    """
    shared = share_values(extended.system, _without_losses(extended))
    parts = (*_parts(shared, extended.base), *extended.parts)
    results = {*_results(extended.base), *extended.results}
    found = [(lowered(shared, parts, results), shared)]
    if "online" in extended.values:
        found.append((extended.values["online"], extended.system))
    return found if plain else [(optimised(program), system) for program, system in found]


@dataclass(frozen=True)
class Titles:
    """What stands at the head of a file: what the network is, and how to read its equations."""

    title: str
    description: str
    legend: tuple[str, ...]
    index_note: tuple[str, ...]


def titles(extended: Extended) -> Titles:
    system = extended.base
    return Titles(
        f"{system.name}: a recurrent network with {system.parameter_count} parameters.",
        _description(system),
        tuple(_legend(extended)),
        tuple(textwrap.wrap(f"{steps_text(system)}.", 96, break_on_hyphens=False)),
    )


@dataclass(frozen=True)
class Binding:
    """What a module has that lets compiled code compute, and falls back on NumPy's else.

    `needs` says in a sentence what it needs; each function's statements stand behind a `first` one.
    """

    needs: str
    imports: tuple[str, ...]
    tables: tuple[str, ...]
    functions: tuple[str, ...]
    first: Callable[[str, str], tuple[str, ...]]


NUMPY_ALONE = Binding(
    "This module needs NumPy and nothing else.", (), (), (), lambda name, sizes: ()
)


def source_of(extended: Extended, *, plain: bool = False, binding: Binding = NUMPY_ALONE) -> str:
    """The source of the generated module for a system with the equations of its extras.

    With `plain` each contraction is one einsum, as its equation stands.
    """
    system = extended.base
    every = programs(extended, plain=plain)
    functions = [f for program, known in every for f in _functions(program, known, plain=plain)]
    first_step = next((f.first_step for f in functions if f.first_step), "")
    extra_texts = extra_functions(extended, size_names(system), first_step=first_step)
    body = "\n".join((*(line for f in functions for line in f.lines), *extra_texts))
    boundaries = boundary_values(system)
    chunked = bool({"truncated", "checkpoints"} & set(extended.names))
    inputs = system.of_role("input")
    return formatted(
        environment()
        .get_template("module.py.jinja")
        .render(
            **asdict(titles(extended)),
            equations=listing(extended.system.equations, extended.system).splitlines(),
            sizes=size_names(system),
            lengths=tuple_text(size.name for size in system.lengths),
            parameters=[entry(q, system) for q in system.of_role("parameter")],
            inputs=[entry(q, system) for q in inputs],
            masks=tuple_text(q.name for q in system.masks),
            outputs=[entry(system.quantities[n], system) for n in system.outputs],
            initial=[f'"{b.key}": {shape_text(b.shape)}' for b in boundaries],
            gradients=_gradients(system, "parameter"),
            input_gradients=_gradients(system, "input"),
            initial_gradients=pairs_text(
                {b.key: b.gradient for b in boundaries if b.gradient in system.definitions}
            ),
            given_as=[f'("targets", "{of}"): "{q.name}"' for of, q in _targets(system).items()]
            + [f'("weights", "{of}"): "{q.name}"' for of, q in _weights(system).items()],
            targets=[entry(q, system, of) for of, q in _targets(system).items()],
            classes=tuple_text(_of_classes(system)),
            weighted=[entry(q, system, of) for of, q in _weights(system).items()],
            losses=[_loss_entry(output, system) for output in _targets(system)],
            after=[f'"{b.key}": "{b.quantity}"' for b in boundaries if b.side == "after"],
            layers=[(n, [tuple_text(g) for g in groups]) for n, groups in _layers(system)],
            judging=tuple_text(
                dict.fromkeys(x.weights for x in system.losses if system.quantities.get(x.weights))
            ),
            **free_steps(system),
            whole=", whole=True" if chunked else "",
            signals=[
                trimmed(q, system, q.name) for q in system.of_role("signal") if not q.internal
            ],
            loss_formula=_loss_formula(system),
            extras=[text.rstrip() for text in extra_texts],
            functions=[
                replace(f, lines=(*binding.first(f.name, size_names(system)), *f.lines))
                for f in functions
            ],
            binding=binding,
            helpers=_helpers(body, bool(system.reach)),
            door=_door(),
            biases=[f'"{name}"' for name in sorted(_biases(system))],
            extensions=extensions(system, boundaries, chunked=chunked),
        )
    )


def _gradients(system: System, role: Role) -> list[str]:
    """The names of the loss's derivatives by what is given, as entries of a dict."""
    given = system.of_role(role, differentiable=True)
    return pairs_text({q.name: system.derivative("loss", q.name) for q in given})


def _weights(system: System) -> dict[str, Quantity]:
    """The weights of the steps of weighted losses, by their outputs."""
    given = {q.name: q for q in system.of_role("weight")}
    return {x.output: given[x.weights] for x in system.losses if x.weights in given}


def _targets(system: System) -> dict[str, Quantity]:
    """The targets of the losses, by their outputs."""
    return {x.output: system.quantities[x.target] for x in system.losses}


def _of_classes(system: System) -> list[str]:
    """The outputs whose targets may be numbers of classes: for all of their losses."""
    others = {x.output for x in system.losses if not x.by_class}
    return [output for output in _targets(system) if output not in others]


def _without_losses(extended: Extended) -> tuple[str, ...]:
    """What is computed where the losses are not: the parts of chunks, and residuals."""
    apart = ("_chunk_loss", "_chunk_backward", "_residuals")
    return tuple(n for part in extended.parts if part.name in apart for n in part.quantities)


def _legend(extended: Extended) -> list[str]:
    """What the names of derived quantities mean."""
    said = dict.fromkeys(LEGENDS[name] for name in extended.names if name in LEGENDS)
    text = (
        "Equations; d_x stands for the derivative of the loss by x, and a term with a condition "
        "in brackets is zero where the condition does not hold."
    )
    return textwrap.wrap(" ".join((text, *(f"{sentence}." for sentence in said))), 96)


def _parts(system: System, base: System) -> list[Part]:
    """The functions of every module, in the order in which they run.

    `base` holds the adjoint alone; `system` more, and values that both passes share.
    """
    names = [e.quantity.name for e in system.equations]
    signals = network_side(system)
    # A value that both passes share has the number of the equation that it is a part of.
    numbers = {e.number for e in system.primal if e.quantity.name in signals}
    forward = {e.quantity.name for e in system.primal if e.number in numbers}
    judged = system.primal.definitions.keys() - forward
    backward = {e.quantity.name: e.quantity.origin for e in base.derived}
    inputs = {q.name for q in system.of_role("input")}
    outside = {n for n, o in backward.items() if isinstance(o, Derivative) and o.outside}
    sides = {n for n, o in backward.items() if isinstance(o, Derivative) and o.by in inputs}
    groups = (
        ("_forward", "The signals, forward in time.", forward),
        ("_loss", "The losses, and what only they need.", judged),
        (
            "_backward",
            "Adjoints, and the parameters' gradients.",
            backward.keys() - sides - outside,
        ),
        ("_input_gradients", "The gradients of the inputs.", sides - outside),
        ("_initial_gradients", "The gradients of values outside the steps.", outside),
    )
    return [Part(n, about, tuple(q for q in names if q in group)) for n, about, group in groups]


def _results(system: System) -> list[str]:
    """What a user gets to see: named signals, losses, gradients."""
    shown = [q.name for q in system.of_role("signal", "loss") if not q.internal]
    return shown + [n for e in system.derived if is_gradient(system, n := e.quantity.name)]


def source_of_test(system: System, extras: Iterable[str] = ()) -> str:
    """The source of the generated module's own test."""
    names = check_extras(extras)
    return (
        environment()
        .get_template("test_module.py.jinja")
        .render(
            name=system.name,
            method="complex step" if system.is_analytic else "central differences",
            analytic=system.is_analytic,
            steps=_test_steps(system),
            extras=[text.rstrip() for text in extra_tests(system, names)],
            more=", **extra_errors()" if names else "",
        )
    )


def _test_steps(system: System) -> str:
    """Lengths that the test runs: one step, some, and one more than the longest delay."""
    longest = max((r.before + r.after for r in system.reach.values()), default=0)
    return ", ".join(str(n) for n in sorted({1, 4, min(longest + 1, 12)}))


@dataclass(frozen=True)
class FunctionText:
    """A function as the template lays it out; the name of the first step's number, if it has it."""

    name: str
    about: str
    lines: tuple[str, ...]
    first_step: str


def _functions(program: Program, system: System, *, plain: bool) -> list[FunctionText]:
    return [_function(f, program, system, plain=plain) for f in program.functions]


def _function(function: Function, program: Program, system: System, *, plain: bool) -> FunctionText:
    first_step = first_step_of(program)
    lines = [f'    {n} = arrays["{n}"]' for n in function.takes]
    for name in function.allocates:
        lines.append(f"    {name} = {allocated(system.quantities[name], system)}")
    body = statements(program, function, plain=plain)
    if lines and body:
        lines.append("")
    counts = _mentions(first_step, body)
    if counts:
        lines.insert(0, f'    {first_step} = arrays.get("first step", 0)')
    for symbol in system.free:
        if _mentions(symbol.name, body):
            lines.insert(0, f'    {symbol} = arrays["{symbol}"]')
    lines += body
    lines += [f'    arrays["{n}"] = {n}' for n in function.gives if n not in function.takes]
    lines = lines or ["    return"]
    return FunctionText(function.name, function.about, tuple(lines), first_step if counts else "")


def _mentions(name: str, lines: Iterable[str]) -> bool:
    """Whether a variable occurs in some lines."""
    word = re.compile(rf"\b{name}\b")
    return any(name in line and word.search(line) for line in lines)


def _description(system: System) -> str:
    inputs = ", ".join(f"{q.name} {plain_shape(q, system)}" for q in system.of_role("input"))
    outputs = ", ".join(f"{n} {plain_shape(system.quantities[n], system)}" for n in system.outputs)
    return f"{f'Inputs {inputs}' if inputs else 'No inputs'}; outputs {outputs}."


def _biases(system: System) -> set[str]:
    """Parameters that are only ever added: they start at zero."""
    added: set[str] = set()
    used: set[str] = set()
    names = {q.name for q in system.of_role("parameter")}
    for equation in system.primal:
        for term in equation.terms:
            mentioned = {str(r.base.label) for r in term.reads()} & names
            is_alone = len(term.reads()) == 1 and not term.sums and term.factor in term.reads()
            (added if is_alone else used).update(mentioned)
    return added - used


def _loss_entry(output: str, system: System) -> str:
    """The losses of an output: those of several judge the same steps."""
    losses = [loss for loss in system.losses if loss.output == output]
    (first, *_) = losses
    mask = "" if first.steps == "weighted" else first.weights
    named = f'"{mask}"' if mask else "None"
    kinds = ", ".join(f'"{loss.kind}": {loss.weight:g}' for loss in losses)
    differences = all(loss.of_differences for loss in losses)
    squares = all(is_sum_of_squares(system, loss.signal) for loss in losses)
    return (
        f'"{output}": {{"kinds": {{{kinds}}}, "steps": "{first.steps}", "mask": {named}, '
        f'"differences": {differences}, "squares": {squares}}}'
    )


def _layers(system: System) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Layers with the parameters of their net inputs; one that is shared belongs to the first."""
    names = {q.name for q in system.of_role("parameter")}
    seen: set[str] = set()
    found: dict[str, list[tuple[str, ...]]] = {}
    for equation in system.primal:
        mentioned = {name_of(r): None for term in equation.terms for r in term.reads()}
        group = tuple(name for name in mentioned if name in names and name not in seen)
        if group:
            seen.update(group)
            found.setdefault(_layer_of(equation.quantity), []).append(group)
    return list(found.items())


def _layer_of(quantity: Quantity) -> str:
    """The layer of a signal; outside layers a signal is its own, its net input included."""
    match quantity.origin:
        case Made("net input", of) if not quantity.layer:
            return of
    return quantity.layer or quantity.name


def _loss_formula(system: System) -> list[str]:
    if len(system.losses) == 1 and system.losses[0].weight == 1:
        return [f"{system.losses[0].formula}."]
    return [
        "the weighted sum of",
        *(f"  {loss.weight:g} * {loss.signal}: {loss.formula}" for loss in system.losses),
    ]


def _door() -> list[str]:
    """The source of the functions that check what is given, without annotations."""
    return sources_without_types(door)


def sources_without_types(module: ModuleType) -> list[str]:
    """The sources of a module's functions, without annotations."""
    functions = [
        f
        for f in vars(module).values()
        if inspect.isfunction(f) and f.__module__ == module.__name__
    ]
    return [untyped(inspect.getsource(f)).rstrip() for f in functions]


def untyped(source: str) -> str:
    """The source of a function without annotations."""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    lines = source.splitlines(keepends=True)
    # From the last to the first: what stands before keeps its place.
    notes = [(function.returns, " -> "), *((a.annotation, ": ") for a in function.args.args[::-1])]
    for note, sign in notes:
        if note is not None:
            line = lines[note.lineno - 1]
            lines[note.lineno - 1] = (
                line[: note.col_offset - len(sign)] + line[note.end_col_offset :]
            )
    return "".join(lines)


def _helpers(body: str, extends: bool) -> list[str]:
    """The source of the functions that the equations call."""
    called = set(re.findall(r"\b(_[a-z_]+)\(", body))
    if extends:
        called.add("_extended")
    known: dict[str, Callable[..., Any]] = {
        name: value
        for name, value in vars(runtime).items()
        if name.startswith("_") and inspect.isfunction(value)
    }
    known |= {r.source: r.array for r in REDUCTIONS.values()}
    known |= {p.source: p.array for p in PRIMITIVES.values() if not p.is_numpy}
    return [inspect.getsource(f).rstrip() for name, f in known.items() if name in called]
