"""Kernel gradient flow for a general cost (theory.md §3.6): ḟ = −(1/N) Θ ∂C(f)/∂f, Θ constant.

The unknown is w_t = ∫₀ᵗ ∂C/∂f ds on the training points, because f_t = f_0 − Θ w_t/N on every point and
θ_t − θ_0 = −(m^{2γ−1}/α²) Jᵀ w_t/N. So one equation of the size of the training set gives the outputs on training and
query points, and the parameters.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from sweepengine.theory._checks import as_float_array, as_kernel, require_count, require_positive, require_rows
from sweepengine.theory._costs import Cost
from sweepengine.theory._errors import IntegrationError, ParameterError, ShapeError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class CostTrajectory:
    """A training run under a constant kernel.

    Attributes
    ----------
    times : array (T,)
    weights : array (T, N, k)
        w_t = ∫₀ᵗ ∂C/∂f ds (flow) or η Σ ∂C/∂f (descent).
    train : array (T, N, k)
        f_t on the training points.
    query : array (T, Q, k) or None
        f_t on the query points, if the problem has any.
    """

    times: Array
    weights: Array
    train: Array
    query: Array | None


@dataclass(frozen=True, slots=True)
class CostProblem:
    """Kernel, cost and data of a run.

    Attributes
    ----------
    kernel : array (N, N)
        Θ on the training points, shared by the k outputs.
    cost : Cost
    f0, targets : arrays (N, k)
    kernel_cross : array (Q, N), optional
        Θ(query, training points).
    f0_query : array (Q, k), optional
    points : int, optional
        N of ḟ = −(1/N) Θ ∂C/∂f; by default the number of training points, 1 for a cost summed over points.
    """

    kernel: Array
    cost: Cost
    f0: Array
    targets: Array
    kernel_cross: Array | None = None
    f0_query: Array | None = None
    points: int | None = None

    def __post_init__(self) -> None:
        kernel = as_kernel(self.kernel, "kernel")
        f0, y = as_float_array(self.f0, "f0"), as_float_array(self.targets, "targets")
        if f0.ndim != 2 or f0.shape != y.shape:
            raise ShapeError(f"f0 has shape {f0.shape} and targets {y.shape}; expected both (N, k)")
        require_rows(f0, kernel.shape[0], "f0", "row of the kernel")
        if (self.kernel_cross is None) != (self.f0_query is None):
            raise ParameterError("kernel_cross and f0_query come together: give both or neither")
        if self.kernel_cross is not None and self.f0_query is not None:
            expected = (self.f0_query.shape[0], kernel.shape[0])
            if self.kernel_cross.shape != expected or self.f0_query.shape[1:] != f0.shape[1:]:
                raise ShapeError(
                    f"kernel_cross has shape {self.kernel_cross.shape} and f0_query {self.f0_query.shape}; "
                    f"expected (Q, {kernel.shape[0]}) and (Q, {f0.shape[1]})"
                )
        if self.points is not None:
            require_count(self.points, "points")

    def force(self, weights: Array) -> Array:
        """Return ∂C/∂f (N, k) at the outputs that the weights w (N, k) give."""
        return self.cost.gradient(self.functions(weights, self.kernel, self.f0), self.targets)

    def functions(self, weights: Array, kernel: Array, start: Array) -> Array:
        """Return start − kernel w/N for weights (…, N, k)."""
        divisor = self.kernel.shape[0] if self.points is None else self.points
        moved: Array = start - kernel @ weights / divisor
        return moved

    def trajectory(self, times: Array, weights: Array) -> CostTrajectory:
        """Return the run whose weights at `times` are `weights` (T, N, k)."""
        query = None
        if self.kernel_cross is not None and self.f0_query is not None:
            query = self.functions(weights, self.kernel_cross, self.f0_query)
        return CostTrajectory(times, weights, self.functions(weights, self.kernel, self.f0), query)


def kernel_gradient_flow(
    problem: CostProblem, times: npt.ArrayLike, *, rtol: float = 1e-9, atol: float = 1e-11
) -> CostTrajectory:
    """Solve ḟ = −(1/N) Θ ∂C/∂f and return the run at `times`.

    Parameters
    ----------
    problem : CostProblem
    times : array (T,)
        Finite, ≥ 0, increasing.
    rtol, atol : float
        Tolerances of the stiff solver (LSODA) for the weights.

    Raises
    ------
    ParameterError
        If the times are not finite, increasing and ≥ 0.
    IntegrationError
        If the solver stops before the last time.
    """
    at = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if at.ndim != 1 or not at.size or not np.isfinite(at).all() or (at < 0).any() or (np.diff(at) <= 0).any():
        raise ParameterError(f"times = {at}; expected at least one, finite and increasing numbers >= 0")
    shape = np.shape(problem.f0)
    start = np.zeros(int(np.prod(shape)))
    if at[-1] == 0:
        return problem.trajectory(at, start.reshape(1, *shape))
    solution = scipy.integrate.solve_ivp(
        lambda _, w: problem.force(w.reshape(shape)).ravel(),
        (0.0, float(at[-1])),
        start,
        method="LSODA",
        t_eval=at,
        rtol=rtol,
        atol=atol,
    )
    if not solution.success:
        stopped = solution.t[-1] if solution.t.size else 0.0
        raise IntegrationError(
            f"kernel gradient flow of the {problem.cost.name} cost stopped at t = {stopped:.6g} "
            f"of {at[-1]:.6g}: {solution.message}; loosen rtol or shorten times"
        )
    return problem.trajectory(at, np.asarray(solution.y).T.reshape(at.size, *shape))


def kernel_gradient_descent(problem: CostProblem, steps: npt.ArrayLike, step: float) -> CostTrajectory:
    """Iterate f ← f − (η/N) Θ ∂C/∂f and return the run after each of the numbers of steps in `steps`.

    Parameters
    ----------
    problem : CostProblem
    steps : array of int (T,)
        Increasing, ≥ 0; the times of the result are steps · step.
    step : float
        η.

    Raises
    ------
    ParameterError
        If `steps` are not increasing integers ≥ 0, or the step is not positive.
    """
    at = np.atleast_1d(np.asarray(steps))
    if at.ndim != 1 or not at.size or at.dtype.kind not in "iu" or at[0] < 0 or (np.diff(at) <= 0).any():
        raise ParameterError(f"steps = {at}; expected at least one, increasing integers >= 0")
    eta = require_positive(step, "step")
    weights = np.zeros(np.shape(problem.f0))
    recorded = []
    done = 0
    for target in at.tolist():
        for _ in range(target - done):
            weights = weights + eta * problem.force(weights)
        done = target
        recorded.append(weights)
    return problem.trajectory(at * eta, np.stack(recorded))
