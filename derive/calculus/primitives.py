"""The primitive functions: the only place where a derivative is stated rather than derived.

exp, log, sin, cos, tanh and sqrt are SymPy's own. The others are declared here, each with its
derivative. Where that is a function of the value, it is written with the function as it is applied
(sigmoid' = f (1 - f)), so that a forward quantity can take its place.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import cmath
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

Number = complex


def declared(name: str, slope: Callable[[sp.Function], sp.Expr], arguments: int = 1) -> Any:
    """A function that SymPy has not, and its derivative by the first argument.

    `slope` makes the derivative of the function as it is applied.
    """

    def fdiff(self: sp.Function, argindex: int = 1) -> sp.Expr:
        if argindex != 1:
            raise sp.ArgumentIndexError(self, argindex)
        return slope(self)

    about = {"nargs": (arguments,), "fdiff": fdiff, "__module__": __name__}
    return type(name, (sp.Function,), about)


def flat(_f: sp.Function) -> sp.Expr:
    """The derivative of what is constant piece by piece."""
    return sp.Integer(0)


# 1 / (1 + exp(-x)), and log(1 + exp(x)).
sigmoid = declared("sigmoid", lambda f: f * (1 - f))
softplus = declared("softplus", lambda f: sigmoid(f.args[0]))
# 1 where x > 0, else 0; -1, 0 or 1, the sign of x; 1 where x = 0, else 0.
step = declared("step", flat)
signum = declared("signum", flat)
is_zero = declared("is_zero", flat)
# max(x, 0), of which a step is that of x; x where x > 0, else 0.01 x; min(x, 0).
relu = declared("relu", step)
leaky_relu = declared("leaky_relu", lambda f: sp.Rational(1, 100) + sp.Rational(99, 100) * step(f))
negative_part = declared("negative_part", lambda f: 1 - step(f.args[0]))
# x where x > 0, else exp(x) - 1.
elu = declared("elu", lambda f: 1 + negative_part(f))
# |x|, and x / (1 + |x|).
absolute = declared("absolute", lambda f: signum(f.args[0]))
softsign = declared("softsign", lambda f: (1 - absolute(f)) ** 2)
# 1 where |e| < delta, else 0; e limited to [-delta, delta]; e²/2 where |e| <= delta, else
# delta (|e| - delta/2).
within = declared("within", flat, 2)
clip = declared("clip", lambda f: within(*f.args), 2)
huber = declared("huber", lambda f: clip(*f.args), 2)
# 1 where the step n is a multiple of the period k, else 0.
every = declared("every", flat, 2)


@dataclass(frozen=True)
class Primitive:
    """A primitive function: all that any stage knows of it.

    `scalar` evaluates it at one real or complex number, from its definition; the branch of a
    piecewise function is taken by the real part, which makes it analytic on each piece; `array`
    does so for arrays, NumPy's own function or one whose source modules carry. It is
    printed as `text`; what is `elementwise` a user may write so, the rest is what derivatives and
    losses need. A `latex` operator has a command of its own. Where a condition excludes an
    argument, a function that may overflow there, or has no value, is given `safe` in its place.
    `c` is its value in C, in the arguments of `array` (x for NumPy's own), with other primitive
    functions behind an @ and those of math.h in @MATH; none where C code is kept for it.
    """

    symbolic: type[sp.Function]
    scalar: Callable[..., Number]
    array: Callable[..., Any]
    analytic: bool = True
    text: str = ""
    elementwise: bool = False
    latex: bool = False
    safe: int | None = None
    c: str = ""

    @property
    def name(self) -> str:
        """What the project calls it."""
        return self.symbolic.__name__

    @property
    def source(self) -> str:
        """What modules call: `np.tanh`, `_sigmoid`."""
        return f"np.{self.array.__name__}" if self.is_numpy else f"_{self.name}"

    @property
    def is_numpy(self) -> bool:
        """Whether NumPy has it; it then writes to an array that it is given."""
        return isinstance(self.array, np.ufunc)

    @property
    def has_out(self) -> bool:
        """Whether it writes to an array that it is given as `out`."""
        return self.is_numpy or "out" in inspect.signature(self.array).parameters

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments."""
        known = () if self.is_numpy else inspect.signature(self.array).parameters
        return tuple(n for n in known if n != "out") or ("x",)

    @property
    def is_unary(self) -> bool:
        """Whether it takes one argument."""
        return 1 in self.symbolic.nargs

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text or self.name)


