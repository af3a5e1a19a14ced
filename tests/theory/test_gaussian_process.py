"""Gaussian processes and ridge regression."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from sweepengine import theory

Floats = npt.NDArray[Any]
Blocks = tuple[Floats, Floats, Floats]


@pytest.fixture
def blocks(sphere: Callable[[int, int], Floats]) -> Blocks:
    x = sphere(9, 4)
    k = theory.kernels(x, depth=2, activation="relu", sigma_w=1.2, sigma_b=0.4).nngp
    return k[:6, :6], k[6:, :6], k[6:, 6:]


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_posterior_is_the_conditional_gaussian(blocks: Blocks, noise: float, rng: np.random.Generator) -> None:
    train, cross, query = blocks
    y = rng.standard_normal((6, 2))
    found = theory.posterior(train, cross, query, y, noise=noise)
    inverse = np.linalg.inv(train + noise * np.eye(6))
    np.testing.assert_allclose(found.mean, cross @ inverse @ y, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.covariance, query - cross @ inverse @ cross.T, rtol=1e-9, atol=1e-11)
    assert (found.noise, found.jitter) == (noise, 0.0)
    wrong = theory.posterior(train, cross, query, y, noise=noise + 0.01)
    assert np.abs(wrong.mean - found.mean).max() > 1e-4
    observed = theory.posterior(train, cross, query, y, noise=noise, of_observations=True)
    np.testing.assert_allclose(observed.covariance - found.covariance, noise * np.eye(3), atol=1e-15)


def test_noiseless_posterior_interpolates_and_vanishes_on_the_data(blocks: Blocks, rng: np.random.Generator) -> None:
    train, _, _ = blocks
    y = rng.standard_normal(6)
    found = theory.posterior(train, train, train, y)
    np.testing.assert_allclose(found.mean, y, atol=1e-11)
    assert np.abs(found.covariance).max() < 1e-12
    assert (np.diagonal(found.covariance) >= 0).all()


def test_log_marginal_likelihood_is_the_density(blocks: Blocks, rng: np.random.Generator) -> None:
    train = blocks[0]
    y = rng.standard_normal((6, 3))
    law = multivariate_normal(np.zeros(6), train + 0.2 * np.eye(6))
    expected = float(np.sum(law.logpdf(y.T)))
    assert theory.log_marginal_likelihood(train, y, noise=0.2) == pytest.approx(expected, rel=1e-12)
    assert theory.log_marginal_likelihood(train, y, noise=0.21) != pytest.approx(expected, rel=1e-4)


@given(st.integers(1, 12), st.integers(1, 12), st.floats(1e-3, 10.0), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_ridge_primal_is_ridge_dual(n: int, p: int, ridge: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    phi, query, y = rng.standard_normal((n, p)), rng.standard_normal((3, p)), rng.standard_normal((n, 2))
    primal = query @ theory.ridge_primal(phi, y, ridge)
    dual = query @ phi.T @ theory.ridge_dual(phi @ phi.T, y, ridge)
    np.testing.assert_allclose(primal, dual, rtol=1e-9, atol=1e-10 * (1 + np.abs(phi).max() ** 2 / ridge))


def test_ridge_is_the_gaussian_process_mean(blocks: Blocks, rng: np.random.Generator) -> None:
    train, cross, query = blocks
    y = rng.standard_normal(6)
    mean = theory.posterior(train, cross, query, y, noise=0.7).mean
    np.testing.assert_allclose(cross @ theory.ridge_dual(train, y, 0.7), mean, rtol=1e-12)


def test_prior_samples_have_the_covariance(blocks: Blocks, rng: np.random.Generator) -> None:
    train = blocks[0]
    samples = 40_000
    draws = theory.sample_prior(train, rng, samples)
    assert draws.shape == (samples, 6)
    measured = draws.T @ draws / samples
    error = np.sqrt((np.outer(np.diagonal(train), np.diagonal(train)) + train**2) / samples)
    assert np.abs((measured - train) / error).max() < 4
    assert np.abs((measured - 1.1 * train) / error).max() > 4
    both = theory.sample_prior(train, rng, 5, outputs=2)
    assert both.shape == (5, 6, 2)
    singular = theory.sample_prior(np.ones((3, 3)), rng, 10)
    assert np.ptp(singular, axis=1).max() < 1e-7


def test_duplicates_are_named_with_the_smallest_noise_that_would_do(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 3))
    x = np.concatenate([x, x[2:3]])
    k = theory.kernels(x, depth=1, activation="erf", sigma_w=1.0, sigma_b=0.1).nngp
    y = rng.standard_normal(6)
    with pytest.raises(theory.DuplicateInputsError, match=r"points 2 and 5 are duplicates \(1 such pairs\)") as caught:
        theory.posterior(k, k, k, y)
    enough = caught.value.smallest_noise
    assert f"{enough:.2g}" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, theory.TheoryError)
    theory.posterior(k, k, k, y, noise=enough)
    assert theory.posterior(k, k, k, y, jitter=enough).jitter == enough
    with pytest.raises(theory.NotPositiveDefiniteError):
        theory.posterior(k, k, k, y, noise=enough / 100)


def test_a_singular_kernel_without_duplicates(rng: np.random.Generator) -> None:
    phi = rng.standard_normal((6, 3))
    with pytest.raises(theory.NotPositiveDefiniteError, match="smallest noise") as caught:
        theory.ridge_dual(phi @ phi.T, np.ones(6), 0.0)
    assert not isinstance(caught.value, theory.DuplicateInputsError)
    theory.ridge_dual(phi @ phi.T, np.ones(6), caught.value.smallest_noise)


def test_bad_kernels_are_refused(blocks: Blocks) -> None:
    train, cross, query = blocks
    y = np.ones(6)
    broken = train.copy()
    broken[0, 1] += 1.0
    with pytest.raises(theory.NotPositiveDefiniteError, match="not symmetric"):
        theory.posterior(broken, cross, query, y)
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(theory.NotPositiveDefiniteError, match="eigenvalue -1") as caught:
        theory.sample_prior(indefinite, np.random.default_rng(0), 1)
    assert caught.value.smallest_noise == pytest.approx(1.0)
    with pytest.raises(theory.NotPositiveDefiniteError, match=r"negative variance"):
        theory.posterior(np.diag([1.0, -1.0]), cross[:, :2], query, np.ones(2))
    with pytest.raises(theory.NotPositiveDefiniteError, match="not blocks of one kernel"):
        theory.posterior(train, 3 * cross, query, y)
    with pytest.raises(theory.ShapeError, match="query points are its rows"):
        theory.posterior(train, cross.T, query, y)
    with pytest.raises(theory.ShapeError, match="expected 6 rows"):
        theory.posterior(train, cross, query, np.ones(5))
    with pytest.raises(theory.ParameterError, match="noise = -1"):
        theory.posterior(train, cross, query, y, noise=-1)
    with pytest.raises(theory.NonFiniteError):
        theory.posterior(train * np.inf, cross, query, y)


def test_a_negative_noise_is_refused_whatever_the_jitter(blocks: Blocks, rng: np.random.Generator) -> None:
    y = rng.standard_normal(len(blocks[0]))
    with pytest.raises(theory.ParameterError, match=r"noise = -0.1; expected a finite number >= 0"):
        theory.log_marginal_likelihood(blocks[0], y, noise=-0.1, jitter=0.2)
