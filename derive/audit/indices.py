"""The numbers of letters: steps, units and labels, and over what they run.

Letters of steps and units are axes of arrays: an index has one axis for each letter in use.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache

import numpy as np

from bptt.derive.audit.claim import Context, Definition, Layout
from bptt.derive.audit.matrices import (
    Value,
)
from bptt.derive.audit.setting import lengths_of
from bptt.derive.audit.truth import Truth
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.interpreter import Array
from bptt.derive.language import syntax
from bptt.derive.notation.plain import node_text

LETTERS = 12
MAX_POINTS = 100_000
MAX_DIGITS = 6
MAX_NUMBER = 10**9
MAX_ARGMIN = 12
MAX_POWER = 64
MAX_STEPS = 200
MAX_VISITS = 1_000_000
DERIVATIVES = ("total", "explicit")
Letters = Mapping[str, Array | str]


_COMPARE: dict[str, Callable[[Array, Array], Array]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "!=": np.not_equal,
}


# Arrays of letters that stand on an axis of their own, by identity; they are kept for good.
_AXES: dict[int, Array] = {}


@cache
def along_axis(first: int, last: int, axis: int) -> Array:
    """The numbers from first to last along one axis of the letters."""
    shape = [1] * LETTERS
    shape[axis] = last - first + 1
    numbers = np.arange(first, last + 1).reshape(shape)
    _AXES[id(numbers)] = numbers
    return numbers


def is_along_axis(numbers: Array) -> bool:
    """Whether these are the numbers of a letter that stands on an axis of its own."""
    return id(numbers) in _AXES


@lru_cache(maxsize=20_000)
def letters_in(node: syntax.Node) -> tuple[str, ...]:
    """The letters in the subscripts and the holes of a mention or a derivative."""
    found: list[str] = []
    stack = [node]
    while stack:
        top = stack.pop()
        stack.extend(syntax.children(top))
        if isinstance(top, syntax.Reference):
            found += [f for _, f, _, _ in string.Formatter().parse(top.name) if f]
            for s in top.subscripts or ():
                found += [n for n in (s.name, *(n for _, n in s.also)) if n]
    return tuple(dict.fromkeys(found))


def labels_of(pattern: str, name: str) -> dict[str, str] | None:
    """What the holes of a pattern stand for in a name; None where it is another name."""
    if pattern == name:
        return {}
    if "{" not in pattern:
        return None
    parts = list(string.Formatter().parse(pattern))
    found: dict[str, str] = {}
    rest = name
    for position, (literal, hole, _, _) in enumerate(parts):
        if not rest.startswith(literal):
            return None
        rest = rest[len(literal) :]
        if hole is None:
            continue
        following = parts[position + 1][0] if position + 1 < len(parts) else ""
        end = rest.find(following) if following else len(rest)
        if end <= 0:
            return None
        found[hole], rest = rest[:end], rest[end:]
    return found if not rest else None


class Indices:
    """What letters mean at one instance: their numbers, their axes, the names with holes."""

    def __init__(
        self, context: Context, truth: Truth, layout: Layout = "jacobian", level: int = 0
    ) -> None:
        self._level = level
        self.is_rough = False
        self._context = context
        self._truth = truth
        self._layout = layout
        self._system = truth.instance.system
        self._definitions = context.definitions
        self._lengths = lengths_of(self._system)
        self._memo: dict[tuple[object, ...], Value] = {}
        self.visits = 0
        self.most = MAX_VISITS

    def value(self, node: syntax.Node, letters: Letters, depth: int) -> Value:
        """The value of a node; `depth` axes are taken by letters."""
        raise NotImplementedError

    def holds(self, conditions: tuple[syntax.Comparison, ...], letters: Letters) -> Array:
        """Where all conditions hold; an array over the letters."""
        found = np.ones((1,) * LETTERS, dtype=bool)
        for condition in conditions:
            values = [self.number(operand, letters) for operand in condition.operands]
            for left, right, operator in zip(values, values[1:], condition.operators, strict=False):
                found = found & _COMPARE[operator](left, right)
        return found

    def number(self, node: syntax.Node, letters: Letters) -> Array:
        """The whole number of an index expression, over the letters."""
        match node:
            case syntax.Number(text) if text.isdigit() and len(text) <= MAX_DIGITS:
                return np.full((1,) * LETTERS, int(text))
            case syntax.Negative(operand):
                return -self.number(operand, letters)
            case syntax.Binary(operator, left, right) if operator in "+-*@":
                first, second = self.number(left, letters), self.number(right, letters)
                if operator in "*@" and abs(first).max() * abs(second).max() < MAX_NUMBER:
                    return first * second
                if operator in "*@":
                    raise UserError("a number too great", remedy=f"at most {MAX_NUMBER}")
                return first + second if operator == "+" else first - second
            case syntax.Reference(name, None):
                found = self._index(name, letters)
                if found is not None:
                    return found
        raise UserError(
            f"{node_text(node)[:60]} is no whole number",
            place=getattr(node, "at", ""),
            remedy="use indices, lengths and numbers",
        )

    def step(self, subscript: syntax.Subscript, letters: Letters, at: str) -> Array:
        """The number of a subscript."""
        found = np.full((1,) * LETTERS, subscript.offset)
        names = [(1, subscript.name)] if subscript.name else []
        for sign, name in (*names, *subscript.also):
            index = self._index(name, letters)
            if index is None:
                raise UserError(
                    f"{shown(name)} is neither an index nor a length",
                    place=at,
                    remedy="use letters of the claim, T, and numbers",
                )
            found = found + sign * index
        return found

    def knows(self, name: str) -> bool:
        """Whether a name means something, and is no letter of a claim's own."""
        return (
            name in self._system.quantities
            or name == "I"
            or self._index(name, {}) is not None
            or self.definition(name) is not None
        )

    def is_length(self, name: str) -> bool:
        """Whether a name is a number of steps."""
        return name in self._lengths

    def _index(self, name: str, letters: Letters) -> Array | None:
        """A letter, a label that is a number, a length or a size."""
        found = letters.get(name)
        if isinstance(found, str):
            is_number = found.isascii() and found.isdigit()
            return np.full((1,) * LETTERS, int(found)) if is_number else None
        if found is not None:
            return found
        last = self._truth.instance.steps + self._context.first - 1
        if name in self._lengths:
            # The name of the last step: T where steps are counted from 1.
            return np.full((1,) * LETTERS, last if self._context.first else last + 1)
        if name in self._truth.instance.sizes:
            return np.full((1,) * LETTERS, self._truth.instance.sizes[name])
        if name.startswith("N_"):
            # What derived equations call the size of a quantity.
            counts = {s.name: n for s, n in self._system.sizes.items()}
            return np.full((1,) * LETTERS, counts[name]) if name in counts else None
        return None

    def concrete(self, name: str, letters: Letters) -> str:
        """A name with its holes filled by labels."""
        if "{" not in name:
            return name
        labels = {k: v for k, v in letters.items() if isinstance(v, str)}
        missing = [f for _, f, _, _ in string.Formatter().parse(name) if f and f not in labels]
        if missing:
            raise UserError(
                f"nothing says what {missing[0]!r} stands for in {shown(name)}",
                remedy=f"add a condition such as {missing[0]} in M",
            )
        return name.format(**labels)

    def definition(self, name: str) -> Definition | None:
        return next(
            (d for d in self._definitions if labels_of(d.target.name, name) is not None), None
        )

    def members(self, name: str, letters: Letters, at: str = "") -> tuple[str, ...]:
        """The labels of a set."""
        concrete = self.concrete(name, letters)
        if concrete not in self._context.sets and "{" in name:
            # Of a family of sets those that are not listed are empty.
            stem = name.partition("{")[0]
            if any(known.startswith(stem) for known in self._context.sets):
                return ()
        if concrete not in self._context.sets:
            near = did_you_mean(concrete, self._context.sets)
            raise UserError(
                f"there is no set {shown(concrete)}{near}",
                place=at,
                remedy="list its members in [sets]",
            )
        return self._context.sets[concrete]

    def check(self, node: syntax.Node) -> None:
        """Refuse mentions with more or fewer subscripts than axes."""
        stack = [node]
        while stack:
            top = stack.pop()
            stack.extend(syntax.children(top))
            if isinstance(top, syntax.Reference) and top.name in self._system.quantities:
                self._check_subscripts(top.name, top)

    def _check_subscripts(self, name: str, node: syntax.Reference) -> tuple[int, tuple[int, ...]]:
        steps, shape = self._truth.instance.shapes[name]
        count = len(node.subscripts or ())
        if count not in (steps, len(shape)):
            remedy = f"give it {steps}" + (f", or {len(shape)}" if len(shape) > steps else "")
            raise UserError(
                f"{name!r} has {count} subscripts",
                place=node.at,
                remedy=remedy if shape else "leave them out",
            )
        return steps, shape

    def letter_kinds(self, nodes: Sequence[syntax.Node]) -> tuple[set[str], set[str]]:
        """The letters that stand on steps, and those that stand on units, of quantities."""
        steps: set[str] = set()
        units: set[str] = set()
        stack = list(nodes)
        while stack:
            top = stack.pop()
            stack.extend(syntax.children(top))
            if not isinstance(top, syntax.Reference) or not top.subscripts:
                continue
            name = top.name if top.name in self._system.quantities else self._any_of(top.name)
            count = self._truth.instance.shapes.get(name, (99, ()))[0]
            for position, subscript in enumerate(top.subscripts):
                if subscript.name is not None and count < 99 and subscript.name != "T":
                    (steps if position < count else units).add(subscript.name)
        return steps, units

    def range_of(self, letter: str, node: syntax.Node, letters: Letters) -> tuple[int, int] | None:
        """The first and the last number of a letter, by the axis that it stands on."""
        stack = [node]
        first = self._context.first
        offset: tuple[int, int] | None = None
        while stack:
            top = stack.pop(0)
            stack.extend(syntax.children(top))
            if not isinstance(top, syntax.Reference) or not top.subscripts:
                continue
            for subscript, size in zip(top.subscripts, self._extents(top, letters), strict=False):
                if subscript.name == letter and size is not None:
                    if not subscript.offset and not subscript.also:
                        return first, first + size - 1
                    offset = first, first + size - 1
        return offset

    def _extents(self, node: syntax.Reference, letters: Letters) -> list[int | None]:
        """The length of the axis that each subscript of a mention stands on."""
        self.visits += 1
        if self.visits > self.most:
            raise UserError("the claim takes too long to evaluate", remedy="use smaller sums")
        try:
            name = self.concrete(node.name, letters)
        except UserError:
            # A label of a sum further in: all that a family has are alike in their steps.
            name = self._any_of(node.name)
        quantity = self._system.quantities.get(name)
        if quantity is not None:
            return list(self._truth.instance.shapes[name][1])
        definition = self.definition(name)
        if definition is None:
            return []
        inner = {**letters, **(labels_of(definition.target.name, name) or {})}
        found: list[int | None] = []
        for subscript in definition.target.subscripts or ():
            assert subscript.name is not None
            bounds = self.range_of(subscript.name, definition.body, inner)
            found.append(None if bounds is None else bounds[1] - bounds[0] + 1)
        if len(node.subscripts or ()) > len(found):
            found += self._unit_extents(definition, inner)
        return found

    def _unit_extents(self, definition: Definition, letters: Letters) -> list[int | None]:
        """The rows and columns of what the source defines; of a vector its length."""
        start = np.full((1,) * LETTERS, self._context.first)
        names = [s.name for s in definition.target.subscripts or ()]
        bound = {**letters, **{n: start for n in names if n is not None}}
        rows, columns = self.value(definition.body, bound, 0).shape
        return [rows * columns] if 1 in (rows, columns) else [rows, columns]

    def _any_of(self, template: str) -> str:
        """A quantity or a definition of a family."""
        like = re.compile(re.sub(r"\\\{\w+\\\}", r"[^_]+", re.escape(template)))
        names = (*self._system.quantities, *(d.target.name for d in self._definitions))
        return next((n for n in names if like.fullmatch(n)), template)
