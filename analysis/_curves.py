"""From a list of runs to the balanced table of curves (seeds × widths) that a fit takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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
        int64 (M,), increasing; float64 along an axis that is not whole.
    seeds
        int64 (S,), increasing: the seeds that are present at EVERY width. The curve of one seed is one replicate.
    values
        float64 (S, M) norms, or (S, M, K) vectors.
    left_out
        Seeds that are present at some widths only, increasing.
    axis
        What varies along `widths`, if it is not the width.
    """

    widths: NDArray[np.int64] | NDArray[np.float64]
    seeds: NDArray[np.int64]
    values: NDArray[np.float64]
    left_out: tuple[int, ...] = ()
    axis: str = "width"

    @classmethod
    def from_runs(cls, width: ArrayLike, seed: ArrayLike, value: ArrayLike, axis: str = "width") -> Curves:
        """Arrange runs as a table of seeds × widths and keep the seeds that every width has.

        Parameters
        ----------
        width, seed
            One pair for each run, (R,): positive numbers along the axis, and integers.
        value
            Floats (R,), the norm of the observable in each run, or (R, K), its vector.
        axis
            Name of the axis (`n_train`, `d`, `alpha`, `depth`, …). Values of other axes than the width may be
            fractions; values that all are whole are kept as integers.

        Returns
        -------
        Curves
            The balanced table.

        Raises
        ------
        ContractError
            The arrays do not fit each other, a width is no whole number from 1 on, or a value of another axis is not
            positive and finite.
        DuplicateRunError
            Two runs share width and seed.
        TooFewWidthsError
            There are fewer than three widths.
        TooFewSeedsError
            No seed is present at every width.
        InvalidObservableError
            A value is NaN or infinite, or a norm is not positive.
        """
        w, s = _axis_values(width, axis), np.asarray(seed, dtype=np.int64)
        v = np.asarray(value, dtype=np.float64)
        if w.ndim != 1 or w.shape != s.shape or v.shape[:1] != w.shape:
            raise ContractError(
                f"Widths {w.shape}, seeds {s.shape} and values {v.shape} do not describe the same runs: "
                "pass one width, one seed and one value (or one row) for each run."
            )
        _refuse_duplicates(w, s, axis)
        widths = np.unique(w)
        if widths.size < MIN_WIDTHS:
            raise TooFewWidthsError(
                f"Found {_count(widths.size, axis)} {widths.tolist()} with finished runs; a power law needs at least "
                f"{MIN_WIDTHS}. Add {_plural(axis)} to the sweep, or wait until the runs of the others are done."
            )
        _refuse_invalid(w, s, v, axis)
        present, counts = np.unique(s, return_counts=True)
        seeds = present[counts == widths.size]
        left_out = tuple(int(x) for x in present[counts < widths.size])
        if not seeds.size:
            raise TooFewSeedsError(
                f"None of the {present.size} seeds is done at all {_count(widths.size, axis)}; a fit compares the same "
                f"seeds at every {axis}. Run the missing ones (the same `run` command again), or shorten the {axis} "
                "axis."
            )
        table = np.empty((seeds.size, widths.size, *v.shape[1:]))
        keep = np.isin(s, seeds)
        table[np.searchsorted(seeds, s[keep]), np.searchsorted(widths, w[keep])] = v[keep]
        return cls(widths, seeds, table, left_out, axis)


def _axis_values(given: ArrayLike, axis: str) -> NDArray[Any]:
    values = np.asarray(given, dtype=np.float64)
    wrong = ~(np.isfinite(values) & (values > 0))
    if axis == "width":
        wrong |= values != np.floor(values)
    if np.any(wrong):
        need = "whole numbers from 1 on" if axis == "width" else "positive and finite, as their logarithm is taken"
        raise ContractError(f"Found {axis} {values[wrong].flat[0]:g}; {_plural(axis)} are {need}.")
    return values.astype(np.int64) if np.all(values == np.floor(values)) else values


def _plural(axis: str) -> str:
    return "widths" if axis == "width" else f"values of {axis}"


def _count(n: int, axis: str) -> str:
    return f"{n} {_plural(axis)}" if n != 1 else f"1 {axis}" if axis == "width" else f"1 value of {axis}"


def _refuse_duplicates(width: NDArray[Any], seed: NDArray[np.int64], axis: str) -> None:
    pairs, counts = np.unique(np.stack([width, seed], axis=1), axis=0, return_counts=True)
    if np.any(counts > 1):
        w, s = pairs[counts > 1][0]
        raise DuplicateRunError(
            f"{int(counts.max())} runs share {axis} {w:g} and seed {int(s)}: another axis is swept inside this group. "
            "Name that run coordinate in `group_by=(...)`, or select one of its values first."
        )


def _refuse_invalid(width: NDArray[Any], seed: NDArray[np.int64], value: NDArray[np.float64], axis: str) -> None:
    finite = np.isfinite(value).reshape(value.shape[0], -1).all(axis=1)
    bad = ~finite if value.ndim > 1 else ~finite | ~(value > 0)
    if np.any(bad):
        first = int(np.flatnonzero(bad)[0])
        wrong = "a vector with NaN or infinity" if value.ndim > 1 else repr(float(value[first]))
        need = "finite" if value.ndim > 1 else "finite and positive"
        raise InvalidObservableError(
            f"Found {wrong} at {axis} {width[first]}, seed {seed[first]} ({int(bad.sum())} of {bad.size} runs); the "
            f"observable must be {need} for a log-log fit. Leave those runs out, or choose an observable that is not 0."
        )
