"""Time axes: what each index of steps runs over, and which quantities carry steps and sequences.

In `e[t,s] = q[t] @ k[s]` the letter s runs over the steps of k, whatever k calls them. Axes that
share an index in some equation are one; each has the length of an input on it, or else T.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from bptt.derive.calculus.causality import reached
from bptt.derive.calculus.quantity import Axis, T
from bptt.derive.errors import UserError, did_you_mean
from bptt.derive.language.syntax import Reference, Statement, Subscript, references, step_apart

Key = tuple[str, object, object]


@dataclass(frozen=True)
class Clocks:
    """The time axes of every input and signal, and, by statement, what its letters run over."""

    axes: Mapping[str, tuple[Axis, ...]]
    letters: tuple[Mapping[str, Axis], ...]
    batched: frozenset[str]


def step_subscripts(target: Reference) -> tuple[Subscript, ...]:
    """The subscripts on a left side that are indices of steps: they come first."""
    found = []
    for subscript in target.subscripts or ():
        if not subscript.is_step and subscript.name is not None:
            break
        found.append(subscript)
    return tuple(found)


def clocks(
    statements: Sequence[Statement],
    inputs: Mapping[str, tuple[sp.Symbol, ...]],
    unbatched: Iterable[str] = (),
    also: Mapping[str, str] | None = None,
    *,
    started: bool = False,
) -> Clocks:
    """Infer the axes. `inputs` gives the lengths of the inputs' time axes; raises UserError.

    `also` names for some signals an input that they depend on beside their statements. With
    `started`, and where there are no inputs, values before the first step differ between the
    sequences of a batch.
    """
    counts = {name: len(lengths) for name, lengths in inputs.items()}
    general = {s.target.name for s in statements if step_apart(s) is None}
    for statement in statements:
        name = statement.target.name
        count = _steps_of_target(statement, beside_general=name in general)
        if counts.setdefault(name, count) != count:
            raise UserError(
                f"{name!r} has {counts[name]} axes of steps, and here {count}",
                place=statement.target.at,
                remedy="give both its equations the same axes",
            )
    unions = _Unions()
    for name, lengths in inputs.items():
        for position, length in enumerate(lengths):
            unions.label(("axis", name, position), length, name)
    for number, statement in enumerate(statements):
        mentioned = [statement.target, *references(statement.expression)]
        for reference in mentioned:
            check_steps(reference, counts)
            count = counts.get(reference.name, 0)
            for position, subscript in enumerate((reference.subscripts or ())[:count]):
                if subscript.is_step and not subscript.is_fixed:
                    unions.join(
                        ("axis", reference.name, position),
                        ("letter", number, subscript.name),
                        reference.at,
                    )
    axes = {
        name: tuple(unions.axis(("axis", name, position)) for position in range(count))
        for name, count in counts.items()
    }
    letters = []
    for number, statement in enumerate(statements):
        used = [s.name for s in step_subscripts(statement.target) if s.name and not s.is_fixed]
        for reference in references(statement.expression):
            steps = (reference.subscripts or ())[: counts.get(reference.name, 0)]
            used += [s.name for s in steps if s.name and not s.is_fixed]
        letters.append({n: unions.axis(("letter", number, n)) for n in dict.fromkeys(used)})
    given = set(inputs) - set(unbatched)
    if not inputs or (started and given):  # without a batched input there are no sequences
        given |= remembered(statements)
    return Clocks(axes, tuple(letters), _batched(statements, given, also or {}))


def _steps_of_target(statement: Statement, *, beside_general: bool) -> int:
    """How many axes of steps a left side has: h[t], or h[0] beside it."""
    target = statement.target
    names: list[str | None] = []
    for subscript in step_subscripts(target):
        if not names and beside_general and subscript == step_apart(statement):
            names.append(None)
            continue
        if subscript.name in names:
            raise UserError(
                f"the left side {target.name!r} has the index {subscript.name!r} twice",
                place=target.at,
                remedy=f"write {target.name}[t,s]",
            )
        if subscript.offset or subscript.is_fixed:
            raise UserError(
                f"the left side {target.name!r} is not at time t",
                place=target.at,
                remedy=f"write {target.name}[t] = ..., or {target.name}[t,s] = ...; "
                f"beside it, {target.name}[0] = ... is the first step",
            )
        names.append(subscript.name)
    if len(names) > 2:
        raise UserError(
            f"{target.name!r} has {len(names)} axes of steps", place=target.at, remedy="use two"
        )
    return len(names)


def check_steps(reference: Reference, counts: Mapping[str, int]) -> None:
    """Refuse steps on what carries none, and a signal without its steps."""
    name, subscripts = reference.name, reference.subscripts or ()
    count = counts.get(name, 0)
    given = 0
    for position, subscript in enumerate(subscripts):
        given += subscript.is_step or (position < count and subscript.name is None)
        if subscript.is_step and given <= position:
            raise UserError(
                f"{subscript.name!r} is an index of steps, and stands among the units of {name!r}",
                place=reference.at,
                remedy="use i, j or k for units",
            )
    if name not in counts and given:
        raise UserError(
            f"no equation defines {name!r}{did_you_mean(name, counts)}",
            place=reference.at,
            remedy="define it, name an input, or read a parameter without [t]",
        )
    steps = subscripts[:count]
    if given > count:
        raise UserError(
            f"{name!r} is read at {given} steps, and has {count or 'no'} axes of steps",
            place=reference.at,
            remedy=f"give it {count}" if count else "read it without [t]",
        )
    if len(steps) < count or not all(s.is_step or s.name is None for s in steps):
        raise UserError(
            f"{name!r} is a signal and is read without a time",
            place=reference.at,
            remedy=f"write {name}[t] or {name}[t-1]" if count == 1 else f"write {name}[t,s]",
        )


def _batched(
    statements: Sequence[Statement], given: set[str], also: Mapping[str, str]
) -> frozenset[str]:
    """What differs between the sequences of a batch: all that something given reaches.

    That are the inputs, and what else is given for each sequence.
    """
    masked = ((signal, (mask,)) for signal, mask in also.items())
    read = ((s.target.name, {r.name for r in references(s.expression)}) for s in statements)
    return frozenset(reached(given, (*masked, *read)))


def remembered(statements: Iterable[Statement]) -> set[str]:
    """The signals that are read at other steps: they have values before the first."""
    signals = {statement.target.name for statement in statements}
    return {
        reference.name
        for statement in statements
        for reference in references(statement.expression)
        if reference.name in signals
        and any(s.is_step and s.name and s.offset for s in (reference.subscripts or ())[:1])
    }


class _Unions:
    """Axes and letters that turn out to be one, each class with its length."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}
        self._length: dict[Key, tuple[sp.Symbol, str]] = {}

    def _root(self, key: Key) -> Key:
        while (parent := self._parent.get(key, key)) != key:
            key = parent
        return key

    def label(self, key: Key, length: sp.Symbol, name: str) -> None:
        self._length[self._root(key)] = (length, name)

    def join(self, left: Key, right: Key, at: str) -> None:
        left, right = self._root(left), self._root(right)
        if left == right:
            return
        a, b = self._length.get(left), self._length.get(right)
        if a and b and a[0] != b[0]:
            raise UserError(
                f"one index runs along {a[0]}, the steps of {a[1]!r}, and along {b[0]}, the steps "
                f"of {b[1]!r}",
                place=at,
                remedy="use different letters for different axes, such as t and s",
            )
        self._parent[right] = left
        if b:
            self._length[left] = b

    def axis(self, key: Key) -> Axis:
        return Axis("time", self._length.get(self._root(key), (T, ""))[0])
