"""Time of infinite-width kernels against the elementary functions that they cannot do without.

    OMP_NUM_THREADS=1 python benchmarks/theory_kernels.py [--points 2000] [--repeats 15] [--large] [--against FOLDER]

The floor is arccos and sqrt over the N² entries of each layer, in cache, and nothing else; by symmetry half of it would
be enough. NumPy's arccos uses AVX-512 if the processor has it, and PyTorch's is three times slower there: both floors
are shown. The row after the floors is the work that no implementation can leave out: x xᵀ, half the floor, and writing
the two results once. Every repeat times the floors and all cases one after the other, and a ratio is taken within a
repeat, so that the machine's state cancels. Times are processor times of the one thread. `--large` adds
N = 20 000 in float64 with its peak resident memory.

A second table has every activation, in wall times. With `--against FOLDER`, a checkout of another version, it has that
version's time too, in turns with this one's.
"""

import argparse
import importlib
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch

from sweepengine import theory

ACTIVATIONS = ("relu", "leaky_relu", "abs", "erf", "gelu", "sin", "cos", "exp", "identity", "quadratic",
               ("hermite", 3), "tanh", "softplus")  # fmt: skip
GROWING = {"exp", "quadratic", ("hermite", 3)}
"""Whose variances explode with the depth unless the weights are small."""
DEPTH = 3
FEATURES = 64
TILE = 128 * 128


def floor(points: int, dtype: type[np.floating], share: float = 1.0) -> None:
    """Evaluate arccos and sqrt on a share of the N² entries per layer, a tile at a time."""
    values = np.linspace(-0.9, 0.9, TILE).astype(dtype)
    angle, root = np.empty_like(values), np.empty_like(values)
    for _ in range(round(share * DEPTH * points * points / TILE)):
        np.arccos(values, out=angle)
        np.sqrt(angle, out=root)


def torch_floor(points: int) -> None:
    """Evaluate the floor in float32 with PyTorch's elementary functions."""
    values = torch.linspace(-0.9, 0.9, TILE)
    angle, root = torch.empty_like(values), torch.empty_like(values)
    for _ in range(round(DEPTH * points * points / TILE)):
        torch.acos(values, out=angle)
        torch.sqrt(angle, out=root)


def unavoidable(x: np.ndarray) -> None:
    """Do what every answer needs and nothing else: x xᵀ, half the elementary functions, both results written once."""
    points = len(x)
    product = x @ x.T
    floor(points, x.dtype.type, share=0.5)
    for _ in range(2):
        np.empty_like(product).fill(0.5)


