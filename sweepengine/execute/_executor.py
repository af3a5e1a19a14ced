"""Executors: where packs are advanced. One protocol, an in-process twin for debugging, Ray for everything else."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sweepengine.errors import RunError
from sweepengine.execute._events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sweepengine.execute._task import PackTask
    from sweepengine.store import SweepStore


class HungError(RunError):
    """A task that was ended because it said nothing for too long."""


@dataclass(frozen=True)
class Report:
    """What an executor says of one task.

    Attributes
    ----------
    task : PackTask
    event : Event
        Progress since the last report.
    finished : bool
        Whether the task is over.
    error : Exception or None
        Why, if it did not end well.
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
        Tasks that run at the same time.
    """

    workers: int

    def check_shared(self, store: SweepStore) -> None:
        """Raise unless every place where tasks may run reads what this driver writes."""

    def submit(self, task: PackTask) -> None:
        """Take a task; it may start at once."""

    def wait(self) -> Iterator[Report]:
        """Block until some task has something to say, or about a second has passed."""

    def close(self) -> None:
        """Stop what still runs, and everything that this executor started."""


@contextmanager
def one_thread() -> Iterator[None]:
    """One BLAS thread, so that bits do not depend on the machine's load or cores; restored afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class InlineExecutor:
    """Advances one pack after another in this process."""

    workers = 1

    def __init__(self) -> None:
        self._waiting: deque[PackTask] = deque()
        self._current: tuple[PackTask, Iterator[Event]] | None = None

    def check_shared(self, store: SweepStore) -> None:
        """Nothing to check: there is one process."""

    def submit(self, task: PackTask) -> None:
        """Queue a task."""
        self._waiting.append(task)

    def wait(self) -> Iterator[Report]:
        """Work until the next event."""
        from sweepengine.execute._pack import advance

        if self._current is None:
            task = self._waiting.popleft()
            self._current = (task, advance(task))
        task, events = self._current
        try:
            with one_thread():
                event = next(events)
        except StopIteration:
            self._current = None
            yield Report(task, Event(), finished=True)
        except Exception as error:  # noqa: BLE001 -- handed to the driver, which tells or retries
            self._current = None
            yield Report(task, Event(), finished=True, error=error)
        else:
            yield Report(task, event, finished=False)

    def close(self) -> None:
        """Forget what is queued."""
        self._waiting.clear()
        self._current = None
