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


class Divergence:
    """Detects the first step at which the loss of a run exceeds its limit or is NaN.

    :meth:`look` keeps the outputs of a step. The losses of many steps are taken at once, on the device. :meth:`read`
    fetches them and compares them with the limits.

    Parameters
    ----------
    limit : Tensor, shape (R,), float64
        The largest loss that does not count as divergence. An infinite loss exceeds every limit, and every loss exceeds
        a limit that is NaN.
    targets : Tensor, shape (N [, k])
        Targets of all training points.
    loss : callable
        From outputs ([steps,] [R,] N [, k]) and targets to losses ([steps,] [R]), float64.
    """

    def __init__(
        self,
        limit: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        self._limit = limit.clamp(max=torch.finfo(limit.dtype).max)  # an infinite loss exceeds it
        self._targets, self._wide_targets, self._loss = targets, targets.to(torch.float64), loss
        self._found = np.full(len(self._limit), -1, dtype=np.int64)
        self._steps: list[int] = []
        self._losses: list[torch.Tensor] = []
        self._outputs: list[torch.Tensor] = []

    def look(self, step: float, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Keep the outputs of one step, shape ([R,] N [, k]); of outputs on other points the loss is taken at once.

        The outputs are not copied: nobody may change them afterwards.
        """
        self._steps.append(math.ceil(step))
        if targets is self._targets:
            self._outputs.append(outputs)
            if len(self._outputs) == KEPT:
                self._take_losses()
        else:
            self._take_losses()
            self._losses.append(self._loss(outputs, targets).reshape(1, -1))

    def _take_losses(self) -> None:
        """Take the losses of the outputs that are kept."""
        if self._outputs:
            losses = self._loss(torch.stack(self._outputs), self._wide_targets)
            self._losses.append(losses.reshape(len(self._outputs), -1))
            self._outputs.clear()

    @property
    def unread(self) -> int:
        """Number of looks since the last :meth:`read`."""
        return len(self._steps)

    def read(self) -> NDArray[np.int64]:
        """Wait for the device, and return the step at which each run diverged, or −1; shape (R,)."""
        self._take_losses()
        if self._losses:
            losses = self._losses[0] if len(self._losses) == 1 else torch.cat(self._losses)
            passing = losses <= self._limit  # false if either is NaN
            if not passing.all():
                failing = ~passing.cpu().numpy()
                for run in np.flatnonzero(failing.any(0) & (self._found < 0)):
                    self._found[run] = self._steps[failing[:, run].argmax()]
        self._forget()
        return self._found.copy()

    def restore(self, found: NDArray[np.int64]) -> None:
        """Continue from a result of :meth:`read`."""
        self._found = np.array(found, dtype=np.int64)
        self._forget()

    def _forget(self) -> None:
        self._steps.clear()
        self._losses.clear()
        self._outputs.clear()
