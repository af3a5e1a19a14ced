"""From a spec's data section to arrays, by the functions that the section names."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset
    from sweepengine.spec import DataSection


def load(spec: DataSection) -> Dataset:
    """Draw or read, split and preprocess the points that a spec asks for.

    Parameters
    ----------
    spec : DataSection
        Of :data:`sweepengine.spec.DATASETS`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        There are fewer points than asked for, a file is not what it should be, or a point cannot be preprocessed.
    """
    dataset: Dataset = resolve_name(spec.loader)(spec)
    return dataset


def fresh_points(spec: DataSection, seed: int, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As many points as ``n_train``, drawn for one step of one run and independent of all others.

    Parameters
    ----------
    spec : DataSection
        Whose ``fresh_points`` is not None; its seed makes the teacher.
    seed : int
        Of the run: it makes the points.
    step : int

    Returns
    -------
    x : ndarray of float64, shape (n_train, d)
    y : ndarray of float64, shape (n_train,) or (n_train, k)

    Raises
    ------
    TypeError
        The data set has a fixed number of points.
    """
    if spec.fresh_points is None:
        raise TypeError(f"found data {spec.name!r}, of which no new points can be drawn")
    points: tuple[NDArray[np.float64], NDArray[np.float64]] = resolve_name(spec.fresh_points)(spec, seed, step)
    return points
