"""Preprocessing of inputs. No preprocessing uses statistics of the test points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def center_sphere(x_train: Array, x_test: Array, pool: Array) -> tuple[Array, Array]:
    """Subtract a mean and scale every row to norm √d, so that x·x/d = 1.

    Parameters
    ----------
    x_train, x_test : ndarray of float64, shapes (N, d) and (N_test, d)
    pool : ndarray of float64, shape (M, d)
        The points whose mean is subtracted: the training points, or a larger set that begins with them.

    Returns
    -------
    x_train, x_test : ndarray of float64, of the same shapes

    Raises
    ------
    DataError
        A point equals the mean and has no direction.
    """
    mean = pool.mean(axis=0)
    return _on_sphere(x_train - mean, "training"), _on_sphere(x_test - mean, "test")


def _on_sphere(x: Array, what: str) -> Array:
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    if np.any(norms == 0):
        raise DataError(
            f"data.preprocess: center_sphere cannot scale {what} point {int(np.argmin(norms))}, which equals the "
            "training mean; use more training points or preprocess: none"
        )
    scaled: Array = x * (np.sqrt(x.shape[1]) / norms)
    return scaled


def none(x_train: Array, x_test: Array, pool: Array) -> tuple[Array, Array]:  # noqa: ARG001 -- needs no statistics
    """The inputs unchanged."""
    return x_train, x_test


PREPROCESSING: dict[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = {
    "center_sphere": center_sphere,
    "none": none,
}
POINTWISE = frozenset({"none"})
"""Preprocessing for which the pool does not matter."""
