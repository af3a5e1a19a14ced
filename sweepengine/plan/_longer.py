"""Runs that a store has already, trained for less time: where a run goes on from the state that was kept at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import SpecError, StoreError
from sweepengine.plan._work import JoinedWork
from sweepengine.spec import make_spec
from sweepengine.store import Status, runs_of, training_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sweepengine.plan._step_size import References
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, SweepStore


@dataclass(frozen=True)
class Longer:
    """What a store has of a run, up to an earlier time.

    Attributes
    ----------
    shorter : str
        Id of the run in the store.
    time : float
        Its training time.
    records : int
        Its records, all of which the longer run has too, if the run goes on from its end; 0 where it begins at t = 0.
    why : str
        Why it begins at t = 0; empty where it goes on.
    share : float
        The share of the steps that is left.
    """

    shorter: str
    time: float
    records: int = 0
    why: str = ""
    share: float = 1.0


def find_longer(
    spec: AnySpec,
    runs: Sequence[AnyRun],
    store: SweepStore,
    references: References,
    recorded: Sequence[tuple[str, ...]],
) -> dict[str, Longer]:
    """Find the runs of a sweep that its store has up to an earlier time.

    Parameters
    ----------
    spec : AnySpec
    runs : sequence of AnyRun
        All runs of the sweep.
    store : SweepStore
    references : References
    recorded : sequence of tuple of str
        Sets of observables that the store's specs have named.

    Returns
    -------
    dict
        Run id → the longest that the store has.

    Raises
    ------
    StoreError
        There are new runs of less time than the store has by now.
    """
    section, times = _times(spec, store)
    places = store.places() if times else {}
    new = [run for run in runs if run.id not in places]
    if new and times and max(times) > new[0].time:
        raise StoreError(
            f"store: {section}.time: the store has runs of time {max(times):g} by now, so its new runs need it too; "
            f"found {new[0].time:g}; take {max(times):g}, or name another --store"
        )
    found: dict[str, Longer] = {}
    earlier = sorted(time for time in times if runs and time < runs[0].time)
    if not earlier:
        return found
    kept = _Kept(store)
    for time in earlier:  # the longest comes last
        for run, shorter, same in _pairs(spec, section, time, runs, store, references, recorded):
            why, share = _obstacle(run, shorter, same, kept), 1 - shorter.n_steps / run.n_steps
            records = 0 if why else len(shorter.record_steps)
            found[run.id] = Longer(kept.run_of(shorter.id), time, records, why, 1.0 if why else share)
    return found


def longer_block(block: Block, longer: Mapping[str, Longer]) -> Block:
    """A block of new runs, which says of which runs of the store they are longer."""
    shorter = tuple(longer[run.id].shorter if run.id in longer else "" for run in block.runs)
    return replace(block, longer_than=shorter) if any(shorter) else block


def _times(spec: AnySpec, store: SweepStore) -> tuple[str, set[float]]:
    """The section that says how long runs are trained, and the times that the store's specs have said."""
    section = next((name for name, part in spec.to_json().items() if isinstance(part, dict) and "time" in part), "")
    specs = (entry["spec"] for entry in store.attributes.get("specs", ()))
    return section, set(training_times(specs)) if section else set()


def _pairs(
    spec: AnySpec,
    section: str,
    time: float,
    runs: Sequence[AnyRun],
    store: SweepStore,
    references: References,
    recorded: Sequence[tuple[str, ...]],
) -> Iterator[tuple[AnyRun, AnyRun, bool]]:
    """Each run, what the store has of it at an earlier time, and whether that has its observables in one place."""
    content: dict[str, Any] = spec.to_json()
    content[section] = content[section] | {"time": time}
    places, adds_to = store.places(), store.adds_to()
    try:
        work = JoinedWork(make_spec(content), references, store.dataset)
        earlier = work.runs()
    except SpecError:
        return  # that time is no whole number of these steps
    for run, shorter in zip(runs, earlier, strict=True):
        fewer = (work.recording(shorter, names) for names in recorded if set(names) < set(shorter.observables))
        if shorter.id in places:
            yield run, shorter, shorter.id not in adds_to
        elif (base := next((each for each in fewer if each.id in places), None)) is not None:
            yield run, base, False


class _Kept:
    """What the store has kept of its runs' ends."""

    def __init__(self, store: SweepStore) -> None:
        self._store, self._places, self._adds_to = store, store.places(), store.adds_to()
        self._shapes = store.block_shapes()
        self._known: dict[str, tuple[list[Status], set[int]]] = {}

    def run_of(self, run: str) -> str:
        """The run to which an addition belongs; a run itself."""
        return self._adds_to.get(run, run)

    def state_of(self, run: str) -> tuple[Status, bool]:
        """Status of a run, and whether its last state was kept."""
        block, position = self._places[run]
        if block not in self._known:
            shape = self._shapes[block]
            [(_, marks)] = self._store.marks({block: shape})
            runs = runs_of(shape, marks)
            refs = (ref for mark in marks if mark is not None for ref in mark.states if ref.is_kept)
            statuses = [Status.PENDING if each is None else each.status for each in runs]
            self._known[block] = statuses, {at for ref in refs for at in ref.positions}
        statuses, positions = self._known[block]
        return statuses[position], position in positions


def _obstacle(run: AnyRun, shorter: AnyRun, same: bool, kept: _Kept) -> str:
    """Why a run cannot go on from the end of a shorter one; empty if it can."""
    status, is_kept = kept.state_of(shorter.id)
    records = len(shorter.record_steps)
    # Of particles alone: the indices of the records at which all of them are kept.
    ours, theirs = (set[int](getattr(each, "snapshots", ())) for each in (run, shorter))
    if not same:
        return "their observables were added, or are to be"
    if status is not Status.DONE:
        return f"they are {status.label}"
    if not is_kept:
        return "their last states were not kept (keep_states: true keeps those of runs to come)"
    if shorter.step_size != run.step_size:
        return "their step size is another one"
    if any(index < records for index in ours - theirs):
        return "they lack a snapshot (two, at the start and at the end, would do)"
    if run.record_steps[:records] != shorter.record_steps:
        return (
            "their records lie at other steps (of records {spacing: every, k: …} with whole multiples of k they do not)"
        )
    return ""
