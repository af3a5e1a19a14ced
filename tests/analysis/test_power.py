"""Power analysis: what it asks for is enough, about as often as it says, and half of it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.coverage import TRUE_P, Widths, simulate
from sweepengine import analysis
from sweepengine.analysis._jackknife import log_means
from sweepengine.analysis._limit import LogCurve, limit_exponent
from sweepengine.analysis._power import continued, what_decides
from sweepengine.analysis._verdict import apply_rules, needed_text
from tests.support.curves import WIDTHS, curves

NOISE = ("normal", 0.15)


def curve_of(rng: np.random.Generator, trials: int, seeds: int, m: Widths) -> LogCurve:
    values = simulate(rng, (trials, seeds), m, NOISE, 0.0, 1.0)
    return LogCurve.from_replicates(np.log(m), *log_means(values))


def half_width(rng: np.random.Generator, seeds: int, widths: int = 7) -> float:
    found = limit_exponent(curve_of(rng, 100, seeds, 32.0 * 2.0 ** np.arange(widths)))
    return float(np.median(found.high - found.low)) / 2


def pilots(rng: np.random.Generator, count: int = 15) -> list[LogCurve]:
    batch = curve_of(rng, count, 8, WIDTHS.astype(float)).flattened()
    return [LogCurve(batch.log_x, batch.mean[k], batch.covariance[k], 8) for k in range(count)]


def test_the_seeds_asked_for_give_the_half_width() -> None:
    """Pilots of 8 seeds ask for ± 0.05; sweeps of the median answer have that half-width within a fifth."""
    rng = np.random.default_rng(1)
    answers = [needed.seeds for needed in (analysis.what_narrows(pilot, 0.05) for pilot in pilots(rng)) if needed.seeds]
    assert len(answers) >= 10
    more = round(float(np.median(answers)))
    assert half_width(rng, 8 + more) == pytest.approx(0.05, rel=0.2)
    assert half_width(rng, 8 + more // 4) > 1.2 * 0.05  # the negative twin: a quarter of them is not enough


def test_the_widths_asked_for_give_the_half_width() -> None:
    rng = np.random.default_rng(2)
    answers = [
        needed.largest for needed in (analysis.what_narrows(pilot, 0.05) for pilot in pilots(rng)) if needed.largest
    ]
    assert len(answers) >= 10
    widths = round(math.log2(float(np.median(answers)) / 32)) + 1
    assert half_width(rng, 8, widths) <= 1.2 * 0.05
    assert half_width(rng, 8, max(7, widths - 2)) > 0.05


def test_the_seeds_asked_for_decide_as_often_as_is_said() -> None:
    rng = np.random.default_rng(3)
    answers = [
        needed.seeds
        for needed in (
            what_decides(pilot, lambda limit, _: apply_rules("sharp", TRUE_P, limit, limit)[0], bends=False)
            for pilot in pilots(rng)
        )
        if needed.seeds
    ]
    assert len(answers) >= 5
    limit = limit_exponent(curve_of(rng, 200, 8 + round(float(np.median(answers))), WIDTHS.astype(float)))
    holds = apply_rules("sharp", TRUE_P, (limit.low, limit.high), (limit.low, limit.high))[0]
    assert 0.65 < holds.mean() < 0.97


def test_what_is_foreseen_without_change_is_what_is() -> None:
    """The foreseen curve of the same size has about the half-width that such sweeps have."""
    rng = np.random.default_rng(4)
    foreseen = [limit_exponent(continued(pilot, np.array([8]), bends=False)) for pilot in pilots(rng)]
    halves = [float(found.high[0] - found.low[0]) / 2 for found in foreseen]
    assert float(np.median(halves)) == pytest.approx(half_width(rng, 8), rel=0.2)


def test_one_seed_has_no_power_analysis() -> None:
    fit = analysis.fit_scaling(curves(simulate(np.random.default_rng(0), (1, 1), WIDTHS.astype(float), NOISE, 0, 1)[0]))
    with pytest.raises(analysis.TooFewSeedsError, match="at least 2"):
        analysis.what_narrows(fit.curve, 0.05)


def test_an_answer_is_a_sentence() -> None:
    assert needed_text(analysis.Needed(1, 8192.0), "width") == "1 more seed, or widths up to 8192"
    assert needed_text(analysis.Needed(18, None), "width") == "18 more seeds"
    assert needed_text(analysis.Needed(None, 0.5), "alpha") == "values of alpha up to 0.5"
    assert "neither" in needed_text(analysis.Needed(None, None), "width")
