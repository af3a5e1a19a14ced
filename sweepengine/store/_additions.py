"""Additions: blocks of further observables, beside the blocks of the runs to which they belong.

A spec that names more observables than the store has recorded leaves the runs as they are. Each gets an addition: the
same run with all the observables, computed again, of which a block of its own keeps those that are new. The addition
counts once it has come to its end, because only then was it compared with everything that is stored of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.store._run_table import stretches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.observe import Variable
    from sweepengine.store._layout import BlockShape
    from sweepengine.store._marks import RunMark
    from sweepengine.store._run_table import RunTable

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
            block: [run if run and run.status.is_final else None for run in runs] if block in blocks else runs
            for block, runs in marks.items()
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
        """The coordinate ``records_added`` of a store with additions; no coordinate otherwise."""
        if not self._of:
            return {}
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
