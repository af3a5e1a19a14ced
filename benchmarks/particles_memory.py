"""Peak memory of a flow against the number of particles.

    OMP_NUM_THREADS=1 python benchmarks/particles_memory.py [--most 10000000] [--each 1000000]

Every row is a process of its own that draws a cloud, makes two steps in place and tells its peak resident size; what a
process with one chunk of particles needs (libraries, inputs, buffers) is taken off. The floor is the cloud itself.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from sweepengine import particles as pt

D, N, STEPS = 32, 256, 2
BYTES = 4 * (D + 1)


def child(count: int, method: str) -> None:
    """Make the steps and print the peak in bytes and the seconds of a step."""
    inputs = pt.gaussian_cloud(1, N, D).float()
    risk = pt.Risk(pt.Neuron(D, "relu", input_scale=D**-0.5), inputs, inputs[:, 0].sin())
    functional = pt.Functional([risk], temperature=1e-3 if method in pt.LANGEVIN else 0.0)
    cloud = pt.gaussian_cloud(2, count, D + 1, inputs.dtype)
    start = time.perf_counter()
    found = pt.flow(functional, cloud, step_size=1e-3, steps=STEPS, method=method, seed=3, overwrite=True)
    assert found.status == "done"
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak, (time.perf_counter() - start) / STEPS)


def measured(count: int, method: str) -> tuple[int, float]:
    """Peak in bytes and seconds of a step in a process of its own."""
    command = [sys.executable, __file__, "--child", str(count), method]
    peak, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(peak), float(seconds)


def main() -> None:
    """Parse the command line and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--each", type=int, default=1_000_000, help="particles of the table of methods")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(int(options.child[0]), options.child[1])
        return
    base, _ = measured(pt.Passes().chunk, "euler")
    print(f"d = {D}, N = {N}, float32, Euler in place; a process with one chunk: {base / 2**20:.0f} MiB")
    print(f"{'particles':>10}{'cloud MiB':>11}{'peak MiB':>10}{'beyond base / cloud':>21}{'s a step':>10}")
    counts = [count for count in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000) if count <= options.most]
    peaks = []
    for count in counts:
        peak, seconds = measured(count, "euler")
        peaks.append(peak)
        cloud = count * BYTES
        print(
            f"{count:10}{cloud / 2**20:11.0f}{peak / 2**20:10.0f}{(peak - base) / cloud:21.3f}{seconds:10.2f}",
            flush=True,
        )
    slope = np.polyfit(counts, peaks, 1)[0]
    print(f"slope {slope:.1f} bytes a particle; the particle itself {BYTES}")
    print(f"methods at {options.each} particles, clouds beyond the particles themselves:")
    for method in pt.METHODS:
        peak, _ = measured(options.each, method)
        print(f"  {method:22}{(peak - base) / (options.each * BYTES) - 1:6.2f}", flush=True)


if __name__ == "__main__":
    main()
