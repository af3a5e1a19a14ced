"""Detect diverged runs without waiting for the device after every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Divergence:
    """Detects the first step at which the loss of a run exceeds its limit or is NaN.

    :meth:`look` compares the losses with the limits on the device, and counts there how many looks a run has passed in
    a row. :meth:`count` notes the step of each look on the host. :meth:`read` fetches the counts: a run that has passed
    c looks and failed the next one diverged at the step of look number c, from 0.

    Parameters
    ----------
    limit : Tensor, shape (R,), float64
        The largest loss that does not count as divergence. An infinite loss exceeds every limit, and every loss exceeds
        a limit that is NaN.
    """

    def __init__(self, limit: torch.Tensor) -> None:
        self._limit = limit.clamp(max=torch.finfo(limit.dtype).max)  # so that an infinite loss exceeds it
        self._passing = torch.ones_like(limit, dtype=torch.bool)
        self._passed = torch.zeros_like(limit, dtype=torch.int64)
        self._steps: list[int] = []
        self._found = np.full(len(limit), -1, dtype=np.int64)

    def look(self, loss: torch.Tensor) -> None:
        """Compare the losses of one step, shape ([R]), with their limits, on the device."""
        self._passing.logical_and_(loss.reshape(-1) <= self._limit)  # false if either is NaN
        self._passed.add_(self._passing)

    def count(self, step: float) -> None:
        """Note the step at which the last look was taken."""
        self._steps.append(math.ceil(step))

    @property
    def unread(self) -> int:
        """Number of looks since the last :meth:`read`."""
        return len(self._steps)

    def read(self) -> NDArray[np.int64]:
        """Wait for the device, and return the step at which each run diverged, or −1; shape (R,)."""
        passed = self._passed.cpu().numpy()
        for run in np.flatnonzero((passed < len(self._steps)) & (self._found < 0)):
            self._found[run] = self._steps[passed[run]]
        self._passed.zero_()
        self._steps.clear()
        return self._found.copy()

    def restore(self, found: NDArray[np.int64]) -> None:
        """Continue from a result of :meth:`read`."""
        self._found = np.array(found, dtype=np.int64)
        self._passing.copy_(torch.from_numpy(self._found < 0))
        self._passed.zero_()
        self._steps.clear()
