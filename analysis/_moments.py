"""Mean and spread over one dim in one pass: each chunk makes a partial result, which is merged into those before it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import dask.array as da
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Number of values, mean, and sum of squared deviations from it along an axis, whose size is 1 in all three."""

    number: Floats
    mean: Floats
    squares: Floats

    @classmethod
    def of(cls, values: NDArray[Any], counted: NDArray[np.bool_], axis: int) -> Moments:
        """Moments of the values that count, taken in one by one; `counted` broadcasts with the values."""
        shape = tuple(1 if place == axis else size for place, size in enumerate(values.shape))
        count = np.zeros(tuple(1 if place == axis else size for place, size in enumerate(counted.shape)))
        mean, squares = np.zeros(shape), np.zeros(shape)
        for k in range(values.shape[axis]):
            at = (*(slice(None),) * axis, slice(k, k + 1))
            here = counted[at]
            count += here
            off = np.where(here, values[at] - mean, 0.0)
            mean += off / np.maximum(count, 1.0)
            off *= off
            off *= (count - 1) / np.maximum(count, 1.0)
            squares += off
        return cls(count, mean, squares)

    def merged(self, other: Moments) -> Moments:
        """Moments of the values of both."""
        count = self.number + other.number
        share = other.number / np.maximum(count, 1.0)
        off = other.mean - self.mean
        mean, squares = self.mean + off * share, self.squares + other.squares
        off *= off
        off *= self.number * share
        squares += off
        return Moments(count, mean, squares)


def moments(values: xr.DataArray, counted: xr.DataArray, dim: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mean of the values that count, and the sum of their squared deviations from it, without the dim.

    Parameters
    ----------
    values : DataArray
        Numbers; lazy ones are reduced lazily. A worker holds one chunk, its moments, and those before.
    counted : DataArray of bool
        In memory, over some of the dims.
    dim : str
        The dim that is reduced. Where nothing counts the mean is 0; a NaN that counts makes both NaN.
    """
    axis = values.dims.index(dim)
    known = counted.transpose(*(name for name in values.dims if name in counted.dims)).values
    known = known.reshape([counted.sizes.get(name, 1) for name in values.dims])
    both = (
        _stacked(Moments.of(values.values, known, axis), axis)
        if values.chunks is None
        else _lazy(values.data, known, axis)
    )
    rest = values.isel({dim: 0}, drop=True)
    before: tuple[Any, ...] = (slice(None),) * axis
    mean, squares = (rest.copy(data=both[(*before, k)]) for k in range(2))
    return mean, squares


def moments_of_groups(
    values: xr.DataArray, counted: NDArray[np.bool_], group: NDArray[np.intp], count: int
) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and squares (group, ...) of values (run, ...) in each group of runs; NaN for a group without runs.

    A group is read where its runs lie, in the order of the store: to sort the runs would keep many chunks at once.
    """
    import xarray as xr

    parts = []
    for number in range(count):
        rows = np.flatnonzero(group == number)
        if not rows.size:
            nothing = xr.full_like(values.isel(run=0, drop=True), np.nan, dtype=np.float64)
            parts.append((nothing, nothing))
            continue
        span = slice(rows[0], rows[-1] + 1)
        mine = xr.DataArray(counted[span] & (group[span] == number), dims="run")
        parts.append(moments(values.isel(run=span), mine, "run"))
    mean, squares = (
        xr.concat([pair[k] for pair in parts], "group", coords="minimal", compat="override") for k in range(2)
    )
    return mean, squares


def _stacked(moments: Moments, axis: int) -> Floats:
    return np.concatenate([moments.mean, moments.squares], axis)


def _lazy(values: da.Array, counted: NDArray[np.bool_], axis: int) -> da.Array:
    """Mean and squares side by side along the axis. Dask's own reductions keep the partial results of many chunks."""
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    index, empty = tuple(range(values.ndim)), np.empty((0,) * values.ndim)
    chunks = tuple(each if size > 1 else (1,) for each, size in zip(values.chunks, counted.shape, strict=True))
    known = da.from_array(counted, chunks)
    partials = da.blockwise(
        Moments.of, index, values, index, known, index, axis=axis, dtype=np.float64, meta=empty, align_arrays=False
    )
    name = f"moments-{partials.name}"
    graph: dict[Any, Any] = {}
    numbers = [range(1) if place == axis else range(n) for place, n in enumerate(values.numblocks)]
    for place in itertools.product(*numbers):
        so_far: Any = (partials.name, *place)
        for k in range(1, values.numblocks[axis]):
            merged = (name, "merged", k, *place)
            graph[merged] = (Moments.merged, so_far, (partials.name, *place[:axis], k, *place[axis + 1 :]))
            so_far = merged
        graph[(name, *place)] = (_stacked, so_far, axis)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[partials])
    made = tuple((2,) if place == axis else each for place, each in enumerate(values.chunks))
    return da.Array(layers, name, made, meta=empty)
