"""A worker's hold on one chunk of runs: claim, load, record, commit.

A commit writes the arrays, then the state into the slot that the present mark does not name, then the mark. So a kill
at any moment leaves a mark whose records and state are whole, and a resume continues from exactly there. Where several
workers share a run, one of them has this hold and the others a :class:`ChunkPart` each.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.store._layout import RUN_ARRAYS, BlockShape
from sweepengine.store._marks import Mark, RunMark, StateRef, read_mark, state_prefix, write_mark
from sweepengine.store._objects import delete_object, list_objects
from sweepengine.store._part import ALONE, NO_STATE, ChunkPart, Share, open_array
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store


class SupersededError(Exception):
    """Another attempt has taken this chunk over; this one must stop without writing."""


class ChunkWriter:
    """One attempt's exclusive hold on one chunk of a block.

    Parameters
    ----------
    store : Store
    block : str
    shape : BlockShape
    chunk : int
    attempt : int
        Higher than that of any attempt before.
    owner : str
        Identifies the driver.
    share : Share
        With others, their lead.

    Attributes
    ----------
    damaged : dict
        Position of a run → its variables that did not match the mark: it starts again.

    Raises
    ------
    SupersededError
        The mark already names a later attempt.
    """

    def __init__(
        self, store: Store, block: str, shape: BlockShape, chunk: int, attempt: int, owner: str, share: Share = ALONE
    ) -> None:
        self._store, self._block, self._chunk, self._share = store, block, chunk, share
        self._attempt, self._owner = attempt, owner
        self._first, self._stop = shape.chunk_span(chunk)
        mark = read_mark(store, block, chunk)
        if mark is None:
            mark = Mark(attempt, owner, tuple(RunMark() for _ in range(self._stop - self._first)))
        self._check(mark)
        self._mark = mark.claimed(attempt, owner)
        write_mark(store, block, chunk, self._mark)
        self._part = ChunkPart(store, block, shape, chunk, share)
        self._run_arrays = {name: open_array(store, block, name) for name in RUN_ARRAYS}
        self._runs = list(self._mark.runs)
        share.wait()  # the others read the mark now
        self.damaged: dict[int, list[str]] = {}
        for place, found in enumerate(self._part.load(self._runs)):
            marked = self._runs[place].digests
            wrong = [name for name, value in found.items() if value != marked.get(name, "")]
            if wrong:
                self.damaged[self._first + place] = wrong
                self.restart(self._first + place)

    def _check(self, mark: Mark | None) -> None:
        if mark is None:
            return
        ours = (self._attempt, self._owner)
        if mark.attempt > self._attempt or (mark.attempt == self._attempt and mark.owner != self._owner):
            raise SupersededError(
                f"{self._block} chunk {self._chunk}: attempt {mark.attempt} has taken over from {ours}"
            )

    def run(self, position: int) -> RunMark:
        """What is known of the run at a position of the block."""
        return self._runs[position - self._first]

    def restart(self, position: int) -> None:
        """Forget a run's records: it is computed again from the beginning."""
        self._runs[position - self._first] = RunMark()
        self._part.forget(position)

    def state_refs(self) -> dict[tuple[int, ...], list[StateRef]]:
        """The states that the mark names: positions of the runs → the parts."""
        return refs_by_positions(self._mark)

    def read_state(self, refs: list[StateRef]) -> dict[str, NDArray[np.generic]] | None:
        """A state, or this worker's part of it; None unless all of it is whole."""
        return self._part.read_state(refs)

    def record(self, position: int, record: int, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Take the values of every variable of one run at its next record, those of snapshots where it is one."""
        run = self.run(position)
        if record != run.records_done:
            raise AssertionError(f"record {record} of run {position} comes after {run.records_done} records")
        digests = self._part.record(position, record, run.digests, values)
        self._runs[position - self._first] = replace(
            run, status=Status.RUNNING, records_done=record + 1, digests=digests
        )

    def finish(self, position: int, status: Status, *, diverged_step: int = -1, peak_memory: int = -1) -> None:
        """Say how a run ended."""
        place = position - self._first
        self._runs[place] = replace(
            self._runs[place], status=status, diverged_step=diverged_step, peak_memory=peak_memory
        )

    def commit(self, positions: tuple[int, ...] = (), state: Mapping[str, NDArray[np.generic]] | None = None) -> None:
        """Make everything recorded so far durable.

        Parameters
        ----------
        positions : tuple of int
            The runs in training; none when all are at rest.
        state : mapping of arrays, optional
            What a resume needs to continue them.

        Raises
        ------
        SupersededError
            Another attempt has taken over; nothing more is written.
        """
        self._check(read_mark(self._store, self._block, self._chunk))
        slot = NO_STATE if state is None else self._free_slot(positions[0])
        self._share.announce(slot)
        self._part.write()
        for name, array in self._run_arrays.items():
            array[self._first : self._stop] = np.array([getattr(run, name) for run in self._runs], dtype=array.dtype)
        # A state of other runs stays: a sweep that wants fewer runs takes nothing from those that it leaves alone.
        kept = [ref for ref in self._mark.states if not set(ref.positions) & set(positions) and self._is_needed(ref)]
        if state is None:
            self._share.wait()
        else:
            kept += self._part.write_state(self._attempt, positions, slot, state)
        self._check(read_mark(self._store, self._block, self._chunk))
        self._mark = Mark(self._attempt, self._owner, tuple(self._runs), tuple(kept))
        write_mark(self._store, self._block, self._chunk, self._mark)
        if state is None:
            named = {ref.key for ref in kept}
            for key in list_objects(self._store, state_prefix(self._block, self._chunk)):
                if key not in named:
                    delete_object(self._store, key)

    def _free_slot(self, position: int) -> int:
        """The slot of this attempt that the mark does not name."""
        stem = self._part.state_stem(self._attempt, position, 0)
        return int(any(ref.key.startswith(stem) for ref in self._mark.states))

    def _is_needed(self, ref: StateRef) -> bool:
        """Whether a state continues some run from where the mark says that it is."""
        return any(self.run(p).records_done and not self.run(p).status.is_final for p in ref.positions)


def refs_by_positions(mark: Mark) -> dict[tuple[int, ...], list[StateRef]]:
    """The states that a mark names: positions of the runs → the parts, in the order of their rows."""
    grouped = itertools.groupby(mark.states, key=lambda ref: ref.positions)
    return {positions: list(refs) for positions, refs in grouped}


def fail_chunk(
    store: Store, block: str, shape: BlockShape, chunk: int, attempt: int, owner: str, positions: Collection[int]
) -> int:
    """Record the unfinished ones of some runs as failed, in the mark alone: for chunks that cannot be advanced.

    Arrays and states stay as they are, so a later try goes on from them.

    Parameters
    ----------
    store, block, shape, chunk, attempt, owner
        As for :class:`ChunkWriter`.
    positions : collection of int
        Positions in the block; those outside the chunk are passed over.

    Returns
    -------
    int
        How many were recorded as failed.
    """
    first, stop = shape.chunk_span(chunk)
    mark = read_mark(store, block, chunk) or Mark(attempt, owner, tuple(RunMark() for _ in range(stop - first)))
    runs = list(mark.runs)
    failed = [p - first for p in positions if first <= p < stop and not runs[p - first].status.is_final]
    for place in failed:
        runs[place] = replace(runs[place], status=Status.FAILED)
    write_mark(store, block, chunk, replace(mark, attempt=attempt, owner=owner, runs=tuple(runs)))
    return len(failed)
