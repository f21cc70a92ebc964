"""Index letters: an index is one of steps because it stands where steps are, whatever its letter.

In `h[n] = tanh(W @ x[n])` n is an index of steps, for the input x has steps there; in
`y[t,r] = W[r,j]*x[t,j]` r is one of units. What is found is marked in the trees: which subscripts
are steps, which bare letters stand for their own numbers, and what a comparison lets run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from bptt.derive.errors import UserError
from bptt.derive.language import syntax


def typed(
    statements: Sequence[syntax.Statement],
    counts: Mapping[str, int],
    ranks: Mapping[str, int] | None = None,
) -> tuple[syntax.Statement, ...]:
    """The statements with the meaning of their letters.

    `counts` says how many axes of steps each quantity has that the statements do not define,
    `ranks` how many axes of units each has of which that is declared. Raises UserError where a
    letter has two meanings, or a comparison more than one.
    """
    kinds = _Kinds(statements, counts, ranks or {})
    return tuple(
        _marked(statement, steps) for statement, steps in zip(statements, kinds.steps, strict=True)
    )


class _Kinds:
    """The letters that each statement uses for steps, and those that it uses for units."""

    def __init__(
        self,
        statements: Sequence[syntax.Statement],
        counts: Mapping[str, int],
        ranks: Mapping[str, int],
    ) -> None:
        self._statements, self._ranks = statements, ranks
        self._of: dict[str, list[int]] = {}
        for n, statement in enumerate(statements):
            self._of.setdefault(statement.target.name, []).append(n)
        self._counts = dict(counts)
        self.steps: list[set[str]] = [set() for _ in statements]
        self._units: list[set[str]] = [set() for _ in statements]
        self._mentions = [tuple(_mentions(statement)) for statement in statements]
        self._general = {s.target.name for s in statements if syntax.step_apart(s) is None}
        self._follow()
        for often in (self._matrix, self._numbers, self._parameters):
            for n in range(len(statements)):
                often(n)
            self._follow()
        for likely in (self._declared, self._first, self._rest):
            for n in range(len(statements)):
                if self._open(n) and likely(n):
                    self._follow()

    def _follow(self) -> None:
        """What follows from what is known: until nothing more does."""
        known = -1
        while known != (known := len(self._counts) + sum(map(len, (*self.steps, *self._units)))):
            for n, statement in enumerate(self._statements):
                for reference in self._mentions[n]:
                    self._use(n, reference)
                count = self._count(n)
                if count is not None:
                    self._counts.setdefault(statement.target.name, count)

    def _use(self, n: int, reference: syntax.Reference) -> None:
        """What a mention says of its letters, or its letters of what is mentioned."""
        name, subscripts = reference.name, reference.subscripts or ()
        if name in self._counts:
            count = self._counts[name]
            self.steps[n] |= _letters(subscripts[:count])
            units = _letters(subscripts[count:])
            self._units[n] |= units
            both = sorted(self.steps[n] & units)
            if both:
                raise UserError(
                    f"{both[0]!r} is an index of steps, and stands among the units of {name!r}",
                    place=reference.at,
                    remedy="use different letters for steps and for units",
                )
            return
        # Steps come before units; of a number alone nothing follows.
        steps = [
            p for p, s in enumerate(subscripts) if s.name == syntax.END or s.name in self.steps[n]
        ]
        among = [p for p, s in enumerate(subscripts) if s.name in self._units[n]]
        for other in self._of.get(name, ()):
            target = self._statements[other].target.subscripts or ()
            self.steps[other] |= _letters(target[: steps[-1] + 1] if steps else ())
            self._units[other] |= _letters(target[among[0] :] if among else ())

    def _count(self, n: int) -> int | None:
        """How many axes of steps the left side has; None while a letter of it is open."""
        statement = self._statements[n]
        if statement.target.name in self._general and syntax.step_apart(statement):
            return None
        subscripts = statement.target.subscripts or ()
        for position, subscript in enumerate(subscripts):
            if subscript.is_fixed or subscript.name in self.steps[n]:
                continue
            return position if subscript.name in self._units[n] else None
        return len(subscripts)

    # What is likely, where nothing is known of a letter of a left side.

    def _open(self, n: int) -> list[str]:
        """The letters of a statement's left side of which nothing is known, in their order."""
        known = self.steps[n] | self._units[n]
        return [name for name in self._left(n) if name not in known]

    def _left(self, n: int) -> list[str]:
        subscripts = self._statements[n].target.subscripts or ()
        return [s.name for s in subscripts if s.name and s.name != syntax.END]

    def _matrix(self, n: int) -> None:
        """In matrix notation units have no letters: the first is one of steps."""
        if syntax.uses_matrix_notation(self._statements[n].expression):
            self.steps[n] |= {*self._left(n)[:1]} - self._units[n]

    def _unknown(self, n: int) -> Iterator[syntax.Reference]:
        """The mentions of what nothing defines: parameters."""
        for reference in self._mentions[n]:
            if reference.name not in self._of and reference.name not in self._counts:
                yield reference

    def _numbers(self, n: int) -> None:
        """A letter that stands for its own number is a step."""
        bare = {r.name for r in self._mentions[n] if r.subscripts is None} - self._ranks.keys()
        self.steps[n] |= bare & {*self._open(n)}

    def _parameters(self, n: int) -> None:
        """A name that is nothing else is a parameter's, and has units."""
        for reference in self._unknown(n):
            self._units[n] |= _letters(reference.subscripts) - self.steps[n]

    def _declared(self, n: int) -> bool:
        """In index notation as many letters as are declared are units, in matrix notation none."""
        target = self._statements[n].target
        left, rank = target.subscripts or (), self._ranks.get(target.name)
        if rank is None:
            return False
        units = rank if self._is_by_index(n, len(left) - rank) else 0
        self.steps[n] |= _letters(left[: len(left) - units]) - self._units[n]
        self._units[n] |= _letters(left[len(left) - units :]) - self.steps[n]
        return True

    def _is_by_index(self, n: int, steps: int) -> bool:
        """Whether a statement has letters for units; its left side then has so many for steps."""
        target = self._statements[n].target
        if steps < 0 or syntax.uses_matrix_notation(self._statements[n].expression):
            return False
        ways = {self._names_units(r) for r in self._mentions[n][1:]}
        if self._units[n] or ways & {True, False}:
            return bool(self._units[n]) or False not in ways
        if steps == 0 and (target.name in self._read_bare or self._reads_itself(n)):
            return target.name in self._read_bare
        if self._ranks[target.name]:
            raise UserError(
                f"nothing says whether {self._open(n)[-1]!r} is an index of steps or of units",
                place=target.at,
                remedy="let the right side depend on it",
            )
        return True

    def _reads_itself(self, n: int) -> bool:
        name = self._statements[n].target.name
        return any(r.name == name for r in self._mentions[n][1:])

    def _names_units(self, reference: syntax.Reference) -> bool | None:
        """Whether a mention has subscripts for its units; None where it has none, or may not.

        Numbers alone say nothing: `x[0]` is one unit in both notations.
        """
        count = self._counts.get(reference.name, None if reference.name in self._of else 0)
        rank, subscripts = self._ranks.get(reference.name), reference.subscripts or ()
        if count is None or not rank:
            return None
        if len(subscripts) != count + rank:
            return False
        return bool(_letters(subscripts[count:])) or None

    def _first(self, n: int) -> bool:
        """A signal has steps first, unless it is read without any."""
        target = self._statements[n].target
        is_first = self._open(n)[0] == self._left(n)[0]
        found = is_first and target.name not in self._read_bare
        self.steps[n] |= {*self._left(n)[:1]} if found else set()
        return found

    @cached_property
    def _read_bare(self) -> set[str]:
        return {r.name for found in self._mentions for r in found if r.subscripts is None}

    def _rest(self, n: int) -> bool:
        """What is left are units where units have letters, steps elsewhere."""
        (self._units if self._units[n] else self.steps)[n] |= {*self._open(n)}
        return True


