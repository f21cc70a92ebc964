"""Data files: columns of numbers, arrays by name, text. Parsed, never evaluated."""

from __future__ import annotations

import csv
import io
import lzma
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.errors import UserError, did_you_mean, shown

MAX_BYTES = 1 << 30
MAX_COLUMNS = 10_000
# All that NumPy and zipfile raise for files that are none of theirs, or damaged.
BROKEN = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
DELIMITERS = (",", ";", "\t", " ")


@dataclass(frozen=True)
class Table:
    """Columns by name; those of a file without a header go by 1, 2, 3.

    `rows` are the cells with the numbers of their lines: what nobody asks for need be no number.
    """

    file: str
    names: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]

    @property
    def values(self) -> Any:
        """All columns, (rows, columns). Raises UserError for what is no finite number."""
        return np.stack([self.column(name) for name in self.names], axis=1)

    def column(self, name: str) -> Any:
        """One column, (rows,). Raises UserError where there is none of that name, and for what is
        no finite number."""
        if name in self.names:
            at = self.names.index(name)
            found = np.empty(len(self.rows))
            for row, (line, cells) in enumerate(self.rows):
                found[row] = _number(cells[at], self.file, line, name)
            return found
        raise UserError(
            f"there is no column {shown(name)}{did_you_mean(name, self.names)}",
            file=self.file,
            remedy=f"its columns are {', '.join(self.names[:12])}",
        )


def read_text(path: str) -> str:
    """The characters of a UTF-8 file, line ends as \\n."""
    try:
        _check_size(path)
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise _unreadable(path, error.strerror or "no file") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start} is not UTF-8 text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_table(path: str) -> Table:
    """A file of numbers: comma, semicolon, tab or spaces between columns, a header or none.

    Lines that are empty or begin with # are skipped. Raises UserError for rows of unequal length,
    with the line.
    """
    text = read_text(path).lstrip("\ufeff")
    lines = list(_lines(text))
    if not lines:
        raise UserError("holds no numbers", file=path, remedy="give rows of numbers")
    delimiter = next((d for d in DELIMITERS if d in lines[0][1]), ",")
    rows = [(number, _cells(line, delimiter, path, number)) for number, line in lines]
    if len(rows[0][1]) > MAX_COLUMNS:
        found = f"has {len(rows[0][1])} columns"
        raise UserError(found, file=path, remedy=f"use at most {MAX_COLUMNS}")
    names = tuple(str(n) for n in range(1, len(rows[0][1]) + 1))
    if not any(_is_number(cell) for cell in rows[0][1]):
        names = tuple(cell.strip().strip('"') for cell in rows[0][1])
        rows = rows[1:]
        twice = next((n for n, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise UserError(
                f"two columns are called {shown(twice)}", file=path, remedy="rename one"
            )
    if not rows:
        raise UserError("has a header and no rows", file=path, remedy="give rows of numbers")
    for number, cells in rows:
        if len(cells) != len(names):
            raise UserError(
                f"{len(cells)} columns, where the first line has {len(names)}",
                file=path,
                place=f"line {number}",
                remedy="give every row as many numbers",
            )
    return Table(path, names, tuple(rows))


def read_arrays(path: str) -> dict[str, Any]:
    """The arrays of a .npz file; pickled objects are refused."""
    found = load_npz(path)
    for name, array in found.items():
        if array.dtype.kind not in "fiub":
            raise UserError(
                f"has dtype {array.dtype}", file=path, place=shown(name), remedy="give numbers"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise UserError(
                f"is {array[place]} at {list(place)}",
                file=path,
                place=shown(name),
                remedy="fill or leave out what is missing",
            )
    return found


def load_npz(path: str) -> dict[str, Any]:
    """The arrays of a .npz file as they are. Raises UserError for what is none, or too large."""
    damaged = _unreadable(path, "no .npz file of plain arrays, or damaged")
    try:
        _check_size(path)
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MAX_BYTES:
            raise UserError(f"holds {size >> 20} MiB", file=path, remedy="use less")
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except OSError as error:
        raise _unreadable(path, error.strerror or "no .npz file") from None
    except BROKEN:
        raise damaged from None
    if not all(isinstance(array, np.ndarray) for array in found.values()):
        raise damaged
    return found


def _check_size(path: str) -> None:
    if Path(path).exists() and not Path(path).is_file():
        raise UserError("is no plain file", file=path, remedy="name a file of data")
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise UserError(
            f"is {size >> 20} MiB long", file=path, remedy=f"use at most {MAX_BYTES >> 20} MiB"
        )


def _unreadable(path: str, why: str) -> UserError:
    return UserError(f"cannot be read ({why})", file=path, remedy="name a file of data")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _cells(line: str, delimiter: str, path: str, number: int) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise UserError(
            str(error), file=path, place=f"line {number}", remedy="give rows of numbers"
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, path: str, line: int, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        said = "nothing" if not cell.strip() else shown(cell.strip(), 30)
        raise UserError(
            f"{said} where a number is expected",
            file=path,
            place=f"line {line}, column {column}",
            remedy="fill in or leave out such rows",
        ) from None
    if not np.isfinite(value):
        raise UserError(
            f"the value is {cell.strip()}",
            file=path,
            place=f"line {line}, column {column}",
            remedy="fill in or leave out such rows",
        )
    return value
