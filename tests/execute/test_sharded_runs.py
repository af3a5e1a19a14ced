"""Runs that several workers share: what is refused, and the pieces of which each worker holds some."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

import sweepengine
from sweepengine.errors import RunError, SpecError
from sweepengine.store import piece_length
from tests.support.particle_sweeps import SHARED
from tests.support.texts import says

if TYPE_CHECKING:
    from pathlib import Path


def test_too_many_shards_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"shards: found 4 for width 90000, which is 3 chunks .* use at most 3"):
        sweepengine.run(SHARED | {"shards": 4}, tmp_path / "x.zarr")
    with pytest.raises(RunError, match=r"shards: found 2, and the cluster has 1 CPUs"):
        sweepengine.run(SHARED | {"shards": 2}, tmp_path / "x.zarr", workers=1)
    assert not (tmp_path / "x.zarr").exists()


def test_pieces_are_whole_chunks_of_a_sensible_size() -> None:
    for particles in (1, 10**5, 10**7, 10**9):
        length = piece_length(particles, 33, "float32")
        full = 132 * (length + 1) > 32_000_000
        assert 132 * length <= 32_000_000
        assert length % 2048 == 0 or full
        assert particles / length <= 1024 or full
    assert piece_length(10**5, 33, "float32") == 8192


LEARNING: dict[str, Any] = SHARED | {
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 20, "n_test": 8},
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
        "records": {"spacing": "log", "count": 6},
        "snapshots": 3,
    },
    "observables": [
        "loss_train",
        "outputs_test",
        "objective",
        "dissipation",
        "mean",
        "participation",
        "particles",
        "weak_form_defect",
        "first_variation",
    ],
    "axes": {"width": [130_000], "seed": 1},  # four pieces, the last short
}
PROGRAM = """
import json, sys, sweepengine
print(sweepengine.run(json.loads(sys.argv[1]), "shared.zarr", commit_seconds=0.2, workers=3))
"""


def test_a_shared_run_outlives_a_killed_shard_and_equals_one_worker_s(tmp_path: Path) -> None:
    """Three workers of one and two pieces, one killed once a state is there: to rounding the numbers of one worker."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(LEARNING | {"shards": 3})]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    store = tmp_path / "shared.zarr"
    try:
        deadline = time.monotonic() + 120
        while not list(store.glob("state/*/*/*.npz")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        shards = [each for each in family if "_Shard" in " ".join(each.cmdline())]
        assert len(shards) == 2
        shards[1].kill()
        said, errors = process.communicate(timeout=150)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert says(said, "done=1")
    assert not psutil.wait_procs(family, timeout=60)[1]
    (block,) = sweepengine.open_sweep(
        store
    ).block.values  # where the run ended, if a worker that was killed late held it up
    assert not list(store.glob(f"state/{block}/**/*.npz"))
    assert "Unhandled error" not in errors  # the task that lost its shard ends by itself
    marks = [json.loads(path.read_text()) for path in store.glob("marks/*/*/*.json")]
    assert max(mark["attempt"] for mark in marks) % 1000 > 1  # the kill was seen
    assert_whole(LEARNING, store)


def assert_whole(spec: dict[str, Any], store: Path) -> None:
    """The numbers are those of one worker, to rounding."""
    whole = store.with_name("whole.zarr")
    sweepengine.run(spec, whole, executor="inline")
    found, expected = (sweepengine.open_sweep(each).load() for each in (store, whole))
    for name in spec["observables"]:
        scale = np.abs(expected[name].values).max()
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12 * scale, err_msg=name)


ON_TWO_NODES = """
import json, os, sys, threading
from pathlib import Path
# Before ray is imported: it would take another address than those of loopback.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
import psutil
from ray.cluster_utils import Cluster
import sweepengine

class Stop:
    start = say = pack_finished = stop = lambda *_: None
    def update(self, event):
        if list(Path("shared.zarr").glob("state/*/*/*.npz")):
            raise KeyboardInterrupt

def addresses(found):
    while not stopped.wait(0.05):
        for each in psutil.Process().children(recursive=True):
            try:
                if "_Shard.follow" in " ".join(each.cmdline()):
                    found |= {line.laddr.ip for line in each.net_connections() if line.status == "LISTEN"}
            except psutil.Error:
                continue

stopped, listening = threading.Event(), set()
spec, small = json.loads(sys.argv[1]), dict(include_dashboard=False, object_store_memory=80 * 2**20)
cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, node_ip_address="127.0.0.1", **small))
try:
    cluster.add_node(num_cpus=2, node_ip_address="127.0.0.2", **small)
    options = dict(store=os.path.abspath("shared.zarr"), address=cluster.address)
    try:
        sweepengine.run(spec | {"shards": 2}, commit_seconds=0.05, progress=Stop(), **options)
    except KeyboardInterrupt:
        print("stopped, states:", len(list(Path("shared.zarr").glob("state/*/*/*.npz"))))
    watch = threading.Thread(target=addresses, args=(listening,))
    watch.start()
    print(sweepengine.run(spec | {"shards": 3}, **options))
    stopped.set()
    watch.join()
    print("listening", sorted(listening))
finally:
    cluster.shutdown()
"""


@pytest.mark.slow
def test_two_nodes_go_on_with_what_fewer_shards_have_begun(tmp_path: Path) -> None:
    """Begun with two shards, ended by three of one and two pieces, on two nodes of Ray with an address each."""
    spec = LEARNING | {"dynamics": LEARNING["dynamics"] | {"time": 4.0}}
    command = [sys.executable, "-c", ON_TWO_NODES, json.dumps(spec)]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert process.returncode == 0, process.stderr
    assert "stopped, states: " in process.stdout, process.stdout
    assert "done=1" in process.stdout
    assert "'127.0.0.2'" in process.stdout.partition("listening")[2]  # of a shard, as its node has it
    assert_whole(spec, tmp_path / "shared.zarr")
