"""States, marks and stops: a sweep goes on from what its marks vouch for, and computes the rest again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import zarr

import sweepengine
from sweepengine.store import BlockShape, ChunkWriter, RunMark, Status, SweepStore, read_mark
from tests.support.marks import change_mark
from tests.support.stops import stop_in_commit
from tests.support.stores import finished, numbers, some_values
from tests.support.turns import watched_turns

if TYPE_CHECKING:
    from collections.abc import Callable


def writer_of(store: SweepStore, attempt: int) -> tuple[ChunkWriter, str, BlockShape]:
    block, shape = next(iter(store.block_shapes().items()))
    return ChunkWriter(store.place(block, shape, 0), attempt), block, shape


def test_states_alternate_between_two_slots_and_the_mark_names_a_whole_one(created: SweepStore) -> None:
    writer, block, shape = writer_of(created, 1)
    keys = []
    for record in range(3):
        writer.record(0, record, some_values(shape, record))
        writer.commit((0,), {"step": np.array(record)})
        mark = read_mark(created.objects, block, 0)
        assert mark is not None
        keys.append(mark.states[0].key)
        ((positions, refs),) = writer.state_refs().items()
        found = writer.read_state(refs)
        assert found is not None
        assert (positions, int(found["step"])) == ((0,), record)
    assert keys[0] == keys[2] != keys[1]
    writer.finish(0, Status.DONE)
    writer.commit()
    assert not list((Path(created.address) / "state").rglob("*.npz"))


def test_records_beyond_the_mark_are_masked(created: SweepStore) -> None:
    writer, block, shape = writer_of(created, 1)
    writer.record(0, 0, some_values(shape, 0))
    writer.commit()
    # What a kill between arrays and mark leaves: values that no mark vouches for.
    kernel = zarr.open_array(created.objects, path=f"blocks/{block}/kernel", mode="r+")
    kernel[0, 1] = 7.0
    dataset = sweepengine.open_sweep(created.address)
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
    stop_in_commit(monkeypatch, 3)
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


@pytest.mark.parametrize("commits", [1, 2, 3, 7])
def test_a_stop_between_state_and_mark_changes_no_bit(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    expected = numbers(finished(tiny, tmp_path / "whole"))
    store = tmp_path / "stopped.zarr"
    stop_in_commit(monkeypatch, commits)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    xr.testing.assert_identical(numbers(store), expected)


def test_a_chunk_that_fails_its_checksum_is_computed_again(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = numbers(finished(tiny, tmp_path / "whole"))
    store = tmp_path / "torn.zarr"
    stop_in_commit(monkeypatch, 3)
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
    mark = read_mark(SweepStore(store).objects, block.name, 0)
    assert mark is not None
    change_mark(store, block.name, runs=(*mark.runs[:3], RunMark()))
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
    stop_in_commit(monkeypatch, 4)
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
    stop_in_commit(monkeypatch, 40)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(content, store, **options)
    monkeypatch.undo()
    assert "diverged" in sweepengine.open_sweep(store).status.values
    started = watched_turns(monkeypatch)
    sweepengine.run(content, store, **options)
    assert started[0].runs == 8
    assert started[0].step > 10
    xr.testing.assert_identical(numbers(store), expected)
