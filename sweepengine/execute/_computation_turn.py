"""What advances a computation: its observables are computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.execute._data import Record
from sweepengine.observe import Case
from sweepengine.observe.measure import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sweepengine.execute._data import Data
    from sweepengine.execute._shards import Shards
    from sweepengine.spec import ComputationRun
    from sweepengine.store import BlockShape


class ComputationTurn:
    """One computation, which has one record and no step."""

    def __init__(self, run: ComputationRun, state: Mapping[str, NDArray[np.generic]] | None) -> None:
        self._run = run
        self._due = 0 if state is None else int(state["due"])
        self.diverged_step = np.full(1, -1, dtype=np.int64)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """See :class:`sweepengine.execute._data.Turn`."""
        return {"step": np.array(0), "due": np.array(self._due), "diverged_step": self.diverged_step}

    def advance(self) -> Iterator[Record | None]:
        """Compute the record, if it is still due."""
        if self._due:
            return
        run = self._run
        case = Case(run.case, run.width, run.seed)
        values = Recorder(run.kind, run.observables, case).measure(case)
        self._due = 1
        yield Record(0, [{name: np.asarray(value.numpy(), dtype=np.float64) for name, value in values.items()}])


def computation_turn(
    runs: list[ComputationRun],
    data: Data,  # noqa: ARG001 -- the signature is that of all kinds
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,  # noqa: ARG001
    shards: Shards,  # noqa: ARG001
    *,
    cuda_graphs: bool,  # noqa: ARG001
) -> ComputationTurn:
    """Make the turn of one computation; see :class:`sweepengine.execute._make_turn.MakeTurn`."""
    return ComputationTurn(runs[0], state)
