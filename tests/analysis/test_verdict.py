"""Verdicts: every branch, and how often a true claim is called wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweepengine import analysis
from sweepengine.analysis import Setting
from sweepengine.analysis._decision import Part
from sweepengine.analysis._expectations import Sample
from sweepengine.analysis._judgement import judge_group
from sweepengine.analysis._kinds import findings_of
from sweepengine.analysis._verdict import why_undecided
from tests.support.curves import WIDTHS, curves, simulate
from tests.support.synthetic import make_sweep


def judge_claims(
    setting: Setting, fits: dict[str, analysis.ScalingFit], failures: dict[str, str]
) -> tuple[analysis.ClaimResult, ...]:
    none = np.empty(0)
    samples = {key: Sample(none, none, none, fit, "") for key, fit in fits.items()}
    samples |= {key: Sample(none, none, none, None, why) for key, why in failures.items()}
    return judge_group(findings_of("networks").expected, "g", setting, samples)


def fit_with(
    low: float, high: float, *, cautious: tuple[float, float] | None = None, explained: bool = True
) -> analysis.ScalingFit:
    """A fit with these intervals of p_limit and p_cautious; the latter's is ± 0.3 around the former unless told."""
    middle = (low + high) / 2
    c_low, c_high = cautious or (middle - 0.3, middle + 0.3)
    return replace(
        BASE,
        p=analysis.Estimate(middle, middle, middle, 0.0),
        p_limit=analysis.Estimate(middle, low, high, 0.01),
        p_cautious=analysis.Estimate((c_low + c_high) / 2, c_low, c_high, 0.1),
        explained=explained,
    )


BASE = analysis.fit_scaling(curves(simulate(1, 4, p=1.0, noise=0.1, rng_seed=3)[0]))


@pytest.mark.parametrize(
    ("fit", "kind", "p", "verdict", "why"),
    [
        (fit_with(0.6, 0.7), "bound", 0.5, "holds", ""),
        (fit_with(0.45, 0.55), "bound", 0.5, "holds", ""),
        (fit_with(0.39, 0.55), "bound", 0.5, "undecided", "off by 0.1 or more"),
        (fit_with(0.3, 0.4, cautious=(0.2, 0.45)), "bound", 0.5, "violated", ""),
        (fit_with(0.3, 0.4, cautious=(0.2, 0.55)), "bound", 0.5, "undecided", "slow finite-size term or chance"),
        (fit_with(0.45, 0.49, cautious=(0.45, 0.495)), "bound", 0.5, "violated", ""),
        (fit_with(0.95, 1.02), "sharp", 1.0, "holds", ""),
        (fit_with(0.85, 1.02), "sharp", 1.0, "undecided", "off by 0.1 or more"),
        (fit_with(0.99, 1.12), "sharp", 1.0, "undecided", "off by 0.1 or more"),
        (fit_with(0.6, 0.7, cautious=(0.5, 0.8)), "sharp", 1.0, "differs", ""),
        (fit_with(1.2, 1.3, cautious=(1.1, 1.4)), "sharp", 1.0, "differs", ""),
        (fit_with(0.6, 0.7, cautious=(0.5, 1.1)), "sharp", 1.0, "undecided", "slow finite-size term or chance"),
        (fit_with(0.64, 0.71, cautious=(0.6, 0.72)), "asymptote", 0.75, "undecided", "pre-asymptotic"),
        (fit_with(0.70, 0.77), "asymptote", 0.75, "holds", ""),
        (fit_with(0.60, 0.77), "asymptote", 0.75, "undecided", "off by 0.1 or more"),
        *(
            (fit_with(0.6, 0.7, cautious=(0.6, 0.7), explained=False), kind, p, "undecided", "is no limit")
            for kind in ("bound", "sharp", "asymptote")
            for p in (0.5, 0.65, 1.0)
        ),
    ],
)
def test_every_branch(fit: analysis.ScalingFit, kind: str, p: float, verdict: str, why: str) -> None:
    found, reason = analysis.judge(fit, kind, p)  # type: ignore[arg-type]
    assert found == verdict
    assert (why in reason) if why else reason == ""


@pytest.mark.parametrize("kind", ["bound", "sharp", "asymptote"])
def test_without_an_interval_nothing_is_decided(kind: str) -> None:
    fit = analysis.fit_scaling(curves(simulate(1, 1, p=0.1, noise=0.1, rng_seed=0)[0]))
    assert analysis.judge(fit, kind, 0.5) == ("undecided", fit.why_no_interval)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bound", "sharp", "asymptote"])
