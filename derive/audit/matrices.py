"""Matrices whose entries are arrays over letters, and what can be done with them.

Shapes are those of mathematics on paper: a column is no row, and a number goes with anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.interpreter import Array
from bptt.derive.language.syntax import Call, Node, children
from bptt.derive.notation.index import MEANING
from bptt.derive.notation.plain import node_text

MAX_ENTRIES = 10_000


class ShapeError(Exception):
    """Shapes that do not fit each other, with the factors and their shapes."""


@dataclass(frozen=True)
class Value:
    """An array whose last two axes are rows and columns; or a multiple of the identity."""

    array: Array
    identity: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape[-2:]

    @property
    def is_number(self) -> bool:
        return self.shape == (1, 1) and not self.identity


def scalar(array: Array) -> Value:
    return Value(array[..., None, None])


def times(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"


def _mismatch(node: Node, left: Value, right: Value, what: str) -> ShapeError:
    operands: tuple[Node, ...] = children(node)
    shapes = (left, right)
    if len(operands) >= 2:
        named = [
            f"{node_text(n)[:80]} is {times(v.shape)}"
            for n, v in zip(operands, shapes, strict=False)
        ]
        return ShapeError(f"{what}: {', '.join(named)}")
    return ShapeError(f"{what}: {times(left.shape)} and {times(right.shape)}")


def _expanded(value: Value, rows: int) -> Value:
    return Value(value.array * np.eye(rows)) if value.identity else value


def sum_of(node: Node, left: Value, right: Value, sign: int = 1) -> Value:
    if left.identity and right.identity:
        return Value(left.array + sign * right.array, True)
    if left.identity or right.identity:
        other = right if left.identity else left
        rows, columns = other.shape
        if rows != columns:
            raise ShapeError(f"the identity beside a shape of {times(other.shape)}")
        left, right = _expanded(left, rows), _expanded(right, rows)
    if left.shape != right.shape and not (left.is_number or right.is_number):
        raise _mismatch(node, left, right, "a sum of different shapes")
    return Value(left.array + sign * right.array)


def matmul(node: Node, left: Value, right: Value) -> Value:
    if left.is_number or right.is_number or left.identity or right.identity:
        both = left.identity and right.identity
        number_left = left.is_number and right.identity
        number_right = right.is_number and left.identity
        return Value(left.array * right.array, both or number_left or number_right)
    if left.shape[1] != right.shape[0]:
        raise _mismatch(node, left, right, "a product that does not conform")
    return Value(np.matmul(left.array, right.array))


def _times_elements(node: Node, left: Value, right: Value) -> Value:
    if left.is_number or right.is_number:
        return matmul(node, left, right)
    rows = max(left.shape[0], right.shape[0])
    left, right = _expanded(left, rows), _expanded(right, rows)
    if left.shape != right.shape:
        raise _mismatch(node, left, right, "an elementwise product of different shapes")
    return Value(left.array * right.array)


def _divided(node: Node, left: Value, right: Value) -> Value:
    if right.identity or not (right.is_number or left.shape == right.shape or left.is_number):
        raise _mismatch(node, left, right, "a quotient of different shapes")
    return Value(left.array / right.array, left.identity)


OPERATIONS: dict[str, Callable[[Node, Value, Value], Value]] = {
    "+": sum_of,
    "-": lambda node, left, right: sum_of(node, left, right, -1),
    "*": _times_elements,
    "@": matmul,
    "/": _divided,
}


def check_invertible(array: Array) -> None:
    if np.any(abs(np.linalg.det(array)) < 1e-12):
        raise ShapeError("a matrix without an inverse")


def _vector(node: Call, value: Value) -> Array:
    if 1 not in value.shape:
        raise ShapeError(f"{node.function} of a shape of {times(value.shape)}")
    return value.array


def _square(node: Call, value: Value) -> Array:
    if value.shape[0] != value.shape[1]:
        raise ShapeError(f"{node.function} of a shape of {times(value.shape)}")
    return value.array


def _softmax(node: Call, value: Value) -> Array:
    array = _vector(node, value)
    weights = np.exp(array - np.real(array).max(axis=(-1, -2), keepdims=True))
    return np.asarray(weights / weights.sum(axis=(-1, -2), keepdims=True))


def _diag(node: Call, value: Value) -> Array:
    array = _vector(node, value)
    _check_size(math.prod(value.shape) ** 2)
    flat = array.reshape((*array.shape[:-2], -1))
    return np.asarray(flat[..., None] * np.eye(flat.shape[-1]))


def _check_size(count: int) -> None:
    if count > MAX_ENTRIES:
        raise UserError(
            f"a matrix of {count} entries", remedy=f"at most {MAX_ENTRIES} are computed"
        )


def _kron(left: Value, right: Value) -> Array:
    _check_size(math.prod(left.shape) * math.prod(right.shape))
    a, b = left.array, right.array
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    rows, columns = left.shape[0] * right.shape[0], left.shape[1] * right.shape[1]
    return product.reshape((*product.shape[:-4], rows, columns))


def _vec(value: Value) -> Array:
    turned = np.swapaxes(value.array, -1, -2)
    return turned.reshape((*turned.shape[:-2], -1, 1))


def _column(node: Call, value: Value) -> Array:
    array = _vector(node, value)
    return array.reshape((*array.shape[:-2], -1, 1))


def _dot(node: Call, left: Value, right: Value) -> Value:
    """Of two columns the scalar product, or by `mul` that of their elements; else of matrices."""
    if left.shape != right.shape or left.shape[1] != 1:
        return matmul(node, left, right)
    elements = left.array * right.array
    return Value(elements if node.function == "mul" else elements.sum((-1, -2), keepdims=True))


def _log_det(node: Call, value: Value) -> Array:
    return np.asarray(np.log(np.linalg.det(_square(node, value)))[..., None, None])


_ONE: dict[str, Callable[[Call, Value], Array]] = {
    "diag": _diag,
    "vec": lambda node, value: _vec(value),
    "sum": lambda node, value: value.array.sum(axis=(-1, -2), keepdims=True),
    "mean": lambda node, value: value.array.mean(axis=(-1, -2), keepdims=True),
    "trace": lambda node, value: np.trace(_square(node, value), axis1=-2, axis2=-1)[
        ..., None, None
    ],
    "det": lambda node, value: np.linalg.det(_square(node, value))[..., None, None],
    "logdet": _log_det,
    "softmax": _softmax,
    "log_softmax": lambda node, value: np.log(_softmax(node, value)),
    "ones": lambda node, value: np.ones_like(value.array),
    "norm": lambda node, value: np.sqrt((value.array**2).sum(axis=(-1, -2), keepdims=True)),
    "sqrt": lambda node, value: np.sqrt(value.array),
    "abs": lambda node, value: np.where(np.real(value.array) < 0, -value.array, value.array),
}
_NUMPY = {"exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh}


def _inverse(node: Call, value: Value) -> Value:
    if value.identity or value.is_number:
        return Value(1 / value.array, value.identity)
    check_invertible(_square(node, value))
    return Value(np.linalg.inv(value.array))


def apply(node: Call, values: list[Value]) -> Value:
    """A function of values. Raises UserError for one that is not known."""
    name = node.function
    if name in ("kron", "outer", "dot", "mul"):
        if len(values) != 2:
            raise UserError(f"{name} takes two", place=node.at, remedy="give it two")
        if name == "kron":
            return Value(_kron(*values))
        if name in ("dot", "mul"):
            return _dot(node, *values)
        _check_size(math.prod(math.prod(v.shape) for v in values))
        left, right = (_column(node, v) for v in values)
        return Value(np.matmul(left, np.swapaxes(right, -1, -2)))
    if len(values) != 1:
        raise UserError(f"{name} takes one argument", place=node.at, remedy="give it one")
    (value,) = values
    if name == "inv":
        return _inverse(node, value)
    if name in _ONE:
        return Value(_ONE[name](node, value))
    stem, is_derivative = name.removesuffix("'"), name.endswith("'")
    stem = MEANING.get(stem, stem)
    if stem not in PRIMITIVES or not PRIMITIVES[stem].is_unary:
        if stem in PRIMITIVES:
            raise UserError(
                f"{name} takes more than one argument", place=node.at, remedy="write it out"
            )
        known = (*PRIMITIVES, *_ONE, "inv", "kron", "outer", "dot", "total", "explicit")
        raise UserError(
            f"there is no function {shown(name)}{did_you_mean(name, known)}",
            place=node.at,
            remedy="use one that is known",
        )
    if not is_derivative:
        return Value(_elementwise(stem, value.array))
    if np.iscomplexobj(value.array):
        raise ShapeError(f"{name} within a derivative")
    moved = _elementwise(stem, value.array + 1e-30j)
    return Value(np.imag(moved) / 1e-30)


def _elementwise(name: str, array: Array) -> Array:
    if name in _NUMPY:
        return np.asarray(_NUMPY[name](array))
    found = np.vectorize(PRIMITIVES[name].scalar, otypes=[complex])(array)
    return np.asarray(found if np.iscomplexobj(array) else found.real)
