"""The figures of the report that only sweeps of networks have: exponents against γ, ensembles, kernels, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest

import sweepengine
from sweepengine.analysis import FigureSource, Plots, figure_source
from sweepengine.analysis._ensemble_figures import ensemble_figures
from sweepengine.analysis._exponent_figures import _shown, exponent_figures
from sweepengine.analysis._figures import build_figures
from sweepengine.analysis._kernel_figures import figures_of_kernels
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def source(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> FigureSource:
    store = tmp_path_factory.mktemp("figures") / "a.zarr"
    named = [
        "loss_train",
        "loss_test",
        "outputs_test",
        "kernel",
        "kernel_drift",
        "movement_total",
        "linear_distance_test",
    ]
    content = tiny(axes={"scaling": ["ntk", 0.75, "mean_field"], "width": [8, 32, 128], "seed": 4}, observables=named)
    sweepengine.run(content, store, executor="inline")
    return figure_source(sweepengine.open_sweep(store), theory=sweepengine.open_theory(store))


def test_what_was_recorded_has_a_figure(source: FigureSource) -> None:
    figures = {figure.key: figure for figure in build_figures(source)}
    assert {"fig-gamma", "fig-ensemble", "fig-linear_distance_test-time", "kernel-0", "kernel-1", "spectrum"} <= set(
        figures
    )
    for figure in figures.values():
        for panel in figure.panels:
            alt.Chart.from_dict(panel.spec, validate=True)
            assert panel.alt


def test_exponents_against_gamma_are_those_of_the_fits(source: FigureSource) -> None:
    [figure] = exponent_figures(source)
    assert [panel.heading for panel in figure.panels] == ["kernel drift", "relative movement"]
    values = figure.panels[0].spec["data"]["values"]
    fits = {group.axes["gamma"]: group.fits["kernel_drift"].exponent for group in source.summary.groups}
    assert {row["gamma"]: row["value"] for row in values} == {gamma: fit.value for gamma, fit in fits.items()}
    assert all(row["low"] == fits[row["gamma"]].low for row in values)


def test_exponents_are_drawn_along_and_against_any_axis(tiny: Tiny, tmp_path: Path) -> None:
    axes = {"scaling": ["ntk", "mean_field"], "alpha": [0.5, 1, 2, 8], "width": [8, 16, 32], "seed": 3}
    sweepengine.run(tiny(axes=axes), tmp_path / "a.zarr", executor="inline")
    ds = sweepengine.open_sweep(tmp_path / "a.zarr")
    figures = {figure.key: figure for figure in exponent_figures(figure_source(ds))}
    assert set(figures) == {"fig-alpha"}  # two scalings are too few, and an automatic step size is no axis of its own
    of_widths = figures["fig-alpha"].panels[0].spec
    rows = of_widths["data"]["values"]
    assert {row["group"] for row in rows} == {"ntk", "mean_field"}
    fits = ds.sweep.fit("kernel_drift")
    found = {(row["group"], row["alpha"]): row["value"] for row in rows}
    assert found == {(axes["scaling"], axes["alpha"]): fits[label].exponent.value for label, axes in fits.axes.items()}
    for layer in of_widths["layer"]:
        assert layer["encoding"]["x"]["scale"]["type"] == "log"  # 0.5 to 8
    [drawn] = ds.sweep.plot.exponents("kernel_drift", against="alpha").spec["concat"]
    assert drawn["data"]["values"] == rows
    [along] = ds.sweep.plot.exponents("loss_test", over="alpha", reduction="final").spec["concat"]
    means = [layer["data"]["values"] for layer in along["layer"]][-1]
    own = ds.sweep.fit("loss_test", over="alpha", reduction="final")
    assert next(iter(own.fits.values())).axis == "alpha"
    assert [row["value"] for row in means] == [value for fit in own.fits.values() for value in fit.means]
    assert {row["alpha"] for row in means} == {0.5, 1, 2, 8}
    alt.Chart.from_dict(drawn | {"config": {}}, validate=True)
    alt.Chart.from_dict(along | {"config": {}}, validate=True)


def test_an_interval_far_longer_than_the_others_is_cut() -> None:
    rows = [{"value": -1.0, "low": -80.0, "high": -0.5}, {"value": 0.0, "low": -0.1, "high": 0.1, "expected": -0.5}]
    assert _shown(rows) == [-2.0, 0.1]


def test_fewer_than_three_gammas_need_no_figure() -> None:
    assert exponent_figures(figure_source(make_sweep()[0])) == ()


def test_the_ensemble_is_that_of_its_own_scaling_alone(source: FigureSource) -> None:
    [figure] = ensemble_figures(source)
    [panel] = figure.panels  # that of γ = 1/2
    assert panel.heading == "ntk"
    ds, theory = source.ds, source.theory
    runs = (ds.scaling.values == "ntk") & (ds.width.values == 128)
    measured = ds.outputs_test.isel(record=-1).values[runs].mean(axis=0)
    predicted = theory.outputs_mean_test.sel(limit=str(ds.limit.values[0])).isel(record=-1).values
    drawn = [layer.get("data", {}).get("values") for layer in panel.spec["layer"]]
    means = [row["value"] for row in next(each for each in drawn if each and "width" in each[0]) if row["width"] == 128]
    np.testing.assert_allclose(means, measured[np.argsort(predicted, kind="stable")])
    assert ensemble_figures(figure_source(ds)) == ()  # without the theory


def keys(spec: dict[str, Any]) -> list[list[str]]:
    """The names of lines in the legends of a chart."""
    channels = [
        part["encoding"]["strokeDash"] for part in spec.get("layer", [spec]) if "strokeDash" in part["encoding"]
    ]
    return [channel["scale"]["domain"] for channel in channels if channel.get("legend")]


def test_the_line_of_what_is_expected_has_a_mark_in_the_legend(source: FigureSource) -> None:
    figures = {figure.key: figure for figure in build_figures(source)}
    drift = figures["fig-width"].panels[0].spec
    assert all({"fit", "expected"} <= set(names) for names in keys(drift))
    dashes = [part["encoding"]["strokeDash"]["scale"] for part in drift["layer"] if "strokeDash" in part["encoding"]]
    styles = dict(zip(dashes[0]["domain"], dashes[0]["range"], strict=True))
    assert styles["fit"] != styles["expected"]  # which black and white can tell apart
    drawn = [row for part in drift["layer"] for row in part["data"]["values"] if "line" in row]
    assert {row["line"] for row in drawn} == set(dashes[0]["domain"])
    assert keys(figures["fig-gamma"].panels[0].spec) == [["expected"]]
    assert keys(figures["fig-ensemble"].panels[0].spec) == [["m = ∞"]]


def test_a_chart_without_lines_has_no_legend_of_lines() -> None:
    ds, _ = make_sweep(widths=(8, 16), seeds=2)
    [figure] = [figure for figure in build_figures(figure_source(ds)) if figure.key == "fig-width"]
    assert keys(figure.panels[0].spec) == []


def test_kernels_of_all_groups_are_shown_or_the_caption_says_which(tiny: Tiny, tmp_path: Path) -> None:
    axes = {"scaling": ["ntk"], "alpha": [0.5, 0.75, 1, 1.5, 2, 3, 4, 8], "width": [8], "seed": 1}
    sweepengine.run(tiny(axes=axes, observables=["loss_train", "kernel"]), tmp_path / "a.zarr", executor="inline")
    ds = sweepengine.open_sweep(tmp_path / "a.zarr")
    figures = figures_of_kernels(figure_source(ds))
    assert len(figures) == 7  # six kernels and the spectra
    assert len(figures[-1].panels) == 6
    assert all("6 of 8 groups" in figure.caption for figure in figures)
    assert figures[0].title.endswith("0.5")
    assert figures[5].title.endswith("8")
    some = ds.sweep.select(alpha=[0.75, 3]).sweep.plot.kernels()
    assert len(some.spec["vconcat"]) == 2
    assert "of 2 groups" not in str(figures_of_kernels(figure_source(ds.sel(run=ds.alpha < 1))))


def test_a_sweep_beside_one_without_kernels_shows_its_own(tiny: Tiny, tmp_path: Path) -> None:
    for name, seed, more in (("a", 1, ["kernel"]), ("b", 2, [])):
        axes = {"scaling": ["ntk"], "width": [8], "seed": [seed]}
        content = tiny(name=name, axes=axes, observables=["loss_train", *more])
        sweepengine.run(content, tmp_path / f"{name}.zarr", executor="inline")
    ds = sweepengine.open_sweep([tmp_path / "a.zarr", tmp_path / "b.zarr"])
    figures = figures_of_kernels(figure_source(ds))
    assert len(figures) == 2
    assert len(figures[-1].panels) == 1


def test_panels_stand_in_rows_of_three_and_bands_are_whole() -> None:
    ds, _ = make_sweep(gammas={f"gamma {k}": k / 4 for k in range(2, 7)}, widths=(8, 16), seeds=3, noise=0.0)
    chart = Plots(ds).curves("loss_test")
    [row] = chart.spec["vconcat"]
    assert (row["columns"], len(row["concat"])) == (3, 5)
    for panel in row["concat"]:
        alt.Chart.from_dict(panel, validate=True)
    values = ds.loss_test * (1 + 0.3 * (ds.seed - 1))  # a band as wide as a third of the mean
    for panel in Plots(ds.assign(loss_test=values)).curves("loss_test").spec["vconcat"][0]["concat"]:
        band = panel["layer"][0]
        low, high = band["encoding"]["y"]["scale"]["domain"]
        assert all(low < row["low"] < row["high"] < high for row in panel["data"]["values"])


def test_a_chart_says_in_a_line_what_it_shows() -> None:
    text = repr(Plots(make_sweep(seeds=2)[0]).exponents())
    assert len(text) < 300
    assert "2 panels" in text
    assert "width m (log)" in text
    assert "kernel drift (log)" in text
    assert ".save(" in text
    curves = repr(Plots(make_sweep(seeds=2)[0]).curves("loss_test"))
    assert "ntk, mean_field" in curves
    assert "marks: area, line" in curves
