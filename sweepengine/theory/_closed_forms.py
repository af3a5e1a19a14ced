"""Closed-form dual activations of smooth functions: (q1, q2, k) → (E[φ(u)φ(v)], E[φ'(u)φ'(v)]).

Here (u, v) ~ N(0, [[q1, k], [k, q2]]). The formulas neither overflow nor cancel where their result is finite:
arcsin(k/√ab), for one, is written as arctan2(k, √(ab − k²)), which keeps its digits near ±1.
"""

from math import factorial, sqrt

import numpy as np

from sweepengine.theory._types import Array, DualFunction


def identity_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:  # noqa: ARG001  (the common signature)
    """φ(u) = u: (k, 1)."""
    return k, np.ones_like(k)


def quadratic_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = u²: (q1 q2 + 2k², 4k)."""
    return q1 * q2 + 2 * k * k, 4 * k


def exp_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = eᵘ: both expectations are e^{(q1 + q2)/2 + k}."""
    value: Array = np.exp((q1 + q2) / 2 + k)
    return value, value.copy()


def sin_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = sin u: e^{−(q1+q2)/2} (sinh k, cosh k)."""
    scale = np.exp(np.abs(k) - (q1 + q2) / 2) / 2
    return np.copysign(-scale * np.expm1(-2 * np.abs(k)), k), scale * (1 + np.exp(-2 * np.abs(k)))


def cos_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = cos u: e^{−(q1+q2)/2} (cosh k, sinh k)."""
    sine, cosine = sin_dual(q1, q2, k)
    return cosine, sine


def erf_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = erf u: (2/π) arcsin(2k/√((1+2q1)(1+2q2))) and 4/(π√((1+2q1)(1+2q2) − 4k²)) (Williams 1997)."""
    root = np.sqrt(1 + 2 * (q1 + q2) + 4 * (q1 * q2 - k * k))
    return 2 / np.pi * np.arctan2(2 * k, root), 4 / np.pi / root


def gelu_dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """φ(u) = u Φ(u), Φ the normal distribution function.

    By Stein's lemma, with D = (1+q1)(1+q2) − k², A = E[Φ(u)Φ(v)] = 1/4 + arcsin(k/√((1+q1)(1+q2)))/2π, F = 1/(2π√D) and
    h = 1/(1+q1) + 1/(1+q2):  E[φφ] = kA + F (q1 q2 − k² + h k²),  E[φ'φ'] = A + kF (h + 1/D).
    """
    determinant = q1 * q2 - k * k
    big = 1 + q1 + q2 + determinant
    root = np.sqrt(big)
    both = 0.25 + np.arctan2(k, root) / (2 * np.pi)
    density = 1 / (2 * np.pi * root)
    harmonic = 1 / (1 + q1) + 1 / (1 + q2)
    return (
        k * both + density * (determinant + harmonic * k * k),
        both + k * density * (harmonic + 1 / big),
    )


def hermite_value(degree: int, u: Array) -> Array:
    """Return the normalised probabilists' Hermite polynomial h_q(u) = He_q(u)/√q!, orthonormal under N(0, 1)."""
    previous, current = np.zeros_like(u), np.ones_like(u)
    for n in range(degree):
        previous, current = current, (u * current - sqrt(n) * previous) / sqrt(n + 1)
    return current


def _hermite_covariance(degree: int, q1: Array, q2: Array, k: Array) -> Array:
    """Return E[h_q(u) h_q(v)] = Σ_j q!/(4^j j!² (q−2j)!) ((q1−1)(q2−1))^j k^{q−2j}; k^q at unit variances."""
    excess = (q1 - 1) * (q2 - 1)
    total = np.zeros_like(excess * k)
    for j in range(degree // 2 + 1):
        weight = factorial(degree) / (4**j * factorial(j) ** 2 * factorial(degree - 2 * j))
        total += weight * excess**j * k ** (degree - 2 * j)
    return total


def hermite_dual(degree: int) -> DualFunction:
    """Return the dual of φ = h_q for q ≥ 1; φ' = √q h_{q−1}."""

    def dual(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        return _hermite_covariance(degree, q1, q2, k), degree * _hermite_covariance(degree - 1, q1, q2, k)

    return dual
