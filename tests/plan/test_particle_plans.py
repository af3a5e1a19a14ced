"""Plans of particles: what they refuse, and what infinite width predicts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import yaml

import sweepengine
from sweepengine import analysis
from sweepengine import particles as pt
from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names
from sweepengine.plan._radial import predict_radial
from sweepengine.spec import RADII, ParticleSpec, expand_particles, job_path, make_spec
from tests.support.particle_sweeps import SHELLS, TEACHER, changed, computed

if TYPE_CHECKING:
    from pathlib import Path


def test_more_snapshots_than_the_disk_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 10**4))
    with pytest.raises(SpecError, match=r"would write up to .* GB free; take fewer records or snapshots"):
        sweepengine.run(TEACHER, tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize("job", ["radial_d10", "radial_d40"])
def test_the_radial_prediction_has_the_digits_that_it_promises(job: str) -> None:
    """Steps five times as long as the job's. Twin: 48 radii of equal mass, which miss the third digit."""
    spec = make_spec(changed(yaml.safe_load(job_path(job).read_text()), dynamics={"step_size": 0.1}))
    assert isinstance(spec, ParticleSpec)
    [run, *_] = expand_particles(spec, "0" * 16, canonical_names(spec))
    assert run.radial is not None
    d, delta, kappa = run.radial

    def risks(start: torch.Tensor, functional: pt.Functional) -> np.ndarray:
        found = dict[int, float]()

        def observe(step: int, _time: float, cloud: torch.Tensor) -> None:
            found[step] = functional.value(cloud)

        pt.flow(functional, start, step_size=0.1, steps=run.n_steps, observe=observe)
        return np.array([found[step] for step in run.record_steps])

    radii, masses = pt.radial_quadrature(3 * RADII, d, kappa)
    finer = risks(radii, pt.Functional([pt.MassRisk(pt.radial_risk(d, delta), masses)]))
    np.testing.assert_allclose(predict_radial(run)["risk"].values, finer, rtol=5e-5)
    coarse = risks(pt.radial_start(48, d, kappa), pt.Functional([pt.radial_risk(d, delta)]))
    assert np.abs(coarse / finer - 1).max() > 3e-3


def test_radii_of_unlike_mass_have_the_moments_of_the_law() -> None:
    radii, masses = pt.radial_quadrature(60, 7, 0.8)
    assert float(masses.sum()) == pytest.approx(1, rel=1e-14)
    assert float((masses * radii[:, 0] ** 2).sum()) == pytest.approx(0.64, rel=1e-4)
    equal = pt.MassRisk(pt.radial_risk(7, 0.8), torch.full((60,), 1 / 60, dtype=torch.float64))
    for of in ("value", "velocity"):
        weighted, plain = (getattr(pt.Functional([each]), of)(radii) for each in (equal, pt.radial_risk(7, 0.8)))
        torch.testing.assert_close(torch.as_tensor(weighted), torch.as_tensor(plain), rtol=1e-12, atol=1e-14)


def test_clouds_on_shells_follow_the_radial_reduction(tmp_path: Path) -> None:
    found = computed(SHELLS, tmp_path / "shells.zarr")
    risk, start = pt.radial_risk(6, 0.8), pt.radial_start(400, 6, 0.8)
    end = pt.flow(pt.Functional([risk]), start, step_size=0.02, steps=20).final()
    limit = found.risk_limit.isel(run=0)
    # 192 radii of unlike mass in the store, 400 of equal mass here.
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
