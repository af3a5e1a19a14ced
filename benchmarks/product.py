"""The whole product against its own inner loop, against a plain loop, and against what its plan says.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/product.py network tiny estimates computations
    python benchmarks/product.py ray again

network    One hidden layer, m = 512, N = 128, d = 64, 200 steps, 21 records, default observables: all that `run` does,
           in this process, over the steps alone (the inner loop: forward, look at the loss, descend). The phases of
           the sweep are printed, in milliseconds for each run.
tiny       Runs of m = 16, N = 8, 20 steps, 4 records over a plain loop in torch that records the same quantities and
           keeps them in memory; the files of the store, and the seconds of `plan` for 100 000 runs.
ray        16 runs on Ray and in this process.
again      `sweepengine run` of a packaged job whose store is finished.
estimates  The plan's seconds over the processor time of unlike sweeps in this process, and its memory over the most
           resident memory of a process that runs the sweep.
computations  The plan's seconds over the processor time of every packaged job that computes (`kind: computation`).

Each ratio is of times taken in one call of this program, alternating where they are short: of processor time, and of
wall time for `ray` and `again`. Sizes by options.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import sweepengine
from sweepengine.execute import _pack
from sweepengine.execute._divergence import Divergence
from sweepengine.networks import (
    COSTS,
    Inputs,
    Network,
    Now,
    Points,
    Training,
    Workspace,
    initialise,
    learning_rates,
    loss,
    matmul_precision,
    network,
    stepper,
)
from sweepengine.observe.measure import Recorder
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import Architecture, Method, job_names, job_spec, make_spec
from sweepengine.store import ChunkWriter, SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sweepengine.spec import AnySpec

STEPS = 200
MOST_SECONDS = 20.0
"""What a job may take of the row `computations`."""
PROGRAM = str(Path(__file__).resolve())


def spec(**changes: Any) -> dict[str, Any]:
    """The spec of the row `network`, with other settings in some sections."""
    base: dict[str, Any] = {
        "name": "product",
        "data": {"name": "gaussian", "teacher": "neuron", "d": 64, "n_train": 128, "n_test": 32},
        "network": {"depth": 1, "activation": "relu", "sigma_w": 1.0},
        "training": {"loss": "mse", "step_size": 0.1, "time": 0.1 * STEPS, "records": {"spacing": "every", "k": 10}},
        "axes": {"scaling": ["ntk"], "width": [512], "seed": 1},
        "precision": "float32",
    }
    return base | {
        name: {**base[name], **value} if isinstance(value, dict) else value for name, value in changes.items()
    }


TINY: dict[str, Any] = {
    "data": {"d": 4, "n_train": 8, "n_test": 4},
    "training": {"time": 2.0, "records": {"spacing": "log", "count": 4}},
}


def seconds_of(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of a call: processor time of this process, which other programs disturb least, or those of a clock."""
    start = clock()
    work()
    return clock() - start


