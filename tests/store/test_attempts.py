"""Two at work on one store: whatever the older one does, however late it wakes, the newer one's numbers stay."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError, StoreError
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import (
    ChunkPart,
    ChunkPlace,
    ChunkWriter,
    HeldError,
    Share,
    Status,
    SupersededError,
    SweepStore,
    find_damage,
)
from tests.support.marks import instead_of_marks, marks_at
from tests.support.stores import cut_chunks, some_values
from tests.support.stores import numbers_wherever as numbers
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.store import Mark


def place_of(store: SweepStore) -> ChunkPlace:
    block, shape = next(iter(store.block_shapes().items()))
    return store.place(block, shape, 0)


def test_a_chunk_whose_holder_may_write_is_left_to_it(created: SweepStore) -> None:
    place = place_of(created)
    old = ChunkWriter(place, 1001)
    old.record(0, 0, some_values(place.shape, 0))
    with pytest.raises(HeldError, match="may still write"):
        ChunkWriter(place, 2001)
    assert list(marks_at(created.address, place.block)) == [1001]  # who may not write leaves no mark
    old.commit()
    old.release()
    new = ChunkWriter(place, 2001)
    assert new.run(0).records_done == 1
    assert list(marks_at(created.address, place.block)) == [2001]
    old.record(0, 1, some_values(place.shape, 1))
    with pytest.raises(SupersededError, match="attempt 2001 has taken over from 1001"):
        old.commit()
    with pytest.raises(SupersededError):
        ChunkWriter(place, 1500)


def test_runs_of_a_held_chunk_go_on_elsewhere_and_the_late_writer_changes_nothing(
    created: SweepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder wakes after its last look at the marks: it writes its arrays, its state and its mark."""
    old_place = place_of(created)
    old = ChunkWriter(old_place, 1001)
    for record in range(2):
        old.record(0, record, some_values(old_place.shape, record))
    old.commit((0,), {"step": np.array(2)})
    old.record(0, 2, some_values(old_place.shape, 77))
    place = created.relocate(old_place.block, 0, 1002)
    with pytest.raises(SupersededError):
        old.commit()
    assert place.block != old_place.block
    new = ChunkWriter(place, created.attempt(1))
    assert new.run(0).records_done == 2
    ((positions, refs),) = new.state_refs().items()
    state = new.read_state(refs)
    assert state is not None
    assert (positions, int(state["step"])) == ((0,), 2)
    left = marks_at(created.address, old_place.block)[1001]
    assert not list((Path(created.address) / "state" / old_place.block).rglob("*.npz"))  # moved, and not kept twice
    assert {key.split("/")[0] for key in left["tails"]} == {variable.name for variable in place.shape.variables}
    new.record(0, 2, some_values(old_place.shape, 2))
    new.finish(0, Status.DONE)
    new.commit()
    new.release()
    expected = numbers(Path(created.address))
    monkeypatch.setattr("sweepengine.store._chunk.check_attempt", lambda *_: None)  # it woke after its look
    old.commit((0,), {"step": np.array(3)})
    old.release()
    xr.testing.assert_identical(numbers(Path(created.address)), expected)
    assert expected.records_done.values.tolist() == [3, 0, 0, 0]
    for record in range(3):
        np.testing.assert_array_equal(expected.kernel[0, record], some_values(place.shape, record)["kernel"])
    assert not list(find_damage(SweepStore(created.address)))


def test_what_does_not_match_its_mark_is_not_moved(created: SweepStore) -> None:
    old_place = place_of(created)
    old = ChunkWriter(old_place, 1001)
    for run in range(2):
        old.record(run, 0, some_values(old_place.shape, run))
    old.commit((0, 1), {"step": np.array(1)})
    old_place.arrays["loss_train"][1, 0] = 0.5
    [state] = (Path(created.address) / "state").rglob("*.npz")
    state.write_bytes(state.read_bytes()[:-1])
    moved = ChunkWriter(created.relocate(old_place.block, 0, 1002), created.attempt(1))
    assert [moved.run(position).records_done for position in range(4)] == [1, 0, 0, 0]
    assert not moved.state_refs()


def test_a_store_that_was_removed_while_it_was_written_does_not_come_back(created: SweepStore) -> None:
    place = place_of(created)
    writer = ChunkWriter(place, 1001)
    writer.record(0, 0, some_values(place.shape, 0))
    shutil.rmtree(created.address)
    with pytest.raises(StoreError, match="the store was removed while it was written"):
        writer.commit()
    with pytest.raises(StoreError, match="the store was removed while it was written"):
        ChunkWriter(place, 1002)
    created.release()
    assert not Path(created.address).exists()


