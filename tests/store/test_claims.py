"""Claims of drivers: a suspended, a killed, a late one, several at once, one of another machine."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore, _claim, find_damage
from sweepengine.store._objects import create_object
from sweepengine.store._process import Process
from tests.support.stores import numbers_wherever as numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


PATIENCE = 60.0


def test_a_late_driver_publishes_where_nobody_looks(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """The older of two drivers is stopped before its last look and publishes after the newer one has finished."""
    spec, path = make_spec(tiny()), tmp_path / "late.zarr"
    late = SweepStore(path)
    plan = make_plan(spec, late)
    late.claim()
    claim = late._held()
    sweepengine.run(tiny(), path, executor="inline", take_over=True)
    expected = numbers(path)
    files = {each: each.read_bytes() for each in path.rglob("*") if each.is_file() and each.parent.name != "drivers"}
    late._held = lambda: claim  # type: ignore[method-assign]
    with pytest.raises(RunError, match="another driver has taken over"):
        late.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
    xr.testing.assert_identical(numbers(path), expected)
    assert all(each.read_bytes() == content for each, content in files.items() if "data" not in each.parts)
    assert not SweepStore(path).troubles
    assert sweepengine.run(tiny(), path, executor="inline").skipped == 8


def test_a_root_that_a_killed_late_driver_has_put_back_is_mended(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "late.zarr"
    sweepengine.run(tiny(axes={"width": [8]}), path, executor="inline")
    root = (path / "zarr.json").read_bytes()
    sweepengine.run(tiny(), path, executor="inline")
    expected = numbers(path)
    (path / "zarr.json").write_bytes(root)
    xr.testing.assert_identical(numbers(path), expected)
    assert main(["verify", str(path)]) == 1
    assert "zarr.json is older than" in capsys.readouterr().out
    assert sweepengine.run(tiny(), path, executor="inline").skipped == 8
    assert main(["verify", str(path)]) == 0
    assert (path / "zarr.json").read_bytes() != root


DRIVER = """
import json, sys, sweepengine
spec = json.loads(sys.argv[1])
print("started", flush=True)
sweepengine.run(spec, sys.argv[2], executor="inline", commit_seconds=1e-9)
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    begun: list[subprocess.Popen[str]] = []

    def go(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        return process

    yield go
    for process in begun:
        process.kill()
        process.communicate()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_suspended_driver_is_refused_to_others_taken_over_and_harmless(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    spec, path = tiny(axes={"width": [8], "seed": 3}, training={"time": 100.0}), tmp_path / "two.zarr"
    sweepengine.run(spec, tmp_path / "alone.zarr", executor="inline")
    first = start("-c", DRIVER, json.dumps(spec), str(path))
    wait_for(lambda: any(b'"running"' in mark.read_bytes() for mark in path.glob("marks/*/*/*.json")))
    first.send_signal(signal.SIGSTOP)
    with pytest.raises(RunError, match=rf"process {first.pid} on .* holds it since .*--take-over"):
        sweepengine.run(spec, path, executor="inline")
    outcome = sweepengine.run(spec, path, executor="inline", take_over=True)
    assert outcome.done == outcome.runs
    expected = numbers(tmp_path / "alone.zarr")
    xr.testing.assert_identical(numbers(path), expected)
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode != 0
    assert "taken over" in err
    xr.testing.assert_identical(numbers(path), expected)
    assert not list(find_damage(SweepStore(path)))


def test_a_killed_driver_is_known_to_be_dead(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    spec, path = tiny(axes={"width": [8], "seed": 3}, training={"time": 100.0}), tmp_path / "killed.zarr"
    first = start("-c", DRIVER, json.dumps(spec), str(path))
    wait_for(lambda: any(b'"running"' in mark.read_bytes() for mark in path.glob("marks/*/*/*.json")))
    first.kill()
    first.wait()
    assert sweepengine.run(spec, path, executor="inline").done == 6
    assert len(list((path / "blocks").glob("w*"))) == 1  # it went on in place
    sweepengine.run(spec, tmp_path / "alone.zarr", executor="inline")
    xr.testing.assert_identical(numbers(path), numbers(tmp_path / "alone.zarr"))


def test_of_drivers_that_start_together_one_goes_on_and_the_others_say_so(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    stores = [SweepStore(tmp_path / "together.zarr") for _ in range(6)]
    found: list[object] = []
    gate = threading.Barrier(len(stores))

    def claim(store: SweepStore) -> None:
        gate.wait()
        try:
            store.claim()
            found.append(store)
        except RunError as error:
            found.append(str(error))

    threads = [threading.Thread(target=claim, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [each for each in found if isinstance(each, SweepStore)]
    assert len(winners) == 1, found
    assert all(f"process {os.getpid()} on" in each for each in found if isinstance(each, str))
    winners[0].release()
    assert sweepengine.run(tiny(), tmp_path / "together.zarr", executor="inline").done == 8


def test_a_claim_of_another_machine_counts_while_it_is_renewed(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock is an hour behind, so only a change of its claim shows that it is at work."""
    path = tmp_path / "far.zarr"
    sweepengine.run(tiny(axes={"width": [8]}), path, executor="inline")
    objects = SweepStore(path).objects.with_read_only(read_only=False)
    far = _claim.DriverClaim(
        7,
        "drivers/000007-abcd.json",
        "abcd",
        Process("far", "another boot", 1, "1"),
        time.time() - 7200,
        time.time() - 3600,
    )
    far.put(objects)
    beats, at_work = itertools.count(1), True

    def watched(_seconds: float) -> None:
        """Whoever watches for a beat finds the claim renewed, while its driver is at work."""
        if at_work:
            replace(far, beat=far.beat + next(beats)).put(objects)

    monkeypatch.setattr(time, "sleep", watched)
    with pytest.raises(RunError, match="process 1 on far holds it"):
        sweepengine.run(tiny(), path, executor="inline")
    at_work = False
    assert sweepengine.run(tiny(), path, executor="inline").done == 8  # silent now, so taken over
    [claim] = (path / "drivers").glob("*.json")  # the claims before it are gone
    assert claim.name == "000008.json"


@pytest.mark.parametrize("objects", range(0, 60, 3))
def test_a_creation_that_was_stopped_anywhere_is_continued(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objects: int
) -> None:
    """A kill after so many objects: nothing runs after it, so neither does any clean-up."""
    from zarr.storage import LocalStore

    class KilledError(BaseException):
        pass

    count = 0
    put = LocalStore.set

    async def killed(self: LocalStore, key: str, value: Any) -> None:
        nonlocal count
        count += 1
        if count > objects:
            raise KilledError
        await put(self, key, value)

    path = tmp_path / "stopped.zarr"
    store = SweepStore(path)
    spec = make_spec(tiny(axes={"width": [8]}))
    plan = make_plan(spec, store)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", killed)
        try:
            store.claim()
            store.extend(spec, plan.data, plan.new_blocks, plan.predictions(), plan.code)
        except KilledError:
            pass
        finally:
            if store._heartbeat is not None:
                store._heartbeat.stop()
    # Its process is this one, which has not ended: as a driver that was killed on another machine.
    outcome = sweepengine.run(tiny(axes={"width": [8]}), path, executor="inline", take_over=True)
    assert (outcome.runs, outcome.done) == (4, 4)
    assert not list(find_damage(SweepStore(path)))


@pytest.mark.parametrize("others", [[16], [16, 24]])
def test_two_drivers_never_have_one_epoch(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: list[int]
) -> None:
    """The first is stopped between its look at the claims and its own claim; others come and go meanwhile."""
    path = tmp_path / "epochs.zarr"
    sweepengine.run(tiny(axes={"width": [8]}), path, executor="inline")
    late, create = SweepStore(path), _claim.create_object  # type: ignore[attr-defined]
    made: list[bool] = []

    def stopped(*arguments: Any) -> bool:
        if not made:
            patch.undo()
            for width in others:
                sweepengine.run(tiny(axes={"width": [width]}), path, executor="inline")
            patch.setattr(_claim, "create_object", stopped)
        made.append(create(*arguments))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(_claim, "create_object", stopped)
        late.claim()
    [claim] = (path / "drivers").glob("*.json")
    late.release()
    assert claim.name == f"00000{2 + len(others)}.json"
    # Of one other the claim is still there. The second has deleted it, so that the late driver could have its epoch.
    assert made == [len(others) == 2, True]


def test_where_files_have_no_links_an_epoch_has_one_driver_too(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "plain.zarr"
    assert sweepengine.run(tiny(axes={"width": [8]}), path, executor="inline").done == 4
    objects = SweepStore(path).objects.with_read_only(read_only=False)
    assert create_object(objects, "drivers/000002.json", b"first")
    assert not create_object(objects, "drivers/000002.json", b"second")


def test_a_hidden_process_is_not_taken_for_a_dead_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweepengine.store import _process

    mine = Process.current()
    assert not mine.is_gone
    assert Process(mine.host, mine.machine, mine.pid, "0").is_gone  # the number is another process' now
    monkeypatch.setattr(_process, "_state_and_start", lambda _: ("", ""))
    assert not mine.is_gone
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert Process(mine.host, mine.machine, child.pid, "1").is_gone
    assert not Process("elsewhere", "another boot", child.pid, "1").is_gone
