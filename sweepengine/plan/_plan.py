"""The plan of a sweep: the runs, blocks and packs of a spec, compared with the content of a store."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweepengine.amounts import show_bytes
from sweepengine.errors import StoreError
from sweepengine.observe import canonical_names
from sweepengine.plan._cost import MachineRate
from sweepengine.plan._known import failed_before, known_marks
from sweepengine.plan._longer import Longer, find_longer, longer_block
from sweepengine.plan._machine import Machine
from sweepengine.plan._packs import Pack, packs_of
from sweepengine.plan._parts import Addition, Parts, find_parts, lay_out_additions
from sweepengine.plan._refusals import (
    refuse_more_than_the_disk,
    refuse_more_than_the_memory,
    refuse_states_of_shards,
    refuse_too_many,
)
from sweepengine.plan._step_size import References
from sweepengine.plan._work import JoinedWork
from sweepengine.plugins import UserCode
from sweepengine.spec import kind_key
from sweepengine.store import (
    DATA_FILES,
    STORE_FILES,
    OtherScheduleError,
    RunPlace,
    Start,
    Status,
    SweepStore,
    recorded_observables,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sweepengine.data import Dataset, Given
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, BlockShape, RunMark, StoredArray


@dataclass(frozen=True)
class Plan:
    """A sweep resolved against a store; nothing has been written or started.

    Attributes
    ----------
    spec : AnySpec
    data : tuple of Dataset
        Every set of data that runs read, once.
    given : tuple of Given
        Arrays that the runs need beside the data.
    runs : tuple of AnyRun
        All runs of the sweep.
    parts : Parts
        The runs of the store of which they are made.
    new_blocks : tuple of Block
        Blocks that the store does not have yet.
    limits : dict
        Limit id → a run with this limit, for the infinite-width predictions that the store does not have yet.
    known : dict
        Run id → its mark in the store (None: not begun), for the parts of runs that have a place in the store.
    failed : frozenset of str
        Ids of the parts of runs that have failed before and not ended since, whether or not a later attempt has begun.
    references : dict
        Largest eigenvalues of reference kernels, as :class:`References` has them.
    code : UserCode
        The users' code that the sweep needs.
    longer : dict
        Run id → what the store has of the run up to an earlier time, for the runs that are not finished.
    """

    spec: AnySpec
    data: tuple[Dataset, ...]
    given: tuple[Given, ...]
    runs: tuple[AnyRun, ...]
    parts: Parts
    new_blocks: tuple[Block, ...]
    known: dict[str, RunMark | None]
    failed: frozenset[str]
    limits: dict[str, AnyRun]
    references: dict[str, float]
    code: UserCode
    longer: dict[str, Longer]
    _work: JoinedWork
    _places: dict[str, tuple[str, int]]
    _shapes: dict[str, BlockShape]

    def data_of(self, run: AnyRun) -> Dataset:
        """The data that a run reads."""
        return next(data for data in self.data if data.id == run.data_id)

    def missing(self) -> list[AnyRun]:
        """Parts of runs that are neither done nor diverged; most runs have one part, which is the run itself."""
        return [part for part in self.parts.every() if not self._is_final(part)]

    def ready(self) -> list[AnyRun]:
        """The missing parts that wait for no other: an addition waits for the runs with which it is compared."""
        before = self.parts.before
        return [part for part in self.missing() if all(map(self._is_final, before.get(part.id, ())))]

    def unfinished(self) -> list[AnyRun]:
        """Runs of the sweep of which a part is missing."""
        return [run for run in self.runs if not all(map(self._is_final, self.parts.of[run.id]))]

    def _is_final(self, part: AnyRun) -> bool:
        mark = self.known.get(part.id)
        return mark is not None and mark.status.is_final

    def additions(self, rate: MachineRate) -> list[Addition]:
        """What the missing additions are and cost, those of the same observables together."""
        before, found = self.parts.before, dict[tuple[str, ...], Addition]()
        for block, runs in self._missing_of_blocks().items():
            run, shape = next(iter(runs.values())), self._shapes[block]
            if run.id in before:
                names, seconds = tuple(each.name for each in shape.variables), self._work.seconds(run, shape, rate)
                so_far = found.get(names, Addition(names, 0, 0.0, 0))
                found[names] = replace(
                    so_far,
                    runs=so_far.runs + len(runs),
                    seconds=so_far.seconds + len(runs) * seconds,
                    nbytes=so_far.nbytes + len(runs) * shape.run_bytes(),
                )
        return list(found.values())

    def _missing_of_blocks(self) -> dict[str, dict[int, AnyRun]]:
        """Block → position → missing part, for the blocks that hold any."""
        blocks: dict[str, dict[int, AnyRun]] = {}
        for run in self.missing():
            block, position = self._places[run.id]
            blocks.setdefault(block, {})[position] = run
        return blocks

    def shape(self, run: AnyRun) -> BlockShape:
        """Shape of the block that holds a run of the sweep."""
        return self._shapes[self._places[run.id][0]]

    def statuses(self) -> list[Status]:
        """Status of every run of the sweep: that of its first part which has not ended, if there is one."""
        every = (self.parts.of[run.id] for run in self.runs)
        marks = (
            self.known.get(next((part for part in parts if not self._is_final(part)), parts[0]).id) for parts in every
        )
        return [Status.PENDING if mark is None else mark.status for mark in marks]

    def refreshed(self, store: SweepStore) -> Plan:
        """The same plan, compared with the store as it is now."""
        places, shapes = store.places(), store.block_shapes()
        known = known_marks(self.parts.every(), places, shapes, store)
        failed = failed_before(known, places, store)
        return replace(self, known=known, failed=failed, new_blocks=(), limits={}, _places=places, _shapes=shapes)

    def of_failed(self) -> Plan:
        """The same plan for the runs alone that have failed before: nothing new is laid out or predicted."""
        runs = tuple(run for run in self.runs if any(part.id in self.failed for part in self.parts.of[run.id]))
        parts = Parts({run.id: self.parts.of[run.id] for run in runs})
        data = tuple(each for each in self.data if any(run.data_id == each.id for run in runs))
        return replace(self, runs=runs, parts=parts, data=data, new_blocks=(), limits={})

    def packs(self, rate: MachineRate, only: Collection[str] | None = None) -> Iterator[Pack]:
        """The tasks for the missing runs, longest first, so that the last task to finish is short.

        Parameters
        ----------
        rate : MachineRate
        only : collection of str, optional
            Ids of the runs to advance; without it all missing runs.
        """
        packs, before = list[Pack](), self.parts.before
        for block, runs in self._missing_of_blocks().items():
            wanted = runs if only is None else {position: run for position, run in runs.items() if run.id in only}
            if wanted:
                shape = self._shapes[block]
                seconds = self._work.seconds(next(iter(wanted.values())), shape, rate) * self._share(wanted.values())
                beside = {position: self._where(before[run.id]) for position, run in wanted.items() if run.id in before}
                packs += packs_of(block, shape, wanted, seconds, beside, self._starts(wanted))
        return iter(sorted(packs, key=lambda pack: -pack.seconds))

    def _share(self, runs: Collection[AnyRun]) -> float:
        """The share of their steps that some runs have before them, in the mean."""
        return sum(self.longer[run.id].share if run.id in self.longer else 1.0 for run in runs) / len(runs)

    def _starts(self, runs: Mapping[int, AnyRun]) -> dict[int, Start]:
        """Position → from where a run goes on, for those that do not begin at t = 0."""
        found = ((position, self.longer.get(run.id)) for position, run in runs.items())
        return {
            position: Start(self._where_of(longer.shorter), longer.records)
            for position, longer in found
            if longer is not None and longer.records
        }

    def _where_of(self, run: str) -> RunPlace:
        block, position = self._places[run]
        return RunPlace(block, self._shapes[block], position)

    def kept_bytes(self) -> int:
        """Bytes of the last states of the missing runs, which the spec may ask to keep."""
        if not self.spec.keep_states:
            return 0
        before, blocks = self.parts.before, self._missing_of_blocks().items()
        every = ((self._shapes[block], runs.values()) for block, runs in blocks)
        return sum(self._work.state_bytes(run, shape) for shape, runs in every for run in runs if run.id not in before)

    def _where(self, parts: Iterable[AnyRun]) -> tuple[RunPlace, ...]:
        """The places of some parts."""
        return tuple(self._where_of(part.id) for part in parts)

    def disk_bytes(self) -> int:
        """Uncompressed bytes of the missing runs' variables, of new predictions, and of a new store's data."""
        limits = sum(self._work.limit_size(run)[0] for run in self.limits.values())
        data = 0 if self.known else sum(data.nbytes for data in self.data)
        data += 0 if self.known else sum(each.nbytes for each in self.given)
        blocks = self._missing_of_blocks().items()
        return (
            limits
            + data
            + self.kept_bytes()
            + sum(len(runs) * self._shapes[block].run_bytes() for block, runs in blocks)
        )

    def file_count(self) -> int:
        """Number of files for the blocks of missing runs, for new predictions, and for the rest of a new store."""
        rest = 0 if self.known else STORE_FILES
        if not self.known:
            rest += sum(2 + 2 * len(each.arrays) for each in self.given)
            rest += DATA_FILES * (len(self.data) - 1)
        limits = sum(1 + 2 * self._work.limit_size(run)[1] for run in self.limits.values())
        return sum(shape.file_count() for shape in self.blocks().values()) + limits + rest

    def memory_bytes(self) -> int:
        """Largest peak memory of a worker with one task, over the missing runs."""
        # Runs of a block take the same.
        before = self.parts.before
        firsts = ((block, next(iter(runs.values()))) for block, runs in self._missing_of_blocks().items())
        return max(
            (
                self._work.memory(run, self._shapes[block])
                + sum(place.shape.run_bytes() * place.shape.chunk_runs for place in self._where(before.get(run.id, ())))
                for block, run in firsts
            ),
            default=0,
        )

    def predictions(self) -> dict[str, dict[str, StoredArray]]:
        """Limit id → infinite-width prediction, for the new blocks."""
        return {limit: self._work.predict(run) for limit, run in self.limits.items()}

    def blocks(self) -> dict[str, BlockShape]:
        """Shapes of the blocks that hold missing runs."""
        return {name: self._shapes[name] for name in self._missing_of_blocks()}


def _cost_anew(spec: AnySpec) -> str:
    """What a sweep takes in a store that has none of its runs."""
    plan = make_plan(spec, SweepStore("memory://nothing-is-written.zarr"), Machine(1, memory=None))
    seconds = sum(pack.seconds for pack in plan.packs(MachineRate.measure(spec.precision)))
    return f"about {seconds / 3600:.3g} CPU-hours and {show_bytes(plan.disk_bytes())}, because all its runs are new"


def _user_code(spec: AnySpec) -> UserCode:
    """The users' code that a spec names."""
    return UserCode.of(canonical_names(spec), (*spec.users_parts(), *kind_key(spec)))


