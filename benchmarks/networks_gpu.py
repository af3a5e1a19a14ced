"""Training with the kernel recorded on a CUDA device, against the device's measured rate of matrix products.

    python benchmarks/networks_gpu.py [--device cuda] [--runs 64] [--width 1024] [--repeats 10]

The first table has times. A group of networks is advanced together as the engine does it, and the tangent kernel is
recorded at every tenth step, in four ways: plain; with the elementwise stage of each layer in one Triton kernel; with
the steps between records as a CUDA graph; with both. The products of the steps and of the Gram matrices count as work.
The rate is that of large square products of the same precision in the same run, for float32 and for TF32. The first
steps, which compile and record, are not timed.

The second table has the distance between the outputs after training and those of a CPU in float64, beside the allowed
distance; the exit code is 1 if it is exceeded. Without a CUDA device the benchmark says so; with --device cpu it
measures the ways that a CPU has.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from unittest.mock import patch

import torch

from sweepengine.execute._data import Data
from sweepengine.execute._graph import cuda_graph
from sweepengine.execute._turn import NetworkTurn
from sweepengine.networks import matmul_precision
from sweepengine.networks._fused import is_fused
from sweepengine.spec import Architecture, Run

N, D, STEPS, EVERY = 128, 64, 60, 10
ETA = 0.02
WAYS = {"plain": (False, False), "fused": (True, False), "graph": (False, True), "both": (True, True)}
"""Name → (whether layers are fused, whether steps are recorded)."""
PRECISIONS = {"float64": ("float64", "full"), "float32": ("float32", "full"), "TF32": ("float32", "tf32")}
"""Name → (dtype, precision of matrix products)."""
ALLOWED = {"float64": 1e-10, "float32": 1e-4, "TF32": 3e-2}
"""Largest allowed distance of outputs, as a share of the largest output, after training at width 128."""
NOT_MEASURED = "-"


@dataclass(frozen=True)
class Problem:
    """Networks of many seeds on a device."""

    device: torch.device
    runs: int
    width: int
    depth: int
    activation: str
    precision: str

    def turn(self, fused: bool, graph: bool) -> NetworkTurn:
        """Return the turn of the networks at t = 0."""
        dtype, matmul = PRECISIONS[self.precision]
        a = Architecture(self.depth, self.activation, 2**0.5, 0.0, 1.0)
        records, observables = tuple(range(0, STEPS + 1, EVERY)), ("outputs_train", "kernel")
        runs = [
            Run(a, self.width, seed, 0.5, 1.0, "mse", STEPS * ETA, records, dtype, "", observables, matmul=matmul)
            for seed in range(self.runs)
        ]
        x = torch.randn(N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        y = x[:, 0].sign()
        data = Data(*(each.to(self.device, getattr(torch, dtype)) for each in (x, y, x[:1], y[:1])))
        if fused:
            return NetworkTurn(runs, data, record=cuda_graph if graph else None)
        with patch("sweepengine.networks._propagation.fused_layer", lambda *_, **__: None):
            return NetworkTurn(runs, data, record=cuda_graph if graph else None)

    def work(self) -> float:
        """Return the operations in the products of one step, with the step's share of a recorded kernel."""
        step = 4 * N * self.width * D + 6 * N * self.width**2 * (self.depth - 1)
        return self.runs * (step + 4 * self.depth * N**2 * self.width / EVERY)

    def can(self, fused: bool, graph: bool) -> bool:
        """Return whether the device has a way, and the way is not another one under a second name."""
        dtype = getattr(torch, PRECISIONS[self.precision][0])
        return not (fused and not is_fused(self.activation, self.device, dtype, biased=False)) and (
            not graph or self.device.type == "cuda"
        )


