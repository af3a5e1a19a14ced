"""Transport: closed forms, brute force, geodesic speed, and nothing of quadratic size in silence."""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sweepengine import particles as pt
from sweepengine import transport

if TYPE_CHECKING:
    from collections.abc import Callable

A = pt.gaussian_cloud(1, 60, 3)
B = pt.gaussian_cloud(2, 60, 3) * 0.5 + 1.0


def test_exact_distance_is_the_best_permutation() -> None:
    x, y = A[:6], B[:6]
    best = min(float((x - y[list(order)]).square().sum(1).mean()) for order in permutations(range(6)))
    found = pt.wasserstein(x, y)
    assert found.method == "exact"
    assert found.value == pytest.approx(math.sqrt(best), rel=1e-13)
    assert found.matching is not None
    assert float((x - y[found.matching]).square().sum(1).mean()) == pytest.approx(best, rel=1e-13)
    assert float((x - y).square().sum(1).mean()) > best * 1.05  # the identity is not optimal: the test can fail


def test_translation_and_scaling_in_closed_form() -> None:
    shift = torch.tensor([0.3, -0.4, 1.2], dtype=torch.float64)
    assert pt.wasserstein(A, A + shift).value == pytest.approx(1.3, rel=1e-12)
    centred = A - A.mean(0)
    root = math.sqrt(float(centred.square().sum(1).mean()))
    assert pt.wasserstein(centred, centred * 1.7).value == pytest.approx(0.7 * root, rel=1e-12)


def test_sorting_agrees_with_assignment_and_takes_any_sizes() -> None:
    x, y = A[:, :1], B[:, :1]
    by_sorting, by_assignment = pt.wasserstein(x, y), pt.wasserstein(x, y, method="exact")
    assert (by_sorting.method, by_assignment.method) == ("sorted", "exact")
    assert by_sorting.value == pytest.approx(by_assignment.value, rel=1e-12)
    assert by_sorting.matching is not None
    assert by_assignment.matching is not None
    assert np.array_equal(by_sorting.matching, by_assignment.matching)
    # A cloud of 20 is the cloud of its triples.
    uneven = pt.wasserstein(x, y[:20])
    assert uneven.value == pytest.approx(pt.wasserstein(x, y[:20].repeat(3, 1)).value, rel=1e-12)
    weights = np.array([1.0, 2.0])
    assert pt.line_distance(np.array([0.0, 3.0]), np.array([0.0]), weights) == pytest.approx(math.sqrt(6), rel=1e-14)


def test_mixtures_leave_at_the_root_of_time() -> None:
    """W₂(μ, (1−t) μ + t ν) = √t W₂(μ, ν) for separated points: no geodesic (theory.md §5.5)."""
    ends = np.array([0.0, 5.0])
    for t in (0.01, 0.04, 0.5):
        found = pt.line_distance(np.array([0.0]), ends, None, np.array([1 - t, t]))
        assert found == pytest.approx(math.sqrt(t) * 5, rel=1e-12)


def test_sliced_distance_has_an_honest_error() -> None:
    """A translation by v has SW₂² = |v|²/p exactly: 40 seeds must scatter as their standard errors say."""
    shift = torch.tensor([0.3, -0.4, 1.2], dtype=torch.float64)
    expected = 1.3 / math.sqrt(3)
    found = [pt.wasserstein(A, A + shift, method="sliced", directions=400, seed=seed) for seed in range(40)]
    scores = np.array([(each.value - expected) / each.standard_error for each in found])
    assert np.abs(scores).max() < 4
    assert 0.7 < scores.std() < 1.4  # χ² with 39 degrees of freedom: ±0.11 each sigma
    assert all(each.method == "sliced" for each in found)
    assert pt.wasserstein(A, A, method="sliced").value == 0
    assert pt.wasserstein(A, A, method="sliced").standard_error == 0


def test_auto_says_what_it_used() -> None:
    large = pt.gaussian_cloud(3, transport.EXACT_COUNT + 1, 2)
    assert pt.wasserstein(large, large + 1, directions=3).method == "sliced"
    assert pt.wasserstein(A, B[:30], directions=3).method == "sliced"
    assert pt.wasserstein(A, B, directions=3, memory_bytes=8 * 60 * 60 - 1).method == "sliced"
    assert pt.wasserstein(A, B, memory_bytes=8 * 60 * 60).method == "exact"
    halves = pt.wasserstein(A, A.repeat(2, 1), method="sliced", directions=5)
    assert halves.value == pytest.approx(0, abs=1e-12)


