"""The Python module whose equations compiled code computes, with the functions of any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bptt.codegen.boundaries import allocated
from bptt.codegen.c import binding
from bptt.codegen.c.frame import Frame
from bptt.codegen.emit import Binding, source_of, sources_without_types
from bptt.codegen.entries import size_names, tuple_text
from bptt.codegen.extra_text import sums_of_weights
from bptt.codegen.extras import Extended
from bptt.codegen.program import places, root

IMPORTS = (
    *(
        "ctypes",
        "hashlib",
        "importlib",
        "importlib.util",
        "math",
        "os",
        "pathlib",
        "platform",
        "shlex",
        "shutil",
    ),
    *("struct", "subprocess", "sys", "tempfile"),
)


def module_source(extended: Extended, frames: Sequence[Frame]) -> str:
    """The source of NAME.py, which stands beside NAME.c and NAME.h."""
    name, sizes = extended.base.name, size_names(extended.base)
    found = Binding(
        f"This module needs NumPy, {name}.c and {name}.h\n"
        "beside it, and a C compiler: compiled code computes what is real, NumPy what is complex.",
        (*(f"import {module}" for module in IMPORTS), ""),
        (
            f'_NAME = "{name}"',
            f"_SIZE, _MUCH = {extended.base.parameter_count}, {binding._MUCH}",
            f"_FLAGS = {binding._FLAGS!r}",
            "_LIBRARIES = {}",
            "_PRODUCTS = {}",
            "_KERNELS = {",
            *(line for frame in frames for line in _kernels(frame, sizes)),
            "}",
            "_PARTS = {",
            *(line for frame in frames for line in _parts(frame, sizes)),
            "}",
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
    if name == "_online":
        sums = sums_of_weights(extended.base)
        lines += [f'    arrays["{made}"] = {code}' for made, code in sums.items()]
    return (*lines, f'    if _compiled("{name}", arrays, ({sizes},), dtype):', "        return")


def _kernels(frame: Frame, sizes: str) -> Iterator[str]:
    """The entries of the table: what each function takes, and what it makes, by their places.

    These are: how many arrays there are; those taken, and those handed on, with their names; those
    of its own; the shapes of what it makes, in this order; parts of arrays that are handed on; the
    numbers that it is given beside the sizes.
    """
    buffers = frame.program.buffers
    places = {name: place for place, (name, _) in enumerate(frame.arrays)}
    for function, text in frame.pairs():
        known = {root(n, buffers).buffer for n in (*function.takes, *function.allocates)}
        taken = [n for n in text.arrays if n in known]
        made = [n for n in text.arrays if n not in known]
        roots = {root(n, buffers).buffer for n in function.gives}
        given = [n for n in made if n in roots]
        own = [n for n in made if n not in roots]
        parts = [n for n in function.gives if n not in places and root(n, buffers).buffer in given]
        counts = ["first step" if n == frame.first_step else n for n in text.counts]
        shapes = [_shape(frame, n) for n in (*given, *own)]
        yield f'    "{function.name}": ('
        yield f"        {len(places)},"
        yield f"        {_tuple(_pair(places[n], n) for n in taken)},"
        yield f"        {_tuple(_pair(places[n], n) for n in given)},"
        yield f"        {_tuple(str(places[n]) for n in own)},"
        yield f"        lambda {sizes}: {_tuple(shapes)},"
        yield f"        {tuple_text(parts)},"
        yield f"        {tuple_text(counts)},"
        yield "    ),"


def _pair(place: int, name: str) -> str:
    return f'({place}, "{name}")'


def _tuple(codes: Iterable[str]) -> str:
    codes = list(codes)
    return f"({', '.join(codes)}{',' if len(codes) == 1 else ''})"


def _shape(frame: Frame, name: str) -> str:
    return _tuple("B" if n is None else str(n) for n in frame.memory.lengths(name))


def _parts(frame: Frame, sizes: str) -> Iterator[str]:
    """What is handed on and lies in another array: in which, along which axis, from where to where,
    and its shape."""
    for name in dict.fromkeys(n for f in frame.program.functions for n in f.gives):
        block = root(name, frame.program.buffers)
        if block.buffer == name:
            continue
        part = places(name, frame.program.buffers)
        assert part is not None
        place = f"{block.axis}, {part.start}, {part.stop}"
        shape = f"lambda {sizes}: {_shape(frame, name)}"
        yield f'    "{name}": ("{block.buffer}", {place}, {shape}),'
