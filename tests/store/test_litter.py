"""What killed writers leave is found and deleted, and nothing else is, whatever happens meanwhile."""

from __future__ import annotations

import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError
from sweepengine.store import (
    Mark,
    SweepStore,
    TaskBeat,
    _litter,
    collect_litter,
    find_damage,
    find_litter,
    write_token,
)
from sweepengine.store._claim import read_claims
from sweepengine.store._objects import delete_objects, put_object
from sweepengine.store._process import Process
from tests.support.marks import put_mark
from tests.support.progress import Said
from tests.support.stops import stop_after_commits
from tests.support.stores import cut_chunks
from tests.support.stores import numbers_wherever as numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tiny = Callable[..., dict[str, Any]]

KEPT = Path(__file__).parents[1] / "kept"
HALF = ".0123456789abcdef0123456789abcdef.partial"


def files(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def mark_of(store: SweepStore, block: str) -> Any:
    mark = store.mark(block, 0)
    assert mark is not None
    return mark


@pytest.fixture
def littered(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, set[str]]:
    """A half-finished store with litter of every kind, and the keys of the litter."""
    cut_chunks(monkeypatch, CHUNK_TARGET=1)
    folder = tmp_path / "s.zarr"
    stop_after_commits(monkeypatch, 13)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(axes={"seed": 3}), folder, executor="inline", commit_seconds=1e-6)
    monkeypatch.undo()
    cut_chunks(monkeypatch, CHUNK_TARGET=1)
    store = SweepStore(folder)
    store.claim()
    store.mend()
    moving, *others = store.block_shapes()
    for chunk in range(store.block_shapes()[moving].n_chunks):  # the whole block
        store.relocate(moving, chunk, store.attempt(1))
    store.relocate(others[0], 1, store.attempt(1))  # one of several chunks
    store.release()
    assert store.publication is not None
    current = store.publication.table
    table = re.compile(rf"runs/(?!zarr\.json|{current.removeprefix('runs/')}/)")
    expected = {key for key in files(folder) if moving in key.split("/") or table.match(key)}
    expected |= {
        key
        for key in files(folder)
        if key.startswith((f"marks/{others[0]}/1/", f"state/{others[0]}/1/"))
        or (key.startswith(f"blocks/{others[0]}/") and "/c/1" in key and "/step/" not in key and "/time/" not in key)
    }
    # The slot that the mark of a run in training does not name.
    named = {ref.key for _, marks in store.marks(store.block_shapes()) for mark in marks if mark for ref in mark.states}
    expected |= {key for key in files(folder) if key.startswith("state/")} - named
    kept, newest = others[0], max((folder / "publications").iterdir()).name
    mark = mark_of(store, kept)

    def add(key: str, content: bytes = b"x" * 10) -> None:
        put_object(store.objects, key, content)
        expected.add(key)

    store.objects = sweepengine.store.open_address(store.address, read_only=False)
    put_mark(store.objects, kept, replace(mark, attempt=mark.attempt - 1))
    expected.add(f"marks/{kept}/0/{mark.attempt - 1:09d}.json")
    add("publications/000001-000.json", (folder / "publications" / newest).read_bytes())
    for key, content in files(folder).items():
        if key.startswith(f"{current}/"):
            add(key.replace(current, "runs/000001-009"), content)
    dead = "w000008-d1-0123456789-77"
    put_mark(store.objects, dead, Mark(9001, released=True))
    expected.add(f"marks/{dead}/0/000009001.json")
    add(f"blocks/{dead}/loss/c/0/0")
    add(f"state/{dead}/0/000001001-0-a.npz")
    add("blocks/w000008-d1-0123456789-77/zarr.json")
    add("failures/w000008-d1-0123456789-77/0.json")
    add(f"failures/{kept}/1.json")
    add(f"state/{kept}/0/000001001-0-b.npz")
    for stem in ("zarr", f"blocks/{kept}/zarr", f"blocks/{kept}/kernel/c/0/0/0/0", f"marks/{kept}/0/000009001"):
        add(f"{stem}{HALF}")
    add(f"data/abc/zarr{HALF}")
    add("tokens/" + write_token(store.objects))
    beat = TaskBeat(store.objects, kept, 0, 1)
    beat.put(0, 1, (0,))
    expected |= {key for key in files(folder) if key.startswith("workers/")}
    # What is no litter, or has no name of ours.
    for key in (
        "data/abc/zarr.json",
        "theory/abc/zarr.json",
        "code/model/m@1/f.json",
        "notes.txt",
        "blocks/w000008-d1-0123456789-77/notes.txt",
        f"state/{kept}/0/notes.npz",
        f"marks/{kept}/0/notes.json",
        "blocks/mine/zarr.json",
        "runs/notes.txt",
        "publications/notes.txt",
        f"failures/{kept}/0.json",
    ):
        put_object(store.objects, key, b"kept")
    return folder, expected


def keys(litter: Sequence[Any]) -> set[str]:
    return {key for each in litter for key in each.keys}


