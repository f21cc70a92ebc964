"""Quantities put where they are read: fewer and longer equations, as books often have them.

d_a[t] = U.T @ d_n[t+1],  d_n[t] = d_a[t] * (1 - a[t]^2)   ->   d_a[t] = U.T @ (d_a[t+1] * ...)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import prune, substitute
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.contraction import without_deltas
from bptt.derive.calculus.quantity import Derivative, index_symbol
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import InternalError


def inlined(system: System, names: Iterable[str]) -> System:
    """The system without the equations of these quantities: their terms stand where they are read.

    A quantity must be read linearly and have sums alone on its right side.
    """
    known = {n: system.definitions[n] for n in names}
    equations = []
    for equation in system.equations:
        if equation.quantity.name in known:
            continue
        terms = tuple(t for term in equation.terms for t in _expanded(term, equation, known))
        if terms != equation.terms:
            equation = canonical(replace(equation, terms=terms))
        equations.append(equation)
    return replace(
        system,
        equations=tuple(replace(e, number=n) for n, e in enumerate(equations, 1)),
        quantities={n: q for n, q in system.quantities.items() if n not in known},
    )


def compact(system: System) -> System:
    """A system with its adjoint, the adjoints of net inputs put where they are read."""
    names = [e.quantity.name for e in system.derived if _is_pointwise_adjoint(e, system)]
    return inlined(system, names)


def _is_pointwise_adjoint(equation: Equation, system: System) -> bool:
    """Whether this is one adjoint times forward values, of a signal that has no name of its own."""
    origin = equation.quantity.origin
    if not isinstance(origin, Derivative) or len(equation.terms) != 1:
        return False
    by = system.definitions.get(origin.by)
    (term,) = equation.terms
    adjoints = [r for r in term.reads() if isinstance(system.quantity_of(r).origin, Derivative)]
    return by is not None and by.quantity.internal and not term.sums and len(adjoints) == 1


def _expanded(term: Term, equation: Equation, known: dict[str, Equation]) -> Iterator[Term]:
    """The terms that a term becomes, with all known quantities in it replaced."""
    read = next((r for r in term.reads() if name_of(r) in known), None)
    if read is None:
        yield term
        return
    slot = sp.Dummy()
    with_slot = term.factor.xreplace({read: slot})
    rest = sp.factor_terms(with_slot.diff(slot))
    if rest.has(slot) or not term.reduction.is_linear:
        raise InternalError(f"{name_of(read)} is not read linearly")
    remainder = with_slot.xreplace({slot: sp.Integer(0)})
    if remainder != 0:
        yield from _expanded(replace(term, factor=remainder), equation, known)
    definition = known[name_of(read)]
    at = {i.symbol: s for i, s in zip(definition.indices, read.indices, strict=False)}
    for inner in definition.terms:
        yield from _expanded(_substituted(term, inner, rest, at, equation), equation, known)


def _substituted(
    term: Term, inner: Term, rest: sp.Expr, at: dict[sp.Symbol, sp.Expr], equation: Equation
) -> Term:
    taken = len(term.sums) + len(equation.indices)
    fresh = {i.symbol: index_symbol(f"_{n}") for n, i in enumerate(inner.sums, taken)}
    mapping = {**at, **fresh}
    sums = term.sums + tuple(replace(i, symbol=fresh[i.symbol]) for i in inner.sums)
    bounds = (*term.bounds, *substitute(inner.bounds, mapping))
    found = without_deltas(
        Term(
            rest * inner.factor.xreplace(mapping),
            sums,
            bounds,
            (*term.equals, *substitute(inner.equals, mapping)),
            mentions=term.mentions,
        )
    )
    return replace(found, bounds=prune(found.bounds, (*equation.indices, *found.sums)))
