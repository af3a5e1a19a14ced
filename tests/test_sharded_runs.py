"""Runs that several workers share: the same numbers to rounding, in pieces that do not know of shards, stopped and resumed.

Most tests let threads be the workers, since a shard's group belongs to its object; one has real ones on Ray.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import xarray as xr
import yaml
from torch.distributed import TCPStore  # type: ignore[attr-defined]

import sweepengine
from sweepengine import particles as pt
from sweepengine.errors import RunError, SpecError
from sweepengine.execute import _pack, _particle_turn
from sweepengine.execute._shards import Shards
from sweepengine.store import ChunkWriter, SweepStore, _layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sweepengine.execute._events import Event
    from sweepengine.execute._pack import PackTask

LANGEVIN: dict[str, Any] = {
    "kind": "particles",
    "name": "shared",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 12, "n_test": 8},
    "unit": {"activation": "tanh"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "attraction"}], "temperature": 0.05},
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "leimkuhler_matthews", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 2},
        "snapshots": 3,
    },
    "axes": {"width": [5000], "seed": 2},
    "precision": "float64",
}  # fmt: skip
ADAPTIVE = LANGEVIN | {
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "network"},
    "dynamics": LANGEVIN["dynamics"] | {"method": "adaptive", "step_size": 0.25},
    "observables": ["particles", "stationarity_gap", "kernel_drift", "sliced_w2_start"],
}
HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces, and the in-process executor with a thread for each shard."""
    monkeypatch.setattr(_layout, "CHUNK_TARGET", 1)
    alone = _pack.advance

    def advance(task: PackTask) -> Iterator[Event]:
        if task.shards == 1:
            yield from alone(task)
            return
        meeting = TCPStore(HOST, 0, task.shards, is_master=True, wait_for_workers=False)

        def follow(rank: int) -> None:
            # A client of its own: one that waits keeps the others from using it.
            client = TCPStore(HOST, meeting.port, task.shards, is_master=False, wait_for_workers=False)
            with pt.ShardGroup(rank, task.shards, client, timeout=60.0) as group:
                _pack.follow(task, Shards(group))

        with ThreadPoolExecutor(task.shards) as pool:
            others = [pool.submit(follow, rank) for rank in range(1, task.shards)]
            with pt.ShardGroup(0, task.shards, meeting, timeout=60.0) as group:
                yield from alone(task, Shards(group))
            for each in others:
                each.result()

    monkeypatch.setattr(_pack, "advance", advance)


def computed(content: dict[str, Any], store: Path, shards: int, **options: Any) -> xr.Dataset:
    sweepengine.run(content | {"shards": shards}, store, executor="inline", **options)
    found = sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")
    assert set(found.status.values) == {"done"}
    return found


def distance(found: xr.Dataset, expected: xr.Dataset) -> float:
    """Largest difference of any variable, in units of its largest value."""
    assert set(found.data_vars) == set(expected.data_vars)
    return max(
        float(abs(found[name] - values).max() / abs(values).max()) for name, values in expected.data_vars.items()
    )


def marks(store: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(store.glob("marks/*/*.json"))]


def stop(monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], store: Path, shards: int, commits: int) -> None:
    """End the lead after some commits; the others see it and end too."""
    done, commit = 0, ChunkWriter.commit

    def counted(self: ChunkWriter, *args: Any) -> None:
        nonlocal done
        commit(self, *args)
        done += 1
        if done == commits:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ChunkWriter, "commit", counted)
        # The lead's threads end with an error of their own once it has gone.
        with pytest.raises(KeyboardInterrupt):
            computed(content, store, shards, commit_seconds=1e-9)


