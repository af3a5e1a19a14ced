"""Points of a user's own file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._arrays import open_arrays
from sweepengine.data._dataset import from_content
from sweepengine.data._targets import targets_of
from sweepengine.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset
    from sweepengine.spec import FileData

    Array = NDArray[np.float64]


def file_points(spec: FileData) -> Dataset:
    """Training and test points in the order of the file.

    Raises
    ------
    DataError
        The file cannot be read, lacks an array, or holds arrays that do not fit each other; or a point cannot be
        preprocessed.
    """
    with open_arrays(spec.path, "data.path") as file:
        x_train, x_test = (_inputs(file.read(name), name) for name in ("x_train", "x_test"))
        y_train, y_test = (
            _targets(file.read(name), name, len(x), spec) for name, x in (("y_train", x_train), ("y_test", x_test))
        )
    if x_train.shape[1] != x_test.shape[1]:
        raise DataError(
            f"data.path: x_train has points of d = {x_train.shape[1]}, x_test of d = {x_test.shape[1]}; "
            "give both the same d"
        )
    if y_train.shape[1:] != y_test.shape[1:]:
        raise DataError(
            f"data.path: y_train has shape {y_train.shape}, y_test {y_test.shape}; give both as many targets a point"
        )
    n, pool = spec.n_train, x_train
    if n is not None and n > len(pool):
        raise DataError(f"data.n_train: found {n}, but x_train of {spec.path} has {len(pool)} points; ask for no more")
    description = f"{spec.path}, preprocess {spec.preprocess}"
    return from_content((pool[:n], y_train[:n], x_test, y_test), spec.preprocess, description, pool)


def _inputs(x: Array, name: str) -> Array:
    if x.ndim != 2 or 0 in x.shape:
        raise DataError(f"data.path: {name} has shape {x.shape}; expected (points, d), neither of them 0")
    return x


def _targets(y: Array, name: str, points: int, spec: FileData) -> Array:
    """Targets (N,) or (N, k), k ≥ 2."""
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    dims = (1,) if spec.classes else (1, 2)
    if y.ndim not in dims or len(y) != points or 0 in y.shape:
        expected = f"({points},) of labels" if spec.classes else f"({points},) or ({points}, k)"
        raise DataError(f"data.path: {name} has shape {y.shape}; expected {expected}")
    if spec.classes is None:
        return y
    wrong = y[(y < 0) | (y >= spec.classes) | (y != np.floor(y))]
    if len(wrong):
        raise DataError(
            f"data.path: {name} holds {wrong[0]:g}; with classes: {spec.classes} labels are whole numbers "
            f"0 … {spec.classes - 1}"
        )
    return targets_of(y.astype(np.intp), spec.classes, spec.targets)
