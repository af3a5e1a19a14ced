"""Quantiles over seeds, of the values or of means of drawn seeds: all seeds of a few entries at a time."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import dask.array as da
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Reduce = Callable[[Floats], Floats]
    """From the values (seeds, entries) to the quantiles (levels, entries)."""

_PIECE: Final = 2**26
"""Bytes of the entries whose seeds are in memory together. Where a group of runs has more, its chunks are read again
for each piece: they do not fit into memory, and reading a chunk takes less time than sorting its numbers."""
_SLAB: Final = 2**20
"""Numbers that are sorted at a time."""


def quantiles(values: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles (levels, entries) of the values (seeds, entries); NaN where a value is NaN."""
    return np.asarray(np.quantile(values, levels, axis=0))


def bootstrapped(values: Floats, levels: tuple[float, ...], resamples: int, random_seed: int) -> Floats:
    """Quantiles (levels, entries) of the mean over drawn seeds, with the same draws for every entry."""
    return quantiles(_draws(len(values), resamples, random_seed) @ values, levels)


@lru_cache(maxsize=4)
def _draws(size: int, resamples: int, random_seed: int) -> Floats:
    """How often each of the seeds is drawn in each resample, over their number."""
    drawn = np.random.default_rng(random_seed).multinomial(size, np.full(size, 1 / size), size=resamples)
    return drawn / size


def ordered_groups(values: xr.DataArray, rows: Sequence[NDArray[np.intp]], reduce: Reduce, levels: int) -> Any:
    """Reduce each group of runs over its seeds.

    Parameters
    ----------
    values : DataArray (run, ...)
        Numbers; lazy ones are reduced lazily. A worker holds a chunk, and all seeds of :data:`_PIECE` bytes.
    rows : sequence of array of int
        Positions of the runs of each group, in the order of their seeds.
    reduce : callable
    levels : int
        Number of quantiles.

    Returns
    -------
    ndarray or dask.array.Array, shape (group, level, ...), float64
        NaN for a group without runs.
    """
    shape = values.shape[1:]
    if values.chunks is not None and any(map(len, rows)):
        return _lazy(values.data, rows, reduce, levels)
    return np.stack(
        [_reduced([values.values[each]], [np.arange(len(each))], shape, reduce, levels)[0] for each in rows]
    )


def _reduced(
    parts: Sequence[NDArray[Any]],
    places: Sequence[NDArray[np.intp]],
    shape: tuple[int, ...],
    reduce: Reduce,
    levels: int,
) -> Floats:
    """The quantiles (1, level, ...) of the runs in some parts (run, ...), each with their places among the seeds."""
    seeds, entries = sum(map(len, places)), math.prod(shape)
    out = np.full((levels, entries), np.nan)
    step = max(1, _SLAB // max(1, seeds))
    for low in range(0, entries if seeds else 0, step):
        some = np.empty((seeds, min(step, entries - low)))
        for part, place in zip(parts, places, strict=True):
            some[place] = part.reshape(len(part), -1)[:, low : low + step]
        out[:, low : low + step] = reduce(some)
    return out.reshape(1, levels, *shape)


def _lazy(values: da.Array, rows: Sequence[NDArray[np.intp]], reduce: Reduce, levels: int) -> da.Array:
    """One task for each group and piece, and one for each chunk that it reads, which keeps what the piece needs."""
    import dask.array as da
    from dask._task_spec import DataNode, convert_legacy_graph
    from dask.base import clone_key, optimize, tokenize
    from dask.highlevelgraph import HighLevelGraph
    from dask.utils import ensure_dict

    (values,) = optimize(values)
    first = np.cumsum([0, *values.chunks[0]])
    axes = _pieces(values, max(map(len, rows)))
    # Pieces of one chunk read it by tasks of their own: dask would keep a chunk for all the tasks that need it.
    sources: dict[tuple[int, ...], dict[Any, Any]] = {}
    name = f"ordered-{tokenize(values, rows, reduce, levels)}"
    graph: dict[Any, Any] = {}
    nodes = convert_legacy_graph(ensure_dict(values.__dask_graph__()))
    for group, wanted in enumerate(rows):
        block = np.searchsorted(first, wanted, side="right") - 1
        for piece in itertools.product(*map(enumerate, axes)):
            cell, within, part = (
                zip(*((p.block, p.within, p.part) for _, p in piece), strict=True) if piece else ((),) * 3
            )
            if part not in sources:
                # What a graph holds as values stays one. Dask's own `clone` leaves tasks the keys that they read.
                word = f"{name}{part}"
                keys = {key: clone_key(key, word) for key, node in nodes.items() if not isinstance(node, DataNode)}
                graph |= {keys.get(key, key): n.substitute(keys, key=keys.get(key)) for key, n in nodes.items()}
                sources[part] = keys
            place = tuple(k for k, _ in piece)
            taken, places = [], []
            for number in np.unique(block).tolist():
                here = np.flatnonzero(block == number)
                key = (f"{name}-taken", group, number, *place)
                chunk = (values.name, number, *cell)
                graph[key] = (_taken, sources[part].get(chunk, chunk), wanted[here] - first[number], within)
                taken.append(key)
                places.append(here)
            shape = tuple(each.stop - each.start for each in within)
            graph[(name, group, 0, *place)] = (_reduced, taken, places, shape, reduce, levels)
    layers = HighLevelGraph.from_collections(name, graph)
    chunks = ((1,) * len(rows), (levels,), *(tuple(p.within.stop - p.within.start for p in axis) for axis in axes))
    return da.Array(layers, name, chunks, meta=np.empty((0,) * len(chunks)))


def _taken(chunk: NDArray[Any], rows: NDArray[np.intp], within: tuple[slice, ...]) -> NDArray[Any]:
    return chunk[(slice(None), *within)][rows]  # a copy, so that the chunk is not kept


class _Part:
    """A part of a chunk along one axis.

    Attributes
    ----------
    block : int
        Number of the chunk along the axis.
    within : slice
        Where the part lies in the chunk.
    part : int
        Number of the part in its chunk.
    """

    def __init__(self, block: int, within: slice, part: int) -> None:
        self.block, self.within, self.part = block, within, part


def _pieces(values: da.Array, seeds: int) -> list[list[_Part]]:
    """For each axis behind the runs its chunks, cut so that the seeds of a piece take no more than :data:`_PIECE`."""
    longest = [max(sizes) for sizes in values.chunks[1:]]
    left = seeds * math.prod(longest) * values.dtype.itemsize / _PIECE
    axes = []
    for sizes, length in zip(values.chunks[1:], longest, strict=True):
        step = max(1, length // max(1, math.ceil(left)))
        left *= step / length
        axes.append(
            [
                _Part(block, slice(low, min(low + step, size)), part)
                for block, size in enumerate(sizes)
                for part, low in enumerate(range(0, size, step))
            ]
        )
    return axes
