"""Reading everything that a store has committed: what is damaged, and how it is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.errors import RunError, StoreError
from sweepengine.store._chunk import ChunkWriter, SupersededError
from sweepengine.store._data import GIVEN_KINDS, read_data, read_given
from sweepengine.store._digests import digest
from sweepengine.store._marks import Mark, read_mark
from sweepengine.store._objects import get_object
from sweepengine.store._part import ALONE, ChunkPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarr.abc.store import Store

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._sweep_store import SweepStore


@dataclass(frozen=True)
class Damage:
    """Something that is not what was written.

    Attributes
    ----------
    message : str
    block : str
        Empty where it is no block's.
    chunk : int
        Of the block; −1 where there is none, or where it cannot be repaired.
    positions : tuple of int
        Runs of the block that have to be computed again.
    """

    message: str
    block: str = ""
    chunk: int = -1
    positions: tuple[int, ...] = ()


def find_damage(store: SweepStore) -> Iterator[Damage]:
    """Read every committed record, every state and the data of a store, and compare them with their digests.

    One chunk of runs is held at a time. Nothing is changed, and a sweep may be at work: what is committed meanwhile is read
    again.

    Parameters
    ----------
    store : SweepStore
        One that exists.

    Yields
    ------
    Damage
    """
    for name in ("data", *GIVEN_KINDS):
        content = store.attributes.get(name)
        try:
            if content:
                read_data(store.objects, content) if name == "data" else read_given(store.objects, name, content)
        except StoreError as error:
            yield Damage(str(error))
    for block, shape in store.block_shapes().items():
        for chunk in range(shape.n_chunks):
            yield from _of_chunk(store.objects, block, shape, chunk)


def _of_chunk(store: Store, block: str, shape: BlockShape, chunk: int) -> list[Damage]:
    found, mark, seen = _seen(store, block, shape, chunk)
    while found and mark != seen:  # a commit has come between the mark and what it named
        found, mark, seen = _seen(store, block, shape, chunk)
    return found


def _seen(store: Store, block: str, shape: BlockShape, chunk: int) -> tuple[list[Damage], Mark | None, Mark | None]:
    """The damage of a chunk, with its mark as it was before and after the look."""
    try:
        mark = read_mark(store, block, chunk)
        if mark is None:
            return [], None, None
        found = [*_of_states(store, block, shape, chunk, mark), *_of_records(store, block, shape, chunk, mark)]
        return found, mark, read_mark(store, block, chunk) if found else mark
    except StoreError as error:
        return [Damage(str(error), block)], None, None


def _of_states(store: Store, block: str, shape: BlockShape, chunk: int, mark: Mark) -> Iterator[Damage]:
    first, _ = shape.chunk_span(chunk)
    for ref in mark.states:
        content = get_object(store, ref.key)
        if content is None or digest(content) != ref.digest:
            found = "is lost" if content is None else "is not what was written"
            positions = tuple(p for p in ref.positions if not mark.runs[p - first].status.is_final)
            yield Damage(f"{ref.key} {found}: its runs start again", block, chunk, positions)


def _of_records(store: Store, block: str, shape: BlockShape, chunk: int, mark: Mark) -> Iterator[Damage]:
    first, _ = shape.chunk_span(chunk)
    try:
        found = ChunkPart(store, block, shape, chunk, ALONE).load(mark.runs)
    except (ValueError, TypeError, KeyError, FileNotFoundError) as error:
        raise StoreError(
            f"block {block}: an array cannot be opened ({type(error).__name__}: {error}); restore its zarr.json"
        ) from error
    for place, (run, digests) in enumerate(zip(mark.runs, found, strict=True)):
        wrong = [name for name, value in digests.items() if value != run.digests.get(name, "")]
        if wrong:
            message = f"{', '.join(wrong)}: not what was written in {run.records_done} records"
            yield Damage(message, block, chunk, (first + place,))


def repair(store: SweepStore) -> list[Damage]:
    """Forget the runs whose records are damaged, so that running the sweep again computes them, and them alone.

    Parameters
    ----------
    store : SweepStore
        One that exists; it is claimed if there is something to forget.

    Returns
    -------
    list of Damage
        What was found; without a chunk, what computing again does not mend.

    Raises
    ------
    StoreError, RunError
        The store cannot be written, or another driver has taken over.
    """
    found = list(find_damage(store))
    if all(each.chunk < 0 for each in found):
        return found
    store.claim()
    try:
        shapes = store.block_shapes()
        for block, chunk in dict.fromkeys((each.block, each.chunk) for each in found if each.chunk >= 0):
            _forget(store, block, shapes[block], chunk)
    except SupersededError as error:
        raise RunError(f"store: {error}; let the other driver finish, then run this again") from error
    finally:
        store.release()
    return found


def _forget(store: SweepStore, block: str, shape: BlockShape, chunk: int) -> None:
    attempt, owner = store.attempt(1)
    writer = ChunkWriter(store.objects, block, shape, chunk, attempt, owner)  # which drops what does not match the mark
    mark = store.mark(block, chunk)
    for lost in () if mark is None else _of_states(store.objects, block, shape, chunk, mark):
        for position in lost.positions:
            writer.restart(position)
    writer.commit()
