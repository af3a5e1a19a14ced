"""The exponent in the limit of an axis: what log means say of p if Q = A x^−p (1 + B x^−q) with an unknown B.

A straight line through finite widths answers another question, because the finite-size term bends the curve too little
to be seen and enough to move the slope. Here every B of a stated class is asked which p it would need, and the interval
holds the answers that the seeds do not refute.

For one q, write the curve as log A − p z + g_c(z), with z = log x, g_c = log(1 + (e^c − 1)(x/x_min)^−q), so that e^c is
Q over its leading term at the smallest x. If p is given, least squares fixes c; along the grid of c this relation is
explicit: p_0(c). The test of p_0(c) is the studentised contrast that measures p beside 1, z and ∂g/∂c, which to first
order does not depend on the error of c (C(α) of Neyman 1959, as in the score test of Kleibergen 2005). It is linear in
the log means, so its error is the jackknife's and its law close to Student's, however badly c is known. Where the data
leave c free up to the bound, the interval goes on as that of a line with c at the bound.

In shapes, M is the number of values along the axis, C that of the grid of c, and "..." any batch, such as the trials of
a simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._constants import BEND_CONFIDENCE, CONFIDENCE, MIN_WIDTHS_KEPT
from sweepengine.analysis._jackknife import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CORRECTIONS: Final = tuple(k / 20 for k in range(10, 21))
"""Exponents q of the finite-size terms that the interval of the limit allows for, 1/2 to 1. They are so close that only
seeds that know log Q to about 0.2 % can refute both neighbours of what lies between."""
SLOW_CORRECTIONS: Final = (*(k / 20 for k in range(5, 10)), *CORRECTIONS)
"""The same where a claim is contradicted. At γ = 3/4 the drift is c₁ m^−3/4 + c₂ m^−1/2, which is q = 1/4."""
LARGEST_CORRECTION: Final = 2.5
"""Largest factor by which Q at the smallest x may differ from its leading term, up or down."""
_GRID: Final = np.linspace(-math.log(LARGEST_CORRECTION), math.log(LARGEST_CORRECTION), 61)
_GRID_ERROR: Final = 3e-5
"""Error of a contrast of log means that the distance to the next c of the grid can cause; no se counts as less."""


@dataclass(frozen=True, slots=True)
class LogCurve:
    """Log means over seeds along an axis, with their jackknife covariance.

    Attributes
    ----------
    log_x
        Increasing log axis (M,).
    mean, covariance
        Log means (..., M) and the covariance (..., M, M) of their errors.
    seeds
        Number of replicates, an integer or (...); 0 or 1 where there is no covariance.
    """

    log_x: Floats
    mean: Floats
    covariance: Floats
    seeds: int | NDArray[np.int64]

    @classmethod
    def from_replicates(cls, log_x: Floats, full: Floats, left_out: Floats) -> LogCurve:
        """Return the curve of log means (..., M) from the log means without one seed (..., S, M)."""
        seeds = left_out.shape[-2]
        spread = left_out - left_out.mean(axis=-2, keepdims=True) if seeds else left_out
        covariance = (seeds - 1) / max(1, seeds) * np.einsum("...sm,...sn->...mn", spread, spread)
        return cls(log_x, full, covariance, seeds)

    def since(self, first: int, stop: int | None = None) -> LogCurve:
        """Return the curve from the given index on, up to another one if it is given."""
        part = slice(first, stop)
        return LogCurve(self.log_x[part], self.mean[..., part], self.covariance[..., part, part], self.seeds)

    def flattened(self) -> LogCurve:
        """Return the same curves with one batch axis."""
        m = self.log_x.size
        seeds = np.broadcast_to(np.asarray(self.seeds), self.mean.shape[:-1]).reshape(-1)
        return LogCurve(self.log_x, self.mean.reshape(-1, m), self.covariance.reshape(-1, m, m), seeds)

    def chosen(self, trials: NDArray[np.intp]) -> LogCurve:
        """Return some curves of a flattened batch."""
        return LogCurve(self.log_x, self.mean[trials], self.covariance[trials], np.asarray(self.seeds)[trials])


@dataclass(frozen=True, slots=True)
class Limit:
    """Exponents p in the limit, all (...).

    Attributes
    ----------
    value, low, high
        Mean over the terms that are not refuted of p by least squares, each with the weight exp(−u²/2), where u is the
        studentised residual along the next bend; ends of the interval, NaN without seeds.
    first
        Index of the smallest x that is used: smaller ones are left out while they refute every term.
    explained
        Whether some term describes the values used. If not, the interval is that of the terms all the same.
    """

    value: Floats
    low: Floats
    high: Floats
    first: NDArray[np.intp]
    explained: NDArray[np.bool_]


def limit_exponent(
    curve: LogCurve, corrections: Sequence[float] = CORRECTIONS, confidence: float = CONFIDENCE
) -> Limit:
    """Return the exponent in the limit with the union of the intervals of all finite-size terms that are not refuted.

    Parameters
    ----------
    curve
        The log means.
    corrections
        Exponents q of the terms.
    confidence
        Nominal coverage for each term; the union covers more often.

    Returns
    -------
    Limit
        A term is refuted where the residual of its best c along the next bend is more than noise at 99 %, or where that
        c lies beyond its bound at 99 %.
    """
    batch = curve.mean.shape[:-1]
    flat = curve.flattened()
    value, low, high = (np.full(flat.mean.shape[0], np.nan) for _ in range(3))
    first = np.zeros(flat.mean.shape[0], dtype=np.intp)
    explained = np.zeros(flat.mean.shape[0], dtype=bool)
    last = max(0, flat.log_x.size - MIN_WIDTHS_KEPT)
    for k, refute in [*((k, True) for k in range(last + 1)), (last, False)]:
        here = np.flatnonzero(~explained) if refute else np.flatnonzero(np.isnan(value))
        if not here.size:
            continue
        part = _union(flat.chosen(here).since(k), corrections, confidence, refute=refute)
        value[here], low[here], high[here] = part.value, part.low, part.high
        first[here], explained[here] = k, part.explained & refute
    return Limit(
        value=value.reshape(batch),
        low=low.reshape(batch),
        high=high.reshape(batch),
        first=first.reshape(batch),
        explained=explained.reshape(batch),
    )


def _union(curve: LogCurve, corrections: Sequence[float], confidence: float, *, refute: bool) -> Limit:
    parts = [_one_term(curve, q, confidence, refute) for q in corrections]
    value, weight, low, high = (np.stack(column) for column in zip(*parts, strict=True))
    explained = np.asarray((weight > 0).any(axis=0))
    middle = np.where(explained, np.sum(weight * value, axis=0) / np.where(explained, weight.sum(axis=0), 1.0), np.nan)
    has_interval = explained & (np.asarray(curve.seeds) > 1)
    return Limit(
        value=middle,
        low=np.where(has_interval, low.min(axis=0), np.nan),
        high=np.where(has_interval, high.max(axis=0), np.nan),
        first=np.zeros(explained.shape, dtype=np.intp),
        explained=explained,
    )


def _one_term(curve: LogCurve, q: float, confidence: float, refute: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Value, weight, low and high (...) for one q; 0, 0, inf and −inf where the term is refuted."""
    z = curve.log_x - curve.log_x.mean()
    decay = np.exp(-q * (curve.log_x - curve.log_x[0]))
    g = np.log1p(np.expm1(_GRID)[:, None] * decay)
    slope_of_g = np.exp(_GRID)[:, None] * decay / np.exp(g)
    d = slope_of_g - slope_of_g.mean(axis=1, keepdims=True)
    line = -z / (z @ z)
    across = z - d * ((d @ z) / np.sum(d * d, axis=1))[:, None]
    score = -across / np.sum(across**2, axis=1)[:, None]
    profile = -d / (d @ z)[:, None]
    residual = curve.mean[..., None, :] - g
    p_0 = np.einsum("...cm,cm->...c", residual, profile)
    p_free = np.einsum("...cm,cm->...c", residual, score)
    p_line = residual @ line
    known = np.asarray(curve.seeds)[..., None] > 1
    dof = np.maximum(1, np.asarray(curve.seeds)[..., None] - 1)
    t, far = t_quantile(dof, confidence), t_quantile(dof, BEND_CONFIDENCE)
    deviation = (p_free - p_0) / np.maximum(_GRID_ERROR, _se(curve, score))
    squares = np.sum((residual - residual.mean(-1, keepdims=True) + p_line[..., None] * z) ** 2, axis=-1)
    best = np.argmin(squares, axis=-1)[..., None]
    u = np.zeros(best.shape)
    if z.size > 3:
        bend = _third(z, d, across)
        u = np.einsum("...cm,cm->...c", residual, bend) / np.maximum(_GRID_ERROR, _se(curve, bend))
        u = np.take_along_axis(u, best, axis=-1)
    beyond = np.where(best == 0, 1, np.where(best == _GRID.size - 1, -1, 0)) * np.take_along_axis(deviation, best, -1)
    stands = ((np.abs(u) <= far) & (beyond <= far)) | ~known | (not refute)
    # Away from the best c a second region can pass the test, where z and ∂g/∂c are parallel and it has no power.
    fits = stands & _around(best, np.abs(deviation) > t)
    low, high = _hull(p_0, deviation / t, fits)
    margin = (t * _se(curve, line[None]))[..., 0]
    # At the bound of c the interval is that of a line, unless the data want c farther inside.
    low = np.where(fits[..., -1] & (deviation[..., -1] <= t[..., 0]), np.minimum(low, p_line[..., -1] - margin), low)
    high = np.where(fits[..., 0] & (deviation[..., 0] >= -t[..., 0]), np.maximum(high, p_line[..., 0] + margin), high)
    inside = (best > 0) & (best < _GRID.size - 1)
    value = np.take_along_axis(np.where(inside, p_free, p_line), best, axis=-1)[..., 0]
    there = stands[..., 0]
    # A weight is never 0 where the term stands, so that there is a mean where all residuals are large.
    weight = np.where(there, np.exp(-0.5 * np.minimum(np.abs(u[..., 0]), 10.0) ** 2), 0.0)
    low, high = np.where(there, np.fmin(low, value), np.inf), np.where(there, np.fmax(high, value), -np.inf)
    return np.where(there, value, 0.0), weight, low, high


