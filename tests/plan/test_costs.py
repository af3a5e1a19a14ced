"""What the plan says that runs cost, against operations that PyTorch counts and arrays that are counted by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sweepengine.plan import MachineRate, make_plan
from sweepengine.plan._cost import sweep_seconds
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.particle_sweeps import TEACHER, WELLS, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweepengine.plan import Plan

    Tiny = Callable[..., dict[str, Any]]

N, N_TEST, D, WIDE = 12, 10, 64, 4096
"""Of ``tiny``, and a width at which the products are nearly all of a step."""


def planned(content: dict[str, Any]) -> Plan:
    return make_plan(make_spec(content), SweepStore("memory://nothing-is-written.zarr"))


def one_run(tiny: Tiny, width: int, **changes: Any) -> dict[str, Any]:
    axes = {"scaling": ["ntk"], "width": [width], "seed": 1}
    return tiny(network={"depth": 2}, axes=axes, **changes) | {"observables": ["loss_train"]}


def seconds(content: dict[str, Any], flops: float) -> float:
    [pack] = planned(content).packs(MachineRate(flops))
    return pack.seconds


def operations_of_a_step(tiny: Tiny, width: int, **changes: Any) -> float:
    """The part of a step's time that is inverse to the machine's rate.

    A sweep of twice the time has as many records and twice the steps, so records and start-up cancel.
    """
    content = one_run(tiny, width, training={"time": 5.0, **changes})
    longer = one_run(tiny, width, training={"time": 10.0, **changes})
    steps = planned(longer).runs[0].n_steps - planned(content).runs[0].n_steps
    slow, fast = (seconds(longer, rate) - seconds(content, rate) for rate in (1e9, 2e9))
    return (slow - fast) / (steps * (1 / 1e9 - 1 / 2e9))


def operations_of_products(sizes: list[int], outputs: int, points: int) -> int:
    """Those that PyTorch counts in a forward and a backward pass, on a device without memory."""
    x = torch.empty(points, sizes[0], device="meta")
    shapes = [(above, below) for below, above in pairwise(sizes)] + [(outputs, sizes[-1])]
    weights = [torch.empty(shape, device="meta", requires_grad=True) for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        for weight in weights[:-1]:
            x = torch.tanh(x @ weight.T)
        torch.autograd.grad((x @ weights[-1].T).sum(), weights)
    return int(counter.get_total_flops())


@pytest.mark.parametrize(
    ("method", "points", "velocities"),
    [("gd", N, 1), ({"name": "sgd", "batch_size": 4}, 4, 1), ("heun", N, 2), ("rk4", N, 4)],
)
def test_a_step_costs_the_products_of_its_passes(tiny: Tiny, method: Any, points: int, velocities: int) -> None:
    expected = velocities * operations_of_products([D, WIDE, WIDE], 1, points)
    assert operations_of_a_step(tiny, WIDE, method=method) == pytest.approx(expected, rel=0.01)


def test_the_inputs_cost_their_products(tiny: Tiny) -> None:
    """What is done for each unit does not depend on d, so the difference is that of the products alone."""

    def cost(d: int) -> float:
        data = {"name": "gaussian", "teacher": "neuron", "d": d, "n_train": N, "n_test": N_TEST}
        shorter, longer = (one_run(tiny, WIDE, training={"time": time}) | {"data": data} for time in (5.0, 10.0))
        return seconds(longer, 1e9) - seconds(shorter, 1e9)

    extra = operations_of_products([100, WIDE, WIDE], 1, N) - operations_of_products([20, WIDE, WIDE], 1, N)
    steps = planned(one_run(tiny, WIDE)).runs[0].n_steps
    assert cost(100) - cost(20) == pytest.approx(steps * extra / 1e9, rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_passes_cost_by_the_activation_and_the_precision(tiny: Tiny, precision: str) -> None:
    """Each step has passes over N × m arrays of both layers, which no rate of products makes faster."""

    def passes(activation: str, width: int) -> float:
        shorter, longer = (one_run(tiny, width, training={"time": time}, precision=precision) for time in (5.0, 10.0))
        for content in (shorter, longer):
            content["network"]["activation"] = activation
        steps = planned(longer).runs[0].n_steps - planned(shorter).runs[0].n_steps
        return (seconds(longer, 1e30) - seconds(shorter, 1e30)) / steps

    entries = 2 * N * (512 - 256)
    for activation, single, double in (("erf", 1.75, 4.1), ("tanh", 0.35, 1.2), ("relu", 0.2, 0.45)):
        more = passes(activation, 512) - passes(activation, 256)
        nanoseconds = single if precision == "float32" else double
        assert more == pytest.approx(entries * nanoseconds * 1e-9, rel=1e-6)


def step_of_particles(content: dict[str, Any], rate: MachineRate) -> float:
    """Seconds of a step: a sweep of twice the time has as many records."""
    times = [
        sum(pack.seconds for pack in planned(changed(content, dynamics={"time": time})).packs(rate))
        for time in (2.0, 4.0)
    ]
    return (times[1] - times[0]) / 20


def test_a_step_of_particles_costs_its_products_and_its_passes() -> None:
    """A pass counts by the machine's passes, a product by its rate, and both by particles and points."""
    m, d, points = 4096, 4, 30
    risk = changed(TEACHER, axes={"width": [m], "seed": 1}, functional={"terms": [{"term": "risk", "cost": "mse"}]})

    def step(content: dict[str, Any], flops: float = 1e30, passes: float = 1.0) -> float:
        return step_of_particles(content, MachineRate(flops, passes))

    products = 6.0 * m * points * (d + 1)
    assert step(risk, 1e9) - step(risk) == pytest.approx(products / 1e9, rel=1e-6)
    of_passes = step(risk, passes=2.0) - step(risk)
    larger = changed(risk, axes={"width": [2 * m], "seed": 1})
    assert step(larger) - step(risk) == pytest.approx(of_passes, rel=1e-6)
    by_activation = [step(changed(risk, unit={"activation": name})) for name in ("relu", "tanh", "erf", "gelu", "sin")]
    assert by_activation == sorted(by_activation)
    more = (2.6 + 5.8) - (0.1 + 0.45)  # nanoseconds of sin, and of relu, in float64
    assert by_activation[-1] - by_activation[0] == pytest.approx(m * points * more * 1e-9, rel=1e-6)


