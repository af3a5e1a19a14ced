"""Costs ℓ(f, y): value, gradient in f, and second derivative in f (theory.md §1.3).

The training loss is R = (1/N) Σ_i ℓ(f_i, y_i). Outputs f have shape ([R,] N) for one output and ([R,] N, k) for k ≥ 2;
targets y have shape (N [, k]).

=============  ==========================================  ====================  =============================
cost           ℓ(f, y)                                     ∂ℓ/∂f                 ∂²ℓ/∂f²
=============  ==========================================  ====================  =============================
mse            ½ Σ_o (f_o − y_o)²                          f − y                 I
logistic       Σ_o log(1 + e^{−y_o f_o}), y_o = ±1         −y s(−y f)            diag s(yf) s(−yf), s sigmoid
cross_entropy  (Σ_o y_o) log Σ_o e^{f_o} − Σ_o y_o f_o     (Σ_o y_o) p − y       (Σ_o y_o)(diag p − p pᵀ)
huber          Σ_o e²/2, or δ(|e| − δ/2) where |e| > δ     clamp(e, −δ, δ)       diag 1{|e| ≤ δ}, e = f − y
=============  ==========================================  ====================  =============================

Cross-entropy: y_o are the classes' probabilities, one-hot for labels; p = softmax(f); k ≥ 2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Cost(Protocol):
    """A cost of training. Every method takes f and y of one dtype, and works at any magnitude of f."""

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """ℓ of every point, shape ([R,] N); ``output_dim`` says whether the last dim is k."""
        ...

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """∂ℓ/∂f, of the shape of ``outputs``. Not divided by N."""
        ...

    def curvature(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """∂²ℓ/∂f² of every point: ([R,] N) for one output, else symmetric blocks ([R,] N, k, k)."""
        ...


def loss(cost: Cost, outputs: Tensor, targets: Tensor, output_dim: bool = False) -> Tensor:
    """Training loss R = (1/N) Σ_i ℓ(f_i, y_i) in float64.

    Parameters
    ----------
    cost : Cost
    outputs, targets : Tensor, shapes ([R,] N [, k]) and (N [, k])
    output_dim : bool
        Whether the last dim is k.

    Returns
    -------
    Tensor of float64, shape ([R,])
    """
    return cost.points(outputs.to(torch.float64), targets.to(torch.float64), output_dim).mean(-1)


def _over_outputs(values: Tensor, output_dim: bool) -> Tensor:
    return values.sum(-1) if output_dim else values


def _as_blocks(diagonal: Tensor, output_dim: bool) -> Tensor:
    return torch.diag_embed(diagonal) if output_dim else diagonal


class SquaredError:
    """½ Σ_o (f_o − y_o)²."""

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        return _over_outputs((outputs - targets).square(), output_dim) * 0.5

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Cost`."""
        return outputs - targets

    def curvature(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        return _as_blocks(torch.ones_like(outputs - targets), output_dim)


class Logistic:
    """Σ_o log(1 + e^{−y_o f_o}), y_o = ±1."""

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        # Not torch's softplus, which is the identity above a threshold.
        return _over_outputs(torch.logaddexp(-targets * outputs, outputs.new_zeros(())), output_dim)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Cost`."""
        return -targets * torch.sigmoid(-targets * outputs)

    def curvature(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        margin = targets * outputs
        return _as_blocks(torch.sigmoid(margin) * torch.sigmoid(-margin) * targets.square(), output_dim)


class CrossEntropy:
    """−Σ_o y_o log softmax(f)_o for y_o ≥ 0; if Σ_o y_o is not 1, it weights the point."""

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        _need_classes(output_dim)
        return -(targets * torch.log_softmax(outputs, dim=-1)).sum(-1)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Cost`."""
        return torch.softmax(outputs, dim=-1) * targets.sum(-1, keepdim=True) - targets

    def curvature(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        _need_classes(output_dim)
        p = torch.softmax(outputs, dim=-1)
        return targets.sum(-1)[..., None, None] * (torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2))


def _need_classes(output_dim: bool) -> None:
    if not output_dim:
        raise ValueError("cross-entropy found one output; it needs one for each class, k ≥ 2; logistic takes one")


class Huber:
    """Quadratic up to an error of δ, linear beyond.

    Parameters
    ----------
    delta : float
        δ > 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        if not (math.isfinite(delta) and delta > 0):
            raise ValueError(f"found Huber's δ = {delta}; expected a number > 0")
        self.delta = delta

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        error = (outputs - targets).abs()
        inner = error.clamp_max(self.delta)  # inner (error − inner/2) is both branches in one
        return _over_outputs(inner * (error - 0.5 * inner), output_dim)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Cost`."""
        return (outputs - targets).clamp(-self.delta, self.delta)

    def curvature(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """See :class:`Cost`."""
        return _as_blocks(((outputs - targets).abs() <= self.delta).to(outputs.dtype), output_dim)


COSTS: dict[str, type[SquaredError | Logistic | CrossEntropy | Huber]] = {
    "mse": SquaredError,
    "logistic": Logistic,
    "cross_entropy": CrossEntropy,
    "huber": Huber,
}
"""Name in a spec → class of the cost; ``COSTS[name]()`` makes a cost."""
