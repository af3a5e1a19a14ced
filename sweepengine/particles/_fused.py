"""The choice between plain passes and fused kernels, which exist on CUDA in float32 for some activations and sizes."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from sweepengine.activations import entry_of
from sweepengine.errors import RunError
from sweepengine.particles._fusible import refusal
from sweepengine.particles._noise import gaussian_cloud
from sweepengine.particles._unit import Neuron

if TYPE_CHECKING:
    from sweepengine.particles._triton import FusedNeuron

_AGREEMENT = {"ieee": 1e-4, "tf32": 3e-2}
"""Largest error of outputs and gradients that is accepted, relative to the largest of them, by rounding of factors."""
_KINK = {"ieee": 1e-4, "tf32": 1e-2}
"""Pre-activations of root mean square 1 that lie this near to a kink may be rounded to either side of it."""
_POINTS, _PARTICLES = 100, 300


def fits(neuron: Neuron, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether fused kernels can compute a neuron for particles of this dtype on this device."""
    on_gpu = device.type == "cuda" and dtype == torch.float32
    return on_gpu and refusal(neuron) is None and find_spec("triton") is not None


def on_device(neuron: Neuron, device: torch.device, dtype: torch.dtype) -> Neuron:
    """The fused neuron where fused kernels can compute it, else the neuron itself; both agree up to rounding.

    Parameters
    ----------
    neuron : Neuron
    device : torch.device
        Device of the particles.
    dtype : torch.dtype
        Dtype of the particles.

    Returns
    -------
    Neuron

    Raises
    ------
    RunError
        On this device the fused kernels and the plain passes disagree.
    """
    if not fits(neuron, device, dtype):
        return neuron
    from sweepengine.particles._triton import FusedNeuron

    settings = {setting.name: getattr(neuron, setting.name) for setting in fields(neuron)}
    return checked(FusedNeuron(**settings), device, torch.backends.cuda.matmul.fp32_precision)


@cache
def checked(fused: FusedNeuron, device: torch.device, precision: str) -> FusedNeuron:
    """The fused neuron, after its outputs and gradients on a device were compared with plain passes in float64.

    Parameters
    ----------
    fused : FusedNeuron
    device : torch.device
    precision : str
        Precision to which PyTorch is set to round factors; the comparison is made once for each precision.

    Raises
    ------
    RunError
        The fused neuron and the plain passes disagree.
    """
    plain = Neuron(**{setting.name: getattr(fused, setting.name) for setting in fields(Neuron)})
    cloud, inputs = (
        gaussian_cloud(seed, count, size).to(device)
        for seed, count, size in ((1, _PARTICLES, plain.coordinates), (2, _POINTS, plain.d))
    )
    weights = torch.linspace(-1, 1, _POINTS, dtype=torch.float64, device=device) / _POINTS
    exact, single = plain.prepare(inputs), fused.prepare(inputs.to(torch.float32))
    inner, rounding = cloud[:, : plain.inner], "tf32" if precision == "tf32" else "ieee"
    inner /= (inner @ exact.T).square().mean().sqrt()
    h = inner @ exact.T
    kinks = entry_of(str(fused.activation)).kinks  # always a name: activations given as functions are not fused
    clear = torch.stack(
        [torch.ones_like(h[:, 0], dtype=torch.bool), *((h - kink).abs().amin(1) > _KINK[rounding] for kink in kinks)]
    ).all(0)
    pull = fused.pull(single, weights.to(torch.float32))(cloud.to(torch.float32))
    pairs = (
        (fused.total(cloud.to(torch.float32), single), plain.total(cloud, exact)),
        (pull[clear], plain.pull(exact, weights)(cloud)[clear]),
    )
    error = max(float((got - right).abs().max() / right.abs().max().clamp_min(1e-3)) for got, right in pairs)
    if not error <= _AGREEMENT[rounding]:
        raise RunError(
            f"the fused kernels of {fused.activation} are {error:.2g} away from the plain passes on {device.type}; "
            "please report this"
        )
    return fused
