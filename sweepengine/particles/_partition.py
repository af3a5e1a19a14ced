"""Loops over the particles in chunks that stay in cache, on threads and shards: how, never what; results agree to rounding for all settings."""

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
    """The same threads for every pass: new ones would take new memory, and time that is felt at every step.

    They belong to a process: one that was forked off begins its own, and so does a copy.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin()

    def __reduce__(self) -> tuple[type[_Threads], tuple[int]]:
        return _Threads, (self._count,)

    def _begin(self) -> None:
        self._process, self._here = os.getpid(), threading.local()
        # Nothing that the threads hold may lead to the pool: they end when nobody has it any more.
        self._pool = ThreadPoolExecutor(self._count, initializer=setattr, initargs=(self._here, "is_ours", True))

    def map(self, run: Callable[[list[slice]], T], shares: list[list[slice]]) -> list[T]:
        """What ``run`` makes of each share; an error leaves when all of them have ended."""
        if getattr(self._here, "is_ours", False):  # within a pass: the others may be waiting, as this one would
            return [run(share) for share in shares]
        if self._process != os.getpid():
            self._begin()
        begun = [self._pool.submit(run, share) for share in shares]
        try:
            return [each.result() for each in begun]
        finally:
            wait(begun)


@dataclass(frozen=True)
class Partition:
    """How a loop over all particles is cut up.

    Attributes
    ----------
    chunk : int
        Particles in one chunk. A chunk's activations are chunk × N numbers: they should stay in a core's share of the
        caches, and be many enough to hide the calls.
    threads : int
        Python threads that share the chunks; torch releases the interpreter's lock in its kernels. Start the process
        with OMP_NUM_THREADS=1, or the two kinds of threads fight for the cores: ``torch.set_num_threads(1)`` does not
        reach the products of other Python threads.
    reduce : callable or None
        Sums a 1-D float64 tensor over all shards of one run (an all-reduce); None when this is the only one. It sees
        the N outputs and the count of particles, or a term's moments: nothing of size m.
    first : int
        Global number of this shard's first particle: the noise of a particle belongs to its number.
    least : callable or None
        As ``reduce``, the minimum in place of the sum.
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
            for each in share:
                work(each)

        self._spread(count, run)

    def mean(self, count: int, part: Callable[[slice], Tensor]) -> Tensor:
        """Mean over the particles of all shards.

        Parameters
        ----------
        count : int
            Particles of this shard.
        part : callable
            From a chunk to the sum of a quantity over it, shape (n,).

        Returns
        -------
        Tensor of float64, shape (n,)
            Chunks are added in float64, so that the sum over many chunks costs float32 runs no digits.
        """

        def run(share: list[slice]) -> Tensor:
            total = part(share[0]).to(torch.float64)
            for each in share[1:]:
                total += part(each)
            return total

        totals = self._spread(count, run)
        total = sum(totals[1:], totals[0])
        if self.reduce is None:
            return total / count
        summed = self.reduce(torch.cat([total, total.new_tensor([float(count)])]))
        return summed[:-1] / summed[-1]

    def any(self, particles: Tensor, is_so: Callable[[Tensor], bool]) -> bool:
        """Whether something holds of some particles (m, p), of any shard; each thread's are looked at in one piece."""
        found = any(self._spread(len(particles), lambda share: is_so(particles[share[0].start : share[-1].stop])))
        if self.reduce is None:
            return found
        return bool(self.reduce(particles.new_tensor([float(found)], dtype=torch.float64)) > 0)

    def count(self, particles: Tensor) -> int:
        """All shards' particles, counted; those here are ``particles`` (m, p)."""
        here = len(particles)
        return here if self.reduce is None else int(self.reduce(particles.new_tensor([here], dtype=torch.float64)))

    def minimum(self, values: Tensor) -> float:
        """Least of the values (n,) of all shards' particles."""
        here = values.min().to(torch.float64).reshape(1)
        if self.reduce is None:
            return float(here)
        if self.least is None:
            raise ParameterError("found shards without a minimum over them; give Partition both reduce and least")
        return float(self.least(here))

    def everyone(self, cloud: Tensor) -> Tensor:
        """All shards' particles (m, p) in the order of their numbers, as a copy that does not move with them.

        m·p numbers on every shard, and through ``reduce`` as many: for pairwise terms, whose work is m² in any case.

        Raises
        ------
        ParameterError
            If the shards' numbers do not follow each other.
        """
        if self.reduce is None:
            return cloud.clone()
        count, p = cloud.shape
        total = self.count(cloud)
        # Zeros of the others leave every digit of a particle; the last column counts who thinks that it is theirs.
        rows = cloud.new_zeros((max(total, self.first + count), p + 1), dtype=torch.float64)
        rows[self.first : self.first + count, :p] = cloud
        rows[self.first : self.first + count, p] = 1
        found = self.reduce(rows[:total].reshape(-1)).reshape(total, p + 1)
        if self.first + count > total or bool((found[:, p] != 1).any()):
            raise ParameterError(
                f"found shards that overlap or leave gaps, this one with particles {self.first} to "
                f"{self.first + count - 1} of {total}; give every shard its own `first`"
            )
        return found[:, :p].to(cloud.dtype)

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
