"""Interaction energies ½∬W dμdμ and the discrepancy to a reference cloud (theory.md §5.1).

With the ½ the first variation is ∫W(θ, ·) dμ. Pairs are visited chunk by chunk, which takes m² work but never m²
memory. Shards divide the work, and every shard holds a copy of the whole cloud while a field is in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch

from sweepengine.particles._errors import ParameterError, ShapeError
from sweepengine.particles._noise import gaussian_cloud

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.particles._partition import Partition
    from sweepengine.particles._terms import Field, Term, TermContext


class Kernel(Protocol):
    """A symmetric kernel W(x, y)."""

    def totals(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j W(x_i, y_j), shape (n,), for the points x (n, p) and the others y (k, p)."""

    def gradients(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j ∇₁W(x_i, y_j), shape (n, p)."""


@dataclass(frozen=True)
class GaussianKernel:
    """W = exp(−|x − y|²/(2 length²))."""

    length: float = 1.0

    def __post_init__(self) -> None:
        if self.length <= 0:
            raise ParameterError(f"found length {self.length}; a Gaussian kernel's length is positive")

    def _matrix(self, points: Tensor, others: Tensor) -> Tensor:
        return (_distances(points, others).square_().mul_(-0.5 / self.length**2)).exp_()

    def totals(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j W(x_i, y_j), shape (n,)."""
        return self._matrix(points, others).sum(1)

    def gradients(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j ∇₁W(x_i, y_j) = −Σ_j W_ij (x_i − y_j)/length², shape (n, p)."""
        matrix = self._matrix(points, others)
        return (matrix @ others - points * matrix.sum(1, keepdim=True)) / self.length**2


@dataclass(frozen=True)
class RieszKernel:
    """W = −|x − y|^power, 0 < power < 2; power 1 gives the energy distance. The gradient at x = y is set to 0."""

    power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.power < 2:
            raise ParameterError(
                f"found power {self.power}; −|x − y|^power is conditionally positive for 0 < power < 2"
            )

    def totals(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j W(x_i, y_j), shape (n,)."""
        return -_distances(points, others).pow_(self.power).sum(1)

    def gradients(self, points: Tensor, others: Tensor) -> Tensor:
        """−power Σ_j |x_i − y_j|^{power − 2} (x_i − y_j), shape (n, p)."""
        distance = _distances(points, others)
        factor = torch.where(distance > 0, distance.pow(self.power - 2), 0.0).mul_(self.power)
        return factor @ others - points * factor.sum(1, keepdim=True)


@dataclass(frozen=True)
class CallableKernel:
    """Any symmetric W, differentiated automatically.

    Attributes
    ----------
    function : callable
        From points (n, p) and others (k, p) to W(x_i, y_j), shape (n, k).
    """

    function: Callable[[Tensor, Tensor], Tensor]

    def totals(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j W(x_i, y_j), shape (n,)."""
        values = self.function(points, others)
        expected = (len(points), len(others))
        if tuple(values.shape) != expected:
            raise ShapeError(f"the kernel gave shape {tuple(values.shape)}; expected (points, others) = {expected}")
        return values.sum(1)

    def gradients(self, points: Tensor, others: Tensor) -> Tensor:
        """Σ_j ∇₁W(x_i, y_j), shape (n, p)."""
        with torch.enable_grad():
            at = points.detach().requires_grad_()
            total = self.totals(at, others.detach()).sum()
        return torch.autograd.grad(total, at)[0]


@dataclass(frozen=True)
class Interaction:
    """½∬W dμdμ for any kernel, the diagonal included; one pass evaluates the kernel m² times."""

    kernel: Kernel

    def value(self, particles: Tensor, partition: Partition) -> float:
        """½ m⁻² Σ_{kl} W(θ_k, θ_l)."""
        mean = self.field(particles, partition).first_variation
        return float(partition.mean(len(particles), lambda s: mean(particles[s]).sum(0, keepdim=True))) / 2

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """∫W(θ, ·) dμ. The field keeps a copy of the particles, m·p numbers, because they move while it is in use."""
        return _Smoothed(self.kernel, partition.everyone(particles), partition.chunk)


@dataclass(frozen=True)
class QuadraticInteraction:
    """½∬W dμdμ with W = strength |x − y|²/2, computed from moments in m·p work.

    Its flow keeps the mean and multiplies the covariance by e^{−2 strength t}.
    """

    strength: float = 1.0

    def value(self, particles: Tensor, partition: Partition) -> float:
        """(strength/2) tr Cov μ."""
        return self.strength / 2 * self.field(particles, partition).spread

    def field(self, particles: Tensor, partition: Partition) -> _AroundMean:
        """The first variation (strength/2) (|θ − mean|² + tr Cov μ)."""
        count = len(particles)
        mean = partition.mean(count, lambda s: particles[s].sum(0, dtype=torch.float64))
        spread = partition.mean(count, lambda s: (particles[s] - mean).square().sum().reshape(1))
        return _AroundMean(self.strength, mean.to(particles.dtype), float(spread))


@dataclass(frozen=True)
class Discrepancy:
    """½ MMD² = ½∬W d(μ − ν)d(μ − ν) to the measure ν of a reference cloud.

    Attributes
    ----------
    kernel : Kernel
        A kernel W that is positive definite, or conditionally so; with ``RieszKernel(1)`` the term is half the energy
        distance.
    reference : Tensor, shape (n, p)
        The points of ν.
    """

    kernel: Kernel
    reference: Tensor

    def value(self, particles: Tensor, partition: Partition) -> float:
        """½∬W dμdμ − ∬W dμdν + ½∬W dνdν."""
        own, fixed = self._towards(partition.everyone(particles), partition), self._towards(self.reference, partition)
        cross, alone = _mean_of(fixed, particles, partition), replace(partition, reduce=None)
        return _mean_of(own, particles, partition) / 2 - cross + _mean_of(fixed, self.reference, alone) / 2

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """∫W(θ, ·) d(μ − ν)."""
        if particles.shape[1] != self.reference.shape[1]:
            raise ShapeError(
                f"found particles with {particles.shape[1]} coordinates and a reference with "
                f"{self.reference.shape[1]}; both clouds live in one space"
            )
        return _Difference(
            self._towards(partition.everyone(particles), partition), self._towards(self.reference, partition)
        )

    def _towards(self, cloud: Tensor, partition: Partition) -> _Smoothed:
        return _Smoothed(self.kernel, cloud, partition.chunk)


def build_attraction(_context: TermContext) -> Term:
    """The spec's term ``attraction``."""
    return QuadraticInteraction()


def build_gaussian(_context: TermContext, *, length: float) -> Term:
    """The spec's term ``gaussian``."""
    return Interaction(GaussianKernel(length))


def build_riesz(_context: TermContext, *, power: float) -> Term:
    """The spec's term ``riesz``."""
    return Interaction(RieszKernel(power))


def build_kernel(context: TermContext, *, name: str) -> Term:
    """The spec's term ``kernel``, of a function that users have registered."""
    return Interaction(CallableKernel(context.users_function("kernel", name)))


def build_discrepancy(
    context: TermContext, *, kernel: str, power: float, length: float, count: int, mean: float, scale: float, seed: int
) -> Term:
    """The spec's term ``mmd``, to the first ``count`` points of an infinite Gaussian cloud."""
    points = gaussian_cloud(seed, count, context.coordinates).mul_(scale).add_(mean)
    chosen = GaussianKernel(length) if kernel == "gaussian" else RieszKernel(power)
    return Discrepancy(chosen, points.to(context.device, context.dtype))


@dataclass(frozen=True)
class _Smoothed:
    """∫W(θ, ·) dν for the measure ν of a cloud."""

    kernel: Kernel
    cloud: Tensor
    chunk: int

    def first_variation(self, points: Tensor) -> Tensor:
        total = points.new_zeros(len(points))
        for others in self._chunks():
            total += self.kernel.totals(points, others)
        return total / len(self.cloud)

    def velocity(self, points: Tensor) -> Tensor:
        total = torch.zeros_like(points)
        for others in self._chunks():
            total -= self.kernel.gradients(points, others)
        return total / len(self.cloud)

    def _chunks(self) -> list[Tensor]:
        return [self.cloud[low : low + self.chunk] for low in range(0, len(self.cloud), self.chunk)]


@dataclass(frozen=True)
class _Difference:
    own: _Smoothed
    reference: _Smoothed

    def first_variation(self, points: Tensor) -> Tensor:
        return self.own.first_variation(points) - self.reference.first_variation(points)

    def velocity(self, points: Tensor) -> Tensor:
        return self.own.velocity(points) - self.reference.velocity(points)


@dataclass(frozen=True)
class _AroundMean:
    strength: float
    mean: Tensor
    spread: float

    def first_variation(self, points: Tensor) -> Tensor:
        return ((points - self.mean).square().sum(1) + self.spread) * (self.strength / 2)

    def velocity(self, points: Tensor) -> Tensor:
        return (self.mean - points) * self.strength


def _mean_of(field: _Smoothed, cloud: Tensor, partition: Partition) -> float:
    return float(partition.mean(len(cloud), lambda s: field.first_variation(cloud[s]).sum(0, keepdim=True)))


def _distances(points: Tensor, others: Tensor) -> Tensor:
    # Not through |x|² + |y|² − 2x·y, which would lose all digits for near pairs, and those matter most.
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
