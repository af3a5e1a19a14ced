"""Activation functions with their derivatives and duals, by name or made from a callable."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import scipy

from sweepengine.theory._angle import Kink, piecewise_linear_dual
from sweepengine.theory._checks import require_count
from sweepengine.theory._closed_forms import (
    COS,
    ERF,
    EXP,
    GELU,
    IDENTITY,
    QUADRATIC,
    SIN,
    hermite_dual,
    hermite_value,
)
from sweepengine.theory._dual import Dual
from sweepengine.theory._errors import ParameterError, UnknownActivationError
from sweepengine.theory._quadrature import HermiteSeries
from sweepengine.theory._types import Array, Elementwise, Parity

LEAKY_SLOPE = 0.01
QUADRATURE_TERMS = 256


def _exact(q: Array) -> float:  # noqa: ARG001  (the signature of `HermiteSeries.error`)
    return 0.0


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function φ and what the infinite-width limit needs of it.

    Attributes
    ----------
    name : str
    function, derivative : callable
        φ and φ', elementwise. At its kink a piecewise linear φ has the slope of u < 0, as in torch (0 for `relu`), but
        `abs` has 0.
    dual : Dual
        (q1, q2, k) → (E[φ(u)φ(v)], E[φ'(u)φ'(v)]).
    slopes : (float, float), optional
        Slopes on u > 0 and u < 0 of a piecewise linear φ, whose kernels the angle recursion of `_angle` computes; None
        for any other φ.
    parity : {"odd", "even", "none"}
        Symmetry of φ.
    degree : int, optional
        Degree of a polynomial φ; None for any other φ.
    monomial : bool
        Whether φ(u) is a multiple of u^degree.
    error : callable
        Maps an array of variances to the estimated absolute error of the dual, a float; 0 for a closed form.
    """

    name: str
    function: Elementwise
    derivative: Elementwise
    dual: Dual
    slopes: tuple[float, float] | None = None
    parity: Parity = "none"
    degree: int | None = None
    monomial: bool = False
    error: Callable[[Array], float] = field(default=_exact)

    @property
    def exact(self) -> bool:
        """Whether the dual is a closed form."""
        return self.error is _exact

    @property
    def homogeneous(self) -> bool:
        """Whether φ(cu) = c^p φ(u) for c > 0. Without biases, parallel inputs then make the kernel singular."""
        return self.slopes is not None or self.monomial


ActivationSpec = str | tuple[str, float] | Activation


def piecewise_linear(positive: float, negative: float, name: str = "piecewise_linear") -> Activation:
    """Return φ(u) = positive·max(u, 0) + negative·min(u, 0).

    Raises
    ------
    ParameterError
        If both slopes are 0, or if a slope is not finite.
    """
    if not (np.isfinite(positive) and np.isfinite(negative)) or positive == negative == 0:
        raise ParameterError(f"slopes ({positive}, {negative}): expected finite numbers, not both 0")
    kink = Kink.of(positive, negative)

    def function(u: Array) -> Array:
        return positive * np.maximum(u, 0) + negative * np.minimum(u, 0)

    def derivative(u: Array) -> Array:
        at_zero = 0.0 if positive == -negative else negative
        return np.where(u > 0, positive, np.where(u < 0, negative, at_zero)).astype(u.dtype)

    def of_pair(first: Array, second: Array, k: Array) -> tuple[Array, Array]:
        return piecewise_linear_dual(kink, first[0], second[0], k)

    parity: Parity = "even" if positive == -negative else "odd" if positive == negative else "none"
    degree = 1 if positive == negative else None
    dual = Dual(lambda q: q[None], of_pair)
    return Activation(name, function, derivative, dual, (float(positive), float(negative)), parity, degree)


def hermite(degree: int) -> Activation:
    """Return the normalised probabilists' Hermite polynomial h_q, q ≥ 1 (E h_q(z)² = 1 for z ~ N(0, 1))."""
    require_count(degree, "degree of the Hermite polynomial")
    root = float(np.sqrt(degree))
    return Activation(
        f"hermite{degree}",
        lambda u: hermite_value(degree, u),
        lambda u: root * hermite_value(degree - 1, u),
        hermite_dual(degree),
        parity="even" if degree % 2 == 0 else "odd",
        degree=degree,
        monomial=degree == 1,
    )


