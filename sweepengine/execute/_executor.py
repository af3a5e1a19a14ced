"""Executors, which advance packs: their protocol, and the one that works in this process; the one for Ray is `_ray`."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sweepengine.errors import RunError
from sweepengine.execute._events import Event

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sweepengine.execute._task import PackTask
    from sweepengine.store import SweepStore

    Advanced = tuple[PackTask, Generator[Event, None, None]]


class HungError(RunError):
    """A task was ended because it said nothing for too long."""


class LostNodeError(RunError):
    """A task has ended with the machine that it ran on."""


class LowMemoryError(RunError):
    """A task was ended because its machine had too little memory left."""


@dataclass(frozen=True)
class Report:
    """What an executor reports of one task.

    Attributes
    ----------
    task : PackTask
    event : Event
        Progress since the last report.
    finished : bool
        Whether the task is over.
    error : Exception or None
        The error with which the task ended; None if it ended well or goes on.
    """

    task: PackTask
    event: Event
    finished: bool
    error: Exception | None = None


class Executor(Protocol):
    """Advances packs.

    Attributes
    ----------
    workers : int
        Number of tasks that run at the same time.
    """

    workers: int

    def check_shared(self, store: SweepStore) -> None:
        """Raise unless every machine on which tasks may run reads what this driver writes."""

    def submit(self, task: PackTask) -> None:
        """Take a task; it may start at once."""

    def wait(self) -> Iterator[Report]:
        """Wait until a task has something to report or about a second has passed, and yield the reports."""

    def close(self) -> None:
        """Stop what still runs, and everything that this executor started."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one BLAS thread inside, so that bits do not depend on the machine's load or cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class InlineExecutor:
    """Advances one pack after another in this process; the next goes on while a far store takes what one commits."""

    workers = 1

    def __init__(self) -> None:
        self._waiting: deque[PackTask] = deque()
        self._current: Advanced | None = None
        self._committing: Advanced | None = None

    def check_shared(self, store: SweepStore) -> None:
        """Nothing to check: there is one process."""

    def submit(self, task: PackTask) -> None:
        """Queue a task."""
        self._waiting.append(task)

    def wait(self) -> Iterator[Report]:
        """Work until the next event."""
        task, events = self._current = self._current or self._next()
        try:
            with one_thread():
                event = next(events)
        except StopIteration:
            self._current = None
            yield Report(task, Event(), finished=True)
        except Exception as error:  # noqa: BLE001 -- handed to the driver, which retries or reports it
            self._current = None
            yield Report(task, Event(), finished=True, error=error)
        else:
            if event.committing:  # one commit at a time: another task's has had all the time of this chunk
                self._current, self._committing = self._committing, self._current
            yield Report(task, event, finished=False)

    def _next(self) -> Advanced:
        """The next task, or else the one that has nothing to do but to commit."""
        from sweepengine.execute._pack import advance

        if self._committing is None or self._waiting:
            task = self._waiting.popleft()
            return task, advance(task)
        left, self._committing = self._committing, None
        return left

    def close(self) -> None:
        """Drop the queued tasks, and end the others; what they commit is committed."""
        self._waiting.clear()
        for _, events in filter(None, (self._current, self._committing)):
            with suppress(Exception):  # nobody waits for these tasks
                events.close()
        self._current = self._committing = None
