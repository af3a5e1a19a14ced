"""Which further runs narrow the interval of an exponent most for their time: more seeds, or a wider network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from sweepengine.analysis._curves import Curves
from sweepengine.analysis._errors import AnalysisError
from sweepengine.analysis._fit import fit_scaling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average

_RESAMPLES: Final = 8
LEAST_SEEDS: Final = 4
"""Seeds from which an interval is trusted to say how many more are needed."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Runs that could be added to a group.

    Attributes
    ----------
    axis
        `seed`: new seeds at every width; `width`: a new width for every seed.
    values
        The new values of the axis.
    half_width
        Half-width of the interval that is predicted with them.
    """

    axis: Literal["seed", "width"]
    values: tuple[int, ...]
    half_width: float


def half_width(curves: Curves, average: Average = "mean_of_norms") -> float:
    """Half-width of the interval of the exponent; infinite where there is none."""
    try:
        fit = fit_scaling(curves, average=average)
    except AnalysisError:
        return math.inf
    return fit.exponent.half_width if fit.exponent.has_interval else math.inf


def possible_additions(curves: Curves, target: float, average: Average = "mean_of_norms") -> tuple[Addition, ...]:
    """The additions from which one is chosen, with the half-widths that resampled curves predict for them.

    Parameters
    ----------
    curves
        The balanced table of the group.
    target
        Half-width that is wanted.
    average
        What the fit averages over seeds.

    Returns
    -------
    tuple of Addition
        New seeds, never more than the table has, so that a stopping rule looks at most about log₂ times; and the next
        width in the ratio of the two widest, where the seeds suffice for an interval.
    """
    seeds, now = curves.seeds.size, half_width(curves, average)
    generator = np.random.Generator(np.random.Philox(key=seeds))
    if seeds < LEAST_SEEDS or not math.isfinite(now):
        more = max(LEAST_SEEDS - seeds, 2)
        return (Addition("seed", _next_seeds(curves, more), math.inf),)
    more = more_seeds(seeds, now, target)
    ratio = curves.widths[-1] / curves.widths[-2]
    width = round(curves.widths[-1] * ratio)
    return (
        Addition("seed", _next_seeds(curves, more), _median(lambda: _with_seeds(curves, more, generator), average)),
        Addition("width", (width,), _median(lambda: _with_width(curves, width, generator), average)),
    )


def more_seeds(seeds: int, now: float, target: float) -> int:
    """Seeds to add to an interval of ± ``now`` that is wanted to be ± ``target``.

    They are two at least, and at most as many as there are, because the spread of few seeds says little.
    """
    needed = math.ceil(seeds * ((now / target) ** 2 - 1)) if target < now else 1
    return min(max(needed, 2), seeds)


def best_addition(additions: Sequence[Addition], now: float, target: float, seconds: Sequence[float]) -> Addition:
    """The addition that narrows the interval most in a second; what passes the target counts as the target.

    Parameters
    ----------
    additions, seconds
        The additions, and the time that each takes.
    now, target
        Half-width of the interval now, and the half-width that is wanted.
    """
    if not math.isfinite(now):
        return additions[int(np.argmin(seconds))]
    gains = [
        (now - max(each.half_width, target)) / max(time, 1e-9) for each, time in zip(additions, seconds, strict=True)
    ]
    best = int(np.argmax(gains))
    return additions[best] if gains[best] > 0 else next(each for each in additions if each.axis == "seed")


def _next_seeds(curves: Curves, more: int) -> tuple[int, ...]:
    known = {int(seed) for seed in curves.seeds} | set(curves.left_out)
    first = max(known, default=-1) + 1
    return tuple(range(first, first + more))


def _median(make: Callable[[], Curves], average: Average) -> float:
    return float(np.median([half_width(make(), average) for _ in range(_RESAMPLES)]))


def _with_seeds(curves: Curves, more: int, generator: np.random.Generator) -> Curves:
    """The table with as many more rows, drawn from its own."""
    rows = curves.values[generator.integers(0, curves.seeds.size, more)]
    seeds = np.arange(curves.seeds.size + more)
    return Curves(curves.widths, seeds, np.concatenate([curves.values, rows]))


def _with_width(curves: Curves, width: int, generator: np.random.Generator) -> Curves:
    """The table with one more width: the widest column carried on by the mean slope, with its deviations permuted."""
    last: NDArray[np.float64] = curves.values[:, -1]
    before: NDArray[np.float64] = curves.values[:, -2]
    drop = np.abs(last).mean(axis=0) / np.abs(before).mean(axis=0)
    order = generator.permutation(curves.seeds.size)
    # Half of a deviation stays with its seed, as nested networks keep it, and half is another seed's.
    column = np.sqrt(np.abs(last) * np.abs(last[order])) * drop if curves.values.ndim == 2 else last[order] * drop
    return Curves(
        np.append(curves.widths, width), curves.seeds, np.concatenate([curves.values, column[:, None]], axis=1)
    )
