"""Additions: blocks of further observables, beside the blocks of the runs to which they belong.

A spec that names more observables than the store has recorded leaves the runs as they are. Each gets an addition: the
same run with all the observables, computed again, of which a block of its own keeps those that are new. The addition
counts once it has come to its end, because only then was it compared with everything that is stored of the run.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.store._marks import runs_of
from sweepengine.store._run_table import stretches
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sweepengine.observe import Variable
    from sweepengine.store._layout import BlockShape
    from sweepengine.store._marks import RunMark
    from sweepengine.store._run_table import RunTable
    from sweepengine.store._view import StoreView

NOWHERE = ""
"""Stands for the block of a variable that a run does not have."""


class Additions:
    """Which block holds a variable of a run, in a store with or without additions.

    Parameters
    ----------
    table : RunTable
    shapes : mapping
        Block → its shape.
    marks : mapping
        Block → the marks of its runs, by position.

    Attributes
    ----------
    marks : dict
        The marks as readers take them: those of additions that are not at their end are None.
    """

    def __init__(
        self, table: RunTable, shapes: Mapping[str, BlockShape], marks: Mapping[str, Sequence[RunMark | None]]
    ) -> None:
        self._table, self._runs, self._of = table, table.of_runs(), table.additions()
        self._names = {block: {variable.name for variable in shape.variables} for block, shape in shapes.items()}
        self._every = {variable.name: variable for shape in shapes.values() for variable in shape.variables}
        blocks = {block for places in self._of.values() for block, _ in places}
        self.marks: dict[str, Sequence[RunMark | None]] = {
            block: [run if run and run.status.is_final else None for run in marks[block]]
            if block in blocks
            else marks[block]
            for block in shapes
        }

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable of the store."""
        return tuple(self._every.values())

    def segments(self, name: str) -> list[tuple[str, int, int]]:
        """Stretches of the runs whose values of a variable lie together, as :meth:`RunTable.segments` has them.

        The block of runs that do not have the variable is :data:`NOWHERE`.
        """
        if not self._of:
            return self._runs.segments()
        places = zip(self._runs.columns["id"], self._runs.columns["block"], self._runs.columns["position"], strict=True)
        return stretches(
            next(
                (place for place in ((block, int(position)), *self._of.get(run, ())) if name in self._names[place[0]]),
                (NOWHERE, row),
            )
            for row, (run, block, position) in enumerate(places)
        )

    def records(self) -> dict[str, Any]:
        """The coordinate ``records_added``."""
        said = {"long_name": "number of records at which the run has its further observables too"}
        return {"records_added": ("run", np.array([self._held(row) for row in range(len(self._runs))]), said)}

    def _held(self, row: int) -> int:
        """Records at which a run has every variable of the store."""
        places = self._places(row)
        if set(self._every) - set().union(*(self._names[block] for block, _ in places)):
            return 0
        marks = [self.marks[block][position] for block, position in places]
        return min(0 if mark is None else mark.records_done for mark in marks)

    def _places(self, row: int) -> list[tuple[str, int]]:
        run, block, position = (self._runs.columns[name][row] for name in ("id", "block", "position"))
        return [(str(block), int(position)), *self._of.get(str(run), ())]

    def lacking(self) -> str:
        """Which variables some finished runs do not have yet; empty if each has them all."""
        counts: dict[str, int] = {}
        for row in range(len(self._runs)) if self._of else ():
            (block, position), *added = self._places(row)
            mark = self.marks[block][position]
            if mark is not None and mark.status.is_final:
                there = [name for name, at in added if self.marks[name][at] is not None]
                held = self._names[block].union(*(self._names[name] for name in there))
                for name in self._every.keys() - held:
                    counts[name] = counts.get(name, 0) + 1
        return ", ".join(f"{name} of {counts[name]} of {len(self._runs)} runs" for name in sorted(counts))


def replaced(table: RunTable, marks: Mapping[str, Sequence[RunMark | None]]) -> tuple[set[str], int]:
    """Choose the runs that are not shown: the longer ones until all of them have ended, and then the shorter ones.

    Runs of two times are not shown together while runs are being made longer: a fit would take one for the other.

    Parameters
    ----------
    table : RunTable
    marks : mapping
        Block → the marks of its runs, by position.

    Returns
    -------
    set of str, int
        Ids of the runs that are not shown; number of the longer runs that have not ended, for which all others wait.
    """
    places, longer_than = table.places(), table.longer_than
    generations: dict[int, list[str]] = defaultdict(list)
    for run in longer_than:
        generation, earlier = 0, run
        while earlier := longer_than.get(earlier, ""):
            generation += 1
        generations[generation].append(run)
    hidden, waiting = set[str](), 0
    for _, runs in sorted(generations.items()):
        found = [marks[block][position] for block, position in (places[run] for run in runs)]
        waiting += sum(mark is None or not (mark.status.is_final or mark.status is Status.FAILED) for mark in found)
        hidden |= set(runs) if waiting else {longer_than[run] for run in runs}
    return hidden, waiting


def training_times(specs: Iterable[Mapping[str, Any]]) -> list[float]:
    """The training times that specs say, in order."""
    parts = (part for spec in specs for part in spec.values() if isinstance(part, dict))
    return sorted({float(part["time"]) for part in parts if "time" in part})


def unlike_their_runs(store: StoreView) -> Iterator[tuple[str, int, str]]:
    """The finished additions that were compared with other numbers than the store has of their runs now.

    Yields
    ------
    str, int, str
        Block and position of the addition; names of the variables whose digests differ.
    """
    every = {} if store.table is None else store.table.additions()
    if not every:
        return
    shapes, runs = store.block_shapes(), store.places()
    marks = {block: runs_of(shapes[block], found) for block, found in store.marks(shapes, {})}
    for run, additions in every.items():
        places = [runs[run], *additions]
        for number, (block, position) in enumerate(places):
            added = marks[block][position]
            for earlier, at in places[:number]:
                known = marks[earlier][at]
                if added is None or known is None or not (added.status.is_final and known.status.is_final):
                    continue  # nothing was compared, or the run is being computed again
                names = (variable.name for variable in shapes[earlier].variables)
                if unlike := [name for name in names if added.digests.get(name) != known.digests.get(name)]:
                    yield block, position, ", ".join(unlike)
