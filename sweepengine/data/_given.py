"""Arrays that all runs of a sweep share beside the data: weights from a file, a reference cloud, a grid of points."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sweepengine.data._arrays import open_arrays
from sweepengine.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

GivenKind = Literal["weights", "reference", "grid"]


@dataclass(frozen=True)
class Given:
    """Named arrays with an id and a purpose.

    Attributes
    ----------
    kind : {"weights", "reference", "grid"}
        Purpose: a network's parameters at t = 0; the cloud to which distances are measured; the points at which the
        first variation is recorded.
    id : str
        Sixteen hexadecimal digits; the id of arrays from a file hashes their names, shapes and numbers.
    arrays : mapping of ndarray of float64
        Arrays by name: W0, b0, …, W<L>, b<L> for weights, ``points`` (n, p) for the other kinds.
    """

    kind: GivenKind
    id: str
    arrays: Mapping[str, NDArray[np.float64]]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(values.nbytes for values in self.arrays.values())


def known_by_content(kind: GivenKind, arrays: Mapping[str, NDArray[np.float64]]) -> Given:
    """The arrays with an id that hashes their names, shapes and numbers."""
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values, dtype="<f8").data)
    return Given(kind, digest.hexdigest()[:16], arrays)


def load_reference(path: str, coordinates: int) -> Given:
    """The array ``points`` of a ``.npz`` file, as a cloud of particles.

    Parameters
    ----------
    path : str
    coordinates : int
        Number p of coordinates of the sweep's particles.

    Raises
    ------
    DataError
        The file cannot be read as plain arrays of finite numbers, or ``points`` is no cloud in p dimensions.
    """
    with open_arrays(path, "reference") as file:
        points = file.read("points")
    if points.ndim != 2 or not len(points):
        raise DataError(f"reference: points of {path} has shape {points.shape}; expected (particles, coordinates)")
    if points.shape[1] != coordinates:
        raise DataError(
            f"reference: the cloud of {path} has {points.shape[1]} coordinates, the particles of the spec have "
            f"{coordinates}; W2 needs one space: give points of shape (particles, {coordinates})"
        )
    return known_by_content("reference", {"points": points})
