"""What a driver sends to a worker. Imports no torch, as a driver has no need of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.options import RunOptions
    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape, Nodes


@dataclass(frozen=True)
class PackTask:
    """A pack as it is sent to a worker.

    Attributes
    ----------
    address : str
        The store.
    block : str
    shape : BlockShape
        Of the block.
    chunks : tuple of int
    runs : dict
        Position in the block → run.
    attempts : dict of int
        Chunk → number of this attempt.
    nodes : Nodes
        The published arrays that it reads and writes.
    code : UserCode
        What users have registered and the runs need: files as text, functions as they are.
    workers : int
        Workers that advance each run together, where the executor has many.
    options : RunOptions
    careful : bool
        Whether runs go one at a time and the driver hears of each before it is advanced: if the worker dies, the driver
        knows which run it was.
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
    careful: bool = False

    @property
    def names_runs(self) -> bool:
        """Whether the driver hears of each run before it is advanced."""
        return self.careful or self.options.run_timeout is not None

    def __reduce__(self) -> tuple[Callable[[UserCode, bytes], PackTask], tuple[UserCode, bytes]]:
        """Users' code goes first, because it may define what the runs are."""
        rest = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "code"}
        return _unpacked, (self.code, cloudpickle.dumps(rest))


def _unpacked(code: UserCode, rest: bytes) -> PackTask:
    code.install()
    content: dict[str, Any] = cloudpickle.loads(rest)
    return PackTask(code=code, **content)
