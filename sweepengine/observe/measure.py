"""The values of the chosen variables at one record, each from a moment and the moment at t = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks import loss
from sweepengine.observe._moment import Moment, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

__all__ = ["Moment", "Problem", "Recorder", "operator_norm"]


def _eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of symmetric matrices, ascending; NaN for one that is not finite.

    One diverged run must not stop its group, and the solver refuses what is not finite.
    """
    finite = torch.isfinite(matrix).all(-1).all(-1)
    values = torch.linalg.eigvalsh(torch.where(finite[..., None, None], matrix, 0.0))
    return torch.where(finite[..., None], values, torch.nan)


def operator_norm(matrix: Tensor) -> Tensor:
    """Largest singular value of ([R,] a, b), from the Gram matrix of the shorter side.

    Returns
    -------
    Tensor, shape ([R,])
        NaN for a matrix that is not finite.
    """
    tall = matrix if matrix.shape[-1] <= matrix.shape[-2] else matrix.mT
    gram: Tensor = tall.mT @ tall
    return _eigenvalues(gram)[..., -1].clamp_min(0).sqrt()


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-1, -2))


def _frobenius(matrix: Tensor) -> Tensor:
    return _inner(matrix, matrix).sqrt()


def _drift(now: Moment, start: Moment) -> Tensor:
    return _frobenius(now.kernel64 - start.kernel64) / _frobenius(start.kernel64)


def _drift_op(now: Moment, start: Moment) -> Tensor:
    norms = [_eigenvalues(each).abs().amax(-1) for each in (now.kernel64 - start.kernel64, start.kernel64)]
    return norms[0] / norms[1]


def _alignment(now: Moment, _: Moment) -> Tensor:
    y = now.problem.y_train.to(torch.float64)
    return (now.kernel64 @ y) @ y / (_frobenius(now.kernel64) * (y @ y))


def _centred(kernel: Tensor) -> Tensor:
    rows = kernel - kernel.mean(-1, keepdim=True)
    return rows - rows.mean(-2, keepdim=True)


def _cka(now: Moment, start: Moment) -> Tensor:
    a, b = _centred(now.kernel64), _centred(start.kernel64)
    return _inner(a, b) / (_inner(a, a) * _inner(b, b)).sqrt()


def _accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    # An output of exactly 0 decides nothing and counts as wrong; a NaN makes the share NaN.
    right = (outputs * targets > 0).to(torch.float64)
    return torch.where(outputs.isnan(), torch.nan, right).mean(-1)


def _preactivation_movement(now: Moment, start: Moment) -> Tensor:
    pairs = zip(now.preactivations, start.preactivations, strict=True)
    return torch.stack([(a - b).to(torch.float64).square().mean((-1, -2)).sqrt() for a, b in pairs], dim=-1)


def _flips(now: Moment, start: Moment) -> Tensor:
    pairs = zip(now.preactivations, start.preactivations, strict=True)
    return torch.stack([((a > 0) != (b > 0)).to(torch.float64).mean((-1, -2)) for a, b in pairs], dim=-1)


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    product: Tensor = matrix @ vector.unsqueeze(-1)
    return product.squeeze(-1)


def _linear_modes(now: Moment, start: Moment) -> tuple[Tensor, Tensor, Tensor]:
    """1 − ηλ/N for each mode of Θ_0, the modes, and the modes' part of f_0 − y."""
    values, vectors = start.spectrum
    y = now.problem.y_train.to(torch.float64)
    factors = 1 - now.problem.step_size * values / y.shape[0]
    return factors, vectors, _apply(vectors.mT, start.train.forward.outputs.to(torch.float64) - y)


def _linear_train(now: Moment, start: Moment) -> Tensor:
    factors, vectors, residual = _linear_modes(now, start)
    linear = now.problem.y_train.to(torch.float64) + _apply(vectors, factors**now.step * residual)
    return (now.train.forward.outputs.to(torch.float64) - linear).square().mean(-1).sqrt()


