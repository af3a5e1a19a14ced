"""Integrators: orders, exact discrete laws of Langevin schemes, kinks, divergence, resumption."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sweepengine import particles as pt
from sweepengine.time_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

LANGEVIN = sorted(name for name, method in METHODS.items() if method.noise)
START = pt.gaussian_cloud(1, 30, 2) * 0.5 + 0.2
WELL = pt.Functional([pt.double_well()])


def well_at(time: float, start: torch.Tensor) -> torch.Tensor:
    """θ̇ = θ − θ³ in closed form."""
    decay = math.exp(-time)
    return start / (start.square() + (1 - start.square()) * decay**2).sqrt()


@pytest.mark.parametrize(
    ("method", "order", "steps"),
    [("euler", 1, 256), ("heun", 2, 64), ("rk4", 4, 16), ("dormand_prince", 5, 10), ("euler_maruyama", 1, 256)],
)
def test_methods_have_their_order(method: str, order: int, steps: int) -> None:
    exact = well_at(1.0, START)

    def error(n: int) -> float:
        end = pt.flow(WELL, START, step_size=1 / n, steps=n, method=method).final()
        return float((end - exact).square().mean().sqrt())

    coarse, middle, fine = (error(steps * k) for k in (1, 2, 4))
    # Richardson on the slopes: the observed order is p + O(dt), so extrapolating leaves O(dt²).
    first, second = math.log2(coarse / middle), math.log2(middle / fine)
    assert 2 * second - first == pytest.approx(order, abs=0.03)


def test_a_potential_contracts_at_its_rate() -> None:
    """V = |θ|²/2: every distance shrinks by exactly e^{−t}; Euler by exactly (1 − dt)^n."""
    other = pt.gaussian_cloud(2, 30, 2)
    functional = pt.Functional([pt.quadratic()])
    ends = [
        pt.adaptive_flow(functional, each, time=1.5, tolerance=pt.Tolerance(1e-11, 1e-13)).final()
        for each in (START, other)
    ]
    torch.testing.assert_close(ends[0] - ends[1], (START - other) * math.exp(-1.5), rtol=1e-9, atol=1e-11)
    euler = pt.flow(functional, START, step_size=0.1, steps=7).final()
    torch.testing.assert_close(euler, START * 0.9**7, rtol=1e-14, atol=0)


def test_the_quadratic_interaction_keeps_the_mean_and_shrinks_the_covariance() -> None:
    functional = pt.Functional([pt.QuadraticInteraction()])
    end = pt.adaptive_flow(functional, START, time=0.8, tolerance=pt.Tolerance(1e-11, 1e-13)).final()
    torch.testing.assert_close(end.mean(0), START.mean(0), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(end.T.cov(), START.T.cov() * math.exp(-1.6), rtol=1e-9, atol=0)
    # Twin: ∬W without the ½ is the functional of twice the strength, e^{−4t}.
    double = pt.adaptive_flow(pt.Functional([pt.QuadraticInteraction(2.0)]), START, time=0.8).final()
    torch.testing.assert_close(double.T.cov(), START.T.cov() * math.exp(-3.2), rtol=1e-5, atol=0)


TEMPERATURE, STEP, STEPS, COUNT = 0.6, 0.5, 9, 40_000


def discrete_variance(method: str, steps: int, start: float) -> float:
    """Variance after n steps of each scheme for V = θ²/2, by the linear recursion that the scheme is."""
    h, kick = STEP, 2 * TEMPERATURE * STEP
    variance = start
    for n in range(steps):
        if method == "euler_maruyama":
            variance = (1 - h) ** 2 * variance + kick
        elif method == "leimkuhler_matthews":  # ξ_n is shared with the last step: covariance √(kick)/2 after the first
            shared = math.sqrt(kick) / 2 if n else 0.0
            variance = (1 - h) ** 2 * variance + kick / 2 + 2 * (1 - h) * shared * math.sqrt(kick) / 2
        else:
            variance = (1 - h + h * h / 2) ** 2 * variance + (1 - h / 2) ** 2 * kick
    return variance


@pytest.mark.parametrize("method", LANGEVIN)
@pytest.mark.parametrize("steps", [1, 2, STEPS])
def test_langevin_schemes_have_their_exact_discrete_variance(method: str, steps: int) -> None:
    start = pt.gaussian_cloud(4, COUNT, 1) * 0.3
    functional = pt.Functional([pt.quadratic()], temperature=TEMPERATURE)
    cloud = pt.flow(functional, start, step_size=STEP, steps=steps, method=method, seed=7).final()
    expected = discrete_variance(method, steps, 0.09)
    bar = 4 * expected * math.sqrt(2 / COUNT)  # four standard errors of a Gaussian sample's variance
    assert abs(float(cloud.var()) - expected) < bar
    # Twins: noise √τ dB instead of √(2τ) dB, and noise not scaled with dt.
    for wrong in (0.5, 1 / STEP):
        drift = discrete_variance(method, steps, 0.09) - discrete_variance(method, steps, 0.0)
        assert abs(float(cloud.var()) - (drift + wrong * (expected - drift))) > bar


def test_stationary_variances_and_their_order() -> None:
    """Euler–Maruyama: τ/(1 − dt/2); Leimkuhler–Matthews: exactly τ (the recursions' fixed points)."""
    assert discrete_variance("euler_maruyama", 200, 0.0) == pytest.approx(TEMPERATURE / (1 - STEP / 2), rel=1e-12)
    assert discrete_variance("leimkuhler_matthews", 200, 0.0) == pytest.approx(TEMPERATURE, rel=1e-12)
    start = pt.gaussian_cloud(4, COUNT, 1) * math.sqrt(TEMPERATURE)
    functional = pt.Functional([pt.quadratic()], temperature=TEMPERATURE)
    bar = 4 * TEMPERATURE * math.sqrt(2 / COUNT)
    for method, exact in (("leimkuhler_matthews", True), ("euler_maruyama", False)):
        cloud = pt.flow(functional, start, step_size=STEP, steps=25, method=method, seed=8).final()
        assert (abs(float(cloud.var()) - TEMPERATURE) < bar) == exact


def test_noise_belongs_to_the_particle_and_the_step() -> None:
    """The same numbers in any chunks, on a shard, with more particles, and after an interruption."""
    functional = pt.Functional([pt.double_well()], temperature=0.3)
    start = pt.gaussian_cloud(5, 700, 3)

    def run(cloud: torch.Tensor, steps: int, partition: pt.Partition, first: int = 0) -> torch.Tensor:
        return pt.flow(
            functional,
            cloud,
            step_size=0.1,
            steps=steps,
            method="leimkuhler_matthews",
            seed=3,
            partition=partition,
            first_step=first,
        ).final()

    whole = run(start, 6, pt.Partition(chunk=1000))
    assert torch.equal(run(start, 6, pt.Partition(chunk=77, threads=2)), whole)
    assert torch.equal(run(start[301:], 6, pt.Partition(chunk=50, first=301)), whole[301:])
    assert torch.equal(run(start[:90], 6, pt.Partition()), whole[:90])
    assert torch.equal(run(run(start, 2, pt.Partition()), 4, pt.Partition(), first=2), whole)
    draws = pt.Noise(3).draw(0, slice(0, 700), start)
    assert not torch.equal(draws, pt.Noise(4).draw(0, slice(0, 700), start))
    correlation = np.corrcoef(draws.ravel(), pt.Noise(3).draw(1, slice(0, 700), start).ravel())[0, 1]
    assert abs(correlation) < 4 / math.sqrt(2100)


@pytest.mark.parametrize("method", LANGEVIN)
def test_langevin_in_float32_is_that_of_float64_rounded(method: str) -> None:
    functional = pt.Functional([pt.double_well()], temperature=0.3)
    start = pt.gaussian_cloud(5, 700, 3)

    def run(cloud: torch.Tensor, seed: int, partition: pt.Partition | None = None) -> torch.Tensor:
        return pt.flow(functional, cloud, step_size=0.1, steps=6, method=method, seed=seed, partition=partition).final()

    found, exact = run(start.float(), 3), run(start, 3)
    assert found.dtype == torch.float32
    assert torch.equal(start.float(), pt.gaussian_cloud(5, 700, 3, torch.float32))
    # Six steps that never expand by more than 1.1 carry six roundings of numbers below 8.
    bound = 6 * 1.1**6 * 8 * 2.0**-23
    assert float((found - exact).abs().max()) < bound
    assert float((found - run(start, 4)).abs().max()) > 100 * bound  # twin: other noise is not within rounding
    assert torch.equal(run(start.float(), 3, pt.Partition(chunk=77, threads=2)), found)


def test_adaptive_steps_meet_the_tolerance_and_save_work() -> None:
    ends = {}
    for relative in (1e-4, 1e-8):
        found = pt.adaptive_flow(WELL, START, time=4.0, tolerance=pt.Tolerance(relative, relative))
        ends[relative] = found
        assert float((found.final() - well_at(4.0, START)).abs().max()) < 20 * relative
        assert found.time == 4.0
    ratio = ends[1e-8].accepted / ends[1e-4].accepted
    assert ratio < 10 ** (4 / 5) * 1.3  # fifth order: steps grow as tolerance^(−1/5)


def test_adaptive_steps_survive_relu_kinks() -> None:
    """relu particles cross kinks all along; many small Euler steps are the measure."""
    inputs = pt.gaussian_cloud(6, 20, 2)
    risk = pt.Risk(pt.Neuron(2, "relu"), inputs, inputs[:, 0].sin() * 2)
    functional, start = pt.Functional([risk]), pt.gaussian_cloud(7, 60, 3)
    found = pt.adaptive_flow(functional, start, time=6.0, tolerance=pt.Tolerance(1e-5, 1e-6))
    crossed = ((start[:, :2] @ inputs.T > 0) != (found.final()[:, :2] @ inputs.T > 0)).sum()
    assert crossed > 30
    assert found.rejected > 0
    assert found.accepted + found.rejected < 2000
    reference = pt.flow(functional, start, step_size=6 / 4000, steps=4000, method="heun").final()
    assert float((found.final() - reference).square().mean().sqrt()) < 1e-3


def test_a_functional_without_lower_bound_is_a_status_with_its_step() -> None:
    steep = pt.Functional([pt.Potential(lambda x: -x.square().square().sum(1))])
    found = pt.flow(steep, START, step_size=0.1, steps=500)
    assert found.status == "diverged"
    assert found.diverged_step is not None
    assert 1 <= found.diverged_step <= 60
    with pytest.raises(pt.DivergedError, match=f"step {found.diverged_step}.*bounded below") as caught:
        found.final()
    assert caught.value.step == found.diverged_step
    assert pt.adaptive_flow(steep, START, time=10.0).status == "diverged"


def test_nan_velocities_are_a_status_with_their_step() -> None:
    root = pt.Functional([pt.Potential(lambda x: (x - 0.1).sqrt().sum(1))])  # leaves its domain after some steps
    found = pt.flow(root, START.abs() + 0.5, step_size=0.05, steps=300, method="rk4")
    assert found.status == "diverged"
    assert found.diverged_step is not None
    assert found.diverged_step > 1
    assert (
        pt.adaptive_flow(pt.Functional([pt.Potential(lambda x: (x - 9).sqrt().sum(1))]), START, time=1.0).status
        == "diverged"
    )
    assert pt.flow(WELL, START * math.nan, step_size=0.1, steps=3).diverged_step == 0


def test_projections_hold_after_every_step() -> None:
    norms = list[float]()

    def observe(step: int, time: float, cloud: torch.Tensor) -> None:
        norms.append(float((torch.linalg.vector_norm(cloud, dim=1) - 1).abs().max()) if step else 0.0)

    pt.flow(WELL, START, step_size=0.1, steps=5, project=pt.sphere(), observe=observe)
    assert len(norms) == 6
    assert max(norms) < 4e-15
    inside = pt.flow(WELL, START, step_size=0.1, steps=50, project=pt.ball(0.7)).final()
    assert float(torch.linalg.vector_norm(inside, dim=1).max()) == pytest.approx(0.7, rel=1e-12)
    assert torch.equal(
        pt.flow(WELL, START, step_size=0.1, steps=5, project=pt.ball(9)).final(),
        pt.flow(WELL, START, step_size=0.1, steps=5).final(),
    )


def test_fresh_samples_at_every_step() -> None:
    seen = list[int]()

    def at(step: int) -> pt.Functional:
        seen.append(step)
        return pt.Functional([pt.quadratic(1.0, float(step))])

    end = pt.flow(at, START, step_size=0.5, steps=3, first_step=2).final()
    assert seen == [2, 3, 4]
    expected = START
    for step in seen:
        expected = expected + 0.5 * (step - expected)
    torch.testing.assert_close(end, expected, rtol=1e-14, atol=1e-15)


def test_the_start_is_kept_unless_it_is_given_away() -> None:
    start = START.clone()
    pt.flow(WELL, start, step_size=0.1, steps=2)
    assert torch.equal(start, START)
    end = pt.flow(WELL, start, step_size=0.1, steps=2, overwrite=True).final()
    assert end is start


def test_bad_calls_say_the_way_out() -> None:
    hot = pt.Functional([pt.quadratic()], temperature=1.0)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: pt.flow(WELL, START, step_size=0.1, steps=1, method="leapfrog"), "known are gd"),
        (lambda: pt.flow(WELL, START, step_size=0.0, steps=1), "dt is positive"),
        (lambda: pt.flow(hot, START, step_size=0.1, steps=1), "carry the noise"),
        (lambda: pt.flow(hot, START, step_size=0.1, steps=1, method="euler_maruyama"), "no default seed"),
        (lambda: pt.adaptive_flow(hot, START, time=1.0), "carry no noise"),
        (lambda: pt.adaptive_flow(WELL, START, time=-1.0), "positive finite"),
        (lambda: pt.adaptive_flow(WELL, START, time=1.0, max_steps=2), "max_steps"),
    ]
    for make, message in calls:
        with pytest.raises(pt.ParticlesError, match=message):
            make()
