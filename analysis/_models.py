"""Models of a curve along an axis, compared by what they predict for the largest value when it is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._jackknife import Estimate, estimate
from sweepengine.analysis._limit import LARGEST_CORRECTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS: Final = 60
"""Steps of Levenberg and Marquardt from the best point of the grid; the error left is below 1e-6 (tested)."""


@dataclass(frozen=True, slots=True)
class Model:
    """log Q = a − s z + shape(θ, z), where z = log(x/x_max) and a, s are fitted for every θ.

    Attributes
    ----------
    name, formula
        How reports call it.
    shape
        θ (..., k) and z (M,) to the curve (..., M).
    bounds
        Least and greatest value of every component of θ; empty where there is none.
    slope
        Whether s is fitted; 0 if not.
    """

    name: str
    formula: str
    shape: Callable[[Floats, Floats], Floats]
    bounds: tuple[tuple[float, float], ...] = ()
    slope: bool = True

    @property
    def parameters(self) -> int:
        """Number of parameters, log A included."""
        return 1 + self.slope + len(self.bounds)


def _straight(theta: Floats, z: Floats) -> Floats:
    return np.zeros((*theta.shape[:-1], z.size))


def _term(q: float) -> Callable[[Floats, Floats], Floats]:
    def shape(theta: Floats, z: Floats) -> Floats:
        return np.asarray(np.log1p(np.expm1(theta) * np.exp(-q * (z - z[0]))), dtype=np.float64)

    return shape


def _levelling(theta: Floats, z: Floats) -> Floats:
    p, share = theta[..., :1], theta[..., 1:]
    return np.asarray(np.log(share + (1 - share) * np.exp(-p * z)), dtype=np.float64)


_C: Final = float(np.log(LARGEST_CORRECTION))
OFFSET: Final = Model("offset", "Q∞ + A x^−p", _levelling, ((0.05, 4.0), (-2.0, 0.999)), slope=False)
"""θ is p and the share of Q∞ in Q at the largest x."""
POWER_LAW: Final = Model("power law", "A x^−p", _straight)
FINITE_SIZE: Final = (
    Model("finite size 1/2", "A x^−p (1 + B x^−1/2)", _term(0.5), ((-_C, _C),)),
    Model("finite size 1", "A x^−p (1 + B x^−1)", _term(1.0), ((-_C, _C),)),
)
MODELS: Final = (POWER_LAW, *FINITE_SIZE, OFFSET)


@dataclass(frozen=True, slots=True)
class ModelFit:
    """One model's prediction of the largest x, and its parameters.

    Attributes
    ----------
    name, formula
        The model.
    error
        log of predicted over measured Q at the largest x, from a fit to all others.
    level, p
        Q∞ and p of the offset model through all x, as if the model were true; None for other models, whose exponent is
        that of the fit.
    """

    name: str
    formula: str
    error: Estimate
    level: Estimate | None = field(default=None)
    p: Estimate | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        own = {key: part.to_dict() for key, part in (("level", self.level), ("p", self.p)) if part}
        return {"model": self.name, "formula": self.formula, "error_of_log_prediction": self.error.to_dict(), **own}


def fit_model(model: Model, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Fit one model by least squares: θ (..., k) and the coefficients (..., 1 or 2) of 1 and z.

    Parameters
    ----------
    model
        The model.
    y, z
        Log means (..., M) and log axis (M,).
    """
    linear = np.stack([np.ones_like(z), z][: 1 + model.slope], axis=1)
    solve = np.linalg.pinv(linear)
    across = np.eye(z.size) - linear @ solve
    k = len(model.bounds)
    batch = y.shape[:-1]
    if not k:
        return np.empty((*batch, 0)), y @ solve.T
    low, high = (np.array(ends) for ends in zip(*model.bounds, strict=True))
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, 41) for a, b in model.bounds), indexing="ij"), -1).reshape(-1, k)

    def residual(theta: Floats) -> Floats:
        return np.asarray((y - model.shape(theta, z)) @ across, dtype=np.float64)

    squares = np.sum(((y[..., None, :] - model.shape(grid, z)) @ across) ** 2, axis=-1)
    theta = grid[np.argmin(squares, axis=-1)]
    damping = np.full((*batch, 1), 1e-3)
    h = 1e-6 * (high - low)
    for _ in range(_STEPS):
        r = residual(theta)
        slopes = np.stack([(residual(theta + h * e) - residual(theta - h * e)) / (2 * h @ e) for e in np.eye(k)], -1)
        normal = np.einsum("...mi,...mj->...ij", slopes, slopes)
        scaled = normal + damping[..., None] * np.maximum(normal, 1e-12) * np.eye(k)
        step = np.linalg.solve(scaled, np.einsum("...mi,...m->...i", slopes, r)[..., None])[..., 0]
        moved = np.clip(theta - step, low, high)
        better = np.sum(residual(moved) ** 2, -1, keepdims=True) <= np.sum(r**2, -1, keepdims=True)
        theta = np.where(better, moved, theta)
        damping = np.clip(np.where(better, damping / 4, damping * 8), 1e-12, 1e12)
    return theta, (y - model.shape(theta, z)) @ solve.T


def _curve(model: Model, theta: Floats, linear: Floats, z: Floats) -> Floats:
    powers = np.stack([np.ones_like(z), z][: linear.shape[-1]])
    return np.asarray(model.shape(theta, z) + linear @ powers, dtype=np.float64)


def compare_models(
    full: Floats, left_out: Floats, log_x: Floats, confidence: float = CONFIDENCE
) -> tuple[ModelFit, ...]:
    """Fit every model that has no more parameters than there are other values of x, the best prediction first.

    Parameters
    ----------
    full, left_out, log_x
        Log means (M,), log means without one seed (S, M), log axis (M,).
    confidence
        Coverage of the intervals, by the studentised jackknife.
    """
    z = log_x - log_x[-1]
    y = np.concatenate([full[None], left_out])
    fits = []
    for model in MODELS:
        if model.parameters > z.size - 1:
            continue
        theta, linear = fit_model(model, y[:, :-1], z[:-1])
        errors = _at_last(model, theta, linear, z) - y[:, -1]
        level = p = None
        if model is OFFSET:
            theta, linear = fit_model(model, y, z)
            levels = np.exp(linear[:, 0]) * theta[:, 1]
            level, p = (estimate(float(v[0]), v[1:], confidence) for v in (levels, theta[:, 0]))
        fits.append(ModelFit(model.name, model.formula, estimate(float(errors[0]), errors[1:], confidence), level, p))
    return tuple(sorted(fits, key=lambda fit: abs(fit.error.value)))


def _at_last(model: Model, theta: Floats, linear: Floats, z: Floats) -> Floats:
    """The curve at the last z, of a model that was fitted to the others."""
    return _curve(model, theta, linear, z)[..., -1]


def smoothed(full: Floats, log_x: Floats, at: Floats) -> Floats:
    """Log means of the law with the finite-size term that fits a curve best, at any log axis.

    Parameters
    ----------
    full, log_x
        Log means and log axis (M,).
    at
        Log axis (M',) of the result; its first value is that of `log_x`.
    """
    found = []
    for model in FINITE_SIZE:
        theta, linear = fit_model(model, full, log_x)
        misfit = float(np.sum((_curve(model, theta, linear, log_x) - full) ** 2))
        found.append((misfit, _curve(model, theta, linear, at)))
    return min(found, key=lambda pair: pair[0])[1]
