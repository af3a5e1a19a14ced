"""Training with the kernel recorded, written by hand in JAX and compiled: the peer of benchmarks/networks_training.py.

    taskset -c 0 python benchmarks/peers/network_jax.py [--threads 1] [--repeats 10]

One hidden layer of relu, m = 512, N = 128, d = 64, float32, 200 steps of gradient descent, and the tangent kernel at
every tenth step, as one compiled loop. Prints steps a second of one network after the other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--repeats", type=int, default=10)
options = parser.parse_args()
if options.threads == 1:  # XLA reads this when it is loaded
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

N, D, M, STEPS, EVERY = 128, 64, 512, 200, 10
ETA = 0.02


def train(key: jax.Array, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Kernels at every tenth step, shape (20, N, N), and the loss at the end."""
    of_w, of_a = jax.random.split(key)
    w, a = jax.random.normal(of_w, (M, D)), jax.random.normal(of_a, (M,))
    scaled = x * (2**0.5 / D**0.5)
    gram = scaled @ scaled.T

    def outputs(w: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
        phi = jnp.maximum(scaled @ w.T, 0)
        return phi, phi @ a / M**0.5

    def step(carry: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
        w, a = carry
        phi, f = outputs(w, a)
        residual = (f - y) / N
        pulled = (phi > 0) * a
        w_step = (pulled * residual[:, None]).T @ scaled / M**0.5
        a_step = phi.T @ residual / M**0.5
        return (w - ETA * w_step, a - ETA * a_step), None

    def block(carry: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        w, a = carry
        phi, _ = outputs(w, a)
        slopes = (phi > 0) * a
        kernel = (phi @ phi.T + gram * (slopes @ slopes.T)) / M
        carry, _ = jax.lax.scan(step, carry, None, length=EVERY)
        return carry, kernel

    (w, a), kernels = jax.lax.scan(block, (w, a), None, length=STEPS // EVERY)
    return kernels, jnp.mean((outputs(w, a)[1] - y) ** 2) / 2


def main() -> None:
    """Compile, train, and print the rate."""
    x = jax.random.normal(jax.random.PRNGKey(0), (N, D))
    y = jnp.sign(x[:, 0])
    compiled = jax.jit(train)
    jax.block_until_ready(compiled(jax.random.PRNGKey(1), x, y))
    rates = []
    for seed in range(options.repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(jax.random.PRNGKey(seed), x, y))
        rates.append(STEPS / (time.perf_counter() - start))
    print(
        f"jax {jax.__version__}, {options.threads} threads: {statistics.median(rates):.0f} steps/s, "
        f"best {max(rates):.0f}"
    )


if __name__ == "__main__":
    main()
