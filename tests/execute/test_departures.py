"""Machines that go: workers asked to end, nodes that are lost, a cluster that becomes too small and grows again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import RunError
from sweepengine.execute._events import Event
from sweepengine.execute._executor import LostNodeError
from sweepengine.execute._ray_cluster import at_a_time, divided
from sweepengine.execute._tasks import MOST_ATTEMPTS, MOST_DEPARTURES, Tasks
from sweepengine.options import RunOptions
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.stores import numbers_wherever

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sweepengine.execute._task import PackTask

    Begun = tuple[Tasks, list[PackTask], list[str]]

LONG: dict[str, Any] = {
    "name": "long",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 64, "n_test": 16},
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.1, "time": 600.0, "records": {"spacing": "every", "k": 300}},
    "axes": {"scaling": ["ntk"], "width": [256], "seed": 1},
    "precision": "float64",
}
"""One run of some seconds, whose records come evenly: a commit is worth something everywhere in it."""
PROGRESS = """
import json, os, sys, time
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
import psutil
import sweepengine
from pathlib import Path

def workers():
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            if "_advance_pack" in " ".join(each.cmdline()):
                found.append(each)
        except psutil.Error:
            continue
    return found

class Progress:
    said, records = [], 0
    start = pack_finished = stop = lambda *_: None
    def say(self, message):
        self.said.append(message)
    def update(self, event):
        self.records += event.records
        self.act(event)

spec, store = json.loads(sys.argv[1]), os.path.abspath("long.zarr")
"""
TERMINATED = (
    PROGRESS
    + """
class Terminating(Progress):
    times, at = 0, 0
    def act(self, event):
        if self.times < 3 and self.records >= self.at + 3:
            for worker in workers():
                worker.terminate()
            self.times, self.at = self.times + 1, self.records

progress = Terminating()
# Nothing is committed but by the workers that are asked to end.
print(sweepengine.run(spec, store, workers=1, commit_seconds=1000.0, progress=progress))
print(json.dumps([progress.times, progress.records, progress.said]))
"""
)


def whole(folder: Path) -> xr.Dataset:
    sweepengine.run(LONG, folder / "whole.zarr", executor="inline")
    return numbers_wherever(folder / "whole.zarr")


def run(program: str, folder: Path) -> tuple[str, list[Any]]:
    command = [sys.executable, "-c", program, json.dumps(LONG)]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=550, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    outcome, said = found.stdout.splitlines()[-2:]
    return outcome, json.loads(said)


@pytest.mark.timeout(600)
def test_a_worker_that_is_asked_to_end_commits_and_costs_no_attempt(tmp_path: Path) -> None:
    outcome, (times, records, said) = run(TERMINATED, tmp_path)
    assert "done=1" in outcome
    assert times == 3 == MOST_ATTEMPTS
    assert [line.partition(": ")[2] for line in said] == [
        "its worker was asked to end, and has committed; another worker goes on"
    ] * 3
    assert records == 21  # no record was computed twice
    xr.testing.assert_identical(numbers_wherever(tmp_path / "long.zarr"), whole(tmp_path))


LOST = (
    PROGRESS
    + """
import threading
from ray.cluster_utils import Cluster

small = dict(include_dashboard=False, object_store_memory=80 * 2**20)
cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=0, node_ip_address="127.0.0.1", **small))
node = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2", **small)

class Losing(Progress):
    lost = False
    def act(self, event):
        if not self.lost and list(Path(store).glob("state/*/*/*.npz")):
            self.lost = True
            cluster.remove_node(node, allow_graceful=False)
    def say(self, message):
        super().say(message)
        if message.startswith("waiting"):
            cluster.add_node(num_cpus=2, node_ip_address="127.0.0.3", **small)

progress = Losing()
try:
    print(sweepengine.run(spec, store, address=cluster.address, commit_seconds=0.05, progress=progress))
    print(json.dumps([progress.lost, progress.records, progress.said]))
finally:
    import ray
    ray.shutdown()
    cluster.shutdown()
"""
)


@pytest.mark.timeout(600)
def test_a_lost_node_costs_no_attempt_and_an_empty_cluster_is_said(tmp_path: Path) -> None:
    outcome, (lost, _, said) = run(LOST, tmp_path)
    assert lost
    assert "done=1" in outcome
    assert said[0].endswith(": its node was lost; another worker goes on")
    assert any(
        line.startswith("waiting: the cluster has 0 CPUs and 0 GPUs by now, and a run needs 1 CPUs at") for line in said
    )
    assert not any("attempt" in line for line in said)
    xr.testing.assert_identical(numbers_wherever(tmp_path / "long.zarr"), whole(tmp_path))


EARLY = (
    PROGRESS
    + """
