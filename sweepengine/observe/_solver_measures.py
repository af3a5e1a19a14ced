"""What an adaptive method says that it has done; zeros for methods without choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


def _reported(now: Moment, field: str) -> Tensor:
    return torch.full_like(now.network.scaling.output, getattr(now.solver, field))


SOLVER_MEASURES = {
    "solver_steps": lambda now, _: _reported(now, "steps"),
    "solver_rejected": lambda now, _: _reported(now, "rejected"),
    "solver_forced": lambda now, _: _reported(now, "forced"),
    "solver_step_smallest": lambda now, _: _reported(now, "step_smallest"),
}
