"""The 1/m variance of the NTK at initialisation, L = 1."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from sweepengine import theory

Floats = npt.NDArray[Any]


def _gauss_hermite(f: Callable[[Floats, Floats], Floats], q1: float, q2: float, k: float) -> float:
    z, w = np.polynomial.hermite_e.hermegauss(170)
    w = w / w.sum()
    u = np.sqrt(q1) * z[:, None]
    v = k / np.sqrt(q1) * z[:, None] + np.sqrt(max(q2 - k * k / q1, 0)) * z
    return float(w @ f(np.broadcast_to(u, v.shape), v) @ w)


@pytest.mark.parametrize("spec", ["erf", "sin", "gelu"])
def test_smooth_moments_by_gauss_hermite(spec: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    act = theory.activation(spec)
    found = theory.ntk_variance(x, activation=spec, sigma_w=0.6, sigma_b=0.4, sigma_a=0.7)
    first = 0.6**2 * x @ x.T / 4 + 0.4**2
    for i in range(3):
        for j in range(3):
            q1, q2, k = float(first[i, i]), float(first[j, j]), float(first[i, j])
            expected = _variance_by_gauss_hermite(act, q1, q2, k)
            assert found[i, j] == pytest.approx(0.7**4 * expected, rel=1e-9)


def _variance_by_gauss_hermite(act: theory.Activation, q1: float, q2: float, k: float) -> float:
    def value(u: Floats, v: Floats) -> Floats:
        return act.function(u) * act.function(v)

    def tangent(u: Floats, v: Floats) -> Floats:
        return k * act.derivative(u) * act.derivative(v)

    def second(u: Floats, v: Floats) -> Floats:
        return np.asarray(value(u, v) ** 2 + 2 * value(u, v) * tangent(u, v) + 3 * tangent(u, v) ** 2)

    mean = _gauss_hermite(value, q1, q2, k) + _gauss_hermite(tangent, q1, q2, k)
    return _gauss_hermite(second, q1, q2, k) - mean**2


def test_relu_diagonal_in_closed_form() -> None:
    """ζ = σ_a²(h² + κa²)1{h>0}, κ = q: E ζ² = (3 + 2 + 3)q²/2, E ζ = q: V = 3q² (Gaussian a), 2q² (signs)."""
    x = np.array([[1.0, -2.0, 0.5]])
    q = 1.69 * 5.25 / 3 + 0.25
    for law, factor in (("gaussian", 3.0), ("signs", 2.0)):
        found = theory.ntk_variance(
            x,
            activation="relu",
            sigma_w=1.3,
            sigma_b=0.5,
            sigma_a=1.1,
            read_out=law,  # type: ignore[arg-type]
        )
        assert found[0, 0] == pytest.approx(1.1**4 * factor * q**2, rel=1e-12)


@pytest.mark.parametrize("spec", ["relu", "tanh"])
@pytest.mark.parametrize("law", ["gaussian", "signs"])
def test_monte_carlo_over_networks(spec: str, law: Literal["gaussian", "signs"], rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    width, networks = 50, 8000
    act = theory.activation(spec)
    arch: dict[str, Any] = {"activation": spec, "sigma_w": 1.3, "sigma_b": 0.5, "sigma_a": 0.8}
    h = 1.3 / 2 * rng.standard_normal((networks, width, 4)) @ x.T + 0.5 * rng.standard_normal((networks, width, 1))
    a = (
        rng.standard_normal((networks, width, 1))
        if law == "gaussian"
        else rng.choice([-1.0, 1.0], (networks, width, 1))
    )
    phi, slope = act.function(h), a * act.derivative(h)
    first = 1.3**2 * x @ x.T / 4 + 0.5**2
    ntk = 0.64 * (np.einsum("smi,smj->sij", phi, phi) + first * np.einsum("smi,smj->sij", slope, slope)) / width
    predicted = theory.ntk_variance(x, **arch, read_out=law) / width
    centred = ntk - ntk.mean(0)
    measured = np.square(centred).mean(0)
    error = np.sqrt((np.mean(centred**4, axis=0) - measured**2) / networks)
    assert (np.abs(measured - predicted) < 4 * error).all()
    assert (np.abs(measured - 1.3 * predicted) > 4 * error).all()
    other = theory.ntk_variance(x, **arch, read_out="signs" if law == "gaussian" else "gaussian") / width
    assert (np.abs(measured - other) > 4 * error).any()


def test_refusals() -> None:
    with pytest.raises(theory.ParameterError, match="do not fluctuate"):
        theory.ntk_variance(np.zeros((1, 2)), activation="relu", sigma_w=1.0, sigma_b=0.0)
    with pytest.raises(theory.ParameterError, match=r"expected one of \['gaussian', 'signs'\]"):
        theory.ntk_variance(
            np.ones((1, 2)),
            activation="relu",
            sigma_w=1.0,
            sigma_b=0.0,
            read_out="ones",  # type: ignore[arg-type]
        )
