"""Explicit Runge–Kutta methods for θ̇ = −∇δF/δμ, as tables (Hairer, Nørsett & Wanner, Solving ODEs I, II.1 and II.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Tableau:
    """An autonomous explicit method.

    Attributes
    ----------
    stages : tuple of tuples
        Row i: the coefficients of the earlier slopes in the point of slope i + 1.
    weights : tuple
        Of the slopes in the step.
    error : tuple
        Weights minus those of the embedded method; empty where there is none.
    order : int
        Global order of the step; the embedded method has one less.
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    order: int
    error: tuple[float, ...] = ()

    def slopes(self, velocity: Callable[[Tensor], Tensor], start: Tensor, step: float, first: Tensor) -> list[Tensor]:
        """All slopes of one step; ``first`` is the velocity at the start. Each has the size of the cloud."""
        found = [first]
        for row in self.stages:
            found.append(velocity(combined(start, step, row, found)))
        return found


def combined(start: Tensor, step: float, coefficients: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    """``start + step Σ coefficients · slopes``."""
    point = start.clone()
    for coefficient, slope in zip(coefficients, slopes, strict=True):
        if coefficient:
            point.add_(slope, alpha=step * coefficient)
    return point


HEUN = Tableau(stages=((1.0,),), weights=(0.5, 0.5), order=2)
RK4 = Tableau(stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6), order=4)
# Dormand & Prince, J. Comput. Appl. Math. 6, 19 (1980). The last slope is the first of the next step.
DORMAND_PRINCE = Tableau(
    stages=(
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
    order=5,
    error=(71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)
