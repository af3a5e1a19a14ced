"""What a sweep's Dataset says of the points: the targets, and how many points each run has where runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.store._data import data_path
from sweepengine.store._layout import block_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import dask.array as da
    from numpy.typing import NDArray

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._view import StoreView

    Segments = Sequence[tuple[str, int, int]]

_OF_POINTS = (
    ("i", "train", "training"),
    ("test", "test", "test"),
)
"""Dim, part of the data, and what long names call it."""


def counts_of_points(shapes: Mapping[str, BlockShape], segments: Segments) -> dict[str, Any]:
    """``n_train`` and ``n_test`` over ``run``, where runs differ in them: the number of points that are no padding."""
    coords = {}
    for dim, part, called in _OF_POINTS:
        sizes = {block: shape.sizes.get(dim, 0) for block, shape in shapes.items()}
        if len(set(sizes.values())) > 1:
            counts = np.concatenate([np.full(stop - start, sizes[block]) for block, start, stop in segments])
            coords[f"n_{part}"] = ("run", counts, {"long_name": f"number of {called} points"})
    return coords


def targets(store: StoreView, segments: Segments, read: Callable[[str], NDArray[Any]]) -> dict[str, Any]:
    """``targets_train`` and ``targets_test``: arrays over the points, and over ``run`` too where runs have unlike data.

    Parameters
    ----------
    store : StoreView
    segments : sequence
        Stretches of runs, as :meth:`RunTable.segments` gives them.
    read : callable
        Reads the array at a path.
    """
    import dask.array as da

    data_of = {block: _data_id(store, block) for block, _, _ in segments}
    variables: dict[str, Any] = {}
    for dim, part, called in _OF_POINTS:
        each = {data: read(data_path(data, f"y_{part}")) for data in dict.fromkeys(data_of.values())}
        first = next(iter(each.values()))
        dims = (dim, "output")[: first.ndim]
        attributes = {"long_name": f"{called} targets", "units": "1"}
        if all(np.array_equal(values, first, equal_nan=True) for values in each.values()):
            variables[f"targets_{part}"] = (dims, first, attributes)
        else:
            by_run = _over_runs({block: da.from_array(each[data]) for block, data in data_of.items()}, segments)
            variables[f"targets_{part}"] = (("run", *dims), by_run, attributes)
    return variables


def inputs(store: StoreView, segments: Segments, lazy: Callable[[str], da.Array]) -> dict[str, Any]:
    """``inputs_train`` and ``inputs_test``: lazy arrays over points and features, and ``run`` where data are unlike.

    Parameters
    ----------
    store : StoreView
    segments : sequence
        As for :func:`targets`.
    lazy : callable
        The lazy array at a path.
    """
    data_of = {block: _data_id(store, block) for block, _, _ in segments}
    variables: dict[str, Any] = {}
    for dim, part, called in _OF_POINTS:
        each = {data: lazy(data_path(data, f"x_{part}")) for data in dict.fromkeys(data_of.values())}
        attributes = {"long_name": f"{called} inputs", "units": "1"}
        digests = {store.nodes.attributes(data_path(data, f"x_{part}")).get("digest", data) for data in each}
        if len(digests) == 1:  # test points may be the same in several sets of data
            variables[f"inputs_{part}"] = ((dim, "feature"), next(iter(each.values())), attributes)
        else:
            by_run = _over_runs({block: each[data] for block, data in data_of.items()}, segments)
            variables[f"inputs_{part}"] = (("run", dim, "feature"), by_run, attributes)
    return variables


def _data_id(store: StoreView, block: str) -> str:
    return str(store.nodes.attributes(block_path(block)).get("data", store.attributes["data"]))


def _over_runs(by_block: Mapping[str, da.Array], segments: Segments) -> da.Array:
    """Lazy arrays of blocks, padded with NaN to the largest, as one array over runs."""
    import dask.array as da

    extents = [max(sizes) for sizes in zip(*(each.shape for each in by_block.values()), strict=True)]
    parts = []
    for block, start, stop in segments:
        values = by_block[block]
        widths = [(0, extent - size) for extent, size in zip(extents, values.shape, strict=True)]
        padded = da.pad(values, widths, constant_values=np.nan) if any(after for _, after in widths) else values
        parts.append(da.broadcast_to(padded, (stop - start, *padded.shape)))
    joined: da.Array = da.concatenate(parts, axis=0)
    return joined