def test_a_law_that_all_seeds_obey_exactly_holds_despite_rounding(kind: str) -> None:
    """The interval has length 0, and its one number differs from the exponent by rounding."""
    exponents = np.arange(31) / 10
    fits = [analysis.fit_scaling(curves(np.tile(WIDTHS**-p, (4, 1)))) for p in exponents]
    assert any(fit.p.value != p for fit, p in zip(fits, exponents, strict=True))
    verdicts = {analysis.judge(fit, kind, p) for fit, p in zip(fits, exponents, strict=True)}  # type: ignore[arg-type]
    assert verdicts == {("holds", "")}
    expected = {"bound": "violated", "sharp": "differs"}.get(kind, "undecided")
    assert analysis.judge(fits[10], kind, 1.001)[0] == expected  # type: ignore[arg-type]


def test_an_undecided_claim_says_what_would_decide_it() -> None:
    fit = analysis.fit_scaling(curves(simulate(1, 8, p=0.5, noise=0.1, rng_seed=3)[0]))
    verdict, why = analysis.judge(fit, "sharp", 0.6)
    assert verdict == "undecided"
    assert re.search(r"to decide: \d+ more seeds, or widths up to (4096|8192|16384)$", why)
    text, seeds = why_undecided(fit, "sharp", 0.6)
    assert text == why
    assert f"to decide: {seeds} more seeds" in why
    verdict, why = analysis.judge(fit, "asymptote", 0.8)
    assert "to decide" not in why
    assert why_undecided(fit, "asymptote", 0.8) == (why, None)


def expected(gamma: float, depth: int, activation: str, **network: Any) -> set[tuple[str, str, str, str]]:
    fits = {key: fit_with(0.4, 0.6) for key in ("kernel_drift", "movement_total", "movement_op/W0")}
    rows = judge_claims(Setting(gamma, depth, activation, **network), fits, {})
    return {(r.id, r.observable, r.kind, r.expected_text) for r in rows}


def test_claims_are_those_of_the_theory() -> None:
    lazy_half = {("lazy", "movement_total", "sharp", "−1/2"), ("lazy", "movement_op/W0", "sharp", "−1/2")}
    bound = ("ntk-const", "kernel_drift", "bound", "≤ −1/2")
    sharp = ("ntk-const", "kernel_drift", "sharp", "−1")
    assert expected(0.5, 1, "tanh") == {bound, sharp, *lazy_half}
    assert expected(0.5, 1, "relu") == {bound, ("ntk-const", "kernel_drift", "asymptote", "→ −3/4"), *lazy_half}
    deep = {("lazy", "movement_total", "sharp", "−1"), ("lazy", "movement_op/W0", "sharp", "−1/2")}
    assert expected(0.5, 2, "tanh") == {bound, sharp, *deep}
    assert expected(0.5, 2, "relu") == {bound, *deep}
    assert expected(0.5, 1, "my_own") == {bound, *lazy_half}
    assert expected(0.75, 1, "erf") == {
        ("gamma", "kernel_drift", "sharp", "−1/2"),
        ("gamma", "movement_total", "sharp", "−1/4"),
        ("ntk-const", "kernel_drift", "sharp", "−1/2"),
        ("lazy", "movement_total", "sharp", "−1/4"),
        ("lazy", "movement_op/W0", "sharp", "−1/4"),
    }
    assert expected(1.0, 1, "relu") == {
        ("mf-move", "kernel_drift", "sharp", "0"),
        ("mf-move", "movement_total", "sharp", "0"),
        ("lazy", "movement_total", "sharp", "0"),
        ("lazy", "movement_op/W0", "sharp", "0"),
    }
    assert ("lazy", "movement_total", "sharp", "−1/2") in expected(1.0, 2, "tanh")
    assert expected(0.3, 1, "tanh") == set()


