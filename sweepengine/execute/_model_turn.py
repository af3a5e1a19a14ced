"""Training of a turn of a model of the user's own: one run at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.execute._turn import NetworkTurn
from sweepengine.networks import ModuleNetwork, build_module
from sweepengine.plugins import model_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sweepengine.execute._data import Data
    from sweepengine.execute._shards import Shards
    from sweepengine.networks import AnyNetwork
    from sweepengine.spec import Run
    from sweepengine.store import BlockShape


def model_start(runs: list[Run], data: Data) -> AnyNetwork:
    """The network of one run of a user's model at t = 0."""
    (run,) = runs
    d, dtype = data.x_train.shape[1], getattr(torch, run.precision)
    module, drawn = build_module(model_of(run.architecture.model), run.width, d, data.outputs, run.seed, dtype)
    device = data.x_train.device
    return ModuleNetwork(module.to(device), drawn.map(lambda tensor: tensor.to(device)), run.gamma, run.alpha)


class ModelTurn(NetworkTurn):
    """One run of a user's model."""

    start_of = staticmethod(model_start)

    @property
    def patience(self) -> int:
        """Code that is not ours sees no numbers after a run has diverged."""
        return 1


def model_turn(
    runs: list[Run],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,  # noqa: ARG001 -- of whole runs
    shards: Shards,  # noqa: ARG001 -- models are not divided
    *,
    cuda_graphs: bool,  # noqa: ARG001 -- refused for models
) -> ModelTurn:
    """One run of a user's model; see :class:`sweepengine.execute.MakeTurn`."""
    return ModelTurn(runs, data, state)
