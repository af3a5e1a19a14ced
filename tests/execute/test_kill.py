"""Ray and the hardest stops: kill -9 of everything, of the driver alone, of one worker; Ctrl-C; SIGTERM.

Each is compared bit for bit with a sweep that nobody stopped, computed in-process, so that the two executors are proven
equal by the same comparison.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import xarray as xr
import yaml

import sweepengine
from sweepengine.errors import IncompleteWarning
from sweepengine.store import Status, SweepStore, find_damage, survey
from tests.support.extended import assert_as_from_the_start, files
from tests.support.stores import numbers
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLOW: dict[str, Any] = {
    "name": "slow",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 64, "n_test": 16},
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.1, "time": 20.0, "records": {"spacing": "log", "count": 12}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [384, 512], "seed": 4},
    "precision": "float32",
}
SEVERAL: dict[str, Any] = {
    **SLOW,
    "data": {"name": "digits", "classes": [3, 8], "n_test": 16, "nested": True},
    "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4},
    "training": {key: value for key, value in SLOW["training"].items() if key != "step_size"},
    "axes": {
        "scaling": ["mean_field"], "width": [384], "seed": 2,
        "n_train": [24, 64], "sigma_b": [0.0, 0.5], "step_size": [0.1, 0.2],
    },
}  # fmt: skip
"""Runs on two sets of data, of four architectures with them, and of two step sizes."""
DRIVER = """
import sys, yaml, sweepengine
spec = yaml.safe_load(open(sys.argv[1]))
print(sweepengine.run(spec, sys.argv[2], commit_seconds=0.2))
"""
COUNTING = """
import sys, yaml, sweepengine

class Progress:
    records = 0
    start = say = pack_finished = stop = lambda *_: None
    def update(self, event):
        self.records += event.records

spec, progress = yaml.safe_load(open(sys.argv[1])), Progress()
print(sweepengine.run(spec, sys.argv[2], commit_seconds=0.2, progress=progress), f"records={progress.records}")
"""
"""A driver that says how many records were computed."""
BEFORE, ADDED = ["loss_train", "outputs_train", "kernel"], ["kernel_cka", "feature_gram"]
PATIENCE = 120.0


def longer(time: float) -> dict[str, Any]:
    """Eight runs whose last states are kept, with a record every two units of time."""
    training = {**SLOW["training"], "time": time, "records": {"spacing": "every", "k": 20}}
    return SLOW | {"axes": {**SLOW["axes"], "seed": 2}, "training": training, "keep_states": True}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The sweep as it is when nothing happens to it."""
    store = tmp_path_factory.mktemp("whole") / "slow.zarr"
    sweepengine.run(SLOW, store, executor="inline")
    return numbers(store)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a driver in a process group of its own; whatever it leaves is killed afterwards."""
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    (tmp_path / "several.yaml").write_text(yaml.safe_dump(SEVERAL))
    begun: list[subprocess.Popen[str]] = []
    known: set[psutil.Process] = set()

    def go(*words: str) -> subprocess.Popen[str]:
        arguments = list(words) or ["-c", DRIVER, "slow.yaml", "slow.zarr"]
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield go
    for process in begun:
        if process.poll() is None:
            known |= set(family(process))
            process.kill()
        process.communicate()
    for other in known:
        if other.is_running():
            other.kill()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Everything below a process: Ray's daemons and workers live in other process groups."""
    return list(psutil.Process(process.pid).children(recursive=True))


