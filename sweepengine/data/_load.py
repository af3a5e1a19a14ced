"""From a spec's data section to arrays with an id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._digits import describe_digits, digits
from sweepengine.data._drawn import describe_drawn, drawn
from sweepengine.data._file import file_points
from sweepengine.data._preprocess import PREPROCESSING
from sweepengine.spec import DigitsData, DrawnData, ShellsData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import DataSpec

    Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """x_train, y_train, x_test, y_test."""


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of one sweep.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits. Of real data and files they hash the raw content and the preprocessing; raw,
        because the same numbers after preprocessing may differ in the last bit between machines. Drawn points are
        made by logarithms and products, which may differ so too: theirs hash what the points are a function of.
    x_train, x_test : ndarray of float64, shapes (N, d) and (N_test, d)
    y_train, y_test : ndarray of float64, shapes (N,) and (N_test,), or (N, k) and (N_test, k) for k ≥ 2 outputs
    description : str
        One line for people.
    """

    id: str
    x_train: NDArray[np.float64]
    y_train: NDArray[np.float64]
    x_test: NDArray[np.float64]
    y_test: NDArray[np.float64]
    description: str

    @property
    def outputs(self) -> int:
        """Number of targets k of each point."""
        return self.y_train.shape[1] if self.y_train.ndim == 2 else 1


def _content_id(points: Points, preprocess: str) -> str:
    digest = hashlib.sha256(preprocess.encode())
    for array in points:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


def no_data() -> Dataset:
    """What a sweep without a risk runs on: no points at all."""
    x, y = np.empty((0, 0)), np.empty(0)
    return Dataset(_content_id((x, y, x, y), "none"), x, y, x, y, "no data")


def _recipe_id(spec: DrawnData | ShellsData) -> str:
    recipe = {
        name: value.hex() if isinstance(value, float) else value for name, value in spec.model_dump(mode="json").items()
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def load(spec: DataSpec) -> Dataset:
    """Draw or read, split and preprocess the points that a spec asks for.

    Parameters
    ----------
    spec : DigitsData, FileData, DrawnData or ShellsData

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        There are fewer points than asked for, a file is not what it should be, or a point cannot be preprocessed.
    """
    if isinstance(spec, DrawnData | ShellsData):
        return Dataset(_recipe_id(spec), *drawn(spec), describe_drawn(spec))
    if isinstance(spec, DigitsData):
        points, description = digits(spec), describe_digits(spec)
    else:
        points, description = file_points(spec), f"{spec.path}, preprocess {spec.preprocess}"
    x_train, y_train, x_test, y_test = points
    content = _content_id(points, spec.preprocess)
    x_train, x_test = PREPROCESSING[spec.preprocess](x_train, x_test)
    return Dataset(content, x_train, y_train, x_test, y_test, description)
