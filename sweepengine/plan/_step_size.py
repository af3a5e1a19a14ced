"""The automatic step size: one number for all runs of the same data and architecture, known before the sweep."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import SpecError
from sweepengine.plan._cost import machine_memory
from sweepengine.spec import Architecture, digest, fixed_step_count, refuse_many_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sweepengine.data import Dataset, Given, GivenKind
    from sweepengine.spec import SweepSpec

REFERENCE_WIDTH = 4096
REFERENCE_SEED = 0
SAFETY = 4.0
"""η ≤ N/(SAFETY λ_max): in mean-field scaling λ_max grows 2–5 times during training (theory.md §1.6)."""


class References:
    """What plans compute once and stores keep: largest eigenvalues of kernels of reference networks, and drawn points.

    A later plan then needs no network, and has the same step sizes on every machine, though the last bit of an
    eigenvalue may differ.

    Parameters
    ----------
    known : mapping
        Id of a reference (:func:`reference_id`) → largest eigenvalue.
    given : callable
        From a kind and an id to the arrays that the store was given; None for those that it has not.

    Attributes
    ----------
    values : dict
        The known eigenvalues, and those computed since.
    given : callable
    """

    def __init__(self, known: Mapping[str, float], given: Callable[[GivenKind, str], Given | None]) -> None:
        self.values = dict(known)
        self.given = given

    def lambda_max(self, reference: str, compute: Callable[[], float]) -> float:
        """The largest eigenvalue of a reference, computed if it is not known."""
        if reference not in self.values:
            self.values[reference] = compute()
        return self.values[reference]


def reference_id(architecture: Architecture, data: Dataset, weights: str) -> str:
    """Id of all that the kernel of a reference network depends on; ``weights`` is the id of given weights, or empty."""
    content = {"architecture": architecture.content, "data": data.id, "weights": weights}
    return digest(content | {"width": REFERENCE_WIDTH, "seed": REFERENCE_SEED})


def reference_lambda_max(architecture: Architecture, data: Dataset, weights: Given | None = None) -> float:
    """Largest eigenvalue of the kernel Θ_0 of a reference network, from which the automatic step size follows.

    The reference network has width 4096, seed 0 and one output. Given weights are their own reference, with all their
    outputs. Θ_0 depends on neither γ nor α, so one number serves every
    run of the architecture (theory.md §1.5). For k ≥ 2 outputs Θ_0 tends to Θ_∞ ⊗ I_k, which has the same largest
    eigenvalue as Θ_∞.

    Parameters
    ----------
    architecture : Architecture
    data : Dataset
    weights : Given, optional
        Weights of a file, if the spec names one.

    Returns
    -------
    float
        Computed in float64; infinite if Θ_0 is not finite.
    """
    import torch

    from sweepengine.networks import Inputs, Law, from_arrays, initialise, learning_rates, network

    x = torch.from_numpy(data.x_train)
    if weights is not None:
        parameters = from_arrays(weights.arrays, architecture, torch.float64)
    else:
        law = Law(architecture.first_layer, architecture.readout)
        widest = max(architecture.width_ratios, default=1.0)
        widths = [max(1, width) for width in architecture.widths(REFERENCE_WIDTH / max(1.0, widest))]
        _refuse_large_reference(len(x), [x.shape[1], *widths])
        parameters = initialise(architecture, widths, x.shape[1], REFERENCE_SEED, torch.float64, law=law)
    rates = learning_rates(architecture.trained, architecture.depth)
    reference = network(architecture, parameters, [0.5], [1.0], rates)
    inputs = Inputs.prepare(x, architecture)
    forward = reference.forward(inputs)
    return largest_eigenvalue(reference.kernel(inputs, forward, reference.backward(forward)))


def _refuse_large_reference(points: int, widths: list[int]) -> None:
    """Raise if this machine's memory cannot hold weights, signals and kernel of the reference, with a copy of each."""
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    need = 2 * 8 * (weights + points * sum(widths) + points**2)
    if need > machine_memory():
        raise SpecError(
            f"training.step_size: auto takes the kernel of {points} points and {len(widths) - 1} layers of width "
            f"{widths[-1]}, which needs {need / 1e9:.3g} GB; this machine has {machine_memory() / 1e9:.3g} GB: "
            "give the step size as a number"
        )


def largest_eigenvalue(kernel: Tensor) -> float:
    """Largest eigenvalue of a kernel in float64, shape (N, N) or (N, k, N, k); infinite if it is not finite."""
    matrix = kernel.numpy().reshape(int(kernel.numel() ** 0.5), -1)  # (i, o) by (j, p) for k ≥ 2 outputs
    return float(np.linalg.eigvalsh(matrix)[-1]) if np.isfinite(matrix).all() else math.inf


def step_count(spec: SweepSpec, points: int, lambda_max: Callable[[], float]) -> int:
    """Number of steps that the runs of an architecture take.

    Parameters
    ----------
    spec : SweepSpec
    points : int
        Training points N.
    lambda_max : callable
        Returns the largest eigenvalue of the architecture's reference kernel; called for ``auto`` only.

    Returns
    -------
    int
        For ``auto`` the smallest whole number with time/steps ≤ N/(4 λ_max).

    Raises
    ------
    SpecError
        A given step size does not divide the time, the kernel is not finite, or a run may not have so many steps.
    """
    if spec.training.step_size == "auto":
        ratio = spec.training.time * SAFETY * lambda_max() / points
        if not math.isfinite(ratio):
            raise SpecError(
                "network: the kernel at t = 0 is not finite with these settings; take smaller sigma_w, sigma_a or depth"
            )
        steps = max(1, math.ceil(ratio))
    else:
        steps = fixed_step_count(spec.training)
    refuse_many_steps(steps, spec.training.time, "training")
    return steps
