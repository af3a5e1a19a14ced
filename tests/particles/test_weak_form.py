"""The continuity equation against test functions: over recorded flows, and over one step from anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

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


def chi(x: torch.Tensor) -> torch.Tensor:
    return (x[:, 0] * 0.7 + x[:, 1]).sin() + x[:, 2] ** 3 / 5


def test_the_continuity_equation_holds_weakly() -> None:
    functional = FUNCTIONALS["risk"]

    def largest(step: float) -> float:
        forms = list[pt.WeakForm]()
        pt.flow(
            functional,
            START,
            step_size=step,
            steps=round(0.4 / step),
            observe=lambda _step, _time, cloud: forms.append(pt.weak_form(functional, chi, cloud)),
        )
        pairs = pairwise(forms)
        return max(abs((after.average - before.average) / step - before.drift) for before, after in pairs)

    coarse, middle, fine = (largest(step) for step in (0.02, 0.01, 0.005))
    assert 2 * math.log2(middle / fine) - math.log2(coarse / middle) == pytest.approx(1, abs=0.03)


def test_the_weak_form_has_its_laplacian() -> None:
    """E[χ(θ + v dt + √(2τ dt) ξ)] for χ = |θ|²: the mean of one Euler–Maruyama step, in closed form and by noise."""
    tau, step, cloud = 0.4, 1e-3, START.repeat(1000, 1)
    functional = pt.Functional([pt.quadratic()], temperature=tau)

    def square(x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1)

    form = pt.weak_form(functional, square, cloud)
    assert form.drift == pytest.approx(-2 * form.average + 2 * tau * 3, rel=1e-12)
    after = pt.flow(functional, cloud, step_size=step, steps=1, method="euler_maruyama", seed=1).final()
    change = (square(after) - square(cloud)) / step
    bar = 4 * float(change.std()) / math.sqrt(len(cloud)) + 2 * step * form.average
    assert abs(float(change.mean()) - form.drift) < bar
    cold = pt.weak_form(pt.Functional([pt.quadratic()]), square, cloud)
    assert abs(float(change.mean()) - cold.drift) > bar  # twin: without τ∫Δχ
    linear = pt.weak_form(functional, lambda x: x[:, 0], cloud)
    assert linear.drift == pytest.approx(-linear.average, abs=1e-14)


def defects(functional: pt.Functional, size: float, noise: pt.Noise | None = None, step: int = 0) -> list[float]:
    cloud = START if noise is None else pt.gaussian_cloud(1, 20_000, 3)
    return pt.weak_form_defects(functional, pt.TEST_FUNCTIONS, cloud, step, size, noise, pt.Partition(chunk=1024))


@dataclass(frozen=True)
class WrongVelocity:
    """A term whose particles are driven by a multiple of −∇δF/δμ."""

    term: pt.Term
    factor: float

    def value(self, particles: torch.Tensor, partition: pt.Partition) -> float:
        return self.term.value(particles, partition)

    def field(self, particles: torch.Tensor, partition: pt.Partition) -> WrongVelocity._Field:
        return self._Field(self.term.field(particles, partition), self.factor)

    @dataclass(frozen=True)
    class _Field:
        inner: Any  # a field of the term
        factor: float

        def first_variation(self, points: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = self.inner.first_variation(points)
            return values

        def velocity(self, points: torch.Tensor) -> torch.Tensor:
            velocity: torch.Tensor = self.inner.velocity(points)
            return self.factor * velocity


@pytest.mark.parametrize("functional", FUNCTIONALS.values(), ids=FUNCTIONALS)
def test_the_defect_of_one_step_is_of_first_order(functional: pt.Functional) -> None:
    coarse, middle, fine = (np.array(defects(functional, size)) for size in (0.004, 0.002, 0.001))
    # χ linear leaves no error of the step, and the central difference of F₀ is of second order.
    linear = np.array([name in {"sum", "last"} for name in pt.TEST_FUNCTIONS])
    np.testing.assert_allclose(middle[linear], fine[linear] * 4, rtol=0.05, atol=1e-10)
    orders = 2 * np.log2(np.abs(middle / fine)) - np.log2(np.abs(coarse / middle))
    np.testing.assert_allclose(orders[~linear], 1, atol=0.03)
    # Twins: no 1/m, the wrong sign, and a missing ½ leave a defect that no step removes.
    for factor in (len(START), -1.0, 0.5):
        wrong = pt.Functional([WrongVelocity(term, factor) for term in functional.terms])
        stuck = np.array(defects(wrong, 1e-6))
        drift = [pt.weak_form(functional, test, START).drift for test in pt.TEST_FUNCTIONS.values()]
        np.testing.assert_allclose(stuck, (factor - 1) * np.array(drift), rtol=1e-2, atol=1e-6)
        assert np.abs(stuck).max() > 10 * np.abs(fine).max()


def test_the_defect_in_closed_form() -> None:
    """V = |θ|²/2 and χ = |θ|²/2: the step multiplies ∫χ by (1 − dt)², so the defect is dt ∫χ exactly."""
    size = 0.1
    found = dict(zip(pt.TEST_FUNCTIONS, defects(pt.Functional([pt.quadratic()]), size), strict=True))
    half = float(START.square().sum(1).mean()) / 2
    assert found["square"] == pytest.approx(size * half, rel=1e-12)
    assert found["sum"] == pytest.approx(0, abs=1e-13)


def test_the_drift_is_a_gradient_taken_by_autograd() -> None:
    """∫⟨∇χ, ∇δF₀/δμ⟩ dμ with ∇ of the first variation by torch, at a step so small that only it is left."""
    functional = pt.Functional([RISK, pt.double_well(0.3)])
    at = START.clone().requires_grad_()
    (descent,) = torch.autograd.grad(functional.field(START).first_variation(at).sum(), at)
    for test in pt.TEST_FUNCTIONS.values():
        point = START.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(test(point).sum(), point)
        expected = -float((gradient * descent).sum(1).mean())
        assert pt.weak_form(functional, test, START).drift == pytest.approx(expected, rel=1e-10, abs=1e-13)


def test_noise_of_another_scale_is_seen() -> None:
    """τ = 0.3, dt = 1e-3: the defect is 0 up to dt and τ √(p/m), and τ∫Δχ or half of it where the scale is wrong."""
    tau, size = 0.3, 1e-3
    functional = pt.Functional([pt.quadratic()], temperature=tau)
    laplacians = np.array([0.0, 0.0, 3.0, np.nan, np.nan])
    cloud = pt.gaussian_cloud(1, 20_000, 3)
    laplacians[3] = -float((cloud.sum(1) / math.sqrt(3)).sin().mean())
    squares = cloud.square().sum(1)
    laplacians[4] = float(((squares / 9 - 1) * (squares / -6).exp()).mean())
    bar = 4 * tau * math.sqrt(2 * 3 / len(cloud)) + 5 * size
    assert np.abs(defects(functional, size, pt.Noise(5))).max() < bar
    with pytest.raises(pt.ParameterError, match=r"found temperature 0\.3 and no noise"):
        defects(functional, size)
    other = np.array(defects(functional, size, pt.Noise(5), step=1))
    assert np.abs(other).max() < bar
    assert not np.array_equal(other, defects(functional, size, pt.Noise(5)))  # each step has its own noise

    class Quiet(pt.Noise):
        def draw(self, step: int, chunk: slice, like: torch.Tensor) -> torch.Tensor:
            return super().draw(step, chunk, like) / math.sqrt(2)

    np.testing.assert_allclose(defects(functional, size, Quiet(5)), -tau / 2 * laplacians, atol=bar)
    assert tau / 2 * 3 > 5 * bar


def test_frozen_coordinates_take_no_part() -> None:
    """Neither the noise nor a term moves a frozen coordinate, so the Laplacian is over the others alone."""
    moving = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    warm = replace(pt.Functional([pt.quadratic()], temperature=0.4), moving=moving)
    cloud = START.repeat(200, 1)
    form = pt.weak_form(warm, pt.TEST_FUNCTIONS["square"], cloud)
    assert form.drift == pytest.approx(-float((cloud.square() * moving).sum(1).mean()) + 2 * 0.4, rel=1e-12)
    found = pt.weak_form_defects(warm, pt.TEST_FUNCTIONS, cloud, 0, 1e-4, pt.Noise(1))
    assert found[1] == pytest.approx(0, abs=1e-13)  # χ is the frozen coordinate
    assert np.abs(found).max() < 4 * 0.4 * math.sqrt(2 * 2 / len(cloud)) + 5e-4
