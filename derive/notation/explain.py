"""Where an equation comes from, step by step: what a reader can follow by hand.

The steps are those of `calculus.adjoint`, by the same functions: the forward equations that
mention a quantity, the chain rule over them, the explicit derivatives with their Kronecker
deltas, what the deltas solve, the terms that are left, and their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.adjoint import Adjoint, Contribution
from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.contraction import apart
from bptt.derive.calculus.order import split_sign
from bptt.derive.calculus.quantity import Quantity, index_symbol
from bptt.derive.calculus.system import Equation, System, Term
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language.syntax import Call, Comparison, Node, Reference, Sum
from bptt.derive.notation.index import (
    affine,
    conditioned,
    conditions,
    expression,
    index_statement,
    product,
    reference,
    total,
)


@dataclass(frozen=True)
class Formula:
    """A formula of a step; `number` is that of an equation of the system, or zero."""

    left: Node
    right: Node
    number: int = 0


@dataclass(frozen=True)
class Step:
    """One step: the name of its rule, what it does in words, and its formulas.

    `subject` is the mention that it is about, `conditions` what is left of ranges.
    """

    rule: str
    words: str
    formulas: tuple[Formula, ...] = ()
    conditions: tuple[Comparison, ...] = ()
    subject: Node | None = None

    def sentence(
        self,
        words: str,
        about: Callable[[Node], str],
        left: Callable[[tuple[Comparison, ...]], str],
    ) -> str:
        """The step's words, as a page writes them, with its subject and its conditions."""
        if self.subject is not None:
            words = f"For {about(self.subject)}. {words}"
        if self.conditions:
            words += f" Of the ranges {left(self.conditions)} is left."
        return words


class _Primed:
    """A contribution in the letters that a derivation writes: primed around the mention."""

    def __init__(self, made: Contribution) -> None:
        self.made = made
        letters = [i.symbol for i in made.equation.indices]
        letters += [i.symbol for term in made.equation.terms for i in term.sums]
        self.primes = {s: index_symbol(f"{s.name}'") for s in letters}
        self._solved = {apart(s): prime for s, prime in self.primes.items()}

    @property
    def box(self) -> tuple[Index, ...]:
        box = self.made.equation.box(self.made.term)
        return tuple(replace(i, symbol=self.primes[i.symbol]) for i in box)

    def primed(self, exprs: Iterable[sp.Expr]) -> tuple[sp.Expr, ...]:
        return tuple(e.xreplace(self.primes) for e in exprs)

    def solved(self, expr: sp.Expr) -> sp.Expr:
        """An expression of the contribution's solution."""
        return expr.xreplace(self._solved)


@dataclass(frozen=True)
class Derivation:
    """The adjoint of a system's loss, as what its derivations speak of.

    `system` is the one that holds the adjoint; `wide` has a quantity for the derivative by
    everything, whether it stands in an equation of its own or not.
    """

    system: System
    adjoint: Adjoint
    wide: System

    @property
    def able(self) -> tuple[str, ...]:
        """By what the loss has a derivative: signals from the loss backwards, then the rest."""
        made, primal = self.adjoint.contributions, self.system.primal
        signals = [e.quantity.name for e in reversed(primal.equations)]
        others = [n for n in primal.quantities if n not in signals]
        return tuple(n for n in (*signals, *others) if n in made)


def derivation(system: System) -> Derivation:
    """What can be derived step by step of a system that holds the adjoint of its loss."""
    found = Adjoint(system)
    own = [n for n in system.primal.quantities if n != "loss"]
    quantities = {q.name: q for q in map(found.quantity, own)}
    wide = replace(system, quantities={**quantities, **system.quantities})
    return Derivation(system, found, wide)


def explain(name: str, derivation: Derivation) -> tuple[Step, ...]:
    """The derivation of the derivative of the loss by a quantity, as steps.

    Raises UserError for what has no such derivative.
    """
    return _Explanation(name, derivation).steps()


