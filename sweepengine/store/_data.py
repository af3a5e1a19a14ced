"""The inputs and targets in a store: written once, read by every worker, checked against a digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import zarr

from sweepengine.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.data import Dataset
    from sweepengine.store._metadata import Metadata

_ARRAYS = {
    "x_train": (("i", "feature"), "inputs of the training points"),
    "y_train": (("i",), "targets of the training points"),
    "x_test": (("test", "feature"), "inputs of the test points"),
    "y_test": (("test",), "targets of the test points"),
}


def data_path(data_id: str, name: str = "") -> str:
    """Path of a dataset's group or of one of its arrays."""
    return f"data/{data_id}/{name}".rstrip("/")


def _digest(values: NDArray[np.float64]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()


def write_data(metadata: Metadata, data: Dataset) -> None:
    """Create a dataset's group."""
    metadata.group(data_path(data.id), {"title": data.description})
    for name, (dims, long_name) in _ARRAYS.items():
        values = getattr(data, name)
        metadata.array(
            data_path(data.id, name),
            values.shape,
            tuple(max(1, size) for size in values.shape),  # a sweep without a risk has no points
            "float64",
            np.nan,
            dims=dims,
            attributes={"long_name": long_name, "units": "1", "sha256": _digest(values)},
            data=values,
        )


def read_data(store: Store, data_id: str) -> dict[str, NDArray[np.float64]]:
    """Read x_train, y_train, x_test and y_test as they were written.

    Raises
    ------
    StoreError
        One of them is lost or is not what was written: training on it would give numbers of nothing.
    """
    found = {}
    for name in _ARRAYS:
        path = data_path(data_id, name)
        try:
            array = zarr.open_array(store, path=path, mode="r")
            values = np.asarray(array[...])
            intact = _digest(values) == array.attrs["sha256"]
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise StoreError(f"store: {path} cannot be read: {error}; restore it, or begin a new store") from error
        if not intact:
            raise StoreError(f"store: {path} is not what was written; restore it, or begin a new store")
        found[name] = values
    return found
