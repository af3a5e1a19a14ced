"""Sweeps in a bucket: how many requests they make, and what they do when requests are refused, cut off or slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError, StoreError
from sweepengine.store import SweepStore, find_damage
from sweepengine.store._objects import create_object, get_object, list_objects, put_object
from tests.support.stores import numbers, numbers_wherever

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.object_stores import Proxy

FOUR_RUNS = {"axes": {"width": [8]}}
FOUR_BLOCKS = {"axes": {"scaling": ["ntk"], "width": [8, 12, 16, 20], "seed": 1}}
MOST_REQUESTS = {1: (124, 22), 4: (252, 25)}
"""Blocks → of a sweep of four runs, and of the same again. More than four fifths write arrays and their metadata."""
DRIVER = """
import json, sys, sweepengine
sweepengine.run(json.loads(sys.argv[1]), sys.argv[2], executor="inline", commit_seconds=1e-9)
"""
PATIENCE = 60.0


@pytest.mark.parametrize(("blocks", "changes"), [(1, FOUR_RUNS), (4, FOUR_BLOCKS)])
def test_four_runs_make_few_requests(
    tiny: Callable[..., dict[str, Any]],
    bucket: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    blocks: int,
    changes: dict[str, Any],
) -> None:
    monkeypatch.setattr("sweepengine.store._claim.BEAT_SECONDS", 3600.0)  # beats are a matter of time
    address = f"s3://{bucket}/tiny.zarr"
    assert sweepengine.run(tiny(**changes), address, executor="inline").done == 4
    made = proxy.counts()
    assert made.total() <= MOST_REQUESTS[blocks][0], made
    assert made["PUT"] >= len(list_objects(SweepStore(address).objects, ""))  # the proxy has seen them
    assert len(SweepStore(address).block_shapes()) == blocks
    proxy.requests.clear()
    assert sweepengine.run(tiny(**changes), address, executor="inline").skipped == 4
    assert proxy.counts().keys() == {"GET"}
    assert len(proxy.requests) <= MOST_REQUESTS[blocks][1]


def test_a_report_again_asks_for_the_list_alone(
    tiny: Callable[..., dict[str, Any]], bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    from sweepengine.reports import Report

    address = f"s3://{bucket}/tiny.zarr"
    sweepengine.run(tiny(**FOUR_RUNS), address, executor="inline")
    Report(address, tmp_path).write()
    proxy.requests.clear()
    kept = Report(address, tmp_path)
    assert "8" in str(kept.text())
    kept.write()
    assert len(proxy.requests) == 1
    path = next(key for key in list_objects(SweepStore(address).objects, "blocks/") if "/kernel/c/" in key)
    objects = SweepStore(address).objects.with_read_only(read_only=False)
    content = get_object(objects, path)
    assert content is not None
    put_object(objects, path, content[:-1] + b"\0")
    assert Report(address, tmp_path)._kept is None


@pytest.mark.parametrize("fault", ["refuses", "cuts", "loses"])
def test_faults_that_pass_change_nothing(
    tiny: Callable[..., dict[str, Any]],
    bucket: str,
    proxy: Proxy,
    tmp_path: Path,
    fault: str,
) -> None:
    spec, address = tiny(**FOUR_RUNS), f"s3://{bucket}/tiny.zarr"
    for place in (0, 6, 60, 110):
        proxy.passes = place
        setattr(proxy, fault, 3)
        sweepengine.run(spec | {"name": f"after-{place}"}, address.replace("tiny", f"t{place}"), executor="inline")
        assert getattr(proxy, fault) == 0
    sweepengine.run(spec, tmp_path / "tiny.zarr", executor="inline")
    for place in (0, 6, 60, 110):
        found = address.replace("tiny", f"t{place}")
        xr.testing.assert_identical(numbers(found), numbers(tmp_path / "tiny.zarr"))
        assert not list(find_damage(SweepStore(found)))


def test_a_store_that_refuses_for_long_is_left_in_one_line_and_gone_on_with(
    tiny: Callable[..., dict[str, Any]],
    bucket: str,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sweepengine.store._object_store.PATIENCE", timedelta(seconds=0.3))
    monkeypatch.chdir(tmp_path)
    spec, address = tiny(axes={"width": [8], "seed": 3}), f"s3://{bucket}/tiny.zarr"
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = [
        "run",
        "spec.json",
        "--store",
        address,
        "--executor",
        "inline",
        "--no-report",
        "--commit-seconds",
        "1e-9",
    ]
    sweepengine.run(spec, tmp_path / "tiny.zarr", executor="inline")
    proxy.passes, proxy.refuses = 180, float("inf")
    assert main(command) == 1
    said = capsys.readouterr().err
    [line] = [each for each in said.splitlines() if each.startswith("error:")]
    assert f"store: {address} cannot be written any more" in line
    assert "503" in line
    assert "see that it answers, then run the same command again: what was committed is kept" in line
    assert main(command) == 2
    assert "cannot be read" in capsys.readouterr().err
    proxy.heal()
    kept = numbers_wherever(address)
    assert 0 < kept.records_done.sum() < 36
    expected = numbers_wherever(tmp_path / "tiny.zarr")
    for run in range(6):
        done = int(kept.records_done[run])
        there, here = kept.isel(run=run, record=slice(done)), expected.isel(run=run, record=slice(done))
        xr.testing.assert_identical(there.kernel.reset_coords(drop=True), here.kernel.reset_coords(drop=True))
    assert main(command) == 0
    xr.testing.assert_identical(numbers_wherever(address), numbers_wherever(tmp_path / "tiny.zarr"))
    assert not list(find_damage(SweepStore(address)))


def test_a_bucket_that_is_not_there_is_named(tiny: Callable[..., dict[str, Any]], bucket: str) -> None:
    with pytest.raises(StoreError, match=r"s3://none-of-ours/x.zarr cannot be read: .*NoSuchBucket: [^<]*exist$"):
        sweepengine.run(tiny(**FOUR_RUNS), "s3://none-of-ours/x.zarr", executor="inline")


@pytest.mark.parametrize("loses", [0, 1])
def test_one_writer_of_an_object_is_admitted(bucket: str, proxy: Proxy, loses: int) -> None:
    """Also where the answer to the one that is admitted is lost on its way."""
    from sweepengine.store import open_address

    store = open_address(f"s3://{bucket}/x.zarr", read_only=False)
    proxy.loses = loses
    assert create_object(store, "drivers/000001.json", b"first")
    assert not create_object(store, "drivers/000001.json", b"second")
    assert get_object(store, "drivers/000001.json") == b"first"


def test_a_killed_sweep_goes_on_a_second_driver_is_refused_and_damage_is_repaired(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path
) -> None:
    address, spec = f"s3://{bucket}/killed.zarr", tiny(axes={"width": [8], "seed": 3}, training={"time": 100.0})
    sweepengine.run(spec, tmp_path / "alone.zarr", executor="inline")
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, json.dumps(spec), address], start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_running(address):
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(RunError, match=f"process {driver.pid} on .* holds it since .*--take-over"):
            sweepengine.run(spec, address, executor="inline")
    finally:
        driver.kill()
        driver.wait()
    assert sweepengine.run(spec, address, executor="inline").done == 6
    xr.testing.assert_identical(numbers_wherever(address), numbers_wherever(tmp_path / "alone.zarr"))
    assert not list(find_damage(SweepStore(address)))
    objects = SweepStore(address).objects.with_read_only(read_only=False)
    path = next(key for key in list_objects(objects, "blocks/") if "/kernel/c/" in key)
    put_object(objects, path, b"nothing that was written")
    assert main(["verify", address]) == 1
    assert main(["repair", address]) == 0
    assert sweepengine.run(spec, address, executor="inline").done == 6
    xr.testing.assert_identical(numbers_wherever(address), numbers_wherever(tmp_path / "alone.zarr"))


def _is_running(address: str) -> bool:
    objects = SweepStore(address).objects
    return any(b'"running"' in (get_object(objects, key) or b"") for key in list_objects(objects, "marks/"))


def test_a_sweep_is_taken_over_from_a_driver_that_lives(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path
) -> None:
    address, spec = f"s3://{bucket}/two.zarr", tiny(**FOUR_RUNS)
    first = SweepStore(address)
    first.claim()
    try:
        with pytest.raises(RunError, match=f"process {os.getpid()} on .* holds it"):
            sweepengine.run(spec, address, executor="inline")
        assert sweepengine.run(spec, address, executor="inline", take_over=True).done == 4
        with pytest.raises(RunError, match="another driver has taken over"):
            first.must_be_held()
    finally:
        first.release()
    sweepengine.run(spec, tmp_path / "alone.zarr", executor="inline")
    xr.testing.assert_identical(numbers_wherever(address), numbers_wherever(tmp_path / "alone.zarr"))


def test_processes_end_without_a_crash(tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path) -> None:
    """A thread of the connection that hands something to an interpreter that ends would abort the process."""
    address = f"s3://{bucket}/tiny.zarr"
    sweepengine.run(tiny(**FOUR_RUNS), address, executor="inline")
    program = (
        "import sys; from sweepengine.store import open_address; from sweepengine.store._objects import put_object;"
        "put_object(open_address(sys.argv[1], read_only=False), 'tokens/x', b'x' * 500_000)"
    )
    codes = [subprocess.run([sys.executable, "-c", program, address], check=False).returncode for _ in range(5)]
    assert codes == [0] * 5
