"""Taylor's remainders, and the sizes of first and second derivatives (theory.md §4.4).

A remainder is a difference of nearly equal numbers, so it is computed in float64 whatever the run's precision.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch

from sweepengine.networks import Passes, hessian_mean_squares, jacobian_mean_squares
from sweepengine.observe._linalg import rms
from sweepengine.observe._shared import shared

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


def taylor_second_order(now: Moment, start: Moment) -> Tensor:
    """Root mean square of f(θ + δ) − f(θ) − ⟨∇f, δ⟩, δ the step of gradient descent that would be taken now."""
    here = now.in_float64
    there = here.layers.moved(here.next_step).forward(here.problem.train)
    first, _second = _along_step(now, start)
    return rms(here.flat(there.outputs - here.train.forward.outputs - first))


@shared
def _along_step(now: Moment, _: Moment) -> tuple[Tensor, Tensor]:
    """⟨∇f, δ⟩ and δᵀ∇²f δ, in float64."""
    here = now.in_float64
    return here.layers.along(here.problem.train, here.kept, here.next_step)


def taylor_quadratic(now: Moment, start: Moment) -> Tensor:
    """Root mean square of ½ δᵀ∇²f δ, which is (η²/2N²)(m^{2γ−1}/α²)² Σ_βγ r_β r_γ ∇f_βᵀ ∇²f ∇f_γ."""
    _first, second = _along_step(now, start)
    return 0.5 * rms(now.flat(second))


def taylor_tensor(now: Moment, _: Moment) -> Tensor:
    """Root mean square over all (α, β, γ) of (m^{2γ−1}/α²)² ∇f_βᵀ ∇²f_α ∇f_γ, by polarisation.

    With u_β the step that the residual of β alone makes, u_βᵀHu_γ = ½ ((u_β + u_γ)ᵀH(u_β + u_γ) − u_βᵀHu_β − u_γᵀHu_γ).
    """
    here = now.in_float64
    outputs, n = here.train.forward.outputs, here.problem.y_train.shape[0]
    units = torch.eye(here.flat(outputs).shape[-1], dtype=torch.float64, device=outputs.device)

    def bent(residual: Tensor) -> Tensor:
        added = here.layers.parameters.map(torch.zeros_like)
        pull = residual.reshape(here.problem.y_train.shape).expand(outputs.shape)
        here.network.descend(*here.train, pull, float(n), into=added)
        return here.flat(here.layers.along(here.problem.train, here.kept, added)[1])

    alone = [bent(unit) for unit in units]
    squares = torch.stack([each.square() for each in alone]).sum(0)
    for one, two in combinations(range(len(units)), 2):
        squares = squares + 2 * (0.5 * (bent(units[one] + units[two]) - alone[one] - alone[two])).square()
    return (squares.mean(-1) / len(units) ** 2).sqrt()


def linearisation_defect(now: Moment, start: Moment) -> Tensor:
    """Root mean square of f_t − f_0 − ⟨∇f_0, θ_t − θ_0⟩."""
    here, first = now.in_float64, start.in_float64
    moved = here.layers.parameters.map(torch.sub, first.layers.parameters)
    along, _second = first.layers.along(first.problem.train, first.kept, moved)
    return rms(here.flat(here.train.forward.outputs - first.train.forward.outputs - along))


@shared
def _jacobian(now: Moment, _: Moment) -> tuple[Tensor, Tensor]:
    return jacobian_mean_squares(now.layers, Passes(now.problem.train, now.train.forward, now.signals))


def jacobian_rms(now: Moment, start: Moment) -> Tensor:
    return _jacobian(now, start)[0].sqrt()


def jacobian_rms_bias(now: Moment, start: Moment) -> Tensor:
    return _jacobian(now, start)[1].sqrt()


def hessian_rms(now: Moment, _: Moment) -> Tensor:
    return hessian_mean_squares(now.layers, Passes(now.problem.train, now.kept, now.layers.signals(now.kept))).sqrt()
