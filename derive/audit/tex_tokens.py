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
_OTHERS = (
    *("aligned", "align", "align*", "equation", "equation*", "split", "gathered", "displaymath"),
    *("math", "gather", "gather*", "multline", "multline*"),
)
_SKIPPED = frozenset(
    (
        *(f"\\{edge}{{{name}}}" for name in _OTHERS for edge in ("begin", "end")),
        *(r"\,", r"\;", r"\!", r"\:", r"\ ", "~", r"\left"),
        *(r"\right", r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"),
        *(r"\biggl", r"\biggr", r"\Biggl", r"\Biggr", r"\displaystyle", r"\limits", r"\nolimits"),
        *(r"\nonumber", r"\notag", r"\textstyle"),
    )
)
# A wide space, a new line or a word between two formulas.
PARTED = r"\quad"
_WIDE = (PARTED, r"\qquad", r"\\")
_TEXT = re.compile(r"\\(?:text|textrm|textit|mbox|mathrm|hbox)\s*\{([^{}]*)\}")
_WORDS = frozenset(
    "and or where for if with when so then hence thus as since while also let that is".split()
)
# What a formula goes on with, or goes on after.
_JOINING = frozenset("+ - = < > * / , ; : & ^ _".split()) | frozenset(
    (
        *(r"\cdot", r"\times", r"\odot", r"\circ", r"\otimes", r"\ast", r"\equiv", r"\in"),
        *(r"\le", r"\leq", r"\ge", r"\geq", r"\lt", r"\gt", r"\ne", r"\neq", r"\leqslant"),
    )
)
CLOSING = {"(": ")", "[": "]", r"\{": r"\}", r"\langle": r"\rangle", "<": ">", "{": "}"}
_UNICODE = {"−": "-", "′": "'", "·": r"\cdot", "∑": r"\sum", "∏": r"\prod", "∂": r"\partial"}
_UNICODE |= {"∘": r"\circ", "⊙": r"\odot", "×": r"\times", "⊗": r"\otimes", "∇": r"\nabla"}
_UNICODE |= {"≤": r"\le", "≥": r"\ge", "≠": r"\ne", "⊤": r"\top"}
_ENDING = _JOINING | frozenset((*CLOSING.values(), END, r"\\"))
_GOING_ON = _JOINING | frozenset((*CLOSING, BEGIN, r"\\"))


# Commands that say how something looks: with what they take, or with their first argument.
_UNSEEN = ("label", "tag", "hspace", "vspace", "phantom", "hphantom", "vphantom", "color")
_FRAMES = {"boxed": 1, "fbox": 1, "textcolor": 2, "colorbox": 2, "underbrace": 1, "overbrace": 1}
_COMMAND = re.compile(rf"\\({'|'.join((*_UNSEEN, *_FRAMES))})\*?\s*(?=\{{)")
# What stands behind a backslash is no brace.
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SCRIPT = re.compile(r"\s*[_^]\s*(?=\{)")
_DISPLAY = re.compile(r"^\s*(\$\$?|\\\[|\\\()|(\$\$?|\\\]|\\\))[\s.,;]*$")


@dataclass(frozen=True)
class Token:
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The tokens that mean something; what parts two formulas is a token of its own."""
    text = _plain(text)
    found: list[Token] = []
    position, cases = 0, 0
    is_parted = False
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None
        piece = match.group()
        if piece in (BEGIN, END):
            cases += 1 if piece == BEGIN else -1
        word = None if cases else _word_between(text, position)
        if word is not None or (piece in _WIDE and not (piece == r"\\" and cases)):
            is_parted, position = True, word or match.end()
            continue
        if piece.strip() and piece not in _SKIPPED and not (piece == "&" and not cases):
            piece = _UNICODE.get(piece, piece)
            _check(piece, text, position)
            if is_parted and found and not (piece in _ENDING or found[-1].text in _GOING_ON):
                found.append(Token(PARTED, position))
            is_parted = False
            found.append(Token(piece, position))
        position = match.end()
    while found and found[-1].text in (".", ",", ";"):
        found.pop()
    return found


def _plain(text: str) -> str:
    """A text of the same length without what is only looks: colours, boxes, braces below, labels.

    What a box or a colour is around stays, without its braces, which nobody sees.
    """
    text = _DISPLAY.sub(lambda m: " " * len(m[0]), text)
    while (command := _COMMAND.search(text)) is not None:
        name, end = command[1], command.end()
        blank = [(command.start(), command.end())]
        # Arguments before the one that a frame is around go with the command.
        for _ in range(_FRAMES.get(name, 2) - 1):
            stop = _closing(text, end) + 1
            blank.append((end, stop))
            end = stop
        if name in _FRAMES and text[end : end + 1] == "{":
            last = _closing(text, end)
            blank += [(end, end + 1), (last, last + 1)]
            script = _SCRIPT.match(text, last + 1)
            if name.endswith("brace") and script is not None:
                blank.append((script.start(), _closing(text, script.end()) + 1))
        for start, stop in blank:
            text = text[:start] + " " * (stop - start) + text[stop:]
    return text


def _closing(text: str, start: int) -> int:
    """Where the brace at a place is closed. Raises UserError where it is not."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if not depth:
            return brace.start()
    raise UserError("a brace is not closed", place=_where(text, start), remedy="close it")


def _word_between(text: str, position: int) -> int | None:
    """Where `\\text{and}` ends, if that stands at a position."""
    match = _TEXT.match(text, position)
    words = match[1].lower().split() if match else []
    return match.end() if match and words and words[0].strip(".,:") in _WORDS else None


def _check(piece: str, text: str, position: int) -> None:
    if piece[0].isdigit() and len(piece) > MAX_DIGITS:
        raise UserError(
            f"a number of {len(piece)} digits",
            place=_where(text, position),
            remedy=f"at most {MAX_DIGITS} are read",
        )
    if not piece.isascii():
        raise UserError(
            f"the character {shown(piece)} is not read",
            place=_where(text, position),
            remedy="use LaTeX's commands",
        )


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
        if self.next in (PARTED, ",", ";") and not self._depth:
            return UserError(
                "another formula, or a condition, stands behind the first",
                place=self.at,
                remedy="give each formula a claim of its own, and conditions in where",
            )
        found = "the end" if self.next is None else shown(self.next)
        return UserError(f"{found} is not read", place=self.at, remedy=remedy)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(
                f"nested deeper than {MAX_DEPTH} levels", place=self.at, remedy="name a part of it"
            )
