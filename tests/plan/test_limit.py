"""The overlay: a sweep's own infinite-width prediction lies over its widest networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

import sweepengine
from sweepengine import theory
from sweepengine.spec import make_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    Tiny = Callable[..., dict[str, Any]]

WIDTH, SEEDS = 2048, 8
QUICKSTART = yaml.safe_load((Path(__file__).parents[2] / "jobs" / "quickstart.yaml").read_text())


@pytest.fixture(scope="module")
def widest(tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """The quickstart's widest networks in NTK scaling, the prediction stored with them, and its data."""
    import xarray as xr

    store = tmp_path_factory.mktemp("limit") / "quickstart.zarr"
    axes = {"scaling": ["ntk"], "width": [WIDTH], "seed": SEEDS}
    sweepengine.run(QUICKSTART | {"axes": axes}, store, executor="inline")
    data = next((store / "data").glob("*/zarr.json")).parent.name
    return (
        sweepengine.open_sweep(store).load(),
        sweepengine.open_theory(store).load(),
        xr.open_datatree(store, engine="zarr")[f"data/{data}"].to_dataset().load(),
    )


def wrong_limit(data: xr.Dataset, sigma_w: float) -> theory.Kernels:
    sigma_a = QUICKSTART["network"]["sigma_w"]
    return theory.kernels(
        data.x_train.values, depth=1, activation="relu", sigma_w=sigma_w, sigma_b=0.0, sigma_a=sigma_a
    )


def test_the_kernel_at_start_is_the_limit_within_what_its_width_predicts(
    widest: tuple[xr.Dataset, xr.Dataset, xr.Dataset],
) -> None:
    """‖Θ_0 − Θ_∞‖² has the mean Σ Var Θ_ij, exactly known for one hidden layer: m^{-1/2} with its constant."""
    sweep, limit, data = widest
    start = sweep.kernel.isel(record=0).astype(float)
    difference = start - limit.ntk_train.sel(limit=sweep.limit)
    sigma = QUICKSTART["network"]["sigma_w"]
    predicted = theory.ntk_variance(data.x_train.values, activation="relu", sigma_w=sigma, sigma_b=0.0) / WIDTH
    ratios = (difference**2).sum(("i", "j")) / predicted.sum()
    spread = float(ratios.std(ddof=1)) / np.sqrt(SEEDS)
    assert abs(float(ratios.mean()) - 1) < 4 * spread
    assert spread < 0.5
    wrong = ((start - wrong_limit(data, 1.05 * sigma).ntk) ** 2).sum(("i", "j")) / predicted.sum()
    assert abs(float(wrong.mean()) - 1) > 4 * float(wrong.std(ddof=1)) / np.sqrt(SEEDS)


def test_trained_outputs_are_draws_of_the_predicted_ensemble(
    widest: tuple[xr.Dataset, xr.Dataset, xr.Dataset],
) -> None:
    sweep, limit, _ = widest
    prediction = limit.sel(limit=sweep.limit[0])
    for points in ("train", "test"):
        mean, std = prediction[f"outputs_mean_{points}"], prediction[f"outputs_std_{points}"]
        outputs = sweep[f"outputs_{points}"].astype(float)
        for record in (0, 10, -1):
            z = ((outputs - mean) / std).isel(record=record)
            # Seeds are independent, points are not: a mean over seeds is a Gaussian of deviation S^{-1/2} at each
            # point.
            assert 0.5 < float(np.sqrt((z**2).mean())) < 1.7, (points, record)
            assert float(abs(z.mean("run")).max()) < 4.5 / np.sqrt(SEEDS), (points, record)
    untrained = (sweep.outputs_train.isel(record=-1) - prediction.outputs_mean_train.isel(record=0)) / (
        prediction.outputs_std_train.isel(record=-1)
    )
    assert float(np.sqrt((untrained**2).mean())) > 3  # the wrong time is seen


def test_every_run_finds_its_own_limit(tiny: Tiny, tmp_path: Path) -> None:
    relu = {"network": {"activation": "relu", "sigma_w": 2**0.5}, "training": {"step_size": "auto", "time": 4.0}}
    content = tiny(axes={"depth": [1, 2], "width": [512]}, **relu)
    del content["network"]["depth"]
    store = tmp_path / "deep.zarr"
    sweepengine.run(content, store, executor="inline")
    sweep, limit = sweepengine.open_sweep(store).load(), sweepengine.open_theory(store).load()
    assert limit.sizes["limit"] == 2
    start = sweep.kernel.isel(record=0)
    own = limit.ntk_train.sel(limit=sweep.limit)
    error = np.sqrt(((start - own) ** 2).sum(("i", "j")) / (own**2).sum(("i", "j")))
    assert float(error.max()) < 0.2
    other = limit.ntk_train.sel(limit=sweep.limit[::-1].values).rename(limit="run").drop_vars("run")
    assert float(np.sqrt(((start - other) ** 2).sum(("i", "j")) / (other**2).sum(("i", "j"))).min()) > 0.3
    again = tiny(axes={"depth": [1, 2, 3], "width": [512]}, **relu)
    del again["network"]["depth"]
    sweepengine.run(again, store, executor="inline")
    assert sweepengine.open_theory(store).sizes["limit"] == 3


def test_a_step_too_large_for_the_limit_predicts_nothing(tiny: Tiny, tmp_path: Path) -> None:
    content = tiny(network={"activation": "quadratic"}, training={"step_size": 5.0, "time": 200.0}, axes={"width": [8]})
    make_spec(content)
    sweepengine.run(content, tmp_path / "d.zarr", executor="inline")
    limit = sweepengine.open_theory(tmp_path / "d.zarr")
    assert np.isnan(limit.outputs_mean_train).all()
    assert np.isfinite(limit.ntk_train).all()
