"""The computations of claims against formulas that share nothing with them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from sweepengine.observe import Case
from sweepengine.observe.computations import flows, functionals, paths, samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.observe import Observable

    Floats = NDArray[np.float64]


def mean_of(function: Callable[[Case, Case], Any], name: str, width: int, seeds: int) -> Floats:
    cases = [Case(name, width, seed) for seed in range(seeds)]
    return np.asarray(np.mean([function(case, case) for case in cases], 0))


def line_power(apart: float) -> float:
    """The power of t along (1−t) N(0, 1) + t N(D, 1) by quantiles: W₂ on the line, where the rest of 2-d is at rest."""
    u = (np.arange(200_000) + 0.5) / 200_000
    shares = np.array([4, 8, 16, 32, 64]) / 256
    distances = []
    for t in shares:
        here = stats.norm.ppf(np.clip(u / (1 - t), 0, 1 - 1e-12))
        there = apart + stats.norm.ppf(np.clip((u - 1 + t) / t, 1e-12, 1))
        distances.append(math.sqrt(np.mean((np.where(u < 1 - t, here, there) - stats.norm.ppf(u)) ** 2)))
    return float(np.polyfit(np.log(shares), np.log(distances), 1)[0])


@pytest.mark.parametrize(("name", "apart"), [("claim", 20.0), ("far", 200.0)])
def test_the_power_along_a_mixture_is_that_of_quantiles(name: str, apart: float) -> None:
    """The excess over 1/2 is that of a finite distance: the mass that moves is what lies nearest to ν."""
    expected = line_power(apart)
    assert expected - 0.5 == pytest.approx(0.47 / apart, rel=0.1)
    assert mean_of(paths.mixture_power, name, 256, 8) - 0.5 == pytest.approx(expected - 0.5, rel=0.25)


def test_paths_that_are_no_geodesics_have_a_fast_part() -> None:
    assert mean_of(paths.mixture_power, "twin", 64, 2) == pytest.approx(1, abs=1e-12)
    for function in (paths.speed_excess, paths.gaussian_speed_excess):
        assert abs(mean_of(function, "claim", 32, 4)) < 1e-9
        assert mean_of(function, "twin", 32, 4) > 0.1


def test_first_variations_are_exact_and_a_dropped_factor_is_seen() -> None:
    case = Case("claim", 30, 3)
    errors = functionals.first_variation_error(case, case)
    assert errors.shape == (len(functionals.FUNCTIONALS),)
    assert errors.max() < 1e-9
    case = Case("twin", 30, 3)
    wrong = functionals.first_variation_error(case, case)
    double = functionals.FUNCTIONALS.index("double")
    assert wrong[double] > 0.01
    assert np.delete(wrong, double).max() < 1e-9


def test_a_gaussian_loses_its_free_energy_as_the_closed_form_says() -> None:
    """dF/dt = −(v − τ)²/v along v(t) = τ + (v_0 − τ) e^−2t, by differences; and the particles follow it."""
    tau, start = flows.TEMPERATURE, 3.0
    time = np.linspace(0, 1, 2001)
    v = tau + (start - tau) * np.exp(-2 * time)
    rate = np.gradient(v / 2 - tau * np.log(v) / 2, time, edge_order=2)
    np.testing.assert_allclose(rate, -((v - tau) ** 2) / v, rtol=1e-5)
    assert abs(mean_of(flows.entropy_balance, "claim", 64, 8)) < 0.03
    # Twin: F = v/2 and its rate −v lose (v_0 − τ)(1 − e^−2)/2, of which the rate misses τ.
    missed = tau / ((start - tau) * (1 - math.exp(-2)) / 2)
    assert mean_of(flows.entropy_balance, "twin", 64, 8) == pytest.approx(missed, rel=0.05)


def test_the_identities_of_flows_have_their_orders() -> None:
    for name, order in (("claim", 1.0), ("twin", 0.0)):
        assert mean_of(flows.energy_order, name, 32, 2) == pytest.approx(order, abs=0.05)
        orders = dict(zip(flows.WITH_ORDER, mean_of(flows.weak_order, name, 32, 2), strict=True))
        assert orders.pop("sum") == pytest.approx(2 * order, abs=0.05)
        np.testing.assert_allclose(list(orders.values()), order, atol=0.05)


def test_the_laplacian_belongs_to_the_noisy_continuity_equation() -> None:
    """Δχ of |θ|²/2 is 3; of sin(Σθ/√3) minus itself; of exp(−|θ|²/6) itself times (|θ|²/9 − 1)."""
    found = mean_of(flows.noisy_weak_defect, "claim", 512, 6)
    without = mean_of(flows.noisy_weak_defect, "twin", 512, 6)
    draws = np.random.default_rng(0).standard_normal((400_000, 3)) + 0.5
    square = (draws**2).sum(1)
    sine, bump = -np.sin(draws.sum(1) / math.sqrt(3)).mean(), (np.exp(-square / 6) * (square / 9 - 1)).mean()
    np.testing.assert_allclose(without - found, [0, 0, 3, sine, bump], atol=0.01)
    assert np.abs(found).max() < 0.06


def test_the_distance_of_normal_samples_is_that_of_order_statistics() -> None:
    rng = np.random.default_rng(0)
    for count in (16, 200):
        pairs = np.sort(rng.standard_normal((4000, 2, count)), axis=2)
        squares = ((pairs[:, 0] - pairs[:, 1]) ** 2).mean(1)
        bar = 4 * squares.std() / math.sqrt(4000)
        assert samples._normal_square(count) == pytest.approx(squares.mean(), abs=bar)


def test_samples_come_together_at_the_rates_of_their_dimension() -> None:
    """A run each of few seeds: far from the rate of another law or dimension, as the jobs decide with more."""
    assert mean_of(samples.exact_power, "claim", 32, 6) == pytest.approx(1 / 3, abs=0.07)
    assert mean_of(samples.exact_power, "four", 32, 6) == pytest.approx(1 / 4, abs=0.05)
    gaussian = mean_of(samples.sliced_power, "claim", 16, 6)
    np.testing.assert_allclose(gaussian, 0.5, atol=0.1)
    signs = mean_of(samples.sliced_power, "signs", 16, 6)
    assert signs[samples.SLICES.index("a")] < 0.35
    nested, apart = (mean_of(samples.nested_ratio, name, 64, 4) for name in ("claim", "twin"))
    assert nested == pytest.approx(1.1, abs=0.25)
    assert apart == pytest.approx(1.8, abs=0.25)
    square, cube = (mean_of(samples.logarithm, name, 16, 2) for name in ("claim", "twin"))
    assert square == pytest.approx(1.2, abs=0.5)
    assert cube > 2.5


ENTRIES = [entry for module in (flows, functionals, paths, samples) for entry in module.OBSERVABLES]


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_a_computation_has_the_shape_that_it_declares_and_a_cost(entry: Observable) -> None:
    case = Case("claim", 64, 0)
    value = np.asarray(entry.function(case, case))
    assert value.shape == tuple(entry.extents[dim] for dim in entry.variable.dims[2:])
    assert np.isfinite(value).all()
    run = SimpleNamespace(case="claim", width=64, seed=0)
    assert 0 < sum(ingredient.seconds(run) for ingredient in entry.cost) < 60
