"""Activations φ with their derivatives, in one evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LEAKY_SLOPE = 0.01
_SQRT_HALF = math.sqrt(0.5)
_TWO_BY_SQRT_PI = 2.0 / math.sqrt(math.pi)
_ONE_BY_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


def _relu(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.clamp_min(0), (h > 0).to(h.dtype)


def _leaky_relu(h: Tensor) -> tuple[Tensor, Tensor]:
    # Not torch.where on two Python numbers, whose result is rounded to float32.
    slope = torch.where(h > 0, h.new_ones(()), h.new_full((), LEAKY_SLOPE))
    return h * slope, slope


def _abs(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.abs(), h.sign()


def _tanh(h: Tensor) -> tuple[Tensor, Tensor]:
    phi = h.tanh()
    return phi, 1 - phi * phi


def _erf(h: Tensor) -> tuple[Tensor, Tensor]:
    return torch.erf(h), (-h * h).exp() * _TWO_BY_SQRT_PI


def _gelu(h: Tensor) -> tuple[Tensor, Tensor]:
    below = torch.erf(h * _SQRT_HALF).add_(1).mul_(0.5)  # the Gaussian distribution function
    return h * below, below + h * (h * h * -0.5).exp() * _ONE_BY_SQRT_2PI


def _sin(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.sin(), h.cos()


def _cos(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.cos(), -h.sin()


def _softplus(h: Tensor) -> tuple[Tensor, Tensor]:
    return torch.logaddexp(h, torch.zeros_like(h)), torch.sigmoid(h)


def _quadratic(h: Tensor) -> tuple[Tensor, Tensor]:
    return h * h, 2 * h


def _identity(h: Tensor) -> tuple[Tensor, Tensor]:
    return h, torch.ones_like(h)


ACTIVATIONS: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "abs": _abs,
    "tanh": _tanh,
    "erf": _erf,
    "gelu": _gelu,
    "sin": _sin,
    "cos": _cos,
    "softplus": _softplus,
    "quadratic": _quadratic,
    "identity": _identity,
}
"""Name → function from h to (φ(h), φ'(h)); at a kink φ' is 0 (relu, abs) or the lower slope (leaky_relu)."""
