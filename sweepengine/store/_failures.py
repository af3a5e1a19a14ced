"""Why runs failed: one object for each run, with its traceback and where it was computed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweepengine.store._objects import BrokenSealError, get_sealed, list_objects, put_sealed
from sweepengine.store._process import Process
from sweepengine.store._provenance import provenance

if TYPE_CHECKING:
    from zarr.abc.store import Store

FAILURES = "failures/"
_NAME = re.compile(r"(\d+)\.json")


@dataclass(frozen=True)
class Failure:
    """Why a run failed in its last attempt.

    Attributes
    ----------
    traceback : str
    attempt : int
        Number of the attempt; −1 where it was not kept.
    environment : dict
        Date, Python, machine, versions and process of who has written this: the task, or the driver if the task's
        process has ended. Empty where it was not kept.
    """

    traceback: str
    attempt: int = -1
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The last line of the traceback."""
        lines = self.traceback.strip().splitlines()
        return lines[-1].removeprefix("sweepengine.errors.") if lines else "no reason was kept"


def failure_key(block: str, position: int) -> str:
    """Key of what is kept of a run's failure."""
    return f"{FAILURES}{block}/{position}.json"


def failed_places(store: Store, block: str = "") -> set[tuple[str, int]]:
    """(block, position) of the runs of which a failure is kept, of one block or of all; they may have ended since."""
    keys = list_objects(store, f"{FAILURES}{block}/" if block else FAILURES)
    names = ((key.split("/")[1], _NAME.fullmatch(key.rsplit("/", 1)[-1])) for key in keys)
    return {(name, int(number[1])) for name, number in names if number}


def read_failure(store: Store, block: str, position: int) -> Failure | None:
    """Why a run failed, or None if nothing is kept; in place of a damaged traceback, a text that says so."""
    key = failure_key(block, position)
    try:
        content = get_sealed(store, key, or_unsealed=True)
        if content is None:
            return None
        return Failure(str(content["traceback"]), content.get("attempt", -1), content.get("environment", {}))
    except (BrokenSealError, TypeError, KeyError):
        return Failure(f"{key}: what it says of the failure is damaged")


def write_failure(store: Store, block: str, position: int, traceback: str, attempt: int) -> None:
    """Keep why a run failed."""
    _put(store, block, position, Failure(traceback, attempt, provenance() | {"process": Process.current().to_json()}))


def copy_failures(store: Store, block: str, span: tuple[int, int], to: str) -> None:
    """Keep the failures of a span of runs at the place to which these runs move, the beginning of another block."""
    for _, position in failed_places(store, block):
        failure = read_failure(store, block, position) if span[0] <= position < span[1] else None
        if failure is not None:
            _put(store, to, position - span[0], failure)


def _put(store: Store, block: str, position: int, failure: Failure) -> None:
    content = {
        "block": block,
        "position": position,
        "traceback": failure.traceback,
        "attempt": failure.attempt,
        "environment": failure.environment,
    }
    put_sealed(store, failure_key(block, position), content)
