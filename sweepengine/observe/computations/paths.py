"""Paths between two measures. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine import transport
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_APART: Final = 20.0
_SHARES: Final = np.array([4, 8, 16, 32, 64]) / 256


def mixture_power(now: Case, _: Case) -> float:
    """Power of t with which W₂ between μ and the measure at t on a path from μ to ν grows."""
    generator, points = now.generator(), now.width
    start = generator.standard_normal((points, 2))
    end = np.array([_APART, 0.0]) + generator.standard_normal((points, 2))
    path = {"claim": _mixture, "twin": _geodesic}[now.name]
    distances = [transport.assignment(start, path(start, end, t))[0] for t in _SHARES]
    return float(np.polyfit(np.log(_SHARES), np.log(distances), 1)[0])


def _mixture(start: Floats, end: Floats, t: float) -> Floats:
    moved = round(t * len(start))
    return np.concatenate([start[moved:], end[:moved]])


def _geodesic(start: Floats, end: Floats, t: float) -> Floats:
    _, matching = transport.assignment(start, end)
    return (1 - t) * start + t * end[matching]


OBSERVABLES = (
    observable(
        "mixture_power", (),
        "power of t in W2(mu, (1-t) mu + t nu), exact, of two clouds whose means lie 20 apart; case twin: in "
        "W2(mu, geodesic at t)",
        "S4 4.2", kind="computation", measure=mixture_power, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda run: 2e-8 * run.width**3 * len(_SHARES)),),
    ),
)  # fmt: skip
