"""Distance from the network linearised at t = 0, in outputs and in parameters (theory.md §2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sweepengine.networks import COSTS, linear_factor
from sweepengine.observe._linalg import apply, rms
from sweepengine.observe._movement_measures import squared_distance
from sweepengine.observe._shared import shared

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._moment import Moment


class _Linear(NamedTuple):
    """The linearised model after n steps of descent or flow, in float64, over ([R,] Nk).

    Attributes
    ----------
    train : Tensor
        f^lin_t on the training points.
    pull : Tensor
        (η/N) Σ ∂ℓ/∂f over the steps, which Jacobians multiply to give the change of parameters and of outputs
        elsewhere. For the squared error it is Θ_0⁻¹(I − E)(f_0 − y) with E = (I − ηΘ_0/N)^n for descent and
        e^{−Θ_0 nη/N} for flow.
    """

    train: Tensor
    pull: Tensor


@shared
def _linear(now: Moment, start: Moment) -> _Linear:
    """The linearised model: in closed form for the squared error, else step by step."""
    return _by_modes(now, start) if isinstance(now.problem.cost, COSTS["mse"]) else _by_steps(now, start)


def _by_steps(now: Moment, start: Moment) -> _Linear:
    """The linearised model after f ← f − (η/N) Θ_0 ∂ℓ/∂f for any cost (theory.md §3.6).

    The moment at t = 0 keeps how far the steps have come, so that each step is taken once for all records.
    """
    first = start.train.forward.outputs.to(torch.float64)
    y = now.problem.y_train.to(torch.float64)
    rate = now.problem.step_size / y.shape[0]
    done, pull = start.shared.get(_by_steps, (0, torch.zeros_like(now.flat(first))))
    for _ in range(done, now.step):
        outputs = first - apply(start.matrix, pull).reshape(first.shape)
        pull = pull + rate * now.flat(now.problem.cost.gradient(outputs, y))
    start.shared[_by_steps] = (now.step, pull)
    return _Linear(now.flat(first) - apply(start.matrix, pull), pull)


def _by_modes(now: Moment, start: Moment) -> _Linear:
    """The linearised model by the eigenvalues λ of Θ_0, with the method's own factor for a step.

    At λ = 0 the matrix Θ_0⁻¹(I − E) is nη/N.
    """
    values, vectors = start.spectrum
    y = now.flat(now.problem.y_train)
    rate = now.problem.step_size / now.problem.y_train.shape[0]
    lost = rate * values
    decay = linear_factor(now.problem.method, -lost) ** now.step
    residual = apply(vectors.mT, start.flat(start.train.forward.outputs) - y)
    summed = summed_powers(lost, decay, now.step)
    return _Linear(y + apply(vectors, decay * residual), apply(vectors, rate * summed * residual))


def summed_powers(lost: Tensor, decay: Tensor, steps: int) -> Tensor:
    """(1 − decay)/lost, where decay = (1 − lost + O(lost²))^steps; float64, shape of ``lost``.

    Below 1e-8 the subtraction would lose half of the digits, and one step is 1 − lost to a relative 1e-8.
    """
    small = torch.where(lost == 0, float(steps), -torch.expm1(steps * torch.log1p(-lost)) / lost)
    return torch.where(lost > 1e-8, (1 - decay) / lost, small)


def _distance_train(now: Moment, start: Moment) -> Tensor:
    return now.flat(now.train.forward.outputs) - _linear(now, start).train


def _distance_test(now: Moment, start: Moment) -> Tensor:
    """f^lin on query points (theory.md §3.4)."""
    linear = start.flat(start.test.outputs) - apply(start.matrix_test_train, _linear(now, start).pull)
    return now.flat(now.test.outputs) - linear


def linear_params_distance(now: Moment, start: Moment) -> Tensor:
    """‖θ_t − θ_0 − ω_t‖/‖θ_t − θ_0‖; 0 where the numerator is 0, as at t = 0.

    ω_t is computed as one step of descent from θ_0 with the residuals of the linearised model summed over its steps, so
    frozen parameters do not move.
    """
    n = now.problem.y_train.shape[0]
    outputs = start.train.forward.outputs
    pull = _linear(now, start).pull.to(outputs.dtype).reshape(outputs.shape)
    omega = start.network.parameters.map(torch.zeros_like)
    start.network.descend(*start.train, pull, float(n), into=omega)
    moved, _ = squared_distance(now, start)
    missed = torch.zeros_like(moved)
    ends = (now.network.parameters, start.network.parameters, omega)
    for after, before, linear in zip(*(end.tensors().values() for end in ends), strict=True):
        rest = (after.to(torch.float64) - before.to(torch.float64) - linear).square()
        missed += rest.sum(tuple(range(missed.dim(), rest.dim()))) if rest.dim() > missed.dim() else rest
    return torch.where(missed == 0, 0.0, (missed / moved).sqrt())


def linear_distance_train(now: Moment, start: Moment) -> Tensor:
    return rms(_distance_train(now, start))


def linear_distance_test(now: Moment, start: Moment) -> Tensor:
    return rms(_distance_test(now, start))


def random_feature_distance(now: Moment, start: Moment) -> Tensor:
    return _distance_train(now, start).abs().amax(-1)
