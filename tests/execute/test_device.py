"""Where tasks compute. No GPU is needed: every tensor must name its device, and a missing GPU must be said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.execute import _ray_cluster
from sweepengine.execute._device import particles_at_a_time
from sweepengine.observe import canonical_names
from sweepengine.particles import Neuron, Partition, _fused, on_device
from sweepengine.spec import ParticleRun, ParticleSpec, expand_particles, make_spec
from tests.support.observables import defined_for
from tests.support.plugins import own_registry
from tests.support.turns import planned, turn_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sweepengine.execute import Data

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")


@NO_GPU
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_gpu_that_is_not_there_is_said_before_anything_is_written(
    executor: str, tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(json.dumps(tiny()))
    command = [sys.executable, "-m", "sweepengine", "run", "tiny.yaml", "--executor", executor, "--device", "cuda"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert found.returncode == 1, found.stderr
    assert re.fullmatch(r"error: device: found cuda, but .*; use cpu or auto\n", found.stderr)
    assert not (tmp_path / "results").exists()


def test_devices_have_names(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="device: found 'tpu'; allowed: 'auto', 'cpu', 'cuda'"):
        sweepengine.run(tiny(), tmp_path / "x.zarr", executor="inline", device="tpu")


def records_among_strangers(runs: list[Any], data: Data) -> list[Any]:
    """The records of a turn while a tensor that names no device lands on one that holds no numbers."""
    with torch.device("meta"):
        turn = turn_of(runs, data)
        found = [record for record in turn.advance() if record is not None]
        turn.state()
    return found


@pytest.mark.parametrize(
    ("method", "turn"),
    [("gd", 1), ("gd", 4), ({"name": "momentum", "beta": 0.5, "batch_size": 5}, 1), ("heun", 2), ("rk45", 1)],
)
def test_every_tensor_of_a_network_names_its_device(
    method: Any, turn: int, tiny: Callable[..., dict[str, Any]]
) -> None:
    content = tiny(
        network={"depth": 2, "sigma_b": 0.3, "output_bias": True, "centred": True},
        training={"method": method},
        axes={"width": [8], "seed": 2},
    )
    names = defined_for(content)
    assert ("linear_distance_train" in names) == (not isinstance(method, dict))
    runs, data = planned(content | {"observables": names})
    for start in range(0, len(runs), turn):
        records = records_among_strangers(runs[start : start + turn], data)
        assert [record.index for record in records] == list(range(6))
        assert all(np.isfinite(values["kernel"]).all() for record in records for values in record.values)


def test_the_test_of_devices_can_fail(tiny: Callable[..., dict[str, Any]]) -> None:
    with own_registry():
        sweepengine.register_observable(name="stranger", long_name="none")(lambda _now, _start: torch.zeros(()))
        [run, *_], data = planned(tiny(axes={"width": [8], "seed": 1}, observables=["stranger"]))
        assert len([record for record in turn_of([run], data).advance() if record is not None]) == 6
        with pytest.raises(NotImplementedError, match="meta tensor"):
            records_among_strangers([run], data)


@pytest.mark.parametrize(
    ("changes", "dtype", "device", "expected"),
    [
        ({}, torch.float32, "cuda", True),
        ({}, torch.float32, "cpu", False),
        ({}, torch.float64, "cuda", False),
        ({"d": 300}, torch.float32, "cuda", False),
        ({"activation": lambda h: (h, h)}, torch.float32, "cuda", False),
    ],
)
def test_particles_of_neurons_are_fused_on_a_gpu_where_they_can_be(
    changes: dict[str, Any], dtype: torch.dtype, device: str, expected: bool
) -> None:
    settings: dict[str, Any] = {"d": 4, "activation": "relu"} | changes
    neuron = Neuron(**settings)
    assert _fused.fits(neuron, torch.device(device), dtype) == expected
    if not expected:
        assert on_device(neuron, torch.device(device), dtype) is neuron


def test_chunks_of_particles_are_large_on_a_gpu() -> None:
    terms: dict[str, Any] = {
        "kind": "particles",
        "name": "wells",
        "functional": {"terms": [{"term": "double_well"}]},
        "initial": {"law": "gaussian", "coordinates": 2},
        "dynamics": {"method": "euler", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 2}},
        "axes": {"width": [64], "seed": 1},
        "precision": "float32",
    }

    def run_of(spec: dict[str, Any]) -> ParticleRun:
        made = make_spec(spec)
        assert isinstance(made, ParticleSpec)
        return next(expand_particles(made, "", canonical_names(made)))

    alone, pairs = run_of(terms), run_of(terms | {"functional": {"terms": [{"term": "gaussian"}]}})
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert [particles_at_a_time(run, 1024, cpu) for run in (alone, pairs)] == [Partition.chunk] * 2
    assert particles_at_a_time(alone, 1024, cuda) == 2**16
    assert particles_at_a_time(alone, 0, cuda) == 2**20
    assert particles_at_a_time(alone, 10**6, cuda) == Partition.chunk
    assert particles_at_a_time(pairs, 0, cuda) ** 2 <= 2**26


def test_gpus_are_divided_among_workers_and_shards_have_one_each() -> None:
    assert _ray_cluster.divided(8, 2.0, 1) == (8, 0.25)
    assert _ray_cluster.divided(3, 1.0, 1) == (3, 0.3333)
    assert _ray_cluster.divided(2, 4.0, 1) == (2, 1.0)
    assert _ray_cluster.divided(8, 0.0, 2) == (4, 0.0)
    assert _ray_cluster.divided(8, 1.0, 2) == (4, 0.0)  # too few: on CPUs
    assert _ray_cluster.divided(16, 5.0, 2) == (2, 1.0)
    _ray_cluster.check_device("auto", 0.0, 4)
    _ray_cluster.check_device("cuda", 4.0, 4)
    with pytest.raises(
        _ray_cluster.ClusterError, match=r"found cuda with 4 shards, one GPU for each, but the cluster has 3\b"
    ):
        _ray_cluster.check_device("cuda", 3.0, 4)
