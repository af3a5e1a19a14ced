"""The work of a sweep of computations, for the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.observe import canonical_names, ingredients_of, record_cost, variables_of
from sweepengine.plan._blocks import own_dims
from sweepengine.plan._cost import WORKER_BYTES
from sweepengine.spec import expand_computations
from sweepengine.store import make_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.data import Dataset
    from sweepengine.plan._cost import MachineRate
    from sweepengine.plan._step_size import References
    from sweepengine.spec import ComputationRun, ComputationSpec
    from sweepengine.store import Block, BlockShape, StoredArray

_RUN = 1.2e-4
"""Seconds of a run beside its observables: its turn, its record and what its worker tells the driver."""
_CHUNK, _CHUNK_VARIABLE = 4e-3, 1.7e-3
"""Seconds to open and commit a chunk of runs, and for each of its variables; a run bears its share."""


class ComputationWork:
    """What the plan asks of a sweep of computations; see :class:`sweepengine.plan.Work`."""

    given: tuple[Any, ...] = ()

    def __init__(self, spec: ComputationSpec, data: Dataset, references: References) -> None:  # noqa: ARG002
        self._spec, self._data = spec, data

    def runs(self) -> tuple[ComputationRun, ...]:
        """All runs of the sweep."""
        return tuple(expand_computations(self._spec, self._data.id, canonical_names(self._spec)))

    def layout(self, run: ComputationRun) -> tuple[int, str]:
        """Runs of one block share their width and case, so that they take the same time."""
        return run.width, run.case

    def block(self, runs: Sequence[ComputationRun]) -> Block:
        """The block of runs of one layout."""
        return make_block(runs, variables_of(runs[0]), *own_dims(runs[0], {}))

    def seconds(self, run: ComputationRun, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread; the sizes of the ingredients are the run itself."""
        cost = record_cost(ingredients_of(run), run)
        chunk = _CHUNK + _CHUNK_VARIABLE * len(shape.variables)
        return _RUN + chunk / shape.chunk_runs + cost.seconds + cost.flops / rate.flops

    def memory(self, run: ComputationRun, shape: BlockShape) -> int:  # noqa: ARG002
        """Bytes of a worker with a task that computes the run."""
        return WORKER_BYTES + int(record_cost(ingredients_of(run), run).bytes)

    def predict(self, run: ComputationRun) -> dict[str, StoredArray]:  # noqa: ARG002
        """Nothing: a computation names no limit."""
        return {}

    def limit_size(self, run: ComputationRun) -> tuple[int, int]:  # noqa: ARG002
        """Nothing: a computation names no limit."""
        return 0, 0
