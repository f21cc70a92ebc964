"""Long statements over several lines, as one would write them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 99
INDENT = "    "
# Where a long expression is broken, the loosest operators first.
OPERATORS = ((" + ", " - "), (" * ", " @ ", " / "))
LEADS = ("+ ", "- ", "* ", "@ ", "/ ")


def formatted(source: str) -> str:
    """A module with its long lines laid out; docstrings stay."""
    found: list[str] = []
    is_text = False
    for line in source.splitlines():
        is_code = not is_text
        is_text ^= line.count('"""') % 2 == 1
        if len(line) <= WIDTH or not is_code or is_text:
            found.append(line)
            continue
        code = line.lstrip()
        code, _, remark = code.partition("  # ")
        found += laid_out(code, remark, (len(line) - len(line.lstrip())) // len(INDENT))
    return "\n".join(found) + "\n"


def laid_out(code: str, remark: str = "", depth: int = 1) -> list[str]:
    """The lines of a statement with a remark behind it, none too long if that can be."""
    line = _commented(INDENT * depth + code, remark)
    if len(line) <= WIDTH:
        return [line]
    comma = "," if code.endswith(",") else ""
    code = code.removesuffix(",")
    lead, code = (code[:2], code[2:]) if code[:2] in LEADS else ("", code)
    start = _last_bracket(code)
    if start is not None and _is_short(INDENT * depth + code[: start + 1]):
        head, inner = lead + code[: start + 1], _split(code[start + 1 : -1], (", ",))
        return _block(head, inner, code[-1] + comma, ",", remark, depth)
    target, sign, value = _assignment(code)
    for operators in OPERATORS:
        pieces = _split(value, operators)
        if len(pieces) > 1:
            head = f"{target} {sign} (" if sign else f"{lead}("
            room = WIDTH - len(INDENT * (depth + 1))
            return _block(head, _filled(pieces, room), ")" + comma, "", remark, depth)
    if sign and sign != ":":
        return _block(f"{target} {sign} (", [value], ")" + comma, "", remark, depth)
    return _with_lines(INDENT * depth + lead + code + comma, remark, depth)


def _filled(pieces: Sequence[str], room: int) -> list[str]:
    """Pieces of a product or a sum, as many in a line as there is room for."""
    found: list[str] = []
    for piece in pieces:
        if found and len(f"{found[-1]} {piece}") <= room and piece[:2] not in ("+ ", "- "):
            found[-1] += f" {piece}"
        else:
            found.append(piece)
    return found


def _block(
    head: str, pieces: Sequence[str], tail: str, comma: str, remark: str, depth: int
) -> list[str]:
    """Pieces between brackets: in one line if they fit, else one a line."""
    inner = INDENT * (depth + 1)
    together = (f"{comma} " if comma else " ").join(pieces)
    lines = _with_lines(INDENT * depth + head, remark, depth + 1)
    if comma and len(inner + together) <= WIDTH:
        lines.append(inner + together)
    else:
        for piece in pieces:
            lines += laid_out(piece + comma, "", depth + 1)
    return [*lines, INDENT * depth + tail]


def _with_lines(line: str, remark: str, depth: int) -> list[str]:
    """A line with its remark, which goes on in lines of its own where it is long."""
    if len(_commented(line, remark)) <= WIDTH:
        return [_commented(line, remark)]
    room, rest = WIDTH - len(line) - 4, remark.split()
    first: list[str] = []
    while rest and len(" ".join([*first, rest[0]])) <= room:
        first.append(rest.pop(0))
    more = textwrap.wrap(" ".join(rest), WIDTH - len(INDENT * depth) - 2)
    return [_commented(line, " ".join(first)), *(f"{INDENT * depth}# {text}" for text in more)]


def _commented(line: str, remark: str) -> str:
    return f"{line}  # {remark}" if remark else line


def _is_short(line: str) -> bool:
    return len(line) <= WIDTH - 12


def _levels(code: str) -> Iterator[int]:
    """How many brackets are open behind each character; between quotation marks a thousand."""
    level, quoted = 0, False
    for character in code:
        quoted ^= character in "'\""
        if not quoted:
            level += (character in "([{") - (character in ")]}")
        yield level + 1000 * quoted


def _last_bracket(code: str) -> int | None:
    """Where the bracket opens that closes a statement which is one call, or one list of things."""
    *_, value = _assignment(code)
    if not value.endswith((")", "}")):
        return None
    levels = [*_levels(value)]
    start = max((n for n, c in enumerate(levels[:-1]) if c == 0), default=-1) + 1
    before = value[:start]
    is_call = " " not in before and (before[-1:].isalnum() or before[-1:] in ("_", "]", ")"))
    is_list = not before and bool(_split(value[1:-1], (", ",))[1:])
    return len(code) - len(value) + start if is_call or is_list else None


def _assignment(code: str) -> tuple[str, str, str]:
    """Target, sign and value; an expression alone is a value."""
    levels = [*_levels(code)]
    if code.startswith('"') and '": ' in code:
        key, value = code.split('": ', 1)
        return f'{key}"', ":", value
    for sign in (" = ", " += ", " -= ", " *= "):
        at = code.find(sign)
        if at >= 0 and levels[at] == 0:
            last = at
            while sign == " = " and (more := code.find(sign, last + 3)) >= 0 and levels[more] == 0:
                last = more
            return code[:last], sign.strip(), code[last + len(sign) :]
    return "", "", code


def _split(code: str, signs: Sequence[str]) -> list[str]:
    """The pieces of an expression between some signs outside brackets; operators lead."""
    levels, pieces, start = [*_levels(code)], [], 0
    for at in range(1, len(code)):
        sign = next((s for s in signs if code.startswith(s, at)), None)
        if sign is not None and levels[at] == 0:
            pieces.append(code[start:at].strip())
            start = at + (len(sign) if sign == ", " else 1)
    return [*pieces, code[start:].strip()]
