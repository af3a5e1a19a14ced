"""`verify` sees every change of what a store has committed, `repair` has the damaged runs computed again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import zarr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import DamagedError, DamageWarning, RunError
from sweepengine.store import ChunkWriter, SupersededError, SweepStore, find_damage, read_mark, repair
from tests.support.stops import stop_after_commits
from tests.support.stores import cut_chunks, numbers
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sweepengine.store import Mark

MENDED = ["a value", "a value beyond a checksum", "a lost chunk", "a torn chunk"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_of_module: dict[str, Any]) -> Path:
    store = tmp_path_factory.mktemp("whole") / "tiny.zarr"
    sweepengine.run(tiny_of_module, store, executor="inline")
    return store


@pytest.fixture(scope="module")
def tiny_of_module() -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"name": "digits", "classes": [3, 8], "n_train": 8, "n_test": 8},
        "network": {"depth": 1, "activation": "relu", "sigma_w": 1.4142135623730951, "sigma_b": 0.0},
        "training": {"loss": "mse", "step_size": 0.25, "time": 2.0, "records": {"spacing": "every", "k": 2}},
        "axes": {"scaling": ["ntk", "mean_field"], "width": [8, 16], "seed": 2},
        "precision": "float64",
    }


def files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def damage(store: Path, kind: str) -> str:
    """Damage the runs of one block; the name of its variable that is then not what was written."""
    block = min((store / "blocks").glob("w*")).name
    name = {"a value": "loss_train", "a value beyond a checksum": "outputs_test"}.get(kind, "kernel")
    if kind.startswith("a value"):
        array: Any = zarr.open_array(store, path=f"blocks/{block}/{name}", mode="r+")
        array[1, 2] = array[1, 2] * (1 + 1e-15) if name == "loss_train" else 0.0
        return name
    [chunk, *_] = [path for path in sorted((store / "blocks" / block / name / "c").rglob("*")) if path.is_file()]
    if kind == "a lost chunk":
        chunk.unlink()
    else:
        content = bytearray(chunk.read_bytes())
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    return name


def test_a_whole_store_is_found_whole(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(whole)
    assert main(["verify", str(whole)]) == 0
    assert "every committed record and state is what was written" in capsys.readouterr().out
    assert files(whole) == before


@pytest.mark.parametrize("kind", MENDED)
def test_damage_is_named_and_mended(
    whole: Path, tiny_of_module: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    expected = numbers(store)
    name = damage(store, kind)
    before = files(store)
    assert main(["verify", str(store)]) == 1
    said = capsys.readouterr().out
    assert says(said, f"{name}: not what was written in 5 records")
    assert "(mean_field, width 8, seed 0)" in said
    assert said.count("damaged: run") == (1 if kind.startswith("a value") else 4)
    assert files(store) == before
    assert main(["repair", str(store)]) == 0
    assert "forgotten; run the sweep again" in capsys.readouterr().out
    again = sweepengine.run(tiny_of_module, store, executor="inline")
    assert again.skipped == 8 - said.count("damaged: run")
    xr.testing.assert_identical(numbers(store), expected)
    assert main(["verify", str(store)]) == 0


def test_what_computing_again_does_not_mend_is_said(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    [data] = (store / "data").glob("*/")
    array: Any = zarr.open_array(store, path=f"data/{data.name}/y_train", mode="r+")
    array[0] = -array[0]
    marks = sorted((store / "marks").rglob("*.json"))
    marks[0].write_text(marks[0].read_text()[:-20])
    assert main(["verify", str(store)]) == 1
    said = capsys.readouterr().out
    assert "y_train is not what was written; restore it" in said
    assert says(said, f"{marks[0].name} is damaged")
    assert said.count("damaged: run") == 1  # names the four runs of the chunk whose mark is damaged
    assert said.count("(mean_field, width 8,") == 2
    assert main(["repair", str(store)]) == 1
    capsys.readouterr()
    assert main(["verify", str(store)]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert "y_train is not what was written" in line
    assert main(["verify", str(tmp_path / "nothing.zarr")]) == 2


@pytest.fixture
def halted(tmp_path: Path, tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep that was killed with runs in training."""
    store = tmp_path / "tiny.zarr"
    with monkeypatch.context() as patch:
        stop_after_commits(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    return store


def test_a_lost_state_is_damage_and_mended(
    halted: Path, tiny: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(halted)]) == 0
    for state in (halted / "state").rglob("*.npz"):
        state.unlink()
    capsys.readouterr()
    assert main(["verify", str(halted)]) == 1
    said = capsys.readouterr().out
    assert ".npz is lost: its runs start again" in said
    assert "damaged: run" in said
    assert main(["repair", str(halted)]) == 0
    assert main(["verify", str(halted)]) == 0
    sweepengine.run(tiny(), halted, executor="inline")
    sweepengine.run(tiny(), tmp_path / "alone.zarr", executor="inline")
    xr.testing.assert_identical(numbers(halted), numbers(tmp_path / "alone.zarr"))


