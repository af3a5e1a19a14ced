"""The figures that claims name show what is in their sweeps: matrices, eigenvalues, modes, histograms, and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import xarray as xr

from sweepengine.analysis._histogram_figures import output_figures, preactivation_figures
from sweepengine.analysis._kernel_figures import kernel_figures, spectrum_figures
from sweepengine.analysis._mode_figures import mode_figures
from sweepengine.analysis._path_figures import path_figures
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.analysis._figure import Figure

    Draw = Callable[[xr.Dataset, xr.Dataset], tuple[Figure, ...]]
POINTS = 4


def sweep() -> xr.Dataset:
    """Two scalings; the kernel of the widest run of seed 0 is symmetric and known, at the end twice that."""
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=3, records=5, dask=False)
    values = ds["kernel"].values.astype(np.float64)
    root = np.random.default_rng(0).standard_normal((POINTS, POINTS))
    values[:, :-1] = root @ root.T
    values[:, -1] = 2 * root @ root.T
    return ds.assign(kernel=(ds["kernel"].dims, values))


def drawn(draw: Draw, ds: xr.Dataset, theory: xr.Dataset | None = None) -> list[dict[str, Any]]:
    specs = [panel.spec for figure in draw(ds, xr.Dataset() if theory is None else theory) for panel in figure.panels]
    for spec in specs:
        alt.Chart.from_dict(spec, validate=True)
    return specs


def test_kernels_are_ordered_by_target_and_their_difference_is_that_of_the_ends() -> None:
    ds = sweep()
    order = np.argsort(ds["targets_train"].values, kind="stable")
    assert order.tolist() != sorted(order)
    start = ds["kernel"].values[0, 0][np.ix_(order, order)]
    panels = drawn(kernel_figures, ds)
    assert len(panels) == 6  # start, end and difference of two scalings
    for spec, expected in zip(panels[:3], (start, 2 * start, start), strict=True):
        entries = spec["datasets"]["entries"]
        found = np.array([row["v"] for row in entries]).reshape(POINTS, POINTS)
        np.testing.assert_allclose(found, expected, rtol=0.01)
        low, high = spec["encoding"]["color"]["scale"]["domain"]
        assert low == -high
    assert "is 1 of the start" in kernel_figures(ds, xr.Dataset())[0].caption
    assert not kernel_figures(ds.drop_vars("kernel"), xr.Dataset())


def test_spectra_are_those_of_the_matrices_and_of_the_limit() -> None:
    ds = sweep().assign_coords(limit=("run", np.full(18, "here", dtype=object)))
    limit = np.diag([4.0, 3.0, 2.0, 1.0])
    theory = xr.Dataset({"ntk_train": (("limit", "i", "j"), limit[None])}, {"limit": ["here"]})
    panels = drawn(spectrum_figures, ds, theory)
    assert len(panels) == 2
    own = np.linalg.eigvalsh(ds["kernel"].values[0, 0])[::-1]
    for name, expected in (("t = 0", own), ("at the end", 2 * own), ("m = ∞", [4, 3, 2, 1])):
        found = [row["v"] for row in panels[0]["datasets"]["eigenvalues"] if row["s"] == name]
        np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert {row["s"] for row in drawn(spectrum_figures, ds)[0]["datasets"]["eigenvalues"]} == {"t = 0", "at the end"}


def test_modes_that_decay_at_their_rates_lie_on_the_dotted_lines_and_others_do_not() -> None:
    ds = sweep()
    eigenvalues = np.array([1.0, 5.0, 20.0, 60.0])
    factor = (1 - 0.0125 * eigenvalues / POINTS) ** ds["step"].values[:, None]
    modes = np.broadcast_to(np.array([0.1, 0.2, 0.3, 0.4]) * factor, (18, *factor.shape))
    steady = np.broadcast_to(eigenvalues, modes.shape)
    ds = ds.assign(
        residual_modes=(("run", "record", "mode"), modes), kernel_eigenvalues=(("run", "record", "mode"), steady)
    )

    def distance(ds: xr.Dataset) -> float:
        data = [spec["datasets"] for spec in drawn(mode_figures, ds)]
        assert len(data) == 2  # the narrowest and the widest
        pairs = [
            ({(row["mode"], row["t"]): row["v"] for row in each[name]} for name in ("modes", "expected"))
            for each in data
        ]
        return max(
            float(abs(found[at] / expected[at] - 1)) for found, expected in pairs for at in found if at in expected
        )

    assert distance(ds) < 1e-3
    first = [row for row in drawn(mode_figures, ds)[0]["datasets"]["modes"] if row["t"] == 0]
    assert [(row["mode"], row["v"]) for row in first] == [(1, 0.4), (2, 0.3), (3, 0.2), (4, 0.1)]
    assert distance(ds.assign(kernel_eigenvalues=1.1 * ds["kernel_eigenvalues"])) > 0.05
    assert not mode_figures(ds.drop_vars("residual_modes"), xr.Dataset())


def test_outputs_are_shown_in_units_of_the_limit() -> None:
    ds = sweep().assign_coords(limit=("run", np.full(18, "here", dtype=object)))
    records, points = ds.sizes["record"], ds.sizes["test"]
    draws = np.random.default_rng(1).standard_normal((18, records, points))
    ds = ds.assign(outputs_test=(("run", "record", "test"), 3 + 2 * draws))
    dims = ("limit", "record", "test")
    theory = xr.Dataset(
        {
            "outputs_mean_test": (dims, np.full((1, records, points), 3.0)),
            "outputs_std_test": (dims, np.full((1, records, points), 2.0)),
        },
        {"limit": ["here"]},
    )
    assert not output_figures(ds, theory)  # 60 values are no histogram
    wide = ds.isel(test=np.tile(np.arange(points), 10))
    figures = output_figures(wide, theory.isel(test=np.tile(np.arange(points), 10)))
    assert [panel.heading for panel in figures[0].panels] == [
        f"m = {m}, {place}" for m in (8, 32) for place in ("t = 0", "the end")
    ]
    runs = np.flatnonzero((ds["width"].values == 8) & (ds["scaling"].values == "ntk"))
    bars = figures[0].panels[0].spec["datasets"]["bars"]
    expected, _ = np.histogram(draws[runs, 0], bins=np.linspace(-4.5, 4.5, 37), density=True)
    np.testing.assert_allclose([row["d"] for row in bars], expected, atol=1e-4)
    assert not output_figures(ds, xr.Dataset())


def computed(name: str, dims: dict[str, Any], values: np.ndarray[Any, Any], **coords: Any) -> xr.Dataset:
    """Finished runs of a computation with one record."""
    runs = {key: ("run", value) for key, value in coords.items()}
    status = ("run", np.full(len(values), "done"))
    labels = {dim: label for dim, label in dims.items() if label is not None}
    return xr.Dataset({name: (("run", "record", *dims), values[:, None])}, {**runs, **labels, "status": status})


def test_preactivations_are_means_over_seeds_of_the_narrowest_and_the_widest() -> None:
    middle, densities = np.array([-1.5, -0.5, 0.5, 1.5]), np.arange(48.0).reshape(6, 2, 4) / 48
    densities[:, 1][:2] = np.nan  # a layer that the narrowest lack
    dims = {"hidden_layer": ["1", "2"], "bin": [f"{each:g}" for each in middle]}
    ds = computed("preactivation_density", dims, densities, width=[4, 4, 8, 8, 64, 64], seed=[0, 1] * 3)
    panels = preactivation_figures(ds, xr.Dataset())[0].panels
    assert [panel.heading for panel in panels] == ["m = 4, layer 1", "m = 64, layer 1", "m = 64, layer 2"]
    for spec, expected in zip(
        drawn(preactivation_figures, ds), (densities[:2, 0], *densities[4:].swapaxes(0, 1)), strict=True
    ):
        bars = spec["datasets"]["bars"]
        np.testing.assert_allclose([row["d"] for row in bars], expected.mean(0), atol=1e-4)
        assert [row["low"] for row in bars] == [-2, -1, 0, 1]
        assert max(row["d"] for row in spec["datasets"]["curve"]) == 0.3989
    assert not preactivation_figures(ds.drop_vars("preactivation_density"), xr.Dataset())
    assert not preactivation_figures(ds.assign_coords(status=("run", ["failed"] * 6)), xr.Dataset())


def test_paths_are_the_chords_of_both_maps_and_the_points_between() -> None:
    start, end = np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[4.0, 0.0], [4.0, 2.0]])
    ends = np.stack([[start, end], [start, end[::-1]]])
    dims = {"end": ["x", "T(x)"], "point": None, "coordinate": None}
    ds = computed("path_ends", dims, ends, scaling=["claim", "twin"], seed=[0, 0], width=[2, 2])
    figure = path_figures(ds, xr.Dataset())[0]
    assert [panel.heading for panel in figure.panels] == ["the optimal map, chords of 4", "another map, chords of 4.47"]
    assert "its chords are 1.12 times as long" in figure.formula
    straight, crossed = (spec["datasets"] for spec in drawn(path_figures, ds))
    assert straight["chords"] == [{"x": 0, "y": 0, "x2": 4, "y2": 0}, {"x": 0, "y": 2, "x2": 4, "y2": 2}]
    assert [(row["y"], row["y2"]) for row in crossed["chords"]] == [(0, 2), (2, 0)]
    middle = [[(row["x"], row["y"]) for row in each["points"] if row["t"] == "0.5"] for each in (straight, crossed)]
    assert middle == [[(2, 0), (2, 2)], [(2, 1), (2, 1)]]
    assert not path_figures(ds.isel(run=[0]), xr.Dataset())
    assert not path_figures(ds.drop_vars("path_ends"), xr.Dataset())
