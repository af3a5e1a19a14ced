"""How far a sweep is, from its store alone: runs by axis and status, who is at work, and what went wrong."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweepengine.store._beats import Beat, read_beats
from sweepengine.store._claim import FRESH_SECONDS, DriverClaim, epoch_of, read_claims
from sweepengine.store._failed import FailureGroup, failed_run, grouped
from sweepengine.store._marks import runs_of
from sweepengine.store._status import DAMAGED, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._marks import DamagedMarkError, Mark, RunMark
    from sweepengine.store._view import StoreView

STOPPED = "stopped"
"""Label of runs that were begun and that nobody advances; in the store their status is running."""
LABELS = ("done", "diverged", "failed", DAMAGED, "running", STOPPED, "pending")
"""Labels of runs in a survey, in the order in which they are shown."""


@dataclass(frozen=True)
class Seen:
    """One run as a survey sees it.

    Attributes
    ----------
    id : str
    axes : mapping
        Axis → the run's value.
    label : str
        One of :data:`LABELS`.
    records : int
        Committed records.
    of_records : int
        Records of the whole run.
    diverged_step : int
        The step at which the run diverged, or −1.
    """

    id: str
    axes: Mapping[str, Any]
    label: str
    records: int
    of_records: int
    diverged_step: int = -1


@dataclass
class Tally:
    """Runs and records of some runs, counted.

    Attributes
    ----------
    counts : Counter
        Label → runs.
    records, of_records : int
        Committed records, and those that there will be.
    """

    counts: Counter[str] = field(default_factory=Counter)
    records: int = 0
    of_records: int = 0

    def add(self, run: Seen) -> None:
        """Count a run."""
        self.counts[run.label] += 1
        self.records += run.records
        self.of_records += run.of_records

    def to_json(self) -> dict[str, Any]:
        """Plain values; each label has a count."""
        runs = {label: self.counts[label] for label in LABELS}
        return {"runs": runs, "records": self.records, "of_records": self.of_records}


@dataclass(frozen=True)
class Survey:
    """How far a sweep is.

    Attributes
    ----------
    store, name, kind : str
        Address of the store, and name and kind of the sweep that wrote there last.
    taken : float
        When, in seconds since 1970.
    total : Tally
    axes : dict
        Axis → value → tally of the runs with this value.
    additions : dict
        Names of observables that were added later → tally of the runs to which they are added.
    driver : DriverClaim or None
        The newest claim, unless its driver has ended.
    is_driven : bool
        Whether that driver is at work: heard a moment ago, or since the survey before.
    workers : list
        Signs of life of tasks, each with the runs that the task advances.
    diverged : list of Seen
    failures : list of FailureGroup
    troubles : list of str
        Marks that are damaged or lost.
    """

    store: str
    name: str
    kind: str
    taken: float
    total: Tally
    axes: dict[str, dict[Any, Tally]]
    additions: dict[tuple[str, ...], Tally]
    driver: DriverClaim | None
    is_driven: bool
    workers: list[tuple[Beat, list[Seen]]]
    diverged: list[Seen]
    failures: list[FailureGroup]
    troubles: list[str]

    @property
    def records_per_second(self) -> float | None:
        """Records that all workers measure in a second, in the mean since the driver began; None if none is at work."""
        return self._told("records_per_second")

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the driver has done what it was asked for; None where that is not known."""
        left = self._told("seconds_left")
        return None if left is None or self.driver is None else max(0.0, left - max(0.0, self.taken - self.driver.beat))

    def _told(self, what: str) -> float | None:
        told = self.driver.progress.get(what) if self.is_driven and self.driver is not None else None
        return float(told) if isinstance(told, int | float) else None

    def to_json(self) -> dict[str, Any]:
        """Plain values; docs/reliability.md has the keys."""
        return {
            "store": self.store,
            "name": self.name,
            "kind": self.kind,
            "taken": self.taken,
            **self.total.to_json(),
            "records_per_second": self.records_per_second,
            "seconds_left": self.seconds_left,
            "axes": {
                axis: [{"value": value, **tally.to_json()} for value, tally in values.items()]
                for axis, values in self.axes.items()
            },
            "additions": [{"observables": list(names), **tally.to_json()} for names, tally in self.additions.items()],
            "driver": None if self.driver is None else _driver_to_json(self.driver, is_driven=self.is_driven),
            "workers": [_worker_to_json(beat, runs) for beat, runs in self.workers],
            "diverged": [{"id": run.id, "axes": dict(run.axes), "step": run.diverged_step} for run in self.diverged],
            "failures": [{"reason": group.reason, "runs": [run.id for run in group.runs]} for group in self.failures],
            "troubles": self.troubles,
        }


def _driver_to_json(claim: DriverClaim, *, is_driven: bool) -> dict[str, Any]:
    process = None if claim.process is None else {"host": claim.process.host, "pid": claim.process.pid}
    return {"at_work": is_driven, "process": process, "since": claim.since, "heard": claim.beat}