def elapsed(work: Callable[[], object]) -> float:
    """Return the processor time of one call in milliseconds, which other programs on the machine do not disturb."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def cases(points: int) -> dict[str, tuple[str, Callable[[], object]]]:
    """Return label → (floor's label, work)."""
    x = np.random.default_rng(0).standard_normal((points, FEATURES))
    y = x.astype(np.float32)

    def run(inputs: np.ndarray, activation: str, sigma_b: float) -> Callable[[], object]:
        return lambda: theory.kernels(inputs, depth=DEPTH, activation=activation, sigma_w=2**0.5, sigma_b=sigma_b)

    return {
        "product, half floor, writes": ("floor float32", lambda: unavoidable(y)),
        "relu float32": ("floor float32", run(y, "relu", 0.0)),
        "relu float32, biases": ("floor float32", run(y, "relu", 0.1)),
        "relu float64": ("floor float64", run(x, "relu", 0.0)),
        "relu float64, biases": ("floor float64", run(x, "relu", 0.1)),
        "erf float32": ("floor float32", run(y, "erf", 0.1)),
        "erf float64": ("floor float64", run(x, "erf", 0.1)),
    }


def machine() -> str:
    """Return processor and library versions in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, numpy {np.__version__}, scipy {scipy.__version__}"


def table(points: int, repeats: int) -> None:
    """Print medians, quartiles and ratios to the floor."""
    floors: dict[str, Callable[[], object]] = {
        "floor float32": lambda: floor(points, np.float32),
        "floor float64": lambda: floor(points, np.float64),
        "floor float32, PyTorch": lambda: torch_floor(points),
    }
    work = cases(points)
    torch.set_num_threads(1)
    for each in (*floors.values(), *(w for _, w in work.values())):
        each()
    times = {name: np.empty(repeats) for name in (*floors, *work)}
    for repeat in range(repeats):
        for name, each in floors.items():
            times[name][repeat] = elapsed(each)
        for name, (_, each) in work.items():
            times[name][repeat] = elapsed(each)
    print(f"N = {points}, d = {FEATURES}, {DEPTH} layers, NNGP and NTK, {repeats} repeats; {machine()}")
    print(f"{'':30}{'median ms':>10}{'quartiles':>18}{'/ floor':>10}{'/ half':>10}{'/ PyTorch':>11}")
    for name, spent in times.items():
        low, middle, high = np.percentile(spent, (25, 50, 75))
        row = f"{name:30}{middle:10.1f}{f'{low:.1f} - {high:.1f}':>18}"
        if name in work:
            ratio = float(np.median(spent / times[work[name][0]]))
            row += f"{ratio:10.2f}{2 * ratio:10.2f}"
            if name.endswith("float32") or "float32," in name:
                row += f"{float(np.median(spent / times['floor float32, PyTorch'])):11.2f}"
        print(row)


def other_theory(folder: Path) -> Any:
    """Import `sweepengine.theory` of another checkout beside this one."""
    own = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "sweepengine"}
    for name in own:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    other = importlib.import_module("sweepengine.theory")
    sys.path.pop(0)
    sys.modules.update(own)
    assert Path(str(other.__file__)).is_relative_to(folder.resolve()), f"{folder} has no sweepengine.theory"
    return other


def wall(work: Callable[[], object]) -> float:
    """Return the wall time of one call in milliseconds."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def activations(points: int, repeats: int, against: Path | None) -> None:
    """Print a row for every activation and dtype: this version, and the other one."""
    x = np.random.default_rng(0).standard_normal((points, FEATURES))
    other = other_theory(against) if against else None
    print(f"\n{'wall ms, least (median)':30}{'this':>18}{'other':>18}{'other / this':>14}")
    for activation in ACTIVATIONS:
        sigma_w = 0.4 if activation in GROWING else 1.0
        settings = {"depth": DEPTH, "activation": activation, "sigma_w": sigma_w, "sigma_b": 0.1}
        for dtype in (np.float32, np.float64):
            inputs = (x / 2 if activation == "exp" else x).astype(dtype)
            work: list[Callable[[], object]] = [
                lambda: theory.kernels(inputs, **settings),  # noqa: B023  (called in this round alone)
            ]
            if other is not None:
                work.append(lambda: other.kernels(inputs, **settings))  # noqa: B023
            times = np.array([[wall(each) for each in work] for _ in range(repeats)])
            least, middle = times.min(0), np.median(times, 0)
            shown = [f"{a:8.1f} ({b:.1f})" for a, b in zip(least, middle, strict=True)]
            row = f"{activation!s} {np.dtype(dtype).name}"
            print(f"{row:30}{shown[0]:>18}", end="")
            print(f"{shown[1]:>18}{least[1] / least[0]:14.2f}" if other else "")


def large() -> None:
    """Time N = 20 000 in float64 and print the peak resident memory of the process."""
    x = np.random.default_rng(0).standard_normal((20_000, FEATURES))
    spent = elapsed(lambda: theory.kernels(x, depth=DEPTH, activation="relu", sigma_w=2**0.5, sigma_b=0.1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    predicted = theory.kernel_bytes(20_000, 20_000, np.float64, FEATURES) / 1e9
    print(
        f"N = 20000 float64, biases: {spent / 1e3:.1f} s, peak resident {peak:.2f} GB "
        f"(predicted for the kernels {predicted:.2f} GB)"
    )


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    table(options.points, options.repeats)
    activations(options.points, options.repeats, options.against)
    if options.large:
        large()


if __name__ == "__main__":
    main()
