"""Dual activations of any callable by Gauss–Hermite quadrature, with an estimated error; expectations over a pair.

A function of σz, z ~ N(0, 1), is expanded in normalised Hermite polynomials, f(σz) = Σ a_n(σ) h_n(z), with coefficients
from one-dimensional Gauss–Hermite quadrature. Mehler's formula then gives, for correlation ρ,

    E[f(u) f(v)] = Σ_n a_n(σ₁) a_n(σ₂) ρⁿ.

This costs one multiplication per term and pair instead of a two-dimensional rule. The kernel is positive semidefinite
at every truncation, and by Cauchy–Schwarz its error is at most the tail Σ_{n≥M} a_n² = E f² − Σ_{n<M} a_n².
"""

from collections.abc import Callable

import numpy as np
import scipy

from sweepengine.theory._checks import require_count
from sweepengine.theory._dual import Dual
from sweepengine.theory._mehler import mehler
from sweepengine.theory._types import Array, Elementwise, Parity

_NODES = 64
_BLOCK = 256
"""Points whose coefficients are computed together, so that their values at the nodes take a MB."""
_SAMPLE = 64
"""Variances at which the error of more is estimated."""
_REACH = 12.0
"""Largest radius in standard deviations of rules for kinks; the probability beyond it, e^{−72}, is left out."""


def hermite_rule(nodes: int) -> tuple[Array, Array]:
    """Return nodes z and weights w, Σ w f(z) ≈ E f(z) for z ~ N(0, 1); exact for polynomials of degree < 2·nodes."""
    z, w = scipy.special.roots_hermitenorm(nodes)
    return np.asarray(z), np.asarray(w) / np.sum(w)


def _upper_half(z: Array, w: Array) -> tuple[Array, Array]:
    """Return the nodes z ≥ 0 of a symmetric rule, whose weights stand for those at −z too."""
    half = len(z) // 2
    weights = 2 * w[half:]
    if len(z) % 2:
        weights[0] /= 2  # z = 0 is its own mirror image
    return z[half:], weights


def _weighted_basis(z: Array, w: Array, terms: int) -> Array:
    """Return w_q h_n(z_q), shape (nodes, terms), by recursion on √w h_n, which stays bounded at the outer nodes."""
    root = np.sqrt(w)
    basis = np.empty((z.size, terms))
    previous, current = np.zeros_like(z), root
    for n in range(terms):
        basis[:, n] = current
        previous, current = current, (z * current - np.sqrt(n) * previous) / np.sqrt(n + 1)
    return basis * root[:, None]


