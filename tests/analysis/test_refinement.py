"""The choice of further runs: what resampled curves predict, and what is best for its time."""

from __future__ import annotations

import numpy as np

from sweepengine.analysis import Curves
from sweepengine.analysis._refinement import Addition, best_addition, half_width, possible_additions
from tests.support.curves import WIDTHS, curves, simulate


def test_more_seeds_narrow_the_interval_as_predicted() -> None:
    """The prediction from 8 seeds against what 16 seeds give, over 12 tables: within a fifth on average."""
    ratios = []
    for values in simulate(12, 16, p=1.0, noise=0.3, rng_seed=3):
        few, many = curves(values[:8]), curves(values)
        seeds, width = possible_additions(few, half_width(few) / 10)
        assert seeds.axis == "seed"
        assert seeds.values == tuple(range(8, 16))  # never more than there are
        assert width.values == (4096,)
        ratios.append(seeds.half_width / half_width(many))
    assert 0.8 < float(np.median(ratios)) < 1.25


def test_a_wider_network_is_predicted_to_narrow_the_interval() -> None:
    [values] = simulate(1, 8, p=1.0, noise=0.3, rng_seed=4)
    short = curves(values[:, :4], WIDTHS[:4])
    _, width = possible_additions(short, 0.01)
    assert width == Addition("width", (512,), width.half_width)
    assert width.half_width < half_width(short)


def test_few_seeds_get_more_before_anything_else() -> None:
    [values] = simulate(1, 2, p=1.0, noise=0.3, rng_seed=5)
    table = Curves(WIDTHS, np.array([3, 7]), values, left_out=(9,))
    [only] = possible_additions(table, 0.1)
    assert (only.axis, only.values) == ("seed", (10, 11))


def test_the_addition_that_gains_most_in_a_second_is_chosen() -> None:
    seeds, width = Addition("seed", (8,), 0.06), Addition("width", (64,), 0.05)
    assert best_addition((seeds, width), 0.1, 0.01, (1.0, 1.0)) is width
    assert best_addition((seeds, width), 0.1, 0.01, (1.0, 2.0)) is seeds
    assert best_addition((seeds, width), 0.1, 0.07, (1.0, 1.01)) is seeds  # beyond the target nothing is gained
    worse = Addition("width", (64,), 0.2)
    assert best_addition((Addition("seed", (8,), 0.11), worse), 0.1, 0.01, (1.0, 1.0)).axis == "seed"
