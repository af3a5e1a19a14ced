"""Distances between empirical measures of m particles after a mean-field flow. Imports no torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine import transport
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]
    Flow = Callable[[Tensor], Tensor]

_PAIRS: Final = 16
"""Pairs of clouds over which a run averages distances."""
_MANY: Final = 200
"""Pairs for a difference of distances that are nearly equal."""
_WIDER: Final = 16
"""Ratio of the two numbers of particles between which sliced distances are compared."""
_DIRECTIONS: Final = 16
_STEP, _STEPS = 0.2, 5
SLICES: Final = ("random", "a")
DIMENSIONS: Final = {"claim": 3, "four": 4}
"""Case → number of coordinates of a particle whose distances are exact."""


def _flow(coordinates: int, *, frozen: bool = False) -> Flow:
    """Particles (w, a) of a tanh unit that learn a smooth function of 32 inputs until t = 1."""
    from sweepengine import particles as pt

    inputs = pt.gaussian_cloud(0, 32, coordinates - 1)
    unit = pt.Neuron(coordinates - 1, "tanh")
    moving = inputs.new_tensor([1.0] * (coordinates - 1) + [0.0]) if frozen else None
    functional = pt.Functional([pt.Risk(unit, inputs, (1.5 * inputs[:, 0]).tanh())], moving=moving)
    return lambda cloud: pt.flow(functional, cloud, step_size=_STEP, steps=_STEPS).final()


def sliced_power(now: Case, _: Case) -> Floats:
    """Power of 1/m of W₂ of each slice between independent clouds of m and of 16m, Gaussian at t = 0.

    Without its logarithm: over W₂ between samples of N(0, 1), which has the same. In case signs the output weights are
    ±1.
    """
    import torch

    from sweepengine.particles import wasserstein

    signs, generator = now.name == "signs", now.generator()
    flow = _flow(3, frozen=signs)

    def cloud(count: int) -> Tensor:
        points = generator.standard_normal((count, 3))
        if signs:
            points[:, -1] = np.sign(points[:, -1])
        return flow(torch.from_numpy(points))

    def distances(count: int) -> Floats:
        squares = []
        for _pair in range(_PAIRS):
            x, y = cloud(count), cloud(count)
            along = wasserstein(x[:, -1:], y[:, -1:], method="sorted")
            squares.append([wasserstein(x, y, method="sliced", directions=_DIRECTIONS).value ** 2, along.value**2])
        return np.asarray(np.sqrt(np.mean(squares, 0) / (1.0 if signs else _normal_square(count))))

    return np.log(distances(now.width) / distances(_WIDER * now.width)) / math.log(_WIDER) + (0.0 if signs else 0.5)


def _normal_square(count: int) -> float:
    """E W₂² between two samples of N(0, 1): 2/m Σ_k Var X_(k), from the means of the order statistics X_(k)."""
    from scipy import stats

    x = np.linspace(-9, 9, 4001)
    weights, below = count * x * stats.norm.pdf(x) * (x[1] - x[0]), stats.norm.cdf(x)[:, None]
    squares = 0.0
    for first in range(0, count, 256):  # 4001 numbers for each order statistic
        means = weights @ stats.binom.pmf(np.arange(first, min(first + 256, count)), count - 1, below)
        squares += float(means @ means)
    return 2 * (1 - squares / count)


def exact_power(now: Case, _: Case) -> float:
    """Power of 1/m of W₂ between independent clouds of m and of 4m, exact, which began with a tent-shaped density."""
    import torch

    from sweepengine.particles import wasserstein

    p, generator = DIMENSIONS[now.name], now.generator()
    flow = _flow(p)

    def cloud(count: int) -> Tensor:
        return flow(torch.from_numpy(generator.uniform(-1, 1, (2, count, p)).sum(0)))

    def distance(count: int) -> float:
        return float(np.mean([wasserstein(cloud(count), cloud(count), method="exact").value for _ in range(_PAIRS)]))

    return math.log(distance(now.width) / distance(4 * now.width), 4)


def logarithm(now: Case, _: Case) -> float:
    """Growth of m W₂² with log m, from m to 4m, over |Ω|/2π, between uniform samples of the square Ω = [−1, 1]².

    The limit is 1: Ambrosio et al. 2019. The twin's cube has m^1/3.
    """
    generator, p = now.generator(), 3 if now.name == "twin" else 2

    def grown(count: int) -> float:
        pairs = (generator.uniform(-1, 1, (2, count, p)) for _ in range(_MANY))
        return count * float(np.mean([transport.assignment(x, y)[0] ** 2 for x, y in pairs]))

    return (grown(4 * now.width) - grown(now.width)) / math.log(4) / (4 / (2 * math.pi))


def nested_ratio(now: Case, _: Case) -> float:
    """Sliced W₂² from a cloud of m to the one of M = 2m over that to M = 4m, each over 1/m − 1/M.

    The larger clouds begin with the particles of the smaller ones; those of the twin are independent.
    """
    import torch

    from sweepengine.particles import wasserstein

    generator, flow, m = now.generator(), _flow(3), now.width
    squares = np.zeros(2)
    for _pair in range(_PAIRS):
        points = torch.from_numpy(generator.uniform(-1, 1, (5 * m, 3)))
        small = flow(points[:m])
        for k, multiple in enumerate((2, 4)):
            first = m if now.name == "twin" else 0
            large = flow(points[first : first + multiple * m])
            square = wasserstein(small, large, method="sliced", directions=_DIRECTIONS).value ** 2
            squares[k] += square / (1 - 1 / multiple)
    return float(squares[0] / squares[1])


def _sliced_seconds(run: ComputationRun) -> float:
    clouds = 3.8e-2 + 3.9e-4 * run.width
    return float(clouds + (0.0 if run.case == "signs" else 5.5e-3 * run.width))  # the order statistics of 17 m points


def _assignment_seconds(count: int) -> float:
    """Seconds of one assignment between unrelated clouds of some hundred points."""
    return float(2.2e-9 * count**2.5)


OBSERVABLES = (
    observable(
        "sliced_power", ("slice",),
        "power of 1/m of W2 between independent clouds of m and of 16m particles, Gaussian at the start, without the "
        "logarithm of W2 between samples of N(0, 1): over random directions, and along the axis of a; case signs: "
        "a = +-1, with all logarithms",
        "Talagrand 1994; Ambrosio et al. 2019; Wide-network notes, §4.3",
        kind="computation", measure=sliced_power, defined_for=(cases("claim", "signs"),),
        sizes={"slice": SLICES}, cost=(Ingredient(seconds=_sliced_seconds),),
    ),
    observable(
        "exact_power", (),
        "power of 1/m of W2, exact, between independent clouds of m and of 4m particles in R^3, in case four in R^4",
        "Talagrand 1994; Ambrosio et al. 2019; Wide-network notes, §4.3",
        kind="computation", measure=exact_power, defined_for=(cases(*DIMENSIONS),),
        cost=(Ingredient(seconds=lambda run: 3.8e-2 + _PAIRS * _assignment_seconds(4 * run.width)),),
    ),
    observable(
        "logarithm", (),
        "growth of m W2^2 with log m, from m to 4m, over area/2 pi, exact, between uniform samples of a square; case "
        "twin: of a cube",
        "Talagrand 1994; Ambrosio et al. 2019; Wide-network notes, §4.3",
        kind="computation", measure=logarithm, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: _MANY * (1.5e-4 + _assignment_seconds(4 * run.width))),),
    ),
    observable(
        "nested_ratio", (),
        "sliced W2^2 from a cloud of m to the one of M = 2m that begins with it over that to M = 4m, each over "
        "1/m - 1/M; case twin: independent clouds",
        "theory.md §5.6", kind="computation", measure=nested_ratio, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: 3.6e-2 + 1.2e-4 * run.width),),
    ),
)  # fmt: skip
