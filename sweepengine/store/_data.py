"""Data in a store, and what a sweep is given beside them: given weights, a reference cloud, a grid of points.

The driver writes each of them once; every worker reads them, and compares them with their digests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.data import Dataset
from sweepengine.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.data import Given
    from sweepengine.store._metadata import Metadata
    from sweepengine.store._nodes import Nodes

_ARRAYS = {
    "x_train": (("i", "feature"), "inputs of the training points"),
    "y_train": (("i", "output"), "targets of the training points"),
    "x_test": (("test", "feature"), "inputs of the test points"),
    "y_test": (("test", "output"), "targets of the test points"),
}
"""Array → dims and long name. Targets have the dim ``output`` only for k ≥ 2 outputs."""
_TITLES = {
    "weights": "parameters at t = 0, given and not drawn",
    "reference": "particles of the cloud to which distances are measured",
    "grid": "points at which the first variation is taken",
}
GIVEN_KINDS = tuple(_TITLES)
"""Kinds of what a sweep is given beside its data; attributes of the root under these names hold their ids."""


def data_path(data_id: str, name: str = "") -> str:
    """Path of a dataset's group or of one of its arrays."""
    return f"data/{data_id}/{name}".rstrip("/")


def given_path(kind: str, given_id: str, name: str = "") -> str:
    """Path of the group of one of the :data:`GIVEN_KINDS`, or of one of its arrays."""
    return f"{kind}/{given_id}/{name}".rstrip("/")


def write_data(metadata: Metadata, data: Dataset) -> None:
    """Write a dataset into a group of its own."""
    metadata.group(data_path(data.id), {"title": data.description})
    for name, (dims, long_name) in _ARRAYS.items():
        values = getattr(data, name)
        _write(metadata, data_path(data.id, name), values, dims[: values.ndim], long_name)


def write_given(metadata: Metadata, given: Given) -> None:
    """Write given weights, a reference cloud or a grid into a group of its own."""
    metadata.group(given_path(given.kind, given.id), {"title": _TITLES[given.kind]})
    for name, values in given.arrays.items():
        if given.kind == "weights":
            dims, long_name = (f"{name}_row", f"{name}_column")[: values.ndim], f"parameter {name} at t = 0"
        else:
            dims, long_name = (given.kind, "coord"), _TITLES[given.kind]
        _write(metadata, given_path(given.kind, given.id, name), values, dims, long_name)


def _write(metadata: Metadata, path: str, values: NDArray[np.float64], dims: tuple[str, ...], long_name: str) -> None:
    attributes = {"long_name": long_name, "units": "1"}
    chunks = tuple(max(1, size) for size in values.shape)  # a sweep without a risk has data of no points
    metadata.array(path, values.shape, chunks, "float64", np.nan, dims=dims, attributes=attributes, data=values)


def read_data(store: Store, nodes: Nodes, data_id: str) -> dict[str, NDArray[np.float64]]:
    """Read a dataset, and compare it with its digests.

    Parameters
    ----------
    store : Store
    nodes : Nodes
        The published nodes, those of the dataset at least.
    data_id : str

    Returns
    -------
    dict of ndarray of float64
        Inputs ``x_train``, ``x_test`` (points, d) and targets ``y_train``, ``y_test`` (points,), or (points, k) for
        k ≥ 2 outputs.

    Raises
    ------
    StoreError
        An array is lost or is not what was written: numbers trained on it would mean nothing.
    """
    values = nodes.values_of_each(store, [data_path(data_id, name) for name in _ARRAYS])
    return dict(zip(_ARRAYS, values, strict=True))


def stored_dataset(store: Store, nodes: Nodes, data_id: str, settings: Mapping[str, Any]) -> Dataset:
    """A dataset as it was made, from the store. Raises :class:`StoreError` as :func:`read_data` does."""
    description = str(nodes.attributes(data_path(data_id))["title"])
    return Dataset(data_id, **read_data(store, nodes, data_id), description=description, settings=settings)


def read_given(store: Store, nodes: Nodes, kind: str, given_id: str) -> dict[str, NDArray[np.float64]]:
    """Read given weights, a reference cloud or a grid, and compare the arrays with their digests.

    Parameters
    ----------
    store : Store
    nodes : Nodes
        The published nodes, those of the group at least.
    kind : str
        One of :data:`GIVEN_KINDS`.
    given_id : str

    Returns
    -------
    dict of ndarray of float64
        Name → array, as :class:`sweepengine.data.Given` has them.

    Raises
    ------
    StoreError
        As :func:`read_data` does.
    """
    names = nodes.names(given_path(kind, given_id))
    if not names:
        raise StoreError(f"store: it has no {given_path(kind, given_id)}; restore it, or begin a new store")
    values = nodes.values_of_each(store, [given_path(kind, given_id, name) for name in names])
    return dict(zip(names, values, strict=True))
