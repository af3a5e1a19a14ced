"""Time of full-batch particle steps against the three matrix products that they cannot do without.

    OMP_NUM_THREADS=1 python benchmarks/particles_step.py [--particles 100000] [--repeats 5] [--chunk 512]

A step of Euler's method passes over the particles twice: for the outputs (one product of m·N·d), then for the velocity
(this product again, and one of m·N·d back). The floor is these three products alone, chunk by chunk in cache into one
buffer, on as many Python threads. Every repeat times the floor and the steps one after the other, and a ratio is taken
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
from functools import partial
from pathlib import Path

import numpy as np
import torch

from sweepengine import particles as pt

D, N, STEPS = 32, 256, 5
ACTIVATIONS = ("relu", "tanh", "erf", "gelu")


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


def measure(count: int, partition: pt.Partition, repeats: int) -> None:
    """Print a row for each activation: floor, step, their ratio, and the step over relu's."""
    inputs = pt.gaussian_cloud(1, N, D, torch.float32)
    problems = {activation: problem(count, activation) for activation in ACTIVATIONS}

    def run(activation: str, steps: int = STEPS) -> None:
        functional, cloud = problems[activation]
        found = pt.flow(functional, cloud, step_size=1e-3, steps=steps, partition=partition, overwrite=True)
        assert found.status == "done"

    def floor() -> None:
        products(problems["relu"][1], inputs, partition)

    floor()
    for activation in ACTIVATIONS:
        run(activation, steps=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = [[elapsed(floor), *(elapsed(partial(run, name)) for name in ACTIVATIONS)] for _ in range(repeats)]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    times = np.array(rows)
    for column, activation in enumerate(ACTIVATIONS, 1):
        low, ratio, high = np.percentile(times[:, column] / times[:, 0], (25, 50, 75))
        print(
            f"{activation:8}{partition.threads:8}{partition.chunk:7}{np.median(times[:, 0]):11.2f}"
            f"{np.median(times[:, column]):9.2f}{ratio:8.2f}{f'{low:.2f} - {high:.2f}':>14}"
            f"{np.median(times[:, column] / times[:, 1]):8.2f}{grown:9.1f}"
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
        f"{'':8}{'threads':>8}{'chunk':>7}{'products s':>11}{'step s':>9}{'ratio':>8}{'quartiles':>14}{'/ relu':>8}"
        f"{'MiB more':>9}"
    )
    for threads in (1, 2):
        measure(options.particles, pt.Partition(options.chunk, threads), options.repeats)


if __name__ == "__main__":
    main()
