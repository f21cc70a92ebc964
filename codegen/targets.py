"""The languages that a network's equations can be generated in, and the files of each."""

from __future__ import annotations

from collections.abc import Mapping

from bptt.codegen.c.emit import c_files
from bptt.codegen.emit import generated
from bptt.codegen.extras import Extended
from bptt.codegen.stamp import stamped
from bptt.derive.errors import UserError, check_choice

TARGETS = {
    "numpy": "NAME.py, test_NAME.py and NAME.tex; the module needs NumPy alone",
    "c": "NAME.c, NAME.h, test_NAME.c in C99, and NAME.py, which calls them",
}


def files_of(extended: Extended, target: str = "numpy", *, plain: bool = False) -> dict[str, str]:
    """The texts of all files by their names, each with a sum as its last line.

    Raises UserError for a target that is not known, and for `plain` where a target has no such
    form.
    """
    check_choice(target, TARGETS, "--target", "the target")
    if target == "numpy":
        return generated(extended, plain=plain).files()
    if plain:
        raise UserError(
            "C code has one form", place="--plain", remedy="leave it out, or use --target numpy"
        )
    return _stamped(c_files(extended))


def _stamped(files: Mapping[str, str]) -> dict[str, str]:
    return {name: stamped(text, f".{name.rsplit('.')[-1]}") for name, text in files.items()}
