"""Adaptive steps by Dormand and Prince's pair 5(4), with a step-size control that gets past kinks."""

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
"""Default for the largest number of tries; an adaptive flow that needs more has failed."""


@dataclass(frozen=True)
class Tolerance:
    """Error allowed in one step: the root mean square of error/(absolute + relative |θ|) may be at most 1.

    The mean is over all coordinates of all particles.

    Attributes
    ----------
    relative, absolute : float
    """

    relative: float = 1e-6
    absolute: float = 1e-8

    def norm(self, error: Tensor, before: Tensor, after: Tensor, partition: Partition) -> float:
        """Norm of a step's error (m, p) over all shards; at most 1 for a step to accept, infinite where it is NaN."""

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
    """Follow θ̇ = −∇δF/δμ up to a time, by steps of adaptive size.

    The velocity of a relu cloud jumps whenever a particle crosses a kink, and there the method loses its order: the
    local error is of the order of the jump times dt times the share of the particles that cross. The control never cuts
    a step to less than a fifth, and never lets a step grow right after a rejection, so that a kink costs a few rejected
    tries and not a stall. The memory beyond the cloud is ten clouds.

    Parameters
    ----------
    functional : Functional
        At temperature 0.
    particles : Tensor, shape (m, p)
    time : float
        Time at the end; the start is at 0.
    tolerance : Tolerance or None
        None: the defaults of :class:`Tolerance`.
    first_step_size : float or None
        Size of the first try; None: a hundredth of the time.
    observe : callable or None
        Called with (step, time, particles) at the start and after each accepted step.
    partition : Partition or None
    max_steps : int
        Largest number of tries, accepted and rejected.
    radius : float
        As for :func:`flow`.

    Returns
    -------
    Flow
        The flow with its numbers of accepted and rejected steps. A flow that blows up in finite time has diverged.

    Raises
    ------
    ParameterError
        The time is not positive and finite, or the functional has a temperature.
    StepLimitError
        ``max_steps`` tries did not reach the end.
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
    """Steps of adaptive size that land on the targets of a grid: see :class:`sweepengine.particles.Steps`.

    Parameters
    ----------
    functional : Functional
        At temperature 0.
    cloud : Tensor, shape (m, p)
        The particles at the start, or where an interrupted flow stood.
    step_size : float
        Spacing of the grid.
    first_step_size : float or None
        Size of the first try; None: the spacing of the grid.
    tolerance : Tolerance or None
        None: the defaults of :class:`Tolerance`.
    state : sequence of float or None
        What :meth:`state` of an interrupted flow returned; None at the start.
    partition, radius
        As for :func:`adaptive_flow`.
    most_tries : int or None
        Largest number of tries, accepted and rejected, since t = 0; None: :data:`MOST_TRIES`.

    Raises
    ------
    ParameterError
        The functional has a temperature.
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
            kinds = [type(value) for value in astuple(self.control)]  # a state holds floats only
            self.control = Control(*(kind(value) for kind, value in zip(kinds, values, strict=True)))
        self._functional, self._partition, self._radius = functional, partition or Partition(), radius
        self._step_size, self._most_tries = step_size, MOST_TRIES if most_tries is None else most_tries
        # On resuming, this equals the last slope of the step before to the bit, because its points are the same.
        self._slope = self._velocity(cloud)

    def state(self) -> tuple[float, ...]:
        """See :class:`sweepengine.particles.Steps`: the time, and the fields of the step-size control."""
        return (self.time, *astuple(self.control))

    def _velocity(self, points: Tensor) -> Tensor:
        return self._functional.velocity(points, self._partition)

    def diverged(self) -> bool:
        """Whether the flow has left every bounded set, or blows up: its steps have become too small to advance time."""
        lost = self.time + self.control.size == self.time
        largest = torch.finfo(self._slope.dtype).max
        return (
            lost or escaped(self.cloud, self._radius, self._partition) or escaped(self._slope, largest, self._partition)
        )

    def advance(self, step: int, target: int) -> int:
        """Make one try, and return how many steps of the grid it completes: all those up to the target, or none.

        Raises
        ------
        StepLimitError
            The largest number of tries has been made.
        """
        control, end = self.control, target * self._step_size
        if control.accepted + control.rejected >= self._most_tries:
            raise StepLimitError(
                f"found {control.accepted} accepted and {control.rejected} rejected steps at time {self.time:.6g} on "
                f"the way to {end:.6g}, the next {control.size:.3g}; loosen the tolerance {self.tolerance}, take equal "
                "steps, or allow more tries (max_steps of adaptive_flow)"
            )
        size = control.next_size(end - self.time)
        slopes = DORMAND_PRINCE.slopes(self._velocity, self.cloud, size, self._slope)
        after = combined(self.cloud, size, DORMAND_PRINCE.weights, slopes)
        error = combined(torch.zeros_like(self.cloud), size, DORMAND_PRINCE.error, slopes)
        if control.accepts(self.tolerance.norm(error, self.cloud, after, self._partition), size):
            self.time = end if size == end - self.time else self.time + size
            self.cloud, self._slope = after, slopes[-1]
        return target - step if self.time == end else 0
