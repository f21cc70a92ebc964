"""An audit: every claim judged, what fails diagnosed and mended."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bptt.derive.audit.claim import Claim, Context
from bptt.derive.audit.claims_file import load_claims
from bptt.derive.audit.edits import terms
from bptt.derive.audit.evaluate import Evaluator
from bptt.derive.audit.indices import LETTERS
from bptt.derive.audit.judge import Counterexample, Judge
from bptt.derive.audit.matrices import ShapeError, Value, sum_of
from bptt.derive.audit.repair import Repair, repair
from bptt.derive.audit.setting import instances
from bptt.derive.audit.verdict import Finding, Verdict, judge
from bptt.derive.errors import UserError
from bptt.derive.interpreter import Array, deep_recursion
from bptt.derive.language.syntax import Comparison, Node, Number, Reference
from bptt.derive.notation.plain import node_text


@dataclass(frozen=True)
class Gap:
    """A term of a claim, its value at the counterexample, and what stands there in the repair."""

    claimed: tuple[Node, ...]
    right: tuple[Node, ...]
    claimed_value: float
    right_value: float


@dataclass(frozen=True)
class Audited:
    """A claim with its verdict; of one that fails also what is wrong and what mends it.

    `condition` is what its source forgot to say: with it the claim holds.
    """

    claim: Claim
    verdict: Verdict | None
    repair: Repair | None = None
    gap: Gap | None = None
    condition: Comparison | None = None
    error: str = ""

    @property
    def status(self) -> str:
        return self.verdict.status if self.verdict is not None else "unreadable"

    @property
    def finding(self) -> Finding:
        assert self.verdict is not None
        return self.verdict.main


class Court:
    """Judges claims; those about one network share its instances."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._judges: dict[int, tuple[Context, Judge]] = {}

    def judge_of(self, context: Context) -> Judge:
        """The numeric judge for a network. Raises UserError where no instance can be drawn."""
        if id(context) not in self._judges:
            drawn = instances(context.setting, seed=self._seed)
            self._judges[id(context)] = (context, Judge(context, drawn))
        return self._judges[id(context)][1]

    def audit(self, claim: Claim, *, mend: bool = True) -> Audited:
        """The verdict on one claim, with its repair if it fails.

        What cannot be evaluated is no verdict: the result then says why.
        """
        with deep_recursion():
            return self._audit(claim, mend)

    def _audit(self, claim: Claim, mend: bool) -> Audited:
        try:
            court = self.judge_of(claim.context)
            verdict = judge(claim, court)
        except UserError as error:
            return Audited(claim, None, error=str(error.located(place=f"claim {claim.name!r}")))
        if verdict.status != "fails" or not mend:
            return Audited(claim, verdict)
        condition = _forgotten(claim, verdict.main, court)
        if condition is not None:
            return Audited(claim, verdict, condition=condition)
        found = repair(claim, verdict.main.reading, verdict.main.outcome, court)
        return Audited(claim, verdict, found, _gap(verdict, found, court))


def audit(
    claims: Iterable[Claim], *, said: Callable[[Claim], None] = lambda claim: None
) -> Iterator[Audited]:
    """The audits of some claims, one by one; `said` is called before each."""
    court = Court()
    for claim in claims:
        said(claim)
        yield court.audit(claim)


def audit_file(path: str | Path) -> list[Audited]:
    """The audits of all claims of a file. Raises UserError where the file cannot be read."""
    return list(audit(load_claims(path)))


def _forgotten(claim: Claim, finding: Finding, court: Judge) -> Comparison | None:
    """A condition on its steps under which a claim holds, for the author who did not say it."""
    if finding.outcome.shapes:
        return None
    letters = court.free_steps(finding.reading.sides)
    last, first = Reference("T", None, ""), Number(str(claim.context.first), "")
    letter_nodes = [Reference(n, None, "") for n in letters]
    tried = [Comparison((a, b), ("<=",), "") for a, b in itertools.permutations(letter_nodes, 2)]
    tried += [Comparison((a, b), ("<",), "") for a, b in itertools.permutations(letter_nodes, 2)]
    tried += [Comparison((a, last), ("<",), "") for a in letter_nodes]
    tried += [Comparison((a, first), (">",), "") for a in letter_nodes]
    for condition in tried:
        # Where a <= b leaves a = b alone, it says nothing.
        strict = replace(condition, operators=(condition.operators[0].rstrip("="),))
        outcomes = (
            court.compare(finding.reading.sides, (*claim.where, c), finding.reading.layout)
            for c in dict.fromkeys((strict, condition))
        )
        if all(o.holds and o.instances > 1 for o in outcomes):
            return condition
    return None


def _gap(verdict: Verdict, found: Repair | None, court: Judge) -> Gap | None:
    """Which terms the repair changes, and what they are worth at the counterexample."""
    example = verdict.main.outcome.counterexample
    if found is None or example is None or found.is_derived:
        return None
    reading = verdict.main.reading
    pair = next(((a, b) for a, b in zip(reading.sides, found.sides, strict=True) if a != b), None)
    if pair is None:
        return None
    old, new = ([t for t, _ in terms(side)] for side in pair)
    texts = [set(map(node_text, nodes)) for nodes in (old, new)]
    only_old = tuple(n for n in old if node_text(n) not in texts[1])
    only_new = tuple(n for n in new if node_text(n) not in texts[0])
    evaluator = Evaluator(court.context, court.truths[example.instance], reading.layout)
    try:
        before, after = (_total(nodes, evaluator, example) for nodes in (only_old, only_new))
    except (ShapeError, UserError):
        return None
    if before.shape != after.shape and 1 not in (before.size, after.size):
        return None
    before, after = np.broadcast_arrays(before, after)
    worst = np.unravel_index(int(np.argmax(np.abs(before - after))), before.shape)
    return Gap(only_old, only_new, float(before[worst]), float(after[worst]))


def _total(nodes: Sequence[Node], evaluator: Evaluator, example: Counterexample) -> Array:
    letters: dict[str, Array | str] = {
        name: at if isinstance(at, str) else np.full((1,) * LETTERS, at)
        for name, at in example.letters.items()
    }
    total = Value(np.zeros((1, 1)))
    for node in nodes:
        total = sum_of(node, total, evaluator.value(node, letters, 0))
    return np.real(total.array.reshape(total.shape))
