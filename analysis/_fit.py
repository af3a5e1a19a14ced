"""Power-law fits along an axis: the exponent in the limit, and the exponent at the values measured (theory.md §6)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._averages import log_averages, why_no_interval
from sweepengine.analysis._constants import CONFIDENCE, CONTRADICTION, MIN_WIDTHS
from sweepengine.analysis._errors import TooFewWidthsError
from sweepengine.analysis._finite_size import FiniteSize, fit_finite_size
from sweepengine.analysis._jackknife import Estimate, estimate, t_quantile
from sweepengine.analysis._limit import CORRECTIONS, SLOW_CORRECTIONS, LogCurve, limit_exponent
from sweepengine.analysis._models import ModelFit, compare_models
from sweepengine.analysis._ranges import CURVATURE, LOG_A, P, first_straight, scan
from sweepengine.analysis._simultaneous import sidak, simultaneous

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average, Curves

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
        """What a power law, finite-size terms and an offset predict for the widest left out, the best prediction first."""
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
        """The exponent −p of m in the limit, which is the number that theory.md §4 states."""
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
        p_limit, p_cautious = _limits(self.curve, sidak(rows), sidak(rows, CONTRADICTION))[:2]
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


def fit_scaling(
    curves: Curves, *, average: Average = "mean_of_norms", drop: bool = True, confidence: float = CONFIDENCE
) -> ScalingFit:
    """Find the exponent of E_seed Q along an axis, in the limit and at these widths, with intervals over seeds.

    A replicate is the whole curve of one seed, so the intervals respect the correlation between widths that nested
    initialisations cause. The exponent in the limit allows for finite-size terms; that at these widths is the slope of
    log E Q by least squares. The rule for small widths of the latter: while the 99 % interval of the curvature excludes 0 and more than
    four widths remain, the smallest width is dropped. The widths kept are the first straight range; or they are the
    four largest widths, and then the fit may still `bends`.

    Parameters
    ----------
    curves
        The balanced observable: (S, M) norms, or (S, M, K) vectors for `norm_of_means`. The limit is that of a growing
        axis; for one that goes to 0, such as a step size, pass its inverse.
    average
        `mean_of_norms`: E_s Q. `norm_of_means`: ‖E_s v‖, the root of the unbiased estimate
        (‖Σ v‖² − Σ ‖v‖²)/(S(S−1)), which subtracts variance/S; without this the norm has the floor m^{−1/2}S^{−1/2}.
    drop
        Whether the smallest widths may be dropped.
    confidence
        Coverage of every interval but that of `p_cautious`.

    Returns
    -------
    ScalingFit
        Where there are too few seeds for intervals, they are NaN and `why_no_interval` gives the reason.

    Raises
    ------
    TooFewWidthsError
        There are fewer than three widths.
    TooFewSeedsError
        There is no seed, or fewer than two for `norm_of_means`.
    InvalidObservableError
        A norm is not positive and finite, `mean_of_norms` got vectors, or the seeds cannot tell a mean from 0.
    ContractError
        `norm_of_means` got norms in place of vectors.

    Notes
    -----
    docs/statistics.md has the measured coverage; `benchmarks/coverage.py` measures it.
    """
    if curves.widths.size < MIN_WIDTHS:
        raise TooFewWidthsError(
            f"Found {curves.widths.size} values of {curves.axis}; a power law needs at least {MIN_WIDTHS}: add some."
        )
    full, left_out = log_averages(curves, average)
    log_m = np.log(curves.widths.astype(np.float64))
    stats, left_stats, straight = scan(full, left_out, log_m)
    k = int(first_straight(straight)) if drop else 0

    def at(which: int, first: int) -> Estimate:
        return estimate(stats[first, which], left_stats[:, first, which], confidence)

    curve = LogCurve.from_replicates(log_m, full, left_out)
    p_limit, p_cautious, first, explained = _limits(curve, confidence, CONTRADICTION)
    widths = tuple(w.item() for w in curves.widths)
    return ScalingFit(
        axis=curves.axis,
        average=average,
        widths=widths,
        means=tuple(float(q) for q in np.exp(full)),
        p_limit=p_limit,
        p_cautious=p_cautious,
        limit_widths=widths[first:],
        explained=explained,
        dropped=widths[:k],
        seeds=tuple(int(s) for s in curves.seeds),
        seeds_left_out=curves.left_out,
        p=at(P, k),
        amplitude=at(LOG_A, k).exponential(),
        curvature=at(CURVATURE, k),
        bends=not straight[k],
        p_all=at(P, 0),
        curvature_all=at(CURVATURE, 0),
        why_no_interval="" if left_out.shape[0] else why_no_interval(curves, average),
        curve=curve,
        left_out=left_out,
        confidence=confidence,
    )


def _limits(curve: LogCurve, confidence: float, cautious: float) -> tuple[Estimate, Estimate, int, bool]:
    """The exponent in the limit, its cautious interval, the first width used and whether a term explains the curve."""
    limit = limit_exponent(curve, CORRECTIONS, confidence)
    slow = limit_exponent(curve, SLOW_CORRECTIONS, cautious)
    estimates = []
    for found, level in ((limit, confidence), (slow, cautious)):
        low, high = float(found.low), float(found.high)
        se = (high - low) / 2 / float(t_quantile(max(1, int(curve.seeds) - 1), level))
        estimates.append(Estimate(float(found.value), low, high, se))
    return estimates[0], estimates[1], int(limit.first), bool(limit.explained)
