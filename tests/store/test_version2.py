"""Stores that layout version 2 has written, kept as they were: finished, and killed in the middle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.cli import main
from sweepengine.store import SweepStore, find_damage
from tests.support.turns import watched_turns

KEPT = Path(__file__).parents[1] / "kept" / "version2.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(KEPT) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def spec_of(store: Path) -> dict[str, Any]:
    spec: dict[str, Any] = SweepStore(store).attributes["specs"][0]["spec"]
    return spec


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_close(store: Path, fresh: Path) -> None:
    """The same runs and numbers, to what another machine's rounding may do."""
    found, expected = (sweepengine.open_sweep(each).load().sortby("id") for each in (store, fresh))
    np.testing.assert_array_equal(found.id, expected.id)
    assert set(found.status.values) == {"done"}
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=str(name))


@pytest.mark.parametrize("name", ["finished", "killed", "particles"])
def test_a_store_of_version_2_is_read_and_verified_as_it_is(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = folder / f"{name}.zarr"
    before = files(store)
    assert SweepStore(store).is_legacy
    assert main(["verify", str(store)]) == 0
    assert main(["status", str(store)]) == 0
    sweep = sweepengine.open_sweep(store).load()
    expected = {"finished": [4] * 8, "killed": [6, 3, 0], "particles": [6, 3, 0]}[name]
    assert sweep.records_done.values.tolist() == expected
    done = sweep.isel(run=(sweep.status == "done").values)
    assert np.isfinite(done.outputs_train).all()
    assert sweepengine.open_theory(store).load().sizes["limit"] >= 0
    assert files(store) == before


def test_a_finished_store_of_version_2_is_not_written_to(folder: Path) -> None:
    store = folder / "finished.zarr"
    before = files(store)
    outcome = sweepengine.run(spec_of(store), store, executor="inline")
    assert (outcome.skipped, outcome.done) == (8, 8)
    assert files(store) == before


def test_longer_axes_carry_a_store_of_version_2_over(folder: Path) -> None:
    store, spec = folder / "finished.zarr", spec_of(folder / "finished.zarr")
    spec["axes"]["seed"] = 3
    old = {path: content for path, content in files(store / "blocks").items() if "c" in path.parts}
    outcome = sweepengine.run(spec, store, executor="inline")
    assert (outcome.skipped, outcome.done) == (8, 12)
    assert not SweepStore(store).is_legacy
    assert not list(find_damage(SweepStore(store)))
    assert all(path.read_bytes() == content for path, content in old.items())
    sweepengine.run(spec, folder / "fresh.zarr", executor="inline")
    assert_close(store, folder / "fresh.zarr")
    tree = xr.open_datatree(store, engine="zarr")  # as any reader of zarr
    assert sum(node.sizes["run"] for node in tree["blocks"].children.values()) == 12
    tree.close()


@pytest.mark.parametrize("name", ["killed", "particles"])
def test_a_killed_sweep_of_version_2_goes_on_from_its_state(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a new block, because nothing says whether its worker still writes: which then changes nothing."""
    store, spec = folder / f"{name}.zarr", spec_of(folder / f"{name}.zarr")
    begun = watched_turns(monkeypatch)
    outcome = sweepengine.run(spec, store, executor="inline")
    assert (outcome.skipped, outcome.done) == (1, 3)
    assert len(begun) == 2
    assert begun[0].step > 0 == begun[1].step
    assert not list(find_damage(SweepStore(store)))
    sweepengine.run(spec, folder / "fresh.zarr", executor="inline")
    assert_close(store, folder / "fresh.zarr")
    expected = sweepengine.open_sweep(store).load()
    with zipfile.ZipFile(KEPT) as archive:  # the late worker writes what it had, over what was there
        archive.extractall(folder, [each for each in archive.namelist() if "/marks/" in each or "/c/" in each])
    xr.testing.assert_identical(sweepengine.open_sweep(store).load(), expected)


def test_a_driver_of_the_old_version_finds_that_it_has_lost_its_claim(folder: Path) -> None:
    store, spec = folder / "killed.zarr", spec_of(folder / "killed.zarr")
    before = json.loads((store / "driver.json").read_text())
    sweepengine.run(spec, store, executor="inline")
    after = json.loads((store / "driver.json").read_text())
    assert after["owner"] != before["owner"]
    assert after["epoch"] > before["epoch"]
    assert json.loads((store / "zarr.json").read_text())["attributes"]["sweepengine_schema"] == 3


def test_damage_of_version_2_is_found_and_repaired(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, spec = folder / "finished.zarr", spec_of(folder / "finished.zarr")
    mark, *_ = sorted(store.glob("marks/*/0.json"))
    mark.write_text(mark.read_text()[:-9])
    chunk = max(store.glob("blocks/*/kernel/c/0/0/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert main(["verify", str(store)]) == 1
    said = capsys.readouterr().out
    assert "0.json is damaged" in said
    assert "kernel: not what was written" in said
    assert main(["repair", str(store)]) == 0
    assert main(["verify", str(store)]) == 0
    outcome = sweepengine.run(spec, store, executor="inline")
    assert (outcome.skipped, outcome.done) == (0, 8)
    sweepengine.run(spec, folder / "fresh.zarr", executor="inline")
    assert_close(store, folder / "fresh.zarr")
