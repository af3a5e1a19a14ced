"""Ray and the hardest stops: kill -9 of everything, of the driver alone, of one worker; Ctrl-C; SIGTERM.

Each is compared bit for bit with a sweep that nobody stopped, computed in-process, so that the two executors are proven
equal by the same comparison.
"""

from __future__ import annotations

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
from sweepengine.store import Status, SweepStore, find_damage
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
PATIENCE = 120.0


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


def wait_until_midway(process: subprocess.Popen[str], store: Path) -> None:
    """Until some run is under way with a state to resume from."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if any('"running"' in mark.read_text() for mark in store.glob("marks/*/*/*.json")):
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


def test_killing_everything_loses_nothing_that_was_marked(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, uninterrupted: xr.Dataset
) -> None:
    store = tmp_path / "slow.zarr"
    process = start()
    wait_until_midway(process, store)
    others = family(process)
    assert any(os.getpgid(other.pid) != os.getpgid(process.pid) for other in others)
    os.killpg(process.pid, signal.SIGKILL)
    kill_all(others)
    process.wait()
    psutil.wait_procs(others, timeout=PATIENCE)
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
    others = family(process)
    os.killpg(process.pid, signal.SIGKILL)
    kill_all(others)
    process.wait()
    psutil.wait_procs(others, timeout=PATIENCE)
    assert_midway(store)
    out = finish(start("-c", DRIVER, "several.yaml", "several.zarr"))
    assert says(out, "done=16")
    assert_same_bits(store, numbers(tmp_path / "whole.zarr"))
    assert list(find_damage(SweepStore(store))) == []


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
