"""Lazy arrays of a store: they show the records that marks vouch for, and raise where these are lost or damaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import DamagedError
from sweepengine.store._layout import block_path
from sweepengine.store._marks import RunMark
from sweepengine.store._nodes import UNREADABLE
from sweepengine.store._part import ALONE, ChunkPart, ChunkPlace
from sweepengine.store._tails import ConfirmingStore, UnconfirmedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dask.array as da
    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.observe import Variable
    from sweepengine.store._layout import BlockShape
    from sweepengine.store._nodes import Nodes


class CommittedValues:
    """A variable of a block: for each run the values that its mark vouches for, and NaN beyond them.

    Parameters
    ----------
    store : Store
    nodes : Nodes
    block : str
    shape : BlockShape
    variable : Variable
    runs : sequence of RunMark or None
        The mark of each run of the block; None before the first attempt.
    tails : mapping
        Checksums at the ends of the block's stored chunks, as :class:`Mark` has them.
    """

    def __init__(
        self,
        store: Store,
        nodes: Nodes,
        block: str,
        shape: BlockShape,
        variable: Variable,
        runs: Sequence[RunMark | None],
        tails: Mapping[str, str],
    ) -> None:
        self._path, name = block_path(block, variable.name), variable.name
        nodes = nodes.below([block_path(block)])
        self._block, self._name = ChunkPlace.of(store, nodes, block, shape), name
        # The object keeps only what reading needs: it travels with the dask graph, and there may be many runs.
        self._records_done = [run.records_done if run else 0 for run in runs]
        self._digests = [run.digests.get(name, "") if run else "" for run in runs]
        self._valid = np.array([shape.held(variable, records) for records in self._records_done], dtype=np.int64)
        own = {key: tail for key, tail in tails.items() if key.startswith(f"{name}/")}
        array = self._array = nodes.array(ConfirmingStore(store, block_path(block) + "/", own), self._path)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.chunks = array.chunks

    def __getitem__(self, index: tuple[slice | int, ...]) -> NDArray[Any]:
        """Values at an index of slices, or of integers where dask has joined two selections into one."""
        slices = tuple(each if isinstance(each, slice) else slice(each, each + 1) for each in index)
        picked = tuple(slice(None) if isinstance(each, slice) else 0 for each in index)
        return self._committed(slices)[picked]

    def _committed(self, index: tuple[slice, ...]) -> NDArray[Any]:
        runs, instants = index[:2]
        committed = np.arange(self.shape[1])[instants][None, :] < self._valid[runs][:, None]
        if not committed.any():
            sizes = (len(range(*each.indices(size))) for each, size in zip(index, self.shape, strict=True))
            return np.full(tuple(sizes), np.nan, dtype=self.dtype)
        try:
            values = self._read(index)
        except DamagedError:
            raise
        except (*UNREADABLE, OSError) as error:
            raise self._damage(str(error)) from error
        if not committed.all():
            values[~committed] = np.nan
        return values

    def _read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            return np.asarray(self._array[index])
        except UnconfirmedError:
            # The chunk may be newer than the mark: a commit came after we read the mark, or was cut off before its own.
            return self._confirmed(index[0])[(slice(None), *index[1:])]

    def _confirmed(self, wanted: slice) -> NDArray[Any]:
        """All values of some runs, compared with the digests in their marks."""
        shape, parts = self._block.shape, []
        begin, end, step = wanted.indices(self.shape[0])
        length = shape.chunk_runs
        for chunk in range(begin // length, -(-end // length)):
            first, stop = shape.chunk_span(chunk)
            part = ChunkPart(self._block.at(chunk), ALONE, only=(self._name,))
            marks = [RunMark(records_done=records) for records in self._records_done[first:stop]]
            for position, digests in zip(range(first, stop), part.load(marks), strict=True):
                if digests.get(self._name, "") != self._digests[position]:
                    raise self._damage(f"position {position} of its runs is not what was written")
            low = max(begin, first)
            parts.append(part.values(self._name)[low - first : end - first])
        values: NDArray[Any] = np.concatenate(parts)[::step]
        return values

    def _damage(self, what: str) -> DamagedError:
        return DamagedError(
            f"store: {self._path} is damaged: {what}; `sweepengine verify` names the runs, and `sweepengine repair` "
            "has them computed again"
        )

    def lazy(self, address: str) -> da.Array:
        """The variable as a dask array, with the chunks of the store.

        Parameters
        ----------
        address : str
            Address of the store.

        Returns
        -------
        dask.array.Array
        """
        import dask.array as da

        # The name changes with what is committed, so that a dask cluster never answers from an older reading.
        token = hashlib.blake2b(
            f"{address}/{self._path}{self._valid.tolist()}{self._digests}".encode(), digest_size=16
        ).hexdigest()
        name = f"{self._path.rpartition('/')[2]}-{token}"
        meta = np.empty((0,) * self.ndim, dtype=self.dtype)
        array: da.Array = da.from_array(self, chunks=self.chunks, name=name, meta=meta, fancy=False)
        return array


class WholeValues:
    """An array that was written whole. It is read whole, and compared with its digest.

    Parameters
    ----------
    store : Store
    nodes : Nodes
    path : str
    """

    def __init__(self, store: Store, nodes: Nodes, path: str) -> None:
        self._store, self._nodes, self._path = store, nodes.below([path.rpartition("/")[0]]), path
        array = nodes.array(store, path)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        values: NDArray[Any] = self._nodes.values(self._store, self._path)[index]
        return values

    def lazy(self, address: str) -> da.Array:
        """The array as a dask array of one chunk.

        Parameters
        ----------
        address : str
            Address of the store.

        Returns
        -------
        dask.array.Array
        """
        import dask.array as da

        said = self._nodes.attributes(self._path).get("digest", "")
        token = hashlib.blake2b(f"{address}/{self._path}{said}".encode(), digest_size=16).hexdigest()
        name = f"{self._path.rpartition('/')[2]}-{token}"
        array: da.Array = da.from_array(self, chunks=self.shape, name=name, meta=np.empty((0,) * self.ndim, self.dtype))
        return array
