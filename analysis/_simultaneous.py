"""Intervals and tests that hold for all rows of a table at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._jackknife import Estimate, t_quantile
from sweepengine.analysis._limit import SLOW_CORRECTIONS, limit_exponent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sweepengine.analysis._limit import LogCurve

_SMALLEST_P: Final = 1e-9
_BISECTIONS: Final = 24


def sidak(rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the coverage that each of K intervals needs, so that all cover at once with the given confidence.

    Šidák 1967: confidence^(1/K), exact for independent rows and conservative for rows that depend on each other as
    estimates of the same runs do.

    Raises
    ------
    ContractError
        There is no row, or the confidence is not between 0 and 1.
    """
    if rows < 1 or not 0 < confidence < 1:
        raise ContractError(
            f"Found {rows} rows and the confidence {confidence}; need a row and a share between 0 and 1."
        )
    return float(confidence ** (1 / rows))


def simultaneous(estimate: Estimate, dof: int, rows: int, confidence: float = CONFIDENCE) -> Estimate:
    """Return an estimate with the interval that it needs in a table of K rows.

    Parameters
    ----------
    estimate
        A number whose interval is value ± t se. For the exponent in the limit, whose interval is no such thing, call
        :meth:`ScalingFit.simultaneous`.
    dof
        Degrees of freedom of its error: seeds less one.
    rows
        Number K of rows.
    confidence
        Share of tables in which all intervals cover.
    """
    half = float(t_quantile(dof, sidak(rows, confidence))) * estimate.se
    return Estimate(estimate.value, estimate.value - half, estimate.value + half, estimate.se)


def p_value(curve: LogCurve, p: float) -> float:
    """Return the least α at which the cautious interval of the limit excludes p: the p-value of Q ~ m^−p, for `holm`.

    Parameters
    ----------
    curve
        The log means of a fit (`ScalingFit.curve`), from at least two seeds.
    p
        Claimed exponent.

    Returns
    -------
    float
        Between 1e-9 and 1, to four digits; 1 where there is no interval.
    """

    def excludes(alpha: float) -> bool:
        limit = limit_exponent(curve, SLOW_CORRECTIONS, 1 - alpha)
        return bool((limit.low > p) | (limit.high < p))

    low, high = np.log(_SMALLEST_P), 0.0
    if excludes(_SMALLEST_P):
        return _SMALLEST_P
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if excludes(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values: rejecting where they are at most α errs anywhere with probability at most α.

    Parameters
    ----------
    p_values
        float64 (K,), one for each row of the table, in any order.

    Returns
    -------
    ndarray
        float64 (K,). Holm 1979: step-down Bonferroni, valid for any dependence between the rows.

    Raises
    ------
    ContractError
        A p-value is not between 0 and 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ContractError(f"Found p-values of shape {p.shape} with some outside [0, 1]; need one share for each row.")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted
