"""What the runs of a sweep are made of in a store: arrays of their own, or those of earlier runs and additions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sweepengine.plan._work import JoinedWork
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, BlockShape, SweepStore

    Places = Mapping[str, tuple[str, int]]
    """Run id → (block, position)."""


@dataclass(frozen=True)
class Parts:
    """The stored runs of which each run of a sweep is made.

    Attributes
    ----------
    of : dict
        Run id → its parts: the run itself; or, where the store has the run with fewer observables, that run, its
        additions in the order in which they were asked for, and the run itself as the last of them.
    """

    of: dict[str, tuple[AnyRun, ...]]

    def every(self) -> list[AnyRun]:
        """All parts of all runs, each once."""
        return list({part.id: part for parts in self.of.values() for part in parts}.values())

    @cached_property
    def before(self) -> dict[str, tuple[AnyRun, ...]]:
        """Id of each addition → the parts that must have ended before it: what it computes is compared with them."""
        return {part.id: parts[:k] for parts in self.of.values() for k, part in enumerate(parts) if k}


@dataclass(frozen=True)
class Addition:
    """Observables that a sweep adds to finished runs of its store.

    Attributes
    ----------
    observables : tuple of str
        Names of the variables.
    runs : int
        Number of runs that lack them.
    seconds : float
        Estimated seconds of work.
    nbytes : int
        Uncompressed bytes of the variables.
    """

    observables: tuple[str, ...]
    runs: int
    seconds: float
    nbytes: int


def find_parts(
    spec: AnySpec,
    work: JoinedWork,
    runs: Sequence[AnyRun],
    store: SweepStore,
    recorded: Sequence[tuple[str, ...]],
) -> Parts:
    """Find what each run of a sweep is made of.

    Parameters
    ----------
    spec : AnySpec
    work : JoinedWork
    runs : sequence of AnyRun
        All runs of the sweep.
    store : SweepStore
    recorded : sequence of tuple of str
        Sets of observables that the store's specs have named, each within the next.

    Raises
    ------
    StoreError
        The sweep has new runs, and names fewer observables than the store records by now.
    SpecError
        Runs that are divided over shards need additions.
    """
    places, adds_to = store.places(), store.adds_to()
    found: dict[str, tuple[AnyRun, ...]] = {}
    for run in runs:
        earlier: list[AnyRun] = []
        if run.id not in places or run.id in adds_to:
            fewer = (names for names in recorded if set(names) < set(run.observables))
            earlier = [part for part in (work.recording(run, names) for names in fewer) if part.id in places]
        found[run.id] = (*earlier, run)
    new = [parts for run, parts in found.items() if run not in places]
    _refuse_fewer(new, recorded, store)
    if spec.workers_of_a_run > 1 and any(len(parts) > 1 for parts in new):
        raise SpecError(
            f"shards: found {spec.workers_of_a_run}, and the store has runs to which observables are to be added, "
            "which computes them again; sums of shards have other last bits: leave shards out, or name another --store"
        )
    return Parts(found)


def _refuse_fewer(new: Sequence[tuple[AnyRun, ...]], recorded: Sequence[tuple[str, ...]], store: SweepStore) -> None:
    if not new:
        return
    ours = new[0][-1].observables  # those of every run of the sweep
    fewer = [name for name in dict.fromkeys(name for names in recorded for name in names) if name not in ours]
    # What could be added to no run, because none is reproduced here, binds nobody.
    if fewer and (fewer := [name for name in fewer if _has_finished(store, name.partition("@")[0])]):
        raise StoreError(
            f"store: observables: the store has {', '.join(fewer)} too by now, which its new runs need; name all "
            "of its observables, or another --store"
        )


def _has_finished(store: SweepStore, variable: str) -> bool:
    """Whether a finished run of the store has a variable."""
    shapes = store.block_shapes().items()
    its = {block: shape for block, shape in shapes if any(each.name == variable for each in shape.variables)}
    return any(mark is not None and mark.status.is_final for _, marks in store.run_marks(its) for mark in marks)


def lay_out_additions(
    parts: Parts, work: JoinedWork, places: Places, shapes: Mapping[str, BlockShape]
) -> Iterator[Block]:
    """Lay out the additions that a store lacks: one block beside each block of runs, with what is new.

    Parameters
    ----------
    parts : Parts
    work : JoinedWork
    places : mapping
        Run id → (block, position), of the runs that have a place in the store.
    shapes : mapping
        Block → its shape.

    Yields
    ------
    Block
        Without the number of the driver in its id.
    """
    new = [some for run, some in parts.of.items() if len(some) > 1 and run not in places]

    def beside(some: tuple[AnyRun, ...]) -> tuple[str, frozenset[str]]:
        held = (shapes[places[part.id][0]].variables for part in some[:-1])
        return places[some[0].id][0], frozenset(variable.name for variables in held for variable in variables)

    def order(some: tuple[AnyRun, ...]) -> tuple[str, list[str], int]:
        block, held = beside(some)
        return block, sorted(held), places[some[0].id][1]

    for (base, held), group in itertools.groupby(sorted(new, key=order), key=beside):
        every = list(group)
        block = work.block([some[-1] for some in every])
        variables = tuple(variable for variable in block.shape.variables if variable.name not in held)
        chunk_runs = min(shapes[base].chunk_runs, len(every))
        shape = replace(block.shape, variables=variables, chunk_runs=chunk_runs)
        yield replace(block, shape=shape, adds_to=tuple(some[0].id for some in every))
