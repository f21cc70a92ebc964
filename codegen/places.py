"""Where a generated module computes which equation, and the sections of further derivatives."""

from __future__ import annotations

import re

from bptt.codegen.extras import Extended
from bptt.derive.calculus.system import System
from bptt.derive.notation.document import Section

# The comment of a statement that names the equations which it computes, and one of their numbers.
NUMBERED = re.compile(r"(#\s*)((?:\(\d+\) ?)+)")
NUMBER = re.compile(r"\((\d+)\)")


def places(module: str, system: System) -> dict[str, tuple[int, ...]]:
    """The lines of a module, from 1, that compute each quantity of its system."""
    named = {e.number: e.quantity.name for e in system.equations}
    found: dict[str, list[int]] = {}
    for number, line in enumerate(module.splitlines(), 1):
        match = NUMBERED.search(line)
        for mentioned in map(int, NUMBER.findall(match[2])) if match else ():
            if mentioned in named:
                found.setdefault(named[mentioned], []).append(number)
    return {name: tuple(lines) for name, lines in found.items()}


def further_sections(extended: Extended) -> tuple[Section, ...]:
    """The equations of the extras: those of each part, and what no part has."""
    system = extended.system
    sections = [
        Section(part.about.rstrip("."), tuple(system.definitions[n] for n in part.quantities))
        for part in extended.parts
    ]
    taken = {e.quantity.name for s in sections for e in s.equations}
    base = len(extended.base.equations)
    rest = [e for e in system.equations[base:] if e.quantity.name not in taken]
    for heading, is_derived in (
        ("Scalars that are differentiated and need not be computed", False),
        ("Sensitivities, for real-time recurrent learning", True),
    ):
        own = tuple(e for e in rest if e.quantity.is_derived == is_derived)
        sections.append(Section(heading, own))
    return tuple(s for s in sections if s.equations)
