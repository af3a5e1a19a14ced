"""Matrix norms and spectra of a group's matrices, where one diverged run must not stop the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of symmetric matrices ([R,] n, n), ascending; NaN for one that is not finite.

    The solver refuses what is not finite.
    """
    safe, finite = finite_or_zero(matrix)
    return torch.where(finite[..., None], torch.linalg.eigvalsh(safe), torch.nan)


def finite_or_zero(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices ([R,] a, b) with zeros for one that is not finite, and which are, ([R,])."""
    finite = torch.isfinite(matrix).all(-1).all(-1)
    return torch.where(finite[..., None, None], matrix, 0.0), finite


def operator_norm(matrix: Tensor) -> Tensor:
    """Largest singular value of ([R,] a, b), from the Gram matrix of the shorter side.

    Returns
    -------
    Tensor, shape ([R,])
        NaN for a matrix that is not finite.
    """
    tall = matrix if matrix.shape[-1] <= matrix.shape[-2] else matrix.mT
    gram: Tensor = tall.mT @ tall
    return eigenvalues(gram)[..., -1].clamp_min(0).sqrt()


def row_basis(matrix: Tensor, precision: torch.dtype) -> Tensor:
    """Orthonormal rows that span the rows of ([R,] n, m), zeros beyond the rank; shape ([R,] min(n, m), m), float64.

    Parameters
    ----------
    matrix : Tensor
    precision : torch.dtype
        What the rows were rounded to: a singular value below max(n, m) of its epsilons, relative to the largest, is 0.

    Returns
    -------
    Tensor
        NaN for a matrix that is not finite.
    """
    safe, finite = finite_or_zero(matrix.to(torch.float64))
    _, sizes, rows = torch.linalg.svd(safe, full_matrices=False)
    kept = sizes > max(matrix.shape[-2:]) * torch.finfo(precision).eps * sizes[..., :1]
    basis: Tensor = rows * kept.unsqueeze(-1)
    return torch.where(finite[..., None, None], basis, torch.nan)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ of matrices ([R,] n, m), shape ([R,])."""
    return (a * b).sum((-1, -2))


def frobenius(matrix: Tensor) -> Tensor:
    """Frobenius norm of ([R,] n, m), shape ([R,])."""
    return inner(matrix, matrix).sqrt()


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """``matrix vector`` for ([R,] n, m) and ([R,] m); either may lack R."""
    product: Tensor = matrix @ vector.unsqueeze(-1)
    return product.squeeze(-1)


def rms(values: Tensor, dims: int = 1) -> Tensor:
    """Root mean square over the last dims, in float64."""
    return values.to(torch.float64).square().mean(tuple(range(-dims, 0))).sqrt()
