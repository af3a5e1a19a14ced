"""What the plan must know of sweeps of networks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sweepengine.observe import canonical_names
from sweepengine.plan._blocks import network_block
from sweepengine.plan._cost import run_memory, run_seconds
from sweepengine.plan._step_size import step_count
from sweepengine.spec import expand

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sweepengine.data import Dataset
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import Architecture, Run, SweepSpec
    from sweepengine.store import Block, BlockShape


class NetworkWork:
    """Sweeps of networks; see :class:`sweepengine.plan._work.Work`."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec

    def runs(self, data: Dataset) -> tuple[Run, ...]:
        """All runs of the sweep."""

        @cache
        def steps(architecture: Architecture) -> int:
            return step_count(self._spec, architecture, data)

        return tuple(expand(self._spec, data.id, steps, canonical_names(self._spec)))

    def layout(self, run: Run) -> Hashable:
        """What runs of one block share."""
        return (run.architecture, run.width, run.record_steps)

    def block(self, runs: Sequence[Run], data: Dataset) -> Block:
        """Lay out runs of one layout."""
        return network_block(runs, data)

    def seconds(self, run: Run, shape: BlockShape, data: Dataset, rate: MachineRate) -> float:
        """Estimated time of one run on one thread."""
        return run_seconds(run, shape, data.x_train.shape[1], rate)

    def memory(self, run: Run, shape: BlockShape, data: Dataset) -> int:
        """Bytes of the arrays of one task that advances the run."""
        return run_memory(run, shape, data.x_train.shape[1])
