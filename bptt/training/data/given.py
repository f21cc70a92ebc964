"""What --data names: files, or signals in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.calculus.open_loop import MEASURED
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.training.data.files import Table, read_arrays, read_table


def given_data(
    module: ModuleType, specs: Iterable[str], *, said: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """The arrays that a module needs, by signal, from `FILE` or `NAME=FILE[:COLUMN[,COLUMN]]`.

    A .npz file holds arrays by name; another file columns, those of a signal called by its name,
    or NAME_1, NAME_2, ...; `said` is told of columns that are not used. Raises UserError for what
    cannot be read or found.
    """
    found: dict[str, Any] = {}
    # A signal that is named goes before one that a file happens to hold.
    named: dict[str, Any] = {}
    for spec in specs:
        match = re.fullmatch(r"([A-Za-z]\w*)=(.+?)(?::([^:/\\]+))?", spec)
        if match is None:
            more = _of_file(module, spec, said)
            _check_once(found, more, spec)
            found |= more
        else:
            name, path, columns = match.groups()
            known = [*wanted(module), *(f"weight_{n}" for n in module.WEIGHTED)]
            if name not in known:
                raise UserError(
                    f"the network has neither input nor target {shown(name)}"
                    f"{did_you_mean(name, known)}",
                    place="--data",
                    remedy=f"it needs {', '.join(known)}",
                )
            _check_once(named, [name], path)
            named[name] = _signal(module, name, _columns(read_table(path), columns))
    return found | named


def _check_once(found: Iterable[str], more: Iterable[str], path: str) -> None:
    twice = next((name for name in more if name in found), None)
    if twice is not None:
        raise UserError(
            f"holds {shown(twice)}, which other data hold too",
            file=path,
            remedy="give a signal once; runs of equal length go into one .npz file, as arrays "
            "(steps, runs, width)",
        )


def wanted(module: ModuleType) -> dict[str, int]:
    """The signals that have to be given, with their widths; weights may be."""
    found = {n.removeprefix(MEASURED): _width(s) for n, s in module.INPUTS.items()}
    return found | {n: _width(s) for n, s in module.TARGETS.items()}


def _width(shape: tuple[Any, ...]) -> int:
    return int(shape[-1]) if isinstance(shape[-1], int) else 1


def _of_file(module: ModuleType, path: str, said: Callable[[str], None]) -> dict[str, Any]:
    if path.endswith(".npz"):
        return read_arrays(path)
    table = read_table(path)
    found, used = {}, set[str]()
    for name in wanted(module):
        numbered = [n for n in table.names if re.fullmatch(re.escape(name) + r"_\d{1,6}", n)]
        used |= {name} if name in table.names else {*numbered}
        if name in table.names:
            found[name] = _signal(module, name, table.column(name)[:, None])
        elif numbered:
            numbered.sort(key=lambda n: int(n.rpartition("_")[2]))
            columns = np.stack([table.column(n) for n in numbered], axis=1)
            found[name] = _signal(module, name, columns)
    found |= {
        f"weight_{n}": table.column(f"weight_{n}")
        for n in module.WEIGHTED
        if f"weight_{n}" in table.names
    }
    unused = [n for n in table.names if n not in used and n not in found]
    if found and unused:
        said(f"{path}: not used: {', '.join(unused[:12])}")
    if not found:
        raise UserError(
            f"has columns {', '.join(table.names[:8])}, and none that the network needs",
            file=path,
            remedy=f"name them: --data {next(iter(wanted(module)))}={path}:{table.names[0]}",
        )
    return found


def _columns(table: Table, names: str | None) -> Any:
    if names is None:
        if len(table.names) > 1:
            raise UserError(
                f"has {len(table.names)} columns",
                file=table.file,
                remedy=f"say which: {table.file}:{table.names[0]}",
            )
        return table.values
    return np.stack([table.column(n.strip()) for n in names.split(",")], axis=1)


def _signal(module: ModuleType, name: str, values: Any) -> Any:
    """(rows, columns) as a signal; whole numbers in one column are classes where those are due."""
    width = wanted(module).get(name, 1)
    by_class = name in module.CLASSES or width > 1
    if by_class and values.shape[1] == 1 and (values == np.round(values)).all():
        return values[:, 0].astype(np.int64)
    return values
