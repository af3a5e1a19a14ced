"""Wasserstein gradient flow of a cloud of particles: the loop over steps, and what ends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from sweepengine.particles._errors import DivergedError, ParameterError
from sweepengine.particles._noise import Noise
from sweepengine.particles._passes import Passes
from sweepengine.particles._steps import LANGEVIN, METHODS, Now
from sweepengine.particles._terms import Functional, check_cloud

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Observer = Callable[[int, float, Tensor], None]
    Projection = Callable[[Tensor], None]

RADIUS = 1e8
"""A coordinate beyond this has left every set that a sensible unit lives on: the flow has diverged."""


@dataclass(frozen=True)
class Flow:
    """What a flow leaves.

    Attributes
    ----------
    particles : Tensor, shape (m, p)
        At the end, or where it diverged.
    time : float
        Training time reached.
    status : {"done", "diverged"}
    diverged_step : int or None
        The step after which a coordinate was NaN, infinite or beyond the radius.
    accepted, rejected : int
        Steps made, and tries that the adaptive integrator threw away.
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
            If there is no end.
        """
        if self.diverged_step is not None:
            raise DivergedError(
                f"the flow diverged at step {self.diverged_step}, time {self.time:.6g}; expected bounded particles: "
                "take smaller steps, or check that F is bounded below",
                step=self.diverged_step,
            )
        return self.particles


def flow(
    functional: Functional | Callable[[int], Functional],
    particles: Tensor,
    *,
    step_size: float,
    steps: int,
    method: str = "euler",
    seed: int | None = None,
    project: Projection | None = None,
    observe: Observer | None = None,
    passes: Passes | None = None,
    first_step: int = 0,
    overwrite: bool = False,
    radius: float = RADIUS,
) -> Flow:
    """Follow dθ_k = −∇(δF/δμ)(θ_k) dt + √(2τ) dB_k by fixed steps (theory.md §5).

    Parameters
    ----------
    functional : Functional or callable
        Or a function of the step's number, from 0: fresh samples at every step make it descend the population risk.
    particles : Tensor, shape (m, p)
        The start.
    step_size : float
        dt; ``steps`` of them.
    steps : int
    method : str
        A name of :data:`METHODS`. At τ > 0 one of :data:`LANGEVIN`.
    seed : int or None
        Of the noise; needed at τ > 0.
    project : callable or None
        Changes the particles in place after every step: :func:`sphere`, :func:`ball`.
    observe : callable or None
        Called with (step, time, particles) at the start and after every step; it must copy what it keeps.
    passes : Passes or None
    first_step : int
        Number of the first step: a resumed flow draws the noise that the uninterrupted one would have.
    overwrite : bool
        Move ``particles`` themselves; otherwise a copy.
    radius : float
        Largest coordinate of a flow that has not diverged.

    Returns
    -------
    Flow
        Divergence is a status, not an error: see :meth:`Flow.final`.

    Raises
    ------
    ParameterError
        For a method, step or seed that does not fit.
    """
    passes = passes or Passes()
    check_cloud(particles)
    _check(step_size, steps, method)
    cloud = particles if overwrite else particles.clone()
    advance = METHODS[method]

    def functional_at(step: int) -> Functional:
        return functional if isinstance(functional, Functional) else functional(step)

    for done in range(steps + 1):
        step = first_step + done
        if escaped(cloud, radius, passes):
            return Flow(cloud, step * step_size, "diverged", step, done)
        if observe is not None:
            observe(step, step * step_size, cloud)
        if done == steps:
            break
        present = functional_at(step)
        noise = _noise(present.temperature, method, seed, passes)
        advance(present, cloud, Now(step, step_size, noise), passes)
        if project is not None:
            project(cloud)
    return Flow(cloud, (first_step + steps) * step_size, "done", None, steps)


def escaped(cloud: Tensor, radius: float, passes: Passes) -> bool:
    """Whether some coordinate is NaN, infinite or beyond the radius, on any shard."""

    def outside(particles: Tensor) -> bool:
        least, most = torch.aminmax(particles)  # seventeen times faster than the infinity norm
        return not bool((most <= radius) & (least >= -radius))  # also true of NaN

    return passes.any(cloud, outside)


def sphere(radius: float = 1.0) -> Projection:
    """Every particle back to |θ| = radius; one at the origin becomes NaN, hence diverged."""

    def project(particles: Tensor) -> None:
        particles.mul_(radius / torch.linalg.vector_norm(particles, dim=1, keepdim=True))

    return project


def ball(radius: float = 1.0) -> Projection:
    """Particles beyond |θ| = radius back to it."""

    def project(particles: Tensor) -> None:
        norms = torch.linalg.vector_norm(particles, dim=1, keepdim=True)
        particles.mul_((radius / norms).clamp_max(1.0))

    return project


def _check(step_size: float, steps: int, method: str) -> None:
    if method not in METHODS:
        raise ParameterError(f"found method {method!r}; known are {', '.join(METHODS)}")
    if not (step_size > 0 and math.isfinite(step_size)) or steps < 0:
        raise ParameterError(f"found step_size {step_size} and {steps} steps; dt is positive and steps at least 0")


def _noise(temperature: float, method: str, seed: int | None, passes: Passes) -> Noise | None:
    if temperature == 0:
        return None
    if method not in LANGEVIN:
        raise ParameterError(
            f"found method {method!r} at temperature {temperature}; only {', '.join(sorted(LANGEVIN))} carry the noise"
        )
    if seed is None:
        raise ParameterError(f"found no seed at temperature {temperature}; give one: noise has no default seed")
    return Noise(seed, passes.first)
