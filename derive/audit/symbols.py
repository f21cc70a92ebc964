"""What the symbols of a source mean: `h^{(t)}` is h[t], `W_{hh}` is W_hh, `\\hat{y}` is y_hat.

A mention is a base with entries above it, below it and in parentheses behind it. Names of the
network and of definitions are found by rule; what the rule does not find stands in [symbols], as a
pattern: "a^{m}(t)" = "a_{m}[t]".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bptt.derive.calculus.primitives import ELEMENTWISE
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language.syntax import Reference, Subscript

FUNCTIONS = {
    **{n: n for n in ELEMENTWISE},
    **{n: n for n in ("softmax", "log_softmax", "sqrt", "sum", "mean", "norm", "ones", "vec")},
    **{n: n for n in ("diag", "trace", "det", "logdet", "inv", "kron", "outer", "dot")},
    "ln": "log",
    "tr": "trace",
    "Tr": "trace",
    "ReLU": "relu",
    "sigm": "sigmoid",
    "sigma": "sigmoid",
    "logsoftmax": "log_softmax",
}


@dataclass(frozen=True)
class Entry:
    """One index of a mention: an affine expression, or a word that is part of a name."""

    subscript: Subscript | None
    word: str
    enclosed: bool = False

    @property
    def letters(self) -> tuple[Entry, ...]:
        """`ij` as i and j."""
        if self.subscript is not None and self.subscript.name is not None:
            name = self.subscript.name
            is_run = len(name) > 1 and name.isalpha() and not self.subscript.also
            if is_run and not self.subscript.offset and name not in GREEK_NAMES:
                return tuple(Entry(Subscript(c, 0), c) for c in name)
        return (self,)


GREEK_NAMES = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
        *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
        *("omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
    )
)


@dataclass(frozen=True)
class Mention:
    """A symbol with its entries, as the source has it. `spelt` is its base in LaTeX."""

    base: str
    above: tuple[Entry, ...] = ()
    below: tuple[Entry, ...] = ()
    behind: tuple[Entry, ...] = ()
    spelt: str = ""
    at: str = ""

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.above), len(self.below), len(self.behind)

    @property
    def apart(self) -> Mention:
        """The mention with indices that stand side by side as entries of their own."""
        above, below = (
            tuple(e for entry in entries for e in entry.letters)
            for entries in (self.above, self.below)
        )
        return replace(self, above=above, below=below)


Place = Literal["above", "below", "behind"]


@dataclass(frozen=True)
class Slot:
    """A place at a symbol: a word that is part of its name, a label's hole, or a subscript."""

    place: Place
    word: str = ""
    hole: str = ""
    subscript: int = -1
    enclosed: bool = False


@dataclass(frozen=True)
class Spelling:
    """How a source writes a quantity: its base, and what stands where about it.

    `template` is its name with holes, where it is one of a family.
    """

    base: str
    slots: tuple[Slot, ...] = ()
    template: str = ""


@dataclass(frozen=True)
class Pattern:
    """`a^{m}(t)` = `a_{m}[t]`."""

    mention: Mention
    meaning: Reference

    @property
    def letters(self) -> set[str]:
        """The letters that stand for any step, unit or label."""
        found = {s.name for s in self.meaning.subscripts or () if s.name is not None}
        return found | set(re.findall(r"\{(\w+)\}", self.meaning.name))

    @property
    def open(self) -> int:
        """How many entries stand for any."""
        return sum(e.word in self.letters for _, e in _placed(self.mention))

    def matches(self, mention: Mention) -> Reference | None:
        """The meaning of a mention, if this is its pattern."""
        if mention.base != self.mention.base:
            return None
        if mention.counts != self.mention.counts:
            mention = mention.apart
        if mention.counts != self.mention.counts:
            return None
        bound: dict[str, Subscript] = {}
        letters = self.letters
        mine = (*self.mention.above, *self.mention.below, *self.mention.behind)
        theirs = (*mention.above, *mention.below, *mention.behind)
        for pattern, given in zip(mine, theirs, strict=True):
            if pattern.word in letters:
                if given.subscript is None:
                    return None
                bound[pattern.word] = given.subscript
            elif pattern.word != given.word:
                return None
        name = re.sub(
            r"\{(\w+)\}",
            lambda m: _hole(bound.get(m[1], Subscript(m[1], 0)), mention),
            self.meaning.name,
        )
        subscripts = None
        if self.meaning.subscripts is not None:
            subscripts = tuple(_bound(s, bound) for s in self.meaning.subscripts)
        return Reference(name, subscripts, mention.at)


def _hole(label: Subscript, mention: Mention) -> str:
    """A letter stays a hole, a number fills it. Raises UserError for arithmetic on a label."""
    if label.name and (label.offset or label.also):
        raise UserError(
            f"the label {label.name!r} is a name, and nothing is added to it",
            place=mention.at,
            remedy="give the quantity that is meant a letter of its own in [sets]",
        )
    return f"{{{label.name}}}" if label.name else str(label.offset)


def _bound(subscript: Subscript, bound: Mapping[str, Subscript]) -> Subscript:
    """A subscript of the meaning, its letters as the mention has them."""
    if subscript.name is None or subscript.name not in bound:
        return subscript
    given = bound[subscript.name]
    name, offset, also = given.name, given.offset + subscript.offset, given.also
    for sign, letter in subscript.also:
        other = bound.get(letter, Subscript(letter, 0))
        offset += sign * other.offset
        also += ((sign, other.name),) if other.name else ()
        also += tuple((sign * s, n) for s, n in other.also)
    return Subscript(name, offset, also)


