"""Small specs of particles, with what computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine.observe import canonical_names
from sweepengine.spec import ParticleRun, ParticleSpec, expand_particles, make_spec
from tests.support.stops import stop_after_commits

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


TEACHER: dict[str, Any] = {
    "kind": "particles",
    "name": "cloud",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 4, "n_train": 30, "n_test": 20},
    "unit": {"activation": "relu"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.01}]},
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "euler", "step_size": 0.1, "time": 2.0, "records": {"spacing": "log", "count": 6}, "snapshots": 3
    },
    "axes": {"width": [16, 32], "seed": 2},
    "precision": "float64",
}  # fmt: skip
WELLS: dict[str, Any] = {
    "kind": "particles",
    "name": "wells",
    "functional": {"terms": [{"term": "double_well"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {
        "method": "euler_maruyama", "step_size": 0.1, "time": 1.0,
        "records": {"spacing": "every", "k": 2}, "snapshots": 2
    },
    "axes": {"width": [64], "seed": 2},
    "precision": "float64",
}  # fmt: skip
SHARED: dict[str, Any] = {
    "kind": "particles",
    "name": "shared",
    "functional": {"terms": [{"term": "double_well"}]},
    "initial": {"law": "gaussian", "coordinates": 3},
    "dynamics": {"method": "euler", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 5}},
    "axes": {"width": [90_000], "seed": 1},
    "precision": "float64",
}
"""A run of enough particles for two shards."""


def changed(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """``base`` with sections changed key by key."""
    return base | {
        key: base[key] | value if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in changes.items()
    }


def runs_of(content: dict[str, Any]) -> list[ParticleRun]:
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    return list(expand_particles(spec, "0123456789abcdef", canonical_names(spec)))


def computed(content: dict[str, Any], store: Path, **options: Any) -> xr.Dataset:
    sweepengine.run(content, store, executor="inline", **options)
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


NETWORK: dict[str, Any] = {
    "name": "twin",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.3, "sigma_b": 0.7, "sigma_a": 0.8},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [16], "seed": 1},
    "precision": "float64",
    "observables": ["outputs_test", "loss_train", "kernel"],
}


def stopped_and_resumed(
    content: dict[str, Any], store: Path, monkeypatch: pytest.MonkeyPatch, commits: int
) -> xr.Dataset:
    with monkeypatch.context() as patch:
        stop_after_commits(patch, commits)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(content, store, executor="inline", commit_seconds=1e-9)
    midway = sweepengine.open_sweep(store)
    assert "running" in midway.status.values
    done = midway.records_done.max().item()
    assert int(midway.objective.notnull().sum("record").max()) == done
    assert int(midway.particles.notnull().any(("particle", "coord")).sum("snapshot").max()) < 3 or done == 6
    return computed(content, store, commit_seconds=1e-9)


SHELLS: dict[str, Any] = TEACHER | {
    "name": "shells",
    "data": {"name": "shells", "d": 6, "delta": 0.8, "n_train": 100, "n_test": 4000},
    "unit": {"activation": "staircase", "output": "none"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "gaussian", "scale": 0.8 / 6**0.5},
    "dynamics": TEACHER["dynamics"] | {"samples": "fresh", "step_size": 0.02, "time": 0.4},
    "axes": {"width": [400], "seed": 2},
    "observables": ["loss_test"],
}
