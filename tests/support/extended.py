"""Stores that are extended by observables and by time, compared with stores that had it all from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

import sweepengine
from sweepengine.store import SweepStore, find_damage

if TYPE_CHECKING:
    from pathlib import Path

COMPUTATION: dict[str, Any] = {
    "kind": "computation",
    "name": "small",
    "observables": ["speed_excess", "gaussian_speed_excess"],
    "axes": {"case": ["claim", "twin"], "width": [8, 16], "seed": 3},
}
_AXES = ["scaling", "width", "seed"]
_PLACES = {"id", "block", "position", "peak_memory", "records_added"}


def run(content: dict[str, Any], store: str | Path, **options: Any) -> sweepengine.Outcome:
    return sweepengine.run(content, store, executor="inline", **options)


def numbers_by_axes(store: str | Path) -> xr.Dataset:
    """All that must not depend on when something was asked for: the numbers by the axes, not where they lie."""
    opened = sweepengine.open_sweep(store).load().drop_attrs()
    return opened.drop_vars(_PLACES & set(opened.coords)).set_index(run=_AXES).sortby("run")


def assert_as_from_the_start(store: Path, content: dict[str, Any], fresh: Path) -> None:
    """The store has what a new store of the same spec has, bit for bit, and nothing in it is damaged."""
    run(content, fresh)
    xr.testing.assert_identical(numbers_by_axes(store), numbers_by_axes(fresh))
    assert list(find_damage(SweepStore(store))) == []


def files(store: Path) -> dict[Path, bytes]:
    """The arrays, marks and schedules of the runs that are there."""
    folders = ("blocks", "marks", "data", "theory")
    return {path: path.read_bytes() for name in folders for path in (store / name).rglob("*") if path.is_file()}
