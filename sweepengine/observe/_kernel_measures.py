"""Functions that measure the tangent kernel, its change, its spectrum, and its Gram matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.observe._linalg import apply, eigenvalues, frobenius, inner
from sweepengine.observe._shared import shared

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


def kernel_drift(now: Moment, start: Moment) -> Tensor:
    return frobenius(now.matrix - start.matrix) / _size(start, start)


@shared
def _size(now: Moment, _: Moment) -> Tensor:
    return frobenius(now.matrix)


def kernel_drift_op(now: Moment, start: Moment) -> Tensor:
    return eigenvalues(now.matrix - start.matrix).abs().amax(-1) / start.eigenvalues.abs().amax(-1)


def kernel_alignment(now: Moment, _: Moment) -> Tensor:
    y = now.flat(now.problem.y_train)
    return (now.matrix @ y) @ y / (frobenius(now.matrix) * (y @ y))


def _centred(kernel: Tensor) -> Tensor:
    rows = kernel - kernel.mean(-1, keepdim=True)
    return rows - rows.mean(-2, keepdim=True)


def kernel_cka(now: Moment, start: Moment) -> Tensor:
    a, b = _centred(now.matrix), _centred(start.matrix)
    return inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()


def kernel_effective_rank(now: Moment, _: Moment) -> Tensor:
    """Exponential of the entropy of the eigenvalues' shares of the trace (Roy & Vetterli 2007)."""
    values = now.eigenvalues.clamp_min(0)  # Θ has negative eigenvalues by rounding only; NaN stays
    shares = values / values.sum(-1, keepdim=True)
    entropy: Tensor = torch.special.entr(shares).sum(-1)
    return entropy.exp()


def residual_modes(now: Moment, start: Moment) -> Tensor:
    """v_jᵀ ∂ℓ/∂f with the eigenvectors v_j of the run's own Θ_0, signed so that every mode is ≥ 0 at t = 0."""
    _, vectors = start.spectrum
    first = apply(vectors.mT, start.flat(start.residual))
    return apply(vectors.mT, now.flat(now.residual)) * torch.where(first < 0, -1.0, 1.0)


def feature_gram(now: Moment, _: Moment) -> Tensor:
    points, *features = now.grams.features
    return torch.stack([points.expand_as(features[0]), *features], dim=-3)


def signal_gram(now: Moment, _: Moment) -> Tensor:
    return torch.stack(now.grams.signals, dim=-3)
