"""Peak memory of a flow against the number of particles.

    OMP_NUM_THREADS=1 python benchmarks/particles_memory.py [--most 10000000] [--each 1000000]

Every row is from a process of its own that draws a cloud, makes two steps in place and tells its peak resident size.
The peak of a process with one chunk of particles (libraries, inputs, buffers) is subtracted. The floor is the cloud.
The last table is of a discrepancy (MMD by −|x − y|), which visits pairs in chunks. So a reference of many points, or
particles of many coordinates, should need their own memory and that of one copy of the particles.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import torch

from sweepengine import particles as pt
from sweepengine.time_methods import METHODS, names

D, N, STEPS = 32, 256, 2
BYTES = 4 * (D + 1)
PAIRS_CHUNK = 32
EQUAL = [name for name in names("particles") if not METHODS[name].adaptive]
LANGEVIN = [name for name in EQUAL if METHODS[name].noise]


def child(count: int, method: str) -> None:
    """Make the steps and print the peak in bytes and the seconds of a step."""
    inputs = pt.gaussian_cloud(1, N, D).float()
    risk = pt.Risk(pt.Neuron(D, "relu", input_scale=D**-0.5), inputs, inputs[:, 0].sin())
    functional = pt.Functional([risk], temperature=1e-3 if method in LANGEVIN else 0.0)
    cloud = pt.gaussian_cloud(2, count, D + 1, inputs.dtype)
    start = time.perf_counter()
    if method == "adaptive_flow":
        found = pt.adaptive_flow(functional, cloud, time=STEPS * 1e-3, first_step_size=1e-3)
    else:
        found = pt.flow(functional, cloud, step_size=1e-3, steps=STEPS, method=method, seed=3, overwrite=True)
    tell(found, start)


def pairs(count: int, points: int, coordinates: int) -> None:
    """Make one Euler step towards a reference of many points, and print the peak and the seconds."""
    drawn = torch.Generator().manual_seed(1)  # not by counters, whose float64 would be the peak
    cloud, reference = (torch.randn(number, coordinates, generator=drawn) for number in (count, points))
    functional = pt.Functional([pt.Discrepancy(pt.RieszKernel(), reference)])
    start = time.perf_counter()
    tell(
        pt.flow(functional, cloud, step_size=1e-3, steps=1, partition=pt.Partition(PAIRS_CHUNK), overwrite=True), start
    )


def tell(found: pt.Flow, start: float) -> None:
    """Print the peak in bytes and the seconds of a step."""
    assert found.status == "done"
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak, (time.perf_counter() - start) / found.accepted)


def measured(*what: object) -> tuple[int, float]:
    """Return the peak in bytes and the seconds of a step of a process of its own.

    The arguments are (count, method) or (count, points, coordinates).
    """
    command = [sys.executable, __file__, "--child", *map(str, what)]
    peak, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(peak), float(seconds)


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--each", type=int, default=1_000_000, help="particles of the table of methods")
    parser.add_argument("--only", choices=["curve", "methods", "pairs"], help="one of the tables")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    match options.child:
        case [count, method]:
            child(int(count), method)
            return
        case [*numbers]:
            pairs(*map(int, numbers))
            return
    tables = {"curve": lambda: curve(options.most), "methods": lambda: methods(options.each), "pairs": pair_table}
    for name, table in tables.items():
        if options.only in {None, name}:
            table()


def curve(most: int) -> None:
    """Print the peaks against the number of particles."""
    base, _ = measured(pt.Partition().chunk, "gd")
    print(f"d = {D}, N = {N}, float32, Euler in place; a process with one chunk: {base / 2**20:.0f} MiB")
    print(f"{'particles':>10}{'cloud MiB':>11}{'peak MiB':>10}{'beyond base / cloud':>21}{'s a step':>10}")
    counts = [count for count in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000) if count <= most]
    peaks = []
    for count in counts:
        peak, seconds = measured(count, "gd")
        peaks.append(peak)
        cloud = count * BYTES
        print(
            f"{count:10}{cloud / 2**20:11.0f}{peak / 2**20:10.0f}{(peak - base) / cloud:21.3f}{seconds:10.2f}",
            flush=True,
        )
    slope = np.polyfit(counts, peaks, 1)[0]
    print(f"slope {slope:.1f} bytes a particle; the particle itself {BYTES}")


def methods(each: int) -> None:
    """Print the peaks of the methods at one number of particles."""
    base, _ = measured(pt.Partition().chunk, "gd")
    print(f"methods at {each} particles, clouds beyond the particles themselves:")
    for method in (*EQUAL, "adaptive_flow"):
        peak, seconds = measured(each, method)
        print(f"  {method:22}{(peak - base) / (each * BYTES) - 1:6.2f}{seconds:10.2f} s a step", flush=True)


def pair_table() -> None:
    """Print the peaks of a discrepancy with many points, and with particles of many coordinates."""
    base, _ = measured(PAIRS_CHUNK, PAIRS_CHUNK, D + 1)
    print(f"discrepancy, float32, one step of Euler, chunks of {PAIRS_CHUNK}; a small one: {base / 2**20:.0f} MiB")
    print(
        f"{'particles':>10}{'points':>10}{'coordinates':>13}{'cloud MiB':>11}{'points MiB':>12}{'beyond base MiB':>17}"
    )
    rows = ((256, 100_000, 33), (256, 300_000, 33), (256, 1_000_000, 33), (2048, 256, 8192), (2048, 256, 16384))
    for count, points, coordinates in rows:
        peak, _ = measured(count, points, coordinates)
        cloud, reference = (4 * number * coordinates / 2**20 for number in (count, points))
        print(
            f"{count:10}{points:10}{coordinates:13}{cloud:11.0f}{reference:12.0f}{(peak - base) / 2**20:17.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
