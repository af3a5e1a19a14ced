"""Watch whether Ray itself lives, and end what a dead Ray leaves behind. The module ``ray`` is an argument here."""

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
    from collections.abc import Callable, Iterator

_DAEMONS = frozenset({"gcs_server", "raylet"})
_LOOK_SECONDS = 5.0
_WATCH_SECONDS = 0.5
_GRACE_SECONDS = 25.0
"""Time that a driver has to end by itself after the death of a daemon: it sees the death at a look, or Ray raises."""
_MOST_UNANSWERED = 3
"""A joined cluster that does not answer at so many looks is lost. Ray's core would end the process after a minute."""


class Head:
    """The control store of a joined cluster, seen from here.

    Parameters
    ----------
    address : str
        ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address, self._unanswered = address, 0

    def look(self) -> str:
        """Ask for an answer. Return :meth:`trouble`."""
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_LOOK_SECONDS).close()
            self._unanswered = 0
        except OSError:
            self._unanswered += 1
        return self.trouble()

    def trouble(self) -> str:
        """Return that nothing answers, if that was so at several looks in a row; else empty."""
        return f"nothing answers at {self._address}" if self._unanswered >= _MOST_UNANSWERED else ""


class Health:
    """Watches the cluster that a driver uses.

    Parameters
    ----------
    ray : module
    head : Head or None
        Of a joined cluster; :func:`watched_head` looks at it. None if this process has started the cluster: then its
        daemons are children of this process.
    """

    def __init__(self, ray: Any, head: Head | None) -> None:
        self._ray, self._head = ray, head
        self._looked = time.monotonic()
        self._family = _family(_processes())

    def trouble(self) -> str:
        """Return what is wrong with the cluster; empty while it lives."""
        if self._head is not None:
            return self._head.trouble()
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._family |= _family(_processes())
        node = self._ray._private.worker._global_node  # noqa: SLF001 -- Ray tells it nowhere else
        dead = node.dead_processes() if node is not None else []
        return ", ".join(f"its {name} ended with code {process.returncode}" for name, process in dead)

    def end_family(self) -> None:
        """Kill the agents that a dead raylet of a private cluster leaves behind; a living raylet would end them."""
        _end(self._family)


def _end(family: set[tuple[int, str]]) -> None:
    """Kill processes, given by id and by when each began, as far as they live."""
    processes = _processes()
    for number, began in family:
        if number in processes and processes[number].began == began:
            kill(number)


@contextmanager
def watched(token: str) -> Iterator[None]:
    """While a private cluster lives, end this process with a message if a daemon dies and the driver cannot say so."""
    family: set[tuple[int, str]] = set()

    def trouble() -> str:
        processes = _processes()
        family.update(_family(processes))
        dead = _dead_daemon(processes)
        return f"its {dead} ended" if dead else ""

    def clean() -> None:
        _end(family)  # Ray's agents write their title over their environment, where the token was
        end_leftovers(token)

    with _ended_for(trouble, _WATCH_SECONDS, clean):
        yield


@contextmanager
def watched_head(head: Head) -> Iterator[None]:
    """While a cluster is joined, end this process with a message if its head is lost and the driver cannot say so."""
    with _ended_for(head.look, _LOOK_SECONDS, lambda: None):
        yield


@contextmanager
def _ended_for(trouble: Callable[[], str], seconds: float, clean: Callable[[], None]) -> Iterator[None]:
    """Look every so many seconds; some time after the first trouble clean up and end this process with a message.

    A driver that is waiting for Ray's core at that moment stays in compiled code for a minute, where nothing can be
    raised; then Ray ends the process without a useful message.
    """
    over = threading.Event()

    def watch() -> None:
        while not (what := trouble()):
            if over.wait(seconds):
                return
        if not over.wait(_GRACE_SECONDS):
            clean()
            sys.stderr.write(f"error: {lost(what)}\n")
            sys.stderr.flush()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def lost(trouble: str) -> str:
    """Return what is said of a cluster that has died."""
    return f"Ray has died ({trouble}); what was committed is kept: run the same command again"


@dataclass(frozen=True)
class _Process:
    """A process of this machine. When it began tells it from a later process with the same id."""

    name: str
    state: str
    parent: int
    began: str


def _processes() -> dict[int, _Process]:
    """Return all processes of this machine by their id; none if there is no /proc."""
    processes = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # ended meanwhile
        fields = rest.split()
        processes[int(stat.parent.name)] = _Process(name, fields[0], int(fields[1]), fields[19])
    return processes


def _family(processes: dict[int, _Process]) -> set[tuple[int, str]]:
    """Return (id, when it began) of the daemons that this process has started, and of all their descendants."""
    family = {number for number, p in processes.items() if p.parent == os.getpid() and p.name in _DAEMONS}
    while children := {number for number, p in processes.items() if p.parent in family} - family:
        family |= children
    return {(number, processes[number].began) for number in family}


def _dead_daemon(processes: dict[int, _Process]) -> str:
    """Return the name of a dead daemon that this process has started; empty if there is none, or no /proc."""
    ours = (process for process in processes.values() if process.parent == os.getpid())
    return next((process.name for process in ours if process.state == "Z" and process.name in _DAEMONS), "")


def silence(ray: Any) -> None:
    """Keep Ray's own messages about dead workers off stdout; the driver reports a dead worker in one line."""
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001


def end_leftovers(token: str) -> None:
    """Kill the daemons of a private cluster that outlive their raylet; a living raylet would end them.

    Their environment, which can be read on Linux only, holds the token of the cluster.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = token.encode() in (folder / "environ").read_bytes()
            if ours and b"ray" in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile, or another user's


def kill(process: int) -> None:
    """Kill a process of this machine by its id, even a suspended one."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
