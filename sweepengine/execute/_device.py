"""Where a task computes: this machine's CPU, or its GPU."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sweepengine.errors import RunError

if TYPE_CHECKING:
    import torch

    from sweepengine.options import DeviceName
    from sweepengine.spec import ParticleRun

GPU_RUNS_PER_TURN = 16
"""Runs of a turn on a GPU where nobody says: one small network at a time would leave it idle."""


_GPU_ACTIVATIONS = 2**26
"""Numbers of one chunk's activations on a GPU: enough to keep it busy, 256 MiB in float32."""
_GPU_MOST = 2**20


def particles_at_a_time(run: ParticleRun, points: int, device: torch.device) -> int:
    """Particles of one chunk of a pass: on a CPU what stays in its caches, on a GPU what hides the launches.

    Parameters
    ----------
    run : ParticleRun
    points : int
        Of the risk, or 0.
    device : torch.device
    """
    from sweepengine.particles import Partition

    if device.type == "cpu":
        return Partition.chunk
    if run.has_pairs:
        return math.isqrt(_GPU_ACTIVATIONS)  # every particle of a chunk against one of another
    return max(Partition.chunk, min(_GPU_MOST, _GPU_ACTIVATIONS // max(points, 1)))


def pick_device(name: DeviceName) -> torch.device:
    """The device of a name; ``auto`` takes a GPU where there is one.

    Raises
    ------
    RunError
        A GPU is asked for, and PyTorch sees none here.
    """
    import torch

    there_is = torch.cuda.is_available()
    if name == "cuda" and not there_is:
        raise RunError("device: found cuda, but PyTorch sees no CUDA device here; use cpu or auto")
    return torch.device("cpu" if name == "cpu" or not there_is else "cuda")
