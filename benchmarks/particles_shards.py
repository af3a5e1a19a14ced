"""The time of a step of a flow on one shard and on two, and the time that the shards communicate.

    OMP_NUM_THREADS=1 python benchmarks/particles_shards.py [--particles 200000] [--steps 10] [--rounds 7]

Each shard is a process with one BLAS thread; gloo joins the shards over the loopback address. One shard and two shards
take turns, and a ratio is taken within a round. Rank 0 measures the seconds of communication in two ways: in a step,
where they include waiting for the slower shard, and for the same sums alone right after a barrier. The latter is the
floor, the time of an all-reduce if no shard is late.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from multiprocessing.queues import SimpleQueue

import torch

from sweepengine import particles as pt

D, N = 32, 256
Row = tuple[float, float, float, int, float]


def seconds_of_sums(group: pt.ShardGroup, numbers: int, count: int) -> float:
    """Return the median time in seconds of an all-reduce of float64 numbers, right after a barrier."""
    values, times = torch.zeros(numbers, dtype=torch.float64), []
    for _ in range(count):
        group.barrier()
        start = time.perf_counter()
        group.total(values)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def shard(rank: int, size: int, folder: str, options: argparse.Namespace, results: SimpleQueue[Row]) -> None:
    """Do one round on this rank; rank 0 puts its (step, summing, floor, bytes, calls), per step."""
    torch.set_num_threads(1)
    chunk = pt.Partition().chunk
    mine = pt.spans(options.particles, chunk, size)[rank]
    inputs = pt.gaussian_cloud(1, N, D, torch.float32)
    functional = pt.Functional([pt.Risk(pt.Neuron(D, "relu", input_scale=D**-0.5), inputs, inputs[:, 0].sin())])
    cloud = pt.gaussian_cloud(2, len(mine), D + 1, torch.float32, first=mine.start)
    with pt.ShardGroup(rank, size, f"file://{folder}/meet") as group:
        partition = group.partition(mine, chunk=chunk)
        pt.flow(functional, cloud, step_size=1e-3, steps=1, partition=partition, overwrite=True)
        group.barrier()
        group.take_traffic()
        start = time.perf_counter()
        pt.flow(functional, cloud, step_size=1e-3, steps=options.steps, partition=partition, overwrite=True)
        spent, traffic = (time.perf_counter() - start) / options.steps, group.take_traffic()
        floor = seconds_of_sums(group, N + 1, 200) + seconds_of_sums(group, 1, 200)
        if rank == 0:
            each = options.steps
            results.put((spent, traffic.seconds / each, floor, traffic.payload // each, traffic.calls / each))


def round_of(size: int, options: argparse.Namespace) -> Row:
    """Return the row of one round with `size` shards."""
    spawn = multiprocessing.get_context("spawn")
    results: SimpleQueue[Row] = spawn.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        shards = [spawn.Process(target=shard, args=(rank, size, folder, options, results)) for rank in range(size)]
        for each in shards:
            each.start()
        found = results.get()
        for each in shards:
            each.join()
    return found


def middle(values: list[float], scale: float = 1e3) -> str:
    """Return median and quartiles as text."""
    low, median, high = (scale * value for value in statistics.quantiles(values, n=4))
    return f"{median:9.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Parse the command line and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(
        f"m = {options.particles}, d = {D}, N = {N}, float32, Euler, relu; {platform.machine()}, {os.cpu_count()} "
        f"cores, torch {torch.__version__}, {options.rounds} rounds of {options.steps} steps"
    )
    rounds = [(round_of(1, options), round_of(2, options)) for _ in range(options.rounds)]
    for size, place in ((1, 0), (2, 1)):
        rows = [each[place] for each in rounds]
        print(f"n = {size}: {rows[0][3]} bytes in {rows[0][4]:.1f} sums a step")
        print(f"  step, ms                     {middle([row[0] for row in rows])}")
        print(f"  in sums, waiting too, ms     {middle([row[1] for row in rows])}")
        print(f"  the same sums alone, ms      {middle([row[2] for row in rows])}")
    print(f"one shard over two, in its round   {middle([one[0] / two[0] for one, two in rounds], 1.0)}")


if __name__ == "__main__":
    main()
