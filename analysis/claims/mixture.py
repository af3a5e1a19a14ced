"""The mixture of two measures is not the geodesic between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine import transport
from sweepengine.analysis._claim import ByComputation, Claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POINTS: Final = 256
_SHARES: Final = np.array([4, 8, 16, 32, 64]) / _POINTS


def _slope(path: Callable[[Floats, Floats, float], Floats]) -> float:
    """Power of t with which the exact W₂ between μ and the measure at t on a path from μ to ν grows."""
    generator = np.random.Generator(np.random.Philox(key=0))
    start = generator.standard_normal((_POINTS, 2))
    end = np.array([20.0, 0.0]) + generator.standard_normal((_POINTS, 2))
    distances = [transport.assignment(start, path(start, end, t))[0] for t in _SHARES]
    return float(np.polyfit(np.log(_SHARES), np.log(distances), 1)[0])


def _mixture(start: Floats, end: Floats, t: float) -> Floats:
    moved = round(t * len(start))
    return np.concatenate([start[moved:], end[:moved]])


def _geodesic(start: Floats, end: Floats, t: float) -> Floats:
    _, matching = transport.assignment(start, end)
    return (1 - t) * start + t * end[matching]


CLAIM: Final = Claim(
    "mixture",
    "W₂(μ, (1−t)μ + tν) grows like √t for small t and separated supports, not like t (S4 §4.2).",
    ByComputation(
        "power of t in W₂(μ, (1−t)μ + tν), exact, of two clouds of 256 points 20 apart",
        low=0.45,
        high=0.55,
        compute=lambda: _slope(_mixture),
        twin=lambda: _slope(_geodesic),
    ),
)
