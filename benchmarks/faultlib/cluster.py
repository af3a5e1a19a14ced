"""A simulated cluster of Ray, and a store in a bucket behind a proxy that delays, refuses and cuts: each fails.

The driver ends well, or in one line; the same command again makes the store whole, and `gc` leaves no litter. No worker
computes a record that a mark in the store has, whichever driver sends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil

from faultlib import stage
from faultlib.bench import SPEC, STORE
from faultlib.case import Case
from faultlib.child import in_child
from faultlib.kills import MARKS
from faultlib.reading import Reading, read_store
from faultlib.recomputed import WITNESS, recomputed
from faultlib.sweeps import RAY, SWEEPS
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultlib.bench import Bench
    from faultlib.child import Command

CASES = 60
_PATIENCE = 90.0
_LIMIT_SECONDS = 300.0
_LOST_FOR = 75.0
"""Longer than the product tries a request again."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listens at loopback only
    "RAY_AUTH_MODE": "disabled",
}
_NO_MEMORY = {"RAY_memory_usage_threshold": "0.0", "RAY_memory_monitor_refresh_ms": "100"}


class OnCluster(Case):
    """A case whose sweep runs on a cluster of its own and is stored in a bucket of its own."""

    def __init__(self, bench: Bench, number: int, sweep: str) -> None:
        super().__init__(bench, "cluster", number, sweep, RAY)
        self.limit = _LIMIT_SECONDS
        self.driver: Command | None = None
        folder = self._root / "s"
        folder.mkdir()
        self._log = (self._root / "stage.log").open("w")
        self._witness = self._root / "witness.jsonl"
        paths = os.pathsep.join([str(WITNESS), os.environ["PYTHONPATH"]])
        self._stage = subprocess.Popen(
            [sys.executable, stage.__file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ
            | _SETTINGS
            | {"RAY_TMPDIR": str(folder), "PYTHONPATH": paths, "FAULTS_WITNESS": str(self._witness)},
        )
        try:
            said = self._answer()
        except Defect as error:
            self.__exit__(type(error), error, None)  # nobody else does
            raise
        self.environment = _SETTINGS | said["settings"]
        self.address, self._gcs = f"s3://{said['bucket']}/{STORE}", said["address"]

    def _answer(self) -> Any:
        assert self._stage.stdout is not None
        line = self._stage.stdout.readline()
        if not line:
            said = (self._root / "stage.log").read_text().strip().splitlines()[-1:]
            raise Defect(Kind.HARNESS, f"the stage ended: {said}")
        return json.loads(line)

    def order(self, name: str, **arguments: Any) -> Any:
        """Have the stage do something."""
        assert self._stage.stdin is not None
        print(json.dumps([name, arguments]), file=self._stage.stdin, flush=True)
        return self._answer()

    def stop(self) -> None:
        """Stop commands and stage."""
        super().stop()
        family = [] if self._stage.poll() is not None else psutil.Process(self._stage.pid).children(recursive=True)
        with contextlib.suppress(OSError):
            assert self._stage.stdin is not None
            self._stage.stdin.close()
        try:
            self._stage.wait(30)
        except subprocess.TimeoutExpired:
            self._stage.kill()
            self._stage.wait()
        for each in family:
            with contextlib.suppress(psutil.Error):
                each.kill()
        self._log.close()

    @property
    def named(self) -> str:
        """The store, as commands name it."""
        return self.address

    def run_words(self, *more: str) -> tuple[str, ...]:
        """The command that runs the sweep on the cluster."""
        return ("run", SPEC, "--store", self.address, "--address", self._gcs, "--no-report", *more)

    def read(self) -> Reading:
        """What a reader of the bucket is shown."""

        def reading() -> Reading:
            os.environ |= self.environment
            return read_store(self.address)

        return in_child(reading)

    def check_computed(self) -> None:
        """Check that no record was computed that a mark had, and tell how many came after the last mark."""
        found = recomputed(self._witness)
        records = int(self.reference.numbers["records_done"][1].sum())
        if found.computed - found.again != records:
            raise Defect(Kind.HARNESS, f"the workers have told of {found.computed - found.again} of {records} records")
        self.did.append(f"{found.again} of {records} records again")
        if found.in_vain:
            raise Defect(Kind.AGAIN, f"{len(found.in_vain)} records that a mark had: {found.in_vain[:3]}")

    def begin(self) -> None:
        """Start the sweep, and wait until a fault is due: in one case of five in the creation, else in the runs."""
        self.driver = driver = self.start_run()
        early = self.uniform(0.0, 1.0) < 0.2
        deadline = time.monotonic() + _PATIENCE
        while driver.poll() is None and not self.order("seen", method="PUT", part="/drivers/" if early else "/marks/"):
            if time.monotonic() > deadline:
                raise Defect(Kind.HARNESS, f"nothing was written within {_PATIENCE:g} s")
            time.sleep(0.02)
        seconds = self.uniform(0.0, 1.0 if early else 2.0 * self.whole.worked)
        deadline = time.monotonic() + seconds
        while driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        ended = " (it had ended)" if driver.poll() is not None else ""
        self.did.append(f"{'creation' if early else 'runs'} + {seconds:.3f} s{ended}")

    def workers(self) -> list[psutil.Process]:
        """The processes that advance runs, as soon as there are some or the driver has ended."""
        deadline = time.monotonic() + _PATIENCE
        while self.driver is not None and self.driver.poll() is None and time.monotonic() < deadline:
            found = [each for each in psutil.Process(self._stage.pid).children(recursive=True) if _advances(each)]
            if found:
                return found
            time.sleep(0.02)
        return []

    def signal_worker(self, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal to one of the processes that advance runs; return it."""
        found = self.workers()[:1]
        if not found:
            self.did.append("it had ended")
        for each in found:
            with contextlib.suppress(psutil.Error):
                each.send_signal(number)
        return found


def _advances(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(mark in word for mark in MARKS["worker"] for word in process.cmdline()[:1])
    return False


def _node(case: OnCluster) -> None:
    case.order("lose_node", raylet_alone=False)
    case.order("add_node", settings={})


def _raylet(case: OnCluster) -> None:
    case.order("lose_node", raylet_alone=True)
    case.order("add_node", settings={})


def _worker(case: OnCluster) -> None:
    case.signal_worker(signal.SIGKILL)


def _leaving(case: OnCluster) -> None:
    for _ in range(int(case.rng.integers(1, 4))):
        case.signal_worker(signal.SIGTERM)
        time.sleep(case.uniform(0.0, 1.0))


def _suspended(case: OnCluster) -> None:
    """A worker sleeps; in half of the cases its driver is killed and another goes on meanwhile."""
    found = case.signal_worker(signal.SIGSTOP)
    seconds = case.uniform(1.0, 15.0)
    try:
        if case.uniform(0.0, 1.0) < 0.5:
            case.did.append("driver killed")
            _driver(case)
            case.driver = case.start_run()
        time.sleep(seconds)
    finally:
        for each in found:
            with contextlib.suppress(psutil.Error):
                each.send_signal(signal.SIGCONT)


def _driver(case: OnCluster) -> None:
    assert case.driver is not None
    case.driver.send(signal.SIGKILL)
    case.driver.wait()


def _head(case: OnCluster) -> None:
    assert case.driver is not None
    case.order("lose_head")
    case.driver.wait(case.limit)  # before there is another head that it could take for its own
    case.order("restart")


def _memory(case: OnCluster) -> None:
    """A machine that has too little memory for any task takes the place of another, for a while."""
    case.order("lose_node", raylet_alone=False)
    case.order("add_node", settings=_NO_MEMORY)
    time.sleep(case.uniform(1.0, 10.0))
    case.order("lose_node", raylet_alone=False)
    case.order("lose_node", raylet_alone=False)
    case.order("add_node", settings={})
    case.order("add_node", settings={})


def _for_a_while(fault: str) -> Callable[[OnCluster], None]:
    def happen(case: OnCluster) -> None:
        seconds = _LOST_FOR if case.uniform(0.0, 1.0) < 0.2 else case.uniform(0.5, 15.0)
        case.did.append(f"for {seconds:.1f} s")
        case.order("weather", settings={fault: float("inf")})
        time.sleep(seconds)
        case.order("weather", settings={fault: 0.0})

    return happen


def _losses(case: OnCluster) -> None:
    case.order("weather", settings={"loses": float(case.rng.integers(1, 30))})


def _latency(case: OnCluster) -> None:
    case.order("weather", settings={"delay": case.uniform(0.05, 0.3)})


FAULTS: dict[str, tuple[Callable[[OnCluster], None], tuple[int, ...]]] = {
    "SIGKILL of a node": (_node, (0,)),
    "SIGKILL of a raylet with its object store": (_raylet, (0,)),
    "SIGKILL of a worker": (_worker, (0,)),
    "SIGTERM of workers": (_leaving, (0,)),
    "SIGSTOP of a worker": (_suspended, (0,)),
    "SIGKILL of the driver": (_driver, (-signal.SIGKILL,)),
    "SIGKILL of the head": (_head, (0, 1)),
    "a node without memory": (_memory, (0, 1)),
    "503": (_for_a_while("refuses"), (0, 1)),
    "connections cut": (_for_a_while("cuts"), (0, 1)),
    "answers lost": (_losses, (0,)),
    "latency": (_latency, (0,)),
}
"""What happens → how, and with which codes the driver may end."""


def case(bench: Bench, number: int) -> str:
    """One case: the faults in turn, each with every sweep."""
    name = list(FAULTS)[number % len(FAULTS)]
    happen, codes = FAULTS[name]
    with OnCluster(bench, number, list(SWEEPS)[number // len(FAULTS) % len(SWEEPS)]) as each:
        each.did.append(name)
        each.order("weather", settings={"delay": each.uniform(0.0, 0.02)})
        each.begin()
        happen(each)
        assert each.driver is not None
        ended = each.check(each.driver.wait(each.limit), 0, *codes)
        if ended.code > 0:
            each.clear_refusal(ended)
        each.did.append(f"ended {ended.code}")
        each.settle(each.look_after_fault())
        _collect(each)
        each.check_whole()
        each.check_computed()
        return each.story


def _collect(case: OnCluster) -> None:
    """Delete the litter, and look that none is left."""
    case.ends(case.start("gc", case.address, "--delete"), 0)
    ended = case.ends(case.start("gc", case.address), 0)
    if "everything belongs to something" not in ended.out:
        raise Defect(Kind.LITTER, f"after gc: {ended.out.strip()}")
