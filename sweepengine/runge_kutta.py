"""Explicit Runge–Kutta methods as tables, and the control of adaptive steps, for networks and for particles.

Hairer et al. 1993, II.1, II.4 and II.5. Imports nothing at run time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SAFETY, LEAST, MOST = 0.9, 0.2, 5.0
_TINY = 1e-10


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge–Kutta method for an autonomous equation ẏ = v(y).

    Attributes
    ----------
    stages : tuple of tuples
        Row i: coefficients of the slopes 0 … i in the point at which slope i + 1 is taken.
    weights : tuple
        Coefficients of the slopes in the step.
    order : int
        Global order of the step; the order of the embedded method is one less.
    error : tuple
        Weights minus the weights of the embedded method; empty if there is no embedded method.
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    order: int
    error: tuple[float, ...] = ()

    def slopes(self, velocity: Callable[[Tensor], Tensor], start: Tensor, step: float, first: Tensor) -> list[Tensor]:
        """All slopes of one step, of the shape of ``start``; ``first`` is the velocity at the start."""
        slopes = [first]
        for row in self.stages:
            slopes.append(velocity(combined(start, step, row, slopes)))
        return slopes

    def stability(self, z: Tensor) -> Tensor:
        """R(z), the factor by which one step multiplies y for ẏ = λy, with z = step · λ (any shape).

        R(z) equals e^z up to the method's order.
        """
        slopes = [1 + 0 * z]
        for row in self.stages:
            slopes.append(1 + z * _weighted(row, slopes))
        return 1 + z * _weighted(self.weights, slopes)


def _weighted(coefficients: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    return sum((c * slope for c, slope in zip(coefficients, slopes, strict=True) if c), start=0 * slopes[0])


def combined(start: Tensor, step: float, coefficients: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    """``start + step Σ coefficients · slopes``."""
    point = start.clone()
    for coefficient, slope in zip(coefficients, slopes, strict=True):
        if coefficient:
            point.add_(slope, alpha=step * coefficient)
    return point


EULER = Tableau(stages=(), weights=(1.0,), order=1)
HEUN = Tableau(stages=((1.0,),), weights=(0.5, 0.5), order=2)
RK4 = Tableau(stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6), order=4)
# Dormand & Prince 1980. The last slope of a step is the first slope of the next step.
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


@dataclass
class Control:
    """Control of the sizes of the adaptive steps of :data:`DORMAND_PRINCE`, with counts of their outcomes.

    A try is a step that is accepted or rejected by its error. After an accepted try a proportional–integral control
    sets the next size (Gustafsson 1991; Hairer et al. 1993, II.4, α = 0.7/p, β = 0.4/p). After a rejected try the size
    is cut by its error alone, to a fifth at the least, and the next step does not grow. Where the velocity jumps
    (relu's kinks), the method has no order and the error falls only as fast as the size, so the control might cut the
    size without end. Therefore a try of at most the size ``floor`` is accepted whatever its error, and counted as
    forced.

    Attributes
    ----------
    size : float
        Size of the next try, unless the try is cut to land on an instant.
    floor : float
        Size at and below which every try is accepted; with 0 no try is forced.
    accepted, rejected, forced : int
        Number of accepted tries, of rejected tries, and of those accepted only because of the floor.
    smallest : float
        Smallest accepted step; infinite before the first.
    last_error : float
        Error norm of the last step whose error was tolerated: the memory of the control.
    just_rejected : bool
        Whether the last try was rejected.
    """

    size: float
    floor: float = 0.0
    accepted: int = 0
    rejected: int = 0
    forced: int = 0
    smallest: float = math.inf
    last_error: float = 1.0
    just_rejected: bool = False

    def next_size(self, remaining: float) -> float:
        """Size of the next try towards an instant that is ``remaining`` away; it leaves no tiny step before it."""
        if self.size >= remaining:
            return remaining
        return min(self.size, remaining / 2)

    def accepts(self, norm: float, size: float) -> bool:
        """Whether a try of this size and error norm is accepted; sets the size of the next try.

        Parameters
        ----------
        norm : float
            Error of the try divided by the tolerance. It is tolerated if it is at most 1; NaN is not.
        size : float
            Size of the try, as :meth:`next_size` gave it.

        Returns
        -------
        bool
        """
        within = norm <= 1
        stands = within or size <= self.floor
        if within:
            error = max(norm, _TINY)
            factor = SAFETY * error ** (-0.7 / DORMAND_PRINCE.order) * self.last_error ** (0.4 / DORMAND_PRINCE.order)
            factor = min(max(factor, LEAST), 1.0 if self.just_rejected else MOST)
            # A try that was cut to land on an instant is no reason to make the next one shorter.
            self.size = max(size * factor, self.size if size < self.size else 0.0)
            self.last_error = error
        elif not stands:
            factor = SAFETY * norm ** (-1 / DORMAND_PRINCE.order) if math.isfinite(norm) else LEAST
            self.size = size * max(factor, LEAST)
        self.size = max(self.size, self.floor)
        self.accepted += stands
        self.forced += stands and not within
        self.rejected += not stands
        self.just_rejected = not stands
        if stands:
            self.smallest = min(self.smallest, size)
        return stands