def restarts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of the runs that begin at t = 0 from now on."""
    begun: list[int] = []
    restart = ChunkWriter.restart

    def noted(self: ChunkWriter, position: int) -> None:
        begun.append(position)
        restart(self, position)

    monkeypatch.setattr(ChunkWriter, "restart", noted)
    return begun


@pytest.mark.parametrize("content", [LANGEVIN, ADAPTIVE], ids=["langevin", "adaptive"])
def test_shards_compute_what_one_worker_computes(content: dict[str, Any], tmp_path: Path) -> None:
    expected = computed(content, tmp_path / "1.zarr", 1)
    for shards in (2, 3):
        found = computed(content, tmp_path / f"{shards}.zarr", shards)
        assert distance(found, expected) < 1e-8
        pieces = [path.name for path in (tmp_path / f"{shards}.zarr").glob("blocks/*/particles/c/0/0/*")]
        assert sorted(pieces) == ["0", "1", "2"]
    assert float(expected.particles.std()) > 0.1


def test_noise_by_a_shards_own_numbers_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = computed(LANGEVIN, tmp_path / "1.zarr", 1)
    monkeypatch.setattr(_particle_turn, "Noise", lambda seed, _: pt.Noise(seed))
    assert distance(computed(LANGEVIN, tmp_path / "2.zarr", 2), expected) > 1e-3


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 3), (3, 1), (1, 2)])
def test_a_stopped_run_resumes_on_any_number_of_shards(
    before: int, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, store = LANGEVIN | {"observables": ["objective", "particles"]}, tmp_path / "stopped.zarr"
    expected = computed(content, tmp_path / "whole.zarr", after)
    stop(monkeypatch, content, store, before, 7)
    [mark] = [mark for mark in marks(store) if mark["states"]]
    edges = {1: [None], 2: [[0, 2048], [2048, 5000]], 3: [[0, 2048], [2048, 4096], [4096, 5000]]}
    assert [each["rows"] for each in mark["states"]] == edges[before]
    begun = restarts(monkeypatch)
    found = computed(content, store, after)
    assert begun == [1]  # the first run went on from its state
    assert not list(store.glob("state/*/*/*.npz"))
    if before == after:
        xr.testing.assert_identical(found, expected)
    assert distance(found, expected) < 1e-12


@pytest.mark.parametrize("what", ["state/*/*/*-1.npz", "blocks/*/particles/c/0/0/2/0"])
def test_damage_in_another_shards_part_is_seen(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, store = LANGEVIN | {"observables": ["objective", "particles"]}, tmp_path / "stopped.zarr"
    expected = computed(content, tmp_path / "whole.zarr", 2)
    stop(monkeypatch, content, store, 2, 7)
    damaged = list(store.glob(what))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    begun = restarts(monkeypatch)
    xr.testing.assert_identical(computed(content, store, 2), expected)
    assert begun == [0, 1]


def test_a_cloud_on_shards_that_blows_up_has_diverged(tmp_path: Path) -> None:
    content = LANGEVIN | {"functional": {"terms": [{"term": "risk", "cost": "mse", "strength": -1e9}]}}
    steps = []
    for shards in (1, 2):
        outcome = sweepengine.run(content | {"shards": shards}, tmp_path / f"{shards}.zarr", executor="inline")
        assert (outcome.diverged, outcome.done) == (2, 0)
        steps.append(sweepengine.open_sweep(tmp_path / f"{shards}.zarr").diverged_step.values.tolist())
    assert steps[0] == steps[1]


def test_too_many_shards_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"shards: found 4 for width 5000, which is 3 chunks .* use at most 3"):
        sweepengine.run(LANGEVIN | {"shards": 4}, tmp_path / "x.zarr")
    with pytest.raises(RunError, match=r"shards: found 2, and the cluster has 1 CPUs"):
        sweepengine.run(LANGEVIN | {"shards": 2}, tmp_path / "x.zarr", workers=1)
    assert not (tmp_path / "x.zarr").exists()


def test_pieces_are_whole_chunks_of_a_sensible_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layout, "CHUNK_TARGET", 1_000_000)
    for particles in (1, 10**5, 10**7, 10**9):
        length = _layout.piece_length(particles, 33, "float32")
        assert 132 * length <= _layout.CHUNK_LIMIT
        assert length % _layout.PIECE_ROWS == 0 or 132 * (length + 1) > _layout.CHUNK_LIMIT
        assert particles / length <= _layout.MOST_PIECES or 132 * (length + 1) > _layout.CHUNK_LIMIT
    assert _layout.piece_length(10**5, 33, "float32") == 8192


SLOW = LANGEVIN | {
    "dynamics": LANGEVIN["dynamics"] | {"time": 20.0, "records": {"spacing": "every", "k": 100}, "snapshots": 2},
    "axes": {"width": [90_000], "seed": 1},  # three pieces of 1 MB
    "observables": ["objective", "particles"],
}
DRIVER = """
import sys, yaml, sweepengine
spec = yaml.safe_load(open(sys.argv[1]))
print(sweepengine.run(spec, sys.argv[2], workers=2, commit_seconds=0.2))
"""


def test_a_killed_worker_of_a_run_on_ray_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layout, "CHUNK_TARGET", 1_000_000)
    store = tmp_path / "ray.zarr"
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(SLOW | {"shards": 2}))
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "slow.yaml", "ray.zarr"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    family: list[psutil.Process] = []
    try:
        expected = computed(SLOW, tmp_path / "whole.zarr", 1)
        deadline = time.monotonic() + 120
        while not list(store.glob("state/*/*/*-1.npz")) and time.monotonic() < deadline:
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.02)
        family = psutil.Process(driver.pid).children(recursive=True)
        [other] = [each for each in family if "_Shard" in " ".join(each.cmdline())]
        assert SweepStore(store).block_shapes()
        other.kill()
        out, err = driver.communicate(timeout=120)
        assert "done=1" in out, err
        [mark] = marks(store)
        assert mark["attempt"] % 1000 == 2  # one attempt was lost
        assert distance(sweepengine.open_sweep(store).load().drop_vars("peak_memory"), expected) < 1e-8
        assert not psutil.wait_procs(family, timeout=20)[1]
    finally:
        for each in [*family, driver]:
            if each.is_running() if isinstance(each, psutil.Process) else each.poll() is None:
                each.kill()
        driver.communicate()
