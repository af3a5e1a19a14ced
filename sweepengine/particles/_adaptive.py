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
    passes, tolerance = passes or Passes(), tolerance or Tolerance()
    check_cloud(particles)
    if functional.temperature:
        raise ParameterError(f"found temperature {functional.temperature}; adaptive steps carry no noise, use flow()")
    if not (time > 0 and math.isfinite(time)):
        raise ParameterError(f"found time {time}; expected a positive finite end")

    def velocity(points: Tensor) -> Tensor:
        return functional.velocity(points, passes)

    cloud, now = particles.clone(), 0.0
    control = Control(first_step_size or time / 100)
    slope = velocity(cloud)
    if observe is not None:
        observe(0, now, cloud)
    while now < time:
        lost = now + control.size == now  # no step resolves what comes next: the flow ends here, in finite time
        if lost or escaped(cloud, radius, passes) or escaped(slope, torch.finfo(slope.dtype).max, passes):
            return Flow(cloud, now, "diverged", control.accepted, control.accepted, control.rejected)
        if control.accepted + control.rejected >= max_steps:
            raise StepLimitError(
                f"found {control.accepted} accepted and {control.rejected} rejected steps at time {now:.6g} of "
                f"{time:.6g}, the next {control.size:.3g}; allow more with max_steps, or loosen the tolerance {tolerance}"
            )
        size = control.next_size(time - now)
        last = size == time - now
        slopes = DORMAND_PRINCE.slopes(velocity, cloud, size, slope)
        after = combined(cloud, size, DORMAND_PRINCE.weights, slopes)
        error = combined(torch.zeros_like(cloud), size, DORMAND_PRINCE.error, slopes)
        if control.accepts(tolerance.norm(error, cloud, after, passes), size):
            now, cloud, slope = time if last else now + size, after, slopes[-1]
            if observe is not None:
                observe(control.accepted, now, cloud)
    gone = escaped(cloud, radius, passes)
    return Flow(
        cloud,
        now,
        "diverged" if gone else "done",
        control.accepted if gone else None,
        control.accepted,
        control.rejected,
    )
