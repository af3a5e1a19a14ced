"""What the plan asks of a kind of sweep, and which kind answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sweepengine.plan._networks import NetworkWork
from sweepengine.plan._particles import ParticleWork
from sweepengine.spec import SweepSpec

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sweepengine.data import Dataset
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import AnyRun, AnySpec
    from sweepengine.store import Block, BlockShape


class Work(Protocol):
    """One spec, as its kind understands it; the runs that it takes are those that it gives."""

    def runs(self, data: Dataset) -> tuple[AnyRun, ...]:
        """All runs of the sweep."""

    def layout(self, run: Any) -> Hashable:
        """What runs of one block share."""

    def block(self, runs: Sequence[Any], data: Dataset) -> Block:
        """Lay out runs of one layout."""

    def seconds(self, run: Any, shape: BlockShape, data: Dataset, rate: MachineRate) -> float:
        """Estimated time of one run on one thread."""

    def memory(self, run: Any, shape: BlockShape, data: Dataset) -> int:
        """Bytes of the arrays of one task that advances the run."""


def work_of(spec: AnySpec) -> Work:
    """The kind of a spec."""
    return NetworkWork(spec) if isinstance(spec, SweepSpec) else ParticleWork(spec)
