"""Flow of a turn of particles: one run at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.execute._cloud import Cloud
from sweepengine.execute._data import Data, Record
from sweepengine.observe.measure import CloudMoment, Recorder
from sweepengine.particles import Partition, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sweepengine.execute._shards import Shards
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape


class ParticleTurn:
    """One run of particles from where it is.

    Parameters
    ----------
    run : ParticleRun
    data : Data
    state : mapping of ndarray, optional
        What :meth:`state` gave; without it the run starts at t = 0.
    partition : Partition, optional
        How to go over the particles, and over those of other workers that share the run.
    rows : range, optional
        The particles that are here; all where not given.
    """

    def __init__(
        self,
        run: ParticleRun,
        data: Data,
        state: Mapping[str, NDArray[np.generic]] | None = None,
        partition: Partition | None = None,
        rows: range | None = None,
    ) -> None:
        self._run, self._partition = run, partition or Partition()
        self._cloud = Cloud(run, data, self._partition, rows or range(run.width))
        start = CloudMoment(self._cloud.start, self._cloud.problem, 0)
        self._recorder = Recorder(run.kind, run.observables, start)
        self.due = 0
        self.diverged_step = np.full(1, -1, dtype=np.int64)
        step, particles, control = 0, None, None
        if state is not None:
            step, self.due, control = int(state["step"]), int(state["due"]), state.get("control")
            self.diverged_step = np.array(state["diverged_step"], dtype=np.int64)
            particles = torch.from_numpy(np.array(state["particles"])).to(data.x_train.device)
        self._steps = self._cloud.steps(self._cloud.start() if particles is None else particles, control)
        self._trajectory = Trajectory(self._steps, run.record_steps, step)

    @property
    def step(self) -> int:
        """Where the run stands on its grid."""
        return self._trajectory.step

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that a resume needs, as arrays. The noise is a function of the step and needs nothing."""
        state = {
            "particles": self._steps.cloud.cpu().numpy(),
            "step": np.array(self.step),
            "due": np.array(self.due),
            "diverged_step": self.diverged_step,
        }
        control = self._steps.state()
        return state | ({"control": np.array(control, dtype=np.float64)} if control else {})

    def advance(self) -> Iterator[Record | None]:
        """Flow to the end, or until the cloud has left every bounded set, or F₀ is no number."""
        records, moved = self._run.record_steps, False
        if self.due == len(records):
            return
        for step in self._trajectory:
            if moved:
                yield None
            moved = True
            if step == records[self.due]:
                moment = CloudMoment(self._steps.cloud, self._cloud.problem, step)
                if not math.isfinite(moment.objective):
                    self.diverged_step[:] = step
                    return
                values = self._recorder.measure(moment, snapshot=self.due in self._run.snapshots)
                self.due += 1
                yield Record(self.due - 1, [{name: value.cpu().numpy() for name, value in values.items()}])
        if self._trajectory.diverged:
            self.diverged_step[:] = self.step


def particle_turn(
    runs: list[ParticleRun],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,
    shards: Shards,
    *,
    cuda_graphs: bool,  # noqa: ARG001 -- refused for particles
) -> ParticleTurn:
    """Make the turn of one run of particles, of which this worker may hold a part; see :class:`MakeTurn`."""
    (run,) = runs
    rows = shards.rows(run, shape)
    return ParticleTurn(run, data, state, shards.partition(run, rows, data), rows)
