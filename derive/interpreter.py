"""The reference interpreter: a system evaluated element by element, from its definition.

It knows nothing of schedules, arrays or time loops. An element of a quantity is looked up, or
it is the sum of its equation's terms over their indices, where their conditions hold; elements
are remembered. Slow and plain on purpose: it is the judge of every later stage.
"""

from __future__ import annotations

import cmath
import itertools
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.primitives import primitive_of
from bptt.derive.calculus.quantity import B, Count, Derivative, Quantity, T, time_size
from bptt.derive.calculus.system import Equation, Reach, System, Term

Array = npt.NDArray[Any]
Environment = dict[sp.Symbol, int]
Evaluate = Callable[[Environment], complex]


# What stands at the element of a quantity: its name, and the element's place.
Element = tuple[str, tuple[int, ...]]


def interpret(
    system: System,
    arrays: Mapping[str, Array],
    *,
    steps: int,
    batch: int,
    lengths: Mapping[str, int] | None = None,
    initial: Mapping[str, Array] | None = None,
    after: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """The values of every quantity that the system defines.

    `steps` is T; `lengths` gives the lengths of other axes of steps by name. `arrays` holds
    parameters, inputs, masks, targets and weights by quantity name; `initial[q]` the values of q
    before the first step, in chronological order, shape (steps, batch, width), and `after[q]`
    those after the last; zero where absent.
    """
    return Interpreter(system).values(
        arrays, steps=steps, batch=batch, lengths=lengths, initial=initial, after=after
    )


class OutsideError(IndexError):
    """An equation reads an element that no axis of the quantity has, and no initial value is."""


class Interpreter:
    """Evaluates one system again and again; what a term is, is looked up once."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._compiled: dict[str, list[_CompiledTerm]] = {}
        self._arrays: Mapping[str, Array] = {}
        self._outside: dict[str, Mapping[str, Array]] = {}
        self._env: Environment = {}
        self._extents: dict[sp.Expr, int] = {}
        self._memo: dict[Element, complex] = {}
        self._added: Mapping[Element, complex] = {}

    def values(
        self,
        arrays: Mapping[str, Array],
        *,
        steps: int,
        batch: int,
        lengths: Mapping[str, int] | None = None,
        initial: Mapping[str, Array] | None = None,
        after: Mapping[str, Array] | None = None,
        added: Mapping[Element, complex] | None = None,
        held: Mapping[Element, complex] | None = None,
        of: Collection[str] | None = None,
    ) -> dict[str, Array]:
        """As `interpret`; and `added` to the values of some elements, others `held` at a value.

        With `of` these quantities' values alone are computed, and what they need.
        What reads an element reads it with what was added: the derivative of a result by that
        number is the total derivative by the element, values held are what it holds fixed.
        """
        self._arrays = arrays
        self._outside = {"initial": initial or {}, "after": after or {}}
        env = {T: steps, B: batch, **dict(self._system.sizes)}
        env |= {time_size(n): size for n, size in (lengths or {}).items()}
        if env != self._env:
            self._env, self._extents = env, {}
        self._memo = dict(held or {})
        self._added = added or {}
        with deep_recursion():
            return {
                e.quantity.name: self._array(e)
                for e in self._system.equations
                if of is None or e.quantity.name in of
            }

    def _array(self, equation: Equation) -> Array:
        quantity = equation.quantity
        shape = [self._extent(axis.size) for axis in quantity.axes]
        values = np.zeros(shape, dtype=complex)
        order = list(itertools.product(*(range(n) for n in shape)))
        # Adjoints are asked for from their last step: recursion then stays one step deep.
        is_backward = isinstance(quantity.origin, Derivative) and not quantity.origin.forward
        for at in reversed(order) if is_backward else order:
            values[at] = self.element(quantity, at)
        return values if np.any(values.imag) else values.real

    def _extent(self, size: sp.Expr) -> int:
        if size not in self._extents:
            self._extents[size] = int(size.subs(self._env))
        return self._extents[size]

    def element(self, quantity: Quantity, at: tuple[int, ...]) -> complex:
        key = (quantity.name, at)
        if key not in self._memo:
            self._memo[key] = self._compute(quantity, at) + self._added.get(key, 0)
        return self._memo[key]

    def _compute(self, quantity: Quantity, at: tuple[int, ...]) -> complex:
        extents = [self._extent(axis.size) for axis in quantity.axes]
        outside = [n for n, place in enumerate(at) if not 0 <= place < extents[n]]
        if outside:
            return self._outside_value(quantity, at, outside, extents)
        equation = self._system.definitions.get(quantity.name)
        if equation is None:
            return complex(self._arrays[quantity.name][at])
        env = dict(self._env)
        env |= {index.symbol: n for index, n in zip(equation.indices, at, strict=True)}
        if quantity.name not in self._compiled:
            self._compiled[quantity.name] = [_CompiledTerm(self, m) for m in equation.terms]
        return sum((term.value(env) for term in self._compiled[quantity.name]), 0j)

    def _outside_value(
        self, quantity: Quantity, at: tuple[int, ...], outside: list[int], extents: list[int]
    ) -> complex:
        """A value before the first step or after the last; outside other axes there is none."""
        axis, reach = outside[0], self._system.reach.get(quantity.name, Reach())
        if at[axis] < 0:
            given, row = self._outside["initial"].get(quantity.name), at[axis] + reach.before
        else:
            given, row = self._outside["after"].get(quantity.name), at[axis] - extents[axis]
        rows = reach.before if at[axis] < 0 else reach.after
        if outside != [quantity.time_axis] or not 0 <= row < rows:
            raise OutsideError(f"{quantity.name} is read at {at}, beyond axes of {extents}")
        if given is None:
            return 0j
        return complex(given[(*at[:axis], row, *at[axis + 1 :])])

    def compile(self, expr: sp.Expr) -> Evaluate:
        """A function from index values to the value of a pointwise expression."""
        if isinstance(expr, sp.Indexed):
            quantity = self._system.quantity_of(expr)
            places = [self.compile(s) for s in self._system.subscripts(expr)]
            return lambda env: self.element(
                quantity, tuple(int(place(env).real) for place in places)
            )
        if isinstance(expr, sp.Symbol):
            symbol = expr.length if isinstance(expr, Count) else expr
            return lambda env: complex(env[symbol])
        if expr.is_Number:
            value = complex(expr)
            return lambda env: value
        parts = [self.compile(a) for a in expr.args]
        if isinstance(expr, sp.Add):
            return lambda env: sum((p(env) for p in parts), 0j)
        if isinstance(expr, sp.Mul):
            return lambda env: _product(p(env) for p in parts)
        if isinstance(expr, sp.Pow):
            base, exponent = parts
            if expr.exp == sp.Rational(1, 2):
                return lambda env: cmath.sqrt(base(env))
            if expr.exp.is_Integer:
                whole = int(expr.exp)
                return lambda env: base(env) ** whole
            return lambda env: base(env) ** exponent(env)
        scalar = primitive_of(expr).scalar
        return lambda env: complex(scalar(*(p(env) for p in parts)))


class _CompiledTerm:
    """A term with its expression and its conditions turned into functions of the indices."""

    def __init__(self, evaluation: Interpreter, term: Term) -> None:
        self._term = term
        self._factor = evaluation.compile(term.factor)
        self._bounds = [evaluation.compile(e) for e in term.bounds]
        self._equals = [evaluation.compile(e) for e in term.equals]
        self._ranges = [(i.symbol, *_range(evaluation, i)) for i in term.sums]

    def value(self, env: Environment) -> complex:
        summands = [self._factor(point) for point in self._points(env)]
        return self._term.reduction.scalar(summands)

    def _points(self, env: Environment) -> Iterator[Environment]:
        symbols = [symbol for symbol, _, _ in self._ranges]
        spans = [
            range(int(low(env).real), int(high(env).real) + 1) for _, low, high in self._ranges
        ]
        for values in itertools.product(*spans):
            point = env | dict(zip(symbols, values, strict=True)) if symbols else env
            if all(b(point).real >= 0 for b in self._bounds) and all(
                e(point) == 0 for e in self._equals
            ):
                yield point


def _range(evaluation: Interpreter, index: Index) -> tuple[Evaluate, Evaluate]:
    return evaluation.compile(index.low), evaluation.compile(index.high)


def _product(values: Iterator[complex]) -> complex:
    product = 1 + 0j
    for value in values:
        product *= value
    return product


@contextmanager
def deep_recursion(limit: int = 20_000) -> Iterator[None]:
    """Room for functions that call themselves once for every step, or every level of a tree."""
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(max(old, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(old)
