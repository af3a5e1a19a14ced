"""The figures of the report that only sweeps of networks have: exponents against γ, ensembles, kernels, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest

import sweepengine
from sweepengine.analysis import FigureSource, figure_source
from sweepengine.analysis._ensemble_figures import ensemble_figures
from sweepengine.analysis._figures import build_figures
from sweepengine.analysis._gamma_figures import gamma_figures
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

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
    [figure] = gamma_figures(source)
    assert [panel.heading for panel in figure.panels] == ["kernel drift", "relative movement"]
    values = figure.panels[0].spec["data"]["values"]
    fits = {group.axes["gamma"]: group.fits["kernel_drift"].exponent for group in source.summary.groups}
    assert {row["gamma"]: row["value"] for row in values} == {gamma: fit.value for gamma, fit in fits.items()}
    assert all(row["low"] == fits[row["gamma"]].low for row in values)


def test_fewer_than_three_gammas_need_no_figure() -> None:
    assert gamma_figures(figure_source(make_sweep()[0])) == ()


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
