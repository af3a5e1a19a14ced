"""Runs, time and memory of sweeps of a user's model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sweepengine.plan._modules import (
    module_dims,
    module_lambda_max,
    module_memory,
    module_seconds,
    refuse_changing_parameters,
)
from sweepengine.plan._networks import NetworkWork
from sweepengine.spec import ModelRun, Run

if TYPE_CHECKING:
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import Architecture
    from sweepengine.store import BlockShape


class ModelWork(NetworkWork):
    """The work of a sweep of a user's model; see :class:`sweepengine.plan._work.Work`."""

    of: ClassVar[type[Run]] = ModelRun

    def runs(self) -> tuple[Run, ...]:
        """All runs of the sweep.

        Raises
        ------
        SpecError
            The model does not have the same parameters at every width.
        """
        runs = super().runs()
        refuse_changing_parameters(runs, self._data.x_train.shape[1], self._data.outputs)
        return runs

    def _dims(self, run: Run) -> tuple[tuple[str, ...], dict[str, int]]:
        return module_dims(run, self._data)

    def _lambda_max(self, architecture: Architecture) -> float:
        return module_lambda_max(architecture, self._data)

    def seconds(self, run: Run, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread."""
        return module_seconds(run, shape, self._data.x_train.shape[1], rate)

    def memory(self, run: Run, shape: BlockShape) -> int:
        """Bytes of a worker with a task that advances the run."""
        return module_memory(run, shape, self._data.x_train.shape[1])
