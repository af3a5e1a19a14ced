"""The store of durable writes: what it asks of the disk and in which order, and that it is a store like zarr's."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING

import pytest
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from sweepengine.store import open_address
from tests.support.power import Recorder, flushes, recording_disk

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.buffer import Buffer


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return recording_disk(monkeypatch)


def buffer(content: bytes) -> Buffer:
    return default_buffer_prototype().buffer.from_bytes(content)


def opened(folder: Path) -> LocalStore:
    store = open_address(str(folder), read_only=False, durability="fsync")
    assert isinstance(store, LocalStore)
    return store


def asked(recorder: Recorder, root: Path) -> list[str]:
    """What was asked since the last time, within the folder that holds a store; partial files by their stem."""
    said = [
        f"{kind} {path.relative_to(root).as_posix().split('.')[0] or '.'}"
        for kind, path, *_ in recorder.operations
        if path.is_relative_to(root)
    ]
    recorder.operations.clear()
    return said


@pytest.mark.parametrize("twin", [False, True])
def test_a_write_syncs_the_file_then_its_name_and_once_the_folders_above(
    tmp_path: Path, recorder: Recorder, twin: bool
) -> None:
    store = opened(tmp_path / "s")
    write = store.set_sync if twin else lambda key, value: asyncio.run(store.set(key, value))
    write("a/b/x", buffer(b"1"))
    made = ["mkdir s", "mkdir s/a", "mkdir s/a/b"]
    above = ["sync_folder .", "sync_folder s", "sync_folder s/a"]
    content = ["write s/a/b/x", "sync s/a/b/x", "rename s/a/b/x", "sync_folder s/a/b"]
    assert asked(recorder, tmp_path) == made + above + content
    write("a/b/x", buffer(b"2"))
    assert asked(recorder, tmp_path) == content
    assert (tmp_path / "s/a/b/x").read_bytes() == b"2"


def test_folders_of_another_writer_are_synced_too(tmp_path: Path, recorder: Recorder) -> None:
    opened(tmp_path / "s").set_sync("a/x", buffer(b"1"))
    asked(recorder, tmp_path)
    opened(tmp_path / "s").set_sync("a/y", buffer(b"1"))
    assert asked(recorder, tmp_path)[:2] == ["sync_folder .", "sync_folder s"]


@pytest.mark.parametrize("twin", [False, True])
def test_a_deletion_syncs_the_folder(tmp_path: Path, recorder: Recorder, twin: bool) -> None:
    store = opened(tmp_path / "s")
    delete = store.delete_sync if twin else lambda key: asyncio.run(store.delete(key))
    for key in ("a/x", "a/b/y"):
        store.set_sync(key, buffer(b"1"))
    asked(recorder, tmp_path)
    delete("a/x")
    assert asked(recorder, tmp_path) == ["unlink s/a/x", "sync_folder s/a"]
    delete("a/x")
    assert asked(recorder, tmp_path) == []
    delete("a/b")
    assert asked(recorder, tmp_path) == ["unlink s/a/b/y", "rmdir s/a/b", "sync_folder s/a"]
    store.set_sync("a/b/y", buffer(b"1"))
    assert asked(recorder, tmp_path)[:2] == ["mkdir s/a/b", "sync_folder s/a"]  # a new folder under the old name
    asyncio.run(store.delete_dir("a"))
    asyncio.run(store.delete_dir("a"))
    assert asked(recorder, tmp_path)[-2:] == ["rmdir s/a", "sync_folder s"]


def test_the_first_of_two_is_kept_and_durable(tmp_path: Path, recorder: Recorder) -> None:
    store = opened(tmp_path / "s")
    asyncio.run(store.set_if_not_exists("x", buffer(b"first")))
    assert asked(recorder, tmp_path)[2:] == ["write s/x", "sync s/x", "link s/x", "unlink s/x", "sync_folder s"]
    asyncio.run(store.set_if_not_exists("x", buffer(b"second")))
    assert asked(recorder, tmp_path) == ["sync_folder s"]
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "s").iterdir()] == [("x", b"first")]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "s")
    store.set_sync("x", buffer(b"old"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder, "sync", full)
    with pytest.raises(OSError, match="No space"):
        store.set_sync("x", buffer(b"new"))
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "s").iterdir()] == [("x", b"old")]


def test_the_real_disk_syncs_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = flushes(monkeypatch)
    store = opened(tmp_path / "s")
    store.set_sync("x", buffer(b"1"))
    first = len(synced)
    store.set_sync("x", buffer(b"2"))
    assert len(synced) - first == 2
    asyncio.run(store.set_if_not_exists("y", buffer(b"3")))
    store.delete_sync("x")
    asyncio.run(store.delete_dir(""))
    assert not (tmp_path / "s").exists()


def test_copies_of_the_store_stay_durable(tmp_path: Path) -> None:
    store = opened(tmp_path / "s")
    for copy in (store.with_read_only(read_only=True), pickle.loads(pickle.dumps(store))):  # noqa: S301
        assert type(copy) is type(store)
        assert copy == store
    with pytest.raises(ValueError, match="read-only"):
        store.with_read_only(read_only=True).set_sync("x", buffer(b"1"))


def test_the_option_changes_local_stores_alone(tmp_path: Path) -> None:
    assert type(open_address(str(tmp_path / "s"), read_only=False)) is LocalStore is not type(opened(tmp_path / "s"))
    assert type(open_address("memory://s.zarr", read_only=False, durability="fsync")) is type(
        open_address("memory://s.zarr", read_only=False)
    )
    with pytest.raises(KeyError):
        open_address(str(tmp_path / "s"), read_only=False, durability="maybe")
