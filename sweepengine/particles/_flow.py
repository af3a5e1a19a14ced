"""Wasserstein gradient flow of a cloud of particles: the loop over steps, which ends at a target or at divergence."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from sweepengine.particles._errors import DivergedError, ParameterError
from sweepengine.particles._noise import Noise
from sweepengine.particles._partition import Partition
from sweepengine.particles._steps import Instant
from sweepengine.particles._terms import Functional, check_cloud
from sweepengine.time_methods import METHODS, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from sweepengine.particles._steps import Step

    Observer = Callable[[int, float, Tensor], None]
    Projection = Callable[[Tensor], None]

RADIUS = 1e8
"""Default radius: a flow with a larger coordinate has diverged, since no sensible unit has such coordinates."""


@dataclass(frozen=True)
class Flow:
    """Result of a flow.

    Attributes
    ----------
    particles : Tensor, shape (m, p)
        The particles at the end, or when the flow diverged.
    time : float
        Training time reached.
    status : {"done", "diverged"}
    diverged_step : int or None
        The step after which a coordinate was NaN, infinite or beyond the radius; None where the flow is done.
    accepted, rejected : int
        Number of steps made, and of tries that the adaptive integrator rejected.
    """

    particles: Tensor
    time: float
    status: Literal["done", "diverged"]
    diverged_step: int | None
    accepted: int
    rejected: int = 0

    def final(self) -> Tensor:
        """The particles at the end.

        Raises
        ------
        DivergedError
            The flow diverged, so there is no end.
        """
        if self.diverged_step is not None:
            raise DivergedError(
                f"the flow diverged at step {self.diverged_step}, time {self.time:.6g}; expected bounded particles: "
                "take smaller steps, or check that F is bounded below",
                step=self.diverged_step,
            )
        return self.particles


class Steps(Protocol):
    """A time method at work on a cloud; a :class:`Trajectory` drives it from step to step of a grid of times."""

    @property
    def cloud(self) -> Tensor:
        """The particles at the present step, shape (m, p)."""

    def diverged(self) -> bool:
        """Whether the flow has left every bounded set, on any shard."""

    def advance(self, step: int, target: int) -> int:
        """Make one step, or one try, from ``step`` towards ``target``; return how many grid steps it completed."""

    def state(self) -> tuple[float, ...]:
        """The numbers that resuming needs beside the cloud and the step."""


@dataclass
class Trajectory:
    """The loop of every flow: an iterator that advances a cloud and yields the step of the grid that it has reached.

    It yields at the start and after every step or try, and ends at the last target, or where the flow has diverged.

    Attributes
    ----------
    steps : Steps
        The time method at work.
    targets : sequence of int
        Steps of the grid on which the cloud must land, ascending; an adaptive method makes steps of its own in between.
    step : int
        Step of the grid that the cloud has reached.
    diverged : bool
        Whether the flow has diverged.
    """

    steps: Steps
    targets: Sequence[int]
    step: int = 0
    diverged: bool = False

    def __iter__(self) -> Iterator[int]:
        while True:
            self.diverged = self.steps.diverged()
            if self.diverged:
                return
            yield self.step
            if self.step >= self.targets[-1]:
                return
            target = self.targets[bisect_right(self.targets, self.step)]
            self.step += self.steps.advance(self.step, target)


class EqualSteps:
    """Equal steps of a method, in place: see :class:`Steps`.

    Parameters
    ----------
    functional, seed, project, partition, radius
        As for :func:`flow`.
    cloud : Tensor, shape (m, p)
        The particles, which are moved in place.
    method : str
        As for :func:`flow`.
    step_size : float
        dt.

    Raises
    ------
    ParameterError
        The method is unknown, or its steps are adaptive.
    """

    def __init__(
        self,
        functional: Functional | Callable[[int], Functional],
        cloud: Tensor,
        method: str,
        step_size: float,
        *,
        seed: int | None = None,
        project: Projection | None = None,
        partition: Partition | None = None,
        radius: float = RADIUS,
    ) -> None:
        check_cloud(cloud)
        self.cloud = cloud
        self._functional, self._step_size, self._seed, self._project = functional, step_size, seed, project
        self._partition, self._radius = partition or Partition(), radius
        try:
            self._method = find(method, "particles")
        except ValueError as error:
            raise ParameterError(str(error)) from None
        if self._method.adaptive:
            raise ParameterError(f"found method {method!r}, whose steps are its own; use adaptive_flow()")
        self._advance: Step = resolve_name(self._method.use("particles").steps)

    def diverged(self) -> bool:
        """See :class:`Steps`."""
        return escaped(self.cloud, self._radius, self._partition)

    def advance(self, step: int, target: int) -> int:  # noqa: ARG002
        """See :class:`Steps`: make one step and return 1."""
        present = self._functional if isinstance(self._functional, Functional) else self._functional(step)
        self._advance(
            present, self.cloud, Instant(step, self._step_size, self._noise(present.temperature)), self._partition
        )
        if self._project is not None:
            self._project(self.cloud)
        return 1

    def state(self) -> tuple[float, ...]:
        """See :class:`Steps`: empty, since equal steps have no memory."""
        return ()

    def _noise(self, temperature: float) -> Noise | None:
        if temperature == 0:
            return None
        if not self._method.noise:
            known = ", ".join(name for name, method in METHODS.items() if method.noise)
            raise ParameterError(
                f"found method {self._method.name!r} at temperature {temperature}; only {known} carry the noise"
            )
        if self._seed is None:
            raise ParameterError(f"found no seed at temperature {temperature}; give one: noise has no default seed")
        return Noise(self._seed, self._partition.first)


def flow(
    functional: Functional | Callable[[int], Functional],
    particles: Tensor,
    *,
    step_size: float,
    steps: int,
    method: str = "gd",
    seed: int | None = None,
    project: Projection | None = None,
    observe: Observer | None = None,
    partition: Partition | None = None,
    first_step: int = 0,
    overwrite: bool = False,
    radius: float = RADIUS,
) -> Flow:
    """Follow dθ_k = −∇(δF/δμ)(θ_k) dt + √(2τ) dB_k by equal steps (theory.md §5.2).

    Parameters
    ----------
    functional : Functional or callable
        F, or a function from the number of a step, from 0, to the F of that step: with fresh samples at every step the
        flow descends the population risk.
    particles : Tensor, shape (m, p)
        The particles at the start.
    step_size : float
        dt.
    steps : int
        Number of steps.
    method : str
        Name of a method of equal steps in :data:`sweepengine.time_methods.METHODS`; at τ > 0 one that carries noise.
    seed : int or None
        Seed of the noise; needed at τ > 0.
    project : callable or None
        Changes the particles in place after every step, such as :func:`sphere` or :func:`ball`.
    observe : callable or None
        Called with (step, time, particles) at the start and after every step; it must copy the particles that it keeps.
    partition : Partition or None
    first_step : int
        Number of the first step: a resumed flow draws the same noise as the uninterrupted one.
    overwrite : bool
        Whether ``particles`` themselves are moved, and not a copy.
    radius : float
        A flow has diverged when the absolute value of a coordinate exceeds this.

    Returns
    -------
    Flow
        Divergence is a status, not an error: see :meth:`Flow.final`.

    Raises
    ------
    ParameterError
        The method is unknown or adaptive, a step size or number is out of range, or noise lacks a method or a seed.
    """
    if not (step_size > 0 and math.isfinite(step_size)) or steps < 0:
        raise ParameterError(f"found step_size {step_size} and {steps} steps; dt is positive and steps at least 0")
    equal = EqualSteps(
        functional,
        particles if overwrite else particles.clone(),
        method,
        step_size,
        seed=seed,
        project=project,
        partition=partition,
        radius=radius,
    )
    trajectory = Trajectory(equal, [first_step + steps], first_step)
    for step in trajectory:
        if observe is not None:
            observe(step, step * step_size, equal.cloud)
    step = trajectory.step
    return Flow(
        equal.cloud,
        step * step_size,
        "diverged" if trajectory.diverged else "done",
        step if trajectory.diverged else None,
        step - first_step,
    )


def escaped(cloud: Tensor, radius: float, partition: Partition) -> bool:
    """Whether some coordinate is NaN, infinite or beyond the radius, on any shard."""

    def outside(particles: Tensor) -> bool:
        least, most = torch.aminmax(particles)  # seventeen times as fast as the infinity norm
        return not bool((most <= radius) & (least >= -radius))  # also true of NaN

    return partition.any(cloud, outside)


def sphere(radius: float = 1.0) -> Projection:
    """A projection that scales every particle to |θ| = radius; a particle at 0 becomes NaN, and the flow diverges."""

    def project(particles: Tensor) -> None:
        particles.mul_(radius / torch.linalg.vector_norm(particles, dim=1, keepdim=True))

    return project


def ball(radius: float = 1.0) -> Projection:
    """A projection that scales the particles beyond |θ| = radius back to it."""

    def project(particles: Tensor) -> None:
        norms = torch.linalg.vector_norm(particles, dim=1, keepdim=True)
        particles.mul_((radius / norms).clamp_max(1.0))

    return project