@pytest.mark.parametrize(
    ("gamma", "alpha", "verdicts"),
    [
        (0.5, 1.0, {"violated", "differs"}),
        (0.5, 0.2, {"violated", "differs"}),  # 0.2 √32 > 1
        (0.5, 0.01, {"undecided"}),  # the widths of the fit begin where features still move as in the mean field
        (0.5, 100.0, {"violated", "differs"}),
        (1.0, 0.01, {"differs"}),
        (1.0, 5.0, {"differs"}),
        (1.0, 100.0, {"undecided"}),  # the output still starts at α/√m
        (0.75, 0.1, {"undecided"}),
        (0.75, 2.0, {"differs"}),
        (0.75, 10.0, {"undecided"}),
    ],
)
def test_nothing_is_contradicted_where_alpha_hides_the_limit(gamma: float, alpha: float, verdicts: set[str]) -> None:
    false = fit_with(0.3, 0.35, cautious=(0.3, 0.35))
    assert false.kept[0] == 32
    rows = judge_claims(Setting(gamma, 1, "tanh", alpha=alpha), {"kernel_drift": false}, {})
    assert {row.verdict for row in rows} == verdicts
    assert all(f"α = {alpha:g} is so" in row.why for row in rows if row.verdict == "undecided")
    sharp = fit_with(0.98, 1.02)
    [held] = [
        row
        for row in judge_claims(Setting(0.5, 1, "tanh", alpha=0.01), {"kernel_drift": sharp}, {})
        if row.kind == "sharp"
    ]
    assert held.verdict == "holds"


def test_claims_are_silent_where_the_network_is_not_theirs() -> None:
    plain = expected(0.5, 1, "tanh")
    # A read-out of ones keeps the exponents of an odd activation without biases, and those of the mean field
    # (init-scale).
    assert expected(0.5, 1, "tanh", readout="ones") == plain
    assert expected(1.0, 1, "relu", readout="ones") == expected(1.0, 1, "relu")
    assert expected(0.5, 1, "tanh", readout="ones", biases=True) == set()
    assert expected(0.75, 1, "softplus", readout="ones") == set()
    assert expected(0.5, 2, "tanh", readout="ones") == set()
    assert expected(0.5, 1, "relu", readout="ones") == set() != expected(0.5, 1, "relu", readout="signs")
    # The kernel of the last layer alone cannot move, and a frozen layer does not.
    assert expected(0.5, 1, "tanh", trained="last_layer") == {("lazy", "movement_total", "sharp", "−1/2")}
    assert expected(1.0, 1, "tanh", trained="last_layer") == {("lazy", "movement_total", "sharp", "0")}
    assert expected(0.5, 1, "tanh", trained="hidden_weights") == plain
    rows = judge_claims(Setting(0.5, 1, "tanh", trained="hidden_weights"), {}, {"movement_op/W1": "no movement"})
    assert rows == ()


def sizes(*setting: Any, **network: Any) -> dict[str, str]:
    """Expected exponents of the claim `sizes`, of some of its quantities in networks of two hidden layers."""
    blocks = ("jacobian_rms/W0 jacobian_rms/W1 jacobian_rms/W2 jacobian_rms_bias/W1 jacobian_rms_bias/W2 "
              "hessian_diagonal/W0 hessian_diagonal/W1 hessian_first/W1 hessian_first/W2 hessian_last/W1")  # fmt: skip
    rows = judge_claims(Setting(*setting, **network), {key: fit_with(0.4, 0.6) for key in blocks.split()}, {})
    return {row.observable: row.expected_text for row in rows}


def test_sizes_are_those_of_blocks_that_are_trained() -> None:
    jacobian = {"jacobian_rms/W0": "−3/4", "jacobian_rms/W1": "−5/4", "jacobian_rms/W2": "−3/4"}
    bias = {"jacobian_rms_bias/W1": "−3/4", "jacobian_rms_bias/W2": "−1/4"}
    hessian = {
        "hessian_diagonal/W0": "−5/4",
        "hessian_diagonal/W1": "−9/4",
        "hessian_first/W1": "−7/4",
        "hessian_first/W2": "−5/4",
        "hessian_last/W1": "−7/4",
    }
    assert sizes(0.75, 2, "tanh") == jacobian | bias | hessian
    assert sizes(0.75, 2, "relu") == jacobian | bias
    assert sizes(0.75, 2, "tanh", readout="ones") == {}
    assert sizes(0.75, 2, "tanh", trained="hidden_weights").keys() == {"jacobian_rms/W0", "jacobian_rms/W1"}
    assert sizes(0.75, 2, "tanh", trained="last_layer").keys() == {"jacobian_rms/W2", "jacobian_rms_bias/W2"}


