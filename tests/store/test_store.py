"""The store: layout, readers without this project, commits, takeovers, extensions, damage."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore

import sweepengine
from sweepengine.errors import DamageWarning, RunError, StoreError
from sweepengine.observe import variables_of
from sweepengine.spec import make_spec
from sweepengine.store import BlockShape, ChunkWriter, RunMark, Status, SweepStore, read_mark
from sweepengine.store._digests import chain_digest
from sweepengine.store._marks import write_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def finished(tiny: Callable[..., dict[str, Any]], folder: Path, **changes: Any) -> Path:
    store = folder / "tiny.zarr"
    sweepengine.run(tiny(**changes), store, executor="inline")
    return store


def numbers(store: Path) -> xr.Dataset:
    """All that must not depend on how often a sweep was stopped; what its tasks took of memory does."""
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


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
    assert dataset.sizes == {"run": 8, "record": 6, "i": 12, "j": 12, "test": 10, "layer": 2}
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


@pytest.fixture
def chunk_store(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> SweepStore:
    """A store with one block of four runs, nothing computed."""
    from sweepengine.plan import make_plan

    spec = make_spec(tiny(axes={"width": [8]}))
    store = SweepStore(tmp_path / "chunk.zarr")
    plan = make_plan(spec, store)
    store.claim()
    store.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
    return store


def writer_of(store: SweepStore, attempt: int) -> tuple[ChunkWriter, str, BlockShape]:
    block, shape = next(iter(store.block_shapes().items()))
    return ChunkWriter(store.place(block, shape, 0), attempt), block, shape


def some_values(shape: BlockShape, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {v.name: rng.standard_normal(shape.array_shape(v)[2:]) for v in shape.variables}


def test_states_alternate_between_two_slots_and_the_mark_names_a_whole_one(chunk_store: SweepStore) -> None:
    writer, block, shape = writer_of(chunk_store, 1)
    keys = []
    for record in range(3):
        writer.record(0, record, some_values(shape, record))
        writer.commit((0,), {"step": np.array(record)})
        mark = read_mark(chunk_store.objects, block, 0)
        assert mark is not None
        keys.append(mark.states[0].key)
        ((positions, refs),) = writer.state_refs().items()
        found = writer.read_state(refs)
        assert found is not None
        assert (positions, int(found["step"])) == ((0,), record)
    assert keys[0] == keys[2] != keys[1]
    writer.finish(0, Status.DONE)
    writer.commit()
    assert not list((Path(chunk_store.address) / "state").rglob("*.npz"))


def test_records_beyond_the_mark_are_masked(chunk_store: SweepStore) -> None:
    writer, block, shape = writer_of(chunk_store, 1)
    writer.record(0, 0, some_values(shape, 0))
    writer.commit()
    # What a kill between arrays and mark leaves: values that no mark vouches for.
    kernel = zarr.open_array(chunk_store.objects, path=f"blocks/{block}/kernel", mode="r+")
    kernel[0, 1] = 7.0
    dataset = sweepengine.open_sweep(chunk_store.address)
    assert np.isfinite(dataset.kernel.isel(run=0, record=0)).all()
    assert np.isnan(dataset.kernel.isel(run=0, record=1)).all()
    assert dataset.records_done.values.tolist() == [1, 0, 0, 0]
    assert dataset.status.values.tolist() == ["running", "pending", "pending", "pending"]


@pytest.mark.parametrize("damage", ["lost chunk", "other values", "lost state", "torn state"])
def test_what_does_not_match_the_mark_is_computed_again(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    spec = tiny(axes={"width": [8], "seed": 1})
    expected = numbers(finished(tiny, tmp_path / "whole", axes={"width": [8], "seed": 1}))
    store = tmp_path / "tiny.zarr"
    stop_after_commits(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(spec, store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    block = next((store / "blocks").glob("w*"))
    if damage == "lost chunk":
        next(path for path in (block / "kernel" / "c").rglob("*") if path.is_file()).unlink()
    elif damage == "other values":
        zarr.open_array(store, path=f"blocks/{block.name}/loss_train", mode="r+")[0, 0] = 0.5
    else:
        for state in (store / "state").rglob("*.npz"):
            state.unlink() if damage == "lost state" else state.write_bytes(state.read_bytes()[:-40])
    sweepengine.run(spec, store, executor="inline")
    xr.testing.assert_identical(numbers(store), expected)


def stop_after_commits(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Interrupt this process in the given commit, between arrays-and-state and mark."""
    seen: list[int] = []
    seen_states: list[Any] = []

    def interrupted(*arguments: Any) -> None:
        if arguments[-1].states and arguments[-1].states not in seen_states:
            seen_states.append(arguments[-1].states)
            seen.append(1)
            if len(seen) == count:
                raise KeyboardInterrupt
        write_mark(*arguments)

    monkeypatch.setattr("sweepengine.store._chunk.write_mark", interrupted)


