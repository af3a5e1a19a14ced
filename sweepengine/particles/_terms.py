"""Functionals F(μ) of a cloud of particles as sums of terms (theory.md §5, S4 §4.4).

A term gives its value at a measure and a *field*: its first variation δF/δμ[μ], frozen at that μ, which can be asked
for its values and its descent −∇δF/δμ at any points. First variations are meant up to a constant.
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
    """What a spec's term is built for; a builder takes it and the fields that the spec gives the term.

    Attributes
    ----------
    coordinates : int
        p, of a particle.
    device : torch.device
    dtype : torch.dtype
        Of the particles.
    users_function : callable
        From the kind and the name of users' code to its function.
    unit : Unit or None
        ψ; None where no term is of data.
    inputs : Tensor or None, shape (N, d)
        Points of the data.
    targets : Tensor or None, shape (N,)
    """

    coordinates: int
    device: torch.device
    dtype: torch.dtype
    users_function: Callable[[Literal["potential", "kernel"], str], Callable[..., Tensor]]
    unit: Unit | None = None
    inputs: Tensor | None = None
    targets: Tensor | None = None


class Field(Protocol):
    """The first variation δF/δμ[μ] of one term at one μ. It keeps no reference to particles that may move later."""

    def first_variation(self, points: Tensor) -> Tensor:
        """δF/δμ at a chunk of points (n, p); shape (n,)."""

    def velocity(self, points: Tensor) -> Tensor:
        """−∇δF/δμ at a chunk of points (n, p); shape (n, p)."""


class Term(Protocol):
    """One term of F."""

    def value(self, particles: Tensor, partition: Partition) -> float:
        """F's term at μ = (1/m) Σ δ_{θ_k}, particles (m, p)."""

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """Its first variation there."""


@dataclass(frozen=True)
class Functional:
    """F(μ) = Σ terms + τ ∫ log μ dμ.

    Attributes
    ----------
    terms : sequence of Term
    temperature : float
        τ ≥ 0. The entropy is infinite on particles: its first variation τ(log μ + 1) is carried by the noise
        √(2τ) dB of a Langevin method, and every value here is of F₀, the terms without it.
    moving : Tensor or None, shape (p,)
        1 for the coordinates that move and 0 for those that neither a term nor the noise changes; None: all move.
        Velocities, and with them the dissipation, are those of the moving coordinates.
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
        """δF₀/δμ[μ] at the points (n, p), μ the measure of the particles (m, p); shape (n,)."""
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
    """∫V dμ; its first variation is V (S4 §4.4, example 1).

    Attributes
    ----------
    potential : callable
        V from points (n, p) to (n,).
    gradient : callable or None
        ∇V from points (n, p) to (n, p); None: by automatic differentiation.
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
        found = self.potential(points)
        if found.shape != points.shape[:1]:
            raise ShapeError(
                f"the potential gave shape {tuple(found.shape)}; expected one number a point, ({len(points)},)"
            )
        return found

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
    """A multiple of a term; a negative factor turns it around.

    Attributes
    ----------
    term : Term
    factor : float
    """

    term: Term
    factor: float

    def value(self, particles: Tensor, partition: Partition) -> float:
        """The term's value times the factor."""
        return self.factor * self.term.value(particles, partition)

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """Its first variation times the factor."""
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
    """V(θ) = strength |θ − centre|²/2; centre a number or shape (p,)."""
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
    """``out[chunk] = function(points[chunk])`` for all chunks."""

    def work(chunk: slice) -> None:
        out[chunk] = function(points[chunk])

    partition.each(len(points), work)
    return out


def check_cloud(particles: Tensor) -> None:
    """Refuse what is no cloud of m ≥ 1 particles."""
    if particles.dim() != 2 or not len(particles) or not particles.is_floating_point():
        raise ShapeError(
            f"found particles of shape {tuple(particles.shape)} and {particles.dtype}; expected (m, p), m ≥ 1, of a "
            "floating-point dtype"
        )
