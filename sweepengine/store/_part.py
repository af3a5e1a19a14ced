"""One worker's part of a chunk of runs: all of it, or, if several workers share a run, some rows of each snapshot.

The workers of a shared run are its shards. Each shard writes whole pieces of the snapshots and a part of the state, and
tells the others the digests. Only the first shard holds the other variables and writes marks.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import StoreError
from sweepengine.store._digests import DIGEST_BYTES, chain_digest, digest, piece_digests
from sweepengine.store._layout import RUN_ARRAYS
from sweepengine.store._marks import RunMark, StateRef, state_prefix
from sweepengine.store._nodes import UNREADABLE
from sweepengine.store._objects import get_object, put_object
from sweepengine.store._process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from sweepengine.observe import Variable
    from sweepengine.store._arrays import ChunkPlace, Part

ROWS_OF_STATE = "particles"
"""Name of the one array of a state that is divided: each shard has its own rows of it."""
NO_STATE = -1
"""Stands for a slot in a commit that writes no state."""
KEPT_SLOT = 2
"""The slot of a run's last state, which is kept."""
_SLOTS = "abk"
_LONGEST_PROCESS = 1024


def _unchanged(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values


def _nobody(slot: int) -> None:
    """There is no other worker to tell."""


@dataclass(frozen=True)
class Share:
    """One worker's place among the workers that advance a run together; by default it is the only one.

    Attributes
    ----------
    rank, size : int
        This worker's rank and the number of workers. Rank 0 leads: it holds what is not divided.
    rows : range or None
        This worker's particles, whole pieces of the block's shape; None for all particles.
    gather : callable
        Sums an array of bytes over all workers; in each entry at most one worker has a nonzero byte. All workers must
        call it in the same order.
    announce : callable
        Tells the other workers to commit too. The lead calls it with the slot of the state, or :data:`NO_STATE`.
    """

    rank: int = 0
    size: int = 1
    rows: range | None = None
    gather: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = _unchanged
    announce: Callable[[int], None] = _nobody

    @property
    def is_alone(self) -> bool:
        """Whether there is no other worker."""
        return self.size == 1

    @property
    def leads(self) -> bool:
        """Whether this worker holds what is not divided."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every worker has called this."""
        self.gather(np.zeros(1, dtype=np.uint8))

    def processes(self) -> tuple[Process, ...]:
        """The processes of all workers, by rank."""
        mine = json.dumps(Process.current().to_json()).encode()
        if len(mine) > _LONGEST_PROCESS:
            raise AssertionError(f"a process that takes {len(mine)} bytes to name")
        every = self.gather_one(mine.ljust(_LONGEST_PROCESS))
        return tuple(Process(**json.loads(each)) for each in every)

    def gather_one(self, mine: bytes) -> list[bytes]:
        """The bytes ``mine`` of every worker, by rank; all workers must have equally many."""
        every = np.zeros((self.size, len(mine)), dtype=np.uint8)
        every[self.rank] = np.frombuffer(mine, dtype=np.uint8)
        return [each.tobytes() for each in self.gather(every)]


ALONE = Share()
"""The share of a worker that holds everything."""


class ChunkPart:
    """One worker's buffers of a chunk of runs: read from the store, extended by records, written back.

    Parameters
    ----------
    place : ChunkPlace
    share : Share
    only : collection of str, optional
        Names of the variables to hold; all variables of this worker's share if not given.

    Raises
    ------
    StoreError
        The block was laid out in pieces that shards cannot divide.
    """

    def __init__(self, place: ChunkPlace, share: Share, only: Collection[str] | None = None) -> None:
        shape = place.shape
        self._place, self._shape, self._share = place, shape, share
        self._first, self._stop = place.span
        held = [variable for variable in shape.variables if share.leads or variable.is_snapshot]
        self._variables = [variable for variable in held if only is None or variable.name in only]
        self._buffers = {variable.name: self._empty(variable) for variable in self._variables}
        self._records_done = [0] * (self._stop - self._first)
        self._changed_from = shape.records
        for variable in self._variables:
            chunks, expected = place.arrays[variable.name].chunks, shape.chunk_shape(variable)
            if share.rows is not None and variable.is_snapshot and chunks[2:] != expected[2:]:
                raise StoreError(
                    f"block {place.block}: found chunks {chunks} of {variable.name}, expected {expected}; shards "
                    "cannot share them: leave shards out, or use a new store"
                )

    def _empty(self, variable: Variable) -> NDArray[np.floating]:
        own = [*self._shape.array_shape(variable)[1:]]
        if variable.is_snapshot and self._share.rows is not None:
            own[1] = len(self._share.rows)
        return np.full((self._stop - self._first, *own), np.nan, dtype=self._shape.precision)

    def _rows(self, variable: Variable) -> tuple[slice, ...]:
        """Index of this worker's rows, for the dim after run and instant; empty if the worker has all rows."""
        rows = self._share.rows
        return (slice(rows.start, rows.stop),) if variable.is_snapshot and rows is not None else ()

    def load(self, runs: Sequence[RunMark]) -> list[dict[str, str]]:
        """Fill the buffers with the committed records of the chunk's runs.

        Parameters
        ----------
        runs : sequence of RunMark
            Marks of the runs, in the order of the chunk.

        Returns
        -------
        list of dict
            For each run: variable → digest of the records that were read, to be compared with the mark's.
        """
        loaded: list[dict[str, str]] = [{} for _ in runs]
        if not any(run.records_done for run in runs):
            return loaded
        for variable in self._variables:
            stored = self._stored(variable)
            for place, run in enumerate(runs):
                done = self._shape.held(variable, run.records_done)
                self._buffers[variable.name][place, :done] = stored[place, :done]
                chained = ""
                for value in stored[place, :done]:
                    chained = self._chained(variable, chained, value)
                loaded[place][variable.name] = chained
        self._records_done = [run.records_done for run in runs]
        return loaded

    def _stored(self, variable: Variable) -> NDArray[np.floating]:
        try:
            where = (slice(self._first, self._stop), slice(None), *self._rows(variable))
            return np.asarray(self._place.arrays[variable.name][where])
        except UNREADABLE:
            # Bytes that fail their checksum or do not decode: no run of the chunk matches the mark, so all start again.
            return np.full_like(self._buffers[variable.name], np.nan)

    def _chained(self, variable: Variable, previous: str, value: NDArray[np.floating]) -> str:
        """Digest of a variable's records up to this value; it does not depend on who holds a snapshot's pieces."""
        if not variable.is_snapshot:
            return chain_digest(previous, value)
        length = self._shape.piece
        every = np.zeros((self._shape.pieces, DIGEST_BYTES), dtype=np.uint8)
        own = piece_digests(value, length)
        first = 0 if self._share.rows is None else self._share.rows.start // length
        every[first : first + len(own)] = own
        return chain_digest(previous, self._share.gather(every))

    def values(self, name: str) -> NDArray[np.floating]:
        """The buffer of a variable, over (run, record or snapshot, …)."""
        return self._buffers[name]

    def forget(self, position: int) -> None:
        """Drop a run's records: it is computed again from the beginning."""
        place = position - self._first
        if self._records_done[place]:
            for buffer in self._buffers.values():
                buffer[place] = np.nan
            self._records_done[place] = 0
            self._changed_from = 0

    def record(
        self, position: int, record: int, digests: Mapping[str, str], values: Mapping[str, NDArray[np.floating]]
    ) -> dict[str, str]:
        """Take a run's next record; return the digests of its variables, which continue ``digests``."""
        place, extended = position - self._first, dict(digests)
        for variable in self._variables:
            name, index = variable.name, self._shape.held(variable, record)
            if variable.is_snapshot and self._shape.held(variable, record + 1) == index:
                continue  # this record is no snapshot
            kept, value = self._buffers[name][place, index, ...], values[name]
            if value.shape != kept.shape:
                raise ValueError(f"{name}: found shape {value.shape}; a record holds {kept.shape}")
            kept[...] = value
            extended[name] = self._chained(variable, digests.get(name, ""), kept)
        self._records_done[place] = record + 1
        self._changed_from = min(self._changed_from, record)
        return extended

    def take(self, other: ChunkPart, records_done: Sequence[int]) -> None:
        """Take over the buffers of another part of the same shape; each run has ``records_done`` valid records."""
        self._buffers, self._records_done, self._changed_from = other._buffers, list(records_done), 0

    def write(self, runs: Sequence[RunMark] = ()) -> dict[str, str]:
        """Write the records that have changed since the last write.

        Parameters
        ----------
        runs : sequence of RunMark
            Marks of the chunk's runs, if :data:`RUN_ARRAYS` are to be written too, which readers of plain zarr see.

        Returns
        -------
        dict of str
            Checksums at the ends of the stored chunks that were written, as :class:`Mark` has them.
        """
        furthest = max(self._records_done)
        parts: list[Part] = []
        for variable in self._variables:
            array, buffer = self._place.arrays[variable.name], self._buffers[variable.name]
            begin, end = (self._shape.held(variable, records) for records in (self._changed_from, furthest))
            per_chunk = array.chunks[1]
            for start in range(begin // per_chunk * per_chunk, end, per_chunk):
                stop = min(start + per_chunk, buffer.shape[1])
                where = (slice(self._first, self._stop), slice(start, stop), *self._rows(variable))
                parts.append((variable.name, where, buffer[:, start:stop]))
        for name in RUN_ARRAYS if runs else ():
            values = np.array([getattr(run, name) for run in runs], dtype=self._place.arrays[name].dtype)
            parts.append((name, (slice(self._first, self._stop),), values))
        tails = self._place.arrays.write(parts)
        self._changed_from = self._shape.records
        return tails

    def state_stem(self, attempt: int, position: int, slot: int) -> str:
        """Beginning of the keys of a run's state; every attempt has two slots for it, and one for the last state."""
        return f"{state_prefix(self._place.block, self._place.chunk)}{attempt:06d}-{position}-{_SLOTS[slot]}"

    def write_state(
        self, attempt: int, positions: tuple[int, ...], slot: int, state: Mapping[str, NDArray[np.generic]]
    ) -> list[StateRef]:
        """Write this worker's part of a state.

        Returns
        -------
        list of StateRef
            References to the parts of all workers, once all have written.
        """
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **{name: np.asarray(value) for name, value in state.items()})
        content, share = stream.getvalue(), self._share
        stem = self.state_stem(attempt, positions[0], slot)
        keys = [f"{stem}.npz"] if share.rows is None else [f"{stem}-{rank}.npz" for rank in range(share.size)]
        put_object(self._place.store, keys[share.rank], content)
        digests = [each.hex() for each in share.gather_one(bytes.fromhex(digest(content)))]
        if share.rows is None:
            return [StateRef(positions, keys[0], digests[0])]
        edges = np.array([share.rows.start, share.rows.stop], dtype=np.int64).tobytes()
        rows = [tuple(np.frombuffer(each, dtype=np.int64).tolist()) for each in share.gather_one(edges)]
        return [StateRef(positions, *each) for each in zip(keys, digests, rows, strict=True)]

    def read_state(self, refs: Sequence[StateRef]) -> dict[str, NDArray[np.generic]] | None:
        """Read this worker's rows of a state that any number of workers have written.

        None if a part that any worker of this run needs is lost or damaged.
        """
        mine = self._share.rows
        near = [ref for ref in refs if mine is None or ref.rows is None or _overlap(ref.rows, mine)]
        parts = [self._read(ref) for ref in near]
        whole = all(part is not None for part in parts)
        if not all(each == b"\1" for each in self._share.gather_one(b"\1" if whole else b"\0")):
            return None
        intact = [part for part in parts if part is not None]
        if len(intact) == 1:
            return intact[0]
        return intact[0] | {ROWS_OF_STATE: np.concatenate([part[ROWS_OF_STATE] for part in intact])}

    def _read(self, ref: StateRef) -> dict[str, NDArray[np.generic]] | None:
        """A part of a state, cut to this worker's rows."""
        content = get_object(self._place.store, ref.key)
        if content is None or digest(content) != ref.digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            part = dict(arrays)
        mine = self._share.rows
        if mine is not None:
            first = 0 if ref.rows is None else ref.rows[0]
            part[ROWS_OF_STATE] = part[ROWS_OF_STATE][max(0, mine.start - first) : mine.stop - first]
        return part


def _overlap(rows: tuple[int, int], mine: range) -> bool:
    return rows[0] < mine.stop and mine.start < rows[1]
