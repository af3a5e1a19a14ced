"""The program of a worker that advances a run together with other workers and is not their lead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.execute._make_turn import make_turn
from sweepengine.execute._shards import Order
from sweepengine.particles import StepLimitError
from sweepengine.spec import run_from_json
from sweepengine.store import ChunkPart, ChunkPlace, SupersededError, read_mark, refs_by_positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.execute._data import Data
    from sweepengine.execute._shards import Shards
    from sweepengine.execute._task import PackTask
    from sweepengine.store import Mark, StateRef


class Follower:
    """Carries out the orders of the lead on this worker's share of a run.

    Parameters
    ----------
    task : PackTask
    store : Store
        The store of the sweep, opened for writing.
    data : Data
    shards : Shards
        This worker's place among the workers of the run.
    """

    def __init__(self, task: PackTask, store: Store, data: Data, shards: Shards) -> None:
        self._task, self._data, self._shards = task, data, shards
        self._block = ChunkPlace.of(store, task.nodes, task.block, task.shape)
        self._share = shards.share(task.shape)

    def follow(self) -> None:
        """Carry out the lead's orders until the order to end.

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
        self._share.processes()  # tells the lead this process, which it writes into the mark that it claims
        self._part = ChunkPart(self._block.at(chunk), self._share)
        self._share.wait()  # until the lead has claimed the mark
        self._part.load(self._mark().runs)

    def _mark(self) -> Mark:
        mark, task = read_mark(self._block.store, self._task.block, self._chunk), self._task
        if mark is None or mark.attempt != task.attempts[self._chunk]:
            raise SupersededError(f"{task.block} chunk {self._chunk}: another attempt has taken over")
        return mark

    def _refs(self, position: int) -> list[StateRef]:
        return next(refs for positions, refs in refs_by_positions(self._mark()).items() if position in positions)

    def _turn(self, position: int, state: Mapping[str, NDArray[np.generic]] | None) -> None:
        run = self._task.runs[position] if state is None else run_from_json(json.loads(str(state["runs"]))[0])
        ids = {"runs": np.array(json.dumps([run.to_json()]))}
        turn = make_turn([run], self._data, state, self._task.shape, self._shards)
        try:
            for record in turn.advance():
                if record is not None and record.values[0] is not None:
                    self._part.record(position, record.index, {}, record.values[0])
                order, slot = self._shards.next_order()
                if order is Order.COMMIT:
                    self._part.write()
                    self._part.write_state(self._task.attempts[self._chunk], (position,), slot, turn.state() | ids)
        except StepLimitError:
            return  # all workers meet it at the same step; the lead records the failure
