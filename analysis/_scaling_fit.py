"""The result of a power-law fit along an axis (theory.md §6); :mod:`sweepengine.analysis._fit` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE, CONTRADICTION
from sweepengine.analysis._finite_size import FiniteSize, fit_finite_size
from sweepengine.analysis._jackknife import Estimate, t_quantile
from sweepengine.analysis._limit import CORRECTIONS, SLOW_CORRECTIONS, LogCurve, limit_exponent
from sweepengine.analysis._models import ModelFit, compare_models
from sweepengine.analysis._simultaneous import sidak, simultaneous

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScalingFit:
    """The power law A m^−p of one observable in one group of runs, along the width m or another axis.

    Attributes
    ----------
    axis
        Name of the axis; the others below speak of widths whatever it is.
    average
        What was averaged over seeds, `mean_of_norms` or `norm_of_means`; the two scale differently.
    widths, means
        All widths (M,), and the averages over seeds at these widths (M,), in the observable's unit.
    p_limit
        Exponent in the limit m → ∞, with an interval that is honest for it: it allows for every finite-size term
        A m^−p (1 + B m^−q), 1/2 ≤ q ≤ 1, that changes Q at the smallest width by a factor of at most 2.5
        (:mod:`sweepengine.analysis._limit`). The headline, and what a claim is about.
    p_cautious
        The same at 99 %, with terms as slow as q = 1/4: a claim is contradicted only outside this interval.
    limit_widths
        The widths from which the limit is found: the smallest ones are left out while they refute every term.
    explained
        Whether some finite-size term describes these widths. If not, the limit is unknown, and nothing is decided.
    dropped
        The smallest widths, which the straight line leaves out by the rule of :func:`fit_scaling`.
    seeds, seeds_left_out
        Seeds that the fit uses, which are present at every width; and seeds that are present at some widths only.
    p, amplitude
        Exponent and prefactor AT THESE WIDTHS, those kept: a straight line, whose interval says nothing of the limit.
    curvature
        Residual trend: the coefficient of (log m)² in a parabola through the widths kept; 0 for a pure power law.
    bends
        Whether the trend is more than noise: the 99 % interval of the curvature excludes 0.
    p_all, curvature_all
        `p` and `curvature` of a line through all widths.
    why_no_interval
        The reason why the intervals are NaN; empty where they are not.
    curve, left_out
        The log means with their covariance, and the log means without each seed (S, M), for intervals at other levels
        and for other models.
    confidence
        Coverage of the intervals.
    """

    axis: str
    average: Average
    widths: tuple[float, ...]
    means: tuple[float, ...]
    p_limit: Estimate
    p_cautious: Estimate
    limit_widths: tuple[float, ...]
    explained: bool
    dropped: tuple[float, ...]
    seeds: tuple[int, ...]
    seeds_left_out: tuple[int, ...]
    p: Estimate
    amplitude: Estimate
    curvature: Estimate
    bends: bool
    p_all: Estimate
    curvature_all: Estimate
    why_no_interval: str
    curve: LogCurve = field(repr=False, compare=False)
    left_out: Floats = field(repr=False, compare=False)
    confidence: float = CONFIDENCE

    @cached_property
    def models(self) -> tuple[ModelFit, ...]:
        """What a power law, finite-size terms and an offset predict for the widest left out, the best first."""
        return compare_models(self.curve.mean, self.left_out, self.curve.log_x, self.confidence)

    @cached_property
    def finite_size(self) -> FiniteSize:
        """The fit A m^−p (1 + b (m/m_min)^−q) through all widths, or the reason why it is not identified."""
        bends = self.bends or bool(self.dropped)
        return fit_finite_size(
            self.curve.mean, self.left_out, self.curve.log_x, bends=bends, confidence=self.confidence
        )

    @property
    def exponent(self) -> Estimate:
        """The exponent −p of m in the limit, which is the number that theory.md §7 states."""
        return self.p_limit.negated()

    @property
    def exponent_at_these_widths(self) -> Estimate:
        """The exponent −p of m at the widths kept."""
        return self.p.negated()

    @property
    def kept(self) -> tuple[float, ...]:
        """The widths through which the straight line is fitted."""
        return self.widths[len(self.dropped) :]

    def predict(self, width: Floats) -> Floats:
        """Return the straight line A m^−p at the given widths, any shape."""
        return np.asarray(self.amplitude.value * width**-self.p.value, dtype=np.float64)

    def simultaneous(self, rows: int) -> ScalingFit:
        """Return the fit with the intervals of p, p_limit and p_cautious that K rows of a table need (Šidák).

        Parameters
        ----------
        rows
            Number K of rows whose intervals are to cover at once as often as a single one does now.
        """
        if not self.p.has_interval:
            return self
        p = simultaneous(self.p, len(self.seeds) - 1, rows)
        p_limit, p_cautious = limits_of(self.curve, sidak(rows), sidak(rows, CONTRADICTION))[:2]
        return replace(self, p=p, p_limit=p_limit, p_cautious=p_cautious)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and strings (NaN where there is no interval)."""
        return self.law() | {
            "models": [model.to_dict() for model in self.models],
            "finite_size": self.finite_size.to_dict(),
        }

    def law(self) -> dict[str, Any]:
        """Return the same without the models beside the power law, which take longer than the law."""
        return {
            "model": "A m^-p",
            "axis": self.axis,
            "average": self.average,
            "p_limit": self.p_limit.to_dict(),
            "exponent_of_m": self.exponent.to_dict(),
            "p_cautious": self.p_cautious.to_dict(),
            "limit_widths": list(self.limit_widths),
            "explained": self.explained,
            "p": self.p.to_dict(),
            "exponent_of_m_at_these_widths": self.exponent_at_these_widths.to_dict(),
            "amplitude": self.amplitude.to_dict(),
            "curvature": self.curvature.to_dict(),
            "bends": self.bends,
            "p_all_widths": self.p_all.to_dict(),
            "curvature_all_widths": self.curvature_all.to_dict(),
            "widths": list(self.widths),
            "means": list(self.means),
            "widths_dropped": list(self.dropped),
            "seeds": list(self.seeds),
            "seeds_left_out": list(self.seeds_left_out),
            "why_no_interval": self.why_no_interval,
        }


def limits_of(curve: LogCurve, confidence: float, cautious: float) -> tuple[Estimate, Estimate, int, bool]:
    """The exponent in the limit, its cautious interval, the first width used and whether a term explains the curve."""
    limit = limit_exponent(curve, CORRECTIONS, confidence)
    slow = limit_exponent(curve, SLOW_CORRECTIONS, cautious)
    estimates = []
    for found, level in ((limit, confidence), (slow, cautious)):
        low, high = float(found.low), float(found.high)
        se = (high - low) / 2 / float(t_quantile(max(1, int(curve.seeds) - 1), level))
        estimates.append(Estimate(float(found.value), low, high, se))
    return estimates[0], estimates[1], int(limit.first), bool(limit.explained)
