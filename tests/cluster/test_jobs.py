"""Jobs on a real head with a dashboard: submit, attach, follow, cancel, submit again; what a head says to strangers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sweepengine.store import SweepStore
from tests.support.heads import Head, running_head
from tests.support.plugins import OBSERVABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)
"""A minute on two free cores; each job starts some processes, which take long where there is a crowd."""


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with running_head(cpus=1) as head:
        yield head


def written(folder: Path, spec: dict[str, Any]) -> str:
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(spec))
    return str(path)


def records_done(store: Path) -> int:
    """Records of all runs that are committed."""
    sweep_store = SweepStore(store)
    if sweep_store.table is None:
        return 0
    marks = sweep_store.run_marks(sweep_store.block_shapes())
    return sum(mark.records_done for _, runs in marks for mark in runs if mark is not None)


def test_a_sweep_travels_with_its_files_and_plugins(head: Head, tmp_path: Path, tiny: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"x_train": rng.standard_normal((6, 3)), "y_train": rng.standard_normal(6)}
    arrays |= {"x_test": rng.standard_normal((4, 3)), "y_test": rng.standard_normal(4)}
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / "points.npz", **arrays)
    plugin, store = tmp_path / "observables.py", tmp_path / "tiny.zarr"
    plugin.write_text(OBSERVABLES.replace("VERSION", "1"))
    spec = tiny(observables=["loss_train", "distance"]) | {"data": {"name": "file", "path": "mine/points.npz"}}
    words = ["submit", written(tmp_path, spec), "--plugin", str(plugin), "--address", head.url, "--store", str(store)]
    found = head.sweepengine(*words, "--follow", "--commit-seconds", "5")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "8 runs · 8 done" in found.stdout
    assert records_done(store) == 8 * 6
    said = head.sweepengine("logs", str(store), "--address", head.url)
    assert said.stdout in found.stdout
    assert "8 done" in said.stdout
    job = found.stdout.split()[1]
    of_job, of_store = head.sweepengine("status", job, "--address", head.url), head.sweepengine("status", str(store))
    assert of_job.stdout == of_store.stdout, of_job.stderr
    assert "8 done" in of_job.stdout


def test_a_job_is_one_until_it_is_cancelled(head: Head, tmp_path: Path, tiny: Callable[..., Any]) -> None:
    store = tmp_path / "long.zarr"
    spec = tiny(name="long", training={"time": 50_000.0, "records": {"count": 400}}, axes={"width": [512]})
    words = ["submit", written(tmp_path, spec), "--address", head.url, "--store", str(store), "--commit-seconds", "0.2"]
    first = head.sweepengine(*words)
    assert first.returncode == 0, first.stderr
    job = first.stdout.split()[1]
    assert f"sweepengine logs --follow {job} --address {head.url}" in first.stdout
    second = head.sweepengine(*words)
    assert second.stdout.startswith(f"job:    {job} (runs already)\n"), second.stdout + second.stderr
    end = time.monotonic() + 240
    while records_done(store) == 0:
        assert time.monotonic() < end, head.sweepengine("logs", job, "--address", head.url).stdout
        time.sleep(0.2)
    cancelled = head.sweepengine("cancel", str(store), "--address", head.url)
    assert cancelled.stdout.startswith(f"job:    {job}: STOPPED; what was committed is kept"), cancelled.stderr
    said = head.sweepengine("logs", job, "--address", head.url, "--follow")
    assert said.returncode == 143
    assert "stopped; what was committed is kept." in said.stdout  # the driver's own last words
    done = records_done(store)
    assert done > 0
    # The claim was given back: a driver on this machine goes on at once, and the job is over.
    [claim] = [json.loads(path.read_text()) for path in (store / "drivers").glob("*.json")]
    assert claim["ended"]
    assert f"job:    {job}: STOPPED" in head.sweepengine("cancel", job, "--address", head.url).stdout


def test_a_job_that_failed_may_be_submitted_again(head: Head, tmp_path: Path, tiny: Callable[..., Any]) -> None:
    (tmp_path / "here").write_text("in the way")
    store = str(tmp_path / "here" / "tiny.zarr")
    words = ["submit", written(tmp_path, tiny()), "--address", head.url, "--store", store]
    found = head.sweepengine(*words, "--follow")
    assert found.returncode == 2, found.stdout + found.stderr
    assert "error: store: " in found.stdout
    job = found.stdout.split()[1]
    again = head.sweepengine(*words)
    assert again.stdout.startswith(f"job:    {job}-2\n"), again.stdout + again.stderr
    found = head.sweepengine("status", job, "--address", head.url)
    assert found.returncode == 2
    assert f"job {job} is FAILED, and there is nothing at its store {store}" in found.stderr


def test_a_cluster_examines_itself(head: Head, tmp_path: Path) -> None:
    found = head.sweepengine("doctor", "--address", head.url, "--store", str(tmp_path / "probe.zarr"))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "written, read, deleted" in found.stdout
    assert "versions: those of the driver's machine" in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_strangers_are_told_what_is_missing(head: Head, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    for changes in ({"RAY_AUTH_MODE": "", "RAY_AUTH_TOKEN": ""}, {"RAY_AUTH_TOKEN": "wrong"}):
        found = head.sweepengine("logs", "any", "--address", head.url, **home, **changes)
        assert found.returncode == 1
        assert "asks for the token of its cluster" in found.stderr
        assert "set RAY_AUTH_MODE=token, and have" in found.stderr
        assert len(found.stderr.splitlines()) == 1, found.stderr
    for command in ("logs", "status"):
        found = head.sweepengine(command, "tiny-1", "--address", head.url)
        assert found.returncode == 1
        assert "knows no job of 'tiny-1'" in found.stderr
    found = head.sweepengine("logs", "any", "--address", "http://127.0.0.1:9")
    assert "no job server answers at http://127.0.0.1:9" in found.stderr
