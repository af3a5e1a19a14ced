"""What one worker holds of a chunk of runs: all of it, or, beside the others of a sharded run, some rows of each snapshot.

Shards write whole pieces of snapshots and a part of the state each, and tell each other the digests; only the first one
holds the other variables and writes marks.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import StoreError
from sweepengine.store._digests import DIGEST_BYTES, chain_digest, digest, piece_digests
from sweepengine.store._layout import BlockShape, block_path
from sweepengine.store._marks import RunMark, StateRef, state_prefix
from sweepengine.store._nodes import UNREADABLE, Nodes
from sweepengine.store._objects import get_object, put_object
from sweepengine.store._process import Process
from sweepengine.store._tails import TailRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import zarr
    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.observe import Variable

ROWS_OF_STATE = "particles"
"""The array of a state of which each shard has its own rows."""
NO_STATE = -1
_SLOTS = "ab"
_LONGEST_PROCESS = 1024


def _unchanged(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values


def _nobody(slot: int) -> None:
    """Nobody else is to be told."""


@dataclass(frozen=True)
class Share:
    """One worker's place among those that advance a run together; by default there is no other.

    Attributes
    ----------
    rank, size : int
        Rank 0 leads: it holds what is not divided.
    rows : range or None
        This worker's particles, whole pieces of the block's shape; None: all.
    gather : callable
        Sums bytes over all workers, who must all ask for it in the same order; each entry is nonzero on one at most.
    announce : callable
        Called by the lead with the slot of the state, or :data:`NO_STATE`, when the others must commit with it.
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
        """Return when every worker is here."""
        self.gather(np.zeros(1, dtype=np.uint8))

    def processes(self) -> tuple[Process, ...]:
        """All workers, as processes."""
        mine = json.dumps(Process.current().to_json()).encode()
        if len(mine) > _LONGEST_PROCESS:
            raise AssertionError(f"a process that takes {len(mine)} bytes to name")
        every = self.gather_one(mine.ljust(_LONGEST_PROCESS))
        return tuple(Process(**json.loads(each)) for each in every)

    def gather_one(self, mine: bytes) -> list[bytes]:
        """Equally many bytes of each worker."""
        every = np.zeros((self.size, len(mine)), dtype=np.uint8)
        every[self.rank] = np.frombuffer(mine, dtype=np.uint8)
        return [each.tobytes() for each in self.gather(every)]


ALONE = Share()
"""A worker that holds everything."""


@dataclass(frozen=True)
class ChunkPlace:
    """One chunk of runs of a published block.

    Attributes
    ----------
    store : Store
    nodes : Nodes
        The published nodes, those of the block at least.
    block : str
    shape : BlockShape
        Of the block.
    chunk : int
    """

    store: Store
    nodes: Nodes
    block: str
    shape: BlockShape
    chunk: int

    @property
    def span(self) -> tuple[int, int]:
        """Position of its first run in the block, and the first position after it."""
        return self.shape.chunk_span(self.chunk)

    def array(self, name: str) -> zarr.Array[Any]:
        """One array of the block."""
        return self.nodes.array(self.store, block_path(self.block, name))


