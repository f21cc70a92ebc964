"""The repair: the smallest edit of a claim that makes it hold, by both judges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bptt.derive.audit import edits as slips
from bptt.derive.audit import pool
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.derived import derived_sides
from bptt.derive.audit.edits import Edit
from bptt.derive.audit.expansion import ExpansionError, expanded
from bptt.derive.audit.judge import Judge, Outcome
from bptt.derive.audit.proof import proves
from bptt.derive.audit.readings import Reading, walk
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Binary, Call, Node, Number, Reference, Transpose
from bptt.derive.notation.plain import node_text

# Nodes that are evaluated at most, some 10 µs each.
BUDGET = 380_000
WITH_FACTORS = 5
TOGETHER = (slips.PARENTHESES, slips.DROPPED_FACTOR, slips.ACTIVATION)
SMALL = 1e-9
Sides = tuple[Node, ...]


@dataclass(frozen=True)
class Repair:
    """Sides that hold, and the edits that lead there; none where the derived formula is given."""

    sides: Sides
    edits: tuple[Edit, ...]
    outcome: Outcome
    proved: bool
    tried: int = 0

    @property
    def is_derived(self) -> bool:
        return not self.edits


@dataclass(frozen=True)
class _Candidate:
    sides: Sides
    edits: tuple[Edit, ...]
    distance: float


def repair(claim: Claim, reading: Reading, outcome: Outcome, court: Judge) -> Repair | None:
    """The first edits, the most usual before others, that make the claim hold.

    Where there are none, the derived formula in the claim's notation; None where there is none.
    """
    search = _Search(claim, reading, outcome, court)
    return search.found() or search.derived()


class _Search:
    def __init__(self, claim: Claim, reading: Reading, outcome: Outcome, court: Judge) -> None:
        self._claim = claim
        self._reading = reading
        self._court = court
        example = outcome.counterexample
        self._number = example.instance if example is not None else min(2, len(court.truths) - 1)
        self._instance = court.truths[self._number].instance
        self._words = pool.words_of(claim.context, self._instance, reading.sides, claim.where)
        self._tried = 0
        self._start = court.visits
        self._seen: set[str] = set()
        self._shapes: dict[Node, tuple[int, int] | None] = {}
        self._tautology = self._repeats(reading.sides)
        fixed, moving = pool.mentions(claim.context, self._instance, reading.sides, self._words)
        ahead = pool.derivatives(claim.context, reading.sides, self._words)
        family = list(pool.families(claim.context, reading.sides, self._words))
        turned = [Transpose(n, "") for n in family]
        self._factors = [*family, *turned, *pool.factors(fixed, moving, ahead)]
        terms = pool.missing_terms(fixed, moving, ahead)
        self._terms = list(itertools.islice(terms, pool.MAX_TERMS))

    def found(self) -> Repair | None:
        """One edit; something missing; two edits; three that often stand together."""
        start = _Candidate(self._reading.sides, (), self._distance(self._reading.sides))
        ones: list[_Candidate] = []
        found = self._first_right(self._next(start), ones)
        early = self._is_about_steps(start.sides[0])
        if early:
            found = found or self._first_right(self._next(start, given=True), [])
        found = found or self._together(start) or self._insertions(start)
        if not early:
            found = found or self._first_right(self._next(start, given=True), [])
        if found is not None:
            return found
        ones.sort(key=lambda c: c.distance)
        for base in ones[:WITH_FACTORS]:
            found = self._inserted(base, self._with_factors, BUDGET // 10)
            if found is not None:
                return found
        for base in ones:
            found = self._first_right(self._next(base), [])
            if found is not None or self._spent() > BUDGET:
                return found
        return None

    @staticmethod
    def _is_about_steps(left: Node) -> bool:
        """Whether a claim is about the derivative of what has steps: its e is lost more often."""
        of = left.arguments[0] if isinstance(left, Call) and left.arguments else left
        return isinstance(of, Reference) and bool(of.subscripts)

    def _spent(self) -> int:
        return self._court.visits - self._start

    def _first_right(self, new: Iterable[_Candidate], seen: list[_Candidate]) -> Repair | None:
        for candidate in new:
            seen.append(candidate)
            if candidate.distance < SMALL:
                verified = self._verified(candidate)
                if verified is not None:
                    return verified
        return None

    def _together(self, start: _Candidate) -> Repair | None:
        """Slips that are made together, where parentheses were lost on the way."""
        seen, self._seen = self._seen, set()
        bases = [start]
        for kind in TOGETHER:
            following: list[_Candidate] = []
            for base in bases:
                new = (c for c in self._next(base, (kind,)))
                found = self._first_right(new, following)
                if found is not None:
                    return found
            bases = following
        self._seen = seen
        return None

    def derived(self) -> Repair | None:
        """The derived formula, where the numeric judge lets it pass."""
        sides = self._reading.sides[:2]
        for made in derived_sides(self._claim, sides, self._court.system):
            found = self._verified(_Candidate(made, (), 0.0))
            if found is not None:
                return found
        return None

    def _next(
        self, base: _Candidate, kinds: Sequence[str] = slips.KINDS, *, given: bool = False
    ) -> Iterator[_Candidate]:
        """Every edit of a candidate that was not seen yet, in the order of the kinds.

        Those of what the claim is about (`given`) are another matter than those of what it says.
        """
        edited = self._edited(base.sides, given)
        found = sorted(edited, key=lambda p: slips.usualness(p[0]))
        for edit, sides in found:
            if self._spent() > BUDGET:
                return
            if edit.kind not in kinds:
                continue
            text = " = ".join(map(node_text, sides))
            if text in self._seen:
                continue
            self._seen.add(text)
            distance = self._distance(sides)
            yield _Candidate(sides, (*base.edits, edit), distance)

    def _edited(self, sides: Sides, given: bool) -> Iterator[tuple[Edit, Sides]]:
        sizes = tuple(self._instance.sizes)[:3]
        for position, side in enumerate(sides):
            if (position == 0 and _is_name(side)) != given:
                continue
            more = () if given else slips.constants(side, sizes)
            for edit, new in itertools.chain(slips.edits(side, self._words), more):
                if not given or edit.kind == slips.EXPLICIT:
                    yield edit, (*sides[:position], new, *sides[position + 1 :])

    def _distance(self, sides: Sides) -> float:
        self._tried += 1
        return self._court.distance(sides, self._claim.where, self._reading.layout, self._number)

    def _verified(self, candidate: _Candidate) -> Repair | None:
        if self._repeats(candidate.sides) and not self._tautology:
            return None
        try:
            outcome = self._court.compare(candidate.sides, self._claim.where, self._reading.layout)
        except UserError:
            return None
        if not outcome.holds or not outcome.points:
            return None
        proved = proves(self._claim.context, candidate.sides, self._claim.where, self._court.system)
        return Repair(candidate.sides, candidate.edits, outcome, proved, self._tried)

    def _repeats(self, sides: Sides) -> bool:
        """Whether a side holds another as a part: such an equality says nothing."""
        system = self._instance.system
        texts = []
        for side in sides:
            try:
                texts.append(expanded(self._claim.context, system, side))
            except ExpansionError:
                # What a definition holds is then compared by its name.
                texts.append(side)
        for first, second in itertools.permutations(texts, 2):
            own = node_text(first)
            if any(node_text(n) == own for n in walk(second)):
                return True
        return False

    # What may be missing.

    def _insertions(self, start: _Candidate) -> Repair | None:
        found = self._inserted(start, self._with_factors, BUDGET // 4)
        return found or self._inserted(start, self._with_terms, BUDGET // 2)

    def _inserted(
        self,
        base: _Candidate,
        changes: Callable[[Node], Iterator[tuple[Edit, Node]]],
        most: int,
    ) -> Repair | None:
        last = self._spent() + most
        for position, side in self._open_sides(base):
            for edit, changed in changes(side):
                found = self._try(base, position, edit, changed)
                if found is not None or self._spent() > last:
                    return found
        return None

    @staticmethod
    def _open_sides(base: _Candidate) -> list[tuple[int, Node]]:
        """The sides that are more than the name of what the claim is about."""
        return list(enumerate(base.sides))[1 if _is_name(base.sides[0]) else 0 :]

    def _with_factors(self, side: Node) -> Iterator[tuple[Edit, Node]]:
        """A factor put before or behind a node, or multiplied elementwise, where it fits."""
        for node, rebuilt in slips.places(side):
            if isinstance(node, Number):
                continue
            shape = self._shape(node)
            for factor in self._factors:
                own = self._shape(factor)
                for operator, left, right in (
                    ("@", factor, node),
                    ("@", node, factor),
                    ("*", factor, node),
                ):
                    shapes = (own, shape) if left is factor else (shape, own)
                    if _fits(operator, *shapes):
                        changed = Binary(operator, left, right, "")
                        yield Edit(slips.MISSING_FACTOR, node, changed), rebuilt(changed)

    def _with_terms(self, side: Node) -> Iterator[tuple[Edit, Node]]:
        """A term added to a node, or taken off, where it fits."""
        for operator in ("+", "-"):
            for node, rebuilt in slips.places(side):
                shape = self._shape(node)
                for term in self._terms:
                    if _fits("+", shape, self._shape(term)):
                        changed = Binary(operator, node, term, "")
                        yield Edit(slips.MISSING_TERM, node, changed), rebuilt(changed)

    def _shape(self, node: Node) -> tuple[int, int] | None:
        if node not in self._shapes:
            # Where sizes are all different: what fits there fits everywhere.
            self._shapes[node] = self._court.shape(node, len(self._court.truths) - 1)
        return self._shapes[node]

    def _try(self, start: _Candidate, position: int, edit: Edit, changed: Node) -> Repair | None:
        sides = (*start.sides[:position], changed, *start.sides[position + 1 :])
        distance = self._distance(sides)
        if distance >= SMALL or not math.isfinite(distance):
            return None
        return self._verified(_Candidate(sides, (*start.edits, edit), distance))


def _is_name(node: Node) -> bool:
    """Whether a side only says what is claimed something of."""
    if isinstance(node, Reference):
        return True
    return isinstance(node, Call) and node.function in ("total", "explicit")


def _fits(operator: str, left: tuple[int, int] | None, right: tuple[int, int] | None) -> bool:
    """Whether two shapes conform, as far as they are known."""
    if left is None or right is None or (1, 1) in (left, right):
        return True
    return left[1] == right[0] if operator == "@" else left == right
