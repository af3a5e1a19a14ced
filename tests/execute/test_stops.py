"""What stops a run or the whole of Ray: workers that die, code that hangs, signals while Ray starts."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

import sweepengine
from sweepengine.errors import Interrupted, SpecError
from sweepengine.execute import _pack
from sweepengine.execute._chunk_job import ChunkJob
from sweepengine.execute._events import Event, Failure
from sweepengine.execute._failures import Failures
from sweepengine.execute._signals import deferred, interruptible
from sweepengine.options import RunOptions
from sweepengine.store import SweepStore, failed_runs
from tests.support.progress import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

CULPRITS = """
import math, os, time, torch, sweepengine


@sweepengine.register_model(name="culprit")
class Culprit(torch.nn.Module):
    def __init__(self, width, inputs, outputs):
        super().__init__()
        self.seed = torch.initial_seed()
        self.hidden = torch.nn.Parameter(torch.empty(width, inputs))
        self.readout = torch.nn.Parameter(torch.empty(width))

    def forward(self, x):
        if len(x) > 3:
            if self.seed == 1:
                os._exit(0)
            if self.seed == 3:
                time.sleep(1e9)
        return torch.tanh(1.4 / math.sqrt(x.shape[1]) * x @ self.hidden.T) @ self.readout
"""


def test_the_run_that_stops_its_worker_is_recorded_as_failed_alone(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = ChunkJob._train

    def dies(self: Any, positions: tuple[int, ...], runs: list[Any], state: Any) -> Generator[Event, None, Event]:
        if any((run.width, run.seed, run.gamma) == (16, 1, 0.5) for run in runs):
            raise EOFError("the worker is gone")  # none of what a run's own failure raises
        return (yield from train(self, positions, runs, state))

    monkeypatch.setattr(ChunkJob, "_train", dies)
    said = Said()
    outcome = sweepengine.run(tiny(), tmp_path / "s.zarr", executor="inline", runs_per_turn=4, progress=said)
    assert (outcome.done, outcome.failed) == (7, 1)
    assert len([line for line in said.lines if "its worker stopped (EOFError" in line]) == 2
    store = SweepStore(tmp_path / "s.zarr")
    (text,) = [run.failure.traceback for run in failed_runs(store)]
    assert text.endswith("its worker stopped while the run was advanced: EOFError: the worker is gone")
    monkeypatch.undo()
    assert sweepengine.run(tiny(), tmp_path / "s.zarr", executor="inline").done == 8


def test_what_was_told_before_an_error_is_not_lost() -> None:
    def events() -> Iterator[Event]:
        yield Event(records=3)
        raise ValueError("stop")

    told: list[Event] = []
    with pytest.raises(ValueError, match="stop"):
        told.extend(_pack._throttled(events(), None))
    told = list(_taken(_pack._throttled(events(), None)))
    assert sum(event.records for event in told) == 3


def _taken(events: Iterator[Event]) -> Iterator[Event]:
    try:
        yield from events
    except ValueError:
        return


def test_runs_are_named_at_once_and_silence_is_broken_within_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    named = [Event(advancing=(0,)), Event(advancing=(1,))]
    assert [event.advancing for event in _pack._throttled(iter(named), None)] == [(0,), (1,), None]

    now = 0.0

    def steps() -> Iterator[Event]:
        nonlocal now
        for _ in range(20):
            now += 0.01
            yield Event()

    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now)  # a loaded machine's clock would tell of the load
        assert len(list(_pack._throttled(steps(), 0.16))) >= 4
        assert len(list(_pack._throttled(steps(), None))) == 1


def test_failures_are_said_once_for_each_reason() -> None:
    said = Said()
    failures = Failures(said)
    failures.add([Failure(1, "run a", "x"), Failure(1, "run b", "x"), Failure(2, "2 runs of block c", "y")])
    failures.add([Failure(3, "3 runs of block d", "x")])
    failures.say_rest()
    failures.say_rest()
    assert said.lines == [
        "failed: run a: x",
        "failed: 2 runs of block c: y",
        "failed: 4 runs more (run b, 3 runs of block d): x",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_put_off_and_handlers_inside_are_not_set(number: signal.Signals) -> None:
    came: list[str] = []
    before = signal.signal(number, lambda *_: came.append("ours"))
    try:
        with deferred():
            signal.signal(number, lambda *_: came.append("Ray's"))
            signal.raise_signal(number)
            assert not came
        assert came == ["ours"]
        with pytest.raises(OSError, match="no Ray"):
            _fails_after(number)
        assert came == ["ours", "ours"]
    finally:
        signal.signal(number, before)


def _fails_after(number: signal.Signals) -> None:
    with deferred():
        signal.raise_signal(number)
        raise OSError("no Ray")


def test_a_signal_is_told_apart_from_what_code_raises() -> None:
    with pytest.raises(Interrupted), interruptible():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_timeout_is_a_number_above_0(value: float) -> None:
    with pytest.raises(SpecError, match=r"run_timeout: found .*; expected a number of seconds above 0"):
        RunOptions(run_timeout=value)
    with pytest.raises(SpecError, match=r"workers: found 1\.5; expected a whole number"):
        RunOptions(workers=1.5)  # type: ignore[arg-type]


@pytest.fixture
def start(tiny: Tiny, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``sweepengine run`` on a sweep of the culprits; what it leaves is killed."""
    (tmp_path / "plugin.py").write_text(CULPRITS)
    content = tiny(axes={"scaling": ["ntk"], "width": [8], "seed": [0, 1, 2, 3, 4]})
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(content | {"network": {"model": "culprit"}}))
    slow = tiny(axes={"width": [512], "seed": 8}, training={"time": 2000.0})
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(slow))
    begun: list[subprocess.Popen[str]] = []

    def go(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "sweepengine", "run", *words, "--store", "s.zarr", "--no-report"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stdout=pipe, stderr=pipe, text=True)
        begun.append(process)
        return process

    yield go
    for process in begun:
        if process.poll() is None:
            others = psutil.Process(process.pid).children(recursive=True)
            for each in [process, *others]:
                each.kill()
            process.communicate()


