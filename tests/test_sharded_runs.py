"""Runs that several workers share: what is refused, and the pieces of which each worker holds some."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
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


LEARNING: dict[str, Any] = SHARED | {
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 20, "n_test": 8},
    "unit": {"activation": "tanh"},
    "functional": {
        "terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.01}],
        "temperature": 0.01,
    },
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "euler_maruyama",
        "step_size": 0.1,
        "time": 15.0,
        "records": {"spacing": "log", "count": 6},
        "snapshots": 3,
    },
    "observables": [
        "loss_train",
        "outputs_test",
        "objective",
        "dissipation",
        "mean",
        "participation",
        "particles",
        "weak_form_defect",
        "first_variation",
    ],
}
PROGRAM = """
import json, sys, sweepengine
print(sweepengine.run(json.loads(sys.argv[1]), "shared.zarr", commit_seconds=0.2))
"""


def test_a_shared_run_outlives_a_killed_shard_and_equals_one_worker_s(tmp_path: Path) -> None:
    """Two workers, one of them killed once a state is there: the numbers are those of one worker to rounding."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(LEARNING | {"shards": 2})]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    store = tmp_path / "shared.zarr"
    try:
        deadline = time.monotonic() + 120
        while not list(store.glob("state/*/*/*.npz")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        [shard] = [each for each in family if "_Shard" in " ".join(each.cmdline())]
        shard.kill()
        said, errors = process.communicate(timeout=150)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "done=1" in said
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert not list(store.glob("state/**/*.npz"))
    sweepengine.run(LEARNING, tmp_path / "whole.zarr", executor="inline")
    shared, whole = (sweepengine.open_sweep(each).load() for each in (store, tmp_path / "whole.zarr"))
    marks = [json.loads(path.read_text()) for path in store.glob("marks/*/*.json")]
    assert max(mark["attempt"] for mark in marks) % 1000 > 1  # the kill was seen
    for name in LEARNING["observables"]:
        expected = whole[name].values
        scale = np.abs(expected).max()
        np.testing.assert_allclose(shared[name].values, expected, rtol=1e-9, atol=1e-12 * scale, err_msg=name)
