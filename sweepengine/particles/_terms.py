"""Functionals F(μ) of a cloud of particles as sums of terms (theory.md §5.1).

A term returns its value at a measure μ, and a *field*: its first variation δF/δμ[μ] frozen at this μ. A field has
values and a velocity −∇δF/δμ at any points. First variations are defined up to a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from sweepengine.particles._errors import ParameterError, ShapeError
from sweepengine.particles._partition import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from sweepengine.particles._unit import Unit


@dataclass(frozen=True)
class TermContext:
    """The run for which a spec's term is built; a builder takes the context and the fields of the term in the spec.

    Attributes
    ----------
    coordinates : int
        Number p of coordinates of a particle.
    device : torch.device
        Device of the particles.
    dtype : torch.dtype
        Dtype of the particles.
    users_function : callable
        From the kind and the name of users' code to its function.
    unit : Unit or None
        ψ; None where no term is a risk.
    inputs : Tensor or None, shape (N, d)
        Training inputs; None where no term is a risk.
    targets : Tensor or None, shape (N,)
        Training targets; None where no term is a risk.
    """

    coordinates: int
    device: torch.device
    dtype: torch.dtype
    users_function: Callable[[Literal["potential", "kernel"], str], Callable[..., Tensor]]
    unit: Unit | None = None
    inputs: Tensor | None = None
    targets: Tensor | None = None


class Field(Protocol):
    """The first variation δF/δμ[μ] of a term at one μ. A field keeps no reference to particles that may move later."""

    def first_variation(self, points: Tensor) -> Tensor:
        """δF/δμ at a chunk of points (n, p); shape (n,)."""

    def velocity(self, points: Tensor) -> Tensor:
        """−∇δF/δμ at a chunk of points (n, p); shape (n, p)."""


class Term(Protocol):
    """One term of F."""

    def value(self, particles: Tensor, partition: Partition) -> float:
        """Value of the term at μ = (1/m) Σ δ_{θ_k}, for particles θ (m, p)."""

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """First variation of the term at the same μ."""


@dataclass(frozen=True)
class Functional:
    """F(μ) = Σ terms + τ ∫ log μ dμ.

    Attributes
    ----------
    terms : sequence of Term
    temperature : float
        τ ≥ 0. The entropy is infinite on particles, so the noise √(2τ) dB of a Langevin method takes the place of its
        first variation τ(log μ + 1), and all values here are those of F₀, the sum of the terms without entropy.
    moving : Tensor or None, shape (p,)
        1 for the coordinates that move and 0 for the frozen ones, which neither a term nor the noise changes; None: all
        move. Velocities are 0 in frozen coordinates, so the dissipation is that of the moving ones.

    Raises
    ------
    ParameterError
        There is neither a term nor a temperature, or the temperature is not finite and at least 0.
    """

    terms: Sequence[Term]
    temperature: float = 0.0
    moving: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.terms and not self.temperature:
            raise ParameterError("found no term and no temperature; nothing would move: give at least one term")
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ParameterError(f"found temperature {self.temperature}; τ is finite and at least 0")

    def values(self, particles: Tensor, partition: Partition | None = None) -> list[float]:
        """The value of each term at the particles (m, p), in the order of ``terms``."""
        check_cloud(particles)
        return [term.value(particles, partition or Partition()) for term in self.terms]

    def value(self, particles: Tensor, partition: Partition | None = None) -> float:
        """F₀ at the particles (m, p): the sum of the terms, without entropy."""
        return math.fsum(self.values(particles, partition))

    def field(self, particles: Tensor, partition: Partition | None = None) -> Field:
        """The first variation of F₀ at the particles (m, p)."""
        check_cloud(particles)
        return _Sum([term.field(particles, partition or Partition()) for term in self.terms], self.moving)

    def velocity(self, particles: Tensor, partition: Partition | None = None) -> Tensor:
        """−∇δF₀/δμ[μ] at the particles themselves, shape (m, p)."""
        partition = partition or Partition()
        field = self.field(particles, partition)
        return everywhere(field.velocity, particles, torch.empty_like(particles), partition)

    def first_variation(self, points: Tensor, particles: Tensor, partition: Partition | None = None) -> Tensor:
        """δF₀/δμ[μ] at the points (n, p), shape (n,), for the measure μ of the particles (m, p)."""
        partition = partition or Partition()
        field = self.field(particles, partition)
        return everywhere(field.first_variation, points, points.new_empty(len(points)), partition)


@dataclass(frozen=True)
class _Sum:
    fields: Sequence[Field]
    moving: Tensor | None

    def first_variation(self, points: Tensor) -> Tensor:
        total = points.new_zeros(len(points))
        for field in self.fields:
            total += field.first_variation(points)
        return total

    def velocity(self, points: Tensor) -> Tensor:
        if not self.fields:
            return torch.zeros_like(points)
        total = self.fields[0].velocity(points)
        for field in self.fields[1:]:
            total = total + field.velocity(points)
        return total if self.moving is None else total * self.moving


@dataclass(frozen=True)
class Potential:
    """∫V dμ; its first variation is V (theory.md §5.2).

    Attributes
    ----------
    potential : callable
        V from points (n, p) to (n,).
    gradient : callable or None
        ∇V from points (n, p) to (n, p); None: V is differentiated automatically.
    """

    potential: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor], Tensor] | None = None

    def value(self, particles: Tensor, partition: Partition) -> float:
        """(1/m) Σ V(θ_k)."""
        return float(partition.mean(len(particles), lambda s: self.first_variation(particles[s]).sum(0, keepdim=True)))

    def field(self, particles: Tensor, partition: Partition) -> Field:  # noqa: ARG002 - V does not depend on μ
        """V itself, whatever μ is."""
        return self

    def first_variation(self, points: Tensor) -> Tensor:
        """V at the points, shape (n,)."""
        values = self.potential(points)
        if values.shape != points.shape[:1]:
            raise ShapeError(
                f"the potential gave shape {tuple(values.shape)}; expected one number a point, ({len(points)},)"
            )
        return values

    def velocity(self, points: Tensor) -> Tensor:
        """−∇V at the points, shape (n, p)."""
        if self.gradient is not None:
            return -self.gradient(points)
        with torch.enable_grad():
            at = points.detach().requires_grad_()
            total = self.first_variation(at).sum()
        return -torch.autograd.grad(total, at)[0]


@dataclass(frozen=True)
class Scaled:
    """A multiple of a term; a negative factor reverses its force.

    Attributes
    ----------
    term : Term
    factor : float
    """

    term: Term
    factor: float

    def value(self, particles: Tensor, partition: Partition) -> float:
        """The value of the term times the factor."""
        return self.factor * self.term.value(particles, partition)

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """The first variation of the term times the factor."""
        return _ScaledField(self.term.field(particles, partition), self.factor)


@dataclass(frozen=True)
class _ScaledField:
    inner: Field
    factor: float

    def first_variation(self, points: Tensor) -> Tensor:
        return self.inner.first_variation(points) * self.factor

    def velocity(self, points: Tensor) -> Tensor:
        return self.inner.velocity(points).mul_(self.factor)


def quadratic(strength: float = 1.0, centre: Tensor | float = 0.0) -> Potential:
    """V(θ) = strength |θ − centre|²/2; the centre is a number or has shape (p,)."""
    return Potential(
        lambda x: (x - centre).square().sum(1) * (strength / 2),
        lambda x: (x - centre) * strength,
    )


def ridge(strength: float) -> Potential:
    """(strength/2) ∫|θ|² dμ: weight decay."""
    return quadratic(strength)


def double_well(strength: float = 1.0, distance: float = 1.0) -> Potential:
    """V(θ) = (strength/4) Σ_c (θ_c² − distance²)²: wells at θ_c = ±distance in every coordinate."""
    return Potential(
        lambda x: (x.square() - distance**2).square().sum(1) * (strength / 4),
        lambda x: x * (x.square() - distance**2) * strength,
    )


def build_quadratic(_context: TermContext, *, centre: float) -> Term:
    """The spec's term ``quadratic``."""
    return quadratic(centre=centre)


def build_double_well(_context: TermContext, *, distance: float) -> Term:
    """The spec's term ``double_well``."""
    return double_well(distance=distance)


def build_potential(context: TermContext, *, name: str) -> Term:
    """The spec's term ``potential``, of a function that users have registered."""
    return Potential(context.users_function("potential", name))


def everywhere(function: Callable[[Tensor], Tensor], points: Tensor, out: Tensor, partition: Partition) -> Tensor:
    """Set ``out[chunk] = function(points[chunk])`` for all chunks, and return ``out``."""

    def work(chunk: slice) -> None:
        out[chunk] = function(points[chunk])

    partition.each(len(points), work)
    return out


def check_cloud(particles: Tensor) -> None:
    """Raise ShapeError for a tensor that is no cloud (m, p) of m ≥ 1 particles with a floating-point dtype."""
    if particles.dim() != 2 or not len(particles) or not particles.is_floating_point():
        raise ShapeError(
            f"found particles of shape {tuple(particles.shape)} and {particles.dtype}; expected (m, p), m ≥ 1, of a "
            "floating-point dtype"
        )
