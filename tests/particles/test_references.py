"""Propagation of chaos, the radial reduction, and random features against trained particles."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from sweepengine import particles as pt
from sweepengine.networks import activation

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTHS = [16, 32, 64, 128, 256]


def slopes(seeds: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """log₂–log₂ slopes in m of the coupled distance and of the outputs' gap, jackknife pseudo-values over seeds."""
    inputs = pt.gaussian_cloud(90, 15, 2)
    risk = pt.Risk(pt.Neuron(2, "tanh"), inputs, inputs[:, 0].sin() * 2)
    squares = np.empty((2, seeds, len(WIDTHS)))
    for seed in range(seeds):
        found = pt.couple(
            risk,
            pt.gaussian_cloud(seed, 1024, 3),
            WIDTHS,
            step_size=0.1,
            steps=15,
            temperature=temperature,
            method="euler_maruyama",
            seed=seed,
        )
        squares[0, seed] = [each.distance**2 for each in found]
        squares[1, seed] = [each.outputs**2 for each in found]
    x = np.log2(WIDTHS) - np.log2(WIDTHS).mean()

    def slope(sample: np.ndarray) -> float:
        return float(np.log2(sample.mean(0)) / 2 @ x / (x @ x))

    pseudo = np.array(
        [[seeds * slope(s) - (seeds - 1) * slope(np.delete(s, k, 0)) for k in range(seeds)] for s in squares]
    )
    return pseudo.mean(1), pseudo.std(1, ddof=1) / math.sqrt(seeds)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_nested_clouds_approach_their_limit_at_the_root_of_width(temperature: float) -> None:
    found, error = slopes(48, temperature)
    assert (np.abs(found + 0.5) < 3.5 * error).all()
    assert (error < 0.06).all()  # tight enough that m^{−1/4} and m^{−1} are far outside
    assert (np.abs(found + 0.25) > 3.5 * error).all()


def test_coupling_needs_a_larger_reference() -> None:
    risk = pt.Risk(pt.Neuron(1), torch.ones(2, 1), torch.ones(2))
    with pytest.raises(pt.ParameterError, match=r"from 1 to 7\b"):
        pt.couple(risk, torch.ones(8, 2), [4, 8], step_size=0.1, steps=1)