@dataclass(frozen=True)
class Vocabulary:
    """The names that a claim may mention.

    `axes` gives for each quantity how many steps and units it has, for each definition its
    letters; `words` are letters and lengths that stand for themselves.
    """

    axes: Mapping[str, tuple[int, int]]
    definitions: Mapping[str, int]
    patterns: tuple[Pattern, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def function(self, base: str) -> str | None:
        """The function that a symbol stands for, unless it is a quantity."""
        if base in self.functions:
            return self.functions[base]
        if base in self.axes or base in self.definitions:
            return None
        return FUNCTIONS.get(base)

    @property
    def words(self) -> set[str]:
        """Names of several letters that need no command."""
        found = {p.mention.base for p in self.patterns} | set(self.axes) | set(self.definitions)
        return {w for w in found if len(w) > 1 and w.isalnum()}

    def meaning(self, mention: Mention) -> tuple[Reference, Spelling] | None:
        """What a mention refers to, and how it is spelt; None where it is no quantity."""
        for pattern in self.patterns:
            found = pattern.matches(mention)
            if found is not None:
                return found, spelling_of(pattern)
        for name, named, rest in self._splits(mention):
            room = self._room(name)
            if room is None:
                continue
            entries = [(place, e) for place, entry in rest for e in self._apart(entry)]
            subscripts = tuple(e.subscript for _, e in entries if e.subscript is not None)
            if len(entries) in room and len(subscripts) == len(entries):
                slots = [Slot(place, word=entry.word) for place, entry in named]
                slots += [
                    Slot(place, subscript=n, enclosed=e.enclosed)
                    for n, (place, e) in enumerate(entries)
                ]
                spelling = Spelling(mention.spelt or mention.base, tuple(slots))
                return Reference(name, subscripts or None, mention.at), spelling
        return None

    def _apart(self, entry: Entry) -> tuple[Entry, ...]:
        """`ij` as i and j; `hh`, where h is a quantity, is a word."""
        letters = entry.letters
        names = {e.word for e in letters}
        is_word = len(names) < len(letters) or names <= set(self.axes)
        return (entry,) if len(letters) > 1 and is_word else letters

    def _room(self, name: str) -> set[int] | None:
        """How many subscripts a name may have."""
        if name in self.axes:
            steps, units = self.axes[name]
            return {steps, steps + units}
        if name in self.definitions:
            # Behind its letters, those of an element.
            letters = self.definitions[name]
            return {letters, letters + 1, letters + 2}
        return None

    def _splits(
        self, mention: Mention
    ) -> list[tuple[str, list[tuple[Place, Entry]], list[tuple[Place, Entry]]]]:
        """Names that a mention may have, those with most in the name first; and its indices."""
        found = []
        base = self.renamed.get(mention.base, mention.base)
        for in_below in range(len(mention.below), -1, -1):
            for in_above in range(len(mention.above), -1, -1):
                below: list[tuple[Place, Entry]] = [("below", e) for e in mention.below[:in_below]]
                above: list[tuple[Place, Entry]] = [("above", e) for e in mention.above[:in_above]]
                rest = _placed(
                    replace(mention, above=mention.above[in_above:], below=mention.below[in_below:])
                )
                for named in ([*below, *above], [*above, *below]):
                    name = "_".join((base, *(e.word for _, e in named)))
                    found.append((self.renamed.get(name, name), named, rest))
        return found

    def unknown(self, mention: Mention) -> UserError:
        """Why a mention is not understood."""
        scripts = [*mention.above, *mention.below, *mention.behind]
        name = "_".join((mention.base, *(e.word for e in scripts)))
        has_word = any(len(e.word) > 1 and e.word.isalpha() for e in scripts)
        if mention.base in self.axes and not has_word:
            steps, units = self.axes[mention.base]
            return UserError(
                f"{shown(mention.base)} has {len(scripts)} subscripts",
                place=mention.at,
                remedy=f"give it {steps} or {steps + units}",
            )
        near = did_you_mean(name, [*self.axes, *self.definitions])
        return UserError(
            f"there is no quantity {shown(name)}{near}",
            place=mention.at,
            remedy="name one of the network's, define it, or say in [symbols] what it is",
        )


def spelling_of(pattern: Pattern) -> Spelling:
    """How a pattern has its symbol written."""
    mention, meaning = pattern.mention, pattern.meaning
    subscripts = [s.name for s in meaning.subscripts or ()]
    holes = re.findall(r"\{(\w+)\}", meaning.name)
    slots = []
    for place, entry in _placed(mention):
        if entry.word in subscripts:
            slots.append(
                Slot(place, subscript=subscripts.index(entry.word), enclosed=entry.enclosed)
            )
        elif entry.word in holes:
            slots.append(Slot(place, hole=entry.word))
        else:
            slots.append(Slot(place, word=entry.word))
    return Spelling(mention.spelt or mention.base, tuple(slots), meaning.name if holes else "")


def _placed(mention: Mention) -> list[tuple[Place, Entry]]:
    """The entries of a mention with their places."""
    places: tuple[tuple[Place, tuple[Entry, ...]], ...] = (
        ("behind", mention.behind),
        ("above", mention.above),
        ("below", mention.below),
    )
    return [(place, entry) for place, entries in places for entry in entries]
