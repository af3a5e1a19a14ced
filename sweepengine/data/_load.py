"""Loading the points of a spec's data section, by the functions to which the section refers."""

from __future__ import annotations

from dataclasses import replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.data._dataset import Dataset
    from sweepengine.spec import DataSection


def load(spec: DataSection) -> Dataset:
    """Draw or read the points that a spec asks for, split them into training and test points and preprocess them.

    Parameters
    ----------
    spec : DataSection
        A section of one of the classes in :data:`sweepengine.spec.DATASETS`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        There are fewer points than asked for, a file cannot be read or does not fit the section, or a point cannot be
        preprocessed.
    """
    dataset: Dataset = resolve_name(spec.loader)(spec)
    return replace(dataset, settings=spec.settings())


def fresh_points(spec: DataSection, seed: int, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``n_train`` new points for one step of one run, independent of the points of all other steps.

    Parameters
    ----------
    spec : DataSection
        A section whose ``fresh_points`` is not None; its seed determines the teacher.
    seed : int
        Seed of the run, which determines the points.
    step : int
        Number of the step, from 0.

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
