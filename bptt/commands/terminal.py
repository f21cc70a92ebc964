"""What every command shares: statuses, errors in one sentence, files written whole."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.status import Status

from bptt.derive.errors import InternalError, UserError

CHECK_FAILED, USER_ERROR, OUR_ERROR, STOPPED_BY_HAND = 1, 2, 3, 130

# What files are called that are not whole yet.
TEMPORARY = ".bptt-"


def fail(message: str, status: int) -> NoReturn:
    click.echo(f"bptt: {message}", err=True)
    sys.exit(status)


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """A user's mistake ends in one sentence and status 2; a bug of ours says that it is one."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            fail(str(error.located(file=kwargs.get("file", ""))), USER_ERROR)
        except KeyboardInterrupt:
            fail("interrupted", STOPPED_BY_HAND)
        except BrokenPipeError:
            # The reader of a pipe (head, less) has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            # A full disk behind standard output, say; anything left in its buffer is lost.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            fail(f"the output cannot be written ({error.strerror})", USER_ERROR)
        except InternalError as error:
            fail(f"this is a bug of bptt, please report it: {error}", OUR_ERROR)

    return guarded


def deliver(text: str, output: str | None) -> None:
    """Write a text to a file, or else to standard output."""
    if output is None:
        click.echo(text, nl=False)
    else:
        path = Path(output)
        for written in write_all(path.parent, {path.name: text}):
            click.echo(written)


def write_all(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files, each one whole or not at all; all are ready before the first is in place."""
    ready: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            ready.append((temporary(folder, text.encode("utf-8")), folder / name))
        for _, path in ready:
            if path.exists() and not path.is_file() and not path.is_dir():
                raise OSError(errno.EINVAL, f"{path.name} is no plain file")
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{path.name} in it is a folder")
        for written, path in ready:
            put_in_place(written, path)
    except OSError as error:
        for written, _ in ready:
            written.unlink(missing_ok=True)
        raise UserError(
            f"cannot be written ({error.strerror})", file=str(folder), remedy="name another folder"
        ) from None
    return [path for _, path in ready]


def temporary(folder: Path, data: bytes) -> Path:
    """A new file in a folder, on the disk before this returns; none is left where that fails."""
    path = None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY, delete=False) as stream:
            path = Path(stream.name)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        return path
    except OSError:
        if path is not None:
            path.unlink(missing_ok=True)
        raise


def put_in_place(written: Path, path: Path) -> None:
    """Give a whole file its name and its customary permissions."""
    umask = os.umask(0)
    os.umask(umask)
    written.chmod(0o666 & ~umask)
    written.replace(path)


def read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(
            f"cannot be read ({reason})", file=path, remedy="name a generated module"
        ) from None


def working(what: str) -> Status:
    """A sign of life on standard error, where that is a terminal."""
    return Console(stderr=True).status(what)


def console() -> Console:
    return Console(width=None if sys.stdout and sys.stdout.isatty() else 100)
