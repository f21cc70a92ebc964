"""The value of an expression of a claim, read as matrices: columns, rows and numbers.

A value has one axis for each letter in use, of length one where it does not depend on it, then its
rows and its columns. Products are those of matrices, and are refused where the shapes do not fit.
"""

from __future__ import annotations

import math

import numpy as np

from bptt.derive.audit.indices import (
    DERIVATIVES,
    LETTERS,
    MAX_POINTS,
    MAX_POWER,
    MAX_STEPS,
    Letters,
    along_axis,
)
from bptt.derive.audit.matrices import (
    OPERATIONS,
    ShapeError,
    Value,
    apply,
    check_invertible,
    matmul,
    sum_of,
    times,
)
from bptt.derive.audit.mentions import Mentions
from bptt.derive.errors import UserError
from bptt.derive.interpreter import Array
from bptt.derive.language import syntax
from bptt.derive.notation.plain import node_text


class Evaluator(Mentions):
    """Evaluates expressions at one instance, in one reading of what the source leaves open."""

    def value(self, node: syntax.Node, letters: Letters, depth: int) -> Value:
        """The value of a node; `depth` axes are taken by letters."""
        self.visits += 1
        if self.visits > self.most:
            raise UserError("the claim takes too long to evaluate", remedy="use smaller sums")
        match node:
            case syntax.Number(text):
                return self._constant(float(text))
            case syntax.Reference():
                return self._reference(node, letters, depth)
            case syntax.Negative(operand):
                inner = self.value(operand, letters, depth)
                return Value(-inner.array, inner.identity)
            case syntax.Transpose(operand):
                inner = self.value(operand, letters, depth)
                return Value(np.swapaxes(inner.array, -1, -2), inner.identity)
            case syntax.Part(operand, start, stop):
                return self._part(node, self.value(operand, letters, depth), start, stop)
            case syntax.Where(operand, conditions):
                inner = self.value(operand, letters, depth)
                kept = self.holds(conditions, letters)
                return Value(np.where(kept[..., None, None], inner.array, 0), inner.identity)
            case syntax.Big():
                return self._big(node, letters, depth)
            case syntax.Binary(operator, left, right):
                if operator == "**":
                    return self._power(node, letters, depth)
                first = self.value(left, letters, depth)
                second = self.value(right, letters, depth)
                return OPERATIONS[operator](node, first, second)
            case syntax.Call():
                return self._call(node, letters, depth)
            case syntax.Comparison() | syntax.Sum():
                raise UserError(
                    "a condition stands where a value should", place=node.at, remedy="put it in [ ]"
                )

    @staticmethod
    def _constant(number: float) -> Value:
        return Value(np.full((1,) * (LETTERS + 2), number))

    @staticmethod
    def _part(node: syntax.Part, inner: Value, start: int, stop: int | None) -> Value:
        axis = -2 if inner.shape[0] > 1 or inner.shape == (1, 1) else -1
        stop = start + 1 if stop is None else stop
        if stop > inner.shape[axis]:
            raise ShapeError(f"{node_text(node)} leaves a shape of {times(inner.shape)}")
        return Value(np.take(inner.array, range(start, stop), axis=axis))

    def _big(self, node: syntax.Big, letters: Letters, depth: int) -> Value:
        if node.members:
            return self._over_labels(node, letters, depth)
        if depth >= LETTERS:
            raise UserError("too many letters", place=node.at, remedy=f"at most {LETTERS} are read")
        low, high = self.limits(node, letters)
        first, last = int(low.min()), int(high.max())
        if node.kind != "sum":
            return self._product(node, letters, depth, low, high)
        count = last - first + 1
        if count <= 0:
            return self._constant(0.0)
        shapes = [n.shape for n in letters.values() if not isinstance(n, str)]
        if math.prod(np.broadcast_shapes(*shapes, (1,))) * count > MAX_POINTS:
            raise UserError("too many numbers in a sum", place=node.at, remedy="use fewer letters")
        numbers = along_axis(first, last, depth)
        inner = self.value(node.operand, {**letters, node.letter: numbers}, depth + 1)
        kept = (numbers >= low) & (numbers <= high)
        total = np.where(kept[..., None, None], inner.array, 0).sum(axis=depth, keepdims=True)
        return Value(total, inner.identity)

    def limits(self, node: syntax.Big, letters: Letters) -> tuple[Array, Array]:
        """From where to where a letter runs."""
        axis = None
        if node.low is None or node.high is None:
            axis = self.range_of(node.letter, node.operand, letters)
            if axis is None:
                raise UserError(
                    f"nothing says what the index {node.letter!r} runs over",
                    place=node.at,
                    remedy="give both its limits",
                )
        ends = []
        for limit, default in ((node.low, 0), (node.high, 1)):
            if limit is not None:
                ends.append(self.number(limit, letters))
            else:
                assert axis is not None
                ends.append(np.full((1,) * LETTERS, axis[default]))
        return ends[0], ends[1]

    def _over_labels(self, node: syntax.Big, letters: Letters, depth: int) -> Value:
        if node.kind != "sum":
            raise UserError("a product over labels", place=node.at, remedy="give it limits")
        total = self._constant(0.0)
        is_first = True
        for label in self.members(node.members, letters, node.at):
            value = self.value(node.operand, {**letters, node.letter: label}, depth)
            total = value if is_first else sum_of(node, total, value)
            is_first = False
        return total

    def _product(
        self, node: syntax.Big, letters: Letters, depth: int, low: Array, high: Array
    ) -> Value:
        """Factors in order; where a letter has no room between its limits, the identity."""
        if int(high.max()) - int(low.min()) > MAX_STEPS:
            raise UserError("too many factors", place=node.at, remedy=f"at most {MAX_STEPS}")
        found: Value | None = None
        for number in range(int(low.min()), int(high.max()) + 1):
            self.visits += 2
            at = np.full((1,) * LETTERS, number)
            inner = self.value(node.operand, {**letters, node.letter: at}, depth)
            kept = ((at >= low) & (at <= high))[..., None, None]
            rows, columns = inner.shape
            if rows != columns:
                raise ShapeError(f"a product over factors of {times(inner.shape)}")
            factor = Value(np.where(kept, inner.array, np.eye(rows)))
            pair = (found, factor) if node.kind == "rising" else (factor, found)
            found = factor if found is None else matmul(node, pair[0] or factor, pair[1] or factor)
        return found or Value(np.ones((1,) * (LETTERS + 2)), identity=True)

    def _power(self, node: syntax.Binary, letters: Letters, depth: int) -> Value:
        base = self.value(node.left, letters, depth)
        rows, columns = base.shape
        is_matrix = rows == columns and rows > 1
        if not is_matrix:
            exponent = self.value(node.right, letters, depth)
            if not exponent.is_number:
                raise ShapeError("an exponent is no number")
            # A whole number or a half of one; complex steps need no logarithm.
            return Value(np.power(_wide(base.array, exponent.array), exponent.array))
        exponents = self.number(node.right, letters)
        if abs(exponents).max() > MAX_POWER:
            raise UserError("a power too high", place=node.at, remedy=f"at most {MAX_POWER}")
        full = np.broadcast_shapes(base.array.shape[:LETTERS], exponents.shape)
        found = np.zeros((*full, rows, rows), dtype=base.array.dtype)
        for exponent in np.unique(exponents):
            if exponent < 0:
                check_invertible(base.array)
            raised = np.linalg.matrix_power(base.array, int(exponent))
            found = np.where((exponents == exponent)[..., None, None], raised, found)
        return Value(found)

    def _call(self, node: syntax.Call, letters: Letters, depth: int) -> Value:
        if node.function == "argmin":
            return self._argmin(node, letters, depth)
        size = node.arguments[0] if node.function == "ones" else None
        if isinstance(size, syntax.Reference) and size.name in self._truth.instance.sizes:
            # Of a size: a vector of as many ones.
            column = np.ones((1,) * LETTERS + (self._truth.instance.sizes[size.name], 1))
            return Value(np.swapaxes(column, -1, -2) if self._context.rows else column)
        if node.function in DERIVATIVES:
            return self._remembered(node, letters, lambda: self._derivative(node, letters, depth))
        values = [self.value(a, letters, depth) for a in node.arguments]
        return apply(node, values)


def _wide(base: Array, exponent: Array) -> Array:
    """Complex, where a negative number has a power that is not whole."""
    is_whole = np.all(np.mod(np.real(exponent), 1) == 0)
    return base if is_whole or np.all(np.real(base) >= 0) else base.astype(complex)
