"""Infinite-width kernels by neural-tangents: the peer of the second table of benchmarks/theory_kernels.py.

    taskset -c 0 python benchmarks/peers/theory_nt.py [--points 2000] [--double] [--repeats 7]

Three hidden layers, d = 64, NNGP and tangent kernel of all pairs of points, compiled. Prints milliseconds of wall time.
"""

from __future__ import annotations

import argparse
import time

import jax
import numpy as np
from neural_tangents import stax

ACTIVATIONS = {
    "relu": stax.Relu,
    "leaky_relu": lambda: stax.LeakyRelu(0.01),
    "abs": stax.Abs,
    "erf": stax.Erf,
    "gelu": stax.Gelu,
    "sin": stax.Sin,
    "cos": stax.Cos,
    "quadratic": lambda: stax.Monomial(2),
}


def main() -> None:
    """Parse the command line, and print one line for each activation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", options.double)
    dtype = np.float64 if options.double else np.float32
    x = np.random.default_rng(0).standard_normal((options.points, 64)).astype(dtype)
    for name, activation in ACTIVATIONS.items():
        layers = [layer for _ in range(3) for layer in (stax.Dense(512, W_std=1.0, b_std=0.1), activation())]
        _, _, kernel = stax.serial(*layers, stax.Dense(1, W_std=1.0))
        compiled = jax.jit(lambda x, kernel=kernel: kernel(x, None, ("nngp", "ntk")))
        jax.block_until_ready(compiled(x))
        times = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            jax.block_until_ready(compiled(x))
            times.append(1e3 * (time.perf_counter() - start))
        print(f"{name:12} {min(times):8.1f} ms, median {np.median(times):8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