def run_inline(content: Any, name: str, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of a sweep in this process."""
    return seconds_of(lambda: sweepengine.run(content, f"{name}.zarr", executor="inline"), clock)


def inner_loop(m: int, n: int, d: int) -> Callable[[int], None]:
    """A function that makes so many steps of one network and nothing else."""
    a = Architecture(1, "relu", 1.0, 0.0, 1.0)
    parameters = initialise(a, [m], d, 0, torch.float32)
    net = network(a, parameters, [0.5], [1.0], learning_rates("all", 1))
    generator = torch.Generator().manual_seed(0)
    inputs = Inputs.prepare(torch.randn(n, d, generator=generator), a)
    points, cost, space = Points(inputs, inputs.points[:, 0].sign()), COSTS["mse"](), Workspace()
    steps = stepper(Method(), Training(net, points, cost, 1e-3, space), 0)
    limit = torch.tensor([1e9], dtype=torch.float64)
    looks = Divergence(limit, points.targets, lambda outputs, targets: loss(cost, outputs, targets))

    def advance(count: int) -> None:
        with matmul_precision("full", inputs.points.device, large=True):
            for step in range(count):
                forward = net.forward(inputs, space)
                looks.look(step, forward.outputs, points.targets)
                steps.step(Now(step, points, forward), count)
            looks.read()

    return advance


@contextlib.contextmanager
def phases(found: dict[str, float]) -> Iterator[None]:
    """Add up the seconds of the parts of a sweep in this process."""
    parts: list[tuple[str, Any, str]] = [
        ("measure", Recorder, "measure"),
        ("  of it kernels", Network, "kernel"),
        ("commit", ChunkWriter, "commit"),
        ("digests", ChunkWriter, "record"),
        ("open chunk", ChunkWriter, "__init__"),
        ("make turn", _pack, "make_turn"),
        ("look at losses", Divergence, "read"),
    ]

    def timed(label: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return call(*args, **options)
            finally:
                found[label] += time.process_time() - start

        return watched

    kept = [(owner, name, getattr(owner, name)) for _, owner, name in parts]
    try:
        for label, owner, name in parts:
            setattr(owner, name, timed(label, getattr(owner, name)))
        yield
    finally:
        for owner, name, call in kept:
            setattr(owner, name, call)


def of_network(options: argparse.Namespace) -> None:
    """Print the row `network`."""
    content, advance = spec(axes={"seed": options.seeds}), inner_loop(512, 128, 64)
    run_inline(spec(), "warm")
    advance(STEPS)
    found: dict[str, float] = defaultdict(float)
    ratios, rates = [], []
    for place in range(options.repeats):
        before = seconds_of(lambda: advance(10 * STEPS)) / 10
        with phases(found):
            whole = run_inline(content, f"network{place}") / options.seeds
        after = seconds_of(lambda: advance(10 * STEPS)) / 10
        ratios.append(2 * whole / (before + after))
        rates.append(STEPS / whole)
    print(
        f"network: {statistics.median(rates):.0f} net-steps/s, {statistics.median(ratios):.2f} of the inner loop's "
        f"time [{min(ratios):.2f}, {max(ratios):.2f}], {options.seeds} seeds"
    )
    for label, total in found.items():
        print(f"  {label:16} {1e3 * total / (options.seeds * options.repeats):6.2f} ms a run")


def plain_loop(content: dict[str, Any], runs: int) -> float:
    """Seconds of a plain loop in torch that records what a sweep records by default, in memory."""
    m, n, d = content["axes"]["width"][0], content["data"]["n_train"], content["data"]["d"]
    plan = make_plan(make_spec(content), SweepStore("memory://plain.zarr"))
    [data], steps, eta = plan.data, plan.runs[0].record_steps, plan.runs[0].step_size
    x, y, x_test, y_test = (
        torch.from_numpy(each).float() for each in (data.x_train, data.y_train, data.x_test, data.y_test)
    )
    records: list[Any] = []

    def kernel(a: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
        slopes = (phi > 0) * a
        return phi @ phi.T / m + (x @ x.T / d) * (slopes @ slopes.T / m)

    def one(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        w0, a0 = torch.randn(m, d, generator=generator), torch.randn(m, generator=generator)
        w, a, theta0 = w0.clone(), a0.clone(), None
        for step in range(steps[-1] + 1):
            phi = torch.relu(x @ w.T / d**0.5)
            f = phi @ a / m**0.5
            if step in steps:
                theta = kernel(a, phi)
                theta0 = theta if theta0 is None else theta0
                f_test = torch.relu(x_test @ w.T / d**0.5) @ a / m**0.5
                moved = [(w - w0).double(), (a - a0).double()[:, None]]
                first = [w0.double(), a0.double()[:, None]]
                records.append(
                    (
                        0.5 * (f - y).double().square().mean(), 0.5 * (f_test - y_test).double().square().mean(), f,
                        f_test, theta, (theta - theta0).double().norm() / theta0.double().norm(),
                        [torch.linalg.matrix_norm(each, 2) / m**0.5 for each in moved],
                        [each.norm() / start.norm() for each, start in zip(moved, first, strict=True)],
                        [each.square().sum(-1).amax().sqrt() for each in moved],
                        sum(each.square().sum() for each in moved).sqrt() / sum(s.square().sum() for s in first).sqrt(),
                    )
                )  # fmt: skip
            residual = f - y
            slopes = (phi > 0) * a
            w_step = ((residual[:, None] * slopes).T @ x) / (n * m**0.5 * d**0.5)
            a -= eta * m * (phi.T @ residual) / (n * m**0.5) / m
            w -= eta * w_step

    return seconds_of(lambda: [one(seed) for seed in range(runs)])


def of_tiny(options: argparse.Namespace) -> None:
    """Print the row `tiny`."""
    content = spec(axes={"width": [16], "seed": options.tiny}, **TINY)
    run_inline(spec(axes={"width": [16], "seed": 1}, **TINY), "warm_tiny")
    plain_loop(content, 20)
    few = max(100, options.tiny // 20)
    before = plain_loop(content, few) / few
    whole = run_inline(content, "tiny") / options.tiny
    after = plain_loop(content, few) / few
    files = sum(len(names) for _, _, names in os.walk("tiny.zarr"))
    print(
        f"tiny: {1e3 * whole:.2f} ms a run, {2 * whole / (before + after):.2f} of a plain loop's time, "
        f"{files} files for {options.tiny} runs"
    )
    many = make_spec(spec(axes={"width": [16], "seed": options.planned}, **TINY))
    took = seconds_of(lambda: make_plan(many, SweepStore("planned.zarr")))
    print(f"tiny: the plan of {options.planned} runs takes {took:.1f} s")


def of_ray(_: argparse.Namespace) -> None:
    """Print the row `ray`."""
    content = spec(axes={"seed": 16}, training={"time": 200.0, "records": {"spacing": "log", "count": 21}})
    wall = time.perf_counter
    started = seconds_of(lambda: sweepengine.run(spec(), "ray_start.zarr"), wall)
    on_ray = seconds_of(lambda: sweepengine.run(content, "ray.zarr"), wall)
    inline = run_inline(content, "ray_inline", wall)
    print(f"ray: {on_ray:.1f} s for 16 runs, {inline:.1f} s in one process; {started:.1f} s for one short run on Ray")


def seconds_of_command(*words: str) -> float:
    """Wall time of a command of the product, from the start of its process."""
    command = [str(Path(sys.executable).with_name("sweepengine")), *words]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True), time.perf_counter)


def of_again(_: argparse.Namespace) -> None:
    """Print the row `again`."""
    for job in ("quickstart", "particles"):
        first, second, third = (seconds_of_command("run", job, "--executor", "inline") for _ in range(3))
        looked = seconds_of_command("status", f"results/{job}.zarr")
        print(
            f"again: {job} {min(second, third):.2f} s once it is finished, {first:.1f} s before; status {looked:.2f} s"
        )


def cloud(name: str, width: int, terms: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The spec of a sweep of particles: on points where its terms have a risk, else on the plane."""
    base: dict[str, Any] = {
        "kind": "particles",
        "name": name,
        "functional": {"terms": terms},
        "dynamics": {"method": "gd", "step_size": 0.01, "time": 2.0, "records": {"spacing": "log", "count": 8}},
        "axes": {"width": [width], "seed": 2},
        "precision": "float32",
    }
    risk = any(term["term"] == "risk" for term in terms)
    if risk:
        base["data"] = {"name": "gaussian", "teacher": "neuron", "d": 10, "n_train": 200, "n_test": 50}
        base["unit"] = {"activation": "tanh"}
    base["initial"] = {"law": "gaussian"} | ({} if risk else {"coordinates": 2})
    return base | {
        section: {**base[section], **value} if isinstance(value, dict) and section in base else value
        for section, value in changes.items()
    }


RISK = [{"term": "risk", "cost": "mse"}]
TRANSPORT = ["loss_train", "w2_start", "sliced_w2_start", "kernel_drift"]


def unlike() -> dict[str, Any]:
    """Sweeps of unlike work, each of several seconds."""
    return {
        "one layer": spec(axes={"seed": 100}),
        "tanh in float64": spec(network={"activation": "tanh"}, precision="float64", axes={"seed": 32}),
        "tiny": spec(axes={"width": [16], "seed": 2000}, **TINY),
        "three layers": spec(network={"depth": 3}, axes={"width": [1024], "seed": 2}),
        "many points": spec(data={"n_train": 500}, axes={"width": [256], "seed": 16}),
        "quickstart": job_spec("quickstart"),
        "computation": job_spec("nested"),
        "particles": cloud("many", 20_000, RISK),
        "few particles": cloud(
            "few", 200, RISK, data={"d": 5, "n_train": 50}, unit={"activation": "relu"}, dynamics={"time": 10.0},
            axes={"seed": 24},
        ),
        "erf in float64": cloud(
            "erf", 4000, RISK, data={"d": 20, "n_train": 100}, unit={"activation": "erf"}, precision="float64",
            dynamics={"method": "rk4", "time": 0.5}, axes={"seed": 4},
        ),
        "pairs": cloud("pairs", 2000, [{"term": "gaussian"}, {"term": "quadratic"}], axes={"seed": 2}),
        "noise": cloud(
            "noise", 20_000, [{"term": "double_well"}], functional={"temperature": 0.1},
            dynamics={"method": "leimkuhler_matthews"},
        ),
        "transport": cloud(
            "transport", 1500, RISK, data={"d": 5, "n_train": 100}, unit={"activation": "gelu"}, observables=TRANSPORT,
            axes={"seed": 8},
        ),
    }  # fmt: skip


def estimate(name: str) -> None:
    """Print as JSON what the plan says of a sweep, and what the sweep takes here, after a short sweep of the kind."""
    content = unlike()[name]
    ready = make_spec(content) if isinstance(content, dict) else content
    short = cloud("warm", 50, RISK) if ready.kind == "particles" else spec()
    run_inline(short, "warm")
    plan = make_plan(ready, SweepStore("estimated.zarr"))
    said = sum(pack.seconds for pack in plan.packs(MachineRate.measure(ready.precision)))
    start = time.process_time()
    run_inline(ready, "estimated")
    took = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"said": said, "took": took, "planned": plan.memory_bytes(), "peak": peak}))


