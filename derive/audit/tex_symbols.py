"""Symbols of LaTeX with their scripts: what is a name, what a step, what an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bptt.derive.audit.symbols import Entry, Mention, Spelling, Vocabulary
from bptt.derive.audit.tex_tokens import CLOSING, Cursor, Token
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Subscript

_STYLES = frozenset(
    (
        *(r"\mathbf", r"\boldsymbol", r"\bm", r"\mathrm", r"\mathcal", r"\mathit", r"\mathsf"),
        *(r"\text", r"\textbf", r"\textrm", r"\operatorname", r"\operatorname*", r"\vec"),
        *(r"\mathbb", r"\mathscr", r"\pmb", r"\textit", r"\underline", r"\mathtt"),
    )
)
_ACCENTS = {r"\hat": "hat", r"\widehat": "hat", r"\tilde": "tilde", r"\widetilde": "tilde"}
_ACCENTS |= {r"\bar": "bar", r"\overline": "bar", r"\dot": "dot"}


class SymbolReader(Cursor):
    """Reads one symbol with the scripts that are no powers and no transposes."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        super().__init__(text)
        self._vocabulary = vocabulary
        self._words = sorted(vocabulary.words, key=len, reverse=True)
        self.spellings: dict[str, Spelling] = {}

    def _word(self) -> str | None:
        """A name of several letters that stands here without a command."""
        for word in self._words:
            if all(self._peek(n) == c for n, c in enumerate(word)):
                return word
        return None

    def _base(self) -> tuple[str, str]:
        """A symbol without scripts: its name, and how it is spelt."""
        word = self._word()
        if word is not None:
            self._position += len(word)
            return word, word
        text = self.take()
        if text in _STYLES or text in _ACCENTS:
            self._enter()
            if self.accept("{"):
                name, spelt = self._letters()
                self.expect("}")
            else:
                name, spelt = self._base()
            self._depth -= 1
            accent = _ACCENTS.get(text)
            return (f"{name}_{accent}" if accent else name), f"{text}{{{spelt}}}"
        if text.startswith("\\") and text[1:].isalpha():
            if text[1:] == "ell":
                return "ell", text
            return text[1:], text
        if text.isalpha():
            return text, text
        self._position -= 1
        raise self.refuse("a symbol, a number or a parenthesis was expected")

    def _letters(self) -> tuple[str, str]:
        """What stands in \\mathrm{...}: one name."""
        name, spelt = self._base()
        while self.next not in ("}", None):
            if self.next in ("_", "-", "\\_"):
                self.take()
                name, spelt = f"{name}_", f"{spelt}\\_"
                continue
            if self.next is not None and self.next.isdigit():
                digit = self.take()
                name, spelt = name + digit, spelt + digit
                continue
            more, spelt_more = self._base()
            name, spelt = name + more, spelt + spelt_more
        return name, spelt

    def symbol(self, *, is_pattern: bool = False) -> Mention:
        """A symbol with all scripts that are no powers and no transposes."""
        at = self.at
        base, spelt = self._base()
        mention = Mention(base, spelt=spelt, at=at)
        while self.next in ("_", "^"):
            start = self._position
            where = self.take()
            entries = self._entries()
            is_power = where == "^" and not is_pattern and self._is_operation(base, entries)
            if entries is None or is_power:
                self._position = start
                break
            if where == "_":
                mention = replace(mention, below=(*mention.below, *entries))
            else:
                mention = replace(mention, above=(*mention.above, *entries))
        if self.next == "(":
            start = self._position
            self.take()
            behind = self._entry_list((")",))
            if (
                behind is not None
                and self.accept(")")
                and (is_pattern or self._fits(mention, behind))
            ):
                return replace(mention, behind=tuple(behind))
            self._position = start
        return mention

    def _fits(self, mention: Mention, behind: Sequence[Entry]) -> bool:
        """Whether parentheses hold a step, and not a factor."""
        with_steps = replace(mention, behind=tuple(behind))
        return self._vocabulary.meaning(with_steps) is not None

    def _is_operation(self, base: str, entries: Sequence[Entry] | None) -> bool:
        """Whether what stands above is a transpose, an inverse or a power."""
        if not entries or len(entries) != 1 or entries[0].enclosed:
            return False
        (entry,) = entries
        if entry.word in ("T", "top", "intercal"):
            return True
        if any(p.mention.base == base and p.mention.above for p in self._vocabulary.patterns):
            return False
        subscript = entry.subscript
        return subscript is not None and subscript.name is None and not subscript.also

    def _entries(self) -> list[Entry] | None:
        """The entries of a script; None where it is no list of indices."""
        if self.next != "{":
            start = self._position
            one = self._entry(())
            if one is None:
                self._position = start
            return None if one is None else [one]
        self.take()
        found = self._entry_list(("}", r"\top", r"\intercal"))
        if found is not None and self.next in (r"\top", r"\intercal") and self._peek(1) == "}":
            # h^{(t)\top} is h^{(t)} with a transpose behind it.
            at = self._tokens[self._position].position
            self._tokens[self._position : self._position + 2] = [Token("^", at), Token(r"\top", at)]
            return found
        if found is None or not self.accept("}"):
            return None
        return found

    def _entry_list(self, closing: tuple[str, ...]) -> list[Entry] | None:
        found = []
        while True:
            one = self._entry(closing)
            if one is None:
                return None
            found.append(one)
            if not self.accept(","):
                return found

    def _entry(self, closing: tuple[str, ...]) -> Entry | None:
        """An index expression, `(t)`, `\\langle t \\rangle`, or a word."""
        for opening in ("(", r"\langle", "<"):
            if self.next == opening and closing:
                self.take()
                inner = self._affine((CLOSING[opening],))
                if inner is None or not self.accept(CLOSING[opening]):
                    return None
                return replace(inner, enclosed=True)
        if not closing:
            text = self.next or ""
            if text in ("{", "(", r"\frac", "'") or not (text[:1].isalnum() or text[:1] == "\\"):
                return None
            if text.isdigit():
                self.take()
                return Entry(Subscript(None, int(text)), text)
            name, _ = self._base()
            name = self._vocabulary.renamed.get(name, name)
            return Entry(Subscript(name, 0), name)
        return self._affine(closing)

    def _affine(self, closing: tuple[str, ...]) -> Entry | None:
        """`t - d + 1`; None for what is no such thing."""
        names: list[tuple[int, str]] = []
        offset, sign, is_first = 0, 1, True
        while self.next is not None and self.next not in (*closing, ","):
            if not is_first or self.next in "+-":
                mark = self.accept("+", "-")
                if mark is None:
                    return None
                sign = -1 if mark == "-" else 1
            is_first = False
            text = self.next
            if text is None:
                return None
            if text.isdigit():
                offset += sign * int(self.take())
                continue
            if not (text[0].isalpha() or text[0] == "\\"):
                return None
            name = ""
            while (
                self.next is not None
                and self.next not in closing
                and (self.next[0].isalpha() or self.next[0] == "\\")
            ):
                try:
                    name += self._base()[0]
                except UserError:
                    return None
            names.append((sign, self._vocabulary.renamed.get(name, name)))
        if is_first:
            return None
        lead = next((n for s, n in names if s > 0), None)
        rest = list(names)
        if lead is not None:
            rest.remove((1, lead))
        word = lead if lead is not None and not rest and not offset else ""
        if lead is None and not rest:
            word = str(offset)
        return Entry(Subscript(lead, offset, tuple(rest)), word or "?")


def read_mention(text: str) -> Mention:
    """A single symbol with its scripts, as a pattern. Raises UserError."""
    word = re.match(r"[A-Za-z]{2,}", text.strip())
    reader = SymbolReader(text, Vocabulary({}, {word.group(): 0} if word else {}))
    mention = reader.symbol(is_pattern=True)
    if reader.next is not None:
        raise reader.refuse("a pattern is one symbol with its scripts, such as a^{m}(t)")
    return mention
