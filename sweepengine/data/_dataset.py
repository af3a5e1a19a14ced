"""Inputs and targets of a sweep, with an id that hashes either their content or their recipe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._preprocess import PREPROCESSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import DataSection

    Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """x_train, y_train, x_test, y_test."""


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of one sweep.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits. The id of real data and files hashes the raw content and the name of the
        preprocessing, because preprocessed numbers may differ in the last bit between machines. Drawn points are made
        by logarithms and products, which may differ likewise, so their id hashes the section that determines them.
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
        """Number k of targets of each point."""
        return self.y_train.shape[1] if self.y_train.ndim == 2 else 1


def from_content(points: Points, preprocess: str, description: str) -> Dataset:
    """A data set of given points, preprocessed; its id hashes the raw points and the name of the preprocessing.

    Parameters
    ----------
    points : tuple of ndarray of float64
        Raw x_train, y_train, x_test and y_test.
    preprocess : str
        A name of :data:`sweepengine.data._preprocess.PREPROCESSING`.
    description : str
        One line for people.

    Raises
    ------
    DataError
        A point cannot be preprocessed.
    """
    digest = hashlib.sha256(preprocess.encode())
    for array in points:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    x_train, y_train, x_test, y_test = points
    x_train, x_test = PREPROCESSING[preprocess](x_train, x_test)
    return Dataset(digest.hexdigest()[:16], x_train, y_train, x_test, y_test, description)


def from_recipe(spec: DataSection, points: Points, description: str) -> Dataset:
    """A data set of drawn points; its id hashes the section of the spec that determines the points."""
    recipe = {
        name: value.hex() if isinstance(value, float) else value for name, value in spec.model_dump(mode="json").items()
    }
    return Dataset(hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16], *points, description)


def no_data() -> Dataset:
    """The empty data set, on which a sweep without a risk runs."""
    x, y = np.empty((0, 0)), np.empty(0)
    return from_content((x, y, x, y), "none", "no data")
