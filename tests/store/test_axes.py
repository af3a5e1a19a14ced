"""Stores of sweeps whose axes list values of settings: several sets of data, joined with the counts of their points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import StoreError
from sweepengine.store import SweepStore, find_damage
from tests.support.axes import SWEPT, fixed, swept
from tests.support.stores import numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

NEW = {"n_train", "n_test", "sigma_b"}
"""Coordinates that a store has only where runs differ in them."""


def run(content: dict[str, Any], store: Path) -> xr.Dataset:
    sweepengine.run(content, store, executor="inline")
    return numbers(store)


def rows(dataset: xr.Dataset, ids: np.ndarray[Any, Any]) -> xr.Dataset:
    """The runs of some ids, in their order, without their places in the store."""
    where = {run: row for row, run in enumerate(dataset.id.values.tolist())}
    return dataset.isel(run=[where[run] for run in ids.tolist()]).drop_vars(["block", "position"])


def test_the_joined_dataset_holds_every_plain_sweep(tiny: Tiny, tmp_path: Path) -> None:
    whole = run(swept(tiny, **SWEPT), tmp_path / "whole.zarr")
    theory = sweepengine.open_theory(tmp_path / "whole.zarr").load()
    assert dict(whole.sizes) | {"layer": 2} == {
        "run": 32,
        "record": 6,
        "i": 12,
        "j": 12,
        "test": 10,
        "layer": 2,
        "feature": 64,
    }
    for n in SWEPT["n_train"]:
        for bias in SWEPT["sigma_b"]:
            values = {"n_train": n, "sigma_b": bias, "step_size": 0.5}
            store = tmp_path / f"{n}-{bias}.zarr"
            plain = run(fixed(tiny, **values), store)
            found = rows(whole, plain.id.values)
            assert {name: set(found[name].values.tolist()) for name in values} == {
                key: {v} for key, v in values.items()
            }
            assert np.isnan(found.kernel.values[:, :, n:]).all()
            assert np.isnan(found.targets_train.values[:, n:]).all()
            own = found.isel(i=slice(n), j=slice(n))
            for name in plain.data_vars:
                expected = (
                    plain[name].broadcast_like(own[name]) if name in ("targets_train", "inputs_train") else plain[name]
                )
                np.testing.assert_array_equal(own[name].values, expected.values, err_msg=str(name))
            limit = theory.sel(limit=str(found.limit.values[0]))
            predicted = sweepengine.open_theory(store).load().squeeze("limit")
            np.testing.assert_array_equal(limit.ntk_train.values[:n, :n], predicted.ntk_train.values)
            np.testing.assert_array_equal(limit.outputs_mean_test.values, predicted.outputs_mean_test.values)
            assert np.isnan(limit.ntk_train.values[n:]).all() or n == 12


def test_the_joined_dataset_is_lazy(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "lazy.zarr"
    sweepengine.run(swept(tiny, n_train=[6, 12]), store, executor="inline")
    dataset = sweepengine.open_sweep(store)
    assert all(dataset[name].chunks for name in ("kernel", "outputs_train", "targets_train"))
    assert dataset.n_train.chunks is None
    assert dataset.targets_test.dims == ("test",)  # one and the same for all runs
    assert dataset.kernel.sel(run=dataset.n_train == 6).isel(i=slice(6), j=slice(6)).notnull().all()


@pytest.mark.parametrize(("axes", "dims"), [({"data_seed": [0, 1]}, ("run", "test")), ({"d": [3, 5]}, ("run", "test"))])
def test_targets_are_those_of_each_run(tiny: Tiny, tmp_path: Path, axes: dict[str, Any], dims: tuple[str, ...]) -> None:
    whole = run(swept(tiny, **axes), tmp_path / "whole.zarr")
    [(axis, values)] = axes.items()
    for value in values:
        plain = run(fixed(tiny, **{axis: value}), tmp_path / f"{value}.zarr")
        found = rows(whole, plain.id.values)
        assert found.targets_test.dims == dims
        np.testing.assert_array_equal(found.targets_test.values[0], plain.targets_test.values)
        np.testing.assert_array_equal(found.targets_train.values[-1], plain.targets_train.values)
        np.testing.assert_array_equal(found.outputs_test.values, plain.outputs_test.values)


def test_a_store_without_such_axes_has_no_column_of_them(tiny: Tiny, tmp_path: Path) -> None:
    plain = run(tiny(), tmp_path / "plain.zarr")
    assert not NEW & set(plain.coords)
    assert "datasets" not in SweepStore(tmp_path / "plain.zarr").attributes
    assert plain.targets_train.dims == ("i",)


def test_longer_axes_and_new_ones_extend_a_store(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "grows.zarr"
    first = run(fixed(tiny, n_train=6, sigma_b=0.0), store)
    assert not NEW & set(first.coords)
    second = run(swept(tiny, n_train=[6, 12], sigma_b=[0.0]), store)
    assert second.n_train.values.tolist() == [6] * 4 + [12] * 4
    third = run(swept(tiny, n_train=[6, 12, 24], sigma_b=[0.0, 0.5]), store)
    assert third.sizes["run"] == 6 * 4
    assert set(zip(third.n_train.values.tolist(), third.sigma_b.values.tolist(), strict=True)) == {
        (n, bias) for n in (6, 12, 24) for bias in (0.0, 0.5)
    }
    # What was there before is as it was, with the values that its own spec gave.
    old = rows(third, first.id.values)
    np.testing.assert_array_equal(old.kernel.values[:, :, :6, :6], first.kernel.values)
    assert set(old.n_train.values.tolist()) == {6}
    assert set(old.sigma_b.values.tolist()) == {0.0}
    # A plain spec whose values are on the axes computes nothing, and one beside them is refused.
    assert sweepengine.run(fixed(tiny, n_train=12, sigma_b=0.5), store, executor="inline").skipped == 4
    with pytest.raises(StoreError, match=r"data\.n_train: the store has 6, 12, 24, this spec 7"):
        sweepengine.run(fixed(tiny, n_train=7, sigma_b=0.5), store, executor="inline")
    assert [str(damage) for damage in find_damage(SweepStore(store))] == []
    known = SweepStore(store).attributes["datasets"]
    assert [each["settings"]["n_train"] for each in known] == [6, 12, 24]
    with xr.open_datatree(store, engine="zarr", chunks={}) as tree:  # plain xarray
        assert {group.sizes["i"] for group in tree["data"].children.values()} == {6, 12, 24}
        assert {group.sizes["i"] for group in tree["blocks"].children.values()} == {6, 12, 24}


def test_a_table_gains_the_column_though_no_run_is_new(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "same.zarr"
    run(fixed(tiny, sigma_b=0.5), store)
    assert sweepengine.run(swept(tiny, sigma_b=[0.5]), store, executor="inline").skipped == 4
    grown = run(swept(tiny, sigma_b=[0.5, 0.0]), store)
    assert grown.sigma_b.values.tolist() == [0.5] * 4 + [0.0] * 4


def test_other_content_under_the_same_settings_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def written(y: float) -> dict[str, Any]:
        x_train, x_test = rng.standard_normal((12, 3)), rng.standard_normal((4, 3))
        np.savez(tmp_path / "points.npz", x_train=x_train, x_test=x_test, y_train=np.full(12, y), y_test=np.full(4, y))
        content = tiny(axes={"n_train": [6, 12], "width": [8]})
        return content | {"data": {"name": "file", "path": str(tmp_path / "points.npz")}}

    store = tmp_path / "file.zarr"
    sweepengine.run(written(1.0), store, executor="inline")
    with pytest.raises(StoreError, match=r"was written with other data \(content \w+, now \w+\)"):
        sweepengine.run(written(2.0), store, executor="inline")


def test_lost_data_of_one_part_are_named(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "lost.zarr"
    sweepengine.run(swept(tiny, n_train=[6, 12]), store, executor="inline")
    small = SweepStore(store).attributes["datasets"][0]["id"]
    for path in (store / "data" / small / "x_train").rglob("c/*/*"):
        path.unlink()
    assert [small in str(damage) for damage in find_damage(SweepStore(store))] == [True]
