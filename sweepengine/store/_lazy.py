"""Variables of blocks as lazy arrays that show what marks vouch for, and say where it is lost or damaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.storage import WrapperStore

from sweepengine.errors import StoreError
from sweepengine.store._layout import block_path
from sweepengine.store._nodes import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da
    from numpy.typing import NDArray
    from zarr.abc.store import ByteRequest, Store
    from zarr.core.buffer import Buffer, BufferPrototype

    from sweepengine.store._nodes import Nodes


class _NothingLost(WrapperStore["Store"]):
    """A store in which an object that is not there is an error: zarr would take a lost chunk for one of fill values."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        found = await super().get(key, prototype, byte_range)
        if found is None:
            raise FileNotFoundError(f"{key} is lost")
        return found


class CommittedValues:
    """A variable of a block, NaN beyond the first values of each run that its mark vouches for.

    Parameters
    ----------
    store : Store
    nodes : Nodes
    block, name : str
    valid : sequence of int
        How many values along the second dim are committed, for each run of the block.
    """

    def __init__(self, store: Store, nodes: Nodes, block: str, name: str, valid: Sequence[int]) -> None:
        self._path = block_path(block, name)
        array = self._array = nodes.array(_NothingLost(store), self._path)
        self._valid = np.array(valid, dtype=np.int64)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.chunks = array.chunks

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        runs, instants = index[:2]
        committed = np.arange(self.shape[1])[instants][None, :] < self._valid[runs][:, None]
        if not committed.any():
            sizes = (len(range(*each.indices(size))) for each, size in zip(index, self.shape, strict=True))
            return np.full(tuple(sizes), np.nan, dtype=self.dtype)
        try:
            values = np.asarray(self._array[index])
        except UNREADABLE as error:
            raise StoreError(
                f"store: {self._path} is damaged ({error}); `sweepengine verify` names the runs, and `sweepengine repair` "
                "has them computed again"
            ) from error
        if not committed.all():
            values[~committed] = np.nan
        return values

    def lazy(self, address: str) -> da.Array:
        """As a dask array, of the chunks that are stored.

        Parameters
        ----------
        address : str
            Of the store.
        """
        import dask.array as da

        # A name that changes with what is committed, so that a dask cluster never answers from an older reading.
        token = hashlib.blake2b(f"{address}/{self._path}{self._valid.tolist()}".encode(), digest_size=16).hexdigest()
        name = f"{self._path.rpartition('/')[2]}-{token}"
        meta = np.empty((0,) * self.ndim, dtype=self.dtype)
        found: da.Array = da.from_array(self, chunks=self.chunks, name=name, meta=meta)
        return found


class WholeValues:
    """An array that was written whole, read at once and against its digest.

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
        found: NDArray[Any] = self._nodes.values(self._store, self._path)[index]
        return found

    def lazy(self, address: str) -> da.Array:
        """As a dask array of one chunk.

        Parameters
        ----------
        address : str
            Of the store.
        """
        import dask.array as da

        said = self._nodes.attributes(self._path).get("digest", "")
        token = hashlib.blake2b(f"{address}/{self._path}{said}".encode(), digest_size=16).hexdigest()
        name = f"{self._path.rpartition('/')[2]}-{token}"
        found: da.Array = da.from_array(self, chunks=self.shape, name=name, meta=np.empty((0,) * self.ndim, self.dtype))
        return found
