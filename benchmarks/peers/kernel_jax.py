"""The tangent kernel of one network at a point, layer by layer in JAX: the peer of benchmarks/networks_kernel.py.

    taskset -c 0 python benchmarks/peers/kernel_jax.py [--threads 1] [--repeats 30]

relu, N = 128, d = 64, float32, one and three hidden layers of width 1024: forward pass, signals and Gram matrices
written by hand as the engine has them, compiled. Prints milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--repeats", type=int, default=30)
options = parser.parse_args()
if options.threads == 1:  # XLA reads this when it is loaded
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

N, D, M = 128, 64, 1024


def kernel(weights: list[jax.Array], readout: jax.Array, x: jax.Array) -> jax.Array:
    """Θ on the points x, shape (N, N)."""
    features, slopes = [x / D**0.5], []
    for layer, weight in enumerate(weights):
        h = features[-1] @ weight.T / (M**0.5 if layer else 1.0)
        features.append(jnp.maximum(h, 0))
        slopes.append(h > 0)
    theta = features[-1] @ features[-1].T / M
    signal = slopes[-1] * readout
    for layer in range(len(weights) - 1, -1, -1):
        below = features[layer]
        theta += (below @ below.T / (M if layer else 1.0)) * (signal @ signal.T / M)
        if layer:
            signal = slopes[layer - 1] * (signal @ weights[layer] / M**0.5)
    return theta


def main() -> None:
    """Compile, and print the times."""
    compiled = jax.jit(kernel)
    for depth in (1, 3):
        keys = jax.random.split(jax.random.PRNGKey(0), depth + 2)
        weights = [jax.random.normal(key, (M, M if layer else D)) for layer, key in enumerate(keys[:depth])]
        arguments = (weights, jax.random.normal(keys[-2], (M,)), jax.random.normal(keys[-1], (N, D)))
        jax.block_until_ready(compiled(*arguments))
        times = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            jax.block_until_ready(compiled(*arguments))
            times.append(1e3 * (time.perf_counter() - start))
        print(f"jax {jax.__version__}, {options.threads} threads, L = {depth}: {statistics.median(times):.3f} ms")


if __name__ == "__main__":
    main()
