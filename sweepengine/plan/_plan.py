"""The plan of a sweep: the runs, blocks and packs of a spec, compared with the content of a store."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweepengine.amounts import show_bytes
from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names
from sweepengine.plan._machine import Machine
from sweepengine.plan._step_size import References
from sweepengine.plan._work import JoinedWork
from sweepengine.plugins import UserCode
from sweepengine.spec import kind_key
from sweepengine.store import DATA_FILES, STORE_FILES, Status, failed_places, local_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sweepengine.data import Dataset, Given
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, BlockShape, RunMark, StoredArray, SweepStore

MOST_RUNS = 200_000
SHORTEST_PACK = 2.0
"""Chunks of a block are joined into one task until it is estimated to take this many seconds."""


@dataclass(frozen=True)
class Pack:
    """The content of one task: whole chunks of one block.

    Attributes
    ----------
    block : str
    shape : BlockShape
    chunks : tuple of int
    runs : dict
        Position in the block → run, for the runs of the sweep that are missing in the store.
    seconds : float
        Estimated time of the task.
    """

    block: str
    shape: BlockShape
    chunks: tuple[int, ...]
    runs: dict[int, AnyRun]
    seconds: float


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
    new_blocks : tuple of Block
        Blocks that the store does not have yet.
    limits : dict
        Limit id → a run with this limit, for the infinite-width predictions that the store does not have yet.
    known : dict
        Run id → its mark in the store (None: not begun), for the runs that have a place in the store.
    failed : frozenset of str
        Ids of the runs that have failed before and not ended since, whether or not a later attempt has begun.
    references : dict
        Largest eigenvalues of reference kernels, as :class:`References` has them.
    code : UserCode
        The users' code that the sweep needs.
    """

    spec: AnySpec
    data: tuple[Dataset, ...]
    given: tuple[Given, ...]
    runs: tuple[AnyRun, ...]
    new_blocks: tuple[Block, ...]
    known: dict[str, RunMark | None]
    failed: frozenset[str]
    limits: dict[str, AnyRun]
    references: dict[str, float]
    code: UserCode
    _work: JoinedWork
    _places: dict[str, tuple[str, int]]
    _shapes: dict[str, BlockShape]

    def data_of(self, run: AnyRun) -> Dataset:
        """The data that a run reads."""
        return next(data for data in self.data if data.id == run.data_id)

    def missing(self) -> list[AnyRun]:
        """Runs that are neither done nor diverged."""
        marks = ((run, self.known.get(run.id)) for run in self.runs)
        return [run for run, mark in marks if mark is None or not mark.status.is_final]

    def _missing_of_blocks(self) -> dict[str, dict[int, AnyRun]]:
        """Block → position → missing run, for the blocks that hold any."""
        blocks: dict[str, dict[int, AnyRun]] = {}
        for run in self.missing():
            block, position = self._places[run.id]
            blocks.setdefault(block, {})[position] = run
        return blocks

    def shape(self, run: AnyRun) -> BlockShape:
        """Shape of the block that holds a run of the sweep."""
        return self._shapes[self._places[run.id][0]]

    def statuses(self) -> list[Status]:
        """Status of every run of the sweep."""
        marks = (self.known.get(run.id) for run in self.runs)
        return [Status.PENDING if mark is None else mark.status for mark in marks]

    def refreshed(self, store: SweepStore) -> Plan:
        """The same plan, compared with the store as it is now."""
        places, shapes = store.places(), store.block_shapes()
        known = _known(self.runs, places, shapes, store)
        failed = _failed(known, places, store)
        return replace(self, known=known, failed=failed, new_blocks=(), limits={}, _places=places, _shapes=shapes)

    def of_failed(self) -> Plan:
        """The same plan for the runs alone that have failed before: nothing new is laid out or predicted."""
        runs = tuple(run for run in self.runs if run.id in self.failed)
        data = tuple(each for each in self.data if any(run.data_id == each.id for run in runs))
        return replace(self, runs=runs, data=data, new_blocks=(), limits={})

    def packs(self, rate: MachineRate, only: Collection[str] | None = None) -> Iterator[Pack]:
        """The tasks for the missing runs, longest first, so that the last task to finish is short.

        Parameters
        ----------
        rate : MachineRate
        only : collection of str, optional
            Ids of the runs to advance; without it all missing runs.
        """
        packs: list[Pack] = []
        for block, runs in self._missing_of_blocks().items():
            wanted = runs if only is None else {position: run for position, run in runs.items() if run.id in only}
            if wanted:
                packs += self._packs_of(block, wanted, rate)
        return iter(sorted(packs, key=lambda pack: -pack.seconds))

    def _packs_of(self, block: str, runs: dict[int, AnyRun], rate: MachineRate) -> Iterator[Pack]:
        shape = self._shapes[block]
        seconds = self._work.seconds(next(iter(runs.values())), shape, rate)
        by_chunk: dict[int, dict[int, AnyRun]] = {}
        for position in sorted(runs):
            by_chunk.setdefault(position // shape.chunk_runs, {})[position] = runs[position]
        chunks: list[int] = []
        held: dict[int, AnyRun] = {}
        for chunk, here in by_chunk.items():
            chunks.append(chunk)
            held |= here
            if len(held) * seconds >= SHORTEST_PACK:
                yield Pack(block, shape, tuple(chunks), held, len(held) * seconds)
                chunks, held = [], {}
        if held:
            yield Pack(block, shape, tuple(chunks), held, len(held) * seconds)

    def disk_bytes(self) -> int:
        """Uncompressed bytes of the missing runs' variables, of new predictions, and of a new store's data."""
        limits = sum(self._work.limit_size(run)[0] for run in self.limits.values())
        data = 0 if self.known else sum(data.nbytes for data in self.data)
        data += 0 if self.known else sum(each.nbytes for each in self.given)
        blocks = self._missing_of_blocks().items()
        return limits + data + sum(len(runs) * self._shapes[block].run_bytes() for block, runs in blocks)

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
        firsts = ((block, next(iter(runs.values()))) for block, runs in self._missing_of_blocks().items())
        return max((self._work.memory(run, self._shapes[block]) for block, run in firsts), default=0)

    def predictions(self) -> dict[str, dict[str, StoredArray]]:
        """Limit id → infinite-width prediction, for the new blocks."""
        return {limit: self._work.predict(run) for limit, run in self.limits.items()}

    def blocks(self) -> dict[str, BlockShape]:
        """Shapes of the blocks that hold missing runs."""
        return {name: self._shapes[name] for name in self._missing_of_blocks()}


def _refuse_too_many(spec: AnySpec) -> None:
    count = math.prod(len(values) for values in spec.axes.model_dump(exclude_none=True).values())
    if count > MOST_RUNS:
        raise SpecError(
            f"axes: they give {count} runs, more than the {MOST_RUNS} that one sweep may have; shorten an axis, "
            "or divide the sweep"
        )


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
    store.check(spec, code)
    _refuse_too_many(spec)
    references = References(store.references(), store.given)
    work = JoinedWork(spec, references, store.dataset)
    store.check_contents(work.data, work.given)
    runs = work.runs()
    places = store.places()
    shapes = store.block_shapes()
    known = _known(runs, places, shapes, store)
    failed = _failed(known, places, store)
    new_runs = [run for run in runs if run.id not in places]
    laid_out = (work.block(list(group)) for _, group in itertools.groupby(new_runs, key=work.layout))
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
        new_blocks,
        known,
        failed,
        limits,
        references.values,
        code,
        work,
        places,
        shapes,
    )
    _refuse_more_than_the_memory(plan, machine or Machine.here())
    _refuse_more_than_the_disk(plan, store.address)
    return plan


