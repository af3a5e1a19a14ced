"""Gaussian process regression and ridge regression with given kernels (theory.md §3.3)."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from sweepengine.theory._checks import as_float_array, as_kernel, require_count, require_nonnegative, require_rows
from sweepengine.theory._errors import NotPositiveDefiniteError, ShapeError
from sweepengine.theory._linalg import positive_cholesky, positive_spectrum, solve_factored, spectral_rounding
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gaussian law of the function on query points given data.

    Attributes
    ----------
    mean : array (Q,) or (Q, k)
    covariance : array (Q, Q)
        Covariance of one output; the outputs are independent.
    noise, jitter : float
        The two numbers that were added to the diagonal of the training kernel: the variance of the observations, and a
        jitter that only makes the solve possible. Both are 0 unless the caller asks for them.
    """

    mean: Array
    covariance: Array
    noise: float
    jitter: float


def posterior(
    nngp_train: npt.ArrayLike,
    nngp_cross: npt.ArrayLike,
    nngp_query: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    noise: float = 0.0,
    jitter: float = 0.0,
    of_observations: bool = False,
) -> Posterior:
    """Return p(f* | data), the Gaussian law of the function on query points.

    Its mean is K_qx (K_xx + σ_ε² I)⁻¹ y and its covariance K_qq − K_qx (K_xx + σ_ε² I)⁻¹ K_xq.

    Parameters
    ----------
    nngp_train, nngp_cross, nngp_query : arrays (N, N), (Q, N), (Q, Q)
    targets : array (N,) or (N, k)
    noise : float
        Variance σ_ε² of the observations; with 0 the mean interpolates the targets.
    jitter : float
        Added to the diagonal of K_xx beside the noise, for the solve only; the result records it.
    of_observations : bool
        Whether to predict y* = f* + ε instead of f*, which adds the noise to the diagonal of the covariance.

    Raises
    ------
    DuplicateInputsError, NotPositiveDefiniteError
        If K_xx + (noise + jitter) I is singular to rounding; the message names the smallest noise that is enough.
    """
    cross = as_float_array(nngp_cross, "nngp_cross")
    prior = as_kernel(nngp_query, "nngp_query")
    y = as_float_array(targets, "targets")
    factor = positive_cholesky(
        nngp_train, require_nonnegative(noise, "noise") + require_nonnegative(jitter, "jitter"), name="nngp_train"
    )
    require_rows(y, factor.shape[0], "targets", "row of nngp_train")
    if cross.shape != (prior.shape[0], factor.shape[0]):
        raise ShapeError(
            f"nngp_cross has shape {cross.shape}; expected (Q, N) = ({prior.shape[0]}, {factor.shape[0]}): "
            "query points are its rows"
        )
    whitened = scipy.linalg.solve_triangular(factor, cross.T, lower=True, check_finite=False)
    covariance = prior - whitened.T @ whitened
    covariance = (covariance + covariance.T) / 2
    _check_variances(covariance, prior, factor)
    if of_observations:
        covariance[np.diag_indices_from(covariance)] += noise
    return Posterior(cross @ solve_factored(factor, y), covariance, float(noise), float(jitter))


def _check_variances(covariance: Array, prior: Array, factor: Array) -> None:
    """Set variances that are negative by rounding to 0; raise if a variance is negative by more than that."""
    variances = np.diagonal(covariance)
    pivots = np.diagonal(factor)
    condition = float(pivots.max() / pivots.min()) ** 2
    allowed = condition * spectral_rounding(prior, float(np.diagonal(prior).max()))
    worst = float(variances.min())
    if worst < -allowed:
        raise NotPositiveDefiniteError(
            f"posterior variance {worst:.3g} < 0 at query {int(variances.argmin())} (rounding allows {-allowed:.3g}): "
            "nngp_train, nngp_cross and nngp_query are not blocks of one kernel; compute them with the same settings",
            least_eigenvalue=worst,
            smallest_noise=-worst,
        )
    covariance[np.diag_indices_from(covariance)] = np.maximum(variances, 0)


def log_marginal_likelihood(
    nngp_train: npt.ArrayLike, targets: npt.ArrayLike, *, noise: float = 0.0, jitter: float = 0.0
) -> float:
    """Return log p(y | X) = −½ yᵀ(K + σ_ε²)⁻¹y − ½ log det(K + σ_ε²) − (N/2) log 2π, summed over outputs.

    Parameters
    ----------
    nngp_train : array (N, N)
    targets : array (N,) or (N, k)
    noise, jitter : float
        As in `posterior`.
    """
    y = as_float_array(targets, "targets")
    factor = positive_cholesky(
        nngp_train, require_nonnegative(noise, "noise") + require_nonnegative(jitter, "jitter"), name="nngp_train"
    )
    require_rows(y, factor.shape[0], "targets", "row of nngp_train")
    columns = y.reshape(y.shape[0], -1)
    whitened = scipy.linalg.solve_triangular(factor, columns, lower=True, check_finite=False)
    determinant = 2 * float(np.log(np.diagonal(factor)).sum())
    per_output = determinant + len(y) * math.log(2 * math.pi)
    return -0.5 * (float(np.square(whitened).sum()) + columns.shape[1] * per_output)


def sample_prior(kernel: npt.ArrayLike, rng: np.random.Generator, samples: int, outputs: int | None = None) -> Array:
    """Return functions drawn from GP(0, kernel), shape (S, N), or (S, N, k) with `outputs` = k.

    The draws use the spectrum of the kernel, which may be singular: duplicate points get equal values.
    """
    values, vectors = positive_spectrum(kernel)
    shape = (
        require_count(samples, "samples"),
        values.size,
        1 if outputs is None else require_count(outputs, "outputs"),
    )
    draws = (vectors * np.sqrt(values)) @ rng.standard_normal(shape)
    drawn: Array = draws[..., 0] if outputs is None else draws
    return drawn


def ridge_primal(features: npt.ArrayLike, targets: npt.ArrayLike, ridge: float) -> Array:
    """Return w = (ΦᵀΦ + λI)⁻¹Φᵀy, shape (P,) or (P, k), for features Φ (N, P)."""
    phi, y = as_float_array(features, "features"), as_float_array(targets, "targets")
    require_rows(y, phi.shape[0], "targets", "row of features")
    return solve_factored(positive_cholesky(phi.T @ phi, ridge, name="features^T features"), phi.T @ y)


def ridge_dual(kernel: npt.ArrayLike, targets: npt.ArrayLike, ridge: float) -> Array:
    """Return α = (K + λI)⁻¹y, shape (N,) or (N, k): K_qx α is Φ_q w of `ridge_primal` for K = ΦΦᵀ."""
    y = as_float_array(targets, "targets")
    factor = positive_cholesky(kernel, ridge)
    return solve_factored(factor, require_rows(y, factor.shape[0], "targets", "row of kernel"))
