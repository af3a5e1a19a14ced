"""Trained ensembles of infinitely wide networks: Gaussian at every time (theory.md §3.5).

The outputs are not centred: they start as f_0 ~ GP(0, K). Each network follows the kernel dynamics, which are affine in
f_0.
"""

from dataclasses import dataclass

import numpy.typing as npt

from sweepengine.theory._checks import as_float_array, as_kernel, require_rows
from sweepengine.theory._dynamics import KernelDynamics
from sweepengine.theory._errors import ShapeError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Mean and covariance of the outputs over an ensemble of trained networks.

    Attributes
    ----------
    mean : array (*t.shape, Q) or (*t.shape, Q, k)
    covariance : array (*t.shape, Q, Q)
        Covariance of one output; the outputs are independent.
    """

    mean: Array
    covariance: Array


def train_ensemble(
    dynamics: KernelDynamics, t: npt.ArrayLike, targets: npt.ArrayLike, nngp_train: npt.ArrayLike
) -> Ensemble:
    """Return the ensemble on the training points: mean (I − E)y and covariance E K E.

    Parameters
    ----------
    dynamics : KernelDynamics
        Dynamics of the kernel of the trained parameters: the NTK, or K if only the last layer is trained.
    t : float or array (T,)
    targets : array (N,) or (N, k)
    nngp_train : array (N, N)
        K, the covariance of f_0.
    """
    y = as_float_array(targets, "targets")
    k_train = as_kernel(nngp_train, "nngp_train")
    require_rows(k_train, dynamics.eigenvalues.size, "nngp_train", "row of the training kernel")
    left = dynamics.operator(dynamics.decay(t))
    return Ensemble(dynamics.train(t, 0 * y, y), left @ k_train @ left)


def query_ensemble(
    dynamics: KernelDynamics,
    t: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    kernel_cross: npt.ArrayLike,
    nngp_train: npt.ArrayLike,
    nngp_cross: npt.ArrayLike,
    nngp_query: npt.ArrayLike,
) -> Ensemble:
    """Return the ensemble on query points, trained under the kernel Θ of `dynamics`.

    The mean is A y and the covariance K_qq + A K_xx Aᵀ − K_qx Aᵀ − A K_xq, with A = Θ_qx Θ_xx⁻¹(I − E(t)).

    Parameters
    ----------
    dynamics : KernelDynamics
        Dynamics of Θ on the training points.
    t : float or array (T,)
    targets : array (N,) or (N, k)
    kernel_cross : array (Q, N)
        Θ(query, training points).
    nngp_train, nngp_cross, nngp_query : arrays (N, N), (Q, N), (Q, Q)
        Blocks of K, the covariance of f_0.
    """
    cross = dynamics.check_cross(kernel_cross)
    k_train, k_query = as_kernel(nngp_train, "nngp_train"), as_kernel(nngp_query, "nngp_query")
    k_cross = as_float_array(nngp_cross, "nngp_cross")
    if k_cross.shape != cross.shape or k_query.shape[0] != cross.shape[0] or k_train.shape[0] != cross.shape[1]:
        raise ShapeError(
            f"nngp_train {k_train.shape}, nngp_cross {k_cross.shape}, nngp_query {k_query.shape} do not fit "
            f"kernel_cross {cross.shape}; expected (N, N), (Q, N), (Q, Q)"
        )
    y = require_rows(as_float_array(targets, "targets"), cross.shape[1], "targets", "training point")
    fitted = cross @ dynamics.operator(dynamics.growth(t))
    transposed = fitted.swapaxes(-1, -2)
    mixed = fitted @ k_cross.T
    covariance = k_query + fitted @ k_train @ transposed - mixed - mixed.swapaxes(-1, -2)
    return Ensemble(fitted @ y, (covariance + covariance.swapaxes(-1, -2)) / 2)


def last_layer_ensemble(
    dynamics: KernelDynamics,
    t: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    nngp_cross: npt.ArrayLike,
    nngp_query: npt.ArrayLike,
) -> Ensemble:
    """Return the ensemble on query points when only the last layer (with its bias) is trained.

    The mean is K_qx K⁻¹(I − E)y and the covariance K_qq − K_qx K⁻¹(I − E²)K_xq; at t = ∞ this is the noiseless Bayesian
    posterior.

    Parameters
    ----------
    dynamics : KernelDynamics
        Dynamics of K on the training points.
    t : float or array (T,)
    targets : array (N,) or (N, k)
    nngp_cross, nngp_query : arrays (Q, N), (Q, Q)
        Blocks of K, the covariance of f_0.
    """
    cross = dynamics.check_cross(nngp_cross)
    k_query = as_kernel(nngp_query, "nngp_query")
    require_rows(k_query, cross.shape[0], "nngp_query", "row of nngp_cross")
    y = require_rows(as_float_array(targets, "targets"), cross.shape[1], "targets", "training point")
    growth = dynamics.growth(t)
    mean = cross @ dynamics.operator(growth) @ y
    explained = cross @ dynamics.operator(growth * (1 + dynamics.decay(t))) @ cross.T
    return Ensemble(mean, k_query - (explained + explained.swapaxes(-1, -2)) / 2)
