"""What generated modules carry beside the primitive functions, as far as they need it.

NumPy only: what stands here must stand alone.
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


def _logsumexp(x, axis, where=True):
    """log(sum(exp(x))) where the condition holds; 0 where it holds nowhere."""
    top = x.real.max(axis, keepdims=True, initial=-np.inf, where=where)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    total = np.exp(np.where(where, x - top, -np.inf)).sum(axis)
    return np.log(np.where(total == 0, 1, total)) + top.squeeze(axis)
