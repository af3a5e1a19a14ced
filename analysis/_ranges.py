"""Power laws through every range of widths from the k-th to the last, and the first of these ranges that is straight.

In shapes, S is the number of seeds, M that of widths, K that of ranges, and "..." any batch, such as the trials of a
simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._constants import BEND_CONFIDENCE, MIN_WIDTHS_KEPT, ROUNDING
from sweepengine.analysis._jackknife import jackknife_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

P, LOG_A, CURVATURE = range(3)
"""Rows of :func:`contrasts`."""


def contrasts(log_m: Floats) -> Floats:
    """Rows (3, M) whose products with the log means are p, log A and the curvature."""
    line = np.linalg.pinv(np.stack([np.ones_like(log_m), log_m], axis=1))
    parabola = np.linalg.pinv(np.stack([np.ones_like(log_m), log_m, log_m**2], axis=1))
    return np.stack([-line[1], line[0], parabola[2]])


def scan(full: Floats, left_out: Floats, log_m: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Fit every range of widths from the k-th to the last that keeps enough widths.

    Parameters
    ----------
    full, left_out, log_m
        Log means (..., M), log means without one seed (..., S, M), log widths (M,).

    Returns
    -------
    stats, left_stats
        The statistics of :func:`contrasts` for every range, (..., K, 3), and without one seed, (..., S, K, 3).
    straight
        (..., K), whether the 99 % interval of the curvature of the range from width k on contains 0.
    """
    m = log_m.size
    rows = np.zeros((max(1, m - MIN_WIDTHS_KEPT + 1), 3, m))
    for k in range(rows.shape[0]):
        rows[k, :, k:] = contrasts(log_m[k:])
    stats = np.einsum("...m,kcm->...kc", full, rows)
    left_stats = np.einsum("...m,kcm->...kc", left_out, rows)
    _, half = jackknife_t(np.moveaxis(left_stats[..., CURVATURE], -2, -1), BEND_CONFIDENCE)
    # A NaN half-width (one seed) shows no bend: nothing is dropped without evidence.
    return stats, left_stats, ~(np.abs(stats[..., CURVATURE]) > np.maximum(half, ROUNDING))


def first_straight(straight: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index (...) of the first straight range of (..., K); the last index where no range is straight."""
    first = np.where(straight.any(axis=-1), np.argmax(straight, axis=-1), straight.shape[-1] - 1)
    return np.asarray(first, dtype=np.intp)
