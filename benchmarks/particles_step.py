"""Time of full-batch particle steps against the three matrix products that they cannot do without.

    OMP_NUM_THREADS=1 python benchmarks/particles_step.py [--particles 100000] [--repeats 5] [--chunk 512]

A step of Euler's method passes over the particles twice: for the outputs (one product of m·N·d), then for the velocity
(this product again, and one of m·N·d back). The floor is these three products alone, chunk by chunk in cache into one
buffer, on as many Python threads. Every repeat times the floor and the step one after the other, and a ratio is taken
within a repeat, so that the machine's state cancels. Times are wall times, because numbers of threads are compared.
Memory is the growth of the peak resident size over the whole run, beyond the particles, which are moved in place.
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from sweepengine import particles as pt

D, N, STEPS = 32, 256, 20


def problem(count: int, activation: str) -> tuple[pt.Functional, torch.Tensor]:
    """Return F and a cloud of ``count`` particles (w, a) in float32."""
    inputs = pt.gaussian_cloud(1, N, D, torch.float32)
    risk = pt.Risk(pt.Neuron(D, activation, input_scale=D**-0.5), inputs, inputs[:, 0].sin())
    return pt.Functional([risk]), pt.gaussian_cloud(2, count, D + 1, torch.float32)


def products(cloud: torch.Tensor, inputs: torch.Tensor, partition: pt.Partition) -> None:
    """Do the three products of ``STEPS`` steps, nothing else."""

    def share(chunks: list[slice]) -> None:
        h, g = torch.empty(partition.chunk, N), torch.empty(partition.chunk, D)
        for chunk in chunks:
            w = cloud[chunk, :D]
            n = len(w)
            torch.mm(w, inputs.T, out=h[:n])
            torch.mm(w, inputs.T, out=h[:n])
            torch.mm(h[:n], inputs, out=g[:n])

    chunks = partition.chunks(len(cloud))
    size = -(-len(chunks) // partition.threads)
    with ThreadPoolExecutor(partition.threads) as pool:
        for _ in range(STEPS):
            list(pool.map(share, [chunks[low : low + size] for low in range(0, len(chunks), size)]))


def elapsed(work: Callable[[], object]) -> float:
    """Return the wall time of one call in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> str:
    """Return processor, cores and library versions in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, torch {torch.__version__}"


def measure(count: int, activation: str, partition: pt.Partition, repeats: int) -> None:
    """Print one row: floor, step, and their ratio."""
    functional, cloud = problem(count, activation)
    inputs = pt.gaussian_cloud(1, N, D, torch.float32)

    def run() -> None:
        found = pt.flow(functional, cloud, step_size=1e-3, steps=STEPS, partition=partition, overwrite=True)
        assert found.status == "done"

    products(cloud, inputs, partition)
    pt.flow(functional, cloud, step_size=1e-3, steps=1, partition=partition, overwrite=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = np.array([[elapsed(lambda: products(cloud, inputs, partition)), elapsed(run)] for _ in range(repeats)])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    floor, spent = np.median(times, axis=0)
    low, ratio, high = np.percentile(times[:, 1] / times[:, 0], (25, 50, 75))
    print(
        f"{activation:8}{partition.threads:8}{partition.chunk:7}{floor:11.2f}{spent:9.2f}{ratio:8.2f}"
        f"{f'{low:.2f} - {high:.2f}':>14}{grown:9.1f}"
    )


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--chunk", type=int, default=pt.Partition().chunk)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"m = {options.particles}, d = {D}, N = {N}, float32, {STEPS} steps, {options.repeats} repeats; {machine()}")
    print(
        f"{'':8}{'threads':>8}{'chunk':>7}{'products s':>11}{'step s':>9}{'ratio':>8}{'quartiles':>14}{'MiB more':>9}"
    )
    for activation in ("relu", "tanh"):
        for threads in (1, 2):
            measure(options.particles, activation, pt.Partition(options.chunk, threads), options.repeats)


if __name__ == "__main__":
    main()