def daemon(process: subprocess.Popen[str], name: str) -> psutil.Process:
    """A daemon of a process' Ray, once it is there."""
    for _ in range(6000):
        assert process.poll() is None, process.communicate()
        for each in psutil.Process(process.pid).children():
            if each.name() == name:
                return each
        time.sleep(0.01)
    pytest.fail(f"there is no {name}")


@pytest.mark.timeout(240)
def test_a_run_that_exits_and_one_that_hangs_fail_alone(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("s.yaml", "--plugin", "plugin.py", "--run-timeout", "12", "--workers", "1")
    _, err = process.communicate()
    assert process.returncode == 1, err
    assert "hung: said nothing for 12 s" in err
    assert "its worker stopped while the run was advanced" in err
    assert "Traceback" not in err
    sweep = sweepengine.open_sweep(tmp_path / "s.zarr").load()
    assert dict(zip(sweep.seed.values.tolist(), sweep.status.values.tolist(), strict=True)) == {
        0: "done", 1: "failed", 2: "done", 3: "failed", 4: "done"
    }  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_rays_death_is_one_message(start: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str) -> None:
    process = start("slow.yaml", "--workers", "1")
    killed = daemon(process, name)
    while not list((tmp_path / "s.zarr").glob("marks/**/*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    others = psutil.Process(process.pid).children(recursive=True)
    killed.kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    said = [line for line in err.splitlines() if not line.startswith(("to do", "runs "))]
    # Without the code where Ray's own core could not be interrupted, and a thread has said it.
    [line] = said
    kept = "what was committed is kept: run the same command again"
    assert re.fullmatch(rf"error: Ray has died \(its {name} ended( with code -9)?\); {kept}", line)
    assert not psutil.wait_procs(others, timeout=60)[1]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("sent", "code", "moment"), [(signal.SIGINT, 130, "gcs_server"), (signal.SIGTERM, 143, "raylet")]
)
def test_a_signal_while_ray_starts(
    start: Callable[..., subprocess.Popen[str]], sent: signal.Signals, code: int, moment: str
) -> None:
    process = start("slow.yaml", "--workers", "1")
    daemon(process, moment)
    others = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert err == (
        "stopped; what was committed is kept. `sweepengine run slow.yaml --workers 1 --store s.zarr --no-report` goes "
        "on from there.\n"
    )
    assert not psutil.wait_procs(others, timeout=60)[1]
