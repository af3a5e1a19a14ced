"""Training with the kernel recorded, against the matrix products that it cannot do without.

    OMP_NUM_THREADS=1 python benchmarks/networks_training.py [--repeats 3] [--steps 200]

Each thread trains one network at a time, with one BLAS thread, in float32. The floor is the matrix products of the same
steps alone: plain calls into existing arrays, in the order of operands that is fastest here (W⁰ column by column), with
the Gram matrices once as triangular strips, which the engine computes, and once in full. The floor has no matrix–vector
products, costs and elementwise passes. Floor and training alternate, network by network, and a ratio is taken within a
pair. The clock is the processor time of the thread, in one process and in two processes that start each round together.
For two Python threads it is wall time, which includes that they wait for each other, and other load of the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

from sweepengine.networks import Inputs, Network, Workspace, initialise, matmul_precision, network
from sweepengine.networks._kernel import strip_rows
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

N, D, M, EVERY = 128, 64, 512, 10
CPU = torch.device("cpu")
Steps = Callable[[], object]


def triangular(out: torch.Tensor, left: torch.Tensor) -> None:
    """Compute the lower strips of a Gram matrix."""
    rows = strip_rows(out)
    for start in range(0, out.shape[0], rows):
        stop = start + rows
        torch.mm(left[start:stop], left[:stop].mT, out=out[start:stop, :stop])


def floor(depth: int, m: int, steps: int, every: int, strips: bool) -> Steps:
    """Return a function that does nothing but the products of ``steps`` steps."""
    x, h, g, gram = torch.randn(N, D), torch.randn(N, m), torch.randn(N, m), torch.empty(N, N)
    first, pulled = torch.randn(D, m), 1e-9 * torch.randn(N, D)
    hidden, pulled_wide = [torch.randn(m, m) for _ in range(depth - 1)], 1e-9 * torch.randn(N, m)
    inner = torch.empty(N, m)

    def run() -> None:
        for step in range(steps):
            torch.mm(x, first, out=inner)
            for weight in hidden:
                torch.mm(h, weight.mT, out=inner)
                torch.mm(g, weight, out=inner)
            if every and step % every == 0:
                for _ in range(depth):
                    for each in (h, g):
                        triangular(gram, each) if strips else torch.mm(each, each.mT, out=gram)
            first.addmm_(pulled.mT, g)
            for weight in hidden:
                weight.addmm_(g.mT, pulled_wide)

    return run


def training(depth: int, m: int, steps: int, every: int, activation: str = "relu", seed: int = 0) -> Steps:
    """Return a function that trains one network for ``steps`` steps, with the kernel at every ``every``-th step."""
    a = Architecture(depth, activation, 2**0.5, 0.0, 1.0)
    net: Network = network(a, initialise(a, m, D, seed, torch.float32), [0.5], [1.0])
    generator = torch.Generator().manual_seed(0)
    inputs = Inputs.prepare(torch.randn(N, D, generator=generator), a)
    y = inputs.points[:, 0].sign()
    space, gram = Workspace(), inputs.gram

    def run() -> None:
        for step in range(steps):
            forward = net.forward(inputs, space)
            signals = None
            if every and step % every == 0:
                signals = net.backward(forward, space)
                net.kernel(inputs, forward, signals)
            net.descend(inputs, forward, signals, forward.outputs - y, 0.02, workspace=space)

    assert gram.shape == (N, N)  # the constant Gram matrix of the inputs is made before the clock starts
    return run


def seconds(works: list[Steps]) -> float:
    """Return the time in seconds of all works at once, each on a thread of its own."""
    if len(works) == 1:
        start = time.thread_time()
        works[0]()
        return time.thread_time() - start
    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(lambda _: None, works))
        start = time.perf_counter()
        for waiting in [pool.submit(work) for work in works]:
            waiting.result()
        return time.perf_counter() - start


def summary(values: list[float]) -> str:
    """Return median and quartiles as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:6.3f}  [{low:.3f}, {high:.3f}]"


