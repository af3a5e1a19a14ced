"""Sweeps on several sets of data: stopped and resumed, in packs, with users' code, and of particles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.store import SweepStore, find_damage, repair
from tests.support.axes import SWEPT, swept
from tests.support.particle_sweeps import TEACHER
from tests.support.plugins import fresh_registry
from tests.support.stops import stop_after_commits, stop_in_commit
from tests.support.stores import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    fresh_registry()
    yield
    fresh_registry()


@pytest.mark.parametrize(("stop", "commits"), [(stop_after_commits, 1), (stop_in_commit, 9), (stop_after_commits, 40)])
def test_a_stop_among_runs_of_unlike_data_changes_no_bit(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., None], commits: int
) -> None:
    spec = swept(tiny, **SWEPT)
    sweepengine.run(spec, tmp_path / "whole.zarr", executor="inline")
    store = tmp_path / "stopped.zarr"
    stop(monkeypatch, commits)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(spec, store, executor="inline", commit_seconds=1e-9)
    monkeypatch.undo()
    outcome = sweepengine.run(spec, store, executor="inline", commit_seconds=1e-9)
    assert (outcome.runs, outcome.done) == (32, 32)
    xr.testing.assert_identical(numbers(store), numbers(tmp_path / "whole.zarr"))
    assert list(find_damage(SweepStore(store))) == []
    assert sweepengine.run(spec, store, executor="inline").skipped == 32


def test_a_damaged_run_of_one_set_is_computed_again_alone(tiny: Tiny, tmp_path: Path) -> None:
    spec, store = swept(tiny, n_train=[6, 12]), tmp_path / "damaged.zarr"
    sweepengine.run(spec, store, executor="inline")
    expected = numbers(store)
    block = str(expected.block.values[-1])
    for path in (store / "blocks" / block / "kernel" / "c").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-8])
    assert len(list(find_damage(SweepStore(store)))) > 0
    repair(SweepStore(store))
    outcome = sweepengine.run(spec, store, executor="inline")
    assert (outcome.skipped, outcome.done) == (4, 8)
    xr.testing.assert_identical(numbers(store), expected)


def test_users_code_is_tried_on_the_points_of_the_run_that_is_tried(tiny: Tiny, tmp_path: Path) -> None:
    register = sweepengine.register_observable(name="copy", dims=["i"], long_name="outputs again", version="1")
    register(lambda now, _: now.train.forward.outputs)
    content = swept(tiny, n_train=[6, 12]) | {"observables": ["outputs_train", "copy"]}
    sweepengine.run(content, tmp_path / "own.zarr", executor="inline")
    found = sweepengine.open_sweep(tmp_path / "own.zarr").load()
    np.testing.assert_array_equal(found["copy"], found.outputs_train)


def test_particles_on_several_sets_of_data_and_steps(tmp_path: Path) -> None:
    plain: dict[str, Any] = {**TEACHER, "axes": TEACHER["axes"] | {"width": [16]}}
    content = plain | {"axes": plain["axes"] | {"n_train": [10, 30], "step_size": [0.1, 0.2]}}
    for section, field in (("data", "n_train"), ("dynamics", "step_size")):
        content[section] = {key: value for key, value in TEACHER[section].items() if key != field}
    sweepengine.run(content, tmp_path / "whole.zarr", executor="inline")
    sweepengine.run(plain, tmp_path / "plain.zarr", executor="inline")
    whole, alone = numbers(tmp_path / "whole.zarr"), numbers(tmp_path / "plain.zarr")
    assert whole.sizes["run"] == 8
    same = whole.isel(run=[whole.id.values.tolist().index(each) for each in alone.id.values])
    assert set(zip(same.n_train.values.tolist(), same.step_size.values.tolist(), strict=True)) == {(30, 0.1)}
    for name in ("loss_train", "outputs_train", "particles"):
        np.testing.assert_array_equal(same[name], alone[name], err_msg=name)
