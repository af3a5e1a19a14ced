"""Potentials, kernels and units of users' own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import SpecError, StoreError
from tests.support.particle_sweeps import TEACHER, WELLS, changed, computed
from tests.support.plugins import fresh_registry, plugin

if TYPE_CHECKING:
    from pathlib import Path


PLUGIN = """
import sweepengine

@sweepengine.register_potential(name="bowl", version="{version}")
def bowl(points):
    return points.square().sum(1) * {half}

@sweepengine.register_kernel(name="bump", version="{version}")
def bump(points, others):
    return (-(points[:, None] - others).square().sum(2) / 2).exp()

@sweepengine.register_potential(name="broken")
def broken(points):
    return points["no"]
"""
UNIT = """
import sweepengine

@sweepengine.register_unit(name="own")
def own(particles, inputs):
    return particles[:, 4:] * (particles[:, :4] @ inputs.T).relu()

@sweepengine.register_unit(name="flat")
def flat(particles, inputs):
    return particles[:, 0]
"""


def test_units_of_users_are_those_of_the_package(tmp_path: Path) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(UNIT)
    known = changed(TEACHER, initial={"output": "alike"})
    users = known | {"unit": {"name": "own", "coordinates": 5}}
    with pytest.raises(SpecError, match=r"unit\.name: found 'own', which is not registered"):
        sweepengine.run(users, tmp_path / "x.zarr", executor="inline")
    expected = computed(known, tmp_path / "known.zarr")
    found = computed(users, tmp_path / "users.zarr", plugins=[plugin])
    assert list(found.coord.values) == ["x0", "x1", "x2", "x3", "x4"]
    assert set(found.activation.values) == {"own@1"}
    names = ["loss_test", "outputs_train", "objective", "dissipation", "participation", "particles"]
    aside = ["id", "block", "term", "coord", "activation"]
    xr.testing.assert_allclose(
        found[names].drop_vars(aside, errors="ignore"), expected[names].drop_vars(aside, errors="ignore"), rtol=1e-9
    )
    provenance = json.loads(sweepengine.open_sweep(tmp_path / "users.zarr").attrs["provenance"])["user_code"]
    assert [(each["kind"], each["name"]) for each in provenance] == [("unit", "own")]
    assert set(found.id.values).isdisjoint(expected.id.values)
    flat = users | {"unit": {"name": "flat", "coordinates": 5}}
    with pytest.raises(SpecError, match=r"psi gave shape \(16,\).*\n.*trial of unit flat@1"):
        sweepengine.run(flat, tmp_path / "flat.zarr", executor="inline", plugins=[plugin])
    assert not (tmp_path / "flat.zarr").exists()
    with pytest.raises(
        SpecError, match=r"observables: kernel is that of neurons, and unit\.name is a unit of your own"
    ):
        sweepengine.run(users | {"observables": ["kernel"]}, tmp_path / "x.zarr", executor="inline", plugins=[plugin])
    with pytest.raises(SpecError, match=r"initial\.law: found 'network', whose units are neurons"):
        sweepengine.run(users | {"initial": {"law": "network"}}, tmp_path / "x.zarr", executor="inline")


def test_terms_of_users_are_those_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PLUGIN.format(version="1", half=0.5))
    (tmp_path / "other.py").write_text(PLUGIN.format(version="2", half=0.75))
    known = changed(WELLS, functional={"terms": [{"term": "quadratic", "strength": 2.0}, {"term": "gaussian"}]})
    own = [{"term": "potential", "name": "bowl", "strength": 2.0}, {"term": "kernel", "name": "bump"}]
    users = changed(WELLS, functional={"terms": own})
    with pytest.raises(SpecError, match=r"functional\.terms: found the potential 'bowl', which is not registered"):
        sweepengine.run(users, tmp_path / "x.zarr", executor="inline")
    expected = computed(known, tmp_path / "known.zarr")
    found = computed(users, tmp_path / "users.zarr", plugins=[tmp_path / "own.py"])
    names = ["objective", "terms", "dissipation", "particles"]
    xr.testing.assert_allclose(
        found[names].drop_vars(["id", "block", "term"]), expected[names].drop_vars(["id", "block", "term"])
    )
    provenance = json.loads(sweepengine.open_sweep(tmp_path / "users.zarr").attrs["provenance"])["user_code"]
    assert [(each["kind"], each["name"], each["version"]) for each in provenance] == [
        ("potential", "bowl", "1"),
        ("kernel", "bump", "1"),
    ]
    other = computed(users, tmp_path / "other.zarr", plugins=[tmp_path / "other.py"])
    assert not set(other.id.values) & set(found.id.values)
    assert abs(other.terms.values[0, 0, 0] / found.terms.values[0, 0, 0] - 1.5) < 1e-12
    with pytest.raises(StoreError, match="was written with other fixed settings"):
        sweepengine.run(users, tmp_path / "users.zarr", executor="inline", plugins=[tmp_path / "other.py"])
    broken = changed(WELLS, functional={"terms": [{"term": "potential", "name": "broken"}]})
    with pytest.raises(SpecError, match=r"potential broken@1: it raised TypeError.*\n.*trial of potential broken@1"):
        sweepengine.run(broken, tmp_path / "broken.zarr", executor="inline", plugins=[tmp_path / "own.py"])
    assert not (tmp_path / "broken.zarr").exists()


PARTICLES: dict[str, Any] = {
    "name": "own",
    "kind": "particles",
    "functional": {"terms": [{"term": "potential", "name": "ring"}, {"term": "kernel", "name": "cauchy"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {"method": "euler", "step_size": 0.01, "time": 0.05, "records": {"spacing": "log", "count": 3}},
    "axes": {"width": [8], "seed": 2},
    "precision": "float64",
}
TERMS = """
import torch, sweepengine


@sweepengine.register_potential(name="ring")
def ring(points):
    return POTENTIAL


@sweepengine.register_kernel(name="cauchy")
def cauchy(points, others):
    return KERNEL
"""


RING, CAUCHY = "(points.square().sum(1) - 1).square()", "1 / (1 + (points[:, None] - others).square().sum(2))"


@pytest.mark.parametrize(
    ("potential", "kernel", "message"),
    [
        ("1.0", CAUCHY, "potential ring@1: found float; return a floating-point torch.Tensor"),
        (
            RING,
            "points.nothing",
            "kernel cauchy@1: it raised AttributeError: 'Tensor' object has no attribute 'nothing'",
        ),
        ("points", CAUCHY, "the potential gave shape (8, 2)"),
    ],
)
def test_terms_that_cannot_work_are_refused_before_anything_runs(
    tmp_path: Path, potential: str, kernel: str, message: str
) -> None:
    path = plugin(tmp_path, TERMS.replace("POTENTIAL", potential).replace("KERNEL", kernel))
    with pytest.raises(SpecError, match=re.escape(message)):
        sweepengine.run(PARTICLES, tmp_path / "p.zarr", executor="inline", plugins=[path])
    assert not (tmp_path / "p.zarr").exists()
    fresh_registry()
    right = plugin(tmp_path, TERMS.replace("POTENTIAL", RING).replace("KERNEL", CAUCHY), "right.py")
    assert sweepengine.run(PARTICLES, tmp_path / "p.zarr", executor="inline", plugins=[right]).done == 2