def wait_until_midway(process: subprocess.Popen[str], store: Path, beyond: int = 0) -> None:
    """Until some run is under way with more than some records, and with a state to resume from."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        marks = [json.loads(mark.read_text()) for mark in store.glob("marks/*/*/*.json")]
        runs = [run for mark in marks for run in mark["runs"] if run["status"] == "running"]
        if any(run["records_done"] > beyond for run in runs):
            return
        time.sleep(0.02)
    pytest.fail("nothing was committed in time")


def assert_midway(store: Path) -> None:
    found = SweepStore(store)
    marks = [mark for _, runs in found.run_marks(found.block_shapes()) for mark in runs]
    statuses = [Status.PENDING if mark is None else mark.status for mark in marks]
    assert Status.RUNNING in statuses
    assert statuses.count(Status.DONE) < len(statuses)


def assert_same_bits(store: Path, expected: xr.Dataset) -> None:
    found = numbers(store)
    assert set(found.status.values) == {"done"}
    xr.testing.assert_identical(found, expected)
    for block in {
        *sweepengine.open_sweep(store).block.values
    }:  # a worker that was killed late may leave its state elsewhere
        assert not list(store.glob(f"state/{block}/**/*.npz"))


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def kill_everything(process: subprocess.Popen[str]) -> None:
    """SIGKILL a driver with all below it; return when everything is gone."""
    others = family(process)
    os.killpg(process.pid, signal.SIGKILL)
    kill_all(others)
    process.wait()
    psutil.wait_procs(others, timeout=PATIENCE)


def test_killing_everything_loses_nothing_that_was_marked(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, uninterrupted: xr.Dataset
) -> None:
    store = tmp_path / "slow.zarr"
    process = start()
    wait_until_midway(process, store)
    assert any(os.getpgid(other.pid) != os.getpgid(process.pid) for other in family(process))
    kill_everything(process)
    assert_midway(store)
    out = finish(start())
    assert says(out, "done=16")
    assert_same_bits(store, uninterrupted)


def test_killing_everything_while_runs_of_unlike_data_are_under_way(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    sweepengine.run(SEVERAL, tmp_path / "whole.zarr", executor="inline")
    store = tmp_path / "several.zarr"
    process = start("-c", DRIVER, "several.yaml", "several.zarr")
    wait_until_midway(process, store)
    kill_everything(process)
    assert_midway(store)
    out = finish(start("-c", DRIVER, "several.yaml", "several.zarr"))
    assert says(out, "done=16")
    assert_same_bits(store, numbers(tmp_path / "whole.zarr"))
    assert list(find_damage(SweepStore(store))) == []


def test_killing_everything_while_observables_are_added(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    before, store = SLOW | {"axes": {**SLOW["axes"], "seed": 2}, "observables": BEFORE}, tmp_path / "slow.zarr"
    sweepengine.run(before, store, executor="inline")
    more = before | {"observables": [*BEFORE, *ADDED]}
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(more))
    process = start()
    wait_until_midway(process, store)
    kill_everything(process)
    assert survey(SweepStore(store)).additions[tuple(ADDED)].counts["done"] < 8
    assert says(finish(start()), "done=8")
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")


def test_killing_everything_while_runs_are_made_longer(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The shorter runs stay as they are, and no record is computed that the marks of the longer ones had."""
    store, shorter, more = tmp_path / "slow.zarr", longer(10.0), longer(30.0)
    sweepengine.run(shorter, store, executor="inline")
    old, blocks = files(store), SweepStore(store).block_shapes().keys()
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(more))
    process = start("-c", COUNTING, "slow.yaml", "slow.zarr")
    wait_until_midway(process, store, beyond=6)
    kill_everything(process)
    killed = SweepStore(store)
    shapes = {name: shape for name, shape in killed.block_shapes().items() if name not in blocks}
    marks = [mark for _, runs in killed.run_marks(shapes) for mark in runs]
    assert len(marks) == 8
    assert not all(mark is not None and mark.status is Status.DONE for mark in marks)
    done = [6 if mark is None else max(mark.records_done, 6) for mark in marks]  # 6 records are taken over
    assert 8 * 6 < sum(done) < 8 * 16
    with pytest.warns(IncompleteWarning, match="of the runs that are trained for longer have not ended"):
        assert sweepengine.open_sweep(store).sizes["record"] == 6
    out = finish(start("-c", COUNTING, "slow.yaml", "slow.zarr"))
    assert says(out, "done=8")
    assert says(out, f"records={8 * 16 - sum(done)}")
    assert {path: path.read_bytes() for path in old} == old
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")


def test_repeating_the_command_at_once_after_killing_the_driver_alone(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, uninterrupted: xr.Dataset
) -> None:
    store = tmp_path / "slow.zarr"
    process = start()
    wait_until_midway(process, store)
    orphans = family(process)
    os.killpg(process.pid, signal.SIGKILL)
    finish(start())
    assert_same_bits(store, uninterrupted)
    psutil.wait_procs(orphans, timeout=30)


def test_a_killed_worker_is_replaced(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, uninterrupted: xr.Dataset
) -> None:
    store = tmp_path / "slow.zarr"
    process = start()
    wait_until_midway(process, store)
    workers = [each for each in family(process) if "_advance_pack" in " ".join(each.cmdline())]
    assert workers
    workers[0].kill()
    assert says(finish(process), "done=16")
    assert_same_bits(store, uninterrupted)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    process = start("-m", "sweepengine", "run", "slow.yaml", "--store", "slow.zarr")
    deadline = time.monotonic() + PATIENCE
    while not list((tmp_path / "slow.zarr").glob("marks/*/*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    others = family(process)
    process.send_signal(sent)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "`sweepengine run slow.yaml --store slow.zarr` goes on from there" in err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(others, timeout=60)
    assert not alive
