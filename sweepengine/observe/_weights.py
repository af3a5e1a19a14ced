"""The order of the parameters in the variable ``weights``. Imports no torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


def parameter_shapes(
    sizes: Sequence[int], outputs: int = 1, *, biases: bool = False, output_bias: bool = False
) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of one network, in the order in which ``weights`` holds them.

    Parameters
    ----------
    sizes : sequence of int
        d, n_1, …, n_L; with equal widths ``(d, *[width] * depth)``.
    outputs : int
        k.
    biases, output_bias : bool
        Whether there are hidden biases (σ_b > 0), and a bias of the output.

    Returns
    -------
    dict
        W0 … W<L−1> (n_{l+1}, n_l), W<L> (m,) or (m, k); then b0 … b<L−1> (n_{l+1},), and b<L>, () or (k,).
    """
    depth, last = len(sizes) - 1, () if outputs == 1 else (outputs,)
    shapes: dict[str, tuple[int, ...]] = {f"W{layer}": (sizes[layer + 1], sizes[layer]) for layer in range(depth)}
    shapes[f"W{depth}"] = (sizes[-1], *last)
    if biases:
        shapes |= {f"b{layer}": (sizes[layer + 1],) for layer in range(depth)}
    return shapes | ({f"b{depth}": last} if output_bias else {})


def parameter_count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers these shapes hold."""
    return sum(math.prod(shape) for shape in shapes.values())


def unflatten(weights: NDArray[np.floating], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.floating]]:
    """The parameters of ``weights`` by name, as views where they can be.

    Parameters
    ----------
    weights : ndarray, shape (..., P)
        ``sweep.weights.values`` or a part of it. Numbers beyond the parameters of these shapes are the padding of a
        sweep of several widths, and are left out.
    shapes : mapping
        As :func:`parameter_shapes` gives it.

    Returns
    -------
    dict of ndarray, shapes (..., *shape)

    Raises
    ------
    ValueError
        There are fewer numbers than the shapes hold.
    """
    if weights.shape[-1] < parameter_count(shapes):
        raise ValueError(f"found {weights.shape[-1]} weights; these shapes hold {parameter_count(shapes)}")
    parts, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        parts[name] = weights[..., start:stop].reshape((*weights.shape[:-1], *shape))
        start = stop
    return parts
