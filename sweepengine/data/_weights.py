"""A network's parameters at t = 0 from a file, where they are not drawn."""

from __future__ import annotations

import re

from sweepengine.data._arrays import listed, open_arrays
from sweepengine.data._given import Given, known_by_content
from sweepengine.errors import DataError


def load_weights(path: str, depth: int, *, biases: bool, output_bias: bool) -> Given:
    """The parameters of a network from a ``.npz`` file; arrays of other names in the file are ignored.

    Parameters
    ----------
    path : str
    depth : int
        Number of hidden layers L.
    biases, output_bias : bool
        Whether the network has hidden biases (σ_b > 0), and whether it has an output bias.

    Raises
    ------
    DataError
        The file cannot be read as plain arrays of finite numbers, lacks a parameter of the network, or holds a W or b
        that the network lacks.
    """
    names = parameter_names(depth, biases=biases, output_bias=output_bias)
    with open_arrays(path, "network.weights") as file:
        surplus = sorted(name for name in file.names if re.fullmatch(r"[Wb]\d+", name) and name not in names)
        arrays = {name: file.read(name) for name in names}
    if surplus:
        raise DataError(
            f"network.weights: {path} has {listed(surplus)}, and the network of the spec has only {', '.join(names)}; "
            "set network.depth, sigma_b > 0 and output_bias to those of the file, or leave these arrays out of it"
        )
    return known_by_content("weights", arrays)


def parameter_names(depth: int, *, biases: bool, output_bias: bool) -> list[str]:
    """Names of the parameters of a network in a file: W0, b0, …, W<L>, b<L>, without the biases that it lacks."""
    has_bias = [biases] * depth + [output_bias]
    return [name for layer in range(depth + 1) for name in [f"W{layer}"] + [f"b{layer}"] * has_bias[layer]]
