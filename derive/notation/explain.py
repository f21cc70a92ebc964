"""Where an equation comes from, step by step: what a reader can follow by hand.

The steps are those of `calculus.adjoint`, by the same functions: the forward equations that
mention a quantity, the chain rule over them, the explicit derivatives with their Kronecker
deltas, what the deltas solve, the terms that are left, and their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from bptt.derive.calculus.adjoint import collected, contract, derivative, explicit_derivative, solve
from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.order import split_sign
from bptt.derive.calculus.system import (
    PREFIX,
    Equation,
    Quantity,
    System,
    Term,
    index_symbol,
    name_of,
)
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


@dataclass(frozen=True)
class _Mention:
    """A mention of the quantity in a term; `primes` puts other letters for those around it."""

    equation: Equation
    term: Term
    read: sp.Indexed
    primes: Mapping[sp.Symbol, sp.Symbol]

    @property
    def box(self) -> tuple[Index, ...]:
        return tuple(self.moved(i) for i in self.equation.box(self.term))

    def moved(self, index: Index) -> Index:
        return replace(index, symbol=self.primes[index.symbol])

    def primed(self, exprs: Iterable[sp.Expr]) -> tuple[sp.Expr, ...]:
        return tuple(e.xreplace(dict(self.primes)) for e in exprs)

    @property
    def left(self) -> sp.Expr:
        """What the equation defines, in primed letters."""
        return self.primed([self.equation.lhs])[0]


def with_adjoints(system: System) -> System:
    """The system with a quantity for the derivative by everything, to write derivations in."""
    return replace(system, quantities={**_adjoints(system), **system.quantities})


def _adjoints(system: System) -> dict[str, Quantity]:
    """A quantity for the derivative of the loss by every forward quantity."""
    return {
        PREFIX + n: replace(q, name=PREFIX + n, kind="adjoint")
        for n, q in system.forward().quantities.items()
        if n != "loss"
    }


def explain(name: str, system: System) -> tuple[Step, ...]:
    """The derivation of the derivative of the loss by a quantity, as steps.

    `system` holds its own adjoint. Raises UserError for what has no such derivative.
    """
    return _Explanation(name, system).steps()


class _Explanation:
    def __init__(self, name: str, system: System) -> None:
        forward = system.forward()
        name = name if name in forward.quantities else name.removeprefix(PREFIX)
        _check(name, system)
        self._system, self._forward = system, forward
        self._quantity = forward.quantities[name]
        self._values = ForwardValues(forward)
        self._wanted = self._quantity.canonical_indices()
        self._left = tuple(i.symbol for i in self._wanted)
        self._named = _adjoints(system)
        self._mentions = _mentions(name, forward)

    def steps(self) -> tuple[Step, ...]:
        steps = [self._definition(), self._chain_rule()]
        for equation in dict.fromkeys(m.equation for m in self._mentions):
            mentions = [m for m in self._mentions if m.equation == equation]
            steps.append(self._explicit(mentions))
            steps += [self._contraction(m) for m in mentions]
        return (*steps, self._sum())

    # What is looked for, and the chain rule.

    def _total(self, quantity: Quantity, at: Iterable[sp.Expr]) -> Node:
        """The derivative of the loss by a quantity."""
        return reference(self._named[PREFIX + quantity.name][tuple(at)])

    def _own(self) -> Node:
        return reference(self._quantity[self._left])

    def _definition(self) -> Step:
        equations = list(dict.fromkeys(m.equation for m in self._mentions))
        count = len(equations)
        return Step(
            "forward equations",
            f"{self._quantity.name} is mentioned in {_counted(count, 'equation')}.",
            tuple(self._formula(e) for e in equations),
        )

    def _formula(self, equation: Equation) -> Formula:
        found = index_statement(equation, {**self._named, **self._system.quantities})
        return Formula(found.target, found.expression, equation.number)

    def _chain_rule(self) -> Step:
        terms = []
        for equation in dict.fromkeys(m.equation for m in self._mentions):
            mention = next(m for m in self._mentions if m.equation == equation)
            partial: Node = Call("partial", (reference(mention.left), self._own()), "")
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

    def _explicit(self, mentions: list[_Mention]) -> Step:
        first = mentions[0]
        left = Call("partial", (reference(first.left), self._own()), "")
        raw = [self._partial(m) for m in mentions]
        known = [explicit_derivative(m.equation, m.term, m.read, self._values) for m in mentions]
        words = f"Of ({first.equation.number}), " + (
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

    @staticmethod
    def _partial(mention: _Mention) -> sp.Expr:
        partial = derivative(mention.term.factor, mention.read)
        if mention.term.reduction == "logsumexp":
            partial = sp.exp(mention.term.factor - mention.equation.lhs) * partial
        return partial

    def _with_deltas(self, mentions: list[_Mention], partials: Iterable[sp.Expr]) -> Node:
        terms = []
        for mention, partial in zip(mentions, partials, strict=True):
            sign, factor = split_sign(mention.primed([partial])[0])
            at = mention.primed(self._system.subscripts(mention.read))
            deltas = [
                Call("delta", (affine(s), affine(i)), "")
                for s, i in zip(at, self._left, strict=True)
            ]
            node = product((*([] if factor == 1 and deltas else [expression(factor)]), *deltas))
            letters = tuple(mention.primes[i.symbol].name for i in mention.term.sums)
            node = Sum(letters, node, "") if letters else node
            condition = replace(
                mention.term,
                bounds=mention.primed(mention.term.bounds),
                equals=mention.primed(mention.term.equals),
            )
            terms.append((sign, conditioned(node, conditions(condition, mention.box))))
        return total(terms)

    def _contraction(self, mention: _Mention) -> Step:
        """What the deltas solve, and what is left of the ranges."""
        at = mention.primed(self._system.subscripts(mention.read))
        found = solve(mention.box, at, self._wanted)
        formulas = [Formula(affine(old), affine(new)) for old, new in found.solved.items()]
        words = []
        if formulas:
            words.append("Each delta takes the sum over one index away.")
        steps = [i.symbol for i in mention.box if i.kind == "time"]
        if any(found.solved.get(s, s) not in (s, *self._left) for s in steps):
            words.append("The one in time shifts the step: what reads earlier is acted on later.")
        left = [i.symbol.name for i in found.remaining]
        if left:
            stays = "the sum over it stays" if len(left) == 1 else "the sums over them stay"
            words.append(f"No delta holds {_and(left)}: {stays}.")
        box = (*self._wanted, *found.remaining)
        kept = prune(found.limits, box)
        condition = Term(sp.Integer(1), found.remaining, kept, found.fixed)
        notes = conditions(condition, box)
        result = self._formula(self._equation([self._contribution(mention)]))
        formulas.append(Formula(Reference("contribution", None, ""), result.right))
        subject = reference(mention.primed([mention.read])[0])
        return Step("contraction of the deltas", " ".join(words), tuple(formulas), notes, subject)

    def _contribution(self, mention: _Mention) -> Term:
        equation, term = mention.equation, mention.term
        partial = explicit_derivative(equation, term, mention.read, self._values)
        adjoint = sp.Integer(1)
        if equation.quantity.name != "loss":
            named = self._named[PREFIX + equation.quantity.name]
            adjoint = named[[i.symbol for i in equation.indices]]
        found = contract(
            adjoint * partial,
            equation.box(term),
            term.bounds,
            term.equals,
            self._system.subscripts(mention.read),
            self._wanted,
        )
        return replace(found, bounds=prune(found.bounds, (*self._wanted, *found.sums)))

    def _equation(self, terms: list[Term]) -> Equation:
        adjoint = self._named[PREFIX + self._quantity.name]
        return canonical(Equation(0, adjoint, self._wanted, collected(terms)))

    # The sum.

    def _sum(self) -> Step:
        found = self._equation([self._contribution(m) for m in self._mentions])
        derived = self._system.definitions.get(PREFIX + self._quantity.name, found)
        words = "The contributions are added; those with a factor in common are brought together."
        seeds = [
            _Explanation(n.removeprefix(PREFIX), self._system).own_equation()
            for n in sorted(found.needs - derived.needs)
            if n in self._named
        ]
        if seeds:
            words += " A derivative that is one term without any other stands as its value:"
        return Step("sum", words, (*map(self._formula, seeds), self._formula(derived)))

    def own_equation(self) -> Equation:
        """The derivative as its contributions have it."""
        return self._equation([self._contribution(m) for m in self._mentions])


def _mentions(name: str, forward: System) -> list[_Mention]:
    reached = upstream(forward, ["loss"])
    found = []
    for equation in forward.equations:
        if equation.quantity.name not in reached:
            continue
        letters = (*equation.indices, *(i for term in equation.terms for i in term.sums))
        primes = {i.symbol: index_symbol(f"{i.symbol.name}'") for i in letters}
        for term in equation.terms:
            found += [
                _Mention(equation, term, r, primes) for r in term.reads() if name_of(r) == name
            ]
    return found


def derived_by(system: System) -> tuple[str, ...]:
    """By what the loss has a derivative: signals from the loss backwards, then the rest."""
    forward = system.forward()
    known = dependent(
        forward, [q.name for q in forward.of_kind("parameter", "input")] + list(forward.reach)
    )
    known &= upstream(forward, ["loss"]) - {"loss"}
    signals = [e.quantity.name for e in reversed(forward.equations)]
    others = [n for n in forward.quantities if n not in signals]
    return tuple(n for n in (*signals, *others) if n in known)


def _check(name: str, system: System) -> None:
    able = derived_by(system)
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
