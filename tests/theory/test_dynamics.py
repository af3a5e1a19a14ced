"""Training under a constant kernel: reference library, limits, simulation, finite networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepengine import theory

Floats = npt.NDArray[Any]
Reference = Callable[[str], dict[str, npt.NDArray[Any]]]

TIMES = np.array([0.1, 1.0, 10.0, 100.0, 10_000.0])
CONFIGS = ["relu|L3|Wsqrt2|b0.1|digits|reg0.001", "gelu|L2|Wsqrt2|b0.1|rand|reg0", "sin|L1|W1|b0.1|rand|reg0"]


def _close(found: Floats, expected: Floats, tolerance: float = 2e-11) -> bool:
    return bool(np.abs(found - expected).max() <= tolerance * max(1.0, float(np.abs(expected).max())))


class Case:
    """One stored configuration in this project's convention: time is divided by N, theirs by N·k."""

    def __init__(self, name: str, stored: dict[str, npt.NDArray[Any]]) -> None:
        self._name, self._stored = name, stored
        self.y = stored["Yd_train" if "digits" in name else "Yr_train"]
        self.times = TIMES / self.y.shape[1]
        ridge = 0.001 if "reg0.001" in name else 0.0
        self.theta, self.k = (self._regularised(self.get(key), ridge) for key in ("ntk_tt", "nngp_tt"))

    def get(self, key: str) -> Floats:
        return self._stored[f"{self._name}|{key}"]

    @staticmethod
    def _regularised(kernel: Floats, ridge: float) -> Floats:
        return np.asarray(kernel + ridge * np.trace(kernel) / len(kernel) * np.eye(len(kernel)))


