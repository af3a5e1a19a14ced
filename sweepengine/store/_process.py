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
        Which boot of which machine, and which of its process namespaces; a process id means nothing elsewhere.
    pid : int
    started : str
        When it started, in the machine's own units, because ids of processes are used again; empty if unknown.
    """

    host: str
    machine: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Process:
        """The process that asks."""
        pid = os.getpid()
        return cls(platform.node(), _machine(), pid, _state_and_start(pid)[1])

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.machine == _machine()

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the process has ended. False for processes of other machines."""
        return self.is_here and not self._is_running()

    @property
    def may_end_soon(self) -> bool:
        """Whether it is worth while to wait for its end: a process of this machine that runs, and is not this one."""
        if not self.is_here or self.pid == os.getpid():
            return False
        return self._is_running() and _state_and_start(self.pid)[0] not in _STOPPED_STATES

    def _is_running(self) -> bool:
        if not _has_proc():
            return _answers(self.pid)
        state, started = _state_and_start(self.pid)
        if not state:  # there is none, or it is another user's and hidden
            return _answers(self.pid)
        return state not in _GONE_STATES and started == self.started

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def _has_proc() -> bool:
    """Whether Linux' table of processes is there, and is that of our own process namespace."""
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
    """State letter and start time of a process, from Linux' own table; empty where there is none."""
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