def gaussians(p: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    laws = []
    for _ in range(2):
        root = rng.standard_normal((p, p))
        laws.append((rng.standard_normal(p), root @ root.T / p + 0.2 * np.eye(p)))
    return laws[0], laws[1]


def test_bures_distance_and_map() -> None:
    first, second = gaussians(4)
    matrix, shift = pt.gaussian_map(first, second)
    np.testing.assert_allclose(matrix @ first[0] + shift, second[0], rtol=1e-12)
    np.testing.assert_allclose(matrix @ first[1] @ matrix.T, second[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
    # E|x − T x|² of the map is the distance: two formulas, one number.
    difference = np.eye(4) - matrix
    cost = np.trace(difference @ first[1] @ difference.T) + np.square(first[0] - second[0]).sum()
    assert pt.gaussian_distance(first, second) == pytest.approx(math.sqrt(cost), rel=1e-10)
    # Commuting covariances: the difference of standard deviations.
    diagonal = (np.zeros(2), np.diag([4.0, 9.0])), (np.zeros(2), np.diag([1.0, 25.0]))
    assert pt.gaussian_distance(*diagonal) == pytest.approx(math.sqrt(1 + 4), rel=1e-14)
    assert pt.gaussian_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_the_gaussian_map_is_optimal_on_samples() -> None:
    """A gradient of a convex function is optimal whatever the cloud: assignment must find the identity."""
    first, second = gaussians(3)
    matrix, shift = (torch.from_numpy(part) for part in pt.gaussian_map(first, second))
    found = pt.wasserstein(A, A @ matrix.T + shift)
    assert found.matching is not None
    assert np.array_equal(found.matching, np.arange(60))
    angle = math.pi / 2
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    turned = pt.wasserstein(A[:, :2], A[:, :2] @ turn.T)
    assert turned.value < 0.5 * math.sqrt(float((A[:, :2] - A[:, :2] @ turn.T).square().sum(1).mean()))


def test_geodesics_have_constant_speed_and_other_paths_are_longer() -> None:
    matching = pt.wasserstein(A, B).matching
    assert matching is not None
    shares = [0.0, 0.25, 0.5, 0.9, 1.0]
    ratios = pt.speed_ratios(A, B[matching], shares)
    assert np.abs(np.array(ratios) - 1).max() < 1e-12
    # Twin: any other pairing moves faster near its ends, where assignment cannot shorten the small steps.
    other = pt.speed_ratios(A, B[np.roll(matching, 1)], [0.0, 0.01, 0.5, 0.99, 1.0])
    assert min(other[0], other[-1]) > 1.05
    assert torch.equal(pt.interpolate(A, B, 0.0), A)


def test_no_quadratic_memory_in_silence() -> None:
    many = torch.zeros(100_000, 2, dtype=torch.float64)
    with pytest.raises(pt.MemoryNeedError, match=r"\b76294 MiB.*sliced"):
        pt.wasserstein(many, many, method="exact")
    assert transport.exact_bytes(100_000) == 8 * 10**10


def test_bad_clouds_are_refused() -> None:
    singular = (np.zeros(2), np.zeros((2, 2)))
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: pt.wasserstein(A, B[:, :2]), "one space"),
        (lambda: pt.wasserstein(A, B[:9], method="exact"), "one to one"),
        (lambda: pt.wasserstein(A, B, method="sorted"), "on the line only"),
        (lambda: pt.wasserstein(A, B, method="emd"), "known are auto"),  # type: ignore[arg-type]
        (lambda: pt.wasserstein(A, B, method="sliced", directions=1), "at least 2"),
        (lambda: pt.wasserstein(A * math.nan, B), "NaN"),
        (lambda: pt.wasserstein(A[0], B), r"expected \(n, p\)"),
        (lambda: pt.line_distance(np.zeros(2), np.zeros(2), np.array([1.0, -1.0])), "one weight ≥ 0"),
        (lambda: pt.interpolate(A, B[:3], 0.5), "pairs the rows"),
        (lambda: pt.interpolate(A, B, 1.5), "from 0 to 1"),
        (lambda: pt.speed_ratios(A, A, [0, 1]), "equal clouds"),
        (lambda: pt.speed_ratios(A, B, [0.5, 0.5]), "increasing"),
        (lambda: pt.gaussian_distance(singular, (np.zeros(3), np.eye(3))), "one space"),
        (lambda: pt.gaussian_distance(singular, (np.zeros(2), np.eye(3))), r"expected \(p,\)"),
        (lambda: pt.gaussian_distance(singular, (np.zeros(2), -np.eye(2))), "semidefinite"),
        (lambda: pt.gaussian_map(singular, (np.zeros(2), np.eye(2))), "singular"),
    ]
    for call, message in calls:
        with pytest.raises(pt.ParticlesError, match=message):
            call()


def test_wasserstein_distance_contracts_at_the_rate_of_the_potential() -> None:
    """V = |θ|²/2: exactly e^{−t} at τ = 0; at τ > 0 one noise for both clouds keeps the coupled distance's bound."""
    cold = pt.Functional([pt.quadratic()])
    ends = [pt.adaptive_flow(cold, each, time=1.2, tolerance=pt.Tolerance(1e-11, 1e-13)).final() for each in (A, B)]
    before = pt.wasserstein(A, B).value
    assert pt.wasserstein(*ends).value / before == pytest.approx(math.exp(-1.2), rel=1e-9)
    hot = pt.Functional([pt.quadratic()], temperature=0.5)

    def noisy(cloud: torch.Tensor, seed: int) -> torch.Tensor:
        return pt.flow(hot, cloud, step_size=0.1, steps=12, method="euler_maruyama", seed=seed).final()

    coupled = math.sqrt(float((noisy(A, 1) - noisy(B, 1)).square().sum(1).mean()))
    start = math.sqrt(float((A - B).square().sum(1).mean()))
    assert coupled == pytest.approx(0.9**12 * start, rel=1e-12)
    assert pt.wasserstein(noisy(A, 1), noisy(B, 1)).value <= coupled * (1 + 1e-12)
    assert math.sqrt(float((noisy(A, 1) - noisy(B, 2)).square().sum(1).mean())) > 1.5 * coupled  # twin: other noise
