"""The interface between the plan and a kind of sweep, and the work of a sweep of several plain ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from sweepengine.data import load, no_data
from sweepengine.errors import SpecError
from sweepengine.plan._cost import NOMINAL
from sweepengine.spec import kind_of, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from sweepengine.data import Dataset, Given
    from sweepengine.plan._cost import MachineRate
    from sweepengine.plan._step_size import References
    from sweepengine.spec import AnyRun, AnySpec, DataSection
    from sweepengine.store import Block, BlockShape, StoredArray


class Work(Protocol):
    """The work of one plain spec with its data, for the plan. Its methods take the runs that :meth:`runs` returns.

    A kind names a class of three arguments: the spec, its data, and a :class:`sweepengine.plan.References`, which kinds
    without an automatic step size pass over.

    Attributes
    ----------
    given : tuple of Given
        Arrays that the runs need beside the data.
    """

    given: tuple[Given, ...]

    def runs(self) -> tuple[AnyRun, ...]:
        """All runs of the sweep."""

    def layout(self, run: Any) -> Hashable:
        """The properties that runs of one block share."""

    def block(self, runs: Sequence[Any]) -> Block:
        """The block of runs of one layout."""

    def seconds(self, run: Any, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread."""

    def predict(self, run: Any) -> dict[str, StoredArray]:
        """Infinite-width prediction for a run that names a limit."""

    def limit_size(self, run: Any) -> tuple[int, int]:
        """Uncompressed bytes of the prediction, and its number of arrays."""

    def memory(self, run: Any, shape: BlockShape) -> int:
        """Bytes of a worker with a task that advances the run."""

    def state_bytes(self, run: Any, shape: BlockShape) -> int:
        """Bytes of the last state of a run. Where a work has no such method, states are not kept."""


class JoinedWork:
    """The work of a sweep: that of each of its plain sweeps, with the methods of :class:`Work`.

    Parameters
    ----------
    spec : AnySpec
    references : References
        Reference kernels that the store knows; the work adds those that it computes.
    stored : callable
        From a data section to the data of the store; None for a section whose data must be made.

    Attributes
    ----------
    data : tuple of Dataset
        Every set of data that runs read, once.
    given : tuple of Given
        Arrays that the runs need beside the data.

    Raises
    ------
    SpecError, DataError
        A combination of swept settings is not allowed, or spec and data do not fit.
    """

    def __init__(self, spec: AnySpec, references: References, stored: Callable[[DataSection], Dataset | None]) -> None:
        loaded: dict[str, Dataset] = {}
        self._parts: list[tuple[AnySpec, Work]] = []
        for variant in spec.variants():
            section = "" if variant.data is None else variant.data.model_dump_json()
            if section not in loaded:
                loaded[section] = no_data() if variant.data is None else stored(variant.data) or load(variant.data)
            work: Work = resolve(kind_of(variant).work)(variant, loaded[section], references)
            self._parts.append((variant, work))
        self.data = tuple({data.id: data for data in loaded.values()}.values())
        self.given = _one_of_each(spec, [given for _, work in self._parts for given in work.given])
        self._part_of: dict[str, int] = {}

    def runs(self) -> tuple[AnyRun, ...]:
        """All runs of the sweep; runs of several plain sweeps that are one and the same stand once."""
        runs: dict[str, AnyRun] = {}
        for number, (_, work) in enumerate(self._parts):
            for run in work.runs():
                runs.setdefault(run.id, run)
                self._part_of.setdefault(run.id, number)
        return tuple(runs.values())

    def recording(self, run: AnyRun, observables: tuple[str, ...]) -> AnyRun:
        """A run of the sweep as it is where other observables are recorded."""
        value: Any = run  # a frozen dataclass, of whatever kind
        other: AnyRun = replace(value, observables=observables)
        self._part_of.setdefault(other.id, self._part_of[run.id])
        return other

    def _work(self, run: AnyRun) -> Work:
        return self._parts[self._part_of[run.id]][1]

    def layout(self, run: AnyRun) -> Hashable:
        """The properties that runs of one block share."""
        return self._part_of[run.id], self._work(run).layout(run)

    def block(self, runs: Sequence[AnyRun]) -> Block:
        """The block of runs of one layout, with the values of the axes, cut into chunks."""
        variant, work = self._parts[self._part_of[runs[0].id]]
        block = work.block(runs)
        shape = block.shape.cut(work.seconds(runs[0], block.shape, NOMINAL))
        return replace(block, shape=shape, axes=variant.values_of_axes())

    def seconds(self, run: AnyRun, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread."""
        return self._work(run).seconds(run, shape, rate)

    def predict(self, run: AnyRun) -> dict[str, StoredArray]:
        """Infinite-width prediction for a run that names a limit."""
        return self._work(run).predict(run)

    def limit_size(self, run: AnyRun) -> tuple[int, int]:
        """Uncompressed bytes of the prediction, and its number of arrays."""
        return self._work(run).limit_size(run)

    def memory(self, run: AnyRun, shape: BlockShape) -> int:
        """Bytes of a worker with a task that advances the run."""
        return self._work(run).memory(run, shape)

    def state_bytes(self, run: AnyRun, shape: BlockShape) -> int:
        """Bytes of the last state of a run. Raises :class:`SpecError` for a kind that keeps none."""
        work = self._work(run)
        if not hasattr(work, "state_bytes"):
            raise SpecError(f"keep_states: sweeps of {run.kind} keep no states; remove it")
        return work.state_bytes(run, shape)


def _one_of_each(spec: AnySpec, every: Sequence[Given]) -> tuple[Given, ...]:
    """The given arrays without repetitions; a store has one of each kind."""
    given = {each.kind: each for each in reversed(every)}
    for each in every:
        if each.id != given[each.kind].id:
            raise SpecError(
                f"axes: {', '.join(spec.swept)} give several sets of {each.kind} points, of which one store has one; "
                "leave out the observables that need them, or make one sweep of each"
            )
    return tuple({each.kind: given[each.kind] for each in every}.values())
