"""Whether Ray itself lives, and what it leaves behind when it does not. Takes the module ``ray`` as an argument."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAEMONS = frozenset({"gcs_server", "raylet"})
_LOOK_SECONDS = 5.0
_WATCH_SECONDS = 0.5
_GRACE_SECONDS = 25.0
"""What may pass between the death of a daemon and the driver's end: it is seen at the next look, or Ray raises."""
_MOST_UNANSWERED = 3
"""A joined cluster that is silent for so many looks is lost. Ray's own core would end the process after a minute."""


class Health:
    """Watches the cluster that a driver uses.

    Parameters
    ----------
    ray : module
    private : bool
        Whether this process has started the cluster: then its daemons are children of this process.
    """

    def __init__(self, ray: Any, *, private: bool) -> None:
        self._ray, self._private = ray, private
        self._looked, self._unanswered = time.monotonic(), 0
        self._family = _family()

    def trouble(self) -> str:
        """What is wrong with the cluster; empty while it lives."""
        due = time.monotonic() - self._looked >= _LOOK_SECONDS
        if due:
            self._looked = time.monotonic()
        if self._private:
            if due:
                self._family |= _family()
            node = self._ray._private.worker._global_node  # noqa: SLF001 -- Ray tells it nowhere else
            dead = node.dead_processes() if node is not None else []
            return ", ".join(f"its {name} ended with code {process.returncode}" for name, process in dead)
        if not due:
            return ""
        host, _, port = self._ray.get_runtime_context().gcs_address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_LOOK_SECONDS).close()
            self._unanswered = 0
        except OSError:
            self._unanswered += 1
        return f"nothing answers at {host}:{port}" if self._unanswered >= _MOST_UNANSWERED else ""

    def end_family(self) -> None:
        """End what is left of a private cluster whose raylet has died, which would have ended it: the raylet's agents."""
        processes = _processes()
        for number, began in self._family:
            if number in processes and processes[number].began == began:
                kill(number)


@contextmanager
def watched(token: str) -> Iterator[None]:
    """Around the life of a private cluster: end this process in order if a daemon dies and nobody can say so.

    Where the driver waits for Ray's core just then, it waits for a minute in compiled code, where nothing can be raised,
    and Ray ends the process without a word of use.
    """
    over = threading.Event()

    def watch() -> None:
        while not (dead := _dead_daemon()):
            if over.wait(_WATCH_SECONDS):
                return
        if not over.wait(_GRACE_SECONDS):
            end_leftovers(token)
            sys.stderr.write(
                f"error: Ray has died (its {dead} ended); what was committed is kept: run the same command again\n"
            )
            sys.stderr.flush()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@dataclass(frozen=True)
class _Process:
    """A process of this machine: its name, state, parent, and when it began, which tells it from a later one."""

    name: str
    state: str
    parent: int
    began: str


def _processes() -> dict[int, _Process]:
    """All processes by number; none where there is no /proc."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # ended meanwhile
        fields = rest.split()
        found[int(stat.parent.name)] = _Process(name, fields[0], int(fields[1]), fields[19])
    return found


def _family() -> set[tuple[int, str]]:
    """The daemons that this process has started and all that is below them."""
    processes = _processes()
    below = {number for number, each in processes.items() if each.parent == os.getpid() and each.name in _DAEMONS}
    while more := {number for number, each in processes.items() if each.parent in below} - below:
        below |= more
    return {(number, processes[number].began) for number in below}


def _dead_daemon() -> str:
    """A daemon that this process has started and that is dead, by name; where there is no /proc nobody can say."""
    ours = (each for each in _processes().values() if each.parent == os.getpid())
    return next((each.name for each in ours if each.state == "Z" and each.name in _DAEMONS), "")


def silence(ray: Any) -> None:
    """Keep Ray's own words on dead workers out of the terminal: they go to stdout, and the driver says it in one line."""
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001


def end_leftovers(token: str) -> None:
    """End the daemons of a private cluster that outlive their raylet, which would have ended them.

    They are known by the token of the cluster, which is in their environment (on Linux, where one can look it up).
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = token.encode() in (folder / "environ").read_bytes()
            if ours and b"ray" in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile, or another user's


def kill(process: int) -> None:
    """End a process of the machine where this runs, a suspended one too."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
