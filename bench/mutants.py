"""The auditor audited: every slip at every place of every right claim of the catalogue.

    python -m bench.mutants [--repairs N] [--seed S] [--workers W] [FILE ...]

A mutant that differs in value from its claim must be flagged, one that is equal must not be. The
values are compared at other instances than those of the judge. Of N mutants a claim, drawn at
random, the repair that is found first is compared with the original.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bptt.derive.audit import edits as slips
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.claims_file import catalogue, load_claims
from bptt.derive.audit.edits import Edit
from bptt.derive.audit.judge import Judge, Outcome
from bptt.derive.audit.pool import words_of
from bptt.derive.audit.readings import Reading, readings
from bptt.derive.audit.repair import repair
from bptt.derive.audit.setting import instances
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Call, Node, Reference
from bptt.derive.notation.plain import node_text

Sides = tuple[Node, ...]
FRESH = 1_000


@dataclass
class Count:
    """What became of the mutants of some claims."""

    different: int = 0
    flagged: int = 0
    equal: int = 0
    passed: int = 0
    repaired: int = 0
    right: int = 0
    derived: int = 0
    longest: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        for name in ("different", "flagged", "equal", "passed", "repaired", "right", "derived"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest = max(self.longest, other.longest)
        self.kinds += other.kinds
        self.missed += other.missed


def mutants(claim: Claim, reading: Reading, judge: Judge) -> Iterator[tuple[Edit, Sides]]:
    """Every slip at every place of the right sides, each tree once."""
    instance = judge.truths[2].instance
    words = words_of(claim.context, instance, reading.sides, claim.where)
    seen = {" = ".join(map(node_text, reading.sides))}
    for position, side in enumerate(reading.sides):
        named = isinstance(side, Reference) or (
            isinstance(side, Call) and side.function in ("total", "explicit")
        )
        if position == 0 and named:
            continue
        for edit, new in (
            *slips.edits(side, words),
            *slips.constants(side),
            *slips.doubled(side),
        ):
            sides = (*reading.sides[:position], new, *reading.sides[position + 1 :])
            text = " = ".join(map(node_text, sides))
            if text not in seen:
                seen.add(text)
                yield edit, sides


def compared(judge: Judge, sides: Sides, claim: Claim, reading: Reading) -> Outcome | None:
    """The judge's outcome; None where the sides cannot be evaluated."""
    try:
        return judge.compare(sides, claim.where, reading.layout)
    except UserError:
        return None


def examine(path: Path, repairs: int, seed: int) -> Count:
    """All mutants of the claims of one file."""
    count = Count()
    claims = [c for c in load_claims(path) if c.expected == "holds"]
    if not claims:
        return count
    context = claims[0].context
    judge = Judge(context, instances(context.setting))
    fresh = Judge(context, instances(context.setting, seed=FRESH))
    for claim in claims:
        reading = next(
            r for r in readings(claim) if judge.compare(r.sides, claim.where, r.layout).holds
        )
        found: list[tuple[Edit, Sides, Outcome]] = []
        for edit, sides in mutants(claim, reading, judge):
            count.kinds[edit.kind] += 1
            # Against the original side by side, where nobody judges.
            changed = next(n for n, s in enumerate(sides) if s != reading.sides[n])
            pair = (reading.sides[changed], sides[changed])
            apart = compared(fresh, pair, claim, reading)
            differs = apart is None or not apart.holds
            outcome = compared(judge, sides, claim, reading)
            flagged = outcome is None or not outcome.holds
            if differs:
                count.different += 1
                count.flagged += flagged
            else:
                count.equal += 1
                count.passed += not flagged
            if flagged != differs:
                count.missed.append(
                    f"{path.stem}.{claim.name}: {' = '.join(map(node_text, sides))}"
                )
            if flagged and outcome is not None:
                found.append((edit, sides, outcome))
        random.Random(f"{seed} {claim.name}").shuffle(found)
        for edit, sides, outcome in found[:repairs]:
            start = time.perf_counter()
            spoilt = Reading(sides, reading.layout)
            mended = repair(claim, spoilt, outcome, judge)
            count.longest = max(count.longest, time.perf_counter() - start)
            count.repaired += 1
            if mended is None:
                count.missed.append(_said("no repair", path, claim, edit, sides))
                continue
            count.derived += mended.is_derived
            # What is derived has indices of its own; both judges have compared it.
            pairs = zip(reading.sides, mended.sides, strict=False)
            is_right = mended.is_derived or all(
                (o := compared(fresh, pair, claim, reading)) is not None and o.holds
                for pair in pairs
                if pair[0] != pair[1]
            )
            count.right += is_right
            if not is_right:
                count.missed.append(_said("another repair", path, claim, edit, mended.sides))
    return count


def _said(what: str, path: Path, claim: Claim, edit: Edit, sides: Sides) -> str:
    text = " = ".join(map(node_text, sides))
    return f"{what} ({edit.kind}) {path.stem}.{claim.name}: {text}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repairs", type=int, default=5, help="mutants of a claim to repair")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    paths = options.files or catalogue()
    total = Count()
    with ProcessPoolExecutor(options.workers) as workers:
        jobs = [workers.submit(examine, p, options.repairs, options.seed) for p in paths]
        for path, job in zip(paths, jobs, strict=True):
            count = job.result()
            total.add(count)
            print(f"{path.stem}: {count.different + count.equal} mutants", flush=True)
    for line in total.missed:
        print(line)
    for kind in slips.KINDS:
        if total.kinds[kind]:
            print(f"{total.kinds[kind]:6} {kind}")
    print(f"{total.different + total.equal} mutants")
    print(f"differ in value: {total.different}, flagged: {total.flagged}")
    print(f"equal in value: {total.equal}, not flagged: {total.passed}")
    print(
        f"repairs tried: {total.repaired}, equal to the original: {total.right}"
        f" ({100 * total.right / max(total.repaired, 1):.1f} %), of them {total.derived} derived;"
        f" the longest took {total.longest:.1f} s"
    )


if __name__ == "__main__":
    main()
