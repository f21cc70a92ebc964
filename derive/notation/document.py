"""What a document about a network holds, before it is an article, a page or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp
from bptt.derive.calculus.cost import cost
from bptt.derive.calculus.inline import compact
from bptt.derive.calculus.lddn import HELD
from bptt.derive.calculus.system import Equation, Kind, System
from bptt.derive.language.syntax import Node, Reference
from bptt.derive.notation.boxes import Box
from bptt.derive.notation.explain import Formula, Step, derived_by, explain, with_adjoints
from bptt.derive.notation.index import expression
from bptt.derive.notation.lines import Typeset
from bptt.derive.notation.notations import Notation, notation
from bptt.derive.notation.typeset import Typesetter

# What stands for whatever else: a sequence of headings, each with the kinds of what it lists.
HEADINGS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("Forward equations", ("signal",)),
    ("Loss", ("loss",)),
    ("Explicit derivatives within a step", ("static",)),
    ("Adjoint equations", ("adjoint",)),
    ("Gradients", ("gradient",)),
)
LISTED: tuple[Kind, ...] = (
    *("input", "mask", "target", "weight", "signal", "loss", "parameter", "static"),
)


@dataclass(frozen=True)
class Section:
    """Equations under one heading."""

    heading: str
    equations: tuple[Equation, ...]


@dataclass(frozen=True)
class Explanation:
    """The derivation of the loss's derivative by one quantity, in a system's own equations."""

    name: str
    steps: tuple[Step, ...]
    system: System


@dataclass(frozen=True)
class SymbolRow:
    """A quantity in the table of symbols: its symbol, its name in code, what it is, its shape."""

    symbol: Box
    name: str
    about: str
    shape: str


@dataclass(frozen=True)
class Cost:
    """What a part of the computation takes, as formulas in T, B and the sizes, and with these."""

    about: str
    formula: Node
    number: Node


@dataclass(frozen=True)
class Document:
    """A network to read about: its system in one notation, and what is said of it.

    `places` gives for each quantity the lines of the generated module that compute it.
    """

    system: System
    notation: Notation
    sections: tuple[Section, ...]
    explanations: tuple[Explanation, ...] = ()
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    original: System | None = None
    remark: str = ""

    @cached_property
    def typesetter(self) -> Typesetter:
        return self.notation.typesetter(self.system)

    def typeset(self, section: Section) -> tuple[Typeset, ...]:
        """The equations of a section, set in the document's notation."""
        typesetter, statement = self.typesetter, self.notation.statement
        return tuple(
            typesetter.statement(statement(e, self.system), e.number) for e in section.equations
        )

    @property
    def symbols(self) -> tuple[SymbolRow, ...]:
        """The table of symbols."""
        return tuple(
            SymbolRow(
                self.typesetter.reference(Reference(q.name, None, "")),
                q.name,
                q.role or q.kind,
                ", ".join(map(str, self.system.shape(q))),
            )
            for q in self.system.quantities.values()
            if q.kind in LISTED or q.name.startswith(HELD)
        )

    @property
    def costs(self) -> tuple[Cost, ...]:
        """Multiplications and additions, and the numbers that are kept."""
        system = self.original or self.system
        forward = system.forward()
        backward = system.equations[len(forward.equations) :]
        signals = [q for q in forward.of_kind("signal") if q.axes]
        kept = sp.Add(*(sp.Mul(*(a.size for a in q.axes)) for q in signals))
        rows = (
            ("forward, products and sums", cost(forward.equations)),
            ("derivatives, products and sums", cost(backward)),
            ("numbers kept for the derivatives", sp.expand(kept)),
        )
        sizes = dict(self.system.sizes)
        return tuple(
            Cost(about, expression(formula), expression(sp.expand(formula.subs(sizes))))
            for about, formula in rows
        )

    @property
    def legend(self) -> str:
        """What the indices run over, in a sentence without formulas."""
        return ". ".join(filter(None, (self.notation.about, self.remark)))


def document(
    system: System,
    *,
    style: str | Notation = "index",
    more: Iterable[Section] = (),
    explained: Sequence[str] = (),
    places: Mapping[str, tuple[int, ...]] | None = None,
    compacted: bool = False,
) -> Document:
    """A document about a system that holds its own adjoint. Raises UserError.

    `style` is a notation or the name of one; `more` are sections of further derivatives;
    `explained` names the quantities whose derivatives are derived step by step, or is ("all",);
    with `compacted` the derivatives by net inputs stand where they are read.
    """
    chosen = notation(style) if isinstance(style, str) else style
    more = tuple(more)
    shown = {e.quantity.name for section in more for e in section.equations}
    names = derived_by(system) if "all" in explained else dict.fromkeys(explained)
    wide = with_adjoints(system)
    explanations = tuple(Explanation(n, explain(n, system), wide) for n in names)
    original = system
    if compacted:
        system = compact(system)
    base = [e for e in system.equations if e.quantity.name not in shown]
    prepared = chosen.prepared(system)
    remark, known = "", dict(places or {})
    if prepared is not system and shown:
        remark = "With further derivatives the adjoint equations are those of the other notations"
    elif prepared is not system:
        system, base = prepared, list(prepared.equations)
        # The module computes these by the adjoint equations, which are not shown here.
        same = {"signal", "loss", "gradient"}
        known = {n: p for n, p in known.items() if original.quantities[n].kind in same}
    if system is not original:
        explanations = tuple(_forward_numbers(e) for e in explanations)
    found = (
        Section(heading, tuple(e for e in base if e.quantity.kind in kinds))
        for heading, kinds in HEADINGS
    )
    sections = (*(s for s in found if s.equations), *more)
    return Document(system, chosen, sections, explanations, known, original, remark)


def _forward_numbers(explanation: Explanation) -> Explanation:
    """The explanation with the numbers of forward equations alone: others have changed."""
    count = len(explanation.system.forward().equations)

    def renumbered(formula: Formula) -> Formula:
        return formula if formula.number <= count else replace(formula, number=0)

    steps = tuple(
        replace(step, formulas=tuple(map(renumbered, step.formulas))) for step in explanation.steps
    )
    return replace(explanation, steps=steps)
