"""The adjoint of a system: backpropagation through time as index substitution.

For every quantity q that the loss depends on, d_q is the total derivative of the loss with
respect to q. Each mention of q in a term of an equation v[a] = sum f contributes

    d_q[c] += sum over a and over the term's sums of  d_v[a] * (df / dq[e]) * delta(e, c)

where e are the subscripts of the mention. Contracting the delta solves e = c for indices of the
sum: `a[t-1]` puts t+1 for t, `W[i,j]` leaves t and b to be summed, and the range of a solved
index becomes a condition on the indices that replaced it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import sympy as sp
from bptt.derive.calculus.bounds import Index, always_holds, prune, substitute
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.system import (
    AXIS_ORDER,
    BATCH,
    PREFIX,
    Axis,
    Equation,
    Origin,
    Quantity,
    System,
    Term,
    add_quantity,
    index_symbol,
    name_of,
    reads,
)
from bptt.derive.errors import InternalError
from bptt.derive.notation.index import reference, subscript
from bptt.derive.notation.plain import node_text, subscript_text


def adjoint(
    system: System,
    of: str = "loss",
    *,
    prefix: str = PREFIX,
    per_sequence: bool = False,
    within_step: bool = False,
) -> System:
    """The system with the adjoints of `of` behind its own equations.

    Every signal that `of` depends on and that depends on a parameter, an input or an initial
    value gets its total derivative as a recurrence; every parameter and input its gradient, and
    every signal or input that is read before the first step or after the last the gradient of
    those values (`d_initial_...`, `d_after_...`).

    Where `of` is a signal with axes of its own, every adjoint carries these axes too: the
    derivative of each of its elements. With `per_sequence` the gradients of parameters are not
    summed over the sequences of a batch. With `within_step` they are explicit derivatives: what is
    read at another step is held fixed, and an element has the step of what it is derived by.
    """
    if not isinstance(system, System):
        raise TypeError(
            f"a System is needed, not a {type(system).__name__}: build(network) makes one"
        )
    return _Adjoint(system.forward(), of, prefix, per_sequence, within_step).system()


class _Adjoint:
    def __init__(
        self, system: System, of: str, prefix: str, per_sequence: bool, within_step: bool
    ) -> None:
        self._system = system
        self._of = of
        self._prefix = prefix
        self._per_sequence = per_sequence
        self._within_step = within_step
        given = {q.name for q in system.of_kind("parameter", "input")}
        started = {n for n in system.reach if system.quantities[n].kind != "mask"}
        self._active = dependent(system, given | started)
        self._values = ForwardValues(system)
        self._quantities = dict(system.quantities)
        self._contributions: dict[str, list[Term]] = {}
        self._upstream = upstream(system, [of], self._followed)
        judged = system.quantities[of]
        self._shared = ("batch", "time") if within_step else ("batch",)
        kept = [i for i in judged.canonical_indices() if i.kind not in self._shared]
        # The element of `of` that is differentiated; `canonical` gives it customary letters.
        self._element = tuple(replace(i, symbol=index_symbol(f"_{i.symbol.name}_of")) for i in kept)

    def system(self) -> System:
        """Signals from the loss backwards, then the gradients in order of declaration."""
        system = self._system
        for quantity in system.quantities.values():
            if quantity.name in self._active and (quantity.name != self._of or self._element):
                self._declare(quantity)
        if self._element:
            self._seed(system.quantities[self._of])
        for equation in reversed(system.equations):
            if equation.quantity.name in self._upstream:
                self._differentiate(equation)
        equations = [
            self._equation(e.quantity)
            for e in reversed(system.equations)
            if e.quantity.name in self._contributions
        ]
        for quantity in system.of_kind("parameter", "input"):
            equations.append(self._equation(quantity))
        for name in system.reach:
            equations += self._outside(name)
        equations = self._without_seeds(equations)
        added = {e.quantity.name: e.quantity for e in equations}
        return system.extended(added, equations)

    # Which adjoints there are.

    def _name(self, name: str) -> str:
        return self._prefix + name

    def _axes(self, quantity: Quantity) -> tuple[Axis, ...]:
        """The axes of what an adjoint is about: its own, and sequences where they are kept."""
        if self._per_sequence and not any(axis.kind == "batch" for axis in quantity.axes):
            return woven(quantity.axes, (BATCH,))
        return quantity.axes

    def _declare(self, quantity: Quantity) -> None:
        is_leaf = quantity.kind in ("parameter", "input")
        element = tuple(Axis(i.kind, i.length) for i in self._element)
        adjoint = Quantity(
            self._name(quantity.name),
            "gradient" if is_leaf else "adjoint",
            woven(self._axes(quantity), element),
            f"derivative of {self._of} by {quantity.name}",
        )
        add_quantity(self._quantities, adjoint)

    def _seed(self, judged: Quantity) -> None:
        """The derivative of an element by itself."""
        element = iter(self._element)
        ties = [
            i.symbol - next(element).symbol
            for i in judged.canonical_indices()
            if i.kind not in self._shared
        ]
        self._contributions[judged.name] = [Term(sp.Integer(1), equals=tuple(ties))]

    # One equation, differentiated by what it mentions.

    def _differentiate(self, equation: Equation) -> None:
        for term in equation.terms:
            for read in term.reads():
                if name_of(read) in self._active and not self._is_fixed(equation, read):
                    self._contribute(equation, term, read)

    def _followed(self, equation: Equation) -> frozenset[str]:
        """The names of what an equation is differentiated by."""
        found = (r for term in equation.terms for r in term.reads())
        return frozenset(name_of(r) for r in found if not self._is_fixed(equation, r))

    def _is_fixed(self, equation: Equation, read: sp.Indexed) -> bool:
        """Whether a mention is of another step, and those are held fixed."""
        axis = self._system.quantity_of(read).time_axis
        steps = {i.symbol for i in equation.indices if i.kind == "time"}
        return self._within_step and axis is not None and read.indices[axis] not in steps

    def _contribute(self, equation: Equation, term: Term, read: sp.Indexed) -> None:
        partial = explicit_derivative(equation, term, read, self._values)
        if partial == 0:
            return
        name = name_of(read)
        target = self._system.quantities[name]
        axes, subscripts = self._axes(target), self._system.subscripts(read)
        box = equation.box(term)
        sequence = next((i for i in box if i.kind == "batch"), None)
        if len(axes) > len(subscripts):
            if sequence is None:
                sequence = BATCH.index(index_symbol("_sequence"))
                box = (*box, sequence)
            position = next(p for p, axis in enumerate(axes) if axis.kind == "batch")
            subscripts = (*subscripts[:position], sequence.symbol, *subscripts[position:])
        found = contract(
            self._adjoint_at(equation, sequence) * partial,
            box,
            (*term.bounds,),
            term.equals,
            subscripts,
            replace(target, axes=axes).canonical_indices(),
        )
        rule = _rule(equation, read, self._system)
        origin = Origin(equation.number, rule)
        self._contributions.setdefault(name, []).append(replace(found, origins=(origin,)))

    def _adjoint_at(self, equation: Equation, sequence: Index | None) -> sp.Expr:
        name = equation.quantity.name
        if name == self._of and not self._element:
            return sp.Integer(1)
        indices = equation.indices
        if len(self._axes(equation.quantity)) > len(indices) and sequence is not None:
            indices = woven(indices, (sequence,))
        indices = woven(indices, self._element)
        return self._quantities[self._name(name)][[i.symbol for i in indices]]

    # The adjoint equations.

    def _equation(self, quantity: Quantity) -> Equation:
        adjoint = self._quantities[self._name(quantity.name)]
        own = replace(quantity, axes=self._axes(quantity)).canonical_indices()
        indices = woven(own, self._element)
        terms = [
            self._restricted(term, indices) for term in self._contributions.get(quantity.name, [])
        ]
        return canonical(Equation(0, adjoint, indices, collected(terms)))

    @staticmethod
    def _restricted(term: Term, indices: tuple[Index, ...]) -> Term:
        return replace(term, bounds=prune(term.bounds, indices + term.sums))

    def _outside(self, name: str) -> list[Equation]:
        """The gradients of the values at steps before the first and after the last."""
        if name not in self._active or self._element:
            return []
        reach = self._system.reach[name]
        quantity = self._system.quantities[name]
        found = []
        for side, steps in (("initial", reach.before), ("after", reach.after)):
            if not steps:
                continue
            position = quantity.time_axis
            assert position is not None
            axes = list(quantity.axes)
            axes[position] = Axis("delay", sp.Integer(steps))
            gradient = Quantity(
                f"{self._prefix}{side}_{name}",
                "gradient",
                tuple(axes),
                f"derivative of {self._of} by the values of {name} "
                + ("before the first step" if side == "initial" else "after the last step"),
            )
            add_quantity(self._quantities, gradient)
            indices = gradient.canonical_indices()
            time = quantity.canonical_indices()[position]
            step = indices[position].symbol
            shift = step - steps if side == "initial" else time.length + step
            mapping: dict[sp.Expr, sp.Expr] = {
                old.symbol: new.symbol
                for old, new in zip(quantity.canonical_indices(), indices, strict=True)
            }
            mapping[time.symbol] = shift
            terms = []
            for term in self._contributions.get(name, []):
                moved = _substituted(term, mapping, indices)
                if moved is not None:
                    terms.append(moved)
            found.append(canonical(Equation(0, gradient, indices, collected(terms))))
        return found

    def _without_seeds(self, equations: list[Equation]) -> list[Equation]:
        """Put known adjoints of scalars and of quantities without units where they are read.

        Such an adjoint has one term, mentions no other adjoint, and costs nothing to repeat:
        the weight of a loss, one over the number of steps.
        """
        seeds: dict[str, Equation] = {}
        kept = []
        for equation in equations:
            equation = replace(
                equation, terms=tuple(_inlined(term, seeds) for term in equation.terms)
            )
            equation = replace(equation, terms=collected(list(equation.terms)))
            if self._is_seed(equation):
                seeds[equation.quantity.name] = equation
            else:
                kept.append(equation)
        return kept

    def _is_seed(self, equation: Equation) -> bool:
        return (
            equation.quantity.kind == "adjoint"
            and all(axis.kind != "feature" for axis in equation.quantity.axes)
            and len(equation.terms) == 1
            and not equation.terms[0].sums
            and not any(
                name_of(r).startswith((PREFIX, self._prefix)) for r in equation.terms[0].reads()
            )
        )


Item = TypeVar("Item", Axis, Index)


def woven(own: tuple[Item, ...], added: tuple[Item, ...]) -> tuple[Item, ...]:
    """Axes or indices in one customary order: steps, sequences, units.

    Of one kind, steps and sequences of `own` come first, and its units last.
    """
    units = tuple(i for i in own if i.kind == "feature")
    others = tuple(i for i in own if i.kind != "feature")
    return tuple(sorted(others + added + units, key=lambda item: AXIS_ORDER[item.kind]))


def explicit_derivative(
    equation: Equation, term: Term, read: sp.Indexed, values: ForwardValues
) -> sp.Expr:
    """The derivative of a term by one mention, other mentions held fixed, in forward values."""
    partial = derivative(term.factor, read)
    if term.reduction == "logsumexp":
        partial = sp.exp(term.factor - equation.lhs) * partial
    return values.express(partial, (*term.bounds, *term.equals))


def _rule(equation: Equation, read: sp.Indexed, system: System) -> str:
    """The rule in words: what was differentiated by what, and what its deltas did."""
    name = equation.quantity.name
    rule = f"chain rule, d {name} / d {node_text(reference(read))}"
    axis = system.quantity_of(read).time_axis
    if axis is not None:
        at = read.indices[axis]
        index = next((i.symbol for i in equation.indices if at.coeff(i.symbol) == 1), None)
        if index is not None and at != index:
            put = subscript_text(subscript(2 * index - at))
            rule += f"; the delta in time puts {put} for {index}"
    return rule


def derivative(factor: sp.Expr, read: sp.Indexed) -> sp.Expr:
    """The derivative of a pointwise expression by one of its indexed quantities.

    Every indexed quantity is a variable of its own here: whether two mentions are the same
    element is the business of the delta, not of this rule.
    """
    if isinstance(factor, sp.Mul):
        holding = [a for a in factor.args if a.has(read)]
        if holding == [read]:
            return sp.Mul(*(a for a in factor.args if a != read))
    variables = {r: sp.Dummy() for r in reads(factor)}
    back = {v: r for r, v in variables.items()}
    found = factor.xreplace(variables).diff(variables[read])
    return sp.factor_terms(found).xreplace(back)


def contract(
    summand: sp.Expr,
    box: Iterable[Index],
    bounds: tuple[sp.Expr, ...],
    equals: tuple[sp.Expr, ...],
    subscripts: tuple[sp.Expr, ...],
    wanted: tuple[Index, ...],
) -> Term:
    """Sum `summand * delta(subscripts, wanted)` over the box.

    An index of the box that a subscript mentions is solved for and replaced; its range turns
    into bounds. A subscript without one, or with one that is already solved, leaves an equality.
    """
    box = tuple(box)
    apart = {index.symbol: sp.Symbol(f"_{index.symbol.name}", integer=True) for index in box}
    moved = tuple(replace(index, symbol=apart[index.symbol]) for index in box)
    found = solve(moved, substitute_all(subscripts, apart), wanted)
    limits = (*substitute(bounds, apart), *found.limits)
    fixed = (*substitute(equals, apart), *found.fixed)
    return Term(
        summand.xreplace(apart).xreplace(found.solved),
        found.remaining,
        substitute(limits, found.solved),
        tuple(e for e in substitute(fixed, found.solved) if e != 0),
    )


@dataclass(frozen=True)
class Solution:
    """What a product of deltas does to a sum: each solves for an index, or stays as an equality.

    `limits` are the ranges of the solved indices, as bounds on what replaces them.
    """

    solved: Mapping[sp.Expr, sp.Expr]
    remaining: tuple[Index, ...]
    limits: tuple[sp.Expr, ...]
    fixed: tuple[sp.Expr, ...]


def solve(
    box: tuple[Index, ...], subscripts: Iterable[sp.Expr], wanted: tuple[Index, ...]
) -> Solution:
    """Solve `delta(subscripts, wanted)` for indices of the box."""
    remaining = {index.symbol: index for index in box}
    solved: dict[sp.Expr, sp.Expr] = {}
    limits, fixed = [], []
    for given, index in zip(subscripts, wanted, strict=True):
        at = given.xreplace(solved)
        variable = next((s for s in remaining if at.coeff(s) != 0), None)
        if variable is None:
            fixed.append(sp.expand(index.symbol - at))
            continue
        if at.coeff(variable) != 1 or any(at.coeff(s) != 0 for s in remaining if s != variable):
            raise InternalError(f"the subscript {given} is not an index and an offset")
        value = sp.expand(index.symbol - (at - variable))
        old = remaining.pop(variable)
        solved = {k: sp.expand(v.xreplace({variable: value})) for k, v in solved.items()}
        solved[variable] = value
        limits += [value - old.low, old.high - value]
    return Solution(solved, tuple(remaining.values()), tuple(limits), tuple(fixed))


def substitute_all(
    exprs: Iterable[sp.Expr], mapping: Mapping[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, ...]:
    return tuple(e.xreplace(dict(mapping)) for e in exprs)


def collected(terms: list[Term]) -> tuple[Term, ...]:
    """Terms with the same sums and conditions, and the same adjoint or scale, brought together.

    d p + d q becomes d (p + q), which is how ŷ - y comes out of softmax with cross-entropy.
    """
    groups: dict[object, list[Term]] = {}
    for term in terms:
        if term.factor == 0:
            continue
        common, _ = _split(term.factor)
        # Products of different factors are contracted better one by one.
        alone = term.factor if term.sums and common == 1 else None
        key = (common, alone, term.sums, frozenset(term.bounds), frozenset(term.equals))
        groups.setdefault(key, []).append(term)
    found = []
    for group in groups.values():
        first = group[0]
        if len(group) > 1:
            common = _split(first.factor)[0]
            rest = sp.Add(*(_split(term.factor)[1] for term in group))
            if rest == 0:
                continue
            origins = tuple(dict.fromkeys(o for term in group for o in term.origins))
            first = replace(first, factor=common * sp.factor_terms(rest), origins=origins)
        found.append(first)
    return tuple(found)


def _split(factor: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """A product as (adjoints, weights and sizes) times the rest."""
    common: list[sp.Expr] = []
    rest: list[sp.Expr] = []
    for argument in sp.Mul.make_args(factor):
        found = reads(argument)
        is_size = not found and not argument.is_Number
        is_adjoint = isinstance(argument, sp.Indexed) and name_of(argument).startswith(
            (PREFIX, "weight_", "total_weight_")
        )
        is_scale = isinstance(argument, sp.Pow) and all(r.indices == (0,) for r in found)
        (common if is_size or is_adjoint or is_scale else rest).append(argument)
    return sp.Mul(*common), sp.Mul(*rest)


def _substituted(
    term: Term, mapping: Mapping[sp.Expr, sp.Expr], indices: tuple[Index, ...]
) -> Term | None:
    """The term at other indices, or None where its conditions never hold there."""
    box = indices + term.sums
    bounds = substitute(term.bounds, mapping)
    equals = substitute(term.equals, mapping)
    if any(always_holds(-bound - 1, box) for bound in bounds) or any(
        always_holds(sign * equal - 1, box) for equal in equals for sign in (1, -1)
    ):
        return None
    return replace(
        term,
        factor=term.factor.xreplace(dict(mapping)),
        bounds=prune(bounds, box),
        equals=equals,
    )


def _inlined(term: Term, seeds: Mapping[str, Equation]) -> Term:
    """The term with seeds in place of their names; it then holds only where they do."""
    for read in term.reads():
        seed = seeds.get(name_of(read))
        if seed is None:
            continue
        subscripts = read.indices if seed.quantity.axes else ()
        at = {i.symbol: s for i, s in zip(seed.indices, subscripts, strict=True)}
        known = seed.terms[0]
        term = replace(
            term,
            factor=term.factor.xreplace({read: known.factor.xreplace(at)}),
            bounds=tuple(dict.fromkeys(term.bounds + substitute(known.bounds, at))),
            equals=tuple(dict.fromkeys(term.equals + substitute(known.equals, at))),
        )
    return term
