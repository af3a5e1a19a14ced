"""Where an observable is least along an axis, such as the step size with the smallest loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._errors import ContractError, OptimumAtEdgeError, TooFewWidthsError
from sweepengine.analysis._jackknife import Estimate, estimate, log_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Curves

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The place and depth of a minimum or maximum.

    Attributes
    ----------
    axis
        Name of the axis.
    at
        Where the optimum is, in the unit of the axis, with its interval.
    value
        The observable there, with its interval.
    neighbours
        The three values of the axis through which the parabola goes.
    """

    axis: str
    at: Estimate
    value: Estimate
    neighbours: tuple[float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {
            "axis": self.axis,
            "at": self.at.to_dict(),
            "value": self.value.to_dict(),
            "neighbours": list(self.neighbours),
        }


def locate_optimum(
    curves: Curves, *, sense: Literal["least", "greatest"] = "least", confidence: float = CONFIDENCE
) -> Optimum:
    """Locate the optimum of log E_seed Q along an axis by the parabola in log x through the best three values.

    The best value and its two neighbours are chosen once, from all seeds, and the parabola is made again without each
    seed, so that the interval is the jackknife-t of a smooth function. It is the interval of the parabola's optimum:
    the error of the parabola itself, which grows with the third power of the spacing in log x, is not in it. Of how
    often it covers, docs/statistics.md says more.

    Parameters
    ----------
    curves
        Positive observables (S, M), from `Curves.from_runs` with the name of the axis.
    sense
        Whether the optimum is the least or the greatest value.
    confidence
        Coverage of the intervals.

    Returns
    -------
    Optimum
        The intervals are NaN with one seed.

    Raises
    ------
    ContractError
        The observable is a vector.
    TooFewWidthsError
        The axis has fewer than three values.
    OptimumAtEdgeError
        The best value is the first or the last of the axis, or without some seed the three values no longer bracket
        the optimum.
    """
    if curves.values.ndim != 2:
        raise ContractError(
            f"Found vectors of shape {curves.values.shape}; an optimum is one of norms (seeds, values)."
        )
    x = np.asarray(curves.widths, dtype=np.float64)
    if x.size < 3:
        raise TooFewWidthsError(f"Found {x.size} values of {curves.axis}; an optimum needs at least 3: add some.")
    sign = 1.0 if sense == "least" else -1.0
    full, left_out = log_means(curves.values)
    best = int(np.argmin(sign * full))
    if best in (0, x.size - 1):
        side, beyond = ("smallest", "smaller") if best == 0 else ("largest", "larger")
        raise OptimumAtEdgeError(
            f"The {sense} value lies at {curves.axis} = {x[best]:g}, the {side} of {x.size}: the optimum may lie "
            f"beyond. Add {beyond} values of {curves.axis}."
        )
    three = slice(best - 1, best + 2)
    log_x = np.log(x[three])
    rows = np.concatenate([full[None, three], left_out[:, three]])
    place, depth = _vertex(log_x, sign * rows)
    if not np.all((log_x[0] <= place) & (place <= log_x[-1])):
        raise OptimumAtEdgeError(
            f"Without one of the seeds the {sense} value does not lie between {curves.axis} = {x[best - 1]:g} and "
            f"{x[best + 1]:g}: the seeds do not locate the optimum. Add seeds, or values of {curves.axis} farther "
            "apart."
        )
    return Optimum(
        axis=curves.axis,
        at=estimate(float(place[0]), place[1:], confidence).exponential(),
        value=estimate(float(sign * depth[0]), sign * depth[1:], confidence).exponential(),
        neighbours=(float(x[best - 1]), float(x[best]), float(x[best + 1])),
    )


def _vertex(x: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Place and height (n,) of the vertex of the parabolas through three points, x (3,) and rows (n, 3)."""
    z = x - x[1]
    a, b, c = np.linalg.solve(np.vander(z, 3), rows.T)
    opens = a > 0
    move = np.where(opens, -b / np.where(opens, 2 * a, 1.0), math.inf)
    inside = np.where(opens, move, 0.0)
    return move + x[1], a * inside**2 + b * inside + c
