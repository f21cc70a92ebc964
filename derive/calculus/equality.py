"""Whether two equations say the same, whatever their letters and the order of their terms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index, is_nonnegative, prune, substitute
from bptt.derive.calculus.canonical import counted
from bptt.derive.calculus.quantity import Count
from bptt.derive.calculus.system import Equation, Term
from bptt.derive.errors import InternalError

# A term without its coefficient: a product, its sums with their ranges, its conditions.
Key = tuple[str, ...]
MAX_SUMS = 7


Sizes = Mapping[sp.Symbol, int]


def same(left: Equation, right: Equation, sizes: Sizes) -> bool:
    """Whether two equations define the same quantity by the same sum, after multiplying out.

    Where this says so it is so, at these sizes of units; not all that is equal has one form.
    """
    return left.quantity == right.quantity and terms_of(left, sizes) == terms_of(right, sizes)


def terms_of(equation: Equation, sizes: Sizes) -> dict[Key, sp.Expr]:
    """The multiplied-out terms of an equation in canonical letters, each with its coefficient."""
    found: dict[Key, sp.Expr] = {}
    for term in equation.terms:
        counts = {c: c.length for c in term.factor.atoms(Count)}
        for piece in _monomials(replace(term, factor=term.factor.xreplace(counts))):
            piece = _of_one_unit(_untied(piece, equation), equation, sizes)
            piece = counted(_tightened(piece, equation, sizes))
            coefficient, key = _canonical(piece, equation)
            found[key] = sp.expand(found.get(key, sp.Integer(0)) + coefficient)
    return {key: value for key, value in found.items() if value != 0}


def _monomials(term: Term) -> Iterator[Term]:
    if not term.reduction.is_linear:
        yield term
        return
    for monomial in sp.Add.make_args(sp.expand(term.factor)):
        yield replace(term, factor=monomial)


def _untied(term: Term, equation: Equation) -> Term:
    """The term in the first of two letters of the left side that a condition makes equal."""
    left = [index.symbol for index in equation.indices]
    factor, bounds = term.factor, term.bounds
    for equal in term.equals:
        tied = [s for s in left if equal.coeff(s) != 0]
        if len(tied) == 2 and sp.expand(equal) in (tied[0] - tied[1], tied[1] - tied[0]):
            factor = factor.xreplace({tied[1]: tied[0]})
            bounds = tuple(b.xreplace({tied[1]: tied[0]}) for b in bounds)
    return replace(term, factor=factor, bounds=bounds)


def _of_one_unit(term: Term, equation: Equation, sizes: Sizes) -> Term:
    """The term with 0 for every index that runs over a single unit."""
    single: dict[sp.Expr, sp.Expr] = {
        i.symbol: sp.Integer(0)
        for i in equation.box(term)
        if i.kind == "feature" and i.length.xreplace(dict(sizes)) == 1
    }
    return replace(
        term,
        factor=term.factor.xreplace(single),
        sums=tuple(i for i in term.sums if i.symbol not in single),
        bounds=substitute(term.bounds, single),
        equals=tuple(e for e in substitute(term.equals, single) if e != 0),
    )


def _tightened(term: Term, equation: Equation, sizes: Sizes) -> Term:
    """The term with a condition that is one limit of one summed index as its range.

    That is done where the range then lies within the axis for all sizes, and where the index has
    no other limit on that side.
    """
    sums = {index.symbol: index for index in term.sums}
    box = equation.box(term)
    rest = []
    bounds = prune(term.bounds, box)
    for bound in bounds:
        index = _limited(bound, sums, box)
        sides = [b for b in bounds if index and b.coeff(index.symbol) == bound.coeff(index.symbol)]
        if index is None or len(sides) > 1:
            rest.append(bound)
            continue
        c = bound.coeff(index.symbol)
        limit = sp.expand(index.symbol - bound / c)
        within = index.high - limit if c < 0 else limit - index.low
        inside = (within, limit - index.low)
        if all(is_nonnegative(sp.expand(e.subs(dict(sizes)))) for e in inside):
            sums[index.symbol] = replace(index, high=limit) if c < 0 else replace(index, low=limit)
        else:
            rest.append(bound)
    return replace(term, sums=tuple(sums.values()), bounds=tuple(rest))


def _limited(bound: sp.Expr, sums: dict[sp.Symbol, Index], box: tuple[Index, ...]) -> Index | None:
    """The summed index that a bound limits by itself."""
    letters = [i.symbol for i in box if bound.coeff(i.symbol) != 0]
    if len(letters) != 1 or letters[0] not in sums or abs(bound.coeff(letters[0])) != 1:
        return None
    return sums[letters[0]]


def _canonical(term: Term, equation: Equation) -> tuple[sp.Expr, Key]:
    """The coefficient, and the rest in the letters that make it come first of all."""
    coefficient, factor = term.factor.as_coeff_Mul()
    if not term.reduction.is_linear:
        coefficient, factor = sp.Integer(1), term.factor
    left = {old.symbol: _letter(f"left{n}") for n, old in enumerate(equation.indices)}
    if len(term.sums) > MAX_SUMS:
        raise InternalError(f"a term with {len(term.sums)} sums is not compared")
    keys = []
    for order in itertools.permutations(range(len(term.sums))):
        mapping = dict(left)
        mapping |= {i.symbol: _letter(f"sum{n}") for n, i in zip(order, term.sums, strict=True)}
        sums = sorted(_range_text(i, mapping) for i in term.sums)
        bounds = sorted(str(sp.expand(e.xreplace(mapping))) for e in term.bounds)
        equals = sorted(
            min(str(sp.expand(sign * e.xreplace(mapping))) for sign in (1, -1)) for e in term.equals
        )
        product = str(factor.xreplace(mapping))
        keys.append((term.reduction.name, product, *sums, "|", *bounds, "|", *equals))
    return coefficient, min(keys)


def _letter(name: str) -> sp.Symbol:
    return sp.Symbol(f"_{name}", integer=True)


def _range_text(index: Index, mapping: dict[sp.Symbol, sp.Symbol]) -> str:
    limits = (e.xreplace(mapping) for e in (index.low, index.high))
    return f"{mapping[index.symbol]} {index.kind} {' '.join(map(str, limits))}"
