"""Intervals and tests for all rows of a table at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sweepengine import analysis
from tests.support.curves import curves, simulate

ROWS = 20


def test_sidaks_intervals_cover_all_rows_at_once() -> None:
    """2000 tables of 20 rows, 7 degrees of freedom; the single intervals, the negative twin, miss somewhere in 64 %."""
    t = np.random.default_rng(1).standard_t(7, (2000, ROWS))

    def all_covered(confidence: float) -> float:
        return float(np.mean(np.all(np.abs(t) <= stats.t.ppf(0.5 + confidence / 2, 7), axis=1)))

    assert all_covered(analysis.sidak(ROWS)) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 2000))
    assert all_covered(0.95) == pytest.approx(0.95**ROWS, abs=0.04)
    assert analysis.sidak(1) == 0.95


def test_holm_errs_as_often_as_it_says_and_finds_more_than_bonferroni() -> None:
    rng = np.random.default_rng(2)
    z = rng.standard_normal((4000, ROWS))
    z[:, : ROWS // 2] += 4.0  # half of the rows are false claims
    p = 2 * stats.norm.sf(np.abs(z))
    rejected = np.array([analysis.holm(row) <= 0.05 for row in p])
    wrong = np.mean(rejected[:, ROWS // 2 :].any(axis=1))
    assert wrong < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert np.mean((p <= 0.05)[:, ROWS // 2 :].any(axis=1)) > 0.3  # the negative twin: single tests
    assert rejected[:, : ROWS // 2].mean() > (p <= 0.05 / ROWS)[:, : ROWS // 2].mean()


def test_holm_is_the_textbooks() -> None:
    np.testing.assert_allclose(analysis.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(analysis.holm([0.5, 0.9]), [1.0, 1.0])


def test_a_fit_in_a_table_is_wider_and_of_the_same_centre() -> None:
    fit = analysis.fit_scaling(curves(simulate(1, 8, p=0.5, noise=0.1, rng_seed=3)[0]))
    wide = fit.simultaneous(40)
    for name in ("p", "p_limit", "p_cautious"):
        one, many = getattr(fit, name), getattr(wide, name)
        assert many.value == one.value
        assert many.low < one.low < one.high < many.high
    same = fit.simultaneous(1)
    assert (same.p_limit, same.p_cautious) == (fit.p_limit, fit.p_cautious)
    assert same.p.low == pytest.approx(fit.p.low, rel=1e-12)
    alone = analysis.fit_scaling(curves(simulate(1, 1, p=0.5, noise=0.1, rng_seed=3)[0]))
    assert alone.simultaneous(40) is alone


def test_the_p_value_of_a_claim_is_the_level_at_which_its_interval_ends() -> None:
    fit = analysis.fit_scaling(curves(simulate(1, 8, p=0.5, noise=0.05, rng_seed=3)[0]))
    for end in (fit.p_cautious.low, fit.p_cautious.high):
        assert analysis.p_value(fit.curve, end) == pytest.approx(0.01, rel=0.02)
    assert analysis.p_value(fit.curve, fit.p_cautious.value) > 0.2
    assert analysis.p_value(fit.curve, 5.0) < 1e-6
    alone = analysis.fit_scaling(curves(simulate(1, 1, p=0.5, noise=0.1, rng_seed=3)[0]))
    assert analysis.p_value(alone.curve, 5.0) == pytest.approx(1.0)


def test_an_estimate_in_a_table_has_the_quantile_of_its_rows() -> None:
    wide = analysis.simultaneous(analysis.Estimate(1.0, 0.0, 2.0, 0.5), dof=7, rows=10)
    t = stats.t.ppf(0.5 + 0.95**0.1 / 2, 7)
    assert (wide.low, wide.high) == pytest.approx((1 - 0.5 * t, 1 + 0.5 * t), rel=1e-9)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(analysis.ContractError, match="0 rows"):
        analysis.sidak(0)
    with pytest.raises(analysis.ContractError, match=r"outside \[0, 1\]"):
        analysis.holm([0.5, 1.5])
