"""The quantities of the convergence proof for wide relu networks (theory.md §3.9; Du et al. 2019, §3).

The units: f(x) = m^{−1/2} Σ_k a_k relu(w_k·x), w_k ~ N(0, I_d), a_k = ±1 fixed, only W trained, loss ½ Σ_i (f − y)².
In the time of the mean loss (1/2N) every rate is divided by N: pass `points=N` to `fitting_time_bound`, `check_run`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._checks import as_float_array, as_inputs, require_count, require_positive, require_probability
from sweepengine.theory._errors import ParameterError, ShapeError
from sweepengine.theory._layers import layer_kernels
from sweepengine.theory._linalg import least_eigenvalue
from sweepengine.theory._types import Array


def h_infinity(x: npt.ArrayLike, x2: npt.ArrayLike | None = None, *, activation: ActivationSpec = "relu") -> Array:
    """Return H^∞ = x_i·x_j E φ'(w·x_i) φ'(w·x_j), w ~ N(0, I_d): the NTK of W alone, a_k = ±1 fixed.

    For relu it is x_i·x_j (π − arccos ρ_ij)/2π, with ρ_ij the cosine of the angle between x_i and x_j.

    Parameters
    ----------
    x, x2 : arrays (N, d), (N2, d)
        Two sets of points; x2 defaults to x.
    activation : ActivationSpec

    Returns
    -------
    array (N, N2)
    """
    first = as_inputs(x)
    width = float(np.sqrt(first.shape[1]))
    limits = layer_kernels(first, x2, depth=1, activation=activation, sigma_w=width, sigma_b=0.0, sigma_a=1.0)
    return limits.tangent_kernel([0])


def concentration_width(lambda0: float, points: int, delta: float, norm: float) -> float:
    """Return 8 C⁴ n² log(n(n+1)/δ)/λ_0²: from this width on ‖H_0 − H^∞‖_F ≤ λ_0/4 with probability ≥ 1 − δ.

    Hoeffding's inequality for each of the n(n+1)/2 entries, which are means of m independent numbers in an interval of
    length ≤ C² (theory.md §3.9).

    Parameters
    ----------
    lambda0 : float
        λ_min(H^∞) > 0.
    points : int
        Number n of training points.
    delta : float
        Probability δ of failure.
    norm : float
        C ≥ max |x_i|.
    """
    n = require_count(points, "points")
    delta = require_probability(delta, "delta")
    ratio = require_positive(norm, "norm") ** 2 * n / require_positive(lambda0, "lambda0")
    return 8 * ratio**2 * math.log(n * (n + 1) / delta)


def stability_radius(lambda0: float, points: int, delta: float, norm: float) -> float:
    """Return R = √(2π) δ λ_0/(16 n² C²), the radius of stability (theory.md §3.9).

    With probability ≥ 1 − δ no Ŵ with |ŵ_k − w_k| ≤ R for all k moves H by more than λ_0/4. Proof: a point flips with
    P(|w·x| ≤ R|x|) ≤ 2R/√(2π), an entry of H depends on two points, H has n² entries; then Markov's inequality.
    Parameters as in `concentration_width`.
    """
    n = require_count(points, "points")
    share = require_probability(delta, "delta") * require_positive(lambda0, "lambda0")
    return math.sqrt(2 * math.pi) * share / (16 * n**2 * require_positive(norm, "norm") ** 2)


def fitting_time_bound(lambda0: float, residual: float, tolerance: float, *, points: int = 1) -> float:
    """Return a bound on the time T_1 to reach |y − f_t| ≤ ε: points · (2/λ_0) log(|y − f_0|/ε), or 0.

    It is 0 if the residual is within ε at the start.

    Parameters
    ----------
    lambda0, residual, tolerance : float
        λ_0, |y − f_0|, ε.
    points : int
        1 for the time of the sum loss, N for the time of the mean loss.
    """
    ratio = require_positive(residual, "residual") / require_positive(tolerance, "tolerance")
    return max(0.0, 2 * require_count(points, "points") / require_positive(lambda0, "lambda0") * math.log(ratio))


def movement_bound(lambda0: float, points: int, width: int, residual: float, norm: float) -> float:
    """Return the bound 2C√(n/m)|y − f_0|/λ_0 on max_k |w_k(t) − w_k(0)|."""
    share = math.sqrt(require_count(points, "points") / require_count(width, "width"))
    return 2 * require_positive(norm, "norm") * share * residual / require_positive(lambda0, "lambda0")


def required_width(lambda0: float, points: int, delta: float, norm: float, residual: float) -> float:
    """Return the width that the proof needs for a run that starts with this residual |y − f_0|.

    From it on the movement bound is at most the radius, and H_0 is within λ_0/4 of H^∞, with probability ≥ 1 − 2δ.
    Parameters as in `concentration_width` and `movement_bound`.
    """
    at_one = movement_bound(lambda0, points, 1, require_positive(residual, "residual"), norm)  # the bound is ∝ m^(−1/2)
    still = (at_one / stability_radius(lambda0, points, delta, norm)) ** 2
    return max(concentration_width(lambda0, points, delta, norm), still)


@dataclass(frozen=True, slots=True)
class ProofQuantities:
    """All constants of the proof for one data set.

    Attributes
    ----------
    lambda0 : float
        λ_min(H^∞).
    concentration_width, radius : float
        The results of `concentration_width` and `stability_radius` at the same δ.
    required_width : float
        The result of `required_width`.
    fitting_time : float
        Bound on the time to reach the tolerance, in the time of the sum loss.
    """

    lambda0: float
    concentration_width: float
    radius: float
    required_width: float
    fitting_time: float


def proof_quantities(x: npt.ArrayLike, *, residual: float, delta: float, tolerance: float) -> ProofQuantities:
    """Return the constants of the proof for one data set and one run.

    Parameters
    ----------
    x : array (N, d)
    residual : float
        |y − f_0| of the run.
    delta : float
        Probability δ of failure of each of the two lemmas.
    tolerance : float
        ε, the residual at which the run counts as fitted.

    Raises
    ------
    ParameterError
        If H^∞ is singular (parallel or antipodal inputs): the theorem does not apply.
    """
    inputs = as_inputs(x).astype(np.float64)
    n, norm = inputs.shape[0], float(np.linalg.norm(inputs, axis=1).max())
    kernel = h_infinity(inputs)
    lambda0 = least_eigenvalue(kernel)
    if lambda0 <= n * np.finfo(np.float64).eps * float(np.trace(kernel)):
        raise ParameterError(
            f"λ_0 = {lambda0:.3g} is 0 to rounding: the theorem (Du et al. 2019, §3) needs inputs no two "
            "of which are parallel; drop one of each pair"
        )
    return ProofQuantities(
        lambda0,
        concentration_width(lambda0, n, delta, norm),
        stability_radius(lambda0, n, delta, norm),
        required_width(lambda0, n, delta, norm, residual),
        fitting_time_bound(lambda0, residual, tolerance),
    )


@dataclass(frozen=True, slots=True)
class RunBounds:
    """A run compared with the theorem: each ratio is measured/bound, ≤ 1 where the theorem's conclusion holds.

    Attributes
    ----------
    rate_ratio : float
        Largest |y − f_t|²/(e^{−λ_0 t}|y − f_0|²) at the recorded times t > 0 until the tolerance is reached; 0 if the
        run starts within it.
    time_ratio : float
        First recorded time at which the residual is within the tolerance, over its bound; NaN if there is none.
    movement_ratio : float
        max_k |w_k(t) − w_k(0)| over its bound.
    """

    rate_ratio: float
    time_ratio: float
    movement_ratio: float


def check_run(
    times: npt.ArrayLike,
    residuals: npt.ArrayLike,
    movements: npt.ArrayLike,
    *,
    lambda0: float,
    data_points: int,
    width: int,
    norm: float,
    tolerance: float,
    points: int = 1,
) -> RunBounds:
    """Compare a recorded run with the rate, time and movement bounds of theory.md §3.9.

    Parameters
    ----------
    times, residuals, movements : arrays (T,)
        From t = 0: |y − f_t|, and max_k |w_k(t) − w_k(0)| in the units above.
    lambda0, data_points, width, norm : float, int, int, float
        λ_0, n, m, C = max |x_i|.
    tolerance : float
        ε.
    points : int
        1 if the times are those of the sum loss, n if they are those of the mean loss.

    Raises
    ------
    ShapeError
        If the three arrays differ in length, have fewer than two times, or do not start at t = 0.
    """
    t, r, w = (
        as_float_array(a, name) for a, name in ((times, "times"), (residuals, "residuals"), (movements, "movements"))
    )
    if not t.shape == r.shape == w.shape or t.ndim != 1 or t.size < 2 or t[0] != 0:
        raise ShapeError(f"shapes {t.shape}, {r.shape}, {w.shape}; expected equal (T,), T >= 2, the first time 0")
    bound_time = fitting_time_bound(lambda0, float(r[0]), tolerance, points=points)
    reached = np.flatnonzero(r <= tolerance)
    until = slice(1, int(reached[0]) + 1 if reached.size else t.size)  # at t = 0 the ratio is 1
    allowed = np.exp(-lambda0 * t[until] / require_count(points, "points")) * r[0] ** 2
    # A run that starts within the tolerance meets a time bound of 0 exactly.
    late = math.nan if not reached.size else 0.0 if reached[0] == 0 else float(t[reached[0]]) / bound_time
    moved = float(w.max()) / movement_bound(lambda0, data_points, width, float(r[0]), norm)
    return RunBounds(float((r[until] ** 2 / allowed).max(initial=0.0)), late, moved)
