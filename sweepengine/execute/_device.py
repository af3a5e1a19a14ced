"""Where a task computes: this machine's CPU, or its GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sweepengine.errors import RunError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]

GPU_RUNS_PER_TURN = 16
"""Runs of a turn on a GPU where nobody says: one small network at a time would leave it idle."""


def pick_device(name: str) -> torch.device:
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
