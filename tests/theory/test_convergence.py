"""The constants of the convergence proof (theory.md §3.9), each by an independent route, and runs against them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sweepengine import theory

Floats = npt.NDArray[Any]
Sphere = Callable[[int, int], Floats]


def _unit(sphere: Sphere, n: int, d: int) -> Floats:
    return sphere(n, d) / math.sqrt(d)


def test_h_infinity_formula_and_monte_carlo(sphere: Sphere, rng: np.random.Generator) -> None:
    x = 1.7 * _unit(sphere, 5, 4)
    found = theory.h_infinity(x)
    gram = x @ x.T
    rho = np.clip(gram / 1.7**2, -1, 1)
    formula = gram * (np.pi - np.arccos(rho)) / (2 * np.pi)
    np.testing.assert_allclose(found, formula, atol=4e-8)  # arccos near 1 is off by √ε on the diagonal
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found[off], formula[off], atol=2e-15)
    np.testing.assert_allclose(np.diagonal(found), 1.7**2 / 2, rtol=1e-15)
    active = (x @ rng.standard_normal((4, 400_000)) > 0).astype(float)
    measured = active @ active.T / 400_000
    error = np.sqrt(measured * (1 - measured) / 400_000)
    assert (np.abs(gram * measured - found) < 4 * error * np.abs(gram) + 1e-12).all()
    assert (np.abs(gram * measured - 1.05 * found) > 4 * error * np.abs(gram))[off].mean() > 0.5
    np.testing.assert_allclose(theory.h_infinity(x, x[:2]), found[:, :2], rtol=1e-14)


def test_concentration_width_is_hoeffding_solved_for_the_width() -> None:
    lambda0, n, delta, norm = 0.05, 6, 0.1, 1.5
    m = theory.concentration_width(lambda0, n, delta, norm)
    # Two-sided Hoeffding, range C², deviation λ_0/(4n) an entry, union over n(n+1)/2 entries, is exactly δ there.
    failure = n * (n + 1) / 2 * 2 * math.exp(-2 * m * (lambda0 / (4 * n)) ** 2 / norm**4)
    assert failure == pytest.approx(delta, rel=1e-12)


def test_concentration_happens_at_that_width(sphere: Sphere, rng: np.random.Generator) -> None:
    x = _unit(sphere, 3, 6)
    limit = theory.h_infinity(x)
    lambda0 = theory.least_eigenvalue(limit)
    m = math.ceil(theory.concentration_width(lambda0, 3, 0.2, 1.0))
    deviations = [np.linalg.norm(theory.empirical_h(x, rng.standard_normal((m, 6))) - limit, 2) for _ in range(20)]
    assert max(deviations) <= lambda0 / 4
    small = [np.linalg.norm(theory.empirical_h(x, rng.standard_normal((4, 6))) - limit, 2) for _ in range(20)]
    assert max(small) > lambda0 / 4


def test_stability_radius_is_markov_solved_for_the_radius() -> None:
    lambda0, n, delta, norm = 0.05, 6, 0.1, 1.5
    radius = theory.stability_radius(lambda0, n, delta, norm)
    flips = 2 * 2 * radius / math.sqrt(2 * math.pi)  # either point's boundary within reach
    assert n**2 * norm**2 * flips / (lambda0 / 4) == pytest.approx(delta, rel=1e-12)


def test_certificate_bounds_every_change_and_is_met_by_none_beyond_it(sphere: Sphere, rng: np.random.Generator) -> None:
    x = _unit(sphere, 5, 4)
    w = rng.standard_normal((300, 4))
    before = theory.empirical_h(x, w)
    for radius in (0.01, 0.1, 0.5):
        bound = theory.flip_certificate(x, w, radius)
        attacked = theory.adversarial_weights(x, w, radius)
        assert np.linalg.norm(attacked - w, axis=1).max() <= radius * (1 + 1e-12)
        change = float(np.linalg.norm(theory.empirical_h(x, attacked) - before))
        random = rng.standard_normal(w.shape)
        random *= radius / np.linalg.norm(random, axis=1, keepdims=True)
        blind = float(np.linalg.norm(theory.empirical_h(x, w + random) - before))
        assert blind < change <= bound
        # The twin: a certificate for a far smaller radius does not hold for this one.
        assert change > theory.flip_certificate(x, w, radius / 30)
    assert theory.flip_certificate(x, w, 0.0) == 0.0


def test_stability_holds_with_the_probability_promised(sphere: Sphere, rng: np.random.Generator) -> None:
    x = _unit(sphere, 4, 5)
    lambda0 = theory.least_eigenvalue(theory.h_infinity(x))
    radius = theory.stability_radius(lambda0, 4, 0.2, 1.0)
    held = [theory.flip_certificate(x, rng.standard_normal((200, 5)), radius) <= lambda0 / 4 for _ in range(50)]
    assert np.mean(held) >= 0.8
    assert theory.flip_certificate(x, rng.standard_normal((200, 5)), 100 * radius) > lambda0 / 4


def _train(x: Floats, y: Floats, m: int, rng: np.random.Generator) -> tuple[list[float], list[float], list[float]]:
    """The network of theory.md §3.9, W only, sum loss, small steps: (times, residuals, movements)."""
    w0 = rng.standard_normal((m, x.shape[1]))
    a = rng.choice([-1.0, 1.0], m)
    w, eta = w0.copy(), 0.02
    times, residuals, movements = [], [], []
    for step in range(2500):
        h = x @ w.T
        r = np.maximum(h, 0) @ a / math.sqrt(m) - y
        times.append(eta * step)
        residuals.append(float(np.linalg.norm(r)))
        movements.append(float(np.linalg.norm(w - w0, axis=1).max()))
        if residuals[-1] < 1e-2:
            break
        w = w - eta / math.sqrt(m) * ((h > 0) * r[:, None] * a).T @ x
    return times, residuals, movements


def test_a_wide_run_obeys_rate_time_and_movement(sphere: Sphere, rng: np.random.Generator) -> None:
    x = _unit(sphere, 6, 20)
    y = rng.choice([-1.0, 1.0], 6)
    lambda0 = theory.least_eigenvalue(theory.h_infinity(x))
    times, residuals, movements = _train(x, y, 4000, rng)
    setup: dict[str, Any] = {"data_points": 6, "width": 4000, "norm": 1.0, "tolerance": 1e-2}
    found = theory.check_run(times, residuals, movements, lambda0=lambda0, **setup)
    assert found.rate_ratio <= 1
    assert found.time_ratio <= 1
    assert found.movement_ratio <= 1
    # The twins: the true rate is near 2λ_0, so 5λ_0 is violated; and time of the mean loss is another time.
    wrong = theory.check_run(times, residuals, movements, lambda0=5 * lambda0, **setup)
    assert wrong.rate_ratio > 1
    assert wrong.time_ratio > 1
    mean = theory.check_run(6 * np.array(times), residuals, movements, lambda0=lambda0, **setup, points=6)
    assert mean.time_ratio == pytest.approx(found.time_ratio)
    unfinished = theory.check_run(times[:5], residuals[:5], movements[:5], lambda0=lambda0, **setup)
    assert math.isnan(unfinished.time_ratio)


def test_width_the_proof_needs(sphere: Sphere) -> None:
    x = _unit(sphere, 8, 16)
    found = theory.proof_quantities(x, residual=4.0, delta=0.1, tolerance=1e-3)
    at = theory.movement_bound(found.lambda0, 8, math.ceil(found.required_width), 4.0, 1.0)
    assert at <= found.radius
    assert theory.movement_bound(found.lambda0, 8, int(found.required_width / 2), 4.0, 1.0) > found.radius
    assert found.required_width > found.concentration_width
    assert 1e9 < found.required_width < 1e15  # about 10¹² even at n = 8
    assert found.fitting_time == pytest.approx(2 / found.lambda0 * math.log(4000))


def test_bounds_refuse_nonsense(sphere: Sphere) -> None:
    x = _unit(sphere, 3, 4)
    with pytest.raises(theory.ParameterError, match="no two of which are parallel"):
        theory.proof_quantities(np.concatenate([x, 2 * x[:1]]), residual=1.0, delta=0.1, tolerance=0.1)
    with pytest.raises(theory.ParameterError, match="probability"):
        theory.stability_radius(0.1, 3, 1.5, 1.0)
    with pytest.raises(theory.ShapeError, match="the first time 0"):
        theory.check_run([1, 2], [1, 1], [0, 0], lambda0=1, data_points=1, width=1, norm=1, tolerance=0.1)
    with pytest.raises(theory.ShapeError, match="one row a neuron"):
        theory.empirical_h(x, np.ones((3, 5)))
    with pytest.raises(theory.ParameterError, match="point 1 is 0"):
        theory.adversarial_weights(np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones((2, 2)), 0.1)
    assert theory.fitting_time_bound(0.1, 0.5, 1.0) == 0.0
