"""Power analysis: the seeds, or the widths, from which an interval becomes so narrow or a claim is decided.

The curve is continued as the law that it seems to obey, with the errors that the seeds show: the variance of each
width (of the widest, beyond it) and the mean correlation between widths, both in inverse proportion to the seeds. What
a sweep of that size would find is then the fit of the continued curve itself. The numbers are estimates from few seeds;
how often they are enough is in docs/statistics.md.
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


def continued(curve: LogCurve, seeds: NDArray[np.int64], doublings: int = 0, *, bends: bool) -> LogCurve:
    """Return what a sweep with other numbers of seeds, or with more widths, would be expected to find.

    Parameters
    ----------
    curve
        Log means of one observable, from at least two seeds.
    seeds
        Numbers of seeds (n,); the result has one curve for each.
    doublings
        How often the largest width is doubled beyond those measured.
    bends
        Whether the curve bends, so that it is continued with a finite-size term.

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
    mean = smoothed(curve.mean, curve.log_x, log_x, bends=bends)
    return LogCurve(log_x, np.broadcast_to(mean, (seeds.size, mean.size)), one * share[:, None, None], seeds)


def what_narrows(curve: LogCurve, half_width: float, *, bends: bool = False) -> Needed:
    """Return what makes the interval of the limit ± `half_width` or narrower, at 95 %.

    Raises
    ------
    TooFewSeedsError
        The curve has fewer than two seeds.
    """

    def enough(expected: LogCurve) -> NDArray[np.bool_]:
        limit = limit_exponent(expected)
        return np.asarray((limit.high - limit.low) / 2 <= half_width)

    return _search(curve, enough, bends)


def what_decides(curve: LogCurve, decided: Callable[[Ends, Ends], NDArray[np.bool_]], *, bends: bool) -> Needed:
    """Return what decides a claim in about 80 % of trials, if the exponent is what it seems.

    Parameters
    ----------
    curve
        Log means from at least two seeds.
    decided
        Ends (n,) of the interval of the limit and of the cautious one, to whether the claim is decided (n,).
    bends
        As for `continued`.

    Raises
    ------
    TooFewSeedsError
        The curve has fewer than two seeds.
    """

    def enough(expected: LogCurve) -> NDArray[np.bool_]:
        spare = (1 + _EIGHT_OF_TEN / t_quantile(np.asarray(expected.seeds) - 1, CONFIDENCE)) ** 2
        wider = LogCurve(expected.log_x, expected.mean, expected.covariance * spare[:, None, None], expected.seeds)
        return decided(_ends(limit_exponent(wider)), _ends(limit_exponent(wider, SLOW_CORRECTIONS, CONTRADICTION)))

    return _search(curve, enough, bends)


def _ends(limit: Limit) -> Ends:
    return limit.low, limit.high


def _search(curve: LogCurve, enough: Callable[[LogCurve], NDArray[np.bool_]], bends: bool) -> Needed:
    now = int(curve.seeds)
    # Steps of at most a tenth: a finer number would promise more than a spread from few seeds can tell.
    seeds = np.unique(np.round(now * np.geomspace(1, MOST_SEEDS, 32)).astype(np.int64))[1:]
    more = np.flatnonzero(enough(continued(curve, seeds, bends=bends)))
    largest = None
    for doublings in range(1, MOST_DOUBLINGS + 1):
        expected = continued(curve, np.array([now]), doublings, bends=bends)
        if enough(expected)[0]:
            largest = round(float(np.exp(expected.log_x[-1])), 6)
            break
    return Needed(int(seeds[more[0]]) - now if more.size else None, largest)
