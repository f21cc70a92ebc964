"""Claims files: TOML to claims. The text is data from strangers: parsed, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bptt.derive.audit.claim import LAYOUTS, Claim, Context, Definition, Source
from bptt.derive.audit.indices import labels_of
from bptt.derive.audit.readings import walk
from bptt.derive.audit.setting import DRAWS, Setting, lengths_of
from bptt.derive.audit.symbols import FUNCTIONS, Pattern, Spelling, Vocabulary, spelling_of
from bptt.derive.audit.tex import read_latex
from bptt.derive.audit.tex_symbols import read_mention
from bptt.derive.audit.text import read_text
from bptt.derive.calculus.causality import components
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.description.network import Network
from bptt.derive.description.topology import (
    load,
    only,
    read_bounded,
    strings_of,
    table_of,
    tables_of,
)
from bptt.derive.errors import UserError, check_choice, did_you_mean, shown
from bptt.derive.language.parser import parse_conditions
from bptt.derive.language.syntax import MAX_HEIGHT, Comparison, Node, Reference, height

_TOP = (
    *("source", "network", "draw", "states", "definitions", "sets", "symbols", "functions"),
    *("first_step", "vectors", "layout", "derivatives", "products", "claims", "about"),
)
_CLAIM = (
    *("name", "equation", "text", "latex", "where", "layout", "derivatives", "products", "about"),
    *("expected", "correction"),
)
_SOURCE = ("book", "edition", "address")
VERDICTS = ("holds", "fails", "ambiguous")
MAX_CLAIMS = 200
_NAME = re.compile(r"[A-Za-z][\w.-]*\Z", re.ASCII)
_LABEL = re.compile(r"(?:[A-Za-z]\w{0,40}|\d{1,3})\Z", re.ASCII)
UNARY = tuple(name for name, primitive in PRIMITIVES.items() if primitive.is_unary)
RESERVED = (*PRIMITIVES, *FUNCTIONS, "total", "explicit", "derivative", "argmin")
_LETTER = re.compile(r"[A-Za-z]\w{0,15}\Z", re.ASCII)


def load_claims(path: str | Path, unread: list[UserError] | None = None) -> tuple[Claim, ...]:
    """The claims of a file. Raises UserError, which names the file and the place.

    With a list `unread` the errors of single claims are put there, and the others are read.
    """
    path = Path(path)
    text = read_bounded(path)
    try:
        return read_claims(tables_of(text), path.parent, unread)
    except UserError as error:
        raise error.located(file=str(path)) from None


def catalogue() -> list[Path]:
    """The claims files that are shipped."""
    return sorted((Path(__file__).parent / "catalogue").glob("*.toml"))


def read_claims(
    data: Mapping[str, Any], folder: Path, unread: list[UserError] | None = None
) -> tuple[Claim, ...]:
    """The claims of a file's tables. Raises UserError."""
    only(data, _TOP, "")
    if not isinstance(data.get("claims"), list) or not data["claims"]:
        raise UserError("the file has no claims", remedy="add [[claims]] with a latex or a text")
    if len(data["claims"]) > MAX_CLAIMS:
        raise UserError(f"{len(data['claims'])} claims", remedy=f"use at most {MAX_CLAIMS} a file")
    source = table_of(data, "source", "")
    only(source, _SOURCE, "source")
    setting = _setting(data, folder)
    reading = _Reading(data, setting)
    found: list[Claim] = []
    for number, entry in enumerate(data["claims"], 1):
        place = f"claims {number}"
        if not isinstance(entry, dict):
            raise UserError("a claim is no table", place=place, remedy="write [[claims]]")
        if isinstance(entry.get("name"), str):
            place = f"claim {shown(entry['name'])}"
        try:
            claim = reading.claim(entry, number, place, source)
        except UserError as error:
            if unread is None:
                raise
            unread.append(error)
            continue
        if claim.name in {c.name for c in found}:
            raise UserError("two claims have this name", place=place, remedy="rename one")
        found.append(claim)
    return tuple(found)


def _setting(data: Mapping[str, Any], folder: Path) -> Setting:
    network = data.get("network")
    draws = {n: _one_of(v, DRAWS, f"draw.{n}") for n, v in table_of(data, "draw", "").items()}
    states = strings_of(data, "states", "")
    if isinstance(network, str):
        try:
            found: Network | dict[str, Any] = load(folder / network)
        except UserError as error:
            raise error.located(place="network") from None
        return Setting(found, draws, states, judged=True)
    if not isinstance(network, dict):
        raise UserError(
            "the file does not say which network its claims are about",
            place="network",
            remedy='add network = "file.toml", or [network] with inputs and equations',
        )
    return Setting(network, draws, states, judged="loss" in network)


