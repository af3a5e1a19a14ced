"""What a driver sends to a worker. Imports no torch, as a driver has no need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweepengine.plugins import UserCode
    from sweepengine.store import Nodes


@dataclass(frozen=True)
class PackTask:
    """A pack as it is sent to a worker: plain values, and what users have registered.

    Attributes
    ----------
    address : str
        The store.
    block : str
    shape : dict
        ``BlockShape`` as plain values.
    chunks : tuple of int
    runs : dict
        Position in the block → run as plain values.
    attempts : dict of int
        Chunk → number of this attempt.
    nodes : Nodes
        The published arrays that it reads and writes.
    runs_per_turn : int or None
        Runs advanced together in batched products; None: 1 on a CPU, where one network at a time stays in cache.
    commit_seconds : float
        Longest time between two commits while steps are shorter than that.
    device : str
        ``auto``, ``cpu`` or ``cuda``, resolved where the task runs.
    code : UserCode
        What users have registered and the runs need: files as text, functions as they are.
    shards : int
        Workers that share each run of particles, where the executor has many.
    cuda_graphs : bool
        Whether steps of networks are recorded and replayed.
    durability : str
        ``rename`` or ``fsync``: what a commit survives.
    run_timeout : float or None
        Seconds of silence after which the driver ends the task; None: it waits for ever.
    careful : bool
        Whether runs go one at a time and the driver hears of each before it is advanced: if the worker dies, the driver
        knows which run it was.
    """

    address: str
    block: str
    shape: dict[str, Any]
    chunks: tuple[int, ...]
    runs: dict[int, dict[str, Any]]
    attempts: dict[int, int]
    nodes: Nodes
    runs_per_turn: int | None
    commit_seconds: float
    device: str
    code: UserCode
    shards: int = 1
    cuda_graphs: bool = False
    durability: str = "rename"
    run_timeout: float | None = None
    careful: bool = False

    @property
    def names_runs(self) -> bool:
        """Whether the driver hears of each run before it is advanced."""
        return self.careful or self.run_timeout is not None
