"""Time methods are entries of one table for both kinds: what an entry says is true.

An entry is all that a new method needs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

import sweepengine
from sweepengine import particles as pt
from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names
from sweepengine.plan import make_plan
from sweepengine.runge_kutta import Tableau
from sweepengine.spec import ParticleSpec, expand_particles, make_spec, run_from_json, spec_schema
from sweepengine.store import SweepStore
from sweepengine.time_methods import METHODS, TimeMethod, Use, find, follows_the_flow, names, register
from tests.support import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

FORMER = {"euler": "gd", "adaptive": "rk45"}
ALONE = {key: value for key, value in pinned.PARTICLES.items() if key not in ("data", "unit")} | {
    "functional": {"terms": [{"term": "quadratic"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "axes": {"width": [16], "seed": 1},
}
MIDPOINT = Tableau(stages=((0.5,),), weights=(0.0, 1.0), order=2)


@pytest.fixture
def table() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


def particles(content: dict[str, Any], method: str) -> ParticleSpec:
    spec = make_spec(with_method(content, method))
    assert isinstance(spec, ParticleSpec)
    return spec


def with_method(content: dict[str, Any], method: str) -> dict[str, Any]:
    section = "dynamics" if "dynamics" in content else "training"
    return content | {section: content[section] | {"method": method}}


class Counted:
    """∫|θ|²/2 dμ, which counts its velocities."""

    def __init__(self) -> None:
        self.calls = 0

    def value(self, particles: torch.Tensor, partition: pt.Partition) -> float:
        return pt.quadratic().value(particles, partition)

    def field(self, _particles: torch.Tensor, _partition: pt.Partition) -> Counted:
        return self

    def first_variation(self, points: torch.Tensor) -> torch.Tensor:
        return points.square().sum(1) / 2

    def velocity(self, points: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return -points


@pytest.mark.parametrize("name", names("particles"))
def test_a_step_of_particles_takes_the_velocities_that_its_entry_says(name: str) -> None:
    term, method = Counted(), METHODS[name]
    functional = pt.Functional([term], 0.1 if method.noise else 0.0)
    start, steps = pt.gaussian_cloud(1, 9, 2), resolve_name(method.use("particles").steps)
    if method.adaptive:
        made = steps(functional, start, 0.01)
        assert made.advance(0, 1) == 1  # and the last slope of a step is the first of the next
    else:
        steps(functional, start, pt.Instant(0, 0.01, pt.Noise(3) if method.noise else None), pt.Partition())
    assert term.calls == method.velocities


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.tableau is not None])
def test_entries_agree_with_their_tableaus(name: str) -> None:
    method = METHODS[name]
    tableau = resolve_name(str(method.tableau))
    assert isinstance(tableau, Tableau)
    assert (method.velocities, method.order) == (len(tableau.stages) + 1, tableau.order)
    assert bool(tableau.error) >= method.adaptive


@pytest.mark.parametrize("name", names("networks"))
def test_steppers_of_networks_resolve(name: str) -> None:
    assert callable(resolve_name(METHODS[name].use("networks").steps))


def test_a_method_that_both_kinds_have_is_read_by_one_name_and_keeps_its_ids() -> None:
    assert {method.formerly: name for name, method in METHODS.items() if method.formerly} == FORMER
    for former, name in FORMER.items():
        specs = [particles(pinned.PARTICLES, each) for each in (former, name)]
        old, new = (list(expand_particles(spec, "0" * 16, canonical_names(spec))) for spec in specs)
        assert old == new
        assert [run.id for run in old] == [run.id for run in new]
        assert {run.method for run in new} == {name}
        assert {spec.method_label for spec in specs} == {name}
        assert specs[0].fixed_settings() == specs[1].fixed_settings()
        assert run_from_json(new[0].to_json() | {"method": former}) == new[0]
        with pytest.raises(SpecError, match=r"training\.method"):
            make_spec(with_method(pinned.NETWORKS, former))
    fixed = particles(pinned.PARTICLES, "dormand_prince")
    assert next(expand_particles(fixed, "0" * 16, canonical_names(fixed))).method == "dormand_prince"


def test_a_prediction_keeps_its_id_under_the_new_name() -> None:
    content = pinned.PARTICLES | {
        "data": pinned.SHELLS,
        "unit": {"activation": "staircase", "output": "none"},
        "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    }
    content["dynamics"] = content["dynamics"] | {"samples": "fresh"}
    runs = [
        next(expand_particles(spec, "0" * 16, canonical_names(spec)))
        for spec in (particles(content, each) for each in ("euler", "gd", "rk4"))
    ]
    assert all(run.limit_id for run in runs)
    assert runs[0].limit_id == runs[1].limit_id != runs[2].limit_id


def test_a_store_of_the_former_name_is_extended_by_the_new_one(tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    sweepengine.run(with_method(ALONE, "euler"), store, executor="inline")
    outcome = sweepengine.run(with_method(ALONE, "gd") | {"axes": {"width": [16], "seed": 2}}, store, executor="inline")
    assert (outcome.skipped, outcome.done) == (1, 2)
    assert set(sweepengine.open_sweep(store).method.values) == {"gd"}


def test_an_entry_that_says_too_little_is_refused() -> None:
    use, said = Use(steps="a:b", held=0), {"name": "x", "summary": "", "order": 1, "follows": None}
    with pytest.raises(TypeError, match="velocities"):
        TimeMethod(**said, particles=use)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="held"):
        Use(steps="a:b")  # type: ignore[call-arg]
    for change in ({"velocities": 0}, {"velocities": 1, "order": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            TimeMethod(**(said | {"particles": use} | change))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no kind"):
        TimeMethod(**said, velocities=1)  # type: ignore[arg-type]
    for taken in ("heun", "euler"):
        with pytest.raises(ValueError, match="second one of this name"):
            register(replace(METHODS["gd"], name=taken, formerly=None))
    with pytest.raises(ValueError, match="found method 'sgd'; known are gd, heun"):
        find("sgd", "particles")


def midpoint(functional: pt.Functional, particles: torch.Tensor, instant: pt.Instant, partition: pt.Partition) -> None:
    """One step in place."""
    half = particles + instant.size / 2 * functional.velocity(particles, partition)
    particles.add_(functional.velocity(half, partition), alpha=instant.size)


@pytest.mark.usefixtures("table")
def test_a_new_method_is_one_entry(tmp_path: Path) -> None:
    contents = {"networks": with_method(pinned.NETWORKS, "midpoint"), "particles": with_method(ALONE, "midpoint")}
    for content in contents.values():
        with pytest.raises(SpecError, match=r"method(\.name)?: found 'midpoint'; allowed: 'gd'"):
            make_spec(content)
    register(
        TimeMethod(
            name="midpoint",
            summary="The midpoint rule.",
            order=2,
            velocities=2,
            follows="flow",
            networks=Use(steps="sweepengine.networks._steppers:fixed_flow", held=5),
            particles=Use(steps=f"{__name__}:midpoint", held=1000),
            tableau=f"{__name__}:MIDPOINT",
        )
    )
    assert follows_the_flow("midpoint")
    assert str(spec_schema()["$defs"]).count("'midpoint'") > 2
    like, planned = (
        pinned.described(make_plan(make_spec(with_method(ALONE, name)), SweepStore(tmp_path / "planned.zarr")))
        for name in ("heun", "midpoint")
    )
    assert planned["seconds"] == like["seconds"]
    assert planned["memory"] > like["memory"]
    for kind, content in contents.items():
        sweepengine.run(content, tmp_path / f"{kind}.zarr", executor="inline")
    cloud = sweepengine.open_sweep(tmp_path / "particles.zarr").load()
    start, end = (cloud.particles.isel(run=0, snapshot=place) for place in (0, -1))
    np.testing.assert_allclose(end, start * (1 - 0.05 + 0.05**2 / 2) ** 40, rtol=1e-12)
    sweepengine.run(with_method(pinned.NETWORKS, "heun"), tmp_path / "heun.zarr", executor="inline")
    found, other = (
        sweepengine.open_sweep(tmp_path / f"{name}.zarr").loss_train.load() for name in ("networks", "heun")
    )
    assert not np.array_equal(found, other)
    np.testing.assert_allclose(found, other, rtol=1e-2)


class HalvedSteps(pt.AdaptiveSteps):
    """An adaptive method of its own: it keeps the states that it went on from, and may be stopped after some tries."""

    resumed: ClassVar[list[Any]] = []
    left: ClassVar[float] = math.inf

    def __init__(self, *given: Any, **named: Any) -> None:
        self.resumed.append(named["state"])
        super().__init__(*given, **named)

    def advance(self, step: int, target: int) -> int:
        HalvedSteps.left -= 1
        if not HalvedSteps.left:
            raise KeyboardInterrupt
        return super().advance(step, target)


@pytest.mark.usefixtures("table")
def test_a_new_adaptive_method_keeps_its_control_in_the_state(tmp_path: Path) -> None:
    register(replace(METHODS["rk45"], name="halved", formerly=None, particles=Use(f"{__name__}:HalvedSteps", held=10)))
    content, store = with_method(ALONE, "halved"), tmp_path / "x.zarr"
    HalvedSteps.left = 5
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(content, store, executor="inline", commit_seconds=1e-9)
    sweepengine.run(content, store, executor="inline")
    assert HalvedSteps.resumed[0] is None
    assert HalvedSteps.resumed[-1][0] > 0
