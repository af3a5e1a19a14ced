"""Parameters, time and memory of a user's model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.errors import SpecError
from sweepengine.plan._cost import WORKER_BYTES
from sweepengine.plan._step_size import REFERENCE_SEED, largest_eigenvalue
from sweepengine.plugins import model_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.data import Dataset
    from sweepengine.plan._cost import MachineRate
    from sweepengine.plugins import UserModel
    from sweepengine.spec import Architecture, Run
    from sweepengine.store import BlockShape

_STEP_OVERHEAD = 4e-4
_COST_OF_AUTOGRAD = 4.0
"""Time of training a module over the time of its products alone at the machine's rate; measured 3 to 5."""
_REFERENCE_WIDTH = 256
"""Width of the reference for the automatic step size: the kernel of a model is made from Jacobians."""


@dataclass(frozen=True)
class ModuleOutline:
    """The parameters and the cost of a model at one width.

    Attributes
    ----------
    parameters : tuple of str
        Names in the module's order.
    numbers : int
        Count of the numbers in all parameters.
    point_flops : float
        Operations of a forward and backward pass of one point.
    """

    parameters: tuple[str, ...]
    numbers: int
    point_flops: float


@lru_cache(maxsize=256)
def module_outline(model: UserModel, width: int, d: int, outputs: int, precision: str) -> ModuleOutline:
    """Build a model once, and count its parameters and operations.

    Parameters
    ----------
    model : UserModel
    width, d, outputs : int
        m, input dimension, k.
    precision : str

    Returns
    -------
    ModuleOutline

    Raises
    ------
    SpecError
        The user's code raised an error, or its module breaks a rule.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sweepengine.networks import Inputs, ModuleNetwork, build_module

    dtype = getattr(torch, precision)
    module, parameters = build_module(model, width, d, outputs, 0, dtype)
    net = ModuleNetwork(module, parameters, 0.5, 1.0)
    points = torch.zeros(1, d, dtype=dtype)
    with FlopCounterMode(display=False) as counter:
        forward = net.forward(Inputs(points, points))
        net.descend(Inputs(points, points), forward, None, torch.ones_like(forward.outputs), 0.0)
    numbers = sum(value.numel() for value in parameters.values.values())
    return ModuleOutline(tuple(parameters.values), numbers, max(counter.get_total_flops(), 6.0 * numbers))


def outline_of(run: Run, d: int, outputs: int) -> ModuleOutline:
    """The outline of a run's model at the run's width."""
    return module_outline(model_of(run.architecture.model), run.width, d, outputs, run.precision)


def module_dims(run: Run, data: Dataset) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names of the parameters of a user's model, and the size of the dim over all their numbers."""
    outline = outline_of(run, data.x_train.shape[1], data.outputs)
    return outline.parameters, {"parameter": outline.numbers}


def module_lambda_max(architecture: Architecture, data: Dataset) -> float:
    """Largest eigenvalue of the kernel of a user's model at width 256 and seed 0, with all its outputs."""
    import torch

    from sweepengine.networks import Inputs, ModuleNetwork, build_module

    model, x = model_of(architecture.model), torch.from_numpy(data.x_train)
    module, parameters = build_module(model, _REFERENCE_WIDTH, x.shape[1], data.outputs, REFERENCE_SEED, x.dtype)
    reference = ModuleNetwork(module, parameters, 0.5, 1.0)
    return largest_eigenvalue(reference.kernel(*reference.passes(Inputs(x, x))))


def refuse_changing_parameters(runs: Sequence[Run], d: int, outputs: int) -> None:
    """Raise unless a model has parameters of the same names at every width: they label one dim of the sweep.

    Raises
    ------
    SpecError
        The names differ between two widths.
    """
    names = {run.width: outline_of(run, d, outputs).parameters for run in {run.width: run for run in runs}.values()}
    first, *further = names
    for width in further:
        if names[width] != names[first]:
            raise SpecError(
                f"model {runs[0].architecture.model}: at width {first} its parameters are {', '.join(names[first])}; "
                f"at width {width} {', '.join(names[width])}; give it the same ones, of other shapes, at every width"
            )


def module_seconds(run: Run, shape: BlockShape, d: int, rate: MachineRate) -> float:
    """Estimated seconds of one run on one thread."""
    outline, n = outline_of(run, d, shape.sizes["output"]), shape.sizes["i"]
    flops = _COST_OF_AUTOGRAD / rate.flops
    points = run.method.velocities * (run.method.batch_size or n)
    step = points * outline.point_flops * flops + _STEP_OVERHEAD
    pairs = n * shape.sizes["output"]
    record = (2 * pairs + shape.sizes["test"]) * outline.point_flops + 2.0 * pairs**2 * outline.numbers
    return run.n_steps * step + shape.records * record * flops


def module_memory(run: Run, shape: BlockShape, d: int) -> int:
    """Bytes of a worker with one task: parameters now and at t = 0, a gradient, a kernel's Jacobians, and one chunk."""
    from sweepengine.networks import JACOBIAN_BYTES

    outline, item = outline_of(run, d, shape.sizes["output"]), np.dtype(run.precision).itemsize
    # The Jacobian of one point at least is held whole; the pass that makes it takes as much again.
    jacobians = 4 * max(JACOBIAN_BYTES, outline.numbers * shape.sizes["output"] * item)
    parameters = outline.numbers * ((3 + run.method.copies) * item + 3 * 8)
    return WORKER_BYTES + parameters + jacobians + shape.held_bytes()
