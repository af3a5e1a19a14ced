"""The networks of a turn at t = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks import Law, from_arrays, initialise, learning_rates, network, stack

if TYPE_CHECKING:
    from sweepengine.execute._data import Data
    from sweepengine.networks import AnyNetwork, Parameters
    from sweepengine.spec import Run


def network_start(runs: list[Run], data: Data) -> AnyNetwork:
    """Fully connected networks at t = 0.

    Parameters
    ----------
    runs : list of Run
        Alike in all but seed, γ and α.
    data : Data
    """
    architecture = runs[0].architecture
    rates = learning_rates(architecture.trained, architecture.depth)
    initial = stack([_initial(run, data) for run in runs])
    gamma, alpha = [run.gamma for run in runs], [run.alpha for run in runs]
    return network(architecture, initial, gamma, alpha, rates)


def _initial(run: Run, data: Data) -> Parameters:
    """Parameters of a run at t = 0: given, or drawn."""
    architecture, dtype = run.architecture, getattr(torch, run.precision)
    if "weights" in data.given:
        return from_arrays(data.given["weights"], architecture, dtype, device=data.x_train.device)
    law = Law(architecture.first_layer, architecture.readout)
    widths, d = architecture.widths(run.width), data.x_train.shape[1]
    device = data.x_train.device
    return initialise(architecture, widths, d, run.seed, dtype, outputs=data.outputs, law=law, device=device)
