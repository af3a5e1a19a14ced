"""The continuity equation in weak form, tested by functions χ at one time or over one step (theory.md §5.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sweepengine.particles._errors import ParameterError
from sweepengine.particles._partition import Partition
from sweepengine.particles._steps import only_moving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sweepengine.particles._noise import Noise
    from sweepengine.particles._terms import Functional

    TestFunction = Callable[[Tensor], Tensor]


TEST_FUNCTIONS: dict[str, TestFunction] = {
    "sum": lambda x: x.sum(1) / math.sqrt(x.shape[1]),
    "last": lambda x: x[:, -1],
    "square": lambda x: x.square().sum(1) / 2,
    "sine": lambda x: (x.sum(1) / math.sqrt(x.shape[1])).sin(),
    "bump": lambda x: (x.square().sum(1) / (-2 * x.shape[1])).exp(),
}
"""Test functions χ by name: Σ_c θ_c/√p; the last coordinate, which is the output weight where there is one; |θ|²/2;
sin(Σ_c θ_c/√p); exp(−|θ|²/(2p)). Some grow and some are bounded, some are even and some odd."""


@dataclass(frozen=True)
class WeakForm:
    """The two numbers that the continuity equation relates, for one test function χ at one time.

    Attributes
    ----------
    average : float
        ∫χ dμ.
    drift : float
        −∫⟨∇χ, ∇δF₀/δμ⟩ dμ + τ∫Δχ dμ over moving coordinates. By the continuity equation this is d/dt ∫χ dμ; at τ > 0 in
        expectation.
    """

    average: float
    drift: float


def weak_form(
    functional: Functional, test: TestFunction, particles: Tensor, partition: Partition | None = None
) -> WeakForm:
    """The continuity equation in weak form at the particles (m, p) (theory.md §5.4).

    Parameters
    ----------
    functional : Functional
    test : callable
        χ from points (n, p) to (n,), which torch must be able to differentiate, at τ > 0 twice. χ is not the neuron ψ.
    particles : Tensor, shape (m, p)
    partition : Partition or None

    Returns
    -------
    WeakForm
        The defect over an interval is (average' − average)/dt − drift.
    """
    partition = partition or Partition()
    field = functional.field(particles, partition)

    def part(chunk: slice) -> Tensor:
        here = particles[chunk]
        values, gradient, laplacian = _derivatives(functional, test, here, warm=functional.temperature > 0)
        drift = (gradient * field.velocity(here)).sum() + functional.temperature * laplacian
        return torch.stack([values.sum(), drift])

    average, drift = partition.mean(len(particles), part).tolist()
    return WeakForm(average, drift)


def weak_form_defects(
    functional: Functional,
    tests: Mapping[str, TestFunction],
    particles: Tensor,
    step: int,
    size: float,
    noise: Noise | None = None,
    partition: Partition | None = None,
) -> list[float]:
    """The defect of the continuity equation in one step of Euler, for each test function (theory.md §5.4).

    The defect is (∫χ dμ' − ∫χ dμ)/dt + ∫⟨∇χ, ∇δF₀/δμ⟩ dμ − τ∫Δχ dμ, with μ' the measure after one step from the
    particles, without projection. The middle term is a central difference of step dt: the change of F₀ when the
    particles move along ±∇χ. It comes from F₀ alone, so a wrong velocity leaves a defect that no small step removes.

    Parameters
    ----------
    functional : Functional
    tests : mapping
        Name → χ as for :func:`weak_form`.
    particles : Tensor, shape (m, p)
    step : int
        Number of the step, which selects the noise.
    size : float
        dt.
    noise : Noise or None
        Needed at τ > 0, where the step is that of Euler–Maruyama. The part of the change that is linear in the noise
        has expectation 0 and is left out, so that the defect fluctuates by O(τ √(p/m)).
    partition : Partition or None

    Returns
    -------
    list of float
        The defect of each test function. It is O(dt); at τ > 0 in expectation.

    Raises
    ------
    ParameterError
        There is a temperature and no noise.
    """
    partition = partition or Partition()
    field, tau, functions = functional.field(particles, partition), functional.temperature, list(tests.values())
    if tau and noise is None:
        raise ParameterError(f"found temperature {tau} and no noise; give that of the flow, Noise(seed)")
    amplitude = math.sqrt(2 * tau * size)

    def part(chunk: slice) -> Tensor:
        here = particles[chunk]
        kick = torch.zeros_like(here)
        if tau and noise is not None:
            kick = only_moving(functional, noise.draw(step, chunk, here)) * amplitude
        after = here + size * field.velocity(here) + kick
        sums = []
        for test in functions:
            values, gradient, laplacian = _derivatives(functional, test, here, warm=tau > 0)
            # The difference is taken particle by particle: a difference of sums would lose the digits they share.
            change = ((test(after) - values).double() - (gradient * kick).sum(1)).sum() / size
            sums.append(change - tau * laplacian)
        return torch.stack(sums)

    changes = partition.mean(len(particles), part).tolist()
    return [
        change + _along(functional, test, particles, size, partition)
        for change, test in zip(changes, functions, strict=True)
    ]


def _along(functional: Functional, test: TestFunction, particles: Tensor, size: float, partition: Partition) -> float:
    """∫⟨∇χ, ∇δF₀/δμ⟩ dμ over moving coordinates, by a central difference of F₀ along ∇χ."""

    def moved(by: float) -> float:
        there = torch.empty_like(particles)

        def work(chunk: slice) -> None:
            here = particles[chunk]
            there[chunk] = here + by * only_moving(functional, _derivatives(functional, test, here, warm=False)[1])

        partition.each(len(particles), work)
        return functional.value(there, partition)

    return (moved(size) - moved(-size)) / (2 * size)


def _derivatives(
    functional: Functional, test: TestFunction, here: Tensor, *, warm: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """χ (n,), ∇χ (n, p), and Δχ over moving coordinates, summed over the points; 0 in its place unless warm."""
    with torch.enable_grad():
        at = here.detach().requires_grad_()
        values = test(at)
        (gradient,) = torch.autograd.grad(values.sum(), at, create_graph=warm)
        laplacian = _divergence(only_moving(functional, gradient), at) if warm else values.new_zeros(())
    return values.detach(), gradient.detach(), laplacian


def _divergence(gradient: Tensor, at: Tensor) -> Tensor:
    total = gradient.new_zeros(())
    for coordinate in range(at.shape[1]):
        column = gradient[:, coordinate].sum()
        if column.requires_grad:  # where χ is linear in a coordinate, autograd has no graph
            (second,) = torch.autograd.grad(column, at, retain_graph=True)
            total = total + second[:, coordinate].sum()
    return total.detach()
