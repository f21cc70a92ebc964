"""The functions that C code calls, as far as it calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from bptt.derive.calculus.primitives import PRIMITIVES

# Functions that users call have the name of a primitive function already.
OTHERWISE = {"step": "unit_step"}
_HEAD = re.compile(r"(?:static inline|static|@INLINE) (?:@real|long|void) @(\w+)\(")


@cache
def _known() -> dict[str, str]:
    """The sources of all functions by name, those they call before them."""
    text = files("bptt.codegen").joinpath("templates/c/runtime.c").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"\n\n(?=/\*|static|@INLINE)", text.strip()):
        head = _HEAD.search(part)
        assert head is not None, part
        found[head[1]] = part
    for name, primitive in PRIMITIVES.items():
        if primitive.c:
            arguments = ", ".join(f"@real {n}" for n in primitive.arguments)
            name = OTHERWISE.get(name, name)
            begin = f"static inline @real @{name}({arguments})"
            found[name] = f"{begin}\n{{\n    return {primitive.c};\n}}"
    return found


def helpers(names: Iterable[str], prefix: str) -> list[str]:
    """The sources of some functions and of those that they call, in an order that compiles."""
    known, found = _known(), dict[str, str]()

    def add(name: str) -> None:
        if name not in found:
            for other in re.findall(r"@(\w+)\b", known[name]):
                if other in known and other != name:
                    add(other)
            found[name] = known[name]

    for name in sorted(names):
        add(name)
    return [filled(text, prefix) for text in found.values()]


def filled(text: str, prefix: str) -> str:
    """A text with the names of a file: its functions begin with its prefix, its macros with that
    in capitals."""

    def name(match: re.Match[str]) -> str:
        begin = prefix.upper() if match[1].isupper() else prefix
        return f"{begin}_{match[1]}"

    return re.sub(r"@(\w+)", name, text)