def wait(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def step_seconds(problem: Problem, fused: bool, graph: bool) -> float:
    """Return the mean time of a step in seconds, from the second record to the end."""
    steps, start = 0, 0.0
    for record in problem.turn(fused, graph).advance():
        if record is not None and record.index == 1:
            wait(problem.device)
            steps, start = 0, time.perf_counter()
        steps += record is None
    wait(problem.device)
    return (time.perf_counter() - start) / steps


def product_rate(device: torch.device, dtype: str, repeats: int) -> float:
    """Return the operations per second of a square product in the precision that is set."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, dtype=getattr(torch, dtype), device=device) for _ in range(2))
    out, times = torch.empty_like(a), []
    for _ in range(repeats + 1):
        wait(device)
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        wait(device)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times[1:])


def last_outputs(problem: Problem, fused: bool, graph: bool) -> torch.Tensor:
    """Return the outputs at the last record, float64, shape (R, N)."""
    records = [each for each in problem.turn(fused, graph).advance() if each is not None]
    return torch.stack([torch.from_numpy(each["outputs_train"]).double() for each in records[-1].values if each])


def rates(device: torch.device, options: argparse.Namespace) -> None:
    """Print times and rates."""
    names = "".join(f"{way + ', ms':>11}" for way in WAYS)
    print(f"{'products':9}{'Tflop/s':>9}  L φ     {names}{'of the rate':>13}")
    for precision in ("float32", "TF32"):
        dtype, matmul = PRECISIONS[precision]
        if precision == "TF32" and device.type == "cpu":
            print(f"{precision:9}{NOT_MEASURED:>9}")
            continue
        with matmul_precision(matmul, device):
            rate = product_rate(device, dtype, options.repeats)
            for depth, activation in ((1, "relu"), (3, "relu"), (1, "gelu"), (3, "gelu")):
                problem = Problem(device, options.runs, options.width, depth, activation, precision)
                found = {
                    way: statistics.median(step_seconds(problem, *how) for _ in range(options.repeats))
                    for way, how in WAYS.items()
                    if problem.can(*how)
                }
                cells = "".join(f"{1e3 * found[way]:>11.3f}" if way in found else f"{NOT_MEASURED:>11}" for way in WAYS)
                share = problem.work() / min(found.values()) / rate
                print(f"{precision:9}{rate / 1e12:>9.2f}  {depth} {activation:6}{cells}{share:>13.2f}", flush=True)


def agreement(device: torch.device) -> bool:
    """Print the distances of outputs from those of a CPU in float64; return whether all are allowed."""
    print(
        f"\n{'products':9}{'allowed':>9}  L φ     {''.join(f'{way:>11}' for way in WAYS)}   apart from a CPU in float64"
    )
    within = True
    for precision, allowed in ALLOWED.items():
        if precision == "TF32" and device.type == "cpu":
            print(f"{precision:9}{allowed:>9.0e}{NOT_MEASURED:>4}")
            continue
        for depth, activation in ((1, "relu"), (3, "gelu")):
            exact = last_outputs(Problem(torch.device("cpu"), 2, 128, depth, activation, "float64"), *WAYS["plain"])
            problem, cells = Problem(device, 2, 128, depth, activation, precision), ""
            with matmul_precision(PRECISIONS[precision][1], device):
                for how in WAYS.values():
                    if not problem.can(*how):
                        cells += f"{NOT_MEASURED:>11}"
                        continue
                    apart = float((last_outputs(problem, *how) - exact).abs().max() / exact.abs().max())
                    within &= apart <= allowed
                    cells += f"{apart:>11.1e}"
            print(f"{precision:9}{allowed:>9.0e}  {depth} {activation:6}{cells}", flush=True)
    return within


def main() -> int:
    """Print both tables; return 1 if outputs are further from the CPU's than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("not measured: no CUDA device")
        return 0
    device = torch.device(options.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{name}, torch {torch.__version__}; {options.runs} runs, m = {options.width}, N = {N}, d = {D}; "
        "-: not measured"
    )
    rates(device, options)
    return int(not agreement(device))


if __name__ == "__main__":
    sys.exit(main())
