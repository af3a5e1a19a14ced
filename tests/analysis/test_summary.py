"""From a dataset to numbers: reductions, groups, counts, warnings and the terminal's table."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sweepengine import analysis
from sweepengine.analysis import _observables
from sweepengine.analysis._terminal import line_text
from tests.support.synthetic import make_sweep
from tests.support.texts import says

if TYPE_CHECKING:
    from pathlib import Path

ODD = {("ntk", 2048, 3): "diverged", ("ntk", 32, 3): "diverged", ("mean_field", 64, 1): "failed"}
UNFINISHED = {("mean_field", 128, 0): "pending", ("mean_field", 256, 7): "running"}


def refuse(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if block.size:  # Dask calls it once with an empty block to learn the type
        raise AssertionError("the kernel was read")
    return block


def test_observables_are_the_suprema_and_last_records_of_finished_runs() -> None:
    ds, _ = make_sweep(status={**ODD, **UNFINISHED})
    table = analysis.reduce_runs(ds)
    done = ds.load().isel(run=np.flatnonzero(ds["status"].values == "done"))
    assert table.sizes["run"] == ds.sizes["run"] - 5
    assert table["id"].values.tolist() == done["id"].values.tolist()
    for name in ("kernel_drift", "movement_total", "movement_relative", "movement_op"):
        np.testing.assert_array_equal(table[name].values, done[name].values.astype(float).max(axis=1))
    np.testing.assert_array_equal(table["loss_test"].values, done["loss_test"].values[:, -1].astype(float))
    right = np.sign(done["outputs_test"].values[:, -1]) == np.sign(done["targets_test"].values)
    np.testing.assert_allclose(table["accuracy_test"].values, right.mean(axis=1), rtol=1e-15)


def test_supremum_is_not_the_last_record() -> None:
    ds, _ = make_sweep(dask=False)
    ds["kernel_drift"].values[0, 5] = 77.0
    assert analysis.reduce_runs(ds)["kernel_drift"].values[0] == 77.0


@pytest.mark.parametrize("held", [0, 2**27])
def test_dask_and_memory_agree_and_the_kernel_is_never_read(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_observables, "_HELD", held)
    memory, _ = make_sweep(dask=False)
    lazy, _ = make_sweep(dask=True)
    lazy["kernel"] = lazy["kernel"].copy(data=da.map_blocks(refuse, lazy["kernel"].data, dtype=np.float32))
    xr.testing.assert_identical(analysis.reduce_runs(lazy), analysis.reduce_runs(memory))
    with pytest.raises(AssertionError, match="the kernel was read"):
        lazy["kernel"].compute()


def test_an_output_of_zero_is_wrong_and_nan_is_unknown() -> None:
    ds, _ = make_sweep(dask=False, points=4, seeds=1, widths=(8, 16, 32))
    ds["outputs_test"].values[0, -1] = [-1.0, 1.0, 0.0, 1.0]  # targets −1 +1 −1 +1
    ds["outputs_test"].values[1, -1] = [-1.0, 1.0, math.nan, 1.0]
    accuracy = analysis.reduce_runs(ds)["accuracy_test"].values
    assert accuracy[0] == 0.75
    assert math.isnan(accuracy[1])


def test_outputs_that_nobody_recorded_have_no_accuracy(tmp_path: Path) -> None:
    ds, _ = make_sweep(dask=False, points=4, seeds=2, widths=(8, 16, 32))
    targets = xr.DataArray(np.eye(3)[[0, 1, 2, 0]], dims=("test", "output"))
    several = ds.drop_vars("outputs_test").assign(targets_test=targets)
    for unrecorded in (several, ds.drop_vars("outputs_test")):
        accuracy = analysis.reduce_runs(unrecorded)["accuracy_test"]
        assert accuracy.dims == ("run",)
        assert np.isnan(accuracy.values).all()
        assert analysis.write_report(unrecorded, tmp_path).html.exists()


def test_padding_beyond_the_records_done_is_ignored_but_a_hole_is_not() -> None:
    ds, _ = make_sweep(dask=True)
    short = ds.load().copy(deep=True)
    short["records_done"].values[0] = 7
    for name in ("kernel_drift", "loss_train", "loss_test", "movement_total"):
        short[name].values[0, 7:] = math.nan
    short["outputs_test"].values[0, 7:] = math.nan
    table = analysis.reduce_runs(short.chunk({"run": 16}))
    assert table["kernel_drift"].values[0] == ds["kernel_drift"].values[0, :7].max()
    assert table["loss_train"].values[0] == ds["loss_train"].values[0, 6]
    assert np.isfinite(table["accuracy_test"].values[0])
    short["kernel_drift"].values[0, 3] = math.nan
    assert math.isnan(analysis.reduce_runs(short)["kernel_drift"].values[0])
    summary = analysis.summarise(short)
    assert "Found nan at width 32, seed 0" in summary.groups[0].failures["kernel_drift"]


def test_targets_may_differ_between_runs() -> None:
    ds, _ = make_sweep(dask=False)
    flipped = ds.assign(targets_test=ds["targets_test"] * xr.DataArray(np.ones(ds.sizes["run"]), dims="run"))
    flipped["targets_test"].loc[{"run": 0}] = -flipped["targets_test"].isel(run=0)
    a, b = (analysis.reduce_runs(x)["accuracy_test"].values for x in (ds, flipped))
    assert b[0] == pytest.approx(1 - a[0])
    np.testing.assert_array_equal(a[1:], b[1:])


def test_unfinished_and_diverged_runs_are_excluded_and_counted() -> None:
    ds, _ = make_sweep(status={**ODD, **UNFINISHED})
    summary = analysis.summarise(ds)
    assert summary.counts == {"done": 107, "diverged": 2, "failed": 1, "running": 1, "pending": 1}
    ntk, mean_field = summary.groups
    assert ntk.counts["diverged"] == 2
    assert ntk.fits["kernel_drift"].seeds == (0, 1, 2, 4, 5, 6, 7)
    assert ntk.fits["kernel_drift"].seeds_left_out == (3,)
    assert mean_field.fits["kernel_drift"].seeds == (2, 3, 4, 5, 6)
    text = " ".join(summary.warnings)
    assert "ntk: diverged, 2 of 56 runs (the first at step 40)" in text
    assert "mean_field: failed, 1 of 56 runs" in text
    assert "mean_field: not finished, 2 of 56 runs" in text
    assert says(text, "ntk: 7 of 8 seeds")
    # Excluding is not the same as ignoring: with the diverged curve put back, the fit is another.
    whole = analysis.summarise(make_sweep()[0])
    assert whole.groups[0].fits["kernel_drift"].p != ntk.fits["kernel_drift"].p


def test_exponents_of_a_synthetic_sweep_are_those_it_was_made_with() -> None:
    ds, exact = make_sweep(gammas={"ntk": 0.5, "gamma=0.75": 0.75, "mean_field": 1.0}, noise=0.1, seeds=12)
    inside = [
        fit.p.contains(exact[g.label][key.split("/")[0]])
        for g in analysis.summarise(ds).groups
        for key, fit in g.fits.items()
    ]
    assert len(inside) == 18
    assert sum(inside) >= 15  # 95 % intervals: 3 misses of 18 have probability 0.06, 4 have 0.01
    assert not any(
        fit.p.contains(exact[g.label][key.split("/")[0]] + 0.25)
        for g in analysis.summarise(ds).groups
        for key, fit in g.fits.items()
    )


def test_groups_are_named_by_what_tells_them_apart() -> None:
    tanh, _ = make_sweep(dask=False)
    relu, _ = make_sweep(dask=False, activation="relu")
    both = xr.concat([tanh, relu], dim="run", data_vars="minimal", coords="minimal", compat="override", join="override")
    assert [g.label for g in analysis.summarise(both).groups] == [
        "ntk, tanh",
        "mean_field, tanh",
        "ntk, relu",
        "mean_field, relu",
    ]
    same = xr.concat([tanh, tanh], dim="run", data_vars="minimal", coords="minimal", compat="override", join="override")
    with pytest.raises(analysis.DuplicateRunError, match="group_by"):
        analysis.summarise(same)
    doubled = same.assign_coords(dropout=("run", np.repeat([1.0, 2.0], tanh.sizes["run"])))
    labels = [g.label for g in analysis.summarise(doubled, group_by=["dropout"]).groups]
    assert labels[0] == "ntk, dropout = 1"
    assert len(labels) == 4
    with pytest.raises(analysis.ContractError, match=r"'sigma_v' is not a coordinate on run\. Known: activation"):
        analysis.summarise(doubled, group_by=["sigma_v"])


def test_accuracy_is_mean_and_standard_error_at_the_largest_width() -> None:
    ds, _ = make_sweep()
    accuracy = analysis.summarise(ds).groups[1].level
    assert accuracy is not None
    table = analysis.reduce_runs(ds)
    values = table["accuracy_test"].values[(table["width"].values == 2048) & (table["scaling"].values == "mean_field")]
    assert (accuracy.width, accuracy.seeds) == (2048, 8)
    assert accuracy.mean == pytest.approx(values.mean())
    assert accuracy.se == pytest.approx(values.std(ddof=1) / math.sqrt(8))


def test_a_sweep_that_has_just_begun_is_summarised_not_refused() -> None:
    every = {(s, m, k): "pending" for s in ("ntk", "mean_field") for m in (8, 16, 32) for k in range(2)}
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2, status=every)
    summary = analysis.summarise(ds)
    assert summary.counts["pending"] == 12
    assert summary.groups[0].level is None
    assert {c.verdict for c in summary.claims} == {"undecided"}
    assert "no fit" in analysis.to_text(summary)
    one_seed = analysis.summarise(make_sweep(seeds=1)[0])
    assert {c.verdict for c in one_seed.claims} == {"undecided"}
    assert any(says(w, "no interval: 1 seed") for w in one_seed.warnings)


def test_dict_is_strict_json_and_unrounded() -> None:
    summary = analysis.summarise(make_sweep(seeds=1)[0])
    again = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    fit = again["groups"][0]["fits"]["kernel_drift"]
    assert fit["p"]["low"] is None
    assert fit["p"]["value"] == summary.groups[0].fits["kernel_drift"].p.value
    assert fit["exponent_of_m"]["value"] == -fit["p_limit"]["value"]
    assert fit["exponent_of_m_at_these_widths"]["value"] == -fit["p"]["value"]


@pytest.mark.parametrize("width", [80, 100])
def test_table_fits_the_terminal_and_holds_what_was_promised(width: int) -> None:
    ds, _ = make_sweep(activation="relu", status=ODD)
    text = analysis.to_text(analysis.summarise(ds), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert text.startswith("quickstart: 112 runs · 109 done · 2 diverged · 1 failed · 0 pending")
    for word in ("kernel drift", "relative movement", "≤ −1/2", "→ −3/4", "undecided", "holds", "test accuracy", "±"):
        assert word in text
    measured = analysis.summarise(ds).groups[0].fits["kernel_drift"].exponent
    assert f"{measured.value:.2f}".replace("-", "−") in text


@pytest.mark.parametrize("width", [40, 72])
def test_a_terminal_too_narrow_for_the_table_gets_lines_that_lose_nothing(width: int) -> None:
    summary = analysis.summarise(make_sweep(activation="relu", status=ODD)[0])
    text = analysis.to_text(summary, width)
    assert max(map(len, text.splitlines())) <= width
    lines = " ".join(text.split())
    for group in summary.groups:
        for key in summary.kind.headlines:
            assert f"{summary.kind.quantity(key).title}: {group.fits[key].exponent}" in lines
            assert f"at these widths: {line_text(group.fits[key])}" in lines
    for claim in summary.claims:
        if claim.observable in summary.kind.headlines:
            assert f"expected {claim.expected_text}: {claim.verdict}" in lines
    assert "test accuracy: 0" in lines
    assert "─" not in text


def test_table_is_ascii_where_the_terminal_is_and_names_cannot_steer_it() -> None:
    ds, _ = make_sweep(attrs={"title": "evil\x1b[2J [red]title[/red] τ = 0.1, −1/2 → ψ"})
    summary = analysis.summarise(ds)
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Console(file=out, width=80, _environ={}).print(analysis.SummaryView(summary))
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "\x1b" not in text
    assert "[red]title[/red] tau = 0.1, -1/2 -> psi" in text
    assert "<= -1/2" in text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (-0.684, 0.03, "−0.684 [−0.714, −0.654]"),
        (-0.0124, 0.006, "−0.0124 [−0.0184, −0.0064]"),
        (-0.0012, 0.02, "−0.001 [−0.021, 0.019]"),
        (0.9876, 0.0004, "0.98760 [0.98720, 0.98800]"),
        (0.5, math.nan, "0.5 [no interval]"),
    ],
)
def test_numbers_carry_the_decimals_that_their_interval_earns(value: float, half: float, text: str) -> None:
    summary = analysis.summarise(make_sweep(widths=(8, 16, 32), seeds=2)[0])
    group = summary.groups[0]
    fit = replace(group.fits["kernel_drift"], p_limit=analysis.Estimate(-value, -value - half, -value + half, half / 2))
    measured = replace(summary, groups=(replace(group, fits=group.fits | {"kernel_drift": fit}),))
    assert f" {text} " in analysis.to_text(measured, 120)


def test_a_dataset_that_breaks_the_contract_is_refused_by_name() -> None:
    ds, _ = make_sweep(dask=False)
    with pytest.raises(analysis.ContractError, match=r"lacks targets_test, seed \(coordinate on run\)") as caught:
        analysis.summarise(ds.drop_vars(["targets_test", "seed"]))
    assert isinstance(caught.value, ValueError)
    with pytest.raises(analysis.ContractError, match=r"'kernel_drift' has dims \('run', 'rec'\)"):
        analysis.summarise(ds.assign(kernel_drift=ds["kernel_drift"].rename(record="rec").drop_vars(["step", "time"])))
    with pytest.raises(analysis.ContractError, match="Unknown run status 'exploded'; known are done, diverged"):
        analysis.summarise(ds.assign_coords(status=("run", np.array(["exploded"] * ds.sizes["run"], dtype=object))))


def test_what_a_sweep_did_not_record_has_no_fit_and_says_why() -> None:
    ds, _ = make_sweep(dask=False)
    whole = analysis.summarise(ds)
    partial = analysis.summarise(ds.drop_vars(["movement_total", "outputs_test"]))
    for group, full in zip(partial.groups, whole.groups, strict=True):
        assert "movement_total has no value in any finished run" in group.failures["movement_total"]
        assert "movement_total" not in group.fits
        assert group.fits["kernel_drift"].p == full.fits["kernel_drift"].p
    assert "movement_total" in whole.groups[0].fits
    assert len(whole.groups) > 1
    [said] = [warning for warning in partial.warnings if "no fit" in warning]  # once, and not once for each group
    assert said.startswith("all groups, relative movement: no fit. movement_total has no value")
    gone = analysis.summarise(ds.isel(run=ds.scaling.values == "ntk").drop_vars("movement_total"))
    assert [warning for warning in gone.warnings if "no fit" in warning] == [said.replace("all groups", "ntk")]
