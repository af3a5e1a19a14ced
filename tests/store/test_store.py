"""The store: layout, readers without this project, extensions, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

import sweepengine
from sweepengine.errors import DamageWarning, StoreError
from sweepengine.observe import declared
from sweepengine.store import BlockShape, ChunkWriter, Status, SweepStore, read_mark
from tests.support.stores import finished, some_values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_plain_xarray_opens_the_store_without_this_package(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    store = finished(tiny, tmp_path)
    program = f"""
import sys, warnings
warnings.simplefilter("error")
import xarray
tree = xarray.open_datatree({str(store)!r}, engine="zarr")
blocks = tree["blocks"].children
print(len(blocks), *(node["kernel"].sizes["run"] for node in blocks.values()))
node = next(iter(blocks.values()))
assert {{"step", "time", "status", "records_done"}} <= set(node["kernel"].coords), node["kernel"].coords
assert float(abs(node["kernel"]).sum()) > 0
print(any(name.startswith("sweepengine") for name in sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["2", "4", "4", "False"]


def test_own_consolidated_metadata_equals_that_of_zarr(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    store = finished(tiny, tmp_path)
    ours = json.loads((store / "zarr.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr warns that consolidated metadata are not in its format's text yet
        zarr.consolidate_metadata(LocalStore(store))
    theirs = json.loads((store / "zarr.json").read_text())

    def plain(nodes: dict[str, Any]) -> dict[str, Any]:
        return {
            path: {
                key: value
                for key, value in node.items()
                if key not in ("consolidated_metadata", "storage_transformers")
            }
            for path, node in nodes.items()
        }

    assert plain(ours["consolidated_metadata"]["metadata"]) == plain(theirs["consolidated_metadata"]["metadata"])
    assert ours["attributes"] == theirs["attributes"]


def test_variables_say_what_they_are(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    dataset = sweepengine.open_sweep(finished(tiny, tmp_path))
    for name, variable in dataset.data_vars.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["units"] == "1", name
    assert dataset.kernel.attrs["source"]
    assert dataset.attrs["Conventions"] == "CF-1.11 ACDD-1.3"
    assert {"title", "summary", "source", "history", "date_created", "spec", "provenance"} <= set(dataset.attrs)


def test_open_sweep_gives_one_lazy_dataset_with_eager_coordinates(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    dataset = sweepengine.open_sweep(finished(tiny, tmp_path))
    assert dataset.sizes == {"run": 8, "record": 6, "i": 12, "j": 12, "test": 10, "layer": 2, "feature": 64}
    assert dataset.kernel.chunks is not None
    for name in ("id", "status", "scaling", "gamma", "width", "seed", "depth", "activation", "alpha", "step_size"):
        assert dataset[name].chunks is None, name
        assert dataset[name].dims == ("run",), name
    assert dataset.step.dims == dataset.time.dims == ("record",)
    np.testing.assert_array_equal(dataset.time, dataset.step * 0.25)
    assert set(dataset.status.values) == {"done"}
    assert np.isfinite(dataset.kernel.values).all()
    kernel = dataset.kernel
    drift = np.sqrt(
        ((kernel - kernel.isel(record=0)) ** 2).sum(("i", "j")) / (kernel.isel(record=0) ** 2).sum(("i", "j"))
    )
    np.testing.assert_allclose(drift, dataset.kernel_drift, rtol=1e-12, atol=1e-15)
    loss = 0.5 * ((dataset.outputs_test - dataset.targets_test) ** 2).mean("test")
    np.testing.assert_allclose(loss, dataset.loss_test, rtol=1e-12)


def test_runs_of_other_depths_and_schedules_are_padded_and_counted(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    content = tiny(axes={"depth": [1, 2], "width": [8]}, training={"step_size": "auto"})
    del content["network"]["depth"]
    store = tmp_path / "deep.zarr"
    sweepengine.run(content, store, executor="inline")
    dataset = sweepengine.open_sweep(store)
    assert dataset.sizes["layer"] == 3
    assert dataset.layer.values.tolist() == ["W0", "W1", "W2"]
    assert dataset.step.dims == ("run", "record")
    shallow = dataset.where(dataset.depth == 1, drop=True)
    assert np.isnan(shallow.movement_relative.isel(layer=2)).all()
    assert np.isfinite(shallow.movement_relative.isel(layer=[0, 1])).all()
    assert np.isfinite(dataset.where(dataset.depth == 2, drop=True).movement_relative).all()


def test_longer_axes_extend_a_store_and_shorter_ones_delete_nothing(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    store = finished(tiny, tmp_path)
    before = {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()}
    reader = sweepengine.open_sweep(store)
    longer = sweepengine.run(tiny(axes={"width": [8, 16, 24], "seed": 3}), store, executor="inline")
    assert (longer.runs, longer.skipped, longer.done) == (18, 8, 18)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert reader.kernel.load().notnull().all()  # opened before the extension, read after it
    dataset = sweepengine.open_sweep(store)
    assert len(set(dataset.id.values)) == dataset.sizes["run"] == 18
    assert set(dataset.status.values) == {"done"}
    shorter = sweepengine.run(tiny(axes={"width": [16], "seed": [1]}), store, executor="inline")
    assert (shorter.runs, shorter.skipped, shorter.done) == (2, 2, 2)
    assert sweepengine.open_sweep(store).sizes["run"] == 18
    fresh = tmp_path / "fresh.zarr"
    sweepengine.run(tiny(axes={"width": [24], "seed": [2]}), fresh, executor="inline")
    alone = sweepengine.open_sweep(fresh).load()
    extended = dataset.sel(run=np.isin(dataset.id, alone.id)).load()
    for name in alone.data_vars:
        np.testing.assert_array_equal(extended[name], alone[name], err_msg=str(name))


def test_other_fixed_settings_are_refused(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    store = finished(tiny, tmp_path)
    files = sorted(path for path in store.rglob("*"))
    with pytest.raises(StoreError, match=r"(?s)network\.sigma_w: the store has 1\.4, this spec 1\.5.*\.step_size"):
        sweepengine.run(tiny(network={"sigma_w": 1.5}, training={"step_size": 0.0123}), store, executor="inline")
    swept = tiny(axes={"activation": ["relu", "erf"]})
    del swept["network"]["activation"]
    with pytest.raises(StoreError, match=r"network\.activation: the store has tanh, this spec relu, erf"):
        sweepengine.run(swept, store, executor="inline")
    assert sorted(path for path in store.rglob("*")) == files
    swept["axes"]["activation"] = ["tanh", "erf"]
    assert sweepengine.run(swept, store, executor="inline").skipped == 8


@pytest.mark.parametrize("address", ["x/plain", "results/a.zar"])
def test_a_store_is_known_by_its_name(address: str) -> None:
    with pytest.raises(StoreError, match=r"must end in \.zarr"):
        SweepStore(address)


def test_addresses_that_hold_no_sweep(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is nothing at"):
        sweepengine.open_sweep(tmp_path / "none.zarr")
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(StoreError, match="not of sweepengine"):
        sweepengine.open_sweep(tmp_path / "other.zarr")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be"):
        sweepengine.run(tiny(), tmp_path / "file" / "x.zarr", executor="inline")


def test_memory_stores_work_in_process_only(tiny: Callable[..., dict[str, Any]]) -> None:
    address = "memory://sweep-in-memory.zarr"
    with pytest.raises(StoreError, match="lives in this process only"):
        sweepengine.run(tiny(), address)
    sweepengine.run(tiny(), address, executor="inline")
    assert set(sweepengine.open_sweep(address).status.values) == {"done"}


@pytest.mark.parametrize(
    ("n_train", "records", "runs"), [(64, 24, 16), (4, 2, 3), (1024, 200, 8), (4096, 1000, 2), (3000, 3, 5)]
)
def test_chunks_hold_whole_runs_within_their_limits(n_train: int, records: int, runs: int) -> None:
    extents = {"i": n_train, "j": n_train, "test": 64, "layer": 2, "output": 1}
    variables = tuple(each.variable for each in declared("networks").values() if each.by_default)
    shape = BlockShape(runs, records, extents, "float32", variables, 1).cut(0.0)
    spans = [shape.chunk_span(chunk) for chunk in range(shape.n_chunks)]
    assert [first for first, _ in spans[1:]] == [stop for _, stop in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (0, runs)
    for variable in shape.variables:
        chunk = shape.chunk_shape(variable)
        assert chunk[0] == shape.chunk_runs
        assert int(np.prod(chunk)) * 4 <= max(32_000_000, n_train**2 * 4)
    assert BlockShape.from_json(json.loads(json.dumps(shape.to_json()))) == shape


def test_the_digests_of_a_mark_see_every_change_of_a_series(created: SweepStore) -> None:
    block, shape = next(iter(created.block_shapes().items()))
    writer = ChunkWriter(created.place(block, shape, 0), 1)
    records = [some_values(shape, record) for record in range(5)]
    changed = {name: values.copy() for name, values in records[3].items()}
    changed["kernel"][1, 2] = np.nextafter(changed["kernel"][1, 2], np.inf)
    series = [records, list(records), [records[1], records[0], *records[2:]], [*records[:3], changed, records[4]]]

    def digests() -> list[str]:
        writer.commit()
        mark = read_mark(created.objects, block, 0)
        assert mark is not None
        return [run.digests["kernel"] for run in mark.runs]

    for run, values in enumerate(series):
        for record in range(4):
            writer.record(run, record, values[record])
    shorter = digests()
    for run, values in enumerate(series):
        writer.record(run, 4, values[4])
    first, same, reordered, other = digests()
    assert first == same
    assert len({first, reordered, other, shorter[0]}) == 4


def test_statuses_are_stored_with_their_meanings(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    store = finished(tiny, tmp_path)
    block = next((store / "blocks").glob("w*"))
    attributes = json.loads((block / "status" / "zarr.json").read_text())["attributes"]
    assert attributes["flag_meanings"].split()[int(Status.DIVERGED)] == "diverged"


def test_lost_data_stop_the_sweep_instead_of_training_on_nothing(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    store = finished(tiny, tmp_path)
    next(path for path in store.glob("data/*/y_train/c/*") if path.is_file()).unlink()
    with pytest.raises(StoreError, match=r"data/\w+/y_train is not what was written"):
        sweepengine.run(tiny(axes={"width": [8, 16, 24]}), store, executor="inline")
    with pytest.warns(DamageWarning, match="y_train is not what was written"):
        assert "diverged" not in sweepengine.open_sweep(store).status.values


@pytest.mark.parametrize(
    "damage", ["strange files", "lost root", "lost table", "no mapping", "other node", "lost group"]
)
def test_folders_that_are_not_whole_stores_are_refused(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, damage: str
) -> None:
    store = finished(tiny, tmp_path)
    if damage == "strange files":
        store = tmp_path / "other.zarr"
        store.mkdir()
        (store / "precious.txt").write_text("mine")
    elif damage == "lost table":
        shutil.rmtree(store / "runs")
    else:  # of both copies
        content = (store / "zarr.json").read_text()
        root = json.loads(content)
        del root["consolidated_metadata"]["metadata"]["data"]
        damaged = {
            "no mapping": "[]",
            "other node": content.replace('"node_type": "group"', '"node_type": "grouq"'),
            "lost group": json.dumps(root),
        }
        for path in (store / "zarr.json", *(store / "publications").glob("*.json")):
            path.unlink() if damage == "lost root" else path.write_text(damaged[damage])
    before = sorted(store.rglob("*"))
    with pytest.raises(StoreError, match=r"holds .* files|damaged|is not what was written"):
        sweepengine.run(tiny(), store, executor="inline")
    assert sorted(store.rglob("*")) == before
