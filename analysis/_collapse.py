"""Collapse of two axes: whether Q depends on x and y through x/y^a alone, such as on L/m, and with which a.

Measured as by Bhattacharjee & Seno 2001: every curve is read off every other one where they
overlap. The square of what they differ by is compared with the jackknife's variance of the same difference over seeds,
so that 1 is a collapse as good as the seeds can tell, whatever the correlation between runs of one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._errors import ContractError, TooFewSeedsError
from sweepengine.analysis._jackknife import Estimate, estimate, log_means

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_FEWEST_READINGS: Final = 3
_GRID: Final = 81
_REACH: Final = 2.0
"""How far from the a asked for the best one is looked for, in steps of 1/20 and then of 1/200."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """How well log E_seed Q is one function of x/y^a.

    Attributes
    ----------
    exponent
        The a of the best collapse, with its interval.
    quality, quality_at
        Mean square of the readings' differences over its mean variance at the best a, and at the a that was asked for;
        about 1 for a collapse, less if a was fitted, more where there is none.
    asked
        The a that was asked for.
    readings
        Number of points that were read off other curves at that a.
    """

    exponent: Estimate
    quality: float
    asked: float
    quality_at: float
    readings: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {
            "exponent": self.exponent.to_dict(),
            "quality": self.quality,
            "asked": self.asked,
            "quality_at_asked": self.quality_at,
            "readings": self.readings,
        }


def collapse(
    x: ArrayLike, y: ArrayLike, values: ArrayLike, *, asked: float = 1.0, confidence: float = CONFIDENCE
) -> Collapse:
    """Measure the collapse of positive observables onto x/y^a.

    Parameters
    ----------
    x, y
        Positive increasing axes, (X,) and (Y,), such as depths and widths.
    values
        float64 (S, X, Y), positive: the observable of every seed, which is one replicate.
    asked
        The a that theory names: 1 for a function of x/y.
    confidence
        Coverage of the interval of a, by the studentised jackknife over seeds.

    Returns
    -------
    Collapse
        Between its values every curve is taken as straight on log-log axes: a coarse x adds to the quality.

    Raises
    ------
    ContractError
        Shapes do not fit, a number is not positive and finite, an axis has fewer than two values or does not increase,
        or at the asked a the curves of different y do not overlap.
    TooFewSeedsError
        There are fewer than three seeds.
    """
    log_x, log_y, q = _checked(x, y, values)
    seeds = q.shape[0]
    full, left_out = log_means(q.reshape(seeds, -1))
    tables = np.concatenate([full[None], left_out]).reshape(seeds + 1, log_x.size, log_y.size)
    readings = _differences(log_x, log_y, tables[:1], asked).shape[1]
    if readings < _FEWEST_READINGS:
        raise ContractError(
            f"At x/y^{asked:g} only {readings} points lie within another curve; need {_FEWEST_READINGS}: add values of "
            "x so that the curves of different y overlap."
        )
    # Few readings agree more easily: an exponent counts if it leaves at least half of those at the a asked for.
    fewest = max(_FEWEST_READINGS, readings // 2)
    coarse = np.linspace(asked - _REACH, asked + _REACH, _GRID)
    middle = _best(_squares(log_x, log_y, tables[:1], coarse, fewest), coarse)[0]
    fine = np.linspace(middle - _REACH / 10, middle + _REACH / 10, _GRID)
    best = _best(_squares(log_x, log_y, tables, fine, fewest), fine)
    return Collapse(
        exponent=estimate(float(best[0]), best[1:], confidence),
        quality=_quality(_differences(log_x, log_y, tables, float(best[0]))),
        asked=asked,
        quality_at=_quality(_differences(log_x, log_y, tables, asked)),
        readings=readings,
    )


def _checked(x: ArrayLike, y: ArrayLike, values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    a, b, q = (np.asarray(each, dtype=np.float64) for each in (x, y, values))
    if a.ndim != 1 or b.ndim != 1 or min(a.size, b.size) < 2 or q.ndim != 3 or q.shape[1:] != (a.size, b.size):
        raise ContractError(f"Found axes {a.shape}, {b.shape} and values {q.shape}; need (X,), (Y,) and (S, X, Y).")
    for name, each in (("x", a), ("y", b), ("values", q)):
        if not np.all(np.isfinite(each) & (each > 0)):
            raise ContractError(f"Found {name} that are not positive and finite; a collapse takes logarithms.")
    if np.any(np.diff(a) <= 0) or np.any(np.diff(b) <= 0):
        raise ContractError("Found an axis that does not increase; sort it, and the values with it.")
    if q.shape[0] < 3:
        raise TooFewSeedsError(f"Found {q.shape[0]} seeds; a collapse is measured against the spread of at least 3.")
    return np.log(a), np.log(b), q


def _differences(log_x: Floats, log_y: Floats, tables: Floats, a: float) -> Floats:
    """What curves read off each other differ by, (n, readings), for tables (n, X, Y) of log means."""
    found = [np.empty((tables.shape[0], 0))]
    for j, own in enumerate(log_y):
        for k, other in enumerate(log_y):
            at = log_x - a * (own - other)  # where curve k has the same x/y^a
            inside = (at >= log_x[0]) & (at <= log_x[-1]) & (j != k)
            left = np.clip(np.searchsorted(log_x, at[inside], side="right") - 1, 0, log_x.size - 2)
            share = (at[inside] - log_x[left]) / (log_x[left + 1] - log_x[left])
            read = (1 - share) * tables[:, left, k] + share * tables[:, left + 1, k]
            found.append(tables[:, inside, j] - read)
    return np.concatenate(found, axis=1)


def _squares(log_x: Floats, log_y: Floats, tables: Floats, grid: Floats, fewest: int) -> Floats:
    """Mean square of the differences, (n, grid); infinite where there are too few readings."""
    squares = np.full((tables.shape[0], grid.size), np.inf)
    for g, a in enumerate(grid):
        differences = _differences(log_x, log_y, tables, float(a))
        if differences.shape[1] >= fewest:
            squares[:, g] = np.mean(differences**2, axis=1)
    return squares


def _best(squares: Floats, grid: Floats) -> Floats:
    """The a (n,) of the least square, by a parabola through it and its neighbours."""
    k = np.clip(np.argmin(squares, axis=1), 1, grid.size - 2)
    below, here, above = np.take_along_axis(squares, k[:, None] + np.arange(-1, 2), axis=1).T
    smooth = np.isfinite(below) & np.isfinite(above) & (here <= np.minimum(below, above))
    bend = np.where(smooth, np.where(smooth, below + above, 1.0) - 2 * np.where(smooth, here, 0.0), 1.0)
    move = np.where(smooth & (bend > 0), 0.5 * (np.where(smooth, below, 0.0) - np.where(smooth, above, 0.0)), 0.0)
    edge = grid[np.argmin(squares, axis=1)]
    inside = grid[k] + move / np.where(bend > 0, bend, 1.0) * (grid[1] - grid[0])
    return np.asarray(np.where(smooth, inside, edge), dtype=np.float64)


def _quality(differences: Floats) -> float:
    """Mean square of the first row over the mean jackknife variance of the others."""
    left_out = differences[1:]
    seeds = left_out.shape[0]
    variance = (seeds - 1) / seeds * np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0)
    noise = max(float(variance.mean()), np.finfo(np.float64).eps)
    return float(np.mean(differences[0] ** 2)) / noise
