"""Runs hold the names of what they record; an id leaves out those that were the default when ids were first made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweepengine.observe import canonical_names
from sweepengine.spec import (
    Architecture,
    ParticleRun,
    ParticleSpec,
    Run,
    expand_particles,
    make_spec,
    run_from_json,
)

NETWORKS: dict[str, Any] = {
    "name": "networks",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 8, "n_test": 4},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.0, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.5, "time": 1.0, "records": {"spacing": "every", "k": 1}},
    "axes": {"scaling": ["ntk"], "width": [8], "seed": 1},
    "precision": "float64",
}
CLOUD: dict[str, Any] = {
    "kind": "particles",
    "name": "cloud",
    "functional": {"terms": [{"term": "quadratic"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {"method": "euler", "step_size": 0.5, "time": 1.0, "records": {"spacing": "every", "k": 1}},
    "axes": {"width": [8], "seed": 1},
    "precision": "float64",
}
RISK = {
    "data": NETWORKS["data"],
    "unit": {"activation": "tanh"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "gaussian"},
}


def cloud(content: dict[str, Any], names: tuple[str, ...] | None = None) -> ParticleRun:
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    reference = None if spec.reference is None else "0" * 16
    return next(expand_particles(spec, "1" * 16, canonical_names(spec) if names is None else names, reference))


def network(**changes: Any) -> Run:
    architecture = Architecture(1, "tanh", 1.0, 0.0, 1.0)
    return Run(architecture, 8, 0, 0.5, 1.0, "mse", 1.0, (0, 1), "float64", "1" * 16, **changes)


def test_the_default_set_of_networks_is_the_one_that_no_id_names() -> None:
    assert canonical_names(make_spec(NETWORKS)) == network().observables


@pytest.mark.parametrize("snapshots", [0, 2])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("risk", [{}, RISK], ids=["without a risk", "with a risk"])
def test_the_default_set_of_particles_is_the_one_that_no_id_names(
    risk: dict[str, Any], reference: bool, snapshots: int, tmp_path: Any
) -> None:
    content = CLOUD | risk | {"dynamics": CLOUD["dynamics"] | {"snapshots": snapshots}}
    if reference:
        np.savez(tmp_path / "r.npz", points=np.zeros((4, 2)))
        content |= {"reference": str(tmp_path / "r.npz")}
    run = cloud(content)
    assert run.observables == run.unnamed_observables == canonical_names(make_spec(content))
    stored = run.to_json()
    assert stored["observables"] == list(run.observables)
    # What was kept before runs held the names.
    assert run_from_json(stored | {"observables": []}) == run
    assert cloud(content, run.observables[:-1]).id != run.id


def test_a_kept_run_of_networks_without_names_has_the_default_set() -> None:
    run = network()
    stored = run.to_json()
    assert tuple(stored["observables"]) == canonical_names(make_spec(NETWORKS))
    assert run_from_json(stored | {"observables": []}) == run
    assert replace(run, observables=run.observables[:-1]).id != run.id


def test_an_id_names_every_other_set_in_full() -> None:
    """Also one that is larger than the default set: it is another if what is recorded by default grows."""
    larger = (*network().observables, "weights")
    assert network(observables=larger)._content()["observables"] == larger
    assert "observables" not in network()._content()
