"""Text as numbers: a vocabulary of characters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from bptt.derive.errors import UserError, shown


@dataclass(frozen=True)
class Vocabulary:
    """Characters in the order of their classes."""

    characters: str

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The distinct characters of a text, sorted."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {character: n for n, character in enumerate(self.characters)}

    def encode(self, text: str) -> Any:
        """The classes of characters, (length,). Raises UserError for one that is not known."""
        try:
            return np.array([self._classes[c] for c in text], dtype=np.int64)
        except KeyError as error:
            raise UserError(
                f"the character {shown(error.args[0])} does not occur in the text learnt from",
                remedy="leave it out",
            ) from None

    def decode(self, classes: Any) -> str:
        """The characters of classes."""
        return "".join(self.characters[int(c)] for c in classes)


def text_names(module: ModuleType) -> tuple[str, str]:
    """The one input and the one output of a character model."""
    inputs, classes = list(module.INPUTS), list(module.CLASSES)
    if len(inputs) != 1 or len(classes) != 1 or list(module.TARGETS) != classes:
        raise UserError(
            "the network is no model of characters",
            remedy="give it one input, and one output that cross_entropy judges at every step",
        )
    return inputs[0], classes[0]
