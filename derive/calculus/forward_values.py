"""Derivatives in forward values: where tanh(n) is known as a, its derivative reads 1 - a²."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import sympy as sp

from bptt.derive.calculus.bounds import Index, substitute
from bptt.derive.calculus.dependence import upstream
from bptt.derive.calculus.quantity import Axis
from bptt.derive.calculus.system import Equation, System, name_of, parts, reads

# A function, and the names of what it is applied to.
Kind = tuple[type[sp.Expr], frozenset[str]]


class ForwardValues:
    """The functions that a system computes, each with the quantity that holds its value."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._definitions: dict[Kind, list[Equation]] = {}
        for equation in system.equations:
            if len(equation.terms) != 1:
                continue
            (term,) = equation.terms
            is_one = term.reduction.is_linear and not term.sums
            if is_one and isinstance(term.factor, sp.Function | sp.Add):
                self._definitions.setdefault(_kind(term.factor), []).append(equation)
        self._types = tuple({function for function, _ in self._definitions})

    @classmethod
    def of(cls, system: System, names: Iterable[str]) -> ForwardValues:
        """Those that are computed with the network, or on the way to some quantities."""
        return cls(system.restricted({*system.primal.definitions, *upstream(system, names)}))

    def express(self, expr: sp.Expr, conditions: Collection[sp.Expr] = ()) -> sp.Expr:
        """The expression with every application that a quantity holds replaced by it.

        A quantity that holds a value under conditions alone stands for it under these.
        """
        if not self._definitions:
            return expr
        mapping: dict[sp.Expr, sp.Expr] = {}
        for call in (part for part in parts(expr) if isinstance(part, self._types)):
            for equation in self._definitions.get(_kind(call), ()):
                at = self._matches(equation, call)
                if at is not None and self._holds(equation, at, conditions):
                    mapping[call] = equation.lhs.xreplace(at)
                    break
        while mapping and expr.has(*mapping):
            expr = expr.xreplace(mapping)
        return expr

    @staticmethod
    def _holds(
        equation: Equation, at: Mapping[sp.Expr, sp.Expr], conditions: Collection[sp.Expr]
    ) -> bool:
        term = equation.terms[0]
        return set(substitute((*term.bounds, *term.equals), at)) <= set(conditions)

    def _matches(self, equation: Equation, call: sp.Expr) -> Mapping[sp.Expr, sp.Expr] | None:
        """The index substitution that makes the equation's right side the given call.

        Only exact time steps are matched (t to t): another step may lie outside the range in
        which the equation holds.
        """
        pattern = equation.terms[0].factor
        theirs = {name_of(read): read for read in reads(call)}
        box = {index.symbol: index for index in equation.indices}
        at: dict[sp.Expr, sp.Expr] = {}
        for read in reads(pattern):
            axes = self._system.quantity_of(read).axes
            pairs = zip(read.indices, theirs[name_of(read)].indices, strict=True)
            for axis, (mine, yours) in zip(axes, pairs, strict=False):
                if mine.is_Symbol:
                    at[mine] = yours
                    if mine in box and not self._is_within(yours, axis, box[mine]):
                        return None
        time = equation.quantity.time_axis
        if time is not None:
            now = equation.indices[time].symbol
            if at.get(now, now) != now:
                return None
        if any(index.symbol not in at for index in equation.indices):
            return None
        return at if pattern.xreplace(at) == call else None

    def _is_within(self, at: sp.Expr, axis: Axis, index: Index) -> bool:
        """Whether an index has a value at all places along an axis, or at the one that is read."""
        if axis.kind != "feature":
            return True
        size = self._system.size(index.length)
        return bool(at < size if at.is_Integer else self._system.size(axis.size) <= size)


def _kind(expr: sp.Expr) -> Kind:
    return type(expr), frozenset(map(name_of, reads(expr)))
