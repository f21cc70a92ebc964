"""Equations of a system as frozen nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from bptt.codegen.nodes import (
    ONE,
    ZERO,
    Affine,
    Call,
    Condition,
    FrozenEquation,
    FrozenTerm,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Size,
    Subscript,
    Sum,
    Where,
    mapped,
)
from bptt.derive.calculus.bounds import (
    Index,
    coefficient,
    coefficients,
    expanded,
    limits,
    substitute,
)
from bptt.derive.calculus.order import addends, split_quotient, split_sign
from bptt.derive.calculus.primitives import PRIMITIVES, primitive_of
from bptt.derive.calculus.quantity import B, Count
from bptt.derive.calculus.system import Equation, System, Term, calls, name_of
from bptt.derive.errors import InternalError


def guarded(node: Node, conditions: tuple[Condition, ...]) -> Node:
    """The node with functions kept from what they would be given outside the conditions."""
    kept = mapped(node, lambda child: guarded(child, conditions))
    if isinstance(kept, Call) and (safe := PRIMITIVES[kept.function].safe) is not None:
        (argument,) = kept.arguments
        return Call(kept.function, (Where(conditions, argument, safe),))
    return kept


def _strictest(extreme: Callable[..., Affine], places: Iterable[Affine]) -> tuple[Affine, ...]:
    """Limits without those that others exceed: of some that differ by a number, one."""
    found: dict[tuple[tuple[str, int], ...], Affine] = {}
    for place in places:
        old = found.get(place.names, place)
        found[place.names] = extreme(old, place, key=lambda p: p.constant)
    return tuple(found.values())


class Freezer:
    """Turns the equations of one system into frozen ones."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._places: dict[sp.Expr, Affine] = {}
        self._subscripts: dict[sp.Expr, Subscript] = {}
        self._range = functools.cache(self._limited)
        self._supports: dict[str, frozenset[sp.Expr]] = {}

    def equation(self, equation: Equation, step: sp.Symbol | None = None) -> FrozenEquation:
        """One equation; within a loop, `step` is the index that is one number at a time."""
        ranges = tuple(self._range(index, (), (), None) for index in equation.indices)
        terms = tuple(self.term(term, equation, step) for term in equation.terms)
        return FrozenEquation(equation.number, equation.quantity.name, ranges, terms)

    def term(self, term: Term, equation: Equation, step: sp.Symbol | None = None) -> FrozenTerm:
        """A term of an equation; `step` as for `equation`."""
        bounds, equals = list(term.bounds), list[sp.Expr]()
        same: dict[sp.Symbol, sp.Symbol] = {}
        symbols = [index.symbol for index in equation.indices if index.symbol != step]
        inside = {index.symbol for index in equation.box(term)} - {step}
        for equal in term.equals:
            equal = equal.xreplace(same)
            found = [s for s in symbols if coefficient(equal, s) != 0]
            lengths = {i.length for i in equation.indices if i.symbol in found}
            is_plain = len(lengths) == 1 and expanded(equal).as_coeff_Add()[0] == 0
            if len(found) == 2 and is_plain:
                pair = {found[1]: found[0]}
                same = {other: kept.xreplace(pair) for other, kept in same.items()} | pair
            elif len(equal.free_symbols & inside) > 1:
                bounds += [equal, -equal]
            else:
                equals.append(equal)
        factor = term.factor.xreplace(same)
        bounds, equals = ([e.xreplace(same) for e in part] for part in (bounds, equals))
        double = [e for e in bounds if len(e.free_symbols & inside) > 1]
        single = tuple(e for e in bounds if e not in double)
        is_safe = all(primitive_of(f).safe is None for f in calls(factor))
        # Zero is nothing to a sum alone.
        if step is None and is_safe and term.reduction.is_linear:
            implied = self._implied(factor)
            double = [e for e in double if e not in implied]
        ranges = {i.symbol: self._range(i, single, tuple(equals), step) for i in equation.indices}
        ranges |= {o: replace(ranges[kept], name=o.name) for o, kept in same.items()}
        pairs = tuple((kept.name, other.name) for other, kept in same.items())
        sums = [self._range(i, single, tuple(equals), step) for i in term.sums]
        conditions = tuple(self._condition(e, inside) for e in double)
        sign, factor = split_sign(factor)
        node = self.node(factor)
        if conditions:
            node = guarded(node, conditions)
        return FrozenTerm(
            sign, node, tuple(ranges.values()), tuple(sums), term.reduction, pairs, conditions
        )

    def _implied(self, factor: sp.Expr) -> set[sp.Expr]:
        """Conditions outside which a factor of the product is zero anyway."""
        found: set[sp.Expr] = set()
        for read in sp.Mul.make_args(factor):
            if isinstance(read, sp.Indexed) and name_of(read) in self._system.definitions:
                definition = self._system.definitions[name_of(read)]
                subscripts = self._system.subscripts(read)
                at = {i.symbol: s for i, s in zip(definition.indices, subscripts, strict=True)}
                found |= set(substitute(self._support(definition), at))
        return found

    def _support(self, definition: Equation) -> frozenset[sp.Expr]:
        """The conditions on its own indices that all terms of an equation have in common."""
        name = definition.quantity.name
        if name not in self._supports:
            common = []
            for term in definition.terms:
                summed = {i.symbol for i in term.sums}
                common.append(frozenset(e for e in term.bounds if not e.free_symbols & summed))
            self._supports[name] = frozenset.intersection(*common) if common else frozenset()
        return self._supports[name]

    def _condition(self, bound: sp.Expr, inside: Iterable[sp.Symbol]) -> Condition:
        held = coefficients(bound)
        counts = {s: int(held[s]) for s in inside if s in held}
        rest = bound - sum(count * symbol for symbol, count in counts.items())
        named = tuple(sorted((s.name, count) for s, count in counts.items()))
        return Condition(named, self._affine(rest))

    def _limited(
        self,
        index: Index,
        bounds: tuple[sp.Expr, ...],
        equals: tuple[sp.Expr, ...],
        step: sp.Symbol | None,
    ) -> Range:
        if index.kind == "batch":
            # B is the one size that is neither a number nor of steps; nothing restricts a batch.
            return Range(index.symbol.name, "batch", None, (ZERO,), ())
        if index.symbol == step:
            # What ties another index to the step restricts the other one.
            bounds = tuple(e for e in bounds if not self._other_indices(e, step))
            equals = tuple(e for e in equals if not self._other_indices(e, step))
        lows, highs = limits(index, bounds, equals)
        return Range(
            index.symbol.name,
            index.kind,
            self._affine(index.length),
            _strictest(max, (self._affine(low) for low in lows)),
            _strictest(min, (self._affine(high) + 1 for high in highs)),
        )

    def _other_indices(self, expr: sp.Expr, step: sp.Symbol | None) -> set[sp.Symbol]:
        known = {step, *self._system.lengths, *self._system.sizes, *self._system.free}
        return {symbol for symbol in expr.free_symbols if symbol not in known}

    def _affine(self, expr: sp.Expr) -> Affine:
        found = self._places.get(expr)
        if found is None:
            found = self._places[expr] = self._evaluated(expr)
        return found

    def _evaluated(self, expr: sp.Expr) -> Affine:
        found = ZERO
        for symbol, count in coefficients(expr).items():
            if symbol == 1:
                found += int(count)
            elif symbol in self._system.sizes:
                found += int(count) * self._system.sizes[symbol]
            else:
                found += Affine(0, ((symbol.name, int(count)),))
        return found

    def node(self, expr: sp.Expr) -> Node:
        """A pointwise expression as nodes."""
        if isinstance(expr, sp.Indexed):
            subscripts = self._system.subscripts(expr)
            return Read(name_of(expr), tuple(self._subscript(s) for s in subscripts))
        if expr.is_Rational:
            return Number(Fraction(int(expr.p), int(expr.q)))
        if expr.is_Number:
            return Number(float(expr))
        if isinstance(expr, sp.Symbol):
            return self._symbol(expr)
        if isinstance(expr, sp.Add):
            signed = [split_sign(a) for a in addends(expr, self._system.quantities)]
            return Sum(tuple(self.node(e) for _, e in signed), tuple(s for s, _ in signed))
        if isinstance(expr, sp.Mul):
            above, below = (
                tuple(n for n in map(self.node, part) if n != ONE)
                for part in split_quotient(expr, self._system.quantities)
            )
            if len(above) == 1 and not below:
                return above[0]
            return Product(above, below) if above or below else ONE
        if isinstance(expr, sp.Pow):
            if expr.exp.could_extract_minus_sign():
                return Product((), (self.node(1 / expr),))
            if not expr.exp.is_Rational:
                raise InternalError(f"the exponent {expr.exp} is not a number")
            return Power(self.node(expr.base), Fraction(int(expr.exp.p), int(expr.exp.q)))
        primitive = primitive_of(expr)
        return Call(primitive.name, tuple(self.node(a) for a in expr.args))

    def _symbol(self, symbol: sp.Symbol) -> Node:
        if symbol == B or symbol in self._system.lengths or isinstance(symbol, Count):
            return Size(symbol.name)
        if symbol in self._system.sizes:
            return Number(Fraction(self._system.size(symbol)))
        return Place(symbol.name, ZERO)

    def _subscript(self, expr: sp.Expr) -> Subscript:
        found = self._subscripts.get(expr)
        if found is None:
            found = self._subscripts[expr] = self._placed(expr)
        return found

    def _placed(self, expr: sp.Expr) -> Subscript:
        known = {*self._system.lengths, *self._system.sizes}
        symbols = [s for s in expr.free_symbols if s not in known]
        if not symbols:
            return Subscript(None, self._affine(expr))
        (symbol,) = symbols
        return Subscript(symbol.name, self._affine(expr - symbol))
