"""What makes the turn of some runs: their kind says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sweepengine.spec import kind_of, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.execute._data import Data, Turn
    from sweepengine.execute._shards import Shards
    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape


class MakeTurn(Protocol):
    """The function that makes a turn of some runs of one block; :attr:`sweepengine.spec.Kind.turn` names it."""

    def __call__(
        self,
        runs: list[Any],
        data: Data,
        state: Mapping[str, NDArray[np.generic]] | None,
        shape: BlockShape,
        shards: Shards,
        *,
        cuda_graphs: bool,
    ) -> Turn:
        """Return the turn of some runs.

        Parameters
        ----------
        runs : list of AnyRun
            The runs, all of one kind; a single run unless :attr:`~sweepengine.spec.AnyRun.shares_turns`.
        data : Data
        state : mapping of ndarray or None
            A result of :meth:`Turn.state`; with None the runs start at t = 0.
        shape : BlockShape
            Shape of the block.
        shards : Shards
            This worker's place among the workers that advance the run together.
        cuda_graphs : bool
            Whether steps that are alike are recorded once as a CUDA graph and then replayed.
        """


def make_turn(
    runs: list[AnyRun],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,
    shards: Shards,
    *,
    cuda_graphs: bool = False,
) -> Turn:
    """Return the turn of some runs of one kind; see :class:`MakeTurn`."""
    make: MakeTurn = resolve(kind_of(runs[0]).turn)
    return make(runs, data, state, shape, shards, cuda_graphs=cuda_graphs)
