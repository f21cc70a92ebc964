"""The last line of a generated file, by which one sees whether it was changed since."""

from __future__ import annotations

import hashlib
import re

# What stands before and after a comment.
MARKS = {".py": ("# ", ""), ".tex": ("% ", ""), **dict.fromkeys((".c", ".h"), ("/* ", " */"))}
_STAMP = re.compile(r"(?:# |% |/\* )Generated\. SHA-256 of all above: ([0-9a-f]{64})(?: \*/)?\n\Z")


def stamped(text: str, suffix: str) -> str:
    """A text with the comment, in the language of files with this suffix, that says its sum."""
    before, after = MARKS[suffix]
    return f"{text}{before}Generated. SHA-256 of all above: {_sum(text)}{after}\n"


def is_as_generated(text: str) -> bool:
    """Whether a text is one that was generated, and nobody has changed it."""
    found = _STAMP.search(text)
    return found is not None and found[1] == _sum(text[: found.start()])


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
