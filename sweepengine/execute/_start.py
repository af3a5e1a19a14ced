"""The networks of a turn at t = 0, and what makes networks of other parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from sweepengine.networks import (
    Law,
    ModuleNetwork,
    ModuleParameters,
    build_module,
    from_arrays,
    initialise,
    learning_rates,
    network,
    stack,
)
from sweepengine.plugins import model_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.execute._data import Data
    from sweepengine.networks import Network, Parameters
    from sweepengine.spec import Run

    Start = tuple[Parameters, Callable[[Parameters], Network]]


def start_of(runs: list[Run], data: Data) -> Start:
    """Parameters at t = 0, and the network of some parameters.

    Parameters
    ----------
    runs : list of Run
        Alike in all but seed, γ and α; one run of a user's model.
    data : Data
    """
    return _module_start(runs, data) if runs[0].architecture.model else _network_start(runs, data)


def _network_start(runs: list[Run], data: Data) -> Start:
    architecture = runs[0].architecture
    rates = learning_rates(architecture.trained, architecture.depth)
    initial = stack([_initial(run, data) for run in runs])
    gamma, alpha = [run.gamma for run in runs], [run.alpha for run in runs]
    return initial, lambda parameters: network(architecture, parameters, gamma, alpha, rates)


def _initial(run: Run, data: Data) -> Parameters:
    """Parameters of a run at t = 0: given, or drawn."""
    architecture, dtype = run.architecture, getattr(torch, run.precision)
    if "weights" in data.given:
        return from_arrays(data.given["weights"], architecture, dtype, device=data.x_train.device)
    law = Law(architecture.first_layer, architecture.readout)
    widths, d = architecture.widths(run.width), data.x_train.shape[1]
    device = data.x_train.device
    return initialise(architecture, widths, d, run.seed, dtype, outputs=data.outputs, law=law, device=device)


def _module_start(runs: list[Run], data: Data) -> Start:
    (run,) = runs
    d, dtype = data.x_train.shape[1], getattr(torch, run.precision)
    module, drawn = build_module(model_of(run.architecture.model), run.width, d, data.outputs, run.seed, dtype)
    device = data.x_train.device
    module, initial = module.to(device), drawn.map(lambda tensor: tensor.to(device))

    def made(parameters: ModuleParameters) -> ModuleNetwork:
        return ModuleNetwork(module, parameters, run.gamma, run.alpha)

    # It stands in for a Network in all that steps and the observables without observe's condition LAYERS ask for.
    return cast("Any", (initial, made))  # type: ignore[no-any-return]
