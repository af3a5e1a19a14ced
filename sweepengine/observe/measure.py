"""The values of every variable at one record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks import loss

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks import Cost, Forward, Network, Parameters


def operator_norm(matrix: Tensor) -> Tensor:
    """Largest singular value of ([R,] a, b), from the Gram matrix of the shorter side.

    Returns
    -------
    Tensor, shape ([R,])
        NaN for a matrix that is not finite: one diverged run must not stop its group.
    """
    tall = matrix if matrix.shape[-1] <= matrix.shape[-2] else matrix.transpose(-1, -2)
    gram = tall.transpose(-1, -2) @ tall
    finite = torch.isfinite(gram).all(-1).all(-1)
    top = torch.linalg.eigvalsh(torch.where(finite[..., None, None], gram, 0.0))[..., -1]
    return torch.where(finite, top.clamp_min(0).sqrt(), torch.nan)


class Recorder:
    """Measures a group of networks against what they were at t = 0.

    Parameters
    ----------
    initial : Parameters
        The parameters at t = 0; kept, not copied.
    kernel : Tensor, shape ([R,] N, N)
        The kernel at t = 0.
    cost : Cost
    y_train, y_test : Tensor, shapes (N,) and (N_test,)
    """

    def __init__(self, initial: Parameters, kernel: Tensor, cost: Cost, y_train: Tensor, y_test: Tensor) -> None:
        self._initial = initial.layer_matrices()
        self._extra = initial.output_bias
        self._squares = [each.to(torch.float64).square().sum((-1, -2)) for each in self._initial]
        self._kernel = kernel.to(torch.float64)
        self._kernel_norm = torch.linalg.matrix_norm(self._kernel)
        self._cost, self._targets = cost, (y_train, y_test)

    def measure(self, network: Network, kernel: Tensor, train: Forward, test: Forward) -> dict[str, Tensor]:
        """All variables at one record.

        Parameters
        ----------
        network : Network
        kernel : Tensor, shape ([R,] N, N)
        train, test : Forward
            Forward passes on the training and test points at the present parameters.

        Returns
        -------
        dict of Tensor
            Keyed by the names of :data:`sweepengine.observe.VARIABLES`; the variable's dims without ``record``, and
            without ``run`` for a single network.
        """
        width = network.parameters.width
        change = [
            (now - start).to(torch.float64)
            for now, start in zip(network.parameters.layer_matrices(), self._initial, strict=True)
        ]
        moved = [each.square().sum((-1, -2)) for each in change]
        total_moved, total = sum(moved[1:], moved[0]), sum(self._squares[1:], self._squares[0])
        if self._extra is not None and network.parameters.output_bias is not None:
            moved_bias = (network.parameters.output_bias - self._extra).to(torch.float64).square()
            squares = self._extra.to(torch.float64).square()
            if network.parameters.has_output_dim:
                moved_bias, squares = moved_bias.sum(-1), squares.sum(-1)
            total_moved, total = total_moved + moved_bias, total + squares
        relative = [(a / b).sqrt() for a, b in zip(moved, self._squares, strict=True)]
        drift = torch.linalg.matrix_norm(kernel.to(torch.float64) - self._kernel) / self._kernel_norm
        return {
            "loss_train": loss(self._cost, train.outputs, self._targets[0]),
            "loss_test": loss(self._cost, test.outputs, self._targets[1]),
            "outputs_train": train.outputs,
            "outputs_test": test.outputs,
            "kernel": kernel,
            "kernel_drift": drift,
            "movement_relative": torch.stack(relative, dim=-1),
            "movement_row_max": torch.stack([each.square().sum(-1).amax(-1).sqrt() for each in change], dim=-1),
            "movement_op": torch.stack([operator_norm(each) / width**0.5 for each in change], dim=-1),
            "movement_total": (total_moved / total).sqrt(),
        }
