"""`verify` sees every change of what a store has committed, `repair` has the damaged runs computed again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr
import zarr

import sweepengine
from sweepengine.cli import main
from sweepengine.store import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def test_a_lost_state_is_damage(
    tiny: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "tiny.zarr"
    commits, commit = iter(range(3)), ChunkWriter.commit

    def committed(*arguments: Any) -> None:
        commit(*arguments)
        if next(commits, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(ChunkWriter, "commit", committed)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    assert main(["verify", str(store)]) == 0
    for state in (store / "state").rglob("*.npz"):
        state.unlink()
    capsys.readouterr()
    assert main(["verify", str(store)]) == 1
    assert ".npz is lost: its runs start again" in capsys.readouterr().out