@pytest.mark.parametrize("name", CONFIGS)
def test_mean_dynamics_of_the_reference(name: str, reference: Reference) -> None:
    case = Case(name, reference("predict"))
    f0, f0_query = case.get("f0_train"), case.get("f0_test")
    dynamics = theory.KernelDynamics.of(case.theta)
    cross = case.get("ntk_st")
    assert _close(dynamics.train(case.times, f0, case.y), case.get("gdmse_ntk_train_t"))
    assert _close(dynamics.query(case.times, cross, f0_query, f0, case.y), case.get("gdmse_ntk_test_t"))
    assert _close(dynamics.train(np.inf, f0, case.y), case.get("gdmse_ntk_train_inf"))
    assert _close(dynamics.query(np.inf, cross, f0_query, f0, case.y), case.get("gdmse_ntk_test_inf"))
    if case.y.shape[1] > 1:  # the negative twin: time divided by N·k is another time
        assert not _close(dynamics.train(TIMES, f0, case.y), case.get("gdmse_ntk_train_t"), 1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_ensembles_of_the_reference(name: str, reference: Reference) -> None:
    case = Case(name, reference("predict"))
    ntk, nngp = theory.KernelDynamics.of(case.theta), theory.KernelDynamics.of(case.k)
    k_cross, k_query = case.get("nngp_st"), case.get("nngp_ss")
    for times, tag in ((case.times, "t"), (np.inf, "inf")):
        last = theory.last_layer_ensemble(nngp, times, case.y, nngp_cross=k_cross, nngp_query=k_query)
        assert _close(last.mean, case.get(f"ens_nngp_test_{tag}_mean"))
        assert _close(last.covariance, case.get(f"ens_nngp_test_{tag}_cov"))
        full = theory.query_ensemble(
            ntk,
            times,
            case.y,
            kernel_cross=case.get("ntk_st"),
            nngp_train=case.get("nngp_tt"),
            nngp_cross=k_cross,
            nngp_query=k_query,
        )
        assert _close(full.mean, case.get(f"ens_ntk_test_{tag}_mean"))
        assert _close(full.covariance, case.get(f"ens_ntk_test_{tag}_cov"))
        assert not _close(last.covariance, full.covariance, 1e-3)
    train = theory.train_ensemble(ntk, case.times, case.y, case.get("nngp_tt"))
    assert _close(train.mean, case.get("ens_ntk_train_t_mean"))
    assert _close(train.covariance, case.get("ens_ntk_train_t_cov"))
    train = theory.train_ensemble(nngp, case.times, case.y, case.k)
    assert _close(train.mean, case.get("ens_nngp_train_t_mean"))
    assert _close(train.covariance, case.get("ens_nngp_train_t_cov"))


@pytest.mark.parametrize("name", ["erf|L2|out3|W1.5|b0.1|rand", "relu|L1|out1|W1.41421|b0.1|digits"])
def test_linearised_finite_network_by_the_same_code(name: str, reference: Reference) -> None:
    stored = reference("empirical")
    f, y, kernel = (stored[f"{name}|{key}"] for key in ("f", "y", "ntk"))
    outputs = f.shape[1]
    full = theory.flatten_outputs(kernel)
    n = 8 * outputs
    dynamics = theory.KernelDynamics.of(full[:n, :n], points=8)
    f0, targets = f[:8].ravel(), y[:8].ravel()
    times = TIMES / outputs
    train = dynamics.train(times, f0, targets).reshape(5, 8, outputs)
    query = dynamics.query(times, full[n:, :n], f[8:].ravel(), f0, targets).reshape(5, -1, outputs)
    assert _close(train, stored[f"{name}|lin_train_t"], 1e-12)
    assert _close(query, stored[f"{name}|lin_test_t"], 1e-11)


def _problem(rng: np.random.Generator, rank: int = 12) -> tuple[Floats, Floats, Floats, Floats]:
    jacobian = rng.standard_normal((6, rank)) / np.sqrt(rank)
    query = rng.standard_normal((3, rank)) / np.sqrt(rank)
    return jacobian, query, rng.standard_normal(6), rng.standard_normal(6)


@pytest.mark.parametrize("rank", [12, 4], ids=["full", "singular"])
def test_gradient_descent_of_a_linear_model_is_met_to_rounding(rank: int, rng: np.random.Generator) -> None:
    jacobian, query, f0, y = _problem(rng, rank)
    eta, scale = 0.4, 1.7
    dynamics = theory.KernelDynamics.of(scale * jacobian @ jacobian.T, step=eta)
    omega = np.zeros(rank)
    for step in range(41):
        t = eta * step
        residual = f0 + jacobian @ omega - y
        np.testing.assert_allclose(dynamics.train(t, f0, y), residual + y, atol=1e-13)
        np.testing.assert_allclose(
            dynamics.query(t, scale * query @ jacobian.T, query @ omega * 0, f0, y), query @ omega, atol=1e-13
        )
        np.testing.assert_allclose(
            theory.linearised_parameters(jacobian, dynamics, t, f0, y, scale=scale), omega, atol=1e-13
        )
        omega = omega - eta * scale / 6 * jacobian.T @ residual
    flow = theory.KernelDynamics.of(scale * jacobian @ jacobian.T)
    assert np.abs(flow.train(4.0, f0, y) - dynamics.train(4.0, f0, y)).max() > 1e-4


def test_flow_solves_its_equation_and_is_the_limit_of_small_steps(rng: np.random.Generator) -> None:
    jacobian, _, f0, y = _problem(rng)
    theta = jacobian @ jacobian.T
    flow = theory.KernelDynamics.of(theta)
    t, h = 1.3, 1e-5
    speed = (flow.train(t + h, f0, y) - flow.train(t - h, f0, y)) / (2 * h)
    np.testing.assert_allclose(speed, -theta @ (flow.train(t, f0, y) - y) / 6, atol=1e-9)
    gaps = [
        np.abs(theory.KernelDynamics.of(theta, step=eta).train(2.0, f0, y) - flow.train(2.0, f0, y)).max()
        for eta in (0.02, 0.01)
    ]
    assert 1.9 < gaps[0] / gaps[1] < 2.1  # order one in the step


def test_limits_in_time(rng: np.random.Generator) -> None:
    jacobian, query, f0, y = _problem(rng)
    theta, cross = jacobian @ jacobian.T, query @ jacobian.T
    for step in (None, 0.5):
        dynamics = theory.KernelDynamics.of(theta, step=step)
        np.testing.assert_array_equal(dynamics.weights(0.0, f0, y), np.zeros(6))
        np.testing.assert_allclose(dynamics.train(0.0, f0, y), f0, rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(dynamics.train(np.inf, f0, y), y)
        expected = 0.3 - cross @ np.linalg.solve(theta, f0 - y)
        np.testing.assert_allclose(dynamics.query(np.inf, cross, np.full(3, 0.3), f0, y), expected, atol=1e-10)


def test_kernel_gradient_growth_at_small_and_zero_eigenvalues() -> None:
    values = np.array([0.0, 1e-13, 1e-6, 1e-2, 1.0])
    for step in (None, 0.01):
        dynamics = theory.KernelDynamics.of(np.diag(values), points=1, step=step)
        wide = values.astype(np.longdouble)
        t = 3.0
        if step is None:
            expected = -np.expm1(-wide * t) / np.where(wide > 0, wide, 1)
        else:
            expected = -np.expm1(300 * np.log1p(-step * wide)) / np.where(wide > 0, wide, 1)
        expected[0] = t
        np.testing.assert_allclose(dynamics.growth(t), expected.astype(float), rtol=5e-15)
    with pytest.raises(theory.NotPositiveDefiniteError, match="finite t"):
        theory.KernelDynamics.of(np.diag(values)).growth(np.inf)


def test_duplicates_move_together_and_end_in_the_middle() -> None:
    theta = np.array([[1.0, 1.0], [1.0, 1.0]])
    dynamics = theory.KernelDynamics.of(theta)
    end = dynamics.train(np.inf, np.array([0.0, 0.0]), np.array([1.0, -3.0]))
    np.testing.assert_allclose(end, [-1.0, -1.0], atol=1e-15)


def test_modes_decay_at_their_rates(rng: np.random.Generator) -> None:
    jacobian, _, f0, y = _problem(rng)
    for step in (None, 0.3):
        dynamics = theory.KernelDynamics.of(jacobian @ jacobian.T, step=step)
        start, later = (dynamics.modes(dynamics.train(t, f0, y) - y) for t in (0.0, 3.0))
        np.testing.assert_allclose(-np.log(np.abs(later / start)) / 3, dynamics.rates, rtol=1e-9)
    flow = theory.KernelDynamics.of(jacobian @ jacobian.T)
    np.testing.assert_allclose(flow.rates, flow.eigenvalues / 6)


def test_ensemble_is_the_law_of_the_trained_draws(rng: np.random.Generator) -> None:
    x = rng.standard_normal((7, 3))
    both = theory.kernels(x, depth=2, activation="erf", sigma_w=1.4, sigma_b=0.3)
    k, theta, y = both.nngp, both.ntk, rng.standard_normal(4)
    dynamics = theory.KernelDynamics.of(theta[:4, :4])
    t, samples = 5.0, 30_000
    start = theory.sample_prior(k, rng, samples)
    trained = dynamics.query(t, theta[4:, :4], start[:, 4:].T, start[:, :4].T, np.repeat(y[:, None], samples, 1))
    law = theory.query_ensemble(
        dynamics, t, y, kernel_cross=theta[4:, :4], nngp_train=k[:4, :4], nngp_cross=k[4:, :4], nngp_query=k[4:, 4:]
    )
    deviation = np.sqrt(np.diagonal(law.covariance))
    assert np.abs((trained.mean(1) - law.mean) / deviation).max() < 4 / np.sqrt(samples)
    measured = np.cov(trained)
    error = np.sqrt((np.outer(deviation**2, deviation**2) + law.covariance**2) / samples)
    assert np.abs((measured - law.covariance) / error).max() < 4
    # Twin: twice one cross term in place of both (theory.md §3.5).
    fitted = theta[4:, :4] @ dynamics.operator(dynamics.growth(t))
    mixed = fitted @ k[4:, :4].T
    wrong = law.covariance + mixed.T - mixed
    assert np.abs((measured - wrong) / error).max() > 4


def test_last_layer_training_at_infinity_is_the_posterior(rng: np.random.Generator) -> None:
    x = rng.standard_normal((8, 3))
    k = theory.kernels(x, depth=1, activation="relu", sigma_w=1.4, sigma_b=0.3, output_bias=True).nngp
    y = rng.standard_normal((5, 2))
    posterior = theory.posterior(k[:5, :5], k[5:, :5], k[5:, 5:], y)
    dynamics = theory.KernelDynamics.of(k[:5, :5])
    found = theory.last_layer_ensemble(dynamics, np.inf, y, nngp_cross=k[5:, :5], nngp_query=k[5:, 5:])
    np.testing.assert_allclose(found.mean, posterior.mean, atol=1e-10)
    np.testing.assert_allclose(found.covariance, posterior.covariance, atol=1e-12)
    start = theory.last_layer_ensemble(dynamics, 0.0, y, nngp_cross=k[5:, :5], nngp_query=k[5:, 5:])
    np.testing.assert_array_equal(start.covariance, k[5:, 5:])
    general = theory.query_ensemble(
        dynamics, 2.0, y, kernel_cross=k[5:, :5], nngp_train=k[:5, :5], nngp_cross=k[5:, :5], nngp_query=k[5:, 5:]
    )
    special = theory.last_layer_ensemble(dynamics, 2.0, y, nngp_cross=k[5:, :5], nngp_query=k[5:, 5:])
    np.testing.assert_allclose(general.covariance, special.covariance, atol=1e-13)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_shared_kernel_is_the_kronecker_kernel(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n + 2))
    f0, y = rng.standard_normal((n, k)), rng.standard_normal((n, k))
    theta = root @ root.T
    shared = theory.KernelDynamics.of(theta).train([0.5, 2.0], f0, y)
    full = theory.KernelDynamics.of(theory.expand_outputs(theta, k), points=n).train([0.5, 2.0], f0.ravel(), y.ravel())
    np.testing.assert_allclose(full.reshape(2, n, k), shared, atol=1e-12)


def test_bad_times_steps_and_shapes(rng: np.random.Generator) -> None:
    theta = np.diag([1.0, 4.0])
    dynamics = theory.KernelDynamics.of(theta, step=0.1)
    with pytest.raises(theory.ParameterError, match="multiple of the step"):
        dynamics.decay(0.25)
    with pytest.raises(theory.ParameterError, match="times >= 0"):
        dynamics.decay(-1.0)
    fast = theory.KernelDynamics.of(theta, step=1.1)
    assert fast.largest_stable_step == 1.0
    with pytest.raises(theory.UnstableStepError, match="2 N/λ_max = 1"):
        fast.decay(np.inf)
    assert abs(fast.decay(11.0)[1]) > 1
    with pytest.raises(theory.ShapeError, match="must be equal"):
        dynamics.train(0.1, np.ones(2), np.ones(3))
    with pytest.raises(theory.ShapeError, match="training points are its columns"):
        dynamics.query(0.1, np.ones((2, 3)), np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(theory.NotPositiveDefiniteError, match="training kernel has the eigenvalue"):
        theory.KernelDynamics.of(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(theory.ShapeError, match="flatten_outputs"):
        theory.KernelDynamics.of(np.ones((2, 2, 1, 1)))
