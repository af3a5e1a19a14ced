"""Random streams: pinned numbers, nesting, independence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sweepengine.streams import (
    TILE_ROWS,
    Role,
    gaussian_block,
    gaussian_matrix,
    gaussians_from_integers,
    permutation,
    raw_integers,
)

PINNED_INTEGERS = [10111271219342104817, 11740547118339619753, 11406273014474346992]
PINNED_ORDER = [8, 5, 1, 4, 7, 0, 3, 2, 9, 6]


def test_integers_are_pinned() -> None:
    found = raw_integers(seed=7, role=Role.WEIGHT, layer=1, tile=2, count=3)
    assert found.tolist() == PINNED_INTEGERS


def test_gaussians_are_pinned() -> None:
    integers = np.array([0, 0, 2**63, 2**62, 2**64 - 1, 2**64 - 1], dtype=np.uint64)
    found = gaussians_from_integers(integers)
    # Box–Muller by hand: sqrt(−2 log u) cos 2πv and its sine, u = (k + 1/2)/2⁵³.
    assert found[0] == pytest.approx(np.sqrt(-2 * np.log(2.0**-54)), rel=1e-15)
    assert found[3] == pytest.approx(np.sqrt(2 * np.log(2)), rel=1e-14)
    assert abs(found[2]) < 1e-15
    assert np.all(np.isfinite(found))


@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 1), (7, 5), (TILE_ROWS, 3), (TILE_ROWS + 9, 4), (2 * TILE_ROWS + 1, 2)]
)
def test_matrices_are_nested_in_both_dimensions(rows: int, columns: int) -> None:
    large = gaussian_matrix(3, Role.WEIGHT, 1, 3 * TILE_ROWS, 6)
    assert np.array_equal(gaussian_matrix(3, Role.WEIGHT, 1, rows, columns), large[:rows, :columns])


def test_seed_role_layer_and_tile_give_unrelated_numbers() -> None:
    base = gaussian_matrix(0, Role.WEIGHT, 0, 2 * TILE_ROWS, 40)
    others = [
        gaussian_matrix(1, Role.WEIGHT, 0, 2 * TILE_ROWS, 40),
        gaussian_matrix(0, Role.READOUT, 0, 2 * TILE_ROWS, 40),
        gaussian_matrix(0, Role.WEIGHT, 1, 2 * TILE_ROWS, 40),
        np.roll(base, TILE_ROWS, axis=0),
    ]
    for other in others:
        correlation = np.corrcoef(base.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(base.size)
    assert np.corrcoef(base.ravel(), base.ravel())[0, 1] > 0.99


def test_numbers_are_standard_gaussians() -> None:
    sample = gaussian_matrix(11, Role.WEIGHT, 0, 4 * TILE_ROWS, 200).ravel()
    assert stats.kstest(sample, "norm").pvalue > 1e-3
    assert abs(sample.mean()) < 4 / np.sqrt(sample.size)
    assert abs(sample.var() - 1) < 4 * np.sqrt(2 / sample.size)
    assert stats.kstest(sample * 1.04, "norm").pvalue < 1e-3  # the test can see 4 %


def test_permutation_is_pinned_and_complete() -> None:
    order = permutation(0, Role.DATA_ORDER, 10)
    assert sorted(order) == list(range(10))
    assert order.tolist() == PINNED_ORDER


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="out of its range"):
        raw_integers(seed=-1, role=Role.WEIGHT, layer=0, tile=0, count=1)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((0, 3), (0, 2)), ((5, 6), (1, 7)), ((255, 300), (3, 4)), ((100, 700), (2, 7)), ((4, 4), (0, 7))],
)
def test_any_rectangle_of_the_matrix_is_the_same(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    large = gaussian_matrix(3, Role.PARTICLE_NOISE, 1, 3 * TILE_ROWS, 7)
    found = gaussian_block(3, Role.PARTICLE_NOISE, 1, rows, columns)
    assert np.array_equal(found, large[slice(*rows), slice(*columns)])
    with pytest.raises(ValueError, match="rows"):
        gaussian_block(3, Role.PARTICLE_NOISE, 1, (2, 1), columns)
