"""Training under a constant kernel, in closed form: gradient flow, or gradient descent with its step (theory.md §3.4).

    ḟ = −(1/N) Θ (f − y)   ⇒   f_t − y = E(t) (f_0 − y),
    E(t) = e^{−Θt/N}  (flow),      E(t) = (I − ηΘ/N)^{t/η}  (descent with step η).

The kernel is either the infinite-width kernel (N, N), which k outputs share, or the empirical kernel (N k, N k) of a
finite network over all its outputs, from `flatten_outputs`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweepengine.theory._checks import as_float_array, require_count, require_positive, require_rows
from sweepengine.theory._errors import NotPositiveDefiniteError, ParameterError, ShapeError, UnstableStepError
from sweepengine.theory._linalg import positive_spectrum, spectral_rounding
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class KernelDynamics:
    """The spectrum of a training kernel, and the outputs that training under this kernel gives at any time.

    Attributes
    ----------
    eigenvalues : array (n,)
        λ_j ≥ 0, ascending.
    eigenvectors : array (n, n)
        The v_j, as columns.
    points : int
        N of the loss (1/2N) Σ |f − y|²; 1 for the sum over points.
    step : float or None
        η of gradient descent; None means gradient flow.
    resolution : float
        Eigenvalues up to this number cannot be told from 0.
    """

    eigenvalues: Array
    eigenvectors: Array
    points: int
    step: float | None
    resolution: float

    @classmethod
    def of(cls, kernel: npt.ArrayLike, *, points: int | None = None, step: float | None = None) -> "KernelDynamics":
        """Diagonalise a training kernel.

        Parameters
        ----------
        kernel : array (n, n)
        points : int, optional
            N of the loss; n by default. Pass it for a kernel over k outputs, where n = N k.
        step : float, optional
            η of gradient descent; gradient flow by default.

        Raises
        ------
        ShapeError, NonFiniteError, NotPositiveDefiniteError
            If the kernel is not square, finite, symmetric and positive semidefinite to rounding.
        ParameterError
            If `points` or `step` is not positive.
        """
        values, vectors = positive_spectrum(kernel, name="training kernel")
        count = values.size if points is None else require_count(points, "points")
        eta = None if step is None else require_positive(step, "step")
        return cls(values, vectors, count, eta, spectral_rounding(vectors, float(values[-1])))

    @property
    def rates(self) -> Array:
        """Rate of decay of each mode v_j · (f_t − y): λ_j/N, for descent −log|1 − ηλ_j/N|/η; (n,)."""
        flow = self.eigenvalues / self.points
        if self.step is None:
            return flow
        with np.errstate(divide="ignore"):  # ηλ = N: the mode is gone after one step, its rate is ∞
            descent: Array = -np.log(np.abs(1 - self.step * flow)) / self.step
        return descent

    @property
    def largest_stable_step(self) -> float:
        """2 N/λ_max: gradient descent diverges beyond it."""
        return 2 * self.points / float(self.eigenvalues[-1])

    def decay(self, t: npt.ArrayLike) -> Array:
        """Return the eigenvalues of E(t), shape (*t.shape, n); t = ∞ leaves null modes where they started.

        Raises
        ------
        ParameterError
            If t < 0, or if t is no multiple of the step.
        UnstableStepError
            If t = ∞ and the step is at least `largest_stable_step`.
        """
        times = self._times(t)[..., None]
        null = self.eigenvalues <= self.resolution
        with np.errstate(invalid="ignore"):
            if self.step is None:
                factors = np.exp(-self.eigenvalues * (times / self.points))
            else:
                factors = np.power(1 - self.step * self.eigenvalues / self.points, times)
        result: Array = np.where(np.isinf(times), np.where(null, 1.0, 0.0), factors)
        return result.astype(self.eigenvalues.dtype)

    def growth(self, t: npt.ArrayLike) -> Array:
        """Return the eigenvalues of Θ⁻¹(I − E(t)), shape (*t.shape, n): t/N where λ = 0.

        Raises
        ------
        NotPositiveDefiniteError
            If t = ∞ and the kernel is singular: t/N has no limit.
        """
        raw = self._times(t)
        if np.isinf(raw).any() and self.eigenvalues[0] <= self.resolution:
            raise NotPositiveDefiniteError(
                f"t = ∞ needs a positive definite training kernel; the least eigenvalue is {self.eigenvalues[0]:.3g} "
                f"(resolution {self.resolution:.3g}): give a finite t, "
                f"or add at least {4 * self.resolution:.2g} to the diagonal",
                least_eigenvalue=float(self.eigenvalues[0]),
                smallest_noise=4 * self.resolution,
            )
        times = raw[..., None]
        positive = self.eigenvalues > 0
        safe = np.where(positive, self.eigenvalues, 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.step is None:
                gained = -np.expm1(-safe * (times / self.points))
            else:
                # 1 − (1 − x)^n by expm1 and log1p where x < 1, so that small λ keep their digits.
                x = self.step * safe / self.points
                small = -np.expm1(times * np.log1p(-np.minimum(x, 0.5)))
                gained = np.where(x <= 0.5, small, 1 - np.power(1 - x, times))
            gained = np.where(np.isinf(times), 1.0, gained)
            elapsed = times if self.step is None else times * self.step
            result: Array = np.where(positive, gained / safe, elapsed / self.points)
        return result.astype(self.eigenvalues.dtype)

    def train(self, t: npt.ArrayLike, f0: npt.ArrayLike, targets: npt.ArrayLike) -> Array:
        """Return f_t = y + E(t)(f_0 − y) on the training points.

        Parameters
        ----------
        t : float or array (T,)
            Times ≥ 0, ∞ allowed.
        f0, targets : arrays (n,) or (n, k)

        Returns
        -------
        array (*t.shape, *f0.shape)
        """
        start, y = self._pair(f0, targets)
        return y + self._apply(self.decay(t), start - y)

    def weights(self, t: npt.ArrayLike, f0: npt.ArrayLike, targets: npt.ArrayLike) -> Array:
        """Return Θ⁻¹(I − E(t))(f_0 − y), shape (*t.shape, *f0.shape).

        θ_t − θ_0 = −(m^{2γ−1}/α²) Jᵀ weights and f_t(x) = f_0(x) − Θ(x, X) weights.
        """
        start, y = self._pair(f0, targets)
        return self._apply(self.growth(t), start - y)

    def query(
        self,
        t: npt.ArrayLike,
        kernel_cross: npt.ArrayLike,
        f0_query: npt.ArrayLike,
        f0: npt.ArrayLike,
        targets: npt.ArrayLike,
    ) -> Array:
        """Return f_t on query points.

        Parameters
        ----------
        t : float or array (T,)
        kernel_cross : array (q, n)
            Θ(query, training points).
        f0_query : array (q,) or (q, k)
        f0, targets : arrays (n,) or (n, k)

        Returns
        -------
        array (*t.shape, *f0_query.shape)
        """
        cross = self.check_cross(kernel_cross)
        start = require_rows(as_float_array(f0_query, "f0_query"), cross.shape[0], "f0_query", "row of kernel_cross")
        dual = self.weights(t, f0, targets)
        outputs = np.asarray(f0).ndim - 1
        moved: Array = np.moveaxis(
            np.tensordot(cross, dual, axes=(1, dual.ndim - 1 - outputs)), 0, dual.ndim - 1 - outputs
        )
        return start - moved

    def modes(self, residual: npt.ArrayLike) -> Array:
        """Return v_j · residual for all modes j: the residual's shape, its first axis over modes."""
        start = as_float_array(residual, "residual")
        coefficients: Array = self.eigenvectors.T @ require_rows(
            start, self.eigenvalues.size, "residual", "row of the kernel"
        )
        return coefficients

    def operator(self, spectrum: Array) -> Array:
        """Return V diag(spectrum) Vᵀ, shape (…, n, n), for a spectrum (…, n)."""
        product: Array = (self.eigenvectors * spectrum[..., None, :]) @ self.eigenvectors.T
        return product

    def check_cross(self, kernel_cross: npt.ArrayLike) -> Array:
        """Return kernel_cross as a float array (q, n), or raise."""
        cross = as_float_array(kernel_cross, "kernel_cross")
        if cross.ndim != 2 or cross.shape[1] != self.eigenvalues.size:
            raise ShapeError(
                f"kernel_cross has shape {cross.shape}; expected (q, {self.eigenvalues.size}): "
                "training points are its columns"
            )
        return cross

    def _apply(self, spectrum: Array, vector: Array) -> Array:
        columns = vector.reshape(vector.shape[0], -1)
        moved = self.eigenvectors @ (spectrum[..., None] * (self.eigenvectors.T @ columns))
        result: Array = moved.reshape(*spectrum.shape[:-1], *vector.shape)
        return result

    def _pair(self, f0: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
        start, y = as_float_array(f0, "f0"), as_float_array(targets, "targets")
        if start.shape != y.shape:
            raise ShapeError(f"f0 has shape {start.shape} and targets {y.shape}: they must be equal")
        require_rows(start, self.eigenvalues.size, "f0", "row of the training kernel")
        return start, y

    def _times(self, t: npt.ArrayLike) -> Array:
        """Return times (flow) or whole numbers of steps (descent), float64."""
        times = np.asarray(t, dtype=np.float64)
        if np.isnan(times).any() or (times < 0).any():
            raise ParameterError(f"t = {times}; expected times >= 0")
        if self.step is None:
            return times
        steps = times / self.step
        finite = steps[np.isfinite(steps)]
        off = np.abs(finite - np.rint(finite))
        if (off > 1e-6).any():
            raise ParameterError(
                f"t = {float(finite[off.argmax()]) * self.step:.6g} is no multiple of the step {self.step:.6g}: "
                "gradient descent is defined after whole steps only"
            )
        if np.isinf(steps).any() and self.step >= self.largest_stable_step:
            raise UnstableStepError(
                f"step {self.step:.6g} diverges: it must stay below 2 N/λ_max = {self.largest_stable_step:.6g}"
            )
        return np.rint(steps)


def linearised_parameters(
    jacobian: npt.ArrayLike,
    dynamics: KernelDynamics,
    t: npt.ArrayLike,
    f0: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    scale: float = 1.0,
) -> Array:
    """Return ω_t = θ_t − θ_0 = −scale · Jᵀ Θ⁻¹(I − E(t))(f_0 − y), shape (*t.shape, P) (theory.md §3.4).

    Parameters
    ----------
    jacobian : array (n, P)
        J = ∂f/∂θ at initialisation, rows in the order of the training kernel.
    dynamics : KernelDynamics
        Dynamics of the kernel Θ = scale · J Jᵀ.
    t : float or array (T,)
    f0, targets : arrays (n,)
    scale : float
        m^{2γ−1}/α²; 1 at γ = 1/2, α = 1.
    """
    rows = require_rows(
        as_float_array(jacobian, "jacobian"), dynamics.eigenvalues.size, "jacobian", "row of the kernel"
    )
    moved: Array = -require_positive(scale, "scale") * (dynamics.weights(t, f0, targets) @ rows)
    return moved
