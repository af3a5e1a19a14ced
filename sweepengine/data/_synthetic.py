"""Points of synthetic data: rows of an infinite matrix of Gaussians, so that any of them can be drawn alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.spec import ShellsData
from sweepengine.streams import Role, gaussian_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.spec import SyntheticData, TeacherData

    Array = NDArray[np.float64]

_STORED, _FRESH, _TEACHER = range(3)
"""Layers of the streams: the stored points, those of the steps, and the teacher."""

_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda h: np.maximum(h, 0.0),
    "abs": np.abs,
    "tanh": np.tanh,
    "sin": np.sin,
    "quadratic": np.square,
}


def stored_points(spec: SyntheticData) -> tuple[Array, Array]:
    """The points that a sweep's store holds: n_train for training, then n_test.

    Returns
    -------
    x : ndarray of float64, shape (n_train + n_test, d)
    y : ndarray of float64, shape (n_train + n_test,)
    """
    return _points(spec, spec.seed, _STORED, 0, spec.n_train + spec.n_test)


def fresh_points(spec: SyntheticData, seed: int, step: int) -> tuple[Array, Array]:
    """The points that a run draws for one step, independent of the stored ones and of every other step's.

    Parameters
    ----------
    spec : SyntheticData
    seed : int
        Of the run.
    step : int

    Returns
    -------
    x : ndarray of float64, shape (n_train, d)
    y : ndarray of float64, shape (n_train,)
    """
    return _points(spec, seed, _FRESH, step * spec.n_train, spec.n_train)


def teacher_weights(spec: TeacherData) -> Array:
    """Unit vectors w*, uniform on the sphere; shape (neurons, d)."""
    rows = gaussian_block(spec.seed, Role.POINT, _TEACHER, (0, spec.neurons), (0, spec.d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _points(spec: SyntheticData, seed: int, layer: int, first: int, count: int) -> tuple[Array, Array]:
    gaussians = gaussian_block(seed, Role.POINT, layer, (first, first + count), (0, spec.d + 1))
    x = gaussians[:, : spec.d]
    if isinstance(spec, ShellsData):
        y = np.where(gaussians[:, spec.d] > 0, 1.0, -1.0)
        return x * (1 + y * spec.delta)[:, None], y
    y = _FUNCTIONS[spec.activation](x @ teacher_weights(spec).T).mean(axis=1)
    return np.ascontiguousarray(x), y
