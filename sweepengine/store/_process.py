"""Processes that may write: who they are, and whether they are known to be gone."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

_GONE_STATES = ("Z", "X", "x")
_STOPPED_STATES = ("T", "t")


@dataclass(frozen=True)
class Process:
    """One process of one machine.

    Attributes
    ----------
    host : str
        Name of the machine, for people.
    machine : str
        Names the boot of the machine and the process namespace; a process id means nothing elsewhere.
    pid : int
        Process id.
    started : str
        When the process started, in the machine's own units, because process ids are used again; empty if unknown.
    """

    host: str
    machine: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Process:
        """The process that calls this."""
        pid = os.getpid()
        return cls(platform.node(), _machine(), pid, _state_and_start(pid)[1])

    @property
    def is_here(self) -> bool:
        """Whether the process is, or was, one of this machine."""
        return self.machine == _machine()

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the process has ended. False for processes of other machines."""
        return self.is_here and not self._is_running()

    @property
    def may_end_soon(self) -> bool:
        """Whether it is worth while to wait for the process: it runs on this machine, and is not this process."""
        if not self.is_here or self.pid == os.getpid():
            return False
        return self._is_running() and _state_and_start(self.pid)[0] not in _STOPPED_STATES

    def _is_running(self) -> bool:
        if not _has_proc():
            return _answers(self.pid)
        state, started = _state_and_start(self.pid)
        if not state:  # there is no such process, or another user's, which is hidden
            return _answers(self.pid)
        return state not in _GONE_STATES and started == self.started

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def _has_proc() -> bool:
    """Whether Linux' table of processes is there, and belongs to our own process namespace."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


@cache
def _machine() -> str:
    if not _has_proc():
        return f"{platform.node()}-{uuid.getnode():x}"
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}-{os.readlink('/proc/self/ns/pid')}"


def _state_and_start(pid: int) -> tuple[str, str]:
    """State letter and start time of a process, from Linux' own table; empty if there is no such process."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return words[0], words[19]


def _answers(pid: int) -> bool:
    """Whether a process id is in use."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
