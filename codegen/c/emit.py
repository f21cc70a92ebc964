"""A network's equations as C: the file, its header, its test, and the module that calls it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bptt.codegen.c.calls import calls, placing
from bptt.codegen.c.frame import frames_of, mentions
from bptt.codegen.c.further import Offer, offers
from bptt.codegen.c.interface import Group, Interface
from bptt.codegen.c.module import module_source
from bptt.codegen.c.runtime import helpers
from bptt.codegen.c.test import test_source
from bptt.codegen.emit import programs, titles
from bptt.codegen.extras import Extended
from bptt.codegen.passes import optimised
from bptt.codegen.passes.fuse import fused
from bptt.codegen.passes.stack import stacked
from bptt.codegen.passes.transpose import transposed
from bptt.codegen.templating import environment
from bptt.derive.notation.listing import listing

# What loops of C need done to a program: nothing that trades memory for fewer calls.
PASSES = (fused, stacked, transposed)


def c_files(extended: Extended) -> dict[str, str]:
    """The texts of NAME.c, NAME.h, test_NAME.c and NAME.py, by their names."""
    name = extended.base.name
    every = [optimised(program, PASSES) for program, _ in programs(extended, plain=True)]
    frames = frames_of(extended, every)
    interface = Interface(extended, frames)
    further = offers(interface)
    return {
        **_sources(extended, interface, further),
        f"test_{name}.c": test_source(interface, further),
        f"{name}.py": module_source(extended, frames),
    }


def _sources(extended: Extended, interface: Interface, further: Sequence[Offer]) -> dict[str, str]:
    """The texts of NAME.c and NAME.h, by their names."""
    prefix = extended.base.name
    known, frames = titles(extended), interface.frames
    more = dict.fromkeys(c for offer in further for c in offer.calls)
    offered = [placing(interface), *calls(interface), *more]
    called = {n for frame in frames for text in frame.texts for n in text.helpers}
    # What the functions for users call beside the equations.
    called |= {n for n in ("copy", "clear") for c in offered if mentions(c.lines, f"{prefix}_{n}")}
    every = listing(extended.system.equations, extended.system)
    values = {
        "p": prefix,
        "P": prefix.upper(),
        "title": known.title,
        "description": _safe(known.description),
        "sizes": ", ".join(interface.sizes),
        "legend": [_safe(line) for line in known.legend],
        "index_note": [_safe(line) for line in known.index_note],
        "equations": [_safe(line) for line in every.splitlines()],
        "about": _about(interface),
        "groups": [
            {"name": g.name, "about": g.about, "members": [*_members(g, prefix)]}
            for g in (*interface.groups, *(g for offer in further for g in offer.groups))
        ],
        "workspaces": [c.workspace for c in offered if c.workspace],
        "functions": [c for c in offered if c.about],
        "calls": offered,
        "helpers": helpers(called, prefix),
        "frames": frames,
        "gemm": [f"{prefix}_gemm"] if any(frame.multiplies for frame in frames) else [],
    }
    return {
        f"{prefix}.{suffix}": environment().get_template(f"c/module.{suffix}.jinja").render(values)
        for suffix in ("c", "h")
    }


def _about(interface: Interface) -> list[str]:
    sizes = ", ".join(interface.sizes)
    text = (
        f"Arrays are laid out [step][sequence][unit], row after row; {sizes} are the numbers of "
        "steps and of sequences. Pointers to values before the first step or after the last, and "
        "to gradients of inputs or of such values, may be null: zero then, or not wanted. Signals, "
        "and what else structures of pointers are filled with, stand in the workspace until it is "
        "used again. Of flash a program takes the code of the functions that it calls, compiled "
        "with -ffunction-sections and linked with --gc-sections, and no tables."
    )
    return textwrap.wrap(text, 92)


def _safe(text: str) -> str:
    """Text that ends no comment, and holds no trigraph."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def _members(group: Group, prefix: str) -> Iterator[str]:
    if group.first:
        yield group.first
    for member in group.members:
        if group.holds == "numbers":
            yield f"{prefix}_real {member.name}[{member.size}]; /* {member.axes} */"
        else:
            const = "const " if group.holds == "given" else ""
            yield f"{const}{prefix}_real *{member.name}; /* {member.axes} */"
