"""The runs of a store that have failed, each with its axes and why; alike ones together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweepengine.store._failures import Failure, read_failure
from sweepengine.store._marks import runs_of
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sweepengine.store._view import StoreView

_NOT_KEPT = Failure("")


@dataclass(frozen=True)
class FailedRun:
    """One run that has failed.

    Attributes
    ----------
    id : str
    axes : dict
        Axis → the run's value.
    block : str
    position : int
        Place of the run in the store.
    failure : Failure
        Its traceback is empty where none was kept.
    """

    id: str
    axes: dict[str, Any]
    block: str
    position: int
    failure: Failure

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the traceback."""
        return {
            "id": self.id,
            "axes": self.axes,
            "block": self.block,
            "position": self.position,
            "attempt": self.failure.attempt,
            "environment": self.failure.environment,
        }


def failed_runs(store: StoreView) -> Iterator[FailedRun]:
    """The runs whose status is failed now, in the order of the table of runs within each block.

    A run whose mark is damaged is passed over: nothing is known of it.
    """
    if store.table is None:
        return
    labels = store.table.labels(entry["spec"] for entry in store.attributes["specs"])
    shapes = store.block_shapes()
    for block, marks in store.marks(shapes, {}):
        runs = runs_of(shapes[block], marks)
        for position in store.table.positions[block]:
            mark = runs[position]
            if mark is not None and mark.status is Status.FAILED:
                yield failed_run(store, block, position, *labels[block, position])


def failed_run(store: StoreView, block: str, position: int, run: str, axes: Mapping[str, Any]) -> FailedRun:
    """A run that is known to have failed, with what is kept of its failure."""
    failure = read_failure(store.objects, block, position) or _NOT_KEPT
    return FailedRun(run, dict(axes), block, position, failure)


@dataclass(frozen=True)
class FailureGroup:
    """Runs that failed with one traceback.

    Attributes
    ----------
    reason, traceback : str
    runs : tuple of FailedRun
    """

    reason: str
    traceback: str
    runs: tuple[FailedRun, ...]

    def environments(self) -> list[dict[str, Any]]:
        """The environments of the runs, dates aside each once, with that of the first run that has it."""
        seen: dict[str, dict[str, Any]] = {}
        for run in self.runs:
            known = {key: value for key, value in run.failure.environment.items() if key != "date"}
            seen.setdefault(repr(known), run.failure.environment)
        return [each for each in seen.values() if each]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "reason": self.reason,
            "traceback": self.traceback,
            "runs": [run.to_json() for run in self.runs],
        }


def grouped(runs: Iterable[FailedRun]) -> list[FailureGroup]:
    """Failed runs by their tracebacks; the group with the most runs comes first."""
    groups: dict[str, list[FailedRun]] = {}
    for run in runs:
        groups.setdefault(run.failure.traceback, []).append(run)
    made = [FailureGroup(some[0].failure.reason, text, tuple(some)) for text, some in groups.items()]
    return sorted(made, key=lambda group: -len(group.runs))
