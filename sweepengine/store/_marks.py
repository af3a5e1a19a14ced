"""Marks: the one atomic statement of what a chunk of runs has committed.

Every attempt has a mark of its own, and the newest one that says what is committed counts.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sweepengine.errors import DamagedError
from sweepengine.store._objects import (
    BrokenSealError,
    get_json,
    get_object,
    get_objects,
    list_objects,
    put_sealed,
    unsealed,
)
from sweepengine.store._process import Process
from sweepengine.store._publication import LOOKS
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zarr.abc.store import Store

    from sweepengine.store._layout import BlockShape

_MARK = re.compile(r"(\d{9,})\.json")
_LEGACY_BLOCK = re.compile(r"[^-]*-[^-]*-[^-]*")
"""The name of a block of layout version 2; later ones end with the number of the driver that made them."""
_STATE = re.compile(r"(\d+)-\d+-[abk](-\d+)?\.npz")
_KEPT = "-k.npz"
"""End of the keys of the last states of finished runs."""
_TOGETHER = 64
"""Marks that are read at a time: their bytes, of up to 256 runs each, are held together."""


class DamagedMarkError(DamagedError):
    """A mark is there, but it is not what was written."""


@dataclass(frozen=True)
class RunMark:
    """One run's part of a mark.

    Attributes
    ----------
    status : Status
    records_done : int
        Number of valid records. What the arrays hold beyond them is not valid.
    diverged_step : int
        The step at which the run diverged, or −1.
    peak_memory : int
        Largest resident memory of the worker while it finished the run, in bytes; −1 if unknown.
    digests : dict of str
        Variable → chained digest of its valid records.
    """

    status: Status = Status.PENDING
    records_done: int = 0
    diverged_step: int = -1
    peak_memory: int = -1
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StateRef:
    """A state to resume from.

    Attributes
    ----------
    positions : tuple of int
        Positions in the block of the runs that the state continues.
    key, digest : str
        Key of the object that holds the state, and digest of its bytes.
    rows : tuple of int or None
        If each shard of a run has written its own part: first particle of this part and the first after it. None for a
        whole state.
    """

    positions: tuple[int, ...]
    key: str
    digest: str
    rows: tuple[int, int] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it is the last state of a finished run, from which a longer run goes on."""
        return self.key.endswith(_KEPT)


@dataclass(frozen=True)
class Mark:
    """What one chunk has committed.

    Attributes
    ----------
    attempt : int
        Number of the attempt that wrote the mark; a later attempt has a higher one.
    processes : tuple of Process
        The processes that may write under this attempt.
    released : bool
        Whether the attempt has said that it will write no more.
    runs : tuple of RunMark
        In the order of the chunk; empty if the attempt has claimed the chunk and not yet looked at what is there.
    states : tuple of StateRef
        The states to resume from, of different runs or of parts of one run; mostly one or none.
    tails : dict of str
        Path of a stored chunk in the block → the checksum with which the chunk ends, in hexadecimal digits. So readers
        see without computing a digest whether a chunk is the one that the mark speaks of. Pieces that other shards have
        written are left out.
    is_legacy : bool
        Whether the mark is of layout version 2, which did not say who writes.
    """

    attempt: int
    processes: tuple[Process, ...] = ()
    released: bool = False
    runs: tuple[RunMark, ...] = ()
    states: tuple[StateRef, ...] = ()
    tails: dict[str, str] = field(default_factory=dict)
    is_legacy: bool = False

    @property
    def is_held(self) -> bool:
        """Whether the attempt may still write, as far as this machine can know."""
        if self.released:
            return False
        return self.is_legacy or not all(process.is_gone for process in self.processes)


def mark_key(block: str, chunk: int, attempt: int) -> str:
    """Key of an attempt's mark of a chunk."""
    return f"{mark_prefix(block, chunk)}{attempt:09d}.json"


def mark_prefix(block: str, chunk: int) -> str:
    """Beginning of the keys of a chunk's marks."""
    return f"marks/{block}/{chunk}/"


def _legacy_key(block: str, chunk: int) -> str:
    return f"marks/{block}/{chunk}.json"


def state_prefix(block: str, chunk: int) -> str:
    """Beginning of the keys of a chunk's states."""
    return f"state/{block}/{chunk}/"


def attempt_of_mark(key: str) -> int | None:
    """The attempt whose mark has a key below ``marks/``; None for what is no attempt's mark."""
    mark = _MARK.fullmatch(key.rsplit("/", 1)[-1])
    return None if mark is None else int(mark[1])


def attempt_of_state(name: str) -> int | None:
    """The attempt that wrote a state, from its name right below :func:`state_prefix`; None for what is no state."""
    state = _STATE.fullmatch(name)
    return None if state is None else int(state[1])


def _runs_from_json(content: list[dict[str, Any]]) -> tuple[RunMark, ...]:
    return tuple(RunMark(**each | {"status": Status[each["status"].upper()]}) for each in content)


def _state_from_json(content: dict[str, Any]) -> StateRef:
    rows = content.get("rows")
    return StateRef(**content | {"positions": tuple(content["positions"]), "rows": rows and (rows[0], rows[1])})


def attempts_at(store: Store, block: str, chunk: int) -> list[int]:
    """Numbers of the attempts that have a mark of a chunk, ascending."""
    prefix = mark_prefix(block, chunk)
    names = (_MARK.fullmatch(key.removeprefix(prefix)) for key in list_objects(store, prefix))
    return sorted(int(name[1]) for name in names if name)


def read_attempt(store: Store, block: str, chunk: int, attempt: int) -> Mark | None:
    """The mark of one attempt, or None if it has none.

    Raises
    ------
    DamagedMarkError
        The mark is not what was written.
    """
    return _understood(get_object(store, mark_key(block, chunk, attempt)), block, chunk, attempt)


