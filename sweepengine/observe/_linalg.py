"""Norms and spectra of the matrices of a group of runs. The matrix of a diverged run gives NaN and stops no other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

LANCZOS_FROM = 192
"""Length of the shorter side from which an operator norm is computed without decomposing the matrix."""
LANCZOS_STEPS = 128
"""Steps after which Lanczos' method gives up."""
_SQUARES_FROM = 1e-24
"""Sum of squares of a float32 matrix from which no square matters that has fewer digits, being below 1e-38."""
_GOLDEN = 0.6180339887498949


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of symmetric matrices ([R,] n, n), ascending; NaN for a matrix that is not finite."""
    safe, finite = finite_or_zero(matrix)
    return torch.where(finite[..., None], torch.linalg.eigvalsh(safe), torch.nan)


def finite_or_zero(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices ([R,] a, b), with zeros for those that are not finite, and a mask ([R,]) of the finite matrices."""
    finite = torch.isfinite(matrix).all(-1).all(-1)
    return torch.where(finite[..., None, None], matrix, 0.0), finite


def operator_norm(matrix: Tensor) -> Tensor:
    """Largest singular value of ([R,] a, b) in float64.

    For a float64 matrix it has a relative error of 1e-12. The Gram matrix of a float32 matrix A whose shorter side is
    below :data:`LANCZOS_FROM` is a product in float32, rounded to E: the error of the result is at most ‖E‖/2σ_max,
    with ‖E‖ ≤ c ε ‖A‖_F² (Weyl; Higham, Accuracy and Stability of Numerical Algorithms, §3.5), which is about the error
    ε of float32 where few singular values are large. Products must be in full precision.

    Returns
    -------
    Tensor, shape ([R,])
        NaN for a matrix that is not finite.
    """
    tall = matrix if matrix.shape[-1] <= matrix.shape[-2] else matrix.mT
    if tall.dim() == 3:
        return torch.stack([operator_norm(each) for each in tall])
    short = tall.shape[-1]
    if short == 1 or short >= LANCZOS_FROM:
        tall = tall.to(torch.float64)
    if short >= LANCZOS_FROM and torch.isfinite(tall).all():
        square = _largest_by_lanczos(tall)
        if square is not None:
            return tall.new_tensor(square).sqrt()
    if short == 1:
        return frobenius(tall)
    gram = tall.mT @ tall
    size = float(gram.trace())  # a sum of squares: no entry hides in it
    if gram.dtype == torch.float32 and not _SQUARES_FROM < size < math.inf:
        return operator_norm(tall.to(torch.float64))
    if not math.isfinite(size):
        return gram.new_tensor(torch.nan)
    largest: Tensor = torch.linalg.eigvalsh(gram.to(torch.float64))[-1]
    return largest.clamp_min(0).sqrt()


def _largest_by_lanczos(tall: Tensor) -> float | None:
    """Largest eigenvalue of AᵀA by Lanczos' method with full reorthogonalisation, or None without convergence.

    The change of a layer has few large singular values, so a dozen products with A replace a decomposition of m³
    operations. The residual bounds the distance of the result to an eigenvalue (Parlett, The Symmetric Eigenvalue
    Problem, §4.5). That this is the largest eigenvalue needs a start that is not orthogonal to its eigenvector: the
    start has fixed numbers without any pattern.
    """
    n = tall.shape[-1]
    start = torch.frac(torch.arange(1, n + 1, dtype=torch.float64, device=tall.device) * _GOLDEN) - 0.5
    basis = tall.new_zeros((LANCZOS_STEPS + 1, n))
    basis[0] = start / start.norm()
    projected = torch.zeros((LANCZOS_STEPS, LANCZOS_STEPS), dtype=torch.float64, device="cpu")
    for step in range(LANCZOS_STEPS):
        known = basis[: step + 1]
        image = tall.mT @ (tall @ basis[step])
        projected[step, step] = torch.dot(basis[step], image)
        for _ in range(2):  # a single pass leaves rounding errors that grow
            image = image - known.mT @ (known @ image)
        rest = float(image.norm())
        values, vectors = torch.linalg.eigh(projected[: step + 1, : step + 1])
        if rest * abs(float(vectors[-1, -1])) <= 1e-12 * float(values[-1]):
            return float(values[-1])
        if step + 1 < LANCZOS_STEPS:
            projected[step, step + 1] = projected[step + 1, step] = rest
        basis[step + 1] = image / rest
    return None


def row_basis(matrix: Tensor, precision: torch.dtype) -> Tensor:
    """Orthonormal rows that span the rows of ([R,] n, m), zeros beyond the rank; shape ([R,] min(n, m), m), float64.

    Parameters
    ----------
    matrix : Tensor
    precision : torch.dtype
        Precision to which the rows were rounded, with epsilon ε. A singular value below max(n, m) ε times the largest
        counts as 0.

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
    norm: Tensor = torch.linalg.vector_norm(matrix, dim=(-2, -1))
    return norm


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """``matrix vector`` for ([R,] n, m) and ([R,] m); either may lack R."""
    product: Tensor = matrix @ vector.unsqueeze(-1)
    return product.squeeze(-1)


def rms(values: Tensor, dims: int = 1) -> Tensor:
    """Root mean square over the last ``dims`` dims, in float64."""
    return values.to(torch.float64).square().mean(tuple(range(-dims, 0))).sqrt()
