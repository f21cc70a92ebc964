"""What an audit says, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bptt.derive.audit.audit import Audited, Gap
from bptt.derive.audit.edits import described
from bptt.derive.audit.judge import Counterexample, Outcome
from bptt.derive.audit.verdict import Finding
from bptt.derive.interpreter import Array
from bptt.derive.language.syntax import Node
from bptt.derive.notation.plain import node_text


def verdict_sentence(audited: Audited) -> str:
    """`holds (proved)`, `holds at 6 random instances to 14 digits`, `fails`, `ambiguous`."""
    if audited.verdict is None:
        return f"cannot be judged: {audited.error}"
    if audited.status == "holds":
        return f"holds: {how(audited.finding)}"
    if audited.status == "ambiguous":
        held = sum(f.outcome.holds for f in audited.verdict.findings)
        return f"ambiguous: {held} of {len(audited.verdict.findings)} readings hold"
    return "fails"


def how(finding: Finding) -> str:
    """By which judge a claim holds."""
    outcome = finding.outcome
    found = f"at {outcome.instances} random instances to {int(outcome.digits)} digits"
    return f"proved, and {found}" if finding.proved else found


def place(example: Counterexample) -> str:
    """Where the counterexample is: the steps, the sizes, the letters."""
    parts = [f"T = {example.steps}"]
    parts += [f"{name} = {n}" for name, n in example.sizes.items()]
    parts += [f"{name} = {n}" for name, n in example.letters.items()]
    return ", ".join(parts)


def misfit(outcome: Outcome) -> str:
    """Why a reading fails: shapes, or the smallest counterexample with both values."""
    if outcome.shapes:
        return f"the shapes do not fit: {outcome.shapes}"
    example = outcome.counterexample
    assert example is not None
    where = np.unravel_index(
        int(np.argmax(np.abs(example.left - example.right))), example.left.shape
    )
    element = ""
    if example.left.size > 1:
        element = f" (element {', '.join(str(n + 1) for n in where)})"
    left, right = number(example.left[where]), number(example.right[where])
    return f"at {place(example)} the left side is {left} and the right side {right}{element}"


def number(value: Array | float | complex) -> str:
    """A number with four digits."""
    value = complex(np.asarray(value).item())
    if abs(value.imag) > 1e-12:
        return f"{value.real:.4g}{value.imag:+.4g}i"
    return f"{value.real:.4g}"


def gap_sentence(gap: Gap, shown: Callable[[Node], str] = node_text) -> str:
    """Which term differs, and by how much; `shown` writes formulas."""
    claimed = " and ".join(map(shown, gap.claimed)) or "nothing"
    right = " and ".join(map(shown, gap.right)) or "nothing"
    return (
        f"there {claimed} is {number(gap.claimed_value)}, "
        f"where {right} is {number(gap.right_value)}"
    )


def repair_lines(audited: Audited, shown: Callable[[Node], str] = node_text) -> Iterator[str]:
    """The edits that make the claim hold, or the derived formula, or neither."""
    found = audited.repair
    if audited.condition is not None:
        yield f"it holds where {shown(audited.condition)}"
        return
    if found is None:
        yield "no small edit makes it hold, and no formula of this kind is derived"
        return
    if found.is_derived:
        yield "no small edit makes it hold; derived is"
    for edit in found.edits:
        yield described(edit, shown)


def repaired_how(audited: Audited) -> str:
    """By which judge the repair holds."""
    found = audited.repair
    assert found is not None
    where = f"at {found.outcome.instances} random instances to {int(found.outcome.digits)} digits"
    return f"is proved, and holds {where}" if found.proved else f"holds {where}"
