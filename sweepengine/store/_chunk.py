"""A worker's hold on one chunk of runs: claim, load, record, commit.

A commit writes the arrays, then the state into the slot that the present mark does not name, then the mark. So a kill
at any moment leaves a mark whose records and state are whole, and a resume continues from exactly there.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import zarr

from sweepengine.store._layout import RUN_ARRAYS, BlockShape, block_path
from sweepengine.store._marks import Mark, RunMark, StateRef, read_mark, state_prefix, write_mark
from sweepengine.store._objects import delete_object, get_object, list_objects, put_object
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

_DIGEST_BYTES = 16


class SupersededError(Exception):
    """Another attempt has taken this chunk over; this one must stop without writing."""


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def chain_digest(previous: str, record: NDArray[np.floating]) -> str:
    """Digest of a series of records, given that of all but the last: 32 hexadecimal digits of BLAKE2b."""
    digest = hashlib.blake2b(previous.encode(), digest_size=_DIGEST_BYTES)
    digest.update(np.ascontiguousarray(record).tobytes())
    return digest.hexdigest()


def series_digest(records: NDArray[np.floating]) -> str:
    """Chained digest of records, shape (records, …); empty for none."""
    digest = ""
    for record in records:
        digest = chain_digest(digest, record)
    return digest


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

    Raises
    ------
    SupersededError
        The mark already names a later attempt.
    """

    def __init__(self, store: Store, block: str, shape: BlockShape, chunk: int, attempt: int, owner: str) -> None:
        self._store, self._block, self._chunk = store, block, chunk
        self._attempt, self._owner = attempt, owner
        self._first, self._stop = shape.chunk_span(chunk)
        self._shape = shape
        mark = read_mark(store, block, chunk)
        if mark is None:
            mark = Mark(attempt, owner, tuple(RunMark() for _ in range(self._stop - self._first)))
        self._check(mark)
        self._mark = mark.claimed(attempt, owner)
        write_mark(store, block, chunk, self._mark)
        self._arrays = {
            # Chunks of fill values are written too, so that a missing file always means a lost one.
            name: zarr.open_array(store, path=block_path(block, name), mode="r+").with_config(
                {"write_empty_chunks": True}
            )
            for name in [*(variable.name for variable in shape.variables), *RUN_ARRAYS]
        }
        self._buffers = {
            variable.name: np.full(
                (self._stop - self._first, *shape.array_shape(variable)[1:]), np.nan, dtype=shape.precision
            )
            for variable in shape.variables
        }
        self._changed_from = shape.records
        self._runs = list(self._mark.runs)
        self._load()

    def _check(self, mark: Mark | None) -> None:
        if mark is None:
            return
        ours = (self._attempt, self._owner)
        if mark.attempt > self._attempt or (mark.attempt == self._attempt and mark.owner != self._owner):
            raise SupersededError(
                f"{self._block} chunk {self._chunk}: attempt {mark.attempt} has taken over from {ours}"
            )

    def _load(self) -> None:
        """Fill the buffers with what is committed; a run whose stored records do not match the mark starts again."""
        if not any(run.records_done for run in self._runs):
            return
        stored = {name: self._stored(name) for name in self._buffers}
        for place, run in enumerate(self._runs):
            done = {each.name: self._shape.held(each, run.records_done) for each in self._shape.variables}
            if any(series_digest(stored[name][place, : done[name]]) != run.digests.get(name, "") for name in stored):
                self._runs[place] = RunMark()
                self._changed_from = 0
                continue
            for name, values in stored.items():
                self._buffers[name][place, : done[name]] = values[place, : done[name]]

    def _stored(self, name: str) -> NDArray[np.floating]:
        try:
            return np.asarray(self._arrays[name][self._first : self._stop])
        except (ValueError, RuntimeError):
            # Bytes that fail their checksum or do not decode: no run of the chunk matches the mark, so all start again.
            return np.full_like(self._buffers[name], np.nan)

    def run(self, position: int) -> RunMark:
        """What is known of the run at a position of the block."""
        return self._runs[position - self._first]

    def restart(self, position: int) -> None:
        """Forget a run's records: it is computed again from the beginning."""
        place = position - self._first
        self._runs[place] = RunMark()
        for buffer in self._buffers.values():
            buffer[place] = np.nan
        self._changed_from = 0

    def states(self) -> list[tuple[tuple[int, ...], dict[str, NDArray[np.generic]]]]:
        """Positions and content of every state that the mark names and that is whole."""
        found = []
        for ref in self._mark.states:
            content = get_object(self._store, ref.key)
            if content is not None and _digest(content) == ref.digest:
                with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                    found.append((ref.positions, dict(arrays)))
        return found

    def record(self, position: int, record: int, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Take the values of every variable of one run at its next record, those of snapshots where it is one."""
        place = position - self._first
        run = self._runs[place]
        if record != run.records_done:
            raise AssertionError(f"record {record} of run {position} comes after {run.records_done} records")
        digests = dict(run.digests)
        for variable in self._shape.variables:
            index = self._shape.held(variable, record)
            if self._shape.held(variable, record + 1) == index:
                continue  # of snapshots, and this record is none
            buffer = self._buffers[variable.name]
            buffer[place, index] = values[variable.name]
            digests[variable.name] = chain_digest(run.digests.get(variable.name, ""), buffer[place, index])
        self._runs[place] = replace(run, status=Status.RUNNING, records_done=record + 1, digests=digests)
        self._changed_from = min(self._changed_from, record)

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
        self._write_arrays()
        # A state of other runs stays: a sweep that wants fewer runs takes nothing from those that it leaves alone.
        kept = [ref for ref in self._mark.states if not set(ref.positions) & set(positions) and self._is_needed(ref)]
        if state is not None:
            kept.append(self._write_state(positions, state))
        self._check(read_mark(self._store, self._block, self._chunk))
        self._mark = Mark(self._attempt, self._owner, tuple(self._runs), tuple(kept))
        write_mark(self._store, self._block, self._chunk, self._mark)
        if state is None:
            named = {ref.key for ref in kept}
            for key in list_objects(self._store, state_prefix(self._block, self._chunk)):
                if key not in named:
                    delete_object(self._store, key)

    def _is_needed(self, ref: StateRef) -> bool:
        """Whether a state continues some run from where the mark says that it is."""
        return any(self.run(p).records_done and not self.run(p).status.is_final for p in ref.positions)

    def _write_arrays(self) -> None:
        furthest = max(run.records_done for run in self._runs)
        for variable in self._shape.variables:
            array, buffer = self._arrays[variable.name], self._buffers[variable.name]
            begin, end = (self._shape.held(variable, records) for records in (self._changed_from, furthest))
            per_chunk = array.chunks[1]
            for start in range(begin // per_chunk * per_chunk, end, per_chunk):
                stop = min(start + per_chunk, buffer.shape[1])
                array[self._first : self._stop, start:stop] = buffer[:, start:stop]
        self._changed_from = self._shape.records
        for name in RUN_ARRAYS:
            array = self._arrays[name]
            array[self._first : self._stop] = np.array([getattr(run, name) for run in self._runs], dtype=array.dtype)

    def _write_state(self, positions: tuple[int, ...], state: Mapping[str, NDArray[np.generic]]) -> StateRef:
        """Write a state into the slot that the mark does not name."""
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **{name: np.asarray(value) for name, value in state.items()})
        content = stream.getvalue()
        stem = f"{state_prefix(self._block, self._chunk)}{self._attempt:06d}-{positions[0]}"
        named = {ref.key for ref in self._mark.states}
        key = next(key for key in (f"{stem}-a.npz", f"{stem}-b.npz") if key not in named)
        put_object(self._store, key, content)
        return StateRef(positions, key, _digest(content))


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
