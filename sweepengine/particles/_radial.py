"""Reduced dynamics for radially symmetric data: the flow of the radii |w| (Mei et al. 2018).

The data are y = ±1 with equal chance and x | y ~ N(0, (1 + y Δ)² I_d); the model is f = ∫s(w·x) dμ without output
weights. The law of w stays rotationally symmetric, so f depends on |x| alone and w moves along its own direction. So
the radii r = |w| are particles on the half-line with the unit ψ(r; z) = E s(r z u), where z = |x| and u is a coordinate
of a uniform point on the unit sphere. As d → ∞ with |w| of order 1, z u becomes (1 ± Δ) times a standard Gaussian, and
z takes two values.

The risk here is ½E(y − f)². The risk of the paper is twice this, and its time depends on a step-size function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import special

from sweepengine.networks import Activation
from sweepengine.particles._errors import ParameterError
from sweepengine.particles._risk import Risk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles._partition import Partition
    from sweepengine.particles._terms import Field

    Array = NDArray[np.float64]

LOW, HIGH, FOOT, TOP = -2.5, 7.5, 0.5, 1.5
"""s is LOW below FOOT, HIGH above TOP, and linear between."""

NORM_NODES = 64
"""Number of Gauss–Legendre nodes over |x| of one class: the quadrature of this smooth law is exact up to rounding."""


def _staircase(h: Tensor) -> tuple[Tensor, Tensor]:
    """s(h) and s'(h) of the activation ``staircase``; the paper's unit is ``Neuron(d, "staircase", output="none")``."""
    slope = (HIGH - LOW) / (TOP - FOOT)
    value = ((h - FOOT) * slope + LOW).clamp(LOW, HIGH)
    return value, ((h > FOOT) & (h < TOP)).to(h.dtype) * slope


STAIRCASE = Activation(_staircase)


@dataclass(frozen=True)
class RadialUnit:
    """ψ(r; z) = E s(r z u) in closed form; particles (n, 1) are radii r ≥ 0.

    Attributes
    ----------
    d : int or None
        Dimension of x; None: infinite, where u is a standard Gaussian.
    """

    d: int | None

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs z (N, 1) as shape (N,)."""
        return inputs[:, 0]

    def total(self, chunk: Tensor, prepared: Tensor) -> Tensor:
        """Σ_k ψ(r_k; z_i), shape (N,)."""
        return self.values(chunk, prepared).sum(0)

    def values(self, points: Tensor, prepared: Tensor) -> Tensor:
        """ψ(r_k; z_i), shape (n, N)."""

        def ramp(beta: Array, above: float) -> Array:  # E (βu − c)₊
            a = above / np.maximum(beta, 1e-300)
            return beta * self._partial(a) - above * self._tail(a)

        return self._staircase(points, prepared, ramp) + LOW

    def pull(self, prepared: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """∂_r Σ_i weights_i ψ(r; z_i) at radii (n, 1), shape (n, 1): d/dβ E(βu − c)₊ = E u 1{βu > c}."""
        weighted = weights * prepared

        def slope(beta: Array, above: float) -> Array:
            return self._partial(above / np.maximum(beta, 1e-300))

        return lambda points: (self._staircase(points, prepared, slope) @ weighted).unsqueeze(1)

    def _staircase(self, points: Tensor, prepared: Tensor, ramp: Callable[[Array, float], Array]) -> Tensor:
        beta = (points * prepared).cpu().to(torch.float64).numpy()
        difference = (ramp(beta, FOOT) - ramp(beta, TOP)) * ((HIGH - LOW) / (TOP - FOOT))
        return torch.from_numpy(difference).to(points)

    def _partial(self, a: Array) -> Array:
        """E u 1{u > a} for a ≥ 0."""
        if self.d is None:
            return np.asarray(np.exp(-a * a / 2) / math.sqrt(2 * math.pi))
        half = (self.d - 1) / 2
        constant = math.exp(math.lgamma(self.d / 2) - math.lgamma(half)) / (2 * math.sqrt(math.pi) * half)
        return np.asarray(constant * np.clip(1 - a * a, 0, None) ** half)

    def _tail(self, a: Array) -> Array:
        """P(u > a) for a ≥ 0."""
        if self.d is None:
            return np.asarray(special.ndtr(-a))
        return np.asarray(special.betainc((self.d - 1) / 2, 0.5, np.clip(1 - a * a, 0, None)) / 2)


def radial_risk(d: int | None, delta: float) -> Risk:
    """The population risk ½E(y − f)² as a functional of the law of r (float64 particles, shape (m, 1)).

    Parameters
    ----------
    d : int or None
        Dimension of x, at least 2; None: the limit d → ∞.
    delta : float
        Δ in (0, 1).

    Returns
    -------
    Risk
        The flow of this risk is the reduced dynamics; any method of :func:`flow` integrates it.

    Raises
    ------
    ParameterError
        d or Δ is out of range.
    """
    if (d is not None and d < 2) or not 0 < delta < 1:
        raise ParameterError(f"found d = {d}, Δ = {delta}; d is at least 2 (or None for infinite) and 0 < Δ < 1")
    norms, chances = (np.ones(1), np.ones(1)) if d is None else _chi_nodes(d)
    scales, labels = (1 + delta, 1 - delta), (1.0, -1.0)
    inputs = np.concatenate([norms * scale for scale in scales])
    return Risk(
        RadialUnit(d),
        torch.from_numpy(inputs).unsqueeze(1),
        torch.tensor(np.repeat(labels, len(norms))),
        weights=torch.from_numpy(np.tile(chances, 2) / 2),
    )


def radial_start(count: int, d: int | None, kappa: float) -> Tensor:
    """Radii |w| of w ~ N(0, κ² I_d/d) at mid-quantiles; all are κ where d is None.

    Parameters
    ----------
    count : int
        Number of radii.
    d : int or None
        Dimension of w; None: infinite.
    kappa : float
        κ > 0.

    Returns
    -------
    Tensor of float64, shape (count, 1)
    """
    if d is None:
        return torch.full((count, 1), kappa, dtype=torch.float64)
    levels = (np.arange(count) + 0.5) / count
    radii = np.sqrt(2 * special.gammaincinv(d / 2, levels))  # quantiles of the chi law
    return torch.from_numpy(radii * (kappa / math.sqrt(d))).unsqueeze(1)


def radial_quadrature(count: int, d: int, kappa: float) -> tuple[Tensor, Tensor]:
    """Radii |w| of w ~ N(0, κ² I_d/d) with masses: Gauss–Legendre nodes in the quantiles.

    Nodes that are even in the quantiles follow a law whose radii part at a threshold, which even masses resolve to
    their size only and nodes that are even in |w| do not resolve at all.

    Parameters
    ----------
    count : int
        Number of radii.
    d : int
        Dimension of w.
    kappa : float
        κ > 0.

    Returns
    -------
    radii : Tensor of float64, shape (count, 1)
    masses : Tensor of float64, shape (count,)
        Positive, of sum 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    radii = np.sqrt(2 * special.gammaincinv(d / 2, (nodes + 1) / 2)) * (kappa / math.sqrt(d))
    return torch.from_numpy(radii).unsqueeze(1), torch.from_numpy(weights / weights.sum())


@dataclass(frozen=True)
class MassRisk:
    """A risk as a functional of Σ_k mass_k δ_{θ_k}, whose particles move as all particles do but weigh unlike.

    Attributes
    ----------
    risk : Risk
        With a unit that has ``values``.
    masses : Tensor, shape (m,)
        Mass of each particle, of sum 1.
    """

    risk: Risk
    masses: Tensor

    def value(self, particles: Tensor, partition: Partition) -> float:  # noqa: ARG002
        """The risk at particles (m, p), which are few: they are not cut up."""
        return self.risk.value_of(self._outputs(particles))

    def field(self, particles: Tensor, partition: Partition) -> Field:  # noqa: ARG002
        """Its first variation."""
        return self.risk.field_of(self._outputs(particles), particles.dtype)

    def _outputs(self, particles: Tensor) -> Tensor:
        return self.masses @ self.risk.unit.values(particles, self.risk.prepared)


def _chi_nodes(d: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(NORM_NODES)
    low, high = max(0.0, math.sqrt(d) - 7), math.sqrt(d) + 7  # |x| has standard deviation below 1
    norms = (low + high) / 2 + nodes * (high - low) / 2
    logarithm = special.xlogy(d - 1, norms) - norms**2 / 2  # of the density of the chi law, up to a constant
    chances = weights * np.exp(logarithm - logarithm.max())
    return norms, chances / chances.sum()
