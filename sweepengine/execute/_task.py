"""The task that a driver sends to a worker. This module imports no torch, which a driver does not need."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.options import RunOptions
    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape, Nodes, RunPlace, Start


@dataclass(frozen=True)
class PackTask:
    """A pack as it is sent to a worker.

    Attributes
    ----------
    address : str
        Address of the store.
    block : str
        Name of the block of the store that holds the runs.
    shape : BlockShape
        Shape of the block.
    chunks : tuple of int
        The chunks of the block that the pack covers.
    runs : dict
        Position in the block → run.
    attempts : dict of int
        Chunk → number of this attempt at it.
    nodes : Nodes
        The published arrays that the task reads and writes.
    code : UserCode
        The code of users that the runs need: files as text, functions as they are.
    workers : int
        Number of workers that advance each run together, if the executor has several.
    options : RunOptions
    beside, starts : dict
        As :class:`sweepengine.plan.Pack` has them.
    keep_states : bool
        Whether the last state of each run is kept.
    careful : bool
        Whether the task advances one run at a time and names each run to the driver before it advances it. If the
        worker dies, the driver then knows which run stopped it.
    is_short : bool
        Whether the memory of a machine was too short for the task: then its turns have one run each.
    """

    address: str
    block: str
    shape: BlockShape
    chunks: tuple[int, ...]
    runs: dict[int, AnyRun]
    attempts: dict[int, int]
    nodes: Nodes
    code: UserCode
    workers: int
    options: RunOptions
    beside: dict[int, tuple[RunPlace, ...]] = field(default_factory=dict)
    starts: dict[int, Start] = field(default_factory=dict)
    keep_states: bool = False
    careful: bool = False
    is_short: bool = False

    @property
    def takes_runs_singly(self) -> bool:
        """Whether each turn has one run, whatever the options say."""
        return self.careful or self.is_short

    @property
    def names_runs(self) -> bool:
        """Whether the task names each run to the driver before it advances it."""
        return self.careful or self.options.run_timeout is not None

    def __reduce__(self) -> tuple[Callable[[UserCode, bytes], PackTask], tuple[UserCode, bytes]]:
        """Pickle users' code first, because it may define the classes of the runs."""
        rest = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "code"}
        return _unpacked, (self.code, cloudpickle.dumps(rest))


def _unpacked(code: UserCode, rest: bytes) -> PackTask:
    code.install()
    content: dict[str, Any] = cloudpickle.loads(rest)
    return PackTask(code=code, **content)
