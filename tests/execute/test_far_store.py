"""Sweeps whose store is far away: what goes on while the store takes its time, and what errors and Ctrl-C do then."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import Interrupted, RunError, StoreError
from sweepengine.store import ChunkWriter, SweepStore, TaskBeat, find_damage
from sweepengine.store._meanwhile import begin, side_by_side
from sweepengine.store._objects import delete_objects, list_objects
from tests.support.progress import Said
from tests.support.stores import numbers_wherever

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THREE_BLOCKS = {"axes": {"scaling": ["ntk"], "width": [8, 12, 16], "seed": 2}}
PATIENCE = 60.0


class Watched:
    """A sweep's chunks, whose last commits wait until another chunk takes a record; that of the last block does not.

    Attributes
    ----------
    said : list of (str, str)
        What happened to blocks, in order: ("computed", block) at its first record, ("committed", block) at the end.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
        self.said: list[tuple[str, str]] = []
        recorded, commit, record = threading.Condition(), ChunkWriter.commit, ChunkWriter.record
        newest: list[ChunkWriter] = []

        def commit_late(writer: ChunkWriter, *arguments: Any, last: bool = False, **options: Any) -> None:
            with recorded:
                recorded.wait_for(lambda: newest[-1] is not writer or len(self.computed()) == blocks, PATIENCE)
            self.at_commit(len(self.computed()), lambda: commit(writer, *arguments, last=last, **options))
            self.said.append(("committed", writer._place.block))

        def note(writer: ChunkWriter, position: int, index: int, values: Any) -> None:
            block = writer._place.block
            with recorded:
                newest.append(writer)
                self.said += [] if block in self.computed() else [("computed", block)]
                recorded.notify_all()
            self.at_record(len(self.computed()))
            record(writer, position, index, values)

        monkeypatch.setattr(ChunkWriter, "commit", commit_late)
        monkeypatch.setattr(ChunkWriter, "record", note)

    def computed(self) -> list[str]:
        """The blocks of which a record has been taken."""
        return [block for what, block in self.said if what == "computed"]

    def at_commit(self, computed: int, commit: Callable[[], None]) -> None:  # noqa: ARG002
        """What a last commit does once so many blocks have records."""
        commit()

    def at_record(self, computed: int) -> None:
        """What happens besides at a record, the first of which makes it so many blocks with records."""


def expected(spec: dict[str, Any], folder: Path) -> xr.Dataset:
    sweepengine.run(spec, folder / "near.zarr", executor="inline")
    return numbers_wherever(folder / "near.zarr")


