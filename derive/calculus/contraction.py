"""The rule that every derivation applies: explicit derivative, contraction, collection.

A mention q[e] in a term `sum f` of the equation v[a] gives, of the derivative by q[c],

    sum over a and over the term's sums of  d_v[a] * (df / dq[e]) * delta(e, c)

The explicit derivative df / dq[e] holds every other mention fixed. Contracting the delta solves
e = c for indices of the sum: `a[t-1]` puts t+1 for t, `W[i,j]` leaves t and b to be summed, and
the range of a solved index becomes a condition on the indices that replaced it. Collection
brings terms together that have a factor in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy as sp

from bptt.derive.calculus.bounds import MOST_KEPT, Index, coefficients, expanded, substitute
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.primitives import is_zero
from bptt.derive.calculus.quantity import Derivative, Made, Quantity
from bptt.derive.calculus.system import Equation, System, Term, name_of, reads
from bptt.derive.errors import InternalError


def explicit_derivative(
    system: System, equation: Equation, term: Term, read: sp.Indexed
) -> sp.Expr:
    """The derivative of a term by one mention, all other mentions held fixed."""
    partial = derivative(term.factor, read)
    if term.reduction.weight is None or partial == 0:
        return partial
    weight = term.reduction.weight(term.factor, equation.lhs)
    if term.reduction.shared:
        ties = system.by_origin[Made("ties", equation.quantity.name)][
            [i.symbol for i in equation.indices]
        ]
        # Where nothing is reduced nothing ties.
        weight /= ties + is_zero(ties) if term.bounds or term.equals else ties
    return weight * partial


def in_forward_values(partial: sp.Expr, term: Term, values: ForwardValues) -> sp.Expr:
    """An explicit derivative with the quantities that hold its functions' values in their place."""
    return values.express(partial, (*term.bounds, *term.equals))


def derivative(factor: sp.Expr, read: sp.Indexed) -> sp.Expr:
    """The derivative of a pointwise expression by one of its indexed quantities.

    Every indexed quantity is a variable of its own here: whether two mentions are the same
    element is the business of the delta, not of this rule.
    """
    if isinstance(factor, sp.Mul):
        holding = [a for a in factor.args if a.has(read)]
        if holding == [read]:
            return sp.Mul(*(a for a in factor.args if a != read))
    variables = {r: _variable(n) for n, r in enumerate(reads(factor))}
    back = {v: r for r, v in variables.items()}
    return _partial(factor.xreplace(variables), variables[read]).xreplace(back)


@lru_cache(maxsize=MOST_KEPT)
def _variable(number: int) -> sp.Dummy:
    return sp.Dummy(f"{number:03}")


@lru_cache(maxsize=MOST_KEPT)
def _partial(factor: sp.Expr, variable: sp.Dummy) -> sp.Expr:
    """The derivative of an expression; in every layer the same few are differentiated."""
    return sp.factor_terms(factor.diff(variable))


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
        found = coefficients(at)
        variable = next((s for s in remaining if s in found), None)
        if variable is None:
            fixed.append(expanded(index.symbol - at))
            continue
        if found[variable] != 1 or any(s in found for s in remaining if s != variable):
            raise InternalError(f"the subscript {given} is not an index and an offset")
        value = index.symbol if at == variable else expanded(index.symbol - (at - variable))
        old = remaining.pop(variable)
        is_whole = value == index.symbol and (old.low, old.high) == (index.low, index.high)
        solved = {k: expanded(v.xreplace({variable: value})) for k, v in solved.items()}
        solved[variable] = value
        if index.is_step or not is_whole:
            limits += [value - old.low, old.high - value]
    return Solution(solved, tuple(remaining.values()), tuple(limits), tuple(fixed))


def apart(symbol: sp.Symbol) -> sp.Symbol:
    """The letter of an index of the sum, apart from the letters of what it is solved for."""
    return sp.Symbol(f"_{symbol.name}", integer=True)