def at_a_number(function: Callable[[Number], Number]) -> Callable[[Number], Number]:
    """A function of cmath; where it has no value it raises what a division by zero raises."""

    def scalar(x: Number) -> Number:
        try:
            return function(x)
        except ValueError:
            raise ZeroDivisionError(f"{function.__name__}({x}) has no value") from None

    return scalar


def scalar_sigmoid(x: Number) -> Number:
    if x.real >= 0:
        return 1 / (1 + cmath.exp(-x))
    return cmath.exp(x) / (1 + cmath.exp(x))


def scalar_softplus(x: Number) -> Number:
    # NumPy's log1p and expm1 take complex numbers, cmath has none.
    if x.real > 0:
        return x + complex(np.log1p(cmath.exp(-x)))
    return complex(np.log1p(cmath.exp(x)))


def scalar_clip(e: Number, delta: Number) -> Number:
    if abs(e.real) <= delta.real:
        return e
    return delta if e.real > 0 else -delta


def scalar_huber(e: Number, delta: Number) -> Number:
    if abs(e.real) <= delta.real:
        return e * e / 2
    return delta * ((e if e.real > 0 else -e) - delta / 2)


def scalar_softsign(x: Number) -> Number:
    return x / (1 + scalar_absolute(x))


def scalar_absolute(x: Number) -> Number:
    return x if x.real >= 0 else -x


def scalar_relu(x: Number) -> Number:
    return x if x.real > 0 else 0 * x


def scalar_leaky_relu(x: Number) -> Number:
    return x if x.real > 0 else x / 100


def scalar_negative_part(x: Number) -> Number:
    return x if x.real < 0 else 0 * x


def scalar_signum(x: Number) -> Number:
    return float((x.real > 0) - (x.real < 0))


def scalar_elu(x: Number) -> Number:
    if x.real > 0:
        return x
    return complex(np.expm1(complex(x)))


# The primitive functions of arrays, as generated modules carry them: they neither overflow nor
# lose digits, a complex number takes the branch of its real part, and they need NumPy alone.


def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    if np.iscomplexobj(x):
        e = np.exp(np.where(x.real > 0, -x, x))
        return np.divide(np.where(x.real > 0, 1, e), 1 + e, out=out)
    e = np.empty_like(x) if out is None else out
    np.subtract(0, x, out=e)  # np.negative errs where both step through memory by 64 bytes
    # exp overflows beyond this; where x lies further out the value is below the tiniest number.
    np.minimum(e, 88 if e.dtype == np.float32 else 709, out=e)
    np.exp(e, out=e)
    e += 1
    return np.reciprocal(e, out=e)


def _softplus(x):
    """log(1 + exp(x))."""
    if np.iscomplexobj(x):
        return np.where(x.real > 0, x, 0) + np.log1p(np.exp(np.where(x.real > 0, -x, x)))
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _every(n, period):
    """1 at the steps that are multiples of the period, else 0."""
    if np.ndim(n) == 0:
        return float(n % period == 0)
    return (n.real % period == 0).astype(n.dtype)


def _step(x):
    """1 where x > 0, else 0."""
    return (x.real > 0).astype(x.dtype)


def _relu(x):
    """max(x, 0)."""
    return np.where(x.real > 0, x, 0)


def _leaky_relu(x):
    """x where x > 0, else 0.01 x."""
    return np.where(x.real > 0, x, 0.01 * x)


def _elu(x):
    """x where x > 0, else exp(x) - 1."""
    return np.where(x.real > 0, x, np.expm1(np.where(x.real > 0, 0, x)))


def _negative_part(x):
    """min(x, 0)."""
    return np.where(x.real < 0, x, 0)


def _absolute(x):
    """|x|."""
    return np.where(x.real >= 0, x, -x)


def _signum(x):
    """The sign of x: -1, 0 or 1."""
    return np.sign(x.real).astype(x.dtype)


def _huber(e, delta):
    """e^2/2 where |e| <= delta, else delta (|e| - delta/2)."""
    size = np.where(e.real > 0, e, -e)
    inner = np.where(size.real <= delta, size, delta)
    return inner * (size - inner / 2)


