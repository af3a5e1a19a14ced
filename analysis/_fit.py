"""Power-law fits along an axis: the exponent in the limit, and the exponent at the values measured (theory.md §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._averages import log_averages, why_no_interval
from sweepengine.analysis._constants import CONFIDENCE, CONTRADICTION, MIN_WIDTHS
from sweepengine.analysis._curves import Curves
from sweepengine.analysis._errors import ContractError, TooFewWidthsError
from sweepengine.analysis._jackknife import Estimate, estimate
from sweepengine.analysis._limit import LogCurve
from sweepengine.analysis._ranges import CURVATURE, LOG_A, P, first_straight, scan
from sweepengine.analysis._scaling_fit import ScalingFit, limits_of

if TYPE_CHECKING:
    from sweepengine.analysis._curves import Average


def fit_scaling(
    curves: Curves, *, average: Average = "mean_of_norms", drop: bool = True, confidence: float = CONFIDENCE
) -> ScalingFit:
    """Find the exponent of E_seed Q along an axis, in the limit and at these widths, with intervals over seeds.

    A replicate is the whole curve of one seed, so the intervals respect the correlation between widths that nested
    initialisations cause. The exponent in the limit allows for finite-size terms; that at these widths is the slope of
    log E Q by least squares. The rule for small widths of the latter: while the 99 % interval of the curvature excludes
    0 and more than four widths remain, the smallest width is dropped. The widths kept are the first straight range; or
    they are the four largest widths, and then the fit may still `bends`.

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
        `norm_of_means` got norms in place of vectors, or `curves` is no Curves.

    Notes
    -----
    docs/statistics.md has the measured coverage; `benchmarks/coverage.py` measures it.
    """
    if not isinstance(curves, Curves):
        raise ContractError(
            f"Found a {type(curves).__name__}; expected Curves, one quantity as a table of seeds × widths. For a "
            "sweep, `ds.sweep.fit(quantity)` makes the tables and fits each group."
        )
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
    p_limit, p_cautious, first, explained = limits_of(curve, confidence, CONTRADICTION)
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
