"""The verdict on a claim: holds, fails or ambiguous, by both judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bptt.derive.audit.claim import Claim
from bptt.derive.audit.judge import Judge, Outcome
from bptt.derive.audit.proof import proves
from bptt.derive.audit.readings import Reading, readings
from bptt.derive.errors import InternalError, UserError

Status = Literal["holds", "fails", "ambiguous"]


@dataclass(frozen=True)
class Finding:
    """One reading of a claim, and what the judges say of it."""

    reading: Reading
    outcome: Outcome
    proved: bool = False


@dataclass(frozen=True)
class Verdict:
    """What both judges say of a claim. `main` is the reading that the claim probably means."""

    claim: Claim
    status: Status
    findings: tuple[Finding, ...]

    @property
    def main(self) -> Finding:
        """The finding that is reported: the first that holds, else the first that conforms."""
        held = [f for f in self.findings if f.outcome.holds]
        conforming = [f for f in self.findings if not f.outcome.shapes]
        return (held or conforming or list(self.findings))[0]


def judge(claim: Claim, court: Judge) -> Verdict:
    """The verdict on a claim at the instances of a judge. Raises UserError."""
    findings: list[Finding] = []
    for reading in readings(claim):
        # What is less usual is not asked for where what is usual holds.
        if any(f.reading.rank < reading.rank and f.outcome.holds for f in findings):
            break
        outcome = court.compare(reading.sides, claim.where, reading.layout)
        if outcome.holds and not outcome.points:
            raise UserError("the conditions leave nothing to compare", remedy="mend its where")
        proved = proves(claim.context, reading.sides, claim.where, court.system)
        if proved and not outcome.holds:
            raise InternalError(
                f"claim {claim.name!r} is proved, and fails at {outcome.counterexample}"
            )
        findings.append(Finding(reading, outcome, proved))
    # A reading whose shapes do not fit is not meant, where another's do.
    meant = [f for f in findings if not f.outcome.shapes] or findings
    held = [f.outcome.holds for f in meant]
    status: Status = "holds" if all(held) else "ambiguous" if any(held) else "fails"
    return Verdict(claim, status, tuple(meant))
