"""Random clouds and noise that belong to a particle's number and a step, so chunks and shards draw the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sweepengine.particles._errors import ParameterError
from sweepengine.streams import TILE_ROWS, Role, gaussian_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_ROWS = 64 * TILE_ROWS


def gaussian_cloud(
    seed: int, count: int, coordinates: int, dtype: torch.dtype = torch.float64, *, first: int = 0
) -> Tensor:
    """Particles first … first + count − 1 of an infinite standard Gaussian cloud.

    Parameters
    ----------
    seed, count, coordinates : int
    dtype : torch.dtype
        Drawn in float64, then rounded.
    first : int
        A smaller cloud from 0 is nested in every larger one; a shard starts elsewhere.

    Returns
    -------
    Tensor, shape (count, coordinates)
    """
    cloud = torch.empty((count, coordinates), dtype=dtype)
    for low in range(0, count, _ROWS):  # piece by piece: the float64 of a large cloud would need thrice its memory
        rows = (first + low, first + min(low + _ROWS, count))
        block = gaussian_block(seed, Role.PARTICLE, 0, rows, (0, coordinates))
        cloud[low : low + _ROWS] = torch.from_numpy(block)
    return cloud


@dataclass(frozen=True)
class Noise:
    """Standard Gaussians ξ_n for every particle, coordinate and step n.

    Attributes
    ----------
    seed : int
    first : int
        Global number of the first particle here.
    """

    seed: int
    first: int = 0

    def draw(self, step: int, chunk: slice, like: Tensor) -> Tensor:
        """ξ_step of a chunk; ``like`` (n, p) gives coordinates, dtype and device; shape (n, p).

        Drawn where the chunk lies: by NumPy on a CPU, by a Triton kernel of the same integers on a CUDA device.

        Raises
        ------
        ParameterError
            If the chunk is on a CUDA device and there is no Triton.
        """
        p = like.shape[1]
        rows = (self.first + chunk.start, self.first + chunk.stop)
        columns = (step * p, (step + 1) * p)
        if like.is_cuda:
            return _kernel()(like, self.seed, Role.PARTICLE_NOISE, 0, rows, columns)
        block = gaussian_block(self.seed, Role.PARTICLE_NOISE, 0, rows, columns)
        return torch.from_numpy(block).to(like)


def _kernel() -> Callable[..., Tensor]:
    try:
        from sweepengine.particles._triton_noise import gaussian_block_like
    except ModuleNotFoundError as error:
        raise ParameterError(
            f"found particles under noise on cuda and {error}; Triton draws the noise there: install triton, which "
            "PyTorch's CUDA builds for Linux bring along, or keep the particles on the cpu"
        ) from error
    return gaussian_block_like