def from_callable(
    function: Elementwise,
    derivative: Elementwise,
    *,
    name: str = "callable",
    terms: int = QUADRATURE_TERMS,
    parity: Parity = "none",
    tolerance: float = 1e-3,
) -> Activation:
    """Return an activation whose dual is computed by Gauss–Hermite quadrature (see `Activation.error`).

    Parameters
    ----------
    function, derivative : callable
        φ and φ', elementwise on float arrays of any shape.
    name : str
        Name of φ in messages.
    terms : int
        Number of terms of the Hermite series, ≥ 4. For a smooth φ raise it until `error` is small. For a φ with a kink
        the series converges slowly; use `piecewise_linear`, which is exact, for linear pieces that meet at 0.
    parity : {"odd", "even", "none"}
        Symmetry of φ. The series leaves out the terms that are zero by it, and `definiteness` uses it.
    tolerance : float
        Largest `error` at variance 1 that is accepted; `inf` accepts every one.

    Raises
    ------
    ParameterError
        If φ does not have the parity that is given, or the `error` of the series is larger than the tolerance.
    """
    u = np.linspace(0.1, 4, 40)
    turned = {"odd": -1, "even": 1, "none": 0}[parity] * np.asarray(function(-u))
    if parity != "none" and not np.allclose(turned, function(u), rtol=1e-9):
        raise ParameterError(f"parity = {parity!r}, but {name} is not {parity}; give its own parity, or 'none'")
    series = HermiteSeries(function, derivative, terms, parity)
    error = series.error(np.ones(1))
    if not error <= tolerance:
        raise ParameterError(
            f"{name}: the error of a Hermite series of {terms} terms is {error:.2g} at variance 1; expected "
            f"{tolerance:g}. Use piecewise_linear where linear pieces meet at 0, raise `terms` for a smooth function, "
            "or accept the error by `tolerance`"
        )
    return Activation(name, function, derivative, series.dual, parity=parity, error=series.error)


def _hermite_of(degree: float) -> Activation:
    if not float(degree).is_integer():
        raise ParameterError(f"degree of the Hermite polynomial = {degree}; expected an integer >= 1")
    return hermite(int(degree))


def _erf(u: Array) -> Array:
    return np.asarray(scipy.special.erf(u))


def _normal_cdf(u: Array) -> Array:
    return np.asarray(scipy.special.ndtr(u))


def _sigmoid(u: Array) -> Array:
    return np.asarray(scipy.special.expit(u))


def _gelu_derivative(u: Array) -> Array:
    return np.asarray(_normal_cdf(u) + u * np.exp(-u * u / 2) / np.sqrt(2 * np.pi))


_FIXED: Mapping[str, Callable[[], Activation]] = MappingProxyType(
    {
        "relu": lambda: piecewise_linear(1, 0, "relu"),
        "leaky_relu": lambda: piecewise_linear(1, LEAKY_SLOPE, "leaky_relu"),
        "abs": lambda: piecewise_linear(1, -1, "abs"),
        "erf": lambda: Activation("erf", _erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u), ERF, parity="odd"),
        "sin": lambda: Activation("sin", np.sin, np.cos, SIN, parity="odd"),
        "cos": lambda: Activation("cos", np.cos, lambda u: -np.sin(u), COS, parity="even"),
        "gelu": lambda: Activation("gelu", lambda u: u * _normal_cdf(u), _gelu_derivative, GELU),
        "exp": lambda: Activation("exp", np.exp, np.exp, EXP),
        "identity": lambda: Activation(
            "identity", np.copy, np.ones_like, IDENTITY, parity="odd", degree=1, monomial=True
        ),
        "quadratic": lambda: Activation(
            "quadratic", np.square, lambda u: 2 * u, QUADRATIC, parity="even", degree=2, monomial=True
        ),
        "tanh": lambda: from_callable(np.tanh, lambda u: 1 - np.tanh(u) ** 2, name="tanh", parity="odd"),
        "softplus": lambda: from_callable(lambda u: np.logaddexp(0, u), _sigmoid, name="softplus"),
    }
)
_WITH_PARAMETER: Mapping[str, Callable[[float], Activation]] = MappingProxyType(
    {
        "leaky_relu": lambda slope: piecewise_linear(1, slope, "leaky_relu"),
        "hermite": _hermite_of,
    }
)


def known_activations() -> tuple[str, ...]:
    """Return the names that `activation` accepts, with their parameter if they take one."""
    return (*_FIXED, "('leaky_relu', slope)", "('hermite', degree)")


def activation(spec: ActivationSpec) -> Activation:
    """Return the activation named by `spec`.

    Parameters
    ----------
    spec : str, (str, float) or Activation
        A name, a name with its parameter ("leaky_relu": slope, default 0.01; "hermite": degree), or an `Activation`
        (from `from_callable` or `piecewise_linear`), which is returned as it is.

    Raises
    ------
    UnknownActivationError
        Listing the known names.
    """
    if isinstance(spec, Activation):
        return spec
    if isinstance(spec, str) and spec in _FIXED:
        return _FIXED[spec]()
    if isinstance(spec, tuple) and len(spec) == 2 and spec[0] in _WITH_PARAMETER:
        return _WITH_PARAMETER[spec[0]](spec[1])
    raise UnknownActivationError(
        f"unknown activation {spec!r}; known: {', '.join(known_activations())}; any other through from_callable(φ, φ')"
    )
