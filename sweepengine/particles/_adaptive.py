"""Adaptive steps by Dormand and Prince's pair 5(4), with a control that gets past kinks."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import torch

from sweepengine.particles._errors import ParameterError, StepLimitError
from sweepengine.particles._flow import RADIUS, Flow, Trajectory, escaped
from sweepengine.particles._partition import Partition
from sweepengine.particles._terms import check_cloud
from sweepengine.runge_kutta import DORMAND_PRINCE, Control, combined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sweepengine.particles._flow import Observer
    from sweepengine.particles._terms import Functional

MOST_TRIES = 1_000_000
"""An adaptive flow that needs more has failed, where nobody says another number."""


@dataclass(frozen=True)
class Tolerance:
    """What the error estimate of one step may be: root mean square over coordinates of error/(absolute + relative |θ|).

    Attributes
    ----------
    relative, absolute : float
    """

    relative: float = 1e-6
    absolute: float = 1e-8

    def norm(self, error: Tensor, before: Tensor, after: Tensor, partition: Partition) -> float:
        """At most 1 for a step to accept; NaN counts as infinite. Over all shards."""

        def part(chunk: slice) -> Tensor:
            scale = torch.maximum(before[chunk].abs(), after[chunk].abs()).mul_(self.relative).add_(self.absolute)
            return (error[chunk] / scale).square().sum().reshape(1)

        mean = float(partition.mean(len(error), part)) / error.shape[1]
        return math.sqrt(mean) if math.isfinite(mean) else math.inf


def adaptive_flow(
    functional: Functional,
    particles: Tensor,
    *,
    time: float,
    tolerance: Tolerance | None = None,
    first_step_size: float | None = None,
    observe: Observer | None = None,
    partition: Partition | None = None,
    max_steps: int = 100_000,
    radius: float = RADIUS,
) -> Flow:
    """Follow θ̇ = −∇δF/δμ to a time, choosing the steps.

    The velocity of a relu cloud jumps whenever a particle crosses a kink, and no order survives there: the local error
    is then of the order of the jump times dt times the share of the particles that cross. The control never cuts a
    step to less than a fifth, and never lets it grow right after a rejection, so that a kink costs a few rejected tries
    and not a stall. Memory beyond the cloud: ten clouds.

    Parameters
    ----------
    functional : Functional
        At temperature 0.
    particles : Tensor, shape (m, p)
    time : float
        End; the start is 0.
    tolerance : Tolerance or None
    first_step_size : float or None
        None: a hundredth of the time.
    observe : callable or None
        Called with (step, time, particles) at the start and after each accepted step.
    partition : Partition or None
    max_steps : int
        Most tries, accepted and rejected.
    radius : float
        As for :func:`flow`.

    Returns
    -------
    Flow
        With the numbers of accepted and rejected steps. A flow that blows up in finite time has diverged.

    Raises
    ------
    ParameterError
    StepLimitError
        After ``max_steps`` tries.
    """
    if not (time > 0 and math.isfinite(time)):
        raise ParameterError(f"found time {time}; expected a positive finite end")
    steps = AdaptiveSteps(
        functional,
        particles.clone(),
        time,
        first_step_size=first_step_size or time / 100,
        tolerance=tolerance,
        partition=partition,
        radius=radius,
        most_tries=max_steps,
    )
    trajectory, seen = Trajectory(steps, [1]), -1
    for _ in trajectory:
        if observe is not None and steps.control.accepted > seen:
            observe(steps.control.accepted, steps.time, steps.cloud)
        seen = steps.control.accepted
    control = steps.control
    return Flow(
        steps.cloud,
        steps.time,
        "diverged" if trajectory.diverged else "done",
        control.accepted if trajectory.diverged else None,
        control.accepted,
        control.rejected,
    )


class AdaptiveSteps:
    """Steps of a chosen error that meet the targets of a grid: see :class:`sweepengine.particles.Steps`.

    Parameters
    ----------
    functional : Functional
        At temperature 0.
    cloud : Tensor, shape (m, p)
        Where it stands.
    step_size : float
        Of the grid.
    first_step_size : float or None
        Of the first try; None: that of the grid.
    tolerance : Tolerance or None
    state : sequence of float or None
        What an interrupted one had.
    partition, radius
        As for :func:`adaptive_flow`.
    most_tries : int or None
        Accepted and rejected, since t = 0; None: :data:`MOST_TRIES`.

    Raises
    ------
    ParameterError
    """

    def __init__(
        self,
        functional: Functional,
        cloud: Tensor,
        step_size: float,
        *,
        first_step_size: float | None = None,
        tolerance: Tolerance | None = None,
        state: Sequence[float] | None = None,
        partition: Partition | None = None,
        radius: float = RADIUS,
        most_tries: int | None = None,
    ) -> None:
        check_cloud(cloud)
        if functional.temperature:
            raise ParameterError(
                f"found temperature {functional.temperature}; adaptive steps carry no noise, use flow()"
            )
        self.cloud, self.time, self.tolerance = cloud, 0.0, tolerance or Tolerance()
        self.control = Control(step_size if first_step_size is None else first_step_size)
        if state is not None:
            self.time, *values = state
            kinds = [type(value) for value in astuple(self.control)]  # a state has floats alone
            self.control = Control(*(kind(value) for kind, value in zip(kinds, values, strict=True)))
        self._functional, self._partition, self._radius = functional, partition or Partition(), radius
        self._step_size, self._most_tries = step_size, MOST_TRIES if most_tries is None else most_tries
        # Of an interrupted flow this is the last slope of the step before, to the bit: it was taken at the same points.
        self._slope = self._velocity(cloud)

    def state(self) -> tuple[float, ...]:
        """See :class:`sweepengine.particles.Steps`: the time, and the control of the steps."""
        return (self.time, *astuple(self.control))

    def _velocity(self, points: Tensor) -> Tensor:
        return self._functional.velocity(points, self._partition)

    def diverged(self) -> bool:
        """Whether the flow has left every bounded set, or no step resolves what comes next: it ends in finite time."""
        lost = self.time + self.control.size == self.time
        largest = torch.finfo(self._slope.dtype).max
        return (
            lost or escaped(self.cloud, self._radius, self._partition) or escaped(self._slope, largest, self._partition)
        )

    def advance(self, step: int, target: int) -> int:
        """One try, accepted or not; the number of the grid's steps that it completes: all those up to the target, or none.

        Raises
        ------
        StepLimitError
            After the most tries.
        """
        control, end = self.control, target * self._step_size
        if control.accepted + control.rejected >= self._most_tries:
            raise StepLimitError(
                f"found {control.accepted} accepted and {control.rejected} rejected steps at time {self.time:.6g} on the way "
                f"to {end:.6g}, the next {control.size:.3g}; loosen the tolerance {self.tolerance}, take equal steps, or allow "
                "more tries (max_steps of adaptive_flow)"
            )
        size = control.next_size(end - self.time)
        slopes = DORMAND_PRINCE.slopes(self._velocity, self.cloud, size, self._slope)
        after = combined(self.cloud, size, DORMAND_PRINCE.weights, slopes)
        error = combined(torch.zeros_like(self.cloud), size, DORMAND_PRINCE.error, slopes)
        if control.accepts(self.tolerance.norm(error, self.cloud, after, self._partition), size):
            self.time = end if size == end - self.time else self.time + size
            self.cloud, self._slope = after, slopes[-1]
        return target - step if self.time == end else 0