class ChunkPart:
    """One worker's arrays of a chunk, and their way to and from the store.

    Parameters
    ----------
    place : ChunkPlace
    share : Share
    only : collection of str, optional
        Names of the variables; every one that this worker holds where not given.

    Attributes
    ----------
    tails : dict of str
        Of the stored chunks that were written here, as a mark has them.

    Raises
    ------
    StoreError
        The block was laid out in pieces that shards cannot divide.
    """

    def __init__(self, place: ChunkPlace, share: Share, only: Collection[str] | None = None) -> None:
        shape = place.shape
        recorder = TailRecorder(place.store, block_path(place.block) + "/")
        self.tails = recorder.tails
        place = replace(place, store=recorder)
        self._place, self._shape, self._share = place, shape, share
        self._first, self._stop = place.span
        held = [each for each in shape.variables if share.leads or each.is_snapshot]
        self._variables = [each for each in held if only is None or each.name in only]
        self._arrays = {each.name: place.array(each.name) for each in self._variables}
        self._buffers = {each.name: self._empty(each) for each in self._variables}
        self._records_done = [0] * (self._stop - self._first)
        self._changed_from = shape.records
        for each in self._variables:
            found, expected = self._arrays[each.name].chunks, shape.chunk_shape(each)
            if share.rows is not None and each.is_snapshot and found[2:] != expected[2:]:
                raise StoreError(
                    f"block {place.block}: found chunks {found} of {each.name}, expected {expected}; shards cannot share them: "
                    "leave shards out, or use a new store"
                )

    def _empty(self, variable: Variable) -> NDArray[np.floating]:
        own = [*self._shape.array_shape(variable)[1:]]
        if variable.is_snapshot and self._share.rows is not None:
            own[1] = len(self._share.rows)
        return np.full((self._stop - self._first, *own), np.nan, dtype=self._shape.precision)

    def _rows(self, variable: Variable) -> tuple[slice, ...]:
        """Selects this worker's rows, behind run and instant."""
        rows = self._share.rows
        return (slice(rows.start, rows.stop),) if variable.is_snapshot and rows is not None else ()

    def load(self, runs: Sequence[RunMark]) -> list[dict[str, str]]:
        """Fill the buffers with what is committed of some runs.

        Returns
        -------
        list of dict
            For each run the digests of what was found, to be compared with the mark's.
        """
        found: list[dict[str, str]] = [{} for _ in runs]
        if not any(run.records_done for run in runs):
            return found
        for variable in self._variables:
            stored = self._stored(variable)
            for place, run in enumerate(runs):
                done = self._shape.held(variable, run.records_done)
                self._buffers[variable.name][place, :done] = stored[place, :done]
                chained = ""
                for value in stored[place, :done]:
                    chained = self._chained(variable, chained, value)
                found[place][variable.name] = chained
        self._records_done = [run.records_done for run in runs]
        return found

    def _stored(self, variable: Variable) -> NDArray[np.floating]:
        try:
            where = (slice(self._first, self._stop), slice(None), *self._rows(variable))
            return np.asarray(self._arrays[variable.name][where])
        except UNREADABLE:
            # Bytes that fail their checksum or do not decode: no run of the chunk matches the mark, so all start again.
            return np.full_like(self._buffers[variable.name], np.nan)

    def _chained(self, variable: Variable, previous: str, value: NDArray[np.floating]) -> str:
        """Digest of a variable's records up to this value; of a snapshot the same whoever holds its pieces."""
        if not variable.is_snapshot:
            return chain_digest(previous, value)
        length = self._shape.piece
        every = np.zeros((self._shape.pieces, DIGEST_BYTES), dtype=np.uint8)
        own = piece_digests(value, length)
        first = 0 if self._share.rows is None else self._share.rows.start // length
        every[first : first + len(own)] = own
        return chain_digest(previous, self._share.gather(every))

    def values(self, name: str) -> NDArray[np.floating]:
        """What is held of a variable, over (run, record or snapshot, …)."""
        return self._buffers[name]

    def forget(self, position: int) -> None:
        """Drop a run's records: it is computed again from the beginning."""
        place = position - self._first
        for buffer in self._buffers.values():
            buffer[place] = np.nan
        self._records_done[place] = 0
        self._changed_from = 0

    def record(
        self, position: int, record: int, digests: Mapping[str, str], values: Mapping[str, NDArray[np.floating]]
    ) -> dict[str, str]:
        """Take the values of a run at its next record, and give the digests, which continue those that are given."""
        place, found = position - self._first, dict(digests)
        for variable in self._variables:
            index = self._shape.held(variable, record)
            if self._shape.held(variable, record + 1) == index:
                continue  # of snapshots, and this record is none
            buffer = self._buffers[variable.name]
            if values[variable.name].shape != buffer.shape[2:]:
                raise ValueError(
                    f"{variable.name}: found shape {values[variable.name].shape}; a record holds {buffer.shape[2:]}"
                )
            buffer[place, index] = values[variable.name]
            found[variable.name] = self._chained(variable, digests.get(variable.name, ""), buffer[place, index])
        self._records_done[place] = record + 1
        self._changed_from = min(self._changed_from, record)
        return found

    def take(self, other: ChunkPart, records_done: Sequence[int]) -> None:
        """Hold what another part of the same shape holds, of each run so many records."""
        self._buffers, self._records_done, self._changed_from = other._buffers, list(records_done), 0

    def write(self) -> None:
        """Write what has changed since the last time."""
        furthest = max(self._records_done)
        for variable in self._variables:
            array, buffer = self._arrays[variable.name], self._buffers[variable.name]
            begin, end = (self._shape.held(variable, records) for records in (self._changed_from, furthest))
            per_chunk = array.chunks[1]
            for start in range(begin // per_chunk * per_chunk, end, per_chunk):
                stop = min(start + per_chunk, buffer.shape[1])
                where = (slice(self._first, self._stop), slice(start, stop), *self._rows(variable))
                array[where] = buffer[:, start:stop]
        self._changed_from = self._shape.records

    def state_stem(self, attempt: int, position: int, slot: int) -> str:
        """What the keys of a run's state begin with: two slots of each attempt."""
        return f"{state_prefix(self._place.block, self._place.chunk)}{attempt:06d}-{position}-{_SLOTS[slot]}"

    def write_state(
        self, attempt: int, positions: tuple[int, ...], slot: int, state: Mapping[str, NDArray[np.generic]]
    ) -> list[StateRef]:
        """Write this worker's part of a state.

        Returns
        -------
        list of StateRef
            Those of all workers, once all have written.
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
        """Read this worker's part of a state that any number of workers have written; None unless all parts are whole."""
        mine = self._share.rows
        near = [ref for ref in refs if mine is None or ref.rows is None or _overlap(ref.rows, mine)]
        parts = [self._read(ref) for ref in near]
        whole = all(part is not None for part in parts)
        if not all(each == b"\1" for each in self._share.gather_one(b"\1" if whole else b"\0")):
            return None
        found = [part for part in parts if part is not None]
        if len(found) == 1:
            return found[0]
        return found[0] | {ROWS_OF_STATE: np.concatenate([part[ROWS_OF_STATE] for part in found])}

    def _read(self, ref: StateRef) -> dict[str, NDArray[np.generic]] | None:
        """A part of a state, cut to this worker's rows."""
        content = get_object(self._place.store, ref.key)
        if content is None or digest(content) != ref.digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = dict(arrays)
        mine = self._share.rows
        if mine is not None:
            first = 0 if ref.rows is None else ref.rows[0]
            found[ROWS_OF_STATE] = found[ROWS_OF_STATE][max(0, mine.start - first) : mine.stop - first]
        return found


def _overlap(rows: tuple[int, int], mine: range) -> bool:
    return rows[0] < mine.stop and mine.start < rows[1]
