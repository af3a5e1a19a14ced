"""Studentised (jackknife-t) intervals over seeds, vectorised over any leading axes.

In shapes, S is the number of seeds, M that of widths, and "..." any batch, such as the trials of a simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._format import significant_text, with_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval.

    Attributes
    ----------
    value, low, high
        The estimate and the ends of its interval; the ends are NaN where there is no interval, as with one seed.
    se
        Jackknife standard error; NaN where there is no interval.
    """

    value: float
    low: float
    high: float
    se: float

    def __str__(self) -> str:
        """Show `−0.853 [−0.962, −0.521]`, with the interval's digits; without one `−0.853 [no interval]`."""
        if not self.has_interval:
            return f"{significant_text(self.value)} [no interval]"
        return with_interval(self.value, self.low, self.high)

    @property
    def has_interval(self) -> bool:
        """Whether the interval exists."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def half_width(self) -> float:
        """Half the length of the interval; NaN where there is no interval."""
        return (self.high - self.low) / 2

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the closed interval; False where no interval exists."""
        return self.low <= value <= self.high

    def negated(self) -> Estimate:
        """Return the estimate of minus the quantity, such as of the exponent of m from p of m^−p."""
        return Estimate(-self.value, -self.high, -self.low, self.se)

    def exponential(self) -> Estimate:
        """Return the estimate of e to the quantity: both ends of the interval are mapped, `se` by the delta method."""
        value = math.exp(self.value)
        return Estimate(value, math.exp(self.low), math.exp(self.high), value * self.se)

    def to_dict(self) -> dict[str, Any]:
        """Return the four numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high, "se": self.se}


def t_quantile(dof: int | NDArray[np.int64], confidence: float = CONFIDENCE) -> Floats:
    """Return the two-sided Student quantile: P(abs(T) <= q) = `confidence` at `dof` degrees of freedom, any shape."""
    from scipy import special  # the commands that print what they have kept need no quantile

    return np.asarray(special.stdtrit(np.asarray(dof, dtype=np.float64), 0.5 + confidence / 2), dtype=np.float64)


def log_means(curves: Floats) -> tuple[Floats, Floats]:
    """Log of the mean over all seeds, and log of the means over all seeds but one.

    Parameters
    ----------
    curves
        float64 (..., S, M), positive: one row for each seed.

    Returns
    -------
    full
        (..., M), log E_seed Q.
    left_out
        (..., S, M), the same without seed s; (..., 0, M) where there is only one seed.
    """
    seeds = curves.shape[-2]
    total = curves.sum(axis=-2)
    full = np.log(total / seeds)
    if seeds < 2:
        return full, np.empty((*curves.shape[:-2], 0, curves.shape[-1]))
    # Every mean is summed anew: the total minus one seed would cancel where this seed dominates.
    means_left_out = np.stack([np.delete(curves, s, axis=-2).mean(axis=-2) for s in range(seeds)], axis=-2)
    return full, np.log(means_left_out)


def jackknife_t(left_out: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the standard error and half-width of the studentised jackknife interval.

    Parameters
    ----------
    left_out
        float64 (..., S), the statistic without seed s.
    confidence
        Nominal coverage.

    Returns
    -------
    se, half_width
        (...,): se = sqrt((S−1)/S Σ_s (left_out_s − mean)²) and half_width = t_{S−1} se; NaN where S < 2.

    Notes
    -----
    Tukey 1958; Efron & Tibshirani 1993, §11; docs/statistics.md for its coverage.
    """
    seeds = left_out.shape[-1]
    if seeds < 2:
        nan = np.full(left_out.shape[:-1], np.nan)
        return nan, nan.copy()
    spread = left_out - left_out.mean(axis=-1, keepdims=True)
    se = np.sqrt((seeds - 1) / seeds * np.sum(spread**2, axis=-1))
    return se, t_quantile(seeds - 1, confidence) * se


def estimate(full: float, left_out: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """Return the :class:`Estimate` of one statistic from its value and its leave-one-seed-out values (S,)."""
    se, half = jackknife_t(left_out, confidence)
    return Estimate(float(full), float(full - half), float(full + half), float(se))
