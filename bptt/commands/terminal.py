"""What every command shares: statuses, errors in one sentence, signs of life."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.status import Status

from bptt.derive.errors import UserError
from bptt.files import write_all

CHECK_FAILED, USER_ERROR, OUR_ERROR, STOPPED_BY_HAND = 1, 2, 3, 130


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
            if error.errno is None or error.filename is not None:
                # Of a file that the user names, what reads or writes it has said what is wrong.
                _apologise(error)
            # A full disk behind standard output, say; anything left in its buffer is lost.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            fail(f"the output cannot be written ({error.strerror})", USER_ERROR)
        except Exception as error:
            _apologise(error)

    return guarded


def _apologise(error: Exception) -> NoReturn:
    """Where an exception comes from, and whose fault it is."""
    traceback.print_exception(error)
    fail(f"this is a bug of bptt, please report it with the lines above: {error!r}", OUR_ERROR)


def deliver(text: str, output: str | None) -> None:
    """Write a text to a file, or else to standard output."""
    if output is None:
        click.echo(text, nl=False)
    else:
        path = Path(output)
        for written in write_all(path.parent, {path.name: text}):
            click.echo(written)


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
