"""The methods of equal steps; each function makes one step in place.

:data:`sweepengine.time_methods.METHODS` refers to these functions. Memory beyond the particles, in clouds of the same
size: 0 for Euler, Euler–Maruyama and Leimkuhler–Matthews, which change the particles chunk by chunk; 3 for Heun and
stochastic Heun, 5 for RK4 and 8 for Dormand–Prince, which hold every slope and one point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.runge_kutta import DORMAND_PRINCE, HEUN, RK4, Tableau, combined

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.particles._noise import Noise
    from sweepengine.particles._partition import Partition
    from sweepengine.particles._terms import Functional


@dataclass(frozen=True)
class Instant:
    """What a step needs beside the particles: its number, its size and the noise.

    Attributes
    ----------
    step : int
        Number of the step to make, from 0.
    size : float
        Size dt of the step.
    noise : Noise or None
        None at temperature 0.
    """

    step: int
    size: float
    noise: Noise | None


def euler(functional: Functional, particles: Tensor, instant: Instant, partition: Partition) -> None:
    """θ += dt v. The field is frozen first, so that a chunk that has moved does not change the velocity of the next."""
    field = functional.field(particles, partition)

    def work(chunk: slice) -> None:
        here = particles[chunk]
        here.add_(field.velocity(here), alpha=instant.size)

    partition.each(len(particles), work)


def euler_maruyama(functional: Functional, particles: Tensor, instant: Instant, partition: Partition) -> None:
    """θ += dt v + √(2τ dt) ξ_n: weak order 1."""
    _with_noise(functional, particles, instant, partition, lambda draw: draw(instant.step))


def leimkuhler_matthews(functional: Functional, particles: Tensor, instant: Instant, partition: Partition) -> None:
    """θ += dt v + √(2τ dt) (ξ_n + ξ_{n+1})/2: one velocity a step, weak order 2 for the stationary law.

    Leimkuhler & Matthews 2013. The stationary variance is exact for a quadratic
    potential; at finite times the weak order is 1.
    """
    _with_noise(
        functional, particles, instant, partition, lambda draw: (draw(instant.step) + draw(instant.step + 1)) / 2
    )


def _with_noise(
    functional: Functional,
    particles: Tensor,
    instant: Instant,
    partition: Partition,
    mix: Callable[[Callable[[int], Tensor]], Tensor],
) -> None:
    field = functional.field(particles, partition)
    amplitude = math.sqrt(2 * functional.temperature * instant.size)

    def work(chunk: slice) -> None:
        here = particles[chunk]
        here.add_(field.velocity(here), alpha=instant.size)
        if instant.noise is not None:
            noise = instant.noise
            here.add_(only_moving(functional, mix(lambda step: noise.draw(step, chunk, here))), alpha=amplitude)

    partition.each(len(particles), work)


def only_moving(functional: Functional, vectors: Tensor) -> Tensor:
    """Vectors, such as the noise, with 0 in the coordinates that do not move."""
    return vectors if functional.moving is None else vectors * functional.moving


def stochastic_heun(functional: Functional, particles: Tensor, instant: Instant, partition: Partition) -> None:
    """Heun's step with one noise in both stages: weak order 2 at all times for this additive noise, two velocities.

    Milstein & Tretyakov 2004, §2.2 (additive noise).
    """
    slope = functional.velocity(particles, partition)
    predicted = particles.clone()
    amplitude = math.sqrt(2 * functional.temperature * instant.size)

    def work(chunk: slice) -> None:
        if instant.noise is not None:
            kick = only_moving(functional, instant.noise.draw(instant.step, chunk, particles[chunk]))
            particles[chunk].add_(kick, alpha=amplitude)
            predicted[chunk].add_(kick, alpha=amplitude)
        predicted[chunk].add_(slope[chunk], alpha=instant.size)
        particles[chunk].add_(slope[chunk], alpha=instant.size / 2)

    partition.each(len(particles), work)
    particles.add_(functional.velocity(predicted, partition), alpha=instant.size / 2)


def _runge_kutta(tableau: Tableau) -> Step:
    def step(functional: Functional, particles: Tensor, instant: Instant, partition: Partition) -> None:
        def velocity(points: Tensor) -> Tensor:
            return functional.velocity(points, partition)

        slopes = tableau.slopes(velocity, particles, instant.size, velocity(particles))
        particles.copy_(combined(particles, instant.size, tableau.weights, slopes))

    return step


if TYPE_CHECKING:
    Step = Callable[[Functional, Tensor, Instant, Partition], None]

heun = _runge_kutta(HEUN)
rk4 = _runge_kutta(RK4)
dormand_prince = _runge_kutta(DORMAND_PRINCE)
