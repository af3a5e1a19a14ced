"""Exact population risks of random features and of mean-field networks (theory.md §4.8).

The inputs are x ~ N(0, I_d) throughout, and no input is sampled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.particles._errors import ParameterError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import stats

    Array = NDArray[np.float64]


_DEGREES = (0, 1, *range(2, 60, 2))
"""Degrees of harmonics that relu has, up to one that no m in use exceeds."""


def linear_feature_risk(weights: Array, target: Array) -> float:
    """min_u E(Σ_k u_k ⟨w_k, x⟩ − ⟨w*, x⟩)²: the squared distance of w* from the span of the w_k.

    Parameters
    ----------
    weights : ndarray, shape (m, d)
        The rows w_k.
    target : ndarray, shape (d,)
        w*.

    Returns
    -------
    float
    """
    _check(weights, target)
    u = np.linalg.lstsq(weights.T, target, rcond=None)[0]
    return float(np.square(target - weights.T @ u).sum())


def linear_feature_law(m: int, d: int) -> stats.distributions.rv_frozen:
    """Law of :func:`linear_feature_risk`/|w*|² for Gaussian w_k: Beta((d − m)/2, m/2), of mean 1 − m/d.

    Parameters
    ----------
    m, d : int
        0 < m < d.

    Returns
    -------
    frozen distribution of scipy.stats
    """
    if not 0 < m < d:
        raise ParameterError(f"found m = {m}, d = {d}; the law has a density for 0 < m < d, and the risk is 0 beyond")
    from scipy import stats  # the import takes half a second, which every worker would spend

    return stats.beta((d - m) / 2, m / 2)


def relu_products(first: Array, second: Array) -> Array:
    """E relu(u·x) relu(v·x) = |u| |v| κ(cos), κ(c) = (√(1 − c²) + (π − arccos c) c)/(2π).

    Parameters
    ----------
    first, second : ndarray, shapes (n, d) and (k, d)

    Returns
    -------
    ndarray, shape (n, k)
        Cho & Saul 2009.
    """
    norms = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)
    c = np.clip(first @ second.T / np.where(norms > 0, norms, 1.0), -1, 1)
    return np.asarray(norms * (np.sqrt(1 - c * c) + (math.pi - np.arccos(c)) * c) / (2 * math.pi))


def relu_feature_risk(weights: Array, target: Array) -> tuple[Array, Array]:
    """The minimum over u of E(Σ_k u_k relu(w_k·x) − relu(w*·x))², and a u that attains it.

    Parameters
    ----------
    weights : ndarray, shape (m, d)
        The rows w_k.
    target : ndarray, shape (d,) or (d, n)
        w*, or n of them as columns.

    Returns
    -------
    risk : ndarray, shape () or (n,)
        Divided by E f*² = |w*|²/2 it is the share of the target that the features miss.
    u : ndarray, shape (m,) or (m, n)
    """
    _check(weights, target)
    gram, cross = relu_products(weights, weights), relu_products(weights, np.atleast_2d(target.T))
    u = np.linalg.lstsq(gram, cross, rcond=None)[0].reshape(len(weights), *target.shape[1:])
    cross = cross.reshape(u.shape)
    return np.asarray((target * target).sum(0) / 2 - (cross * u).sum(0)), np.asarray(u, dtype=np.float64)


def relu_feature_floor(m: int, d: int) -> float:
    """The least share of relu(w*·x) that a space of m functions misses, in the mean over unit vectors w*.

    No m features whatever do better on average, whether drawn or chosen, unless they depend on w*.

    relu is homogeneous, so relu(w*·x) = |x| Σ_k b_k Z_k(x/|x|) with one zonal harmonic of w* for each degree k. The
    second moment of f* over w* is therefore a sum over k of a projector on N(d, k) functions |x| Y_k, times
    s_k/N(d, k), with N(d, k) the number of harmonics of degree k and s_k their share of E f*². A space of m functions
    takes at most the m largest of these eigenvalues. s_0 → 1/π, s_1 = 1/2, s_3 = s_5 = … = 0 as d → ∞, where s_k is the
    share of the Hermite degree k: what is left is 0.1817 from degree 2 on, and 0.0225 from degree 4 on.

    Parameters
    ----------
    m : int
        Number of functions, at least 0.
    d : int
        Dimension, at least 3.

    Returns
    -------
    float
        Share of E f*² = 1/2.
    """
    if m < 0 or d < 3:
        raise ParameterError(f"found m = {m}, d = {d}; expected m >= 0 and d >= 3")
    missed, left = 1.0, m
    for degree in _DEGREES:  # s_k/N(d, k) falls with k, so that a space takes low degrees first
        if not left:
            return missed
        count = math.comb(d + degree - 1, degree) - (math.comb(d + degree - 3, degree - 2) if degree > 1 else 0)
        missed -= _harmonic_share(degree, count, d) * min(1.0, left / count)
        left -= min(left, count)
    return 0.0  # a floor for any m


def _harmonic_share(degree: int, count: int, d: int) -> float:
    """s_k: the share of relu in the harmonics of degree k on the sphere, by quadrature over the angle."""
    from scipy import special

    nodes, weights = np.polynomial.legendre.leggauss(400)
    angles = (nodes + 1) * math.pi / 4  # relu(cos) is smooth on 0 … π/2 and 0 beyond
    law = weights * math.pi / 4 * np.sin(angles) ** (d - 2) / special.beta(0.5, (d - 1) / 2)
    order = (d - 2) / 2
    zonal = special.eval_gegenbauer(degree, order, np.cos(angles)) / special.eval_gegenbauer(degree, order, 1.0)
    return float((law * np.cos(angles) * zonal).sum() ** 2 * count * 2 * d)


def relu_network_risk(particles: Array, target: Array) -> float:
    """E(∫a relu(w·x) dμ − relu(w*·x))² for the measure μ of a cloud.

    Parameters
    ----------
    particles : ndarray, shape (m, d + 1)
        Rows (w, a), as of ``Neuron(d, "relu")``.
    target : ndarray, shape (d,)
        w*.

    Returns
    -------
    float
    """
    weights, a = particles[:, :-1], particles[:, -1] / len(particles)
    _check(weights, target)
    everything = np.concatenate([weights, target[None]])
    coefficients = np.append(a, -1.0)
    return float(coefficients @ relu_products(everything, everything) @ coefficients)


def _check(weights: Array, target: Array) -> None:
    if weights.ndim != 2 or target.shape[:1] != weights.shape[1:]:
        raise ShapeError(f"found weights {weights.shape} and target {target.shape}; expected (m, d) and (d,)")
