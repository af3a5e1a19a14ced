"""Where the neuron's passes are fused kernels: on CUDA, in float32, for the activations and sizes that they know."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from sweepengine.activations import ACTIVATIONS
from sweepengine.errors import RunError
from sweepengine.particles._fusible import refusal
from sweepengine.particles._noise import gaussian_cloud
from sweepengine.particles._unit import Neuron

if TYPE_CHECKING:
    from sweepengine.particles._triton import FusedNeuron

_AGREEMENT = {"ieee": 1e-4, "tf32": 3e-2}
"""Largest error of outputs and gradients, beside the largest of them, by what factors are rounded to."""
_KINK = {"ieee": 1e-4, "tf32": 1e-2}
"""Pre-activations this near to a kink, their own size being 1, may be rounded to either side of it."""
_POINTS, _PARTICLES = 100, 300


def fits(neuron: Neuron, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether there are fused kernels for a neuron's particles of a dtype on a device."""
    on_gpu = device.type == "cuda" and dtype == torch.float32
    return on_gpu and refusal(neuron) is None and find_spec("triton") is not None


def on_device(neuron: Neuron, device: torch.device, dtype: torch.dtype) -> Neuron:
    """The neuron as it is best computed where its particles lie; equal to rounding.

    Parameters
    ----------
    neuron : Neuron
    device : torch.device
    dtype : torch.dtype

    Raises
    ------
    RunError
        The fused kernels do not do on this device what the plain passes do.
    """
    if not fits(neuron, device, dtype):
        return neuron
    from sweepengine.particles._triton import FusedNeuron

    settings = {each.name: getattr(neuron, each.name) for each in fields(neuron)}
    return checked(FusedNeuron(**settings), device, torch.backends.cuda.matmul.fp32_precision)


@cache
def checked(fused: FusedNeuron, device: torch.device, precision: str) -> FusedNeuron:
    """The fused neuron, after a look at whether it does on a device what the plain one does in float64.

    Parameters
    ----------
    fused : FusedNeuron
    device : torch.device
    precision : str
        What PyTorch is set to round factors to: the look is taken for each.

    Raises
    ------
    RunError
        It does not.
    """
    plain = Neuron(**{each.name: getattr(fused, each.name) for each in fields(Neuron)})
    cloud, inputs = (
        gaussian_cloud(seed, count, size).to(device)
        for seed, count, size in ((1, _PARTICLES, plain.coordinates), (2, _POINTS, plain.d))
    )
    weights = torch.linspace(-1, 1, _POINTS, dtype=torch.float64, device=device) / _POINTS
    exact, single = plain.prepare(inputs), fused.prepare(inputs.to(torch.float32))
    inner, rounding = cloud[:, : plain.inner], "tf32" if precision == "tf32" else "ieee"
    inner /= (inner @ exact.T).square().mean().sqrt()
    h = inner @ exact.T
    kinks = ACTIVATIONS[str(fused.activation)].kinks  # a name: no other is fused
    clear = torch.stack(
        [torch.ones_like(h[:, 0], dtype=torch.bool), *((h - each).abs().amin(1) > _KINK[rounding] for each in kinks)]
    ).all(0)
    pull = fused.pull(single, weights.to(torch.float32))(cloud.to(torch.float32))
    pairs = (
        (fused.total(cloud.to(torch.float32), single), plain.total(cloud, exact)),
        (pull[clear], plain.pull(exact, weights)(cloud)[clear]),
    )
    apart = max(float((found - right).abs().max() / right.abs().max().clamp_min(1e-3)) for found, right in pairs)
    if not apart <= _AGREEMENT[rounding]:
        raise RunError(
            f"the fused kernels of {fused.activation} are {apart:.2g} away from the plain passes on {device.type}; please "
            "report this"
        )
    return fused
