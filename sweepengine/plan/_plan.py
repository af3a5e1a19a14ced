"""From a spec to runs, blocks and packs, against what a store already holds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from sweepengine.data import check_cost, load, load_weights
from sweepengine.errors import DataError, SpecError
from sweepengine.observe import canonical_variables
from sweepengine.plan._blocks import network_block
from sweepengine.plan._cost import machine_memory, run_memory, run_seconds
from sweepengine.plan._limit import LIMIT_ARRAYS, limit_bytes
from sweepengine.plan._step_size import step_count
from sweepengine.spec import architectures, expand
from sweepengine.store import STORE_FILES, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sweepengine.data import Dataset, Weights
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import Architecture, Run, SweepSpec
    from sweepengine.store import Block, BlockShape, RunMark, SweepStore

MOST_RUNS = 200_000
SHORTEST_PACK = 2.0
"""Chunks of a block are joined into one task until it is estimated to take this many seconds."""


@dataclass(frozen=True)
class Pack:
    """What one task advances: whole chunks of one block.

    Attributes
    ----------
    block : str
    shape : BlockShape
    chunks : tuple of int
    runs : dict of Run
        Position in the block → run, for the runs that the sweep wants and the store lacks.
    seconds : float
        Estimated time.
    """

    block: str
    shape: BlockShape
    chunks: tuple[int, ...]
    runs: dict[int, Run]
    seconds: float


@dataclass(frozen=True)
class Plan:
    """A sweep resolved against a store; nothing has been written or started.

    Attributes
    ----------
    spec : SweepSpec
    data : Dataset
    weights : Weights or None
        Given parameters at t = 0.
    runs : tuple of Run
        All runs of the sweep.
    new_blocks : tuple of Block
        Blocks that the store does not have yet.
    limits : dict of Run
        Limit id → one of its runs, for the infinite-width predictions that the store does not have yet.
    known : dict
        Run id → what the store has committed of it (None: not begun), for the runs that are in the store.
    """

    spec: SweepSpec
    data: Dataset
    weights: Weights | None
    runs: tuple[Run, ...]
    new_blocks: tuple[Block, ...]
    known: dict[str, RunMark | None]
    limits: dict[str, Run]
    _places: dict[str, tuple[str, int]]
    _shapes: dict[str, BlockShape]

    def missing(self) -> list[Run]:
        """Runs that are neither done nor diverged."""
        marks = ((run, self.known.get(run.id)) for run in self.runs)
        return [run for run, mark in marks if mark is None or not mark.status.is_final]

    def statuses(self) -> list[Status]:
        """Status of every run of the sweep."""
        marks = (self.known.get(run.id) for run in self.runs)
        return [Status.PENDING if mark is None else mark.status for mark in marks]

    def refreshed(self, store: SweepStore) -> Plan:
        """The same plan with what the store has committed by now."""
        return replace(self, known=_known(self.runs, self._places, self._shapes, store), new_blocks=(), limits={})

    def packs(self, rate: MachineRate, only: Collection[str] | None = None) -> Iterator[Pack]:
        """The tasks, longest first, so that the last to finish is a short one.

        Parameters
        ----------
        rate : MachineRate
        only : collection of str, optional
            Ids of the runs to advance; every missing one where not given.
        """
        wanted: dict[str, dict[int, Run]] = {}
        for run in self.missing():
            if only is not None and run.id not in only:
                continue
            block, position = self._places[run.id]
            wanted.setdefault(block, {})[position] = run
        packs = [pack for block, runs in wanted.items() for pack in self._packs_of(block, runs, rate)]
        return iter(sorted(packs, key=lambda pack: -pack.seconds))

    def _packs_of(self, block: str, runs: dict[int, Run], rate: MachineRate) -> Iterator[Pack]:
        shape = self._shapes[block]
        seconds = run_seconds(next(iter(runs.values())), shape, self.data.x_train.shape[1], rate)
        chunks: list[int] = []
        held: dict[int, Run] = {}
        for chunk in range(shape.n_chunks):
            first, stop = shape.chunk_span(chunk)
            here = {position: run for position, run in runs.items() if first <= position < stop}
            if not here:
                continue
            chunks.append(chunk)
            held |= here
            if len(held) * seconds >= SHORTEST_PACK:
                yield Pack(block, shape, tuple(chunks), held, len(held) * seconds)
                chunks, held = [], {}
        if held:
            yield Pack(block, shape, tuple(chunks), held, len(held) * seconds)

    def disk_bytes(self) -> int:
        """Uncompressed bytes of the missing runs' variables, of new predictions, and of the data in a new store."""
        d = self.data.x_train.shape[1]
        limits = sum(
            limit_bytes(len(run.record_steps), len(self.data.y_train), len(self.data.y_test), self.data.outputs)
            for run in self.limits.values()
        )
        data = 0 if self.known else 8 * (d + self.data.outputs) * (len(self.data.y_train) + len(self.data.y_test))
        return limits + data + sum(self._shapes[self._places[run.id][0]].run_bytes() for run in self.missing())

    def file_count(self) -> int:
        """Files that the blocks of missing runs take, and the rest of a new store."""
        rest = 0 if self.known else STORE_FILES
        if self.weights is not None and not self.known:
            rest += 2 + 2 * len(self.weights.arrays)
        limits = len(self.limits) * (1 + 2 * LIMIT_ARRAYS)
        return sum(shape.file_count() for shape in self.blocks().values()) + limits + rest

    def memory_bytes(self) -> int:
        """Largest peak of one task's own arrays: a network with its copy at t = 0, one step's arrays, one chunk."""
        d = self.data.x_train.shape[1]
        return max(
            (run_memory(run, self._shapes[self._places[run.id][0]], d) for run in self.missing()),
            default=0,
        )

    def blocks(self) -> dict[str, BlockShape]:
        """Shapes of the blocks that hold missing runs."""
        names = dict.fromkeys(self._places[run.id][0] for run in self.missing())
        return {name: self._shapes[name] for name in names}