def test_a_driver_that_wakes_in_a_move_hides_nothing(created: SweepStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped before it publishes the new place; the next driver goes on in the old one, and finishes."""
    place, path = place_of(created), Path(created.address)
    old = ChunkWriter(place, created.attempt(1))
    old.record(0, 0, some_values(place.shape, 0))
    old.commit()
    newer = SweepStore(path)

    def late(metadata: Any) -> Any:
        old.release()
        newer.claim(take_over=True)
        newer.mend()
        writer = ChunkWriter(place_of(newer), newer.attempt(1))
        assert writer.run(0).records_done == 1
        writer.record(0, 1, some_values(place.shape, 1))
        writer.commit()
        writer.release()
        return publish(metadata)

    from sweepengine.store import _metadata

    publish = _metadata.Metadata.publish
    with monkeypatch.context() as patch:
        patch.setattr(
            _metadata.Metadata, "publish", lambda each: late(each) if each.generation.epoch == 1 else publish(each)
        )
        with pytest.raises(RunError, match="another driver has taken over"):
            created.relocate(place.block, 0, created.attempt(2))
    newer.release()
    assert numbers(path).records_done.values.tolist() == [2, 0, 0, 0]
    assert not list(find_damage(SweepStore(path)))


def test_a_write_that_may_be_on_its_way_keeps_the_chunk_held(
    created: SweepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption does not stop zarr's own thread: the chunk is free when this process ends, and not before."""
    place = place_of(created)
    writer = ChunkWriter(place, created.attempt(1))
    writer.record(0, 0, some_values(place.shape, 0))

    def interrupted(_part: Any, _runs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ChunkPart, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.commit()
    writer.release()
    with pytest.raises(HeldError):
        ChunkWriter(place, created.attempt(2))


def test_a_worker_that_lost_the_others_in_a_commit_says_that_it_writes_no_more(created: SweepStore) -> None:
    """The lead's own arrays are written when it waits for the others, whose end their processes say."""
    place = place_of(created)
    gone = 2**22 - 1

    def gather(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if lost:
            raise ConnectionError("another shard has stopped")
        if values.ndim == 2:  # who takes part
            other = json.loads(values[0].tobytes().rstrip(b"\0 ")) | {"pid": gone}
            values[1] = np.frombuffer(json.dumps(other).encode().ljust(values.shape[1]), dtype=np.uint8)
        return values

    lost: list[bool] = []
    old = ChunkWriter(place, 1001, Share(rank=0, size=2, gather=gather))
    old.record(0, 0, some_values(place.shape, 0))
    lost.append(True)
    with pytest.raises(ConnectionError):
        old.commit()
    old.release(others_too=False)
    assert (
        [each["pid"] for each in marks_at(created.address, place.block)[1001]["processes"]] == [gone] != [os.getpid()]
    )
    ChunkWriter(place, 2001)  # which is not held back


def test_a_run_that_starts_again_is_never_shown_half(created: SweepStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop between the arrays and the mark of the first commit after the restart."""
    place = place_of(created)
    writer = ChunkWriter(place, created.attempt(1))
    for record in range(2):
        writer.record(0, record, some_values(place.shape, record))
    writer.commit()
    writer.restart(0)
    writer.record(0, 0, some_values(place.shape, 5))
    marks = iter(range(1))

    def stopped(_mark: Mark, write: Callable[[], None]) -> None:
        if next(marks, None) is None:
            raise KeyboardInterrupt
        write()

    with monkeypatch.context() as patch:
        instead_of_marks(patch, stopped)
        with pytest.raises(KeyboardInterrupt):
            writer.commit()
    found = numbers(Path(created.address))
    assert found.records_done.values.tolist() == [0, 0, 0, 0]
    assert found.kernel.isnull().all()
    assert not list(find_damage(SweepStore(created.address)))


def test_a_pack_whose_workers_die_on_other_machines_is_given_up(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Each death leaves a chunk that may be held, so its runs move: what is known of the pack moves with them."""
    from sweepengine.execute._tasks import MOST_ATTEMPTS, Tasks
    from sweepengine.options import RunOptions
    from sweepengine.plan import MachineRate

    store = SweepStore(tmp_path / "dying.zarr")
    plan = make_plan(make_spec(tiny(axes={"width": [8]})), store)
    store.claim()
    store.extend(plan.spec, plan.data, plan.new_blocks, {}, plan.code)
    plan = plan.refreshed(store)
    tasks = Tasks(plan, store, RunOptions(executor="inline"), lambda _: None)
    [task] = [tasks.of(pack) for pack in plan.packs(MachineRate.measure("float64"))]
    for _ in range(MOST_ATTEMPTS - 1):
        [task] = tasks.after(task, RuntimeError("its machine is gone"))
        [task] = tasks.after(task, HeldError(task.block, 0))
    assert task.careful
    assert not tasks.after(task, RuntimeError("its machine is gone"))
    store.release()
    assert numbers(tmp_path / "dying.zarr").status.values.tolist() == ["failed"] * 4


def test_a_sweep_whose_store_is_removed_in_its_last_commit_says_so_and_begins_again(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit writes its mark into a folder that is gone, as if it was removed between two of its writes."""
    path, spec = tmp_path / "removed.zarr", tiny(axes={"scaling": ["ntk"], "width": [8], "seed": 1})

    def removed(mark: Mark, write: Callable[[], None]) -> None:
        if mark.runs[0].status is Status.DONE:
            shutil.rmtree(path, ignore_errors=True)
        write()

    with monkeypatch.context() as patch:
        instead_of_marks(patch, removed)
        with pytest.raises(RunError, match="it was removed while this driver was at work; run the same command again"):
            sweepengine.run(spec, path, executor="inline")
    assert sweepengine.run(spec, path, executor="inline").done == 1
    assert not list(find_damage(SweepStore(path)))


def test_status_counts_the_runs_where_they_are(
    tiny: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runs that were moved are counted in their new block alone."""
    cut_chunks(monkeypatch, CHUNK_TARGET=1)
    store = SweepStore(tmp_path / "moved.zarr")
    sweepengine.run(tiny(axes={"width": [8]}), store.address, executor="inline")
    store.claim()
    ((block, shape),) = store.block_shapes().items()
    assert shape.n_chunks > 1
    store.relocate(block, 0, next(iter(store.attempts({0: 1}).values())))
    store.release()
    assert main(["status", store.address]) == 0
    said = capsys.readouterr().out
    assert says(said, f"{shape.runs}: {shape.runs} done")
    assert says(said, f"{shape.runs * shape.records}/{shape.runs * shape.records}")
