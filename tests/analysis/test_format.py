"""Numbers for people: one rule of digits for errors and intervals, in tables, texts and LaTeX."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepengine import analysis
from sweepengine.analysis._format import MINUS, with_error, with_interval
from sweepengine.analysis._latex import latex
from sweepengine.analysis._tables import glance_table
from sweepengine.analysis._tidy import rows_of_runs
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.147, 0.000143, "0.14700 ± 0.00014"),
        (-0.8, 0.089, "−0.800 ± 0.089"),
        (0.03, 0.0996, "0.03 ± 0.10"),  # rounded, the error has its digits one place further left
        (-0.0001, 0.2, "0.00 ± 0.20"),
        (12345.6, 123.0, "12350 ± 120"),
        (6.66e-6, 1.4e-8, "6.660e−06 ± 0.014e−06"),
        (1.234567e9, 1e7, "1.235e+09 ± 0.010e+09"),
        (0.984375, 0.0, "0.984 ± 0"),
        (0.984375, 1e-17, "0.984 ± 0"),  # of equal values, up to rounding
        (0.0, 0.0, "0 ± 0"),
        (0.984375, math.nan, "0.984"),
        (math.inf, math.nan, "inf"),
    ],
)
def test_an_error_has_two_digits_and_its_value_the_same_place(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


def _read(text: str) -> float:
    return float(text.replace(MINUS, "-"))


@given(st.floats(-1e9, 1e9), st.floats(1e-12, 1e9))
def test_what_is_shown_is_the_number_to_the_shown_digits(value: float, error: float) -> None:
    shown_value, shown_error = with_error(value, error).split(" ± ")
    if shown_error == "0":
        assert error <= 1e-9 * abs(value)
        return
    assert _read(shown_error) == pytest.approx(error, rel=0.051)
    assert abs(_read(shown_value) - value) <= 0.051 * error + 1e-12 * abs(value)
    decimals = [re.sub("e.*", "", each).partition(".")[2] for each in (shown_value, shown_error)]
    assert len(decimals[0]) == len(decimals[1])


def test_an_interval_has_the_place_of_half_its_length() -> None:
    assert with_interval(-0.853, -0.962, -0.521) == "−0.85 [−0.96, −0.52]"
    assert with_interval(1.0, 0.926, 1.0) == "1.000 [0.926, 1.000]"
    assert with_interval(0.0, -1e-20, 1e-20) == "0.0e−20 [−1.0e−20, 1.0e−20]"
    assert with_interval(0.0, 0.0, 0.0) == "0 [0, 0]"


def test_terminal_tables_latex_and_fits_show_the_same_numbers(tmp_path: Path) -> None:
    ds, _ = make_sweep(seeds=4)
    summary = analysis.summarise(ds)
    fit, level = summary.groups[0].fits["kernel_drift"], summary.groups[0].level
    assert level is not None
    line = fit.exponent_at_these_widths
    shown = (with_error(level.mean, level.se), with_error(line.value, line.half_width))
    html = analysis.write_report(ds, tmp_path).html.read_text(encoding="utf-8")
    set_in_latex = latex([glance_table(summary)])
    for text in shown:
        assert text in analysis.to_text(summary, 120)
        assert text in html
        value, error = text.replace(MINUS, "-").split(" ± ")
        assert f"{value} $\\pm$ {error}" in set_in_latex.replace("$-", "-").replace("$ $\\pm", " $\\pm")
    assert str(fit.exponent) in str(analysis.fit_exponents(ds, "kernel_drift"))


def test_what_was_not_measured_has_no_column(tmp_path: Path) -> None:
    ds, _ = make_sweep(widths=(8, 16, 32, 64), seeds=2)
    assert glance_table(analysis.summarise(ds)).headers == (
        "runs", "kernel drift", "expected", "relative movement", "expected", "test accuracy"
    )  # fmt: skip
    regression = ds.drop_vars("outputs_test")
    assert glance_table(analysis.summarise(regression)).headers[-1] == "expected"
    assert "accuracy_test" not in rows_of_runs(analysis.reduce_runs(regression)).columns
    assert "test accuracy" not in analysis.write_report(regression, tmp_path).markdown.read_text(encoding="utf-8")
    bare = glance_table(analysis.summarise(ds.drop_vars(["kernel_drift", "movement_total", "outputs_test"])))
    assert bare.headers == ("runs",)
    assert [row[0] for row in bare.rows] == ["ntk", "mean_field"]
