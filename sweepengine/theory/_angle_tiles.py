"""Tiles of NNGP and NTK for piecewise linear activations, computed in place in buffers that fit in cache.

The state of a pair of points is v = sin²(θ/2) and p = Θ^l/(2 r r'), where r² and r'² are their variances in layer l.
One layer is v ← vκ + A(a − ½ sin θ), p ← pκ + ½ − v with a = θ/2, κ = 1 − 2Aa (see `_angle`): 14 passes over buffers
that stay in the second-level cache. Pairs that are nearly parallel or antipodal in the first layer lose digits in this
form. They are few: one comparison finds them, and they are computed separately in float64 from differences.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweepengine.theory._angle import HARD, Kink, add_bias, advance, half_angles_from_directions
from sweepengine.theory._architecture import Architecture, Points
from sweepengine.theory._types import Array, Indices


def _safe_ratio(numerator: Array, denominator: Array) -> Array:
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)


@dataclass(frozen=True, slots=True)
class AnglePoints:
    """The numbers of each point that every tile of a set of points needs, float64."""

    directions: Array  # (N, d + 1): (σ_w x/√d, σ_b)/r¹, unit rows (0 where r¹ = 0)
    weights: tuple[Array, ...]  # L − 1 of (N,): s = σ_w √(n q^l / q^{l+1})
    biases: tuple[Array, ...]  # L − 1 of (N,): t = σ_b / √q^{l+1}
    scale: Array  # (N,): σ_a √(n q^L)

    @classmethod
    def of(cls, points: Points, net: Architecture, kink: Kink) -> "AnglePoints":
        x, q = points.x, points.variances
        lifted = np.empty((x.shape[0], x.shape[1] + 1))
        np.multiply(x, net.sigma_w / np.sqrt(x.shape[1]), out=lifted[:, :-1])
        lifted[:, -1] = net.sigma_b
        radius = np.sqrt(np.einsum("id,id->i", lifted, lifted))
        lifted *= _safe_ratio(np.ones_like(radius), radius)[:, None]
        spread = [np.sqrt(_safe_ratio(net.sigma_w**2 * kink.gain * a, b)) for a, b in pairwise(q[:-1])]
        shared = [_safe_ratio(np.full_like(b, net.sigma_b), np.sqrt(b)) for b in q[1:-1]]
        return cls(lifted, tuple(spread), tuple(shared), net.sigma_a * np.sqrt(kink.gain * q[-2]))


class AngleTiles:
    """Computes tiles (rows, cols) of the kernels between two sets of points.

    Parameters
    ----------
    net : Architecture
        With a piecewise linear activation.
    first, second : Points
        N1 and N2 points of one dtype.
    """

    def __init__(self, net: Architecture, first: Points, second: Points) -> None:
        positive, negative = net.activation.slopes or (1.0, 1.0)
        self._kink = Kink.of(positive, negative)
        self._net = net
        dtype = first.x.dtype
        self._first = AnglePoints.of(first, net, self._kink)
        self._second = self._first if second is first else AnglePoints.of(second, net, self._kink)
        self._layers = tuple(
            zip(self._first.weights, self._first.biases, self._second.weights, self._second.biases, strict=True)
        )
        # Both factors carry √½, so that their product is ρ/2: this is p in the first layer, and v = ½ − p.
        root = np.sqrt(0.5)
        self._left = (root * self._first.directions).astype(dtype)
        self._right = np.ascontiguousarray((root * self._second.directions).astype(dtype).T)
        self._scales = (2 * self._first.scale).astype(dtype)[:, None], self._second.scale.astype(dtype)
        self._diagonals = (first.variances[-1], first.ntk) if second is first else None

    def products(self, rows: slice, cols: slice, out: Array) -> None:
        """Write the products of the points, from which a tile starts, to `out` (rows, cols): ρ/2."""
        np.matmul(self._left[rows], self._right[:, cols], out=out)

    def __call__(self, rows: slice, cols: slice, products: Array, work: Array) -> tuple[Array, Array]:
        """Return (nngp, ntk) of the tile: views of `work`, of which 5 · rows · cols numbers are overwritten."""
        shape = products.shape
        tiles = work[: 5 * shape[0] * shape[1]].reshape(5, *shape)
        state, scratch = tiles[:2], tiles[2:]
        v, p = state
        p[...] = products
        np.subtract(0.5, p, out=v)
        exact = self._diagonals if rows == cols else None
        if exact is not None:
            np.fill_diagonal(v, 0.25)  # any harmless angle, here and below: these entries are overwritten at the end
        hard = self._find_hard(v)
        if hard is not None:
            v[hard] = p[hard] = 0.25
        for s1, t1, s2, t2 in self._layers:
            self._activate(state, scratch)
            if self._net.sigma_b > 0:
                self._add_bias(state, (s1[rows], s2[cols]), (t1[rows], t2[cols]), scratch)
            p -= v
            p += 0.5
        self._activate(state, scratch)
        bias = self._net.affine[-1][1]
        self._read_out(state, self._scales[0][rows], self._scales[1][cols], bias, scratch[0])
        if hard is not None:
            v[hard], p[hard] = self._hard_pairs(hard[0] + rows.start, hard[1] + cols.start, bias)
        if exact is not None:
            for tile, diagonal in zip(state, exact, strict=True):
                np.fill_diagonal(tile, diagonal[rows])
        return v, p

    def _activate(self, state: Array, scratch: Array) -> None:
        """Apply v ← vκ + A(a − hw), p ← pκ with h = sin(θ/2), w = cos(θ/2), a = θ/2."""
        v = state[0]
        a, h, kappa = scratch
        np.sqrt(v, out=h)
        np.subtract(1, v, out=kappa)
        np.sqrt(kappa, out=kappa)
        np.arcsin(h, out=a)
        h *= kappa
        np.multiply(a, -2 * self._kink.strength, out=kappa)
        kappa += 1
        a -= h
        a *= self._kink.strength
        state *= kappa
        v += a
        # In deep ordered networks v falls to ε² and rounding may turn its sign.
        np.abs(v, out=v)

    @staticmethod
    def _add_bias(state: Array, weights: tuple[Array, Array], biases: tuple[Array, Array], scratch: Array) -> None:
        """Apply `_angle.add_bias` to v in place, and multiply p by s₁ s₂."""
        dtype = state.dtype
        h, g = scratch[:2]
        (s1, s2), (t1, t2) = ((a.astype(dtype)[:, None], b.astype(dtype)) for a, b in (weights, biases))
        np.multiply(s1, s2, out=h)
        state *= h
        for left, right in ((s1, s2), (t1, t2)):
            np.subtract(left / 2, right / 2, out=h)
            np.multiply(h, h, out=g)
            state[0] += g

    @staticmethod
    def _read_out(state: Array, left: Array, right: Array, bias: float, scale: Array) -> None:
        """Turn v into K = 2 R R' (½ − v) + bias and p into Θ = 2 R R' p + K; `scale` is a scratch tile."""
        v, p = state
        np.multiply(left, right, out=scale)
        np.subtract(0.5, v, out=v)
        p += v
        state *= scale
        if bias > 0:
            state += bias

    @staticmethod
    def _find_hard(v: Array) -> tuple[Indices, Indices] | None:
        """Return the indices of the pairs near ρ = ±1, or None if there are none."""
        if v.min() >= HARD and v.max() <= 1 - HARD:
            return None
        rows, cols = np.nonzero((v < HARD) | (v > 1 - HARD))
        return rows, cols

    def _hard_pairs(self, i: Indices, j: Indices, bias: float) -> tuple[Array, Array]:
        """Return (nngp, ntk) of the pairs (i, j), computed in float64 from differences of directions."""
        v, y = half_angles_from_directions(self._first.directions, self._second.directions, i, j)
        t = y - v
        for s1, t1, s2, t2 in self._layers:
            v, y, kappa = advance(v, y, self._kink)
            weights, biases = (s1[i], s2[j]), (t1[i], t2[j])
            v, y = add_bias(v, y, weights, biases)
            t = (y - v) + weights[0] * weights[1] * kappa * t
        v, y, kappa = advance(v, y, self._kink)
        scale = self._first.scale[i] * self._second.scale[j]
        nngp = scale * (y - v) + bias
        return nngp, nngp + scale * kappa * t
