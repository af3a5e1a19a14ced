"""Stability of the relu kernel H(W) under every small change of W (theory.md §3.9), checked without sampling.

The relu derivative of neuron k at point i flips only if w_k·x_i changes sign. A move of w_k by at most R can change the
sign only if |w_k·x_i| ≤ R|x_i|. So

    ‖Ĥ − H‖_F ≤ ‖ [ |x_i·x_j| · mean_k 1{|w_k·x_i| ≤ R|x_i| or |w_k·x_j| ≤ R|x_j|} ] ‖_F    for EVERY Ŵ within R.
"""

import numpy as np
import numpy.typing as npt

from sweepengine.theory._checks import as_float_array, as_inputs, require_nonnegative
from sweepengine.theory._errors import ParameterError, ShapeError
from sweepengine.theory._types import Array


def _weights(x: Array, weights: npt.ArrayLike) -> Array:
    w = as_float_array(weights, "weights")
    if w.ndim != 2 or w.shape[1] != x.shape[1]:
        raise ShapeError(f"weights have shape {w.shape}; expected (m, {x.shape[1]}), one row a neuron")
    return w


def empirical_h(x: npt.ArrayLike, weights: npt.ArrayLike) -> Array:
    """Return H(W) = x_i·x_j mean_k 1{w_k·x_i > 0} 1{w_k·x_j > 0}, shape (N, N), x (N, d), W (m, d) (theory.md §3.9)."""
    inputs = as_inputs(x)
    w = _weights(inputs, weights)
    active = (inputs @ w.T > 0).astype(inputs.dtype)
    kernel: Array = inputs @ inputs.T * (active @ active.T) / w.shape[0]
    return kernel


def flip_certificate(x: npt.ArrayLike, weights: npt.ArrayLike, radius: float) -> float:
    """Return an upper bound of ‖H(Ŵ) − H(W)‖_F over all Ŵ with |ŵ_k − w_k| ≤ radius for every k.

    Parameters
    ----------
    x : array (N, d)
    weights : array (m, d)
    radius : float
        R ≥ 0.
    """
    inputs = as_inputs(x)
    w = _weights(inputs, weights)
    reach = require_nonnegative(radius, "radius") * np.linalg.norm(inputs, axis=1)
    safe = (np.abs(inputs @ w.T) > reach[:, None]).astype(np.float64)
    may_flip = 1 - safe @ safe.T / w.shape[0]
    return float(np.linalg.norm(inputs @ inputs.T * may_flip))


def _flip_one_way(units: Array, weights: Array, radius: float, sign: int) -> Array:
    """Return the weights, each neuron pushed over the nearest boundary w·x_i = 0 in reach where w·x_i has this sign."""
    signed = weights @ units.T
    distance = np.where(sign * signed > 0, np.abs(signed), np.inf)
    nearest = distance.argmin(axis=1)
    # The push is 1.01 of the distance, so that rounding cannot undo it. Neurons whose push exceeds the radius stay.
    push = 1.01 * np.take_along_axis(distance, nearest[:, None], axis=1)[:, 0]
    moved: Array = weights - np.where(push <= radius, sign * push, 0.0)[:, None] * units[nearest]
    return moved


def adversarial_weights(x: npt.ArrayLike, weights: npt.ArrayLike, radius: float) -> Array:
    """Return weights Ŵ within `radius` of W that change H strongly: neurons cross their nearest boundary w·x_i = 0.

    Either all neurons switch points off or all switch points on, because mixed changes would cancel; the attack that
    changes H more is returned. Its ‖H(Ŵ) − H(W)‖ is a lower bound of the supremum that `flip_certificate` bounds from
    above.

    Parameters
    ----------
    x : array (N, d)
        Points, none of them 0.
    weights : array (m, d)
    radius : float
        R ≥ 0.

    Returns
    -------
    array (m, d)

    Raises
    ------
    ParameterError
        If a point is 0.
    """
    inputs = as_inputs(x)
    w = _weights(inputs, weights)
    reach = require_nonnegative(radius, "radius")
    norms = np.linalg.norm(inputs, axis=1, keepdims=True)
    if norms.min() == 0:
        raise ParameterError(f"point {int(norms.argmin())} is 0 and has no boundary: drop it")
    units = inputs / norms
    before = empirical_h(inputs, w)
    attacks = [_flip_one_way(units, w, reach, sign) for sign in (1, -1)]
    return max(attacks, key=lambda attack: float(np.linalg.norm(empirical_h(inputs, attack) - before)))
