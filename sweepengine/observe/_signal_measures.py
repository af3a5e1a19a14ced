"""What rows nngp, backward and preact of theory.md §4 need of forward and backward signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.observe._linalg import rms, row_basis

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.observe._moment import Moment


def _preactivation_movement(now: Moment, start: Moment) -> Tensor:
    pairs = zip(now.preactivations, start.preactivations, strict=True)
    return torch.stack([rms(a - b, 2) for a, b in pairs], dim=-1)


def _flips(now: Moment, start: Moment) -> Tensor:
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


def _output_variance(now: Moment, _: Moment) -> Tensor:
    """V = σ_a² ‖φ^L‖²/m, and σ_b² with an output bias."""
    p, architecture = now.network.parameters, now.network.architecture
    squares = now.train.forward.features[-1].to(torch.float64).square().mean(-1)
    return architecture.sigma_a**2 * squares + (architecture.sigma_b**2 if p.output_bias is not None else 0.0)


def _backward_projection(now: Moment, _: Moment) -> Tensor:
    """‖P_φ z‖²/‖z‖² with z^l = W^lᵀ g^{l+1}, z^L the read-out, on the span of φ^l over the training points."""
    p, network = now.network.parameters, now.network
    # z of layer l has the dims ([R,] points or outputs, n_l); its length does not matter.
    above = [signal.flatten(-3, -2) if now.has_output_dim else signal for signal in now.signals[1:]]
    z = [signal @ weight for signal, weight in zip(above, p.hidden[1:], strict=True)]
    z.append(p.readout.mT if now.has_output_dim else p.readout.unsqueeze(-2))
    shares = []
    for features, each in zip(now.train.forward.features, z, strict=True):
        backward = each.to(torch.float64)
        inside = backward @ row_basis(features, network.parameters.readout.dtype).mT
        shares.append((inside.square().sum(-1) / backward.square().sum(-1)).mean(-1))
    return torch.stack(shares, dim=-1)


SIGNAL_MEASURES = {
    "preactivation_movement": _preactivation_movement,
    "activation_flips": _flips,
    "preactivation_square": lambda now, _: _by_layer(now, lambda squares: squares.mean(-1)),
    "preactivation_fourth": lambda now, _: _by_layer(now, lambda squares: squares.square().mean(-1)),
    "preactivation_square_pair": lambda now, _: _by_layer(now, _pair_mean),
    "output_variance": _output_variance,
    "backward_projection": _backward_projection,
}
