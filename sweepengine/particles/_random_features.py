"""Exact population risks of random features and of mean-field networks (S4 §10; theory.md §4, rf-linear and rf-relu).

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
        Cho & Saul, NeurIPS 2009.
    """
    norms = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)
    c = np.clip(first @ second.T / np.where(norms > 0, norms, 1.0), -1, 1)
    return np.asarray(norms * (np.sqrt(1 - c * c) + (math.pi - np.arccos(c)) * c) / (2 * math.pi))


def relu_feature_risk(weights: Array, target: Array) -> tuple[float, Array]:
    """The minimum over u of E(Σ_k u_k relu(w_k·x) − relu(w*·x))², and a u that attains it.

    Parameters
    ----------
    weights : ndarray, shape (m, d)
        The rows w_k.
    target : ndarray, shape (d,)
        w*.

    Returns
    -------
    risk : float
        Divided by E f*² = |w*|²/2 it is the share of the target that the features miss.
    u : ndarray, shape (m,)
    """
    _check(weights, target)
    gram, cross = relu_products(weights, weights), relu_products(weights, target[None])[:, 0]
    u = np.asarray(np.linalg.lstsq(gram, cross, rcond=None)[0], dtype=np.float64)
    return float(target @ target) / 2 - float(cross @ u), u


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
    if weights.ndim != 2 or target.shape != weights.shape[1:]:
        raise ShapeError(f"found weights {weights.shape} and target {target.shape}; expected (m, d) and (d,)")
