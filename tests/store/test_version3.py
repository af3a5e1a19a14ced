"""Stores of this layout that an earlier commit has written, kept as they were: finished, and killed in the middle.

They were written before kinds, observables, terms and methods became entries of tables.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.cli import main
from sweepengine.spec import read_spec
from sweepengine.store import SweepStore, find_damage

if TYPE_CHECKING:
    import xarray as xr

KEPT = Path(__file__).parents[1] / "kept" / "version3.zip"
FINISHED = ["networks", "chosen", "particles"]
KILLED = ["networks_killed", "module_killed", "particles_killed"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(KEPT) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def plugins(folder: Path, name: str) -> list[Path]:
    return [folder / "plug.py"] if name.startswith("module") else []


def run(folder: Path, name: str, store: Path, **change: Any) -> sweepengine.Outcome:
    spec = read_spec(folder / f"{name}.yaml").to_json()
    return sweepengine.run(
        spec | {key: spec[key] | value for key, value in change.items()},
        store,
        executor="inline",
        plugins=plugins(folder, name),
    )


def assert_close(found: xr.Dataset, expected: xr.Dataset) -> None:
    """The same runs and numbers, to what another machine's rounding may do."""
    np.testing.assert_array_equal(found.id, expected.id)
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-9, err_msg=str(name))


@pytest.mark.parametrize("name", [*FINISHED, *KILLED])
def test_a_kept_store_is_read_verified_and_reported(folder: Path, name: str) -> None:
    store = folder / f"{name}.zarr"
    assert main(["verify", str(store)]) == 0
    assert main(["status", str(store)]) == 0
    sweep = sweepengine.open_sweep(store).load()
    done = sweep.isel(run=(sweep.status == "done").values)
    assert done.sizes["run"] == (sweep.sizes["run"] if name in FINISHED else 1)
    assert np.isfinite(done.loss_train).all()


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_store_has_the_numbers_of_today_and_is_extended(folder: Path, name: str) -> None:
    store = folder / f"{name}.zarr"
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    outcome = run(folder, name, store)
    assert outcome.skipped == outcome.done == outcome.runs
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    run(folder, name, folder / "fresh.zarr")
    expected = sweepengine.open_sweep(folder / "fresh.zarr").load()
    assert_close(sweepengine.open_sweep(store).load(), expected)
    longer = run(folder, name, store, axes={"seed": 3})
    assert longer.skipped == outcome.runs < longer.done == longer.runs
    assert not list(find_damage(SweepStore(store)))
    assert set(expected.id.values) < set(sweepengine.open_sweep(store).id.values)


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_store_goes_on_from_its_state(folder: Path, name: str) -> None:
    store = folder / f"{name}.zarr"
    assert list(store.glob("state/*/*/*.npz"))
    computed: list[int] = []

    class Watch:
        start = say = pack_finished = stop = lambda *_: None

        def update(self, event: Any) -> None:
            computed.append(event.records)

    records = sweepengine.open_sweep(store).records_done.values
    outcome = sweepengine.run(
        folder / f"{name}.yaml", store, executor="inline", plugins=plugins(folder, name), progress=Watch()
    )
    assert (outcome.skipped, outcome.done) == (1, outcome.runs)
    assert sum(computed) == 5 * outcome.runs - records.sum()  # what was committed is not computed again
    assert not list(find_damage(SweepStore(store)))
    run(folder, name, folder / "fresh.zarr")
    assert_close(sweepengine.open_sweep(store).load(), sweepengine.open_sweep(folder / "fresh.zarr").load())
