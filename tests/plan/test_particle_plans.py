"""Plans of particles: what they refuse, and what infinite width predicts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import sweepengine
from sweepengine import analysis
from sweepengine import particles as pt
from sweepengine.errors import SpecError
from tests.support.particle_sweeps import SHELLS, TEACHER, changed, computed

if TYPE_CHECKING:
    from pathlib import Path


def test_more_snapshots_than_the_disk_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 10**4))
    with pytest.raises(SpecError, match=r"would write up to .* GB free; take fewer records or snapshots"):
        sweepengine.run(TEACHER, tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


def test_clouds_on_shells_follow_the_radial_reduction(tmp_path: Path) -> None:
    found = computed(SHELLS, tmp_path / "shells.zarr")
    risk, start = pt.radial_risk(6, 0.8), pt.radial_start(400, 6, 0.8)
    end = pt.flow(pt.Functional([risk]), start, step_size=0.02, steps=20).final()
    limit = found.risk_limit.isel(run=0)
    # 48 radii in the store, 400 here.
    assert float(limit[-1]) == pytest.approx(risk.value(end, pt.Partition()), rel=1e-3)
    gap = abs(found.loss_test - found.risk_limit).max("record")
    # 4000 test points of a cost with a standard deviation near 1, and m = 400.
    assert float(gap.max()) < 4 / 4000**0.5
    assert float(limit[0] - limit[-1]) > 5 * 4 / 4000**0.5  # so that standing still would be seen
    page = analysis.write_report(sweepengine.open_sweep(tmp_path / "shells.zarr"), tmp_path / "r").html.read_text()
    assert "The dashed line is what infinite width predicts." in page
    assert list(sweepengine.open_theory(tmp_path / "shells.zarr").data_vars) == ["risk"]
    fixed = computed(changed(SHELLS, dynamics={"samples": "fixed"}), tmp_path / "fixed.zarr")
    assert "risk_limit" not in fixed  # the risk of a few points is not symmetric
