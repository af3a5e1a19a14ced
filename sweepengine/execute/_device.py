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
"""Runs of a turn on a GPU if the user sets no number: one small network at a time would leave the GPU idle."""

_GPU_ACTIVATIONS = 2**26
"""Activations (particles × points) of one chunk on a GPU: enough to keep the GPU busy, 256 MiB in float32."""
_GPU_MOST = 2**20
"""Most particles of one chunk on a GPU."""


def particles_at_a_time(run: ParticleRun, points: int, device: torch.device) -> int:
    """Return the number of particles that one chunk of a pass holds.

    On a CPU a chunk stays in the caches; on a GPU it is large enough to hide the time of kernel launches.

    Parameters
    ----------
    run : ParticleRun
    points : int
        Training points of the risk; 0 without a risk.
    device : torch.device
    """
    from sweepengine.particles import Partition

    if device.type == "cpu":
        return Partition.chunk
    if run.has_pairs:
        return math.isqrt(_GPU_ACTIVATIONS)  # every particle of a chunk meets every one of another
    return max(Partition.chunk, min(_GPU_MOST, _GPU_ACTIVATIONS // max(points, 1)))


def pick_device(name: DeviceName) -> torch.device:
    """Return the device of a name; ``auto`` means a GPU if there is one, else the CPU.

    Raises
    ------
    RunError
        The name is ``cuda``, and PyTorch sees no GPU on this machine.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise RunError("device: found cuda, but PyTorch sees no CUDA device here; use cpu or auto")
    return torch.device("cpu" if name == "cpu" or not has_gpu else "cuda")
