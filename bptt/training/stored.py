"""JSON that a file holds: read, and of the structure that was written, before it is used."""

from __future__ import annotations

import json
from typing import Any

NUMBER = (int, float)


def read_json(text: str | bytes) -> Any:
    """What a JSON text says; None for a text that is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def matches(value: Any, pattern: Any) -> bool:
    """Whether what JSON says has a structure.

    That is a type, or some of which it has one; a list with the structure of all items; a dict
    with the structures of what stands under its keys, more of which are let through, or under
    `str` that of all items.
    """
    match pattern:
        case dict() if str in pattern:
            return type(value) is dict and all(matches(v, pattern[str]) for v in value.values())
        case dict():
            return type(value) is dict and all(
                key in value and matches(value[key], inner) for key, inner in pattern.items()
            )
        case [inner]:
            return type(value) is list and all(matches(item, inner) for item in value)
        case tuple():
            return type(value) in pattern
    return type(value) is pattern
