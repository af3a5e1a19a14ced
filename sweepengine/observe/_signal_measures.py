"""Observables of forward and backward signals, for the claims nngp, backward, conditioning and preact."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sweepengine.observe._linalg import rms, row_basis
from sweepengine.observe._shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.observe._moment import Moment


def preactivation_movement(now: Moment, start: Moment) -> Tensor:
    pairs = zip(now.preactivations, start.preactivations, strict=True)
    return torch.stack([rms(a - b, 2) for a, b in pairs], dim=-1)


def activation_flips(now: Moment, start: Moment) -> Tensor:
    pairs = zip(now.preactivations, start.preactivations, strict=True)
    return torch.stack([((a > 0) != (b > 0)).to(torch.float64).mean((-1, -2)) for a, b in pairs], dim=-1)


def _by_layer(moment: Moment, statistic: Callable[[Tensor], Tensor]) -> Tensor:
    """A statistic ([R,] N) of each layer's squared pre-activations ([R,] N, n_l); shape ([R,] L, N)."""
    return torch.stack([statistic(h.to(torch.float64).square()) for h in moment.preactivations], dim=-2)


def _pair_mean(squares: Tensor) -> Tensor:
    """Mean of s_j s_k over the pairs j ≠ k of ([R,] N, n), from two sums; NaN for n = 1."""
    n = squares.shape[-1]
    if n == 1:
        return torch.full_like(squares[..., 0], torch.nan)
    return (squares.sum(-1).square() - squares.square().sum(-1)) / (n * (n - 1))


def output_variance(now: Moment, _: Moment) -> Tensor:
    """V = σ_a² ‖φ^L‖²/m, plus σ_b² with an output bias."""
    p, architecture = now.layers.parameters, now.layers.architecture
    squares = now.train.forward.features[-1].to(torch.float64).square().mean(-1)
    return architecture.sigma_a**2 * squares + (architecture.sigma_b**2 if p.output_bias is not None else 0.0)


class _Split(NamedTuple):
    """Parts of every layer's backward signals z inside and outside the span of its features φ, in float64.

    Attributes
    ----------
    inside : Tensor, shape ([R,] L)
        ‖P_φ z‖²/‖z‖², mean over points and outputs.
    outside : Tensor, shape ([R,] L, N, N)
        z_i P_φ^⊥ z_j/(n_l − rank φ), mean over equal outputs; NaN where φ has full rank.
    """

    inside: Tensor
    outside: Tensor


@shared
def _split(now: Moment, _: Moment) -> _Split:
    """Split z^l = W^lᵀ g^{l+1}/√m for l < L, and z^L, the read-out, which is the same at every point."""
    p, n = now.layers.parameters, now.problem.y_train.shape[0]
    above = [signal if now.has_output_dim else signal.unsqueeze(-2) for signal in now.signals[1:]]
    z = [(g.flatten(-3, -2) @ weight) / p.width**0.5 for g, weight in zip(above, p.hidden[1:], strict=True)]
    z.append(p.readout.mT if now.has_output_dim else p.readout.unsqueeze(-2))
    inside, outside = [], []
    for features, rounded in zip(now.train.forward.features, z, strict=True):
        signal = rounded.to(torch.float64)  # rows (point, output), or output
        basis = row_basis(features, rounded.dtype)
        within = signal @ basis.mT
        inside.append((within.square().sum(-1) / signal.square().sum(-1)).mean(-1))
        rest = (signal - within @ basis).unflatten(-2, (-1, p.outputs)).flatten(-2, -1)
        free = p.outputs * (signal.shape[-1] - basis.square().sum((-1, -2)).round())
        gram = rest @ rest.mT / torch.where(free > 0, free, torch.nan)[..., None, None]
        outside.append(gram.expand(*gram.shape[:-2], n, n))
    return _Split(torch.stack(inside, dim=-1), torch.stack(outside, dim=-3))


def preactivation_square(now: Moment, _: Moment) -> Tensor:
    return _by_layer(now, lambda squares: squares.mean(-1))


def preactivation_fourth(now: Moment, _: Moment) -> Tensor:
    return _by_layer(now, lambda squares: squares.square().mean(-1))


def preactivation_square_pair(now: Moment, _: Moment) -> Tensor:
    return _by_layer(now, _pair_mean)


def backward_projection(now: Moment, start: Moment) -> Tensor:
    return _split(now, start).inside


def backward_covariance(now: Moment, start: Moment) -> Tensor:
    return _split(now, start).outside
