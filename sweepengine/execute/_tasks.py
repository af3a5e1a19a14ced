"""The tasks of a sweep: the first task of each pack, and the tasks that take over if a task ends before its work."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweepengine.errors import RunError, StoreError
from sweepengine.execute._events import Event, Failure
from sweepengine.execute._executor import HungError, LostNodeError, LowMemoryError
from sweepengine.execute._task import PackTask
from sweepengine.store import HeldError, SupersededError, fail_chunk, write_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sweepengine.options import RunOptions
    from sweepengine.plan import Pack, Plan
    from sweepengine.spec import AnyRun
    from sweepengine.store import Nodes, RunPlace, Start, SweepStore

MOST_ATTEMPTS = 3
"""Attempts at a pack whose worker stops, and the driver does not know in which run; then all its runs are recorded as
failed. In the last attempt the driver knows which run is advanced, so that this run alone is recorded as failed."""
MOST_DEPARTURES = 100
"""Attempts at a pack that end because the machine of its worker is taken away or lost, which is no fault of its runs;
then the sweep stops, because the cluster does not keep machines for long enough."""
MOST_TRIES = 300
"""Attempts at a pack in all, with those that follow after one of its runs was recorded as failed."""


class Tasks:
    """Makes the tasks of one sweep, and knows how often each pack was tried.

    Parameters
    ----------
    plan : Plan
    store : SweepStore
        The store, claimed by this driver.
    options : RunOptions
    tell : callable
        Takes an event that the driver itself has to report.
    """

    def __init__(self, plan: Plan, store: SweepStore, options: RunOptions, tell: Callable[[Event], None]) -> None:
        self._plan, self._store, self._options, self._tell = plan, store, options, tell
        self._tries: dict[tuple[str, int], int] = {}
        self._packs: dict[tuple[str, int], _PackHistory] = {}

    def hear(self, task: PackTask, event: Event) -> None:
        """Note which runs a task advances and whether its worker leaves, if an event of the task says so."""
        if event.advancing is not None:
            self._history(task).advancing = event.advancing
        if event.leaving:
            self._history(task).leaving = True

    def _history(self, task: PackTask) -> _PackHistory:
        return self._packs.setdefault((task.block, task.chunks[0]), _PackHistory())

    def of(self, pack: Pack) -> PackTask:
        """Return the first task of a pack."""
        return PackTask(
            address=self._store.address,
            block=pack.block,
            shape=pack.shape,
            chunks=pack.chunks,
            runs=pack.runs,
            attempts=self._attempts(pack.block, pack.chunks),
            nodes=self._nodes(pack.block, pack.runs, _read(pack.beside, pack.starts)),
            code=self._plan.code,
            workers=self._plan.spec.workers_of_a_run,
            options=self._options,
            beside=pack.beside,
            starts=pack.starts,
            keep_states=bool(self._plan.spec.keep_states) and not pack.beside,
        )

    def _nodes(self, block: str, runs: Mapping[int, AnyRun], read: Iterable[RunPlace]) -> Nodes:
        """Return the arrays of the store that runs of a block read and write; they all read the same data."""
        blocks = dict.fromkeys([block, *(place.block for place in read)])
        return self._store.nodes_of(blocks, next(iter(runs.values())).data_id, self._plan.given)

    def _attempts(self, block: str, chunks: tuple[int, ...]) -> dict[int, int]:
        """Count a try of some chunks, and return the numbers of these attempts."""
        for chunk in chunks:
            self._tries[block, chunk] = self._tries.get((block, chunk), 0) + 1
        return self._store.attempts({chunk: self._tries[block, chunk] for chunk in chunks})

    def after(self, task: PackTask, error: Exception | None) -> list[PackTask]:
        """Return the tasks that take over from a task that has ended; none if it ended without an error.

        Raises
        ------
        RunError
            Another driver has taken over, the store failed, or the cluster keeps no machine for long.
        OSError
            The task failed so in every attempt.
        """
        if error is None:
            return []
        if isinstance(error, SupersededError):
            raise RunError(f"store: {error}; let the other driver finish, then run this again") from error
        if isinstance(error, HeldError):
            return self._elsewhere(task, error)
        if isinstance(error, StoreError):
            raise RunError(f"store: {self._store.address}: {str(error).removeprefix('store: ')}") from error
        history = self._history(task)
        suspects, history.advancing = history.advancing, ()
        has_left, history.leaving = history.leaving, False
        if has_left or isinstance(error, LostNodeError):
            return [self._after_departure(task, error, has_left=has_left)]
        hung = isinstance(error, HungError)
        task = replace(task, is_short=task.is_short or isinstance(error, LowMemoryError))
        of_the_store = isinstance(error, OSError)  # no run's fault
        if len(suspects) == 1 and (task.careful or hung) and not of_the_store:
            reason = str(error) if hung else f"its worker stopped while the run was advanced: {_said(error)}"
            return self._without(task, suspects[0], reason, error)
        history.stops += 1
        if history.stops < MOST_ATTEMPTS:
            self._tell(
                Event(
                    message=f"block {task.block}: its worker stopped ({_said(error)}); "
                    f"attempt {history.stops + 1} of {MOST_ATTEMPTS}"
                )
            )
            return [self._again(task, careful=hung or history.stops + 1 == MOST_ATTEMPTS)]
        if of_the_store:
            raise error
        self._give_up(task, tuple(task.runs), _said(error), error)
        return []

    def _again(self, task: PackTask, *, careful: bool) -> PackTask:
        return replace(task, attempts=self._attempts(task.block, task.chunks), careful=careful)

    def _after_departure(self, task: PackTask, error: Exception, *, has_left: bool) -> PackTask:
        """The task that takes over from a worker that was asked to end or whose node was lost: no fault of its runs."""
        history = self._history(task)
        history.departures += 1
        how = "its worker was asked to end, and has committed" if has_left else str(error)
        if history.departures > MOST_DEPARTURES:
            raise RunError(
                f"block {task.block}: {how}, for the {history.departures}th time; what was committed is kept: run the "
                "same command again on machines that stay longer, or with smaller --commit-seconds"
            ) from error
        self._tell(Event(message=f"block {task.block}: {how}; another worker goes on"))
        return self._again(task, careful=task.careful)

    def _elsewhere(self, task: PackTask, error: HeldError) -> list[PackTask]:
        """Move the runs of a chunk into which another process may still write; return tasks for these and the rest."""
        self._tell(Event(message=f"{error}; its runs go on in a new block"))
        first, stop = task.shape.chunk_span(error.chunk)
        (attempt,) = self._attempts(error.block, (error.chunk,)).values()
        place = self._store.relocate(error.block, error.chunk, attempt)
        beside = {position - first: places for position, places in task.beside.items() if first <= position < stop}
        starts = {position - first: start for position, start in task.starts.items() if first <= position < stop}
        moved = replace(
            task,
            block=place.block,
            shape=place.shape,
            chunks=(0,),
            runs={position - first: run for position, run in task.runs.items() if first <= position < stop},
            attempts=self._attempts(place.block, (0,)),
            nodes=self._nodes(place.block, task.runs, _read(beside, starts)),
            beside=beside,
            starts=starts,
        )
        history = self._packs[place.block, 0] = self._history(task)
        chunks = tuple(chunk for chunk in task.chunks if chunk != error.chunk)
        if not chunks:
            return [moved]
        self._packs[task.block, chunks[0]] = replace(history)
        runs = {position: run for position, run in task.runs.items() if not first <= position < stop}
        return [moved, replace(task, chunks=chunks, runs=runs, attempts=self._attempts(task.block, chunks))]

    def _without(self, task: PackTask, position: int, reason: str, error: Exception) -> list[PackTask]:
        """Record the run that stopped its worker as failed; return the tasks of the other runs of its pack."""
        rest = self._give_up(task, (position,), reason, error)
        if self._tries[task.block, task.chunks[0]] < MOST_TRIES:
            return [self._again(rest_task, careful=task.careful) for rest_task in rest]
        last = f"{MOST_TRIES} attempts at the pack, the last: {reason}"
        for rest_task in rest:
            self._give_up(rest_task, tuple(rest_task.runs), last, error)
        return []

    def _give_up(self, task: PackTask, positions: tuple[int, ...], reason: str, error: Exception) -> list[PackTask]:
        """Record those of some runs that are unfinished as failed; return the tasks of the pack's other runs."""
        shape, failed, left = task.shape, 0, list(positions)
        for chunk in task.chunks:
            first, stop = shape.chunk_span(chunk)
            here = [position for position in left if first <= position < stop]
            if not here:
                continue
            try:
                (attempt,) = self._attempts(task.block, (chunk,)).values()
                unfinished = fail_chunk(self._store.place(task.block, shape, chunk), attempt, here)
            except HeldError as held:
                self._tell_failed(task, positions, failed, reason)
                moved, *rest = self._elsewhere(task, held)
                elsewhere = tuple(position for position in left if position not in here)
                tasks = self._give_up(moved, tuple(position - first for position in here), reason, error)
                for rest_task in rest:
                    tasks += self._give_up(rest_task, elsewhere, reason, error)
                return tasks
            failed += len(unfinished)
            for position in unfinished:
                text = "".join(traceback.format_exception(error)) + reason
                write_failure(self._store.objects, task.block, position, text, attempt)
            left = [position for position in left if position not in here]
        self._tell_failed(task, positions, failed, reason)
        runs = {position: run for position, run in task.runs.items() if position not in positions}
        return [replace(task, runs=runs)] if runs else []

    def _tell_failed(self, task: PackTask, positions: tuple[int, ...], failed: int, reason: str) -> None:
        """Say how many of some runs were recorded as failed."""
        if failed:
            single = len(positions) == 1
            named = f"run {task.runs[positions[0]].id}" if single else f"{failed} runs of block {task.block}"
            self._tell(Event(failures=(Failure(failed, named, reason),)))


@dataclass
class _PackHistory:
    """What the driver knows of a pack.

    Attributes
    ----------
    stops : int
        How often a worker of the pack stopped without the driver knowing in which run.
    advancing : tuple of int
        Positions of the runs that are advanced at present, if the task names its runs.
    leaving : bool
        Whether the worker has said that it was asked to end.
    departures : int
        How often a worker was asked to end, or was lost with its node.
    """

    stops: int = 0
    advancing: tuple[int, ...] = ()
    leaving: bool = False
    departures: int = 0


def _read(beside: Mapping[int, tuple[RunPlace, ...]], starts: Mapping[int, Start]) -> list[RunPlace]:
    """The places of the runs that a task reads."""
    return [*(place for places in beside.values() for place in places), *(start.place for start in starts.values())]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
