"""Flow of a turn of particles: one run at a time."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.execute._cloud import Cloud
from sweepengine.execute._data import Data, Record
from sweepengine.observe import particle_variables_of
from sweepengine.observe.measure_particles import Moment, Recorder
from sweepengine.particles import (
    METHODS,
    RADIUS,
    AdaptiveSteps,
    Noise,
    Now,
    Passes,
    StepLimitError,
    Tolerance,
    escaped,
)
from sweepengine.runge_kutta import Control

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sweepengine.execute._shards import Shards
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape


MOST_TRIES = 1_000_000
"""An adaptive run that needs more has failed."""


class ParticleTurn:
    """One run of particles from where it is.

    Parameters
    ----------
    run : ParticleRun
    data : Data
    state : mapping of ndarray, optional
        What :meth:`state` gave; without it the run starts at t = 0.
    passes : Passes, optional
        How to go over the particles, and over those of other workers that share the run.
    rows : range, optional
        The particles that are here; all where not given.
    """

    def __init__(
        self,
        run: ParticleRun,
        data: Data,
        state: Mapping[str, NDArray[np.generic]] | None = None,
        passes: Passes | None = None,
        rows: range | None = None,
    ) -> None:
        self._run, self._passes = run, passes or Passes()
        self._cloud = Cloud(run, data, self._passes, rows or range(run.width))
        names = [variable.name for variable in particle_variables_of(run)]
        self._recorder = Recorder(names, self._cloud.problem)
        self.step, self.due = 0, 0
        self.diverged_step = np.full(1, -1, dtype=np.int64)
        if state is None:
            self._stepper = _stepper(run, self._cloud, self._cloud.start(), self._passes, None)
        else:
            self.step, self.due = int(state["step"]), int(state["due"])
            self.diverged_step = np.array(state["diverged_step"], dtype=np.int64)
            particles = torch.from_numpy(np.array(state["particles"])).to(data.x_train.device)
            self._stepper = _stepper(run, self._cloud, particles, self._passes, state.get("control"))

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that a resume needs, as arrays. The noise is a function of the step and needs nothing."""
        return {
            "particles": self._stepper.particles.cpu().numpy(),
            "step": np.array(self.step),
            "due": np.array(self.due),
            "diverged_step": self.diverged_step,
        } | self._stepper.control()

    def advance(self) -> Iterator[Record | None]:
        """Flow to the end, or until the cloud has left every bounded set, or F₀ is no number."""
        records = self._run.record_steps
        while self.due < len(records):
            if self._stepper.escaped():
                self.diverged_step[:] = self.step
                return
            if self.step == records[self.due]:
                moment = Moment(self._stepper.particles, self._cloud.problem, self.step)
                if not math.isfinite(moment.objective):
                    self.diverged_step[:] = self.step
                    return
                values = self._recorder.measure(moment, snapshot=self.due in self._run.snapshots)
                self.due += 1
                yield Record(self.due - 1, [values])
            if self.step < records[-1]:
                self.step += self._stepper.advance(self.step)
                yield None


class _FixedSteps:
    """Equal steps of one of the library's methods."""

    def __init__(self, run: ParticleRun, cloud: Cloud, particles: torch.Tensor, passes: Passes) -> None:
        self.particles = particles
        self._run, self._cloud, self._passes = run, cloud, passes
        self._method = METHODS[run.method]
        self._noise = Noise(run.seed, passes.first) if run.temperature else None

    def escaped(self) -> bool:
        return escaped(self.particles, RADIUS, self._passes)

    def advance(self, step: int) -> int:
        now = Now(step, self._run.step_size, self._noise)
        self._method(self._cloud.at(step), self.particles, now, self._passes)
        self._cloud.project(self.particles)
        return 1

    def control(self) -> dict[str, NDArray[np.generic]]:
        return {}


class _Adaptive:
    """Steps of a chosen error that meet every time of the run's grid at which a record lies."""

    def __init__(
        self,
        run: ParticleRun,
        cloud: Cloud,
        particles: torch.Tensor,
        passes: Passes,
        control: NDArray[np.generic] | None,
    ) -> None:
        self._run = run
        tolerance = None if run.tolerance is None else Tolerance(run.tolerance.relative, run.tolerance.absolute)
        begun, time = (run.step_size, 0.0) if control is None else _control(control)
        self._steps = AdaptiveSteps(cloud.functional, particles, begun, tolerance, time=time, passes=passes)

    @property
    def particles(self) -> torch.Tensor:
        return self._steps.cloud

    def escaped(self) -> bool:
        return self._steps.diverged()

    def advance(self, step: int) -> int:
        """One try; the number of the grid's steps that it completes: all those up to the next record, or none."""
        control = self._steps.control
        if control.accepted + control.rejected >= MOST_TRIES:
            raise StepLimitError(
                f"found {control.accepted} accepted and {control.rejected} rejected steps at time {self._steps.time:.6g} of "
                f"{self._run.time:.6g}, the next {control.size:.3g}; loosen dynamics.tolerance, or take a fixed method"
            )
        target = next(each for each in self._run.record_steps if each > step)
        end = target * self._run.step_size
        self._steps.attempt(end)
        return target - step if self._steps.time == end else 0

    def control(self) -> dict[str, NDArray[np.generic]]:
        return {"control": np.array([self._steps.time, *astuple(self._steps.control)], dtype=np.float64)}


def _control(values: NDArray[np.generic]) -> tuple[Control, float]:
    """The control and the time that a state holds."""
    time, size, floor, accepted, rejected, forced, smallest, last_error, just_rejected = values.tolist()
    counts = int(accepted), int(rejected), int(forced)
    return Control(size, floor, *counts, smallest, last_error, bool(just_rejected)), time


def _stepper(
    run: ParticleRun, cloud: Cloud, particles: torch.Tensor, passes: Passes, control: NDArray[np.generic] | None
) -> _FixedSteps | _Adaptive:
    if run.method == "adaptive":
        return _Adaptive(run, cloud, particles, passes, control)
    return _FixedSteps(run, cloud, particles, passes)


def particle_turn(
    runs: list[ParticleRun],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,
    shards: Shards,
    *,
    cuda_graphs: bool,  # noqa: ARG001 -- refused for particles
) -> ParticleTurn:
    """One run of particles, of which this worker may have a part; see :class:`sweepengine.execute._data.MakeTurn`."""
    (run,) = runs
    rows = shards.rows(run, shape)
    return ParticleTurn(run, data, state, shards.passes(run, rows, data), rows)
