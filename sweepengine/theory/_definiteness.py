"""When is the limiting NTK positive definite? (theory.md §3.8)."""

from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._architecture import Architecture, architecture
from sweepengine.theory._checks import as_inputs
from sweepengine.theory._kernels import kernels
from sweepengine.theory._types import Array

Reason = Literal["duplicates", "antipodal", "parallel", "polynomial"]

# Two directions closer than this count as equal: the kernels could not tell them apart.
_SAME_DIRECTION = 1e-12


@dataclass(frozen=True, slots=True)
class Degeneracy:
    """A reason, known beforehand, why the NTK is singular.

    Attributes
    ----------
    reason : {"duplicates", "antipodal", "parallel", "polynomial"}
    detail : str
    """

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Definiteness:
    """Spectrum of the limiting NTK and the degeneracies that theory predicts.

    Attributes
    ----------
    least, largest : float
        λ_min (0 to rounding if singular) and λ_max.
    degeneracies : tuple of Degeneracy
        Empty if no known reason makes λ_min = 0.
    """

    least: float
    largest: float
    degeneracies: tuple[Degeneracy, ...]

    @property
    def ratio(self) -> float:
        """λ_min/λ_max."""
        return self.least / self.largest


def _direction_pairs(x: Array, sign: int) -> list[tuple[int, int]]:
    """Return pairs i < j whose directions are equal (sign 1) or opposite (sign −1)."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    units = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    pairs = []
    for i in range(len(x) - 1):
        close = np.linalg.norm(units[i] - sign * units[i + 1 :], axis=1) <= _SAME_DIRECTION
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(close)]
    return pairs


def _equal_norm(x: Array, i: int, j: int) -> bool:
    return bool(np.isclose(np.linalg.norm(x[i]), np.linalg.norm(x[j]), rtol=_SAME_DIRECTION, atol=0))


def _polynomial_dimension(net: Architecture, features: int) -> int | None:
    """Return the dimension of the polynomials in x that the tangent features of a polynomial φ are; else None."""
    if net.activation.degree is None:
        return None
    degree = net.activation.degree**net.depth
    if net.sigma_b == 0 and net.activation.homogeneous:
        return comb(features + degree - 1, degree)
    return comb(features + degree, degree)


def _degeneracies(x: Array, net: Architecture) -> tuple[Degeneracy, ...]:
    degeneracies = []
    same, opposite = _direction_pairs(x, 1), _direction_pairs(x, -1)
    duplicates = [pair for pair in same if _equal_norm(x, *pair)]
    if duplicates:
        degeneracies.append(Degeneracy("duplicates", f"points {duplicates[0]} are equal"))
    if net.sigma_b == 0:
        parallel = [pair for pair in same if pair not in duplicates]
        if net.activation.homogeneous and parallel:
            detail = f"points {parallel[0]} are parallel, φ is homogeneous, σ_b = 0"
            degeneracies.append(Degeneracy("parallel", detail))
        mirrored = [pair for pair in opposite if _equal_norm(x, *pair)]
        if net.activation.parity != "none" and mirrored:
            degeneracies.append(
                Degeneracy("antipodal", f"points {mirrored[0]} are antipodal, φ is {net.activation.parity}, σ_b = 0")
            )
        elif net.activation.slopes is not None and net.depth == 1 and len(opposite) > x.shape[1]:
            # f(x) − f(−x) is linear in x for one piecewise linear hidden layer: rank d.
            degeneracies.append(
                Degeneracy("antipodal", f"{len(opposite)} antipodal pairs in d = {x.shape[1]}, σ_b = 0, L = 1")
            )
    dimension = _polynomial_dimension(net, x.shape[1])
    if dimension is not None and len(x) > dimension:
        degeneracies.append(
            Degeneracy("polynomial", f"{len(x)} points, but φ is polynomial and spans at most {dimension} dimensions")
        )
    return tuple(degeneracies)


def definiteness(
    x: npt.ArrayLike,
    *,
    depth: int,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
) -> Definiteness:
    """Return λ_min and λ_max of the limiting NTK without output bias, and the degeneracies that theory predicts.

    λ_min > 0 for L ≥ 1 hidden layers, σ_b > 0, φ not polynomial and distinct points on the sphere (Jacot et al. 2018,
    Prop. 2). The known exceptions are: duplicate points; without biases, parallel points for a homogeneous φ, antipodal
    points for an odd or even φ at every depth, and more than d antipodal pairs for a piecewise linear φ at L = 1; for a
    polynomial φ, more points than the polynomials of its degree have dimensions. Call this for several depths to see
    how fast λ_min falls with depth.

    Parameters
    ----------
    x : array (N, d)
    depth, activation, sigma_w, sigma_b, sigma_a
        As in `kernels`.
    """
    inputs = as_inputs(x).astype(np.float64)
    net = architecture(depth=depth, activation_spec=activation, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a)
    limit = kernels(inputs, depth=depth, activation=net.activation, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a)
    spectrum = scipy.linalg.eigvalsh(limit.ntk)
    return Definiteness(float(spectrum[0]), float(spectrum[-1]), _degeneracies(inputs, net))
