"""Parameters at t = 0 that are given and not drawn."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data._arrays import read_arrays, real_array
from sweepengine.errors import DataError

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


def load_weights(path: str, depth: int, *, biases: bool, output_bias: bool) -> Weights:
    """The arrays of a ``.npz`` file that are the parameters of a network; those of other names are left out.

    Parameters
    ----------
    path : str
    depth : int
        L.
    biases, output_bias : bool
        Whether the network has hidden biases (σ_b > 0), and one of the output.

    Raises
    ------
    DataError
        The file cannot be read as plain arrays of finite numbers, lacks a parameter, or has one that the network lacks.
    """
    found = read_arrays(path, "network.weights")
    has_bias = [biases] * depth + [output_bias]
    names = [name for layer in range(depth + 1) for name in [f"W{layer}"] + [f"b{layer}"] * has_bias[layer]]
    surplus = sorted(name for name in found if re.fullmatch(r"[Wb]\d+", name) and name not in names)
    arrays = {name: real_array(found, name, "network.weights") for name in names}
    if surplus:
        raise DataError(
            f"network.weights: {path} has {', '.join(surplus)}, and the network of the spec has only {', '.join(names)}; "
            "set network.depth, sigma_b > 0 and output_bias to those of the file, or leave these arrays out of it"
        )
    digest = hashlib.sha256()
    for name, values in arrays.items():
        digest.update(f"{name}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return Weights(digest.hexdigest()[:16], arrays)