def contract(
    summand: sp.Expr,
    box: tuple[Index, ...],
    term: Term,
    subscripts: Iterable[sp.Expr],
    wanted: tuple[Index, ...],
) -> tuple[Term, Solution]:
    """Sum `summand * delta(subscripts, wanted)` over the box, where the term's conditions hold.

    An index of the box that a subscript mentions is solved for and replaced; its range turns
    into bounds; a range of steps also into those that hold for all `wanted` within their own
    ranges: outside the steps they need not. A subscript without an index, or with one that is
    already solved, leaves an equality.
    """
    letters = {index.symbol: apart(index.symbol) for index in box}
    moved = tuple(replace(index, symbol=letters[index.symbol]) for index in box)
    found = solve(moved, (s.xreplace(letters) for s in subscripts), wanted)
    solved = ((old, found.solved.get(new, new)) for old, new in letters.items())
    at = {old: new for old, new in solved if old != new}
    fixed = (*substitute(term.equals, at), *substitute(found.fixed, found.solved))
    contracted = Term(
        summand.xreplace(at),
        found.remaining,
        (*substitute(term.bounds, at), *substitute(found.limits, found.solved)),
        tuple(e for e in fixed if e != 0),
    )
    return contracted, found


def without_deltas(term: Term) -> Term:
    """The term with its deltas in summed indices summed out: each puts its place for an index."""
    for equal in term.equals:
        known = coefficients(equal)
        index = next((i for i in term.sums if abs(known.get(i.symbol, 0)) == 1), None)
        if index is None:
            continue
        at = {index.symbol: expanded(index.symbol - known[index.symbol] * equal)}
        value = at[index.symbol]
        limits = (value - index.low, index.high - value)
        found = replace(
            term,
            factor=term.factor.xreplace(at),
            sums=tuple(i for i in term.sums if i != index),
            bounds=(*substitute(term.bounds, at), *limits),
            equals=tuple(e for e in substitute(term.equals, at) if e != 0),
        )
        return without_deltas(found)
    return term


def collected(terms: Iterable[Term], quantities: Mapping[str, Quantity]) -> tuple[Term, ...]:
    """Terms with the same sums and conditions, and the same adjoint or scale, brought together.

    d p + d q becomes d (p + q), which is how ŷ - y comes out of softmax with cross-entropy.
    """

    def is_common(argument: sp.Expr) -> bool:
        """Whether a factor is a scalar's adjoint, a weight of steps, a size, or their power."""
        found = reads(argument)
        if isinstance(argument, sp.Indexed):
            quantity = quantities[name_of(argument)]
            origin = quantity.origin
            of = quantities.get(origin.of) if isinstance(origin, Derivative) else quantity
            return quantity.role == "weight" or (of is not quantity and not (of and of.axes))
        is_size = not found and not argument.is_Number
        is_scale = isinstance(argument, sp.Pow) and all(r.indices == (0,) for r in found)
        return is_size or is_scale

    groups: dict[object, list[Term]] = {}
    for term in terms:
        if term.factor == 0:
            continue
        common = sp.Mul(*filter(is_common, sp.Mul.make_args(term.factor)))
        # Products of different factors are contracted better one by one.
        alone = term.factor if term.sums and common == 1 else None
        key = (common, alone, term.sums, frozenset(term.bounds), frozenset(term.equals))
        groups.setdefault(key, []).append(term)
    return tuple(found for group in groups.values() for found in _added_up(group, is_common))


def _added_up(group: list[Term], is_common: Callable[[sp.Expr], bool]) -> list[Term]:
    """One term for several with the same common factor, or none where they cancel."""
    first = group[0]
    if len(group) == 1:
        return [first]
    common = _split(first.factor, is_common)[0]
    rest = sp.Add(*(_split(term.factor, is_common)[1] for term in group))
    if rest == 0:
        return []
    mentions = tuple(dict.fromkeys(m for term in group for m in term.mentions))
    return [replace(first, factor=common * sp.factor_terms(rest), mentions=mentions)]


def _split(factor: sp.Expr, is_common: Callable[[sp.Expr], bool]) -> tuple[sp.Expr, sp.Expr]:
    """A product as what is common times the rest."""
    arguments = sp.Mul.make_args(factor)
    common = [a for a in arguments if is_common(a)]
    return sp.Mul(*common), sp.Mul(*(a for a in arguments if not is_common(a)))
