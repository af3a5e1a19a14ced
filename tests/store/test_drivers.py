"""Drivers of one store, at one time or one after another: one goes on, and the others change nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine.errors import RunError
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.plugins import own_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def driver_of(store: Path, spec: dict[str, Any]) -> tuple[SweepStore, Any]:
    """A driver that has planned and not yet begun."""
    from sweepengine.plan import make_plan

    sweep_store = SweepStore(store)
    return sweep_store, make_plan(make_spec(spec), sweep_store)


@pytest.mark.parametrize(("widths", "runs"), [([8, 16], 8), ([8, 24], 12)])
def test_a_driver_that_planned_before_another_one_ran_takes_its_work_over(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, widths: list[int], runs: int
) -> None:
    """A driver tries users' code when it has planned and before it claims the store: there the other one comes."""
    store, content = tmp_path / "shared.zarr", tiny(observables=["kernel", "other"])
    files: list[dict[Path, bytes]] = []
    asked: list[str] = []

    def blocks() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (store / "blocks").rglob("*") if path.is_file()}

    def other(now: Any, _start: Any) -> Any:
        asked.append("the late driver" if not asked else "the other one, or a run")
        if len(asked) == 1:
            assert not store.exists()
            assert sweepengine.run(content, store, executor="inline").done == 8
            files.append(blocks())
        return now.kernel[0, 0]

    with own_registry():
        sweepengine.register_observable(name="other", long_name="what comes between")(other)
        late = sweepengine.run(content | {"axes": content["axes"] | {"width": widths}}, store, executor="inline")
    assert (late.runs, late.skipped, late.done) == (8, 0, 8)
    assert files[0].items() <= blocks().items()
    assert (blocks() == files[0]) == (runs == 8)
    found = sweepengine.open_sweep(store).load()
    assert found.sizes["run"] == len(set(found.id.values)) == runs


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
