"""Displacement interpolation, its speed, and transport between Gaussians in closed form (theory.md §5.5)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.particles._errors import ParameterError, ShapeError
from sweepengine.particles._transport import MEMORY_BYTES, wasserstein

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]


def interpolate(start: Tensor, end: Tensor, share: float) -> Tensor:
    """((1 − s) id + s T)_# μ for the map T that sends row k of ``start`` to row k of ``end``.

    Parameters
    ----------
    start, end : Tensor, shape (n, p)
        With ``end = second[distance.matching]`` of :func:`wasserstein` the map is optimal and the path is the geodesic.
    share : float
        s in [0, 1].

    Returns
    -------
    Tensor, shape (n, p)

    Raises
    ------
    ShapeError
        The clouds have different shapes.
    ParameterError
        The share lies outside [0, 1].
    """
    if start.shape != end.shape:
        raise ShapeError(
            f"found shapes {tuple(start.shape)} and {tuple(end.shape)}; a map pairs the rows of equal clouds"
        )
    if not 0 <= share <= 1:
        raise ParameterError(f"found share {share}; a path runs from 0 to 1")
    return start + (end - start) * share


def speed_ratios(
    start: Tensor, end: Tensor, shares: Sequence[float], *, memory_bytes: int = MEMORY_BYTES
) -> list[float]:
    """W₂(μ_s, μ_t)/((t − s) W₂(μ_0, μ_1)) for neighbouring shares s < t, by exact distances: all are 1 on a geodesic.

    Parameters
    ----------
    start, end : Tensor, shape (n, p)
        The two clouds; the map sends row k of ``start`` to row k of ``end``.
    shares : sequence of float
        Increasing numbers in [0, 1].
    memory_bytes : int
        As for :func:`wasserstein`.

    Returns
    -------
    list of float, one less than ``shares``
        For a map that is not optimal some ratios exceed 1, because the path is longer than the distance.

    Raises
    ------
    ParameterError
        The clouds are equal, or the shares are fewer than two or not increasing.
    """

    def distance(a: Tensor, b: Tensor) -> float:
        return wasserstein(a, b, method="exact", memory_bytes=memory_bytes).value

    whole = distance(start, end)
    if not whole > 0:
        raise ParameterError("found equal clouds; a speed is relative to a distance that is not 0")
    if len(shares) < 2 or any(s >= t for s, t in pairwise(shares)):
        raise ParameterError(f"found shares {list(shares)}; give at least two, increasing")
    points = [interpolate(start, end, share) for share in shares]
    steps = zip(pairwise(points), pairwise(shares), strict=True)
    return [distance(a, b) / ((t - s) * whole) for (a, b), (s, t) in steps]


def gaussian_distance(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """W₂ between Gaussians: W₂² = |Δmean|² + tr(A + B − 2 (A^{1/2} B A^{1/2})^{1/2}), the Bures metric.

    Parameters
    ----------
    first, second : (mean, covariance), shapes (p,) and (p, p)
        The covariances A and B are symmetric and positive semidefinite.

    Returns
    -------
    float
        Dowson & Landau 1982.
    """
    (first_mean, a), (second_mean, b) = _gaussian(first), _gaussian(second)
    if first_mean.shape != second_mean.shape:
        raise ShapeError(f"found Gaussians in {first_mean.size} and {second_mean.size} dimensions; W₂ needs one space")
    root = _power(a, 0.5)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()
    squared = float(np.square(first_mean - second_mean).sum() + np.trace(a) + np.trace(b) - 2 * cross)
    return math.sqrt(max(squared, 0.0))


def gaussian_map(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """The optimal map x ↦ second mean + A (x − first mean) between Gaussians.

    Parameters
    ----------
    first, second : (mean, covariance), shapes (p,) and (p, p)
        The first covariance S is positive definite, the second, T, positive semidefinite.

    Returns
    -------
    A : ndarray, shape (p, p)
        Symmetric positive semidefinite: A = S^{−1/2} (S^{1/2} T S^{1/2})^{1/2} S^{−1/2}.
    shift : ndarray, shape (p,)
        The map is x ↦ A x + shift.
    """
    (first_mean, a), (second_mean, b) = _gaussian(first), _gaussian(second)
    if np.linalg.eigvalsh(a)[0] <= 0:
        raise ParameterError("found a singular first covariance; a map from a degenerate Gaussian need not exist")
    root, inverse = _power(a, 0.5), _power(a, -0.5)
    matrix = inverse @ _power(root @ b @ root, 0.5) @ inverse
    return matrix, second_mean - matrix @ first_mean


def _power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.clip(values, 0, None) ** exponent) @ vectors.T)


def _gaussian(law: tuple[Array, Array]) -> tuple[Array, Array]:
    mean, covariance = (np.asarray(part, dtype=np.float64) for part in law)
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise ShapeError(f"found mean {mean.shape} and covariance {covariance.shape}; expected (p,) and (p, p)")
    values = np.linalg.eigvalsh(covariance)
    scale = max(float(np.abs(values).max()), 1e-300)
    if not np.allclose(covariance, covariance.T, rtol=0, atol=1e-10 * scale) or values[0] < -1e-10 * scale:
        raise ParameterError(
            f"found a covariance that is not symmetric positive semidefinite, least eigenvalue {values[0]:.3g}"
        )
    return mean, covariance
