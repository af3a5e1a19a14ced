"""Power-law fits log E_seed Q = log A − p log m with studentised intervals over seeds (theory.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE, MIN_WIDTHS
from sweepengine.analysis._errors import ContractError, InvalidObservableError, TooFewSeedsError, TooFewWidthsError
from sweepengine.analysis._finite_size import FiniteSize, fit_finite_size
from sweepengine.analysis._jackknife import Estimate, estimate, log_means
from sweepengine.analysis._ranges import CURVATURE, LOG_A, P_LIMIT, P, first_straight, scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average, Curves

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """The power law A m^−p of one observable in one group of runs.

    Attributes
    ----------
    average
        What was averaged over seeds, `mean_of_norms` or `norm_of_means`; the two scale differently.
    widths, means
        All widths (M,), and the averages over seeds at these widths (M,), in the observable's unit.
    dropped
        The smallest widths, which the fit leaves out by the rule of :func:`fit_scaling`.
    seeds, seeds_left_out
        Seeds that the fit uses, which are present at every width; and seeds that are present at some widths only.
    p, amplitude
        Exponent and prefactor with intervals, from the widths kept.
    curvature
        Residual trend: the coefficient of (log m)² in a parabola through the widths kept; 0 for a pure power law.
    bends
        Whether the trend is more than noise: the 99 % interval of the curvature excludes 0.
    p_limit
        Exponent extrapolated to infinite width as if the rest of a finite-size term died out as slowly as m^−1/4: the
        farthest that an unseen bend could take p. Its interval is much wider than that of `p`; a verdict against a
        claim needs both intervals.
    p_all, curvature_all
        `p` and `curvature` of a fit through all widths.
    finite_size
        The fit A m^−p (1 + b (m/m_min)^−q) through all widths, or the reason why it is not identified.
    why_no_interval
        The reason why the intervals are NaN; empty where they are not.
    """

    average: Average
    widths: tuple[int, ...]
    means: tuple[float, ...]
    dropped: tuple[int, ...]
    seeds: tuple[int, ...]
    seeds_left_out: tuple[int, ...]
    p: Estimate
    amplitude: Estimate
    curvature: Estimate
    bends: bool
    p_limit: Estimate
    p_all: Estimate
    curvature_all: Estimate
    finite_size: FiniteSize
    why_no_interval: str

    @property
    def exponent(self) -> Estimate:
        """The exponent −p of m, which is the number that theory.md §4 states."""
        return self.p.negated()

    @property
    def kept(self) -> tuple[int, ...]:
        """The widths from which the exponent is fitted."""
        return self.widths[len(self.dropped) :]

    def predict(self, width: Floats) -> Floats:
        """Return A m^−p at the given widths, any shape."""
        return np.asarray(self.amplitude.value * width**-self.p.value, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and strings (NaN where there is no interval)."""
        return {
            "model": "A m^-p",
            "average": self.average,
            "p": self.p.to_dict(),
            "exponent_of_m": self.exponent.to_dict(),
            "amplitude": self.amplitude.to_dict(),
            "curvature": self.curvature.to_dict(),
            "bends": self.bends,
            "p_limit": self.p_limit.to_dict(),
            "p_all_widths": self.p_all.to_dict(),
            "curvature_all_widths": self.curvature_all.to_dict(),
            "widths": list(self.widths),
            "means": list(self.means),
            "widths_dropped": list(self.dropped),
            "seeds": list(self.seeds),
            "seeds_left_out": list(self.seeds_left_out),
            "finite_size": self.finite_size.to_dict(),
            "why_no_interval": self.why_no_interval,
        }


