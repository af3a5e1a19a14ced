"""From a spec's data section to arrays whose id hashes their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._digits import digits
from sweepengine.data._preprocess import PREPROCESSING
from sweepengine.data._synthetic import stored_points
from sweepengine.errors import DataError
from sweepengine.spec import SyntheticData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import DigitsData


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of one sweep.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits hashing the raw content and the preprocessing. Raw, because the same numbers after
        preprocessing may differ in the last bit between machines.
    x_train, x_test : ndarray of float64, shapes (N, d) and (N_test, d)
    y_train, y_test : ndarray of float64, shapes (N,) and (N_test,)
    description : str
        One line for people.
    """

    id: str
    x_train: NDArray[np.float64]
    y_train: NDArray[np.float64]
    x_test: NDArray[np.float64]
    y_test: NDArray[np.float64]
    description: str


def _content_id(arrays: list[NDArray[np.float64]], preprocess: str) -> str:
    digest = hashlib.sha256(preprocess.encode())
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


def no_data() -> Dataset:
    """What a sweep without a risk runs on: no points at all."""
    x, y = np.empty((0, 0)), np.empty(0)
    return Dataset(_content_id([x, y, x, y], "none"), x, y, x, y, "no data")


def _synthetic(spec: SyntheticData) -> Dataset:
    x, y = stored_points(spec)
    arrays = x[: spec.n_train], y[: spec.n_train], x[spec.n_train :], y[spec.n_train :]
    return Dataset(_content_id(list(arrays), "none"), *arrays, f"{spec.name}, d = {spec.d}, seed {spec.seed}")


def load(spec: DigitsData | SyntheticData) -> Dataset:
    """Draw, split and preprocess the points that a spec asks for.

    Parameters
    ----------
    spec : DigitsData or SyntheticData

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        There are fewer points than asked for, or a point cannot be preprocessed.
    """
    if isinstance(spec, SyntheticData):
        return _synthetic(spec)
    x, y = digits(spec)
    asked = spec.n_train + spec.n_test
    if asked > len(x):
        raise DataError(
            f"data.n_train + data.n_test: found {spec.n_train} + {spec.n_test} = {asked}, but the classes "
            f"{list(spec.classes)} of {spec.name} have {len(x)} points; ask for at most {len(x)} in all"
        )
    x_train, y_train = x[: spec.n_train], y[: spec.n_train]
    x_test, y_test = x[spec.n_train : asked], y[spec.n_train : asked]
    content = _content_id([x_train, y_train, x_test, y_test], spec.preprocess)
    x_train, x_test = PREPROCESSING[spec.preprocess](x_train, x_test)
    return Dataset(
        id=content,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        description=(
            f"{spec.name}, classes {spec.classes[0]} (−1) and {spec.classes[1]} (+1), preprocess {spec.preprocess}, "
            f"seed {spec.seed}"
        ),
    )
