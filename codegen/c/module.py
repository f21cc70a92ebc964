"""The Python module whose equations compiled code computes, with the functions of any other."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from bptt.codegen.boundaries import allocated
from bptt.codegen.c import binding
from bptt.codegen.c.frame import Frame
from bptt.codegen.emit import Binding, source_of, sources_without_types
from bptt.codegen.entries import size_names, tuple_text
from bptt.codegen.extras import Extended
from bptt.codegen.program import Function, root

IMPORTS = (
    *("ctypes", "hashlib", "importlib.util", "os", "pathlib", "platform", "shlex", "shutil"),
    *("subprocess", "sys", "tempfile"),
)


def module_source(extended: Extended, frames: Sequence[Frame]) -> str:
    """The source of NAME.py, which stands beside NAME.c and NAME.h."""
    name = extended.base.name
    sizes = size_names(extended.base)
    found = Binding(
        f"This module needs NumPy, {name}.c and {name}.h beside it, and a\nC compiler: what is "
        "real is computed by compiled code, what is complex by NumPy.",
        (*(f"import {module}" for module in IMPORTS), ""),
        (
            f'_NAME = "{name}"',
            f"_FLAGS = {binding._FLAGS!r}",
            "_LIBRARIES = {}",
            "_FRAMES = (",
            *(f"    {tuple_text(n for n, _ in frame.arrays)}," for frame in frames),
            ")",
            "_KERNELS = {",
            *(
                _kernel(n, f, frame)
                for n, frame in enumerate(frames)
                for f in frame.program.functions
            ),
            "}",
            "_SHAPES = (",
            *(line for frame in frames for line in _shapes(frame, sizes)),
            ")",
            "_PARTS = (",
            *(line for frame in frames for line in _parts(frame, sizes)),
            ")",
        ),
        tuple(sources_without_types(binding)),
        lambda function, given: _first(extended, frames, function, given),
    )
    return source_of(extended, binding=found)


def _first(extended: Extended, frames: Sequence[Frame], name: str, sizes: str) -> tuple[str, ...]:
    """The statements before those of NumPy."""
    function = next(f for frame in frames for f in frame.program.functions if f.name == name)
    lines = []
    for made in function.allocates:
        code = allocated(extended.system.quantities[made], extended.system)
        lines.append(f'    arrays["{made}"] = {code}')
    return (
        *lines,
        f'    if _compiled("{name}", arrays, ({sizes},), dtype):',
        "        return",
    )


def _kernel(number: int, function: Function, frame: Frame) -> str:
    """An entry of the table: what a function takes, makes and hands on, and counts it is given."""
    text = next(text for text in frame.texts if text.name == function.name)
    buffers = frame.program.buffers
    known = {root(n, buffers).buffer for n in (*function.takes, *function.allocates)}
    taken = [n for n in text.arrays if n in known]
    made = [n for n in text.arrays if n not in known]
    gives = dict.fromkeys(m for n in function.gives for m in (root(n, buffers).buffer, n))
    given = [n for n in gives if n not in taken]
    given = [n for n in given if root(n, buffers).buffer in made]
    counts = ["first step" if n == frame.first_step else n for n in text.counts]
    groups = ", ".join(map(tuple_text, (taken, made, given, counts)))
    return f'    "{function.name}": ({number}, {groups}),'


def _shapes(frame: Frame, sizes: str) -> list[str]:
    lines = ["    {"]
    for name, _ in frame.arrays:
        lines.append(f'        "{name}": lambda {sizes}: {_shape(frame, name)},')
    return [*lines, "    },"]


def _shape(frame: Frame, name: str) -> str:
    codes = ["B" if n is None else str(n) for n in frame.memory.lengths(name)]
    return f"({', '.join(codes)}{',' if len(codes) == 1 else ''})"


def _parts(frame: Frame, sizes: str) -> list[str]:
    lines = ["    {"]
    for name in dict.fromkeys(n for f in frame.program.functions for n in f.gives):
        block = root(name, frame.program.buffers)
        if block.buffer == name:
            continue
        lengths, whole = frame.memory.lengths(name), frame.memory.lengths(block.buffer)
        count = 1 + len(lengths) - len(whole)
        spans = lengths[block.axis : block.axis + count]
        stop = block.start + prod(n.constant for n in spans if n is not None)
        place = f"{block.axis}, {block.start}, {stop}"
        shape = f"lambda {sizes}: {_shape(frame, name)}"
        lines.append(f'        "{name}": ("{block.buffer}", {place}, {shape}),')
    return [*lines, "    },"]
