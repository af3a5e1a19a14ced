"""Dual activations against two independent integrals, at the hard angles, and with their negative twins."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from sweepengine import theory

Floats = npt.NDArray[Any]

CLOSED: list[theory.ActivationSpec] = [
    "relu",
    "leaky_relu",
    ("leaky_relu", 0.3),
    ("leaky_relu", -0.4),
    "abs",
    "erf",
    "sin",
    "cos",
    "gelu",
    "identity",
    "quadratic",
    "exp",
    *[("hermite", degree) for degree in (1, 2, 3, 6)],
]
SMOOTH = [a for a in CLOSED if theory.activation(a).slopes is None]
PAIRS = [(1.0, 1.0, 0.3), (0.7, 1.9, -0.8), (2.0, 0.5, 0.99), (1.3, 1.3, 1.3), (0.4, 0.4, -0.4), (1.1, 0.6, 0.0)]


def _by_sectors(act: theory.Activation, q1: float, q2: float, k: float) -> tuple[float, float]:
    return (
        theory.expect_pair(lambda u, v: act.function(u) * act.function(v), q1, q2, k, nodes=64),
        theory.expect_pair(lambda u, v: act.derivative(u) * act.derivative(v), q1, q2, k, nodes=64),
    )


def _by_gauss_hermite(f: Callable[[Floats], Floats], q1: float, q2: float, k: float, nodes: int = 80) -> float:
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    u = np.sqrt(q1) * z
    v = k / np.sqrt(q1) * z[:, None] + np.sqrt(max(q2 - k * k / q1, 0)) * z
    return float(np.einsum("i,j,i,ij->", w, w, f(u), f(v)))


@pytest.mark.parametrize("spec", CLOSED, ids=str)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_closed_form_is_the_integral(spec: theory.ActivationSpec, pair: tuple[float, float, float]) -> None:
    act = theory.activation(spec)
    found = theory.dual_activation(act, *pair)
    expected = _by_sectors(act, *pair)
    size = max(1.0, *(abs(e) for e in expected))
    assert abs(float(found.value) - expected[0]) < 3e-12 * size
    assert abs(float(found.derivative) - expected[1]) < 3e-12 * size
    assert found.error == 0.0


@pytest.mark.parametrize("spec", SMOOTH, ids=str)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_smooth_closed_form_is_gauss_hermite(spec: theory.ActivationSpec, pair: tuple[float, float, float]) -> None:
    act = theory.activation(spec)
    found = theory.dual_activation(act, *pair)
    for value, f in ((found.value, act.function), (found.derivative, act.derivative)):
        expected = _by_gauss_hermite(f, *pair)
        assert abs(float(value) - expected) < 1e-9 * max(1.0, abs(expected))


@pytest.mark.parametrize("spec", ["relu", "abs", "erf", "gelu", "tanh", ("hermite", 2)], ids=str)
def test_monte_carlo_within_four_standard_errors_and_a_wrong_multiplier_is_not(
    spec: theory.ActivationSpec, rng: np.random.Generator
) -> None:
    act = theory.activation(spec)
    q1, q2, k = 0.8, 1.4, 0.5
    z = rng.multivariate_normal([0, 0], [[q1, k], [k, q2]], size=400_000)
    found = theory.dual_activation(act, q1, q2, k)
    for value, f in ((found.value, act.function), (found.derivative, act.derivative)):
        draws = f(z[:, 0]) * f(z[:, 1])
        error = float(draws.std() / np.sqrt(draws.size))
        assert abs(draws.mean() - float(value)) < 4 * error
        assert abs(draws.mean() - 1.1 * float(value)) > 4 * error


@pytest.mark.parametrize("spec", [*CLOSED, "tanh", "softplus"], ids=str)
def test_derivative_is_the_derivative(spec: theory.ActivationSpec) -> None:
    act = theory.activation(spec)
    u = np.array([-2.3, -0.7, -0.01, 0.02, 0.9, 3.1])
    step = 1e-6
    numeric = (act.function(u + step) - act.function(u - step)) / (2 * step)
    np.testing.assert_allclose(act.derivative(u), numeric, rtol=2e-8, atol=2e-8)


@pytest.mark.parametrize("spec", ["relu", "abs", "leaky_relu", ("leaky_relu", -0.4)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_at_both_ends(spec: theory.ActivationSpec, dtype: type[np.floating]) -> None:
    act = theory.activation(spec)
    assert act.slopes is not None
    a, b = act.slopes
    q = np.geomspace(1e-6, 1e6, 41).astype(dtype)
    same, opposite = theory.dual_activation(act, q, q, q), theory.dual_activation(act, q, q, -q)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(same.value / q, (a * a + b * b) / 2, rtol=4 * eps)
    np.testing.assert_allclose(same.derivative, (a * a + b * b) / 2, rtol=4 * eps)
    np.testing.assert_allclose(opposite.value / q, -a * b, rtol=4 * eps, atol=2 * eps)
    np.testing.assert_allclose(opposite.derivative, a * b, rtol=4 * eps, atol=2 * eps)
    if b == 0:
        assert not opposite.value.any()
        assert not opposite.derivative.any()


def test_small_angles_keep_their_digits_and_arccos_does_not() -> None:
    angle = np.geomspace(1e-7, 1e-2, 11)
    # u and v = u(1 + i tan θ)-like pair in which q1, q2, k are exact: k = 1, q1 = 1, q2 = 1 + tan²θ.
    q2 = 1 + np.tan(angle) ** 2
    theta = np.arctan(np.sqrt(q2 - 1))  # the angle that the rounded q2 stands for
    expected = (np.pi - theta) / (2 * np.pi)
    found = theory.dual_activation("relu", np.ones(11), q2, np.ones(11)).derivative
    naive = (np.pi - np.arccos(np.minimum(1 / np.sqrt(q2), 1))) / (2 * np.pi)
    assert np.abs(found / expected - 1).max() < 1e-15
    assert np.abs(naive / expected - 1).max() > 1e-10


def test_hermite_polynomials_are_orthonormal_and_multiply_like_powers() -> None:
    rho = np.linspace(-1, 1, 9)
    one = np.ones_like(rho)
    for degree in (1, 2, 3, 5, 9):
        found = theory.dual_activation(("hermite", degree), one, one, rho)
        np.testing.assert_allclose(found.value, rho**degree, atol=1e-15)
        np.testing.assert_allclose(found.derivative, degree * rho ** (degree - 1), atol=1e-15)
    z, w = np.polynomial.hermite_e.hermegauss(24)
    w = w / w.sum()
    table = np.array([theory.hermite(q).function(z) for q in range(1, 10)])
    np.testing.assert_allclose(table * w @ table.T, np.eye(9), atol=2e-13)


@pytest.mark.parametrize("spec", ["erf", "gelu", "sin", "cos"])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_quadrature_agrees_where_a_closed_form_exists(spec: str, pair: tuple[float, float, float]) -> None:
    act = theory.activation(spec)
    found = theory.dual_activation(theory.from_callable(act.function, act.derivative), *pair)
    exact = theory.dual_activation(act, *pair)
    actual = max(abs(float(found.value - exact.value)), abs(float(found.derivative - exact.derivative)))
    assert actual < 1e-10
    assert actual <= found.error + 1e-14
    assert found.error < 1e-8


@pytest.mark.parametrize("spec", ["tanh", "softplus", "cos"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_terms_that_are_left_out_are_below_rounding(
    spec: str, dtype: type[np.floating], rng: np.random.Generator
) -> None:
    """A series is cut by the largest correlation of its tile; one pair with ρ = 1 makes it sum all terms."""
    exact = theory.activation(spec)
    act = theory.from_callable(exact.function, exact.derivative, parity=exact.parity)
    q = rng.uniform(0.5, 2, 9).astype(dtype)
    for largest in (1e-6, 0.1, 0.7, 0.999):
        k = (largest * rng.uniform(-1, 1, (9, 9)) * np.sqrt(np.outer(q, q))).astype(dtype)
        wide = np.pad(k, ((0, 1), (0, 1)), constant_values=1)
        longer = np.append(q, dtype(1))
        for cut, whole in zip(act.dual(q[:, None], q, k), act.dual(longer[:, None], longer, wide), strict=True):
            size = np.abs(cut).max()
            assert np.abs(cut - whole[:-1, :-1]).max() <= 16 * np.finfo(dtype).eps * size


def test_a_parity_that_is_not_that_of_the_function_is_refused() -> None:
    for parity in ("odd", "even"):
        with pytest.raises(theory.ParameterError, match=rf"parity = '{parity}', but softplus is not {parity}"):
            theory.from_callable(lambda u: np.logaddexp(0, u), np.tanh, name="softplus", parity=parity)


@pytest.mark.parametrize("spec", ["sin", "cos"])
def test_sin_and_cos_of_large_variances_do_not_overflow(spec: str) -> None:
    q = np.array([40.0, 100.0, 1000.0], np.float32)
    found = theory.dual_activation(spec, q, q, q)
    np.testing.assert_allclose(found.value, 0.5, rtol=1e-6)  # E sin² = (1 − e^{−2q})/2
    np.testing.assert_allclose(found.derivative, 0.5, rtol=1e-6)
    apart = theory.dual_activation(spec, q, q, -q)
    np.testing.assert_allclose(np.abs(apart.value), 0.5, rtol=1e-6)


@pytest.mark.parametrize("terms", [16, 64, 128])
def test_stated_error_covers_the_actual_one_for_a_kink(terms: int) -> None:
    relu = theory.activation("relu")
    with pytest.raises(
        theory.ParameterError, match=r"callable: the error of .* at variance 1; expected 0\.001\. Use piecewise"
    ):
        theory.from_callable(relu.function, relu.derivative, terms=terms)
    blind = theory.from_callable(relu.function, relu.derivative, terms=terms, tolerance=float("inf"))
    for pair in PAIRS:
        found, exact = theory.dual_activation(blind, *pair), theory.dual_activation(relu, *pair)
        actual = max(abs(float(found.value - exact.value)), abs(float(found.derivative - exact.derivative)))
        assert actual <= found.error
    # It also has to be of use: not a thousand times too large, and falling.
    assert 1e-3 < theory.dual_activation(blind, 1.0, 1.0, 1.0).error < 4 / np.sqrt(terms)


@pytest.mark.parametrize("spec", ["tanh", "softplus"])
def test_tanh_and_softplus_second_moments(spec: str) -> None:
    act = theory.activation(spec)
    for q in (0.2, 1.0, 3.0):
        found = theory.dual_activation(act, q, q, q)
        for value, f in ((found.value, act.function), (found.derivative, act.derivative)):

            def integrand(z: float, f: Callable[[Floats], Floats] = f, q: float = q) -> float:
                u = np.array(np.sqrt(q) * z)
                return float(f(u) ** 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi))

            expected = quad(integrand, -14, 14, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
            assert abs(float(value) - expected) <= found.error + 2e-14
        assert found.error < 2e-6


@given(
    st.sampled_from(CLOSED),
    st.floats(1e-3, 4.0),
    st.floats(1e-3, 4.0),
    st.floats(-1.0, 1.0),
)
def test_cauchy_schwarz_and_symmetry(spec: theory.ActivationSpec, q1: float, q2: float, rho: float) -> None:
    k = rho * np.sqrt(q1) * np.sqrt(q2)
    found, swapped = theory.dual_activation(spec, q1, q2, k), theory.dual_activation(spec, q2, q1, k)
    first, second = theory.dual_activation(spec, q1, q1, q1), theory.dual_activation(spec, q2, q2, q2)
    for name in ("value", "derivative"):
        value = float(getattr(found, name))
        limit = float(np.sqrt(getattr(first, name) * getattr(second, name)))
        assert abs(value) <= limit * (1 + 1e-12) + 1e-14
        assert abs(value - float(getattr(swapped, name))) <= 1e-12 * limit + 1e-300


def test_float32_stays_float32() -> None:
    q = np.ones(3, np.float32)
    for spec in [*CLOSED, "tanh"]:
        found = theory.dual_activation(spec, q, q, q / 2)
        assert found.value.dtype == found.derivative.dtype == np.float32


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(theory.UnknownActivationError, match=r"unknown activation 'rleu'; known: relu, leaky_relu, abs"):
        theory.activation("rleu")
    with pytest.raises(ValueError, match="softplus"):
        theory.activation(("relu", 0.3))
    with pytest.raises(theory.ParameterError, match="integer"):
        theory.activation(("hermite", 2.5))
    with pytest.raises(theory.ParameterError, match="both 0"):
        theory.piecewise_linear(0, 0)


def test_impossible_covariances_are_refused() -> None:
    with pytest.raises(theory.NotPositiveDefiniteError, match=r"variance -0\.1 < 0"):
        theory.dual_activation("erf", -0.1, 1.0, 0.0)
    with pytest.raises(theory.NotPositiveDefiniteError, match="no Gaussian pair"):
        theory.dual_activation("relu", 1.0, 1.0, 1.001)


def test_leaky_slope_defaults_to_a_hundredth() -> None:
    u = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(theory.activation("leaky_relu").function(u), [-0.02, 3.0])


@pytest.mark.parametrize(
    ("spec", "homogeneous"),
    [
        ("relu", True),
        ("identity", True),
        ("quadratic", True),
        (("hermite", 1), True),
        (("hermite", 2), False),
        ("tanh", False),
    ],
)
def test_what_is_homogeneous_is_so(spec: theory.ActivationSpec, homogeneous: bool) -> None:
    phi, u = theory.activation(spec), np.linspace(-2, 2, 41)
    assert phi.homogeneous == homogeneous
    scales = [(c, phi.function(np.array([2.0 * c])) / phi.function(np.array([2.0]))) for c in (2.0, 3.0)]
    assert all(np.allclose(phi.function(c * u), scale * phi.function(u)) for c, scale in scales) == homogeneous


def test_a_function_that_is_called_like_a_monomial_is_none() -> None:
    assert not theory.from_callable(np.tanh, lambda u: 1 / np.cosh(u) ** 2, name="identity").homogeneous
