"""Several stores as one Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine import StoreError
from sweepengine.analysis import summarise
from tests.support.axes import swept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def stores(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two sweeps that differ in data, times, depth and observables; the second sweeps a setting of the first."""
    folder = tmp_path_factory.mktemp("several")
    second = swept(tiny, n_train=[6, 14], width=[8, 16, 32])
    second |= {"name": "other", "observables": ["loss_train", "kernel", "kernel_drift", "kernel_cka"]}
    second["network"]["depth"], second["data"]["n_test"], second["training"]["time"] = 2, 8, 8.0
    contents = {"first": tiny(axes={"width": [8, 16, 32]}), "second": second}
    for name, content in contents.items():
        sweepengine.run(content, folder / f"{name}.zarr", executor="inline")
    return [folder / f"{name}.zarr" for name in contents]


def test_each_run_is_that_of_its_own_sweep(stores: list[Path]) -> None:
    both: Any = sweepengine.open_sweep(stores)
    alone = [sweepengine.open_sweep(store) for store in stores]
    assert both.sizes["run"] == sum(each.sizes["run"] for each in alone)
    assert both["sweep"].values.tolist() == ["tiny"] * alone[0].sizes["run"] + ["other"] * alone[1].sizes["run"]
    start = 0
    for each in alone:
        part = both.isel(run=slice(start, start + each.sizes["run"]))
        start += each.sizes["run"]
        assert part.id.values.tolist() == each.id.values.tolist()
        for name, values in each.data_vars.items():
            if "run" not in values.dims:
                continue
            own = part[name].isel({dim: slice(values.sizes[dim]) for dim in values.dims if dim != "run"})
            np.testing.assert_array_equal(own, values, err_msg=str(name))
            rest = part[name].size - values.size
            assert int(part[name].isnull().sum()) == int(values.isnull().sum()) + rest, name
        # Without the padding, the targets are those of the sweep.
        wanted = each.targets_train
        if "run" not in wanted.dims:
            wanted = wanted.expand_dims(run=each.sizes["run"])
        np.testing.assert_array_equal(part.targets_train.isel(i=slice(wanted.sizes["i"])), wanted)
        records = slice(each.sizes["record"])
        times = part.time.isel(record=records)
        np.testing.assert_array_equal(times, np.broadcast_to(each.time, times.shape))
    assert both.n_train.values.tolist() == [12] * alone[0].sizes["run"] + alone[1].n_train.values.tolist()
    assert both.loss_test.isel(run=-1).isnull().all()  # the second has not recorded it
    assert both.layer.values.tolist() == ["W0", "W1", "W2"]


def test_groups_are_those_of_each_sweep(stores: list[Path]) -> None:
    both: Any = sweepengine.open_sweep(stores)
    theory = both.sweep.theory()
    together = summarise(both)
    alone = [summarise(sweepengine.open_sweep(store)) for store in stores]
    assert [group.fits["kernel_drift"].p_limit for group in together.groups] == [
        group.fits["kernel_drift"].p_limit for each in alone for group in each.groups
    ]
    assert next(iter(both.sweep.fit("kernel_drift"))) == "ntk, tiny, N = 12"
    assert not theory.kernel.isel(i=slice(6), j=slice(6)).isnull().any()
    assert "sweep" not in both.sweep.axes  # it follows from the depth
    alike = both.assign_coords({name: ("run", np.full(both.sizes["run"], 12)) for name in ("depth", "n_train")})
    assert alike.sweep.axes[0] == "sweep"
    one = both.sweep.select(sweep="other").sweep.grid()
    assert set(one.kernel.dims) >= {"n_train", "scaling", "width", "seed"}


def test_stores_that_do_not_go_together(stores: list[Path], tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(StoreError, match=r"first\.zarr is named twice"):
        sweepengine.open_sweep([stores[0], stores[0]])
    with pytest.raises(StoreError, match="no store is named"):
        sweepengine.open_sweep([])
    copy = tmp_path / "copy.zarr"
    sweepengine.run(tiny(axes={"width": [8]}), copy, executor="inline")
    names = set(sweepengine.open_sweep([stores[0], copy])["sweep"].values.tolist())
    assert names == {"first", "copy"}  # both are called tiny
    one = sweepengine.open_sweep([copy])
    assert "sweep" not in one.coords
