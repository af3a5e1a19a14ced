"""The automatic step size: one number for all runs of the same data and architecture, known before anything runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import SpecError
from sweepengine.plugins import model_of
from sweepengine.spec import Architecture, fixed_step_count

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.data import Dataset
    from sweepengine.spec import SweepSpec

REFERENCE_WIDTH = 4096
MODULE_REFERENCE_WIDTH = 256
"""Of a model of the user's own, whose kernel comes from Jacobians."""
REFERENCE_SEED = 0
SAFETY = 4.0
"""η ≤ N/(SAFETY λ_max): in mean-field scaling λ_max grows 2–5 times during training (theory.md §6)."""
MOST_STEPS = 10_000_000


def reference_lambda_max(architecture: Architecture, data: Dataset) -> float:
    """Largest eigenvalue of Θ_0 of one wide network (width 4096, or 256 for a user's model; seed 0, float64).

    Θ_0 depends on neither γ nor α, so the number serves every run of the architecture (theory.md §1).
    """
    import torch

    from sweepengine.networks import Inputs, Law, initialise, learning_rates, network

    x = torch.from_numpy(data.x_train)
    if architecture.model:
        return _largest(_module_kernel(architecture.model, x))
    law, rates = Law(readout=architecture.readout), learning_rates(architecture.trained, architecture.depth)
    parameters = initialise(architecture, REFERENCE_WIDTH, x.shape[1], REFERENCE_SEED, torch.float64, law=law)
    reference = network(architecture, parameters, [0.5], [1.0], rates)
    inputs = Inputs.prepare(x, architecture)
    forward = reference.forward(inputs)
    return _largest(reference.kernel(inputs, forward, reference.backward(forward)))


def _module_kernel(key: str, x: Tensor) -> Tensor:
    from sweepengine.networks import Inputs, ModuleNetwork, build_module

    module, parameters = build_module(model_of(key), MODULE_REFERENCE_WIDTH, x.shape[1], 1, REFERENCE_SEED, x.dtype)
    reference = ModuleNetwork(module, parameters, 0.5, 1.0)
    return reference.kernel(*reference.passes(Inputs(x, x)))


def _largest(kernel: Tensor) -> float:
    matrix = kernel.numpy()
    return float(np.linalg.eigvalsh(matrix)[-1]) if np.isfinite(matrix).all() else math.inf


def step_count(spec: SweepSpec, architecture: Architecture, data: Dataset) -> int:
    """Gradient steps that the runs of an architecture take.

    Returns
    -------
    int
        For ``auto`` the smallest whole number with time/steps ≤ N/(4 λ_max).

    Raises
    ------
    SpecError
        A given step size does not divide the time, or the steps are more than :data:`MOST_STEPS`.
    """
    if spec.training.step_size == "auto":
        lambda_max = reference_lambda_max(architecture, data)
        ratio = spec.training.time * SAFETY * lambda_max / len(data.y_train)
        if not math.isfinite(ratio):
            raise SpecError(
                "network: the kernel at t = 0 is not finite with these settings; take smaller sigma_w, sigma_a or depth"
            )
        steps = max(1, math.ceil(ratio))
    else:
        steps = fixed_step_count(spec.training)
    if steps > MOST_STEPS:
        raise SpecError(
            f"training.time: {spec.training.time:g} takes {steps} steps, more than the {MOST_STEPS} that a run may have; "
            "shorten the time or give a larger step_size"
        )
    return steps
