"""Cholesky factors and spectra of kernels, with errors that say what to do. Nothing here inverts a matrix."""

import math

import numpy as np
import numpy.typing as npt
import scipy

from sweepengine.theory._checks import as_kernel, require_nonnegative
from sweepengine.theory._errors import DuplicateInputsError, NotPositiveDefiniteError
from sweepengine.theory._types import Array


def spectral_rounding(kernel: Array, largest: float) -> float:
    """Return N ε λ_max: an eigenvalue below it cannot be told from 0."""
    eps = float(np.finfo(kernel.dtype).eps)
    return len(kernel) * eps * largest


def _singular(kernel: Array, noise: float, name: str) -> NotPositiveDefiniteError:
    """Return the error that says why kernel + noise·I has no Cholesky factor, or only one that is made of rounding."""
    spectrum = scipy.linalg.eigvalsh(kernel)
    least, largest = float(spectrum[0]), float(spectrum[-1])
    enough = 4 * spectral_rounding(kernel, largest) + 2 * max(-least, 0.0)
    # Rounded up to two digits, so that the number in the message works when it is typed in.
    unit = 10.0 ** (math.floor(math.log10(enough)) - 1) if enough > 0 else 0.0
    enough = math.ceil(enough / unit) * unit if unit else 0.0
    diagonal = np.diagonal(kernel)
    distance = diagonal[:, None] + diagonal - 2 * kernel
    close = np.argwhere(np.triu(distance <= 8 * float(np.finfo(kernel.dtype).eps) * (diagonal[:, None] + diagonal), 1))
    what = f"{name} + {noise:.3g} I is singular to rounding: least eigenvalue {least:.3g}, largest {largest:.3g}"
    way_out = f"the smallest noise (or jitter) that would do is {enough:.2g}"
    if close.size:
        i, j = close[0]
        return DuplicateInputsError(
            f"{what}; points {i} and {j} are duplicates ({len(close)} such pairs): drop one of each, or {way_out}",
            least_eigenvalue=least,
            smallest_noise=enough,
        )
    return NotPositiveDefiniteError(f"{what}; {way_out}", least_eigenvalue=least, smallest_noise=enough)


def positive_cholesky(kernel: npt.ArrayLike, noise: float = 0.0, *, name: str = "kernel") -> Array:
    """Return the lower Cholesky factor of kernel + noise·I.

    Raises
    ------
    NotPositiveDefiniteError, DuplicateInputsError
        If the factor does not exist, or if a pivot is no larger than its rounding error. The error's `smallest_noise`
        is enough noise for the same solve.
    """
    matrix = as_kernel(kernel, name)
    require_nonnegative(noise, "noise")
    shifted = matrix.copy()
    shifted[np.diag_indices_from(shifted)] += noise
    try:
        factor: Array = scipy.linalg.cholesky(shifted, lower=True, check_finite=False, overwrite_a=True)
    except np.linalg.LinAlgError:
        raise _singular(matrix, noise, name) from None
    scale = float(np.diagonal(matrix).max()) + noise
    if float(np.diagonal(factor).min()) ** 2 <= spectral_rounding(matrix, scale):
        raise _singular(matrix, noise, name)
    return factor


def solve_factored(factor: Array, right: Array) -> Array:
    """Return (L Lᵀ)⁻¹ right by two triangular solves."""
    solution: Array = scipy.linalg.cho_solve((factor, True), right, check_finite=False)
    return solution


def positive_spectrum(kernel: npt.ArrayLike, *, name: str = "kernel") -> tuple[Array, Array]:
    """Return eigenvalues (ascending, ≥ 0) and eigenvectors (columns) of a positive semidefinite kernel.

    Eigenvalues that are negative by rounding become 0.

    Raises
    ------
    NotPositiveDefiniteError
        If an eigenvalue is more negative than rounding allows.
    """
    matrix = as_kernel(kernel, name)
    values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
    allowed = 8 * spectral_rounding(matrix, float(values[-1]))
    if values[0] < -allowed:
        raise NotPositiveDefiniteError(
            f"{name} has the eigenvalue {values[0]:.6g} < 0 (rounding allows {-allowed:.3g}): it is no covariance; "
            f"a noise of {-float(values[0]):.2g} on the diagonal would make it one",
            least_eigenvalue=float(values[0]),
            smallest_noise=-float(values[0]),
        )
    return np.maximum(values, 0), vectors


def least_eigenvalue(kernel: npt.ArrayLike) -> float:
    """Return λ_min of a symmetric kernel, the λ_0 of H^∞; it may be negative by rounding."""
    return float(scipy.linalg.eigvalsh(as_kernel(kernel), subset_by_index=(0, 0))[0])