def of_estimates(options: argparse.Namespace) -> None:
    """Print the row `estimates`: each sweep in processes of its own, the least of their times and peaks."""
    for name in unlike():
        tries = []
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, PROGRAM, "--estimate", name]
                told = subprocess.run(
                    command, check=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            tries.append(json.loads(told.stdout.splitlines()[-1]))
        took, peak = (min(each[key] for each in tries) for key in ("took", "peak"))
        said, planned = (statistics.median(each[key] for each in tries) for key in ("said", "planned"))
        print(
            f"estimates: {name:16} {said:6.1f} s said, {took:6.1f} s taken, ratio {said / took:.2f}; "
            f"{planned / 1e6:.0f} MB said, {peak / 1e6:.0f} MB at the peak, ratio {planned / peak:.2f}",
            flush=True,
        )


def with_seeds(spec: AnySpec, count: int) -> AnySpec:
    """A spec with at most so many of its seeds."""
    axes = spec.axes.model_copy(update={"seed": spec.axes.seed[:count]})
    return spec.model_copy(update={"axes": axes})


def of_computations(options: argparse.Namespace) -> None:
    """Print the row `computations`: each job with few seeds, after one seed of it, which imports what it needs."""
    for name in job_names():
        job = job_spec(name)
        if job.kind != "computation":
            continue
        one, few = (with_seeds(job, count) for count in (1, options.few))
        run_inline(one, f"{name}_warm")
        plan = make_plan(few, SweepStore(f"{name}.zarr"))
        said = sum(pack.seconds for pack in plan.packs(MachineRate.measure(few.precision)))
        if said > MOST_SECONDS:
            print(f"computations: {name:16} {said:6.1f} s said, which is too long to wait for", flush=True)
            continue
        took = run_inline(few, name)
        print(f"computations: {name:16} {said:6.2f} s said, {took:6.2f} s taken, ratio {said / took:.2f}", flush=True)


ROWS = {
    "network": of_network,
    "tiny": of_tiny,
    "ray": of_ray,
    "again": of_again,
    "estimates": of_estimates,
    "computations": of_computations,
}


def main() -> None:
    """Parse the command line and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    for name, default in (("seeds", 64), ("repeats", 3), ("tiny", 2000), ("planned", 100_000), ("few", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--estimate", choices=list(unlike()), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.estimate:
        estimate(options.estimate)
        return
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for row in options.rows or ROWS:
                ROWS[row](options)
        finally:
            os.chdir(here)


if __name__ == "__main__":
    main()