import ray
from ray.cluster_utils import Cluster

small = dict(include_dashboard=False, object_store_memory=80 * 2**20)
cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, node_ip_address="127.0.0.1", **small))
node = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2", **small)
listed, nodes = [], ray.nodes

def nodes_before():
    found = nodes()
    listed.append(sum(each["Alive"] for each in found))
    if len(listed) == 1:
        cluster.remove_node(node, allow_graceful=False)
    return found

ray.nodes = nodes_before
try:
    print(sweepengine.run(spec, store, address=cluster.address))
    print(json.dumps([listed]))
finally:
    ray.shutdown()
    cluster.shutdown()
"""
)


@pytest.mark.timeout(600)
def test_a_node_that_is_lost_before_it_is_asked_for_the_store_does_not_count(tmp_path: Path) -> None:
    outcome, (listed,) = run(EARLY, tmp_path)
    assert "done=1" in outcome
    assert listed[0] == 2
    assert listed[-1] == 1
    assert not list((tmp_path / "long.zarr" / "tokens").glob("*"))


@pytest.fixture
def begun(tmp_path: Path, tiny: Callable[..., Any]) -> Iterator[Begun]:
    """The tasks of a sweep that a driver has begun, and what it has said."""
    store = SweepStore(tmp_path / "tiny.zarr")
    store.claim()
    plan = make_plan(make_spec(tiny()), store)
    store.extend(plan.spec, plan.data, plan.new_blocks, plan.predictions(), plan.code, plan.given, plan.references, "")
    plan = plan.refreshed(store)
    said: list[str] = []
    tasks = Tasks(plan, store, RunOptions(), lambda event: said.append(event.message))
    yield tasks, [tasks.of(pack) for pack in plan.packs(MachineRate.measure("float64"))], said
    store.release()


def test_departures_have_a_budget_of_their_own(begun: Begun) -> None:
    tasks, (task, other, *_), said = begun
    for number in range(MOST_DEPARTURES):
        if number % 2:
            tasks.hear(task, Event(leaving=True))
        [again] = tasks.after(
            task, RuntimeError("the worker died") if number % 2 else LostNodeError("its node was lost")
        )
        assert again.attempts != task.attempts
        assert not again.careful
        task = again
    assert len(said) == MOST_DEPARTURES
    # Its budget for faults is whole, and so are the budgets of others.
    [task] = tasks.after(task, RuntimeError("the worker died"))
    assert said[-1].endswith(f"attempt 2 of {MOST_ATTEMPTS}")
    assert len(tasks.after(other, LostNodeError("its node was lost"))) == 1
    with pytest.raises(RunError, match=r"its node was lost, for the 101th time; what was committed is kept"):
        tasks.after(task, LostNodeError("its node was lost"))


@pytest.mark.parametrize("of_the_store", [True, False])
def test_a_store_that_fails_is_no_fault_of_the_run_that_is_advanced(begun: Begun, of_the_store: bool) -> None:
    tasks, (task, *_), said = begun
    error = OSError("no space left") if of_the_store else RuntimeError("the worker died")
    for _ in range(MOST_ATTEMPTS - 1):
        [task] = tasks.after(task, error)
    assert task.careful
    suspect = min(task.runs)
    tasks.hear(task, Event(advancing=(suspect,)))
    if of_the_store:
        with pytest.raises(OSError, match="no space left"):
            tasks.after(task, error)
        assert not [text for text in said if "failed" in text]
    else:  # the same of a worker that died is the run's
        assert all(suspect not in again.runs for again in tasks.after(task, error))


@pytest.mark.parametrize(
    ("cpus", "gpus", "shards", "of_a_worker", "expected"),
    [
        (16, 0.0, 1, 0.0, 16), (16, 0.0, 3, 0.0, 5), (0, 0.0, 1, 0.0, 0), (2, 0.0, 3, 0.0, 0),
        (16, 4.0, 1, 0.25, 16), (32, 4.0, 1, 0.25, 16), (16, 0.0, 1, 0.25, 0), (8, 4.0, 2, 1.0, 2), (8, 1.0, 2, 1.0, 0),
    ],
)  # fmt: skip
def test_the_room_of_a_cluster(cpus: int, gpus: float, shards: int, of_a_worker: float, expected: int) -> None:
    assert at_a_time(cpus, gpus, shards, of_a_worker) == expected


def test_a_cluster_has_room_for_what_it_was_divided_into() -> None:
    for cpus in range(1, 65):
        for gpus in (0.0, 1.0, 3.0, 8.0):
            for shards in range(1, cpus + 1):
                workers, of_a_worker = divided(cpus, gpus, shards)
                if workers:
                    assert at_a_time(cpus, gpus, shards, of_a_worker) >= workers, (cpus, gpus, shards)
