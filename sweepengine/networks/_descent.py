"""Gradient descent: plain, on minibatches, with momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.networks._training import Points, Stepper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sweepengine.networks._minibatches import Minibatches
    from sweepengine.networks._training import Now, Training


class Descent(Stepper):
    """θ ← θ + η θ̇, with the mean over all points or over a minibatch, which is a function of the position."""

    def __init__(self, training: Training, batches: Minibatches | None = None) -> None:
        super().__init__(training)
        self._batches = batches

    def points(self, position: float) -> Points:
        """See :class:`Stepper`."""
        points = self.training.points
        if self._batches is None:
            return points
        index = torch.from_numpy(self._batches.batch(int(position))).to(points.targets.device)
        return Points(points.inputs.rows(index), points.targets[index])

    def step(self, now: Now, until: int) -> float:  # noqa: ARG002
        """See :class:`Stepper`."""
        self.training.descend(now)
        return now.position + 1


class MomentumDescent(Descent):
    """v ← βv + (1 − β) η θ̇, θ ← θ + v, from v = 0.

    This is Polyak's heavy ball θ_{n+1} = θ_n + (1 − β)η θ̇ + β(θ_n − θ_{n−1}) (USSR Comput. Math. Math. Phys. 4, 1,
    1964). A constant velocity gives v = η θ̇ after about 1/(1 − β) steps. So as η → 0 at fixed β the method becomes
    gradient flow, with t = nη as its time. In the other convention, v ← βv + η' θ̇, the same steps have η' = (1 − β)η.
    """

    def __init__(self, training: Training, batches: Minibatches | None, beta: float) -> None:
        super().__init__(training, batches)
        self._beta = beta
        self._moved = training.network.parameters.map(torch.zeros_like)

    def step(self, now: Now, until: int) -> float:  # noqa: ARG002
        """See :class:`Stepper`."""
        moved = self._moved.tensors()
        for change in moved.values():
            change.mul_(self._beta)
        self.training.descend(now, into=self._moved, share=1 - self._beta)
        for name, parameter in self.training.network.parameters.tensors().items():
            parameter.add_(moved[name])
        return now.position + 1

    def state(self) -> dict[str, NDArray[np.generic]]:
        """See :class:`Stepper`."""
        return {f"momentum_{name}": tensor.cpu().numpy() for name, tensor in self._moved.tensors().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """See :class:`Stepper`."""
        for name, tensor in self._moved.tensors().items():
            tensor.copy_(torch.from_numpy(np.array(state[f"momentum_{name}"])))
