"""One flow over many processes: whole chunks of particles on every rank, and sums over all of them.

A rank holds its particles and the N inputs; what travels at a step is a few sums of about N numbers, never anything of
size m (except for pairwise interactions, see :meth:`Partition.everyone`). Whoever starts the processes chooses the
rendezvous; the group lives in its object and torch's default process group is left alone.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous as meet

from sweepengine.particles._errors import ParameterError, ShardError
from sweepengine.particles._partition import Partition

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from torch import Tensor


class _Backend(Protocol):
    """What is used of torch's process groups, whose stubs do not say it."""

    def allreduce(self, tensors: list[Tensor], opts: dist.AllreduceOptions) -> dist.Work: ...

    def shutdown(self) -> None: ...


LOOPBACK = "127.0.0.1"


def spans(count: int, chunk: int, shards: int) -> list[range]:
    """The particles of each shard: whole chunks, in order, their numbers as equal as they can be.

    Parameters
    ----------
    count : int
        Particles m of the run.
    chunk : int
        Of :class:`Partition`: only the last chunk of all may be short, so every shard cuts where the whole would.
    shards : int

    Returns
    -------
    list of range
        Global numbers of the particles.

    Raises
    ------
    ParameterError
        If there are more shards than chunks.
    """
    if count < 1 or chunk < 1 or shards < 1:
        raise ParameterError(f"found {count} particles, chunk {chunk}, {shards} shards; each is at least 1")
    chunks = -(-count // chunk)
    if shards > chunks:
        raise ParameterError(
            f"found {shards} shards for {count} particles in {chunks} chunks of {chunk}; a shard holds whole chunks: "
            f"use at most {chunks} shards, or smaller chunks"
        )
    edges = [min(chunks * rank // shards * chunk, count) for rank in range(shards + 1)]
    return [range(low, high) for low, high in itertools.pairwise(edges)]


@dataclass
class Traffic:
    """What one rank has communicated.

    Attributes
    ----------
    calls : int
        All-reduces.
    payload : int
        Their bytes, each tensor counted once; a ring sends 2(n − 1)/n times as much.
    seconds : float
        Spent in them, waiting for slower ranks included.
    """

    calls: int = 0
    payload: int = 0
    seconds: float = 0.0


class ShardGroup:
    """One rank's place among the shards of a run; a context manager.

    Every rank must ask for the same sums in the same order, as :func:`flow` does by itself. Leaving the context waits
    for all ranks, unless by an exception, which lets the others fail at their next sum.

    Parameters
    ----------
    rank, size : int
        0 ≤ rank < size.
    rendezvous : torch.distributed.Store or str
        Where the ranks find each other: ``file://PATH``, a path that no group has used before, or ``tcp://HOST:PORT``,
        where rank 0 listens. Or a store: rank 0 may open a ``TCPStore`` at port 0 and tell its ``port``.
    device : torch.device or str
        Of the particles: gloo joins CPUs, NCCL joins CUDA devices.
    address : str
        This machine's address, for gloo to listen at. The default keeps all traffic on one machine.
    timeout : float
        Seconds after which a rank that waits for others gives up.

    Attributes
    ----------
    traffic : Traffic
        Since the start, or since :meth:`take_traffic`.

    Raises
    ------
    ParameterError
        For a rank, rendezvous or device that does not fit.
    ShardError
        If the ranks do not find each other in time.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        rendezvous: Store | str,
        *,
        device: torch.device | str = "cpu",
        address: str = LOOPBACK,
        timeout: float = 300.0,
    ) -> None:
        if not 0 <= rank < size:
            raise ParameterError(f"found rank {rank} of {size}; ranks are 0 … size − 1")
        self.rank, self.size, self.device = rank, size, torch.device(device)
        self.traffic = Traffic()
        limit = timedelta(seconds=timeout)
        try:
            self._store = _opened(rendezvous, rank, size, limit)
            self._group = _joined(self._store, rank, size, self.device, address, limit)
        except RuntimeError as error:
            raise ShardError(
                f"rank {rank} of {size} did not meet the others at {rendezvous!r} within {timeout:g} s: {error}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.barrier()  # rank 0's store must outlive the others' last look at it
        finally:
            self._group.shutdown()
            del self._group  # only then are the connections closed, and the others see it

    def partition(self, particles: range, *, chunk: int, threads: int = 1) -> Partition:
        """How this rank goes over its ``particles``, one of :func:`spans`."""
        return Partition(chunk, threads, self.total, particles.start, self.least)

    def total(self, values: Tensor) -> Tensor:
        """Sum over all ranks of a tensor on the group's device, in a new tensor; the same on every rank."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def least(self, values: Tensor) -> Tensor:
        """Minimum over all ranks, entry by entry."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._all_reduce(torch.zeros(1, device=self.device), dist.ReduceOp.SUM)

    def take_traffic(self) -> Traffic:
        """What was communicated since the last call; the counters start again at 0."""
        taken, self.traffic = self.traffic, Traffic()
        return taken

    def _reduced(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        found = values.clone()
        start = time.perf_counter()
        self._all_reduce(found, operation)
        self.traffic.seconds += time.perf_counter() - start
        self.traffic.calls += 1
        self.traffic.payload += found.numel() * found.element_size()
        return found

    def _all_reduce(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> None:
        options = dist.AllreduceOptions()
        options.reduceOp = dist.ReduceOp(operation)
        try:
            self._group.allreduce([values], options).wait()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # NCCL only queues: without this a dead rank shows much later
        except RuntimeError as error:
            raise ShardError(
                f"rank {self.rank} of {self.size} lost the others in a sum of {values.numel()} numbers: {error}; "
                "a shard has stopped or is too slow: start all shards again from the last mark"
            ) from error


def _opened(rendezvous: Store | str, rank: int, size: int, limit: timedelta) -> Store:
    if isinstance(rendezvous, Store):
        return rendezvous
    if not rendezvous.startswith(("file://", "tcp://")):
        raise ParameterError(f"found rendezvous {rendezvous!r}; expected file://PATH or tcp://HOST:PORT")
    store: Store = next(meet(rendezvous, rank, size, timeout=limit))[0]
    return store


def _joined(store: Store, rank: int, size: int, device: torch.device, address: str, limit: timedelta) -> _Backend:
    options: Any
    if device.type == "cpu":
        options = dist.ProcessGroupGloo._Options()  # type: ignore[attr-defined]  # noqa: SLF001
        # Public ways to say where to listen are environment variables only.
        options._devices = [dist.ProcessGroupGloo.create_device(hostname=address)]  # noqa: SLF001
        options._timeout = limit  # noqa: SLF001
        return cast("_Backend", dist.ProcessGroupGloo(store, rank, size, options))
    if device.type == "cuda" and dist.is_nccl_available():
        torch.cuda.set_device(device)
        options = dist.ProcessGroupNCCL.Options()
        options._timeout = limit  # noqa: SLF001
        return cast("_Backend", dist.ProcessGroupNCCL(store, rank, size, options))
    raise ParameterError(f"found device {device}; shards are joined on cpu, or on cuda where torch has NCCL")
