"""Pictures of a run: learning curves, predictions, what residuals tell, weights."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.training.checkpoint import write_whole
from bptt.training.residuals import autocorrelation, bound, cross_correlation

# Colours that people who see few colours tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#999999"


def figure(rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (8, 4)) -> Any:
    """A figure and its axes, drawn without a screen. Raises UserError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "matplotlib is not installed", place="--plots", remedy="pip install matplotlib"
        ) from None
    made = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(made)
    axes = made.subplots(rows, columns)
    for axis in np.ravel(axes):
        axis.grid(True, color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return made, axes


def is_available() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def save(made: Any, path: Path) -> Path:
    """Write a figure as PNG, the same bytes for the same figure."""
    stream = io.BytesIO()
    made.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    write_whole(path, stream.getvalue())
    return path


def learning_curves(history: Sequence[Mapping[str, float]]) -> Any:
    """Loss, validation loss and gradient norm by step, on logarithmic axes."""
    made, (left, right) = figure(1, 2, size=(10, 3.6))
    steps = [row["step"] for row in history]
    left.plot(steps, [row["loss"] for row in history], color=BLUE, label="training")
    if any("validation" in row for row in history):
        values = [row.get("validation", np.nan) for row in history]
        left.plot(steps, values, color=ORANGE, label="validation")
        if np.isfinite(values).any():
            best = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
            left.plot(steps[best], values[best], "o", color=RED, label="lowest")
        left.legend(frameon=False)
    left.set(xlabel="step", ylabel="loss, in the network's units", yscale="log")
    right.plot(steps, [row["gradient_norm"] for row in history], color=GREEN)
    right.set(xlabel="step", ylabel="norm of the gradient", yscale="log")
    return made


def prediction(
    name: str,
    target: Any,
    series: Mapping[str, Any],
    *,
    times: Any = None,
    unit: str = "",
    xlabel: str = "step",
) -> Any:
    """A target (T,) with predictions of it by name, and their errors below."""
    made, (above, below) = figure(2, 1, size=(10, 5.4))
    times = np.arange(len(target)) if times is None else times
    above.plot(times, target, color="black", linewidth=1.6, label="measured")
    for (label, values), colour in zip(series.items(), (BLUE, RED, GREEN, ORANGE), strict=False):
        above.plot(times, values, color=colour, linewidth=1.0, label=label)
        below.plot(times, values - target, color=colour, linewidth=0.9, label=label)
    above.set(ylabel=f"{name} {unit}".strip())
    below.set(ylabel="prediction - measured", xlabel=xlabel)
    above.legend(frameon=False, ncols=4, fontsize=8, loc="best")
    return made


def correlations(name: str, residuals: Any, inputs: Mapping[str, Any], *, lags: int = 25) -> Any:
    """The residuals' autocorrelation, and their correlation with each input, (T,) by name.

    With the 95 % bounds of independent values.
    """
    lags = min(lags, len(residuals) - 1)
    made, axes = figure(1, 1 + len(inputs), size=(4 + 3.4 * len(inputs), 3.4))
    axes = np.atleast_1d(axes)
    limit = bound(len(residuals))
    _stems(axes[0], np.arange(lags + 1), autocorrelation(residuals, lags), limit)
    axes[0].set(title=f"residuals: {name}", xlabel="lag", ylabel="autocorrelation")
    for axis, (label, values) in zip(axes[1:], inputs.items(), strict=True):
        found = cross_correlation(values, residuals, lags)
        _stems(axis, np.arange(-lags, lags + 1), found, limit)
        axis.set(title=f"{label} and residuals", xlabel="lag of the residual", ylabel="correlation")
    return made


def _stems(axis: Any, lags: Any, values: Any, limit: float) -> None:
    axis.axhspan(-limit, limit, color=ORANGE, alpha=0.25, linewidth=0)
    axis.vlines(lags, 0, values, color=BLUE, linewidth=2)
    axis.axhline(0, color="black", linewidth=0.8)


def weights(before: Any, after: Mapping[str, Any]) -> Any:
    """The distribution of parameters before training and after it, by the method's name."""
    made, axes = figure(1, 1 + len(after), size=(3.4 + 3.2 * len(after), 3.2))
    for axis, (label, vector), colour in zip(
        np.atleast_1d(axes), {"before": before, **after}.items(), (GREY, BLUE, RED), strict=False
    ):
        # Bins of the bulk: single large weights would leave one bar.
        edge = max(float(np.quantile(np.abs(vector), 0.9)), 1e-12) * 1.5
        axis.hist(vector, bins=41, range=(-edge, edge), color=colour)
        size = float(np.sqrt(np.mean(np.square(vector))))
        beyond = int((np.abs(vector) > edge).sum())
        title = (
            f"{label}\nrms {size:.3g}, {beyond} beyond" if beyond else f"{label}\nrms {size:.3g}"
        )
        axis.set(xlabel="weight", ylabel="count")
        axis.set_title(title, fontsize=10)
    return made