@pytest.mark.parametrize("d", [2, 7, 40, None])
def test_the_radial_unit_is_the_average_over_directions(d: int | None) -> None:
    def density(u: float) -> float:
        if d is None:
            return math.exp(-u * u / 2) / math.sqrt(2 * math.pi)
        constant = math.exp(math.lgamma(d / 2) - math.lgamma((d - 1) / 2)) / math.sqrt(math.pi)
        return constant * math.pow(1 - u * u, (d - 3) / 2)

    def s(t: float) -> float:
        return float(activation("staircase")(torch.tensor(t, dtype=torch.float64))[0])

    unit, z = pt.RadialUnit(d), torch.tensor([[0.9], [2.3]], dtype=torch.float64)
    radii = torch.tensor([[0.1], [0.8], [1.9]], dtype=torch.float64)
    found = unit.values(radii, unit.prepare(z))
    edge = 9.0 if d is None else 1.0
    for k, r in enumerate(radii[:, 0].tolist()):
        for i, each in enumerate(z[:, 0].tolist()):
            kinks = [p for p in (0.5 / (r * each), 1.5 / (r * each)) if p < edge]
            cuts = [-edge, *kinks, edge]
            parts = [integrate.quad(lambda u, b=r * each: s(b * u) * density(u), a, b)[0] for a, b in pairwise(cuts)]
            assert float(found[k, i]) == pytest.approx(sum(parts), abs=2e-7)
    weights = torch.tensor([0.3, -1.1], dtype=torch.float64)
    ahead, behind = (unit.values(radii + h, unit.prepare(z)) @ weights for h in (1e-6, -1e-6))
    torch.testing.assert_close(
        unit.pull(unit.prepare(z), weights)(radii)[:, 0], (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8
    )


D, DELTA, KAPPA, COUNT, STEP, STEPS = 10, 0.8, 0.8, 600, 0.02, 12


def particle_radius(seed: int, delta: float) -> float:
    """Mean |w| after fresh-sample steps of the full system in d dimensions."""
    unit = pt.Neuron(D, "staircase", output="none")

    def functional(step: int) -> pt.Functional:
        y = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(300)
        x = pt.gaussian_cloud(1000 * (seed + 1) + step, 600, D) * (1 + delta * y).unsqueeze(1)
        return pt.Functional([pt.Risk(unit, x, y)])

    start = pt.gaussian_cloud(seed, COUNT, D) * (KAPPA / math.sqrt(D))
    end = pt.flow(functional, start, step_size=STEP, steps=STEPS).final()
    return float(torch.linalg.vector_norm(end, dim=1).mean())


def reduced_radius(delta: float) -> float:
    risk = pt.Functional([pt.radial_risk(D, delta)])
    return float(pt.flow(risk, pt.radial_start(400, D, KAPPA), step_size=STEP, steps=STEPS).final().mean())


def test_the_reduced_dynamics_are_those_of_the_cloud() -> None:
    radii = np.array([particle_radius(seed, DELTA) for seed in range(10)])
    error = radii.std(ddof=1) / math.sqrt(len(radii))
    expected, start = reduced_radius(DELTA), float(pt.radial_start(400, D, KAPPA).mean())
    assert abs(radii.mean() - expected) < 4 * error
    assert abs(expected - start) > 20 * error  # it moved
    assert abs(radii.mean() - reduced_radius(0.6)) > 4 * error  # twin: other data


def test_the_reduced_risk_falls_and_tends_to_its_limit_in_d() -> None:
    """At d = ∞ the flow decreases the risk; at finite d the start's risk tends to the limit's like 1/d."""
    values = list[float]()
    limit = pt.Functional([pt.radial_risk(None, DELTA)])
    start = pt.radial_start(50, None, KAPPA)
    pt.flow(limit, start, step_size=0.01, steps=100, observe=lambda _s, _t, cloud: values.append(limit.value(cloud)))
    assert all(after < before for before, after in pairwise(values))
    gaps = [
        abs(pt.Functional([pt.radial_risk(d, DELTA)]).value(pt.radial_start(2000, d, KAPPA)) - values[0])
        for d in (50, 100, 200, 400)
    ]
    assert math.log2(gaps[2] / gaps[3]) == pytest.approx(1, abs=0.1)


def test_linear_features_have_their_beta_law() -> None:
    m, d, rng = 8, 16, np.random.default_rng(1)
    target = np.eye(d)[0]
    risks = np.array([pt.linear_feature_risk(rng.standard_normal((m, d)), target) for _ in range(600)])
    law = pt.linear_feature_law(m, d)
    assert stats.kstest(law.cdf(risks), "uniform").pvalue > 1e-3
    assert stats.kstest(pt.linear_feature_law(m + 2, d).cdf(risks), "uniform").pvalue < 1e-6  # twin
    assert law.mean() == pytest.approx(1 - m / d, rel=1e-12)
    assert abs((risks >= 0.25).mean() - law.sf(0.25)) < 4 * math.sqrt(law.sf(0.25) * law.cdf(0.25) / 600)


def test_relu_products_and_risks_agree_with_sampling() -> None:
    rng = np.random.default_rng(2)
    weights, target = rng.standard_normal((5, 3)), np.array([0.6, 0.0, 0.8])
    x = rng.standard_normal((200_000, 3))
    features, aim = np.maximum(x @ weights.T, 0), np.maximum(x @ target, 0)
    for k in range(5):
        products = features[:, k] * features[:, 0]
        bar = 4 * products.std() / math.sqrt(len(x))
        assert abs(products.mean() - pt.relu_products(weights, weights)[k, 0]) < bar
    risk, u = pt.relu_feature_risk(weights, target)
    losses = np.square(features @ u - aim)
    assert abs(losses.mean() - risk) < 4 * losses.std() / math.sqrt(len(x))
    cloud = np.concatenate([weights, u[:, None] * 5], axis=1)
    assert pt.relu_network_risk(cloud, target) == pytest.approx(risk, rel=1e-10)
    assert pt.relu_network_risk(cloud[:, [*range(3), 3]] * [1, 1, 1, 0], target) == pytest.approx(0.5, rel=1e-12)
    assert pt.relu_feature_risk(np.vstack([weights, target]), target)[0] == pytest.approx(0, abs=1e-14)


def test_the_floor_of_features_is_the_share_of_the_degrees_that_they_lack() -> None:
    """d = 3: the best space of 9 functions is |x| times the harmonics of degree 0, 1 and 2, by sampling."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((400_000, 3))
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    second = np.stack([u[:, i] * u[:, j] for i in range(3) for j in range(i + 1)], axis=1)
    harmonics = np.concatenate([np.ones((len(x), 1)), u, second[:, :5]], axis=1) * np.linalg.norm(x, axis=1)[:, None]
    for count, kept in ((1, harmonics[:, :1]), (4, harmonics[:, :4]), (9, harmonics)):
        aim = np.maximum(x @ np.array([0.6, 0.0, 0.8]), 0)
        rest = aim - kept @ np.linalg.lstsq(kept, aim, rcond=None)[0]
        assert np.square(rest).mean() / 0.5 == pytest.approx(pt.relu_feature_floor(count, 3), abs=0.003), count
    limits = [pt.relu_feature_floor(1 + d + extra, d) for d, extra in ((4000, 0), (4000, 4000 * 4001 // 2 - 1))]
    assert limits == pytest.approx([0.5 - 1 / math.pi, 0.5 - 1.5 / math.pi], abs=1e-4)  # Hermite degrees ≥ 2 and ≥ 3
    assert pt.relu_feature_floor(0, 5) == 1.0
    weights = rng.standard_normal((40, 5))
    targets = rng.standard_normal((5, 200))
    share = (pt.relu_feature_risk(weights, targets)[0] / np.square(targets).sum(0)).mean() * 2
    assert share > pt.relu_feature_floor(40, 5)
    assert share < pt.relu_feature_floor(10, 5)  # twin: fewer functions, so that the floor is no trivial one


def test_the_population_risk_is_that_of_very_many_points() -> None:
    d = 3
    cloud, target = pt.gaussian_cloud(6, 7, d + 1), np.array([0.6, 0.0, 0.8])
    exact = pt.Functional([pt.ReluPopulationRisk(target)])
    x = pt.gaussian_cloud(7, 400_000, d)
    sampled = pt.Functional([pt.Risk(pt.Neuron(d, "relu"), x, (x @ torch.from_numpy(target)).clamp_min(0))])
    assert exact.value(cloud) == pytest.approx(sampled.value(cloud), rel=0.02)
    assert exact.value(cloud) == pytest.approx(pt.relu_network_risk(cloud.numpy(), target) / 2, rel=1e-14)
    for of in ("velocity", "first_variation"):
        values = [
            getattr(each, of)(*((cloud, cloud) if of == "first_variation" else (cloud,))) for each in (exact, sampled)
        ]
        torch.testing.assert_close(values[0], values[1], atol=0.02, rtol=0.02)
        assert not torch.allclose(values[0], 1.2 * values[1], atol=0.02, rtol=0.02)  # twin
    direction, step = pt.gaussian_cloud(8, 7, d + 1), 1e-6
    ahead, behind = (exact.value(cloud + sign * step * direction) for sign in (1, -1))
    assert -float((exact.velocity(cloud) * direction).sum()) / 7 == pytest.approx(
        (ahead - behind) / (2 * step), rel=1e-6
    )


def test_trained_particles_learn_the_neuron_that_random_features_miss() -> None:
    """theory.md §4.8: same m and d, one relu teacher; population risks by κ."""
    d, m = 12, 60
    start, target = pt.gaussian_cloud(4, m, d + 1), np.eye(d)[0]
    start[:, :d] /= math.sqrt(d)
    frozen, _ = pt.relu_feature_risk(start[:, :d].numpy(), target)

    def functional(step: int) -> pt.Functional:
        x = pt.gaussian_cloud(5000 + step, 256, d)
        return pt.Functional([pt.Risk(pt.Neuron(d, "relu"), x, x[:, 0].clamp_min(0))])

    end = pt.flow(functional, start, step_size=0.2, steps=400).final()
    assert frozen > 0.05 * 0.5
    assert pt.relu_network_risk(end.numpy(), target) < frozen / 10


def test_references_refuse_what_they_do_not_cover() -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: pt.radial_risk(1, 0.5), "at least 2"),
        (lambda: pt.radial_risk(9, 1.5), "0 < Δ < 1"),
        (lambda: pt.linear_feature_law(9, 9), "0 < m < d"),
        (lambda: pt.linear_feature_risk(np.eye(3), np.ones(2)), r"\(m, d\)"),
    ]
    for call, message in calls:
        with pytest.raises(pt.ParticlesError, match=message):
            call()
