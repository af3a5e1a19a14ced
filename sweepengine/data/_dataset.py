"""Inputs and targets of a sweep, with an id that hashes either their content or their recipe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.data._preprocess import POINTWISE, PREPROCESSING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    settings : mapping
        What the section of the spec says of the content, as plain values; see :meth:`DataSection.settings`.
    """

    id: str
    x_train: NDArray[np.float64]
    y_train: NDArray[np.float64]
    x_test: NDArray[np.float64]
    y_test: NDArray[np.float64]
    description: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Number k of targets of each point."""
        return self.y_train.shape[1] if self.y_train.ndim == 2 else 1

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in (self.x_train, self.y_train, self.x_test, self.y_test))


def from_content(points: Points, preprocess: str, description: str, pool: NDArray[np.float64] | None = None) -> Dataset:
    """A data set of given points, preprocessed; its id hashes the raw points and the preprocessing.

    Parameters
    ----------
    points : tuple of ndarray of float64
        Raw x_train, y_train, x_test and y_test.
    preprocess : str
        A name of :data:`sweepengine.data._preprocess.PREPROCESSING`.
    description : str
        One line for people.
    pool : ndarray of float64, shape (M, d), optional
        Raw points whose statistics the preprocessing uses, for training points that are the first of a larger set; the
        training points themselves where not given.

    Raises
    ------
    DataError
        A point cannot be preprocessed.
    """
    digest = hashlib.sha256(preprocess.encode())
    x_train, y_train, x_test, y_test = points
    pool = x_train if pool is None else pool
    further = preprocess not in POINTWISE and not np.array_equal(pool, x_train)
    for array in (*points, pool) if further else points:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    x_train, x_test = PREPROCESSING[preprocess](x_train, x_test, pool)
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
