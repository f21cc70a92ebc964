"""Numbers in equations: exact where that is short, and never beyond what one computes with."""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp

from bptt.derive.calculus.primitives import Primitive
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Binary, Negative, Node, Number

# NumPy multiplies complex numbers up to this power; beyond, logarithms round a complex step away.
MAX_EXPONENT = 99
IN_RANGE = "use 1e-12 to 1e12"


def exact_number(text: str, at: str = "") -> sp.Expr:
    """A literal: exact where its denominator is small, else the nearest double."""
    exponent = text.lower().partition("e")[2]
    if len(exponent) > 4:  # not even worth computing
        raise UserError(f"the number {text} is out of range", place=at, remedy=IN_RANGE)
    value = Fraction(text)
    if abs(value) > 10**12 or (value and abs(value) < Fraction(1, 10**12)):
        raise UserError(f"the number {text} is out of range", place=at, remedy=IN_RANGE)
    return _number(value)


def _number(value: Fraction | float) -> sp.Expr:
    """A number: exact where its denominator is small, else the nearest double.

    Zero is exact: SymPy's zero of floating point is not equal to 0.
    """
    exact = Fraction(value)
    if exact.denominator <= 1000:
        return sp.Rational(exact.numerator, exact.denominator)
    return sp.Float(float(value))


def power_of(base: sp.Expr, exponent: sp.Expr, at: str) -> sp.Expr:
    """`base ** exponent`, where that is a number, or a power that floating point can hold."""
    if base.is_number:
        base = checked(base, at)
    if base == 0 and exponent < 0:
        raise UserError("a division by zero", place=at, remedy="divide by something else")
    if base.is_number and base != 0 and abs(math.log(abs(base)) * exponent) > 30:
        raise UserError("a number is out of range", place=at, remedy=IN_RANGE)
    return checked(base**exponent, at)


def constant_call(primitive: Primitive, argument: sp.Expr, at: str) -> sp.Expr:
    """A function of a number, as a number."""
    try:
        value = complex(primitive.scalar(complex(argument)))
    except ArithmeticError:
        value = complex("nan")
    if value.imag or not math.isfinite(value.real):
        raise UserError(
            f"{primitive.name} of a constant is not a finite real number",
            place=at,
            remedy="use numbers in range",
        )
    return _number(value.real)


def checked(value: sp.Expr, at: str) -> sp.Expr:
    """The expression; where it is a number, one that is real and of a size to compute with."""
    if any(abs(power.exp) > MAX_EXPONENT for power in value.atoms(sp.Pow) if power.exp.is_Number):
        raise UserError("an exponent is too large", place=at, remedy=f"use at most {MAX_EXPONENT}")
    if not value.is_number:
        return value
    if not (value.is_finite and value.is_real and abs(value) < 10**15):
        raise UserError(
            "a constant is not a finite real number", place=at, remedy="use numbers in range"
        )
    return value if value.is_Rational and value.q <= 10**6 else _number(float(value))


def exponent_of(node: Node) -> sp.Expr:
    """The number that an exponent says: 2, -1, 0.5, 1/2."""
    match node:
        case Number(text, at):
            return exact_number(text, at)
        case Negative(operand):
            return -exponent_of(operand)
        case Binary("/", left, right):
            return exponent_of(left) * power_of(exponent_of(right), sp.Integer(-1), node.at)
    raise UserError("an exponent is not a number", place=node.at, remedy="write x ** 2")
