"""The sweeps that are hurt: about a second of work in each, so that a fault meets them in the middle."""

from __future__ import annotations

from typing import Any

NETWORKS: dict[str, Any] = {
    "name": "networks",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 16, "n_test": 8},
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.1, "time": 40.0, "records": {"spacing": "log", "count": 10}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [96, 128], "seed": 3},
    "precision": "float32",
}
PARTICLES: dict[str, Any] = {
    "kind": "particles",
    "name": "particles",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 12, "n_test": 4},
    "unit": {"activation": "tanh"},
    "functional": {
        "terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.01}],
        "temperature": 0.01,
    },
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "euler_maruyama",
        "step_size": 0.1,
        "time": 10.0,
        "records": {"spacing": "log", "count": 8},
        "snapshots": 2,
    },
    "observables": ["loss_train", "outputs_test", "objective", "dissipation", "mean", "particles", "first_variation"],
    "axes": {"width": [500, 1000], "seed": 6},
    "precision": "float64",
}
SHARDED: dict[str, Any] = PARTICLES | {
    "name": "sharded",
    "data": PARTICLES["data"] | {"n_train": 6},
    "dynamics": PARTICLES["dynamics"] | {"time": 1.5},
    "axes": {"width": [66_000], "seed": 2},  # three chunks of particles
    "shards": 2,
}
SWEEPS = {"networks": NETWORKS, "particles": PARTICLES, "sharded": SHARDED}
INLINE, RAY = "inline", "ray"


def same_bits(sweep: str, executor: str) -> str:
    """The executor whose numbers are the reference: shards add up their sums in another order than one worker does."""
    return RAY if sweep == "sharded" and executor == RAY else INLINE