def test_a_store_that_nothing_has_happened_to_has_no_litter(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s.zarr"
    sweepengine.run(tiny(), folder, executor="inline")
    before = files(folder)
    assert main(["gc", str(folder)]) == 0
    assert "everything belongs to something" in capsys.readouterr().out
    assert files(folder) == before
    sweepengine.run(tiny(axes={"seed": 3}), folder, executor="inline")  # readers may have the earlier table open
    assert [each.kind for each in find_litter(SweepStore(folder))] == [_litter.TABLES]


def test_litter_is_said_first_and_deleted_when_asked_to(
    littered: tuple[Path, set[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, expected = littered
    before, shown = files(folder), numbers(folder)
    assert main(["gc", str(folder)]) == 0
    said = capsys.readouterr().out
    assert files(folder) == before
    assert keys(find_litter(SweepStore(folder))) == expected
    assert {each.kind for each in find_litter(SweepStore(folder))} == set(_litter.KINDS)
    nbytes = sum(len(before[key]) for key in expected)
    assert sum(each.nbytes for each in find_litter(SweepStore(folder))) == nbytes
    assert f": {len(expected)} objects, " in said
    assert "nothing was deleted, --delete does it" in said
    assert main(["gc", str(folder), "--delete"]) == 0
    assert "deleted" in capsys.readouterr().out
    after = files(folder)
    assert not expected & after.keys()
    changed = {key for key in before.keys() - expected if after.get(key) != before[key]}
    assert {key.split("/")[0] for key in changed} <= {"publications", "drivers", "zarr.json"}
    assert "notes.txt" in after
    assert numbers(folder).identical(shown)
    assert keys(find_litter(SweepStore(folder))) == set()
    assert not [path for path in folder.rglob("*") if path.is_dir() and "77" in path.name and not any(path.iterdir())]


def test_what_is_left_after_it_goes_on_to_the_same_numbers(
    littered: tuple[Path, set[str]], tiny: Tiny, tmp_path: Path
) -> None:
    folder, _ = littered
    collect_litter(SweepStore(folder))
    for key in ("failures", "blocks/mine", "theory/abc", "data/abc", "code"):  # not what this package writes
        shutil.rmtree(folder / key)
    assert not list(find_damage(SweepStore(folder)))
    done = int((sweepengine.open_sweep(folder).status == "done").sum())
    outcome = sweepengine.run(tiny(axes={"seed": 3}), folder, executor="inline")
    assert (outcome.skipped, outcome.done) == (done, 12)
    sweepengine.run(tiny(axes={"seed": 3}), tmp_path / "whole.zarr", executor="inline")
    assert numbers(folder).equals(numbers(tmp_path / "whole.zarr"))
    xr.open_datatree(folder, engine="zarr").close()


@pytest.mark.parametrize("after", [0, 1, 7, 30, 60])
def test_killed_anywhere_it_leaves_a_whole_store(
    littered: tuple[Path, set[str]], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    folder, expected = littered
    shown, deleted = numbers(folder), 0

    def stopped(*arguments: Any) -> None:
        nonlocal deleted
        if deleted == after:
            raise KeyboardInterrupt
        deleted += 1
        delete_objects(*arguments)

    monkeypatch.setattr(_litter, "_TOGETHER", 1)
    monkeypatch.setattr(_litter, "delete_objects", stopped)
    monkeypatch.setattr(SweepStore, "release", lambda _: None)  # a killed process says nothing
    with pytest.raises(KeyboardInterrupt):
        collect_litter(SweepStore(folder))
    monkeypatch.undo()
    assert len(expected & files(folder).keys()) >= len(expected) - after - 60  # of the moved block's metadata
    assert numbers(folder).identical(shown)
    collect_litter(SweepStore(folder), take_over=True)
    assert not expected & files(folder).keys()
    assert numbers(folder).identical(shown)


def test_the_chunk_of_an_attempt_that_may_write_is_left_alone(littered: tuple[Path, set[str]]) -> None:
    folder, expected = littered
    store = SweepStore(folder)
    store.objects = sweepengine.store.open_address(store.address, read_only=False)
    (block,) = {key.split("/")[1] for key in expected if key.endswith("000001001-0-b.npz")}
    mark = mark_of(store, block)
    put_mark(store.objects, block, replace(mark, released=False, processes=(Process("far", "another machine", 7, ""),)))
    left = {
        key
        for key in expected
        if key.startswith((f"marks/{block}/0/", f"state/{block}/0/", f"blocks/{block}/kernel/c/0/"))
    }
    assert len(left) == 5
    assert keys(find_litter(SweepStore(folder))) == expected - left
    put_mark(store.objects, block, replace(mark, released=False, processes=(replace(Process.current(), pid=2**22),)))
    assert keys(find_litter(SweepStore(folder))) == expected  # that process is known to be gone


def test_a_damaged_mark_saves_its_chunk(littered: tuple[Path, set[str]]) -> None:
    folder, expected = littered
    (block,) = {key.split("/")[1] for key in expected if key.endswith("000001001-0-b.npz")}
    newest = max(path for path in (folder / "marks" / block / "0").glob("0*.json"))
    newest.write_bytes(newest.read_bytes().replace(b"done", b"dome"))
    assert not any(
        key.startswith((f"marks/{block}/0/", f"state/{block}/0/")) for key in keys(find_litter(SweepStore(folder)))
    )


def test_it_is_refused_while_a_driver_is_at_work(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Collecting(Said):
        """Collects litter whenever something has happened."""

        def update(self, _event: Any) -> None:
            codes.append(main(["gc", str(folder)]))
            codes.append(main(["gc", str(folder), "--delete"]))

    folder, codes = tmp_path / "s.zarr", list[int]()
    spec = tiny()
    assert sweepengine.run(spec, folder, executor="inline", progress=Collecting()).done == 8
    assert set(codes) == {1}
    assert "holds it since" in capsys.readouterr().err
    assert not list(find_damage(SweepStore(folder)))


def test_taking_a_store_over_stops_its_driver_and_breaks_nothing(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweepengine.execute._pace.EVENT_SECONDS", 0.0)

    class Collecting(Said):
        def update(self, _event: Any) -> None:
            collect_litter(SweepStore(folder), take_over=True)

    folder = tmp_path / "s.zarr"
    with pytest.raises(RunError, match="another driver has taken over"):
        sweepengine.run(tiny(), folder, executor="inline", progress=Collecting(), commit_seconds=1e-6)
    assert not list(find_damage(SweepStore(folder)))
    assert sweepengine.run(tiny(), folder, executor="inline").done == 8
    sweepengine.run(tiny(), tmp_path / "whole.zarr", executor="inline")
    assert numbers(folder).equals(numbers(tmp_path / "whole.zarr"))


def test_a_collection_stops_when_another_driver_comes(littered: tuple[Path, set[str]]) -> None:
    folder, _ = littered
    rival = SweepStore(folder)
    told = []

    def come(litter: Any) -> None:
        told.append(litter)
        if len(told) == 1:
            rival.claim(take_over=True)

    with pytest.raises(RunError, match="another driver has taken over"):
        collect_litter(SweepStore(folder), told=come)
    rival.release()
    assert len(told) == 1
    assert [claim.epoch for claim in read_claims(rival.objects)][-1] == rival._epoch


def test_a_collection_that_wakes_late_deletes_nothing_of_a_later_driver(
    littered: tuple[Path, set[str]], tiny: Tiny, tmp_path: Path
) -> None:
    """Even if it did not look who holds the store: none of the names that it knows is used again."""
    folder, _ = littered
    store = SweepStore(folder)
    store.claim()
    store.mend()
    late = keys(find_litter(store))
    store.release()
    spec = tiny(axes={"seed": 4, "width": [8, 16, 32]})
    sweepengine.run(spec, folder, executor="inline")
    for key in late & files(folder).keys():
        (folder / key).unlink()
    for key in ("failures", "blocks/mine", "theory/abc", "data/abc", "code"):
        shutil.rmtree(folder / key)
    moved = {key.split("/")[1] for key in late if key.startswith("blocks/")}
    damages = [each for each in find_damage(SweepStore(folder)) if not any(block in each.message for block in moved)]
    assert not damages
    sweepengine.run(spec, tmp_path / "whole.zarr", executor="inline")
    assert set(numbers(folder).status.values) == {"done"}
    found, whole = (numbers(each).sortby("id") for each in (folder, tmp_path / "whole.zarr"))
    assert found.drop_vars("run", errors="ignore").equals(whole.drop_vars("run", errors="ignore"))


@pytest.mark.parametrize(
    ("version", "name"),
    [("version2", "killed"), ("version2", "particles"), ("version3", "networks_killed"), ("version3", "networks")],
)
def test_kept_stores_are_whole_after_it(tmp_path: Path, version: str, name: str) -> None:
    with zipfile.ZipFile(KEPT / f"{version}.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / f"{name}.zarr"
    shutil.copytree(folder, tmp_path / "other.zarr")
    shown = numbers(folder)
    collect_litter(SweepStore(folder))
    assert not list(find_damage(SweepStore(folder)))
    assert numbers(folder).identical(shown)
    assert keys(find_litter(SweepStore(folder))) == set()
    spec = SweepStore(folder).attributes["specs"][-1]["spec"]
    for store in (folder, tmp_path / "other.zarr"):
        sweepengine.run(spec, store, executor="inline")
        collect_litter(SweepStore(store))
        assert not list(find_damage(SweepStore(store)))
    assert numbers(folder).equals(numbers(tmp_path / "other.zarr"))


def test_nothing_is_collected_where_nothing_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", str(tmp_path / "none.zarr")]) == 2
    assert "there is nothing at" in capsys.readouterr().err


def test_what_lies_behind_a_link_stays(littered: tuple[Path, set[str]], tmp_path: Path) -> None:
    folder, _ = littered
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder / "blocks" / "w000008-d1-0123456789-77", elsewhere)
    (elsewhere / "empty").mkdir()
    (folder / "blocks" / "w000008-d1-0123456789-77").symlink_to(elsewhere)
    collect_litter(SweepStore(folder))
    assert (elsewhere / "loss" / "c" / "0" / "0").is_file()
    assert (elsewhere / "empty").is_dir()
