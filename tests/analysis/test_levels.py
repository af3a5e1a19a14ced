"""Expectations of a value, of a side of a limit, and of a share: each verdict, its twin, how often it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from sweepengine.analysis import Equality, Frequency, Inequality, Quantity, Setting, final
from sweepengine.analysis._expectations import Sample
from sweepengine.analysis._levels import mean_estimate
from sweepengine.analysis._shares import share_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sweepengine.analysis._expectations import Judgement

    Values = Sequence[float] | NDArray[np.float64]

Q = Quantity("q", final("q"), "q", "q", "of a test", fitted=False)
SETTING = Setting(gamma=0.5, depth=1, activation="tanh", method="none", case="claim")


def sample(values: Values, *, size: Sequence[int] | None = None, seed: Sequence[int] | None = None) -> Sample:
    """Runs of one width and of different seeds, unless told."""
    return Sample(
        np.asarray(size or [8] * len(values)),
        np.asarray(seed or range(len(values))),
        np.asarray(values, float),
        None,
        "",
    )


def equality(values: Values, within: float = 0.1, **more: list[int]) -> Judgement:
    return Equality(Q, lambda *_: True, lambda *_: 1.0, within, "nowhere").judge(sample(values, **more), SETTING, "")


def test_an_equality_needs_its_whole_interval_in_the_band() -> None:
    near = [0.99, 1.0, 1.01, 1.0]
    held = equality(near)
    assert (held.verdict, held.why) == ("holds", "")
    assert held.expected == 1
    assert held.measured is not None
    spread = np.std(near, ddof=1) / 2
    assert held.measured.high == pytest.approx(1 + stats.t.ppf(0.975, 3) * spread, rel=1e-9)
    # Twins: the same interval beyond the band, on its edge on either side, and around it.
    assert equality(np.add(near, 0.2)).verdict == equality(np.add(near, -0.2)).verdict == "differs"
    assert equality(near, within=0.005).verdict == "undecided"
    for shift, why in ((0.095, "reaches out of the band: about "), (0.105, "reaches into the band")):
        edge = equality(np.add(near, shift))
        assert edge.verdict == "undecided"
        assert why in edge.why


def test_an_equality_counts_the_seeds_that_it_needs() -> None:
    """With so many more seeds of the same spread and mean the interval fits, and with three fewer it does not."""
    values = np.array([0.8, 1.0, 1.2, 1.0])
    need = int(equality(values).why.split("about ")[1].split()[0])
    spread = values.std(ddof=1)

    def half(count: int) -> float:
        return float(stats.t.ppf(0.975, count - 1) * spread / np.sqrt(count))

    assert half(4 + need) < 0.1 < half(4 + need - 3)


def test_a_seed_is_one_replicate_of_an_equality() -> None:
    """Runs of one seed at several widths are averaged before the interval."""
    values, seeds, sizes = [0.9, 1.1, 0.9, 1.1], [0, 0, 1, 1], [8, 16, 8, 16]
    both = equality(values, within=0.01, seed=seeds, size=sizes)
    assert both.verdict == "holds"
    assert equality(values, within=0.01).verdict == "undecided"  # twin: as four seeds
    widest = Equality(Q, lambda *_: True, lambda *_: 1.1, 0.01, "nowhere", runs="the widest")
    assert widest.judge(sample(values, seed=seeds, size=sizes), SETTING, "").verdict == "holds"


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")], [1.0]])
def test_an_equality_without_an_interval_is_undecided(values: list[float]) -> None:
    assert equality(values).verdict == "undecided"


def test_an_equality_is_seldom_wrong() -> None:
    """A true mean at the edge of the band: "holds" and "differs" have the rate 1/40 that they must not exceed."""
    rng, trials = np.random.default_rng(0), 2000
    for edge in (0.9, 1.1):
        verdicts = [equality(edge + 0.05 * rng.standard_normal(8)).verdict for _ in range(trials)]
        bar = 0.025 + 4 * np.sqrt(0.025 / trials)
        assert verdicts.count("holds") / trials < bar
        assert verdicts.count("differs") / trials < bar
    inside = [equality(1 + 0.05 * rng.standard_normal(8)).verdict for _ in range(200)]
    assert inside.count("holds") > 190


@pytest.mark.parametrize(
    ("side", "limit", "verdict"),
    [("≤", 3.0, "holds"), ("≤", 2.9, "violated"), ("≥", 1.0, "holds"), ("≥", 1.1, "violated")],
)
def test_an_inequality_is_about_every_run(side: str, limit: float, verdict: str) -> None:
    expectation = Inequality(Q, lambda *_: True, side, lambda *_: limit, "nowhere")  # type: ignore[arg-type]
    found = expectation.judge(sample([1.0, 2.0, 3.0]), SETTING, "")
    assert found.verdict == verdict
    assert found.measured is not None
    assert found.measured.value == (3 if side == "≤" else 1)
    assert not found.measured.has_interval


def test_an_inequality_of_the_widest_and_of_runs_without_a_value() -> None:
    wide = Inequality(Q, lambda *_: True, "≤", lambda *_: 1.0, "nowhere", runs="the widest")
    runs = sample([2.0, 0.5], size=[8, 16])
    assert wide.judge(runs, SETTING, "").verdict == "holds"
    every = Inequality(Q, lambda *_: True, "≤", lambda *_: 1.0, "nowhere")
    assert every.judge(runs, SETTING, "").verdict == "violated"
    assert every.judge(sample([0.5, float("inf")]), SETTING, "").verdict == "violated"
    for values in ([], [0.5, float("nan")]):
        assert every.judge(sample(values), SETTING, "").verdict == "undecided"


@pytest.mark.parametrize(("inside", "verdict"), [(100, "holds"), (93, "undecided"), (80, "violated")])
def test_a_frequency_is_judged_by_its_exact_interval(inside: int, verdict: str) -> None:
    values = [0.0] * inside + [2.0] * (100 - inside)
    found = Frequency(Q, lambda *_: True, lambda *_: 1.0, 0.9, "nowhere").judge(sample(values), SETTING, "")
    assert found.verdict == verdict
    assert found.measured is not None
    assert found.measured.value == inside / 100
    exact = stats.binomtest(inside, 100).proportion_ci(0.95, "exact")
    assert found.measured.low == pytest.approx(exact.low, abs=1e-12)
    assert found.measured.high == pytest.approx(exact.high, abs=1e-12)
    nothing = Frequency(Q, lambda *_: True, lambda *_: 1.0, 0.9, "nowhere").judge(sample([float("nan")]), SETTING, "")
    assert nothing.verdict == "undecided"


@pytest.mark.parametrize("runs", [8, 32])
def test_the_interval_of_a_share_covers_it_exactly(runs: int) -> None:
    """Coverage summed over all outcomes, not simulated: at least 95 % for every share (Clopper & Pearson 1934)."""
    ends = [share_estimate(k, runs) for k in range(runs + 1)]
    coverage = []
    for share in np.linspace(0.005, 0.995, 199):
        weights = stats.binom.pmf(np.arange(runs + 1), runs, share)
        coverage.append(sum(w for w, end in zip(weights, ends, strict=True) if end.low <= share <= end.high))
    assert min(coverage) >= 0.95 - 1e-12
    normal = [(k / runs - 1.96 * np.sqrt(k * (runs - k) / runs**3), k / runs) for k in range(runs + 1)]
    assert normal[runs][0] == 1.0  # twin: Wald's interval has no width there, and misses every share below 1


def test_the_interval_of_a_mean_covers_it() -> None:
    rng, trials = np.random.default_rng(1), 2000
    covered = 0
    for _ in range(trials):
        found = mean_estimate(rng.standard_normal(4) + 3)
        covered += found.low <= 3 <= found.high
    assert covered / trials == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / trials))
