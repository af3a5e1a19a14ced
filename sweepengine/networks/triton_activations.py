"""Activations in Triton, and the fused pass of a layer: bias, φ and slope in one pass over N × m numbers.

This module is imported only when it is needed, because Triton is not a requirement. If TRITON_INTERPRET=1 is in the
environment before the import, kernels run on a CPU, slowly, in Triton's interpreter.
"""

from functools import cache
from pkgutil import resolve_name
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sweepengine.activations import ACTIVATIONS
from sweepengine.errors import RunError
from sweepengine.networks._activations import activation

BLOCK = 1024
"""Numbers that one program of the kernel computes."""
AGREEMENT = 1e-5
"""Largest difference of the kernel and the plain pass in the check, relative to 1 + the size of the value."""


@triton.jit
def tanh_value(h):
    """Tanh to a few units of the last place."""
    decay = tl.exp(-2.0 * tl.abs(h))
    far = (1.0 - decay) / (1.0 + decay)
    h2 = h * h
    near = h * (1.0 + h2 * (-1.0 / 3.0 + h2 * (2.0 / 15.0 - h2 * (17.0 / 315.0))))  # where 1 − decay loses its digits
    return tl.where(h2 < 0.02, near, tl.where(h < 0, -far, far))


@triton.jit
def _log1p(x):
    """log(1 + x) for 0 ≤ x ≤ 1 to float32's last digits, also where 1 + x loses those of x: 2 artanh(x/(2 + x))."""
    s = x / (2.0 + x)
    s2 = s * s
    series = s2 * (1.0 / 7.0 + s2 * (1.0 / 9.0 + s2 * (1.0 / 11.0 + s2 * (1.0 / 13.0 + s2 / 15.0))))
    return 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * (1.0 / 5.0 + series)))


# Kernels that the entries of sweepengine.activations name: h ↦ (φ(h), φ'(h)). A slope that is not used is not computed.


@triton.jit
def relu(h):
    """max(h, 0), of slope 0 at 0; a NaN stays one."""
    return tl.where(h <= 0, 0.0, h), tl.where(h > 0, 1.0, 0.0)


@triton.jit
def leaky_relu(h):
    """H above 0, and 0.01 h elsewhere."""
    slope = tl.where(h > 0, 1.0, 0.01)
    return h * slope, slope


@triton.jit
def absolute(h):
    """|h|, of slope 0 at 0."""
    return tl.abs(h), tl.where(h > 0, 1.0, tl.where(h < 0, -1.0, 0.0))


@triton.jit
def tanh(h):
    """Tanh, whose slope is a function of its value."""
    phi = tanh_value(h)
    return phi, 1.0 - phi * phi


@triton.jit
def erf(h):
    """The error function."""
    return tl.erf(h), 1.1283791670955126 * tl.exp(-h * h)


@triton.jit
def gelu(h):
    """H times the Gaussian distribution function."""
    below = 0.5 + 0.5 * tl.erf(0.7071067811865476 * h)
    return h * below, below + 0.3989422804014327 * h * tl.exp(-0.5 * h * h)


@triton.jit
def sin(h):
    """Sine."""
    return tl.sin(h), tl.cos(h)


@triton.jit
def cos(h):
    """Cosine."""
    return tl.cos(h), -tl.sin(h)


@triton.jit
def softplus(h):
    """log(1 + exp(h)), to the last digits on both sides of 0."""
    decay = tl.exp(-tl.abs(h))
    return tl.maximum(h, 0.0) + _log1p(decay), tl.where(h > 0, 1.0, decay) / (1.0 + decay)


@triton.jit
def quadratic(h):
    """h²."""
    return h * h, 2.0 * h


@triton.jit
def identity(h):
    """H itself."""
    return h, h * 0.0 + 1.0


