"""Sums Σ_i a_i b_i ρ^{n_i} over all pairs of points, cut where what is left is below rounding."""

import numpy as np

from sweepengine.theory._types import Array, Indices


def mehler(powers: Indices, first: Array, second: Array, rho: Array) -> Array:
    """Return Σ_i a_i b_i ρ^{n_i} by Horner's rule, in the dtype of ρ.

    Parameters
    ----------
    powers : array (terms,)
        n_i: n₀ ≤ 1, and equal steps of 1 or 2.
    first, second : arrays (terms, …)
        Coefficients a and b of the two points of each pair, broadcast against ρ.
    rho : array (…)
        Correlations, |ρ| ≤ 1.
    """
    step = rho if len(powers) < 2 or powers[1] - powers[0] == 1 else rho * rho
    total, product = np.zeros(rho.shape, rho.dtype), np.empty(rho.shape, rho.dtype)
    for i in reversed(range(_needed(powers, first, second, rho))):
        total *= step
        # Not by a rank-one update of BLAS, which with several threads takes ten times as long for tiles of this size.
        total += np.multiply(first[i], second[i], out=product)
    if powers[0] == 1:
        total *= rho
    return total


def _needed(powers: Indices, first: Array, second: Array, rho: Array) -> int:
    """Return how many terms there are before the others together are below an eighth of the rounding of |ρ| |a| |b|."""
    largest = float(max(rho.max(), -rho.min()))
    sizes = np.power(largest, powers, dtype=np.float64)
    allowed = largest * float(np.finfo(rho.dtype).eps) / 8
    for coefficients in (first, second):
        flat = coefficients.reshape(len(powers), -1)
        norms = np.sqrt(np.einsum("in,in->n", flat, flat))
        sizes *= np.abs(flat).max(1)
        allowed *= float(norms.min(where=norms > 0, initial=norms.max()))
    rest = np.cumsum(sizes[::-1])[::-1]
    return int(np.count_nonzero(rest > allowed))
