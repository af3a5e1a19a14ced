"""Training with the kernel recorded on a CUDA device, against the device's measured rate of matrix products.

    python benchmarks/networks_gpu.py [--runs 64] [--width 1024] [--repeats 10]

A group of networks is advanced together in batched products, the tangent kernel at every tenth step. Counted as work are
the products of the steps and of the Gram matrices; the rate is that of large square products of the same precision in the
same run (float32 without TF32). Beside it, how far the group's outputs in float64 are from those of a CPU. Without a CUDA
device the table says so.
"""

import argparse
import statistics

import torch

from sweepengine.networks import Inputs, Network, Workspace, initialise, network, stack
from sweepengine.spec import Architecture

N, D, STEPS, EVERY = 128, 64, 50, 10


def group(runs: int, depth: int, width: int, device: str, dtype: torch.dtype) -> tuple[Network, Inputs, torch.Tensor]:
    """Networks of many seeds on a device, and their problem."""
    a = Architecture(depth, "relu", 2**0.5, 0.0, 1.0)
    drawn = stack([initialise(a, width, D, seed, dtype, device=device) for seed in range(runs)])
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(N, D, generator=generator, dtype=torch.float64).to(device, dtype)
    return network(a, drawn, [0.5] * runs, [1.0] * runs), Inputs.prepare(points, a), points[:, 0].sign()


def train(net: Network, inputs: Inputs, y: torch.Tensor, space: Workspace) -> torch.Tensor:
    """Some steps; the outputs before the last."""
    for step in range(STEPS):
        forward = net.forward(inputs, space)
        signals = None
        if step % EVERY == 0:
            signals = net.backward(forward, space)
            net.kernel(inputs, forward, signals)
        outputs = forward.outputs.clone()
        net.descend(inputs, forward, signals, forward.outputs - y, 0.02, workspace=space)
    return outputs


def work(runs: int, depth: int, width: int) -> float:
    """Operations of the products of :func:`train`."""
    step = 4 * N * width * D + 6 * N * width**2 * (depth - 1)
    kernel = 4 * depth * N**2 * width
    return float(runs) * (STEPS * step + STEPS / EVERY * kernel)


def seconds(call: object, repeats: int) -> float:
    """Median of the device's time of one call, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()  # type: ignore[operator]
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times[1:])


def measure(runs: int, width: int, repeats: int) -> None:
    """Print the table."""
    a, b = (torch.randn(8192, 8192, device="cuda") for _ in range(2))
    rate = 2 * 8192**3 / seconds(lambda: a @ b, repeats)
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, products at {rate / 1e12:.1f} Tflop/s in float32"
    )
    print(f"{'L':>2} {'ms a step':>10} {'of the rate':>12} {'float64: apart from the CPU':>29}")
    for depth in (1, 3):
        problem, space = group(runs, depth, width, "cuda", torch.float32), Workspace()
        took = seconds(lambda problem=problem, space=space: train(*problem, space), repeats)
        few = [train(*group(2, depth, 128, device, torch.float64), Workspace()).cpu() for device in ("cpu", "cuda")]
        apart = float((few[0] - few[1]).abs().max() / few[0].abs().max())
        share = work(runs, depth, width) / took / rate
        print(f"{depth:>2} {1e3 * took / STEPS:>10.3f} {share:>12.2f} {apart:>29.1e}")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("not measured: no CUDA device")
        return
    measure(options.runs, options.width, options.repeats)


if __name__ == "__main__":
    main()
