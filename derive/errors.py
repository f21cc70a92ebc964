"""The two kinds of failure: the user's mistake, and a bug of this project."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


class UserError(Exception):
    """A mistake in something that the user wrote.

    Its text is one sentence: the file, the place in it, what was found there, and what would do.
    """

    def __init__(self, found: str, *, place: str = "", file: str = "", remedy: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.place = place
        self.file = file
        self.remedy = remedy

    def located(self, *, file: str = "", place: str = "") -> UserError:
        """The same error with the file filled in, and `place` put before its own place."""
        where = ", ".join(p for p in (place, self.place) if p)
        return UserError(self.found, place=where, file=self.file or file, remedy=self.remedy)

    def __str__(self) -> str:
        parts = (self.file, self.place, self.found)
        text = ": ".join(one_line(part) for part in parts if part)
        return f"{text}; {one_line(self.remedy)}" if self.remedy else text


class InternalError(Exception):
    """A bug of this project's own: an invariant of a derivation or of generation does not hold."""


def one_line(text: str, limit: int = 400) -> str:
    """Text for one line of a terminal: control characters escaped, and cut where it is long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)', or '' when no known word is close."""
    close = difflib.get_close_matches(word[:80], list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_choice(
    value: object, known: Collection[str], place: str, what: str = "", fault: str = "is not known"
) -> None:
    """Refuse what is none of some words: '{what} {value} {fault}', and what would do."""
    if value not in known:
        quoted = [repr(word) for word in known]
        few = f"use {', '.join(quoted[:-1])} or {quoted[-1]}"
        raise UserError(
            f"{what}{' ' * bool(what)}{shown(value)} {fault}{did_you_mean(str(value), known)}",
            place=place[:120],
            remedy=few if len(quoted) <= 3 else f"known are {', '.join(known)}",
        )


def shown(value: object, limit: int = 60) -> str:
    """`repr(value)`, cut to a length that fits a sentence."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a number with thousands of digits"
    except RecursionError:
        return "a value that is nested too deeply"
    return text if len(text) <= limit else text[: limit - 1] + "…"
