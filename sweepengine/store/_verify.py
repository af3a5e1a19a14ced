"""Read everything that a store has committed, say what is damaged, and repair it."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import RunError
from sweepengine.store._additions import unlike_their_runs
from sweepengine.store._arrays import BlockArrays, ChunkPlace
from sweepengine.store._attempts import HeldError, SupersededError
from sweepengine.store._chunk import ChunkWriter
from sweepengine.store._claim import damaged_claims
from sweepengine.store._digests import digest
from sweepengine.store._layout import RUN_ARRAYS, block_path
from sweepengine.store._marks import DamagedMarkError, Mark, RunMark, StateRef, read_mark
from sweepengine.store._nodes import UNREADABLE, is_of_runs
from sweepengine.store._objects import BrokenSealError, get_json, get_object, get_sealed, list_objects, put_json
from sweepengine.store._part import ALONE, ChunkPart
from sweepengine.store._publication import LOOKS, ROOT_KEY
from sweepengine.store._status import Status
from sweepengine.store._tails import ConfirmingStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarr.abc.store import Store

    from sweepengine.store._sweep_store import SweepStore


_SETTLE_SECONDS = 0.5
_SEALED = ("code/", "failures/")
"""Beginnings of the keys of sealed objects that are neither marks nor claims nor publications."""


@dataclass(frozen=True)
class Damage:
    """One thing in a store that is not what was written.

    Attributes
    ----------
    message : str
    block : str
        Id of the block that is damaged; empty if the damage is outside the blocks.
    chunk : int
        Index of the damaged chunk of runs in the block; −1 if there is none, or if it cannot be repaired.
    positions : tuple of int
        Positions in the block of the runs that have to be computed again.
    mends : bool
        Whether the store holds a second copy of what is damaged, so that :func:`repair` puts it back.
    """

    message: str
    block: str = ""
    chunk: int = -1
    positions: tuple[int, ...] = ()
    mends: bool = False

    @property
    def is_mended(self) -> bool:
        """Whether :func:`repair`, with a run of the sweep after it, mends the damage."""
        return self.mends or self.chunk >= 0


def find_damage(store: SweepStore) -> Iterator[Damage]:
    """Read all that a store has published and committed, and compare it with its digests.

    One chunk of runs is in memory at a time. Nothing is changed. A sweep may be at work: a chunk that it commits
    meanwhile is read again.

    Parameters
    ----------
    store : SweepStore
        A store that exists.

    Yields
    ------
    Damage
    """
    if store.troubles:
        time.sleep(_SETTLE_SECONDS)  # a driver may be between its publication and the root
        store.reload()
    yield from (Damage(f"{trouble}; `sweepengine repair` puts it back", mends=True) for trouble in store.troubles)
    for key in damaged_claims(store.objects):
        yield Damage(f"{key} is damaged; the next `sweepengine run` replaces it", mends=True)
    for key in (key for folder in _SEALED for key in list_objects(store.objects, folder) if key.endswith(".json")):
        try:
            get_sealed(store.objects, key, or_unsealed=True)
        except BrokenSealError as error:
            yield Damage(f"{key} is damaged: {error}; restore it, or delete it")
    yield from _of_nodes(store)
    for block, shape in store.block_shapes().items():
        for chunk in sorted(store.used_chunks(block, shape)):
            yield from _of_chunk(store.place(block, shape, chunk))
    yield from _of_additions(store)


def _of_additions(store: SweepStore) -> Iterator[Damage]:
    """Additions to other numbers than those that their runs have now."""
    for block, position, names in unlike_their_runs(store):
        chunk = position // store.block_shapes()[block].chunk_runs
        message = f"was added to a run with another {names} than it has now; it is computed again"
        yield Damage(message, block, chunk, (position,))


def _of_nodes(store: SweepStore) -> Iterator[Damage]:
    """Damage of the metadata beside the arrays, and of the arrays that were written whole."""
    for path, node in store.nodes.content.items():
        key = f"{path}/{ROOT_KEY}"
        try:
            stored = get_json(store.objects, key)
        except (ValueError, RecursionError, OSError):
            stored = {}
        if stored != node:
            yield Damage(f"{key} is {'lost' if stored is None else 'not what was written'}", mends=True)
        if node["node_type"] == "array" and not is_of_runs(path, node):
            try:
                store.nodes.values(store.objects, path)
            except OSError as error:  # a StoreError, or what the disk says
                yield Damage(str(error).removeprefix("store: "))


def _of_chunk(place: ChunkPlace) -> list[Damage]:
    for _ in range(LOOKS):
        damages, before, after = _seen(place)
        if not damages or before == after:
            break  # else a commit came after the mark was read: read the chunk again
    return damages


def _seen(place: ChunkPlace) -> tuple[list[Damage], Mark | None, Mark | None]:
    """The damage of a chunk, and its mark before and after the chunk was read."""
    first, stop = place.span
    try:
        mark = read_mark(place.store, place.block, place.chunk)
        runs = tuple(RunMark() for _ in range(stop - first)) if mark is None else mark.runs
        damages = [] if mark is None else [*_of_states(place, mark), *_of_records(place, mark)]
        damages += [] if damages else _of_run_arrays(place, runs, is_still=mark is None or mark.released)
        return damages, mark, read_mark(place.store, place.block, place.chunk) if damages else mark
    except DamagedMarkError as error:
        return [Damage(str(error), place.block, place.chunk, tuple(range(first, stop)))], None, None
    except OSError as error:  # a StoreError, or what the disk says
        return [Damage(f"block {place.block} chunk {place.chunk} cannot be read: {error}", place.block)], None, None


def _lost_states(place: ChunkPlace, mark: Mark) -> Iterator[tuple[StateRef, str]]:
    """States of a chunk that are not what was written, with what is wrong."""
    for ref in mark.states:
        content = get_object(place.store, ref.key)
        if content is None or digest(content) != ref.digest:
            yield ref, "is lost" if content is None else "is not what was written"


def _of_states(place: ChunkPlace, mark: Mark) -> Iterator[Damage]:
    first, _ = place.span
    for ref, what in _lost_states(place, mark):
        positions = tuple(p for p in ref.positions if not mark.runs[p - first].status.is_final)
        then = "a longer run begins at t = 0" if ref.is_kept else "its runs start again"
        yield Damage(f"{ref.key} {what}: {then}", place.block, place.chunk, positions)


def _of_records(place: ChunkPlace, mark: Mark) -> Iterator[Damage]:
    first, _ = place.span
    loaded = ChunkPart(place, ALONE).load(mark.runs)
    for index, (run, digests) in enumerate(zip(mark.runs, loaded, strict=True)):
        wrong = [name for name, value in digests.items() if value != run.digests.get(name, "")]
        if wrong:
            message = f"{', '.join(wrong)}: not what was written in {run.records_done} records"
            yield Damage(message, place.block, place.chunk, (first + index,))


def _of_run_arrays(place: ChunkPlace, runs: Sequence[RunMark], *, is_still: bool) -> Iterator[Damage]:
    """Damage of the :data:`RUN_ARRAYS`, which readers of plain zarr see.

    They must agree with the mark if the chunk ``is_still``. If a commit may be under way, or was cut off, they may be
    ahead of the mark, but must be there.
    """
    first, stop = place.span
    written = any(run.status is not Status.PENDING for run in runs)
    arrays = BlockArrays(ConfirmingStore(place.store), place.nodes, place.block) if written else place.arrays
    for name in RUN_ARRAYS:
        expected = [int(getattr(run, name)) for run in runs]
        try:
            shown = np.asarray(arrays[name][first:stop]).tolist()
        except (*UNREADABLE, OSError):
            shown = None
        if shown is None or (is_still and shown != expected):
            message = f"{block_path(place.block, name)} is not as the mark of chunk {place.chunk} says"
            yield Damage(message, place.block, place.chunk)


def repair(store: SweepStore, *, take_over: bool = False) -> list[Damage]:
    """Put back what the store holds twice, and forget the damaged runs, so that the next run computes them again.

    Parameters
    ----------
    store : SweepStore
        A store that exists; it is claimed if there is something to mend.
    take_over : bool
        Whether to take the store from a driver that still holds it.

    Returns
    -------
    list of Damage
        All damage that was found, before the repair.

    Raises
    ------
    StoreError, RunError
        The store cannot be written, or another driver holds it.
    """
    damages = list(find_damage(store))
    if not any(damage.is_mended for damage in damages):
        return damages
    try:
        store.claim(take_over=take_over)
        store.mend()
        for path, node in store.nodes.content.items():
            _put_back(store.objects, f"{path}/{ROOT_KEY}", node)
        shapes, unlike = store.block_shapes(), defaultdict[tuple[str, int], list[int]](list)
        for block, position, _ in unlike_their_runs(store):
            chunk, index = divmod(position, shapes[block].chunk_runs)
            unlike[block, chunk].append(index)
        for block, chunk in dict.fromkeys((damage.block, damage.chunk) for damage in damages if damage.chunk >= 0):
            # Another driver may have moved the chunk's runs since they were read.
            if block in shapes and chunk in store.used_chunks(block, shapes[block]):
                _forget(store, store.place(block, shapes[block], chunk), unlike[block, chunk])
    except SupersededError as error:
        raise RunError(f"store: {error}; let the other driver finish, then run this again") from error
    finally:
        store.release()
    return damages


def _put_back(store: Store, key: str, node: Mapping[str, Any]) -> None:
    """Write the published metadata of a node, unless the stored ones are the same."""
    with suppress(ValueError, RecursionError):
        if get_json(store, key) == node:
            return
    put_json(store, key, node)


def _forget(store: SweepStore, place: ChunkPlace, unlike: Sequence[int]) -> None:
    """Forget the runs of a chunk that do not match its mark, or whose state is lost, and those at the indices `unlike`.

    If the chunk is held by an attempt that may still write, or its mark is damaged, the runs are moved to a new place.
    """
    try:
        writer = ChunkWriter(place, store.attempt(1))  # it restarts the runs that do not match the mark
    except (HeldError, DamagedMarkError):
        place = store.relocate(place.block, place.chunk, store.attempt(1))
        writer = ChunkWriter(place, store.attempt(1))
    for index in unlike:
        writer.restart(place.span[0] + index)
    mark = store.mark(place.block, place.chunk)
    for ref, _ in () if mark is None else _lost_states(place, mark):
        writer.drop(ref)
        for position in ref.positions:
            if not writer.run(position).status.is_final:
                writer.restart(position)
    writer.commit()
    writer.release()
