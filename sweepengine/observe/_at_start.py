"""Many networks of one architecture at t = 0, for computations about initialisation. Imports no torch at its top."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.networks import Network, Passes

    Floats = NDArray[np.float64]

POINTS: Final = 4
"""N."""
DIM: Final = 5
"""d."""
ARCHITECTURES: Final = {
    f"{name}_{activation}": Architecture(depth, activation, sigma_w, sigma_b, 1.0)
    for name, depth in (("shallow", 1), ("deep", 2))
    for activation, sigma_w, sigma_b in (("relu", 2**0.5, 0.0), ("cos", 1.5, 0.3))
}
"""Cases of computations about initialisation: L = 1 and 2, relu without and cos with biases.

The biases of Θ_0 and of the covariance have large constants for cos: 0.41/m and 0.48/m, where tanh has
0.04/m and 0.1/m.
"""
_GROUP_NUMBERS: Final = 2**21
_DRAWN: Final = 1.1e-8
"""Seconds to draw a number."""
_PASSED: Final = 1e-9
"""Seconds for a weight in a pass: products with so few points take as long as it takes to read their matrices."""
_ENTRY: Final = 1e-8
"""Seconds for a neuron at a point: activation, slope and signal."""
_NETWORK: Final = 4e-7
"""Seconds for a network of a group, of any width."""


def sphere_points(count: int = POINTS, d: int = DIM) -> Floats:
    """Generic points on the sphere of radius √d, shape (count, d): the same in every computation."""
    x = np.random.Generator(np.random.Philox(np.random.SeedSequence([count, d]))).standard_normal((count, d))
    points: Floats = x / np.linalg.norm(x, axis=1, keepdims=True) * d**0.5
    return points


def networks_at_start(
    architecture: Architecture,
    width: int | Sequence[int],
    copies: int,
    generator: np.random.Generator,
    *,
    d: int = DIM,
    outputs: int = 1,
) -> Iterator[Network]:
    """Draw networks with parameters N(0, 1), γ = 1/2 and α = 1, in float64.

    Parameters
    ----------
    architecture
    width
        One width for all hidden layers, or a width for each.
    copies
        How many networks.
    generator
        Source of all random numbers.
    d, outputs
        d and k.

    Yields
    ------
    Network
        A group of networks that share the dim R, small enough for a few tens of megabytes.
    """
    import torch

    from sweepengine.networks import Parameters, network

    widths = _widths(architecture, width)
    sizes = [d, *widths]
    largest = max(1, _GROUP_NUMBERS // max(a * b for a, b in pairwise(sizes)))
    for first in range(0, copies, largest):
        group = min(largest, copies - first)

        def draw(*shape: int, group: int = group) -> Tensor:
            return torch.from_numpy(generator.standard_normal((group, *shape)))

        parameters = Parameters(
            hidden=tuple(draw(above, below) for below, above in pairwise(sizes)),
            biases=tuple(draw(n) for n in widths) if architecture.sigma_b > 0 else (),
            readout=draw(widths[-1]) if outputs == 1 else draw(widths[-1], outputs),
            output_bias=None,
        )
        yield network(architecture, parameters, [0.5] * group, [1.0] * group)


def seconds_at_start(
    architecture: Architecture, width: int | Sequence[int], copies: int, *, passes: int, points: int = POINTS
) -> float:
    """Estimated seconds to draw networks with d = 5 and one output, and to pass points through them.

    Parameters
    ----------
    architecture, width, copies
        As for :func:`networks_at_start`.
    passes
        Forward and backward passes through each network.
    points
        N.

    Returns
    -------
    float
    """
    widths = _widths(architecture, width)
    weights = sum(a * b for a, b in pairwise([DIM, *widths, 1]))
    of_weights = weights * (_DRAWN + passes * _PASSED)
    return copies * (_NETWORK + of_weights + points * sum(widths) * _ENTRY)


def _widths(architecture: Architecture, width: int | Sequence[int]) -> list[int]:
    return [width] * architecture.depth if isinstance(width, int) else list(width)


def incoming_signals(net: Network, passes: Passes) -> list[Tensor]:
    """z^l = W^lᵀ g^{l+1}/√m for l < L, shapes (R, N, n_l), and z^L, the read-out, (R, 1, m): one output."""
    p = net.parameters
    below = [g @ weight / p.width**0.5 for g, weight in zip(passes.signals[1:], p.hidden[1:], strict=True)]
    return [*below, p.readout.unsqueeze(-2)]


def square_of_mean(vectors: Floats) -> float:
    """Unbiased estimate of ‖E v‖² from independent vectors (R, K): (‖Σ v‖² − Σ ‖v‖²)/(R(R − 1)).

    It subtracts variance/R, so that it has the mean 0 where E v = 0 (theory.md §4.5).
    """
    count = len(vectors)
    return float((np.sum(vectors.sum(0) ** 2) - np.sum(vectors**2)) / (count * (count - 1)))
