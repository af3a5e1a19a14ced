"""What a sweep's Dataset says of the points: the targets, and how many points each run has where runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.store._data import data_path
from sweepengine.store._layout import block_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._view import StoreView

    Segments = Sequence[tuple[str, int, int]]

_OF_POINTS = (
    ("i", "train", "training targets", "number of training points"),
    ("test", "test", "test targets", "number of test points"),
)
"""Dim, part of the data, and long names of its targets and of its number of points."""


def counts_of_points(shapes: Mapping[str, BlockShape], segments: Segments) -> dict[str, Any]:
    """``n_train`` and ``n_test`` over ``run``, where runs differ in them: the number of points that are no padding."""
    coords = {}
    for dim, part, _, long_name in _OF_POINTS:
        sizes = {block: shape.sizes.get(dim, 0) for block, shape in shapes.items()}
        if len(set(sizes.values())) > 1:
            counts = np.concatenate([np.full(stop - start, sizes[block]) for block, start, stop in segments])
            coords[f"n_{part}"] = ("run", counts, {"long_name": long_name})
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
    data_of = {block: _data_id(store, block) for block, _, _ in segments}
    variables = {}
    for dim, part, long_name, _ in _OF_POINTS:
        each = {data: read(data_path(data, f"y_{part}")) for data in dict.fromkeys(data_of.values())}
        first = next(iter(each.values()))
        dims = (dim, "output")[: first.ndim]
        attributes = {"long_name": long_name, "units": "1"}
        if all(np.array_equal(values, first, equal_nan=True) for values in each.values()):
            variables[f"targets_{part}"] = (dims, first, attributes)
        else:
            by_run = _over_runs({block: each[data] for block, data in data_of.items()}, segments)
            variables[f"targets_{part}"] = (("run", *dims), by_run, attributes)
    return variables


def _data_id(store: StoreView, block: str) -> str:
    return str(store.nodes.attributes(block_path(block)).get("data", store.attributes["data"]))


def _over_runs(by_block: Mapping[str, NDArray[Any]], segments: Segments) -> Any:
    """Arrays of blocks, padded with NaN to the largest, as one lazy array over runs."""
    import dask.array as da

    longest = max(len(values) for values in by_block.values())
    parts = []
    for block, start, stop in segments:
        values = by_block[block]
        padded = np.pad(values, [(0, longest - len(values)), *[(0, 0)] * (values.ndim - 1)], constant_values=np.nan)
        parts.append(da.broadcast_to(da.from_array(padded), (stop - start, *padded.shape)))
    return da.concatenate(parts, axis=0)
