"""The cost of a run in floating-point operations, seconds and bytes."""

from __future__ import annotations

import heapq
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.activations import entry_of
from sweepengine.observe import Sizes, ingredients_of, record_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.observe import RecordCost
    from sweepengine.spec import Run
    from sweepengine.store import BlockShape

_STEP_OVERHEAD = 1.5e-5
_LAYER_OVERHEAD = 1e-5
_RECORD_OVERHEAD = 3e-4
RUN_OVERHEAD = 6e-4
_DRAW_SECONDS = 2.3e-8
"""Seconds for a parameter that is drawn (measured)."""
BYTE_SECONDS = 7e-9
"""Seconds for a recorded byte: its digest, compression and file, and its way through worker and driver (measured)."""
_PASSED, _EXPONENTIAL = 2**18, {"float32": 3.2e-10, "float64": 5.8e-10}
"""Numbers in the pass by which machines are compared; precision → seconds of NumPy's exponential of one of them."""
_STARTUP_SECONDS = 9.0
WORKER_BYTES = 350_000_000
"""Resident memory of a worker with Python, PyTorch and Ray loaded (measured on Linux).

It is 340 MB without pyarrow and 370 MB with it: Ray loads pyarrow into every worker where it is installed, which the
machine that plans does not know of the machines that work.
"""


def available_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True)
class MachineRate:
    """How fast one thread multiplies matrices, and goes over arrays.

    Attributes
    ----------
    flops : float
        Floating-point operations of products each second, in the sweep's precision.
    passes : float
        Time of a pass over an array, over that of the CPU on which the constants of the plan were measured.
    """

    flops: float
    passes: float = 1.0

    @classmethod
    def measure(cls, precision: str) -> MachineRate:
        """Time a few products and passes of sizes usual in training on one thread, for about 0.1 s."""
        import torch

        from sweepengine.networks import matmul_precision

        dtype = getattr(torch, precision)
        a, b = torch.ones(128, 1024, dtype=dtype), torch.ones(1024, 256, dtype=dtype)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with matmul_precision("full", torch.device("cpu"), large=True):
                product = min(_seconds_of(lambda: a @ b) for _ in range(20))
        finally:
            torch.set_num_threads(threads)
        values = np.linspace(-4, 4, _PASSED, dtype=precision)
        out = np.empty_like(values)
        exponentials = min(_seconds_of(lambda: np.exp(values, out=out)) for _ in range(20))
        return cls(2.0 * 128 * 1024 * 256 / product, exponentials / (_PASSED * _EXPONENTIAL[precision]))


NOMINAL = MachineRate(flops=5e10, passes=2.5)
"""A usual machine. Chunks are cut by its seconds, so that their size does not depend on the machine that plans."""


def _seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _sizes(run: Run, d: int) -> list[int]:
    """n_0 = d, n_1, …, n_L."""
    return [d, *run.architecture.widths(run.width)]


def _matrix_sizes(run: Run, d: int) -> tuple[int, int]:
    """Entries of W⁰, and of all hidden matrices above it."""
    sizes = _sizes(run, d)
    first, *above = (rows * columns for rows, columns in zip(sizes[1:], sizes, strict=False))
    return first, sum(above)


def step_flops(run: Run, shape: BlockShape, d: int) -> float:
    """Operations of a step's products: for each velocity 4 N n_1 d for W⁰, and 6 N for each entry of those above."""
    first, above = _matrix_sizes(run, d)
    outputs, points = shape.sizes["output"], run.method.velocities * (run.method.batch_size or shape.sizes["i"])
    return points * (4.0 * first + 6.0 * above + 6.0 * run.width * outputs)


def _element_seconds(run: Run, shape: BlockShape, d: int, rate: MachineRate) -> float:
    """Seconds of a step's passes over N × n_l arrays."""
    points = run.method.velocities * (run.method.batch_size or shape.sizes["i"])
    entry = entry_of(run.architecture.activation).times(run.precision).sloped * 1e-9
    return points * sum(_sizes(run, d)[1:]) * entry * rate.passes


def cost_of_record(run: Run, shape: BlockShape, d: int) -> RecordCost:
    """Cost of one record of the run's observables, by their own ingredients."""
    sizes = Sizes(
        n=shape.sizes["i"],
        n_test=shape.sizes["test"],
        d=d,
        width=max(run.architecture.widths(run.width)),  # an upper bound for unequal widths
        depth=run.architecture.depth,
        outputs=shape.sizes["output"],
    )
    return record_cost(ingredients_of(run), sizes)


def run_seconds(run: Run, shape: BlockShape, d: int, rate: MachineRate) -> float:
    """Estimated seconds of one run on one thread."""
    overhead = run.method.velocities * (_STEP_OVERHEAD + run.architecture.depth * _LAYER_OVERHEAD)
    step = step_flops(run, shape, d) / rate.flops + _element_seconds(run, shape, d, rate) + overhead
    cost = cost_of_record(run, shape, d)
    record = cost.flops / (0.6 * rate.flops) + cost.seconds + _RECORD_OVERHEAD
    ends = RUN_OVERHEAD + _DRAW_SECONDS * sum(_matrix_sizes(run, d)) + BYTE_SECONDS * shape.run_bytes()
    return ends + run.n_steps * step + shape.records * record


def run_memory(run: Run, shape: BlockShape, d: int) -> int:
    """Bytes of a worker with one task: parameters now and at t = 0, passes, one record, and one chunk's buffer."""
    first, above = _matrix_sizes(run, d)
    n, k, widths = shape.sizes["i"], shape.sizes["output"], _sizes(run, d)[1:]
    item = np.dtype(run.precision).itemsize
    parameters = first + above + sum(widths) + run.width * k
    passes = (n + shape.sizes["test"]) * (3 * sum(widths) + 2 * max(widths))
    if k > 1:  # a record makes the signals of every output
        passes += n * k * sum(widths)
    cost = cost_of_record(run, shape, d)
    weights = parameters * (2 + run.method.copies)
    return WORKER_BYTES + (weights + passes) * item + int(cost.kept + cost.bytes) + shape.held_bytes()


def sweep_seconds(pack_seconds: list[float], workers: int) -> float:
    """Estimated seconds of a whole sweep with start-up, from those of its packs; 0 if there are no packs."""
    if not pack_seconds:
        return 0.0
    loads = [0.0] * workers  # a heap, whose first entry is the least
    for seconds in sorted(pack_seconds, reverse=True):
        heapq.heapreplace(loads, loads[0] + seconds)
    return _STARTUP_SECONDS + max(loads)
