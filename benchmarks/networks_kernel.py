"""The tangent kernel of one network at a point, against its own matrix products and against automatic differentiation.

    python benchmarks/networks_kernel.py [--repeats 15] [--threads 1 2]

The setting is float32, N = 128 points in d = 64 dimensions and one output, on one BLAS thread and on two. Forward pass,
backward pass and kernel are timed together. The floors are their matrix products alone, plain calls into existing
arrays: one with triangular strips of the Gram matrices, which the engine computes, and one with full Gram matrices. The
tutorial's way is the kernel of torch.func's tutorial, per-sample Jacobians by vmap of jacrev, contracted parameter by
parameter. It makes the Jacobians of x and of x' even if x = x', so a second column has them made once. Cases alternate,
and ratios are taken within a repeat. On one thread the clock is the thread's processor time; on more threads it is wall
time, which other programs disturb.
"""

import argparse
import math
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch.func import functional_call, jacrev, vmap

from sweepengine.networks import Inputs, Network, Workspace, initialise, matmul_precision, network
from sweepengine.networks._kernel import strip_rows
from sweepengine.spec import Architecture

N, D = 128, 64


def floor(depth: int, m: int, strips: bool) -> Callable[[], None]:
    """Return a function that does nothing but the products."""
    x, h, g, gram = torch.randn(N, D), torch.randn(N, m), torch.randn(N, m), torch.empty(N, N)
    first, hidden, inner = torch.randn(D, m), [torch.randn(m, m) for _ in range(depth - 1)], torch.empty(N, m)

    def run() -> None:
        torch.mm(x, first, out=inner)
        for weight in hidden:
            torch.mm(h, weight.mT, out=inner)
            torch.mm(g, weight, out=inner)
        for _ in range(depth):
            for each in (h, g):
                rows = strip_rows(each) if strips else N
                for start in range(0, N, rows):
                    stop = start + rows
                    torch.mm(each[start:stop], each[:stop].mT, out=gram[start:stop, :stop])

    return run


class Plain(torch.nn.Module):
    """The network as a module, for the tutorial's way."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        p = net.parameters
        self.hidden = torch.nn.ParameterList([weight.clone() for weight in p.hidden])
        self.readout = torch.nn.Parameter(p.readout.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a batch, shape (N, 1)."""
        for weight in self.hidden:
            x = torch.relu(math.sqrt(2 / x.shape[-1]) * x @ weight.T)
        return (x @ self.readout / math.sqrt(x.shape[-1])).unsqueeze(-1)


def tutorial(net: Network, x: torch.Tensor, once: bool) -> Callable[[], torch.Tensor]:
    """Return the kernel by Jacobian contraction, as in "Neural Tangent Kernels" of the torch.func tutorials.

    With ``once`` the Jacobian of x = x' is made once.
    """
    module = Plain(net)
    parameters = {name: each.detach() for name, each in module.named_parameters()}

    def single(values: dict[str, torch.Tensor], point: torch.Tensor) -> torch.Tensor:
        return functional_call(module, values, (point.unsqueeze(0),)).squeeze(0)

    def jacobians() -> list[torch.Tensor]:
        return [each.flatten(2) for each in vmap(jacrev(single), (None, 0))(parameters, x).values()]

    def run() -> torch.Tensor:
        left = jacobians()
        right = left if once else jacobians()
        return torch.stack([torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(left, right, strict=True)]).sum(0)

    return run


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one call in seconds: processor time on one thread, wall time on more."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    work()
    return clock() - start


def summary(values: list[float]) -> str:
    """Return median and quartiles as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:5.2f} [{low:.2f}, {high:.2f}]"


def case(depth: int, m: int, repeats: int, jacobians: bool) -> None:
    """Print one line of the table."""
    a = Architecture(depth, "relu", 2**0.5, 0.0, 1.0)
    net = network(a, initialise(a, m, D, 0, torch.float32), [0.5], [1.0])
    x = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
    inputs, space = Inputs.prepare(x, a), Workspace()
    assert inputs.gram.shape == (N, N)  # the constant Gram matrix of the inputs is made before the clock starts

    def ours() -> torch.Tensor:
        return net.kernel(*net.passes(inputs, space))

    strips, full = floor(depth, m, True), floor(depth, m, False)
    for work in (ours, strips, full):
        work()
    inner = max(1, round(2e-3 / seconds(full)))
    works = (ours, strips, full)
    times = [[statistics.median(seconds(work) for _ in range(3 * inner)) for work in works] for _ in range(repeats)]
    ms = 1e3 * statistics.median(row[0] for row in times)
    line = f"{depth:2} {m:6} {ms:9.3f}   " + "   ".join(summary([row[0] / row[i] for row in times]) for i in (1, 2))
    if jacobians:
        for once in (False, True):
            slow = tutorial(net, x, once)
            error = float((slow()[..., 0, 0] - ours()).norm() / ours().norm())
            line += f"   {statistics.median(seconds(slow) for _ in range(3)) * 1e3 / ms:6.0f} x"
        line += f"   differs by {error:.0e}"
    print(line)


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    for threads in options.threads:
        torch.set_num_threads(threads)
        rate = 2 * 1024**3 / min(seconds(lambda: torch.mm(a, b)) for _ in range(20)) / 1e9
        print(f"{platform.machine()}, torch {torch.__version__}, float32, threads: {threads}, {rate:.0f} Gflop/s")
        print(
            " L      m        ms   over its products   over full products   "
            "faster than the tutorial, its Jacobian made once"
        )
        with matmul_precision("full", torch.device("cpu"), large=True):  # as the engine's tasks
            for depth in (1, 3):
                for m in (256, 1024, 4096):
                    case(depth, m, options.repeats, jacobians=m == 1024)


if __name__ == "__main__":
    main()
