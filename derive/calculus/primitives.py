"""The primitive functions: the only place where a derivative is stated rather than derived.

exp, log, sin, cos, tanh and sqrt are SymPy's own. The others are declared here, each with its
derivative in `fdiff`. Where a derivative is a function of the value, it is written with `self`
(sigmoid' = s (1 - s)), so that a forward quantity can take the place of `self`.
"""

from __future__ import annotations

import cmath
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp

Number = complex


class sigmoid(sp.Function):  # type: ignore[misc]
    """1 / (1 + exp(-x)); derivative s (1 - s)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self * (1 - self)


class softplus(sp.Function):  # type: ignore[misc]
    """log(1 + exp(x)); derivative sigmoid(x)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0])


class step(sp.Function):  # type: ignore[misc]
    """1 where x > 0, else 0; derivative 0."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class relu(sp.Function):  # type: ignore[misc]
    """max(x, 0); derivative step(relu(x)), which is step(x)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return step(self)


class leaky_relu(sp.Function):  # type: ignore[misc]
    """x where x > 0, else 0.01 x; derivative 0.01 + 0.99 step(leaky_relu(x))."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Rational(1, 100) + sp.Rational(99, 100) * step(self)


class elu(sp.Function):  # type: ignore[misc]
    """x where x > 0, else exp(x) - 1; derivative 1 + min(elu(x), 0)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 1 + negative_part(self)


class negative_part(sp.Function):  # type: ignore[misc]
    """min(x, 0); derivative 1 - step(x)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 1 - step(self.args[0])


class absolute(sp.Function):  # type: ignore[misc]
    """|x|; derivative sign(x)."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return signum(self.args[0])


class signum(sp.Function):  # type: ignore[misc]
    """-1, 0 or 1, the sign of x; derivative 0."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class huber(sp.Function):  # type: ignore[misc]
    """e^2/2 where |e| <= delta, else delta (|e| - delta/2); derivative clip(e, delta)."""

    nargs = (2,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        if argindex == 1:
            return clip(*self.args)
        raise sp.ArgumentIndexError(self, argindex)


class clip(sp.Function):  # type: ignore[misc]
    """e limited to [-delta, delta]; derivative within(e, delta)."""

    nargs = (2,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        if argindex == 1:
            return within(*self.args)
        raise sp.ArgumentIndexError(self, argindex)


class within(sp.Function):  # type: ignore[misc]
    """1 where |e| < delta, else 0; derivative 0."""

    nargs = (2,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class every(sp.Function):  # type: ignore[misc]
    """1 where the step n is a multiple of the period k, else 0; steps have no derivative."""

    nargs = (2,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


@dataclass(frozen=True)
class Primitive:
    """A primitive function, as every stage after the derivation knows it.

    `scalar` evaluates it at one real or complex number, from its definition; the branch of a
    piecewise function is taken by the real part, which makes it analytic on each piece.
    """

    name: str
    symbolic: type[sp.Function]
    scalar: Callable[..., Number]
    analytic: bool = True

    @property
    def is_unary(self) -> bool:
        """Whether it takes one argument."""
        return 1 in self.symbolic.nargs


def _sigmoid(x: Number) -> Number:
    if x.real >= 0:
        return 1 / (1 + cmath.exp(-x))
    return cmath.exp(x) / (1 + cmath.exp(x))


def _softplus(x: Number) -> Number:
    # NumPy's log1p and expm1 take complex numbers, cmath has none.
    if x.real > 0:
        return x + complex(np.log1p(cmath.exp(-x)))
    return complex(np.log1p(cmath.exp(x)))


def _clip(e: Number, delta: Number) -> Number:
    if abs(e.real) <= delta.real:
        return e
    return delta if e.real > 0 else -delta


def _huber(e: Number, delta: Number) -> Number:
    if abs(e.real) <= delta.real:
        return e * e / 2
    return delta * ((e if e.real > 0 else -e) - delta / 2)


def _elu(x: Number) -> Number:
    if x.real > 0:
        return x
    return complex(np.expm1(complex(x)))


PRIMITIVES: dict[str, Primitive] = {
    p.name: p
    for p in (
        Primitive("exp", sp.exp, cmath.exp),
        Primitive("log", sp.log, cmath.log),
        Primitive("sin", sp.sin, cmath.sin),
        Primitive("cos", sp.cos, cmath.cos),
        Primitive("tanh", sp.tanh, cmath.tanh),
        Primitive("sigmoid", sigmoid, _sigmoid),
        Primitive("softplus", softplus, _softplus),
        Primitive("step", step, lambda x: float(x.real > 0), analytic=False),
        Primitive("relu", relu, lambda x: x if x.real > 0 else 0 * x, analytic=False),
        Primitive("leaky_relu", leaky_relu, lambda x: x if x.real > 0 else x / 100, analytic=False),
        Primitive("elu", elu, _elu, analytic=False),
        Primitive("negative_part", negative_part, lambda x: x if x.real < 0 else 0 * x, False),
        Primitive("absolute", absolute, lambda x: x if x.real >= 0 else -x, analytic=False),
        Primitive("signum", signum, lambda x: float((x.real > 0) - (x.real < 0)), analytic=False),
        Primitive("huber", huber, _huber, analytic=False),
        Primitive("clip", clip, _clip, analytic=False),
        Primitive("every", every, lambda n, k: float(round(n.real) % round(k.real) == 0)),
        Primitive("within", within, lambda e, d: float(abs(e.real) < d.real), analytic=False),
    )
}


def primitive_of(call: sp.Function) -> Primitive:
    """The table's entry for an applied SymPy function. Raises KeyError for any other function."""
    return PRIMITIVES[type(call).__name__]
