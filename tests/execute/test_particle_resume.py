"""Sweeps of particles that are stopped go on with the same bits, and Ray gives those of this process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
import yaml

import sweepengine
from sweepengine import particles as pt
from sweepengine.runge_kutta import Control
from tests.support.particle_sweeps import TEACHER, changed, computed, stopped_and_resumed

if TYPE_CHECKING:
    from pathlib import Path


RESUMED = {
    "adaptive": changed(TEACHER, dynamics={"method": "adaptive", "step_size": 0.25}, axes={"width": [16], "seed": 2}),
    "langevin, fresh points": changed(
        TEACHER, dynamics={"method": "stochastic_heun", "samples": "fresh"}, functional={"temperature": 0.1},
        precision="float32",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("commits", [9, 14])
def test_a_stopped_sweep_resumes_with_the_same_bits(
    name: str, commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = computed(RESUMED[name], tmp_path / "whole.zarr")
    found = stopped_and_resumed(RESUMED[name], tmp_path / "stopped.zarr", monkeypatch, commits)
    assert set(found.status.values) == {"done"}
    xr.testing.assert_identical(found, expected)
    assert not list((tmp_path / "stopped.zarr").glob("state/*/*/*.npz"))


def test_the_comparison_sees_a_lost_part_of_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = RESUMED["adaptive"]
    expected = computed(content, tmp_path / "whole.zarr")

    def forgetful(steps: pt.AdaptiveSteps) -> tuple[float, ...]:
        return (steps.time, *astuple(Control(steps.control.size / 2)))

    monkeypatch.setattr(pt.AdaptiveSteps, "state", forgetful)
    found = stopped_and_resumed(content, tmp_path / "stopped.zarr", monkeypatch, 9)
    assert not found.identical(expected)


def test_ray_and_in_process_give_the_same_bits_and_plain_xarray_reads_them(tmp_path: Path) -> None:
    inline = computed(TEACHER, tmp_path / "inline.zarr")
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump(TEACHER))
    words = ["run", "cloud.yaml", "--store", "ray.zarr", "--workers", "2", "--no-report"]
    done = subprocess.run(
        [sys.executable, "-m", "sweepengine", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "distance of particles" in done.stdout
    xr.testing.assert_identical(
        sweepengine.open_sweep(tmp_path / "ray.zarr").load().drop_attrs().drop_vars("peak_memory"), inline
    )
    assert sweepengine.run(TEACHER, tmp_path / "ray.zarr", executor="inline").skipped == 4
    tree = xr.open_datatree(tmp_path / "ray.zarr", engine="zarr")
    block = next(tree["blocks"][name] for name in tree["blocks"] if name.startswith("w000016"))
    assert block["particles"].dims == ("run", "snapshot", "particle", "coord")
    assert {"snapshot_step", "snapshot_time", "status"} <= set(block["particles"].coords)
    stored = inline.particles.sel(run=inline.width == 16)[:, :, :16]
    np.testing.assert_array_equal(block["particles"].values, stored)