class _Explanation:
    def __init__(self, name: str, derivation: Derivation) -> None:
        self._derivation, self._system = derivation, derivation.system
        self._adjoint = derivation.adjoint
        derived = {e.quantity: n for n in derivation.able for e in [self._adjoint.equation(n)]}
        if name not in derivation.able:
            known = {q.name: n for q, n in derived.items()}
            name = known.get(name, name)
        _check(name, derivation.able)
        self._quantity: Quantity = self._system.quantities[name]
        self._left = tuple(i.symbol for i in self._quantity.canonical_indices())
        self._mentions = [_Primed(c) for c in reversed(self._in_order(name))]

    def _in_order(self, name: str) -> list[Contribution]:
        """Contributions from the last equation backwards; those of one as they stand in it."""
        made = self._adjoint.contributions[name]
        found: list[Contribution] = []
        for equation in dict.fromkeys(c.equation for c in made):
            found += [c for c in made if c.equation == equation][::-1]
        return found

    def steps(self) -> tuple[Step, ...]:
        steps = [self._definition(), self._chain_rule()]
        for equation in self._equations:
            mentions = [m for m in self._mentions if m.made.equation == equation]
            steps.append(self._explicit(mentions))
            steps += [self._contraction(m) for m in mentions]
        return (*steps, self._sum())

    @property
    def _equations(self) -> list[Equation]:
        return list(dict.fromkeys(m.made.equation for m in self._mentions))

    # What is looked for, and the chain rule.

    def _total(self, quantity: Quantity, at: Iterable[sp.Expr]) -> Node:
        """The derivative of the loss by a quantity."""
        return reference(self._adjoint.quantity(quantity.name)[tuple(at)])

    def _own(self) -> Node:
        return reference(self._quantity[self._left])

    def _definition(self) -> Step:
        equations = self._equations
        return Step(
            "forward equations",
            f"{self._quantity.name} is mentioned in {_counted(len(equations), 'equation')}.",
            tuple(self._formula(e) for e in equations),
        )

    def _formula(self, equation: Equation) -> Formula:
        found = index_statement(equation, self._derivation.wide.quantities)
        return Formula(found.target, found.expression, equation.number)

    def _chain_rule(self) -> Step:
        terms = []
        for equation in self._equations:
            mention = next(m for m in self._mentions if m.made.equation == equation)
            left = mention.primed([equation.lhs])[0]
            partial: Node = Call("partial", (reference(left), self._own()), "")
            letters = tuple(mention.primes[i.symbol].name for i in equation.indices)
            if equation.quantity.name != "loss":
                at = mention.primed(i.symbol for i in equation.indices)
                partial = product((self._total(equation.quantity, at), partial))
            terms.append((1, Sum(letters, partial, "") if letters else partial))
        through = "that one" if len(terms) == 1 else "each of them"
        return Step(
            "chain rule",
            f"The loss depends on {self._quantity.name} through {through}; primed letters are "
            "those of the equation that mentions it. An explicit derivative holds all else fixed.",
            (Formula(self._total(self._quantity, self._left), total(terms)),),
        )

    # The mentions in one equation.

    def _explicit(self, mentions: list[_Primed]) -> Step:
        first = mentions[0]
        equation = first.made.equation
        left = Call("partial", (reference(first.primed([equation.lhs])[0]), self._own()), "")
        raw = [m.made.explicit for m in mentions]
        known = [m.made.partial for m in mentions]
        words = f"Of ({equation.number}), " + (
            "which mentions it once."
            if len(mentions) == 1
            else f"which mentions it {_times(len(mentions))}."
        )
        words += " One mention by another is a Kronecker delta for each index."
        formulas = [Formula(left, self._with_deltas(mentions, raw))]
        if any(sp.expand(a - b) != 0 for a, b in zip(raw, known, strict=True)):
            words += " What the forward pass has computed then stands for the functions."
            formulas.append(Formula(left, self._with_deltas(mentions, known)))
        return Step("explicit derivative", words, tuple(formulas))

    def _with_deltas(self, mentions: list[_Primed], partials: Iterable[sp.Expr]) -> Node:
        terms = []
        known = self._system.quantities
        for mention, partial in zip(mentions, partials, strict=True):
            term = mention.made.term
            sign, factor = split_sign(mention.primed([partial])[0])
            at = mention.primed(self._system.subscripts(mention.made.read))
            deltas = [
                Call("delta", (affine(s), affine(i)), "")
                for s, i in zip(at, self._left, strict=True)
            ]
            factors = [] if factor == 1 and deltas else [expression(factor, known)]
            node = product((*factors, *deltas))
            letters = tuple(mention.primes[i.symbol].name for i in term.sums)
            node = Sum(letters, node, "") if letters else node
            condition = replace(
                term, bounds=mention.primed(term.bounds), equals=mention.primed(term.equals)
            )
            terms.append((sign, conditioned(node, conditions(condition, mention.box))))
        return total(terms)

    def _contraction(self, mention: _Primed) -> Step:
        """What the deltas solve, and what is left of the ranges."""
        found = mention.made.solution
        solved = {mention.solved(old): mention.solved(new) for old, new in found.solved.items()}
        formulas = [Formula(affine(old), affine(new)) for old, new in solved.items()]
        words = []
        if formulas:
            words.append("Each delta takes the sum over one index away.")
        steps = [i.symbol for i in mention.box if i.kind == "time"]
        if any(solved.get(s, s) not in (s, *self._left) for s in steps):
            words.append("The one in time shifts the step: what reads earlier is acted on later.")
        remaining = tuple(replace(i, symbol=mention.solved(i.symbol)) for i in found.remaining)
        left = [i.symbol.name for i in remaining]
        if left:
            stays = "the sum over it stays" if len(left) == 1 else "the sums over them stay"
            words.append(f"No delta holds {_and(left)}: {stays}.")
        box = (*self._quantity.canonical_indices(), *remaining)
        kept = prune(map(mention.solved, found.limits), box)
        condition = Term(sp.Integer(1), remaining, kept, tuple(map(mention.solved, found.fixed)))
        notes = conditions(condition, box)
        result = self._formula(self._adjoint.collected(self._quantity.name, [mention.made.result]))
        formulas.append(Formula(Reference("contribution", None, ""), result.right))
        subject = reference(mention.primed([mention.made.read])[0])
        return Step("contraction of the deltas", " ".join(words), tuple(formulas), notes, subject)

    # The sum.

    def _sum(self) -> Step:
        found = self._adjoint.equation(self._quantity.name)
        derived = self._system.definitions.get(found.quantity.name, found)
        words = "The contributions are added; those with a factor in common are brought together."
        own = {self._adjoint.quantity(n).name: n for n in self._derivation.able}
        seeds = [
            self._adjoint.equation(own[n]) for n in sorted(found.needs - derived.needs) if n in own
        ]
        if seeds:
            words += " A derivative that is one term without any other stands as its value:"
        return Step("sum", words, (*map(self._formula, seeds), self._formula(derived)))


def _check(name: str, able: tuple[str, ...]) -> None:
    if name not in able:
        raise UserError(
            f"no derivative of the loss by {shown(name)} is derived{did_you_mean(name, able)}",
            place="--explain",
            remedy=f"name one of {', '.join(able[:12])}{', ...' if len(able) > 12 else ''}",
        )


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _counted(number: int, what: str) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    count = words[number] if number < len(words) else str(number)
    return f"{count} {what}{'s' * (number != 1)}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