def _se(curve: LogCurve, contrasts: Floats) -> Floats:
    """Standard errors (..., C) of the contrasts (C, M) of the log means."""
    squares = (contrasts[:, :, None] * contrasts[:, None, :]).reshape(contrasts.shape[0], -1)
    flat = curve.covariance.reshape(*curve.covariance.shape[:-2], -1)
    return np.sqrt(np.maximum(0.0, flat @ squares.T))


def _third(z: Floats, d: Floats, across: Floats) -> Floats:
    """Unit contrasts (C, M) along z² beside 1, z and ∂g/∂c: what a term with another q would leave."""
    bend = np.broadcast_to(z**2 - np.mean(z**2), d.shape)
    for known in (d, across):
        bend = bend - known * (np.sum(known * bend, axis=1) / np.sum(known**2, axis=1))[:, None]
    return np.asarray(bend / np.linalg.norm(bend, axis=1)[:, None], dtype=np.float64)


def _around(best: NDArray[np.intp], refused: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where (..., C) a c lies between the nearest refused ones on both sides of the best, these included."""
    k = np.arange(refused.shape[-1])
    left = np.where(refused & (k < best), k, 0).max(axis=-1, keepdims=True)
    right = np.where(refused & (k > best), k, k[-1]).min(axis=-1, keepdims=True)
    return np.asarray((left <= k) & (k <= right))


def _hull(p: Floats, t: Floats, fits: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Smallest and largest p (..., C) with |t| ≤ 1, t taken as linear between neighbours on the grid."""
    inside = fits & (np.abs(t) <= 1)
    low, high = np.where(inside, p, np.inf).min(axis=-1), np.where(inside, p, -np.inf).max(axis=-1)
    both = fits[..., 1:] & fits[..., :-1]
    step = np.where(t[..., 1:] == t[..., :-1], 1.0, t[..., 1:] - t[..., :-1])
    for level in (-1.0, 1.0):
        crosses = both & ((t[..., 1:] - level) * (t[..., :-1] - level) < 0)
        at = p[..., :-1] + (level - t[..., :-1]) / step * (p[..., 1:] - p[..., :-1])
        low = np.minimum(low, np.where(crosses, at, np.inf).min(axis=-1))
        high = np.maximum(high, np.where(crosses, at, -np.inf).max(axis=-1))
    return low, high
