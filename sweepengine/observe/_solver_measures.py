"""What an adaptive method says that it has done; zeros for methods without choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


def _reported(now: Moment, field: str) -> Tensor:
    return torch.full_like(now.network.scaling.output, getattr(now.solver, field))


def solver_steps(now: Moment, _: Moment) -> Tensor:
    return _reported(now, "steps")


def solver_rejected(now: Moment, _: Moment) -> Tensor:
    return _reported(now, "rejected")


def solver_forced(now: Moment, _: Moment) -> Tensor:
    return _reported(now, "forced")


def solver_step_smallest(now: Moment, _: Moment) -> Tensor:
    return _reported(now, "step_smallest")