def make_plan(spec: AnySpec, store: SweepStore, machine: Machine | None = None) -> Plan:
    """Resolve a spec: load its data, fix its step sizes, expand its axes, and look up what the store has.

    Parameters
    ----------
    spec : AnySpec
    store : SweepStore
        The store for the sweep; it need not exist.
    machine : Machine, optional
        What the sweep is to run on: a run that needs more memory is refused. This machine where not given.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, DataError, StoreError
        The spec asks for something impossible, or does not agree with the store.
    """
    code = _user_code(spec)  # first, so that an unknown name is reported before data are loaded
    refuse_too_many(spec)
    refuse_states_of_shards(spec)
    try:
        store.check(spec, code)
    except OtherScheduleError as error:
        raise StoreError(f"{error}; there it takes {_cost_anew(spec)}") from error
    references = References(store.references(), store.given)
    work = JoinedWork(spec, references, store.dataset)
    store.check_contents(work.data, work.given)
    runs = work.runs()
    recorded = recorded_observables(store, code)
    parts = find_parts(spec, work, runs, store, recorded)
    places = store.places()
    shapes = store.block_shapes()
    known = known_marks(parts.every(), places, shapes, store)
    failed = failed_before(known, places, store)
    new_runs = [run for run in runs if run.id not in places and len(parts.of[run.id]) == 1]
    longer = find_longer(spec, runs, store, references, recorded)
    laid_out = [
        longer_block(work.block(list(group)), longer) for _, group in itertools.groupby(new_runs, key=work.layout)
    ]
    laid_out += lay_out_additions(parts, work, places, shapes)
    new_blocks = tuple(replace(block, id=store.new_block(block.id)) for block in laid_out)
    for block in new_blocks:
        shapes[block.id] = block.shape
        places |= {run.id: (block.id, position) for position, run in enumerate(block.runs)}
    have = store.limits()
    firsts = [block.runs[0] for block in new_blocks]
    limits = {run.limit_id: run for run in firsts if run.limit_id and run.limit_id not in have}
    plan = Plan(
        spec,
        work.data,
        work.given,
        runs,
        parts,
        new_blocks,
        known,
        failed,
        limits,
        references.values,
        code,
        longer,
        work,
        places,
        shapes,
    )
    refuse_more_than_the_memory(plan.memory_bytes(), machine or Machine.here())
    refuse_more_than_the_disk(plan.disk_bytes(), store.address)
    return plan
