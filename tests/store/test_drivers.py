"""Drivers of one store, at one time or one after another: one goes on, and the others change nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.errors import RunError
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.stores import numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def driver_of(store: Path, spec: dict[str, Any]) -> tuple[SweepStore, Any]:
    """A driver that has planned and not yet begun."""
    from sweepengine.plan import make_plan

    sweep_store = SweepStore(store)
    return sweep_store, make_plan(make_spec(spec), sweep_store)


def test_a_driver_that_planned_before_another_one_ran_takes_its_work_over(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    from sweepengine.execute import Session
    from sweepengine.execute._driver import _Driver
    from sweepengine.execute._progress import SilentProgress
    from sweepengine.options import RunOptions

    store = tmp_path / "shared.zarr"
    options = RunOptions(executor="inline")
    late_store, late_plan = driver_of(store, tiny())
    longer_store, longer_plan = driver_of(store, tiny(axes={"width": [8, 24]}))
    sweepengine.run(tiny(), store, executor="inline")
    expected = numbers(store)
    files = {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()}
    same = _Driver(late_plan, late_store, options, SilentProgress(), Session(executor="inline")).run()
    assert (same.runs, same.done) == (8, 8)
    assert {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()} == files
    longer = _Driver(longer_plan, longer_store, options, SilentProgress(), Session(executor="inline")).run()
    assert longer.done == 8
    found = sweepengine.open_sweep(store).load()
    assert found.sizes["run"] == len(set(found.id.values)) == 12
    np.testing.assert_array_equal(found.sel(run=np.isin(found.id, expected.id)).kernel, expected.kernel)


def test_the_newest_driver_goes_on_and_the_older_stops(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    old, plan = driver_of(tmp_path / "two.zarr", tiny())
    old.claim()
    assert old.attempt(2) > old.attempt(1)
    new, _ = driver_of(tmp_path / "two.zarr", tiny())
    with pytest.raises(RunError, match=f"process {os.getpid()} on .* holds it since"):
        new.claim()
    new.claim(take_over=True)
    assert new.attempt(1) > 1 * 1000 + 999  # beyond every attempt of the first epoch
    with pytest.raises(RunError, match="another driver has taken over"):
        old.extend(plan.spec, plan.data, plan.new_blocks, {}, plan.code)
    assert not (tmp_path / "two.zarr" / "zarr.json").exists()
    new.extend(plan.spec, plan.data, plan.new_blocks, {}, plan.code)
    new.release()
    old.release()