def _linear_test(now: Moment, start: Moment) -> Tensor:
    """S1 eq 73 with n steps of descent: Θ⁻¹(I − (1 − ηΘ/N)^n) by its eigenvalues, nη/N at λ = 0."""
    factors, vectors, residual = _linear_modes(now, start)
    rate = now.problem.step_size / now.problem.y_train.shape[0]
    lost = 1 - factors
    # Below 1e-8 the quotient has lost its digits and n is exact to them.
    summed = torch.where(lost > 1e-8, (1 - factors**now.step) / lost, float(now.step))
    pull = _apply(vectors, rate * summed * residual)
    linear = start.test.outputs.to(torch.float64) - _apply(start.kernel_test_train.to(torch.float64), pull)
    return (now.test.outputs.to(torch.float64) - linear).square().mean(-1).sqrt()


MEASURES: dict[str, Callable[[Moment, Moment], Tensor]] = {
    "loss_train": lambda now, _: loss(
        now.problem.cost, now.train.forward.outputs, now.problem.y_train, now.problem.y_train.dim() == 2
    ),
    "loss_test": lambda now, _: loss(
        now.problem.cost, now.test.outputs, now.problem.y_test, now.problem.y_test.dim() == 2
    ),
    "outputs_train": lambda now, _: now.train.forward.outputs,
    "outputs_test": lambda now, _: now.test.outputs,
    "kernel": lambda now, _: now.kernel,
    "kernel_drift": _drift,
    "accuracy_train": lambda now, _: _accuracy(now.train.forward.outputs, now.problem.y_train),
    "accuracy_test": lambda now, _: _accuracy(now.test.outputs, now.problem.y_test),
    "kernel_test_train": lambda now, _: now.kernel_test_train,
    "kernel_eigenvalues": lambda now, _: _eigenvalues(now.kernel64),
    "kernel_drift_op": _drift_op,
    "kernel_alignment": _alignment,
    "kernel_cka": _cka,
    "preactivation_movement": _preactivation_movement,
    "activation_flips": _flips,
    "linear_distance_train": _linear_train,
    "linear_distance_test": _linear_test,
}
"""Variable → its value from the moment and that at t = 0; the movement variables come together, from :func:`_movement`."""

MOVEMENT = frozenset({"movement_relative", "movement_row_max", "movement_op", "movement_total"})


def _movement(now: Moment, start: Moment, names: frozenset[str]) -> dict[str, Tensor]:
    """The movement variables: one layer's change in float64 at a time, because it is as large as the network."""
    ends = (now.network.parameters, start.network.parameters)
    width = ends[0].width
    relative, rows, norms = [], [], []
    moved_total, total = torch.zeros(()), torch.zeros(())
    for after, before in zip(*(end.layer_matrices() for end in ends), strict=True):
        change = after.to(torch.float64) - before.to(torch.float64)
        moved, squares = change.square().sum((-1, -2)), before.to(torch.float64).square().sum((-1, -2))
        moved_total, total = moved_total + moved, total + squares
        relative.append((moved / squares).sqrt())
        rows.append(change.square().sum(-1).amax(-1).sqrt())
        if "movement_op" in names:
            norms.append(operator_norm(change) / width**0.5)
    if ends[0].output_bias is not None and ends[1].output_bias is not None:
        after, before = (end.output_bias.to(torch.float64) for end in ends if end.output_bias is not None)
        moved_total, total = moved_total + (after - before).square(), total + before.square()
    found = {
        "movement_relative": torch.stack(relative, dim=-1),
        "movement_row_max": torch.stack(rows, dim=-1),
        "movement_total": (moved_total / total).sqrt(),
    }
    return found | ({"movement_op": torch.stack(norms, dim=-1)} if norms else {})


class Recorder:
    """Measures the chosen variables of a group of networks against what they were at t = 0.

    Parameters
    ----------
    names : sequence of str
        Variables of :data:`sweepengine.observe.VARIABLES`.
    start : Moment
        The networks at t = 0, of parameters that training does not change.
    """

    def __init__(self, names: Sequence[str], start: Moment) -> None:
        self._start = start
        self._single = [name for name in names if name not in MOVEMENT]
        self._movement = MOVEMENT & set(names)

    def measure(self, now: Moment) -> dict[str, Tensor]:
        """The chosen variables at one record.

        Returns
        -------
        dict of Tensor
            Variable → value, of the variable's dims without ``record``, and without ``run`` for a single network.
        """
        values = {name: MEASURES[name](now, self._start) for name in self._single}
        if self._movement:
            found = _movement(now, self._start, self._movement)
            values |= {name: found[name] for name in self._movement}
        return values
