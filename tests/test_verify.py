"""`verify` sees every change of what a store has committed, `repair` has the damaged runs computed again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr
import zarr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError
from sweepengine.store import ChunkWriter, SupersededError, SweepStore, _verify, find_damage, read_mark, repair

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


def numbers(store: Path) -> xr.Dataset:
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


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
    assert f"{name}: not what was written in 5 records" in said
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
    assert "is damaged" in said
    assert "`sweepengine repair`" not in said
    assert main(["repair", str(store)]) == 1
    assert main(["verify", str(tmp_path / "nothing.zarr")]) == 2


@pytest.fixture
def halted(tmp_path: Path, tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep that was killed with runs in training."""
    store = tmp_path / "tiny.zarr"
    commits, commit = iter(range(3)), ChunkWriter.commit

    def committed(*arguments: Any) -> None:
        commit(*arguments)
        if next(commits, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "commit", committed)
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
    monkeypatch.setattr(_verify, "read_mark", lambda _store, block, chunk: before[block, chunk])
    assert list(find_damage(SweepStore(halted)))
    monkeypatch.setattr(_verify, "read_mark", lambda _store, *place: before.pop(place, None) or mark_of(*place))
    assert not list(find_damage(SweepStore(halted)))


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


@pytest.mark.parametrize(
    ("pattern", "before", "after", "code", "said"),
    [
        ("data/*/y_train/zarr.json", b"NaN", b"JaN", 1, "y_train cannot be read"),
        ("blocks/*/kernel/zarr.json", b"shuffle", b"shuffla", 1, "an array cannot be opened"),
        ("runs/block/c/*", None, b"", 2, "has damaged metadata"),
        ("runs/block/c/*", None, None, 2, "does not fit its blocks"),
    ],
)
def test_metadata_beyond_reading_are_named(
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    before: bytes | None,
    after: bytes | None,
    code: int,
    said: str,
) -> None:
    store = tmp_path / "tiny.zarr"
    shutil.copytree(whole, store)
    path = min(store.glob(pattern))
    if after is None:
        path.unlink()
    else:
        path.write_bytes(after if before is None else path.read_bytes().replace(before, after))
    assert main(["verify", str(store)]) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
