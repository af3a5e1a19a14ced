"""Parameters at t = 0 that are given and not drawn."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._arrays import read_arrays, real_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Weights:
    """Arrays of one network.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits hashing names, shapes and numbers.
    arrays : mapping of ndarray of float64
        By name: W0, b0, …, W<L>, b<L>.
    """

    id: str
    arrays: Mapping[str, NDArray[np.float64]]


def load_weights(path: str, depth: int) -> Weights:
    """The arrays of a ``.npz`` file that are parameters of a network of some depth; others are left out.

    Raises
    ------
    DataError
        The file cannot be read as plain arrays of finite numbers.
    """
    found = read_arrays(path, "network.weights")
    names = [f"{kind}{layer}" for layer in range(depth + 1) for kind in "Wb"]
    arrays = {name: real_array(found, name, "network.weights") for name in names if name in found}
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return Weights(digest.hexdigest()[:16], arrays)