def _refuse_too_many(spec: SweepSpec) -> None:
    count = math.prod(len(values) for values in spec.axes.model_dump(exclude_none=True).values())
    if count > MOST_RUNS:
        raise SpecError(
            f"axes: they give {count} runs, more than the {MOST_RUNS} that one sweep may have; shorten an axis, "
            "or divide the sweep"
        )


def make_plan(spec: SweepSpec, store: SweepStore) -> Plan:
    """Resolve a spec: load its data, fix its step sizes, expand its axes, and look up what the store has.

    Parameters
    ----------
    spec : SweepSpec
    store : SweepStore
        Where the sweep would be written; need not exist.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, DataError, StoreError
        The spec asks for something that cannot be, or does not agree with the store.
    """
    observables = canonical_variables(spec.observables, spec.training.loss)
    store.check(spec)
    data = load(spec.data)
    check_cost(data, spec.training.loss)
    _refuse_equal_outputs(spec, data)
    weights = _given_weights(spec, data)
    weights_id = "" if weights is None else weights.id
    store.check_contents(data.id, weights_id)

    @cache
    def steps(architecture: Architecture) -> int:
        return step_count(spec, architecture, data, weights)

    _refuse_too_many(spec)
    runs = tuple(expand(spec, data.id, steps, observables, weights_id))
    places = store.places()
    shapes = store.block_shapes()
    known = _known(runs, places, shapes, store)
    new_runs = [run for run in runs if run.id not in places]
    new_blocks = tuple(
        network_block(list(group), data)
        for _, group in itertools.groupby(new_runs, key=lambda run: (run.architecture, run.width, run.record_steps))
    )
    for block in new_blocks:
        shapes[block.id] = block.shape
        places |= {run.id: (block.id, position) for position, run in enumerate(block.runs)}
    have = store.limits()
    limits = {block.runs[0].limit_id: block.runs[0] for block in new_blocks if block.runs[0].limit_id not in have}
    plan = Plan(spec, data, weights, runs, new_blocks, known, limits, places, shapes)
    if plan.memory_bytes() > machine_memory():
        raise SpecError(
            f"axes.width: the largest run needs {plan.memory_bytes() / 1e9:.3g} GB of arrays, this machine has "
            f"{machine_memory() / 1e9:.3g} GB; take smaller widths, fewer points or fewer records"
        )
    return plan


def _refuse_equal_outputs(spec: SweepSpec, data: Dataset) -> None:
    if spec.network.readout == "ones" and data.outputs > 1:
        raise SpecError(
            f"network.readout: ones gives all {data.outputs} outputs of {data.description} one and the same function; "
            "take gaussian or signs"
        )


def _given_weights(spec: SweepSpec, data: Dataset) -> Weights | None:
    """The weights that a spec names, if they are a network of its shape."""
    network = spec.network
    if network.weights is None:
        return None
    import torch

    from sweepengine.networks import from_arrays

    [architecture, *others] = architectures(spec)
    if any(other.depth != architecture.depth for other in others):
        raise SpecError("axes.depth: the weights of a file have one depth; give it as network.depth")
    weights = load_weights(network.weights, architecture.depth)
    given = from_arrays(weights.arrays, architecture, torch.float64)
    expected = (data.x_train.shape[1], *architecture.widths(spec.axes.width[0]))
    if (given.sizes, given.outputs) != (expected, data.outputs):
        raise DataError(
            f"network.weights: {network.weights} holds a network of sizes {given.sizes} and {given.outputs} outputs, the "
            f"spec and its data ask for {expected} and {data.outputs} outputs; set axes.width and network.width_ratios to "
            "those of the file, or take other weights"
        )
    return weights


def _known(
    runs: Iterable[Run], places: Mapping[str, tuple[str, int]], shapes: Mapping[str, BlockShape], store: SweepStore
) -> dict[str, RunMark | None]:
    """What is committed of each run that has a place."""
    placed = {run.id: places[run.id] for run in runs if run.id in places}
    marks = {block: store.run_marks(block, shapes[block]) for block in {block for block, _ in placed.values()}}
    return {run: marks[block][position] for run, (block, position) in placed.items()}
