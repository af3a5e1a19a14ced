"""What is averaged over seeds: norms or vectors.

The mean of norms scales like the fluctuation, the mean of vectors like the bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._errors import ContractError, InvalidObservableError, TooFewSeedsError
from sweepengine.analysis._jackknife import log_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._curves import Average, Curves

    Floats = NDArray[np.float64]


def log_averages(curves: Curves, average: Average) -> tuple[Floats, Floats]:
    """Return the log averages (M,) over all seeds, and (S, M) without each seed; (0, M) where that leaves too few.

    Raises
    ------
    TooFewSeedsError
        There is no seed, or fewer than two for `norm_of_means`.
    InvalidObservableError
        A norm is not positive and finite, `mean_of_norms` got vectors, or the seeds cannot tell a mean from 0.
    ContractError
        `norm_of_means` got norms in place of vectors.
    """
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


def why_no_interval(curves: Curves, average: Average) -> str:
    """Return the sentence for a fit that has too few seeds for an interval."""
    need = 2 if average == "mean_of_norms" else 3
    seeds = f"{curves.seeds.size} seed{'s' if curves.seeds.size != 1 else ''}"
    return f"no interval: {seeds} at every width, an interval over seeds needs at least {need}"
