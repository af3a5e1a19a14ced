"""Power analysis: the seeds, or the widths, from which an interval becomes so narrow or a claim is decided.

The curve is continued as the power law with the finite-size term that fits it best, with the errors that the seeds
show: the variance of each width (of the widest, beyond it) and the mean correlation between widths, both in inverse
proportion to the seeds. What a sweep of that size would find is then the fit of the continued curve itself. The term is
there even where the seeds cannot tell it from none: it makes the interval of the limit lopsided, and a straight line
would foresee one that is short on both sides. The numbers are estimates from few seeds; how often they are enough is in
docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE, CONTRADICTION
from sweepengine.analysis._errors import TooFewSeedsError
from sweepengine.analysis._jackknife import t_quantile
from sweepengine.analysis._limit import SLOW_CORRECTIONS, LogCurve, limit_exponent
from sweepengine.analysis._models import smoothed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.analysis._limit import Limit

    Floats = NDArray[np.float64]
    Ends = tuple[Floats, Floats]

MOST_SEEDS: Final = 16
"""Largest multiple of the seeds that is looked at."""
MOST_DOUBLINGS: Final = 6
"""Largest number of doublings of the largest width that are looked at."""
_EIGHT_OF_TEN: Final = 1.28
"""Standard errors that a decision needs in hand, so that it comes in 80 % of trials (90 % on each side)."""
_ENOUGH: Final = 0.8
"""Share of trials in which an answer is meant to be enough."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What is enough, each by itself; None where nothing within reach is.

    Attributes
    ----------
    seeds
        How many more seeds.
    largest
        Up to which width the axis must be continued, by doubling, with the seeds as they are.
    """

    seeds: int | None
    largest: float | None


def continued(curve: LogCurve, seeds: NDArray[np.int64], doublings: int = 0) -> LogCurve:
    """Return what a sweep with other numbers of seeds, or with more widths, would be expected to find.

    Parameters
    ----------
    curve
        Log means of one observable, from at least two seeds.
    seeds
        Numbers of seeds (n,); the result has one curve for each.
    doublings
        How often the largest width is doubled beyond those measured.

    Raises
    ------
    TooFewSeedsError
        The curve has fewer than two seeds, from which no error can be foreseen.
    """
    if int(curve.seeds) < 2:
        raise TooFewSeedsError(f"Found {int(curve.seeds)} seeds; a power analysis needs the spread of at least 2.")
    beyond = curve.log_x[-1] + np.log(2) * np.arange(1, doublings + 1)
    log_x = np.concatenate([curve.log_x, beyond])
    deviation = np.sqrt(np.maximum(np.diag(curve.covariance), 0.0))
    deviation = np.concatenate([deviation, np.full(doublings, deviation[-1])])
    total, own = curve.covariance.sum(), np.trace(curve.covariance)
    others = np.sum(np.outer(deviation, deviation)[: curve.log_x.size, : curve.log_x.size]) - own
    correlation = np.clip((total - own) / others, 0.0, 1.0) if others > 0 else 0.0
    one = np.outer(deviation, deviation) * (correlation + (1 - correlation) * np.eye(log_x.size))
    share = np.asarray(curve.seeds) / seeds
    mean = smoothed(curve.mean, curve.log_x, log_x)
    return LogCurve(log_x, np.broadcast_to(mean, (seeds.size, mean.size)), one * share[:, None, None], seeds)


def what_narrows(curve: LogCurve, half_width: float) -> Needed:
    """Return what makes the longer side of the limit's 95 % interval `half_width` or less, in about 80 % of trials.

    The error of a few seeds is itself uncertain, so the upper limit of its variance at 80 % is taken.

    Raises
    ------
    TooFewSeedsError
        The curve has fewer than two seeds.
    """
    from scipy import special  # imported here, so that a finished sweep need not wait for it

    dof = max(1, int(curve.seeds) - 1)
    larger = dof / float(special.chdtri(dof, _ENOUGH))

    def enough(expected: LogCurve) -> NDArray[np.bool_]:
        limit = limit_exponent(_with_variance(expected, np.array(larger)))
        return np.asarray(np.maximum(limit.high - limit.value, limit.value - limit.low) <= half_width)

    return _search(curve, enough)


def what_decides(curve: LogCurve, decided: Callable[[Ends, Ends], NDArray[np.bool_]]) -> Needed:
    """Return what decides a claim in about 80 % of trials, if the exponent is what it seems.

    Parameters
    ----------
    curve
        Log means from at least two seeds.
    decided
        Ends (n,) of the interval of the limit and of the cautious one, to whether the claim is decided (n,).

    Raises
    ------
    TooFewSeedsError
        The curve has fewer than two seeds.
    """

    def enough(expected: LogCurve) -> NDArray[np.bool_]:
        spare = (1 + _EIGHT_OF_TEN / t_quantile(np.asarray(expected.seeds) - 1, CONFIDENCE)) ** 2
        wider = _with_variance(expected, spare)
        return decided(_ends(limit_exponent(wider)), _ends(limit_exponent(wider, SLOW_CORRECTIONS, CONTRADICTION)))

    return _search(curve, enough)


def _with_variance(curve: LogCurve, times: Floats) -> LogCurve:
    """Curves (n,) whose variance is so many times as large; one factor, or one for each."""
    return LogCurve(curve.log_x, curve.mean, curve.covariance * times[..., None, None], curve.seeds)


def _ends(limit: Limit) -> Ends:
    return limit.low, limit.high


def _search(curve: LogCurve, enough: Callable[[LogCurve], NDArray[np.bool_]]) -> Needed:
    now = int(curve.seeds)
    # Steps of at most a tenth: a finer number would promise more than a spread from few seeds can tell.
    seeds = np.unique(np.round(now * np.geomspace(1, MOST_SEEDS, 32)).astype(np.int64))[1:]
    more = np.flatnonzero(enough(continued(curve, seeds)))
    largest, longest = None, continued(curve, np.array([now]), MOST_DOUBLINGS)
    for count in range(curve.log_x.size + 1, longest.log_x.size + 1):
        if enough(longest.since(0, count))[0]:
            largest = round(float(np.exp(longest.log_x[count - 1])), 6)
            break
    return Needed(int(seeds[more[0]]) - now if more.size else None, largest)