def test_a_share_of_backward_signals_that_is_1_has_no_exponent() -> None:
    """At widths below the number of points every signal lies within the features: m^0, which refutes nothing."""
    sweep, _ = make_sweep(widths=(8, 16, 32, 64), seeds=3)
    shares = np.minimum(1.0, 10 / sweep["width"].values)[:, None, None] * np.ones((1, sweep.sizes["record"], 1))
    summary = analysis.summarise(sweep.assign(backward_projection=(("run", "record", "hidden"), shares)))
    verdicts = {(row.verdict, row.why) for row in summary.claims if row.id == "backward"}
    assert {verdict for verdict, _ in verdicts} == {"undecided"}
    assert all("m ≤ N" in why for _, why in verdicts)
    wide = sweep.isel(run=np.flatnonzero(sweep["width"] > 10)).assign(
        backward_projection=(("run", "record", "hidden"), shares[sweep["width"] > 10])
    )
    assert {row.verdict for row in analysis.summarise(wide).claims if row.id == "backward"} == {"holds"}


def test_a_failed_fit_leaves_its_claims_undecided_with_the_reason() -> None:
    rows = judge_claims(Setting(1.0, 1, "tanh"), {}, {"kernel_drift": "Found 0.0 at width 32"})
    assert [(r.verdict, r.why, r.measured) for r in rows] == [("undecided", "Found 0.0 at width 32", None)]


def test_synthetic_sweep_obeys_the_theory_and_a_wrong_one_is_caught() -> None:
    right, _ = make_sweep(noise=0.05)
    verdicts = [c.verdict for c in analysis.summarise(right).claims]
    assert verdicts.count("holds") >= len(verdicts) - 1  # nine 95 % intervals
    # With three times the noise eight seeds leave the limit open, and say so.
    open_, _ = make_sweep(noise=0.15)
    undecided = [c for c in analysis.summarise(open_).claims if c.verdict == "undecided"]
    assert undecided
    assert all("to decide: " in c.why for c in undecided)
    assert not {"violated", "differs"} & set(verdicts)
    wrong, _ = make_sweep(noise=0.05, exponents={"kernel_drift": 0.25, "movement_total": 0.25})
    found = {(c.group, c.observable, c.kind): c.verdict for c in analysis.summarise(wrong).claims}
    assert found["ntk", "kernel_drift", "bound"] == "violated"
    assert found["ntk", "kernel_drift", "sharp"] == "differs"
    assert found["mean_field", "kernel_drift", "sharp"] == "differs"
    assert found["mean_field", "movement_total", "sharp"] == "differs"


def test_relu_reading_before_the_asymptote_is_never_a_violation() -> None:
    ds, _ = make_sweep(activation="relu", noise=0.03)
    found = {c.kind: c for c in analysis.summarise(ds).claims if (c.group, c.observable) == ("ntk", "kernel_drift")}
    assert found["bound"].verdict == "holds"
    assert found["asymptote"].verdict == "undecided"
    assert "pre-asymptotic" in found["asymptote"].why


def test_a_remark_reports_a_number_and_leaves_the_verdict_to_others() -> None:
    """The mean over seeds of the widest runs; a claim of remarks alone is undecided, and no twin of them is caught."""
    quantity = findings_of("networks").quantities[0]
    remark = analysis.Remark(quantity, lambda *_: True, "nowhere")
    setting = Setting(gamma=0.5, depth=1, activation="tanh")
    sample = Sample(np.array([4, 4, 8, 8]), np.array([0, 1, 0, 1]), np.array([9.0, 9.0, 1.0, 3.0]), None, "")
    [row] = judge_group([("of-a-test", remark)], "g", setting, {quantity.name: sample})
    assert (row.verdict, row.kind, row.expected_text) == ("none", "remark", "–")
    assert row.measured is not None
    assert row.measured.value == 2.0
    evidence = analysis.Evidence("no job", (remark,), lambda sweep: sweep, "none")
    claim = analysis.Claim("of-a-test", "Nothing.", (evidence,), "nowhere")
    alone = analysis.Decision(claim, (Part(evidence, (row,), (row,)),), 0.0, {})
    assert (alone.verdict, alone.twins_are_caught) == ("undecided", False)
    held = analysis.Decision(claim, (Part(evidence, (row, replace(row, verdict="holds")), (row,)),), 0.0, {})
    assert held.verdict == "holds"
