"""Index letters: an index is one of steps because it stands where steps are.

The rest of the language tells steps from units by their customary letters, t first. Here every
statement gets these: in `h[n] = tanh(W @ x[n])` n becomes t, in `y[t,r] = W[r,j]*x[t,j]` r becomes
a letter of units. Letters of which nothing says what they are keep their customary meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bptt.derive.errors import UserError
from bptt.derive.language import syntax


def customary(
    statements: Sequence[syntax.Statement], inputs: Mapping[str, int]
) -> tuple[syntax.Statement, ...]:
    """The statements in customary letters. `inputs` says how many axes of steps each input has."""
    meanings = _Meanings(statements, inputs)
    found = []
    for statement, steps, units in zip(statements, meanings.steps, meanings.units, strict=True):
        both = sorted(steps & units - {*syntax.TIME_LETTERS})
        if both:
            raise UserError(
                f"{both[0]!r} is an index of steps, and stands among units",
                place=statement.target.at,
                remedy="use different letters for steps and for units",
            )
        found.append(_renamed(statement, steps - units, units - steps))
    return tuple(found)


class _Meanings:
    """The letters that each statement uses for steps, and those that it uses for units."""

    def __init__(self, statements: Sequence[syntax.Statement], inputs: Mapping[str, int]) -> None:
        self._statements = statements
        self._of: dict[str, list[int]] = {}
        for n, statement in enumerate(statements):
            self._of.setdefault(statement.target.name, []).append(n)
        self._counts = dict(inputs)
        self.steps: list[set[str]] = [set() for _ in statements]
        self.units: list[set[str]] = [set() for _ in statements]
        self._follow()
        for n, statement in enumerate(statements):
            if statement.target.name not in self._counts:
                for letter in _letters(statement.target.subscripts):
                    if letter not in self.steps[n] | self.units[n]:
                        (self.steps if letter in syntax.TIME_LETTERS else self.units)[n].add(letter)
                self._follow()

    def _follow(self) -> None:
        """What follows from what is known: until nothing more does."""
        known = -1
        while known != (known := len(self._counts) + sum(map(len, (*self.steps, *self.units)))):
            for n, statement in enumerate(self._statements):
                for reference in _mentions(statement):
                    self._use(n, reference)
                count = self._count(n)
                if count is not None:
                    self._counts.setdefault(statement.target.name, count)

    def _use(self, n: int, reference: syntax.Reference) -> None:
        """What a mention says of its letters, or its letters of what is mentioned."""
        name, subscripts = reference.name, reference.subscripts or ()
        if name in self._counts or name not in self._of:
            count = self._counts.get(name, 0)
            self.steps[n] |= _letters(subscripts[:count])
            among_units = _letters(subscripts[count:])
            if name not in self._counts and not self.steps[n]:
                # A name that nothing defines may be a signal forgotten, and not a parameter.
                among_units -= {*syntax.TIME_LETTERS}
            self.units[n] |= among_units
            return
        # Steps come first: what stands before a step is one; of a number alone nothing follows.
        sure = [
            p for p, s in enumerate(subscripts) if s.name == syntax.END or s.name in self.steps[n]
        ]
        for other in self._of[name] if sure else ():
            target = self._statements[other].target.subscripts or ()
            self.steps[other] |= _letters(target[: sure[-1] + 1])

    def _count(self, n: int) -> int | None:
        """How many axes of steps the left side has; None while a letter of it is open."""
        subscripts = self._statements[n].target.subscripts or ()
        for position, subscript in enumerate(subscripts):
            if subscript.is_fixed or subscript.name in self.steps[n]:
                continue
            return position if subscript.name in self.units[n] else None
        return len(subscripts)


def _mentions(statement: syntax.Statement) -> Iterator[syntax.Reference]:
    yield statement.target
    yield from syntax.references(statement.expression)


def _letters(subscripts: Iterable[syntax.Subscript] | None) -> set[str]:
    return {s.name for s in subscripts or () if s.name and s.name != syntax.END}


def _bare(node: syntax.Node) -> set[str]:
    """The names without subscripts in an expression: of indices, parameters, and what is wrong."""
    if isinstance(node, syntax.Reference):
        return {node.name} if node.subscripts is None else set()
    return set[str]().union(*map(_bare, syntax.children(node)))


def _renamed(statement: syntax.Statement, steps: set[str], units: set[str]) -> syntax.Statement:
    """The statement with customary letters in place of those that are not: t, then s, ..."""
    letters = list(
        dict.fromkeys(s.name for m in _mentions(statement) for s in m.subscripts or () if s.name)
    )
    foreign = (_bare(statement.expression) | set(letters)) - steps - units
    # Where the left side has t of its own, what is customary means what it says: in
    # a[s,t] = softmax(..., s <= t) the index is s.
    own = (
        syntax.TIME_LETTERS
        if syntax.TIME_LETTERS[0] in _letters(statement.target.subscripts)
        else ()
    )
    names = {
        **_given(
            [n for n in letters if n in steps and n not in own],
            syntax.TIME_LETTERS,
            foreign | (steps & {*own}),
            statement,
        ),
        **_given(
            [n for n in letters if n in units and n in syntax.TIME_LETTERS],
            syntax.UNIT_LETTERS,
            foreign | units,
            statement,
        ),
    }
    if all(old == new for old, new in names.items()):
        return statement

    def named(subscript: syntax.Subscript) -> syntax.Subscript:
        return replace(subscript, name=names.get(subscript.name or "", subscript.name))

    def moved(node: syntax.Node) -> syntax.Node:
        if not isinstance(node, syntax.Reference):
            return syntax.with_children(node, [moved(child) for child in syntax.children(node)])
        if node.subscripts is None:
            return replace(node, name=names.get(node.name, node.name))
        return replace(node, subscripts=tuple(map(named, node.subscripts)))

    target = moved(statement.target)
    assert isinstance(target, syntax.Reference)
    return syntax.counted(syntax.Statement(target, moved(statement.expression)))


def _given(
    letters: list[str], usual: Sequence[str], taken: set[str], statement: syntax.Statement
) -> dict[str, str]:
    free = [name for name in usual if name not in taken]
    if len(letters) > len(free):
        kept = len(usual) - len(free)
        raise UserError(
            f"an equation with {kept + len(letters)} indices of one sort",
            place=statement.target.at,
            remedy=f"use at most {len(usual)}: name a part of it in an equation of its own",
        )
    return dict(zip(letters, free, strict=False))
