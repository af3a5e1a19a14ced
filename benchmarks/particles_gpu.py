"""A step of Euler's method on a CUDA device against the device's measured rate of matrix products, and its noise.

    python benchmarks/particles_gpu.py [--particles 16777216] [--repeats 10]

The work of a step is its three products of m·N·d, 6 m N d operations, and nothing else. The rate is that of large
square products by torch in the same precision, full float32 or TF32, measured in the same run. There are two paths: the
fused Triton kernels, and plain torch, whose activations go through the device's memory. Then the noise of a Langevin
step is timed for as many particles, and the noise of the first particles is compared with the host's in float64.
Without a CUDA device the benchmark says so.
"""

import argparse
import statistics
from collections.abc import Callable

import torch

from sweepengine import particles as pt
from sweepengine.networks import matmul_precision

D, N = 64, 1024
GOAL = 0.6
NOISE_CHUNK, COMPARED = 2**20, 2**16


def seconds(work: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Return the quartiles of the device's time of one call in seconds, after a call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    low, middle, high = statistics.quantiles(times, n=4)
    return low, middle, high


def product_rate(repeats: int) -> float:
    """Return the operations per second of a square product in the precision that is set."""
    size = 8192
    a, b = (torch.randn(size, size, device="cuda") for _ in range(2))
    out = torch.empty_like(a)
    return 2 * size**3 / seconds(lambda: torch.mm(a, b, out=out), repeats)[1]


def units() -> dict[str, tuple[pt.Neuron, int]]:
    """Return path → (unit, particles of a chunk), for the fused and for the plain unit."""
    scale = D**-0.5
    return {
        "triton": (pt.FusedNeuron(D, "relu", input_scale=scale), 2**20),
        "torch": (pt.Neuron(D, "relu", input_scale=scale), 2**16),
    }


def measure(count: int, repeats: int) -> None:
    """Print the table."""
    print(f"m = {count}, d = {D}, N = {N}, relu; {torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(
        f"{'precision':10}{'path':8}{'product Tflop/s':>16}{'step s':>9}{'quartiles':>18}{'of the rate':>12}{'goal':>6}"
    )
    cloud = torch.randn(count, D + 1, device="cuda", generator=torch.Generator("cuda").manual_seed(2))
    for name, precision in (("float32", "full"), ("TF32", "tf32")):
        with matmul_precision(precision, cloud.device):
            rows(name, cloud, repeats)


def rows(name: str, cloud: torch.Tensor, repeats: int) -> None:
    """Print the rows of the precision that is set."""
    inputs = pt.gaussian_cloud(1, N, D, torch.float32).cuda()
    rate = product_rate(repeats)
    for path, (unit, chunk) in units().items():
        functional = pt.Functional([pt.Risk(unit, inputs, inputs[:, 0].sin())])
        partition = pt.Partition(chunk)

        def step(functional: pt.Functional = functional, partition: pt.Partition = partition) -> None:
            pt.flow(functional, cloud, step_size=1e-4, steps=1, partition=partition, overwrite=True)

        low, middle, high = seconds(step, repeats)
        share = 6 * len(cloud) * N * D / middle / rate
        print(
            f"{name:10}{path:8}{rate / 1e12:16.1f}{middle:9.3f}{f'{low:.3f} - {high:.3f}':>18}{share:12.2f}{GOAL:6.2f}",
            flush=True,
        )


def measure_noise(count: int, repeats: int) -> None:
    """Print the time of the noise, and its distance from the host's noise."""
    noise, step = pt.Noise(3), 10**6
    cloud = torch.empty(NOISE_CHUNK, D + 1, device="cuda")

    def draw() -> None:
        for chunk in pt.Partition(NOISE_CHUNK).chunks(count):
            noise.draw(step, chunk, cloud[: chunk.stop - chunk.start])

    low, middle, high = seconds(draw, repeats)
    first, like = slice(0, COMPARED), torch.empty(COMPARED, D + 1, dtype=torch.float64)
    host, device = noise.draw(step, first, like), noise.draw(step, first, like.cuda()).cpu()
    apart = float(((device - host).abs() / host.abs()).max()) / torch.finfo(torch.float64).eps
    print(
        f"noise of a step: {middle:.3f} s, quartiles {low:.3f} - {high:.3f}; {count * (D + 1) / middle:.2e} "
        f"Gaussians/s; of {host.numel()} the farthest from the host's by {apart:.1f} eps of float64"
    )


def main() -> None:
    """Parse the command line, and print the tables if there is a CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=2**24)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("steps: not measured: no CUDA device\nnoise: not measured: no CUDA device")
        return
    measure(options.particles, options.repeats)
    measure_noise(options.particles, options.repeats)


if __name__ == "__main__":
    main()