def _clip(e, delta):
    """e limited to [-delta, delta]."""
    return np.where(np.abs(e.real) <= delta, e, delta * np.sign(e.real))


def _within(e, delta):
    """1 where |e| < delta, else 0."""
    return (np.abs(e.real) < delta).astype(e.dtype)


def _is_zero(x):
    """1 where x = 0, else 0."""
    return (x.real == 0).astype(x.dtype)


def _softsign(x):
    """x / (1 + |x|)."""
    return x / (1 + np.where(x.real >= 0, x, -x))


PRIMITIVES: dict[str, Primitive] = {
    p.name: p
    for p in (
        Primitive(sp.exp, at_a_number(cmath.exp), np.exp, elementwise=True, latex=True, safe=1),
        Primitive(
            sp.log,
            at_a_number(cmath.log),
            np.log,
            elementwise=True,
            latex=True,
            safe=1,
            c="@MATH(log)(x)",
        ),
        Primitive(
            sp.sin,
            at_a_number(cmath.sin),
            np.sin,
            elementwise=True,
            latex=True,
            c="@MATH(sin)(x)",
        ),
        Primitive(
            sp.cos,
            at_a_number(cmath.cos),
            np.cos,
            elementwise=True,
            latex=True,
            c="@MATH(cos)(x)",
        ),
        Primitive(sp.tanh, at_a_number(cmath.tanh), np.tanh, elementwise=True, latex=True),
        Primitive(sigmoid, scalar_sigmoid, _sigmoid, elementwise=True),
        Primitive(
            softplus,
            scalar_softplus,
            _softplus,
            elementwise=True,
            c="(x > 0 ? x : 0) + @MATH(log1p)(@exp(x < 0 ? x : -x))",
        ),
        Primitive(
            softsign,
            scalar_softsign,
            _softsign,
            analytic=False,
            elementwise=True,
            c="x / (1 + @absolute(x))",
        ),
        Primitive(relu, scalar_relu, _relu, analytic=False, elementwise=True, c="x > 0 ? x : 0"),
        Primitive(
            leaky_relu,
            scalar_leaky_relu,
            _leaky_relu,
            analytic=False,
            elementwise=True,
            c="x > 0 ? x : (@real)0.01 * x",
        ),
        Primitive(
            elu,
            scalar_elu,
            _elu,
            analytic=False,
            elementwise=True,
            c="x > 0 ? x : @MATH(expm1)(x)",
        ),
        Primitive(
            absolute,
            scalar_absolute,
            _absolute,
            analytic=False,
            text="abs",
            elementwise=True,
            c="x < 0 ? -x : x",
        ),
        Primitive(step, lambda x: float(x.real > 0), _step, analytic=False, c="x > 0 ? 1 : 0"),
        Primitive(
            negative_part, scalar_negative_part, _negative_part, analytic=False, c="x < 0 ? x : 0"
        ),
        Primitive(
            signum,
            scalar_signum,
            _signum,
            analytic=False,
            text="sign",
            c="(@real)((x > 0) - (x < 0))",
        ),
        Primitive(
            is_zero, lambda x: float(x.real == 0), _is_zero, analytic=False, c="x == 0 ? 1 : 0"
        ),
        Primitive(
            huber,
            scalar_huber,
            _huber,
            analytic=False,
            c="@absolute(e) <= delta ? e * e / 2 : delta * (@absolute(e) - delta / 2)",
        ),
        Primitive(
            clip,
            scalar_clip,
            _clip,
            analytic=False,
            c="@absolute(e) <= delta ? e : delta * @signum(e)",
        ),
        Primitive(
            within,
            lambda e, d: float(abs(e.real) < d.real),
            _within,
            analytic=False,
            c="@absolute(e) < delta ? 1 : 0",
        ),
        Primitive(
            every,
            lambda n, k: float(round(n.real) % round(k.real) == 0),
            _every,
            c="@MATH(fmod)(n, period) == 0 ? 1 : 0",
        ),
    )
}
# The functions of one argument that a user may write, by the names that they are written by.
ELEMENTWISE = {p.text: p for p in PRIMITIVES.values() if p.elementwise}


def primitive_of(call: sp.Function) -> Primitive:
    """The table's entry for an applied SymPy function. Raises KeyError for any other function."""
    return PRIMITIVES[type(call).__name__]
