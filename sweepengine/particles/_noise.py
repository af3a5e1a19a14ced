"""Random clouds and noise, determined by the numbers of particle and step, so that all chunks and shards agree."""

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
        Dtype of the result; the numbers are drawn in float64 and then rounded.
    first : int
        Number of the first particle. A cloud from 0 is nested in every larger one; a shard begins at a later particle.

    Returns
    -------
    Tensor, shape (count, coordinates)
    """
    cloud = torch.empty((count, coordinates), dtype=dtype)
    for low in range(0, count, _ROWS):  # in pieces: float64 copies of a large cloud need thrice its memory
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
        Global number of the first particle on this shard.
    """

    seed: int
    first: int = 0

    def draw(self, step: int, chunk: slice, like: Tensor) -> Tensor:
        """ξ_step for a chunk of particles, with the shape (n, p), dtype and device of ``like``.

        NumPy draws the noise on a CPU; a Triton kernel draws it from the same integers on a CUDA device.

        Raises
        ------
        ParameterError
            The chunk is on a CUDA device and Triton is missing.
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
