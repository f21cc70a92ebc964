"""Functions whose source generated modules carry, as far as they need them.

They neither overflow nor lose digits; a complex number takes the branch of its real part, which
keeps each of them analytic on its pieces. NumPy only: what stands here must stand alone.
"""

# mypy: ignore-errors

import numpy as np


def _rows(x):
    """(..., width) as a matrix with one row for each step and sequence."""
    return x.reshape(-1, x.shape[-1])


def _extended(steps, shape, before, rows_before, after, rows_after, dtype):
    """Zeros for some steps, with the given values before the first and after the last."""
    found = np.zeros((rows_before + steps + rows_after, *shape), dtype)
    if before is not None:
        found[:rows_before] = before
    if after is not None:
        found[rows_before + steps :] = after
    return found


def _sigmoid(x, out=None):
    """1 / (1 + exp(-x))."""
    if np.iscomplexobj(x):
        e = np.exp(np.where(x.real > 0, -x, x))
        return np.divide(np.where(x.real > 0, 1, e), 1 + e, out=out)
    e = np.empty_like(x) if out is None else out
    np.negative(x, out=e)
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


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)


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