@pytest.mark.parametrize("commits", [1, 2, 3, 7])
def test_a_stop_between_state_and_mark_changes_no_bit(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    expected = numbers(finished(tiny, tmp_path / "whole"))
    store = tmp_path / "stopped.zarr"
    stop_after_commits(monkeypatch, commits)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    xr.testing.assert_identical(numbers(store), expected)


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
    with pytest.raises(StoreError, match=r"(?s)network\.sigma_w: the store has 1\.4, this spec 1\.5.*training\.time"):
        sweepengine.run(tiny(network={"sigma_w": 1.5}, training={"time": 10.0}), store, executor="inline")
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
    extents = {"i": n_train, "j": n_train, "test": 64, "layer": 2}
    shape = BlockShape(runs, records, extents, "float32", variables_of(()))
    spans = [shape.chunk_span(chunk) for chunk in range(shape.n_chunks)]
    assert [first for first, _ in spans[1:]] == [stop for _, stop in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == (0, runs)
    for variable in shape.variables:
        chunk = shape.chunk_shape(variable)
        assert chunk[0] == shape.chunk_runs
        assert int(np.prod(chunk)) * 4 <= max(32_000_000, n_train**2 * 4)
    assert BlockShape.from_json(json.loads(json.dumps(shape.to_json()))) == shape


def test_series_digests_see_every_change() -> None:
    def series_digest(series: NDArray[np.float64]) -> str:
        return functools.reduce(chain_digest, series, "")

    records = np.random.default_rng(0).standard_normal((5, 3))
    digest = series_digest(records)
    assert digest != series_digest(records[:4])
    assert digest != series_digest(records[[1, 0, 2, 3, 4]])
    changed = records.copy()
    changed[3, 1] = np.nextafter(changed[3, 1], np.inf)
    assert digest != series_digest(changed)
    assert digest == series_digest(records.copy())


def test_statuses_are_stored_with_their_meanings(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    store = finished(tiny, tmp_path)
    block = next((store / "blocks").glob("w*"))
    attributes = json.loads((block / "status" / "zarr.json").read_text())["attributes"]
    assert attributes["flag_meanings"].split()[int(Status.DIVERGED)] == "diverged"


def driver_of(store: Path, spec: dict[str, Any]) -> tuple[SweepStore, Any]:
    """A driver that has planned and not yet begun."""
    from sweepengine.plan import make_plan

    sweep_store = SweepStore(store)
    return sweep_store, make_plan(make_spec(spec), sweep_store)


def test_a_driver_that_planned_before_another_one_ran_takes_its_work_over(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    from sweepengine.execute._driver import _Driver
    from sweepengine.execute._progress import SilentProgress
    from sweepengine.options import RunOptions

    store = tmp_path / "shared.zarr"
    options = RunOptions(executor="inline")
    late_store, late_plan = driver_of(store, tiny())
    longer_store, longer_plan = driver_of(store, tiny(axes={"width": [8, 24]}))
    sweepengine.run(tiny(), store, executor="inline")
    expected = numbers(store)
    files = {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()}
    same = _Driver(late_plan, late_store, options, SilentProgress()).run()
    assert (same.runs, same.done) == (8, 8)
    assert {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()} == files
    longer = _Driver(longer_plan, longer_store, options, SilentProgress()).run()
    assert longer.done == 8
    found = sweepengine.open_sweep(store).load()
    assert found.sizes["run"] == len(set(found.id.values)) == 12
    np.testing.assert_array_equal(found.sel(run=np.isin(found.id, expected.id)).kernel, expected.kernel)


def test_the_newest_driver_goes_on_and_the_older_stops(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    old, plan = driver_of(tmp_path / "two.zarr", tiny())
    old.claim()
    assert old.attempt(2) > old.attempt(1)
    new, _ = driver_of(tmp_path / "two.zarr", tiny())
    with pytest.raises(RunError, match=f"process {os.getpid()} on .* holds it since"):
        new.claim()
    new.claim(take_over=True)
    assert new.attempt(1) > 1 * 1000 + 999  # beyond every attempt of the first epoch
    with pytest.raises(RunError, match="another driver has taken over"):
        old.extend(plan.spec, plan.data, plan.new_blocks, {}, plan.code)
    assert not (tmp_path / "two.zarr" / "zarr.json").exists()
    new.extend(plan.spec, plan.data, plan.new_blocks, {}, plan.code)
    new.release()
    old.release()


def test_a_chunk_that_fails_its_checksum_is_computed_again(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = numbers(finished(tiny, tmp_path / "whole"))
    store = tmp_path / "torn.zarr"
    stop_after_commits(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    chunk = next(path for path in sorted(store.glob("blocks/w*/kernel/c/**/*")) if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    assert sweepengine.run(tiny(), store, executor="inline").done == 8
    xr.testing.assert_identical(numbers(store), expected)


def test_a_finished_run_found_damaged_on_the_way_is_computed_again(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """A chunk of four runs, one pending and one of the finished damaged: the same call mends both."""
    store = finished(tiny, tmp_path, axes={"width": [8]})
    expected = numbers(store)
    block = next((store / "blocks").glob("w*"))
    objects = SweepStore(store).objects.with_read_only(read_only=False)
    mark = read_mark(objects, block.name, 0)
    assert mark is not None
    write_mark(objects, block.name, 0, replace(mark, runs=(*mark.runs[:3], RunMark())))
    zarr.open_array(store, path=f"blocks/{block.name}/loss_test", mode="r+")[0, 2] = 0.25
    assert sweepengine.run(tiny(axes={"width": [8]}), store, executor="inline").done == 4
    xr.testing.assert_identical(numbers(store), expected)


@pytest.mark.parametrize("runs_per_turn", [1, 4])
def test_a_smaller_sweep_leaves_the_state_of_the_others(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_per_turn: int
) -> None:
    options: dict[str, Any] = {"executor": "inline", "commit_seconds": 1e-9, "runs_per_turn": runs_per_turn}
    content = tiny(axes={"width": [8], "seed": [1, 2, 3]})
    sweepengine.run(content, tmp_path / "whole.zarr", **options)
    expected = numbers(tmp_path / "whole.zarr")
    store = tmp_path / "small.zarr"
    stop_after_commits(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(content, store, **options)
    monkeypatch.undo()
    before = sweepengine.open_sweep(store).records_done.values
    assert before.max() > 0
    sweepengine.run(tiny(axes={"width": [8], "seed": [3]}), store, **options | {"runs_per_turn": 1})
    after = sweepengine.open_sweep(store)
    others = np.flatnonzero(after.seed != 3)
    np.testing.assert_array_equal(after.records_done.values[others], before[others])
    assert list(store.glob("state/*/*/*.npz"))
    sweepengine.run(content, store, **options)
    found = sweepengine.open_sweep(store).load()
    np.testing.assert_allclose(found.kernel, expected.kernel, rtol=1e-12, atol=1e-13)
    assert not list(store.glob("state/*/*/*.npz"))


def test_a_turn_with_a_diverged_run_resumes_where_it_was(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweepengine.execute._turn import NetworkTurn

    content = tiny(
        network={"activation": "relu"},
        training={"step_size": 0.125, "time": 60.0, "records": {"count": 12}},
        axes={"width": [16], "alpha": [0.01, 1.0]},
    )
    options: dict[str, Any] = {"executor": "inline", "commit_seconds": 1e-9, "runs_per_turn": 8}
    sweepengine.run(content, tmp_path / "whole.zarr", **options)
    expected = numbers(tmp_path / "whole.zarr")
    assert {"done", "diverged"} == set(expected.status.values)
    store = tmp_path / "stopped.zarr"
    stop_after_commits(monkeypatch, 40)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(content, store, **options)
    monkeypatch.undo()
    assert "diverged" in sweepengine.open_sweep(store).status.values
    started: list[tuple[int, float]] = []

    def watched(runs: Any, data: Any, state: Any = None, record: Any = None) -> Any:
        made = NetworkTurn(runs, data, state, record)
        started.append((len(runs), made.step))
        return made

    monkeypatch.setattr("sweepengine.execute._turn.NetworkTurn", watched)
    sweepengine.run(content, store, **options)
    assert started[0][0] == 8
    assert started[0][1] > 10
    xr.testing.assert_identical(numbers(store), expected)


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
