"""Specs of every form, and what a plan said of each before observables, terms and kinds were entries of tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweepengine.observe import declared
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sweepengine.plan import Plan

KEPT = Path(__file__).parents[1] / "kept" / "pinned.json"
SOURCES: dict[str, dict[str, str]] = json.loads((KEPT.parent / "pinned_sources.json").read_text())
"""Kind → observable → what its array cited when layouts were pinned, whose hash has these texts; they may change."""
DATA = {"name": "gaussian", "teacher": "neuron", "d": 3, "n_train": 6, "n_test": 3}
DIGITS = {"name": "digits", "classes": [3, 8], "n_train": 8, "n_test": 4}
SHELLS = {"name": "shells", "d": 4, "delta": 0.3, "n_train": 8, "n_test": 4}
NETWORKS: dict[str, Any] = {
    "name": "pinned",
    "data": DATA,
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.0, "sigma_b": 0.5},
    "training": {"loss": "mse", "step_size": 0.05, "time": 2.0, "records": {"spacing": "log", "count": 5}},
    "axes": {"scaling": ["ntk", 0.75], "width": [8, 16], "seed": 2},
    "precision": "float64",
}
PARTICLES: dict[str, Any] = {
    "kind": "particles",
    "name": "pinned_particles",
    "data": DATA,
    "unit": {"activation": "tanh"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.01}]},
    "initial": {"law": "gaussian"},
    "dynamics": {"method": "euler", "step_size": 0.05, "time": 2.0, "records": {"spacing": "log", "count": 5}},
    "axes": {"width": [16, 32], "seed": 2},
    "precision": "float64",
}
ACTIVATIONS = (
    "relu", "leaky_relu", "abs", "tanh", "erf", "gelu", "sin", "cos", "softplus", "quadratic", "identity"
)  # fmt: skip
METHODS: tuple[Any, ...] = (
    "gd", "heun", "rk4", "rk45", {"name": "sgd", "batch_size": 2}, {"name": "momentum", "beta": 0.7},
    {"name": "momentum", "beta": 0.7, "batch_size": 2},
)  # fmt: skip
FLOWS = ("euler", "heun", "rk4", "dormand_prince", "adaptive")
LANGEVIN = ("euler_maruyama", "leimkuhler_matthews", "stochastic_heun")
TERMS: tuple[dict[str, Any], ...] = (
    {"term": "quadratic", "centre": 0.5},
    {"term": "double_well", "distance": 1.5},
    {"term": "attraction"},
    {"term": "gaussian", "length": 0.7, "strength": 0.3},
    {"term": "riesz", "power": 0.5},
    {"term": "mmd", "kernel": "riesz", "power": 0.7, "count": 16},
    {"term": "mmd", "kernel": "gaussian", "length": 0.7, "count": 16},
)


LATER = {"taylor_tensor"}
"""Observables that were added after the others had been pinned."""


def _with(base: dict[str, Any], section: str, **change: Any) -> dict[str, Any]:
    return base | {section: base[section] | change}


def specs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name → content of every spec that is pinned."""
    yield from _specs_of_networks()
    yield from _specs_of_particles()


def _specs_of_networks() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "networks", NETWORKS
    for activation in ACTIVATIONS:
        yield f"activation {activation}", _with(NETWORKS, "network", activation=activation)
    for method in METHODS:
        yield f"method {json.dumps(method)}", _with(NETWORKS, "training", method=method)
    for loss in ("mse", "logistic", "huber"):
        yield f"loss {loss}", _with(NETWORKS | {"data": DIGITS}, "training", loss=loss)
    swept = {key: value for key, value in NETWORKS["network"].items() if key not in ("depth", "activation")}
    axes = {"depth": [1, 3], "alpha": [1.0, 2.5], "activation": ["erf", "relu"]}
    yield "axes", _with(NETWORKS | {"network": swept}, "axes", **axes)
    yield "network", _with(
        NETWORKS, "network", readout="signs", trained="hidden_weights", centred=True, output_bias=True,
        first_layer="sphere", width_ratios=[2.0, 1.0],
    )  # fmt: skip
    yield "bf16", NETWORKS | {"precision": "float32", "matmul": "bf16"}
    known = [name for name in declared("networks") if name not in LATER]
    for name in known:
        method = "rk45" if name.startswith("solver_") else "gd"
        base = _with(NETWORKS, "training", method=method)
        yield f"observable {name}", base | {"observables": [name]}
    yield (
        "all observables",
        NETWORKS | {"observables": [name for name in reversed(known) if not name.startswith("solver_")]},
    )


def _specs_of_particles() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "particles", PARTICLES
    yield "shells", PARTICLES | {"data": SHELLS}
    for method in FLOWS:
        yield f"flow {method}", _with(PARTICLES, "dynamics", method=method)
    noisy = _with(PARTICLES, "functional", temperature=0.01)
    for method in LANGEVIN:
        yield f"flow {method}", _with(noisy, "dynamics", method=method)
    for number, term in enumerate(TERMS):
        for terms in ([term], [{"term": "risk", "cost": "huber"}, term]):
            alone = len(terms) == 1
            base = _with(PARTICLES, "functional", terms=terms)
            if alone:
                base = {key: value for key, value in base.items() if key not in ("data", "unit")}
                base = _with(base, "initial", coordinates=2)
            yield f"term {number} {'alone' if alone else 'with a risk'}", base
    for activation in (*ACTIVATIONS, "staircase"):
        yield f"unit {activation}", _with(PARTICLES, "unit", activation=activation, bias=True)
    yield "unit", _with(PARTICLES, "unit", output="tanh", scale=2.0, input_scale=0.5, frozen="input")
    yield "signs and snapshots", _with(_with(PARTICLES, "initial", output="signs"), "dynamics", snapshots=3)
    for name in declared("particles"):
        spec = noisy if name == "weak_form_defect" else PARTICLES
        spec = _with(spec, "dynamics", method="euler_maruyama" if spec is noisy else "euler", snapshots=2)
        if "reference" in name:
            continue
        yield f"particle observable {name}", spec | {"observables": [name]}
    yield "shards", _with(PARTICLES, "axes", width=[130_000, 10**6]) | {"shards": 3, "precision": "float32"}


def planned(content: dict[str, Any], folder: Path) -> Plan:
    """The plan of a spec whose store does not exist."""
    return make_plan(make_spec(content), SweepStore(folder / "pinned.zarr"))


def described(plan: Plan) -> dict[str, Any]:
    """What must not change: ids, layouts, and what the plan says of costs."""
    rate = MachineRate(1e10)
    seconds = sum(plan._work.seconds(run, plan.shape(run), rate) for run in plan.runs)
    shapes = {block.id: block.shape.to_json() for block in plan.new_blocks}
    chunks = [shape.pop("chunk_runs") for shape in shapes.values()]
    cited = SOURCES.get(plan.spec.kind, {})
    for variable in (each for shape in shapes.values() for each in shape["variables"]):
        variable["source"] = cited.get(variable["name"], variable["source"])
    ids = [[run.id, run.limit_id] for run in plan.runs]
    return {
        "first": ids[0],
        "ids": hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16],
        "blocks": hashlib.sha256(json.dumps(shapes, sort_keys=True).encode()).hexdigest()[:16],
        "chunks": chunks,
        "variables": [variable.name for variable in plan.new_blocks[0].shape.variables],
        "memory": plan.memory_bytes(),
        "disk": plan.disk_bytes(),
        "seconds": float(f"{seconds:.9g}"),
    }