def test_a_chunk_is_committed_while_the_next_is_computed(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, address = tiny(**THREE_BLOCKS), f"s3://{bucket}/far.zarr"
    near = expected(spec, tmp_path)
    watched = Watched(monkeypatch, 3)
    assert sweepengine.run(spec, address, executor="inline").done == 6
    computed = watched.computed()
    assert [block for what, block in watched.said if what == "committed"] == computed
    for block, after in itertools.pairwise(computed):
        assert watched.said.index(("computed", after)) < watched.said.index(("committed", block))
    xr.testing.assert_identical(numbers_wherever(address), near)
    assert not list(find_damage(SweepStore(address)))


def test_a_commit_that_fails_meanwhile_stops_its_own_task(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pack is tried again, like any pack whose worker stopped; those of other blocks go on."""

    def once(computed: int, commit: Callable[[], None]) -> None:
        if failed:
            commit()
        else:
            failed.append(computed)
            raise OSError("a write that fails once")

    spec, address, failed = tiny(**THREE_BLOCKS), f"s3://{bucket}/far.zarr", list[int]()
    near = expected(spec, tmp_path)
    watched, said = Watched(monkeypatch, 3), Said()
    monkeypatch.setattr(watched, "at_commit", once)
    assert sweepengine.run(spec, address, executor="inline", progress=said).done == 6
    assert failed == [2]
    [message] = [text for text in said.lines if "a write that fails once" in text]
    assert "attempt 2 of 3" in message
    assert watched.said[0][1] in message
    xr.testing.assert_identical(numbers_wherever(address), near)
    assert not list(find_damage(SweepStore(address)))


def test_a_commit_that_fails_always_stops_the_sweep(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ChunkWriter.commit

    def never(writer: ChunkWriter, *arguments: Any, last: bool = False, **options: Any) -> None:
        if last:
            raise OSError("a write that fails")
        commit(writer, *arguments, **options)

    spec, address = tiny(**THREE_BLOCKS), f"s3://{bucket}/far.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "commit", never)
        with pytest.raises(RunError, match="a write that fails"):
            sweepengine.run(spec, address, executor="inline")
    assert SweepStore(address).exists
    assert sweepengine.run(spec, address, executor="inline").done == 6
    xr.testing.assert_identical(numbers_wherever(address), expected(spec, tmp_path))


def test_what_is_being_committed_when_a_sweep_is_interrupted_is_committed(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(computed: int) -> None:
        if computed == 2:
            raise Interrupted

    spec, address = tiny(**THREE_BLOCKS), f"s3://{bucket}/far.zarr"
    with monkeypatch.context() as patch:
        watched = Watched(patch, 3)
        patch.setattr(watched, "at_record", interrupt)
        with pytest.raises(Interrupted):
            sweepengine.run(spec, address, executor="inline")
    assert [what for what, _ in watched.said] == ["computed", "computed", "committed"]
    assert not list(find_damage(SweepStore(address)))
    assert sweepengine.run(spec, address, executor="inline").skipped == 2
    xr.testing.assert_identical(numbers_wherever(address), expected(spec, tmp_path))


def test_a_driver_that_is_taken_over_hears_so_at_its_next_tasks(
    tiny: Callable[..., dict[str, Any]], bucket: str
) -> None:
    address = f"s3://{bucket}/far.zarr"
    first, second = SweepStore(address), SweepStore(address)
    first.claim()
    first.attempts({0: 1})
    second.claim(take_over=True)
    try:
        with pytest.raises(RunError, match="another driver has taken over"):
            _attempt_again_and_again(first)
    finally:
        first.release()
        second.release()


def _attempt_again_and_again(store: SweepStore) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        store.attempts({0: 2})
        time.sleep(0.01)


def test_a_chunk_of_a_store_that_was_removed_leaves_nothing(tiny: Callable[..., dict[str, Any]], bucket: str) -> None:
    address = f"s3://{bucket}/far.zarr"
    sweepengine.run(tiny(**THREE_BLOCKS), address, executor="inline")
    store = SweepStore(address)
    store.claim()
    ((block, shape), *_) = store.block_shapes().items()
    delete_objects(store.objects, list_objects(store.objects, ""))
    with pytest.raises(StoreError, match="the store was removed while it was written"):
        ChunkWriter(store.place(block, shape, 0), 2001)
    store.release()
    assert list_objects(store.objects, "") == []


def test_signs_of_life_end_with_the_task(bucket: str, proxy: Any) -> None:
    """Also where the last sign is still on its way."""
    objects = SweepStore(f"s3://{bucket}/far.zarr").objects.with_read_only(read_only=False)
    beat = TaskBeat(objects, "block", 0, 1001)
    proxy.requests.clear()
    proxy.delay = 0.2
    beat.put(0, 1001, (0,))
    beat.put(0, 1001, (1,))  # the one before is on its way, and nothing waits
    beat.end()
    assert not list_objects(objects, "workers/")
    assert proxy.counts() == {"PUT": 1, "POST": 1, "GET": 1}


def test_calls_side_by_side(bucket: str, tmp_path: Path) -> None:
    """Of a far store all are made and have ended, of a near one those before the first error."""
    from zarr.storage import LocalStore

    far, ended = SweepStore(f"s3://{bucket}/far.zarr").objects, list[int]()

    def fails() -> None:
        raise OSError("first")

    def slow() -> int:
        time.sleep(0.2)
        ended.append(1)
        return 2

    assert side_by_side(far, slow, lambda: 3) == [2, 3]
    with pytest.raises(OSError, match="first"):
        side_by_side(far, fails, slow)
    assert ended == [1, 1]
    with pytest.raises(OSError, match="first"):
        side_by_side(LocalStore(tmp_path), fails, slow)
    assert ended == [1, 1]
    assert not begin(far, slow).done()
    assert begin(LocalStore(tmp_path), slow).done()