def kernel_of(name: str) -> Any:
    """The Triton function h ↦ (φ(h), φ'(h)) of an activation.

    Raises
    ------
    RunError
        The activation's entry names no kernel.
    """
    reference = ACTIVATIONS[name].kernel
    if reference is None:
        raise RunError(f"activation {name!r} has no fused kernel; expected an entry that names one: take plain passes")
    return resolve_name(reference)


@triton.jit
def _layer(
    h,
    saved,
    bias,
    factor,
    size,
    run,
    width,
    PAIR: tl.constexpr,
    BIAS: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = places < size
    value = tl.load(h + places, mask=live, other=0.0)
    if BIAS:
        value += factor * tl.load(bias + places // run * width + places % width, mask=live, other=0.0)
    phi, slope = PAIR(value)
    tl.store(h + places, phi, mask=live)
    if SLOPE:
        tl.store(saved + places, slope, mask=live)


class FusedLayer:
    """The fused pass h ↦ (φ(h + factor · bias), saved) of an activation, in float32; see :class:`Activation`.

    Parameters
    ----------
    name : str
        Name of the activation.

    Raises
    ------
    RunError
        The activation has no fused kernel.
    """

    def __init__(self, name: str) -> None:
        self._pair = kernel_of(name)
        self._saves_slope = activation(name).saves_slope

    def __call__(self, h: Tensor, bias: Tensor | None = None, factor: float = 1.0) -> tuple[Tensor, Tensor]:
        """Make the pass; it overwrites h.

        Parameters
        ----------
        h : Tensor, shape ([R,] N, m), contiguous
        bias : Tensor, optional, shape ([R,] m), contiguous
        factor : float

        Returns
        -------
        (Tensor, Tensor)
            φ in the memory of h, and ``saved``, which is the same tensor if φ' is a function of φ.
        """
        saved = torch.empty_like(h) if self._saves_slope else h
        n, width = h.shape[-2:]
        grid = (triton.cdiv(h.numel(), BLOCK),)
        of = h if bias is None else bias
        with torch.cuda.device_of(h):  # Triton launches on the thread's current device, wherever the pointers lead
            _layer[grid](h, saved, of, factor, h.numel(), n * width, width, **self.options(biased=bias is not None))
        return h, saved

    def options(self, *, biased: bool) -> dict[str, Any]:
        """The compile-time arguments of the kernel."""
        return {
            "PAIR": self._pair,
            "BIAS": biased,
            "SLOPE": self._saves_slope,
            "BLOCK": BLOCK,
            "enable_fp_fusion": True,
        }


@cache
def checked_layer(name: str, device: torch.device) -> FusedLayer:
    """The fused pass of an activation, compared with the plain pass on a device.

    Raises
    ------
    RunError
        The two passes differ by more than :data:`AGREEMENT`.
    """
    fused, plain = FusedLayer(name), activation(name)
    runs, n, width = 2, 3, 700  # an even number of points: none is at a kink
    z = torch.linspace(-6, 6, runs * n * width, dtype=torch.float64, device=device).reshape(runs, n, width)
    bias = torch.linspace(-1, 1, runs * width, dtype=torch.float64, device=device).reshape(runs, width)
    phi, saved = fused((z - 0.5 * bias.unsqueeze(1)).to(torch.float32), bias.to(torch.float32), 0.5)
    exact_slope, slope = torch.empty_like(z), torch.empty_like(phi)
    exact = plain.evaluate(z.clone())
    plain.multiply(torch.ones_like(z), exact[1], exact_slope)
    plain.multiply(torch.ones_like(slope), saved, slope)
    pairs = ((phi, exact[0]), (slope, exact_slope))
    apart = torch.stack([((a.to(torch.float64) - b).abs() / (1 + b.abs())).max() for a, b in pairs]).max().item()
    if not apart <= AGREEMENT:
        raise RunError(
            f"the fused pass of {name} is {apart:.2g} away from the plain one on {device.type}; please report this"
        )
    return fused
