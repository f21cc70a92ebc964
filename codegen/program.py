"""What a generated module computes: the stages of its functions, and what passes between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bptt.codegen.lower import Lowering, Statement, Storage, layouts
from bptt.codegen.nodes import Freezer, FrozenEquation, term_reads
from bptt.codegen.schedule import AllSteps, Stage, schedule
from bptt.derive.calculus.system import System


@dataclass(frozen=True)
class Part:
    """A function to be made: its name, what it is about, and the quantities that it computes."""

    name: str
    about: str
    quantities: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function of the module: what it takes from earlier ones, does, and hands on.

    `allocates` are arrays with rows outside the steps that it has to make before it fills them;
    those of signals exist already, with their given values. `first_step` is the variable with the
    number of the first step, which some statements may mention.
    """

    part: Part
    takes: tuple[str, ...]
    allocates: tuple[str, ...]
    statements: tuple[Statement, ...]
    gives: tuple[str, ...]
    first_step: str


def program(
    system: System,
    parts: Sequence[Part],
    results: Iterable[str],
    *,
    step_by_step: bool = False,
    rolled: Mapping[str, int] | None = None,
) -> tuple[Function, ...]:
    """Schedule and lower the parts of a system.

    `results` are the quantities that the module's user gets to see. With `step_by_step` each
    part is one time loop, which keeps of the `rolled` quantities only so many last steps.
    """
    freezer = Freezer(system)
    results, rolled = frozenset(results), rolled or {}
    names = tuple(system.quantities)
    stages = [
        schedule(
            [system.definitions[n] for n in part.quantities],
            freezer,
            names,
            step_by_step=step_by_step,
        )
        for part in parts
    ]
    storage = Storage(layouts(system), _kept(stages) | results, rolled)
    lowering = Lowering(storage, names)
    padded = {n for n in system.reach if n not in rolled}
    # Signals stand in their arrays with given values around them before they are computed.
    signals = {n for n in padded if not system.quantities[n].is_derived}
    made = padded - signals
    reads = [_read_by(system, part) for part in parts]
    functions = []
    for position, part in enumerate(parts):
        defined = set(part.quantities)
        later = results.union(*reads[position + 1 :])
        taken_in = (reads[position] - defined) | (signals & defined)
        functions.append(
            Function(
                part,
                takes=tuple(n for n in system.quantities if n in taken_in),
                allocates=tuple(n for n in part.quantities if n in made),
                statements=lowering.statements(stages[position]),
                gives=tuple(n for n in part.quantities if n in later),
                first_step=lowering.first_step,
            )
        )
    return tuple(functions)


def _read_by(system: System, part: Part) -> set[str]:
    return set().union(*(system.definitions[name].needs for name in part.quantities))


def _kept(groups: Iterable[tuple[Stage, ...]]) -> frozenset[str]:
    """What is read by another stage than the one that computes it."""
    kept: set[str] = set()
    home: dict[str, Stage] = {}
    every = [stage for group in groups for stage in group]
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
