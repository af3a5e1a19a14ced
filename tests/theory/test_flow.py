"""Kernel gradient flow for general costs."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sweepengine import theory

Floats = npt.NDArray[Any]
COSTS = [theory.SQUARED, theory.LOGISTIC, theory.CROSS_ENTROPY]


def _labels(cost: theory.Cost, rng: np.random.Generator) -> Floats:
    if cost.name == "logistic":
        return np.sign(rng.standard_normal((5, 3)))
    if cost.name == "cross_entropy":
        return np.eye(3)[[0, 2, 1, 1, 0]]
    return rng.standard_normal((5, 3))


def _problem(cost: theory.Cost, rng: np.random.Generator) -> theory.CostProblem:
    x = rng.standard_normal((8, 4))
    theta = theory.kernels(x, depth=1, activation="erf", sigma_w=1.5, sigma_b=0.2).ntk
    return theory.CostProblem(
        kernel=theta[:5, :5],
        cost=cost,
        f0=rng.standard_normal((5, 3)),
        targets=_labels(cost, rng),
        kernel_cross=theta[5:, :5],
        f0_query=rng.standard_normal((3, 3)),
    )


@pytest.mark.parametrize("cost", COSTS, ids=lambda c: c.name)
def test_gradient_is_the_gradient_of_the_value(cost: theory.Cost, rng: np.random.Generator) -> None:
    f, y = rng.standard_normal((5, 3)), _labels(cost, rng)
    gradient = cost.gradient(f, y)
    for i in range(5):
        for o in range(3):
            shift = np.zeros_like(f)
            shift[i, o] = 1e-5
            numeric = (cost.value(f + shift, y) - cost.value(f - shift, y))[i] / 2e-5
            assert abs(numeric - gradient[i, o]) < 1e-9


def test_squared_cost_is_the_closed_form(rng: np.random.Generator) -> None:
    problem = _problem(theory.SQUARED, rng)
    assert problem.kernel_cross is not None
    assert problem.f0_query is not None
    times = np.array([0.0, 0.5, 3.0, 100.0])
    found = theory.kernel_gradient_flow(problem, times)
    dynamics = theory.KernelDynamics.of(problem.kernel)
    np.testing.assert_allclose(found.train, dynamics.train(times, problem.f0, problem.targets), atol=1e-7)
    query = dynamics.query(times, problem.kernel_cross, problem.f0_query, problem.f0, problem.targets)
    assert found.query is not None
    np.testing.assert_allclose(found.query, query, atol=1e-7)
    np.testing.assert_allclose(found.weights / 5, dynamics.weights(times, problem.f0, problem.targets), atol=1e-7)
    summed = theory.kernel_gradient_flow(
        theory.CostProblem(problem.kernel, theory.SQUARED, problem.f0, problem.targets, points=1), times / 5
    )
    np.testing.assert_allclose(summed.train, found.train, atol=1e-7)


@pytest.mark.parametrize("cost", COSTS, ids=lambda c: c.name)
def test_descent_tends_to_flow_at_first_order(cost: theory.Cost, rng: np.random.Generator) -> None:
    problem = _problem(cost, rng)
    flow = theory.kernel_gradient_flow(problem, [2.0])
    gaps = []
    for step in (0.02, 0.01):
        descent = theory.kernel_gradient_descent(problem, [round(2.0 / step)], step)
        np.testing.assert_allclose(descent.times, [2.0])
        assert descent.query is not None
        assert flow.query is not None
        gaps.append(np.abs(descent.query - flow.query).max())
    assert 1.9 < gaps[0] / gaps[1] < 2.1


@pytest.mark.parametrize("cost", COSTS, ids=lambda c: c.name)
def test_cost_falls_and_the_equation_holds(cost: theory.Cost, rng: np.random.Generator) -> None:
    problem = _problem(cost, rng)
    times = np.array([0.99, 1.0, 1.01])
    found = theory.kernel_gradient_flow(problem, times, rtol=1e-11, atol=1e-13)
    speed = (found.train[2] - found.train[0]) / 0.02
    expected = -problem.kernel @ cost.gradient(found.train[1], problem.targets) / 5
    np.testing.assert_allclose(speed, expected, atol=1e-4 * np.abs(expected).max())
    values = [cost.value(f, problem.targets).sum() for f in (problem.f0, *found.train)]
    assert np.all(np.diff(values) < 0)


def test_descent_records_every_step_asked_for(rng: np.random.Generator) -> None:
    problem = _problem(theory.LOGISTIC, rng)
    found = theory.kernel_gradient_descent(problem, [0, 1, 4], 0.1)
    np.testing.assert_array_equal(found.train[0], problem.f0)
    first = problem.f0 - 0.1 / 5 * problem.kernel @ theory.LOGISTIC.gradient(problem.f0, problem.targets)
    np.testing.assert_allclose(found.train[1], first, rtol=1e-14)


def test_bad_problems(rng: np.random.Generator) -> None:
    good = _problem(theory.SQUARED, rng)
    with pytest.raises(theory.ShapeError, match=r"expected both \(N, k\)"):
        theory.CostProblem(good.kernel, theory.SQUARED, np.ones(5), np.ones(5))
    with pytest.raises(theory.ParameterError, match="give both or neither"):
        theory.CostProblem(good.kernel, theory.SQUARED, good.f0, good.targets, kernel_cross=good.kernel_cross)
    with pytest.raises(theory.ShapeError, match="kernel_cross"):
        theory.CostProblem(good.kernel, theory.SQUARED, good.f0, good.targets, good.kernel_cross, np.ones((2, 3)))
    with pytest.raises(theory.ParameterError, match="increasing"):
        theory.kernel_gradient_flow(good, [1.0, 0.5])
    with pytest.raises(theory.ParameterError, match="integers"):
        theory.kernel_gradient_descent(good, [0.5], 0.1)
    assert theory.kernel_gradient_flow(good, [0.0]).train.shape == (1, 5, 3)


def test_no_times_and_no_steps_are_refused(rng: np.random.Generator) -> None:
    problem = _problem(theory.SQUARED, rng)
    with pytest.raises(theory.ParameterError, match="expected at least one"):
        theory.kernel_gradient_flow(problem, [])
    with pytest.raises(theory.ParameterError, match="expected at least one"):
        theory.kernel_gradient_descent(problem, np.array([], dtype=int), 0.1)
