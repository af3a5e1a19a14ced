"""Advance one pack: the program of a task, the same in-process and on a cluster."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from sweepengine.execute._chunk_job import ChunkJob
from sweepengine.execute._events import Event
from sweepengine.execute._follower import Follower
from sweepengine.execute._memory import PeakMemory
from sweepengine.execute._opened import opened
from sweepengine.execute._pace import pace
from sweepengine.execute._scope import matmul_of
from sweepengine.execute._shards import Order, Shards
from sweepengine.store import (
    ChunkPlace,
    ChunkWriter,
    TaskBeat,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sweepengine.execute._data import Data
    from sweepengine.execute._task import PackTask

    Events = Generator[Event, None, Event]


def advance(
    task: PackTask, shards: Shards | None = None, is_leaving: Callable[[], bool] = lambda: False
) -> Generator[Event, None, None]:
    """Compute the missing runs of a pack, chunk by chunk.

    Parameters
    ----------
    task : PackTask
    shards : Shards, optional
        This worker as the lead of several; without it the worker is alone.
    is_leaving : callable, optional
        Asked at every step whether this worker has to end; then it commits first.

    Yields
    ------
    Event
        At most two a second, one at the end, and one where a commit is waited for. A task that names its runs yields
        at once when the next run begins; with a timeout it also yields signs of life, a few within the timeout.

    Raises
    ------
    SupersededError
        A later attempt has taken a chunk over.
    ShardError
        Another of several workers has stopped.
    LeavingError
        The worker has to end, and has committed.
    """
    shards = shards or Shards()
    store, data = opened(task)
    block = ChunkPlace.of(store, task.nodes, task.block, task.shape)
    beat = TaskBeat(store, task.block, task.chunks[0], task.attempts[task.chunks[0]])
    try:
        for chunk in task.chunks:
            yield from _of_chunk(task, block.at(chunk), data, shards, beat, is_leaving)
    finally:
        beat.end()
    shards.order(Order.END)


def _of_chunk(
    task: PackTask, place: ChunkPlace, data: Data, shards: Shards, beat: TaskBeat, is_leaving: Callable[[], bool]
) -> Iterator[Event]:
    """Compute the missing runs of one chunk; its buffers are free for those of the next when this ends."""
    first, stop = place.span
    with PeakMemory() as memory:
        shards.order(Order.CHUNK, place.chunk)
        writer = ChunkWriter(place, task.attempts[place.chunk], shards.share(place.shape))
        here = {position: run for position, run in task.runs.items() if first <= position < stop}
        job = ChunkJob(writer, place.store, here, data, task, memory, shards, beat, is_leaving)
        with _released(writer, shards), closing(job.events()) as events:
            yield from _throttled(events, task.options.run_timeout)


@contextmanager
def _released(writer: ChunkWriter, shards: Shards) -> Iterator[None]:
    """Release the chunk at the end: for all workers after a good end, for this worker alone after an error."""
    try:
        yield
    except BaseException:
        # The error being raised comes first, and the end of this process releases the chunk too.
        with suppress(OSError):
            writer.release(others_too=shards.size == 1)
        raise
    writer.release()


def follow(task: PackTask, shards: Shards) -> None:
    """Advance the runs of a pack under the orders of the lead, which is the worker that runs :func:`advance`."""
    store, data = opened(task)
    with matmul_of(next(iter(task.runs.values())), data):
        Follower(task, store, data, shards).follow()


def _throttled(events: Iterator[Event], timeout: float | None) -> Iterator[Event]:
    """Yield sums of events, at most two a second, and at once before a wait or an error, and if an event names runs."""
    pending, last, beat = Event(), time.monotonic(), pace(timeout)
    try:
        for event in events:
            pending += event
            if event.advancing is not None or event.committing or time.monotonic() - last >= beat:
                yield pending
                pending, last = Event(), time.monotonic()
    except Exception:
        yield pending
        raise
    yield pending
