"""What is left of the data: are the residuals white, and independent of the inputs?

Ljung, "System Identification", chapter 16.6: both correlations of a model that has caught all
that the data tell stay within the bounds, but for one lag in twenty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILE = 1.959963984540054  # 95 % of a normal distribution lie within


def autocorrelation(residuals: Any, lags: int) -> Any:
    """r(k) = sum_t e(t) e(t+k) / sum_t e(t)^2 for k = 0..lags, of (T,) with its mean taken off."""
    return cross_correlation(residuals, residuals, lags)[lags:]


def cross_correlation(inputs: Any, residuals: Any, lags: int) -> Any:
    """r(k) = sum_t u(t) e(t+k) / sqrt(sum u^2 sum e^2) for k = -lags..lags, means taken off.

    At positive k the residual comes after the input: the network has missed something of it. At
    negative k the output acts on the input: feedback.
    """
    u, e = (np.asarray(a, float) - np.mean(a) for a in (inputs, residuals))
    if len(u) != len(e) or not 0 <= lags < len(u):
        raise ValueError(f"{len(u)} and {len(e)} values do not have {lags} lags")
    scale = np.sqrt((u @ u) * (e @ e))
    sums = [
        u[: len(u) - k] @ e[k:] if k >= 0 else u[-k:] @ e[: len(e) + k]
        for k in range(-lags, lags + 1)
    ]
    return np.array(sums) / scale if scale > 0 else np.zeros(2 * lags + 1)


def bound(steps: int) -> float:
    """The 95 % confidence bound of either correlation at one lag, for independent values."""
    return float(QUANTILE / np.sqrt(steps))


def outside_bounds(correlations: Any, steps: int) -> float:
    """The share of lags whose correlation exceeds the bound; lag 0 of an autocorrelation is to be
    left out."""
    return float(np.mean(np.abs(correlations) > bound(steps)))
