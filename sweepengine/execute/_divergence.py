"""Detect diverged runs without waiting for the device after every step, and without a loss at every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KEPT = 64
"""Steps whose outputs are kept before their losses are taken, together."""
_WARM_UP = 16
"""Looks that may come without a :meth:`Divergence.count`, before a recording is made."""


class Divergence:
    """Detects the first step at which the loss of a run exceeds its limit or is NaN.

    :meth:`look` keeps the outputs of a step, and :meth:`count` notes its step on the host. The losses of many steps are
    taken at once and compared with the limits on the device, which counts there how many looks a run has passed in a
    row. :meth:`read` fetches the counts: a run that has passed c looks and failed the next one diverged at the step of
    look number c, from 0.

    Parameters
    ----------
    limit : Tensor, shape (R,), float64
        The largest loss that does not count as divergence. An infinite loss exceeds every limit, and every loss exceeds
        a limit that is NaN.
    targets : Tensor, shape (N [, k])
        Targets of all training points.
    loss : callable
        From outputs ([steps,] [R,] N [, k]) and targets to losses ([steps,] [R]).
    """

    def __init__(
        self,
        limit: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        self._limit = limit.clamp(max=torch.finfo(limit.dtype).max)  # so that an infinite loss exceeds it
        self._targets, self._loss = targets, loss
        self._passing = torch.ones_like(limit, dtype=torch.bool)
        self._passed = torch.zeros_like(limit, dtype=torch.int64)
        self._steps: list[int] = []
        self._is_kept, self._unjudged = True, 0
        self._found = np.full(len(limit), -1, dtype=np.int64)
        self._kept: torch.Tensor | None = None
        self._row = torch.zeros(1, dtype=torch.int64, device=limit.device)

    def look(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Keep the outputs of one step, shape ([R,] N [, k]); those on other points than all are judged at once."""
        self._is_kept = targets is self._targets
        if not self._is_kept:
            self._settle()
            self._judge(self._loss(outputs, targets).reshape(1, -1))
            return
        if self._kept is None:
            self._kept = outputs.new_empty((KEPT + _WARM_UP, *outputs.shape))
        # The row is counted on the device, because a recording repeats this with the same arguments.
        self._kept.index_copy_(0, self._row, outputs.unsqueeze(0))
        self._row.add_(1)

    def count(self, step: float) -> None:
        """Note the step at which the last look was taken."""
        self._steps.append(math.ceil(step))
        self._unjudged += self._is_kept
        if self._unjudged >= KEPT:
            self._settle()

    def _settle(self) -> None:
        """Take the losses of the outputs that are kept."""
        if self._unjudged and self._kept is not None:
            self._judge(self._loss(self._kept[: self._unjudged], self._targets).reshape(self._unjudged, -1))
            self._row.zero_()
            self._unjudged = 0

    def _judge(self, losses: torch.Tensor) -> None:
        """Compare the losses of some steps, shape (steps, R), with their limits; false if either is NaN."""
        passing = (losses <= self._limit).logical_and_(self._passing).cumprod(0)
        self._passed.add_(passing.sum(0))
        self._passing.copy_(passing[-1])

    @property
    def unread(self) -> int:
        """Number of looks since the last :meth:`read`."""
        return len(self._steps)

    def read(self) -> NDArray[np.int64]:
        """Wait for the device, and return the step at which each run diverged, or −1; shape (R,)."""
        self._settle()
        passed = self._passed.cpu().numpy()
        for run in np.flatnonzero((passed < len(self._steps)) & (self._found < 0)):
            self._found[run] = self._steps[passed[run]]
        self._forget()
        return self._found.copy()

    def restore(self, found: NDArray[np.int64]) -> None:
        """Continue from a result of :meth:`read`."""
        self._found = np.array(found, dtype=np.int64)
        self._passing.copy_(torch.from_numpy(self._found < 0))
        self._forget()

    def _forget(self) -> None:
        self._passed.zero_()
        self._row.zero_()
        self._steps.clear()
        self._unjudged = 0
