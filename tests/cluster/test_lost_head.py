"""A cluster whose head is lost: the driver says so and ends, what was committed is kept, the same command goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from tests.support.heads import ROOT, running_head
from tests.support.stores import numbers_wherever

if TYPE_CHECKING:
    from tests.support.heads import Head

pytestmark = pytest.mark.timeout(600)
LONG: dict[str, Any] = {
    "name": "long",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 64, "n_test": 16},
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.1, "time": 600.0, "records": {"spacing": "every", "k": 300}},
    "axes": {"scaling": ["ntk"], "width": [256], "seed": 2},
    "precision": "float64",
}
"""Two runs of some seconds each, one after the other on one CPU, whose records come evenly."""
PATIENCE = 180.0


def start(head: Head, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweepengine", *words, "--address", head.gcs]
    return subprocess.Popen(
        command, env=head.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_lost_head_ends_the_driver_with_a_message_and_the_same_command_goes_on(tmp_path: Path) -> None:
    spec, store = tmp_path / "long.json", tmp_path / "long.zarr"
    spec.write_text(json.dumps(LONG))
    words = ["run", str(spec), "--store", str(store), "--no-report", "--commit-seconds", "0.05"]
    with running_head(cpus=1) as head:
        driver = start(head, *words)
        end = time.monotonic() + PATIENCE
        states = set[Path]()
        while len(states) < 2:  # the second state is written once the mark that names the first is there
            states.update(store.glob("state/*/*/*.npz"))
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        head.lose()
        _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 1, said
    assert "Traceback" not in said
    [line] = [each for each in said.splitlines() if each.startswith("error:")]
    assert line.startswith("error: Ray has died (")
    assert line.endswith("what was committed is kept: run the same command again")
    sweepengine.run(LONG, tmp_path / "whole.zarr", executor="inline")
    whole, kept = numbers_wherever(tmp_path / "whole.zarr"), numbers_wherever(store)
    assert 0 < kept.records_done.sum() < whole.records_done.sum()
    for run in range(2):
        done = slice(int(kept.records_done[run]))
        there, here = (each.isel(run=run, record=done).reset_coords(drop=True) for each in (kept, whole))
        xr.testing.assert_identical(there, here)
    with running_head(cpus=1, gcs=int(head.gcs.rpartition(":")[2])) as head:
        driver = start(head, *words)
        out, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, out + said
    xr.testing.assert_identical(numbers_wherever(store), whole)
