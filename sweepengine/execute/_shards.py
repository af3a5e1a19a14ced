"""Workers that advance one run together: what they say to each other.

Rank 0 is the lead: it is the task that the driver knows, claims chunks, chooses what is computed and writes the marks.
The others do what its orders say, on their own particles. Orders and digests travel as the flow's own sums do, so a
worker that has stopped shows itself in the next of them, to everybody.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import torch

from sweepengine.execute._device import particles_at_a_time
from sweepengine.particles import Partition, spans
from sweepengine.store import Share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.execute._data import Data
    from sweepengine.particles import ShardGroup
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape


class Order(IntEnum):
    """What the lead tells the others."""

    STEP = 0
    """Within a turn: go on."""
    COMMIT = 1
    """Write what has changed, and the state into a slot if one is named."""
    CHUNK = 2
    """Take hold of a chunk."""
    STATE = 3
    """Read the state of a run."""
    RESUME = 4
    """Advance a run from the state that was read."""
    BEGIN = 5
    """Advance a run from t = 0."""
    END = 6


class Shards:
    """One worker's place among those that share a run.

    Parameters
    ----------
    group : ShardGroup or None
        None: there is no other.
    """

    def __init__(self, group: ShardGroup | None = None) -> None:
        self._group = group
        self.rank, self.size = (0, 1) if group is None else (group.rank, group.size)

    def rows(self, run: ParticleRun, shape: BlockShape) -> range:
        """The particles of a run that are here."""
        return spans(run.width, shape.piece, self.size)[self.rank]

    def partition(self, run: ParticleRun, rows: range, data: Data) -> Partition:
        """How this worker goes over them."""
        chunk = particles_at_a_time(run, len(data.x_train), data.x_train.device)
        return Partition(chunk) if self._group is None else self._group.partition(rows, chunk=chunk)

    def share(self, shape: BlockShape) -> Share:
        """What this worker holds of a chunk."""
        if self._group is None:
            return Share()
        rows = spans(shape.sizes["particle"], shape.piece, self.size)[self.rank]
        return Share(self.rank, self.size, rows, self._gather, lambda slot: self.order(Order.COMMIT, slot))

    def _gather(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._sum(torch.from_numpy(values)).numpy()

    def order(self, order: Order, number: int = 0) -> None:
        """Tell the others what to do."""
        if self._group is not None:
            self._sum(torch.tensor([order, number], dtype=torch.int64))

    def next_order(self) -> tuple[Order, int]:
        """What the lead says."""
        order, number = self._sum(torch.zeros(2, dtype=torch.int64)).tolist()
        return Order(order), number

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        if self._group is None:
            raise AssertionError("a worker alone has nobody to ask")
        return self._group.total(values.to(self._group.device)).cpu()

    def report(self, steps: int) -> str:
        """What was communicated since the last call, for people."""
        if self._group is None:
            return ""
        traffic, steps = self._group.take_traffic(), max(1, steps)
        return (
            f"{self.size} shards: {traffic.payload / steps:.0f} bytes in {traffic.calls / steps:.1f} sums a step, "
            f"{1e3 * traffic.seconds / steps:.3g} ms with waiting"
        )
