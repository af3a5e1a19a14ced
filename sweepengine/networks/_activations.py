"""Activations φ with their derivatives, evaluated in as few passes over an N × m array as possible.

A training step needs φ(h) and, later, products of signals with φ'(h). The array that is kept in between for φ' is
called ``saved``. It is φ(h) itself if φ' is a function of φ (relu, leaky_relu, tanh), so that no array of slopes is
made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.activations import entry_of, slopes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LEAKY_SLOPE = 0.01
_TWO_BY_SQRT_PI = 2.0 / math.sqrt(math.pi)
_ONE_BY_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
_ops = torch.ops.aten


def _times_saved(signal: Tensor, saved: Tensor, out: Tensor) -> None:
    torch.mul(signal, saved, out=out)


@dataclass(frozen=True)
class Activation:
    """One activation.

    Attributes
    ----------
    evaluate : callable
        h ↦ (φ(h), saved), both of h's shape and dtype. It may overwrite h.
    multiply : callable
        (signal, saved, out): writes signal ⊙ φ'(h) into ``out``. All three have one shape, and ``out`` may be
        ``signal``. At a kink φ' is 0 (relu, abs) or the lower slope (leaky_relu). An activation with its own
        ``multiply`` has saved = φ(h); with the default ``multiply`` it has saved = φ'(h).
    second : callable or None
        h ↦ φ''(h) in a new tensor; None where φ' has a jump.
    alone : callable or None
        h ↦ φ(h), which may overwrite h; None where ``evaluate`` makes no array but φ(h).
    """

    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]
    multiply: Callable[[Tensor, Tensor, Tensor], None] = _times_saved
    second: Callable[[Tensor], Tensor] | None = None
    alone: Callable[[Tensor], Tensor] | None = None

    def values(self, h: Tensor) -> Tensor:
        """φ(h), where φ' is not asked for; it may overwrite h."""
        return self.evaluate(h)[0] if self.alone is None else self.alone(h)

    @property
    def saves_slope(self) -> bool:
        """Whether ``saved`` is φ'(h), and not φ(h)."""
        return self.multiply is _times_saved

    def __call__(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """φ(h) and φ'(h) in new tensors; ``h`` is left as it is."""
        phi, saved = self.evaluate(h.clone())
        slope = torch.empty_like(h)
        self.multiply(torch.ones_like(h), saved, slope)
        return phi, slope


def _relu(h: Tensor) -> tuple[Tensor, Tensor]:
    phi = h.clamp_min_(0)
    return phi, phi


def _relu_multiply(signal: Tensor, phi: Tensor, out: Tensor) -> None:
    _ops.threshold_backward.grad_input(signal, phi, 0, grad_input=out)


def _leaky_relu(h: Tensor) -> tuple[Tensor, Tensor]:
    phi = _ops.leaky_relu_(h, LEAKY_SLOPE)
    return phi, phi


def _leaky_relu_multiply(signal: Tensor, phi: Tensor, out: Tensor) -> None:
    _ops.leaky_relu_backward.grad_input(signal, phi, LEAKY_SLOPE, True, grad_input=out)


def _abs(h: Tensor) -> tuple[Tensor, Tensor]:
    return h.abs(), h.sign_()


def on_host(h: Tensor) -> bool:
    """Whether NumPy may write into an array: it is in the host's memory, and no gradient is asked for."""
    return h.device.type == "cpu" and not h.requires_grad


def _tanh(h: Tensor) -> tuple[Tensor, Tensor]:
    if on_host(h):  # NumPy takes a tenth of PyTorch's time
        values = h.numpy()
        np.tanh(values, out=values)
        return h, h
    phi = h.tanh_()
    return phi, phi


def _tanh_multiply(signal: Tensor, phi: Tensor, out: Tensor) -> None:
    _ops.tanh_backward.grad_input(signal, phi, grad_input=out)


def _tanh_second(h: Tensor) -> Tensor:
    phi = h.tanh()
    return -2 * phi * (1 - phi * phi)


def _exp(h: Tensor) -> Tensor:
    """exp(h) in place."""
    if on_host(h):  # NumPy takes half of PyTorch's time
        values = h.numpy()
        np.exp(values, out=values)
        return h
    return h.exp_()


def _erf_slope(h: Tensor) -> Tensor:
    return _exp((h * h).neg_()).mul_(_TWO_BY_SQRT_PI)


def _erf(h: Tensor) -> tuple[Tensor, Tensor]:
    slope = _erf_slope(h)
    return h.erf_(), slope


def _bell(h: Tensor) -> Tensor:
    """The Gaussian density."""
    return _exp((h * h).mul_(-0.5)).mul_(_ONE_BY_SQRT_2PI)


def _gelu(h: Tensor) -> tuple[Tensor, Tensor]:
    # PyTorch has both as one pass each, in a fourth of the time of an erf, an exponential and the products.
    slope = _ops.gelu_backward(torch.ones_like(h), h)
    return _ops.gelu_(h), slope


def _gelu_second(h: Tensor) -> Tensor:
    return _bell(h) * (2 - h * h)


def _sin(h: Tensor) -> tuple[Tensor, Tensor]:
    slope = h.cos()
    return h.sin_(), slope


def _cos(h: Tensor) -> tuple[Tensor, Tensor]:
    slope = h.sin().neg_()
    return h.cos_(), slope


def _softplus_alone(h: Tensor) -> Tensor:
    # Not torch's softplus, which is the identity above a threshold and wrong there by 2e-9.
    return torch.logaddexp(h, h.new_zeros(()))


def _softplus(h: Tensor) -> tuple[Tensor, Tensor]:
    phi = _softplus_alone(h)
    return phi, h.sigmoid_()


def _softplus_second(h: Tensor) -> Tensor:
    return torch.sigmoid(h) * torch.sigmoid(-h)


def _quadratic(h: Tensor) -> tuple[Tensor, Tensor]:
    return h * h, h.mul_(2)


def _identity(h: Tensor) -> tuple[Tensor, Tensor]:
    return h, h


def _identity_multiply(signal: Tensor, _saved: Tensor, out: Tensor) -> None:
    if out is not signal:
        out.copy_(signal)


RELU = Activation(_relu, _relu_multiply)
LEAKY_RELU = Activation(_leaky_relu, _leaky_relu_multiply)
ABS = Activation(_abs, alone=torch.Tensor.abs_)
TANH = Activation(_tanh, _tanh_multiply, _tanh_second)
ERF = Activation(_erf, second=lambda h: -2 * h * _erf_slope(h), alone=torch.Tensor.erf_)
GELU = Activation(_gelu, second=_gelu_second, alone=_ops.gelu_)
SIN = Activation(_sin, second=lambda h: -h.sin(), alone=torch.Tensor.sin_)
COS = Activation(_cos, second=lambda h: -h.cos(), alone=torch.Tensor.cos_)
SOFTPLUS = Activation(_softplus, second=_softplus_second, alone=_softplus_alone)
QUADRATIC = Activation(_quadratic, second=lambda h: torch.full_like(h, 2.0), alone=torch.Tensor.square_)
IDENTITY = Activation(_identity, _identity_multiply, torch.zeros_like)


def piecewise_linear(above: float, below: float) -> Activation:
    """φ with the slope `above` on h > 0 and `below` elsewhere."""

    def evaluate(h: Tensor) -> tuple[Tensor, Tensor]:
        slope = torch.where(h > 0, h.new_full((), above), h.new_full((), below))
        return h.mul_(slope), slope

    return Activation(evaluate)


@cache
def activation(name: str) -> Activation:
    """The activation that a name stands for (:mod:`sweepengine.activations`)."""
    reference, slopes = entry_of(name).torch, slopes_of(name)
    resolved = resolve_name(reference) if slopes is None else resolve_name(reference)(*slopes)
    if not isinstance(resolved, Activation):
        raise TypeError(f"{reference} is a {type(resolved).__name__}; expected an Activation: mend its entry")
    return resolved
