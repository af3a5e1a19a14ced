"""Wasserstein-2 distances W₂ between clouds of points: by assignment, by sorting, over directions (theory.md §5.5).

The callers choose the method, and how much memory it may take.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EXACT_COUNT = 4000
"""Most points whose optimal assignment is affordable: between unrelated clouds of so many points in R³ it takes 4 s."""


def exact_bytes(count: int) -> int:
    """Bytes that the assignment between two clouds of ``count`` points needs: the float64 costs."""
    return 8 * count * count


def exact_seconds(count: int) -> float:
    """Estimated seconds of the assignment between two unrelated clouds of ``count`` points, on one thread.

    0.9 to 1.8 of what was measured from 100 to 4000 points, twice that of 50, which is 0.1 ms.
    """
    return 2.8e-8 * count**2 + 5.5e-11 * count**3


def assignment(x: Floats, y: Floats) -> tuple[float, NDArray[np.intp]]:
    """W₂ between two clouds of equally many points, by the optimal assignment of points to points.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n, p)

    Returns
    -------
    distance : float
    matching : ndarray of intp, shape (n,)
        Point k of x is assigned to point matching[k] of y.
    """
    from scipy.optimize import linear_sum_assignment  # half a second, which every worker would spend
    from scipy.spatial.distance import cdist

    costs = cdist(x, y, "sqeuclidean")
    rows, columns = linear_sum_assignment(costs)
    return math.sqrt(float(costs[rows, columns].mean())), columns


def coupled_distance(values: Floats, reference: Floats, width: int, total: int) -> float:
    """Distance of a cloud to the larger one that its particles are the first of, as if infinite (theory.md §5.6).

    Parameters
    ----------
    values, reference : ndarray, shape (n,) or (n, p)
        What is compared one to one: outputs at n points, or the n particles that both clouds have.
    width, total : int
        Particles m of the cloud and M of the larger one.

    Returns
    -------
    float
        Root mean square of the differences over √(1 − m/M): both clouds are finite, and the distance is ∝ √(1/m − 1/M).
        Of particles, an upper bound of W₂.
    """
    apart = (values - reference).reshape(len(values), -1)
    return float(np.sqrt(np.mean(np.linalg.norm(apart, axis=1) ** 2))) / math.sqrt(1 - width / total)


def line_square(x: Floats, y: Floats) -> float:
    """W₂² between two sorted clouds on the line, (n,) and (k,), with equal weights; by matching quantiles."""
    if len(x) == len(y):
        apart = x - y
        return float(apart @ apart) / len(x)
    return quantile_square(x, np.arange(1, len(x) + 1) / len(x), y, np.arange(1, len(y) + 1) / len(y))


def quantile_square(x: Floats, x_levels: Floats, y: Floats, y_levels: Floats) -> float:
    """W₂² between two measures on the line, by matching quantiles.

    Parameters
    ----------
    x, y : ndarray of float64, shapes (n,) and (k,)
        Points of the measures, ascending.
    x_levels, y_levels : ndarray of float64, shapes (n,) and (k,)
        Mass of a measure up to and with each of its points, in (0, 1], ascending to 1.

    Returns
    -------
    float
    """
    levels = np.concatenate([x_levels, y_levels])
    levels.sort()
    mass = np.diff(levels, prepend=0.0)
    middle = levels - mass / 2
    at_x = x[np.minimum(np.searchsorted(x_levels, middle), len(x) - 1)]
    at_y = y[np.minimum(np.searchsorted(y_levels, middle), len(y) - 1)]
    return float(mass @ np.square(at_x - at_y))


def root_mean_square(squares: Floats) -> tuple[Floats, Floats]:
    """The sliced distance and its standard error, from W₂² along random unit directions (Rabin et al. 2011).

    Parameters
    ----------
    squares : ndarray, shape (…, directions)
        W₂² between the projections on each direction; at least two directions.

    Returns
    -------
    value, standard_error : ndarray, shape (…)
        The value is the root of the mean, and at most W₂. The error is 0 where the value is 0.
    """
    value = np.sqrt(squares.mean(axis=-1))
    spread = squares.std(axis=-1, ddof=1) / math.sqrt(squares.shape[-1])
    return value, np.divide(spread, 2 * value, out=np.zeros_like(value), where=value > 0)
