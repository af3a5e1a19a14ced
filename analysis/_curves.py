"""From a list of runs to the balanced table of curves (seeds × widths) that a fit takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sweepengine.analysis._constants import MIN_WIDTHS
from sweepengine.analysis._errors import (
    ContractError,
    DuplicateRunError,
    InvalidObservableError,
    TooFewSeedsError,
    TooFewWidthsError,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Average = Literal["mean_of_norms", "norm_of_means"]
"""What is averaged over seeds: norms, which scale like the fluctuation, or vectors, whose mean scales like the bias."""


@dataclass(frozen=True, slots=True)
class Curves:
    """One observable of one group of runs, balanced over seeds.

    Attributes
    ----------
    widths
        int64 (M,), increasing.
    seeds
        int64 (S,), increasing: the seeds that are present at EVERY width. The curve of one seed is one replicate.
    values
        float64 (S, M) norms, or (S, M, K) vectors.
    left_out
        Seeds that are present at some widths only, increasing.
    """

    widths: NDArray[np.int64]
    seeds: NDArray[np.int64]
    values: NDArray[np.float64]
    left_out: tuple[int, ...] = ()

    @classmethod
    def from_runs(cls, width: ArrayLike, seed: ArrayLike, value: ArrayLike) -> Curves:
        """Arrange runs as a table of seeds × widths and keep the seeds that every width has.

        Parameters
        ----------
        width, seed
            Integers (R,), one pair for each run.
        value
            Floats (R,), the norm of the observable in each run, or (R, K), its vector.

        Returns
        -------
        Curves
            The balanced table.

        Raises
        ------
        ContractError
            The arrays do not fit each other, or a width is below 1.
        DuplicateRunError
            Two runs share width and seed.
        TooFewWidthsError
            There are fewer than three widths.
        TooFewSeedsError
            No seed is present at every width.
        InvalidObservableError
            A value is NaN or infinite, or a norm is not positive.
        """
        w, s = np.asarray(width, dtype=np.int64), np.asarray(seed, dtype=np.int64)
        v = np.asarray(value, dtype=np.float64)
        if w.ndim != 1 or w.shape != s.shape or v.shape[:1] != w.shape:
            raise ContractError(
                f"Widths {w.shape}, seeds {s.shape} and values {v.shape} do not describe the same runs: "
                "pass one width, one seed and one value (or one row) for each run."
            )
        if w.size and int(w.min()) < 1:
            raise ContractError(f"Found width {int(w.min())}; widths are at least 1.")
        _refuse_duplicates(w, s)
        widths = np.unique(w)
        if widths.size < MIN_WIDTHS:
            raise TooFewWidthsError(
                f"Found {_count(widths.size, 'width')} {widths.tolist()} with finished runs; a power law needs at "
                f"least {MIN_WIDTHS}. Add widths to the sweep, or wait until the runs of the others are done."
            )
        _refuse_invalid(w, s, v)
        present, counts = np.unique(s, return_counts=True)
        seeds = present[counts == widths.size]
        left_out = tuple(int(x) for x in present[counts < widths.size])
        if not seeds.size:
            raise TooFewSeedsError(
                f"None of the {present.size} seeds is done at all {widths.size} widths; a fit compares the same "
                "seeds at every width. Run the missing ones (the same `run` command again), or shorten the width axis."
            )
        table = np.empty((seeds.size, widths.size, *v.shape[1:]))
        keep = np.isin(s, seeds)
        table[np.searchsorted(seeds, s[keep]), np.searchsorted(widths, w[keep])] = v[keep]
        return cls(widths, seeds, table, left_out)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _refuse_duplicates(width: NDArray[np.int64], seed: NDArray[np.int64]) -> None:
    pairs, counts = np.unique(np.stack([width, seed], axis=1), axis=0, return_counts=True)
    if np.any(counts > 1):
        w, s = pairs[counts > 1][0].tolist()
        raise DuplicateRunError(
            f"{int(counts.max())} runs share width {w} and seed {s}: another axis is swept inside this group. "
            "Name that run coordinate in `group_by=(...)`, or select one of its values first."
        )


def _refuse_invalid(width: NDArray[np.int64], seed: NDArray[np.int64], value: NDArray[np.float64]) -> None:
    finite = np.isfinite(value).reshape(value.shape[0], -1).all(axis=1)
    bad = ~finite if value.ndim > 1 else ~finite | ~(value > 0)
    if np.any(bad):
        first = int(np.flatnonzero(bad)[0])
        wrong = "a vector with NaN or infinity" if value.ndim > 1 else repr(float(value[first]))
        need = "finite" if value.ndim > 1 else "finite and positive"
        raise InvalidObservableError(
            f"Found {wrong} at width {width[first]}, seed {seed[first]} ({int(bad.sum())} of {bad.size} runs); the "
            f"observable must be {need} for a log-log fit. Leave those runs out, or choose an observable that is not 0."
        )