def fit_scaling(
    curves: Curves, *, average: Average = "mean_of_norms", drop: bool = True, confidence: float = CONFIDENCE
) -> ScalingFit:
    """Fit log E_seed Q = log A − p log m by least squares over widths, with jackknife-t intervals over seeds.

    A replicate is the whole curve of one seed, so the intervals respect the correlation between widths that nested
    initialisations cause. The rule for small widths: while the 99 % interval of the curvature excludes 0 and more than
    four widths remain, the smallest width is dropped. The widths kept are the first straight range; or they are the
    four largest widths, and then the fit may still `bends`.

    Parameters
    ----------
    curves
        The balanced observable: (S, M) norms, or (S, M, K) vectors for `norm_of_means`.
    average
        `mean_of_norms`: E_s Q. `norm_of_means`: ‖E_s v‖, the root of the unbiased estimate
        (‖Σ v‖² − Σ ‖v‖²)/(S(S−1)), which subtracts variance/S; without this the norm has the floor m^{−1/2}S^{−1/2}.
    drop
        Whether the smallest widths may be dropped.
    confidence
        Coverage of every interval.

    Returns
    -------
    ScalingFit
        Where there are too few seeds for intervals, they are NaN and `why_no_interval` gives the reason.

    Raises
    ------
    TooFewWidthsError
        There are fewer than three widths.
    TooFewSeedsError
        There is no seed, or fewer than two for `norm_of_means`.
    InvalidObservableError
        A norm is not positive and finite, `mean_of_norms` got vectors, or the seeds cannot tell a mean from 0.
    ContractError
        `norm_of_means` got norms in place of vectors.

    Notes
    -----
    theory.md §6. With 8 seeds and 7 widths the 95 % intervals are tested to cover 94–96 %.
    """
    if curves.widths.size < MIN_WIDTHS:
        raise TooFewWidthsError(
            f"Found {curves.widths.size} widths; a power law needs at least {MIN_WIDTHS}: add some."
        )
    full, left_out = _averages(curves, average)
    log_m = np.log(curves.widths.astype(np.float64))
    stats, left_stats, straight = scan(full, left_out, log_m)
    k = int(first_straight(straight)) if drop else 0

    def at(which: int, first: int) -> Estimate:
        return estimate(stats[first, which], left_stats[:, first, which], confidence)

    return ScalingFit(
        average=average,
        widths=tuple(int(w) for w in curves.widths),
        means=tuple(float(q) for q in np.exp(full)),
        dropped=tuple(int(w) for w in curves.widths[:k]),
        seeds=tuple(int(s) for s in curves.seeds),
        seeds_left_out=curves.left_out,
        p=at(P, k),
        amplitude=at(LOG_A, k).exponential(),
        curvature=at(CURVATURE, k),
        bends=not straight[k],
        p_limit=at(P_LIMIT, k),
        p_all=at(P, 0),
        curvature_all=at(CURVATURE, 0),
        finite_size=fit_finite_size(full, left_out, log_m, bends=not straight[0], confidence=confidence),
        why_no_interval="" if left_out.shape[0] else _why_no_interval(curves, average),
    )


def _averages(curves: Curves, average: Average) -> tuple[Floats, Floats]:
    if average == "mean_of_norms":
        if curves.values.ndim != 2 or not np.all(np.isfinite(curves.values) & (curves.values > 0)):
            raise InvalidObservableError(
                f"`mean_of_norms` takes positive, finite norms of shape (seeds, widths); found {curves.values.shape} "
                "with others among them. Build the table with Curves.from_runs, which names the run."
            )
        if not curves.seeds.size:
            raise TooFewSeedsError("Found no seed; a fit needs at least one, and two for an interval: add seeds.")
        return log_means(curves.values)
    if curves.values.ndim != 3:
        raise ContractError(
            f"`norm_of_means` takes vectors of shape (seeds, widths, components); found {curves.values.shape}. "
            "Pass vectors, or average='mean_of_norms'."
        )
    seeds = curves.seeds.size
    if seeds < 2:
        raise TooFewSeedsError(f"Found {seeds} seed; an unbiased ‖mean‖² needs at least 2: add seeds.")
    full = _log_norm_of_mean(curves.values)
    if seeds < 3:
        return full, np.empty((0, full.size))
    return full, np.stack([_log_norm_of_mean(np.delete(curves.values, s, axis=0)) for s in range(seeds)])


def _log_norm_of_mean(vectors: Floats) -> Floats:
    seeds = vectors.shape[0]
    square = np.sum(vectors.sum(axis=0) ** 2, axis=-1) - np.sum(vectors**2, axis=(0, -1))
    if not np.all(square > 0):
        raise InvalidObservableError(
            f"With {seeds} seeds the norm of the mean is not distinguishable from 0 at {int(np.sum(~(square > 0)))} of "
            f"{square.size} widths (its variance is at least as large). Add seeds, or leave those widths out."
        )
    return np.asarray(0.5 * np.log(square / (seeds * (seeds - 1))), dtype=np.float64)


def _why_no_interval(curves: Curves, average: Average) -> str:
    need = 2 if average == "mean_of_norms" else 3
    seeds = f"{curves.seeds.size} seed{'s' if curves.seeds.size != 1 else ''}"
    return f"no interval: {seeds} at every width, an interval over seeds needs at least {need}"
