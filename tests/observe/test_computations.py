"""Formulas on which computed claims rest, against exact sums; the claims themselves are in tests/analysis."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from sweepengine.observe import Case, canonical_names, observables_of, record_cost
from sweepengine.observe._at_start import ARCHITECTURES, networks_at_start, sphere_points, square_of_mean
from sweepengine.observe.computations import gaussian_outputs, paths
from sweepengine.spec import ComputationSpec, expand_computations, job_names, job_spec

if TYPE_CHECKING:
    from sweepengine.observe import Ingredient
    from sweepengine.spec import ComputationRun


def test_the_square_of_a_mean_has_no_bias() -> None:
    """Over all pairs of two equally likely vectors the estimate averages to ‖E v‖²; ‖mean‖² does not."""
    vectors = np.array([[1.0, 2.0], [3.0, -1.0]])
    expected = float(np.sum(vectors.mean(0) ** 2))
    draws = [vectors[list(pair)] for pair in product((0, 1), repeat=2)]
    assert np.mean([square_of_mean(pair) for pair in draws]) == pytest.approx(expected, rel=1e-14)
    assert np.mean([np.sum(pair.mean(0) ** 2) for pair in draws]) > expected + 0.5


def test_the_fourth_moment_over_all_signs_of_the_read_out() -> None:
    """E_a f⁴ = 3 V² − 2 mean φ⁴/m for a = ±1: the sum over all 2^m read-outs."""
    phi = np.random.default_rng(0).standard_normal(6)
    outputs = np.array([np.dot(a, phi) / 6**0.5 for a in product((-1, 1), repeat=6)])
    variance = np.mean(phi**2)
    assert np.mean(outputs**4) == pytest.approx(3 * variance**2 - 2 * np.mean(phi**4) / 6, rel=1e-13)


def test_groups_of_networks_are_those_of_one_generator() -> None:
    """Large and small groups draw the same numbers of networks; a case gives the same numbers again."""
    a = ARCHITECTURES["deep_cos"]
    sizes = [len(net.parameters.readout) for net in networks_at_start(a, 1024, 5, np.random.default_rng(0))]
    assert sizes == [2, 2, 1]
    assert np.allclose(np.diagonal(sphere_points() @ sphere_points().T), 5.0, rtol=1e-14)
    first, second = (
        gaussian_outputs.neuron_correlation(case, case) for case in (Case("deep_cos", 64, 3), Case("deep_cos", 64, 3))
    )
    assert np.array_equal(first, second)


def test_the_first_layer_is_gaussian_at_every_width_and_the_second_is_not() -> None:
    case = Case("deep_relu", 8, 0)
    density = gaussian_outputs.preactivation_density(case, case)
    middle = np.linspace(-4.5, 4.5, 37)[:-1] + 0.125
    expected = np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
    assert density.sum(1) / 4 == pytest.approx(1.0, abs=0.01)
    # 60000 values at 4 points, which depend on each other: bins have errors of at most sqrt(0.4/(0.25 · 60000)).
    np.testing.assert_allclose(density[0], expected, atol=4 * np.sqrt(0.4 / 0.25 / 60000))
    fourth = 4 * density @ middle**4 / (density @ middle**2) ** 2
    assert abs(density[1] - expected).max() > 0.1
    assert fourth[1] > fourth[0] + 0.5
    shallow = Case("shallow_cos", 8, 0)
    assert np.isnan(gaussian_outputs.preactivation_density(shallow, shallow)[1]).all()


@pytest.mark.parametrize(("name", "swaps"), [("claim", False), ("twin", True)])
def test_only_the_optimal_map_swaps_no_two_points(name: str, swaps: bool) -> None:
    case = Case(name, 32, 0)
    start, end = paths.path_ends(case, case)
    products = np.einsum("ijc,ijc->ij", start[:, None] - start, end[:, None] - end)
    assert (products.min() < -1e-12) == swaps
    np.testing.assert_array_equal(start, paths.path_ends(Case("claim", 32, 0), case)[0])
    np.testing.assert_allclose(np.sort(end, 0), np.sort(paths.path_ends(Case("claim", 32, 0), case)[1], 0), rtol=1e-15)


JOBS = [name for name in job_names() if job_spec(name).kind == "computation"]


def runs_of(name: str, size: Literal["small", "full"]) -> list[ComputationRun]:
    spec = job_spec(name, size)
    assert isinstance(spec, ComputationSpec)
    return list(expand_computations(spec, "", canonical_names(spec)))


@pytest.mark.parametrize("name", JOBS)
def test_observables_that_make_the_same_of_a_case_share_the_cost(name: str) -> None:
    """What a case keeps for several observables is one ingredient of theirs, which the plan counts once."""
    run = min(runs_of(name, "small"), key=lambda each: each.width)
    made: dict[frozenset[Any], list[tuple[Ingredient, ...]]] = {}
    for observable in observables_of("computation", run.observables):
        case = Case(run.case, run.width, run.seed)
        observable.function(case, case)
        if case._made:
            made.setdefault(frozenset(case._made), []).append(observable.cost)
    for first, *others in made.values():
        assert all(set(first) & set(other) for other in others)


@pytest.mark.parametrize("name", JOBS)
def test_every_case_and_width_of_a_job_costs_time_on_any_machine(name: str) -> None:
    for run in runs_of(name, "full"):
        for observable in observables_of("computation", run.observables):
            cost = record_cost(observable.cost, run)
            assert 0 < cost.seconds < math.inf
            assert 0 <= cost.flops < math.inf
