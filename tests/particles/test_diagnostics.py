"""Diagnostics: energy identity, weak form, moments, stationarity, participation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sweepengine import particles as pt

START = pt.gaussian_cloud(1, 50, 3)
INPUTS = pt.gaussian_cloud(2, 9, 2)
RISK = pt.Risk(pt.Neuron(2, "tanh"), INPUTS, INPUTS[:, 0].sin() * 2)
FUNCTIONALS = {
    "risk": pt.Functional([RISK, pt.ridge(0.1)]),
    "interaction": pt.Functional([pt.Interaction(pt.GaussianKernel()), pt.double_well(0.3)]),
    "energy distance": pt.Functional([pt.Discrepancy(pt.RieszKernel(1.5), START[:20] * 0.5 + 1)]),
}


def defect(functional: pt.Functional, step: float, scale: float = 1.0) -> float:
    """Largest energy defect of Euler's steps up to t = 0.5, with the dissipation scaled by ``scale``."""
    times, values, lost = list[float](), list[float](), list[float]()

    def observe(_step: int, time: float, cloud: torch.Tensor) -> None:
        times.append(time)
        values.append(functional.value(cloud))
        lost.append(scale * pt.dissipation(functional, cloud))

    pt.flow(functional, START, step_size=step, steps=round(0.5 / step), observe=observe)
    return max(map(abs, pt.energy_defect(times, values, lost)))


@pytest.mark.parametrize("functional", FUNCTIONALS.values(), ids=FUNCTIONALS)
def test_the_energy_identity_holds_to_first_order(functional: pt.Functional) -> None:
    coarse, middle, fine = (defect(functional, step) for step in (0.02, 0.01, 0.005))
    first, second = math.log2(coarse / middle), math.log2(middle / fine)
    assert 2 * second - first == pytest.approx(1, abs=0.03)
    # Twins: dissipation without 1/m, and a missing ½ in the interaction, leave a defect that no step removes.
    for wrong in (len(START), 0.5):
        stuck = defect(functional, 0.005, wrong)
        assert stuck > 10 * fine
        assert defect(functional, 0.01, wrong) / stuck == pytest.approx(1, abs=0.1)


def test_moments_are_those_of_numpy() -> None:
    mean, covariance = pt.moments(START + 1e6, pt.Partition(chunk=7))
    np.testing.assert_allclose(mean, START.mean(0) + 1e6, rtol=1e-14)
    np.testing.assert_allclose(covariance, np.cov(START.T, bias=True), rtol=1e-7, atol=1e-9)


def test_the_stationarity_gap_bounds_the_excess_and_closes() -> None:
    """½MMD² to a cloud is convex with minimum 0: the gap bounds it, and is 0 at the cloud itself."""
    target = pt.gaussian_cloud(7, 20, 1)
    functional = pt.Functional([pt.Discrepancy(pt.GaussianKernel(), target)])
    grid = torch.linspace(-5, 5, 2001, dtype=torch.float64).unsqueeze(1)
    for cloud in (target * 0.3, target + 1, target[:5]):
        gap = pt.stationarity_gap(functional, cloud, grid)
        assert gap >= functional.value(cloud) > 0
    assert pt.stationarity_gap(functional, target.repeat(2, 1), grid) == pytest.approx(0, abs=1e-14)
    with pytest.raises(pt.ParameterError, match="not known on particles"):
        pt.stationarity_gap(pt.Functional([pt.ridge(1.0)], temperature=1), target, grid)


def test_participation_counts_the_particles_that_matter() -> None:
    assert pt.participation(torch.ones(8)) == pytest.approx(1, rel=1e-14)
    one = torch.zeros(8)
    one[3] = 5
    assert pt.participation(one) == pytest.approx(1 / 8, rel=1e-14)
    assert pt.participation(torch.tensor([1.0, 1, 0, 0])) == pytest.approx(0.5, rel=1e-14)
    silent = START.clone()
    silent[:25, 2] = 0
    found = pt.shares(RISK, silent, pt.Partition(chunk=4))
    expected = (START[:, :2] @ INPUTS.T).tanh().square().mean(1).sqrt() * silent[:, 2].abs()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    with pytest.raises(pt.ParameterError, match="not all 0"):
        pt.participation(torch.zeros(3))


@pytest.mark.parametrize("output", ["free", "tanh", "none"])
@pytest.mark.parametrize("frozen", [None, "input"])
def test_the_kernel_is_the_mean_of_gradient_products(output: str, frozen: str | None) -> None:
    unit = pt.Neuron(
        2,
        "tanh",
        output=output,  # type: ignore[arg-type]
        bias=True,
        scale=1.3,
        bias_scale=0.5,
        frozen=frozen,  # type: ignore[arg-type]
    )
    cloud = pt.gaussian_cloud(3, 12, unit.coordinates)
    gradients = torch.stack([unit.pull(unit.prepare(INPUTS), e)(cloud) for e in torch.eye(9, dtype=torch.float64)])
    expected = torch.einsum("ikp,jkp->ij", gradients, gradients) / 12
    found = pt.kernel(unit, INPUTS, cloud, pt.Partition(chunk=5, threads=2))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_quadratic_memory_is_predicted() -> None:
    unit, wide = pt.Neuron(1), torch.zeros(20_000, 1)
    with pytest.raises(pt.MemoryNeedError, match=r"\b9156 MiB.*fewer inputs"):
        pt.kernel(unit, wide, torch.zeros(3, 2))
    assert pt.kernel_bytes(20_000) == 24 * 400_000_000
    with pytest.raises(pt.ShapeError, match="equally many"):
        pt.energy_defect([0.0], [1.0], [1.0])
