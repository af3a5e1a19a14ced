"""Loops over all particles, in chunks that stay in cache, on threads and shards.

A partition says how a loop is cut up, never what it computes: for all partitions the results agree up to rounding.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import torch

from sweepengine.particles._errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


T = TypeVar("T")


class _Threads:
    """A pool of threads that all passes share, because starting new threads would take memory and time at every step.

    The threads belong to one process: a forked process starts threads of its own, and so does a copy of this object.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin()

    def __reduce__(self) -> tuple[type[_Threads], tuple[int]]:
        return _Threads, (self._count,)

    def _begin(self) -> None:
        self._process, self._here = os.getpid(), threading.local()
        # The threads must hold no reference to the pool: they end when nobody refers to it any more.
        self._pool = ThreadPoolExecutor(self._count, initializer=setattr, initargs=(self._here, "is_ours", True))

    def map(self, run: Callable[[list[slice]], T], shares: list[list[slice]]) -> list[T]:
        """Results of ``run`` for all shares; an error is raised after all shares have ended."""
        if getattr(self._here, "is_ours", False):  # called within a pass: waiting for the pool could block it for ever
            return [run(share) for share in shares]
        if self._process != os.getpid():
            self._begin()
        futures = [self._pool.submit(run, share) for share in shares]
        try:
            return [future.result() for future in futures]
        finally:
            wait(futures)


@dataclass(frozen=True)
class Partition:
    """How a loop over all particles is cut up.

    Attributes
    ----------
    chunk : int
        Number of particles in one chunk. The activations of a chunk are chunk × N numbers: few enough to stay in a
        core's share of the caches, and enough to hide the cost of the calls.
    threads : int
        Number of Python threads that share the chunks; torch releases the interpreter's lock in its kernels. Start the
        process with OMP_NUM_THREADS=1, or OpenMP's threads compete with these for the cores:
        ``torch.set_num_threads(1)`` does not reach the products of other Python threads.
    reduce : callable or None
        Sums a 1-D float64 tensor over all shards of one run (an all-reduce); None where there is one shard. Its tensors
        are the N outputs and the count of particles, or the moments of a term, but never anything of size m.
    first : int
        Global number of this shard's first particle, on which the noise of the particles depends.
    least : callable or None
        Like ``reduce``, with the minimum in place of the sum.
    """

    chunk: int = 2048
    threads: int = 1
    reduce: Callable[[Tensor], Tensor] | None = None
    first: int = 0
    least: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.threads < 1 or self.first < 0:
            raise ParameterError(
                f"found chunk {self.chunk}, threads {self.threads}, first {self.first}; chunk and threads are at "
                "least 1 and first is at least 0"
            )

    def chunks(self, count: int) -> list[slice]:
        """The chunks of ``count`` particles, in order."""
        return [slice(low, min(low + self.chunk, count)) for low in range(0, count, self.chunk)]

    def each(self, count: int, work: Callable[[slice], object]) -> None:
        """Call ``work`` once for every chunk."""

        def run(share: list[slice]) -> None:
            for chunk in share:
                work(chunk)

        self._spread(count, run)

    def mean(self, count: int, part: Callable[[slice], Tensor]) -> Tensor:
        """Mean over the particles of all shards.

        Parameters
        ----------
        count : int
            Number of particles on this shard.
        part : callable
            From a chunk to the sum of a quantity over its particles, shape (n,).

        Returns
        -------
        Tensor of float64, shape (n,)
            Chunks are added in float64, so that float32 runs lose no digits in a sum over many chunks.
        """

        def run(share: list[slice]) -> Tensor:
            total = part(share[0]).to(torch.float64)
            for chunk in share[1:]:
                total += part(chunk)
            return total

        totals = self._spread(count, run)
        total = sum(totals[1:], totals[0])
        if self.reduce is None:
            return total / count
        summed = self.reduce(torch.cat([total, total.new_tensor([float(count)])]))
        return summed[:-1] / summed[-1]

    def any(self, particles: Tensor, is_so: Callable[[Tensor], bool]) -> bool:
        """Whether ``is_so`` holds for some of the particles (m, p) of any shard; each thread passes all of its own."""
        holds = any(self._spread(len(particles), lambda share: is_so(particles[share[0].start : share[-1].stop])))
        if self.reduce is None:
            return holds
        return bool(self.reduce(particles.new_tensor([float(holds)], dtype=torch.float64)) > 0)

    def count(self, particles: Tensor) -> int:
        """Number of particles on all shards; ``particles`` (m, p) are those of this shard."""
        here = len(particles)
        return here if self.reduce is None else int(self.reduce(particles.new_tensor([here], dtype=torch.float64)))

    def minimum(self, values: Tensor) -> float:
        """The smallest of the values (n,) of the particles of all shards."""
        here = values.min().to(torch.float64).reshape(1)
        if self.reduce is None:
            return float(here)
        if self.least is None:
            raise ParameterError("found shards without a minimum over them; give Partition both reduce and least")
        return float(self.least(here))

    def everyone(self, cloud: Tensor) -> Tensor:
        """A copy of the particles (m, p) of all shards, in the order of their numbers.

        Every shard holds m·p numbers and sends as many through ``reduce``. Only pairwise terms need this, and their
        work is m² in any case.

        Raises
        ------
        ParameterError
            The shards overlap or leave gaps.
        """
        if self.reduce is None:
            return cloud.clone()
        count, p = cloud.shape
        total = self.count(cloud)
        # The other shards add zeros, which keep every digit; the last column counts the shards that claim a particle.
        rows = cloud.new_zeros((max(total, self.first + count), p + 1), dtype=torch.float64)
        rows[self.first : self.first + count, :p] = cloud
        rows[self.first : self.first + count, p] = 1
        gathered = self.reduce(rows[:total].reshape(-1)).reshape(total, p + 1)
        if self.first + count > total or bool((gathered[:, p] != 1).any()):
            raise ParameterError(
                f"found shards that overlap or leave gaps, this one with particles {self.first} to "
                f"{self.first + count - 1} of {total}; give every shard its own `first`"
            )
        return gathered[:, :p].to(cloud.dtype)

    def _spread(self, count: int, run: Callable[[list[slice]], T]) -> list[T]:
        chunks = self.chunks(count)
        size = -(-len(chunks) // self.threads)
        shares = [chunks[low : low + size] for low in range(0, len(chunks), size)]
        if len(shares) == 1:
            return [run(shares[0])]
        return self._threads.map(run, shares)

    @cached_property
    def _threads(self) -> _Threads:
        return _Threads(self.threads)
