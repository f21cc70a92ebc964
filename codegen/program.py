"""What a generated module computes: three functions' stages, and what passes between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codegen.lower import Lowering, Statement, Storage, layouts
from codegen.nodes import Freezer, FrozenEquation, term_reads
from codegen.schedule import AllSteps, Stage, schedule
from derive.system import System


@dataclass(frozen=True)
class Function:
    """A function of the module: what it takes from earlier ones, does, and hands on."""

    takes: tuple[str, ...]
    statements: tuple[Statement, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """The functions of a module, in the order in which they run."""

    forward: Function
    loss: Function
    backward: Function
    inputs: Function
    initial: Function


def program(system: System) -> Program:
    """Schedule and lower a system that holds its own adjoint."""
    freezer = Freezer(system)
    forward, losses = _forward_and_loss(system)
    groups = [
        [freezer.equation(system.definitions[n]) for n in names] for names in (forward, losses)
    ]
    backward = [freezer.equation(e) for e in system.equations[system.forward_count :]]
    sides = {f"d_{q.name}" for q in system.of_kind("input")}
    outside = {e.name for e in backward if e.name.startswith(("d_initial_", "d_after_"))}
    outside -= {f"d_{q.name}" for q in system.of_kind("parameter")}
    groups.append([e for e in backward if e.name not in sides | outside])
    groups.append([e for e in backward if e.name in sides])
    groups.append([e for e in backward if e.name in outside])
    stages = [schedule(group) for group in groups]
    storage = Storage(layouts(system), _kept(system, stages))
    lowering = Lowering(storage, system.quantities)
    functions = []
    for position, group in enumerate(groups):
        defined = {e.name for e in group}
        read = {r.name for e in group for r in term_reads(e)}
        later = {r.name for g in groups[position + 1 :] for e in g for r in term_reads(e)}
        gives = storage.kept if position < 2 else later
        functions.append(
            Function(
                takes=tuple(
                    n
                    for n in system.quantities
                    if n in read - defined or n in _padded(system) & defined
                ),
                statements=lowering.statements(stages[position]),
                gives=tuple(
                    e.name
                    for e in group
                    if e.name in gives or (position > 1 and _is_gradient(system, e))
                ),
            )
        )
    return Program(*functions)


def _is_gradient(system: System, equation: FrozenEquation) -> bool:
    return system.quantities[equation.name].kind == "gradient"


def _padded(system: System) -> set[str]:
    """The signals with values outside 0..T-1: their arrays exist before they are computed."""
    return {name for name in system.reach if system.quantities[name].kind == "signal"}


def _forward_and_loss(system: System) -> tuple[list[str], list[str]]:
    """Names of forward equations: those that signals need, and those that only the losses need."""
    needed: set[str] = set()
    todo = [q.name for q in system.of_kind("signal") if not q.internal]
    definitions = system.definitions
    while todo:
        name = todo.pop()
        if name in needed or name not in definitions:
            continue
        needed.add(name)
        todo += [str(r.base.label) for term in definitions[name].terms for r in term.reads()]
    names = [e.quantity.name for e in system.equations[: system.forward_count]]
    return [n for n in names if n in needed], [n for n in names if n not in needed]


def _kept(system: System, stages: Iterable[tuple[Stage, ...]]) -> frozenset[str]:
    """What is read by another stage than the one that computes it, and what the user may see."""
    kept = {q.name for q in system.of_kind("signal", "loss") if not q.internal}
    home: dict[str, Stage] = {}
    every = [stage for group in stages for stage in group]
    for stage in every:
        for equation in _equations(stage):
            home[equation.name] = stage
    for stage in every:
        for equation in _equations(stage):
            for read in term_reads(equation):
                if read.name in home and home[read.name] is not stage:
                    kept.add(read.name)
    return frozenset(kept)


def _equations(stage: Stage) -> tuple[FrozenEquation, ...]:
    if isinstance(stage, AllSteps):
        return (stage.equation,)
    return tuple(item.equation for item in stage.equations)