def test_a_sweep_at_work_is_not_damaged(
    halted: Path, tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark_of(block: str, chunk: int) -> Mark | None:
        return read_mark(SweepStore(halted).objects, block, chunk)

    before = {(block, 0): mark_of(block, 0) for block in SweepStore(halted).block_shapes()}
    sweepengine.run(tiny(), halted, executor="inline")  # drops the states
    for stale, looks in (
        (True, 10**9),
        (False, 1),
    ):  # a mark that stays as it was, and one that has changed at a second look
        left = dict.fromkeys(before, looks)

        def read(_store: Any, *place: Any, left: dict[Any, int] = left) -> Mark | None:
            left[place] -= 1
            return before[place] if left[place] >= 0 else mark_of(*place)

        monkeypatch.setattr("sweepengine.store._verify.read_mark", read)
        assert bool(list(find_damage(SweepStore(halted)))) == stale


def test_a_repair_that_another_driver_ends_says_so(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    damage(store, "a value")

    def superseded(_writer: ChunkWriter) -> None:
        raise SupersededError("attempt 3001 has taken over")

    monkeypatch.setattr(ChunkWriter, "commit", superseded)
    with pytest.raises(RunError, match="let the other driver finish"):
        repair(SweepStore(store))


def changed(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after, 1))


@pytest.mark.parametrize(
    ("pattern", "before", "after"),
    [
        ("data/*/y_train/zarr.json", b"NaN", b"JaN"),
        ("blocks/*/kernel/zarr.json", b"shuffle", b"shuffla"),
        ("blocks/*/zarr.json", b"group", b"grouq"),
        ("runs/*/width/zarr.json", b"}", b""),
        ("zarr.json", b"group", b"grouq"),
        ("publications/*.json", b"group", b"grouq"),
        ("drivers/*.json", b"pid", b"pit"),
        ("blocks/*/status/c/0", None, None),
        ("blocks/*/records_done/c/0", b"", b"!"),
    ],
)
def test_what_the_store_has_twice_is_put_back(
    whole: Path,
    tiny_of_module: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    before: bytes | None,
    after: bytes,
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    expected = numbers(store)
    path = min(store.glob(pattern))
    path.unlink() if before is None else changed(path, before, after)
    xr.testing.assert_identical(numbers(store), expected)
    assert main(["verify", str(store)]) == 1
    named = path.relative_to(store).as_posix().partition("/c/")[0]
    assert named in capsys.readouterr().out
    assert main(["repair", str(store)]) == 0
    assert main(["verify", str(store)]) == 0
    assert sweepengine.run(tiny_of_module, store, executor="inline").skipped == 8
    xr.testing.assert_identical(numbers(store), expected)


@pytest.mark.parametrize("column", ["block", "width", "id", "gamma"])
@pytest.mark.parametrize("kind", ["flipped", "cut off", "lost"])
def test_a_damaged_table_is_refused_by_everybody(
    whole: Path,
    tiny_of_module: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    column: str,
    kind: str,
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    [path] = store.glob(f"runs/*/{column}/c/0")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink() if kind == "lost" else path.write_bytes(content if kind == "flipped" else content[:-3])
    for command in (["verify"], ["repair"], ["status"], ["report"]):
        assert main([*command, str(store)]) == (1 if command == ["verify"] else 2)
        captured = capsys.readouterr()
        assert f"/{column}" in captured.out + captured.err
    with pytest.raises(DamagedError, match=f"/{column}"):
        sweepengine.run(tiny_of_module, store, executor="inline")
    with pytest.raises(DamagedError, match=f"/{column}"):
        sweepengine.open_sweep(store)


def test_columns_that_changed_places_are_seen(whole: Path, tmp_path: Path) -> None:
    """Each is a valid chunk with a valid checksum."""
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    [width], [seed] = store.glob("runs/*/width/c/0"), store.glob("runs/*/seed/c/0")
    one, other = width.read_bytes(), seed.read_bytes()
    width.write_bytes(other)
    seed.write_bytes(one)
    with pytest.raises(DamagedError, match="is not what was written"):
        sweepengine.open_sweep(store)


def test_a_reader_says_what_is_damaged_and_opens_the_rest(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    expected = numbers(store)
    narrow, wide = sorted(each.name for each in (store / "blocks").glob("w*"))
    [mark] = (store / "marks" / narrow).rglob("*.json")
    changed(mark, b"done", b"dome")
    [step] = (store / "blocks" / wide / "time" / "c").glob("*")
    step.unlink()
    with pytest.warns(DamageWarning) as said:
        found = sweepengine.open_sweep(store).load()
    assert sorted(f"{mark.name} is damaged" in str(each.message) for each in said) == [False, True]
    assert any(f"{wide}/time" in str(each.message) for each in said)
    bad = (found.block == narrow).values
    assert set(found.status.values[bad]) == {"damaged"}
    assert found.kernel.isnull().values[bad].all()
    np.testing.assert_array_equal(found.kernel.values[~bad], expected.kernel.values[~bad])
    assert main(["status", str(store)]) == 0
    assert f"{mark.name} is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["lost", "another's", "older"])
def test_a_reader_shows_no_chunk_but_that_of_the_mark(whole: Path, tmp_path: Path, kind: str) -> None:
    """A lost chunk would be NaN, and one of another array or of another time is valid by its own checksum."""
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    block = min((store / "blocks").glob("w*"))
    chunk = block / "loss_train" / "c" / "0" / "0"
    if kind == "lost":
        chunk.unlink()
    elif kind == "another's":
        chunk.write_bytes((block / "loss_test" / "c" / "0" / "0").read_bytes())
    else:
        array: Any = zarr.open_array(store, path=f"blocks/{block.name}/loss_train", mode="r+")
        array[1, 4] = float("nan")
    opened = sweepengine.open_sweep(store)
    assert opened.loss_test.notnull().all()
    with pytest.raises(DamagedError, match=r"loss_train is damaged.*repair"):
        opened.loss_train.load()


def test_a_chunk_that_was_written_again_with_the_same_values_is_no_damage(whole: Path, tmp_path: Path) -> None:
    """As one whose writer was killed before the mark: other bytes, and all that the mark vouches for."""
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    expected = numbers(store)
    for chunk in store.glob("blocks/w*/loss_train/c/0/0"):
        array: Any = zarr.open_array(store, path=str(chunk.parents[2].relative_to(store)), mode="r")
        values = array[...]
        chunk.unlink()
        node = json.loads((chunk.parents[2] / "zarr.json").read_text())
        node["codecs"][1]["configuration"]["clevel"] = 1
        (chunk.parents[2] / "zarr.json").write_text(json.dumps(node))
        zarr.open_array(store, path=str(chunk.parents[2].relative_to(store)), mode="r+")[...] = values
    xr.testing.assert_identical(numbers(store), expected)


@pytest.mark.parametrize("folder", ["state", "state/*", "state/*/0"])
def test_nothing_behind_a_link_is_deleted(
    halted: Path, tiny: Callable[..., dict[str, Any]], tmp_path: Path, folder: str
) -> None:
    """A folder of states may be a link to somewhere: files there may even be called as states are."""
    [place, *_] = sorted(halted.glob(folder))
    outside = tmp_path / "outside"
    shutil.move(place, outside)
    place.symlink_to(outside)
    (outside / "mine").mkdir()
    (outside / "mine" / "thesis.txt").write_text("precious")
    (outside / "000001-0-a.npz").write_text("precious")
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    for state in outside.rglob("*1001-*.npz"):
        state.write_bytes(b"damaged")
        before[state] = b"damaged"
    assert main(["repair", str(halted)]) == 0
    assert sweepengine.run(tiny(), halted, executor="inline").done == 8
    assert all(path.read_bytes() == content for path, content in before.items())


def test_one_chunk_of_several_is_repaired_and_the_sweep_goes_on(
    tmp_path: Path,
    tiny_of_module: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The runs of a damaged mark move; what they leave behind concerns nobody any more."""
    cut_chunks(monkeypatch, CHUNK_RUNS_LIMIT=2)
    store = tmp_path / "tiny.zarr"
    sweepengine.run(tiny_of_module, store, executor="inline")
    expected = numbers(store)
    mark = min(store.glob("marks/*/0/*.json"))
    changed(mark, b"done", b"dome")
    for command, code in (("verify", 1), ("repair", 0), ("verify", 0), ("repair", 0)):
        assert main([command, str(store)]) == code
    again = sweepengine.run(tiny_of_module, store, executor="inline")
    assert (again.skipped, again.done) == (6, 8)
    places = ["block", "position"]
    xr.testing.assert_identical(numbers(store).drop_vars(places), expected.drop_vars(places))
    assert main(["verify", str(store)]) == 0


@pytest.mark.parametrize("pattern", ["drivers/*.json", "zarr.json", "publications/*.json", "marks/*/0/*.json"])
def test_a_number_that_json_does_not_know_is_damage(
    whole: Path, tiny_of_module: dict[str, Any], tmp_path: Path, pattern: str
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    path = min(store.glob(pattern))
    content = json.loads(path.read_text())
    content.get("attributes", content)["generation"] = float("inf")
    path.write_text(json.dumps(content))
    assert main(["verify", str(store)]) == 1
    assert main(["repair", str(store)]) == 0
    assert sweepengine.run(tiny_of_module, store, executor="inline").done == 8
    assert main(["verify", str(store)]) == 0


def test_what_the_disk_cannot_read_is_said(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    chunk = min((store / "blocks").glob("w*")) / "loss_train" / "c" / "0" / "0"
    chunk.unlink()
    chunk.symlink_to(chunk)  # which no call can open
    assert main(["verify", str(store)]) == 1
    assert "cannot be read" in capsys.readouterr().out
    with pytest.raises(DamagedError, match="loss_train is damaged"):
        sweepengine.open_sweep(store).loss_train.load()


def test_a_lost_mark_is_said_by_everybody(
    whole: Path, tiny_of_module: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it the runs of its chunk look as if nobody had begun them."""
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    expected = numbers(store)
    min(store.glob("marks/*/0/*.json")).unlink()
    with pytest.warns(DamageWarning, match="chunk 0 is lost"):
        found = sweepengine.open_sweep(store)
    assert sorted(set(found.status.values)) == ["damaged", "done"]
    assert main(["status", str(store)]) == 0
    assert "chunk 0 is lost" in capsys.readouterr().out
    with pytest.raises(DamagedError, match="chunk 0 is lost"):
        sweepengine.run(tiny_of_module, store, executor="inline")
    assert main(["verify", str(store)]) == 1
    assert main(["repair", str(store)]) == 0
    assert sweepengine.run(tiny_of_module, store, executor="inline").skipped == 4
    xr.testing.assert_identical(numbers(store), expected)
