"""`bptt audit --callable`: somebody's own gradient function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bptt.commands.terminal import CHECK_FAILED, console, fail, working
from bptt.derive.audit.by_hand import Compared, compare_by_hand
from bptt.derive.description.topology import load
from bptt.derive.errors import UserError, shown


def audit_callable(file: str, function: str) -> None:
    """Compare a function's gradients with true ones, and say what explains a difference."""
    network = load(file)
    called = _imported(function)
    with working("comparing"):
        comparison = compare_by_hand(network, called)
    found = comparison.gradients
    _print(found)
    console().print(f"compared at {comparison.sizes}", markup=False, highlight=False)
    wrong = [c.name for c in found if not c.is_right]
    if wrong:
        fail(f"{len(wrong)} of {len(found)} gradients are wrong: {', '.join(wrong)}", CHECK_FAILED)


def _imported(function: str) -> Any:
    """The function of `module:function`; the module is looked for here first."""
    module, _, name = function.partition(":")
    if not module or not name:
        raise UserError(
            f"{shown(function)} names no function",
            place="--callable",
            remedy="write module:function",
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"the module {module!r} cannot be imported ({error})",
            place="--callable",
            remedy="name one in this folder, without .py",
        ) from None
    except Exception as error:
        raise UserError(
            f"the module {module!r} stops with {type(error).__name__}: {str(error)[:200]}",
            place="--callable",
            remedy="mend it",
        ) from None
    finally:
        sys.path.pop(0)
    found = getattr(loaded, name, None)
    if not callable(found):
        raise UserError(
            f"there is no function {name!r} in {module!r}",
            place="--callable",
            remedy="name one",
        )
    return found


def _print(found: Sequence[Compared]) -> None:
    table = Table("", "gradient by", "relative error", "", box=None, pad_edge=False)
    explained: dict[str, list[str]] = {}
    for compared in found:
        verdict = "ok" if compared.is_right else "[bold red]WRONG[/bold red]"
        error = "" if compared.found else f"{compared.error:.1e}"
        table.add_row(verdict, compared.name, error, compared.found)
        if compared.explanation:
            explained.setdefault(compared.explanation, []).append(compared.name)
    console().print(table, highlight=False)
    for explanation, names in explained.items():
        verb, rest = explanation.split(maxsplit=1)
        if len(names) > 1:
            verb = {"agrees": "agree", "is": "are"}[verb]
        console().print(f"{', '.join(names)} {verb} {rest}", markup=False, highlight=False)
    unexplained = [c.name for c in found if not (c.is_right or c.found or c.explanation)]
    if unexplained:
        text = f"{', '.join(unexplained)}: no single slip in the derived equations explains it"
        console().print(text, markup=False, highlight=False)