def _refuse_more_than_the_memory(plan: Plan, machine: Machine) -> None:
    """Raise :class:`SpecError` if a worker of the machine has too little memory for a run."""
    need = plan.memory_bytes()
    if machine.memory is not None and need > machine.memory:
        has = "this machine has" if machine.is_here else "a worker has"
        raise SpecError(
            f"axes.width: the largest run needs {show_bytes(need)}, {has} {show_bytes(machine.memory)}; take smaller "
            "widths, fewer points or fewer records"
        )


def _refuse_more_than_the_disk(plan: Plan, address: str) -> None:
    """Raise :class:`SpecError` if a local disk has too little space for the missing runs without compression."""
    place = local_folder(address)
    if place is None:
        return
    folder = next(path for path in place.parents if path.exists())
    need, free = plan.disk_bytes(), shutil.disk_usage(folder).free
    if need > free:
        raise SpecError(
            f"axes: the sweep would write up to {need / 1e9:.3g} GB and the disk of {address} has {free / 1e9:.3g} GB "
            "free; take fewer records or snapshots, fewer observables, smaller widths or fewer seeds, or name another "
            "--store"
        )


def _known(
    runs: Iterable[AnyRun], places: Mapping[str, tuple[str, int]], shapes: Mapping[str, BlockShape], store: SweepStore
) -> dict[str, RunMark | None]:
    """Run id → mark, for the runs that have a place in the store."""
    placed = {run.id: places[run.id] for run in runs if run.id in places}
    marks = dict(store.run_marks({block: shapes[block] for block, _ in placed.values()}))
    return {run: marks[block][position] for run, (block, position) in placed.items()}


def _failed(
    known: Mapping[str, RunMark | None], places: Mapping[str, tuple[str, int]], store: SweepStore
) -> frozenset[str]:
    """Ids of the runs in the store that have failed before and not ended since."""
    kept = failed_places(store.objects) if known else set()
    unfinished = {run: mark for run, mark in known.items() if mark is not None and not mark.status.is_final}
    return frozenset(run for run, mark in unfinished.items() if mark.status is Status.FAILED or places[run] in kept)
