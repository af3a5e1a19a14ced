"""Progress and error of the continuity argument, as an ODE (theory.md §4.9). Imports no torch."""

from __future__ import annotations

from typing import Final

import numpy as np

from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.runge_kutta import RK4, combined

_WAVES: Final = 3
"""Waves of log A over the time from 0 to 1."""


def continuity_defect(now: Case, _: Case) -> float:
    """sup_t |X^K Y/(X_0^K Y_0) − 1| along Ẋ = −A_t X, Ẏ = K A_t Y, by RK4 with `width` equal steps from t = 0 to 1.

    K is uniform on (1/2, 2) and log A_t a random trigonometric polynomial; the twin tests the power K/2.
    """
    import torch

    generator, step = now.generator(), 1.0 / now.width
    k = float(generator.uniform(0.5, 2.0))
    height, phase = (torch.from_numpy(generator.uniform(0, size, _WAVES)) for size in (1.0, 2 * np.pi))
    waves = 2 * np.pi * torch.arange(1, _WAVES + 1)
    power = k if now.name == "claim" else k / 2

    def velocity(state: torch.Tensor) -> torch.Tensor:
        x, y, time = state
        a = (height * torch.sin(waves * time + phase)).sum().exp()
        return torch.stack([-a * x, k * a * y, torch.ones_like(time)])

    state, worst = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64), 0.0
    for _step in range(now.width):
        slopes = RK4.slopes(velocity, state, step, velocity(state))
        state = combined(state, step, RK4.weights, slopes)
        worst = max(worst, abs(float(state[0] ** power * state[1]) - 1))
    return worst


OBSERVABLES = (
    observable(
        "continuity_defect", (),
        "sup over t of |X^K Y/(X_0^K Y_0) - 1| along dX/dt = -A X, dY/dt = K A Y, A > 0 random; case twin: K/2",
        "Wide-network notes, §3.11",
        kind="computation", measure=continuity_defect, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: 8.5e-5 * run.width),),
    ),
)  # fmt: skip
