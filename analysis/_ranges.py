"""Power laws through every range of widths from the k-th to the last, and the first range that is straight.

Legend of dims: S seeds, M widths, K ranges, "..." any batch (a simulation's trials).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._constants import BEND_CONFIDENCE, MIN_WIDTHS_KEPT, SLOWEST_CORRECTION
from sweepengine.analysis._jackknife import jackknife_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

P, LOG_A, CURVATURE, P_LIMIT = range(4)
"""Rows of :func:`contrasts`."""
_ROUNDING = 1e-9
"""A curvature below this is rounding, however small its interval (seeds that agree exactly have one of length 0)."""


def contrasts(log_m: Floats) -> Floats:
    """Rows (4, M) that turn log means into p, log A, the curvature and the extrapolated exponent.

    A line's slope is the local exponent at the mean of log m, a parabola's at the largest width. If the difference to
    the limit dies out as m^−q, the two give the limit (Richardson): (p_last − r p_mean)/(1 − r), r = (m_last/m_mean)^−q.
    """
    line = np.linalg.pinv(np.stack([np.ones_like(log_m), log_m], axis=1))
    z = log_m - log_m[-1]
    parabola = np.linalg.pinv(np.stack([np.ones_like(z), z, z**2], axis=1))
    p_mean, p_last = -line[1], -parabola[1]
    r = np.exp(SLOWEST_CORRECTION * z.mean())
    return np.stack([p_mean, line[0], parabola[2], (p_last - r * p_mean) / (1 - r)])


def scan(full: Floats, left_out: Floats, log_m: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Fit every range of widths from the k-th to the last, as long as it keeps enough of them.

    Parameters
    ----------
    full, left_out, log_m
        (..., M) log means, (..., S, M) without one seed, (M,) log widths.

    Returns
    -------
    stats, left_stats, straight
        (..., K, 4), (..., S, K, 4) in the order of :func:`contrasts`, and (..., K) whether the curvature of the range
        from width k on is within its 99 % interval of 0.
    """
    m = log_m.size
    rows = np.zeros((max(1, m - MIN_WIDTHS_KEPT + 1), 4, m))
    for k in range(rows.shape[0]):
        rows[k, :, k:] = contrasts(log_m[k:])
    stats = np.einsum("...m,kcm->...kc", full, rows)
    left_stats = np.einsum("...m,kcm->...kc", left_out, rows)
    _, half = jackknife_t(np.moveaxis(left_stats[..., CURVATURE], -2, -1), BEND_CONFIDENCE)
    # A NaN half-width (one seed) shows no bend: nothing is dropped without evidence.
    return stats, left_stats, ~(np.abs(stats[..., CURVATURE]) > np.maximum(half, _ROUNDING))


def first_straight(straight: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index (...) of the first straight range of (..., K), the last range where none is."""
    first = np.where(straight.any(axis=-1), np.argmax(straight, axis=-1), straight.shape[-1] - 1)
    return np.asarray(first, dtype=np.intp)
