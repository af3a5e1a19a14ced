"""Parameters at t = 0 that are given and not drawn."""

from __future__ import annotations

import re

from sweepengine.data._arrays import read_arrays, real_array
from sweepengine.data._given import Given, known_by_content
from sweepengine.errors import DataError


def load_weights(path: str, depth: int, *, biases: bool, output_bias: bool) -> Given:
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
    return known_by_content("weights", arrays)
