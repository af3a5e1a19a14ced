"""Signs of life of tasks, for those who watch a store: which runs a task advances, and how far it is.

Nothing depends on them. A task puts its first sign after a second and takes it away at its end, so tasks that are
shorter write none. A task that was killed leaves its sign.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sweepengine.store._claim import BEAT_SECONDS
from sweepengine.store._meanwhile import begin
from sweepengine.store._objects import delete_object, get_objects, list_objects, put_sealed, unsealed
from sweepengine.store._process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from zarr.abc.store import Store

WORKERS = "workers/"
_FIRST_SECONDS = 1.0


@dataclass(frozen=True)
class Beat:
    """A task's last sign of life.

    Attributes
    ----------
    block : str
    chunk, attempt : int
        The chunk that the task advances, and the number of its attempt.
    positions : tuple of int
        Positions in the block of the runs that it advances.
    process : Process
        The task's process; of several shards the first's.
    since, beat : float
        When the task began and when it said this, in seconds since 1970.
    committed : float or None
        When it last committed; None before.
    records : int
        Records that it has measured.
    """

    block: str
    chunk: int
    attempt: int
    positions: tuple[int, ...]
    process: Process
    since: float
    beat: float
    committed: float | None
    records: int


class TaskBeat:
    """Puts the signs of life of one task.

    Parameters
    ----------
    store : Store
    block : str
    chunk, attempt : int
        The task's first chunk, and the number of its attempt at it; they name the object.

    Attributes
    ----------
    due : float
        When the next sign is due, in seconds of the monotonic clock; the task looks at it after each step.
    records : int
        Records that the task has measured; the task counts them.
    """

    def __init__(self, store: Store, block: str, chunk: int, attempt: int) -> None:
        self._store, self._key = store, f"{WORKERS}{block}-{chunk}-{attempt:09d}.json"
        self._block, self._since = block, time.time()
        self._committed: float | None = None
        self._putting: Future[None] | None = None
        self.records, self.due = 0, time.monotonic() + _FIRST_SECONDS

    def committed(self) -> None:
        """Note that the task has committed."""
        self._committed = time.time()

    def put(self, chunk: int, attempt: int, positions: tuple[int, ...]) -> None:
        """Say which runs of which chunk the task advances."""
        self.due = time.monotonic() + BEAT_SECONDS
        content = {
            "block": self._block,
            "chunk": chunk,
            "attempt": attempt,
            "positions": list(positions),
            "process": Process.current().to_json(),
            "since": self._since,
            "beat": time.time(),
            "committed": self._committed,
            "records": self.records,
        }
        if self._putting is None or self._putting.done():
            self._putting = begin(self._store, partial(self._put, content))

    def _put(self, content: Mapping[str, Any]) -> None:
        with suppress(OSError):  # a full disk, a lost network: the commits say so
            put_sealed(self._store, self._key, content)

    def end(self) -> None:
        """Take the sign away."""
        if self._putting is not None:
            self._putting.result()
            with suppress(OSError):
                delete_object(self._store, self._key)


def read_beats(store: Store) -> list[Beat]:
    """The signs of life in a store, also those that killed tasks have left; damaged ones are passed over."""
    keys = [key for key in list_objects(store, WORKERS) if key.endswith(".json")]
    beats = []
    for content in get_objects(store, keys):
        with suppress(ValueError, TypeError, KeyError):
            known = {} if content is None else unsealed(content)
            process, positions = Process(**known.pop("process")), tuple(known.pop("positions"))
            beats.append(Beat(process=process, positions=positions, **known))
    return beats
