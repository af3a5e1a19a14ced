"""A worker's hold on one chunk of runs: claim, load, record, commit.

A commit writes the arrays, then the training state, then the mark. There are two slots for the state, and the commit
uses the one that the present mark does not name. So a kill at any moment leaves a mark whose records and state are
whole, and a resume continues from exactly there. Nobody else writes into the chunk meanwhile, however long this worker
is suspended: see :mod:`sweepengine.store._attempts`. Where several workers share a run, one of them has this hold and
each of the others has a :class:`ChunkPart`.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sweepengine.store._attempts import check_attempt, claim_chunk
from sweepengine.store._marks import Mark, RunMark, StateRef, attempt_of_state, state_prefix, write_mark
from sweepengine.store._meanwhile import begin, completed
from sweepengine.store._objects import delete_object, list_objects
from sweepengine.store._part import ALONE, KEPT_SLOT, NO_STATE, ChunkPart, Share
from sweepengine.store._process import Process
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.store._arrays import ChunkPlace


class ChunkWriter:
    """One attempt's exclusive hold on one chunk of a block.

    Parameters
    ----------
    place : ChunkPlace
    attempt : int
        Number of this attempt, higher than that of any attempt before.
    share : Share
        This worker's place among the workers of a run; it leads them.

    Attributes
    ----------
    damaged : dict
        Position of a run → names of its variables that did not match the mark. Such a run starts again.

    Raises
    ------
    SupersededError
        A later attempt has the chunk.
    HeldError
        An earlier attempt may still write there.
    StoreError
        The store was removed, or the chunk's mark is damaged.
    """

    def __init__(self, place: ChunkPlace, attempt: int, share: Share = ALONE) -> None:
        self._place, self._share = place, share
        self._first, self._stop = place.span
        # A chunk that no other attempt has seen has no states but those that this one writes.
        self._mark, self._is_stateless = claim_chunk(
            place.store, place.block, place.chunk, self._stop - self._first, attempt, share.processes()
        )
        self._putting = begin(place.store, self._put_mark) if self._is_stateless else None
        self.damaged: dict[int, list[str]] = {}
        self._forgotten: set[int] = set()
        self._is_writing = False
        self._ending = completed(None)
        self._kept: list[StateRef] = []
        self._lost: set[str] = set()
        self._runs = list(self._mark.runs)
        try:
            self._load()
        except BaseException:
            with suppress(OSError):  # the error that is being raised matters more
                self.release(others_too=False)
            raise

    def _put_mark(self) -> None:
        write_mark(self._place.store, self._place.block, self._place.chunk, self._mark)

    def _load(self) -> None:
        """Read the committed records, and restart the runs whose records do not match the mark."""
        place, share = self._place, self._share
        if not share.is_alone:
            self._wait_for_mark()
        self._part = ChunkPart(place, share)
        share.wait()  # the other workers read the mark now
        for index, digests in enumerate(self._part.load(self._runs)):
            marked = self._runs[index].digests
            wrong = [name for name, value in digests.items() if value != marked.get(name, "")]
            if wrong:
                self.damaged[self._first + index] = wrong
                self.restart(self._first + index)

    @property
    def chunk(self) -> int:
        """Index of the chunk in its block."""
        return self._place.chunk

    @property
    def attempt(self) -> int:
        """Number of this attempt."""
        return self._mark.attempt

    def run(self, position: int) -> RunMark:
        """Status, number of records and digests so far of the run at a position of the block."""
        return self._runs[position - self._first]

    def restart(self, position: int) -> None:
        """Forget a run's records: it is computed again from the beginning."""
        index = position - self._first
        if self._mark.runs[index].records_done:
            self._forgotten.add(index)
        self._runs[index] = RunMark()
        self._part.forget(position)

    def state_refs(self) -> dict[tuple[int, ...], list[StateRef]]:
        """The states that the mark names: positions of the runs that a state continues → its parts."""
        return refs_by_positions(self._mark)

    def read_state(self, refs: list[StateRef]) -> dict[str, NDArray[np.generic]] | None:
        """Read a state, or this worker's rows of it; None if any part is lost or damaged."""
        return self._part.read_state(refs)

    def record(self, position: int, record: int, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Take a run's next record: the values of all variables, of those of snapshots if the record is one."""
        run = self.run(position)
        if record != run.records_done:
            raise AssertionError(f"record {record} of run {position} comes after {run.records_done} records")
        digests = self._part.record(position, record, run.digests, values)
        self._runs[position - self._first] = replace(
            run, status=Status.RUNNING, records_done=record + 1, digests=digests
        )

    def finish(
        self,
        position: int,
        status: Status,
        *,
        diverged_step: int = -1,
        peak_memory: int = -1,
        beside: Mapping[str, str] | None = None,
    ) -> None:
        """Say how a run ended; of an addition also the digests of what lies ``beside``, with which it was compared."""
        index = position - self._first
        self._runs[index] = replace(
            self._runs[index],
            status=status,
            diverged_step=diverged_step,
            peak_memory=peak_memory,
            digests={**self._runs[index].digests, **(beside or {})},
        )

    def keep(self, position: int, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Keep the last state of a run; the next commit names it."""
        self._kept += self._part.write_state(self._mark.attempt, (position,), KEPT_SLOT, state)

    def drop(self, ref: StateRef) -> None:
        """Name a state that is lost no more."""
        self._lost.add(ref.key)

    def commit(
        self,
        positions: tuple[int, ...] = (),
        state: Mapping[str, NDArray[np.generic]] | None = None,
        *,
        last: bool = False,
    ) -> None:
        """Make everything recorded so far durable.

        Parameters
        ----------
        positions : tuple of int
            Positions of the runs that are in training; empty if none is.
        state : mapping of arrays, optional
            Arrays from which a resume continues those runs.
        last : bool
            Whether this worker writes no more after this commit, so that it releases the chunk with it if it is alone.

        Raises
        ------
        SupersededError
            A later attempt wants the chunk; this attempt must stop, and has written nothing more.
        StoreError
            The store was removed.
        """
        place = self._place
        self._wait_for_mark()
        check_attempt(place.store, place.block, place.chunk, self._mark.attempt)
        if self._forgotten:
            # The mark drops these runs before their records are overwritten: no reader takes the new for the old.
            runs = (RunMark() if k in self._forgotten else run for k, run in enumerate(self._mark.runs))
            self._mark = replace(self._mark, runs=tuple(runs))
            self._put_mark()
            self._forgotten.clear()
        slot = NO_STATE if state is None else self._free_slot(positions[0])
        self._share.announce(slot)
        self._is_writing = True  # into arrays, which later attempts use too; the names of states and marks are our own
        tails = self._mark.tails | self._part.write(self._runs)
        self._is_writing = False
        # States of other runs stay: a sweep of fewer runs must not lose the states of the runs that it leaves alone.
        anew = {*positions, *(position for ref in self._kept for position in ref.positions)}
        kept = [ref for ref in self._mark.states if not set(ref.positions) & anew and self._is_needed(ref)]
        kept += [ref for ref in self._kept if self._is_needed(ref)]
        self._kept.clear()
        if state is None:
            self._share.wait()
        else:
            self._is_stateless = False
            kept += self._part.write_state(self._mark.attempt, positions, slot, state)
        if not self._share.is_alone:  # other workers write pieces of snapshots, and keep their tails to themselves
            shared = {variable.name for variable in place.shape.variables if variable.is_snapshot}
            tails = {key: tail for key, tail in tails.items() if key.partition("/")[0] not in shared}
        self._mark = replace(self._mark, runs=tuple(self._runs), states=tuple(kept), tails=tails)
        if last and self._share.is_alone:
            self._mark = replace(self._mark, processes=(), released=True)
        self._put_mark()
        if state is None and not self._is_stateless:
            delete_states(place, {ref.key for ref in kept}, until=self._mark.attempt)

    def begin_last_commit(self) -> Future[None]:
        """Begin the commit after which this worker writes no more; the result says, or raises, how it ended."""
        self._ending = begin(self._place.store, partial(self.commit, last=True))
        return self._ending

    def release(self, *, others_too: bool = True) -> None:
        """Say that this worker writes no more; what it has not committed is lost.

        Parameters
        ----------
        others_too : bool
            Whether the other workers of a shared run write no more either. If not, the end of their processes says so.
        """
        if self._mark.released or not self._ending.done():
            return  # it is said already; or who waited for the last commit was interrupted, and it says so at its end
        self._wait_for_mark()
        if self._is_writing:
            return  # zarr's thread may still carry out the interrupted write: only the end of this process ends it
        remaining = () if others_too else tuple(p for p in self._mark.processes if p != Process.current())
        self._mark = replace(self._mark, processes=remaining, released=not remaining)
        self._put_mark()

    def _wait_for_mark(self) -> None:
        """Return when the mark with which this attempt began is in the store."""
        if self._putting is not None:
            self._putting.result()
            self._putting = None

    def _free_slot(self, position: int) -> int:
        """The slot of this attempt that the mark does not name."""
        stem = self._part.state_stem(self._mark.attempt, position, 0)
        return int(any(ref.key.startswith(stem) for ref in self._mark.states))

    def _is_needed(self, ref: StateRef) -> bool:
        """Whether a state still continues some run: one that has records and is not finished, or a longer one."""
        if ref.is_kept:
            return ref.key not in self._lost and all(self.run(p).status is Status.DONE for p in ref.positions)
        return any(self.run(p).records_done and not self.run(p).status.is_final for p in ref.positions)


def delete_states(place: ChunkPlace, named: Collection[str] = (), until: int | None = None) -> None:
    """Delete states of a chunk; objects whose names are not those of states stay.

    Parameters
    ----------
    place : ChunkPlace
    named : collection of str
        Keys of states that stay.
    until : int, optional
        The last attempt whose states are deleted; by default those of all attempts are.
    """
    prefix = state_prefix(place.block, place.chunk)
    for key in list_objects(place.store, prefix):
        attempt = attempt_of_state(key.removeprefix(prefix))
        if attempt is not None and key not in named and (until is None or attempt <= until):
            delete_object(place.store, key)


def refs_by_positions(mark: Mark) -> dict[tuple[int, ...], list[StateRef]]:
    """The states that a mark names: positions of the runs that a state continues → its parts, in the order of rows."""
    grouped = itertools.groupby((ref for ref in mark.states if not ref.is_kept), key=lambda ref: ref.positions)
    return {positions: list(refs) for positions, refs in grouped}


def fail_chunk(place: ChunkPlace, attempt: int, positions: Collection[int]) -> list[int]:
    """Record the unfinished runs of a chunk that cannot be advanced as failed.

    Only the mark changes. Arrays and states stay as they are, so a later try goes on from them.

    Parameters
    ----------
    place : ChunkPlace
    attempt : int
        As for :class:`ChunkWriter`.
    positions : collection of int
        Positions of the runs in the block; positions outside the chunk are passed over.

    Returns
    -------
    list of int
        Positions of the runs that were recorded as failed.

    Raises
    ------
    SupersededError, HeldError, StoreError
        As :class:`ChunkWriter` does.
    """
    first, stop = place.span
    mark, _ = claim_chunk(place.store, place.block, place.chunk, stop - first, attempt, (Process.current(),))
    runs = list(mark.runs)
    failed = [p - first for p in positions if first <= p < stop and not runs[p - first].status.is_final]
    for index in failed:
        runs[index] = replace(runs[index], status=Status.FAILED)
    write_mark(place.store, place.block, place.chunk, replace(mark, runs=tuple(runs), released=True))
    return [first + index for index in failed]
