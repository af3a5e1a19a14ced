"""Arc-cosine duals of piecewise linear activations, in a form that loses no digits at any angle.

For φ(u) = a u (u > 0), b u (u < 0), gain n = (a² + b²)/2 and kink A = (a − b)²/(2πn), two unit-variance Gaussians at
angle θ (ρ = cos θ) have

    E[φφ]/n   = ρ' = ρ κ + A sin θ,        E[φ'φ']/n = κ = 1 − A θ = B + A (π − θ),   B = ab/n      (Cho & Saul 2009)

arccos ρ near ρ = ±1 turns a rounding error ε of ρ into √ε of θ. So the state of the recursion is not ρ but

    v = sin²(θ/2) = (1 − ρ)/2        and        y = cos²(θ/2) = (1 + ρ)/2,

In the first layer v and y come from differences and sums of the normalised inputs (v = |û − û'|²/4). Each activation
then adds to them: v' = v κ + A (θ − sin θ)/2 and y' = y κ + A (θ + sin θ)/2, without cancellation while κ ≥ 0. So the
absolute error of θ stays of the order of ε, and θ = 0 and θ = π are met exactly.
"""

from dataclasses import dataclass

import numpy as np

from sweepengine.theory._types import Array, Indices

# The directions of pairs of points are gathered into arrays (pairs, d) of about this many float64.
_GATHER = 1 << 18

# Pairs with v < HARD or v > 1 − HARD are computed from differences of directions. For all other pairs v comes from a
# Gram matrix, whose rounding error ε moves θ by about ε/√v, less than 6ε, and by less in every later layer.
HARD = 1 / 32


@dataclass(frozen=True, slots=True)
class Kink:
    """The constants n (`gain`), A (`strength`) and B (`linear`) of one piecewise linear activation (see the module)."""

    gain: float
    strength: float
    linear: float

    @classmethod
    def of(cls, positive: float, negative: float) -> "Kink":
        """Return the constants for the slopes `positive` on u > 0 and `negative` on u < 0."""
        gain = (positive**2 + negative**2) / 2
        return cls(gain, (positive - negative) ** 2 / (2 * np.pi * gain), positive * negative / gain)


def half_angles_from_covariance(q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """Return (v, y) of a pair with variances q1, q2 and covariance k; v = y = 1/2 where a variance is 0.

    When q1, q2 and k are close their differences are exact (Sterbenz), hence v is as accurate as the inputs allow and
    exactly 0 for q1 = q2 = k.
    """
    r1, r2 = np.sqrt(q1), np.sqrt(q2)
    scale = 4 * r1 * r2
    total = r1 + r2
    skew = np.divide(q1 - q2, total, out=np.zeros_like(total * k), where=total > 0) ** 2
    half = np.full_like(skew, 0.5)
    v = np.divide((q1 - k) + (q2 - k) - skew, scale, out=half.copy(), where=scale > 0)
    y = np.divide((q1 + k) + (q2 + k) - skew, scale, out=half, where=scale > 0)
    return np.clip(v, 0, 1), np.clip(y, 0, 1)


def half_angles_from_directions(units1: Array, units2: Array, i: Indices, j: Indices) -> tuple[Array, Array]:
    """Return (v, y) of the pairs (units1[i], units2[j]) of unit vectors, shape (pairs,), by differences and sums."""
    size = max(1, _GATHER // units1.shape[1])
    v, y = np.empty(i.size), np.empty(i.size)
    for start in range(0, i.size, size):
        part = slice(start, start + size)
        left, right = units1[i[part]], units2[j[part]]
        v[part] = np.square(left - right).sum(-1) / 4
        y[part] = np.square(left + right).sum(-1) / 4
    return v, y


def advance(v: Array, y: Array, kink: Kink) -> tuple[Array, Array, Array]:
    """Return (v', y', κ) of a pair after one activation, from its (v, y) before; κ = E[φ'φ']/n.

    For an even φ (B = −1) ρ' depends on |ρ| alone. Beyond θ = π/2, where κ < 0 and the sums cancel, it is that of
    π − θ.
    """
    if kink.linear == -1:
        v_next, y_next, kappa = _advance(np.minimum(v, y), np.maximum(v, y), kink)
        return v_next, y_next, np.where(v > y, -kappa, kappa)
    return _advance(v, y, kink)


def _advance(v: Array, y: Array, kink: Kink) -> tuple[Array, Array, Array]:
    sine, cosine = np.sqrt(v), np.sqrt(y)
    angle = np.arctan2(sine, cosine)
    half_sine = sine * cosine
    # κ is computed from the nearer end of [0, π], so that it is exact at both ends.
    kappa = np.where(
        v < y, 1 - 2 * kink.strength * angle, kink.linear + 2 * kink.strength * np.arctan2(cosine, sine)
    ).astype(v.dtype)
    v_next = v * kappa + kink.strength * np.maximum(angle - half_sine, 0)
    y_next = y * kappa + kink.strength * (angle + half_sine)
    # If the slopes have opposite signs, κ is negative beyond some angle, and rounding may push v or y out of [0, 1].
    return np.clip(v_next, 0, 1), np.clip(y_next, 0, 1), kappa


def add_bias(v: Array, y: Array, weights: tuple[Array, Array], biases: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return (v, y) after a bias that both points share: ρ → s₁ s₂ ρ + t₁ t₂, where s² + t² = 1 for each point.

    Parameters
    ----------
    v, y : arrays, broadcast shape (…)
        The half-angle state before the bias.
    weights, biases : pairs of arrays
        s and t of the two points of each pair.
    """
    s1, s2 = weights
    t1, t2 = biases
    both, spread = s1 * s2, (s1 - s2) ** 2
    return both * v + (spread + (t1 - t2) ** 2) / 4, both * y + (spread + (t1 + t2) ** 2) / 4


def piecewise_linear_dual(kink: Kink, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    """Return (E[φφ], E[φ'φ']) for covariances (q1, q2, k); see `half_angles_from_covariance` for the accuracy."""
    v, y = half_angles_from_covariance(q1, q2, k)
    v_next, y_next, kappa = advance(v, y, kink)
    radii = np.where(q1 == q2, q1, np.sqrt(q1) * np.sqrt(q2))
    return kink.gain * radii * (y_next - v_next), kink.gain * kappa
