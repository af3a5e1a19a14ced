"""`ds.sweep`: grids, records, selections, statistics over seeds, fits, the theory's overlay and plots."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.analysis import (
    ContractError,
    Curves,
    DuplicateRunError,
    FigureFormatError,
    fit_exponents,
    fit_scaling,
    grid,
    over_seeds,
)
from sweepengine.analysis._accessor import SweepAccessor
from tests.support.axes import swept
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    Tiny = Callable[..., dict[str, Any]]


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """A synthetic sweep: two scalings, seven widths, eight seeds; one run has failed."""
    return make_sweep(status={("ntk", 64, 3): "failed"})[0]


def test_a_grid_has_each_run_at_its_place(ds: xr.Dataset) -> None:
    dense = SweepAccessor(ds).grid()
    assert SweepAccessor(ds).axes == ("scaling", "width", "seed")
    assert dense.loss_train.dims == ("scaling", "width", "seed", "record")
    assert dense.scaling.values.tolist() == ["ntk", "mean_field"]  # in the order of the runs
    assert dense.gamma.dims == ("scaling",)
    assert dense.loss_train.chunks is not None
    held = ds.loss_train.compute()
    for run in range(0, ds.sizes["run"], 7):
        place = {name: ds[name].values[run] for name in ("scaling", "width", "seed")}
        np.testing.assert_array_equal(dense.loss_train.sel(place), held.isel(run=run))
        assert dense.id.sel(place).item() == ds.id.values[run]


def test_runs_that_are_not_there_hold_nothing(ds: xr.Dataset) -> None:
    some = ds.isel(run=[0, 1, 9])
    dense = grid(some)
    assert dict(dense.sizes)["width"] == 2
    lost = dense.isel(width=1, seed=0)
    assert lost.status.item() == "missing"
    assert lost.records_done.item() == -1
    assert lost.loss_train.isnull().all()
    assert lost.id.item() == ""
    assert not dense.isel(width=1, seed=1).loss_train.isnull().any()


def test_two_runs_at_one_place_are_refused(ds: xr.Dataset) -> None:
    with pytest.raises(DuplicateRunError, match=r"2 runs have .*width 32.*Select one of them first"):
        grid(xr.concat([ds.isel(run=slice(4)), ds.isel(run=slice(1))], "run", data_vars="all"))
    with pytest.raises(ContractError, match="no dim 'run'"):
        grid(grid(ds))


def test_an_axis_that_follows_from_others_is_no_dim(tiny: Tiny, tmp_path: Path) -> None:
    content = swept(tiny, n_train=[6, 12], sigma_b=[0.0, 0.5])
    content["training"] |= {"step_size": "auto", "time": 8.0}
    sweepengine.run(content, tmp_path / "a.zarr", executor="inline")
    sweep: Any = sweepengine.open_sweep(tmp_path / "a.zarr")
    assert sweep.sweep.axes == ("scaling", "sigma_b", "n_train", "width", "seed")
    dense = sweep.sweep.grid()
    assert set(dense.step_size.dims) == {"sigma_b", "n_train"}
    run = 5
    place = {name: sweep[name].values[run] for name in sweep.sweep.axes}
    np.testing.assert_array_equal(dense.kernel.sel(place), sweep.kernel.isel(run=run))


def test_records_by_time_step_and_number(ds: xr.Dataset) -> None:
    accessor = SweepAccessor(ds)
    at = accessor.at(time=3.0)
    nearest = int(np.argmin(abs(ds.time.values - 3.0)))
    some = ds.status.values == "done"
    np.testing.assert_array_equal(at.loss_train[some], ds.loss_train.isel(record=nearest)[some])
    assert at.time.item() == ds.time.values[nearest]
    assert SweepAccessor(grid(ds)).at(time=3.0).loss_train.dims == ("scaling", "width", "seed")
    last = accessor.at(record=-1)
    done = ds.records_done.values
    held = ds.loss_train.values
    for run in (0, int(np.flatnonzero(ds.status.values == "failed")[0])):
        expected = held[run, max(0, done[run] - 1)]
        np.testing.assert_array_equal(last.loss_train[run], expected)
    assert accessor.at(step=0).step.item() == 0
    conflicting: list[dict[str, Any]] = [{}, {"time": 1.0, "step": 2}]
    for wrong in conflicting:
        with pytest.raises(ContractError, match="give exactly one"):
            accessor.at(**wrong)
    with pytest.raises(ContractError, match="has been taken already"):
        SweepAccessor(accessor.at(step=0)).at(step=0)


def test_selections(ds: xr.Dataset) -> None:
    select = SweepAccessor(ds).select
    some = select(scaling="ntk", width=[64, 128], seed=slice(2, 4))
    assert some.sizes["run"] == 2 * 3
    assert set(some.seed.values.tolist()) == {2, 3, 4}
    assert select(gamma=0.5).sizes["run"] == select(scaling="ntk").sizes["run"]
    assert select(scaling=0.5).sizes["run"] == select(scaling="ntk").sizes["run"]
    with pytest.raises(ContractError, match=r"No run has scaling = 0\.6; .* there are mean_field, ntk\."):
        select(scaling=0.6)
    rich = ds.assign_coords(scaling=ds.scaling.where(ds.scaling != "mean_field", "gamma=0.75"))
    assert SweepAccessor(rich).select(scaling=0.75).sizes["run"] == select(scaling="mean_field").sizes["run"]
    assert SweepAccessor(rich).select(scaling=[0.5, np.float64(0.75)]).sizes["run"] == ds.sizes["run"]
    assert SweepAccessor(rich).select(scaling=["ntk", 0.75], width=ds.width[:8], seed={0}).sizes["run"] == 2
    with pytest.raises(ContractError, match=r"No run has width = 100; .* there are 32, 64, 128"):
        select(scaling="ntk", width=100)
    with pytest.raises(ContractError, match="'widht' is no coordinate of runs"):
        select(widht=64)
    for wanted in ("64", None, [], [None], "ntk", True):
        with pytest.raises(ContractError, match="No run has width"):
            select(width=wanted)
        with pytest.raises(ContractError, match="No run has gamma"):
            select(gamma=wanted)
    odd: list[dict[str, Any]] = [
        {"scaling": slice(0.5, 1)}, {"width": slice("a", None)}, {"width": slice(32, 64, 2)}
    ]  # fmt: skip
    for settings in odd:
        with pytest.raises(ContractError, match=r"; a slice has two numbers and no step"):
            select(**settings)


def test_a_fit_is_found_by_its_gamma(ds: xr.Dataset) -> None:
    fits = SweepAccessor(ds.assign_coords(scaling=ds.scaling.where(ds.scaling != "mean_field", "gamma=0.75"))).fit(
        "kernel_drift"
    )
    assert fits[0.75] is fits["gamma=0.75"]
    assert fits[0.5] is fits["ntk"]
    assert fits.get(0.6) is None  # type: ignore[call-overload]
    for wrong in (0.6, "gamma=0.7", None):
        with pytest.raises(KeyError, match=r"There are 'ntk', 'gamma=0\.75'\."):
            fits[wrong]  # type: ignore[index]


def test_what_is_empty_or_of_another_type_is_refused(ds: xr.Dataset) -> None:
    none, sweep = SweepAccessor(ds.isel(run=[])), SweepAccessor(ds)
    calls: list[Callable[[], Any]] = [
        none.grid, none.seeds, none.select, lambda: none.seeds("quantile"), lambda: none.at(record=-1),
        lambda: none.fit("kernel_drift"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ContractError, match="has no run: the selection before was empty"):
            call()
    with pytest.raises(ContractError, match="has no record"):
        SweepAccessor(ds.isel(record=[])).at(time=1.0)
    odd: list[Any] = [3, None, ds]
    for quantity in odd:
        with pytest.raises(ContractError, match="expected the name of a quantity, or a DataArray"):
            sweep.fit(quantity)
        with pytest.raises(ContractError, match=r"Found the reduction .* Name each as an argument\. There are norm"):
            sweep.reduce_kernels(quantity)
    with pytest.raises(ContractError, match=r"scaling has values of type .*; expected numbers"):
        sweep.fit(ds.scaling)
    with pytest.raises(ContractError, match=r"expected a list of coordinates: \['depth'\]"):
        sweep.fit("kernel_drift", group_by="depth")
    wrong: list[dict[str, Any]] = [{"levels": 0.5}, {"levels": []}, {"levels": ["a"]}, {"levels": "0.5"}]
    for settings in wrong:
        with pytest.raises(ContractError, match="expected a list of quantiles"):
            sweep.seeds("quantile", **settings)
    for settings in ({"resamples": 0}, {"resamples": 2.5}, {"random_seed": -1}):
        with pytest.raises(ContractError, match="expected a whole number from"):
            sweep.seeds("bootstrap", **settings)
    with pytest.raises(ContractError, match="Found ridge = 'a'"):
        sweep.reduce_kernels("norm", ridge="a")  # type: ignore[arg-type]


def test_a_time_beyond_the_records_is_refused(ds: xr.Dataset) -> None:
    """The last record of a sweep is not what it would be at t = 100, and that of a diverged run not what it was."""
    last = float(ds.time.max())
    assert SweepAccessor(ds).at(time=last * (1 + 1e-9)).record_number == ds.sizes["record"] - 1
    wrong: list[Any] = [2 * last, -1.0, math.inf, math.nan, "3", True, [1.0]]
    for time in wrong:
        with pytest.raises(ContractError, match=rf"Found time = .*; the records .* at time 0 and end at {last:g}"):
            SweepAccessor(ds).at(time=time)
    with pytest.raises(ContractError, match="Found step = 1000000; the records of the runs begin at step 0"):
        SweepAccessor(ds).at(step=10**6)
    wrong = [1.5, "1", True, math.nan]
    for record in wrong:
        with pytest.raises(ContractError, match=r"Found record = .*; there are the records 0 … \d+"):
            SweepAccessor(ds).at(record=record)
    failed = int(np.flatnonzero(ds.status.values == "failed")[0])
    done = 5
    held = ds.assign_coords(records_done=ds.records_done.where(ds.run != failed, done))
    held = held.assign(loss_train=held.loss_train.where(xr.DataArray(np.arange(12), dims="record") < held.records_done))
    for which in ({"time": last}, {"record": done}, {"record": -done - 1}):
        one = SweepAccessor(held).at(**which)
        assert one.loss_train.isel(run=failed).isnull()
        assert not one.loss_train.isel(run=0).isnull()


def test_runs_that_end_at_several_times_have_a_time_in_common(ds: xr.Dataset) -> None:
    times = np.where(ds.width.values[:, None] > 64, 2.0, 1.0) * ds.time.values
    several = ds.assign_coords(time=(("run", "record"), times))
    last = float(ds.time.max())
    assert SweepAccessor(several).at(time=last).loss_train.dims == ("run",)
    beyond = int((ds.width <= 64).sum())
    count = ds.sizes["run"]
    with pytest.raises(ContractError, match=rf"end at {last:g} … {2 * last:g}\. Select .*; {beyond} of {count} do not"):
        SweepAccessor(several).at(time=1.5 * last)
    wide = SweepAccessor(SweepAccessor(several).select(width=slice(65, None)))
    assert wide.at(time=2 * last).sizes["run"] == count - beyond


@pytest.mark.parametrize("dask", [True, False])
def test_statistics_over_seeds(dask: bool) -> None:
    sweep = make_sweep(status={("ntk", 64, 3): "failed"}, dask=dask)[0]
    chosen = {"scaling": "ntk", "width": 64}
    runs = np.flatnonzero(
        (sweep.scaling.values == "ntk") & (sweep.width.values == 64) & (sweep.status.values == "done")
    )
    values = np.asarray(sweep.loss_train.values, dtype=np.float64)[runs]
    assert len(values) == 7
    mean, error = over_seeds(sweep), over_seeds(sweep, "sem")
    np.testing.assert_allclose(mean.loss_train.sel(chosen), values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(error.loss_train.sel(chosen), values.std(axis=0, ddof=1) / math.sqrt(7), rtol=1e-9)
    assert mean.n_seeds.sel(chosen).item() == 7
    assert mean.n_seeds.sel(scaling="mean_field", width=64).item() == 8
    quantile = over_seeds(sweep, "quantile", levels=[0.1, 0.5])
    np.testing.assert_allclose(quantile.loss_train.sel(chosen), np.quantile(values, [0.1, 0.5], axis=0), rtol=1e-12)
    drawn = over_seeds(sweep, "bootstrap", levels=[0.025, 0.975], resamples=4000, random_seed=1).loss_train.sel(chosen)
    half = (drawn.sel(quantile=0.975) - drawn.sel(quantile=0.025)) / 2
    # The bootstrap's error is that of the plain standard deviation, √(6/7) of the unbiased one.
    later = {"record": slice(1, None)}  # at t = 0 all seeds are alike
    ratio = half.isel(later) / error.loss_train.sel(chosen).isel(later)
    np.testing.assert_allclose(ratio, 1.96 * math.sqrt(6 / 7), rtol=0.12)
    again = over_seeds(sweep, "bootstrap", levels=[0.025, 0.975], resamples=4000, random_seed=1).loss_train.sel(chosen)
    np.testing.assert_array_equal(drawn, again)


def test_a_nan_of_a_run_that_is_done_is_not_averaged_away(ds: xr.Dataset) -> None:
    held = ds.compute()
    held.loss_train[9, 2] = np.nan
    place = {name: held[name].values[9] for name in ("scaling", "width")}
    assert held.status.values[9] == "done"
    for statistic in ("mean", "sem", "quantile", "bootstrap"):
        found = over_seeds(held, statistic).loss_train.sel(place)
        assert found.isel(record=2).isnull().all()
        assert not found.isel(record=3).isnull().any()


def test_statistics_that_there_are_not(ds: xr.Dataset) -> None:
    with pytest.raises(ContractError, match="'median'; there are mean, variance, sem, quantile, bootstrap"):
        over_seeds(ds, "median")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="between 0 and 1"):
        over_seeds(ds, "quantile", levels=[5])
    with pytest.raises(ContractError, match="there is no seed"):
        over_seeds(grid(ds).isel(seed=0))
    assert over_seeds(ds.isel(run=ds.seed.values == 0), "sem").loss_train.isnull().all()


def test_fits_have_the_signs_of_the_report(ds: xr.Dataset) -> None:
    fits = SweepAccessor(ds).fit("kernel_drift")
    assert list(fits) == ["ntk", "mean_field"]
    assert fits["ntk"].exponent.contains(-1.0)
    assert re.fullmatch(r"[−\d.]+ \[[−\d.]+, [−\d.]+\]", f"{fits['ntk'].exponent}")
    table: Any = fits.table()
    assert table.loc["ntk", "exponent"] == fits["ntk"].exponent.value
    assert table.loc["ntk", "low"] < table.loc["ntk", "exponent"] < table.loc["ntk", "high"]
    assert "kernel_drift ~ width^exponent" in str(fits)
    assert "<table" in fits._repr_html_()
    layers = fit_exponents(ds, "movement_op")
    assert list(layers) == ["ntk, W0", "ntk, W1", "mean_field, W0", "mean_field, W1"]
    assert list(fit_exponents(ds, "movement_op/W1")) == ["ntk", "mean_field"]


def test_fits_of_variables_and_of_own_values(ds: xr.Dataset) -> None:
    by_hand = ds.loss_train.isel(record=5).compute()
    fits = fit_exponents(ds, by_hand)
    runs = np.flatnonzero((ds.scaling.values == "ntk") & (ds.status.values == "done"))
    curves = Curves.from_runs(ds.width.values[runs], ds.seed.values[runs], by_hand.values[runs])
    assert fits["ntk"].p_limit == fit_scaling(curves).p_limit
    supremum = fit_exponents(ds, "kernel_drift", reduction="supremum")
    assert supremum["ntk"].p_limit == fit_exponents(ds, "kernel_drift")["ntk"].p_limit
    few = fit_exponents(ds.isel(run=ds.width.values < 100), "kernel_drift")
    assert list(few) == []
    with pytest.raises(KeyError, match=r"ntk: no fit of kernel_drift: .*at least 3"):
        few["ntk"]
    reasons: Any = few.table()["why_none"]
    assert reasons["ntk"] == few.failures["ntk"]


def test_a_fit_of_curves_says_where_sweeps_are_fitted(ds: xr.Dataset) -> None:
    with pytest.raises(ContractError, match=r"Found a Dataset; .*`ds\.sweep\.fit\(quantity\)`"):
        fit_scaling(ds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        ("kernel_drfit", "'kernel_drfit'. Did you mean 'kernel_drift'?"),
        ("kernel", r"kernel has the dims \('run', 'record', 'i', 'j'\); expected"),
        ("loss_train", "loss_train has many records; found reduction=''"),
        (xr.DataArray(np.ones(3), dims="run", name="mine"), r"mine has the dims {'run': 3}; expected"),
    ],
)
def test_what_cannot_be_fitted(ds: xr.Dataset, quantity: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        fit_exponents(ds, quantity)


@pytest.fixture(scope="module")
def opened(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("sweep")
    sweepengine.run(tiny(axes={"width": [16, 64, 256], "seed": 3}), folder / "tiny.zarr", executor="inline")
    return sweepengine.open_sweep(folder / "tiny.zarr")


def test_the_theory_is_laid_over_the_runs(opened: Any) -> None:
    predicted = opened.sweep.theory()
    theory = sweepengine.open_theory(opened.attrs["store"])
    assert predicted.kernel.chunks is not None
    limit = str(opened.limit.values[0])
    np.testing.assert_array_equal(predicted.kernel.isel(run=3), theory.ntk_train.sel(limit=limit))
    off = (opened.kernel.isel(record=0) - predicted.kernel).compute()
    norm = np.sqrt((off**2).sum(("i", "j"))).groupby("width").mean()
    assert norm.values[0] > 2 * norm.values[-1]  # m^−1/2 over a factor of 16
    # The ensemble of theory is that of γ = 1/2: elsewhere it would be a wrong number.
    known = ~predicted.outputs_train.isnull().all(("record", "i"))
    assert known.values.tolist() == (opened.gamma.values == 0.5).tolist()
    dense = opened.sweep.grid()
    difference = dense.outputs_train - dense.sweep.theory().outputs_train
    assert difference.dims[:3] == ("scaling", "width", "seed")
    assert not difference.sel(scaling="ntk").isnull().any()
    by_hand = opened.outputs_train.isel(run=0) - theory.outputs_mean_train.sel(limit=limit)
    place = {name: opened[name].values[0] for name in opened.sweep.axes}
    np.testing.assert_array_equal(difference.sel(place), by_hand)


def test_the_examples_of_the_documentation_run(opened: Any) -> None:
    text = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
    opening, *examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert opening.endswith('ds = sweepengine.open_sweep("results/quickstart.zarr")\n')
    assert len(examples) >= 3
    names = {"ds": opened, "sweepengine": sweepengine}
    for example in examples:
        exec(example, names)  # noqa: S102 -- our own documentation
    assert names["loss"].dims == ("width", "record")


def test_the_table_has_a_row_for_each_run(opened: Any, tmp_path: Path) -> None:
    table = opened.sweep.table()
    assert len(table) == opened.sizes["run"]
    assert {"width", "seed", "kernel_drift", "movement_op/W0"} <= set(table)
    table.to_csv(tmp_path / "runs.csv", index=False)
    header, *rows = (tmp_path / "runs.csv").read_text().splitlines()
    assert header.startswith("id,block")
    assert len(rows) == len(table)


def test_charts_are_written(opened: Any, tmp_path: Path) -> None:
    pytest.importorskip("altair")
    charts = {
        "exponents": opened.sweep.plot.exponents("kernel_drift"),
        "curves": opened.sweep.plot.curves("loss_test"),
        "kernels": opened.sweep.plot.kernels(),
    }
    for name, chart in charts.items():
        svg = chart.save(tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        same = [re.sub(r"(clip|gradient_)\d+|view_\w+", "", text) for text in (svg, chart._repr_svg_())]
        assert same[0] == same[1]  # but for the numbers that the renderer counts on
        assert svg.count("<path") > 20  # marks, and not the frame alone
    assert charts["curves"].save(tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")
    assert charts["kernels"]._repr_svg_().count("graphics-symbol") >= 6 * 12 * 12  # six kernels
    with pytest.raises(FigureFormatError, match=r"\.svg, \.pdf or \.png"):
        charts["curves"].save(tmp_path / "c.gif")
    with pytest.raises(ContractError, match=r"'loss'; over .* there are loss_train"):
        opened.sweep.plot.curves("loss")
    with pytest.raises(ContractError, match=r"'kernle_drift'\. Did you mean 'kernel_drift'"):
        opened.sweep.plot.exponents("kernle_drift")
    with pytest.raises(ContractError, match=r"movement_op has a value for each layer"):
        opened.sweep.plot.exponents("movement_op")
    with pytest.raises(ContractError, match="loss_test has many records; found reduction=''"):
        opened.sweep.plot.exponents("loss_test")
    with pytest.raises(ContractError, match="kernel_drift against 'seed'"):
        opened.sweep.plot.exponents("kernel_drift", against="seed")


def test_the_theory_at_a_record_is_that_of_the_record(opened: Any) -> None:
    whole, some = opened.sweep.theory(), opened.sweep.at(record=2)
    assert some.record_number.item() == 2
    predicted = some.sweep.theory()
    assert predicted.outputs_test.dims == ("run", "test")
    np.testing.assert_array_equal(predicted.outputs_test, whole.outputs_test.isel(record=2))
    assert not np.allclose(predicted.outputs_test, whole.outputs_test.isel(record=-1), equal_nan=True)
    assert (opened.outputs_test - some.outputs_test).dims == opened.outputs_test.dims
    with pytest.raises(ContractError, match=r"Found 2 of \d+ records, .* take|Take `ds\.sweep\.theory\(\)`"):
        opened.isel(record=slice(2)).sweep.theory()


def test_records_that_end_at_different_places_have_their_own_predictions(opened: Any) -> None:
    """The last record of a run that stopped early is not that of the others."""
    done = opened.records_done.values.copy()
    done[1] = 2
    last = opened.assign_coords(records_done=("run", done)).sweep.at(record=-1)
    whole, predicted = opened.sweep.theory().outputs_test, last.sweep.theory().outputs_test
    np.testing.assert_array_equal(predicted.isel(run=1), whole.isel(run=1, record=1))
    np.testing.assert_array_equal(predicted.isel(run=0), whole.isel(run=0, record=-1))


def test_a_sweep_without_other_variables_is_fitted(opened: Any) -> None:
    assert list(opened[["kernel_drift"]].sweep.fit("kernel_drift")) == list(opened.sweep.fit("kernel_drift"))
    with pytest.raises(ContractError, match=r"Pass all records; .*fit\(one\.kernel_drift\)"):
        opened.sweep.at(record=-1).sweep.fit("kernel_drift")
    with pytest.raises(ContractError, match=r"'widht' is no coordinate of runs\. Did you mean 'width'\?"):
        opened.sweep.select(widht=16)


def test_every_axis_of_a_plot_has_a_name(opened: Any) -> None:
    shown = {
        "all": opened,
        "grid": opened.sweep.grid(),
        "at": opened.sweep.at(record=1),
        "theory": opened.sweep.theory(),
        "mean": opened.sweep.seeds("mean"),
        "sem": opened.sweep.seeds("sem"),
    }
    labels = {"layer", "limit", "quantile"}  # names alone
    for where, each in shown.items():
        nameless = [name for name, v in each.variables.items() if "long_name" not in v.attrs and name not in labels]
        assert not nameless, where
        unitless = [name for name, v in each.data_vars.items() if "units" not in v.attrs]
        assert not unitless, where


def test_the_table_is_written_as_parquet(opened: Any, tmp_path: Path) -> None:
    import pandas as pd

    table = opened.sweep.table()
    table.to_parquet(tmp_path / "runs.parquet")
    again = pd.read_parquet(tmp_path / "runs.parquet")
    assert list(again) == list(table)
    for name in ("id", "width", "kernel_drift", "movement_op/W0"):
        assert again[name].tolist() == table[name].tolist()


@pytest.mark.parametrize("which", [{"time": float("nan")}, {"record": 50}, {"record": -50}])
def test_a_record_that_is_none_is_refused(opened: xr.Dataset, which: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"there are the records 0 … \d+|the records of the runs begin at time 0"):
        opened.sweep.at(**which)


@pytest.mark.parametrize("over", ["scaling", "status"])
def test_a_power_of_an_axis_needs_numbers(opened: xr.Dataset, over: str) -> None:
    with pytest.raises(ContractError, match="a power of an axis needs numbers"):
        opened.sweep.fit("kernel_drift", over=over)


def test_scalings_do_not_divide_a_fit_along_their_exponent(opened: xr.Dataset) -> None:
    assert "scaling" not in opened.sweep.fit("kernel_drift", over="gamma").table().columns
    assert "scaling" in opened.sweep.fit("kernel_drift").table().columns
