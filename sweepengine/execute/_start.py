"""The networks of a turn at t = 0, and what makes networks of other parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from sweepengine.networks import (
    Law,
    ModuleNetwork,
    ModuleParameters,
    build_module,
    initialise,
    learning_rates,
    network,
    stack,
)
from sweepengine.plugins import model_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.networks import Network, Parameters
    from sweepengine.spec import Run

    Start = tuple[Parameters, Callable[[Parameters], Network]]


def start_of(runs: list[Run], d: int) -> Start:
    """Parameters at t = 0, and the network of some parameters.

    Parameters
    ----------
    runs : list of Run
        Alike in all but seed, γ and α; one run of a user's model.
    d : int
        Input dimension.
    """
    return _module_start(runs, d) if runs[0].architecture.model else _network_start(runs, d)


def _network_start(runs: list[Run], d: int) -> Start:
    first = runs[0]
    architecture, dtype = first.architecture, getattr(torch, first.precision)
    law, rates = Law(readout=architecture.readout), learning_rates(architecture.trained, architecture.depth)
    initial = stack([initialise(architecture, run.width, d, run.seed, dtype, law=law) for run in runs])
    gamma, alpha = [run.gamma for run in runs], [run.alpha for run in runs]
    return initial, lambda parameters: network(architecture, parameters, gamma, alpha, rates)


def _module_start(runs: list[Run], d: int) -> Start:
    (run,) = runs
    dtype = getattr(torch, run.precision)
    module, initial = build_module(model_of(run.architecture.model), run.width, d, 1, run.seed, dtype)

    def made(parameters: ModuleParameters) -> ModuleNetwork:
        return ModuleNetwork(module, parameters, run.gamma, run.alpha)

    # It stands in for a Network in all that steps and the variables of observe.OF_MODULES ask for.
    return cast("Any", (initial, made))  # type: ignore[no-any-return]
