"""Power analysis: what it asks for is enough, about as often as it says, and half of it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.coverage import TERMS, TRUE_P, Widths, simulate
from sweepengine import analysis
from sweepengine.analysis._jackknife import log_means
from sweepengine.analysis._limit import LogCurve, limit_exponent
from sweepengine.analysis._power import continued, what_decides
from sweepengine.analysis._verdict import apply_rules, needed_text
from tests.support.curves import WIDTHS, curves

NOISE = ("normal", 0.15)


def curve_of(rng: np.random.Generator, trials: int, seeds: int, m: Widths, term: str = "pure") -> LogCurve:
    values = simulate(rng, (trials, seeds), m, NOISE, *TERMS[term])
    return LogCurve.from_replicates(np.log(m), *log_means(values))


def half_width(rng: np.random.Generator, seeds: int) -> float:
    found = limit_exponent(curve_of(rng, 100, seeds, WIDTHS.astype(float)))
    return float(np.median(found.high - found.low)) / 2


def pilots(rng: np.random.Generator, count: int = 15, term: str = "pure") -> list[LogCurve]:
    batch = curve_of(rng, count, 8, WIDTHS.astype(float), term).flattened()
    return [LogCurve(batch.log_x, batch.mean[k], batch.covariance[k], 8) for k in range(count)]


def share_met(rng: np.random.Generator, term: str, sizes: list[tuple[int, int]], half: float) -> float:
    """Share of sweeps of so many seeds and widths whose interval is within a tenth of ``half`` on its longer side."""
    met = []
    for seeds, widths in sizes:
        limit = limit_exponent(curve_of(rng, 20, seeds, 32.0 * 2.0 ** np.arange(widths), term))
        met.append(np.mean(np.maximum(limit.high - limit.value, limit.value - limit.low) <= 1.1 * half))
    return float(np.mean(met))


@pytest.mark.parametrize(("term", "half"), [("pure", 0.05), ("1 + m^-1/2", 0.07), ("1 + 30/m", 0.07)])
def test_the_seeds_asked_for_make_the_longer_side_short_as_often_as_is_said(term: str, half: float) -> None:
    """The last two laws have lopsided intervals; the negative twin: a quarter of the seeds is not enough."""
    rng = np.random.default_rng(1)
    found = [analysis.what_narrows(pilot, half).seeds for pilot in pilots(rng, 20, term)]
    answers = [each for each in found if each]
    assert len(answers) >= 10
    assert share_met(rng, term, [(8 + each, 7) for each in answers], half) > 0.7
    assert share_met(rng, term, [(8 + each // 4, 7) for each in answers], half) < 0.6


def test_the_widths_asked_for_make_the_longer_side_short() -> None:
    rng = np.random.default_rng(2)
    found = [analysis.what_narrows(pilot, 0.05).largest for pilot in pilots(rng)]
    answers = [round(math.log2(each / 32)) + 1 for each in found if each]
    assert len(answers) >= 10
    assert share_met(rng, "pure", [(8, each) for each in answers], 0.05) > 0.7
    assert share_met(rng, "pure", [(8, max(7, each - 3)) for each in answers], 0.05) < 0.5


@pytest.mark.parametrize("term", ["pure", "1 + m^-1/2", "1 + 30/m"])
def test_the_seeds_asked_for_decide_as_often_as_is_said(term: str) -> None:
    rng = np.random.default_rng(3)
    found = [
        what_decides(pilot, lambda limit, _: apply_rules("sharp", TRUE_P, limit, limit)[0]).seeds
        for pilot in pilots(rng, 20, term)
    ]
    answers = [each for each in found if each]
    assert len(answers) >= 10
    held = []
    for more in answers:
        limit = limit_exponent(curve_of(rng, 20, 8 + more, WIDTHS.astype(float), term))
        held.append(apply_rules("sharp", TRUE_P, (limit.low, limit.high), (limit.low, limit.high))[0].mean())
    assert float(np.mean(held)) > 0.7


def test_what_is_foreseen_without_change_is_what_is() -> None:
    """The foreseen curve of the same size has about the half-width that such sweeps have."""
    rng = np.random.default_rng(4)
    foreseen = [limit_exponent(continued(pilot, np.array([8]))) for pilot in pilots(rng)]
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
