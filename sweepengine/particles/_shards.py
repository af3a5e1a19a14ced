"""One flow over many processes: every rank holds whole chunks of particles, and the ranks sum over all of them.

A rank holds its particles and the N inputs. In a step the ranks exchange a few sums of about N numbers, never anything
of size m, except for pairwise interactions (see :meth:`Partition.everyone`). The code that starts the processes chooses
the rendezvous; the group belongs to its object, and torch's default process group is not used.
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
    """The methods of torch's process groups that this module calls; torch's stubs lack them."""

    def allreduce(self, tensors: list[Tensor], opts: dist.AllreduceOptions) -> dist.Work: ...

    def shutdown(self) -> None: ...


LOOPBACK = "127.0.0.1"


def spans(count: int, chunk: int, shards: int) -> list[range]:
    """The particles of each shard: whole chunks in order, with numbers of chunks as equal as possible.

    Parameters
    ----------
    count : int
        Number m of particles of the run.
    chunk : int
        Number of particles in a chunk, as for :class:`Partition`. Only the last chunk of the last shard may be shorter,
        so that shards cut the particles where one process would.
    shards : int
        Number of shards.

    Returns
    -------
    list of range
        Global numbers of the particles of each shard.

    Raises
    ------
    ParameterError
        A number is below 1, or there are more shards than chunks.
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
    """Communication of one rank.

    Attributes
    ----------
    calls : int
        Number of all-reduces.
    payload : int
        Bytes of the reduced tensors, each tensor counted once; a ring of n ranks sends 2(n − 1)/n times as much.
    seconds : float
        Time spent in all-reduces, including waiting for slower ranks.
    """

    calls: int = 0
    payload: int = 0
    seconds: float = 0.0


class ShardGroup:
    """One rank's membership in the shards of a run; a context manager.

    Every rank must ask for the same sums in the same order, as :func:`flow` does. Leaving the context waits for all
    ranks. Leaving it by an exception does not wait, and the other ranks fail at their next sum.

    Parameters
    ----------
    rank, size : int
        Number of this rank and number of ranks, 0 ≤ rank < size.
    rendezvous : torch.distributed.Store or str
        Place where the ranks find each other: ``file://PATH`` with a path that no group has used before,
        ``tcp://HOST:PORT`` where rank 0 listens, or a store. Rank 0 may open a ``TCPStore`` at port 0 and tell the
        other ranks its ``port``.
    device : torch.device or str
        Device of the particles: gloo joins CPUs, NCCL joins CUDA devices.
    address : str
        Address of this machine at which gloo listens. The default keeps all traffic on one machine.
    timeout : float
        Seconds after which a rank that waits for others gives up.

    Attributes
    ----------
    traffic : Traffic
        Communication since the start, or since the last :meth:`take_traffic`.

    Raises
    ------
    ParameterError
        The rank, rendezvous or device is not allowed.
    ShardError
        The ranks did not find each other in time.
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
                self.barrier()  # rank 0's store must live until the other ranks have read it for the last time
        finally:
            self._group.shutdown()
            del self._group  # this closes the connections, which the other ranks notice

    def partition(self, particles: range, *, chunk: int) -> Partition:
        """The partition with which this rank loops over its ``particles``, one of :func:`spans`."""
        return Partition(chunk, 1, self.total, particles.start, self.least)

    def total(self, values: Tensor) -> Tensor:
        """A new tensor with the sum over all ranks of a tensor on the group's device, the same on every rank."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def least(self, values: Tensor) -> Tensor:
        """A new tensor with the minimum over all ranks, entry by entry."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def barrier(self) -> None:
        """Wait until every rank has called this."""
        self._all_reduce(torch.zeros(1, device=self.device), dist.ReduceOp.SUM)

    def take_traffic(self) -> Traffic:
        """Communication since the last call; the counters start again at 0."""
        taken, self.traffic = self.traffic, Traffic()
        return taken

    def _reduced(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        reduced = values.clone()
        start = time.perf_counter()
        self._all_reduce(reduced, operation)
        self.traffic.seconds += time.perf_counter() - start
        self.traffic.calls += 1
        self.traffic.payload += reduced.numel() * reduced.element_size()
        return reduced

    def _all_reduce(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> None:
        options = dist.AllreduceOptions()
        options.reduceOp = dist.ReduceOp(operation)
        try:
            self._group.allreduce([values], options).wait()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # NCCL only queues: otherwise a dead rank shows much later
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
        # The only public way to choose the address is an environment variable.
        options._devices = [dist.ProcessGroupGloo.create_device(hostname=address)]  # noqa: SLF001
        options._timeout = limit  # noqa: SLF001
        return cast("_Backend", dist.ProcessGroupGloo(store, rank, size, options))
    if device.type == "cuda" and dist.is_nccl_available():
        torch.cuda.set_device(device)
        options = dist.ProcessGroupNCCL.Options()
        options._timeout = limit  # noqa: SLF001
        return cast("_Backend", dist.ProcessGroupNCCL(store, rank, size, options))
    raise ParameterError(f"found device {device}; shards are joined on cpu, or on cuda where torch has NCCL")