class HermiteSeries:
    """The dual of (function, derivative) as Mehler series of `terms` terms.

    Parameters
    ----------
    function, derivative : callable
        φ and φ', elementwise on float arrays.
    terms : int
        Number M of Hermite terms; the coefficients use a rule of 2M + 1 nodes.
    parity : {"odd", "even", "none"}
        Symmetry of φ: an odd function has no even terms, and an even function no odd ones.
    """

    def __init__(self, function: Elementwise, derivative: Elementwise, terms: int, parity: Parity = "none") -> None:
        self.terms = require_count(terms, "terms", least=4)
        self._parts = (function, derivative)
        starts = {"odd": (1, 0), "even": (0, 1), "none": (0, 0)}[parity]
        self._powers = tuple(np.arange(start, self.terms, 1 if parity == "none" else 2) for start in starts)
        rules = [hermite_rule(2 * self.terms + 1), hermite_rule(3 * self.terms)]
        if parity != "none":
            rules = [_upper_half(z, w) for z, w in rules]
        self._rules = [(z, w, _weighted_basis(z, w, self.terms)) for z, w in rules]

    @property
    def dual(self) -> Dual:
        """The dual: the factors of a point are 1/σ and its coefficients a_n(σ) of φ and of φ'."""
        return Dual(self._of_point, self._of_pair)

    def _coefficients(self, part: int, q: Array, rule: int = 0) -> Array:
        """Return the coefficients a_n(√q) that are not 0 by parity, shape (terms, N), float64."""
        z, _, basis = self._rules[rule]
        return np.asarray(basis[:, self._powers[part]].T @ self._parts[part](z[:, None] * np.sqrt(q)))

    def _of_point(self, q: Array) -> Array:
        flat = q.ravel()
        factors = np.empty((1 + sum(map(len, self._powers)), q.size))
        factors[0] = np.divide(1, np.sqrt(flat), out=np.zeros_like(flat), where=flat > 0)
        for start in range(0, q.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            factors[1:, block] = np.concatenate([self._coefficients(part, flat[block]) for part in (0, 1)])
        return factors.reshape(-1, *q.shape)

    def _of_pair(self, first: Array, second: Array, k: Array) -> tuple[Array, Array]:
        rho = first[0] * second[0]
        rho *= k
        np.clip(rho, -1, 1, out=rho)
        split = 1 + len(self._powers[0])
        parts = (slice(1, split), slice(split, None))
        value, slope = (mehler(n, first[p], second[p], rho) for n, p in zip(self._powers, parts, strict=True))
        return value, slope

    def error(self, q: Array) -> float:
        """Return an estimate of the largest absolute error of either dual over pairs with variances in `q`.

        The estimate is the tail of the series, a bound by Cauchy–Schwarz, plus the changes of the coefficients and of
        the second moment under a rule with half as many nodes again. For a function with a kink all three terms fall
        only like a power of 1/M. Many variances are represented by some that cover their range evenly.
        """
        q = np.ravel(np.asarray(q, dtype=np.float64))
        if q.size > _SAMPLE:
            q = np.linspace(q.min(), q.max(), _SAMPLE)
        worst = 0.0
        for part, function in enumerate(self._parts):
            first, second = (self._coefficients(part, q, rule) for rule in (0, 1))
            moments = [w @ np.square(function(z[:, None] * np.sqrt(q))) for z, w, _ in self._rules]
            tail = np.abs(moments[1] - np.square(first).sum(0))
            shift = np.linalg.norm(first - second, axis=0) * (np.sqrt(moments[0]) + np.sqrt(moments[1]))
            worst = max(worst, float(np.max(tail + shift + np.abs(moments[0] - moments[1]))))
        return worst


def expect_pair(
    function: Callable[[Array, Array], Array], q1: float, q2: float, k: float, *, nodes: int = _NODES
) -> float:
    """Return E[function(u, v)] for (u, v) ~ N(0, [[q1, k], [k, q2]]), kinks or jumps at u = 0 and v = 0 allowed.

    Gauss–Legendre in polar coordinates, split at the four rays where u or v changes sign: within a sector relu and
    its products are smooth, so the rule converges as fast for relu as for tanh, where Gauss–Hermite does not.

    Parameters
    ----------
    function : callable
        Maps equal-shaped arrays (u, v) to an array; smooth inside each quadrant, growth at most polynomial.
    q1, q2, k : float
        Variances and covariance, q1, q2 > 0, k² ≤ q1 q2.
    nodes : int
        Points per sector and in the radius.
    """
    points, weights = np.polynomial.legendre.leggauss(nodes)
    theta = 2 * np.arctan2(*np.sqrt(np.maximum([q1 * q2 - k * np.sqrt(q1 * q2), q1 * q2 + k * np.sqrt(q1 * q2)], 0)))
    # u ∝ cos ω vanishes at ±π/2, v ∝ cos(ω − θ) at θ ± π/2.
    rays = np.sort(np.mod([np.pi / 2, 3 * np.pi / 2, theta + np.pi / 2, theta + 3 * np.pi / 2], 2 * np.pi))
    edges = np.append(rays, rays[0] + 2 * np.pi)
    half = np.diff(edges) / 2
    omega = (edges[:-1, None] + half[:, None] * (points + 1)).ravel()
    angular = (half[:, None] * weights).ravel() / (2 * np.pi)
    radius = _REACH * (points + 1) / 2
    radial = weights * (_REACH / 2) * radius * np.exp(-(radius**2) / 2)
    u = np.sqrt(q1) * radius[:, None] * np.cos(omega)
    v = np.sqrt(q2) * radius[:, None] * np.cos(omega - theta)
    return float(radial @ function(u, v) @ angular)


def expect_single(function: Elementwise, q: float) -> float:
    """Return E[function(u)] for u ~ N(0, q), a kink or jump at u = 0 allowed; see `expect_pair`."""
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    z = _REACH * (points + 1) / 2
    density = weights * (_REACH / 2) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    u = np.sqrt(q) * z
    return float(density @ (function(u) + function(-u)))
