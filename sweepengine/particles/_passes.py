"""Passes over the particles in chunks that stay in cache: how, never what; results agree to rounding for all settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from sweepengine.particles._errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


T = TypeVar("T")


@dataclass(frozen=True)
class Passes:
    """How a loop over all particles is cut up.

    Attributes
    ----------
    chunk : int
        Particles in one chunk. A chunk's activations are chunk × N numbers: they should stay in a core's cache.
    threads : int
        Python threads that share the chunks; torch releases the interpreter's lock in its kernels. Start the process
        with OMP_NUM_THREADS=1, or the two kinds of threads fight for the cores: ``torch.set_num_threads(1)`` does not
        reach the products of other Python threads.
    reduce : callable or None
        Sums a 1-D float64 tensor over all shards of one run (an all-reduce); None when this is the only one. It sees
        the N outputs and the count of particles, or a term's moments: nothing of size m.
    first : int
        Global number of this shard's first particle: the noise of a particle belongs to its number.
    """

    chunk: int = 1024
    threads: int = 1
    reduce: Callable[[Tensor], Tensor] | None = None
    first: int = 0

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

    def _spread(self, count: int, run: Callable[[list[slice]], T]) -> list[T]:
        chunks = self.chunks(count)
        size = -(-len(chunks) // self.threads)
        shares = [chunks[low : low + size] for low in range(0, len(chunks), size)]
        if len(shares) == 1:
            return [run(shares[0])]
        with ThreadPoolExecutor(len(shares)) as pool:
            return list(pool.map(run, shares))
