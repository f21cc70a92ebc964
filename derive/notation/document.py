"""What a document about a network holds, before it is an article, a page or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp

from bptt.derive.calculus.cost import cost
from bptt.derive.calculus.dependence import is_gradient
from bptt.derive.calculus.inline import compact
from bptt.derive.calculus.quantity import Derivative, Quantity
from bptt.derive.calculus.system import Equation, System
from bptt.derive.language.syntax import Node, Reference
from bptt.derive.notation.boxes import Box
from bptt.derive.notation.explain import Formula, Step, derivation, explain
from bptt.derive.notation.index import expression
from bptt.derive.notation.lines import Typeset
from bptt.derive.notation.notations import Notation, notation
from bptt.derive.notation.typeset import Typesetter

HEADINGS = (
    "Forward equations",
    "Loss",
    "Explicit derivatives within a step",
    "Adjoint equations",
    "Gradients",
)


def heading(quantity: Quantity, system: System) -> str:
    """The heading of HEADINGS that a quantity's equation belongs under; "" where none does."""
    match quantity.origin:
        case Derivative(_, _, "static"):
            return HEADINGS[2]
        case Derivative(forward=False):
            return HEADINGS[4 if is_gradient(system, quantity.name) else 3]
    if quantity.is_derived:
        return ""
    return HEADINGS[1] if quantity.role == "loss" else HEADINGS[0]


def is_listed(quantity: Quantity) -> bool:
    """Whether the table of symbols has a quantity: derivatives are written by what they are of."""
    if isinstance(quantity.origin, Derivative):
        return quantity.origin.way in ("static", "held")
    return not quantity.is_derived and quantity.role != "given"


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
                q.about or q.role,
                ", ".join(map(str, self.system.shape(q))),
            )
            for q in self.system.quantities.values()
            if is_listed(q)
        )

    @property
    def numbers(self) -> dict[int, int]:
        """The equations that the module computes: by its numbers those that they have here."""
        known = (self.original or self.system).definitions
        return {
            known[name].number: self.system.definitions[name].number
            for name in self.places
            if name in known and name in self.system.definitions
        }

    @property
    def costs(self) -> tuple[Cost, ...]:
        """Multiplications and additions, and the numbers that are kept."""
        system = self.original or self.system
        computed = "" if system is self.system else ", as the module computes them"
        signals = [q for q in system.of_role("signal") if q.axes]
        kept = sp.Add(*(sp.Mul(*(a.size for a in q.axes)) for q in signals))
        rows = (
            ("forward, products and sums", cost(system.primal.equations)),
            (f"derivatives{computed}, products and sums", cost(system.derived)),
            ("numbers kept for the derivatives", sp.expand(kept)),
        )
        sizes = dict(self.system.sizes)
        return tuple(
            Cost(about, expression(formula, {}), expression(sp.expand(formula.xreplace(sizes)), {}))
            for about, formula in rows
        )

    @property
    def legend(self) -> str:
        """What the indices run over, in a sentence without formulas."""
        words = self.notation.about, self.notation.legend(self.system)
        return ". ".join(filter(None, ("; ".join(filter(None, words)), self.remark)))


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
    explanations: tuple[Explanation, ...] = ()
    if explained:
        known = derivation(system)
        names = known.able if "all" in explained else dict.fromkeys(explained)
        explanations = tuple(Explanation(n, explain(n, known), known.wide) for n in names)
    original = system
    if compacted:
        system = compact(system)
    base = [e for e in system.equations if e.quantity.name not in shown]
    prepared = chosen.prepared(system)
    remark, lines = chosen.remark(system), dict(places or {})
    if prepared is not system and shown:
        remark = "With further derivatives the adjoint equations are those of the other notations"
    elif prepared is not system:
        if compacted:
            remark = "The derivatives by net inputs stay: the book's equations are made of them"
        system, base = prepared, list(prepared.equations)
        # The module computes these by the adjoint equations, which are not shown here.
        same = {HEADINGS[0], HEADINGS[1], HEADINGS[4]}
        lines = {
            n: p for n, p in lines.items() if heading(original.quantities[n], original) in same
        }
    if system is not original:
        explanations = tuple(_forward_numbers(e) for e in explanations)
    under = [(heading(e.quantity, system), e) for e in base]
    found = (Section(h, tuple(e for own, e in under if own == h)) for h in HEADINGS)
    sections = (*(s for s in found if s.equations), *more)
    return Document(system, chosen, sections, explanations, lines, original, remark)


def _forward_numbers(explanation: Explanation) -> Explanation:
    """The explanation with the numbers of forward equations alone: others have changed."""
    count = len(explanation.system.primal.equations)

    def renumbered(formula: Formula) -> Formula:
        return formula if formula.number <= count else replace(formula, number=0)

    steps = tuple(
        replace(step, formulas=tuple(map(renumbered, step.formulas))) for step in explanation.steps
    )
    return replace(explanation, steps=steps)
