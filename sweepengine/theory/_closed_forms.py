"""Closed-form dual activations of smooth functions: (q1, q2, k) → (E[φ(u)φ(v)], E[φ'(u)φ'(v)]).

Here (u, v) ~ N(0, [[q1, k], [k, q2]]). The formulas neither overflow nor cancel where their result is finite. They
work in place: a pass over a tile that stays in the second-level cache costs less than a new array.
"""

from functools import partial
from math import factorial, pi, sqrt

import numpy as np

from sweepengine.theory._dual import Dual
from sweepengine.theory._types import Array


def _variance(q: Array) -> Array:
    return q[None]


def _half(q: Array) -> Array:
    return q[None] / 2


def _decay(q: Array) -> Array:
    return np.stack([q / 2, np.exp(-q / 2)])


def _identity_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:  # noqa: ARG001  (common signature)
    return k.copy(), np.ones_like(k)


IDENTITY = Dual(_variance, _identity_pair)
"""φ(u) = u: (k, 1)."""


def _quadratic_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    value = first[0] * second[0]
    square = k * k
    square *= 2
    value += square
    return value, 4 * k


QUADRATIC = Dual(_variance, _quadratic_pair)
"""φ(u) = u²: (q1 q2 + 2k², 4k)."""


def _exp_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    value = first[0] + second[0]
    value += k
    np.exp(value, out=value)
    return value, value


EXP = Dual(_half, _exp_pair)
"""φ(u) = eᵘ: both expectations are e^{(q1 + q2)/2 + k}."""


def _sin_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    """With t = tanh k, sinh k is t cosh k; where cosh k would overflow, it is e^{|k|}/(1 + |t|)."""
    value = np.tanh(k)
    if 2 * max(first[0].max(), second[0].max()) < np.log(np.finfo(k.dtype).max):
        slope = np.cosh(k)
        slope *= first[1] * second[1]
    else:
        slope = np.abs(k)
        slope -= first[0] + second[0]
        np.exp(slope, out=slope)
        slope /= 1 + np.abs(value)
    value *= slope
    return value, slope


def _cos_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    sine, cosine = _sin_pair(first, second, k)
    return cosine, sine


SIN = Dual(_decay, _sin_pair)
"""φ(u) = sin u: e^{−(q1+q2)/2} (sinh k, cosh k)."""

COS = Dual(_decay, _cos_pair)
"""φ(u) = cos u: e^{−(q1+q2)/2} (cosh k, sinh k)."""


def _erf_point(q: Array) -> Array:
    return np.stack([q, q / 2 + 0.125])


def _erf_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    root = first[0] * second[0]
    root -= k * k
    root += first[1] + second[1]
    np.sqrt(root, out=root)  # √((1+2q1)(1+2q2) − 4k²)/2
    value = np.arctan2(k, root)
    value *= 2 / pi
    np.divide(2 / pi, root, out=root)
    return value, root


ERF = Dual(_erf_point, _erf_pair)
"""φ(u) = erf u: (2/π) arcsin(2k/√((1+2q1)(1+2q2))) and 4/(π√((1+2q1)(1+2q2) − 4k²)) (Williams 1997).

arcsin(k/√ab) is written as arctan2(k, √(ab − k²)), here and below, which keeps its digits near ±1.
"""


def _gelu_point(q: Array) -> Array:
    return np.stack([q, q + 0.5, 1 / (1 + q)])


def _gelu_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    q1, above1, inverse1 = first
    q2, above2, inverse2 = second
    value = k * k
    slope = q1 * q2
    slope -= value  # q1 q2 − k²
    harmonic = inverse1 + inverse2
    value *= harmonic
    value += slope
    slope += above1 + above2  # D
    root = np.sqrt(slope)
    both = np.arctan2(k, root)
    both += pi / 2  # 2πA
    np.divide(1, slope, out=slope)
    slope += harmonic
    np.divide(1, root, out=root)  # 2πF
    value *= root
    slope *= root
    slope *= k
    slope += both
    both *= k
    value += both
    value *= 0.5 / pi
    slope *= 0.5 / pi
    return value, slope


GELU = Dual(_gelu_point, _gelu_pair)
"""φ(u) = u Φ(u), Φ the normal distribution function.

By Stein's lemma, with D = (1+q1)(1+q2) − k², A = E[Φ(u)Φ(v)] = 1/4 + arcsin(k/√((1+q1)(1+q2)))/2π, F = 1/(2π√D) and
h = 1/(1+q1) + 1/(1+q2):  E[φφ] = kA + F (q1 q2 − k² + h k²),  E[φ'φ'] = A + kF (h + 1/D).
"""


def hermite_value(degree: int, u: Array) -> Array:
    """Return the normalised probabilists' Hermite polynomial h_q(u) = He_q(u)/√q!, orthonormal under N(0, 1)."""
    previous, current = np.zeros_like(u), np.ones_like(u)
    for n in range(degree):
        previous, current = current, (u * current - sqrt(n) * previous) / sqrt(n + 1)
    return current


def _hermite_covariance(degree: int, excess: Array, k: Array, square: Array) -> Array:
    """Return E[h_q(u) h_q(v)] = Σ_j q!/(4^j j!² (q−2j)!) e^j k^{q−2j}, e = (q1−1)(q2−1); k^q at unit variances."""
    total, power = np.ones_like(k), np.ones_like(k)
    for j in range(1, degree // 2 + 1):
        power *= excess
        total *= square
        total += factorial(degree) / (4**j * factorial(j) ** 2 * factorial(degree - 2 * j)) * power
    if degree % 2:
        total *= k
    return total


def _hermite_pair(degree: int, first: Array, second: Array, k: Array) -> tuple[Array, Array]:
    excess, square = first[0] * second[0], k * k
    slope = _hermite_covariance(degree - 1, excess, k, square)
    slope *= degree
    return _hermite_covariance(degree, excess, k, square), slope


def hermite_dual(degree: int) -> Dual:
    """Return the dual of φ = h_q for q ≥ 1; φ' = √q h_{q−1}."""
    return Dual(lambda q: q[None] - 1, partial(_hermite_pair, degree))