def test_noise_and_pairs_of_particles_cost_what_is_drawn_and_counted() -> None:
    rate = MachineRate(1e30)

    def step(method: str, temperature: float, terms: list[dict[str, Any]], m: int) -> float:
        content = changed(
            WELLS, functional={"terms": terms, "temperature": temperature}, axes={"width": [m], "seed": 1},
            dynamics={"method": method, "records": {"spacing": "log", "count": 3}, "snapshots": 0},
        )  # fmt: skip
        return step_of_particles(content, rate)

    wells, m = [{"term": "double_well"}], 2048
    cold, once, twice = (
        step(method, temperature, wells, m)
        for method, temperature in (("euler_maruyama", 0.0), ("euler_maruyama", 1.0), ("leimkuhler_matthews", 1.0))
    )
    assert once - cold == pytest.approx(twice - once, rel=1e-6)
    assert once > 2 * cold
    few, many = (step("euler", 0.0, [{"term": "gaussian"}], size) for size in (m, 2 * m))
    assert 3.9 < many / few < 4.0  # calls and coordinates double, pairs are four times as many
    fixed = step("euler", 0.0, [{"term": "mmd", "count": m}], m)
    assert fixed == pytest.approx(2 * few, rel=0.01)


def test_outputs_cost_their_read_outs(tiny: Tiny) -> None:
    def cost(classes: list[int]) -> float:
        content = one_run(tiny, WIDE, data={"classes": classes})
        longer = one_run(tiny, WIDE, data={"classes": classes}, training={"time": 10.0})
        return seconds(longer, 1e9) - seconds(content, 1e9)

    extra = operations_of_products([D, WIDE, WIDE], 3, N) - operations_of_products([D, WIDE, WIDE], 1, N)
    steps = planned(one_run(tiny, WIDE)).runs[0].n_steps
    assert cost([1, 3, 8]) - cost([3, 8]) == pytest.approx(steps * extra / 1e9, rel=1e-6)


