"""Attempts at a chunk: who may write there.

An attempt is one try of one task to advance a chunk of runs. Attempts have numbers, which only grow.

The name of a mark carries the number of its attempt. So a worker that was suspended before it wrote its mark, and wakes
after a later attempt has taken over, writes an object that nobody reads. The names of arrays cannot carry the number,
because every reader of zarr must find them. So an attempt writes into a chunk only if every earlier attempt is known to
write no more. Otherwise the driver moves the chunk's runs to a new block (:mod:`sweepengine.store._relocate`).
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sweepengine.errors import StoreError
from sweepengine.store._marks import Mark, RunMark, attempts_at, mark_key, read_attempt, read_mark, write_mark
from sweepengine.store._meanwhile import side_by_side
from sweepengine.store._objects import delete_object
from sweepengine.store._publication import must_be_published

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from sweepengine.store._process import Process

HELD_SECONDS = 5.0
"""How long an attempt waits for an earlier attempt to end whose processes run on this machine."""
_POLL_SECONDS = 0.1


class SupersededError(Exception):
    """A later attempt has taken this chunk over; this attempt must stop without writing."""


class HeldError(Exception):
    """An earlier attempt may still write into this chunk: it is alive, suspended, or on another machine.

    Attributes
    ----------
    block : str
    chunk : int
    """

    def __init__(self, block: str, chunk: int) -> None:
        super().__init__(block, chunk)
        self.block, self.chunk = block, chunk

    def __str__(self) -> str:
        return f"block {self.block} chunk {self.chunk} is held by an attempt that may still write"


def claim_chunk(
    store: Store, block: str, chunk: int, size: int, attempt: int, processes: tuple[Process, ...]
) -> tuple[Mark, bool]:
    """Take a chunk of runs over from earlier attempts, once they write no more.

    An attempt first writes its own mark and then looks for the marks of other attempts. So of two attempts at least one
    sees the other: the earlier one stops, and the later one stays out while the earlier one may still write.

    Parameters
    ----------
    store, block, chunk
    size : int
        Number of runs in the chunk.
    attempt : int
        Number of this attempt, higher than that of any attempt before.
    processes : tuple of Process
        The processes that will write.

    Returns
    -------
    mark : Mark
        The new attempt's mark, which repeats what earlier attempts have committed.
    is_first : bool
        Whether the chunk has seen no earlier attempt. Then it is left to the caller to write the mark, which has
        nothing to repeat; else it is in the store already.

    Raises
    ------
    SupersededError
        A later attempt has the chunk.
    HeldError
        An earlier attempt may still write there.
    DamagedMarkError
        The mark of an earlier attempt is damaged.
    StoreError
        The store was removed.
    """
    claimed = Mark(attempt, processes)
    try:
        side_by_side(store, partial(must_be_published, store), partial(write_mark, store, block, chunk, claimed))
        earlier = check_attempt(store, block, chunk, attempt)
        committed = _of_ended_attempts(store, block, chunk, earlier)
    except BaseException:
        with suppress(OSError):  # the error that is being raised matters more
            delete_object(store, mark_key(block, chunk, attempt))
        raise
    known = committed or Mark(0, runs=(RunMark(),) * size)
    mark = replace(claimed, runs=known.runs, states=known.states, tails=known.tails)
    is_first = committed is None and not earlier
    if not is_first:
        write_mark(store, block, chunk, mark)
    for number in earlier:
        delete_object(store, mark_key(block, chunk, number))
    return mark, is_first


def _of_ended_attempts(store: Store, block: str, chunk: int, attempts: list[int]) -> Mark | None:
    """The mark of what earlier attempts have committed; it is read once none of them writes any more."""
    for attempt in attempts:
        _wait_for_its_end(store, block, chunk, attempt)
    mark = read_mark(store, block, chunk, attempts)
    if mark is not None and mark.is_legacy and not all(run.status.is_final for run in mark.runs):
        raise HeldError(block, chunk)
    return mark


def check_attempt(store: Store, block: str, chunk: int, attempt: int) -> list[int]:
    """Raise unless an attempt still holds a chunk: its mark is there, and no later attempt has put one.

    Returns
    -------
    list of int
        The earlier attempts that have a mark of the chunk, ascending.

    Raises
    ------
    SupersededError
        A later attempt has a mark of the chunk.
    StoreError
        The attempt's own mark is gone.
    """
    attempts = attempts_at(store, block, chunk)
    if attempts and attempts[-1] > attempt:
        raise SupersededError(f"{block} chunk {chunk}: attempt {attempts[-1]} has taken over from {attempt}")
    if attempt not in attempts:
        raise StoreError(
            f"{mark_key(block, chunk, attempt)} is gone: the store was removed while it was written; "
            "run the same command again"
        )
    return attempts[:-1]


def _wait_for_its_end(store: Store, block: str, chunk: int, attempt: int) -> None:
    """Return when an earlier attempt writes no more; raise :class:`HeldError` if it may still write after a while.

    The wait is worth while because Ray's workers outlive a killed driver by seconds.
    """
    deadline = time.monotonic() + HELD_SECONDS
    while (mark := read_attempt(store, block, chunk, attempt)) is not None and mark.is_held:
        ends_soon = all(process.is_gone or process.may_end_soon for process in mark.processes)
        if not ends_soon or time.monotonic() > deadline:
            raise HeldError(block, chunk)
        time.sleep(_POLL_SECONDS)
