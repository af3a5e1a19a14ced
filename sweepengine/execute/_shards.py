"""Workers that advance one run of particles together: what they say to each other, and the program of all but the first.

Rank 0 is the lead: it is the task that the driver knows, claims chunks, chooses what is computed and writes the marks.
The others do what its orders say, on their own particles. Orders and digests travel as the flow's own sums do, so a
worker that has stopped shows itself in the next of them, to everybody.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.execute._device import particles_at_a_time
from sweepengine.execute._particle_turn import ParticleTurn
from sweepengine.particles import Passes, StepLimitError, spans
from sweepengine.spec import ParticleRun, run_from_json
from sweepengine.store import ChunkPart, ChunkPlace, Share, SupersededError, read_mark, refs_by_positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.execute._data import Data
    from sweepengine.execute._task import PackTask
    from sweepengine.particles import ShardGroup
    from sweepengine.store import BlockShape, Mark, StateRef


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

    def passes(self, run: ParticleRun, rows: range, data: Data) -> Passes:
        """How this worker goes over them."""
        chunk = particles_at_a_time(run, len(data.x_train), data.x_train.device)
        return Passes(chunk) if self._group is None else self._group.passes(rows, chunk=chunk)

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

    def said(self, steps: int) -> str:
        """What was communicated since the last call, for people."""
        if self._group is None:
            return ""
        traffic, steps = self._group.take_traffic(), max(1, steps)
        return (
            f"{self.size} shards: {traffic.payload / steps:.0f} bytes in {traffic.calls / steps:.1f} sums a step, "
            f"{1e3 * traffic.seconds / steps:.3g} ms with waiting"
        )


class Follower:
    """The program of a worker that is not the lead.

    Parameters
    ----------
    task : PackTask
    store : Store
    shape : BlockShape
    data : Data
    shards : Shards
    """

    def __init__(self, task: PackTask, store: Store, shape: BlockShape, data: Data, shards: Shards) -> None:
        self._task, self._store, self._shape, self._data, self._shards = task, store, shape, data, shards
        self._share = shards.share(shape)

    def follow(self) -> None:
        """Do what the lead says until it says that this is the end.

        Raises
        ------
        ShardError
            The lead or another worker has stopped.
        SupersededError
            A later attempt has taken a chunk over.
        """
        while (order := self._shards.next_order())[0] is not Order.END:
            match order:
                case Order.CHUNK, chunk:
                    self._open(chunk)
                case Order.STATE, position:
                    self._state = self._part.read_state(self._refs(position))
                case Order.RESUME, position:
                    self._turn(position, self._state)
                case Order.BEGIN, position:
                    self._part.forget(position)
                    self._turn(position, None)
                case Order.COMMIT, _:
                    self._part.write()
                    self._share.wait()
                case unknown:
                    raise AssertionError(f"the lead says {unknown} outside of a turn")

    def _open(self, chunk: int) -> None:
        self._chunk = chunk
        self._share.processes()  # which the lead writes into the mark that it claims
        self._part = ChunkPart(
            ChunkPlace(self._store, self._task.nodes, self._task.block, self._shape, chunk), self._share
        )
        self._share.wait()  # until the lead has claimed the mark
        self._part.load(self._mark().runs)

    def _mark(self) -> Mark:
        mark, task = read_mark(self._store, self._task.block, self._chunk), self._task
        if mark is None or mark.attempt != task.attempts[self._chunk]:
            raise SupersededError(f"{task.block} chunk {self._chunk}: another attempt has taken over")
        return mark

    def _refs(self, position: int) -> list[StateRef]:
        return next(refs for positions, refs in refs_by_positions(self._mark()).items() if position in positions)

    def _turn(self, position: int, state: Mapping[str, NDArray[np.generic]] | None) -> None:
        content = self._task.runs[position] if state is None else json.loads(str(state["runs"]))[0]
        run = run_from_json(content)
        if not isinstance(run, ParticleRun):
            raise AssertionError("only particles are shared")  # noqa: TRY004 -- our own invariant
        rows = self._shards.rows(run, self._shape)
        turn = ParticleTurn(run, self._data, state, self._shards.passes(run, rows, self._data), rows)
        try:
            for record in turn.advance():
                if record is not None and record.values[0] is not None:
                    self._part.record(position, record.index, {}, record.values[0])
                order, slot = self._shards.next_order()
                if order is Order.COMMIT:
                    self._part.write()
                    ids = {"runs": np.array(json.dumps([content]))}
                    self._part.write_state(self._task.attempts[self._chunk], (position,), slot, turn.state() | ids)
        except StepLimitError:
            return  # everywhere at the same try; the lead writes it down
