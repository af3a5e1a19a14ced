"""Users' observables of particles: declared by the same record, travelling, bound and stored as those of networks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.errors import SpecError, StoreError
from sweepengine.observe import Ingredient, declared
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.plugins import fresh_registry, own_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sweepengine.observe.measure import CloudMoment

CLOUD: dict[str, Any] = {
    "kind": "particles",
    "name": "own",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 8, "n_test": 4},
    "unit": {"activation": "tanh"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "gaussian"},
    "dynamics": {
        "method": "euler", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 5}, "snapshots": 3
    },
    "axes": {"width": [8, 96], "seed": 1},
    "precision": "float64",
    "observables": ["mean", "particles", "spread", "moved"],
}  # fmt: skip
PLUGIN = """
import torch
import sweepengine


@sweepengine.register_observable(
    name="spread", kind="particles", dims=("end", "coord"), sizes={"end": 2}, long_name="extremes"
)
def spread(now, start):
    return torch.stack([now.cloud.amin(0), FACTOR * now.cloud.amax(0)])


@sweepengine.register_observable(
    name="moved", kind="particles", dims=("particle",), long_name="distance of each", version="7"
)
def moved(now, start):
    return (now.whole - start.whole).square().sum(1).sqrt()
"""


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    with own_registry():
        yield


def plugin(folder: Path, factor: str = "1") -> list[str]:
    path = folder / "plugin.py"
    path.write_text(PLUGIN.replace("FACTOR", factor))
    return [str(path)]


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_they_are_recorded_from_end_to_end(tmp_path: Path, executor: Any) -> None:
    store = tmp_path / "o.zarr"
    outcome = sweepengine.run(CLOUD, store, executor=executor, plugins=plugin(tmp_path))
    assert (outcome.done, outcome.failed) == (2, 0)
    fresh_registry()  # opening a store needs no plugin
    sweep = sweepengine.open_sweep(store).load()
    assert sweep.spread.dims == ("run", "record", "end", "coord")
    wide = sweep.isel(run=1)
    cloud = wide.particles.values  # snapshots at every record
    assert wide.sizes["record"] == len(cloud) == 3
    np.testing.assert_array_equal(wide.spread[:, 0], cloud.min(1))
    np.testing.assert_array_equal(wide.spread[:, 1], cloud.max(1))
    np.testing.assert_allclose(wide.moved, np.linalg.norm(cloud - cloud[0], axis=-1), atol=1e-14)
    used = json.loads(sweep.attrs["provenance"])["user_code"]
    assert {(each["kind"], each["name"], each["version"]) for each in used} == {
        ("observable", "spread", "1"), ("observable", "moved", "7")
    }  # fmt: skip
    with pytest.raises(StoreError, match="other code of observable spread under version '1'"):
        sweepengine.run(CLOUD, store, executor="inline", plugins=plugin(tmp_path, "2"))


def test_the_example_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    example = next(block for block in blocks if 'kind="particles"' in block)
    path = tmp_path / "example.py"
    path.write_text("import sweepengine, torch\n" + example)
    content = CLOUD | {"observables": ["extremes", "particles"]}
    sweepengine.run(content, tmp_path / "e.zarr", executor="inline", plugins=[str(path)])
    sweep = sweepengine.open_sweep(tmp_path / "e.zarr").load().isel(run=1)
    np.testing.assert_array_equal(sweep.extremes[:, 1], sweep.particles.max("particle"))


def test_their_versions_are_in_the_ids(tmp_path: Path) -> None:
    def planned(version: str) -> Any:
        register = sweepengine.register_observable(name="own", kind="particles", long_name="own", version=version)
        register(lambda now, _: now.cloud.sum())
        return make_plan(make_spec(CLOUD | {"observables": ["own", "mean"]}), SweepStore(tmp_path / "none.zarr"))

    first, second = planned("1"), planned("2")
    assert [run.observables for run in first.runs] == [("mean", "own@1")] * 2
    assert {run.id for run in first.runs}.isdisjoint(run.id for run in second.runs)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda now, _: now.cloud, r"observable own: found shape \(8, 3\); expected \(\)"),
        (lambda now, _: now.objective, "observable own: found float; return a floating-point torch.Tensor"),
        (lambda now, _: now.network, "observable own: it raised AttributeError: 'CloudMoment' object has no"),
    ],
)
def test_what_is_wrong_with_one_is_said_beforehand(tmp_path: Path, value: Any, message: str) -> None:
    sweepengine.register_observable(name="own", kind="particles", long_name="own")(value)
    with pytest.raises(SpecError, match=message):
        sweepengine.run(CLOUD | {"observables": ["own"]}, tmp_path / "b.zarr", executor="inline")
    assert not (tmp_path / "b.zarr").exists()


def test_an_observable_belongs_to_its_kind(tmp_path: Path) -> None:
    sweepengine.register_observable(name="own", long_name="own")(lambda now, _: now.kernel)
    with pytest.raises(SpecError, match=r"found 'own', .*\. It is an observable of networks\."):
        make_plan(make_spec(CLOUD | {"observables": ["own"]}), SweepStore(tmp_path / "k.zarr"))
    with pytest.raises(SpecError, match=r"found 'accuracy_test', .*\. It is an observable of networks"):
        make_plan(make_spec(CLOUD | {"observables": ["accuracy_test"]}), SweepStore(tmp_path / "k.zarr"))
    with pytest.raises(SpecError, match="found the kind 'clouds'; expected one of computation, networks, particles"):
        sweepengine.register_observable(name="own", kind="clouds", long_name="own")
    with pytest.raises(SpecError, match="the name 'objective' is one of sweepengine's own"):
        sweepengine.register_observable(name="objective", kind="particles", long_name="own")
    sweepengine.register_observable(name="objective", dims=["grid"], sizes={"grid": 3}, long_name="of networks")


def test_no_observable_can_take_a_name_that_a_dataset_of_particles_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", points=np.zeros((5, 3)))
    names = [name for name in declared("particles") if name != "w2_reference"]
    content = CLOUD | {"observables": names, "reference": str(tmp_path / "r.npz"), "axes": {"width": [8], "seed": 1}}
    sweepengine.run(content, tmp_path / "t.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "t.zarr")
    for name in {*sweep.variables, *sweep.dims}:
        with pytest.raises(SpecError, match=f"the name {name!r} is one of sweepengine's own"):
            sweepengine.register_observable(name=str(name), kind="particles", long_name="own")


def test_the_plan_counts_the_cost_that_is_said(tmp_path: Path) -> None:
    seen = []

    def sizes(s: Any) -> float:
        seen.append(s)
        return 3.0

    costs = {"unknown": (), "slow": (Ingredient(seconds=sizes),), "large": (Ingredient(working=lambda _: 10**9),)}
    seconds, memory = {}, {}
    for name, cost in costs.items():
        register = sweepengine.register_observable(name=name, kind="particles", long_name=name, cost=cost)

        @register
        def own(now: CloudMoment, _: CloudMoment) -> Tensor:
            return torch.zeros(())

        plan = make_plan(make_spec(CLOUD | {"observables": [name]}), SweepStore(tmp_path / "none.zarr"))
        run = plan.runs[-1]
        seconds[name] = plan._work.seconds(run, plan.shape(run), MachineRate(1e10))
        memory[name] = plan.memory_bytes()
    assert seconds["slow"] - seconds["unknown"] == pytest.approx(3 * 3.0)  # three records
    assert 0.9e9 < memory["large"] - memory["unknown"] < 1.1e9
    assert (seen[-1].width, seen[-1].coordinates, seen[-1].n) == (96, 3, 8)