class _Reading:
    """Reads the claims of one file: what its symbols mean is said once."""

    def __init__(self, data: Mapping[str, Any], setting: Setting) -> None:
        self._data = data
        self._setting = setting
        for letter in setting.letters:
            if isinstance(setting.network, dict) and not _LETTER.match(letter):
                raise UserError(
                    f"{shown(letter)} is no letter for a size",
                    place="network",
                    remedy='write a name such as "n", or a number',
                )
        try:
            system = setting.system({n: 2 + k % 4 for k, n in enumerate(setting.letters)})
        except UserError as error:
            raise error.located(place="network") from None
        self._axes = {
            q.name: (
                sum(a.kind == "time" for a in q.axes),
                sum(a.kind == "feature" for a in q.axes),
            )
            for q in system.quantities.values()
        }
        self._sets = {n: _members(v, f"sets.{n}") for n, v in table_of(data, "sets", "").items()}
        definitions = table_of(data, "definitions", "")
        self._targets = [_target(key) for key in definitions]
        taken = {*self._axes, *setting.letters, *lengths_of(system), "I", *RESERVED}
        for target in self._targets:
            if target.name in taken:
                raise UserError(
                    f"{target.name!r} has a meaning already",
                    place=f"definitions.{target.name}",
                    remedy="define another name",
                )
        for name in setting.states:
            if name not in self._axes:
                raise UserError(
                    f"there is no signal {shown(name)}", place="states", remedy="name signals"
                )
        self._vocabulary = self._vocabulary_of(data)
        first = data.get("first_step", 1)
        if type(first) is not int or first not in (0, 1):
            raise UserError(f"{shown(first)} is no first step", remedy="use 0 or 1")
        self._context = Context(
            setting,
            self._axes,
            tuple(
                Definition(target, self._body(str(body), f"definitions.{target.name}"))
                for target, body in zip(self._targets, definitions.values(), strict=True)
            ),
            self._sets,
            self._families(),
            tuple(spelling_of(p) for p in self._vocabulary.patterns if "{" in p.meaning.name),
            first,
            _one_of(data.get("vectors", "columns"), ("columns", "rows"), "vectors") == "rows",
        )
        _check_nested(self._context.definitions)

    def _families(self) -> tuple[Reference, ...]:
        """The names with labels, other than those of sets."""
        stems = {name.partition("_")[0] for name in self._sets}
        meant = (*(p.meaning for p in self._vocabulary.patterns), *self._targets)
        found = {r.name: r for r in meant if "_{" in r.name}
        return tuple(r for r in found.values() if r.name.partition("_")[0] not in stems)

    def _vocabulary_of(self, data: Mapping[str, Any]) -> Vocabulary:
        functions = table_of(data, "functions", "")
        for key, value in functions.items():
            if not isinstance(value, str) or value not in UNARY:
                raise UserError(
                    f"there is no function {shown(value)}{did_you_mean(str(value), UNARY)}",
                    place=f"functions.{key}",
                    remedy=f"use one of {', '.join(UNARY)}",
                )
        patterns, renamed = [], {}
        for key, value in table_of(data, "symbols", "").items():
            place = f"symbols.{shown(key)}"
            if not isinstance(value, str):
                raise UserError(f"{shown(value)} is no name", place=place, remedy='write "W_hh"')
            try:
                mention = read_mention(key)
                if "[" in value or "{" in value or any(mention.counts):
                    meaning = _meaning(value)
                    letters = {s.name for s in meaning.subscripts or ()}
                    if {e.word for e in mention.apart.below} <= letters:
                        mention = mention.apart
                    patterns.append(Pattern(mention, meaning))
                else:
                    renamed[mention.base] = value
            except UserError as error:
                raise error.located(place=place) from None
        return Vocabulary(
            self._axes,
            {t.name: len(t.subscripts or ()) for t in self._targets},
            # What says more of a symbol goes before what says less.
            tuple(sorted(patterns, key=lambda pattern: pattern.open)),
            {read_mention(k).base: str(v) for k, v in functions.items()},
            renamed,
        )

    def claim(
        self, entry: Mapping[str, Any], number: int, place: str, source: Mapping[str, Any]
    ) -> Claim:
        only(entry, _CLAIM, place)
        for key in _CLAIM:
            if key in entry and not isinstance(entry[key], str):
                raise UserError(
                    f"{shown(entry[key])} is no text", place=f"{place}.{key}", remedy="use quotes"
                )
        name = entry.get("name", f"claim_{number}")
        if not _NAME.match(name):
            raise UserError(
                f"{shown(name)} is no name for a claim",
                place=place,
                remedy="use letters and digits",
            )
        if ("text" in entry) == ("latex" in entry):
            raise UserError(
                "a claim is either a text or latex", place=place, remedy="give one of the two"
            )
        is_latex = "latex" in entry
        text = entry["latex" if is_latex else "text"]
        spellings: dict[str, Spelling] = {}
        sides = self._sides(text, is_latex, f"{place}.{'latex' if is_latex else 'text'}", spellings)
        if len(sides) < 2:
            raise UserError("nothing is claimed to be equal", place=place, remedy="write a = b")
        # The equation language says how derivatives lie; a source in LaTeX may not.
        usual = None if is_latex else LAYOUTS[0]
        layout = entry.get("layout", self._data.get("layout", usual))
        derivatives = entry.get("derivatives", self._data.get("derivatives"))
        products = entry.get("products", self._data.get("products"))
        correction: tuple[Node, ...] = ()
        if "correction" in entry:
            correction = self._sides(
                entry["correction"], "\\" in entry["correction"], f"{place}.correction", {}
            )
        return Claim(
            name=name,
            sides=sides,
            context=self._context,
            where=self._where(entry.get("where", ""), f"{place}.where"),
            layout=None if layout is None else _one_of(layout, LAYOUTS, f"{place}.layout"),  # type: ignore[arg-type]
            derivatives=None  # type: ignore[arg-type]
            if derivatives is None
            else _one_of(derivatives, ("total", "explicit"), f"{place}.derivatives"),
            products=None  # type: ignore[arg-type]
            if products is None
            else _one_of(products, ("rising", "falling"), f"{place}.products"),
            source=Source(
                str(source.get("book", "")),
                str(entry.get("equation", "")),
                str(source.get("address", "")),
                str(source.get("edition", "")),
            ),
            text=text,
            is_latex=is_latex,
            about=entry.get("about", ""),
            expected=_one_of(entry["expected"], VERDICTS, f"{place}.expected")
            if "expected" in entry
            else "",
            correction=correction,
            spellings=spellings,
            functions=self._vocabulary.functions,
        )

    def _sides(
        self, text: str, is_latex: bool, place: str, spellings: dict[str, Spelling]
    ) -> tuple[Node, ...]:
        try:
            if not is_latex:
                return read_text(text)
            read = read_latex(text, self._vocabulary)
        except UserError as error:
            raise error.located(place=place) from None
        spellings.update(read.spellings)
        return read.sides

    def _body(self, text: str, place: str) -> Node:
        sides = self._sides(text, "\\" in text, place, {})
        if len(sides) != 1:
            raise UserError("a definition has one right side", place=place, remedy="leave = out")
        return sides[0]

    @staticmethod
    def _where(text: str, place: str) -> tuple[Comparison, ...]:
        try:
            return parse_conditions(text) if text.strip() else ()
        except UserError as error:
            raise error.located(place=place) from None