def report(label: str, times: list[list[float]]) -> None:
    """Print the fraction of each floor that training reaches; a row of times is training, floor, full floor."""
    ours = statistics.median(row[0] for row in times)
    strips, full = (summary([row[i] / row[0] for row in times]) for i in (1, 2))
    print(f"{label:44} {1e3 * ours:9.1f}   {strips}   {full}", flush=True)


def sweep(label: str, threads: int, options: argparse.Namespace, activation: str = "relu") -> None:
    """Print the row of 16 networks, as many of them at once as there are threads."""
    works = []
    for seed in range(0, 16, threads):
        mine = [training(1, M, options.steps, EVERY, activation, seed + thread) for thread in range(threads)]
        floors = [[floor(1, M, options.steps, EVERY, strips) for _ in range(threads)] for strips in (True, False)]
        works += [[mine, *floors]] * options.repeats
    times = [[seconds(each) for each in group] for group in works]
    report(label, times)


@matmul_precision("full", CPU, large=True)  # as the engine's tasks
def child(barrier: Barrier, results: Queue[list[list[float]]], options: argparse.Namespace, seed: int) -> None:
    """Time 8 networks in one process of two; both processes time a floor, or training, at the same time."""
    torch.set_num_threads(1)
    times = []
    for place in range(8):
        mine = training(1, M, options.steps, EVERY, seed=2 * place + seed)
        works = [mine, *(floor(1, M, options.steps, EVERY, strips) for strips in (True, False))]
        for _ in range(options.repeats):
            row = []
            for work in works:
                barrier.wait()
                row.append(seconds([work]))
            times.append(row)
    results.put(times)


def processes(label: str, options: argparse.Namespace) -> None:
    """Print the row of 16 networks in two processes, as the engine's workers run them."""
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(2), spawn.Queue()
    children = [spawn.Process(target=child, args=(barrier, results, options, seed)) for seed in range(2)]
    for each in children:
        each.start()
    times = [row for _ in children for row in results.get()]
    for each in children:
        each.join()
    report(label, times)


def recording(depth: int, m: int, options: argparse.Namespace) -> None:
    """Print how much longer training takes with the kernel at every step than without it."""
    steps = max(4, options.steps // 20) if depth > 1 else options.steps
    ratios, floors = [], []
    for seed in range(4 * options.repeats):
        on, off = training(depth, m, steps, 1, seed=seed), training(depth, m, steps, 0, seed=seed)
        floor_on, floor_off = (floor(depth, m, steps, every, strips=True) for every in (1, 0))
        t_off, t_on, f_off, f_on = (seconds([work]) for work in (off, on, floor_off, floor_on))
        ratios.append(t_on / t_off - 1)
        floors.append(f_on / f_off - 1)
    print(
        f"L = {depth}, m = {m:<5} kernel at every step over never   {summary(ratios)}   its products {summary(floors)}"
    )


@matmul_precision("full", CPU, large=True)
def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    rate = 2 * 1024**3 / min(seconds([lambda: torch.mm(a, b)]) for _ in range(20)) / 1e9
    print(f"{platform.machine()}, torch {torch.__version__}, float32, one thread multiplies at {rate:.0f} Gflop/s")
    print(f"16 networks, L = 1, m = {M}, N = {N}, d = {D}, {options.steps} steps, kernel every {EVERY}")
    print(f"{'':44} {'ms a turn':>9}   {'of the floor, strips':23}   of the floor, full Grams")
    sweep("relu, one thread", 1, options)
    sweep("tanh, one thread", 1, options, "tanh")
    processes("relu, two processes, a network each", options)
    sweep("relu, two Python threads, a network each", 2, options)
    recording(3, 1024, options)
    recording(1, 1024, options)


if __name__ == "__main__":
    main()
