"""When runs diverged, found without waiting for the device that computes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Divergence:
    """The first look at which each run's loss was above its limit, or no number.

    A look stays on the device, where it counts the looks that a run has passed; :meth:`read` fetches the counts, and the
    steps at which they were taken say the rest.

    Parameters
    ----------
    limit : Tensor, shape (R,), float64
        The largest loss that is none; where it is no number itself no loss passes.
    """

    def __init__(self, limit: torch.Tensor) -> None:
        self._limit = limit.clamp(max=torch.finfo(limit.dtype).max)  # an infinite loss passes no limit
        self._passing = torch.ones_like(limit, dtype=torch.bool)
        self._passed = torch.zeros_like(limit, dtype=torch.int64)
        self._steps: list[int] = []
        self._found = np.full(len(limit), -1, dtype=np.int64)

    def look(self, loss: torch.Tensor) -> None:
        """Compare losses, shape ([R]), with their limits: what a step does on the device."""
        self._passing.logical_and_(loss.reshape(-1) <= self._limit)  # a NaN is not
        self._passed.add_(self._passing)

    def count(self, step: float) -> None:
        """Say at which step the last look was taken."""
        self._steps.append(math.ceil(step))

    @property
    def unread(self) -> int:
        """Looks since the last reading."""
        return len(self._steps)

    def read(self) -> NDArray[np.int64]:
        """For each run the step at which it diverged, or −1; waits for the device."""
        passed = self._passed.cpu().numpy()
        for run in np.flatnonzero((passed < len(self._steps)) & (self._found < 0)):
            self._found[run] = self._steps[passed[run]]
        self._passed.zero_()
        self._steps.clear()
        return self._found.copy()

    def restore(self, found: NDArray[np.int64]) -> None:
        """Go on from what :meth:`read` gave."""
        self._found = np.array(found, dtype=np.int64)
        self._passing.copy_(torch.from_numpy(self._found < 0))
        self._passed.zero_()
        self._steps.clear()
