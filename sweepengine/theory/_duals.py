"""The dual activation as a public function, which checks its arguments."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweepengine.theory._activation import ActivationSpec, activation
from sweepengine.theory._checks import as_float_array
from sweepengine.theory._errors import NotPositiveDefiniteError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class DualActivation:
    """E[φ(u)φ(v)] and E[φ'(u)φ'(v)] for (u, v) ~ N(0, [[q1, k], [k, q2]]).

    Attributes
    ----------
    value, derivative : arrays, broadcast shape of (q1, q2, k)
    error : float
        Estimated absolute error of `value` and of `derivative`; 0 for a closed form.
    """

    value: Array
    derivative: Array
    error: float


def dual_activation(spec: ActivationSpec, q1: npt.ArrayLike, q2: npt.ArrayLike, k: npt.ArrayLike) -> DualActivation:
    """Return the dual of an activation and of its derivative (theory.md §3.2).

    Parameters
    ----------
    spec : ActivationSpec
    q1, q2, k : arrays, broadcast together, one dtype
        Variances ≥ 0 and covariance, k² ≤ q1 q2.

    Raises
    ------
    NotPositiveDefiniteError
        If a variance is negative, or if |k| exceeds √(q1 q2) by more than rounding.
    """
    arrays = [as_float_array(a, name) for a, name in ((q1, "q1"), (q2, "q2"), (k, "k"))]
    dtype = np.result_type(*arrays)
    first, second, covariance = (a.astype(dtype) for a in np.broadcast_arrays(*arrays))
    least = float(min(first.min(), second.min()))
    if least < 0:
        raise NotPositiveDefiniteError(
            f"variance {least:.6g} < 0: q1 and q2 must be >= 0", least_eigenvalue=least, smallest_noise=-least
        )
    limit = np.sqrt(first) * np.sqrt(second)
    excess = float((np.abs(covariance) - limit * (1 + 8 * np.finfo(dtype).eps)).max())
    if excess > 0:
        raise NotPositiveDefiniteError(
            f"|k| exceeds sqrt(q1 q2) by {excess:.3g}: no Gaussian pair has this covariance",
            least_eigenvalue=-excess,
            smallest_noise=excess,
        )
    phi = activation(spec)
    value, derivative = phi.dual(*(np.atleast_1d(a) for a in (first, second, covariance)))
    error = max(phi.error(first), phi.error(second))
    return DualActivation(value.reshape(covariance.shape), derivative.reshape(covariance.shape), error)