def _worker_to_json(beat: Beat, runs: list[Seen]) -> dict[str, Any]:
    return {
        "process": {"host": beat.process.host, "pid": beat.process.pid},
        "since": beat.since,
        "heard": beat.beat,
        "committed": beat.committed,
        "records": beat.records,
        "runs": [run.id for run in runs],
    }


def survey(store: StoreView, before: Survey | None = None) -> Survey:
    """Look how far a sweep is. Nothing is changed.

    Parameters
    ----------
    store : StoreView
        A store that exists, as it was read a moment ago.
    before : Survey, optional
        An earlier survey: a driver or a task whose heartbeat has changed since is at work, whatever its clock says.
    """
    now = time.time()
    claims = [claim for claim in read_claims(store.objects) if claim.process is not None and not claim.is_over]
    driver = claims[-1] if claims else None
    was = None if before is None or before.driver is None else before.driver
    changed = driver is not None and was is not None and (driver.key, driver.beat) != (was.key, was.beat)
    is_driven = driver is not None and (driver.is_recent or changed)
    heard = {} if before is None else {_name(beat): beat.beat for beat, _ in before.workers}
    beats = {
        _name(beat): beat
        for beat in read_beats(store.objects)
        if not beat.process.is_gone
        and (abs(now - beat.beat) < FRESH_SECONDS or heard.get(_name(beat), beat.beat) != beat.beat)
    }
    specs = store.attributes["specs"]
    table, live = store.table, driver.epoch if is_driven and driver is not None else -1
    labels = {} if table is None else table.labels(entry["spec"] for entry in specs)
    runs: dict[tuple[str, int], Seen] = {}
    adds_to, own, additions = store.adds_to(), list[Seen](), defaultdict[tuple[str, ...], Tally](Tally)
    shorter = set() if table is None else set(table.longer_than.values())
    shapes = store.block_shapes()
    damaged: dict[tuple[str, int], DamagedMarkError] = {}
    for block, marks in store.marks(shapes, damaged):
        shape = shapes[block]
        advanced = _advanced(block, shape, marks, beats, live)
        every = runs_of(shape, marks)
        for position in () if table is None else table.positions[block]:
            is_damaged = (block, position // shape.chunk_runs) in damaged
            label = DAMAGED if is_damaged else _label(every[position], is_advanced=position in advanced)
            mark, (run, axes) = every[position], labels[block, position]
            records, step = (0, -1) if mark is None else (mark.records_done, mark.diverged_step)
            runs[block, position] = seen = Seen(run, axes, label, records, shape.records, step)
            if run in adds_to:
                additions[tuple(variable.name for variable in shape.variables)].add(seen)
            elif run not in shorter:
                own.append(seen)
    return Survey(
        store=store.address,
        name=specs[-1]["spec"]["name"],
        kind=specs[-1]["spec"].get("kind", "networks"),
        taken=now,
        total=_tally(own),
        axes=_by_axis(own),
        additions=dict(additions),
        driver=driver,
        is_driven=is_driven,
        workers=[
            (beat, [runs[beat.block, each] for each in beat.positions if (beat.block, each) in runs])
            for beat in sorted(beats.values(), key=lambda beat: (beat.process.host, beat.process.pid))
        ],
        diverged=[run for run in own if run.label == Status.DIVERGED.label],
        failures=grouped(
            failed_run(store, *place, run.id, run.axes)
            for place, run in runs.items()
            if run.label == Status.FAILED.label
        ),
        troubles=[str(error) for error in damaged.values()],
    )


def _name(beat: Beat) -> tuple[str, int, int]:
    return beat.block, beat.chunk, beat.attempt


def _advanced(
    block: str,
    shape: BlockShape,
    marks: list[Mark | None],
    beats: Mapping[tuple[str, int, int], Beat],
    live: int,
) -> set[int]:
    """Positions of the runs of a block that somebody advances.

    They are those that a task names. Of a chunk that a task of the driver at work has claimed, and of which no task has
    said more, they are all that are unfinished.
    """
    positions: set[int] = set()
    for chunk, mark in enumerate(marks):
        if mark is None or mark.released:
            continue
        beat = beats.get((block, chunk, mark.attempt))
        if beat is not None:
            positions.update(beat.positions)
        elif epoch_of(mark.attempt) == live and mark.is_held:
            first, _ = shape.chunk_span(chunk)
            positions.update(first + index for index, run in enumerate(mark.runs) if not run.status.is_final)
    return positions


def _label(mark: RunMark | None, *, is_advanced: bool) -> str:
    status = Status.PENDING if mark is None else mark.status
    if is_advanced and not status.is_final:
        return Status.RUNNING.label
    return STOPPED if status is Status.RUNNING else status.label


def _tally(runs: Iterable[Seen]) -> Tally:
    tally = Tally()
    for run in runs:
        tally.add(run)
    return tally


def _by_axis(runs: Iterable[Seen]) -> dict[str, dict[Any, Tally]]:
    axes: dict[str, dict[Any, Tally]] = {}
    for run in runs:
        for axis, value in run.axes.items():
            axes.setdefault(axis, {}).setdefault(value, Tally()).add(run)
    return axes
