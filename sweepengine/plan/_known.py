"""What a store knows of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.store import Status, failed_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape, RunMark, SweepStore


def known_marks(
    runs: Iterable[AnyRun], places: Mapping[str, tuple[str, int]], shapes: Mapping[str, BlockShape], store: SweepStore
) -> dict[str, RunMark | None]:
    """Run id → mark, for the runs that have a place in the store."""
    placed = {run.id: places[run.id] for run in runs if run.id in places}
    marks = dict(store.run_marks({block: shapes[block] for block, _ in placed.values()}))
    return {run: marks[block][position] for run, (block, position) in placed.items()}


def failed_before(
    known: Mapping[str, RunMark | None], places: Mapping[str, tuple[str, int]], store: SweepStore
) -> frozenset[str]:
    """Ids of the runs in the store that have failed before and not ended since."""
    unfinished = {run: mark for run, mark in known.items() if mark is not None and not mark.status.is_final}
    kept = failed_places(store.objects) if unfinished else set()
    return frozenset(run for run, mark in unfinished.items() if mark.status is Status.FAILED or places[run] in kept)