def _target(text: str) -> Reference:
    """The left side of a definition: `delta[t]`, `S_{u}_{m}[t]`."""
    try:
        reference = _meaning(text)
        names = [s.name for s in reference.subscripts or ()]
        if len(set(names)) < len(names) or any(
            s.name is None or s.offset or s.also for s in reference.subscripts or ()
        ):
            raise UserError("a definition has letters as its subscripts", remedy="write delta[t]")
    except UserError as error:
        raise error.located(place=f"definitions.{shown(text)}") from None
    return reference


def _check_nested(definitions: Sequence[Definition]) -> None:
    """Refuse a definition that needs itself, and definitions within definitions without end."""
    needs = {
        d.target.name: sorted(
            other.target.name
            for n in walk(d.body)
            if isinstance(n, Reference)
            for other in definitions
            if labels_of(other.target.name, n.name) is not None
        )
        for d in definitions
    }
    levels = {d.target.name: height(d.body) for d in definitions}
    for name, *others in components(needs):
        place = f"definitions.{name}"
        if others or name in needs[name]:
            raise UserError(
                f"{name!r} is defined in a circle",
                place=place,
                remedy="let a recursion be an equation of the network",
            )
        levels[name] += max((levels[n] for n in needs[name]), default=0)
        if levels[name] > MAX_HEIGHT:
            raise UserError(
                f"nested deeper than {MAX_HEIGHT} operations, with what it mentions",
                place=place,
                remedy="let some of it be equations of the network",
            )


def _members(value: Any, place: str) -> tuple[str, ...]:
    """The labels of a set: names, or small numbers."""
    members = value if isinstance(value, list) else None
    if members is None or not all(
        (isinstance(m, str) and _LABEL.match(m)) or (type(m) is int and 0 <= m < 1000)
        for m in members
    ):
        raise UserError(
            f"{shown(value)} is no list of labels", place=place, remedy='write ["1", "4"]'
        )
    return tuple(map(str, members))


def _meaning(text: str) -> Reference:
    sides = read_text(text)
    if len(sides) != 1 or not isinstance(sides[0], Reference):
        raise UserError(f"{shown(text)} is no quantity", remedy='write "h[t]" or "W_{m}_{l}"')
    return sides[0]


def _one_of(value: Any, known: Iterable[str], place: str) -> str:
    check_choice(value, tuple(known), place)
    return str(value)
