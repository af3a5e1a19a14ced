"""Stores of particles: their chunks, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import StoreError
from sweepengine.store import SweepStore
from tests.support.particle_sweeps import NETWORK, TEACHER, changed, computed
from tests.support.stores import cut_chunks

if TYPE_CHECKING:
    from pathlib import Path


def test_particles_of_one_snapshot_lie_in_chunks_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = computed(TEACHER, tmp_path / "whole.zarr")
    cut_chunks(monkeypatch, CHUNK_LIMIT=500, CHUNK_TARGET=1)
    found = computed(TEACHER, tmp_path / "cut.zarr")
    xr.testing.assert_identical(found, expected)
    for shape in SweepStore(tmp_path / "cut.zarr").block_shapes().values():
        particles = next(each for each in shape.variables if each.is_snapshot)
        assert shape.chunk_shape(particles) == (1, 1, 12, 5)
    counted = sum(1 for path in (tmp_path / "cut.zarr" / "blocks").rglob("particles/c/*/*/*/*"))
    assert counted == 2 * 3 * (2 + 3)  # seeds × snapshots × (⌈16/12⌉ + ⌈32/12⌉)


def test_a_store_takes_one_kind_and_one_functional(tmp_path: Path) -> None:
    store = tmp_path / "cloud.zarr"
    sweepengine.run(TEACHER, store, executor="inline")
    with pytest.raises(StoreError, match="kind: the store has particles, this spec networks"):
        sweepengine.run(NETWORK, store, executor="inline")
    with pytest.raises(StoreError, match=r"unit\.activation: the store has relu, this spec tanh"):
        sweepengine.run(changed(TEACHER, unit={"activation": "tanh"}), store, executor="inline")
    longer = sweepengine.run(changed(TEACHER, axes={"width": [16, 32, 64]}), store, executor="inline")
    assert (longer.skipped, longer.done) == (4, 6)