def _mentions(statement: syntax.Statement) -> Iterator[syntax.Reference]:
    yield statement.target
    yield from syntax.references(statement.expression)


def _letters(subscripts: Iterable[syntax.Subscript] | None) -> set[str]:
    return {s.name for s in subscripts or () if s.name and s.name != syntax.END}


def _marked(statement: syntax.Statement, steps: set[str]) -> syntax.Statement:
    """The statement with what its letters mean."""
    left = [s.name for s in statement.target.subscripts or () if s.name in steps]

    def subscript(given: syntax.Subscript) -> syntax.Subscript:
        return replace(given, steps=True) if given.name in steps else given

    def marked(node: syntax.Node, bound: Collection[str | None]) -> syntax.Node:
        if isinstance(node, syntax.Reference):
            if node.subscripts is None:
                return replace(node, counts=True) if node.name in steps else node
            return replace(node, subscripts=tuple(map(subscript, node.subscripts)))
        node = _running(node, left, bound)
        letter = syntax.index_letter(node)
        bound = {*bound, letter.name} if letter else bound
        return syntax.with_children(node, [marked(n, bound) for n in syntax.children(node)])

    target = marked(statement.target, ())
    assert isinstance(target, syntax.Reference)
    return syntax.Statement(target, marked(statement.expression, ()))


def _running(
    node: syntax.Node, left: Sequence[str | None], bound: Collection[str | None]
) -> syntax.Node:
    """A reduction under a condition, with the index that it runs over in front of that.

    A sum runs over an index that is neither on the left side nor `bound` by a sum around it. A
    softmax runs over one that is on the left side: the last, where the condition begins with it.
    """
    if not isinstance(node, syntax.Call) or node.function not in syntax.OVER_AN_INDEX:
        return node
    if len(node.arguments) < 2 or not isinstance(node.arguments[1], syntax.Comparison):
        return node
    alone = [
        operand
        for operand in node.arguments[1].operands
        if isinstance(operand, syntax.Reference) and operand.subscripts is None
    ]
    if node.function in syntax.NORMALISING:
        likely = [letter for letter in alone if letter.name in left]
    else:
        likely = [letter for letter in alone if letter.name not in {*left, *bound}]
    if not alone:
        return node
    if node.function in syntax.NORMALISING and len(likely) > 1 and likely[0].name != left[-1]:
        first = likely[0].name
        raise UserError(
            f"{node.function} may run over {' or '.join(repr(n.name) for n in likely)}",
            place=node.at,
            remedy=f"say which in front of the condition: {node.function}(..., {first}, ...)",
        )
    operand, *rest = node.arguments
    return replace(node, arguments=(operand, (likely or alone)[0], *rest))
