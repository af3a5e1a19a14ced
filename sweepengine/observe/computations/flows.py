"""Identities of Wasserstein gradient flows, by steps of Euler; the width is the number of steps to T = 1.

Imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.observe._case import Case, cases, widths
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.observe.cloud_costs import TEST_FUNCTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles import Functional, Partition, Term
    from sweepengine.particles._terms import Field

    Floats = NDArray[np.float64]

TEMPERATURE: Final = 0.5
_VARIANCE: Final = 3.0
_COLD, _WARM = 64, 8000
"""Numbers of particles without noise, and with noise."""
WITH_ORDER: Final = ("sum", "square", "sine", "bump")
"""Test functions with a defect; along the coordinate ``last``, the output weight, F is quadratic."""
_RECORDS: Final = 4
"""Number of times at which the continuity equation is tested."""


def _functional() -> Functional:
    """A risk, a repulsion of pairs and weight decay."""
    from sweepengine import particles as pt

    inputs = pt.gaussian_cloud(0, 16, 2)
    risk = pt.Risk(pt.Neuron(2, "tanh"), inputs, inputs[:, 0].sign() * 2)
    return pt.Functional([risk, pt.Interaction(pt.GaussianKernel()), pt.ridge(0.5)])


def _start(now: Case) -> Tensor:
    """The same cloud for each number of steps."""
    from sweepengine import particles as pt

    return pt.gaussian_cloud(now.seed, _COLD, 3) + 0.5


def energy_order(now: Case, _: Case) -> float:
    """Order in dt of |F(μ_T) − F(μ_0) + ∫∫‖∇δF/δμ‖² dμ dt| at τ = 0; the twin halves the integral."""
    factor = 0.5 if now.name == "twin" else 1.0
    coarse, fine = (_undissipated(_start(now), steps, factor) for steps in (now.width, 2 * now.width))
    return math.log2(coarse / fine)


def _undissipated(cloud: Tensor, steps: int, factor: float) -> float:
    from sweepengine import particles as pt

    functional, size = _functional(), 1 / steps
    times, values, lost = list[float](), list[float](), list[float]()

    def observe(_step: int, time: float, cloud: Tensor) -> None:
        times.append(time)
        values.append(functional.value(cloud))
        lost.append(factor * pt.dissipation(functional, cloud))

    pt.flow(functional, cloud, step_size=size, steps=steps, observe=observe).final()
    return abs(math.fsum(pt.energy_defect(times, values, lost))) * size


def entropy_balance(now: Case, _: Case) -> float:
    """(F(v_T) − F(v_0) + ∫(v − τ)²/v dt) / (F(v_0) − F(v_T)), v the variance of noisy particles in V = θ²/2.

    Of a Gaussian F(v) = v/2 − τ log(v)/2 up to a constant. The twin leaves out the entropy, also of the rate.
    """
    from sweepengine import particles as pt

    tau, size = (0.0 if now.name == "twin" else TEMPERATURE), 1 / now.width
    warm, variances = pt.Functional([pt.quadratic()], TEMPERATURE), list[float]()
    start = math.sqrt(_VARIANCE) * pt.gaussian_cloud(now.seed, _WARM, 1)

    def observe(_step: int, _time: float, cloud: Tensor) -> None:
        variances.append(float(cloud.square().mean()))

    pt.flow(
        warm, start, step_size=size, steps=now.width, method="euler_maruyama", seed=now.seed, observe=observe
    ).final()
    v = np.array(variances)
    value, lost = v / 2 - tau * np.log(v) / 2, (v - tau) ** 2 / v
    return float((value[-1] - value[0] + np.trapezoid(lost, dx=size)) / (value[0] - value[-1]))


@dataclass(frozen=True)
class _Slowed:
    """A term whose particles move at half of −∇δF/δμ."""

    term: Term

    def value(self, particles: Tensor, partition: Partition) -> float:
        return self.term.value(particles, partition)

    def field(self, particles: Tensor, partition: Partition) -> _Slowed._Field:
        return self._Field(self.term.field(particles, partition))

    @dataclass(frozen=True)
    class _Field:
        inner: Field

        def first_variation(self, points: Tensor) -> Tensor:
            return self.inner.first_variation(points)

        def velocity(self, points: Tensor) -> Tensor:
            return self.inner.velocity(points) / 2


def weak_defect(now: Case, _: Case) -> Floats:
    """Largest |d/dt ∫χ dμ + ∫⟨∇χ, ∇δF/δμ⟩ dμ| of steps along a flow at τ = 0, for each test function χ."""
    return _defects(now, now.width)


def weak_order(now: Case, _: Case) -> Floats:
    """Order in dt of the same defect, for each test function of which it is not 0."""
    kept = [TEST_FUNCTIONS.index(name) for name in WITH_ORDER]
    return np.log2(_defects(now, now.width)[kept] / _defects(now, 2 * now.width)[kept])


def _defects(now: Case, steps: int) -> Floats:
    from sweepengine import particles as pt

    functional, size = _functional(), 1 / steps
    tested = pt.Functional([_Slowed(term) for term in functional.terms]) if now.name == "twin" else functional
    tests, defects = {name: pt.TEST_FUNCTIONS[name] for name in TEST_FUNCTIONS}, list[list[float]]()

    def observe(step: int, _time: float, cloud: Tensor) -> None:
        if step % (steps // _RECORDS) == 0:
            defects.append(pt.weak_form_defects(tested, tests, cloud, step, size))

    pt.flow(functional, _start(now), step_size=size, steps=steps, observe=observe).final()
    return np.asarray(np.abs(defects).max(0))


def noisy_weak_defect(now: Case, _: Case) -> Floats:
    """(d/dt ∫χ dμ + ∫⟨∇χ, ∇V⟩ dμ)/τ − ∫Δχ dμ of a noisy step in V = |θ|²/2; the twin leaves out ∫Δχ dμ."""
    from sweepengine import particles as pt

    cold, warm = (pt.Functional([pt.quadratic()], tau) for tau in (0.0, TEMPERATURE))
    cloud = pt.gaussian_cloud(now.seed, _WARM, 3) + 0.5
    tests = {name: pt.TEST_FUNCTIONS[name] for name in TEST_FUNCTIONS}
    defects = np.array(pt.weak_form_defects(warm, tests, cloud, 0, 1 / now.width, pt.Noise(now.seed)))
    if now.name == "twin":
        defects += [
            pt.weak_form(warm, chi, cloud).drift - pt.weak_form(cold, chi, cloud).drift for chi in tests.values()
        ]
    return defects / TEMPERATURE


OBSERVABLES = (
    observable(
        "energy_order", (),
        "order in dt of |F(T) - F(0) + integral of |grad dF/dmu|^2 dmu dt|, from two step sizes, of 64 particles "
        "without noise; case twin: with half of the integral",
        "Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
        kind="computation", measure=energy_order, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: 1.17e-3 * run.width),),
    ),
    observable(
        "entropy_balance", (),
        "(F(T) - F(0) + integral of (v - tau)^2/v dt) over F(0) - F(T), F = v/2 - tau log(v)/2, v the variance of 8000 "
        "noisy particles in V = theta^2/2, tau = 1/2; case twin: F and rate without entropy",
        "Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
        kind="computation", measure=entropy_balance, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: 7.7e-4 * run.width),),
    ),
    observable(
        "weak_defect", ("test_function",),
        "largest over the flow of |d/dt int chi dmu + int <grad chi, grad dF/dmu> dmu|, of 64 particles without noise; "
        "case twin: of steps with half of the velocity",
        "Jordan et al. 1998; Wide-network notes, §4.4 (*)",
        kind="computation", measure=weak_defect, defined_for=(cases("claim", "twin"), widths(_RECORDS, _RECORDS)),
        sizes={"test_function": TEST_FUNCTIONS}, cost=(Ingredient(seconds=lambda run: 1.2e-2 + 1.5e-4 * run.width),),
    ),
    observable(
        "weak_order", ("function_with_order",),
        "order in dt of weak_defect, from two step sizes, of the test functions of which it is not 0",
        "Jordan et al. 1998; Wide-network notes, §4.4 (*)",
        kind="computation", measure=weak_order, defined_for=(cases("claim", "twin"), widths(_RECORDS, _RECORDS)),
        sizes={"function_with_order": WITH_ORDER}, cost=(Ingredient(seconds=lambda run: 2.4e-2 + 4.6e-4 * run.width),),
    ),
    observable(
        "noisy_weak_defect", ("test_function",),
        "(d/dt int chi dmu + int <grad chi, grad V> dmu)/tau - int Laplace chi dmu, of a step of 8000 noisy particles "
        "in V = |theta|^2/2, tau = 1/2; case twin: without the last integral",
        "Jordan et al. 1998; Wide-network notes, §4.4 (*)",
        kind="computation", measure=noisy_weak_defect, defined_for=(cases("claim", "twin"),),
        sizes={"test_function": TEST_FUNCTIONS},
        cost=(Ingredient(seconds=lambda run: 1.4e-2 if run.case == "claim" else 2.1e-2),),
    ),
)  # fmt: skip
