"""Paths between two measures. Imports no torch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine import transport
from sweepengine.observe._case import Case, cases, widths
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]

_APART: Final = {"claim": 20.0, "far": 200.0, "twin": 20.0}
"""Case → distance between the means of the two clouds of a mixture."""
_MIXED: Final = np.array([4, 8, 16, 32, 64]) / 256
_PASSED: Final = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
"""Shares of a path between which its speed is measured. A path of no geodesic is fast at its ends."""

_SHOWN: Final = 32
"""Points of which a path is shown."""
_SEEN_APART: Final = 4.0
"""Distance between the means of the two clouds that are shown."""


def mixture_power(now: Case, _: Case) -> float:
    """Power of t with which W₂ between μ and the measure at t on a path from μ to ν grows."""
    start, end = _clouds(now, 2, _APART[now.name])
    path = _geodesic if now.name == "twin" else _mixture
    distances = [transport.assignment(start, path(start, end, t))[0] for t in _MIXED]
    return float(np.polyfit(np.log(_MIXED), np.log(distances), 1)[0])


def _clouds(now: Case, coordinates: int, apart: float) -> tuple[Floats, Floats]:
    generator, shape = now.generator(), (now.width, coordinates)
    start = generator.standard_normal(shape)
    return start, generator.standard_normal(shape) + apart * np.eye(coordinates)[0]


def _mixture(start: Floats, end: Floats, t: float) -> Floats:
    moved = round(t * len(start))
    return np.concatenate([start[moved:], end[:moved]])


def _geodesic(start: Floats, end: Floats, t: float) -> Floats:
    _, matching = transport.assignment(start, end)
    return (1 - t) * start + t * end[matching]


def speed_excess(now: Case, _: Case) -> float:
    """Largest speed along ((1−t) id + tT)_# μ over W₂(μ_0, μ_1), minus 1; the mean speed is at least 1 on any path."""
    import torch

    from sweepengine.particles import speed_ratios

    start, end = _paired(now, 3, 1.0)
    return max(speed_ratios(torch.from_numpy(start), torch.from_numpy(end), _PASSED)) - 1


def _paired(now: Case, coordinates: int, apart: float) -> tuple[Floats, Floats]:
    """Two clouds, the second in the order of the images of the first: under the optimal map, or the twin's."""
    start, end = _clouds(now, coordinates, apart)
    matching = transport.assignment(start, end)[1]
    return start, end[np.roll(matching, 1) if now.name == "twin" else matching]


def path_ends(now: Case, _: Case) -> Floats:
    """First points x of a cloud in the plane, and their images T(x)."""
    return np.stack([each[:_SHOWN] for each in _paired(now, 2, _SEEN_APART)])


def gaussian_speed_excess(now: Case, _: Case) -> float:
    """The same between Gaussians, T linear: by closed forms of T and of W₂."""
    from sweepengine.particles import gaussian_distance, gaussian_map

    generator, p = now.generator(), 4
    means, roots = generator.standard_normal((2, p)), generator.standard_normal((2, p, p))
    first, second = ((mean, root @ root.T + np.eye(p)) for mean, root in zip(means, roots, strict=True))
    matrix, _shift = gaussian_map(first, second)
    if now.name == "twin":  # another linear map that sends the one Gaussian to the other
        turn, _triangle = np.linalg.qr(generator.standard_normal((p, p)))
        matrix = np.linalg.cholesky(second[1]) @ turn @ np.linalg.inv(np.linalg.cholesky(first[1]))

    def law(t: float) -> tuple[Floats, Floats]:
        along = (1 - t) * np.eye(p) + t * matrix
        return (1 - t) * first[0] + t * second[0], along @ first[1] @ along.T

    whole = gaussian_distance(first, second)
    return max(gaussian_distance(law(s), law(t)) / ((t - s) * whole) for s, t in pairwise(_PASSED)) - 1


def _mixture_seconds(run: ComputationRun) -> float:
    # A geodesic has an assignment of its own at each t, and its points are far from those of the start.
    one = 7.2e-9 * run.width**2.7 if run.case == "twin" else 3.3e-9 * run.width**2.5
    return float(len(_MIXED) * one)


_SPEED: Final = {"claim": 1.5e-8, "twin": 2.4e-8}
"""Case → seconds over n^2.5 of the assignments along a path."""

OBSERVABLES = (
    observable(
        "mixture_power", (),
        "power of t in W2(mu, (1-t) mu + t nu), exact, of two clouds whose means lie 20 apart, in case far 200; case "
        "twin: in W2(mu, geodesic at t)",
        "Wide-network notes, §4.2",
        kind="computation", measure=mixture_power, defined_for=(cases(*_APART), widths(64, 64)),
        cost=(Ingredient(seconds=_mixture_seconds),),
    ),
    observable(
        "speed_excess", (),
        "largest of W2(mu_s, mu_t)/((t - s) W2(mu_0, mu_1)) - 1, exact, along ((1-t) id + t T)_# mu between two "
        "clouds, T optimal; case twin: T another pairing",
        "Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3",
        kind="computation", measure=speed_excess, defined_for=(cases("claim", "twin"), widths(3)),
        cost=(Ingredient(seconds=lambda run: 3e-4 + _SPEED[run.case] * run.width**2.5),),
    ),
    observable(
        "path_ends", ("path_end", "point", "coordinate"),
        "x and T(x) of points of a cloud in the plane, T the optimal map to another cloud; case twin: T another "
        "pairing",
        "Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3",
        kind="computation", measure=path_ends, defined_for=(cases("claim", "twin"), widths(_SHOWN)),
        cost=(Ingredient(seconds=lambda run: 1.4e-8 * run.width**2.5),),
        sizes={"path_end": ("x", "T(x)"), "point": _SHOWN, "coordinate": 2},
    ),
    observable(
        "gaussian_speed_excess", (),
        "largest of W2(mu_s, mu_t)/((t - s) W2(mu_0, mu_1)) - 1 along ((1-t) id + t T)_# mu between two Gaussians, T "
        "optimal; case twin: T another linear map",
        "Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3",
        kind="computation", measure=gaussian_speed_excess, defined_for=(cases("claim", "twin"),),
        cost=(Ingredient(seconds=lambda _: 6.3e-4),),
    ),
)  # fmt: skip
