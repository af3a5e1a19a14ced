"""Specs and runs of particles: ids, what is in them, what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names
from sweepengine.spec import AnyRun, ParticleSpec, expand_particles, make_spec, run_from_json
from tests.support.particle_sweeps import SHELLS, TEACHER, changed, runs_of

if TYPE_CHECKING:
    from pathlib import Path


PINNED = "5370555d9449674d"


def test_runs_are_values_with_pinned_ids() -> None:
    runs = runs_of(TEACHER)
    assert len({run.id for run in runs}) == len(runs) == 4
    assert runs[0].id == PINNED
    again: AnyRun = run_from_json(json.loads(json.dumps(runs[0].to_json())))
    assert again == runs[0]
    assert again.id == runs[0].id
    explicit = changed(TEACHER, initial={"scale": 1.0, "mean": 0}, unit={"frozen": None}, shards=3)
    assert [run.id for run in runs_of(explicit)] == [run.id for run in runs]


@pytest.mark.parametrize(
    "change",
    [{"dynamics": {"method": "heun"}}, {"dynamics": {"time": 4.0}}, {"dynamics": {"snapshots": 2}},
     {"dynamics": {"samples": "fresh"}}, {"unit": {"scale": 2.0}}, {"initial": {"output": "zeros"}},
     {"functional": {"terms": [{"term": "risk", "cost": "huber"}]}}, {"axes": {"seed": [7]}}, {"precision": "float32"},
     {"dynamics": {"projection": {"to": "ball"}}}, {"observables": ["objective"]}],
)  # fmt: skip
def test_everything_physical_is_in_the_id(change: dict[str, Any]) -> None:
    spec = make_spec(changed(TEACHER, **change))
    assert isinstance(spec, ParticleSpec)
    found = {run.id for run in expand_particles(spec, "0123456789abcdef", canonical_names(spec))}
    assert not found & {run.id for run in runs_of(TEACHER)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "clouds"}, r"kind: found 'clouds'; allowed: 'computation', 'networks', 'particles'"),
        ({"unit": None}, r"unit: missing; a risk needs it"),
        ({"functional": {"terms": []}}, r"functional\.terms: .*the list is empty"),
        (
            {"functional": {"terms": [{"term": "gravity"}]}},
            r"functional\.terms\.0\.term: found 'gravity'; allowed: 'risk'",
        ),
        ({"functional": {"terms": [{"term": "riesz", "power": 2.5}]}}, r"functional\.terms\.0\.power: found 2\.5"),
        (
            {"functional": {"terms": [{"term": "mmd", "kernel": "gaussian", "power": 1.5}]}},
            r"functional\.terms\.0: power: given for the kernel 'gaussian'; only 'riesz' has one",
        ),
        (
            {"unit": {"activation": "rleu"}},
            r"unit\.activation: found 'rleu' \(did you mean 'relu'\?\); allowed: .*'relu'",
        ),
        ({"unit": "relu"}, r"unit: found 'relu'; expected a mapping of fields"),
        (
            {"unit": {"name": "own", "coordinates": 2}},
            r"unit\.activation: unknown key\. Allowed here: coordinates, name$",
        ),
        ({"functional": {"temperature": 0.1}}, r"dynamics\.method: found 'euler' at temperature 0\.1"),
        ({"axes": {"temperature": [0.1]}, "functional": {"temperature": 0.1}}, r"are both given"),
        ({"dynamics": {"tolerance": {}}}, r"dynamics\.tolerance: found one with method 'euler'"),
        ({"dynamics": {"step_size": 0.3}}, r"dynamics\.step_size: found 0\.3, but time / step_size = 6\.66667"),
        ({"dynamics": {"snapshots": 1}}, r"dynamics\.snapshots: found 1\b"),
        ({"dynamics": {"snapshots": 9}}, r"dynamics\.snapshots: found 9, but there are 6 records"),
        ({"dynamics": {"samples": "fresh", "method": "adaptive"}}, r"dynamics\.samples: found 'fresh' with adaptive"),
        ({"initial": {"coordinates": 3}}, r"initial\.coordinates: found one, but the unit says"),
        ({"initial": {"law": "network", "output": "alike", "mean": 1.0}}, r"initial\.law: found 'network' with .*mean"),
        (
            {"initial": {"output": "zeros", "output_scale": 2.0}},
            r"initial\.output_scale: given for output weights of 0",
        ),
        (
            {"initial": {"law": "sphere", "output": "alike", "output_scale": 2.0}},
            r"initial\.output_scale: found one for law 'sphere'",
        ),
        (
            {"unit": {"frozen": "output"}, "dynamics": {"projection": {"to": "ball"}}},
            r"dynamics\.projection: found one with unit\.frozen",
        ),
        ({"initial": {"coordinates": 10**9}}, r"initial\.coordinates: found 1000000000; expected 100000 or less"),
        (
            {"dynamics": {"step_size": 1e-12, "time": 1e12, "records": {"spacing": "every", "k": 1}}},
            r"dynamics\.records\.k: found 1, which gives 1e\+24 records",
        ),
        (
            {"dynamics": {"time": 1e12}},
            r"dynamics\.time: 1e\+12 takes \d+ steps, more than the 10000000 that a run may",
        ),
        (
            {"functional": {"terms": [{"term": "risk", "cost": "logistic"}]}},
            r"functional\.terms\.0\.cost: logistic needs targets",
        ),
        ({"shards": 2}, r"shards: found 2\b"),
        (
            {"observables": ["objective", "kernal"]},
            r"observables: found 'kernal'.* particles\. Did you mean 'kernel'\?",
        ),
        ({"observables": ["particles"], "dynamics": {"snapshots": 0}}, r"observables: particles is kept at snapshots"),
        ({"data": {"outputs": 2}}, r"data: found 2 targets a point"),
    ],
)
def test_bad_specs_say_what_is_wrong(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        sweepengine.run(changed(TEACHER, **change), tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


def test_only_symmetric_runs_name_a_reduction() -> None:
    [run, _] = runs_of(SHELLS)
    assert run.radial == pytest.approx((6, 0.8, 0.8))
    broken: list[dict[str, Any]] = [
        {"initial": {"mean": 0.1}}, {"initial": {"law": "sphere"}}, {"unit": {"bias": True}}, {"unit": {"scale": 2.0}},
        {"functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic"}]}},
        {"functional": {"terms": [{"term": "risk", "cost": "mse", "strength": 2.0}]}},
        {"dynamics": {"projection": {"to": "ball"}}},
    ]  # fmt: skip
    assert all(runs_of(changed(SHELLS, **change))[0].limit_id == "" for change in broken)
    assert runs_of(changed(SHELLS, initial={"scale": 0.5}))[0].limit_id not in {"", run.limit_id}
