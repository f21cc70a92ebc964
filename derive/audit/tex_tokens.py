"""LaTeX as tokens, and a cursor that goes through them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bptt.derive.errors import UserError, shown
from bptt.derive.language.parser import MAX_DEPTH

MAX_DIGITS = 9
_TOKEN = re.compile(
    r"\\(?:begin|end)\{[a-z]+\*?\}|\\[A-Za-z]+\*?|\\.|\d+\.?\d*|\s+|[^\s]", re.ASCII
)
BEGIN, END = r"\begin{cases}", r"\end{cases}"
_OTHERS = ("aligned", "align", "align*", "equation", "equation*", "split", "gathered")
_SKIPPED = frozenset(
    (
        *(f"\\{edge}{{{name}}}" for name in _OTHERS for edge in ("begin", "end")),
        *(r"\,", r"\;", r"\!", r"\:", r"\ ", r"\quad", r"\qquad", "~", r"\left"),
        *(r"\right", r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"),
        *(r"\biggl", r"\biggr", r"\Biggl", r"\Biggr", r"\displaystyle", r"\limits", r"\nolimits"),
        *(r"\nonumber", r"\notag", r"\textstyle"),
    )
)
CLOSING = {"(": ")", "[": "]", r"\{": r"\}", r"\langle": r"\rangle", "<": ">", "{": "}"}
_UNICODE = {"−": "-", "′": "'", "·": r"\cdot", "∑": r"\sum", "∏": r"\prod", "∂": r"\partial"}


@dataclass(frozen=True)
class Token:
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The tokens that mean something."""
    found: list[Token] = []
    position, cases = 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None
        piece = match.group()
        if piece in (BEGIN, END):
            cases += 1 if piece == BEGIN else -1
        is_layout = piece in ("&", r"\\") and not cases
        if piece.strip() and piece not in _SKIPPED and not is_layout:
            if piece[0].isdigit() and len(piece) > MAX_DIGITS:
                raise UserError(
                    f"a number of {len(piece)} digits",
                    place=_where(text, position),
                    remedy=f"at most {MAX_DIGITS} are read",
                )
            if not piece.isascii() and piece not in _UNICODE:
                raise UserError(
                    f"the character {shown(piece)} is not read",
                    place=_where(text, position),
                    remedy="use LaTeX's commands",
                )
            found.append(Token(_UNICODE.get(piece, piece), position))
        position = match.end()
    while found and found[-1].text in (".", ",", ";"):
        found.pop()
    return found


def _where(text: str, position: int) -> str:
    return f"column {position + 1}, before {shown(text[position : position + 24], 30)}"


class Cursor:
    """Takes tokens one by one, and says where it stopped."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._position = 0
        self._depth = 0

    @property
    def next(self) -> str | None:
        return self._peek(0)

    def _peek(self, ahead: int) -> str | None:
        at = self._position + ahead
        return self._tokens[at].text if at < len(self._tokens) else None

    @property
    def at(self) -> str:
        if self._position < len(self._tokens):
            return _where(self._text, self._tokens[self._position].position)
        return "the end"

    def take(self) -> str:
        if self._position >= len(self._tokens):
            raise self.refuse("something is missing")
        self._position += 1
        return self._tokens[self._position - 1].text

    def accept(self, *texts: str) -> str | None:
        return self.take() if self.next is not None and self.next in texts else None

    def expect(self, text: str) -> None:
        if self.accept(text) is None:
            raise self.refuse(f"{text} was expected")

    def refuse(self, remedy: str) -> UserError:
        found = "the end" if self.next is None else shown(self.next)
        return UserError(f"{found} is not read", place=self.at, remedy=remedy)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(
                f"nested deeper than {MAX_DEPTH} levels", place=self.at, remedy="name a part of it"
            )
