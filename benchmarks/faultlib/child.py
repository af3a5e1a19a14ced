"""Commands and functions in processes of their own, forked from one that has imported everything and used nothing.

Importing takes longer than a small sweep. A fork is safe as long as the process has one thread, so nothing here may use
zarr, dask or BLAS before it forks; :func:`_fork` looks. An exact start, imports included, is one `exec` more.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import pickle
import re
import select
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from faultlib import shim
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
POLL_SECONDS = 0.005
_TICK = os.sysconf("SC_CLK_TCK")
LIMIT_SECONDS = 120.0
_PRELOADED = (
    "dask.array",
    "rich.table",
    "sklearn.datasets",
    "sweepengine.analysis",
    "sweepengine.cli",
    "sweepengine.cli._commands",
    "sweepengine.execute",
    "sweepengine.execute._pack",
    "sweepengine.networks",
    "sweepengine.particles",
    "sweepengine.store",
    "sweepengine.theory",
    "torch",
    "xarray",
)


def preload() -> None:
    """Import what commands need, but not Ray, whose settings are read when it is imported."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):  # a module that the product no longer has is imported where it is now
            import_module(name)
    import_module("torch").set_num_threads(1)
    gc.freeze()  # a collection in a child would copy every page that it shares with us


def _fork() -> int:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise Defect(Kind.HARNESS, f"{threads} threads before a fork")
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fork()


def in_child(work: Callable[[], T], limit: float = LIMIT_SECONDS) -> T:
    """What a function returns in a process of its own.

    Raises
    ------
    Defect
        It raised (a traceback) or did not end (a hang).
    """
    reading, writing = os.pipe()
    pid = _fork()
    if not pid:
        os.close(reading)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = 0
        try:
            answer: tuple[bool, Any] = (True, work())
        except BaseException:  # noqa: BLE001 -- handed to the parent
            answer = (False, traceback.format_exc())
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(code)
    os.close(writing)
    content, deadline = bytearray(), time.monotonic() + limit
    try:
        while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (more := os.read(reading, 1 << 20)):
                break
            content += more
        else:
            os.kill(pid, signal.SIGKILL)
            raise Defect(Kind.HANG, f"a reader did not answer in {limit:g} s")
    finally:
        os.close(reading)
        os.waitpid(pid, 0)
    if not content:
        raise Defect(Kind.TRACEBACK, "a reader died without a word")
    is_fine, found = pickle.loads(content)  # noqa: S301 -- from our own child
    if not is_fine:
        raise Defect(Kind.TRACEBACK, f"a reader: {found.strip().splitlines()[-1]}")
    return found  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    words : tuple of str
    code : int
        Below 0: the signal that ended it.
    out, err : str
    seconds : float
    worked : float
        Processor seconds of the driver alone.
    """

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    worked: float

    @property
    def to_do(self) -> int:
        """Runs that it found to do, in its own words; 0 where it found none."""
        found = re.search(r"^to do: (\d+) runs", self.err, flags=re.MULTILINE)
        return int(found[1]) if found else 0

    def __str__(self) -> str:
        said = self.err.strip().splitlines()[-1:] or self.out.strip().splitlines()[-1:] or [""]
        return f"`{' '.join(self.words)}` ended with {self.code}: {said[0]}"


class Command:
    """A command line at work in a session of its own.

    Parameters
    ----------
    words : sequence of str
        What follows `sweepengine`.
    folder : Path
        Where it runs.
    logs : Path
        Its output goes to files of this name, ending in `.out` and `.err`.
    commit_seconds : float
    environment : mapping
        Added to ours.
    preloaded : bool
        Forked with everything imported; else started from nothing.
    """

    def __init__(
        self,
        words: tuple[str, ...],
        folder: Path,
        logs: Path,
        *,
        commit_seconds: float = 0.05,
        environment: Mapping[str, str] | None = None,
        preloaded: bool = True,
    ) -> None:
        self.words, self._logs = words, logs
        self._code: int | None = None
        self._worked = 0.0
        self._known: set[psutil.Process] = set()
        self.started = time.monotonic()
        self.pid = _fork()
        if not self.pid:
            self._become(folder, commit_seconds, environment or {}, preloaded=preloaded)

    def _become(self, folder: Path, commit_seconds: float, environment: Mapping[str, str], *, preloaded: bool) -> None:
        """Be the command; never returns."""
        code = 1
        try:
            os.setsid()
            os.chdir(folder)
            for number, path in ((0, "/dev/null"), (1, f"{self._logs}.out"), (2, f"{self._logs}.err")):
                opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
                os.dup2(opened, number)
                os.close(opened)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ |= environment
            if not preloaded:
                program = [sys.executable, "-P", shim.__file__, str(commit_seconds), *self.words]
                os.execv(sys.executable, program)  # noqa: S606 -- the interpreter that runs us
            code = shim.main(list(self.words), commit_seconds)
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 -- as an interpreter ends
            atexit._run_exitfuncs()  # noqa: SLF001
            sys.stdout.flush()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # noqa: BLE001 -- said as an interpreter says it
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self._code is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._code, self._worked = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        return self._code

    def worked(self) -> float:
        """Processor seconds of the driver: a clock that other users of the machine do not move."""
        if self.poll() is None:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            self._worked = (int(fields[11]) + int(fields[12])) / _TICK
        return self._worked

    def until_worked(self, seconds: float) -> None:
        """Wait until the driver has worked for so long, or has ended."""
        while self.poll() is None and self.worked() < seconds:
            time.sleep(POLL_SECONDS)

    def family(self) -> list[psutil.Process]:
        """Everything that it has started and that is alive: Ray's daemons and workers have sessions of their own."""
        roots = set(self._known)
        if self.poll() is None:
            roots.add(psutil.Process(self.pid))
        for each in roots:
            with contextlib.suppress(psutil.Error):
                self._known |= set(each.children(recursive=True))
        return [each for each in self._known if _lives(each)]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the driver itself; nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, limit: float = LIMIT_SECONDS) -> Ended:
        """Until it ends.

        Raises
        ------
        Defect
            It did not within the limit.
        """
        deadline = time.monotonic() + limit
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                where = _where(self.pid)
                self.stop()
                raise Defect(Kind.HANG, f"`{' '.join(self.words)}` did not end in {limit:g} s ({where})")
            time.sleep(POLL_SECONDS)
        logs = (Path(f"{self._logs}.{end}") for end in ("out", "err"))
        out, err = (
            log.read_text(errors="replace") if log.exists() else "" for log in logs
        )  # killed before its first line
        return Ended(self.words, code, out, err, time.monotonic() - self.started, self._worked)

    def stop(self) -> None:
        """Kill whatever is left of it."""
        left = self.family()
        self.send(signal.SIGKILL)
        while self.poll() is None:
            time.sleep(POLL_SECONDS)
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(left, timeout=10)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _where(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/wchan").read_text() or "running"
    return "unknown"
