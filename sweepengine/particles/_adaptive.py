"""Adaptive steps by Dormand and Prince's pair 5(4), with a control that gets past kinks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sweepengine.particles._errors import ParameterError, StepLimitError
from sweepengine.particles._flow import RADIUS, Flow, escaped
from sweepengine.particles._passes import Passes
from sweepengine.particles._terms import check_cloud
from sweepengine.runge_kutta import DORMAND_PRINCE, Control, combined

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.particles._flow import Observer
    from sweepengine.particles._terms import Functional


@dataclass(frozen=True)
class Tolerance:
    """What the error estimate of one step may be: root mean square over coordinates of error/(absolute + relative |θ|).

    Attributes
    ----------
    relative, absolute : float
    """

    relative: float = 1e-6
    absolute: float = 1e-8

    def norm(self, error: Tensor, before: Tensor, after: Tensor, passes: Passes) -> float:
        """At most 1 for a step to accept; NaN counts as infinite. Over all shards."""

        def part(chunk: slice) -> Tensor:
            scale = torch.maximum(before[chunk].abs(), after[chunk].abs()).mul_(self.relative).add_(self.absolute)
            return (error[chunk] / scale).square().sum().reshape(1)

        mean = float(passes.mean(len(error), part)) / error.shape[1]
        return math.sqrt(mean) if math.isfinite(mean) else math.inf


def adaptive_flow(
    functional: Functional,
    particles: Tensor,
    *,
    time: float,
    tolerance: Tolerance | None = None,
    first_step_size: float | None = None,
    observe: Observer | None = None,
    passes: Passes | None = None,
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
    passes : Passes or None
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
    run = AdaptiveSteps(
        functional, particles.clone(), first_step_size or time / 100, tolerance, passes=passes, radius=radius
    )
    if observe is not None:
        observe(0, 0.0, run.cloud)
    while run.time < time:
        before = run.control.accepted
        if run.diverged():
            break
        if before + run.control.rejected >= max_steps:
            raise StepLimitError(
                f"found {before} accepted and {run.control.rejected} rejected steps at time {run.time:.6g} of "
                f"{time:.6g}, the next {run.control.size:.3g}; allow more with max_steps, or loosen the tolerance "
                f"{run.tolerance}"
            )
        run.attempt(time)
        if observe is not None and run.control.accepted > before:
            observe(run.control.accepted, run.time, run.cloud)
    gone, control = run.diverged(), run.control
    return Flow(
        run.cloud,
        run.time,
        "diverged" if gone else "done",
        control.accepted if gone else None,
        control.accepted,
        control.rejected,
    )


class AdaptiveSteps:
    """The tries of :func:`adaptive_flow`, one by one.

    Parameters
    ----------
    functional : Functional
        At temperature 0.
    cloud : Tensor, shape (m, p)
        Where it stands.
    control : Control or float
        What an interrupted one had, or the size of the first try.
    time : float
        Reached so far.
    tolerance, passes, radius
        As for :func:`adaptive_flow`.
    """

    def __init__(
        self,
        functional: Functional,
        cloud: Tensor,
        control: Control | float,
        tolerance: Tolerance | None = None,
        *,
        time: float = 0.0,
        passes: Passes | None = None,
        radius: float = RADIUS,
    ) -> None:
        check_cloud(cloud)
        if functional.temperature:
            raise ParameterError(
                f"found temperature {functional.temperature}; adaptive steps carry no noise, use flow()"
            )
        self.cloud, self.time, self.tolerance = cloud, time, tolerance or Tolerance()
        self.control = control if isinstance(control, Control) else Control(control)
        self._functional, self._passes, self._radius = functional, passes or Passes(), radius
        # Of an interrupted flow this is the last slope of the step before, to the bit: it was taken at the same points.
        self._slope = self._velocity(cloud)

    def _velocity(self, points: Tensor) -> Tensor:
        return self._functional.velocity(points, self._passes)

    def diverged(self) -> bool:
        """Whether the flow has left every bounded set, or no step resolves what comes next: it ends in finite time."""
        lost = self.time + self.control.size == self.time
        largest = torch.finfo(self._slope.dtype).max
        return lost or escaped(self.cloud, self._radius, self._passes) or escaped(self._slope, largest, self._passes)

    def attempt(self, end: float) -> None:
        """One try, accepted or not, that does not pass a time."""
        size = self.control.next_size(end - self.time)
        slopes = DORMAND_PRINCE.slopes(self._velocity, self.cloud, size, self._slope)
        after = combined(self.cloud, size, DORMAND_PRINCE.weights, slopes)
        error = combined(torch.zeros_like(self.cloud), size, DORMAND_PRINCE.error, slopes)
        if self.control.accepts(self.tolerance.norm(error, self.cloud, after, self._passes), size):
            self.time = end if size == end - self.time else self.time + size
            self.cloud, self._slope = after, slopes[-1]