def test_every_step_and_record_takes_time_on_the_fastest_machine(tiny: Tiny) -> None:
    """What Python takes does not fall with the rate of products."""
    free = [seconds(one_run(tiny, 8, training=change), 1e30) for change in (
        {"time": 5.0}, {"time": 10.0}, {"time": 5.0, "records": {"count": 3}},
    )]  # fmt: skip
    assert free[1] > free[0] > free[2] > 0
    assert 1e-5 < (free[1] - free[0]) / 20 < 1e-3  # 20 steps more


def test_runs_of_one_pack_cost_their_sum(tiny: Tiny) -> None:
    content = one_run(tiny, 16)
    several = content | {"axes": content["axes"] | {"seed": 3}}
    assert seconds(several, 1e9) == pytest.approx(3 * seconds(content, 1e9), rel=1e-12)


@pytest.mark.parametrize(("precision", "item"), [("float32", 4), ("float64", 8)])
@pytest.mark.parametrize(("method", "copies"), [("gd", 2), ({"name": "momentum", "beta": 0.9}, 3)])
def test_memory_of_wide_networks_is_that_of_their_weights(
    tiny: Tiny, precision: str, item: int, method: Any, copies: int
) -> None:
    """The second difference in the width is that of m²: weights now, at t = 0, and what the method keeps."""
    taken = [
        planned(one_run(tiny, width, precision=precision, training={"method": method})).memory_bytes()
        for width in (1024, 2048, 3072)
    ]
    assert taken[2] - 2 * taken[1] + taken[0] == pytest.approx(copies * item * 2 * 1024**2, rel=1e-3)


def test_memory_grows_with_the_points_by_their_signals(tiny: Tiny) -> None:
    """Forward and backward signals of both hidden layers and a layer's scratch, for points of training and test."""
    width, more = 512, 100
    data = {"n_train": N, "n_test": N_TEST}
    base = planned(one_run(tiny, width, data=data)).memory_bytes()
    found = planned(one_run(tiny, width, data=data | {"n_test": N_TEST + more})).memory_bytes() - base
    signals = 2 * 2 * width * 8 * more
    assert signals <= found <= 2.5 * signals


def test_memory_holds_a_chunk_of_records(tiny: Tiny) -> None:
    """A kernel at every record, of all runs of a chunk, until the chunk is written."""
    content = one_run(tiny, 8, data={"n_train": 100})
    content["training"]["records"] = {"spacing": "every", "k": 1}
    kept = content | {"observables": ["kernel"]}
    steps = planned(content).runs[0].n_steps
    [shape] = planned(kept).blocks().values()
    assert shape.chunk_runs == 1
    more = planned(kept).memory_bytes() - planned(content).memory_bytes()
    copies = 3  # a commit makes them of what it writes
    assert more == pytest.approx((1 + copies) * (steps + 1) * 100**2 * 8, rel=0.5)


def test_a_sweeps_time_is_that_of_its_busiest_worker() -> None:
    assert sweep_seconds([], 4) == 0.0
    started = sweep_seconds([1.0], 1) - 1.0
    assert started > 0
    assert sweep_seconds([3.0, 1.0], 2) - started == pytest.approx(3.0)
    assert sweep_seconds([1.0] * 8, 4) - started == pytest.approx(2.0)
    for packs, workers in (([3.0, 3.0, 2.0, 2.0, 2.0], 2), ([float(n % 7 + 1) for n in range(40)], 3)):
        least = max(math.fsum(packs) / workers, *packs)
        assert least <= sweep_seconds(packs, workers) - started <= (4 / 3 - 1 / (3 * workers)) * least + 1e-9


def test_the_rate_is_measured_on_one_thread_in_the_sweeps_precision() -> None:
    torch.set_num_threads(2)
    found = {precision: MachineRate.measure(precision).flops for precision in ("float32", "float64")}
    assert torch.get_num_threads() == 2
    assert all(1e7 < flops < 1e14 for flops in found.values())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process is bound to CPUs on Linux")
def test_cpus_are_those_that_this_process_may_use() -> None:
    program = (
        "import os; from sweepengine.plan import available_cpus; mine = os.sched_getaffinity(0); "
        "print(available_cpus() == len(mine)); os.sched_setaffinity(0, {min(mine)}); print(available_cpus())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "1"]
