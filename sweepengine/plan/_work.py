"""The interface between the plan and a kind of sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sweepengine.spec import kind_of, resolve

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sweepengine.data import Dataset, Given
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, BlockShape, StoredArray


class Work(Protocol):
    """The work of one spec with its data, for the plan. Its methods take the runs that :meth:`runs` returns.

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


def work_of(spec: AnySpec, data: Dataset) -> Work:
    """The work of a spec. Raises :class:`SpecError` or :class:`DataError` if spec and data do not fit."""
    work: Work = resolve(kind_of(spec).work)(spec, data)
    return work
