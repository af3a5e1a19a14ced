"""Runs that several workers share: what is refused, and the pieces of which each worker holds some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine.errors import RunError, SpecError
from sweepengine.store import _layout

if TYPE_CHECKING:
    from pathlib import Path

SHARED: dict[str, Any] = {
    "kind": "particles",
    "name": "shared",
    "functional": {"terms": [{"term": "double_well"}]},
    "initial": {"law": "gaussian", "coordinates": 3},
    "dynamics": {"method": "euler", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 5}},
    "axes": {"width": [90_000], "seed": 1},
    "precision": "float64",
}


def test_too_many_shards_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"shards: found 4 for width 90000, which is 3 chunks .* use at most 3"):
        sweepengine.run(SHARED | {"shards": 4}, tmp_path / "x.zarr")
    with pytest.raises(RunError, match=r"shards: found 2, and the cluster has 1 CPUs"):
        sweepengine.run(SHARED | {"shards": 2}, tmp_path / "x.zarr", workers=1)
    assert not (tmp_path / "x.zarr").exists()


def test_pieces_are_whole_chunks_of_a_sensible_size() -> None:
    for particles in (1, 10**5, 10**7, 10**9):
        length = _layout.piece_length(particles, 33, "float32")
        full = 132 * (length + 1) > _layout.CHUNK_LIMIT
        assert 132 * length <= _layout.CHUNK_LIMIT
        assert length % _layout.PIECE_ROWS == 0 or full
        assert particles / length <= _layout.MOST_PIECES or full
    assert _layout.piece_length(10**5, 33, "float32") == 8192
