"""Marks: the one atomic statement of what a chunk of runs has committed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import StoreError
from sweepengine.store._objects import get_json, list_objects, put_json
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from zarr.abc.store import Store


@dataclass(frozen=True)
class RunMark:
    """One run's part of a mark.

    Attributes
    ----------
    status : Status
    records_done : int
        Records that are valid; what lies beyond in the arrays is not.
    diverged_step : int
        The step at which it diverged, or −1.
    peak_memory : int
        The most bytes of resident memory that the worker which finished it held meanwhile; −1 if unknown.
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
        The runs that it continues, by their positions in the block.
    key, digest : str
        Where it lies, and the digest of its bytes.
    rows : tuple of int or None
        First particle and the first after it, where each shard of a run has written its own part; None: the whole.
    """

    positions: tuple[int, ...]
    key: str
    digest: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Mark:
    """What one chunk has committed.

    Attributes
    ----------
    attempt : int
        Number of the attempt that wrote it; a takeover has a higher one.
    owner : str
        Which driver's attempt it is, so that two drivers cannot share a number unnoticed.
    runs : tuple of RunMark
        In the order of the chunk.
    states : tuple of StateRef
        The states to resume from, of different runs or of parts of one; mostly one or none.
    """

    attempt: int
    owner: str
    runs: tuple[RunMark, ...]
    states: tuple[StateRef, ...] = ()

    def claimed(self, attempt: int, owner: str) -> Mark:
        """The same content under a new attempt."""
        return replace(self, attempt=attempt, owner=owner)


def mark_key(block: str, chunk: int) -> str:
    """Where a chunk's mark lies."""
    return f"marks/{block}/{chunk}.json"


def state_prefix(block: str, chunk: int) -> str:
    """Where a chunk's states lie."""
    return f"state/{block}/{chunk}/"


def _from_json(content: dict[str, Any]) -> Mark:
    runs = tuple(RunMark(**each | {"status": Status[each["status"].upper()]}) for each in content["runs"])
    states = tuple(_state_from_json(each) for each in content["states"])
    return Mark(**content | {"runs": runs, "states": states})


def _state_from_json(content: dict[str, Any]) -> StateRef:
    rows = content.get("rows")
    return StateRef(**content | {"positions": tuple(content["positions"]), "rows": rows and (rows[0], rows[1])})


def read_mark(store: Store, block: str, chunk: int) -> Mark | None:
    """A chunk's mark, or None before the first attempt.

    Raises
    ------
    StoreError
        There is one and it cannot be understood.
    """
    try:
        content = get_json(store, mark_key(block, chunk))
        return None if content is None else _from_json(content)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{mark_key(block, chunk)} in the store is damaged: {error}; delete it to compute its runs again"
        ) from error


def write_mark(store: Store, block: str, chunk: int, mark: Mark) -> None:
    """Replace a chunk's mark."""
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
    put_json(
        store,
        mark_key(block, chunk),
        {
            "attempt": mark.attempt,
            "owner": mark.owner,
            "runs": runs,
            "states": [asdict(state) for state in mark.states],
        },
    )


def read_failure(store: Store, block: str) -> dict[int, str]:
    """Tracebacks of a block's failed runs, by position."""
    found = {}
    for key in list_objects(store, f"failures/{block}/"):
        content = get_json(store, key) if key.endswith(".json") else None  # not what a killed writer has left
        if content is not None:
            found[int(content["position"])] = str(content["traceback"])
    return found


def write_failure(store: Store, block: str, position: int, traceback: str) -> None:
    """Keep the traceback of a failed run."""
    put_json(store, f"failures/{block}/{position}.json", {"position": position, "traceback": traceback})