def _understood(stored: bytes | None, block: str, chunk: int, attempt: int) -> Mark | None:
    """What the stored mark of an attempt says; None if there is none."""
    if stored is None:
        return None
    try:
        content = unsealed(stored)
        if (content["block"], content["chunk"], content["attempt"]) != (block, chunk, attempt):
            raise BrokenSealError(f"it is the mark of {content['block']} chunk {content['chunk']}")
        return Mark(
            attempt,
            tuple(Process(**each) for each in content["processes"]),
            content["released"],
            _runs_from_json(content["runs"]),
            tuple(_state_from_json(each) for each in content["states"]),
            content["tails"],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(mark_key(block, chunk, attempt), error) from error


def read_mark(store: Store, block: str, chunk: int, attempts: Iterable[int] | None = None) -> Mark | None:
    """The newest mark that says what a chunk has committed, or None before the first attempt.

    Parameters
    ----------
    store, block, chunk
    attempts : iterable of int, optional
        Numbers of the attempts that had a mark of the chunk a moment ago, ascending; looked up if not given.

    Returns
    -------
    Mark or None

    Raises
    ------
    DamagedMarkError
        The mark is there, but it is not what was written.
    """
    known = None if attempts is None else list(attempts)
    for _ in range(LOOKS):
        for attempt in reversed(attempts_at(store, block, chunk) if known is None else known):
            mark = read_attempt(store, block, chunk, attempt)
            if mark is None:
                break  # a later attempt has just deleted it
            if mark.runs:
                return mark
        else:
            return _read_legacy(store, block, chunk)
        known = None
    raise DamagedMarkError(f"{mark_prefix(block, chunk)} has marks that are listed and cannot be read; delete them")


def read_marks(store: Store, chunks: Mapping[str, int]) -> Iterator[tuple[str, list[Mark | DamagedMarkError | None]]]:
    """:func:`read_mark` of all chunks of some blocks, from one listing and side by side; of a damaged mark, the error.

    Parameters
    ----------
    store : Store
    chunks : mapping
        Block → number of its chunks.

    Yields
    ------
    (str, list)
        A block and the marks of its chunks, in the order of ``chunks``.
    """
    attempts: dict[tuple[str, int], list[int]] = {}
    keys = list_objects(store, f"marks/{next(iter(chunks))}/" if len(chunks) == 1 else "marks/") if chunks else []
    for key in keys:
        _, block, number, name = [*key.split("/", 3), "", ""][:4]
        if number.isdigit() and (attempt := _MARK.fullmatch(name)):
            attempts.setdefault((block, int(number)), []).append(int(attempt[1]))
    marks = _each(store, ((block, chunk) for block, count in chunks.items() for chunk in range(count)), attempts)
    for block, count in chunks.items():
        yield block, list(itertools.islice(marks, count))


def _each(
    store: Store, places: Iterable[tuple[str, int]], attempts: Mapping[tuple[str, int], list[int]]
) -> Iterator[Mark | DamagedMarkError | None]:
    """The mark of each of some chunks, which had marks of some attempts a moment ago."""
    left = iter(places)
    while some := list(itertools.islice(left, _TOGETHER)):
        newest = {place: max(attempts[place]) for place in some if place in attempts}
        keys = [mark_key(*place, attempt) for place, attempt in newest.items()]
        stored = dict(zip(newest, get_objects(store, keys), strict=True))
        for place in some:
            try:
                mark = _understood(stored.get(place), *place, newest.get(place, 0))
                if mark is None or not mark.runs:  # an earlier attempt may have said what is committed
                    mark = read_mark(store, *place, sorted(attempts.get(place, ())))
            except DamagedMarkError as error:
                yield error
            else:
                yield mark


def _read_legacy(store: Store, block: str, chunk: int) -> Mark | None:
    """A chunk's mark in layout version 2, which has one mark for all attempts."""
    if _LEGACY_BLOCK.fullmatch(block) is None:
        return None
    key = _legacy_key(block, chunk)
    try:
        content = get_json(store, key)
        if content is None:
            return None
        states = tuple(_state_from_json(each) for each in content["states"])
        return Mark(int(content["attempt"]), runs=_runs_from_json(content["runs"]), states=states, is_legacy=True)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(key, error) from error


def _damaged(key: str, cause: Exception) -> DamagedMarkError:
    return DamagedMarkError(f"{key} is damaged: {cause}; `sweepengine repair` has its runs computed again")


def write_mark(store: Store, block: str, chunk: int, mark: Mark) -> None:
    """Replace an attempt's mark of a chunk."""
    runs = [
        {
            "status": run.status.label,
            "records_done": run.records_done,
            "diverged_step": run.diverged_step,
            "peak_memory": run.peak_memory,
            "digests": run.digests,
        }
        for run in mark.runs
    ]
    content = {
        "block": block,
        "chunk": chunk,
        "attempt": mark.attempt,
        "processes": [process.to_json() for process in mark.processes],
        "released": mark.released,
        "runs": runs,
        "states": [asdict(state) for state in mark.states],
        "tails": mark.tails,
    }
    put_sealed(store, mark_key(block, chunk, mark.attempt), content)


def runs_of(shape: BlockShape, marks: Sequence[Mark | None]) -> list[RunMark | None]:
    """The mark of each run of a block, by position, from the marks of all its chunks."""
    runs: list[RunMark | None] = []
    for chunk, mark in enumerate(marks):
        first, stop = shape.chunk_span(chunk)
        runs += [None] * (stop - first) if mark is None else mark.runs
    return runs
