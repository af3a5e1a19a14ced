"""What the plan must know of sweeps of a model of the user's own."""

from __future__ import annotations

from typing import ClassVar

from sweepengine.plan._modules import refuse_changing_parameters
from sweepengine.plan._networks import NetworkWork
from sweepengine.spec import ModelRun, Run


class ModelWork(NetworkWork):
    """Sweeps of a model; see :class:`sweepengine.plan._work.Work`."""

    of: ClassVar[type[Run]] = ModelRun

    def runs(self) -> tuple[Run, ...]:
        """All runs of the sweep.

        Raises
        ------
        SpecError
            The model has other parameters at another width.
        """
        runs = super().runs()
        refuse_changing_parameters(runs, self._data.x_train.shape[1], self._data.outputs)
        return runs
