"""What a store has of runs that are computed again: an addition is compared with it, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import NotReproducedError
from sweepengine.store._arrays import ChunkPlace
from sweepengine.store._marks import RunMark, read_mark
from sweepengine.store._part import ALONE, ChunkPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.observe import Variable
    from sweepengine.store._nodes import Nodes
    from sweepengine.store._places import RunPlace, Start
    from sweepengine.store._status import Status


class StoredRuns:
    """The committed records of the runs to which the additions of a chunk belong; each chunk of theirs is read once.

    Parameters
    ----------
    store : Store
    nodes : Nodes
        The published nodes of the blocks that hold them.
    beside : mapping
        Position of an addition → the places of what the store has of its run. A run of its own has none.
    """

    def __init__(self, store: Store, nodes: Nodes, beside: Mapping[int, tuple[RunPlace, ...]]) -> None:
        self._store, self._nodes, self._beside = store, nodes, beside
        self._chunks: dict[tuple[str, int], _Chunk] = {}

    def _of(self, position: int) -> Iterator[tuple[RunPlace, _Chunk]]:
        for place in self._beside.get(position, ()):
            key = place.block, place.position // place.shape.chunk_runs
            if key not in self._chunks:
                chunk = ChunkPlace.of(self._store, self._nodes, place.block, place.shape, key[1])
                self._chunks[key] = _Chunk(chunk)
            yield place, self._chunks[key]

    def compare(self, position: int, record: int, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Raise unless a record of an addition has the bits that the store has of its run.

        Raises
        ------
        NotReproducedError
            A number is another one, or what the store has is not what its mark says.
        """
        for place, chunk in self._of(position):
            chunk.must_be_whole(place)
            if record >= chunk.mark(place).records_done:
                raise _other(place, f"has {chunk.mark(place).records_done} records, and now there is one more")
            for variable, stored in chunk.record(place, record):
                found = np.asarray(values[variable.name]).astype(stored.dtype)
                if found.tobytes() != stored.tobytes():
                    raise _other(place, _difference(variable, record, found, stored))

    def end(self, position: int, status: Status, records: int, diverged_step: int) -> dict[str, str]:
        """Raise unless an addition ends as its run did.

        Returns
        -------
        dict of str
            Variable → digest that the store has of it; empty for a run of its own.

        Raises
        ------
        NotReproducedError
            The run had another end.
        """
        digests: dict[str, str] = {}
        for place, chunk in self._of(position):
            chunk.must_be_whole(place)
            mark = chunk.mark(place)
            if (mark.status, mark.records_done, mark.diverged_step) != (status, records, diverged_step):
                ends = (
                    _ending(mark.status, mark.records_done, mark.diverged_step),
                    _ending(status, records, diverged_step),
                )
                raise _other(place, f"is {ends[0]}, and now it is {ends[1]}")
            digests |= mark.digests
        return digests


def read_start(
    store: Store, nodes: Nodes, start: Start
) -> tuple[dict[str, NDArray[np.generic]], list[dict[str, NDArray[np.floating]]]] | None:
    """What a run goes on from: the last state of the run that it is at an earlier time, and that run's records.

    Returns
    -------
    tuple or None
        None if anything of it is lost or damaged.
    """
    place = start.place
    chunk = _Chunk(ChunkPlace.of(store, nodes, place.block, place.shape, place.position // place.shape.chunk_runs))
    try:
        chunk.must_be_whole(place)
    except NotReproducedError:
        return None
    state = chunk.kept(place)
    records = [
        {variable.name: values for variable, values in chunk.record(place, record)} for record in range(start.records)
    ]
    return None if state is None else (state, records)


class _Chunk:
    """A chunk of the runs that are there: its mark, its records, and which of them match the mark."""

    def __init__(self, place: ChunkPlace) -> None:
        self._first, stop = place.span
        mark = read_mark(place.store, place.block, place.chunk)
        self._runs = tuple(RunMark() for _ in range(stop - self._first)) if mark is None else mark.runs
        self._kept = () if mark is None else tuple(ref for ref in mark.states if ref.is_kept)
        self._part = ChunkPart(place, ALONE)
        self._digests = self._part.load(self._runs)

    def mark(self, place: RunPlace) -> RunMark:
        return self._runs[place.position - self._first]

    def must_be_whole(self, place: RunPlace) -> None:
        mark, digests = self.mark(place), self._digests[place.position - self._first]
        wrong = [name for name, value in digests.items() if value != mark.digests.get(name, "")]
        if wrong or not mark.status.is_final:
            what = f"{', '.join(wrong)} is not what was written" if wrong else f"it is {mark.status.label}"
            raise NotReproducedError(
                f"block {place.block}, run {place.position}: {what}, so nothing can be added to it; run "
                "`sweepengine repair` with this store, then the sweep again"
            )

    def kept(self, place: RunPlace) -> dict[str, NDArray[np.generic]] | None:
        """The last state of a run; None where it was not kept, or is not what was written."""
        refs = [ref for ref in self._kept if place.position in ref.positions]
        return self._part.read_state(refs) if refs else None

    def record(self, place: RunPlace, record: int) -> Iterator[tuple[Variable, NDArray[np.floating]]]:
        """The values that the store has of a record."""
        shape = place.shape
        for variable in shape.variables:
            index = shape.held(variable, record)
            if not variable.is_snapshot or shape.held(variable, record + 1) > index:
                yield variable, self._part.values(variable.name)[place.position - self._first, index, ...]


def _other(place: RunPlace, what: str) -> NotReproducedError:
    return NotReproducedError(
        f"block {place.block}, run {place.position}: computed again the run has other numbers than the store: {what}. "
        "Observables can be added where the runs were computed: on such a device, with the versions that the store's "
        "provenance names; else name another --store"
    )


def _difference(variable: Variable, record: int, found: NDArray[Any], stored: NDArray[Any]) -> str:
    """The first number that is another one, with both its values."""
    where = np.argwhere((found != stored) & ~(np.isnan(found) & np.isnan(stored)))
    index = tuple(where[0].tolist()) if len(where) else (0,) * found.ndim  # they may differ in the sign of a zero alone
    at = f"{variable.name}{list(index) if index else ''} of record {record}"
    return f"{at} is {stored[index]} there, and {found[index]} now"


def _ending(status: Status, records: int, diverged_step: int) -> str:
    return f"{status.label} after {records} records" + (f" (step {diverged_step})" if diverged_step >= 0 else "")
