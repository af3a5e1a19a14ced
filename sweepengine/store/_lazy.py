"""Lazy arrays of a store: they show the records that marks vouch for, and raise where these are lost or damaged."""

from __future__ import annotations

import hashlib
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.errors import DamagedError
from sweepengine.store._decode import in_c_order
from sweepengine.store._layout import block_path
from sweepengine.store._marks import RunMark
from sweepengine.store._nodes import UNREADABLE
from sweepengine.store._objects import get_object
from sweepengine.store._part import ALONE, ChunkPart
from sweepengine.store._tails import tail_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dask.array as da
    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.observe import Variable
    from sweepengine.store._arrays import ChunkPlace
    from sweepengine.store._nodes import Nodes

    Rows = tuple["CommittedValues", int, int]
    """Values of a block, the first of its runs that are wanted, and the first after them."""


_KEPT_BYTES = 2**25 - 2**16


class CommittedValues:
    """A variable of a block: for each run the values that its mark vouches for, and NaN beyond them.

    Parameters
    ----------
    place : ChunkPlace
        Any chunk of the block, with the nodes of the block alone.
    variable : Variable
    runs : sequence of RunMark or None
        The mark of each run of the block; None before the first attempt.
    tails : mapping
        Checksums at the ends of the block's stored chunks, as :class:`Mark` has them.
    """

    def __init__(
        self, place: ChunkPlace, variable: Variable, runs: Sequence[RunMark | None], tails: Mapping[str, str]
    ) -> None:
        self._block, self._name = place, variable.name
        self._path, name = block_path(place.block, variable.name), variable.name
        # The object keeps only what reading needs: it travels with the dask graph, and there may be many runs.
        self._records_done = [run.records_done if run else 0 for run in runs]
        self._digests = [run.digests.get(name, "") if run else "" for run in runs]
        held = [place.shape.held(variable, records) for records in self._records_done]
        self._valid = np.array(held, dtype=np.int64)
        self._tails = {key: tail for key, tail in tails.items() if key.startswith(f"{name}/")}
        self.shape, self._format = place.nodes.layout(self._path)
        self.chunks, self.dtype = self._format.shape, self._format.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Values of one stored chunk, or of some of its runs."""
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
        chunk = [each.start // length for each, length in zip(index, self.chunks, strict=True)]
        key = f"{self._name}/c/{'/'.join(map(str, chunk))}"
        content = get_object(self._block.store, f"{block_path(self._block.block)}/{key}")
        if content is None:
            raise FileNotFoundError(f"{key} is lost")
        if self._tails.get(key, tail := tail_of(content)) != tail:
            # The chunk may be newer than the mark: a commit came after we read the mark, or was cut off before its own.
            return self._confirmed(index[0])[(slice(None), *index[1:])]
        starts = [number * length for number, length in zip(chunk, self.chunks, strict=True)]
        within = (slice(each.start - start, each.stop - start) for each, start in zip(index, starts, strict=True))
        decoded = self._format.decode(content)[tuple(within)]
        del content  # else the chunk would be there three times: as bytes, as values, and as values in C order
        return in_c_order(decoded)

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

    @property
    def token(self) -> str:
        """A text that changes with what is committed, so that a dask cluster never answers from an older reading."""
        return f"{self._path}{self._valid.tolist()}{self._digests}"

    @property
    def name(self) -> str:
        """Name of the variable."""
        return self._name


def lazy_rows(parts: Sequence[Rows], address: str) -> da.Array:
    """Runs of one or more blocks as one dask array, each of whose chunks is one stored chunk or the wanted runs of it.

    A stored chunk is read by one task, whatever is computed of it.

    Parameters
    ----------
    parts : sequence of (CommittedValues, int, int)
        Runs of blocks whose arrays are alike in all but the number of runs.
    address : str
        Address of the store.
    """
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    # A freed block of this size has glibc keep twice as much of what is freed. Without it every chunk and every
    # intermediate result costs page faults, a quarter of the time of a reduction (measured); elsewhere it does nothing.
    np.empty(_KEPT_BYTES, dtype=np.uint8)
    first = parts[0][0]
    bounds = [
        [(low, min(low + length, size)) for low in range(0, size, length)]
        for size, length in zip(first.shape[1:], first.chunks[1:], strict=True)
    ]
    said = "".join(f"{values.token}{start}-{stop}" for values, start, stop in parts)
    name = f"{first.name}-{hashlib.blake2b(f'{address}/{said}'.encode(), digest_size=16).hexdigest()}"
    graph: dict[Any, Any] = {}
    rows: list[int] = []
    for number, (values, start, stop) in enumerate(parts):
        block, length = f"{name}-block-{number}", values.chunks[0]
        graph[block] = values
        for chunk in range(start // length, -(-stop // length)):
            runs = slice(max(start, chunk * length), min(stop, (chunk + 1) * length))
            for place in itertools.product(*map(enumerate, bounds)):
                index = (runs, *(slice(*bound) for _, bound in place))
                graph[name, len(rows), *(k for k, _ in place)] = (partial(_read, index=index), block)
            rows.append(runs.stop - runs.start)
    chunks = (tuple(rows), *(tuple(high - low for low, high in each) for each in bounds))
    return da.Array(
        HighLevelGraph.from_collections(name, graph), name, chunks, meta=np.empty((0,) * len(chunks), first.dtype)
    )


def _read(values: CommittedValues, index: tuple[slice, ...]) -> NDArray[Any]:
    return values[index]


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


def padded_rows(parts: list[da.Array], shape: tuple[int, ...]) -> da.Array:
    """Join blocks along ``run``, padded with NaN to the largest extents of the other dims."""
    import dask.array as da

    padded = [
        da.pad(
            part,
            [(0, 0), *((0, size - have) for size, have in zip(shape, part.shape[1:], strict=True))],
            constant_values=np.nan,
        )
        if part.shape[1:] != shape
        else part
        for part in parts
    ]
    joined: da.Array = da.concatenate(padded, axis=0)
    return joined
