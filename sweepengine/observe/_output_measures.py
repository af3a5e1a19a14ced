"""Functions that measure losses and accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks import loss

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


def _accuracy(outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
    """Share of points whose output has the target's sign; for k ≥ 2, whose largest output is at the largest target.

    Outputs and targets have shapes ([R,] N [, k]) and (N [, k]). An output of exactly 0 and a tie of largest outputs
    count as wrong. A NaN makes the share NaN.
    """
    if output_dim:
        place = targets.argmax(-1, keepdim=True).expand(*outputs.shape[:-1], 1)
        rival = outputs.scatter(-1, place, -torch.inf).amax(-1)
        right, unknown = outputs.gather(-1, place).squeeze(-1) > rival, outputs.isnan().any(-1)
    else:
        right, unknown = outputs * targets > 0, outputs.isnan()
    return torch.where(unknown, torch.nan, right.to(torch.float64)).mean(-1)


def loss_train(now: Moment, _: Moment) -> Tensor:
    return loss(now.problem.cost, now.train.forward.outputs, now.problem.y_train, now.has_output_dim)


def loss_test(now: Moment, _: Moment) -> Tensor:
    return loss(now.problem.cost, now.test.outputs, now.problem.y_test, now.has_output_dim)


def accuracy_train(now: Moment, _: Moment) -> Tensor:
    return _accuracy(now.train.forward.outputs, now.problem.y_train, now.has_output_dim)


def accuracy_test(now: Moment, _: Moment) -> Tensor:
    return _accuracy(now.test.outputs, now.problem.y_test, now.has_output_dim)
